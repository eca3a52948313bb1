"""ivr/simulation.py: whatever the flow and the caller do, a walk ends; what it tells names the node.

What single nodes do is in test_interpreter.py; the walk in the terminal in tests/switch/test_cli_ivr.py.
"""

from hypothesis import given
from hypothesis import strategies as st

from ivr.interpreter import FixedWorld
from ivr.simulation import MAX_INPUTS, MAX_TOLD, Simulation
from tests.ivr.flow_of import program_of, sound

MENU = {
    "id": "menu",
    "type": "menu",
    "say": sound("menu"),
    "choices": {"1": "ask", "2": "dial", "3": "pin", "9": "menu"},
}
PROGRAM = program_of(
    MENU,
    {"id": "ask", "type": "http", "url": "http://crm/x", "picks": {"name": "name"}, "next": "again", "failed": "dial"},
    {"id": "again", "type": "wait", "seconds": 1, "next": "menu"},
    {"id": "dial", "type": "transfer", "to": "1001", "busy": "menu"},
    {"id": "pin", "type": "collect", "variable": "pin", "is_secret": True, "next": "menu"},
)


def walk(*say: str, **how) -> Simulation:
    made = Simulation(PROGRAM, FixedWorld({"main": PROGRAM}), caller="13800001111", **how)
    made.start()
    for typed in say:
        made.give(typed)
    return made


def test_what_happens_is_told_with_its_node():
    told = walk("1", "!", replies=[{"name": "李"}]).told
    assert [(each.what, each.at_node) for each in told] == [
        ("node", "menu"),
        ("hears", "menu"),
        ("caller", "menu"),
        ("branch", "menu"),
        ("node", "ask"),
        ("asks", "ask"),
        ("answer", "ask"),
        ("node", "again"),
        ("node", "menu"),
        ("hears", "menu"),
        ("caller", "menu"),
    ]
    assert told[6].text == "name = 李"
    assert {each.flow for each in told} == {"main"}


def test_each_end():
    assert walk("2").end == "transferred"
    assert walk("2", transfer="busy").end == ""
    assert walk("2", "!", transfer="busy").end == "hung_up"
    assert walk("-", "-", "-").end == "ended"
    assert walk("1").end == "transferred"


def test_secret_keys_are_not_told():
    assert "4711" not in str(walk("3", "4711#").told)


def test_a_caller_who_never_stops_is_stopped():
    made = walk()
    given_n = 0
    while not made.end and given_n <= MAX_INPUTS:
        made.give("9" * 64)
        given_n += 1
    assert made.end in ("stopped", "ended")
    assert len(made.told) <= MAX_TOLD + 1


@given(st.lists(st.sampled_from(["1", "2", "3", "9", "12", "-", "#", "12#"]), max_size=30), st.booleans())
def test_any_walk_ends_when_the_caller_does_nothing_more(say, is_busy):
    made = walk(*say, transfer="busy" if is_busy else "failed")
    for _ in range(MAX_INPUTS):
        if made.end:
            break
        made.give("-")
    assert made.end in ("ended", "stopped", "hung_up")


def test_xivr_05_words_are_heard_where_somebody_listens():
    program = program_of(
        {"id": "what", "type": "listen", "variable": "wish", "accept": 'contains(wish, "sale")', "next": "tell"},
        {"id": "tell", "type": "data", "data": {"wish": "{wish}"}, "next": "menu"},
        {**MENU, "choices": {"1": "bye"}},
        {"id": "bye", "type": "hang_up"},
    )
    made = Simulation(program, FixedWorld({"main": program}), caller="1")
    made.start()
    for typed in ("-", "say:hello", "say:I want a sale", "say:nobody listens", "1"):
        made.give(typed)
    assert made.end == "ended"
    told = [(each.what, each.text) for each in made.told]
    assert ("data", "wish = I want a sale") in told
    assert ("caller", "is not listened to") in told
