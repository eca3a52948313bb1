"""Whole switch, virtual time: what the API's handlers do to live calls. The wire protocol is in tests/control."""

import asyncio

import pytest

from control.audit import AuditTrail
from control.auth import ApiUser, Caller
from control.gate import Gate
from control.role_book import RoleBook
from model import commands, commands_originate, errors, events, media
from model.declare import Command, command_spec
from switch.agent_rights import AgentRights
from switch.alarms import AlarmWatch
from switch.commands import make_handlers
from switch.metrics import make_metrics
from switch.reach import Reaches
from tests.harness.sim_switch import EXTENSIONS, HOST, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

ROOT = Caller("root", "administrator")
USERS = [ApiUser(name="root", role="administrator", token_hash=""), ApiUser(name="lea", role="lead", token_hash="")]


class SimApp:
    """What the handlers see of `switch.app.App`."""

    def __init__(self, switch: SimSwitch) -> None:
        self.config = switch.config
        self.runtime = switch.core.runtime
        self.core = switch.core
        self.registrations = switch.core.registrations
        self.storage = switch.storage
        self.services = switch.services
        self.voicemail = switch.voicemail
        self.appointments = switch.appointments
        self.campaign_work = switch.campaign_work
        self.preview = switch.preview
        self.hub = self
        self.roles = RoleBook(switch.config.role, USERS, self.core.directory.agent_roles)
        reaches = Reaches(self.runtime.calls, self.core.directory, self.core.floor)
        self.gate = Gate(self.roles, reaches)
        AgentRights(self.roles, reaches, self.core.directory, self.core.floor)
        self.published: list[object] = []
        self.metrics = make_metrics(self.core.directory)
        lives_of = self.core.dialer.lives_of
        self.alarms = AlarmWatch(switch.config.alarm, self.core.floor, self.metrics, self.publish, lives_of)
        self.audit = AuditTrail(self.storage.put, self.publish, switch.wall)
        self.members = switch.members
        self.lists = switch.lists
        self.imports = switch.imports
        self._handlers = make_handlers(self)  # type: ignore[arg-type]

    def publish(self, event: object) -> None:
        self.published.append(event)

    async def flush_records(self) -> None:
        await self.storage.flush()

    async def in_thread(self, work):
        """There are no threads in virtual time."""
        return work()

    def check_room(self) -> None:
        if self.runtime.pool.choose_worker() < 0:
            raise errors.Congested()

    def worker_name(self, index: int) -> str:
        return f"w{index}"

    def homes_changed(self) -> None:
        directory = self.core.directory
        if directory.regions.use_homes(agent.home_area for agent in directory.agents.values()):
            directory.regions.load()

    def roles_changed(self) -> None:
        """Nobody is subscribed here."""

    async def do(self, command: Command, caller: Caller = ROOT):
        spec = command_spec(type(command))
        self.gate.admit(caller, spec, command)
        result = self._handlers[type(command)](command, caller)
        return self.gate.sieve(caller, spec, await result if asyncio.iscoroutine(result) else result)


def test_calls_are_placed_listed_and_ended_by_api():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice = await switch.phone("1001", answer_after_s=1.0)
        bob = await switch.phone("1002", answer_after_s=2.0)
        view = await app.do(commands_originate.Originate(from_="1001", to="1002", variables={"ticket": "7"}))
        await alice.wait("answered")
        incoming = await bob.wait("incoming")
        assert incoming.number == "1001"
        # While the second rings, the first hears ringback.
        await switch.until(lambda: switch.worker.of(media.Play))
        assert switch.worker.of(media.Play)[0].sources == ["tone:ringback/cn"]
        await switch.until(lambda: switch.of(events.CallConnected))
        listed = await app.do(commands.ListCalls(extension="1002"))
        assert [call.call_id for call in listed.calls] == [view.call_id]
        assert listed.calls[0].variables == {"ticket": "7"}
        assert [leg.state for leg in listed.calls[0].legs] == ["answered", "answered"]
        await asyncio.sleep(3.0)
        await app.do(commands.Hangup(call_id=view.call_id))
        await alice.wait("ended")
        await bob.wait("ended")
        record = await switch.cdr()
        assert record.call_id == view.call_id
        assert record.talk_s == pytest.approx(3.0, abs=0.2)
        with pytest.raises(errors.NoSuchCall):
            await app.do(commands.Hangup(call_id=view.call_id))
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(("first", "second", "cause"), [("1001", "1003", "USER_NOT_REGISTERED"), ("1003", "1001", "")])
def test_an_originated_call_that_fails_leaves_nobody_hanging(first, second, cause):
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice = await switch.phone("1001", answer_after_s=0.5)
        await app.do(commands_originate.Originate(from_=first, to=second))
        record = await switch.cdr()
        assert record.hangup_cause == "USER_NOT_REGISTERED"
        assert bool(alice.events and "answered" in alice.names()) is bool(cause)
        await switch.close()

    run_virtual(main())


def test_originate_to_nowhere_is_refused():
    async def main():
        switch = SimSwitch(SimNet())
        with pytest.raises(errors.NoRoute):
            await SimApp(switch).do(commands_originate.Originate(from_="4711", to="1001"))
        await switch.close()

    run_virtual(main())


def test_hold_by_api_and_by_phone_are_counted_apart():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        mine, _ = await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        with pytest.raises(errors.WrongState):
            await app.do(commands.Resume(call_id=call.call_id, leg_id=call.b))
        await app.do(commands.Hold(call_id=call.call_id, leg_id=call.b))
        alice.agent.hold(mine.id)
        await alice.wait("held")
        assert len(switch.of(events.CallHeld)) == 1
        await app.do(commands.Resume(call_id=call.call_id, leg_id=call.b))
        assert switch.of(events.CallResumed) == []
        alice.agent.resume(mine.id)
        await alice.wait("resumed")
        assert len(switch.of(events.CallResumed)) == 1
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_play_send_digits_and_stop():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        started = await app.do(commands.Play(call_id=call.call_id, sources=["tone:busy/cn", "file:hello.wav"]))
        plays = switch.worker.of(media.Play)
        assert sorted(play.leg for play in plays) == sorted([call.a, call.b])
        assert plays[0].sources[1].endswith("/prompts/hello.wav")
        switch.worker.tell(media.PlayFinished(call.call_id, call.a, started.play_id))
        await switch.until(lambda: switch.of(events.CallPlayFinished))
        await app.do(commands.SendDtmf(call_id=call.call_id, leg_id=call.b, digits="12#"))
        assert switch.worker.of(media.SendDigits)[-1].digits == "12#"
        await app.do(commands.StopPlay(call_id=call.call_id))
        assert len(switch.worker.of(media.StopPlay)) == 2
        for source in ("file:/etc/passwd", "file:../secret.wav", "http://x/y", "tone:busy"):
            with pytest.raises(errors.InvalidValue):
                await app.do(commands.Play(call_id=call.call_id, sources=[source]))
        alice.agent.hang_up(alice.the_call.id)
        await switch.close()

    run_virtual(main())


def test_recordings_are_paused_resumed_stopped_and_started():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        paused = await app.do(commands.PauseRecording(call_id=call.call_id))
        assert paused.state == "paused"
        assert (await app.do(commands.ResumeRecording(call_id=call.call_id))).state == "recording"
        assert (await app.do(commands.StopRecording(call_id=call.call_id))).state == "finished"
        with pytest.raises(errors.NoSuchRecording):
            await app.do(commands.PauseRecording(call_id=call.call_id))
        again = await app.do(commands.StartRecording(call_id=call.call_id))
        assert again.path.endswith("_2.wav")
        alice.agent.hang_up(alice.the_call.id)
        await switch.cdr()
        await switch.until(lambda: len(switch.of(events.RecordingFinished)) == 2)
        assert {r.state for r in switch.recordings.values()} == {"finished"}
        await switch.close()

    run_virtual(main())


def test_a_media_worker_that_comes_back_is_told_every_live_call():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        mine, _ = await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        alice.agent.hold(mine.id)
        await alice.wait("held")
        worker = switch.worker
        before = {c.leg: c for c in worker.of(media.ConfigureLeg)}
        worker.commands.clear()
        worker.legs.clear()
        worker.recordings.clear()
        switch.core.runtime.pool.lost(0)
        lost = switch.core.runtime.tell_worker_everything(0, ["a-session-nobody-knows"], is_new=True)
        assert lost == []
        assert [type(c) for c in worker.commands] == [media.ReleaseSession, media.Adopt]
        (adopt,) = worker.of(media.Adopt)
        assert {settings.leg: settings for settings, _ in adopt.snapshot.legs} == before
        assert adopt.snapshot.matrix.edges == []
        assert [play.play_id for play in adopt.snapshot.plays] == ["hold"]
        (recording,) = adopt.snapshot.recordings
        assert recording.path == call.recording.path
        assert recording.continues_s > 0
        alice.agent.hang_up(mine.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_a_trunks_digits_by_info_are_relayed_as_rtp_events():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        session = alice.the_call.session
        alice.agent.driver.perform(
            alice.agent.stack.info(
                session, "application/dtmf-relay", b"Signal=7\r\nDuration=120\r\n", switch.loop.time()
            )
        )
        await switch.until(lambda: switch.of(events.CallDigit))
        (sent,) = switch.worker.of(media.SendDigits)
        assert (sent.leg, sent.digits, sent.duration_ms) == (call.b, "7", 120)
        alice.agent.hang_up(alice.the_call.id)
        await switch.close()

    run_virtual(main())


def test_digits_reach_a_peer_that_wants_info_by_info_one_after_the_other():
    async def main():
        net = SimNet()
        info = EXTENSIONS.replace('number = "1002"\n', 'number = "1002"\ndtmf = "info"\n')
        switch = SimSwitch(net, info + TRUNKS)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        settings = {each.leg: each for each in switch.worker.of(media.ConfigureLeg)}
        assert not settings[call.b].takes_digits and settings[call.b].dtmf_payload_type == -1
        assert settings[call.a].takes_digits
        net.worsen(loss=0.3)
        for digit in "12#":
            switch.worker.tell(media.Digit(call.call_id, call.a, digit, 90))
        await switch.until(lambda: any(each.fate == "sent" for each in net.sent(source=HOST, containing=b"Signal=#")))
        net.worsen(loss=0.0)
        sent = [each for each in net.sent(source=HOST, containing=b"Signal=") if each.fate == "sent"]
        assert list(dict.fromkeys(each.data.partition(b"Signal=")[2][:1] for each in sent)) == [b"1", b"2", b"#"]
        assert not switch.worker.of(media.SendDigits)
        alice.agent.hang_up(alice.the_call.id)
        await switch.close()

    run_virtual(main())


def test_a_key_by_info_and_in_rtp_is_one_and_secure_digits_are_told_to_nobody():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        for _ in range(2):
            switch.worker.tell(media.Digit(call.call_id, call.a, "7", 90))
            await switch.until(lambda: len(switch.of(events.CallDigit)) >= 1)
            alice.agent.driver.perform(
                alice.agent.stack.info(
                    alice.the_call.session, "application/dtmf-relay", b"Signal=7\r\nDuration=90\r\n", switch.loop.time()
                )
            )
            await asyncio.sleep(0.5)
        assert [event.digit for event in switch.of(events.CallDigit)] == ["7", "7"]
        assert not switch.worker.of(media.SendDigits)
        switch.worker.tell(media.Digit(call.call_id, call.a, "4", 90, is_secure=True))
        await asyncio.sleep(0.5)
        assert len(switch.of(events.CallDigit)) == 2
        switch.worker.tell(media.ToneDetected(call.call_id, call.b, "busy"))
        await switch.until(lambda: switch.of(events.CallToneDetected))
        alice.agent.hang_up(alice.the_call.id)
        await switch.close()

    run_virtual(main())
