"""The configuration of who is a VIP: a list of our own, or somebody else's answer (ACD-10…12)."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from switch.config_types import Section, Text


class Vip(Section, frozen=True):
    """Exactly one way counts: the list kept here, or a customer system that is asked for each caller."""

    method: Annotated[
        Literal["list", "http"],
        Meta(description="list: `caller_list.add`; http: url is asked, and the call waits as any other meanwhile."),
    ] = "list"
    url: Annotated[
        Text,
        Meta(
            description="Asked by GET; {caller}, {called} and {queue} in it are replaced. The answer is JSON: true, or "
            "an object whose field is."
        ),
    ] = ""
    field: Annotated[Text, Meta(description='Name of the field in the answer, "a.b" for one within another.')] = "vip"
    authorization: Annotated[Text, Meta(description="Value of the Authorization header; empty: none.")] = ""
    timeout_s: Annotated[float, Meta(ge=0.1, le=30.0, description="An answer that takes longer is none.")] = 2.0


def vip_problem(vip: Vip) -> tuple[list[str], str] | None:
    """(where, what is wrong); None when all is right."""
    if vip.method != "http":
        return None
    parts = urlsplit(vip.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return ["vip", "url"], "must begin with http:// or https:// and a host, for method http"
    if "{caller}" not in vip.url:
        return ["vip", "url"], "must contain {caller}: who is it about?"
    return None
