"""Voicemail by API: messages, and the boxes they are in."""

import asyncio
import base64
import logging
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from control.auth import Caller
from model import commands_voicemail as voicemail
from model import errors, views
from model.commands_originate import Originate
from model.declare import Command
from model.partial import merged
from model.records import MessageRecord
from model.voicemail import VoicemailBox
from storage.errors import CursorError, NotFoundError, UnavailableError
from storage.interface import AnyStorage
from storage.voicemail import MessageFilter
from switch.campaign_uses import campaigns_naming
from switch.config_centre import box_problem, targets_of
from switch.directory import Directory
from switch.flow_store import flows_naming
from switch.numbers import clean
from switch.originate_commands import originate
from switch.pins import hash_pin, pin_fault
from switch.settings_store import SettingsStore, stored
from switch.voicemail import box_name, is_voicemail

if TYPE_CHECKING:
    from switch.app import App

log = logging.getLogger(__name__)

KIND = "voicemail"


async def load_boxes(storage: AnyStorage, directory: Directory) -> None:
    """What was made by API before the last stop; where it stands in the file too, the file counts."""
    for key, box in stored(await storage.settings.all(), KIND, VoicemailBox):
        if box.name in directory.boxes:
            log.warning("! %s stands in the file and in the database; the file counts", key)
        else:
            directory.boxes[box.name] = box


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = VoicemailCommands(app)
    return {
        voicemail.ListMessages: handlers.find,
        voicemail.GetMessage: handlers.get,
        voicemail.GetAudio: handlers.audio,
        voicemail.MarkMessage: handlers.mark,
        voicemail.DeleteMessage: handlers.delete,
        voicemail.CallBackMessage: handlers.call_back,
        voicemail.ReportVoicemail: handlers.report,
        voicemail.ListBoxes: handlers.list_boxes,
        voicemail.CreateBox: handlers.create_box,
        voicemail.UpdateBox: handlers.update_box,
        voicemail.DeleteBox: handlers.delete_box,
    }


class VoicemailCommands:
    def __init__(self, app: "App") -> None:
        self._app = app
        self._desk = app.voicemail
        self._directory = app.core.directory
        self._store = SettingsStore(app.storage.settings)
        self._of_file = {box.name for box in app.config.voicemail}
        self._lock = asyncio.Lock()

    # -- messages ------------------------------------------------------------------------------------------------------

    async def find(self, command: voicemail.ListMessages, caller: Caller) -> voicemail.VoicemailList:
        states = (command.state,) if command.state else ("new", "heard")
        criteria = MessageFilter(
            start_utc=command.start_utc,
            end_utc=command.end_utc,
            box=command.box,
            queue=command.queue,
            caller=command.caller,
            states=states,
        )
        await self._app.flush_records()
        try:
            page = await self._app.storage.messages.find(criteria, after=command.cursor, limit=command.limit)
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        except CursorError as error:
            raise errors.InvalidValue(str(error), field="cursor") from None
        return voicemail.VoicemailList(messages=page.items, cursor=page.after)

    async def get(self, command: voicemail.GetMessage, caller: Caller) -> MessageRecord:
        await self._app.flush_records()
        try:
            return await self._app.storage.messages.get(command.message_id)
        except NotFoundError:
            raise errors.NoSuchMessage(f"no message {command.message_id}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None

    async def audio(self, command: voicemail.GetAudio, caller: Caller) -> voicemail.AudioPiece:
        message = self._message(command.message_id, caller)
        try:
            piece, size = await asyncio.to_thread(_read, message.path, command.offset, command.limit)
        except OSError as error:
            raise errors.WrongState(
                f"the sound of message {message.message_id} cannot be read: {error.strerror}", state="failed"
            ) from None
        return voicemail.AudioPiece(
            message_id=message.message_id,
            queue=message.queue,
            content=base64.b64encode(piece).decode(),
            offset=command.offset,
            size=size,
            content_type="audio/wav",
        )

    async def mark(self, command: voicemail.MarkMessage, caller: Caller) -> MessageRecord:
        message = self._message(command.message_id, caller)
        if command.state is not UNSET:
            message = await self._desk.mark(message.message_id, command.state, caller.user)
        if command.is_called_back is True:
            message = await self._desk.mark(message.message_id, "called_back", caller.user)
        changes: dict[str, Any] = {
            name: value for name in ("remark", "is_urgent") if (value := getattr(command, name)) is not UNSET
        }
        if command.is_called_back is False:
            changes |= {"called_back_utc": 0.0, "called_back_by": ""}
        return await self._desk.change(message.message_id, caller.user, **changes)

    async def delete(self, command: voicemail.DeleteMessage, caller: Caller) -> MessageRecord:
        message = self._message(command.message_id, caller)
        return await self._desk.mark(message.message_id, "deleted", caller.user)

    async def call_back(self, command: voicemail.CallBackMessage, caller: Caller) -> MessageRecord:
        message = self._message(command.message_id, caller)
        if command.extension not in self._directory.extensions:
            raise errors.NoSuchExtension(f"no extension {command.extension}")
        self._app.gate.require(caller, "call.originate", "extension", command.extension)
        number = clean(message.caller)
        if not number:
            raise errors.InvalidValue("the caller showed no number that could be called back", field="message_id")
        box = self._directory.boxes.get(message.box)
        if number not in self._directory.extensions and box is not None:
            number = box.dial_prefix + number
        placed = Originate(from_=command.extension, to=number, variables={"message_id": message.message_id})
        originate(self._app, placed, lambda source: source)
        return await self._desk.mark(message.message_id, "called_back", caller.user)

    async def report(self, command: voicemail.ReportVoicemail, caller: Caller) -> voicemail.VoicemailReport:
        criteria = MessageFilter(
            start_utc=command.start_utc, end_utc=command.end_utc, box=command.box, queue=command.queue
        )
        await self._app.flush_records()
        try:
            totals = await self._app.storage.messages.totals(criteria)
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        return voicemail.VoicemailReport(boxes=[voicemail.BoxReport(**msgspec.structs.asdict(each)) for each in totals])

    def _message(self, message_id: str, caller: Caller) -> MessageRecord:
        """Raises NoSuchMessage, PermissionDenied."""
        message = self._desk.get(message_id)
        self._app.gate.require(caller, "voicemail.play", "queue", message.queue)
        return message

    # -- boxes ---------------------------------------------------------------------------------------------------------

    def list_boxes(self, command: voicemail.ListBoxes, caller: Caller) -> voicemail.BoxList:
        unnamed = self._desk.boxes_in_use() - self._directory.boxes.keys()
        boxes = [*self._directory.boxes.values(), *(VoicemailBox(name=name, queue=name) for name in unnamed)]
        return voicemail.BoxList(boxes=[self._view(box) for box in sorted(boxes, key=lambda box: box.name)])

    async def create_box(self, command: voicemail.CreateBox, caller: Caller) -> voicemail.BoxView:
        async with self._lock:
            if command.box in self._directory.boxes:
                raise errors.AlreadyExists(f"voicemail box {command.box} exists")
            box = merged(VoicemailBox(name=command.box), command.settings)
            return await self._keep(await _with_pin(box, command.pin), (), "created", caller)

    async def update_box(self, command: voicemail.UpdateBox, caller: Caller) -> voicemail.BoxView:
        async with self._lock:
            before = self._changeable(command.box)
            box = merged(before, command.settings)
            if command.pin is not UNSET:
                box = await _with_pin(box, command.pin)
            return await self._keep(box, before.extensions, "updated", caller)

    async def delete_box(self, command: voicemail.DeleteBox, caller: Caller) -> views.Done:
        async with self._lock:
            box = self._changeable(command.box)
            n_messages = self._app.core.env.n_messages(box.name)
            if n_messages:
                raise errors.WrongState(f"{n_messages} messages are in box {box.name}: delete them first", state="used")
            if users := self._users(box.name):
                raise errors.InUse(f"{users[0]} leads to voicemail box {box.name}", users=users[:20])
            await self._store.forget(f"{KIND}:{box.name}")
            del self._directory.boxes[box.name]
            await self._desk.boxes_changed(box.extensions)
            self._tell(box, "deleted", caller)
            return views.Done()

    async def _keep(self, box: VoicemailBox, before: tuple[str, ...], change: str, caller: Caller) -> voicemail.BoxView:
        directory = self._directory
        others = {each.number for each in directory.boxes.values() if each.name != box.name and each.number}
        numbers = directory.extensions.keys() | directory.conferences.keys() | others
        keys, problem = box_problem(box, numbers, directory.extensions, directory.queues, directory.prompts)
        if problem:
            raise errors.InvalidValue(f"voicemail box {box.name}: {problem}", field=".".join(keys))
        await self._store.put(f"{KIND}:{box.name}", box)
        directory.boxes[box.name] = box
        await self._desk.boxes_changed((*before, *box.extensions))
        self._tell(box, change, caller)
        return self._view(box)

    def _users(self, name: str) -> list[str]:
        """Who leads to the box; a queue of its name leads to its own."""
        found = []
        for number in self._directory.access_numbers.values():
            ways = (number.to, number.off_to, number.holiday_to, number.emergency_to)
            if any(is_voicemail(way) and box_name(way) == name for way in ways):
                found.append(f"access number {number.number}")
        for queue in self._directory.queues.values():
            targets = [target for _, target in targets_of(queue) if is_voicemail(target)]
            if queue.name != name and any(box_name(target, queue.name) == name for target in targets):
                found.append(f"queue {queue.name}")
        return [
            *found,
            *flows_naming(self._directory, "box", name),
            *campaigns_naming(self._directory, "box", name),
        ]

    def _changeable(self, name: str) -> VoicemailBox:
        if name not in self._directory.boxes:
            raise errors.NoSuchBox(f"no voicemail box {name}")
        if name in self._of_file:
            path = self._app.config.path
            raise errors.InvalidValue(
                f"voicemail {name} stands in the configuration file ({path}): change it there", field="box"
            )
        return self._directory.boxes[name]

    def _view(self, box: VoicemailBox) -> voicemail.BoxView:
        messages = self._desk.of_box(box.name)
        n_new = sum(each.state == "new" for each in messages)
        is_known = box.name in self._directory.boxes
        return voicemail.BoxView(
            box=box.name,
            queue=box.queue,
            source="file" if box.name in self._of_file else "database" if is_known else "queue",
            has_pin=bool(box.pin_hash),
            n_new=n_new,
            n_heard=len(messages) - n_new,
            settings=msgspec.structs.replace(box, pin_hash=""),
        )

    def _tell(self, box: VoicemailBox, change: str, caller: Caller) -> None:
        self._app.hub.publish(voicemail.BoxChanged(box=box.name, queue=box.queue, change=change, by=caller.user))


async def _with_pin(box: VoicemailBox, pin: str) -> VoicemailBox:
    if pin and (fault := pin_fault(pin)):
        raise errors.InvalidValue(fault, field="pin")
    return msgspec.structs.replace(box, pin_hash=await asyncio.to_thread(hash_pin, pin) if pin else "")


def _read(path: str, offset: int, limit: int) -> tuple[bytes, int]:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(min(offset, size))
        return file.read(limit), size
