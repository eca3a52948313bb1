"""SIPp → switch → SIPp, one call at a time: UDP and TCP, refusals, CANCEL, hold by re-INVITE, failover; RTP both ways.

Not here: many calls (test_sipp_load), digest (test_sipp_digest), real phones (test_phones…).
"""

import pytest

from tests.live.audio import Wav, hears, power_db, tone_share
from tests.live.capture import Capture
from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.peers import (
    ACCESS_NUMBER,
    CALLEE_HZ,
    CALLER_HZ,
    USER,
    answering,
    hanging_up,
    inviting,
    refusing,
    talking,
    towards_switch,
    trunks,
)
from tests.live.sipp import pause, play, receive, request, response, scenario, sdp, send


def _heard_right(capture: Capture, *, n: int = 1) -> None:
    """Everybody heard the other and nobody else, in one unbroken stream each, from the switch."""
    for host, hz in ((peer_address(1), CALLEE_HZ), (peer_address(2), CALLER_HZ)):
        streams = capture.rtp_to(host)
        assert len(streams) == n, f"{len(streams)} streams to {host}"
        for stream in streams:
            assert stream.source[0] == SWITCH
            assert stream.lost == stream.doubled == 0
            assert len(stream.packets) > 20 and hears(stream.audio, hz), tone_share(stream.audio, hz)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_with_audio_record_and_recording(bed: Bed, transport: str) -> None:
    switch = bed.switch(**trunks(transport))
    mode = {"udp": "u1", "tcp": "t1"}[transport]
    capture = bed.capture()
    callee = bed.sipp(2, answering(bed), transport=mode)
    caller = bed.sipp(1, talking(bed, milliseconds=2500), **towards_switch(transport=mode))
    caller.finished()
    callee.finished()
    ended = switch.control.wait_for("call.ended")
    record = switch.record_of(ended["call_id"])
    _heard_right(capture)
    assert capture.sip_repeated_by(SWITCH) == []

    assert (record["direction"], record["caller"], record["dialed"]) == ("inbound", USER, ACCESS_NUMBER)
    assert record["hangup_cause"] == "NORMAL_CLEARING" and record["hangup_side"] == "caller"
    assert record["talk_s"] > 1.5 and record["bridged_utc"] >= record["answered_utc"] > record["created_utc"]
    assert [(leg["direction"], leg["name"], leg["sip_status"]) for leg in record["legs"]] == [
        ("in", "in", 200),
        ("out", "out-1", 200),
    ]
    wav = Wav(switch.recording_file(ended["call_id"]))
    assert len(wav.channels) == 2 and wav.rate == 8000
    assert wav.seconds > 1.5
    assert {hears(wav.channels[0], CALLER_HZ), hears(wav.channels[1], CALLEE_HZ)} == {True}


@pytest.mark.parametrize(
    ("status", "reason", "cause"),
    [
        (486, "Busy Here", "USER_BUSY"),
        (404, "Not Found", "UNALLOCATED_NUMBER"),
        (603, "Decline", "CALL_REJECTED"),
        (488, "Not Acceptable Here", "INCOMPATIBLE_DESTINATION"),
    ],
)
def test_a_refusal_reaches_the_caller(bed: Bed, status: int, reason: str, cause: str) -> None:
    switch = bed.switch(**trunks())
    callee = bed.sipp(2, refusing(status, reason))
    calling = scenario(
        "refused",
        send(request("INVITE", user=USER, cseq=1, in_dialog=False), sdp(), retransmit=True),
        receive(100, optional=True),
        receive(status),
        send(request("ACK", user=USER, cseq=1, in_dialog=False, back_to_invite=3)),
    )
    caller = bed.sipp(1, calling, **towards_switch())
    caller.finished()
    callee.finished()
    record = switch.record_of(switch.control.wait_for("call.ended", cause=cause)["call_id"])
    assert record["hangup_cause"] == cause and record["answered_utc"] == 0


def test_cancel_while_ringing(bed: Bed) -> None:
    switch = bed.switch(**trunks())
    ringing = scenario(
        "rings until cancelled",
        receive("INVITE", action='<ereg regexp=".*" search_in="hdr" header="Via:" assign_to="1"/>'),
        '  <Reference variables="1"/>',
        send(response(180, "Ringing")),
        receive("CANCEL"),
        send(response(200, "OK", to_tag=False)),
        send(
            "SIP/2.0 487 Request Terminated\nVia:[$1]\n[last_From:]\n[last_To:];tag=[pid]s[call_number]\n"
            "[last_Call-ID:]\nCSeq: 1 INVITE",
            retransmit=True,
        ),
        receive("ACK"),
    )
    cancelling = scenario(
        "cancels",
        send(request("INVITE", user=USER, cseq=1, in_dialog=False), sdp(), retransmit=True),
        receive(100, optional=True),
        receive(180),
        pause(300),
        send(request("CANCEL", user=USER, cseq=1, in_dialog=False, back_to_invite=4), retransmit=True),
        receive(200),
        receive(487),
        send(request("ACK", user=USER, cseq=1, in_dialog=False, back_to_invite=7)),
    )
    callee = bed.sipp(2, ringing)
    caller = bed.sipp(1, cancelling, **towards_switch())
    caller.finished()
    ended = switch.control.wait_for("call.ended")
    assert ended["cause"] == "ORIGINATOR_CANCEL" and ended["talk_s"] == 0
    callee.finished()
    assert switch.record_of(ended["call_id"])["hangup_side"] == "caller"


def test_hold_and_resume_by_reinvite(bed: Bed) -> None:
    switch = bed.switch(**trunks())
    capture = bed.capture()
    callee = bed.sipp(2, answering(bed))

    def offer(direction: str, cseq: int) -> tuple[str, ...]:
        return (
            send(request("INVITE", user=USER, cseq=cseq), sdp(direction, version=cseq), retransmit=True),
            receive(100, optional=True),
            receive(200),
            send(request("ACK", user=USER, cseq=cseq)),
        )

    holding = scenario(
        "holds and resumes",
        *inviting(),
        play(bed.folder, CALLER_HZ),
        pause(1500),
        *offer("sendonly", 2),
        pause(2000),
        *offer("sendrecv", 3),
        pause(1500),
        *hanging_up(cseq=4),
    )
    caller = bed.sipp(1, holding, **towards_switch())
    caller.finished()
    callee.finished()
    held, resumed = switch.control.wait_for("call.held"), switch.control.wait_for("call.resumed")
    assert held["leg_id"] == resumed["leg_id"] and held["seq"] < resumed["seq"]
    record = switch.record_of(held["call_id"])
    assert record["hold_s"] > 1
    assert "hold" in {segment["purpose"] for segment in record["segments"]}

    [to_callee] = capture.rtp_to(peer_address(2))
    assert to_callee.lost == 0, "one stream through hold and resume"
    talk, music, again = _thirds(capture, peer_address(2))
    assert hears(talk, CALLER_HZ) and hears(again, CALLER_HZ)
    assert not hears(music, CALLER_HZ) and power_db(music) > -60, "music on hold"


def _thirds(capture: Capture, host: str) -> tuple[object, ...]:
    """What `host` heard while talking, in the middle of the hold, and after it (talk 1.5 s, hold 2 s, talk 1.5 s)."""
    [stream] = capture.rtp_to(host)
    audio = stream.audio
    n = len(audio)
    return audio[: n // 5], audio[2 * n // 5 : 3 * n // 5], audio[-n // 6 :]


@pytest.mark.parametrize("first", ["answers 503", "is not there"])
def test_the_next_trunk_is_tried(bed: Bed, first: str) -> None:
    switch = bed.switch(**trunks(n_out=2))
    if first == "answers 503":
        bed.sipp(2, refusing(503, "Service Unavailable"))
    capture = bed.capture()
    callee = bed.sipp(3, answering(bed))
    caller = bed.sipp(1, talking(bed), **towards_switch())
    caller.finished()
    callee.finished()
    record = switch.record_of(switch.control.wait_for("call.ended")["call_id"])
    assert [leg["name"] for leg in record["legs"]] == ["in", "out-1", "out-2"]
    assert record["hangup_cause"] == "NORMAL_CLEARING" and record["talk_s"] > 0
    assert hears(capture.rtp_to(peer_address(3))[0].audio, CALLER_HZ)


def test_callee_hangs_up_first(bed: Bed) -> None:
    switch = bed.switch(**trunks())
    leaving = scenario(
        "hangs up",
        receive("INVITE"),
        send(response(200, "OK"), sdp(), retransmit=True),
        receive(
            "ACK",
            action='<ereg regexp=".*" search_in="hdr" header="From:" assign_to="1"/>'
            '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="2"/>'
            '<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" check_it="false" assign_to="3"/>',
        ),
        '  <Reference variables="3"/>',
        pause(700),
        send(
            f"BYE sip:{SWITCH}:5060 SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
            "From:[$2]\nTo:[$1]\nCall-ID: [call_id]\nCSeq: 1 BYE\nMax-Forwards: 70",
            retransmit=True,
        ),
        receive(200),
    )
    callee = bed.sipp(2, leaving)
    waiting = scenario("waits", *inviting(), receive("BYE"), send(response(200, "OK", to_tag=False)))
    caller = bed.sipp(1, waiting, **towards_switch())
    caller.finished()
    callee.finished()
    record = switch.record_of(switch.control.wait_for("call.ended")["call_id"])
    assert record["hangup_cause"] == "NORMAL_CLEARING" and record["hangup_side"] in ("remote", "agent")


def test_legs_with_different_codecs(bed: Bed) -> None:
    bed.switch(**trunks())
    capture = bed.capture()
    callee_xml = scenario(
        "speaks A-law",
        receive("INVITE"),
        send(response(200, "OK"), sdp(payloads="8 101"), retransmit=True),
        receive("ACK"),
        play(bed.folder, CALLEE_HZ, payload_type=8),
        receive("BYE"),
        send(response(200, "OK", to_tag=False)),
    )
    callee = bed.sipp(2, callee_xml)
    caller_xml = scenario(
        "speaks mu-law",
        send(request("INVITE", user=USER, cseq=1, in_dialog=False), sdp(payloads="0 101"), retransmit=True),
        receive(100, optional=True),
        receive(180, optional=True),
        receive(200, attributes='rrs="true"'),
        send(request("ACK", user=USER, cseq=1)),
        play(bed.folder, CALLER_HZ),
        pause(1500),
        *hanging_up(),
    )
    caller = bed.sipp(1, caller_xml, **towards_switch())
    caller.finished()
    callee.finished()
    _heard_right(capture)
    assert {packet[2] for packet in capture.rtp_to(peer_address(1))[0].packets} == {0}
    assert {packet[2] for packet in capture.rtp_to(peer_address(2))[0].packets} == {8}


def test_an_invite_without_an_offer(bed: Bed) -> None:
    bed.switch(**trunks())
    capture = bed.capture()
    callee = bed.sipp(2, answering(bed))
    late = scenario(
        "offers late",
        send(request("INVITE", user=USER, cseq=1, in_dialog=False), retransmit=True),
        receive(100, optional=True),
        receive(180, optional=True),
        receive(200, attributes='rrs="true"'),
        send(request("ACK", user=USER, cseq=1), sdp()),
        play(bed.folder, CALLER_HZ),
        pause(1500),
        *hanging_up(),
    )
    caller = bed.sipp(1, late, **towards_switch())
    caller.finished()
    callee.finished()
    _heard_right(capture)


def test_early_media_is_heard_before_the_answer(bed: Bed) -> None:
    bed.switch(**trunks())
    capture = bed.capture()
    announcing = scenario(
        "announces, then is busy",
        receive("INVITE"),
        send(response(183, "Session Progress"), sdp()),
        play(bed.folder, CALLEE_HZ),
        pause(1500),
        send(response(486, "Busy Here"), retransmit=True),
        receive("ACK"),
    )
    callee = bed.sipp(2, announcing)
    hearing = scenario(
        "hears early media",
        send(request("INVITE", user=USER, cseq=1, in_dialog=False), sdp(), retransmit=True),
        receive(100, optional=True),
        receive(183),
        receive(486),
        send(request("ACK", user=USER, cseq=1, in_dialog=False, back_to_invite=4)),
    )
    caller = bed.sipp(1, hearing, **towards_switch())
    caller.finished()
    callee.finished()
    [stream] = capture.rtp_to(peer_address(1))
    assert len(stream.packets) > 20 and hears(stream.audio, CALLEE_HZ)
