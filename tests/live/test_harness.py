"""The bed itself, without the switch: SIPp calls SIPp, baresip calls SIPp, audio and digits are seen on the wire and
heard by the phone. When these fail, the others say nothing about the switch."""

import numpy as np

from tests.live.audio import decode_alaw, decode_ulaw, encode_ulaw, hears, tone, tone_share
from tests.live.conftest import Bed
from tests.live.netns import peer_address
from tests.live.processes import wait_until
from tests.live.sipp import pause, play, receive, request, response, scenario, sdp, send


def _answering(bed: Bed, hz: float) -> str:
    return scenario(
        "answers",
        receive("INVITE"),
        send(response(180, "Ringing")),
        send(response(200, "OK"), sdp(), retransmit=True),
        receive("ACK"),
        play(bed.folder, hz),
        receive("BYE"),
        send(response(200, "OK", to_tag=False)),
    )


def test_sipp_calls_sipp(bed: Bed) -> None:
    capture = bed.capture()
    callee = bed.sipp(2, _answering(bed, 700), calls=3)
    calling = scenario(
        "calls",
        send(request("INVITE", user="a", cseq=1, in_dialog=False), sdp(), retransmit=True),
        receive(100, optional=True),
        receive(180, optional=True),
        receive(200, attributes='rrs="true"'),
        send(request("ACK", user="a", cseq=1)),
        play(bed.folder, 440),
        pause(1000),
        send(request("BYE", user="a", cseq=2), retransmit=True),
        receive(200),
    )
    caller = bed.sipp(1, calling, remote=f"{peer_address(2)}:5060", calls=3, rate=10)
    caller.finished()
    callee.finished()
    for host, hz in ((peer_address(1), 700), (peer_address(2), 440)):
        streams = capture.rtp_to(host)
        assert len(streams) == 3
        for stream in streams:
            assert stream.lost == stream.doubled == 0
            assert len(stream.packets) > 10 and hears(stream.audio, hz)
    assert capture.sip_repeated_by(peer_address(2)) == []


def test_baresip_calls_sipp(bed: Bed) -> None:
    capture = bed.capture()
    callee = bed.sipp(1, _answering(bed, 700))
    phone = bed.phone("1001", domain=peer_address(1), account=";regint=0", hz=500)
    phone.dial(f"sip:service@{peer_address(1)}")
    phone.wait_for("CALL_ESTABLISHED")
    phone.send_digits("159#")
    wait_until(lambda: bool(phone.heard()) and phone.heard()[0].seconds > 2.5, "the phone to hear")
    phone.hang_up()
    phone.wait_for("CALL_CLOSED")
    callee.finished()
    [to_phone], [to_callee] = capture.rtp_to(phone.address), capture.rtp_to(peer_address(1))
    assert hears(to_phone.audio, 700) and hears(to_callee.audio, 500)
    assert to_callee.digits() == "159#"
    assert to_callee.source[0] == phone.address, "RTP comes from the phone's own address"
    assert hears(phone.heard()[0].channels[0], 700)


def test_audio_helpers_agree_with_g711() -> None:
    # ITU-T G.711: the extreme codes of both laws, and every code of µ-law survives a round trip.
    assert np.allclose(decode_ulaw(b"\x00\x80\xff\x7f") * 32768, [-32124, 32124, 0, 0])
    assert np.allclose(decode_alaw(b"\x2a\xaa\xd5\x55") * 32768, [-32256, 32256, 8, -8])
    codes = bytes(code for code in range(256) if code not in (0x7F, 0xFF))  # the two zeros
    assert encode_ulaw(decode_ulaw(codes)) == codes
    assert hears(decode_ulaw(encode_ulaw(tone(440, 1))), 440)
    assert tone_share(tone(440, 1), 700) < 0.01 and tone_share(np.zeros(8000), 440) == 0
