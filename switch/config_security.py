"""The sections of the configuration that keep strangers and stolen passwords from doing harm."""

from typing import Annotated

from msgspec import Meta

from switch.config_types import Seconds, Section, Text

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


class Security(Section, frozen=True):
    """Strangers on the SIP ports. Trunks and phones that proved their password are under none of these limits."""

    log: Annotated[
        Text,
        Meta(description="File of security events, for fail2ban; relative to node.directory; empty: none."),
    ] = "security.log"
    stranger_rate: Annotated[
        float, Meta(gt=0, le=100_000, description="Requests a second answered to one unproved source; beyond: 503.")
    ] = 20.0
    strangers_rate: Annotated[
        float, Meta(gt=0, le=1_000_000, description="The same for all unproved UDP sources together.")
    ] = 1000.0
    lock_after: Annotated[
        int, Meta(ge=1, le=1000, description="Wrong passwords of one source for one user that lock it out.")
    ] = 5
    lock_s: Annotated[
        Seconds, Meta(description="The first lock-out, s; each further wrong password doubles it, up to an hour.")
    ] = 15.0
    ban_after: Annotated[
        int,
        Meta(
            ge=2,
            le=100_000,
            description="Points that ban a source for a while: wrong password 1, unproved name 2; 6 a minute wane.",
        ),
    ] = 20
    ban_s: Annotated[
        Seconds,
        Meta(description="The first ban, s; each further one doubles it, up to a day; 0 = none."),
    ] = 300.0
    scanner_agents: Annotated[
        tuple[Text, ...],
        Meta(max_length=256, description="Parts of User-Agent or From by which scanners are known: banned at once."),
    ] = (
        "friendly-scanner",
        "friendly-request",
        "sipvicious",
        "sipcli",
        "sip-scan",
        "sipscan",
        "sipsak",
        "sundayddr",
        "sivus",
        "iwar",
        "gulp",
        "smap",
        "pplsip",
        "vaxsipuseragent",
        "siparmyknife",
        "sipbomber",
        "sipp-attack",
    )
    never_ban: Annotated[
        tuple[Text, ...],
        Meta(max_length=256, description='Never banned, as addresses and networks: "10.0.0.0/8".'),
    ] = ()
