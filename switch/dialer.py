"""The dialler on the switch: tells the pure engine (`dialer.engine`) what agents, calls and people do, places the calls
it decides on, and reads off them what became of each. Holds no policy. What goes to the database and comes from it is
`switch.dialer_desk`'s.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

import msgspec

from dialer.actions import (
    BarNumber,
    DialerAction,
    GiveUp,
    LoadRecords,
    LogPacing,
    PlaceCall,
    ReturnRecords,
    ReviewRecords,
    StoreAttempt,
    StoreCampaign,
    StoreDisposition,
    StoreOutcome,
)
from dialer.dnc import DncBook
from dialer.engine import DialerEngine
from dialer.inputs import (
    AttemptAnswered,
    AttemptConnected,
    AttemptDropped,
    AttemptEnded,
    AttemptRang,
    AttemptVerdict,
    DialerInput,
    InboundCame,
)
from model.campaign_views import CampaignLive
from model.campaigns import Campaign, CampaignState
from model.causes import HangupCause
from model.declare import ApiError, Event
from model.dialing import CampaignRecord
from model.errors import NoSuchCampaign
from switch.call import Call, Leg
from switch.campaign_calls import make_call, result_of, result_of_cause
from switch.dialer_floor import FloorWatch
from switch.directory import Directory
from switch.environment import Environment
from switch.floor import Floor
from switch.leg_events import Release
from switch.runtime import Runtime

log = logging.getLogger(__name__)

LOOK_S = 0.02
"""Changes of agents within this time are looked at together."""
LOOK_S_PER_AGENT = 50e-6
"""… and so much longer with every agent, so that looking stays a small part of the work."""
BREATH_S = 1.0
"""Agents are looked at at least so often while a campaign may dial: ages grow."""


class Store(Protocol):
    """Where records come from and go to; answers come as inputs."""

    def load(self, action: LoadRecords) -> None: ...
    def put_back(self, action: ReturnRecords) -> None: ...
    def review(self, action: ReviewRecords) -> None: ...
    def store_attempt(self, action: StoreAttempt) -> None: ...
    def keep_outcome(self, action: StoreOutcome) -> None: ...
    def keep_disposition(self, action: StoreDisposition) -> None: ...
    def keep_campaign(self, action: StoreCampaign) -> None: ...
    def log_pacing(self, action: LogPacing) -> None: ...
    def bar(self, action: BarNumber) -> None: ...


class _Followed(msgspec.Struct, gc=False):
    """A call of a campaign, and what has been told of it."""

    call: Call
    record: CampaignRecord
    """As it was when it was dialled."""
    has_rung: bool = False
    is_answered: bool = False
    verdict: str = ""
    is_connected: bool = False
    is_dropped: bool = False


class Dialer:
    """`tell` for what happened, `ask` for what somebody wants (it raises what the engine refuses)."""

    def __init__(self, runtime: Runtime, directory: Directory, env: Environment, floor: Floor) -> None:
        self._runtime = runtime
        self._directory = directory
        self._env = env
        self._floor = floor
        self.dnc = DncBook()
        self.engine = DialerEngine(
            office=directory.office,
            time_zone=directory.config.numbering.time_zone,
            dnc=self.dnc,
            new_id=env.ids.new,
            rules=directory.config.dialer,
        )
        self.store: Store | None = None
        """None: nothing is dialled."""
        self.is_draining = False
        """Nobody new is called: the switch is about to end. Who was chosen is in the hopper to the database."""
        self.check_room: Callable[[], None] = lambda: None
        """Raises the API error that says why no new call can be taken."""
        self._watch = FloorWatch(floor)
        self.followed: dict[str, _Followed] = {}
        """By call."""
        self.connected: list[Callable[[Call, CampaignRecord, str, float], None]] = []
        """Told (call, record, agent id, instant) when an agent has a customer, whoever dialled."""
        self._inbox: deque[DialerInput] = deque()
        self._is_busy = False
        self._look_at: float | None = None
        floor.on_change = self._floor_changed
        floor.entered.append(self._entered)
        runtime.also_drive(self, self.handle_timeout)
        runtime.watch_calls(self._calls_touched)

    def take_up(self, campaign: Campaign, state: CampaignState, document: bytes) -> None:
        """At the start: it goes on from what was stored of it."""
        now = self.now()
        if not self.engine.restore(campaign, state, document, now, self._env.wall(now)):
            log.error("x campaign %s: what was stored of it cannot be read: its pacing begins anew", campaign.name)

    def keep(self) -> None:
        """Everything that has changed and is not stored yet."""
        now = self.now()
        self._do(lambda: [*self.engine.store(now)], now)

    @property
    def deadline(self) -> float | None:
        known = [each for each in (self.engine.deadline, self._look_at) if each is not None]
        return min(known, default=None)

    def handle_timeout(self, now: float) -> None:
        if self._look_at is not None and now >= self._look_at:
            queues = self._queues()
            self._look_at = now + BREATH_S if queues else None
            self._look(now)
        self._do(lambda: self.engine.handle_timeout(now, self._env.wall(now)), now)

    def _look(self, now: float) -> None:
        for told in self._watch.look(self._queues(), now):
            self.tell(told, now)

    def tell(self, told: DialerInput, now: float | None = None) -> None:
        """What happened. Told while decisions are being carried out, it waits until they are."""
        now = self.now() if now is None else now
        if self._is_busy:
            self._inbox.append(told)
            return
        try:
            self._do(lambda: self.engine.handle(told, now, self._env.wall(now)), now)
        except ApiError as problem:
            log.warning("! dialler: %s: %s", type(told).__name__, problem)

    def ask(self, told: DialerInput) -> None:
        """What somebody wants. Raises what the engine refuses it with, and then nothing has changed."""
        now = self.now()
        self._do(lambda: self.engine.handle(told, now, self._env.wall(now)), now)
        self._floor_changed()
        self._runtime.rearm(now)

    def answered(self, told: DialerInput) -> None:
        """What the database says."""
        now = self.now()
        self.tell(told, now)
        self._runtime.extra_changed()
        self._runtime.rearm(now)

    def live(self, campaign: str) -> CampaignLive:
        """What it does at this moment. Raises NoSuchCampaign."""
        now = self.now()
        return self.engine.progress(campaign, now, self._env.wall(now))

    def go_on(self) -> None:
        """Everything is restored."""
        now = self.now()
        self._floor_changed()
        self._do(lambda: self.engine.handle_timeout(now, self._env.wall(now)), now)
        self._runtime.rearm(now)

    def lives_of(self, queue: str) -> list[CampaignLive]:
        """What the campaigns of a queue do at this moment."""
        now = self.now()
        wall = self._env.wall(now)
        mine = [each.name for each in self._directory.campaigns.values() if each.queue == queue]
        found = []
        for name in mine:
            # One that is being removed is not known any more.
            with suppress(NoSuchCampaign):
                found.append(self.engine.progress(name, now, wall))
        return found

    def now(self) -> float:
        return self._runtime.outside.clock()

    def follow(self, call: Call, record: CampaignRecord) -> None:
        """An agent placed it himself: what becomes of it is told as of others. Its attempt is known to the engine."""
        self.followed[call.call_id] = _Followed(call, record)

    # -- carrying out --------------------------------------------------------------------------------------------------

    def _do(self, step: Callable[[], list[DialerAction]], now: float) -> None:
        actions = step()
        self._is_busy = True
        try:
            for action in actions:
                self._perform(action, now)
        finally:
            self._is_busy = False
        self._runtime.extra_changed()
        while self._inbox and not self._is_busy:
            self.tell(self._inbox.popleft(), now)

    def _perform(self, action: DialerAction, now: float) -> None:
        store = self.store
        match action:
            case PlaceCall():
                self._place(action, now)
            case GiveUp(attempt_id=attempt_id):
                self._give_up(attempt_id, now)
            case Event():
                self._runtime.outside.publish(action)
            case _ if store is None:
                log.error("x dialler: no database for %s", type(action).__name__)
            case LoadRecords():
                store.load(action)
            case ReturnRecords():
                store.put_back(action)
            case ReviewRecords():
                store.review(action)
            case StoreAttempt() if self.is_draining:
                log.info("= attempt %s is not begun: draining", action.attempt.attempt_id)
            case StoreAttempt():
                store.store_attempt(action)
            case StoreOutcome():
                store.keep_outcome(action)
            case StoreCampaign():
                store.keep_campaign(action)
            case StoreDisposition():
                store.keep_disposition(action)
            case LogPacing():
                store.log_pacing(action)
            case BarNumber():
                store.bar(action)
            case _:
                raise AssertionError(f"nobody performs {action}")

    def _place(self, action: PlaceCall, now: float) -> None:
        attempt = action.attempt
        campaign = self._directory.campaigns.get(attempt.campaign)
        if campaign is None:
            self.tell(AttemptEnded(attempt_id=attempt.attempt_id, result="cancelled"), now)
            return
        try:
            self.check_room()
        except ApiError as full:
            log.warning("! attempt %s is not dialled: %s", attempt.attempt_id, full.message)
            self._not_placed(attempt.attempt_id, HangupCause.SWITCH_CONGESTION, now)
            return
        try:
            call, refused = make_call(attempt, action.record, campaign, action.ring_timeout_s, now, self._env)
        except Exception:
            # The edge of one attempt: what else was decided is carried out.
            self._runtime.counters.unhandled_errors += 1
            log.exception("x attempt %s cannot be dialled", attempt.attempt_id)
            self.tell(AttemptEnded(attempt_id=attempt.attempt_id, result="failed"), now)
            return
        if refused is not None:
            self._not_placed(attempt.attempt_id, refused, now)
            return
        self.followed[call.call_id] = _Followed(call, action.record)
        self._runtime.perform(self._runtime.calls.begin(call, now), now)
        # One that failed at once is seen here, too.
        self._calls_touched((call.call_id,), now)

    def _not_placed(self, attempt_id: str, cause: HangupCause, now: float) -> None:
        result, is_ours = result_of_cause(cause)
        log.info("x attempt %s is not dialled: %s", attempt_id, cause)
        ended = AttemptEnded(attempt_id=attempt_id, result=result, cause=cause.value, is_trunk_trouble=is_ours)
        self.tell(ended, now)

    def _give_up(self, attempt_id: str, now: float) -> None:
        followed = self.followed.get(attempt_id)
        if followed is None or followed.call.answered_utc:
            return
        assert followed.call.dialing is not None
        followed.call.dialing.is_given_up = True
        self._runtime.dispatch(Release(attempt_id, "", HangupCause.ORIGINATOR_CANCEL, "system"), now)

    # -- calls ---------------------------------------------------------------------------------------------------------

    def _calls_touched(self, touched: Iterable[str], now: float) -> None:
        if not self.followed:
            return
        for call_id in touched:
            followed = self.followed.get(call_id)
            if followed is not None:
                self._read(followed, now)

    def _read(self, followed: _Followed, now: float) -> None:
        """Tells what is new of a call, in the order in which it happened."""
        call = followed.call
        dialing = call.dialing
        assert dialing is not None
        attempt_id = dialing.attempt_id
        if call.ringing_utc and not followed.has_rung:
            followed.has_rung = True
            self.tell(AttemptRang(attempt_id), now)
        if not followed.is_answered and _is_customer_there(call):
            followed.is_answered = True
            self.tell(AttemptAnswered(attempt_id), now)
        if dialing.verdict != followed.verdict:
            followed.verdict = dialing.verdict
            verdict = AttemptVerdict(attempt_id=attempt_id, verdict=dialing.verdict, evidence=dialing.evidence)
            self.tell(verdict, now)
        # One that became part of an older call, by a transfer, is never released itself.
        is_over = call.phase == "releasing" or call.call_id not in self._runtime.calls.calls
        is_led = dialing.connected_utc and not followed.is_connected
        if is_led or is_over or (dialing.is_dropped and not followed.is_dropped):
            # An agent who has him is not idle any more.
            self._look(now)
        if is_led:
            followed.is_connected = True
            agent_id = dialing.agent_id or (call.stay.agent_id if call.stay is not None else "")
            self.tell(AttemptConnected(attempt_id=attempt_id, agent_id=agent_id), now)
            for told in self.connected if agent_id else ():
                told(call, followed.record, agent_id, now)
        if dialing.is_dropped and not followed.is_dropped:
            followed.is_dropped = True
            self.tell(AttemptDropped(attempt_id), now)
        if is_over:
            del self.followed[call.call_id]
            self.tell(_ended(call, self._env.wall(now)), now)

    # -- agents and callers --------------------------------------------------------------------------------------------

    def _queues(self) -> list[str]:
        return [each.queue for each in self._directory.campaigns.values() if each.queue and each.mode != "preview"]

    def _floor_changed(self) -> None:
        soon = self.now() + LOOK_S + LOOK_S_PER_AGENT * len(self._floor.centre.desk.state.agents)
        self._look_at = soon if self._look_at is None else min(self._look_at, soon)

    def _entered(self, queue: str) -> None:
        self.tell(InboundCame(queue))


def _customers(call: Call) -> list[Leg]:
    """The legs to the customer: all but those of agents. Who dials himself is rung before the customer."""
    dialing = call.dialing
    own = call.a if dialing is not None and dialing.agent_id else ""
    return [leg for leg in call.legs.values() if leg.role != "agent" and leg.leg_id != own and leg.direction == "out"]


def _is_customer_there(call: Call) -> bool:
    return any(leg.answered_utc for leg in _customers(call))


def _ended(call: Call, wall: float) -> AttemptEnded:
    result, is_ours = result_of(call)
    dialing, customers = call.dialing, _customers(call)
    assert dialing is not None
    return AttemptEnded(
        attempt_id=dialing.attempt_id,
        result=result,
        cause=call.hangup_cause.value if call.hangup_cause else "",
        sip_status=customers[-1].sip_status if customers else 0,
        talk_s=max(0.0, (call.ended_utc or wall) - dialing.connected_utc) if dialing.connected_utc else 0.0,
        message_utc=dialing.message_utc,
        is_trunk_trouble=is_ours,
    )
