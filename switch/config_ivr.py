"""The configuration of flows."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from model.recognition import Recognition
from storage.urls import parse_database_url
from switch.config_types import Name, Seconds, Section, Text

if TYPE_CHECKING:
    from switch.config import Config


class Source(Section, frozen=True):
    """A database that flows look things up in; nothing is ever written there."""

    name: Name
    url: Annotated[
        Text,
        Meta(description="sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER:PASSWORD@HOST/NAME; never logged."),
    ]


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
    prompts: Annotated[
        Text, Meta(description="Where the prompts go that are uploaded by API; relative to node.directory.")
    ] = "prompt-library"
    source: Annotated[tuple[Source, ...], Meta(max_length=20, description="Databases, [[ivr.source]] each.")] = ()


def check_sources(config: "Config", wrong: Callable[[list[str | int], str], Exception]) -> None:
    """Raises what `wrong` makes, which never tells a URL: a password may stand in it."""
    names = [source.name for source in config.ivr.source]
    for i, source in enumerate(config.ivr.source):
        if source.name in names[:i]:
            raise wrong(["ivr", "source", i], f'"{source.name}" is there twice')
        try:
            parse_database_url(source.url)
        except ValueError as error:
            told = "is no URL of a database" if source.url in str(error) else str(error)
            raise wrong(["ivr", "source", i, "url"], told) from None


def flow_names(config: "Config") -> frozenset[str]:
    """The flows that lie in the folder, good or not."""
    if not config.ivr.flows:
        return frozenset()
    return frozenset(path.stem for path in config.resolve(config.ivr.flows).glob("*.json"))


def recognition_problem(recognition: Recognition) -> tuple[list[str], str] | None:
    """(where, what is wrong) of what the types cannot say; None when all is right."""
    if recognition.provider != "off" and not recognition.url:
        return ["recognition", "url"], "is needed where there is a provider"
    is_secret = bool(recognition.token_file)
    is_near = recognition.url.partition("://")[2].startswith(("localhost", "127.0.0.1", "[::1]"))
    if is_secret and recognition.url.startswith("ws:") and not is_near:
        return ["recognition", "url"], "would send the token in the clear: wss://…"
    return None
