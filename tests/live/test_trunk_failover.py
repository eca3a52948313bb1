"""Trunks found by SRV records of a real name server (dnsmasq), one of them dead or overloaded: the call is up on the
other one, with audio both ways. Peers are SIPp; the dead one is a socket that nobody reads.

How long that takes is measured by benchmarks/signalling.py; the rules are in tests/scenarios/test_trunk_failover.py and
test_trunk_qualification.py."""

import socket
from collections.abc import Iterator

import pytest

from tests.live.conftest import Bed
from tests.live.netns import peer_address
from tests.live.peers import ACCESS_NUMBER, answering, refusing, talking, towards_switch
from tests.live.processes import wait_until
from tests.live.switch_process import SwitchProcess

_DEAD, _GOOD, _BUSY = 4, 2, 3
"""Which peers these are."""


@pytest.fixture
def black_hole(bed: Bed) -> Iterator[socket.socket]:
    """Takes everything that is sent to the dead peer, and says nothing."""
    with bed.network.socket(kind=socket.SOCK_DGRAM) as sock:
        sock.bind((peer_address(_DEAD), 5060))
        yield sock


def _switch(bed: Bed, first: list[int], second: list[int], **options: object) -> SwitchProcess:
    """Two trunks by name, whose SRV records lead to these peers in this order."""
    names = {"first.example": first, "second.example": second}
    bed.name_server(
        {
            domain: [(10 * n, peer_address(peer), 5060) for n, peer in enumerate(peers, 1)]
            for domain, peers in names.items()
        }
    )
    incoming = {"name": "in", "host": peer_address(1), "port": 5060}
    switch = bed.switch(
        trunk=[
            incoming,
            {"name": "first", "host": "first.example", **options},
            {"name": "second", "host": "second.example"},
        ],
        access_number=[{"number": ACCESS_NUMBER, "to": "90001"}],
        route=[{"name": "outside", "pattern": "9", "trunks": ["first", "second"]}],
    )
    wait_until(
        lambda: all(trunk["addresses"] for trunk in switch.control.call("trunk.list")["trunks"]),
        "both names to resolve",
    )
    return switch


def _call(bed: Bed, switch: SwitchProcess) -> list[tuple[str, str, int]]:
    """A call that must succeed: (trunk, address, SIP status) of each way it took."""
    callee = bed.sipp(_GOOD, answering(bed))
    caller = bed.sipp(1, talking(bed, milliseconds=1500), **towards_switch())
    caller.finished()
    callee.finished()
    record = switch.record_of(switch.control.wait_for("call.ended", cause="NORMAL_CLEARING")["call_id"])
    assert record["talk_s"] > 1.0
    assert all(leg["packets_received"] > 0 for leg in record["legs"] if leg["sip_status"] == 200)
    return [
        (leg["name"], leg["remote_address"], leg["sip_status"]) for leg in record["legs"] if leg["direction"] == "out"
    ]


def test_a_trunk_that_is_dead_is_left_for_the_next(bed: Bed, black_hole: socket.socket) -> None:
    switch = _switch(bed, [_DEAD], [_GOOD])
    assert _call(bed, switch) == [
        ("first", f"{peer_address(_DEAD)}:5060", 408),
        ("second", f"{peer_address(_GOOD)}:5060", 200),
    ]
    assert black_hole.recv(65536).startswith(b"INVITE sip:90001@first.example")


def test_a_trunk_that_is_overloaded_is_left_for_the_next(bed: Bed) -> None:
    switch = _switch(bed, [_BUSY], [_GOOD])
    busy = bed.sipp(_BUSY, refusing(503, "Service Unavailable"))
    assert [(trunk, status) for trunk, _, status in _call(bed, switch)] == [("first", 503), ("second", 200)]
    busy.finished()


def test_the_next_srv_record_of_the_same_trunk_is_tried_first(bed: Bed, black_hole: socket.socket) -> None:
    switch = _switch(bed, [_DEAD, _GOOD], [_BUSY])
    assert _call(bed, switch) == [
        ("first", f"{peer_address(_DEAD)}:5060", 408),
        ("first", f"{peer_address(_GOOD)}:5060", 200),
    ]


def test_a_trunk_that_answers_no_options_is_not_tried_at_all(bed: Bed, black_hole: socket.socket) -> None:
    options = {"qualify_s": 1.0, "qualify_timeout_s": 0.5, "qualify_down_after": 2}
    switch = _switch(bed, [_DEAD], [_GOOD], **options)
    wait_until(
        lambda: switch.control.call("system.status")["trunks"] == {"in": "up", "first": "down", "second": "up"},
        "the dead trunk to be known as down",
    )
    assert _call(bed, switch) == [("second", f"{peer_address(_GOOD)}:5060", 200)]
    assert black_hole.recv(65536).startswith(b"OPTIONS sip:first.example")
