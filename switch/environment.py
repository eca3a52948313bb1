"""What the pure core may ask: tables, bindings, ids, wall time, limits. Handed in, so that a test hands in its own."""

from collections.abc import Callable
from typing import Protocol

from model.ids import IdSource
from model.prompts import PROMPT, audio_for
from sip.registrar import Binding
from switch.config import Config
from switch.directory import Directory
from switch.features import FeatureTable
from switch.orbits import Orbits
from switch.services import ServiceTable


class MediaRoom(Protocol):
    """What the core must know of the media workers."""

    def choose_worker(self) -> int:
        """Index of the worker with the most free ports; -1 when none has any."""
        ...


class Environment:
    """Read-only for phases. `wall_offset` is UTC seconds minus monotonic seconds; the runtime keeps it true."""

    __slots__ = (
        "bindings",
        "config",
        "confirmed",
        "directory",
        "features",
        "ids",
        "in_call_codes",
        "is_in_call",
        "media",
        "music",
        "n_messages",
        "orbits",
        "refused",
        "released",
        "reminder",
        "ringback",
        "services",
        "wall_offset",
        "zip",
    )

    def __init__(
        self,
        config: Config,
        directory: Directory,
        ids: IdSource,
        bindings: Callable[[str, float], list[Binding]],
        media: MediaRoom,
        wall_offset: float,
    ) -> None:
        self.config = config
        self.directory = directory
        self.ids = ids
        self.bindings = bindings
        self.media = media
        self.wall_offset = wall_offset
        self.services = ServiceTable()
        self.in_call_codes = {code: name for name, code in config.feature_codes.in_call_codes()}
        self.features = FeatureTable(config.feature_codes, config.agents)
        self.orbits = Orbits(config.parking.orbit_numbers())
        self.n_messages: Callable[[str], int] = lambda box: 0
        """How many are in a voicemail box."""
        self.is_in_call: Callable[[str], bool] = lambda number: False
        plan = config.media.tone_plan
        self.confirmed = config.feature_codes.confirmed or f"tone:confirmation/{plan}"
        self.refused = config.feature_codes.refused or f"tone:refusal/{plan}"
        self.music = [config.media.music_on_hold]
        self.ringback = [f"tone:ringback/{plan}"]
        self.released = [f"tone:busy/{plan}"]
        self.zip = [f"tone:zip/{plan}"]
        self.reminder = [f"tone:reminder/{plan}"]

    def sound(self, source: str, language: str = "") -> str:
        """A source of sound as the media worker takes it: files are those in media.prompts, and "prompt:NAME" is the
        audio of that prompt in `language`, else in another; a prompt that has none is a tone."""
        if source.startswith(PROMPT):
            return self.prompt_sound(source, language) or self.refused
        if not source.startswith("file:"):
            return source
        return f"file:{self.config.resolve(self.config.media.prompts).absolute() / source[5:]}"

    def prompt_sound(self, source: str, language: str = "") -> str:
        """Of "prompt:NAME", or of "prompt:NAME/LANGUAGE"; "" = it has no audio."""
        name, _, exactly = source.removeprefix(PROMPT).partition("/")
        prompt = self.directory.prompts.get(name)
        chosen = audio_for(prompt, [each for each in (exactly, language) if each]) if prompt is not None else ""
        if prompt is None or not chosen:
            return ""
        return f"file:{self.config.resolve(self.config.ivr.prompts).absolute() / prompt.audio[chosen].file}"

    def wall(self, now: float) -> float:
        """UTC seconds since 1970 at the monotonic instant `now`."""
        return now + self.wall_offset
