"""Callers whom a list names: VIPs, who wait before others (ACD-10), those who have an agent of their own (ACD-17), and
those who are not wanted (BLK-01).
"""

from typing import Annotated, Literal

from msgspec import Meta

from model.settings import Section, Text

ListName = Literal["vip", "dedicated", "blacklist"]
LISTS: tuple[ListName, ...] = ("vip", "dedicated", "blacklist")
ANONYMOUS = "anonymous"
"""In the place of a number: callers who show none."""
Listed = Annotated[
    str,
    Meta(
        pattern=r"^(anonymous|\+?[0-9]{2,20}\*?)$",
        description='A number; "1380000*": all that begin so; "anonymous": who shows none.',
    ),
]


class ListedCaller(Section, frozen=True):
    """One entry of a list."""

    list: ListName
    number: Listed
    of: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
        Meta(
            max_length=200,
            description="Queues, or access numbers (blacklist), that it holds for; empty: all.",
        ),
    ] = ()
    agent_id: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,32}$", description="Of dedicated: the customer's own agent.")
    ] = ""
    reason: Text = ""
    expires_utc: Annotated[float, Meta(ge=0.0, le=32503680000.0, description="From then on it is none; 0: never.")] = (
        0.0
    )
