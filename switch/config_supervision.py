"""`[supervision]` of the configuration, and what extensions say about who may supervise whom."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import Section

SupervisionGroup = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description='Who may supervise it: extensions that have this group in `supervises`; empty: those with "*".',
    ),
]
Supervises = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^(\*|[A-Za-z0-9_.-]{1,64})$")], ...],
    Meta(
        max_length=64,
        description='Supervision groups whose calls it may monitor, whisper into and take over; "*": everybody\'s.',
    ),
]


def _keys(text: str) -> Meta:
    return Meta(pattern=r"^[0-9*#]{0,4}$", description=text)


class Supervision(Section, frozen=True):
    """Keys of a supervisor's phone while it is on another's call (nobody but the switch gets them); empty: no key."""

    listen: Annotated[str, _keys("Hear all, be heard by nobody.")] = "1"
    whisper: Annotated[str, _keys("Be heard by the agent alone.")] = "2"
    whisper_customer: Annotated[str, _keys("Be heard by the customer alone.")] = "3"
    barge: Annotated[str, _keys("Be heard by all.")] = "4"
    barge_listen_only: Annotated[str, _keys("Be heard by all, and silence the agent.")] = "5"
    takeover: Annotated[str, _keys("Drop the agent and take his place.")] = "*8"
    disconnect: Annotated[str, _keys("End the call for everybody.")] = "*9"
    stop: Annotated[str, _keys("Leave.")] = "#"
    is_announced: Annotated[bool, Meta(description="Play the agent a short tone when a supervisor comes.")] = False

    def table(self) -> dict[str, str]:
        """What each key sequence does."""
        return {keys: name for name in _ACTIONS if (keys := getattr(self, name))}


_ACTIONS = (
    "listen",
    "whisper",
    "whisper_customer",
    "barge",
    "barge_listen_only",
    "takeover",
    "disconnect",
    "stop",
)


def check_supervision(config: Supervision) -> tuple[str, str]:
    """(key, what is wrong) of the first fault; ("", "") when there is none."""
    seen: dict[str, str] = {}
    for name in _ACTIONS:
        keys = getattr(config, name)
        if not keys:
            continue
        for other, its in seen.items():
            if keys.startswith(its) or its.startswith(keys):
                return name, f'"{keys}" cannot be told from "{its}" of {other}'
        seen[name] = keys
    return "", ""
