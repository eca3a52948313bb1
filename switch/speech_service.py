"""Texts become sounds (IVR-06, IVR-10, IVR-13): for the phases of calls by MakeSpeech, for everybody else by `want`.

What was spoken lately is known here, and there at once; for the rest the speech worker is asked, within its time.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from ivr.speaking import Speech
from model.speech import MAX_TEXT
from speech.errors import SpeechError
from switch.actions import MakeSpeech
from switch.leg_events import CallEvent, SpeechMade

log = logging.getLogger(__name__)

MAX_KNOWN = 20_000
"""Texts whose files are known here; the least recently used go."""
MAX_WAITING = 1000
"""Calls that wait for texts; those beyond are told at once that there is none."""
AHEAD_S = 120.0
"""What a text gets that nobody waits for."""
TELL_USED_S = 30.0


class Maker(Protocol):
    """As `switch.speech_client.SpeechClient`."""

    async def make(self, text: str, language: str, timeout_s: float, *, is_ahead: bool = False) -> str:
        """Path of a file. Raises SpeechError."""
        ...

    def used(self, paths: Sequence[str]) -> None: ...


class SpeechService:
    """One per switch; it makes nothing until `use` was called. `tell` takes what calls are told."""

    def __init__(self, tell: Callable[[CallEvent], None], dispatch: Callable[[CallEvent, float], None]) -> None:
        self._tell = tell
        self._dispatch = dispatch
        self._maker: Maker | None = None
        self._own: Callable[[Coroutine[Any, Any, None]], None] = lambda work: work.close()
        self._timeout_s = 0.0
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._making: dict[tuple[tuple[str, str], bool], asyncio.Future[str | SpeechError]] = {}
        """What is being made, and whether ahead: who wants the same waits for the same."""
        self._used: set[str] = set()
        self._n_waiting = 0

    def use(self, maker: Maker, own: Callable[[Coroutine[Any, Any, None]], None], timeout_s: float) -> None:
        """`own` sees what is begun through."""
        self._maker = maker
        self._own = own
        self._timeout_s = timeout_s
        own(self._keep_telling(maker))

    async def want(
        self, texts: Sequence[Speech], *, is_ahead: bool = False, is_anew: bool = False
    ) -> list[str | SpeechError]:
        """A path each, or why there is none. `is_ahead`: nobody waits. `is_anew`: what is known may be wrong."""
        if is_anew:
            for each in texts:
                self._known.pop(_key(each), None)
        return list(await asyncio.gather(*(self._one(each, is_ahead) for each in texts)))

    def make(self, action: MakeSpeech, now: float) -> None:
        """Performs MakeSpeech: SpeechMade follows, at once when everything is known."""
        texts = [sound for sound in action.sounds if isinstance(sound, Speech)]
        known = {} if action.is_anew else {_key(each): self._find(each) for each in texts}
        error = ""
        if self._maker is None:
            error = "speech is off ([speech] enabled = false)"
        elif self._n_waiting >= MAX_WAITING:
            error = f"{MAX_WAITING} callers wait for texts"
        elif action.is_anew or not all(known.values()):
            self._own(self._make(action, texts))
            return
        self._dispatch(_made(action, [known.get(_key(each)) or "" for each in texts], error), now)

    def gone(self, paths: Iterable[str]) -> None:
        """These files are not there any more."""
        lost = set(paths)
        for key in [key for key, path in self._known.items() if path in lost]:
            del self._known[key]

    def prepare(self, texts: Iterable[Speech]) -> None:
        """They will be wanted: they are made beside the calls, when nothing else is."""
        if self._maker is not None:
            self._own(self.render_ahead(texts))

    async def render_ahead(self, texts: Iterable[Speech]) -> None:
        """Makes what will be wanted, one text after the other, so that nobody waits for it."""
        n_made, problems = 0, dict[str, int]()
        for each in texts:
            (made,) = await self.want([each], is_ahead=True)
            if isinstance(made, SpeechError):
                told = f"{each.language}: {made}"
                problems[told] = problems.get(told, 0) + 1
            else:
                n_made += 1
        if n_made:
            log.info("= %d texts of flows are spoken", n_made)
        for told, n in problems.items():
            log.error("x %d texts of flows cannot be spoken: %s", n, told)

    async def _make(self, action: MakeSpeech, texts: list[Speech]) -> None:
        self._n_waiting += 1
        try:
            made = await self.want(texts, is_anew=action.is_anew)
        finally:
            self._n_waiting -= 1
        errors = [str(each) for each in made if isinstance(each, SpeechError)]
        paths = ["" if isinstance(each, SpeechError) else each for each in made]
        self._tell(_made(action, paths, errors[0] if errors else ""))

    async def _one(self, text: Speech, is_ahead: bool) -> str | SpeechError:
        found = self._find(text)
        if found is not None:
            return found
        if self._maker is None:
            return SpeechError("speech is off ([speech] enabled = false)")
        key = spoken, language = _key(text)
        if not spoken or len(spoken) > MAX_TEXT:
            return SpeechError(f"a text has 1 to {MAX_TEXT} characters, this one has {len(spoken)}")
        making = self._making.get((key, is_ahead))
        if making is not None:
            return await making
        making = self._making[key, is_ahead] = asyncio.get_running_loop().create_future()
        made: str | SpeechError = SpeechError("given up")
        try:
            timeout_s = AHEAD_S if is_ahead else self._timeout_s
            made = await self._maker.make(spoken, language, timeout_s, is_ahead=is_ahead)
            self._know(key, made)
        except SpeechError as error:
            made = error
        finally:
            del self._making[key, is_ahead]
            if not making.done():
                making.set_result(made)
        return made

    def _know(self, key: tuple[str, str], path: str) -> None:
        self._known[key] = path
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _find(self, text: Speech) -> str | None:
        key = _key(text)
        found = self._known.get(key)
        if found is not None:
            self._known.move_to_end(key)
            self._used.add(found)
        return found

    async def _keep_telling(self, maker: Maker) -> None:
        while True:
            await asyncio.sleep(TELL_USED_S)
            used, self._used = self._used, set()
            paths = list(used)
            # Frames are bounded.
            for first in range(0, len(paths), 1000):
                maker.used(paths[first : first + 1000])


def _key(text: Speech) -> tuple[str, str]:
    """As it is spoken: a language without its country, a text in one line."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text.text)
    return " ".join(printable.split()), text.language.partition("-")[0].lower()


def _made(action: MakeSpeech, paths: Iterable[str], error: str) -> SpeechMade:
    made = iter(paths)
    sources = [sound if isinstance(sound, str) else _source(next(made)) for sound in action.sounds]
    return SpeechMade(action.call_id, action.leg_id, action.token, tuple(sources), error)


def _source(path: str) -> str:
    return f"file:{path}" if path else ""
