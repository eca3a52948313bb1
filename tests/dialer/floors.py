"""Floors and models that the tests of the dialler ask about."""

from typing import Any

import msgspec
from hypothesis import strategies as st

from dialer.events import DialAnswered, DialFailed, DialStarted, TalkEnded, WrapEnded
from dialer.ledger import Ledger
from dialer.pacing_model import PacingModel, observe
from dialer.snapshot import PacingSnapshot

NOON_UTC = 1_767_614_400.0
"""2026-01-05, 12:00 UTC."""

_TALK_S = (20.0, 35.0, 50.0, 70.0, 90.0, 130.0, 240.0)
_WRAP_S = (8.0, 14.0, 20.0, 31.0)
_RANG_S = (4.0, 6.0, 9.0, 12.0, 17.0)


def warm_model(*, dials: int = 400, every: int = 3) -> PacingModel:
    """One of `every` dials was answered."""
    model = PacingModel()
    for n in range(dials):
        began, dial_id = 10.0 * n, f"d{n}"
        observe(model, DialStarted(began, dial_id))
        if n % every:
            observe(model, DialFailed(began + 22.0, dial_id))
        else:
            observe(model, DialAnswered(began + _RANG_S[n % len(_RANG_S)], dial_id))
            observe(model, TalkEnded(_TALK_S[n % len(_TALK_S)]))
            observe(model, WrapEnded(_WRAP_S[n % len(_WRAP_S)]))
    return model


def ledger_of(answered: int, abandoned: int) -> Ledger:
    ledger = Ledger("UTC")
    ledger.answered(NOON_UTC, answered)
    ledger.abandoned(NOON_UTC, abandoned)
    return ledger


def snapshot(**told: Any) -> PacingSnapshot:
    return PacingSnapshot(at_utc=NOON_UTC, **told)


def changed(before: PacingSnapshot, **told: Any) -> PacingSnapshot:
    return msgspec.structs.replace(before, **told)


def _ages(longest_s: float, most: int) -> st.SearchStrategy[list[float]]:
    return st.lists(st.floats(0.0, longest_s), max_size=most)


snapshots = st.builds(
    snapshot,
    idle_agents=st.integers(0, 12),
    talk_ages=_ages(700.0, 40),
    wrap_ages=_ages(90.0, 12),
    ringing_ages=_ages(22.0, 40),
    answered_waiting=st.integers(0, 3),
    inbound_waiting=st.integers(0, 3),
)
