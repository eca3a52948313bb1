"""Who calls whom in the demo, and what they do while they talk. Pure."""

import msgspec

from switch.demo.centre import QUEUES, RATINGS
from switch.demo.setting import ACCESS_NUMBER, FIRST_EXTENSION, FIRST_OUTSIDE_NUMBER

KINDS = ("internal", "outbound", "inbound")
STAGGER_S = 0.35
"""Between the starts of two calls, at most."""
_NAMES = ("Ana", "Bo", "Chen", "Dana", "Emil", "Fang", "Gao", "Hana", "Ines", "Jun", "Kim", "Li", "Mei", "Nils", "Ola")


class Step(msgspec.Struct, frozen=True):
    """At `at_s` after the answer, `side` ("caller" or "callee") does something."""

    at_s: float
    side: str
    action: str
    """digits, hold, resume, hang_up"""
    digits: str = ""


class PlannedCall(msgspec.Struct, frozen=True, kw_only=True):
    """One call from beginning to end."""

    index: int
    kind: str
    """internal, outbound or inbound"""
    caller: str
    """Extension, or the outside number the carrier calls in the name of."""
    callee: str
    """Extension, or the outside number the carrier answers for; empty: whichever agent takes it."""
    dialed: str
    start_s: float
    steps: tuple[Step, ...]
    menu_key: str = ""
    """inbound: what the caller presses in the menu, and which queue that leads to,"""
    queue: str = ""
    rating_key: str = ""
    """and what he presses when the agent has hung up, and what that says."""
    rating: str = ""

    @property
    def digits(self) -> dict[str, str]:
        """What each side sends in all."""
        return {side: "".join(step.digits for step in self.steps if step.side == side) for side in ("caller", "callee")}

    @property
    def has_hold(self) -> bool:
        return any(step.action == "hold" for step in self.steps)


class Plan(msgspec.Struct, frozen=True):
    calls: tuple[PlannedCall, ...]
    extensions: tuple[str, ...]
    names: dict[str, str]
    """Extension -> name to show."""
    agents: tuple[str, ...]
    """Extensions at which agents sit, as many as there are inbound calls."""


def make_plan(n_calls: int, talk_s: float) -> Plan:
    """`n_calls` of all kinds in turn, with phones enough that all can talk at the same time."""
    calls = []
    extensions: list[str] = []
    agents: list[str] = []

    def next_extension() -> str:
        extensions.append(str(FIRST_EXTENSION + len(extensions)))
        return extensions[-1]

    for index in range(n_calls):
        kind = KINDS[index % len(KINDS)]
        outside = str(FIRST_OUTSIDE_NUMBER + index)
        if kind == "internal":
            caller, callee = next_extension(), next_extension()
            dialed = callee
        elif kind == "outbound":
            caller, callee = next_extension(), outside
            dialed = outside
        else:
            caller, callee = outside, ""
            dialed = ACCESS_NUMBER
            agents.append(next_extension())
        calls.append(
            PlannedCall(
                index=index,
                kind=kind,
                caller=caller,
                callee=callee,
                dialed=dialed,
                start_s=index * min(STAGGER_S, 0.4 * talk_s / n_calls),
                steps=_steps(index, talk_s),
                **(_wishes(len(agents)) if kind == "inbound" else {}),
            )
        )
    names = {extension: _NAMES[i % len(_NAMES)] for i, extension in enumerate(extensions)}
    return Plan(tuple(calls), tuple(extensions), names, tuple(agents))


def _wishes(n: int) -> dict[str, str]:
    """What the n-th caller from outside wants, and thinks afterwards."""
    menu_key = list(QUEUES)[n % len(QUEUES)]
    rating_key = list(RATINGS)[n % len(RATINGS)]
    return {"menu_key": menu_key, "queue": QUEUES[menu_key], "rating_key": rating_key, "rating": RATINGS[rating_key]}


def _steps(index: int, talk_s: float) -> tuple[Step, ...]:
    """Digits of both sides; every second call is held for a while, by the one side or the other; one of them hangs up.

    Short calls do not hold: a hold wants half a second at least. Who called from outside leaves the end to the agent.
    """
    steps = [Step(0.15 * talk_s, "caller", "digits", f"{index % 10}{(index * 7 + 3) % 10}#")]
    holder = "caller" if index % 4 == 0 else "callee"
    if index % 2 == 0 and talk_s >= 3:
        steps.append(Step(0.45 * talk_s, holder, "hold"))
        steps.append(Step(0.65 * talk_s, holder, "resume"))
    if talk_s >= 3:
        steps.append(Step(0.8 * talk_s, "callee", "digits", "*5" if index % 3 else "A0"))
    steps.append(Step(talk_s, "caller" if KINDS[index % 3] == "outbound" else "callee", "hang_up"))
    return tuple(steps)
