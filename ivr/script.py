"""The scripts of flows: lines that set variables, and `if … else if … else … end` around them. Pure.

    # Who uses much is served first.
    if usage > 100
      rank = "much"
    else
      rank = "little"
    end

There are no loops, so that a script always ends; `fail` leaves it by the branch for failures. What a script sets holds
only when it comes to its end.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from ivr.expression import ExpressionError, Term, Value, evaluate

MAX_DEPTH = 8
_ASSIGNMENT = re.compile(r"([a-z][a-z0-9_]{0,31})\s*=(?!=)\s*(.+)")
_OPENS = re.compile(r"(else\s+)?if\s+(.+)")


class Assign(msgspec.Struct, frozen=True, gc=False):
    line: int
    name: str
    text: str


class Fail(msgspec.Struct, frozen=True, gc=False):
    line: int


class Arm(msgspec.Struct, gc=False):
    """What happens when it holds; `text` "" = otherwise."""

    line: int
    text: str
    block: list["Statement"]


class Choice(msgspec.Struct, gc=False):
    arms: list[Arm]


Statement = Assign | Fail | Choice
Block = list[Statement]


class ScriptError(ValueError):
    """It cannot be worked out, or was made to fail; the text says at which line."""


def parse_script(lines: Sequence[str]) -> tuple[Block, list[tuple[int, str]]]:
    """The script, and everything that is wrong with its form: (line, problem). Lines count from 1."""
    whole: Block = []
    blocks, choices = [whole], list[Choice]()
    problems: list[tuple[int, str]] = []
    for line, text in enumerate(map(str.strip, lines), start=1):
        opens = _OPENS.fullmatch(text)
        assigns = _ASSIGNMENT.fullmatch(text)
        if not text or text.startswith("#"):
            continue
        if opens is not None and not opens[1]:
            if len(choices) >= MAX_DEPTH:
                return whole, [*problems, (line, f"more than {MAX_DEPTH} ifs within another")]
            choices.append(Choice([Arm(line, opens[2], [])]))
            blocks[-1].append(choices[-1])
            blocks.append(choices[-1].arms[-1].block)
        elif opens is not None or text == "else":
            if not choices or not choices[-1].arms[-1].text:
                problems.append(
                    (line, "else has no if before it" if not choices else "nothing can follow else but end")
                )
                continue
            choices[-1].arms.append(Arm(line, opens[2] if opens is not None else "", []))
            blocks[-1] = choices[-1].arms[-1].block
        elif text == "end":
            if not choices:
                problems.append((line, "end has no if before it"))
                continue
            choices.pop()
            blocks.pop()
        elif text == "fail":
            blocks[-1].append(Fail(line))
        elif assigns is not None:
            blocks[-1].append(Assign(line, assigns[1], assigns[2]))
        else:
            problems.append((line, "is none of NAME = EXPRESSION, if EXPRESSION, else if EXPRESSION, else, end, fail"))
    problems += [(choice.arms[0].line, "this if has no end") for choice in choices]
    return whole, problems


def expressions(block: Block) -> Iterator[tuple[int, str, str]]:
    """(line, variable that it is for, expression); "" = it is a condition."""
    for statement in block:
        match statement:
            case Assign(line=line, name=name, text=text):
                yield line, name, text
            case Choice(arms=arms):
                for arm in arms:
                    if arm.text:
                        yield arm.line, "", arm.text
                    yield from expressions(arm.block)
            case _:
                pass


def run_script(block: Block, terms: Mapping[str, Term], variables: Mapping[str, Value]) -> dict[str, Value]:
    """The variables afterwards. Raises ScriptError."""
    values = dict(variables)
    _run(block, terms, values)
    return values


def _run(block: Block, terms: Mapping[str, Term], values: dict[str, Value]) -> None:
    for statement in block:
        match statement:
            case Assign(line=line, name=name, text=text):
                values[name] = _work_out(line, terms[text], values)
            case Choice(arms=arms):
                chosen = next(
                    (arm for arm in arms if not arm.text or _work_out(arm.line, terms[arm.text], values)), None
                )
                if chosen is not None:
                    _run(chosen.block, terms, values)
            case Fail(line=line):
                raise ScriptError(f"line {line}: fail")


def _work_out(line: int, term: Term, values: Mapping[str, Value]) -> Value:
    try:
        return evaluate(term, values)
    except ExpressionError as error:
        raise ScriptError(f"line {line}: {error}") from None
