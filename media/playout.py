"""What is played to legs instead of what their matrix gives them: lists of prompts without gaps, music, tones."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.arrays import FRAME
from media.session import Leg
from model.media import Event, Play, PlayFinished

MAX_SILENCE_MS = 3_600_000
MAX_OFFSET_S = 7 * 24 * 3600.0
RATE = 8000


class Prepared(Protocol):
    """A source that is ready: 16-bit samples at 8 kHz, for ever when it is looped."""

    @property
    def samples(self) -> NDArray[np.int16]: ...

    @property
    def is_looped(self) -> bool: ...


class Prompts(Protocol):
    """What is needed of `media.prompts.PromptCache`: nothing here ever waits."""

    def get(self, source: str) -> Prepared | None: ...

    def request(self, source: str) -> None: ...


class Player:
    """One `Play`. It is silent while a source is still being loaded."""

    __slots__ = (
        "_ahead",
        "_at",
        "_current",
        "_has_played",
        "_index",
        "_is_looped",
        "_played",
        "_prompts",
        "_sources",
        "error",
        "is_done",
        "leg",
        "play_id",
    )

    def __init__(
        self, leg: Leg, play_id: str, sources: list[str], prompts: Prompts, *, is_looped: bool, offset_s: float = 0.0
    ) -> None:
        self.leg = leg
        self._ahead = round(offset_s * RATE)
        """Samples still to be passed over: they were heard from another worker."""
        self._played = self._ahead
        self.play_id = play_id
        self._sources = sources
        self._prompts = prompts
        self._is_looped = is_looped
        self._index = 0
        self._at = 0
        self._current: Prepared | None = None
        """Held while it plays: the cache may forget it."""
        self._has_played = False
        """Something sounded since the list was begun: an empty list must not be repeated for ever."""
        self.is_done = False
        self.error = ""

    def needs(self, source: str) -> bool:
        return source in self._sources

    def fill(self, frame: NDArray[np.int16]) -> None:
        """The next 20 ms; silence once it is done."""
        filled = 0
        while filled < FRAME and not self.is_done:
            source = self._sources[self._index]
            if source.startswith("silence:"):
                if self._pass_over(int(source[8:]) * 8, is_looped=False):
                    continue
                n = min(FRAME - filled, int(source[8:]) * 8 - self._at)
                frame[filled : filled + n] = 0
                self._advance(n, int(source[8:]) * 8, is_looped=False)
                filled += n
                continue
            prepared = self._current or self._prompts.get(source)
            if prepared is None:
                break
            self._current = prepared
            samples = prepared.samples
            if self._pass_over(len(samples), is_looped=prepared.is_looped):
                continue
            n = min(FRAME - filled, len(samples) - self._at)
            frame[filled : filled + n] = samples[self._at : self._at + n]
            self._advance(n, len(samples), is_looped=prepared.is_looped)
            filled += n
        frame[filled:] = 0
        self._played += filled

    def describe(self) -> Play:
        """The command by which another worker goes on from here."""
        return Play(
            session=self.leg.session,
            leg=self.leg.id,
            play_id=self.play_id,
            sources=self._sources,
            is_looped=self._is_looped,
            offset_s=self._played / RATE,
        )

    def _pass_over(self, length: int, *, is_looped: bool) -> bool:
        """Moves on by what is to be passed over, within the current source of `length` samples. False: nothing was."""
        if not self._ahead or not length:
            return False
        if is_looped or (self._is_looped and len(self._sources) == 1):
            self._ahead %= length
            if not self._ahead:
                return False
        n = min(self._ahead, length - self._at)
        self._ahead -= n
        self._advance(n, length, is_looped=is_looped)
        return True

    def _advance(self, n: int, length: int, *, is_looped: bool) -> None:
        self._at += n
        self._has_played |= n > 0
        if self._at < length:
            return
        self._at = 0
        if is_looped and length:
            return
        self._current = None
        self._index += 1
        if self._index == len(self._sources):
            self._index = 0
            self.is_done = not (self._is_looped and self._has_played)
            self._has_played = False


class Players:
    """At most one player a leg. `changed(session)` is called when a leg begins or ends to hear one."""

    def __init__(self, prompts: Prompts, emit: Callable[[Event], None], changed: Callable[[str], None]) -> None:
        self._prompts = prompts
        self._emit = emit
        self._changed = changed
        self._scratch = np.zeros(FRAME, np.int16)
        self.by_row: dict[int, Player] = {}

    def play(self, leg: Leg, play_id: str, sources: list[str], *, is_looped: bool, offset_s: float = 0.0) -> None:
        """Starts at the next tick, in place of what plays, `offset_s` into the sources. ValueError for a silence that
        is no number, an offset that is none."""
        if not 0.0 <= offset_s <= MAX_OFFSET_S:
            raise ValueError(f"offset_s {offset_s} is not between 0 and {MAX_OFFSET_S}")
        for source in sources:
            if source.startswith("silence:"):
                ms = source[8:]
                if not (ms.isascii() and ms.isdigit() and len(ms) < 10 and int(ms) <= MAX_SILENCE_MS):
                    raise ValueError(f"{source!r} is not silence:MILLISECONDS up to {MAX_SILENCE_MS}")
        playing = self.by_row.get(leg.row)
        if playing is not None and playing.play_id == play_id:
            return
        if playing is not None:
            self._end(playing, "replaced")
        self.by_row[leg.row] = Player(leg, play_id, sources, self._prompts, is_looped=is_looped, offset_s=offset_s)
        for source in dict.fromkeys(sources):
            if not source.startswith("silence:") and self._prompts.get(source) is None:
                self._prompts.request(source)
        self._changed(leg.session)

    def stop(self, leg: Leg, play_id: str, reason: str = "stopped") -> None:
        """Ends what plays to the leg, when it is `play_id` or that is empty."""
        playing = self.by_row.get(leg.row)
        if playing is not None and play_id in ("", playing.play_id):
            self._end(playing, reason)

    def source_failed(self, source: str, error: str) -> None:
        """A source cannot be had: whatever plays it ends."""
        for player in list(self.by_row.values()):
            if player.needs(source):
                player.error = f"{source}: {error}"
                self._end(player, "error")

    def after_tick(self, heard: set[int]) -> None:
        """Ends what is through; `heard` are the rows whose players the mixer has moved on, the others go on unheard."""
        for row, player in list(self.by_row.items()):
            if row not in heard:
                player.fill(self._scratch)
            if player.is_done:
                self._end(player, "finished")

    def _end(self, player: Player, reason: str) -> None:
        del self.by_row[player.leg.row]
        self._changed(player.leg.session)
        self._emit(
            PlayFinished(
                session=player.leg.session,
                leg=player.leg.id,
                play_id=player.play_id,
                reason=reason,
                error=player.error,
            )
        )
