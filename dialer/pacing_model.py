"""What a campaign has learnt while it dials: answer rate, when people answer, how long agents are busy, how many
callers come in beside, and how bold it may be. Made of `observe`d events alone; `to_plain` and `from_plain` carry it
over a restart.
"""

import math
from collections import deque
from typing import Any

import msgspec

from dialer.events import (
    AgentConnected,
    DialAnswered,
    DialFailed,
    DialStarted,
    DialWithdrawn,
    InboundArrived,
    PacingEvent,
    TalkEnded,
    WrapEnded,
)
from dialer.forecast import Tables, make_tables
from dialer.laws import LifePlain, LifeTable, RingLaw, RingPlain, array_of, plain_of
from dialer.snapshot import PacingConfig, PacingSnapshot
from dialer.trunk_guard import AT_ONCE_S, TrunkGuard

_PRIOR_YES, _PRIOR_NO = 3.0, 7.0
_SLOW, _FAST = 1.0 - 1.0 / 600.0, 1.0 - 1.0 / 80.0
_FAST_DIALS = 80.0
_DIFFERS, _CHANGED = 2.5, 3.5
_P_FLOOR, _P_CAP = 0.001, 0.98
_TALK_PRIOR_S, _TALK_KAPPA_S = 90.0, 60.0
_WRAP_PRIOR_S, _WRAP_KAPPA_S = 20.0, 20.0
_INBOUND_MEMORY_S = 900.0
_INBOUND_PRIOR_S = 60.0
_BOLDER, _BOLDER_CLIP, _BOLDER_MOST = 0.0003, 10.0, 2.0
_NOW, _NOW_CLIP = 0.12, 20.0
_THETA_MIN, _THETA_MAX = 0.002, 0.85
_ALPHA_MIN = 1e-4
_EARLY_S, _EARLY_EVERY_S, _EVERY_S = 300.0, 5.0, 30.0
_OUTGROWN, _OUTGROWN_BY = 1.25, 20
_MAX_PENDING = 20_000


class _Dial(msgspec.Struct, gc=False):
    started: float
    is_answered: bool = False
    rang_s: float = -1.0
    """-1: it rings."""
    is_void: bool = False
    """Tells nothing."""


class _Plain(msgspec.Struct, kw_only=True):
    slow: tuple[float, float]
    fast: tuple[float, float]
    ring: RingPlain
    talk: LifePlain
    wrap: LifePlain
    n_committed: int
    boldness: float
    inbound_per_s: float
    inbound_known_s: float


class PacingModel:
    """Starts with weak priors: 0.3 answered, any time of the ring as likely, 90 s talk, 20 s wrap-up, no callers."""

    def __init__(self) -> None:
        self.slow_yes, self.slow_no = _PRIOR_YES, _PRIOR_NO
        self.fast_yes, self.fast_no = _PRIOR_YES, _PRIOR_NO
        self.ring = RingLaw()
        self.talk = LifeTable(_TALK_PRIOR_S, _TALK_KAPPA_S)
        self.wrap = LifeTable(_WRAP_PRIOR_S, _WRAP_KAPPA_S)
        self.n_committed = 0
        """Dials that were learnt from."""
        self.boldness = 0.0
        """Logarithm of the threshold, over that of the limit: learnt from the credit that is left or lacking."""
        self.guard = TrunkGuard()
        self._doubtful: list[float] = []
        """Dials that failed at once, until another shows that it was not the trunk: how long they lived."""
        self._order: deque[_Dial] = deque()
        self._dials: dict[str, _Dial] = {}
        self._inbound, self._inbound_known_s, self._inbound_at = 0.0, 0.0, -1.0
        self._tables: Tables | None = None
        self._n_in_tables = 0
        self._begun: float | None = None

    # -- what is learnt ------------------------------------------------------------------------------------------------

    @property
    def n_pending(self) -> int:
        """Dials whose outcome waits for earlier ones to end."""
        return len(self._order)

    def answer_rate(self, override: float | None = None) -> float:
        """What is reckoned with: rather too high than too low, for that is the cautious side."""
        if override is not None:
            return min(override, _P_CAP)
        total = self.slow_yes + self.slow_no
        p = self.slow_yes / total
        fast = self.fast_yes / (self.fast_yes + self.fast_no)
        if abs(fast - p) > _DIFFERS * math.sqrt(p * (1.0 - p) / _FAST_DIALS):
            p = fast
            total = self.fast_yes + self.fast_no
        p += math.sqrt(p * (1.0 - p) / total)
        return min(max(p, _P_FLOOR), _P_CAP)

    def threshold(self, alpha: float, credit: float, n_agents: int) -> float:
        """How likely a call that is answered may find no agent."""
        spare = credit - _wanted_credit(n_agents)
        exponent = math.log(max(alpha, _ALPHA_MIN)) + self.boldness + _NOW * _clip(spare, _NOW_CLIP)
        return min(max(math.exp(exponent), _THETA_MIN), _THETA_MAX)

    def inbound_per_s(self, now: float) -> float:
        """Callers a second, over the last quarter of an hour or so."""
        if self._inbound_at < 0:
            return 0.0
        since = max(0.0, now - self._inbound_at)
        fading = math.exp(-since / _INBOUND_MEMORY_S)
        known_s = _INBOUND_MEMORY_S - (_INBOUND_MEMORY_S - self._inbound_known_s) * fading
        return self._inbound * fading / (known_s + _INBOUND_PRIOR_S)

    def tables(self, now: float, snapshot: PacingSnapshot, config: PacingConfig) -> Tables:
        """What follows from the laws, made anew from time to time: it costs more than a decision."""
        tables = self._tables
        if self._begun is None:
            self._begun = now
        every_s = _EARLY_EVERY_S if now - self._begun < _EARLY_S else _EVERY_S
        key = (config.ring_timeout_s, config.patience_s)
        # Most of the first dials end at the same instant, and tell more than was known until then.
        is_outgrown = self.n_committed > _OUTGROWN * self._n_in_tables + _OUTGROWN_BY
        if tables is None or is_outgrown or not 0.0 <= now - tables.made_at < every_s or tables.key != key:
            self._n_in_tables = self.n_committed
            tables = self._tables = make_tables(
                now, self.ring, self.talk, self.wrap, snapshot.talk_ages, snapshot.wrap_ages, key
            )
        return tables

    # -- what it is told -----------------------------------------------------------------------------------------------

    def dial_started(self, event: DialStarted) -> None:
        if event.dial_id in self._dials:
            raise ValueError(f"dial {event.dial_id} has begun already")
        if len(self._order) >= _MAX_PENDING:
            # Nobody dials so many at once: the end of an early one was never told.
            self._order[0].is_void = True
            self._commit()
        self._dials[event.dial_id] = dial = _Dial(event.at)
        self._order.append(dial)

    def dial_ended(self, event: DialAnswered | DialFailed | DialWithdrawn) -> None:
        """Nothing for a dial that is not known, as after a restart."""
        dial = self._dials.pop(event.dial_id, None)
        if dial is None:
            return
        dial.rang_s = max(0.0, event.at - dial.started)
        dial.is_answered = isinstance(event, DialAnswered)
        dial.is_void = isinstance(event, DialWithdrawn) or (isinstance(event, DialFailed) and event.is_trunk_failure)
        if not isinstance(event, DialWithdrawn):
            is_trunk = isinstance(event, DialFailed) and event.is_trunk_failure
            failed_at_once = is_trunk or (dial.rang_s < AT_ONCE_S and not dial.is_answered)
            if self.guard.ended(event.at, failed_at_once=failed_at_once):
                self._doubtful.clear()
                for each in self._order:
                    each.is_void = each.is_void or (0.0 <= each.rang_s < AT_ONCE_S and not each.is_answered)
        self._commit()

    def agent_connected(self, event: AgentConnected) -> None:
        spare = event.credit - _wanted_credit(event.n_agents)
        self.boldness = _clip(self.boldness + _BOLDER * _clip(spare, _BOLDER_CLIP), _BOLDER_MOST)

    def inbound_arrived(self, event: InboundArrived) -> None:
        if self._inbound_at >= 0:
            fading = math.exp(-max(0.0, event.at - self._inbound_at) / _INBOUND_MEMORY_S)
            self._inbound *= fading
            self._inbound_known_s = _INBOUND_MEMORY_S - (_INBOUND_MEMORY_S - self._inbound_known_s) * fading
        self._inbound += 1.0
        self._inbound_at = max(self._inbound_at, event.at)

    def _commit(self) -> None:
        """In the order of dialling: were each learnt from as it ends, the first to end would be the quickly answered,
        and the rate would seem high, then low."""
        order = self._order
        while order and (order[0].rang_s >= 0.0 or order[0].is_void):
            dial = order.popleft()
            if dial.is_void:
                continue
            if dial.rang_s < AT_ONCE_S and not dial.is_answered:
                self._doubtful.append(dial.rang_s)
                continue
            if not self.guard.is_doubted:
                for rang_s in self._doubtful:
                    self._learn(rang_s, is_answered=False)
            self._doubtful.clear()
            self._learn(dial.rang_s, is_answered=dial.is_answered)

    def _learn(self, rang_s: float, *, is_answered: bool) -> None:
        self.n_committed += 1
        if is_answered:
            self.ring.answered(rang_s)
        else:
            self.ring.failed(rang_s)
        yes = float(is_answered)
        self.slow_yes, self.slow_no = self.slow_yes * _SLOW + yes, self.slow_no * _SLOW + 1.0 - yes
        self.fast_yes, self.fast_no = self.fast_yes * _FAST + yes, self.fast_no * _FAST + 1.0 - yes
        slow = self.slow_yes / (self.slow_yes + self.slow_no)
        fast = self.fast_yes / (self.fast_yes + self.fast_no)
        if abs(fast - slow) > _CHANGED * math.sqrt(slow * (1.0 - slow) / _FAST_DIALS):
            self.slow_yes, self.slow_no = self.fast_yes, self.fast_no

    # -- over a restart ------------------------------------------------------------------------------------------------

    def to_plain(self, now: float) -> dict[str, Any]:
        """Dials under way are not in it: their outcome is not learnt after a restart."""
        plain = {
            "slow": (self.slow_yes, self.slow_no),
            "fast": (self.fast_yes, self.fast_no),
            "ring": plain_of(self.ring),
            "talk": plain_of(self.talk),
            "wrap": plain_of(self.wrap),
            "n_committed": self.n_committed,
            "boldness": self.boldness,
            "inbound_per_s": self.inbound_per_s(now),
            "inbound_known_s": self._inbound_known_s if self._inbound_at >= 0 else 0.0,
        }
        made: dict[str, Any] = msgspec.to_builtins(plain)
        return made

    @classmethod
    def from_plain(cls, plain: dict[str, Any], now: float) -> "PacingModel":
        """Raises ValueError for what `to_plain` did not make."""
        told = msgspec.convert(plain, _Plain)
        model = cls()
        model.slow_yes, model.slow_no = told.slow
        model.fast_yes, model.fast_no = told.fast
        model.ring.answers = array_of(told.ring.answers, model.ring.answers)
        model.ring.failures = array_of(told.ring.failures, model.ring.failures)
        for law, kept in ((model.talk, told.talk), (model.wrap, told.wrap)):
            law.ends = array_of(kept.ends, law.ends)
            law.exposure_s = array_of(kept.exposure_s, law.exposure_s)
        model.n_committed = told.n_committed
        model.boldness = _clip(told.boldness, _BOLDER_MOST)
        if told.inbound_per_s > 0:
            model._inbound_known_s = told.inbound_known_s
            model._inbound = told.inbound_per_s * (told.inbound_known_s + _INBOUND_PRIOR_S)
            model._inbound_at = now
        if not all(share > 0 for share in (*told.slow, *told.fast)):
            raise ValueError("counts of answered dials that are 0 or less")
        return model


def observe(model: PacingModel, event: PacingEvent) -> None:
    """The model learns from what happened."""
    match event:
        case DialStarted():
            model.dial_started(event)
        case DialAnswered() | DialFailed() | DialWithdrawn():
            model.dial_ended(event)
        case AgentConnected():
            model.agent_connected(event)
        case TalkEnded():
            model.talk.ended(event.talk_s)
        case WrapEnded():
            model.wrap.ended(event.wrap_s)
        case InboundArrived():
            model.inbound_arrived(event)


def _wanted_credit(n_agents: int) -> float:
    """So much is kept in hand for calls that are under way."""
    return 1.0 + 1.2 * math.sqrt(n_agents)


def _clip(value: float, most: float) -> float:
    return min(max(value, -most), most)
