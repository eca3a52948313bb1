"""The configuration of flows."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from switch.config_types import Seconds, Section, Text

if TYPE_CHECKING:
    from switch.config import Config


class Ivr(Section, frozen=True):
    """The voice menu."""

    flows: Annotated[
        Text,
        Meta(description="Folder of the flow documents, NAME.json each, which numbers and queues name as ivr:NAME."),
    ] = ""
    member_tries: Annotated[int, Meta(ge=1, le=100, description="So many wrong passwords in a row lock a member.")] = 5
    member_lock_s: Annotated[
        Seconds, Meta(description="He is locked for so long; wrong passwords longer ago do not count.")
    ] = 900.0


def flow_names(config: "Config") -> frozenset[str]:
    """The flows that lie in the folder, good or not."""
    if not config.ivr.flows:
        return frozenset()
    return frozenset(path.stem for path in config.resolve(config.ivr.flows).glob("*.json"))
