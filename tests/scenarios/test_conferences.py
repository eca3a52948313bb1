"""Whole switch, virtual time: conference rooms: entry by number, access number and invitation, PIN, roles, waiting for
a moderator, mute, deaf, volume, kick, lock, keys, floor, recording, 200 members, and how they end.

How many voices are mixed is in tests/media/test_conference.py.
"""

import asyncio
from contextlib import asynccontextmanager

import pytest

from model import commands, errors, events, media
from model import commands_conference as conferences
from model import events_conference as told
from tests.harness.peer import RawPeer
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp

OPEN = '[[conference]]\nname = "open"\nnumber = "8000"\n'
CLOSED = """
[[conference]]
name = "board"
number = "8001"
pin = "1234"
moderator_pin = "98765"
moderators = ["1001"]
waits_for_moderator = true
ends_with_moderator = true
max_members = 3
[[access_number]]
number = "02155550000"
to = "8001"
[[access_number]]
number = "02155550001"
to = "8000"
"""


class House:
    def __init__(self, switch: SimSwitch) -> None:
        self.switch, self.app, self.phones, self.calls = switch, SimApp(switch), {}, {}

    async def dial(self, number, room="8000"):
        """A phone dials the room and is answered."""
        if number not in self.phones:
            self.phones[number] = await self.switch.phone(number)
        phone = self.phones[number]
        self.calls[number] = phone.call(room)
        await phone.wait("answered")

    async def outside(self, number="13800138000", access="02155550000"):
        self.phones[number] = phone = self.switch.carrier()
        self.calls[number] = phone.call(access, caller=number)
        await phone.wait("answered")

    @property
    def call(self):
        return next(call for call in self.switch.core.calls.calls.values() if call.phase == "conference")

    def leg(self, number):
        return [leg for leg in self.call.legs.values() if number in (leg.name, leg.caller)][-1]

    async def press(self, number, digits):
        for digit in digits:
            self.switch.worker.tell(media.Digit(self.call.call_id, self.leg(number).leg_id, digit, 100))
            await asyncio.sleep(0.1)

    def heard(self):
        """Who hears whom: "1>2" = 1002 hears 1001."""
        matrix = self.switch.worker.of(media.ConnectMatrix, self.call.call_id)[-1]
        name = {leg.leg_id: leg.name[-1] for leg in self.call.legs.values()}
        return " ".join(sorted(f"{name[edge.speaker]}>{name[edge.listener]}" for edge in matrix.edges))

    def playing(self, number):
        """What is played to it, newest last; "" = nothing any more."""
        leg, playing = self.leg(number).leg_id, ""
        for command in self.switch.worker.commands:
            if isinstance(command, media.Play) and command.leg == leg:
                playing = command.play_id
            elif isinstance(command, media.StopPlay) and command.leg == leg:
                playing = ""
        return playing

    async def member(self, number, conference="open"):
        view = await self.app.do(conferences.GetConference(conference=conference))
        return next(each for each in view.members if each.leg_id == self.leg(number).leg_id)

    async def until_joined(self, n):
        await self.switch.until(lambda: len(self.switch.of(told.ConferenceJoined)) == n)


@asynccontextmanager
async def house(config=EXTENSIONS + TRUNKS + OPEN + CLOSED):
    switch = SimSwitch(SimNet(), config)
    stage = House(switch)
    yield stage
    for phone in stage.phones.values():
        for call in list(phone.agent.calls):
            phone.agent.hang_up(call)
    await switch.until(lambda: not switch.core.calls.calls)
    await switch.close()


def test_whoever_dials_the_number_is_in_one_call_with_all_others():
    async def main():
        async with house() as stage:
            await stage.dial("1001")
            assert stage.playing("1001") == "hold", "alone: music"
            await stage.dial("1002")
            await stage.dial("1003")
            assert stage.heard() == "1>2 1>3 2>1 2>3 3>1 3>2"
            assert stage.playing("1001") == ""
            assert len(stage.switch.core.calls.calls) == 1
            assert len(stage.switch.of(events.CallCreated)) == 1
            assert [e.number for e in stage.switch.of(told.ConferenceJoined)] == ["1001", "1002", "1003"]
            # One recording, everybody on it, also who comes later.
            starts = stage.switch.worker.of(media.StartRecording)
            assert len({start.recording for start in starts}) == 1
            assert starts[-1].channels == [[stage.leg(n).leg_id for n in ("1001", "1002", "1003")]]
            for number in ("1001", "1002"):
                stage.phones[number].agent.hang_up(stage.calls[number].id)
            await stage.switch.until(lambda: len(stage.switch.of(told.ConferenceLeft)) == 2)
            assert stage.playing("1003") == "hold"
            stage.phones["1003"].agent.hang_up(stage.calls["1003"].id)
            record = await stage.switch.cdr()
            assert (record.dialed, len(record.legs)) == ("8000", 3)
            purposes = {(s.leg_id[-1], s.purpose) for s in record.segments}
            assert {("0", "conference"), ("1", "conference"), ("2", "conference"), ("0", "talk")} <= purposes
            assert len(stage.switch.recordings) == 1
            # The room is on again for the next one, as another call.
            await stage.dial("1001")
            assert len(stage.switch.of(told.ConferenceStarted)) == 2

    run_virtual(main())


def test_callers_from_outside_enter_the_pin_and_wait_for_the_moderator():
    async def main():
        async with house() as stage:
            await stage.outside()
            assert stage.playing("13800138000") == "pin"
            await stage.press("13800138000", "12")
            await asyncio.sleep(1.0)
            assert stage.playing("13800138000") == ""
            await stage.press("13800138000", "34#")
            await stage.until_joined(1)
            assert stage.playing("13800138000") == "hold"
            assert stage.switch.of(told.ConferenceJoined)[0].is_waiting
            assert (await stage.member("13800138000", "board")).state == "waiting"
            await stage.dial("1001", "8001")
            await stage.until_joined(2)
            assert stage.playing("13800138000") == ""
            # An extension that is moderator by the configuration enters without any PIN; its leaving ends it all.
            assert stage.switch.of(told.ConferenceJoined)[1].role == "moderator"
            stage.phones["1001"].agent.hang_up(stage.calls["1001"].id)
            await stage.phones["13800138000"].wait("ended")
            assert [e.reason for e in stage.switch.of(told.ConferenceLeft)] == ["hung_up", "ended"]

    run_virtual(main())


@pytest.mark.parametrize(("keys", "reason"), [(("0000", "1111", "2222"), "wrong_pin"), ((), "no_pin")])
def test_who_does_not_know_the_pin_stays_outside(keys, reason):
    async def main():
        async with house() as stage:
            await stage.dial("1002", "8001")
            for digits in keys:
                await stage.press("1002", digits + "#")
                await asyncio.sleep(0.5)
            ended = await stage.phones["1002"].wait("ended")
            assert ended
            assert [e.reason for e in stage.switch.of(told.ConferenceLeft)] == [reason]
            assert stage.switch.of(told.ConferenceJoined) == []
            [*_, last] = stage.switch.worker.of(media.Play)
            refused = len([play for play in stage.switch.worker.of(media.Play) if play.sources[0].startswith("tone:")])
            assert refused == max(len(keys) - 1, 0) and last.play_id == "pin"
            # Nothing of what was typed is told to anybody.
            assert stage.switch.of(events.CallDigit) == []

    run_virtual(main())


def test_the_moderators_pin_makes_a_moderator():
    async def main():
        async with house() as stage:
            await stage.dial("1002", "8001")
            await stage.press("1002", "98765")
            await stage.until_joined(1)
            assert stage.switch.of(told.ConferenceJoined)[0].role == "moderator"

    run_virtual(main())


def test_a_room_has_no_more_members_than_it_may():
    async def main():
        async with house() as stage:
            await stage.dial("1001", "8001")
            for number in ("1002", "1003"):
                await stage.dial(number, "8001")
            stage.phones["1004"] = await stage.switch.phone("1004")
            stage.phones["1004"].call("8001")
            failed = await stage.phones["1004"].wait("ended")
            assert failed.status == 486

    run_virtual(main())


def test_members_are_muted_deafened_made_louder_and_put_out_by_api():
    async def main():
        async with house() as stage:
            for number in ("1001", "1002", "1003"):
                await stage.dial(number)
            legs = {number: stage.leg(number).leg_id for number in stage.phones}

            async def change(number, **what):
                return await stage.app.do(conferences.ChangeMember(conference="open", leg_id=legs[number], **what))

            await change("1001", is_muted=True)
            assert stage.heard() == "2>1 2>3 3>1 3>2"
            assert stage.switch.worker.of(media.StartRecording)[-1].channels == [[legs["1002"], legs["1003"]]]
            await change("1002", is_deaf=True, volume=2.0)
            assert stage.heard() == "2>1 2>3 3>1"
            gains = {e.gain for e in stage.switch.worker.of(media.ConnectMatrix)[-1].edges if e.speaker == legs["1002"]}
            assert gains == {2.0}
            await change("1003", role="listener")
            assert stage.heard() == "2>1 2>3"
            n = len(stage.switch.of(told.ConferenceMemberChanged))
            await change("1003", role="listener")
            assert len(stage.switch.of(told.ConferenceMemberChanged)) == n == 3
            await change("1001", is_muted=False)
            await stage.app.do(conferences.Kick(conference="open", leg_id=legs["1003"]))
            await stage.phones["1003"].wait("ended")
            assert stage.heard() == "2>1"
            await stage.app.do(conferences.MuteAll(conference="open"))
            assert stage.heard() == ""
            await stage.app.do(conferences.MuteAll(conference="open", is_muted=False))
            assert stage.heard() == "2>1"
            with pytest.raises(errors.NoSuchLeg):
                await change("1003", is_muted=True)
            await stage.app.do(conferences.EndConference(conference="open"))
            await stage.phones["1001"].wait("ended")
            await stage.phones["1002"].wait("ended")
            with pytest.raises(errors.NoSuchConference):
                await stage.app.do(conferences.EndConference(conference="open"))

    run_virtual(main())


def test_keys_of_members_and_moderators():
    async def main():
        async with house() as stage:
            await stage.dial("1001", "8001")
            for number in ("1002", "1003"):
                await stage.dial(number, "8001")
                await stage.press(number, "1234")
            await stage.until_joined(3)
            await stage.press("1002", "*6")
            await asyncio.sleep(0.1)
            assert stage.heard() == "1>2 1>3 3>1 3>2"
            await stage.press("1002", "*5")  # not his to do
            await asyncio.sleep(0.1)
            assert stage.heard() == "1>2 1>3 3>1 3>2"
            await stage.press("1001", "*5")
            await asyncio.sleep(0.1)
            assert stage.heard() == "1>2 1>3"
            await stage.press("1001", "*7")
            await stage.switch.until(lambda: stage.switch.of(told.ConferenceLocked))
            stage.phones["1003"].agent.hang_up(stage.calls["1003"].id)
            await stage.phones["1003"].wait("ended")
            stage.phones["1003"].call("8001")
            assert (await stage.phones["1003"].wait("ended")).status == 603
            await stage.press("1001", "*8")
            for number in ("1001", "1002"):
                await stage.phones[number].wait("ended")
            # The switch alone got them.
            assert stage.switch.of(events.CallDigit) == []
            assert not any(command.passes_digits for command in stage.switch.worker.of(media.ConfigureLeg))

    run_virtual(main())


def test_who_is_invited_is_in_without_a_pin_and_the_room_opens_for_him():
    async def main():
        async with house() as stage:
            stage.phones["1002"] = await stage.switch.phone("1002", answer_after_s=0.5)
            stage.phones["13900139000"] = stage.switch.carrier(answer_after_s=0.5)
            view = await stage.app.do(conferences.Invite(conference="open", to="1002", role="moderator"))
            assert view.is_live
            incoming = await stage.phones["1002"].wait("incoming")
            assert incoming.number == "8000"
            await stage.app.do(conferences.Invite(conference="open", to="913900139000"))
            await stage.until_joined(2)
            await stage.phones["13900139000"].wait("answered")
            view = await stage.app.do(conferences.GetConference(conference="open"))
            assert sorted((m.kind, m.role) for m in view.members) == [("extension", "moderator"), ("trunk", "member")]
            for to in ("4711", "8001"):
                with pytest.raises(errors.NoRoute):
                    await stage.app.do(conferences.Invite(conference="open", to=to))
            with pytest.raises(errors.NoSuchConference):
                await stage.app.do(conferences.Invite(conference="nowhere", to="1002"))

    run_virtual(main())


def test_who_is_invited_by_a_dead_trunk_is_reached_by_the_next():
    async def main():
        async with house() as stage:
            hole = RawPeer(stage.switch.net, "10.0.1.1")
            stage.phones["13900139000"] = stage.switch.carrier("10.0.1.2", answer_after_s=0.5)
            await stage.app.do(conferences.Invite(conference="open", to="913900139000"))
            await stage.until_joined(1)
            await stage.phones["13900139000"].wait("answered")
            assert hole.count("^INVITE") >= 1
            await hole.close()

    run_virtual(main())


@pytest.mark.parametrize("to", ["1003", "1002"], ids=["not registered", "does not answer"])
def test_a_room_that_was_opened_for_somebody_who_does_not_come_is_closed_again(to):
    async def main():
        async with house() as stage:
            stage.phones["1002"] = await stage.switch.phone("1002")
            await stage.app.do(conferences.Invite(conference="open", to=to, timeout_s=5.0))
            record = await stage.switch.cdr()
            assert record.hangup_cause in ("USER_NOT_REGISTERED", "NO_ANSWER")
            view = await stage.app.do(conferences.ListConferences())
            assert [room.is_live for room in view.conferences] == [False, False]

    run_virtual(main())


@pytest.mark.parametrize("to", ["8000", "02155550001"], ids=["number", "access number"])
def test_a_room_is_no_target_of_forwardings(to):
    config = EXTENSIONS.replace('number = "1002"', f'number = "1002"\nalways_to = "{to}"') + TRUNKS + OPEN + CLOSED

    async def main():
        async with house(config) as stage:
            await stage.dial("1001")
            stage.phones["1003"] = await stage.switch.phone("1003")
            stage.phones["1003"].call("1002")
            assert (await stage.phones["1003"].wait("ended")).status == 404
            assert len(stage.switch.of(told.ConferenceStarted)) == 1

    run_virtual(main())


def test_who_has_the_floor_is_told():
    async def main():
        async with house() as stage:
            for number in ("1001", "1002"):
                await stage.dial(number)
            one, two = stage.leg("1001").leg_id, stage.leg("1002").leg_id
            assert all("speech" in command.detect for command in stage.switch.worker.of(media.ConfigureLeg))
            session = stage.call.call_id
            for leg, is_speaking in ((one, True), (two, True), (one, False), (two, False), (one, True)):
                stage.switch.worker.tell(media.SpeechChanged(session, leg, is_speaking))
                await asyncio.sleep(0.1)
            assert [e.leg_id for e in stage.switch.of(told.ConferenceFloorChanged)] == [one, two, "", one]
            view = await stage.app.do(conferences.GetConference(conference="open"))
            assert view.floor == one and [m.is_speaking for m in view.members] == [True, False]

    run_virtual(main())


def test_two_hundred_members():
    """They are told to the media worker as one room; who is muted is no speaker of it."""
    numbers = [str(number) for number in range(2000, 2200)]
    people = "".join(f'[[extension]]\nnumber = "{number}"\npassword = "a-password-of-1001"\n' for number in numbers)

    async def main():
        async with house(people + OPEN) as stage:
            stage.switch.worker.ports.reset(list(range(20000, 20800, 2)))
            for i, number in enumerate(numbers):
                host = f"10.1.{i // 100}.{i % 100 + 1}"
                stage.phones[number] = await stage.switch.phone(number, host=host)
                await stage.dial(number)
            matrix = stage.switch.worker.of(media.ConnectMatrix)[-1]
            everybody = [stage.leg(number).leg_id for number in numbers]
            assert matrix.edges == [] and matrix.rooms == [media.Room(everybody, everybody)]
            quiet = everybody[7]
            await stage.app.do(conferences.ChangeMember(conference="open", leg_id=quiet, is_muted=True))
            await stage.app.do(conferences.ChangeMember(conference="open", leg_id=everybody[8], volume=0.5))
            [room] = stage.switch.worker.of(media.ConnectMatrix)[-1].rooms
            assert quiet not in room.speakers and quiet in room.listeners and room.gains == {everybody[8]: 0.5}
            view = await stage.app.do(conferences.GetConference(conference="open"))
            assert view.n_members == 200
            await stage.app.do(conferences.EndConference(conference="open"))
            await stage.switch.cdr()

    run_virtual(main())


def test_a_supervisor_is_on_a_conference_as_on_any_call():
    from model import commands_monitor as monitors
    from model import events_monitor

    config = (
        EXTENSIONS.replace('number = "1001"', 'number = "1001"\nsupervision_group = "g"').replace(
            'number = "1005"', 'number = "1005"\nsupervises = ["g"]'
        )
        + OPEN
    )

    async def main():
        async with house(config) as stage:
            for number in ("1001", "1002", "1003"):
                await stage.dial(number)
            stage.phones["1005"] = await stage.switch.phone("1005", answer_after_s=0.2)
            view = await stage.app.do(monitors.StartMonitor(supervisor="1005", extension="1001", mode="whisper"))
            await stage.switch.until(lambda: stage.switch.of(events_monitor.MonitorStarted))
            assert stage.heard() == "1>2 1>3 1>5 2>1 2>3 2>5 3>1 3>2 3>5 5>1"
            assert (await stage.app.do(conferences.GetConference(conference="open"))).n_members == 3
            await stage.app.do(monitors.StopMonitor(monitor_id=view.monitor_id))
            assert stage.heard() == "1>2 1>3 2>1 2>3 3>1 3>2"

    run_virtual(main())


def test_a_conference_is_recorded_and_ended_by_the_commands_of_calls():
    async def main():
        async with house() as stage:
            for number in ("1001", "1002"):
                await stage.dial(number)
            call_id = stage.call.call_id
            assert (await stage.app.do(commands.StopRecording(call_id=call_id))).state == "finished"
            again = await stage.app.do(commands.StartRecording(call_id=call_id, channels="mono"))
            assert again.path.endswith("_2.wav")
            await stage.app.do(commands.Hangup(call_id=call_id))
            await stage.phones["1001"].wait("ended")

    run_virtual(main())
