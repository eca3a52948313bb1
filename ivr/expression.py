"""The expressions of flows: typed, safe, and small enough for who is no programmer. Pure.

Text in quotes, numbers (decimal, exact), true and false, variables, `+ - * / %`, `&` (joins texts), `= != < <= > >=`,
`and or not`, brackets, and the functions of `FUNCTIONS`. There are no loops, and everything that can grow is bounded,
so that an expression always ends soon.
"""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, DecimalException

import msgspec

from model.flows import Kind

Value = str | Decimal | bool
MAX_TEXT = 1000
_MAX_DEPTH = 30
_EXACT = Context(prec=28)


class ExpressionError(ValueError):
    """It cannot be read, or cannot be worked out; the text says why."""


class Literal(msgspec.Struct, frozen=True, gc=False):
    value: Value


class Name(msgspec.Struct, frozen=True, gc=False):
    name: str


class Apply(msgspec.Struct, frozen=True, gc=False):
    """An operator or a function with its operands."""

    what: str
    operands: tuple["Term", ...]


Term = Literal | Name | Apply


class Function(msgspec.Struct, frozen=True):
    takes: tuple[Kind, ...]
    gives: Kind
    work: Callable[..., Value]


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except DecimalException:
        # Never what it is: it may be secret.
        raise ExpressionError("a text is no number") from None
    if not value.is_finite() or abs(value) >= Decimal(10) ** 18:
        raise ExpressionError("a text is too large a number")
    return value


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else value


def _part(text: str, first: Decimal, n: Decimal) -> str:
    begin = max(0, min(int(first) - 1, MAX_TEXT))
    return text[begin : begin + max(0, min(int(n), MAX_TEXT))]


def _divide(a: Decimal, b: Decimal) -> Decimal:
    if not b:
        raise ExpressionError("something is divided by zero")
    return _EXACT.divide(a, b)


def _rest(a: Decimal, b: Decimal) -> Decimal:
    if not b:
        raise ExpressionError("something is divided by zero")
    return _EXACT.remainder(a, b)


FUNCTIONS: dict[str, Function] = {
    "length": Function(("text",), "number", lambda text: Decimal(len(text))),
    "part": Function(("text", "number", "number"), "text", _part),
    "trim": Function(("text",), "text", str.strip),
    "lower": Function(("text",), "text", str.lower),
    "starts": Function(("text", "text"), "truth", str.startswith),
    "ends": Function(("text", "text"), "truth", str.endswith),
    "contains": Function(("text", "text"), "truth", lambda text, part: part in text),
    "is_number": Function(("text",), "truth", lambda text: bool(re.fullmatch(r"-?\d{1,18}(\.\d{1,18})?", text))),
    "number": Function(("text",), "number", _number),
    "text": Function(("number",), "text", _text),
    "round": Function(
        ("number", "number"),
        "number",
        lambda value, places: value.quantize(Decimal(1).scaleb(-max(0, min(int(places), 10))), ROUND_HALF_UP, _EXACT),
    ),
    "min": Function(("number", "number"), "number", min),
    "max": Function(("number", "number"), "number", max),
}
"""Name -> what it takes and gives. `part(text, first, n)` counts from 1."""

_ARITHMETIC: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": _EXACT.add,
    "-": _EXACT.subtract,
    "*": _EXACT.multiply,
    "/": _divide,
    "%": _rest,
}
_ORDER: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_BINDING = {"or": 1, "and": 2, "=": 4, "!=": 4, **dict.fromkeys(_ORDER, 4), "&": 5, "+": 6, "-": 6}
_BINDING |= {"*": 7, "/": 7, "%": 7}
_NOT, _MINUS = 3, 8
_PLACES = ("first", "second", "third")
_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<text>\"[^\"]*\"|'[^']*')|(?P<word>[a-z_][a-z0-9_]*)"
    r"|(?P<sign><=|>=|!=|[-+*/%&=<>(),])|(?P<end>$))"
)
_KINDS: tuple[tuple[type, Kind], ...] = ((bool, "truth"), (str, "text"), (Decimal, "number"))


def kind_of(value: Value) -> Kind:
    return next(kind for made, kind in _KINDS if isinstance(value, made))


def parse(source: str) -> Term:
    """Raises ExpressionError, which says at which character."""
    return _Parser(source).whole()


class _Parser:
    """Precedence climbing (Pratt, Top down operator precedence, 1973)."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._depth = 0
        self._kind = self._token = ""
        self._advance()

    def whole(self) -> Term:
        term = self._term(0)
        if self._kind != "end":
            raise self._wrong()
        return term

    def _advance(self) -> None:
        self._start = self._at
        found = _TOKEN.match(self._source, self._at)
        if found is None:
            raise ExpressionError(f"{self._source[self._at :].strip()[:20]!r} at character {self._at + 1} has no sense")
        self._kind = found.lastgroup or ""
        self._token = found.group(self._kind)
        self._at = found.end()

    def _wrong(self) -> ExpressionError:
        what = repr(self._token) if self._kind != "end" else "the end"
        return ExpressionError(f"{what} at character {self._start + 1} was not expected")

    def _take(self, token: str) -> None:
        if self._token != token or self._kind == "text":
            raise self._wrong()
        self._advance()

    def _term(self, binding: int) -> Term:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ExpressionError(f"more than {_MAX_DEPTH} levels of brackets and operators")
        left = self._first()
        while self._kind in ("sign", "word") and _BINDING.get(self._token, 0) > binding:
            operator = self._token
            self._advance()
            left = Apply(operator, (left, self._term(_BINDING[operator])))
        self._depth -= 1
        return left

    def _first(self) -> Term:
        kind, token = self._kind, self._token
        if kind == "end" or (kind == "sign" and token not in "(-"):
            raise self._wrong()
        self._advance()
        if kind == "number":
            return Literal(Decimal(token))
        if kind == "text":
            return Literal(token[1:-1])
        if token == "-":
            return Apply("negative", (self._term(_MINUS),))
        if token == "(":
            inner = self._term(0)
            self._take(")")
            return inner
        if token == "not":
            return Apply("not", (self._term(_NOT),))
        if token in ("true", "false"):
            return Literal(token == "true")
        if self._token == "(" and self._kind == "sign":
            return self._call(token)
        if token in _BINDING:
            raise ExpressionError(f"{token!r} has nothing before it")
        return Name(token)

    def _call(self, name: str) -> Term:
        if name not in FUNCTIONS:
            raise ExpressionError(f"there is no function {name}(); there are {', '.join(sorted(FUNCTIONS))}")
        self._advance()
        operands: list[Term] = []
        while self._token != ")":
            operands.append(self._term(0))
            if self._token != ")":
                self._take(",")
        self._take(")")
        takes = FUNCTIONS[name].takes
        if len(operands) != len(takes):
            raise ExpressionError(f"{name}() takes {len(takes)} values, not {len(operands)}")
        return Apply(name, tuple(operands))


def infer(term: Term, kinds: Mapping[str, Kind]) -> Kind:
    """What kind of value it gives. Raises ExpressionError for unknown variables and kinds that do not fit."""
    match term:
        case Literal(value=value):
            return kind_of(value)
        case Name(name=name):
            if name not in kinds:
                raise ExpressionError(f'there is no variable "{name}"')
            return kinds[name]
        case Apply(what=what, operands=operands):
            found = [infer(operand, kinds) for operand in operands]
            if what in ("=", "!="):
                if found[0] != found[1]:
                    raise ExpressionError(f"{what} compares {found[0]} with {found[1]}")
                return "truth"
            takes, gives = _signature(what, len(operands))
            for n, (given, wanted) in enumerate(zip(found, takes, strict=True)):
                if given != wanted:
                    raise ExpressionError(f"{what} wants {wanted} as its {_PLACES[n]} value, not {given}")
            return gives


def _signature(what: str, n: int) -> tuple[tuple[Kind, ...], Kind]:
    if what in FUNCTIONS:
        return FUNCTIONS[what].takes, FUNCTIONS[what].gives
    kind: Kind = "number"
    gives: Kind = "number"
    if what in ("and", "or", "not"):
        kind = gives = "truth"
    elif what == "&":
        kind = gives = "text"
    elif what in _ORDER:
        gives = "truth"
    return (kind,) * n, gives


def evaluate(term: Term, values: Mapping[str, Value]) -> Value:
    """Of an expression that `infer` has passed. Raises ExpressionError when it cannot be worked out."""
    try:
        return _evaluate(term, values)
    except (DecimalException, OverflowError):
        raise ExpressionError("a number becomes too large") from None


def _evaluate(term: Term, values: Mapping[str, Value]) -> Value:
    if isinstance(term, Literal):
        return term.value
    if isinstance(term, Name):
        return values[term.name]
    what = term.what
    first = _evaluate(term.operands[0], values)
    if what == "and" or what == "or":
        return _evaluate(term.operands[1], values) if bool(first) == (what == "and") else bool(first)
    if what == "not":
        return not first
    rest = [_evaluate(operand, values) for operand in term.operands[1:]]
    if what == "=":
        return first == rest[0]
    if what == "!=":
        return first != rest[0]
    if what in FUNCTIONS:
        return FUNCTIONS[what].work(first, *rest)
    if what == "&":
        joined = f"{first}{rest[0]}"
        if len(joined) > MAX_TEXT:
            raise ExpressionError(f"a text becomes longer than {MAX_TEXT} characters")
        return joined
    assert isinstance(first, Decimal)
    if what == "negative":
        return -first
    assert isinstance(rest[0], Decimal)
    return _ORDER[what](first, rest[0]) if what in _ORDER else _bounded(_ARITHMETIC[what](first, rest[0]))


def _bounded(value: Decimal) -> Decimal:
    if abs(value) >= Decimal(10) ** 18:
        raise ExpressionError("a number becomes too large")
    return value


def convert(text: str, kind: Kind) -> Value:
    """What came from outside as a value of that kind. Raises ExpressionError."""
    if kind == "number":
        return _number(text)
    if kind == "truth":
        if text.lower() not in ("true", "false", "1", "0", "yes", "no", ""):
            raise ExpressionError("a text is neither true nor false")
        return text.lower() in ("true", "1", "yes")
    return text[:MAX_TEXT]


def show(value: Value) -> str:
    """As text, for what is spoken, sent or shown."""
    return _text(value)
