"""What callers say becomes text (XIVR-05): the listening process is told whom to listen to, and tells what it has
understood.

Off without a provider: then every wish fails at once, and callers take the branch for it.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from model.recognition import Enough, FromEars, Heard, Listen, Recognition, Setup
from switch.actions import HearCaller, StopHearing
from switch.leg_events import CallerHeard, CallEvent
from switch.side_process import SideProcess

log = logging.getLogger(__name__)


class Ears:
    """One per switch; `run` is its task. `tell` takes what calls are told, `folder` is where files come to stand."""

    def __init__(
        self,
        settings: Recognition,
        token: str,
        folder: Path,
        tell: Callable[[CallEvent], None],
        log_level: str = "INFO",
    ) -> None:
        self._settings = settings
        self._setup = Setup(settings, token, str(folder))
        self._tell = tell
        self._wanted: dict[int, HearCaller] = {}
        self._numbers: dict[tuple[str, int], int] = {}
        self._n = 0
        self._process = SideProcess(
            "listening process",
            "speech.ears",
            FromEars,
            on_message=self._heard,
            on_up=lambda: self._process.send(self._setup),
            on_down=self._gone,
            log_level=log_level,
        )

    @property
    def is_on(self) -> bool:
        return self._settings.provider != "off"

    async def run(self) -> None:
        """For ever."""
        await asyncio.to_thread(os.makedirs, self._setup.folder, 0o700, exist_ok=True)
        await self._process.run()

    def hear(self, action: HearCaller, now: float) -> None:
        """Performs HearCaller; CallerHeard follows."""
        error = ""
        if not self.is_on:
            error = "recognition is off ([recognition] provider)"
        elif not self._process.is_up:
            error = "the listening process is not up"
        elif len(self._wanted) >= self._settings.max_listening:
            error = f"{self._settings.max_listening} callers are listened to"
        if error:
            # Not at once: who asks is in the middle of his step.
            asyncio.get_running_loop().call_soon(self._tell, CallerHeard(action.call_id, "", action.token, "", error))
            return
        self._n += 1
        self._wanted[self._n] = action
        self._numbers[action.call_id, action.token] = self._n
        self._process.send(Listen(self._n, action.path, action.language, action.hints, action.max_s))

    def stop(self, action: StopHearing, now: float) -> None:
        """Performs StopHearing: he has finished, or nobody wants to know any more."""
        number = self._numbers.get((action.call_id, action.token))
        if number is None:
            return
        self._process.send(Enough(number, action.is_wanted))
        if not action.is_wanted:
            self._forget(number)

    def _heard(self, message: Heard) -> None:
        action = self._forget(message.number)
        if action is not None:
            if message.error:
                log.warning("! call %s: what was said is not understood: %s", action.call_id, message.error)
            self._tell(CallerHeard(action.call_id, "", action.token, message.text, message.error))

    def _gone(self) -> None:
        for number in list(self._wanted):
            self._heard(Heard(number, "", "the listening process has died"))

    def _forget(self, number: int) -> HearCaller | None:
        action = self._wanted.pop(number, None)
        if action is not None:
            self._numbers.pop((action.call_id, action.token), None)
        return action


def token_of(settings: Recognition, resolve: Callable[[str], Path]) -> str:
    """What the service wants to see. Raises OSError."""
    return resolve(settings.token_file).read_text().strip() if settings.token_file else ""
