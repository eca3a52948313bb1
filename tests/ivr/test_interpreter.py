"""Callers walk flows in virtual time: each node, each branch, and that no flow keeps anybody."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr import interpreter
from ivr import run as flow
from ivr.program import compile_flow
from ivr.requests import pick
from ivr.speaking import Speech
from ivr.walk import MAX_SAYING_S
from tests.ivr.flow_of import Caller, flow_of, program_of, sound, variable

END = {"id": "end", "type": "hang_up"}
MENU = {
    "id": "menu",
    "type": "menu",
    "say": sound("menu"),
    "choices": {"1": "one", "2": "two"},
    "no_match_say": sound("wrong"),
    "no_input_say": sound("well"),
    "no_input": "late",
    "no_match": "bad",
}
LEAVES = [{"id": name, "type": "queue", "queue": name} for name in ("one", "two", "late", "bad")]


def menu_caller() -> Caller:
    return Caller(program_of(MENU, *LEAVES))


def queue_of(caller: Caller) -> str:
    return caller.of(flow.JoinQueue)[-1].queue


def test_ivr_03_a_key_chooses():
    caller = menu_caller()
    assert caller.said == ["file:menu.wav"]
    caller.keys("2")
    assert queue_of(caller) == "two"
    assert len(caller.of(flow.StopSaying)) == 1
    assert not caller.run.waits_for


def test_xivr_02_a_wrong_key_and_none_ask_again_and_then_take_their_branch():
    caller = menu_caller()
    caller.keys("9")
    assert caller.said[-2:] == ["file:wrong.wav", "file:menu.wav"]
    caller.idle()
    assert caller.said[-2:] == ["file:well.wav", "file:menu.wav"]
    caller.keys("7")
    assert queue_of(caller) == "bad"
    silent = menu_caller()
    for _ in range(3):
        silent.idle()
    assert queue_of(silent) == "late"


def test_time_for_the_first_key_begins_when_the_prompt_is_out():
    caller = menu_caller()
    assert caller.run.deadline == pytest.approx(caller.now + MAX_SAYING_S)
    caller.give(flow.Due(), 20.0)
    assert caller.run.n_tries == 0
    caller.listen()
    assert caller.run.deadline == pytest.approx(caller.now + 5.0)


def test_a_prompt_that_does_not_end_is_not_waited_for():
    caller = menu_caller()
    caller.give(flow.Due(), MAX_SAYING_S)
    assert caller.of(flow.Trouble)[0].problem == "what was said did not end"
    caller.keys("1")
    assert queue_of(caller) == "one"


def test_keys_typed_ahead_are_kept_for_the_questions_that_follow():
    account = {"id": "account", "type": "collect", "variable": "account", "max_digits": 4, "next": "menu"}
    welcome = {"id": "welcome", "type": "play", "say": sound("hello"), "is_interruptible": False, "next": "account"}
    caller = Caller(program_of(welcome, account, MENU, *LEAVES))
    caller.keys("12342")
    assert caller.at == "welcome"
    caller.listen()
    assert caller.variables["account"] == "1234"
    assert queue_of(caller) == "two"
    assert caller.said == ["file:hello.wav"]


def test_a_key_ends_what_is_said_and_counts():
    welcome = {"id": "welcome", "type": "play", "say": sound("hello"), "next": "menu"}
    caller = Caller(program_of(welcome, MENU, *LEAVES))
    caller.keys("1")
    assert queue_of(caller) == "one"


COLLECT = {
    "id": "ask",
    "type": "collect",
    "say": sound("number"),
    "variable": "account",
    "min_digits": 3,
    "max_digits": 6,
    "accept": "starts(account, '4')",
    "next": "one",
    "no_input": "late",
    "no_match": "bad",
}


@pytest.mark.parametrize(
    ("keys", "leaf", "value"),
    [
        ("412#", "one", "412"),
        ("412345", "one", "412345"),
        ("41#41#41#", "bad", ""),
        ("512#512#512#", "bad", ""),
        ("###", "late", ""),
        ("51#4123#", "one", "4123"),
    ],
)
def test_ivr_15_digits_are_collected(keys, leaf, value):
    caller = Caller(program_of(COLLECT, LEAVES[0], *LEAVES[2:]))
    caller.keys(keys)
    assert queue_of(caller) == leaf
    assert caller.variables["account"] == value


def test_no_more_digits_are_enough_when_they_are():
    caller = Caller(program_of(COLLECT, LEAVES[0], *LEAVES[2:]))
    caller.keys("4567")
    assert caller.run.deadline == pytest.approx(caller.now + 3.0)
    caller.idle()
    assert caller.variables["account"] == "4567"


def test_xivr_08_secret_digits_are_in_no_repr_and_the_line_is_secure_for_so_long():
    secret = {**COLLECT, "accept": "", "is_secret": True}
    caller = Caller(program_of(secret, LEAVES[0], *LEAVES[2:]))
    caller.keys("98765")
    assert "98765" not in repr(caller.run) + repr(caller.actions)
    caller.keys("#")
    assert [each.is_on for each in caller.of(flow.Secure)] == [True, False]
    assert caller.variables["account"] == "98765"
    assert "98765" not in repr(caller.run) + repr(caller.actions) + repr(flow.Digit("9"))


def test_values_and_conditions():
    count = {"id": "count", "type": "set", "values": {"n": "n + 1", "t": "t & text(n)"}, "next": "often"}
    often = {
        "id": "often",
        "type": "condition",
        "cases": [{"when": "n >= 3 and t = '123'", "next": "one"}],
        "otherwise": "menu",
    }
    menu = {**MENU, "choices": {"1": "count"}}
    caller = Caller(
        program_of(
            count, often, menu, LEAVES[0], *LEAVES[2:], variables=[{"name": "n", "kind": "number"}, {"name": "t"}]
        )
    )
    caller.keys("11")
    assert queue_of(caller) == "one"
    assert caller.variables["n"] == Decimal(3)


def test_what_cannot_be_worked_out_takes_the_branch_for_it():
    divide = {"id": "divide", "type": "set", "values": {"n": "1 / n"}, "next": "one", "failed": "two"}
    caller = Caller(program_of(divide, *LEAVES[:2], variables=[{"name": "n", "kind": "number"}]))
    assert queue_of(caller) == "two"
    assert caller.of(flow.Trouble)[0].problem == "something is divided by zero"


@pytest.mark.parametrize("hours", ["working", "off", "holiday", "emergency"])
def test_acc_04_the_calendar_chooses(hours):
    node = {"id": "open", "type": "schedule", "calendar": "office"}
    node |= {name: f"q_{name}" for name in ("working", "off", "holiday", "emergency")}
    leaves = [
        {"id": f"q_{name}", "type": "queue", "queue": name} for name in ("working", "off", "holiday", "emergency")
    ]
    assert queue_of(Caller(program_of(node, *leaves), hours=hours)) == hours


HTTP = {
    "id": "ask",
    "type": "http",
    "method": "POST",
    "url": "https://crm.example/orders?who={caller}&q={t}",
    "headers": {"X-Who": "{t}"},
    "body": {"number": "{caller}"},
    "picks": {"amount": "order.items.0.price", "name": "order.name?"},
    "timeout_s": 2.0,
    "retries": 1,
    "next": "tell",
    "failed": "two",
}
TELL = {"id": "tell", "type": "play", "say": variable("amount", "money") + variable("name"), "next": "one"}
HTTP_SETTINGS = {"variables": [{"name": "t", "initial": "a b&c\r\nX: y"}, {"name": "amount", "kind": "number"}]}


def http_caller() -> Caller:
    return Caller(program_of(HTTP, TELL, *LEAVES[:2], **HTTP_SETTINGS))


def test_ivr_14_another_system_is_asked_and_what_it_says_is_played():
    caller = http_caller()
    asked = caller.of(flow.Ask)[0]
    assert asked.url == "https://crm.example/orders?who=13800001111&q=a%20b%26c%0D%0AX%3A%20y"
    assert asked.headers == {"X-Who": "a b&c X: y"}
    assert asked.body == {"number": "13800001111"}
    found = pick({"order": {"items": [{"price": 12.05}], "name": "王"}}, asked.picks)
    caller.give(flow.Replied(found))
    assert caller.said[:3] == ["voice:zh/10", "voice:zh/2", "voice:zh/yuan"]
    assert caller.said[-1] == Speech("王", "zh")
    caller.listen()
    assert queue_of(caller) == "one"


@pytest.mark.parametrize(
    "reply",
    [
        flow.Replied({}, "status 500"),
        flow.Replied({}),
        flow.Replied({"amount": "much"}),
        flow.Due(),
    ],
)
def test_xivr_03_answers_that_are_of_no_use_take_the_branch_for_it(reply):
    caller = http_caller()
    caller.now = caller.run.deadline
    caller.give(reply)
    assert queue_of(caller) == "two"
    assert caller.of(flow.Trouble)
    assert caller.give(flow.Replied({"amount": "1"})) == []


MEMBER = [
    {"id": "who", "type": "collect", "variable": "who", "next": "word"},
    {"id": "word", "type": "collect", "variable": "word", "is_secret": True, "next": "check"},
    {
        "id": "check",
        "type": "member_check",
        "member": "who",
        "password": "word",
        "ok": "one",
        "wrong": "two",
        "locked": "late",
        "failed": "bad",
    },
    *LEAVES,
]


@pytest.mark.parametrize(
    ("reply", "leaf", "told"),
    [
        (flow.Replied({}, outcome="ok"), "one", [{"member": "2001"}]),
        (flow.Replied({}, outcome="wrong"), "two", []),
        (flow.Replied({}, outcome="locked"), "late", []),
        (flow.Replied({}, "away"), "bad", []),
        (flow.Replied({}, outcome="who"), "bad", []),
        (None, "bad", []),
    ],
)
def test_ivr_22_a_password_is_checked_and_forgotten(reply, leaf, told):
    caller = Caller(program_of(*MEMBER))
    caller.keys("2001#4711#")
    (asked,) = caller.of(flow.CheckMember)
    assert (asked.member, asked.password) == ("2001", "4711")
    assert "4711" not in repr(caller.actions) + repr(caller.run) + repr(caller.variables)
    caller.give(reply) if reply is not None else caller.idle()
    assert queue_of(caller) == leaf
    assert [each.data for each in caller.of(flow.Tell)] == told


RATE = {
    "id": "rate",
    "type": "satisfaction",
    "say": sound("rate"),
    "no_match_say": sound("wrong"),
    "choices": {"3": "two"},
    "next": "one",
    "no_match": "bad",
    "no_input": "late",
}


@pytest.mark.parametrize(
    ("keys", "leaf", "told"),
    [
        ("1", "one", [("satisfied", "1")]),
        ("2", "one", [("neutral", "2")]),
        ("3", "two", [("dissatisfied", "3")]),
        ("92", "one", [("asked_again", ""), ("neutral", "2")]),
        ("98", "bad", [("asked_again", ""), ("wrong_key", "")]),
        ("", "late", [("none", "")]),
        ("9", "late", [("asked_again", ""), ("none", "")]),
    ],
)
def test_sat_01_one_key_answers_and_a_wrong_one_is_asked_again_once(keys, leaf, told):
    caller = Caller(program_of(RATE, *LEAVES))
    caller.keys(keys)
    while caller.run.waits_for:
        caller.idle()
    assert queue_of(caller) == leaf
    assert [(each.answer, each.key) for each in caller.of(flow.Survey)] == [("asked", ""), *told]


def test_nobody_is_asked_twice_how_he_was_served_but_other_questions_are_asked(monkeypatch):
    monkeypatch.setattr(interpreter.FixedWorld, "may_rate", lambda self: False)
    wish = {**RATE, "id": "wish", "question": "wish", "answers": {"1": "more", "3": "less"}}
    caller = Caller(program_of({**RATE, "next": "wish"}, wish, *LEAVES))
    assert caller.at == "wish"
    caller.keys("1")
    assert [(each.question, each.answer) for each in caller.of(flow.Survey)] == [("wish", "asked"), ("wish", "more")]


def test_keys_while_a_request_is_under_way_are_kept():
    caller = Caller(program_of({**HTTP, "picks": {}, "next": "menu"}, MENU, *LEAVES, **HTTP_SETTINGS))
    caller.keys("1")
    caller.give(flow.Replied({}))
    assert queue_of(caller) == "one"


@pytest.mark.parametrize("outcome", ["busy", "no_answer", "failed"])
def test_transfers_that_do_not_succeed_go_on(outcome):
    node = {"id": "dial", "type": "transfer", "to": "1001", "busy": "b", "no_answer": "n", "failed": "f"}
    leaves = [{"id": name[0], "type": "queue", "queue": name} for name in ("busy", "no_answer", "failed")]
    caller = Caller(program_of(node, *leaves))
    assert caller.of(flow.TransferTo) == [flow.TransferTo("1001", 30.0)]
    # However long it rang.
    caller.give(flow.NotTransferred(outcome), 2000.0)
    assert queue_of(caller) == outcome


def test_ivr_04_menus_within_menus_and_the_ways_back():
    def menu(name, **choices):
        return {
            "id": name,
            "type": "menu",
            "say": sound(name),
            "choices": choices,
            "no_input": "end",
            "no_match": "end",
        }

    up, top = {"id": "up", "type": "back"}, {"id": "top", "type": "top"}
    program = program_of(
        menu("first", **{"1": "second"}),
        menu("second", **{"1": "third", "*": "up"}),
        menu("third", **{"*": "up", "#": "top", "1": "third"}),
        up,
        top,
        END,
    )
    caller = Caller(program)
    caller.keys("11")
    assert caller.at == "third"
    caller.keys("1*")
    assert caller.at == "second"
    caller.keys("*")
    assert caller.at == "first"
    caller.keys("*")
    assert caller.at == "first"
    caller.keys("11#")
    assert caller.at == "first"
    assert caller.run.menus == [(1, "first")]


def test_a_flow_within_a_flow_and_back_with_what_both_know():
    outer = program_of(
        {"id": "sub", "type": "sub_flow", "flow": "inner", "next": "one", "failed": "two"},
        *LEAVES[:2],
        variables=[{"name": "account"}, {"name": "other", "initial": "kept"}],
    )
    inner = program_of(
        {"id": "ask", "type": "collect", "variable": "account", "next": "back"},
        {"id": "back", "type": "return"},
        name="inner",
        variables=[{"name": "other", "kind": "number"}],
    )
    caller = Caller(outer, inner)
    caller.keys("77#")
    assert queue_of(caller) == "one"
    assert caller.variables["account"] == "77"
    assert caller.variables["other"] == "kept"
    assert caller.run.path == ["main/sub", "inner/ask", "inner/back", "main/one"]
    assert queue_of(Caller(outer)) == "two"


def test_flows_that_call_themselves_end():
    again = program_of({"id": "sub", "type": "sub_flow", "flow": "main"})
    caller = Caller(again)
    assert caller.of(flow.EndCall)
    assert "within another" in caller.of(flow.Trouble)[0].problem


def test_language_rank_data_and_pause():
    nodes = [
        {"id": "en", "type": "language", "language": "en", "next": "rank"},
        {"id": "rank", "type": "rank", "is_vip": True, "priority": 5, "skills": {"gas": 3}, "next": "data"},
        {"id": "data", "type": "data", "data": {"who": "{caller} {language}"}, "next": "wait"},
        {"id": "wait", "type": "wait", "seconds": 2, "next": "say"},
        {"id": "say", "type": "play", "say": [{"kind": "number", "value": "21"}], "next": "one"},
    ]
    caller = Caller(program_of(*nodes, LEAVES[0]))
    assert caller.of(flow.SpeakLanguage) == [flow.SpeakLanguage("en")]
    assert caller.of(flow.RankCaller) == [flow.RankCaller(True, 5, {"gas": 3})]
    assert caller.of(flow.Tell) == [flow.Tell({"who": "13800001111 en"})]
    caller.idle()
    assert caller.said == ["voice:en/20", "voice:en/1"]


@pytest.mark.parametrize(
    ("piece", "said"),
    [
        ({"kind": "sound", "source": "file:a.wav"}, ["file:a.wav"]),
        ({"kind": "digits", "value": "1008"}, ["yao", "0", "0", "8"]),
        ({"kind": "number", "value": "1003"}, ["1", "1000", "0", "3"]),
        ({"kind": "variable", "name": "t"}, [Speech("1003", "zh")]),
        ({"kind": "variable", "name": "t", "read": "digits"}, ["yao", "0", "0", "3"]),
        ({"kind": "variable", "name": "t", "read": "number"}, ["1", "1000", "0", "3"]),
        ({"kind": "text", "text": "号 {t}"}, [Speech("号 1003", "zh")]),
        ({"kind": "variable", "name": "d", "read": "number"}, [Speech("many", "zh")]),
        ({"kind": "variable", "name": "e", "read": "digits"}, []),
    ],
    ids=["IVR-07", "IVR-08", "IVR-09", "IVR-10", "IVR-11", "IVR-12", "IVR-13", "unreadable", "empty"],
)
def test_what_is_played(piece, said):
    settings = [{"name": "t", "initial": "1003"}, {"name": "d", "initial": "many"}, {"name": "e"}]
    caller = Caller(program_of({"id": "say", "type": "play", "say": [piece]}, variables=settings))
    wanted = [each if not isinstance(each, str) or ":" in each else f"voice:zh/{each}" for each in said]
    assert caller.said == wanted
    assert bool(caller.of(flow.Trouble)) == (piece.get("name") == "d")


def test_every_branch_that_names_nothing_leads_to_the_exit():
    menu = {"id": "menu", "type": "menu", "say": sound("menu"), "choices": {"1": "menu"}, "retries": 0}
    bye = {"id": "bye", "type": "play", "say": sound("bye")}
    caller = Caller(program_of(menu, bye, exit="bye"))
    caller.idle()
    assert caller.at == "bye"
    caller.listen()
    assert caller.of(flow.EndCall)


def test_time_and_steps_are_limited_and_then_the_exit_follows():
    menu = {"id": "menu", "type": "menu", "choices": {"1": "menu"}, "retries": 9}
    program = program_of(menu, LEAVES[0], exit="one", max_s=10, max_steps=12)
    slow = Caller(program)
    slow.now += 11
    slow.keys("5")
    assert queue_of(slow) == "one"
    assert slow.of(flow.Trouble)[0].problem == "the flow has lasted too long"
    busy = Caller(program)
    for _ in range(20):
        if busy.run.waits_for:
            busy.give(flow.Digit("1"), 0.01)
    assert queue_of(busy) == "one"
    assert busy.of(flow.Trouble)[0].problem == "the flow took more than 12 steps"


def test_live_calls_finish_on_their_version():
    caller = menu_caller()
    caller.world.flows["main"] = compile_flow(flow_of({**MENU, "choices": {"2": "one"}}, *LEAVES), 2)
    caller.keys("2")
    assert queue_of(caller) == "two"
    assert {each.version for each in caller.of(flow.Visited)} == {1}


IDS = st.sampled_from(["a", "b", "c", "d", ""])


KINDS = [
    *("play", "menu", "collect", "condition", "back", "top", "wait", "sub_flow", "return", "http", "transfer"),
    *("satisfaction", "lookup", "callback", "member_check", "script"),
]


@st.composite
def any_node(draw, name: str):
    some = IDS.filter(bool)
    kind = draw(st.sampled_from(KINDS))
    node = {"id": name, "type": kind}
    match kind:
        case "play":
            node |= {"say": draw(st.sampled_from([[], sound("x")])), "next": draw(IDS)}
        case "menu":
            node |= {"choices": {"1": draw(some), "2": draw(some)}, "say": draw(st.sampled_from([[], sound("x")]))}
            node |= {"no_input": draw(IDS), "no_match": draw(IDS), "retries": draw(st.integers(0, 2))}
        case "collect":
            node |= {"variable": "v", "max_digits": 2, "is_secret": draw(st.booleans()), "next": draw(IDS)}
            node |= {"no_input": draw(IDS), "no_match": draw(IDS), "retries": draw(st.integers(0, 2))}
        case "condition":
            node |= {"cases": [{"when": "length(v) > 1", "next": draw(IDS)}], "otherwise": draw(IDS)}
        case "wait":
            node |= {"seconds": 1, "next": draw(IDS)}
        case "sub_flow":
            node |= {"flow": draw(st.sampled_from(["main", "gone"])), "next": draw(IDS), "failed": draw(IDS)}
        case "http":
            node |= {"url": "http://h/", "picks": {"v": "v"}, "next": draw(IDS), "failed": draw(IDS)}
        case "satisfaction":
            node |= {"question": draw(st.sampled_from(["", "q"])), "choices": {"2": draw(some)}, "next": draw(IDS)}
            node |= {"no_input": draw(IDS), "no_match": draw(IDS), "retries": draw(st.integers(0, 2))}
        case "lookup":
            node |= {"source": "s", "query": "SELECT v FROM t WHERE w = :v", "picks": {"v": "v"}, "next": draw(IDS)}
            node |= {"none": draw(IDS), "failed": draw(IDS)}
        case "callback":
            node |= {"queue": "q", "next": draw(IDS), "failed": draw(IDS)}
        case "member_check":
            node |= {"member": "v", "password": "v", "ok": draw(IDS), "wrong": draw(IDS), "failed": draw(IDS)}
        case "script":
            node |= {
                "lines": ["v = v & v", "if number(v) > 9", "v = ''", "end"],
                "next": draw(IDS),
                "failed": draw(IDS),
            }
        case "transfer":
            node |= {"to": "1001", "busy": draw(IDS), "failed": draw(IDS), "no_answer": draw(IDS)}
        case _:
            pass
    return node


INPUTS = st.sampled_from(["1", "2", "9", "#", "idle", "said", "reply", "no_reply", "ok", "busy"])


@given(st.tuples(*(any_node(name) for name in "abcd")), IDS, st.lists(INPUTS, max_size=40))
def test_no_flow_can_keep_a_caller(nodes, leads_to, inputs):
    """Loops are refused at publishing; here they are let through, so that the limits alone must do."""
    made = flow_of(*nodes, exit=leads_to, max_steps=20, max_s=60, variables=[{"name": "v"}])
    caller = Caller(compile_flow(made, 1))
    for what in inputs:
        match what:
            case "idle":
                caller.idle()
            case "said":
                caller.listen()
            case "reply":
                caller.give(flow.Replied({"v": "12"}))
            case "no_reply":
                caller.give(flow.Replied({}, "no"))
            case "ok":
                caller.give(flow.Replied({}, outcome="ok"))
            case "busy":
                caller.give(flow.NotTransferred("busy"))
            case _:
                caller.keys(what)
    # From here on he does nothing, and nobody whom he is connected with answers.
    for _ in range(400):
        if not caller.run.waits_for:
            break
        caller.give(flow.NotTransferred("failed")) if caller.run.waits_for == "transfer" else caller.idle()
    assert not caller.run.waits_for
    assert len(caller.of(flow.EndCall)) + len(caller.of(flow.JoinQueue)) == 1
    assert isinstance(caller.actions[-1], flow.EndCall | flow.JoinQueue)
    secured = [each.is_on for each in caller.of(flow.Secure)]
    assert secured == [True, False] * (len(secured) // 2)
    assert caller.give(flow.Digit("1")) == []


def test_pick_takes_plain_values_alone():
    answer = {"a": {"b": [1, {"c": True}]}, "n": None, "o": {}, "s": "x"}
    paths = {
        "one": "a.b.0",
        "c": "a.b.1.c",
        "n": "n",
        "o": "o",
        "s": "s?",
        "far": "a.b.9",
        "deep": "s.x.y",
        "neg": "a.b.-1",
    }
    assert pick(answer, paths) == {"one": "1", "c": "true", "s": "x"}


def test_xivr_08_what_cannot_be_worked_out_of_secret_digits_does_not_tell_them():
    secret = {**COLLECT, "accept": "number(account) > 0", "is_secret": True, "terminators": "#"}
    caller = Caller(program_of(secret, LEAVES[0], *LEAVES[2:]))
    caller.keys("98*76#")
    assert caller.of(flow.Trouble)[0].problem == "a text is no number"
    assert "98*76" not in str([msgspec.to_builtins(each) for each in caller.of(flow.Trouble)])
