"""The SIPp scenarios that several tests share: a caller that talks for a while, a callee that answers."""

from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.sipp import pause, play, receive, request, response, scenario, sdp, send

CALLER_HZ = 440.0
CALLEE_HZ = 700.0
ACCESS_NUMBER = "5550100"
USER = "12025550123"
"""Number of the caller behind the incoming trunk."""


def trunks(transport: str = "udp", *, n_out: int = 1) -> dict[str, object]:
    """Configuration: SIPp 1 is the trunk `in`, SIPp 2 (and on) are the trunks `out-1` …; what comes in for the access
    number goes out again by them in order."""
    out = [
        {"name": f"out-{n}", "host": peer_address(n + 1), "port": 5060, "transport": transport}
        for n in range(1, n_out + 1)
    ]
    incoming = {"name": "in", "host": peer_address(1), "port": 5060, "transport": transport}
    return {
        "trunk": [{**incoming, "from_addresses": [peer_address(1)]}, *out],
        "access_number": [{"number": ACCESS_NUMBER, "to": "90001"}],
        "route": [{"name": "outside", "pattern": "9", "trunks": [one["name"] for one in out]}],
    }


def towards_switch(**options: object) -> dict[str, object]:
    """Options of a SIPp that calls the access number."""
    return {"remote": f"{SWITCH}:5060", "service": ACCESS_NUMBER, **options}


def talking(bed: Bed, *, milliseconds: int = 1500, user: str = USER) -> str:
    """Calls, talks in its tone, hangs up."""
    return scenario(
        "caller",
        *inviting(user),
        play(bed.folder, CALLER_HZ),
        pause(milliseconds),
        *hanging_up(user),
    )


def inviting(user: str = USER) -> tuple[str, ...]:
    """Up to the ACK."""
    return (
        send(request("INVITE", user=user, cseq=1, in_dialog=False), sdp(), retransmit=True),
        receive(100, optional=True),
        receive(180, optional=True),
        receive(183, optional=True),
        receive(200, attributes='rrs="true"'),
        send(request("ACK", user=user, cseq=1)),
    )


def hanging_up(user: str = USER, cseq: int = 2) -> tuple[str, ...]:
    return (send(request("BYE", user=user, cseq=cseq), retransmit=True), receive(200))


def answering(bed: Bed, *pieces: str) -> str:
    """Rings, answers, talks in its tone; then `pieces`; then takes the BYE."""
    return scenario(
        "callee",
        receive("INVITE"),
        send(response(180, "Ringing")),
        send(response(200, "OK"), sdp(), retransmit=True),
        receive("ACK"),
        play(bed.folder, CALLEE_HZ),
        *pieces,
        *hung_up(),
    )


def hung_up() -> tuple[str, ...]:
    return (receive("BYE"), send(response(200, "OK", to_tag=False)))


def refusing(status: int, reason: str) -> str:
    return scenario("refuses", receive("INVITE"), send(response(status, reason), retransmit=True), receive("ACK"))
