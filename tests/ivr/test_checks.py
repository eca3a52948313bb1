"""Every mistake of a flow is named, with its node and field, all at once (XIVR-01)."""

from pathlib import Path

import msgspec
import pytest

from ivr.checks import Surroundings, flow_faults, read_flow
from tests.ivr.flow_of import document, flow_of, sound

END = {"id": "end", "type": "hang_up"}
EXAMPLES = sorted((Path(__file__).parents[2] / "contrib" / "flows").glob("*.json"))


def faults(*nodes, around=None, **settings):
    return [str(fault) for fault in flow_faults(flow_of(*nodes, **settings), around or Surroundings())]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_good(path):
    made, found = read_flow(path.read_bytes())
    assert made is not None and not found
    assert made.name == path.stem
    assert flow_faults(made) == []


def test_the_examples_are_there():
    assert [path.stem for path in EXAMPLES] == ["car_dealer", "company", "gas_utility", "survey"]


@pytest.mark.parametrize(
    ("nodes", "settings", "found"),
    [
        ([END], {}, []),
        ([END], {"start": "no"}, ['start: there is no node "no"']),
        ([END], {"exit": "no"}, ['exit: there is no node "no"']),
        ([END, END], {}, ["end.id: is there twice"]),
        ([{"id": "a", "type": "play", "say": sound("x"), "next": "b"}], {}, ['a.next: there is no node "b"']),
        (
            [{"id": "a", "type": "menu", "choices": {"1": "b"}, "no_input": "c"}],
            {},
            ['a.choices.1: there is no node "b"', 'a.no_input: there is no node "c"'],
        ),
        ([{"id": "a", "type": "hang_up"}, END], {}, ["end: cannot be reached"]),
        (
            [
                {"id": "a", "type": "play", "say": sound("x"), "next": "b"},
                {"id": "b", "type": "wait", "seconds": 1, "next": "a"},
            ],
            {},
            ["a: is part of a loop in which the caller need not do anything"],
        ),
        (
            [{"id": "a", "type": "menu", "choices": {"1": "a"}, "no_input": "a"}],
            {},
            ["a: is part of a loop in which the caller need not do anything"],
        ),
        ([{"id": "a", "type": "menu", "choices": {"1": "a"}}], {}, []),
        (
            [{"id": "a", "type": "set", "values": {"n": "1 +", "m": "1", "caller": "'x'"}}],
            {"variables": [{"name": "n", "kind": "number"}]},
            [
                "a.values.n: the end at character 4 was not expected",
                'a.values.m: "m" is not among the flow\'s variables',
                'a.values.caller: "caller" cannot be set',
            ],
        ),
        (
            [{"id": "a", "type": "set", "values": {"n": "'x'"}}],
            {"variables": [{"name": "n", "kind": "number"}]},
            ["a.values.n: gives text, and number is wanted"],
        ),
        (
            [{"id": "a", "type": "condition", "cases": [{"when": "x = 1"}, {"when": "1 + 1"}]}],
            {},
            ['a.cases.0.when: there is no variable "x"', "a.cases.1.when: gives number, and truth is wanted"],
        ),
        (
            [{"id": "a", "type": "data", "data": {"who": "{nobody}"}}],
            {},
            ['a.data.who: there is no variable "nobody"'],
        ),
        (
            [{"id": "a", "type": "play", "say": [{"kind": "variable", "name": "gone", "read": "digits"}]}],
            {},
            ['a.say.0.name: there is no variable "gone"'],
        ),
        (
            [{"id": "a", "type": "play", "say": [{"kind": "sound", "source": "voice:zh/nothing"}]}],
            {},
            ['a.say.0.source: there is no built-in prompt "voice:zh/nothing"'],
        ),
        (
            [{"id": "a", "type": "collect", "variable": "x", "min_digits": 9, "max_digits": 3}],
            {},
            ["a.min_digits: is more than max_digits (3)"],
        ),
        (
            [{"id": "a", "type": "collect", "variable": "x"}],
            {"variables": [{"name": "x", "kind": "number"}]},
            ['a.variable: "x" is no text; number("…") makes numbers of digits'],
        ),
        (
            [END],
            {"variables": [{"name": "x", "kind": "number", "initial": "many"}]},
            ["variables.0.initial: 'many' is no number"],
        ),
        (
            [END],
            {"variables": [{"name": "x", "kind": "number", "initial": "1+1"}]},
            ["variables.0.initial: '1+1' is no number"],
        ),
        ([END], {"variables": [{"name": "caller"}]}, ['variables.0: "caller" is a variable of the switch itself']),
    ],
)
def test_mistakes(nodes, settings, found):
    assert faults(*nodes, **settings) == found


def test_xivr_08_secret_digits_go_nowhere_but_into_a_request():
    pin = {"id": "pin", "type": "collect", "variable": "pin", "is_secret": True, "next": "ask"}
    ask = {"id": "ask", "type": "http", "url": "http://h/{pin}", "body": {"pin": "{pin}"}, "next": "say"}
    say = {"id": "say", "type": "play", "say": [{"kind": "variable", "name": "pin", "read": "digits"}], "next": "data"}
    data = {"id": "data", "type": "data", "data": {"pin": "{pin}"}, "next": "copy"}
    copy = {"id": "copy", "type": "set", "values": {"other": "pin"}}
    found = faults(pin, ask, say, data, copy, variables=[{"name": "other"}])
    assert [line.partition(":")[0] for line in found] == [
        "ask.url",
        "say.say.0.name",
        "data.data.pin",
        "copy.values.other",
    ]


def test_mpv_01_a_password_is_secret_and_a_number_is_not():
    who = {"id": "who", "type": "collect", "variable": "who", "is_secret": True, "next": "word"}
    word = {"id": "word", "type": "collect", "variable": "word", "next": "check"}
    check = {"id": "check", "type": "member_check", "member": "who", "password": "word"}
    assert faults(who, word, check) == [
        'check.member: "who" is secret, and would be shown',
        'check.password: "word" is not secret (is_secret)',
    ]
    assert faults({**check, "member": "nobody"}) == [
        'check.member: there is no variable "nobody" of text',
        'check.password: there is no variable "word" of text',
    ]
    assert faults({**who, "is_secret": False}, {**word, "is_secret": True}, check) == []


def test_sat_02_the_service_has_three_ratings_and_other_questions_any():
    rate = {"id": "rate", "type": "satisfaction", "answers": {"1": "great", "2": "neutral"}, "choices": {"9": "rate"}}
    assert faults(rate) == [
        "rate.choices.9: is no key of the answers",
        'rate.answers.1: "great" is no rating of the service: satisfied, neutral, dissatisfied',
    ]
    assert faults({**rate, "question": "wish", "choices": {"2": "rate"}}) == []


def test_ivr_16_queries_are_checked_with_what_they_name():
    look = {
        "id": "a",
        "type": "lookup",
        "source": "crm",
        "query": "SELECT x FROM t WHERE y = :who",
        "picks": {"x": "x"},
    }
    assert faults(look) == ['a.query: there is no variable "who"']
    assert faults({**look, "query": "DROP TABLE t"}) == ["a.query: DROP has no place here: a query only reads"]
    caller = {**look, "query": "SELECT x FROM t WHERE y = :caller"}
    assert faults(caller, around=Surroundings(sources={"erp"})) == ['a.source: there is no source "crm" (ivr.source)']
    assert faults({**caller, "picks": {"caller": "x"}}) == ["a.picks.caller: cannot be set"]


def test_what_is_around():
    around = Surroundings(
        queues={"sales"}, calendars={"office"}, flows={"main"}, source_problem=lambda source: "is not there"
    )
    found = faults(
        {"id": "a", "type": "play", "say": sound("x"), "next": "b"},
        {"id": "b", "type": "schedule", "calendar": "moon", "working": "c"},
        {"id": "c", "type": "sub_flow", "flow": "gone", "next": "d"},
        {"id": "d", "type": "queue", "queue": "nobody"},
        around=around,
    )
    assert found == [
        "a.say.0.source: is not there",
        'b.calendar: there is no calendar "moon"',
        'c.flow: there is no flow "gone"',
        'd.queue: there is no queue "nobody"',
    ]


def test_mistakes_of_types_are_told_for_every_node():
    text = msgspec.json.encode(
        document(
            {"id": "a", "type": "menu", "choices": {"x": "a"}},
            {"id": "b", "type": "wait", "seconds": "long"},
            {"id": "c", "type": "dance"},
            language=5,
        )
    )
    made, found = read_flow(text)
    assert made is None
    assert [fault.node for fault in found] == ["", "a", "b", "c"]
    assert found[0].field == "language"
    assert found[2].field == "seconds"


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b"null", b"{}", b'{"name":"x","start":"a","nodes":[]}'])
def test_what_is_no_flow(text):
    made, found = read_flow(text)
    assert made is None and found
