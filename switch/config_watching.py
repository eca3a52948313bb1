"""The configuration of subscriptions (message lamps, busy lamps, presence) and of instant messages."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import Section, Text


class Subscriptions(Section, frozen=True):
    """Who may watch whom: busy lamps (BLF), presence, message lamps (MWI)."""

    watched_by: Annotated[
        tuple[Text, ...],
        Meta(
            max_length=64,
            description='Extensions whose phones may see the calls and presence of others: numbers, "10*" for all that '
            'begin so, "*" for all. Extensions can say otherwise for themselves.',
        ),
    ] = ("*",)
    shows_numbers: Annotated[
        bool, Meta(description="Watchers see with whom a watched phone talks, not only that it does.")
    ] = True
    may_pick_up: Annotated[
        bool, Meta(description="Watchers are told what they need to take over a call that rings (Replaces).")
    ] = True
    min_expires_s: Annotated[int, Meta(ge=1, le=3600, description="Shortest subscription granted, s (else 423).")] = 60
    max_expires_s: Annotated[int, Meta(ge=60, le=86400, description="Longest subscription granted, s.")] = 3600
    max_per_watcher: Annotated[int, Meta(ge=1, le=10_000, description="Subscriptions of one extension's phones.")] = 500
    max_per_resource: Annotated[int, Meta(ge=1, le=10_000, description="Watchers of one extension.")] = 500
    max_total: Annotated[int, Meta(ge=1, le=1_000_000, description="Subscriptions in all; beyond it 503.")] = 50_000


class Messages(Section, frozen=True):
    """Instant messages between phones (SIP MESSAGE)."""

    enabled: Annotated[bool, Meta(description="Pass them on between registered extensions; else 403.")] = True
    max_bytes: Annotated[int, Meta(ge=1, le=65536, description="Longest body (else 413).")] = 8192
