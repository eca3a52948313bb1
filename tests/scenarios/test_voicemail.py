"""Whole switch, virtual time: callers leave messages, from queues, numbers, flows and phones that do not answer; who
may hear them by phone and by API, message lamps, and what is kept whatever happens.

That it is the caller's voice that is kept is in tests/live/test_voicemail.py.
"""

import asyncio

import msgspec
import pytest

from control.auth import Caller
from model import commands_voicemail as voicemail
from model import errors, events, media
from model.commands import Hangup
from model.commands_services import SetServices
from model.events_flow import FlowEnded, FlowLeft
from model.events_queue import QueueLeft
from model.records import CallRecord, MessageRecord, RecordingRecord
from model.watching import GetMailbox, MailboxChanged
from storage.memory import MemoryStorage
from switch.pins import hash_pin
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document
from tests.scenarios.test_ivr import Hotline
from tests.scenarios.test_queues import Centre

PIN = "2580"
BOXES = f"""
[[voicemail]]
name = "office"
number = "7001"
queue = "sales"
extensions = ["1001"]
dial_prefix = "9"
silence_s = 5
[[voicemail]]
name = "quiet"
has_review = false
silence_s = 0
max_s = 30
max_messages = 2
keep_days = 0.01
[[voicemail]]
name = "locked"
number = "7002"
pin_hash = "{hash_pin(PIN)}"
[[access_number]]
number = "4020"
to = "voicemail:office"
[[access_number]]
number = "4021"
to = "voicemail:quiet"
[[queue]]
name = "brief"
[queue.limits]
max_wait_s = 5
timeout_to = "voicemail"
[[access_number]]
number = "4022"
to = "queue:brief"
[[queue]]
name = "nobody"
[queue.limits]
has_no_agent_limit = true
no_agent_wait_s = 3
no_agent_to = "voicemail:office"
[[access_number]]
number = "4023"
to = "queue:nobody"
[[queue]]
name = "narrow"
sound = {{ voicemail_key = "5", voicemail_to = "voicemail:office" }}
[queue.limits]
max_waiting = 1
full_to = "voicemail:quiet"
[[access_number]]
number = "4024"
to = "queue:narrow"
[[agent]]
agent_id = "n1"
extension = "1003"
queues = [{{ queue = "narrow" }}]
"""


class Boxes(Centre):
    """The centre with boxes, and callers who know what to do with them."""

    def __init__(self, more: str = BOXES) -> None:
        super().__init__(more, answer_after_s=1.0)
        self.switch.worker.recorded_s = 7.0

    @property
    def live(self):
        return next(iter(self.switch.core.calls.calls.values()))

    async def call(self, number: str, caller: str = "13800001111"):
        mine = self.caller(number, caller)
        await self.carrier.wait("answered", call=mine.id)
        await asyncio.sleep(0.2)
        return mine

    async def keys(self, keys: str, call=None) -> None:
        for key in keys:
            call = call or self.live
            self.switch.worker.tell(media.Digit(call.call_id, call.a, key, 100))
            await asyncio.sleep(0.3)

    async def listen(self, reason: str = "finished") -> None:
        """To the end of what is played now."""
        play = self.switch.worker.of(media.Play)[-1]
        self.switch.worker.tell(media.PlayFinished(play.session, play.leg, play.play_id, reason))
        await asyncio.sleep(0.2)

    async def speak(self, is_speaking: bool = True) -> None:
        self.switch.worker.tell(media.SpeechChanged(self.live.call_id, self.live.a, is_speaking))
        await asyncio.sleep(0.2)

    async def to_tone(self) -> None:
        """Greeting and tone are over: what he says now is the message."""
        await self.listen()
        await self.listen()

    async def leave(self, number: str = "4020", caller: str = "13800001111") -> None:
        """A whole message."""
        mine = await self.call(number, caller)
        await self.to_tone()
        await self.speak()
        await self.hang_up(mine)

    async def hang_up(self, mine) -> None:
        self.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(1.0)

    def played(self) -> list[str]:
        return list(self.switch.worker.of(media.Play)[-1].sources)

    async def messages(self, box: str = "") -> list[MessageRecord]:
        return (await self.app.do(voicemail.ListMessages(box=box))).messages


def boxes_test(scenario):
    """A scenario in virtual time with boxes."""

    def test():
        async def main():
            centre = Boxes()
            await scenario(centre)
            await centre.close()

        run_virtual(main())

    test.__doc__ = scenario.__doc__
    return test


@boxes_test
async def test_vm_04_a_caller_leaves_a_message_after_the_tone(centre):
    mine = await centre.call("4020")
    assert centre.played()[-1] == "voice:zh/leave_message"
    await centre.listen()
    assert centre.played() == ["tone:beep/cn"]
    assert not centre.switch.worker.of(media.StartRecording)
    await centre.listen()
    (begun,) = centre.switch.worker.of(media.StartRecording)
    assert begun.channels == [[centre.live.a]]
    assert "/voicemail/2026/01/" in begun.path
    # From the first second on it is in the database.
    (noted,) = centre.switch.storage.messages.rows.values()
    assert (noted.state, noted.box, noted.queue, noted.caller) == ("recording", "office", "sales", "13800001111")
    await centre.speak()
    await centre.keys("#")
    assert len(centre.switch.worker.of(media.StopRecording)) == 1
    assert centre.played() == ["voice:zh/review_message"]
    await centre.keys("1")
    assert centre.played()[-2:] == ["voice:zh/message_left", "voice:zh/goodbye"]
    await centre.listen()
    await centre.carrier.wait("ended", call=mine.id)
    (message,) = await centre.messages("office")
    assert (message.state, message.duration_s, message.path) == ("new", 7.0, begun.path)
    (told,) = centre.of(voicemail.MessageLeft)
    assert (told.message_id, told.queue, told.duration_s) == (message.message_id, "sales", 7.0)
    await asyncio.sleep(3.0)
    record = next(each for each in centre.switch.records if isinstance(each, CallRecord))
    assert [each.purpose for each in record.segments] == ["voicemail"]


@pytest.mark.parametrize("stage", ["greeting", "tone", "recording", "closing", "review", "listening", "bye"])
def test_whoever_hangs_up_anywhere_has_left_what_he_said(stage):
    async def main():
        centre = Boxes()
        mine = await centre.call("4020")
        steps = {
            "tone": centre.listen,
            "recording": centre.listen,
            "closing": lambda: centre.keys("#"),
            "review": lambda: asyncio.sleep(0.5),
            "listening": lambda: centre.keys("2"),
            "bye": lambda: centre.keys("1"),
        }
        for name, step in steps.items():
            if stage == "greeting":
                break
            await step()
            if name == stage:
                break
        await centre.hang_up(mine)
        await asyncio.sleep(5.0)
        assert not centre.switch.core.calls.calls
        assert len(await centre.messages()) == (stage not in ("greeting", "tone"))
        assert {each.state for each in centre.switch.storage.messages.rows.values()} <= {"new"}
        await centre.close()

    run_virtual(main())


@boxes_test
async def test_silence_ends_the_message_and_who_says_nothing_has_left_none(centre):
    first = await centre.call("4020")
    await centre.to_tone()
    await centre.speak()
    await asyncio.sleep(20.0)
    assert not centre.switch.worker.of(media.StopRecording)
    await centre.speak(is_speaking=False)
    await asyncio.sleep(6.0)
    assert centre.played() == ["voice:zh/review_message"]
    # Nobody presses a key: it is kept.
    await centre.listen()
    await asyncio.sleep(9.0)
    assert "voice:zh/message_left" in centre.played()
    await centre.listen()
    await centre.carrier.wait("ended", call=first.id)
    assert len(await centre.messages()) == 1
    second = await centre.call("4020")
    await centre.to_tone()
    await asyncio.sleep(10.0)
    assert "voice:zh/no_message" in centre.played()
    await centre.listen()
    await centre.carrier.wait("ended", call=second.id)
    await asyncio.sleep(1.0)
    assert len(await centre.messages()) == 1
    thrown = [each for each in centre.switch.storage.messages.rows.values() if each.state == "discarded"]
    assert centre.switch.removed == [thrown[0].path]
    assert thrown[0].message_id not in centre.switch.storage.recordings.rows


@boxes_test
async def test_a_caller_listens_to_his_message_and_records_it_again(centre):
    mine = await centre.call("4020")
    await centre.to_tone()
    await centre.keys("#")
    await centre.keys("2")
    path = centre.switch.worker.of(media.StartRecording)[0].path
    assert centre.played() == [f"file:{path}"]
    await centre.listen()
    assert centre.played() == ["voice:zh/review_message"]
    await centre.keys("3")
    assert centre.played() == ["tone:beep/cn"]
    await centre.listen()
    await centre.keys("#1")
    await centre.hang_up(mine)
    (message,) = await centre.messages()
    assert message.path == centre.switch.worker.of(media.StartRecording)[1].path != path
    assert centre.switch.removed == [path]


@boxes_test
async def test_too_short_and_too_long(centre):
    centre.switch.worker.recorded_s = 0.4
    await centre.leave()
    assert await centre.messages() == []
    centre.switch.worker.recorded_s = 30.0
    mine = await centre.call("4021")
    await centre.to_tone()
    await asyncio.sleep(31.0)
    # This box does not ask what to do with it.
    assert "voice:zh/message_left" in centre.played()
    await centre.hang_up(mine)
    assert [each.duration_s for each in await centre.messages("quiet")] == [30.0]


@boxes_test
async def test_a_full_box_takes_no_more(centre):
    await centre.leave("4021")
    await centre.leave("4021")
    mine = await centre.call("4021")
    assert "voice:zh/box_full" in centre.played()
    await centre.listen()
    await centre.carrier.wait("ended", call=mine.id)
    assert len(await centre.messages("quiet")) == 2


@pytest.mark.parametrize(("number", "box", "reason"), [("4022", "brief", "timeout"), ("4023", "office", "no_agent")])
def test_vm_01_a_queue_sends_to_voicemail_who_waited_too_long_or_finds_nobody(number, box, reason):
    async def main():
        centre = Boxes()
        mine = centre.caller(number)
        await asyncio.sleep(7.0)
        assert centre.of(QueueLeft)[0].reason.startswith(reason)
        assert centre.played()[-1] == "voice:zh/leave_message"
        await centre.to_tone()
        await centre.hang_up(mine)
        assert [each.box for each in await centre.messages()] == [box]
        await centre.close()

    run_virtual(main())


@boxes_test
async def test_vm_01_and_who_finds_it_full(centre):
    await centre.call("4024")
    second = await centre.call("4024", "13800002222")
    await centre.to_tone()
    await centre.hang_up(second)
    assert [(each.box, each.caller) for each in await centre.messages()] == [("quiet", "13800002222")]
    assert [each.reason for each in centre.of(QueueLeft)] == ["overflow_full"]
    await centre.hang_up(centre.carrier.the_call)


@boxes_test
async def test_vm_02_a_key_leads_from_the_queue_to_voicemail(centre):
    mine = await centre.call("4024")
    await centre.keys("5")
    assert centre.of(QueueLeft)[0].reason == "exit_key"
    assert centre.played()[-1] == "voice:zh/leave_message"
    await centre.to_tone()
    await centre.hang_up(mine)
    assert len(await centre.messages("office")) == 1


@boxes_test
async def test_vm_02_and_an_agent_who_was_rung_meanwhile_is_rung_no_longer(centre):
    phone = await centre.agent("n1", "1003", answer_after_s=30.0)
    mine = await centre.call("4024")
    await phone.wait("incoming")
    await centre.keys("5")
    await phone.wait("ended")
    assert centre.played()[-1] == "voice:zh/leave_message"
    assert await centre.state("n1") == "available"
    await centre.to_tone()
    await centre.hang_up(mine)
    assert len(await centre.messages("office")) == 1


FLOW = document(
    {"id": "menu", "type": "menu", "choices": {"1": "suggest"}},
    {"id": "suggest", "type": "voicemail", "box": "ideas", "has_greeting": False, "next": "thanks", "nothing": "menu"},
    {"id": "thanks", "type": "play", "say": [{"kind": "sound", "source": "voice:zh/goodbye"}]},
)
IDEAS = '\n[[voicemail]]\nname = "ideas"\nsilence_s = 5\n'


class Ideas(Boxes, Hotline):
    def __init__(self, folder) -> None:
        Hotline.__init__(self, folder, FLOW, IDEAS)
        self.switch.worker.recorded_s = 7.0


def test_vm_02_a_node_of_a_flow_takes_a_message_and_the_flow_goes_on(tmp_path):
    async def main():
        centre = Ideas(tmp_path)
        mine = await centre.call("4010")
        await centre.keys("1")
        # Without the box's greeting.
        assert centre.played() == ["tone:beep/cn"]
        await centre.listen()
        await asyncio.sleep(9.5)
        assert "voice:zh/no_message" in centre.played()
        await centre.listen()
        assert [(each.at_node, each.branch) for each in centre.of(FlowLeft)][-1] == ("suggest", "nothing")
        await centre.keys("1")
        await centre.listen()
        await centre.speak()
        await centre.keys("#1")
        await centre.listen()
        assert [(each.at_node, each.branch) for each in centre.of(FlowLeft)][-1] == ("suggest", "next")
        assert centre.played() == ["voice:zh/goodbye"]
        await centre.listen()
        assert [each.result for each in centre.of(FlowEnded)] == ["ended"]
        assert [each.box for each in await centre.messages()] == ["ideas"]
        await asyncio.sleep(3.0)
        record = next(each for each in centre.switch.records if isinstance(each, CallRecord))
        assert [each.purpose for each in record.segments] == ["ivr", "voicemail", "ivr", "voicemail", "ivr"]
        assert mine is not None
        await centre.close()

    run_virtual(main())


def test_whoever_hangs_up_while_he_leaves_a_message_in_a_flow_has_left_it(tmp_path):
    async def main():
        centre = Ideas(tmp_path)
        mine = await centre.call("4010")
        await centre.keys("1")
        await centre.listen()
        await centre.hang_up(mine)
        assert [each.result for each in centre.of(FlowEnded)] == ["hung_up"]
        assert len(await centre.messages("ideas")) == 1
        await centre.close()

    run_virtual(main())


@boxes_test
async def test_a_phone_that_does_not_answer_sends_its_calls_to_a_box(centre):
    await centre.switch.phone("1003", answer_after_s=600.0)
    caller = await centre.switch.phone("1002")
    await centre.app.do(SetServices(extension="1003", no_answer_to="7001"))
    caller.call("1003")
    await caller.wait("answered", within_s=200.0)
    await asyncio.sleep(0.2)
    assert centre.played()[-1] == "voice:zh/leave_message"
    await centre.to_tone()
    caller.agent.hang_up(caller.the_call.id)
    await asyncio.sleep(2.0)
    assert [(each.box, each.caller) for each in await centre.messages()] == [("office", "1002")]


# -- hearing ----------------------------------------------------------------------------------------------------------


@boxes_test
async def test_vm_03_a_phone_hears_its_messages_saves_deletes_and_calls_back(centre):
    for caller in ("13800001111", "13800002222", "13800003333"):
        await centre.leave(caller=caller)
    assert (await centre.app.do(GetMailbox(extension="1001"))).new == 3
    phone = await centre.switch.phone("1001")
    first, second, third = sorted(await centre.messages(), key=lambda each: each.left_utc)
    phone.call("*97")
    await phone.wait("answered")
    await asyncio.sleep(0.5)
    said = centre.played()
    assert said[:4] == ["silence:300", "voice:zh/you_have", "voice:zh/3", "voice:zh/new_messages"]
    assert said[-1] == f"file:{first.path}"
    # 138 0000 1111 left it; spoken as numbers are.
    assert said[said.index("voice:zh/message_from") + 1] == "voice:zh/yao"
    await centre.listen()
    assert "voice:zh/message_keys" in centre.played()
    assert (await centre.app.do(GetMailbox(extension="1001"))).new == 2
    await centre.keys("1")
    assert centre.played()[-1] == f"file:{first.path}"
    await centre.keys("6")
    assert centre.played()[-1] == f"file:{second.path}"
    await centre.keys("3")
    assert "voice:zh/message_deleted" in centre.played()
    assert centre.played()[-1] == f"file:{third.path}"
    assert centre.switch.removed == [second.path]
    await centre.keys("5")
    await centre.carrier.wait("incoming")
    assert [leg.dialed for leg in centre.live.legs.values()][-1] == "13800003333"
    await asyncio.sleep(5.0)
    assert centre.live.phase == "bridged"
    phone.agent.hang_up(phone.the_call.id)
    await asyncio.sleep(3.0)
    states = {each.message_id: each for each in centre.switch.storage.messages.rows.values()}
    assert states[first.message_id].state == "heard"
    assert states[first.message_id].heard_by == "1001"
    assert states[second.message_id].state == "deleted"
    assert states[third.message_id].called_back_by == "1001"
    view = await centre.app.do(GetMailbox(extension="1001"))
    assert (view.new, view.old) == (1, 1)
    assert [(each.new, each.old) for each in centre.of(MailboxChanged)] == [(1, 0), (2, 0), (3, 0), (2, 1), (1, 1)]


@boxes_test
async def test_another_phone_needs_number_and_pin(centre):
    phone = await centre.switch.phone("1002")
    phone.call("*97")
    await phone.wait("answered")
    await asyncio.sleep(0.5)
    assert centre.played()[-1] == "voice:zh/enter_box"
    await centre.keys("7002#")
    assert centre.played()[-1] == "voice:zh/enter_pin"
    await centre.keys("1111#")
    assert "voice:zh/wrong_pin" in centre.played()
    assert [each.kind for each in centre.switch.security] == ["wrong_pin"]
    await centre.keys(f"7002#{PIN}#")
    assert "voice:zh/no_messages" in centre.played()
    assert PIN not in repr(centre.switch.records)
    assert not centre.of(events.CallDigit)
    await centre.listen()
    await phone.wait("ended")


@boxes_test
async def test_a_box_without_pin_is_shut_for_other_phones(centre):
    phone = await centre.switch.phone("1002")
    phone.call("*977001")
    await phone.wait("answered")
    await asyncio.sleep(0.5)
    for _ in range(3):
        await centre.keys("1234#" if "voice:zh/enter_pin" in centre.played() else "7001#1234#")
    assert "voice:zh/wrong_pin" in centre.played()
    assert "voice:zh/enter_box" not in centre.played()
    await centre.listen()
    await phone.wait("ended")


# -- by API -----------------------------------------------------------------------------------------------------------


@boxes_test
async def test_vm_03_messages_by_api(centre):
    await centre.leave()
    (message,) = await centre.messages()
    marked = await centre.app.do(
        voicemail.MarkMessage(message_id=message.message_id, state="heard", remark="wants an offer", is_urgent=True)
    )
    assert (marked.state, marked.heard_by, marked.remark, marked.is_urgent) == ("heard", "root", "wants an offer", True)
    assert await centre.app.do(voicemail.GetMessage(message_id=message.message_id)) == marked
    await centre.switch.phone("1001", answer_after_s=1.0)
    await centre.app.do(voicemail.CallBackMessage(message_id=message.message_id, extension="1001"))
    await centre.carrier.wait("incoming")
    assert centre.live.variables["message_id"] == message.message_id
    assert [leg.dialed for leg in centre.live.legs.values()][-1] == "13800001111"
    await asyncio.sleep(3.0)
    await centre.app.do(Hangup(call_id=centre.live.call_id))
    (report,) = (await centre.app.do(voicemail.ReportVoicemail())).boxes
    assert (report.box, report.n_left, report.n_new, report.n_called_back, report.total_s) == ("office", 1, 0, 1, 7.0)
    gone = await centre.app.do(voicemail.DeleteMessage(message_id=message.message_id))
    assert gone.state == "deleted"
    assert centre.switch.removed == [message.path]
    with pytest.raises(errors.NoSuchMessage):
        await centre.app.do(voicemail.MarkMessage(message_id=message.message_id, state="new"))
    assert [each.state for each in (await centre.app.do(voicemail.ListMessages(state="deleted"))).messages] == [
        "deleted"
    ]
    assert [each.state for each in centre.app.published if isinstance(each, voicemail.MessageChanged)] == []
    assert [each.state for each in centre.of(voicemail.MessageChanged)] == ["heard", "heard", "heard", "deleted"]


def test_rbac_06_messages_are_for_who_may_hear_the_queue(tmp_path):
    async def main():
        role = '[[role]]\nname = "lead"\npermissions = ["voicemail.play", "queue.view"]\nqueues = ["{queue}"]\n'
        for queue, n in (("sales", 1), ("all", 0)):
            centre = Boxes(BOXES + role.format(queue=queue))
            await centre.leave()
            await centre.leave("4021")
            lead = Caller("lea", "lead")
            seen = (await centre.app.do(voicemail.ListMessages(), lead)).messages
            assert [each.box for each in seen] == ["office"] * n
            (message,) = await centre.messages("office")
            commands = (voicemail.GetMessage, voicemail.DeleteMessage, voicemail.MarkMessage, voicemail.GetAudio)
            for kind in commands[: len(commands) if not n else 1]:
                if n:
                    await centre.app.do(kind(message_id=message.message_id), lead)
                else:
                    with pytest.raises(errors.PermissionDenied):
                        await centre.app.do(kind(message_id=message.message_id), lead)
            assert centre.switch.removed == []
            await centre.close()

    run_virtual(main())


@boxes_test
async def test_boxes_by_api(centre):
    wanted = {"box": "night", "settings": {"number": "7009", "extensions": ["1002"], "max_s": 60}}
    view = await centre.app.do(msgspec.convert(wanted, voicemail.CreateBox))
    assert (view.source, view.n_new, view.settings.max_s) == ("database", 0, 60)
    with pytest.raises(errors.AlreadyExists):
        await centre.app.do(voicemail.CreateBox(box="night"))
    for settings, field in (
        ({"number": "1001"}, "number"),
        ({"number": "7001"}, "number"),
        ({"queue": "none"}, "queue"),
        ({"extensions": ["9999"]}, "extensions"),
        ({"greeting": "nonsense"}, "greeting"),
        ({"greeting": "prompt:none"}, "greeting"),
    ):
        command = msgspec.convert({"box": "night", "settings": settings}, voicemail.UpdateBox)
        with pytest.raises(errors.InvalidValue) as failure:
            await centre.app.do(command)
        assert failure.value.data["field"] == field
    caller = await centre.switch.phone("1003")
    caller.call("7009")
    await caller.wait("answered")
    await asyncio.sleep(0.2)
    await centre.to_tone()
    caller.agent.hang_up(caller.the_call.id)
    await asyncio.sleep(2.0)
    assert (await centre.app.do(GetMailbox(extension="1002"))).new == 1
    with pytest.raises(errors.WrongState):
        await centre.app.do(voicemail.DeleteBox(box="night"))
    (message,) = await centre.messages("night")
    await centre.app.do(voicemail.DeleteMessage(message_id=message.message_id))
    await centre.app.do(voicemail.DeleteBox(box="night"))
    assert {each.box for each in (await centre.app.do(voicemail.ListBoxes())).boxes} == {"office", "quiet", "locked"}
    with pytest.raises(errors.InvalidValue, match="configuration file"):
        await centre.app.do(voicemail.DeleteBox(box="office"))
    with pytest.raises(errors.NoSuchBox):
        await centre.app.do(voicemail.UpdateBox(box="night"))


# -- whatever happens -------------------------------------------------------------------------------------------------


def test_messages_are_there_after_a_restart_and_those_that_were_being_spoken_too():
    async def main():
        centre = Boxes()
        await centre.leave()
        await centre.call("4020", "13800002222")
        await centre.to_tone()
        storage: MemoryStorage = centre.switch.storage
        # The process dies here; its files are repaired by who comes after it.
        again = SimSwitch(SimNet(), centre.switch.text, storage=storage)
        await again.voicemail.load()
        assert [each.caller for each in again.voicemail.of_box("office")] == ["13800001111"]
        (open_one,) = await storage.recordings.unfinished()
        again.voicemail.recording_over(
            RecordingRecord(
                recording_id=open_one.recording_id,
                call_id=open_one.call_id,
                path=open_one.path,
                started_utc=open_one.started_utc,
                state="recovered",
                duration_s=4.0,
            )
        )
        assert [each.duration_s for each in again.voicemail.of_box("office")] == [7.0, 4.0]
        await asyncio.sleep(1.0)
        (state,) = await storage.extension_states.all()
        assert (state.number, state.new) == ("1001", 2)
        await again.close()
        await centre.hang_up(centre.carrier.the_call)
        await centre.close()

    run_virtual(main())


@boxes_test
async def test_a_message_whose_file_cannot_be_written_is_told_as_lost(centre):
    mine = await centre.call("4020")
    await centre.to_tone()
    await centre.speak()
    recording = centre.switch.worker.of(media.StartRecording)[0]
    del centre.switch.worker.recordings[recording.recording]
    centre.switch.worker.tell(
        media.RecordingFinished(recording.session, recording.recording, recording.path, error="No space left")
    )
    await asyncio.sleep(0.5)
    assert "voice:zh/no_message" in centre.played()
    await centre.hang_up(mine)
    (message,) = centre.switch.storage.messages.rows.values()
    assert (message.state, message.error) == ("failed", "No space left")
    assert not centre.of(voicemail.MessageLeft)


@boxes_test
async def test_old_messages_are_removed(centre):
    await centre.leave("4021")
    await centre.leave()
    await asyncio.sleep(800.0)
    await centre.switch.voicemail.forget_old()
    assert len(await centre.messages()) == 2
    await asyncio.sleep(100.0)
    await centre.switch.voicemail.forget_old()
    assert [each.box for each in await centre.messages()] == ["office"]
    assert len(centre.switch.removed) == 1


@boxes_test
async def test_what_is_deleted_while_the_database_is_away_goes_when_it_is_back(centre):
    await centre.leave()
    (message,) = await centre.messages()
    centre.switch.storage.fail("disk full")
    with pytest.raises(errors.StorageUnavailable):
        await centre.app.do(voicemail.DeleteMessage(message_id=message.message_id))
    assert centre.switch.removed == []
    centre.switch.storage.recover()
    await asyncio.sleep(1.0)
    assert centre.switch.removed == [message.path]
    assert await centre.messages() == []
