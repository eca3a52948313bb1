"""The configuration of NAT, of ours and of the phones'."""

import ipaddress
from typing import Annotated

from msgspec import Meta

from switch.config_types import Seconds, Section, Text


class Nat(Section, frozen=True):
    """Address translation: our own, and that which phones are behind."""

    external_address: Annotated[
        Text,
        Meta(
            description="Our address as the outside sees it, when a router translates it (same ports); SIP and SDP to "
            "peers outside `local_networks` name it, those inside get the address of the listener. Empty: no NAT."
        ),
    ] = ""
    local_networks: Annotated[
        tuple[Text, ...], Meta(max_length=256, description="Networks that reach us without translation.")
    ] = (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
    keep_alive_s: Annotated[
        Seconds,
        Meta(description="So often a phone behind NAT is asked by OPTIONS: its router keeps the way open; 0: no."),
    ] = 25.0


def nat_problem(nat: Nat) -> tuple[list[str], str] | None:
    """(where, what is wrong); None when all is right."""
    if nat.external_address:
        try:
            ipaddress.ip_address(nat.external_address)
        except ValueError:
            return ["nat", "external_address"], f'"{nat.external_address}" is no IP address'
    for text in nat.local_networks:
        try:
            ipaddress.ip_network(text)
        except ValueError:
            return ["nat", "local_networks"], f'"{text}" is no network, e.g. "192.168.0.0/16"'
    return None
