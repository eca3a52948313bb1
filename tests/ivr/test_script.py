"""The scripts of flows: what they do, what is wrong with them and at which line, and that they always end."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr import run as flow
from ivr.checks import flow_faults
from ivr.program import compile_flow
from ivr.script import MAX_DEPTH, parse_script
from tests.ivr.flow_of import Caller, flow_of, program_of

VARIABLES = [{"name": "n", "kind": "number"}, {"name": "t"}, {"name": "yes", "kind": "truth"}]
LEAVES = [{"id": name, "type": "queue", "queue": name} for name in ("good", "bad")]
RANK = [
    "# Who uses much is served first.",
    "if n > 100",
    '  t = "much"',
    "else if n > 10 and not yes",
    "  if n > 50",
    '    t = "some" & t',
    "  end",
    "  n = n * 2",
    "else",
    '  t = "little"',
    "end",
    "yes = n = 120",
]


def script(*lines: str):
    return {"id": "script", "type": "script", "lines": list(lines), "next": "good", "failed": "bad"}


def ran(lines, **values):
    kinds = [{**each, "initial": values.get(each["name"], "")} for each in VARIABLES]
    return Caller(program_of(script(*lines), *LEAVES, variables=kinds))


def leaf(caller: Caller) -> str:
    return caller.of(flow.JoinQueue)[-1].queue


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"n": "101"}, ("much", Decimal(101), False)),
        ({"n": "60", "t": "!"}, ("some!", Decimal(120), True)),
        ({"n": "20", "t": "!"}, ("!", Decimal(40), False)),
        ({"n": "60", "yes": "true"}, ("little", Decimal(60), False)),
        ({"n": "1"}, ("little", Decimal(1), False)),
    ],
)
def test_lines_are_carried_out_in_order_by_their_conditions(values, found):
    caller = ran(RANK, **values)
    assert leaf(caller) == "good"
    assert tuple(caller.variables[name] for name in ("t", "n", "yes")) == found


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["n = 5", "n = n / 0"], "line 2: something is divided by zero"),
        (["t = 'x'", "if number(t) > 1", "end"], "line 2: a text is no number"),
        (["n = 5", "if n = 5", "fail", "end"], "line 3: fail"),
    ],
)
def test_what_fails_changes_nothing_and_takes_the_branch_for_it(lines, problem):
    caller = ran(lines, n="1")
    assert leaf(caller) == "bad"
    assert caller.of(flow.Trouble)[0].problem == problem
    assert caller.variables["n"] == 1


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["n = "], ["1: is none of NAME = EXPRESSION"]),
        (["while n", "n == 1", "N = 1"], ["1: is none of", "2: is none of", "3: is none of"]),
        (["else", "end", "else if n = 1"], ["1: else has no if", "2: end has no if", "3: else has no if"]),
        (
            ["if yes", "else", "else", "else if yes", "end"],
            ["3: nothing can follow else", "4: nothing can follow else"],
        ),
        (["if yes", "if yes", "end"], ["1: this if has no end"]),
        (["if n", "end", "n = 't'"], ["1: gives number, and truth is wanted", "3: gives text, and number is wanted"]),
        (["x = 1", "caller = 'x'", "n = y +"], ['1: "x" is not among', '2: "caller" cannot be set', "3: the end at"]),
        (["t = pin", "pin = t & pin"], ["1: would copy secret digits"]),
        (["if yes"] * (MAX_DEPTH + 1), [f"{MAX_DEPTH + 1}: more than {MAX_DEPTH} ifs"]),
    ],
)
def test_mistakes_are_told_with_their_lines(lines, found):
    pin = {"id": "pin", "type": "collect", "variable": "pin", "is_secret": True, "next": "script"}
    faults = [str(each) for each in flow_faults(flow_of(pin, script(*lines), *LEAVES, variables=VARIABLES))]
    assert len(faults) == len(found)
    for told, wanted in zip(faults, found, strict=True):
        assert told.startswith(f"script.lines.{wanted}")


LINES = st.sampled_from(
    [
        "n = n * n",
        "n = n / 3",
        "t = t & t & 'x'",
        "if n > 5",
        "else if yes",
        "else",
        "end",
        "fail",
        "# n",
        "",
        "yes = n < 9",
    ]
)


@given(st.lists(LINES, min_size=1, max_size=40), st.integers(-9, 99))
def test_any_script_without_mistakes_comes_to_an_end(lines, n):
    made = flow_of(script(*lines), *LEAVES, variables=[{**VARIABLES[0], "initial": str(n)}, *VARIABLES[1:]])
    is_good = not parse_script(lines)[1]
    assert is_good == (flow_faults(made) == [])
    if is_good:
        assert leaf(Caller(compile_flow(made, 1))) in ("good", "bad")
