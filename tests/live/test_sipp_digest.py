"""Digest with SIPp as a phone: registering, calling, wrong passwords, strangers. MD5 is what SIPp 3.6 can do."""

import pytest

from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.peers import answering, hanging_up, trunks
from tests.live.sipp import pause, receive, request, scenario, sdp, send
from tests.live.switch_process import PASSWORD, extension

_TO_SELF = f"REGISTER sip:{SWITCH} SIP/2.0"


def _config() -> dict[str, object]:
    return {
        **trunks(),
        "extension": [extension("1001"), extension("1002")],
        "trunk": trunks()["trunk"][1:],  # type: ignore[index]
        "access_number": [],
    }


def _authentication(user: str, password: str) -> str:
    return f"[authentication username={user} password={password}]"


def _dialing(**options: object) -> dict[str, object]:
    # SIPp leaves the user out of the digest uri unless told (and puts sip: before it); the switch wants the Request-URI
    # there (RFC 7616 §3.4.6).
    auth_uri = ("-auth_uri", f"90001@{SWITCH}:5060")
    return {"remote": f"{SWITCH}:5060", "service": "90001", "options": auth_uri, **options}


def test_a_phone_calls_with_its_password(bed: Bed) -> None:
    switch = bed.switch(**_config())
    callee = bed.sipp(2, answering(bed))
    first = request("INVITE", user="1001", cseq=1, in_dialog=False)
    second = request("INVITE", user="1001", cseq=2, in_dialog=False, extra=_authentication("1001", PASSWORD))
    calling = scenario(
        "calls with digest",
        send(first, sdp(), retransmit=True),
        receive(401, attributes='auth="true"'),
        send(request("ACK", user="1001", cseq=1, in_dialog=False, back_to_invite=2)),
        send(second, sdp(), retransmit=True),
        receive(100, optional=True),
        receive(180, optional=True),
        receive(200, attributes='rrs="true"'),
        send(request("ACK", user="1001", cseq=2)),
        pause(500),
        *hanging_up(user="1001", cseq=3),
    )
    caller = bed.sipp(1, calling, **_dialing())
    caller.finished()
    callee.finished()
    record = switch.record_of(switch.control.wait_for("call.ended")["call_id"])
    assert (record["direction"], record["caller"], record["extension"]) == ("outbound", "1001", "1001")


@pytest.mark.parametrize(
    ("user", "password"),
    [("1001", "wrong"), ("4711", PASSWORD)],
    ids=["wrong password", "unknown user"],
)
def test_wrong_credentials_learn_nothing_and_call_nobody(bed: Bed, user: str, password: str) -> None:
    switch = bed.switch(**_config())
    second = request("INVITE", user=user, cseq=2, in_dialog=False, extra=_authentication(user, password))
    trying = scenario(
        "tries",
        send(request("INVITE", user=user, cseq=1, in_dialog=False), sdp(), retransmit=True),
        receive(401, attributes='auth="true"'),
        send(request("ACK", user=user, cseq=1, in_dialog=False, back_to_invite=2)),
        send(second, sdp(), retransmit=True),
        receive(100, optional=True),
        receive(401, attributes='auth="true"'),
        send(request("ACK", user=user, cseq=2, in_dialog=False, back_to_invite=3)),
    )
    caller = bed.sipp(1, trying, **_dialing())
    caller.finished()
    assert switch.control.call("system.status")["calls_total"] == 0


def test_registering_is_challenged_and_shown(bed: Bed) -> None:
    switch = bed.switch(**_config())

    def register(cseq: int, extra: str = "") -> str:
        text = request("REGISTER", user="1001", cseq=cseq, in_dialog=False, extra=extra)
        _, _, rest = text.partition("\n")
        return f"{_TO_SELF}\n{rest}".replace("[service]", "1001")

    proof = _authentication("1001", PASSWORD)
    registering = scenario(
        "registers",
        send(register(1, "Expires: 300"), retransmit=True),
        receive(401, attributes='auth="true"'),
        send(register(2, f"Expires: 300\n{proof}"), retransmit=True),
        receive(200),
        pause(200),
        send(register(3, f"Expires: 0\n{proof}"), retransmit=True),
        receive(200),
    )
    phone = bed.sipp(1, registering, **_dialing(options=("-auth_uri", SWITCH)))
    added = switch.control.wait_for("registration.added", extension="1001")
    assert peer_address(1) in added["address"] and 0 < added["expires_s"] < 301
    phone.finished()
    switch.control.wait_for("registration.removed", extension="1001")
    assert switch.control.call("registration.list")["registrations"] == []
