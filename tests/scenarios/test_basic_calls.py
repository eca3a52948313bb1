"""Whole switch, virtual time: calls between phones. Ends from either side, busy, no answer, unknown, forwarding,
several devices, early give-up. Audio itself is not covered here (tests/media, tests/live)."""

import asyncio

import pytest

from model import events, media
from model.causes import HangupCause
from tests.harness.sim_switch import EXTENSIONS, PASSWORD, SimSwitch
from tests.harness.simnet import Link, SimNet
from tests.harness.virtual_loop import run_virtual


def test_a_call_is_answered_recorded_and_accounted_for():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=2.0)
        call = alice.call("1002")
        await bob.wait("answered")
        await asyncio.sleep(10.0)
        alice.agent.hang_up(call.id)
        await bob.wait("ended")
        record = await switch.cdr()

        assert (record.caller, record.dialed, record.direction) == ("1001", "1002", "internal")
        assert record.hangup_cause == "NORMAL_CLEARING"
        assert record.hangup_side == "caller"
        assert record.talk_s == pytest.approx(10.0, abs=0.2)
        assert record.duration_s == pytest.approx(12.0, abs=0.2)
        created, ringing = record.created_utc, record.ringing_utc
        assert created < ringing < record.answered_utc <= record.bridged_utc < record.ended_utc
        assert [(leg.direction, leg.name, leg.codec) for leg in record.legs] == [
            ("in", "1001", "PCMU"),
            ("out", "1002", "PCMU"),
        ]
        assert all(leg.packets_received == 50 for leg in record.legs)
        caller, callee = (leg.leg_id for leg in record.legs)
        assert sorted((segment.purpose, segment.leg_id) for segment in record.segments) == [
            ("ring", callee),
            ("talk", caller),
            ("talk", callee),
        ]
        names = [type(event).__name__ for event in switch.events if hasattr(event, "call_id")]
        assert names == [
            "CallCreated",
            "CallRinging",
            "CallAnswered",
            "CallConnected",
            "RecordingStarted",
            "CallEnded",
            "RecordingFinished",
        ]
        (recording,) = switch.recordings.values()
        assert recording.state == "finished"
        assert recording.call_id == record.call_id
        await switch.close()

    run_virtual(main())


def test_the_callee_hangs_up():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        _, theirs = await alice.talk_to("1002", bob)
        bob.agent.hang_up(theirs.id)
        await alice.wait("ended")
        record = await switch.cdr()
        assert (record.hangup_cause, record.hangup_side) == ("NORMAL_CLEARING", "agent")
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("dialed", "status", "cause"),
    [
        ("1003", 480, HangupCause.USER_NOT_REGISTERED),
        ("4711", 404, HangupCause.UNALLOCATED_NUMBER),
        ("1002", 486, HangupCause.USER_BUSY),
    ],
    ids=["not registered", "unknown", "busy"],
)
def test_a_call_that_fails_tells_the_caller_why(dialed, status, cause):
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002")
        alice.call(dialed)
        if dialed == "1002":
            told = await bob.wait("incoming")
            bob.agent.reject(told.call)
        ended = await alice.wait("ended")
        assert ended.status == status
        record = await switch.cdr()
        assert record.hangup_cause == cause.value
        assert record.answered_utc == 0.0
        await switch.close()

    run_virtual(main())


def test_nobody_answers_in_time():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + "[calls]\nring_timeout_s = 20\n")
        alice, bob = await switch.phone("1001"), await switch.phone("1002")
        started = switch.loop.time()
        alice.call("1002")
        ended = await alice.wait("ended")
        assert ended.status == 480
        assert switch.loop.time() - started == pytest.approx(20.0, abs=0.5)
        assert (await bob.wait("ended")).call
        record = await switch.cdr()
        assert record.hangup_cause == "NO_ANSWER"
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("why", ["busy_to", "no_answer_to"])
def test_an_extension_that_cannot_take_the_call_sends_it_on(why):
    async def main():
        config = EXTENSIONS.replace('number = "1002"\n', f'number = "1002"\n{why} = "1003"\nring_timeout_s = 10\n')
        switch = SimSwitch(SimNet(), config)
        alice, bob = await switch.phone("1001"), await switch.phone("1002")
        carol = await switch.phone("1003", answer_after_s=1.0)
        alice.call("1002")
        told = await bob.wait("incoming")
        if why == "busy_to":
            bob.agent.reject(told.call)
        await carol.wait("answered")
        await alice.wait("answered")
        assert len(bob.agent.calls) == 0
        carol.agent.hang_up(next(iter(carol.agent.calls)))
        record = await switch.cdr()
        assert record.extension == "1003"
        assert [leg.name for leg in record.legs] == ["1001", "1002", "1003"]
        await switch.close()

    run_virtual(main())


def test_forwarding_in_a_circle_ends():
    async def main():
        config = EXTENSIONS.replace('number = "1002"\n', 'number = "1002"\nbusy_to = "1003"\n').replace(
            'number = "1003"\n', 'number = "1003"\nbusy_to = "1002"\n'
        )
        switch = SimSwitch(SimNet(), config)
        alice = await switch.phone("1001")
        alice.call("1002")
        assert (await alice.wait("ended")).status == 480
        await switch.close()

    run_virtual(main())


def test_two_devices_ring_and_the_loser_hears_that_it_was_answered_elsewhere():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        desk = await switch.phone("1002")
        mobile = await switch.phone("1002", host="10.0.0.99", answer_after_s=3.0)
        alice.call("1002")
        await desk.wait("incoming")
        await mobile.wait("answered")
        await desk.wait("ended")
        cancels = [seen.data for seen in switch.net.trace if seen.data.startswith(b"CANCEL")]
        assert cancels
        assert all(b"Call completed elsewhere" in data for data in cancels)
        mobile.agent.hang_up(next(iter(mobile.agent.calls)))
        record = await switch.cdr()
        assert sorted(leg.hangup_cause for leg in record.legs if leg.direction == "out") == [
            "ANSWERED_ELSEWHERE",
            "NORMAL_CLEARING",
        ]
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("after_ms", [0, 1, 4, 6, 9, 11, 15, 16, 20, 21, 25, 26, 30, 31, 36, 41, 60, 150, 400])
def test_the_caller_gives_up_at_any_instant(after_ms):
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.02)
        call = alice.call("1002")
        await asyncio.sleep(after_ms / 1000)
        if call.id in alice.agent.calls:
            alice.agent.hang_up(call.id)
        await switch.until(lambda: not alice.agent.calls and not bob.agent.calls)
        await asyncio.sleep(5.0)
        # Before the INVITE with credentials came there was no call.
        assert len(switch.cdrs) == len(switch.of(events.CallCreated)) == (after_ms > 10)
        assert all(record.hangup_cause in ("ORIGINATOR_CANCEL", "NORMAL_CLEARING") for record in switch.cdrs)
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("seed", range(6))
def test_calls_over_a_bad_network_end_in_one_record_each(seed):
    async def main():
        net = SimNet(seed, Link(0.02, jitter_s=0.03, loss=0.2, reorder=0.1, duplicate=0.1))
        switch = SimSwitch(net, seed=seed)
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=1.0)
        for n in range(1, 6):
            call = alice.call("1002")
            await switch.until(lambda call=call: call.is_up or call.id not in alice.agent.calls)
            await asyncio.sleep(2.0)
            if call.id in alice.agent.calls:
                alice.agent.hang_up(call.id)
            await switch.until(lambda: not alice.agent.calls and not bob.agent.calls)
            await switch.cdr(n)
        assert len(switch.cdrs) == 5
        await switch.close()

    run_virtual(main())


def test_hold_plays_music_and_resume_takes_it_away():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        mine, _ = await alice.talk_to("1002", bob)
        alice.agent.hold(mine.id)
        await alice.wait("held")
        (held,) = switch.of(events.CallHeld)
        record_legs = switch.core.calls.calls[held.call_id].legs
        assert record_legs[held.leg_id].name == "1002"
        (play,) = switch.worker.of(media.Play)
        assert (play.leg, play.is_looped) == (held.leg_id, True)
        assert switch.worker.of(media.ConnectMatrix)[-1].edges == []
        # A phone that holds may be silent for as long as it likes.
        assert switch.worker.of(media.ConfigureLeg)[-1].inactivity_s == 0
        await asyncio.sleep(5.0)
        alice.agent.resume(mine.id)
        await alice.wait("resumed")
        assert switch.worker.of(media.ConfigureLeg)[-1].inactivity_s == switch.config.media.inactivity_s > 0
        assert len(switch.worker.of(media.ConnectMatrix)[-1].edges) == 2
        assert switch.worker.of(media.StopPlay)[-1].leg == held.leg_id
        alice.agent.hang_up(mine.id)
        record = await switch.cdr()
        assert record.hold_s == pytest.approx(5.0, abs=0.2)
        assert "hold" in [segment.purpose for segment in record.segments]
        await switch.close()

    run_virtual(main())


def test_a_stranger_and_a_wrong_password_get_the_same_answer():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        from tests.harness.sim_phone import SimPhone
        from tests.harness.sim_switch import SERVER

        phones = [
            SimPhone(net, "10.0.0.66", "1001", SERVER, password="wrong-password"),
            SimPhone(net, "10.0.0.67", "6666", SERVER, password=PASSWORD),
        ]
        for phone in phones:
            failed = await phone.wait("registration_failed")
            assert failed.status == 401
            await phone.close()
        assert switch.core.registrations.n_bindings == 0
        await switch.close()

    run_virtual(main())


def test_the_longest_call_is_ended():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + "[calls]\nmax_duration_s = 30\n")
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        await alice.wait("ended")
        record = await switch.cdr()
        assert record.hangup_cause == "ALLOTTED_TIMEOUT"
        assert record.talk_s == pytest.approx(30.0, abs=0.1)
        await switch.close()

    run_virtual(main())


def test_silence_on_the_line_ends_the_call():
    async def main():
        switch = SimSwitch(SimNet())
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        (call,) = switch.core.calls.calls.values()
        switch.worker.tell(media.Inactivity(call.call_id, call.b, 60.0))
        await alice.wait("ended")
        assert (await switch.cdr()).hangup_cause == "MEDIA_TIMEOUT"
        await switch.close()

    run_virtual(main())


def test_calls_beyond_the_limit_are_refused_and_say_when_to_come_back():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + "[calls]\nmax_calls = 1\n")
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.1)
        carol = await switch.phone("1003")
        await alice.talk_to("1002", bob)
        carol.call("1001")
        assert (await carol.wait("ended")).status == 503
        assert any(b"Retry-After" in seen.data for seen in switch.net.trace if seen.data.startswith(b"SIP/2.0 503"))
        alice.agent.hang_up(alice.the_call.id)
        await switch.close()

    run_virtual(main())


def test_while_the_database_fails_calls_go_on_until_the_backlog_is_full_and_none_is_lost():
    async def main():
        switch = SimSwitch(SimNet(), "[recording]\nenabled = false\n" + EXTENSIONS)
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.1)
        switch.storage.fail("disk full")
        call, _ = await alice.talk_to("1002", bob)
        alice.agent.hang_up(call.id)
        record = await switch.cdr()
        assert switch.storage.is_congested
        alice.call("1002")
        assert (await alice.wait("ended", call=next(iter(alice.agent.calls)))).status == 503
        switch.storage.recover()
        await switch.storage.flush()
        assert (await switch.storage.calls.get(record.call_id)).call == record
        call, _ = await alice.talk_to("1002", bob)
        alice.agent.hang_up(call.id)
        await switch.cdr(2)
        await switch.close()

    run_virtual(main())
