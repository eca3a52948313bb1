"""What is in the voicemail boxes: every message from its first second on, its sound, the lamps of phones, what is old.

A message is in the database before it is spoken; whatever dies in between, it is found again by its recording.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Literal, Protocol

import msgspec

from model.commands_voicemail import MessageChanged, MessageLeft
from model.errors import NoSuchMessage, StorageUnavailable
from model.records import MessageRecord, RecordingRecord
from storage.errors import NotFoundError, UnavailableError
from storage.interface import AnyStorage
from switch.actions import AskMessages, ChangeMessage, NoteMessage, SettleMessage
from switch.agent_phone import check_pin_in_thread
from switch.core import Core
from switch.leg_events import MessagesCame
from switch.mailboxes import Mailboxes
from switch.pins import PinGuard
from switch.security_events import SecurityEvent
from switch.voicemail import boxes_of

log = logging.getLogger(__name__)

SWEEP_S = 3600.0
FLUSH_S = 5.0
_DAY_S = 86_400.0

Change = Literal["new", "heard", "deleted", "called_back"]


class Mail(Protocol):
    """Tells people of messages."""

    @property
    def is_on(self) -> bool: ...
    def send(self, message: MessageRecord) -> None:
        """Never waits; `VoicemailDesk.mailed` is told how it went."""


class VoicemailDesk:
    """One per switch. `own` sees the work through that phones ask for; `verify` tells whether a PIN fits its hash,
    `remove` deletes a file."""

    def __init__(
        self,
        core: Core,
        storage: AnyStorage,
        publish: Callable[[Any], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
        verify: Callable[[str, str], Awaitable[bool]] = check_pin_in_thread,
        remove: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._core = core
        self._directory = core.directory
        self._storage = storage
        self._publish = publish
        self._own = own
        self._verify = verify
        self._remove = remove or _remove_in_thread
        self._guard = PinGuard()
        self._lamps = Mailboxes(core, storage, publish)
        self.mail: Mail | None = None
        self._messages: dict[str, MessageRecord] = {}
        """Those in boxes, and those that are being spoken."""
        self._kept: dict[str, bool] = {}
        """Of those that are being spoken: whether the caller wants to leave them, once he has decided."""
        self._closed: dict[str, RecordingRecord] = {}
        """Of those: the file, once it is whole."""
        self._counts: dict[str, int] = {}
        runtime = core.runtime
        core.env.n_messages = lambda box: self._counts.get(box, 0)
        runtime.also_perform(NoteMessage, lambda action, now: self._begun(action.message))
        runtime.also_perform(SettleMessage, self._settled)
        runtime.also_perform(AskMessages, lambda action, now: own(self._open(action)))
        runtime.also_perform(ChangeMessage, lambda action, now: own(self._change_by_phone(action)))
        runtime.recording_closed.append(lambda record, now: self.recording_over(record))

    async def load(self) -> None:
        """What is in the boxes; those that were being spoken when the switch stopped are kept when their file is
        repaired. UnavailableError when they cannot be read."""
        for message in await self._storage.messages.in_boxes():
            self._put(message)
            if message.state != "recording":
                if message.email == "due" and self.mail is not None:
                    self.mail.send(message)
                continue
            self._kept[message.message_id] = True
            try:
                recording = (await self._storage.recordings.get(message.message_id)).recording
            except NotFoundError:
                recording = RecordingRecord(
                    recording_id=message.message_id,
                    call_id=message.call_id,
                    path=message.path,
                    started_utc=message.left_utc,
                    state="failed",
                    error="its recording is not known",
                )
            if recording.state not in ("recording", "encoding"):
                self.recording_over(recording)
        for extension in {number for box in self._directory.boxes.values() for number in box.extensions}:
            await self._lamps.light(extension, *self.counts_of(extension))

    def of_box(self, box: str) -> list[MessageRecord]:
        """What can be heard in a box, oldest first."""
        found = [each for each in self._messages.values() if each.box == box and each.state != "recording"]
        return sorted(found, key=lambda each: each.left_utc)

    def counts_of(self, extension: str) -> tuple[int, int, int, int]:
        """New, heard, urgent new, urgent heard messages in all boxes of a phone."""
        names = {box.name for box in boxes_of(self._directory.boxes, extension)}
        every = [each for each in self._messages.values() if each.box in names]
        new = [each for each in every if each.state == "new"]
        heard = [each for each in every if each.state == "heard"]
        return len(new), len(heard), sum(each.is_urgent for each in new), sum(each.is_urgent for each in heard)

    def boxes_in_use(self) -> set[str]:
        return {each.box for each in self._messages.values()}

    async def boxes_changed(self, extensions: Iterable[str]) -> None:
        """Phones whose boxes are others now."""
        for extension in sorted(set(extensions) & self._directory.extensions.keys()):
            await self._lamps.light(extension, *self.counts_of(extension))

    # -- a message comes -----------------------------------------------------------------------------------------------

    def _begun(self, message: MessageRecord) -> None:
        self._put(message)
        self._storage.put(message)

    def _settled(self, action: SettleMessage, now: float) -> None:
        if action.message_id in self._messages:
            self._kept[action.message_id] = action.is_kept
            self._finish(action.message_id)

    def recording_over(self, record: RecordingRecord) -> None:
        """The file of a recording is whole, or lost; most are no messages."""
        message = self._messages.get(record.recording_id)
        if message is not None and message.state == "recording":
            self._closed[record.recording_id] = record
            self._finish(record.recording_id)

    def _finish(self, message_id: str) -> None:
        """Once the caller has decided and the file is whole."""
        record, is_kept = self._closed.get(message_id), self._kept.get(message_id)
        if record is None or is_kept is None:
            return
        del self._closed[message_id], self._kept[message_id]
        message = self._messages[message_id]
        box = self._directory.box_of_message(message)
        is_long = record.duration_s >= (box.min_s if box is not None else 0.0) and record.duration_s > 0
        is_lost = record.state == "failed" and not record.duration_s
        state = "failed" if is_kept and is_lost else "new" if is_kept and is_long else "discarded"
        is_told = state == "new" and box is not None and bool(box.email) and self.mail is not None and self.mail.is_on
        message = msgspec.structs.replace(
            message,
            state=state,
            path=record.path,
            duration_s=record.duration_s,
            size=record.size,
            error=record.error,
            email="due" if is_told else "",
        )
        self._keep(message)
        if state == "discarded":
            self._own(self._throw_away(message))
            return
        if state == "failed":
            log.error("x message %s for box %s is lost: %s", message_id, message.box, record.error)
            return
        log.info("= message %s of %.1f s in box %s", message_id, message.duration_s, message.box)
        self._publish(
            MessageLeft(
                message_id=message_id,
                box=message.box,
                queue=message.queue,
                call_id=message.call_id,
                caller=message.caller,
                duration_s=message.duration_s,
            )
        )
        self._own(self._light(message.box))
        if is_told and self.mail is not None:
            self.mail.send(message)

    async def _throw_away(self, message: MessageRecord) -> None:
        try:
            await self._storage.flush()
            recording = await self._storage.recordings.delete(message.message_id)
            await self._remove(recording.path)
        except NotFoundError:
            await self._remove(message.path)
        except UnavailableError as error:
            log.error("x the recording of message %s stays in the database: %s", message.message_id, error)

    # -- what becomes of it --------------------------------------------------------------------------------------------

    async def change(self, message_id: str, by: str, **changes: Any) -> MessageRecord:
        """Durable on return. Raises NoSuchMessage, StorageUnavailable."""
        message = self.get(message_id)
        before = message.state
        changed = msgspec.structs.replace(message, **changes)
        if changed == message:
            return message
        self._keep(changed)
        try:
            await self._flush()
        except StorageUnavailable:
            if changed.state == "deleted":
                # It is deleted as soon as that can be written, and its sound goes then.
                self._own(self._throw_away(changed))
            raise
        if changed.state == "deleted":
            await self._throw_away(changed)
        self._publish(
            MessageChanged(
                message_id=message_id,
                box=changed.box,
                queue=changed.queue,
                state=changed.state,
                is_called_back=changed.called_back_utc > 0,
                by=by,
            )
        )
        if (before, message.is_urgent) != (changed.state, changed.is_urgent):
            await self._light(changed.box)
        return changed

    async def mark(self, message_id: str, what: Change, by: str) -> MessageRecord:
        """As `change`, for what people do with messages."""
        wall = self._wall()
        message = self.get(message_id)
        match what:
            case "heard" if message.state == "heard":
                return message
            case "heard":
                return await self.change(message_id, by, state="heard", heard_utc=wall, heard_by=by)
            case "new":
                return await self.change(message_id, by, state="new", heard_utc=0.0, heard_by="")
            case "deleted":
                return await self.change(message_id, by, state="deleted")
            case "called_back":
                return await self.change(message_id, by, called_back_utc=wall, called_back_by=by)

    def get(self, message_id: str) -> MessageRecord:
        """One that is in a box. Raises NoSuchMessage."""
        message = self._messages.get(message_id)
        if message is None or message.state == "recording":
            raise NoSuchMessage(f"no message {message_id}")
        return message

    def mailed(self, message_id: str, error: str) -> None:
        """It was sent, or will never be."""
        message = self._messages.get(message_id)
        if message is not None:
            self._keep(msgspec.structs.replace(message, email="failed" if error else "sent", error=error))

    async def sweep(self) -> None:
        """For ever: removes what is older than its box keeps it."""
        while True:
            await self.forget_old()
            await asyncio.sleep(SWEEP_S)

    async def forget_old(self) -> None:
        for message in [*self._messages.values()]:
            box = self._directory.box_of_message(message)
            keep_s = box.keep_days * _DAY_S if box is not None else 0.0
            if keep_s and message.state != "recording" and self._wall() - message.left_utc > keep_s:
                try:
                    await self.mark(message.message_id, "deleted", "keep_days")
                except (NoSuchMessage, StorageUnavailable) as error:
                    log.warning("! old message %s stays: %s", message.message_id, error.message)

    # -- phones --------------------------------------------------------------------------------------------------------

    async def _open(self, action: AskMessages) -> None:
        box, error = await self._admit(action)
        messages = self.of_box(box) if not error else []
        # What is new is heard first.
        messages.sort(key=lambda each: (each.state != "new", each.left_utc))
        self._core.runtime.tell(MessagesCame(action.call_id, "", box, messages, error))

    async def _admit(self, action: AskMessages) -> tuple[str, str]:
        """(box, why not)"""
        own = boxes_of(self._directory.boxes, action.extension)
        if action.number:
            box = self._directory.box_at(action.number)
        else:
            box = own[0] if len(own) == 1 else None
        if box is not None and box in own and not box.pin_hash:
            return box.name, ""
        clock = self._core.runtime.outside.clock
        names = (f"box {box.name if box is not None else action.number}", f"at {action.extension}")
        if self._guard.wait_s(names, clock()):
            return "", "too many wrong PINs"
        # Counted before it is looked at, so that many tries at once are no more than many in a row.
        self._guard.failed(names, clock())
        if not await self._verify(action.pin, box.pin_hash if box is not None else "") or box is None:
            self._core.runtime.outside.report(
                SecurityEvent(
                    kind="wrong_pin",
                    source=action.host,
                    port=0,
                    transport="",
                    user=action.extension,
                    is_known=True,
                    detail="voicemail",
                )
            )
            return "", "no box has this number and this PIN"
        self._guard.passed(names)
        return box.name, ""

    async def _change_by_phone(self, action: ChangeMessage) -> None:
        try:
            await self.mark(action.message_id, msgspec.convert(action.what, Change), action.by)
        except (NoSuchMessage, StorageUnavailable) as error:
            log.info("x message %s: %s", action.message_id, error.message)

    # -- small parts ---------------------------------------------------------------------------------------------------

    def _put(self, message: MessageRecord) -> None:
        before = self._messages.get(message.message_id)
        is_there = message.state in ("recording", "new", "heard")
        self._counts[message.box] = self._counts.get(message.box, 0) + is_there - (before is not None)
        if is_there:
            self._messages[message.message_id] = message
        else:
            self._messages.pop(message.message_id, None)

    def _keep(self, message: MessageRecord) -> None:
        self._put(message)
        self._storage.put(message)

    async def _flush(self) -> None:
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._storage.flush()
        except TimeoutError:
            raise StorageUnavailable("the change is not written yet; it will be, as soon as that is possible") from None

    async def _light(self, box: str) -> None:
        found = self._directory.boxes.get(box)
        await self.boxes_changed(found.extensions if found is not None else ())

    def _wall(self) -> float:
        return self._core.env.wall(self._core.runtime.outside.clock())


async def _remove_in_thread(path: str) -> None:
    await asyncio.to_thread(_unlink, path)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        log.error("x %s stays: %s", path, error.strerror)
