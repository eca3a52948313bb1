"""The dialler's core: campaigns, whom they call when, how many at a time, and what becomes of every record.

Pure: inputs, `now` (monotonic seconds) and `wall` (UTC seconds) in, actions out, one deadline. The wall clock is asked
anew at every input, so that it may jump: nobody is called at night for it, and nothing waits for an hour that is over.
"""

from collections.abc import Callable
from typing import Any

from dialer import answers, attempts, campaigns, diagnosis, ending, hopper, inputs, kept, pacing, states
from dialer.actions import DialerAction
from dialer.dnc import DncBook
from dialer.events import InboundArrived, TalkEnded, WrapEnded
from dialer.pacing_model import observe
from dialer.retry import begin_attempt, copy_of
from dialer.rules import No, Yes, may_call
from dialer.shown import choose_shown
from dialer.state import CampaignRun, Core, Floor, Office
from model.campaign_views import CampaignDiagnosis, CampaignLive
from model.campaigns import Campaign, CampaignState, DialerRules
from model.dialing import CampaignRecord

_TICK_S = 1.0
"""While a campaign runs."""
_LOOK_S = 30.0
"""While one might begin or go on: calendars and the wall clock may be changed meanwhile."""


class DialerEngine:
    """Give it every input in the order in which things happened, and call `handle_timeout` at `deadline`."""

    def __init__(
        self,
        *,
        office: Office,
        time_zone: str,
        dnc: DncBook,
        new_id: Callable[[], str],
        rules: DialerRules = DialerRules(),  # noqa: B008 - it is frozen
    ) -> None:
        """`time_zone` of the company; `dnc` is changed by what is told; `new_id` makes ids of attempts."""
        self._core = Core(office=office, time_zone=time_zone, dnc=dnc, new_id=new_id, rules=rules)
        self.deadline: float | None = None

    def handle(self, told: inputs.DialerInput, now: float, wall: float) -> list[DialerAction]:
        """Raises NoSuchCampaign, WrongState or InvalidValue, and then nothing has changed; what is told of an attempt
        that is over is nothing."""
        core = self._core
        core.out, core.touched, core.now = [], set(), now
        _HANDLERS[type(told)](core, told, now, wall)
        self._settle([core.runs[name] for name in core.touched if name in core.runs], now, wall)
        return core.out

    def handle_timeout(self, now: float, wall: float) -> list[DialerAction]:
        """Whatever time has brought."""
        core = self._core
        core.out, core.touched, core.now, core.ticked_at = [], set(), now, now
        kept.forget_drops(core, now, wall)
        for run in core.runs.values():
            campaigns.look_at_calendar(core, run)
        self._settle(list(core.runs.values()), now, wall)
        return core.out

    def restore(self, campaign: Campaign, state: CampaignState, document: bytes, now: float, wall: float) -> bool:
        """A campaign as it was stored, in place of its first `CampaignChanges`. False: the document cannot be read, and
        it begins to learn and to count anew. Raises InvalidValue."""
        core = self._core
        core.out, core.touched, core.now = [], set(), now
        is_read = campaigns.restore(core, campaign, state, document, now)
        self._rearm(now, wall)
        return is_read

    def store(self, now: float) -> list[DialerAction]:
        """What has changed and was not stored yet."""
        core = self._core
        core.out, core.now = [], now
        for run in core.runs.values():
            if run.is_dirty:
                kept.store(core, run, now)
        return core.out

    # -- to be asked ---------------------------------------------------------------------------------------------------

    def state(self, campaign: str) -> CampaignState:
        """Raises NoSuchCampaign."""
        return self._core.run_of(campaign).state

    def may_call(self, record: CampaignRecord, wall: float, *, by_agent: bool = False) -> Yes | No:
        """Raises NoSuchCampaign."""
        return may_call(record, self._core.run_of(record.campaign).book, wall, by_agent=by_agent)

    def as_begun(self, record: CampaignRecord, position: int, wall: float) -> CampaignRecord:
        """A copy in which an attempt on that number counts: what is stored before an agent's call is placed. Raises
        NoSuchCampaign."""
        begun = copy_of(record)
        begin_attempt(begun, position, self._core.run_of(record.campaign).book, wall)
        return begun

    def choose_shown(self, campaign: str, record: CampaignRecord, position: int) -> str:
        """The number that he is shown, where it is not the agent's own. Raises NoSuchCampaign."""
        run = self._core.run_of(campaign)
        run.turn += 1
        return choose_shown(run.campaign, record.numbers[position], run.turn - 1)

    def diagnose(self, campaign: str, now: float, wall: float) -> CampaignDiagnosis:
        """Why it calls nobody, or not more. Raises NoSuchCampaign."""
        return diagnosis.diagnose(self._core, self._core.run_of(campaign), now, wall)

    def progress(self, campaign: str, now: float, wall: float) -> CampaignLive:
        """What it does at this moment. Raises NoSuchCampaign."""
        return diagnosis.progress(self._core, self._core.run_of(campaign), now, wall)

    # -- after every input ---------------------------------------------------------------------------------------------

    def _settle(self, runs: list[CampaignRun], now: float, wall: float) -> None:
        core = self._core
        for run in runs:
            states.look(core, run, now, wall)
        attempts.place_ready(core, now, wall)
        if now == core.ticked_at:
            pacing.give_up(core, now)
        pacing.pace(core, runs, now, wall)
        for run in runs:
            hopper.ask(core, run, now, wall)
            kept.store_if_due(core, run, now)
        self._rearm(now, wall)

    def _rearm(self, now: float, wall: float) -> None:
        core = self._core
        found = [at for run in core.runs.values() for at in _instants(core, run, now, wall)]
        found += [pacing.rested_at(core, queue) for queue in core.unpaced]
        self.deadline = min(found, default=None)


def _instants(core: Core, run: CampaignRun, now: float, wall: float) -> list[float]:
    """When something of a campaign may be due."""
    tick, look = core.ticked_at + _TICK_S, core.ticked_at + _LOOK_S
    found = []
    if run.state == "running" or run.live:
        found.append(tick)
        is_held_up = run.decision is not None and run.decision.reason == "cps"
        if is_held_up or any(live.phase == "stored" for live in run.live.values()):
            # Where calls may begin at once, those that are being stored take up the rate, and wake it.
            found += [at for at in [max(run.limiter.next_at(now), core.limiter.next_at(now))] if at > now]
    if run.state == "suspended":
        found += [look, now + max(0.0, run.open_again_utc - wall)] if run.open_again_utc else [look]
    if states.is_start_planned(run) and run.state not in ("running", "suspended"):
        found += [look, now + max(0.0, run.campaign.starts_utc - wall)]
    if run.is_dirty:
        found.append(max(now, run.stored_at + kept.STORE_EVERY_S))
    return found


def _campaign_changes(core: Core, told: inputs.CampaignChanges, now: float, wall: float) -> None:
    campaigns.put(core, told.campaign, now)


def _campaign_starts(core: Core, told: inputs.CampaignStarts, now: float, wall: float) -> None:
    states.start(core, core.run_of(told.campaign), told.by, now, wall)


def _campaign_stops(core: Core, told: inputs.CampaignStops, now: float, wall: float) -> None:
    states.stop(core, core.run_of(told.campaign), told.by, now, wall)


def _records_change(core: Core, told: inputs.RecordsChange, now: float, wall: float) -> None:
    hopper.changed(core, core.run_of(told.campaign), told.record_ids, now)


def _number_barred(core: Core, told: inputs.NumberBarred, now: float, wall: float) -> None:
    core.dnc.add(told.number, told.campaign, is_prefix=told.is_prefix, expires_utc=told.expires_utc)


def _number_allowed(core: Core, told: inputs.NumberAllowed, now: float, wall: float) -> None:
    core.dnc.remove(told.number, told.campaign, is_prefix=told.is_prefix)


def _floor_seen(core: Core, told: inputs.FloorSeen, now: float, wall: float) -> None:
    core.floors[told.queue] = Floor(told, now)
    _touch_queue(core, told.queue)


def _inbound_came(core: Core, told: inputs.InboundCame, now: float, wall: float) -> None:
    for run in core.with_queue(told.queue):
        observe(run.model, InboundArrived(now))
    _touch_queue(core, told.queue)


def _agent_talked(core: Core, told: inputs.AgentTalked, now: float, wall: float) -> None:
    for run in core.with_queue(told.queue):
        observe(run.model, TalkEnded(told.talk_s))
    _touch_queue(core, told.queue)


def _agent_wrapped(core: Core, told: inputs.AgentWrapped, now: float, wall: float) -> None:
    for run in core.with_queue(told.queue):
        observe(run.model, WrapEnded(told.wrap_s))
    _touch_queue(core, told.queue)


def _touch_queue(core: Core, queue: str) -> None:
    core.touched.update(run.name for run in core.with_queue(queue))


_HANDLERS: dict[type, Callable[[Core, Any, float, float], None]] = {
    inputs.RulesChange: lambda core, told, now, wall: campaigns.rules_change(core, told),
    inputs.CampaignChanges: _campaign_changes,
    inputs.CampaignRemoved: lambda core, told, now, wall: campaigns.remove(core, told),
    inputs.CampaignStarts: _campaign_starts,
    inputs.CampaignStops: _campaign_stops,
    inputs.RecordsLoaded: hopper.loaded,
    inputs.RecordsChange: _records_change,
    inputs.NumberBarred: _number_barred,
    inputs.NumberAllowed: _number_allowed,
    inputs.FloorSeen: _floor_seen,
    inputs.InboundCame: _inbound_came,
    inputs.AgentTalked: _agent_talked,
    inputs.AgentWrapped: _agent_wrapped,
    inputs.AttemptStored: lambda core, told, now, wall: attempts.stored(core, told),
    inputs.AttemptNotStored: lambda core, told, now, wall: attempts.not_stored(core, told, now),
    inputs.AttemptRang: answers.rang,
    inputs.AttemptAnswered: answers.answered,
    inputs.AttemptVerdict: answers.verdict,
    inputs.AttemptConnected: answers.connected,
    inputs.AttemptDropped: answers.dropped,
    inputs.AttemptEnded: ending.ended,
    inputs.AttemptPlaced: attempts.placed,
    inputs.AttemptFound: lambda core, told, now, wall: ending.found(core, told, wall),
    inputs.RecordDisposed: ending.disposed,
}
