"""The sections of the configuration that keep strangers and stolen passwords from doing harm."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import Section

Prefix = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{0,14}$")]
Host = Annotated[str, Meta(pattern=r"^[a-z0-9.:-]{1,253}$")]
Limit = Annotated[int, Meta(ge=0, le=1_000_000)]
OutboundLimit = Annotated[
    int, Meta(ge=0, le=1_000_000, description="As the key of that name in [outbound], for this one; 0: as there.")
]


class Outbound(Section, frozen=True):
    """What calls by trunk may cost (toll fraud); the extension that dials, forwards or transfers pays for them."""

    max_calls: Annotated[
        Limit, Meta(description="Calls by trunk that one extension may have at one time; 0 = no limit.")
    ] = 10
    max_calls_per_day: Annotated[
        Limit, Meta(description="Calls by trunk of one extension within 24 hours; 0 = no limit.")
    ] = 1000
    max_minutes_per_day: Annotated[
        Limit, Meta(description="Minutes of one extension's calls by trunk within 24 hours; 0 = no limit.")
    ] = 1440
    may_call_international: Annotated[
        bool, Meta(description="Calls that no extension pays for (API, access numbers) may go to foreign countries.")
    ] = False
    international_prefixes: Annotated[
        tuple[Prefix, ...],
        Meta(description='Foreign numbers that may be called by who may call abroad, "+44"; empty: all but closed.'),
    ] = ()
    may_call_premium: Annotated[bool, Meta(description="Premium-rate numbers may be called.")] = False
    sip_uri_hosts: Annotated[
        tuple[Host, ...],
        Meta(
            description='Hosts whose SIP URIs `call.originate` may call, "sip.example.com", "192.0.2.7" or, with all '
            'below it, ".example.com"; empty: none.'
        ),
    ] = ()
    closed_prefixes: Annotated[
        tuple[Prefix, ...],
        Meta(description="Numbers nobody may call: satellite, global and premium services, favourites of fraud."),
    ] = ("+870", "+878", "+881", "+882", "+883", "+888", "+979")
