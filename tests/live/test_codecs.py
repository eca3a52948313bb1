"""Real peers beyond G.711 in 20 ms: baresip with G.722 and Opus, to its like and to G.711, a codec that only passes
through, and SIPp with packets of 10 and 30 ms.

Not here: how it sounds (benchmarks/media_quality), what is negotiated (tests/sip/test_offer_answer_codecs.py).
"""

import pytest

from tests.live.audio import Wav, hears
from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.peers import CALLEE_HZ, CALLER_HZ, USER, hanging_up, towards_switch, trunks
from tests.live.sipp import pause, play_packets, receive, request, response, scenario, sdp, send
from tests.live.switch_process import extension
from tests.live.test_phones import A_HZ, B_HZ, add_phone, connect, wait_heard

MODULES = {
    "PCMU/8000": "",
    "PCMA/8000": "",
    "G722/16000": "module                  g722.so",
    "opus/48000/2": "module                  opus.so",
    "GSM/8000": "module                  gsm.so",
}
NAMES = {"PCMU/8000": "PCMU", "PCMA/8000": "PCMA", "G722/16000": "G722", "opus/48000/2": "opus", "GSM/8000": "GSM"}


def phone(bed: Bed, user: str, hz: float, codec: str) -> Baresip:
    """A phone that has this codec alone."""
    return add_phone(bed, user, hz, account_extra=f";audio_codecs={codec}", module_extra=MODULES[codec])


@pytest.mark.parametrize(
    ("codec_a", "codec_b"),
    [
        ("G722/16000", "G722/16000"),
        ("opus/48000/2", "opus/48000/2"),
        ("G722/16000", "PCMA/8000"),
        ("PCMU/8000", "opus/48000/2"),
        ("opus/48000/2", "G722/16000"),
    ],
)
def test_phones_with_other_codecs(bed: Bed, codec_a: str, codec_b: str) -> None:
    switch = bed.switch(extension=[extension("1001"), extension("1002")])
    a, b = phone(bed, "1001", A_HZ, codec_a), phone(bed, "1002", B_HZ, codec_b)
    connect(a, b)
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    [view] = switch.control.call("call.list")["calls"]
    assert {leg["name"]: leg["codec"] for leg in view["legs"]} == {"1001": NAMES[codec_a], "1002": NAMES[codec_b]}
    a.hang_up()
    b.wait_for("CALL_CLOSED")
    ended = switch.control.wait_for("call.ended")
    record = switch.record_of(ended["call_id"])
    assert all(leg["packets_received"] > 40 and leg["packets_lost"] == 0 for leg in record["legs"])
    wav = Wav(switch.recording_file(ended["call_id"]))
    left, right = wav.channels
    assert hears(left, A_HZ, rate=wav.rate) and hears(right, B_HZ, rate=wav.rate)


def test_a_codec_that_passes_through(bed: Bed) -> None:
    """Neither decoded nor encoded here, and offered on only because the caller has it."""
    switch = bed.switch(extension=[extension("1001"), extension("1002")])
    a, b = phone(bed, "1001", A_HZ, "GSM/8000"), phone(bed, "1002", B_HZ, "GSM/8000")
    connect(a, b)
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    a.hang_up()
    b.wait_for("CALL_CLOSED")
    record = switch.record_of(switch.control.wait_for("call.ended")["call_id"])
    assert [leg["codec"] for leg in record["legs"]] == ["GSM", "GSM"]


def test_phones_with_nothing_in_common(bed: Bed) -> None:
    switch = bed.switch(extension=[extension("1001"), extension("1002")])
    a = phone(bed, "1001", A_HZ, "GSM/8000")
    phone(bed, "1002", B_HZ, "PCMA/8000")
    a.dial(f"sip:1002@{SWITCH}")
    assert "488" in a.wait_for("CALL_CLOSED")["param"]
    ended = switch.control.wait_for("call.ended")
    assert ended["cause"] == "INCOMPATIBLE_DESTINATION"


@pytest.mark.parametrize(("caller_ms", "callee_ms"), [(10, 30), (30, 10), (20, 60)])
@pytest.mark.parametrize("callee_codec", [0, 8])
def test_packets_of_other_lengths(bed: Bed, caller_ms: int, callee_ms: int, callee_codec: int) -> None:
    """Each side speaks in its own length and hears the other; packets made by us have the length asked for."""
    switch = bed.switch(**trunks())
    capture = bed.capture()
    callee = bed.sipp(
        2,
        scenario(
            "callee",
            receive("INVITE"),
            send(
                response(200, "OK"),
                sdp(payloads=f"{callee_codec} 101", ptime_ms=callee_ms, port="[media_port]"),
                retransmit=True,
            ),
            receive("ACK"),
            play_packets(bed.folder, CALLEE_HZ, ptime_ms=callee_ms, payload_type=callee_codec),
            receive("BYE"),
            send(response(200, "OK", to_tag=False)),
        ),
    )
    caller = bed.sipp(
        1,
        scenario(
            "caller",
            send(
                request("INVITE", user=USER, cseq=1, in_dialog=False),
                sdp(payloads="0 101", ptime_ms=caller_ms, port="[media_port]"),
                retransmit=True,
            ),
            receive(100, optional=True),
            receive(180, optional=True),
            receive(200, attributes='rrs="true"'),
            send(request("ACK", user=USER, cseq=1)),
            play_packets(bed.folder, CALLER_HZ, ptime_ms=caller_ms),
            pause(2500),
            *hanging_up(),
        ),
        **towards_switch(),
    )
    caller.finished()
    callee.finished()
    ended = switch.control.wait_for("call.ended")
    for host, hz, kind in ((peer_address(1), CALLEE_HZ, 0), (peer_address(2), CALLER_HZ, callee_codec)):
        [stream] = capture.rtp_to(host)
        assert stream.lost == stream.doubled == 0
        assert {packet[2] for packet in stream.packets} == {kind}
        assert len(stream.audio) > 12000 and hears(stream.audio, hz)
    if callee_codec == 8:
        sizes = [
            {len(packet[3]) for packet in stream.packets}
            for host in (peer_address(1), peer_address(2))
            for stream in capture.rtp_to(host)
        ]
        assert sizes == [{8 * caller_ms}, {8 * callee_ms}]
    left, right = Wav(switch.recording_file(ended["call_id"])).channels
    assert hears(left, CALLER_HZ) and hears(right, CALLEE_HZ)
