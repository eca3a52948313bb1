"""One voice at work: the texts that wait for it, most urgent first, and the threads in which its provider speaks."""

import logging
import queue
import threading
import time
from collections.abc import Callable

import msgspec

from model.speech import Gone, Speak, SpeechVoice, Spoken
from speech.audio import finish
from speech.cache import SpeechCache, key_of
from speech.errors import SpeechError
from speech.providers import Provider, make_provider

log = logging.getLogger(__name__)

MAX_WAITING = 500

Tell = Callable[[Spoken | Gone], None]


class _Wanted(msgspec.Struct, order=True):
    is_ahead: bool
    number: int
    wish: tuple[Speak, float]
    """And the instant after which nobody wants it."""


class Desk:
    """`tell` takes answers, from any thread."""

    def __init__(self, voice: SpeechVoice, cache: SpeechCache, tell: Tell, provider: Provider | None = None) -> None:
        self._voice = voice
        self._cache = cache
        self._tell = tell
        self._provider = provider or make_provider(voice)
        self._waiting: queue.PriorityQueue[_Wanted] = queue.PriorityQueue()
        self._busy_since: dict[int, float] = {}
        self._has_threads = False

    @property
    def oldest(self) -> float | None:
        """Instant since which a thread speaks one text; None = none does."""
        return min(list(self._busy_since.values()), default=None)

    @property
    def problem(self) -> str:
        """What will keep it from speaking any text; "" = nothing that is known before the first one."""
        try:
            _ = self._provider.version
        except SpeechError as error:
            return str(error)
        return ""

    def ask(self, wish: Speak) -> None:
        """An answer follows: now if it was spoken before, else by a thread."""
        try:
            found = self._find(wish)
        except SpeechError as error:
            self._tell(Spoken(wish.number, error=str(error)))
            return
        if found is not None:
            self._tell(Spoken(wish.number, found))
            return
        if self._waiting.qsize() >= MAX_WAITING:
            self._tell(Spoken(wish.number, error=f"{MAX_WAITING} texts wait for the voice"))
            return
        self._waiting.put(_Wanted(wish.is_ahead, wish.number, (wish, time.monotonic() + wish.timeout_s)))
        if not self._has_threads:
            self._has_threads = True
            for n in range(self._provider.n_threads):
                threading.Thread(target=self._work, args=(n,), name=f"speech-{wish.language}-{n}", daemon=True).start()

    def _key(self, wish: Speak) -> str:
        voice = self._voice
        return key_of(wish.text, wish.language, voice.voice, voice.rate, self._provider.version)

    def _find(self, wish: Speak) -> str | None:
        return self._cache.find(self._key(wish))

    def _work(self, n: int) -> None:
        while True:
            wish, until = self._waiting.get().wish
            self._busy_since[n] = time.monotonic()
            try:
                answer = self._make(wish, until)
            except SpeechError as error:
                answer = Spoken(wish.number, error=str(error))
            except Exception as error:
                # The edge of one text: the next one is spoken.
                log.exception("x text %d of %s", wish.number, wish.language)
                answer = Spoken(wish.number, error=f"{type(error).__name__}: {error}"[:200])
            self._busy_since.pop(n, None)
            self._tell(answer)

    def _make(self, wish: Speak, until: float) -> Spoken:
        # Somebody else may have wanted the same meanwhile.
        found = self._find(wish)
        if found is not None:
            return Spoken(wish.number, found)
        if time.monotonic() > until:
            return Spoken(wish.number, error="its turn did not come in time")
        voice = self._voice
        samples, rate = self._provider.synth(wish.text, wish.language, voice.voice, voice.rate)
        path, gone = self._cache.put(self._key(wish), finish(samples, rate))
        if gone:
            self._tell(Gone(tuple(gone)))
        return Spoken(wish.number, path)
