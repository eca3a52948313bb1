"""The library of prompts by API: the file first, then the record, then what calls see of it."""

import asyncio
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET

from control.auth import Caller
from ivr.program import sources_of
from model import commands_prompts as prompts
from model import errors, views
from model.declare import Command
from model.events_prompts import PromptChanged, PromptRemoved
from model.prompts import PROMPT, Prompt, PromptAudio
from storage.interface import AnyStorage
from switch import prompt_folder
from switch.campaign_uses import campaigns_naming
from switch.config import Config
from switch.directory import Directory
from switch.prompt_uploads import Convert, Upload, Uploads
from switch.queues_admin import sounds_of
from switch.settings_store import SettingsStore, stored
from switch.uploads import piece_of

if TYPE_CHECKING:
    from switch.app import App

log = logging.getLogger(__name__)

MAX_PROMPTS = 10_000
KEPT_S = 60.0
"""A file that was replaced stays so long: somebody may have been told to play it."""
_NAMED = 20


def make_handlers(
    app: "App", convert: Convert | None = None
) -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = PromptsDesk(app, convert)
    return {
        prompts.ListPrompts: desk.list_prompts,
        prompts.GetPrompt: desk.get_prompt,
        prompts.DownloadPrompt: desk.download,
        prompts.UploadPrompt: desk.upload,
        prompts.SetPrompt: desk.set_prompt,
        prompts.RemovePrompt: desk.remove_prompt,
    }


async def load_prompts(storage: AnyStorage, config: Config, directory: Directory) -> None:
    """The library as it was left; audio whose file is gone is named, and is as if it had never been."""
    found = {prompt.name: prompt for _, prompt in stored(await storage.settings.all(), "prompt", Prompt)}
    folder = config.resolve(config.ivr.prompts)
    names = {audio.file for prompt in found.values() for audio in prompt.audio.values()}
    gone = set(await asyncio.to_thread(prompt_folder.missing, folder, names, _incoming(folder)))
    for name, prompt in found.items():
        kept = {language: audio for language, audio in prompt.audio.items() if audio.file not in gone}
        for audio in prompt.audio.values():
            if audio.file in gone:
                log.error("x prompt %s: there is no file %s", name, folder / audio.file)
        directory.prompts[name] = msgspec.structs.replace(prompt, audio=kept)


class PromptsDesk:
    def __init__(self, app: "App", convert: Convert | None) -> None:
        self._app = app
        self._directory = app.core.directory
        self._folder = app.config.resolve(app.config.ivr.prompts).absolute()
        self._store = SettingsStore(app.storage.settings)
        self._uploads = Uploads(_incoming(self._folder), app.core.env.ids.token, convert)
        self._lock = asyncio.Lock()

    # -- reading -------------------------------------------------------------------------------------------------------

    def list_prompts(self, command: prompts.ListPrompts, caller: Caller) -> prompts.PromptList:
        library = self._directory.prompts
        names = sorted(name for name in library if name.startswith(command.prefix) and name > command.cursor)
        shown = names[: command.limit]
        return prompts.PromptList(
            prompts=[self._view(library[name]) for name in shown],
            n_prompts=len(library),
            cursor=shown[-1] if len(names) > len(shown) else "",
        )

    def get_prompt(self, command: prompts.GetPrompt, caller: Caller) -> prompts.PromptView:
        return self._view(self._prompt(command.prompt))

    async def download(self, command: prompts.DownloadPrompt, caller: Caller) -> prompts.PromptPiece:
        prompt = self._prompt(command.prompt)
        audio = prompt.audio.get(command.language)
        if audio is None:
            has = f"it has {', '.join(sorted(prompt.audio))}" if prompt.audio else "it has none"
            raise errors.NoSuchPrompt(f"prompt {prompt.name} has no audio in {command.language}: {has}")
        path = self._folder / audio.file
        try:
            piece, size = await asyncio.to_thread(prompt_folder.read_piece, path, command.offset, prompts.MAX_PIECE)
        except OSError as error:
            raise errors.NoSuchPrompt(f"{path}: {error.strerror}") from None
        if command.offset >= size:
            raise errors.InvalidValue(f"the file has {size} bytes", field="offset")
        data = binascii.b2a_base64(piece, newline=False).decode()
        return prompts.PromptPiece(data=data, offset=command.offset, size=size, sha256=audio.sha256)

    # -- changing ------------------------------------------------------------------------------------------------------

    async def upload(self, command: prompts.UploadPrompt, caller: Caller) -> prompts.PromptUploaded:
        piece = piece_of(command.data)
        upload = await self._uploads.take(
            caller.user, command.upload_id, command.offset, piece, is_last=command.is_last
        )
        duration_s = upload.converted.duration_s if upload.converted is not None else 0.0
        return prompts.PromptUploaded(upload_id=upload.upload_id, size=upload.size, duration_s=duration_s)

    async def set_prompt(self, command: prompts.SetPrompt, caller: Caller) -> prompts.PromptView:
        async with self._lock:
            old = self._directory.prompts.get(command.prompt)
            if old is None and len(self._directory.prompts) >= MAX_PROMPTS:
                raise errors.Congested(f"the library holds {MAX_PROMPTS} prompts already")
            uploads = {
                language: self._uploads.finished(caller.user, upload_id) if upload_id else None
                for language, upload_id in command.audio.items()
            }
            given = [upload.upload_id for upload in uploads.values() if upload is not None]
            if len({*given}) < len(given):
                raise errors.InvalidValue("one upload is of one language", field="audio")
            prompt = self._changed(old or Prompt(name=command.prompt), command, uploads, caller)
            self._check(prompt, old)
            try:
                for language, upload in uploads.items():
                    if upload is not None:
                        name = prompt.audio[language].file
                        await asyncio.to_thread(prompt_folder.take_in, upload.made, self._folder, name)
            except OSError as error:
                raise errors.StorageUnavailable(f"{self._folder}: {error.strerror}") from None
            finally:
                # Some may have been moved: none of them can be given once more.
                for upload in uploads.values():
                    if upload is not None:
                        await self._uploads.forget(upload)
            try:
                await self._store.put(f"prompt:{prompt.name}", prompt)
            except errors.StorageUnavailable:
                await self._remove({audio.file for audio in prompt.audio.values()})
                raise
            self._directory.prompts[prompt.name] = prompt
            if old is not None:
                self._remove_later({audio.file for audio in old.audio.values()})
        self._app.hub.publish(
            PromptChanged(prompt=prompt.name, title=prompt.title, languages=sorted(prompt.audio), by=caller.user)
        )
        return self._view(prompt)

    async def remove_prompt(self, command: prompts.RemovePrompt, caller: Caller) -> views.Done:
        async with self._lock:
            prompt = self._prompt(command.prompt)
            self._check_unused(prompt.name, [user for user, _ in self._users(prompt.name)], "removed")
            await self._store.forget(f"prompt:{prompt.name}")
            del self._directory.prompts[prompt.name]
            await self._remove({audio.file for audio in prompt.audio.values()})
        self._app.hub.publish(PromptRemoved(prompt=prompt.name, by=caller.user))
        return views.Done()

    def _changed(
        self, old: Prompt, command: prompts.SetPrompt, uploads: dict[str, Upload | None], caller: Caller
    ) -> Prompt:
        texts = {language: text.strip() for language, text in {**old.texts, **command.texts}.items()}
        audio = {language: each for language, each in old.audio.items() if language not in uploads}
        env = self._app.core.env
        now_utc = env.wall(self._app.runtime.outside.clock())
        for language, upload in uploads.items():
            if upload is not None and upload.converted is not None:
                made = upload.converted
                audio[language] = PromptAudio(
                    file=prompt_folder.file_name(old.name, language, made.sha256),
                    duration_s=made.duration_s,
                    sha256=made.sha256,
                    uploaded_utc=now_utc,
                    uploaded_by=caller.user,
                )
        title = old.title if command.title is UNSET else command.title
        return Prompt(
            name=old.name, title=title, texts={each: text for each, text in texts.items() if text}, audio=audio
        )

    def _check(self, prompt: Prompt, old: Prompt | None) -> None:
        if not prompt.audio and not prompt.texts:
            raise errors.InvalidValue("a prompt has audio or a text in one language at least", field="audio")
        if old is not None and old.audio and not prompt.audio:
            has_speech = self._app.config.speech.enabled
            users = [user for user, may_be_spoken in self._users(prompt.name) if not (may_be_spoken and has_speech)]
            self._check_unused(prompt.name, users, "left without audio")

    def _check_unused(self, name: str, users: list[str], what: str) -> None:
        if users:
            more = f" and {len(users) - 1} more" if len(users) > 1 else ""
            raise errors.InUse(f"prompt {name} cannot be {what}: it is used by {users[0]}{more}", users=users[:_NAMED])

    def _users(self, name: str) -> Iterator[tuple[str, bool]]:
        """(who plays it, whether a text will do)"""
        source = PROMPT + name
        for who, named, may_be_spoken in _sources_of_flows(self._directory):
            if named == source:
                yield who, may_be_spoken
        for queue in self._directory.queues.values():
            if source in (named for _, named in sounds_of(queue)):
                yield f"queue {queue.name}", False
        for box in self._directory.boxes.values():
            if box.greeting == source:
                yield f"voicemail box {box.name}", False
        for number in self._directory.access_numbers.values():
            if number.whisper == source:
                yield f"access number {number.number}", False
        for campaign in campaigns_naming(self._directory, "prompt", name):
            yield campaign, False

    def _remove_later(self, names: set[str]) -> None:
        if names - self._files():
            loop = asyncio.get_running_loop()
            loop.call_later(KEPT_S, lambda: self._remove(names))

    def _remove(self, names: set[str]) -> "asyncio.Future[None]":
        """Files, but for those that a prompt has."""
        gone = names - self._files()
        return asyncio.get_running_loop().run_in_executor(None, prompt_folder.remove, self._folder, gone)

    def _files(self) -> set[str]:
        return {audio.file for prompt in self._directory.prompts.values() for audio in prompt.audio.values()}

    def _prompt(self, name: str) -> Prompt:
        prompt = self._directory.prompts.get(name)
        if prompt is None:
            raise errors.NoSuchPrompt(f"no prompt {name}")
        return prompt

    def _view(self, prompt: Prompt) -> prompts.PromptView:
        variants = []
        for language in sorted({*prompt.texts, *prompt.audio}):
            audio = prompt.audio.get(language)
            variants.append(
                prompts.PromptVariant(
                    language=language,
                    text=prompt.texts.get(language, ""),
                    has_audio=audio is not None,
                    duration_s=audio.duration_s if audio is not None else 0.0,
                    sha256=audio.sha256 if audio is not None else "",
                    uploaded_utc=audio.uploaded_utc if audio is not None else 0.0,
                    uploaded_by=audio.uploaded_by if audio is not None else "",
                )
            )
        users = [user for user, _ in self._users(prompt.name)]
        return prompts.PromptView(prompt=prompt.name, title=prompt.title, variants=variants, used_by=users[:_NAMED])


def _sources_of_flows(directory: Directory) -> Iterator[tuple[str, str, bool]]:
    """(who plays it, source, whether a text will do) of flows that callers are led to, and of those of the folder."""
    of_folder = [each for name, each in directory.file_flows.items() if directory.flows.get(name) is not each]
    for program in (*directory.flows.values(), *of_folder):
        for node in program.flow.nodes:
            for field, source, may_be_spoken in sources_of(node):
                yield f"flow {program.name}, node {node.id}, {field}", source, may_be_spoken


def _incoming(folder: Path) -> Path:
    """Beside the library, on the same file system: what is complete there is moved."""
    return folder / "incoming"
