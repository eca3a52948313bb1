"""Between a phone (baresip) and a trunk (SIPp), both ways: numbers, audio, record and recording as a customer's call
has them. And the end of the switch while a call is up."""

import os
import signal

from tests.live.audio import Wav, hears
from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.peers import (
    ACCESS_NUMBER,
    CALLEE_HZ,
    CALLER_HZ,
    USER,
    answering,
    talking,
    towards_switch,
    trunks,
)
from tests.live.sipp import receive, request, scenario, sdp, send
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import add_phone, wait_heard

_PHONE_HZ = 550.0


def _switch(bed: Bed) -> SwitchProcess:
    config = trunks()
    config["access_number"] = [{"number": ACCESS_NUMBER, "to": "1001"}]
    return bed.switch(**config, extension=[extension("1001", caller_id="13125550100")])


def test_a_customer_calls_the_access_number(bed: Bed) -> None:
    switch = _switch(bed)
    phone = add_phone(bed, "1001", _PHONE_HZ)
    capture = bed.capture(f"udp and src host {SWITCH}")
    customer = bed.sipp(1, talking(bed, milliseconds=3000), **towards_switch())
    assert USER in phone.wait_for("CALL_INCOMING")["peeruri"]
    phone.accept()
    wait_heard(phone, CALLER_HZ)
    customer.finished()
    phone.wait_for("CALL_CLOSED")

    ended = switch.control.wait_for("call.ended", direction="inbound", cause="NORMAL_CLEARING")
    record = switch.record_of(ended["call_id"])
    shown = {key: record[key] for key in ("caller", "dialed", "access_number", "extension", "trunk", "hangup_side")}
    assert shown == {
        "caller": USER,
        "dialed": ACCESS_NUMBER,
        "access_number": ACCESS_NUMBER,
        "extension": "1001",
        "trunk": "in",
        "hangup_side": "caller",
    }
    [to_customer] = [stream for stream in capture.rtp_to(peer_address(1)) if hears(stream.audio[-8000:], _PHONE_HZ)]
    assert to_customer.lost == to_customer.doubled == 0
    customer_side, our_side = Wav(switch.recording_file(ended["call_id"])).channels
    assert hears(customer_side, CALLER_HZ) and hears(our_side, _PHONE_HZ), "customer left, we right"


def test_a_phone_calls_out(bed: Bed) -> None:
    switch = _switch(bed)
    phone = add_phone(bed, "1001", _PHONE_HZ)
    capture = bed.capture()
    carrier = bed.sipp(2, answering(bed))
    phone.dial(f"sip:90001@{SWITCH}")
    phone.wait_for("CALL_ESTABLISHED")
    wait_heard(phone, CALLEE_HZ)
    phone.hang_up()
    carrier.finished()
    carrier_saw = carrier.messages
    ended = switch.control.wait_for("call.ended", direction="outbound")
    record = switch.record_of(ended["call_id"])
    assert (record["caller"], record["dialed"], record["trunk"], record["route"]) == (
        "1001",
        "90001",
        "out-1",
        "outside",
    )
    assert "INVITE sip:90001@" in carrier_saw and "13125550100" in carrier_saw, "the extension's caller id"
    assert any(hears(stream.audio, _PHONE_HZ) for stream in capture.rtp_to(peer_address(2)))
    customer_side, our_side = Wav(switch.recording_file(ended["call_id"])).channels
    assert hears(customer_side, CALLEE_HZ) and hears(our_side, _PHONE_HZ), "customer left, we right"


def test_sigterm_lets_live_calls_end_and_takes_no_new_ones(bed: Bed) -> None:
    switch = bed.switch(**trunks(), node={"drain_s": 60})
    callee = bed.sipp(2, answering(bed))
    caller = bed.sipp(1, talking(bed, milliseconds=4000), **towards_switch())
    call = switch.control.wait_for("call.connected")
    os.kill(switch.pid, signal.SIGTERM)
    switch.control.wait_for("system.draining")
    refused = scenario(
        "refused",
        send(request("INVITE", user=USER, cseq=1, in_dialog=False), sdp(), retransmit=True),
        receive(100, optional=True),
        receive(503),
        send(request("ACK", user=USER, cseq=1, in_dialog=False, back_to_invite=3)),
    )
    late = bed.sipp(1, refused, port=5062, **towards_switch())
    late.finished()
    assert [view["call_id"] for view in switch.control.call("call.list")["calls"]] == [call["call_id"]]
    caller.finished()
    callee.finished()
    assert switch.wait_for_end() == 0
