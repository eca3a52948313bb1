"""The expressions of flows: what they give, what they refuse, and that they always end."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.expression import ExpressionError, convert, evaluate, infer, kind_of, parse

KINDS = {"n": "number", "t": "text", "b": "truth"}
VALUES = {"n": Decimal(7), "t": "abc", "b": True}


def worked_out(source: str):
    term = parse(source)
    kind = infer(term, KINDS)
    value = evaluate(term, VALUES)
    assert kind_of(value) == kind
    return value


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2 * 3", Decimal(7)),
        ("(1 + 2) * 3", Decimal(9)),
        ("10 - 2 - 3", Decimal(5)),
        ("0.1 + 0.2", Decimal("0.3")),
        ("7 % 4", Decimal(3)),
        ("-n + 1", Decimal(-6)),
        ("2 * -3", Decimal(-6)),
        ("1 / 4", Decimal("0.25")),
        ("t & 'd' & \"e\"", "abcde"),
        ("text(n) & t", "7abc"),
        ("n = 7 and t != 'x'", True),
        ("not b or n > 10", False),
        ("not (n < 7)", True),
        ("n >= 7 and n <= 7", True),
        ("length(t) = 3", True),
        ("part(t, 2, 1)", "b"),
        ("part(t, 1, 99)", "abc"),
        ("starts(t, 'ab') and ends(t, 'c') and contains(t, 'b')", True),
        ("number('12') + 1", Decimal(13)),
        ("is_number('12.5') and not is_number('1e5')", True),
        ("round(2.345, 2)", Decimal("2.35")),
        ("max(n, 3) - min(n, 3)", Decimal(4)),
        ("trim('  x ')", "x"),
        ("'说 \"好\"'", '说 "好"'),
        ("b = true", True),
        ("false and 1 / 0 = 1", False),
    ],
)
def test_values(source, value):
    assert worked_out(source) == value


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "the end at character 1 was not expected"),
        ("1 +", "the end at character 4"),
        ("1 2", "'2' at character 2"),
        ("(1", "the end"),
        ("n $ 1", "'$ 1' at character 2 has no sense"),
        ("n.__class__", "has no sense"),
        ("import('os')", "no function import()"),
        ("length()", "takes 1 values, not 0"),
        ("part(t, 1)", "takes 3 values, not 2"),
        ("m + 1", 'no variable "m"'),
        ("t + 1", "+ wants number as its first value, not text"),
        ("n & t", "& wants text as its first value"),
        ("n = t", "= compares number with text"),
        ("n and b", "and wants truth as its first value"),
        ("and b", "has nothing before it"),
        ("(" * 40 + "1" + ")" * 40, "levels"),
        ("'open", "has no sense"),
    ],
)
def test_refused_when_the_flow_is_checked(source, problem):
    with pytest.raises(ExpressionError) as failure:
        infer(parse(source), KINDS)
    assert problem in str(failure.value)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("n / 0", "divided by zero"),
        ("n % (n - 7)", "divided by zero"),
        ("number(t)", "a text is no number"),
        ("999999999999999999 * 10", "too large"),
        ("number('9999999999999999999')", "too large"),
    ],
)
def test_cannot_be_worked_out(source, problem):
    term = parse(source)
    infer(term, KINDS)
    with pytest.raises(ExpressionError) as failure:
        evaluate(term, VALUES)
    assert problem in str(failure.value)


def test_texts_stay_bounded():
    term = parse(" & ".join(["t"] * 20))
    with pytest.raises(ExpressionError, match="longer than 1000"):
        evaluate(term, {"t": "x" * 60})


@given(st.text(alphabet="nbt01+-*/%&=<>!()., '\"andortlsepx", max_size=60))
def test_any_text_is_refused_or_gives_a_value_of_its_kind(source):
    try:
        term = parse(source)
        kind = infer(term, KINDS)
        value = evaluate(term, VALUES)
    except ExpressionError:
        return
    assert kind_of(value) == kind


@pytest.mark.parametrize(
    ("text", "kind", "value"), [("12", "number", Decimal(12)), ("yes", "truth", True), ("x", "text", "x")]
)
def test_what_comes_from_outside(text, kind, value):
    assert convert(text, kind) == value


def test_what_comes_from_outside_and_does_not_fit():
    for text, kind in (("x", "number"), ("NaN", "number"), ("maybe", "truth")):
        with pytest.raises(ExpressionError):
            convert(text, kind)
