"""The configuration of flows."""

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from switch.config_types import Section, Text

if TYPE_CHECKING:
    from switch.config import Config


class Ivr(Section, frozen=True):
    """The voice menu."""

    flows: Annotated[
        Text,
        Meta(description="Folder of the flow documents, NAME.json each, which numbers and queues name as ivr:NAME."),
    ] = ""


def flow_names(config: "Config") -> frozenset[str]:
    """The flows that lie in the folder, good or not."""
    if not config.ivr.flows:
        return frozenset()
    return frozenset(path.stem for path in config.resolve(config.ivr.flows).glob("*.json"))
