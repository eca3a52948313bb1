"""One handler for each command of `model.commands`. Reads and changes live calls through the runtime, records through
storage; holds no policy of its own."""

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from control.auth import Caller
from model import commands, errors, media, views
from model.commands_originate import Originate
from model.declare import Command
from model.records import RecordingRecord
from storage.errors import CursorError, NotFoundError, UnavailableError
from storage.filters import CallFilter, RecordingFilter
from switch import (
    access_desk,
    agent_commands,
    alarms,
    appointment_commands,
    audio_commands,
    audit_commands,
    callers_desk,
    centre_admin,
    conference_commands,
    customers_desk,
    dnc_desk,
    event_log,
    extensions_admin,
    flow_statistics,
    imports_desk,
    members,
    metrics,
    metrics_history,
    parking_commands,
    preview_commands,
    prompts_desk,
    queue_commands,
    records_desk,
    roles_admin,
    security_commands,
    services_desk,
    supervision_commands,
    trace_commands,
    transfer_commands,
    voicemail_commands,
    watching_commands,
)
from switch.actions import SendInfoDigits
from switch.call import Call, Leg
from switch.hearing import HOLD_PLAY
from switch.leg_events import DropLeg, HoldLeg, RecordCall, Release, ResumeLeg, SecureLeg
from switch.originate_commands import originate
from switch.sources import source_problem
from switch.status import system_status
from switch.views import call_view, trunk_view

if TYPE_CHECKING:
    from switch.app import App

T = TypeVar("T")


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    """Handlers of all commands, bound to the running switch."""
    handlers = CommandHandlers(app)
    return {
        commands.ListCalls: handlers.list_calls,
        commands.GetCall: handlers.get_call,
        Originate: handlers.originate,
        commands.Hangup: handlers.hangup,
        commands.Hold: handlers.hold,
        commands.Resume: handlers.resume,
        commands.SendDtmf: handlers.send_dtmf,
        commands.DetectAnswer: handlers.detect_answer,
        commands.Secure: handlers.secure,
        commands.Play: handlers.play,
        commands.StopPlay: handlers.stop_play,
        commands.SearchHistory: handlers.search_history,
        commands.ListRecordings: handlers.list_recordings,
        commands.GetRecording: handlers.get_recording,
        commands.StartRecording: lambda command, caller: handlers.record(
            command.call_id, "start", command.format, command.channels
        ),
        commands.PauseRecording: lambda command, caller: handlers.record(command.call_id, "pause"),
        commands.ResumeRecording: lambda command, caller: handlers.record(command.call_id, "resume"),
        commands.StopRecording: lambda command, caller: handlers.record(command.call_id, "stop"),
        commands.ListRegistrations: handlers.list_registrations,
        commands.ListTrunks: handlers.list_trunks,
        commands.GetStatus: lambda command, caller: system_status(app),
        commands.Drain: handlers.drain,
        **access_desk.make_handlers(app),
        **extensions_admin.make_handlers(app),
        **agent_commands.make_handlers(app, handlers.record),
        **queue_commands.make_handlers(app),
        **centre_admin.make_handlers(app),
        **callers_desk.make_handlers(app),
        **members.make_handlers(app),
        **alarms.make_handlers(app),
        **metrics_history.make_handlers(app),
        **flow_statistics.make_handlers(app),
        **event_log.make_handlers(app),
        **conference_commands.make_handlers(app),
        **supervision_commands.make_handlers(app, handlers),
        **audit_commands.make_handlers(app),
        **roles_admin.make_handlers(app),
        **security_commands.make_handlers(app),
        **trace_commands.make_handlers(app),
        **watching_commands.make_handlers(app),
        **services_desk.make_handlers(app),
        **audio_commands.make_handlers(app, handlers.source),
        **parking_commands.make_handlers(app),
        **prompts_desk.make_handlers(app),
        **metrics.make_handlers(app),
        **transfer_commands.make_handlers(app),
        **voicemail_commands.make_handlers(app),
        **records_desk.make_handlers(app),
        **imports_desk.make_handlers(app),
        **dnc_desk.make_handlers(app),
        **customers_desk.make_handlers(app),
        **preview_commands.make_handlers(app),
        **appointment_commands.make_handlers(app),
    }


class CommandHandlers:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._runtime = app.runtime
        self._calls = app.runtime.calls

    # -- calls --------------------------------------------------------------------------------------------------------

    def list_calls(self, command: commands.ListCalls, caller: Caller) -> views.CallList:
        found = [call for call in self._calls.calls.values() if _matches(call, command)]
        return views.CallList(calls=[self._view(call) for call in found[: command.limit]], n_calls=len(found))

    async def get_call(self, command: commands.GetCall, caller: Caller) -> views.CallDetail:
        live = self._calls.find(command.call_id)
        if live is not None:
            return views.CallDetail(live=self._view(live))
        await self._app.flush_records()
        try:
            stored = await read(self._app.storage.calls.get(command.call_id))
        except NotFoundError:
            raise errors.NoSuchCall(f"no call {command.call_id}") from None
        recordings = [one.recording for one in stored.recordings]
        return views.CallDetail(record=stored.call, recordings=recordings)

    def originate(self, command: Originate, caller: Caller) -> views.CallView:
        return self._view(originate(self._app, command, self.source))

    def hangup(self, command: commands.Hangup, caller: Caller) -> views.CallView:
        call = self._call(command.call_id)
        if command.leg_id:
            self._leg(call, command.leg_id)
            self._runtime.tell(DropLeg(call.call_id, command.leg_id, command.cause))
        else:
            self._runtime.tell(Release(call.call_id, "", command.cause))
        return self._view(call)

    def secure(self, command: commands.Secure, caller: Caller) -> views.SecureDigits:
        call, leg = self._bridged_leg(command.call_id, command.leg_id)
        digits = "" if command.is_secure else leg.secure_digits
        self._runtime.tell(SecureLeg(call.call_id, leg.leg_id, command.is_secure))
        return views.SecureDigits(digits=digits)

    def hold(self, command: commands.Hold, caller: Caller) -> views.CallView:
        call, leg = self._bridged_leg(command.call_id, command.leg_id)
        self._runtime.tell(HoldLeg(call.call_id, leg.leg_id))
        return self._view(call)

    def resume(self, command: commands.Resume, caller: Caller) -> views.CallView:
        call, leg = self._bridged_leg(command.call_id, command.leg_id)
        if leg.playing != HOLD_PLAY:
            raise errors.WrongState(f"leg {leg.leg_id} is not on hold", state=leg.state)
        self._runtime.tell(ResumeLeg(call.call_id, leg.leg_id))
        return self._view(call)

    def send_dtmf(self, command: commands.SendDtmf, caller: Caller) -> views.Done:
        call = self._call(command.call_id)
        leg = self._audible_leg(call, command.leg_id)
        if leg.dtmf == "info":
            actions = [SendInfoDigits(call.call_id, leg.leg_id, command.digits, command.duration_ms)]
            self._runtime.run(lambda now: actions)
            return views.Done()
        self._media(
            call,
            media.SendDigits(
                session=call.call_id,
                leg=leg.leg_id,
                digits=command.digits,
                duration_ms=command.duration_ms,
                gap_ms=command.gap_ms,
            ),
        )
        return views.Done()

    def detect_answer(self, command: commands.DetectAnswer, caller: Caller) -> views.Done:
        call = self._call(command.call_id)
        leg = self._audible_leg(call, command.leg_id)
        self._media(call, media.DetectAnswer(session=call.call_id, leg=leg.leg_id, max_s=command.max_s))
        return views.Done()

    def play(self, command: commands.Play, caller: Caller) -> views.PlayStarted:
        call = self._call(command.call_id)
        sources = [self.source(source) for source in command.sources]
        if command.leg_id:
            legs = [self._audible_leg(call, command.leg_id)]
        else:
            legs = [leg for leg in call.live_legs() if leg.is_up and leg.is_configured]
            if not legs:
                raise errors.WrongState("no leg of the call has audio by us", state=call.phase)
        play_id = self._calls.env.ids.token(16)
        for leg in legs:
            self._media(
                call,
                media.Play(
                    session=call.call_id, leg=leg.leg_id, play_id=play_id, sources=sources, is_looped=command.loop
                ),
            )
        return views.PlayStarted(play_id=play_id)

    def stop_play(self, command: commands.StopPlay, caller: Caller) -> views.Done:
        call = self._call(command.call_id)
        legs = [self._leg(call, command.leg_id)] if command.leg_id else call.live_legs()
        for leg in legs:
            if leg.is_configured:
                self._media(call, media.StopPlay(call.call_id, leg.leg_id, command.play_id))
        return views.Done()

    async def search_history(self, command: commands.SearchHistory, caller: Caller) -> views.CallHistory:
        criteria = CallFilter(
            start_utc=command.start_utc,
            end_utc=command.end_utc,
            number=command.number,
            caller=command.caller,
            dialed=command.dialed,
            is_suffix=command.is_suffix,
            extension=command.extension,
            access_number=command.access_number,
            agent_id=command.agent_id,
            trunk=command.trunk,
            direction=command.direction,
            hangup_cause=command.hangup_cause.value if command.hangup_cause is not None else "",
            is_answered=command.is_answered,
            min_duration_s=command.min_duration_s,
            max_duration_s=command.max_duration_s,
        )
        await self._app.flush_records()
        page = await read(self._app.storage.calls.find(criteria, after=command.cursor, limit=command.limit))
        return views.CallHistory(calls=page.items, cursor=page.after)

    # -- recordings ---------------------------------------------------------------------------------------------------

    async def list_recordings(self, command: commands.ListRecordings, caller: Caller) -> views.RecordingList:
        criteria = RecordingFilter(
            start_utc=command.start_utc,
            end_utc=command.end_utc,
            call_id=command.call_id,
            number=command.number,
            caller=command.caller,
            dialed=command.dialed,
            is_suffix=command.is_suffix,
            extension=command.extension,
            agent_id=command.agent_id,
            min_duration_s=command.min_duration_s,
            max_duration_s=command.max_duration_s,
            state=command.state,
        )
        await self._app.flush_records()
        page = await read(self._app.storage.recordings.find(criteria, after=command.cursor, limit=command.limit))
        return views.RecordingList(recordings=[one.recording for one in page.items], cursor=page.after)

    async def get_recording(self, command: commands.GetRecording, caller: Caller) -> RecordingRecord:
        await self._app.flush_records()
        try:
            stored = await read(self._app.storage.recordings.get(command.recording_id))
        except NotFoundError:
            raise errors.NoSuchRecording(f"no recording {command.recording_id}") from None
        return stored.recording

    def record(self, call_id: str, what: str, form: str = "", channels: str = "") -> views.RecordingState:
        call = self._call(call_id)
        running = call.recording
        if what == "start":
            if running is not None:
                raise errors.WrongState(f"call {call_id} is being recorded already", state="recording")
            if call.phase not in ("bridged", "conference") or call.is_direct:
                why = "its audio does not come by the switch" if call.is_direct else f"it is in phase {call.phase}"
                raise errors.WrongState(f"call {call_id} cannot be recorded: {why}", state=call.phase)
        elif running is None:
            raise errors.NoSuchRecording(f"call {call_id} is not being recorded")
        self._runtime.tell(RecordCall(call_id, "", what, form, channels))
        shown = call.recording or running
        assert shown is not None
        state = "finished" if call.recording is None else "paused" if shown.is_paused else "recording"
        return views.RecordingState(recording_id=shown.recording_id, call_id=call_id, path=shown.path, state=state)

    # -- registrations, trunks, the switch -----------------------------------------------------------------------------

    def list_registrations(self, command: commands.ListRegistrations, caller: Caller) -> views.RegistrationList:
        return views.RegistrationList(registrations=self._app.registrations.views(command.extension))

    def list_trunks(self, command: commands.ListTrunks, caller: Caller) -> views.TrunkList:
        directory = self._calls.env.directory
        return views.TrunkList(
            trunks=[trunk_view(trunk, self._runtime.outside.clock()) for trunk in directory.trunks.values()]
        )

    def drain(self, command: commands.Drain, caller: Caller) -> views.DrainState:
        timeout_s = self._app.config.node.drain_s if command.timeout_s is None else command.timeout_s
        self._app.drain(timeout_s)
        return views.DrainState(n_calls=len(self._calls.calls), deadline_s=timeout_s)

    # -- finding ------------------------------------------------------------------------------------------------------

    def _view(self, call: Call) -> views.CallView:
        worker = self._app.worker_name(call.worker) if not call.is_direct else ""
        return call_view(call, time.time(), worker)

    def _call(self, call_id: str) -> Call:
        call = self._calls.find(call_id)
        if call is None or call.phase == "releasing":
            raise errors.NoSuchCall(f"no live call {call_id}")
        return call

    def _leg(self, call: Call, leg_id: str) -> Leg:
        leg = call.legs.get(leg_id)
        if leg is None or leg.is_ended:
            raise errors.NoSuchLeg(f"call {call.call_id} has no live leg {leg_id}")
        return leg

    def _bridged_leg(self, call_id: str, leg_id: str) -> tuple[Call, Leg]:
        call = self._call(call_id)
        leg = self._leg(call, leg_id)
        if call.phase != "bridged":
            raise errors.WrongState(f"call {call_id} is in phase {call.phase}, not bridged", state=call.phase)
        if call.is_direct:
            raise errors.WrongState(f"the audio of call {call_id} does not come by the switch", state="direct")
        return call, leg

    def _audible_leg(self, call: Call, leg_id: str) -> Leg:
        leg = self._leg(call, leg_id)
        if not leg.is_configured:
            raise errors.WrongState(f"leg {leg_id} has no audio by us (yet)", state=leg.state)
        return leg

    def _media(self, call: Call, command: media.Command) -> None:
        self._runtime.pool.send(call.worker, command)

    def source(self, source: str) -> str:
        """A source as the worker takes it; files only from the prompts folder."""
        env = self._calls.env
        if problem := source_problem(source, env.directory.prompts):
            raise errors.InvalidValue(problem, field="sources")
        return env.sound(source)


def _matches(call: Call, command: commands.ListCalls) -> bool:
    if call.phase == "releasing" or (command.direction and call.direction != command.direction):
        return False
    if command.number and command.number not in call.caller and command.number not in call.dialed:
        return False
    for kind, name in (("extension", command.extension), ("trunk", command.trunk)):
        if name and not any(leg.kind == kind and leg.name == name for leg in call.legs.values()):
            return False
    return True


async def read(query: Awaitable[T]) -> T:
    """Awaits a query; what the database cannot do becomes the API's error."""
    try:
        return await query
    except UnavailableError as error:
        raise errors.StorageUnavailable(str(error)) from None
    except CursorError as error:
        raise errors.InvalidValue(str(error), field="cursor") from None
