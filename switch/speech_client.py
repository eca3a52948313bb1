"""The speech worker as the switch keeps it: started, started again when it dies or falls silent, and asked for files.

`SpeechClient.run` is awaited by its owner. What was asked of a worker that died is asked of the next one, once.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from model.speech import BEAT_S, Alive, FromSpeech, Gone, Setup, Speak, Spoken, Used
from speech.errors import SpeechError
from switch.side_process import SideProcess

log = logging.getLogger(__name__)

SILENT_S = 10.0 * BEAT_S
"""A worker that shows nothing for so long is killed."""
MAX_ASKED = 1000
MAX_TRIES = 2
"""Workers that are asked for one text: it may be what they die of."""


class _Asked(msgspec.Struct):
    wish: Speak
    answer: "asyncio.Future[str]"
    n_tries: int = 0


class SpeechClient:
    """`on_gone` is told paths that are not there any more."""

    def __init__(self, setup: Setup, on_gone: Callable[[Sequence[str]], None], log_level: str = "INFO") -> None:
        self._setup = setup
        self._on_gone = on_gone
        self._asked: dict[int, _Asked] = {}
        self._n_asked = 0
        self._process = SideProcess(
            "speech worker",
            "speech.worker",
            FromSpeech,
            on_message=self._take,
            on_up=self._up,
            on_down=lambda: None,
            silent_s=SILENT_S,
            log_level=log_level,
        )

    async def make(self, text: str, language: str, timeout_s: float, *, is_ahead: bool = False) -> str:
        """Path of a file. Raises SpeechError, also when it takes longer than `timeout_s`."""
        if len(self._asked) >= MAX_ASKED:
            raise SpeechError(f"{MAX_ASKED} texts wait already")
        self._n_asked += 1
        wish = Speak(self._n_asked, text, language, timeout_s, is_ahead)
        asked = self._asked[wish.number] = _Asked(wish, asyncio.get_running_loop().create_future())
        try:
            if self._process.is_up:
                self._ask(asked)
            async with asyncio.timeout(timeout_s):
                return await asked.answer
        except TimeoutError:
            raise SpeechError(f"not made within {timeout_s:g} s") from None
        finally:
            del self._asked[wish.number]

    def used(self, paths: Sequence[str]) -> None:
        """These were played without asking."""
        if paths:
            self._process.send(Used(tuple(paths)))

    async def run(self) -> None:
        """Keeps a worker until cancelled."""
        await self._process.run()

    def _up(self) -> None:
        self._process.send(self._setup)
        for asked in list(self._asked.values()):
            self._ask(asked)

    def _take(self, message: FromSpeech) -> None:
        match message:
            case Spoken(number=number):
                asked = self._asked.get(number)
                if asked is None or asked.answer.done():
                    return
                if message.error:
                    asked.answer.set_exception(SpeechError(message.error))
                else:
                    asked.answer.set_result(message.path)
            case Gone(paths=paths):
                self._on_gone(paths)
            case Alive():
                pass

    def _ask(self, asked: _Asked) -> None:
        if asked.answer.done():
            return
        if asked.n_tries >= MAX_TRIES:
            asked.answer.set_exception(SpeechError("the speech worker died of it, or while it was made"))
            return
        asked.n_tries += 1
        self._process.send(asked.wish)
