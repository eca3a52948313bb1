"""Whole switch, virtual time: supervisors on live calls: listening, whispering, barging in, taking over, ending the
call, by API and by keys; who may supervise whom; their own track; calls on hold, transferred, with several parties.

What the audio sounds like for each of these matrices is in tests/media/test_supervision.py, with real phones in
tests/live/test_supervision.py.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest

from model import commands, errors, events, events_monitor, media
from model import commands_monitor as monitors
from model import commands_transfer as transfers
from model.commands_services import SetServices
from tests.harness.sim_switch import PASSWORD, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp

PEOPLE = "".join(
    f'[[extension]]\nnumber = "{number}"\npassword = "{PASSWORD}"\nsupervision_group = "{group}"\n'
    f"supervises = {supervises}\n"
    for number, group, supervises in (
        ("1001", "sales", "[]"),
        ("1002", "sales", "[]"),
        ("1003", "", '["sales"]'),
        ("1004", "", '["*"]'),
        ("1005", "service", "[]"),
    )
)


class Floor:
    """Customer c (by trunk) talks with agent a (1001); `names` names the legs of their call."""

    def __init__(self, switch: SimSwitch) -> None:
        self.switch, self.app = switch, SimApp(switch)
        self.phones = {}

    @property
    def call(self):
        return next(iter(self.switch.core.calls.calls.values()))

    def leg(self, name):
        legs = [leg for leg in self.call.legs.values() if leg.name == name]
        return legs[-1]

    def heard(self):
        """Who hears whom, by names: "c>a" = the agent hears the customer."""
        matrix = self.switch.worker.of(media.ConnectMatrix, self.call.call_id)[-1]
        letter = {leg.leg_id: LETTERS[leg.name] for leg in self.call.legs.values()}
        return " ".join(sorted(f"{letter[edge.speaker]}>{letter[edge.listener]}" for edge in matrix.edges))

    async def monitor(self, supervisor="1003", **more):
        view = await self.app.do(monitors.StartMonitor(supervisor=supervisor, extension="1001", **more))
        n = len(self.switch.of(events_monitor.MonitorStarted))
        await self.switch.until(lambda: len(self.switch.of(events_monitor.MonitorStarted)) == n + 1)
        return view

    async def press(self, leg, digits):
        for digit in digits:
            self.switch.worker.tell(media.Digit(leg.call_id, leg.leg_id, digit, 100))
            await asyncio.sleep(0.1)

    async def settled(self):
        await asyncio.sleep(0.1)


LETTERS = {"carrier": "c", "1001": "a", "1002": "b", "1003": "s", "1004": "t", "1005": "x"}
CALL = "a>c c>a"


@asynccontextmanager
async def floor(more="", numbers=("1001", "1003"), silent=""):
    switch = SimSwitch(SimNet(), PEOPLE + TRUNKS + more)
    stage = Floor(switch)
    for number in numbers:
        stage.phones[number] = await switch.phone(number, answer_after_s=None if number == silent else 0.5)
    carrier = stage.phones["carrier"] = switch.carrier()
    stage.mine = carrier.call("02188886666", caller="13800138000")
    await carrier.wait("answered")
    await switch.until(lambda: switch.of(events.CallConnected))
    yield stage
    if switch.core.calls.calls:
        carrier.agent.hang_up(stage.mine.id)
    await switch.close()


@pytest.mark.parametrize(
    ("mode", "audio", "heard"),
    [
        ("listen", "full", "a>c a>s c>a c>s"),
        ("whisper", "full", "a>c a>s c>a c>s s>a"),
        ("whisper_customer", "full", "a>c a>s c>a c>s s>c"),
        ("barge", "full", "a>c a>s c>a c>s s>a s>c"),
        ("barge", "listen_only", "c>a c>s s>a s>c"),
    ],
)
def test_each_mode_connects_whom_it_says(mode, audio, heard):
    async def main():
        async with floor() as stage:
            assert stage.heard() == CALL
            view = await stage.monitor(mode=mode, agent_audio=audio)
            assert stage.heard() == heard
            shown = (await stage.app.do(monitors.ListMonitors())).monitors
            assert [(m.supervisor, m.agent, m.mode, m.agent_audio, m.state) for m in shown] == [
                ("1003", "1001", mode, audio, "active")
            ]
            await stage.app.do(monitors.StopMonitor(monitor_id=view.monitor_id))
            await stage.phones["1003"].wait("ended")
            assert stage.heard() == CALL
            assert not stage.leg("1001").is_muted
            [ended] = stage.switch.of(events_monitor.MonitorEnded)
            assert ended.reason == "stopped"
            assert (await stage.app.do(monitors.ListMonitors())).monitors == []

    run_virtual(main())


def test_nobody_on_the_call_can_notice_that_a_supervisor_listens():
    """Neither phone is sent anything, nothing is played, neither's edges nor format change."""

    async def main():
        async with floor() as stage:
            switch, parties = stage.switch, (stage.phones["1001"], stage.phones["carrier"])
            before = [(len(phone.events), len(phone.media_of(c).configured)) for phone in parties for c in phone.media]
            commands_before = len(switch.worker.commands)
            view = await stage.monitor()
            await asyncio.sleep(5.0)
            await stage.app.do(monitors.StopMonitor(monitor_id=view.monitor_id))
            await asyncio.sleep(1.0)
            after = [(len(phone.events), len(phone.media_of(c).configured)) for phone in parties for c in phone.media]
            assert after == before
            theirs = {stage.leg("1001").leg_id, stage.leg("carrier").leg_id}
            for command in switch.worker.commands[commands_before:]:
                assert getattr(command, "leg", "") not in theirs, command
                if isinstance(command, media.ConnectMatrix):
                    assert {(e.speaker, e.listener) for e in command.edges if e.listener in theirs} == {
                        (one, other) for one in theirs for other in theirs if one != other
                    }
            # No event of the call's own tells of it either; only subscribers of monitor.* know.
            assert switch.of(events.CallHeld) == switch.of(events.CallResumed) == []

    run_virtual(main())


def test_one_monitor_changes_its_mode_without_being_dropped():
    async def main():
        async with floor() as stage:
            view = await stage.monitor()
            supervisor = stage.leg("1003")
            for mode, audio in (("whisper", "full"), ("barge", "listen_only"), ("barge", "full"), ("listen", "full")):
                changed = await stage.app.do(
                    monitors.ChangeMonitor(monitor_id=view.monitor_id, mode=mode, agent_audio=audio)
                )
                assert (changed.mode, changed.agent_audio, changed.leg_id) == (mode, audio, supervisor.leg_id)
                assert stage.leg("1001").is_muted == (audio == "listen_only")
            assert stage.heard() == "a>c a>s c>a c>s"
            assert "ended" not in stage.phones["1003"].names()
            told = [(e.mode, e.agent_audio) for e in stage.switch.of(events_monitor.MonitorChanged)]
            assert told == [("whisper", "full"), ("barge", "listen_only"), ("barge", "full"), ("listen", "full")]

    run_virtual(main())


def test_keys_of_the_supervisors_phone_change_what_he_does():
    async def main():
        async with floor() as stage:
            await stage.monitor()
            supervisor = stage.leg("1003")
            # The switch alone gets them: whoever hears him hears no key.
            assert not stage.switch.worker.of(media.ConfigureLeg)[-1].passes_digits
            for keys, heard in (
                ("2", "a>c a>s c>a c>s s>a"),
                ("3", "a>c a>s c>a c>s s>c"),
                ("4", "a>c a>s c>a c>s s>a s>c"),
                ("5", "c>a c>s s>a s>c"),
                ("70", "c>a c>s s>a s>c"),
                ("1", "a>c a>s c>a c>s"),
            ):
                await stage.press(supervisor, keys)
                await stage.settled()
                assert stage.heard() == heard, keys
            assert stage.switch.of(events.CallDigit) == []
            await stage.press(supervisor, "#")
            await stage.phones["1003"].wait("ended")
            assert stage.heard() == CALL

    run_virtual(main())


@pytest.mark.parametrize("how", ["api", "keys"])
def test_takeover_drops_the_agent_and_the_customer_goes_on_with_the_supervisor(how):
    async def main():
        async with floor() as stage:
            view = await stage.monitor(mode="barge", agent_audio="listen_only")
            supervisor, agent = stage.leg("1003"), stage.leg("1001")
            if how == "api":
                await stage.app.do(monitors.TakeOver(monitor_id=view.monitor_id))
            else:
                await stage.press(supervisor, "*8")
            await stage.phones["1001"].wait("ended")
            assert stage.heard() == "c>s s>c"
            assert "ended" not in stage.phones["carrier"].names() + stage.phones["1003"].names()
            [taken] = stage.switch.of(events_monitor.CallTakenOver)
            assert (taken.leg_id, taken.from_leg_id) == (supervisor.leg_id, agent.leg_id)
            # From now on he is the agent: on his channel of the recording, his keys reach the customer.
            running = stage.switch.worker.of(media.StartRecording)[-1]
            assert running.channels == [[stage.leg("carrier").leg_id], [supervisor.leg_id]]
            assert stage.switch.worker.of(media.ConfigureLeg)[-1].passes_digits
            await stage.press(supervisor, "7")
            await stage.switch.until(lambda: stage.switch.of(events.CallDigit))
            await asyncio.sleep(3.0)
            stage.phones["1003"].agent.hang_up(stage.phones["1003"].the_call.id)
            record = await stage.switch.cdr()
            assert (record.extension, record.hangup_cause) == ("1003", "NORMAL_CLEARING")
            causes = {leg.name: leg.hangup_cause for leg in record.legs}
            assert causes["1001"] == "PICKED_OFF"
            purposes = [(s.purpose, s.leg_id) for s in record.segments if s.leg_id == supervisor.leg_id]
            assert [purpose for purpose, _ in purposes] == ["ring", "monitor", "talk"]

    run_virtual(main())


@pytest.mark.parametrize("how", ["api", "keys"])
def test_disconnect_ends_the_call_for_everybody(how):
    async def main():
        async with floor() as stage:
            view = await stage.monitor()
            if how == "api":
                await stage.app.do(monitors.Disconnect(monitor_id=view.monitor_id))
            else:
                await stage.press(stage.leg("1003"), "*9")
            for name in ("carrier", "1001", "1003"):
                await stage.phones[name].wait("ended")
            [ended] = stage.switch.of(events_monitor.MonitorEnded)
            assert ended.reason == "disconnect"
            record = await stage.switch.cdr()
            assert record.hangup_side == "system"

    run_virtual(main())


def test_the_call_ends_with_its_parties_however_many_supervisors_listen():
    async def main():
        async with floor(numbers=("1001", "1003", "1004")) as stage:
            await stage.monitor()
            await stage.monitor("1004", mode="whisper")
            assert stage.heard() == "a>c a>s a>t c>a c>s c>t t>a"
            stage.phones["1001"].agent.hang_up(stage.phones["1001"].the_call.id)
            for name in ("carrier", "1003", "1004"):
                await stage.phones[name].wait("ended")
            assert [e.reason for e in stage.switch.of(events_monitor.MonitorEnded)] == ["call_ended"] * 2
            record = await stage.switch.cdr()
            assert (record.extension, record.hangup_side) == ("1001", "agent")

    run_virtual(main())


def test_a_supervisor_has_a_track_of_his_own():
    """It holds what he says while he can be heard; the channels of the call's recording stay the parties'."""

    async def main():
        async with floor() as stage:
            worker = stage.switch.worker
            [conversation] = worker.of(media.StartRecording)
            view = await stage.monitor()
            track = worker.of(media.StartRecording)[-1]
            assert track.channels == [[stage.leg("1003").leg_id]]
            assert track.path != conversation.path and "_supervisor_1003" in track.path
            assert [c.recording for c in worker.of(media.PauseRecording)] == [track.recording]
            await stage.app.do(monitors.ChangeMonitor(monitor_id=view.monitor_id, mode="whisper"))
            assert [c.recording for c in worker.of(media.ResumeRecording)] == [track.recording]
            # A card number that is not recorded is not recorded here either.
            await stage.app.do(commands.PauseRecording(call_id=stage.call.call_id))
            assert [c.recording for c in worker.of(media.PauseRecording)][1:] == [
                conversation.recording,
                track.recording,
            ]
            await stage.app.do(commands.ResumeRecording(call_id=stage.call.call_id))
            for again in worker.of(media.StartRecording):
                if again.recording == conversation.recording:
                    assert again.channels == conversation.channels
            await stage.app.do(monitors.StopMonitor(monitor_id=view.monitor_id))
            assert [c.recording for c in worker.of(media.StopRecording)] == [track.recording]
            await stage.switch.until(lambda: len(stage.switch.of(events.RecordingFinished)) == 1)
            kept = stage.switch.recordings[track.recording]
            assert (kept.state, kept.extension, kept.call_id) == ("finished", "1003", stage.call.call_id)

    run_virtual(main())


def test_who_may_supervise_whom_is_said_by_the_extensions():
    async def main():
        async with floor(numbers=("1001", "1002", "1003", "1004", "1005")) as stage:
            for supervisor in ("1002", "1005"):
                with pytest.raises(errors.SupervisionDenied):
                    await stage.app.do(monitors.StartMonitor(supervisor=supervisor, extension="1001"))
            # Legs that are no extension are only for those who may supervise everybody.
            call_id, customer = stage.call.call_id, stage.leg("carrier").leg_id
            with pytest.raises(errors.SupervisionDenied):
                await stage.app.do(monitors.StartMonitor(supervisor="1003", call_id=call_id, leg_id=customer))
            await stage.app.do(monitors.StartMonitor(supervisor="1004", call_id=call_id, leg_id=customer))
            for command, error in (
                (monitors.StartMonitor(supervisor="4711", extension="1001"), errors.NoSuchExtension),
                (monitors.StartMonitor(supervisor="1003", extension="4711"), errors.NoSuchExtension),
                (monitors.StartMonitor(supervisor="1003"), errors.NoSuchExtension),
                (monitors.StartMonitor(supervisor="1003", extension="1002"), errors.WrongState),
                (monitors.StartMonitor(supervisor="1003", call_id="x"), errors.NoSuchCall),
                (monitors.StartMonitor(supervisor="1003", call_id=call_id, leg_id="x"), errors.NoSuchLeg),
                (monitors.StopMonitor(monitor_id="x"), errors.NoSuchMonitor),
            ):
                with pytest.raises(error):
                    await stage.app.do(command)

    run_virtual(main())


@pytest.mark.parametrize("how", ["is not there", "does not answer", "is stopped", "parties leave"])
def test_a_supervisor_who_does_not_come_leaves_nothing(how):
    async def main():
        numbers = ("1001",) if how == "is not there" else ("1001", "1003")
        async with floor(numbers=numbers, silent="1003") as stage:
            order = monitors.StartMonitor(supervisor="1003", extension="1001", timeout_s=10.0)
            if how == "is not there":
                with pytest.raises(errors.NoRoute):
                    await stage.app.do(order)
                return
            view = await stage.app.do(order)
            await stage.phones["1003"].wait("incoming")
            with pytest.raises(errors.WrongState):
                await stage.app.do(monitors.TakeOver(monitor_id=view.monitor_id))
            if how == "is stopped":
                await stage.app.do(monitors.StopMonitor(monitor_id=view.monitor_id))
            elif how == "parties leave":
                stage.phones["carrier"].agent.hang_up(stage.mine.id)
            await stage.phones["1003"].wait("ended")
            [ended] = stage.switch.of(events_monitor.MonitorEnded)
            assert ended.reason == {"does not answer": "no_answer", "is stopped": "stopped"}.get(how, "call_ended")

    run_virtual(main())


def test_a_held_call_is_supervised_and_taken_over():
    """The customer hears music, the supervisor still reaches the agent; taken over, the customer is taken from hold."""

    async def main():
        async with floor() as stage:
            held = stage.leg("carrier")
            await stage.app.do(commands.Hold(call_id=stage.call.call_id, leg_id=held.leg_id))
            view = await stage.monitor(mode="whisper")
            assert stage.heard() == "a>s s>a"
            await stage.app.do(commands.Resume(call_id=stage.call.call_id, leg_id=held.leg_id))
            assert stage.heard() == "a>c a>s c>a c>s s>a"
            await stage.app.do(monitors.TakeOver(monitor_id=view.monitor_id))
            assert stage.heard() == "c>s s>c"

    run_virtual(main())


def test_the_agent_is_told_where_the_configuration_wants_it():
    async def main():
        async with floor(more="[supervision]\nis_announced = true\n") as stage:
            await stage.monitor()
            [tone] = [play for play in stage.switch.worker.of(media.Play) if play.play_id == "monitor"]
            assert (tone.leg, tone.sources, tone.is_looped) == (
                stage.leg("1001").leg_id,
                ["tone:call_waiting/cn"],
                False,
            )

    run_virtual(main())


def test_a_supervisor_calls_an_agent_who_waits_and_is_refused_with_the_reason_when_he_does_not():
    async def main():
        async with floor(numbers=("1001", "1002", "1003")) as stage:
            for agent, reason in (("1001", "busy"), ("1005", "not_registered")):
                supervisor = "1004" if agent == "1005" else "1003"
                with pytest.raises(errors.NotWaiting) as refused:
                    await stage.app.do(monitors.CallAgent(supervisor=supervisor, agent=agent))
                assert refused.value.data["reason"] == reason
            await stage.app.do(SetServices(extension="1002", is_dnd=True))
            with pytest.raises(errors.NotWaiting) as refused:
                await stage.app.do(monitors.CallAgent(supervisor="1003", agent="1002"))
            assert refused.value.data["reason"] == "do_not_disturb"
            await stage.app.do(SetServices(extension="1002", is_dnd=False))
            with pytest.raises(errors.SupervisionDenied):
                await stage.app.do(monitors.CallAgent(supervisor="1003", agent="1005"))
            with pytest.raises(errors.NoSuchExtension):
                await stage.app.do(monitors.CallAgent(supervisor="1003", agent="4711"))
            view = await stage.app.do(monitors.CallAgent(supervisor="1003", agent="1002"))
            await stage.phones["1003"].wait("answered")
            incoming = await stage.phones["1002"].wait("incoming")
            assert incoming.number == "1003"
            await stage.phones["1002"].wait("answered")
            await stage.app.do(commands.Hangup(call_id=view.call_id))
            await stage.phones["1002"].wait("ended")

    run_virtual(main())


@pytest.mark.parametrize(("to", "is_permitted"), [("1002", True), ("1005", False)])
def test_a_monitor_follows_the_call_to_the_next_agent_where_he_may(to, is_permitted):
    async def main():
        async with floor(numbers=("1001", "1003", to)) as stage:
            view = await stage.monitor(mode="whisper")
            await stage.app.do(transfers.Transfer(call_id=stage.call.call_id, leg_id=stage.leg("1001").leg_id, to=to))
            await stage.phones[to].wait("answered")
            await stage.switch.until(lambda: len(stage.switch.of(events.CallConnected)) == 2)
            await stage.settled()
            if is_permitted:
                assert stage.heard() == "b>c b>s c>b c>s s>b"
                changed = stage.switch.of(events_monitor.MonitorChanged)[-1]
                assert (changed.agent, changed.mode) == ("1002", "whisper")
                [shown] = (await stage.app.do(monitors.ListMonitors())).monitors
                assert (shown.monitor_id, shown.agent) == (view.monitor_id, "1002")
            else:
                await stage.phones["1003"].wait("ended")
                assert stage.heard() == "c>x x>c"
                [ended] = stage.switch.of(events_monitor.MonitorEnded)
                assert ended.reason == "not_permitted"

    run_virtual(main())


def test_a_supervisor_goes_with_his_agent_into_a_consultation():
    async def main():
        async with floor(numbers=("1001", "1002", "1003")) as stage:
            await stage.monitor()
            agent = stage.leg("1001")
            consult = await stage.app.do(
                transfers.ConsultStart(call_id=stage.call.call_id, leg_id=agent.leg_id, to="1002")
            )
            await stage.phones["1002"].wait("answered")
            await stage.settled()
            assert stage.heard() == "a>b a>s b>a b>s"
            await stage.app.do(transfers.ConsultMerge(consult_id=consult.consult_id))
            assert stage.heard() == "a>b a>c a>s b>a b>c b>s c>a c>b c>s"
            # TEL-15: any time the third party can be dropped.
            await stage.app.do(commands.Hangup(call_id=stage.call.call_id, leg_id=stage.leg("1002").leg_id))
            assert stage.heard() == "a>c a>s c>a c>s"

    run_virtual(main())


def test_a_supervisor_is_on_the_call_that_two_calls_became():
    """Attended transfer by the agent's phone (REFER with Replaces): the supervised call is the one that is absorbed."""

    async def main():
        async with floor(numbers=("1001", "1002", "1003")) as stage:
            agent = stage.phones["1001"]
            incoming = agent.the_call
            agent.agent.hold(incoming.id)
            await agent.wait("held")
            mine = agent.call("1002")
            await agent.wait("answered", call=mine.id)
            await stage.switch.until(lambda: len(stage.switch.of(events.CallConnected)) == 2)
            first, second = stage.switch.core.calls.calls.values()
            view = await stage.app.do(monitors.StartMonitor(supervisor="1003", call_id=second.call_id, leg_id=second.b))
            await stage.switch.until(lambda: stage.switch.of(events_monitor.MonitorStarted))
            agent.agent.transfer(incoming.id, "sip:1002@10.0.0.1", replacing=mine.id)
            await stage.switch.until(lambda: stage.switch.of(events.CallAbsorbed))
            await asyncio.sleep(1.0)
            assert list(stage.switch.core.calls.calls) == [first.call_id]
            assert stage.heard() == "b>c b>s c>b c>s"
            [shown] = (await stage.app.do(monitors.ListMonitors())).monitors
            assert (shown.monitor_id, shown.call_id, shown.agent) == (view.monitor_id, first.call_id, "1002")
            await stage.app.do(monitors.ChangeMonitor(monitor_id=view.monitor_id, mode="whisper"))
            assert stage.heard() == "b>c b>s c>b c>s s>b"

    run_virtual(main())


def test_a_ringing_call_is_dispatched_to_another_extension():
    async def main():
        switch = SimSwitch(SimNet(), PEOPLE + TRUNKS)
        app = SimApp(switch)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        carrier = switch.carrier()
        mine = carrier.call("02188886666", caller="13800138000")
        await alice.wait("incoming")
        (call,) = switch.core.calls.calls.values()
        with pytest.raises(errors.NoRoute):
            await app.do(monitors.Dispatch(call_id=call.call_id, to="4711"))
        await app.do(monitors.Dispatch(call_id=call.call_id, to="1002"))
        await alice.wait("ended")
        await bob.wait("answered")
        [told] = [event for event in app.published if isinstance(event, events_monitor.CallDispatched)]
        assert (told.call_id, told.to, told.by) == (call.call_id, "1002", "root")
        carrier.agent.hang_up(mine.id)
        record = await switch.cdr()
        assert record.extension == "1002"
        await switch.close()

    run_virtual(main())


def test_a_live_call_is_dispatched_away_from_its_agent():
    async def main():
        async with floor(numbers=("1001", "1002")) as stage:
            call_id = stage.call.call_id
            with pytest.raises(errors.NoSuchLeg):
                await stage.app.do(monitors.Dispatch(call_id=call_id, to="1002", leg_id="x"))
            with pytest.raises(errors.NoSuchCall):
                await stage.app.do(monitors.Dispatch(call_id="x", to="1002"))
            await stage.app.do(monitors.Dispatch(call_id=call_id, to="1002"))
            await stage.phones["1001"].wait("ended")
            await stage.phones["1002"].wait("answered")
            await stage.settled()
            assert stage.heard() == "b>c c>b"
            assert "ended" not in stage.phones["carrier"].names()

    run_virtual(main())
