"""Each codec there and back: G.722, Opus, L16, what the registry says of them, and broken packets.

Not here: order, loss and threads (test_streams.py, test_desk.py).
"""

import ctypes

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.codecs import opus
from media.codecs.base import CodecError
from media.codecs.g722 import G722Decoder
from media.codecs.l16 import L16Decoder
from media.codecs.opus import OpusDecoder, OpusEncoder, OpusMissingError, OpusSettings
from media.codecs.registry import codecs, find_codec, why_silent
from tests.media.codecs.signals import frames, level_at, likeness, speech_like, tone

DESKED = ["G722", "opus", "L16/8000", "L16/16000"]


def there_and_back(name, pcm, ptime_ms=20, fmtp=""):
    codec = find_codec(name)
    encoder, decoder = codec.make_encoder(fmtp, ptime_ms), codec.make_decoder()
    packets = [encoder.encode(frame) for frame in frames(pcm, codec.rate * ptime_ms // 1000)]
    return np.concatenate([decoder.decode(packet) for packet in packets]), packets


@pytest.mark.parametrize("name", DESKED)
def test_speech_survives(name):
    rate = find_codec(name).rate
    spoken = speech_like(2.0)
    heard, _ = there_and_back(name, spoken if rate == 16000 else speech_like(2.0, rate=8000))
    assert len(heard) == len(spoken)
    if rate == 16000:
        assert likeness(spoken[8000:], heard[8000:]) > (0.75 if name == "opus" else 0.95)
    else:
        assert likeness(speech_like(2.0, rate=8000)[4000:], heard[8000::2]) > 0.95


@pytest.mark.parametrize("name", ["G722", "opus", "L16/16000"])
def test_wideband_stays_wideband(name):
    heard, _ = there_and_back(name, tone(1000) + tone(6000))
    assert level_at(heard[4000:], 6000) > 4000
    assert level_at(heard[4000:], 1000) > 4000


def test_narrow_l16_has_nothing_above_4_khz():
    heard, _ = there_and_back("L16/8000", tone(1000, rate=8000))
    assert level_at(heard[4000:], 1000) > 7800
    assert level_at(heard[4000:], 7000) < 20


@pytest.mark.parametrize(
    ("name", "clock_hz", "rate", "size"),
    [("G722", 8000, 16000, 160), ("L16/8000", 8000, 8000, 320), ("L16/16000", 16000, 16000, 640)],
)
def test_sizes_and_clocks(name, clock_hz, rate, size):
    codec = find_codec(name)
    assert (codec.clock_hz, codec.rate) == (clock_hz, rate)
    _, packets = there_and_back(name, tone(500, 0.1, rate=rate))
    assert {len(packet) for packet in packets} == {size}


def test_l16_is_big_endian():
    codec = find_codec("L16/16000")
    assert codec.make_encoder("", 20).encode(np.array([1, -2, 0x1234], np.int16)) == b"\x00\x01\xff\xfe\x12\x34"
    np.testing.assert_array_equal(codec.make_decoder().decode(b"\x00\x01\xff\xfe\x12\x34"), [1, -2, 0x1234])


@pytest.mark.parametrize("ptime", opus.FRAME_MS)
def test_opus_packets_of_every_length(ptime):
    spoken = speech_like(1.8)
    heard, packets = there_and_back("opus", spoken, ptime)
    assert len(packets) == 1800 // ptime
    assert likeness(spoken[8000:], heard[8000:]) > 0.75


@pytest.mark.parametrize("frame_ms", [2.5, 5, 10, 20, 40, 60])
def test_opus_takes_frames_of_every_length_in_stereo(frame_ms):
    """As another implementation may send them: 48 kHz stereo, music mode."""
    library = opus.load_library()
    memory = ctypes.create_string_buffer(library.opus_encoder_get_size(2))
    assert library.opus_encoder_init(ctypes.addressof(memory), 48000, 2, 2049) == 0
    left = tone(700, 1.2, rate=48000)
    both = np.ascontiguousarray(np.stack([left, tone(1900, 1.2, rate=48000)], axis=1))
    n, out, decoder, heard = int(48 * frame_ms), ctypes.create_string_buffer(1500), OpusDecoder(), []
    for at in range(0, len(both) - n + 1, n):
        frame = np.ascontiguousarray(both[at : at + n])
        size = library.opus_encode(ctypes.addressof(memory), frame.ctypes.data, n, out, 1500)
        heard.append(decoder.decode(out.raw[:size]))
        assert len(heard[-1]) == 16 * frame_ms
    pcm = np.concatenate(heard)[3200:]
    assert 2500 < level_at(pcm, 700) < 6000  # half of each channel
    assert 2500 < level_at(pcm, 1900) < 6000


def test_opus_sends_little_in_silence_when_the_peer_allows():
    silence = np.zeros(32000, np.int16)
    _, allowed = there_and_back("opus", tone(300, 0.2)), None
    encoder = OpusEncoder(OpusSettings.from_fmtp("usedtx=1"))
    allowed = [encoder.encode(frame) for frame in frames(silence, 320)]
    encoder = OpusEncoder(OpusSettings.from_fmtp(""))
    always = [encoder.encode(frame) for frame in frames(silence, 320)]
    assert sum(1 for packet in allowed if packet) < 30
    assert all(always)


@pytest.mark.parametrize(
    ("fmtp", "wanted"),
    [
        ("", OpusSettings(max_rate=48000)),
        ("useinbandfec=1; usedtx=1", OpusSettings(has_fec=True, has_dtx=True, max_rate=48000)),
        ("maxaveragebitrate=16000;cbr=1", OpusSettings(bitrate=16000, is_vbr=False, max_rate=48000)),
        ("maxaveragebitrate=510000;maxplaybackrate=8000", OpusSettings(max_rate=8000)),
        ("maxaveragebitrate=1", OpusSettings(bitrate=6000, max_rate=48000)),
        (";;usedtx;useinbandfec=x;maxaveragebitrate=-5;=3", OpusSettings(max_rate=48000)),
    ],
)
def test_opus_parameters(fmtp, wanted):
    assert OpusSettings.from_fmtp(fmtp) == wanted


def test_opus_bit_rate_and_bandwidth_are_kept():
    spoken = speech_like(3.0)
    _, packets = there_and_back("opus", spoken, fmtp="maxaveragebitrate=12000")
    assert sum(map(len, packets)) * 8 / 3 < 15_000
    heard, _ = there_and_back("opus", tone(1000) + tone(6000), fmtp="maxplaybackrate=8000")
    assert level_at(heard[4000:], 6000) < 400


def test_opus_recovers_a_packet_from_the_next_one():
    spoken = speech_like(2.0)
    encoder = OpusEncoder(OpusSettings(has_fec=True, loss_percent=20))
    packets = [encoder.encode(frame) for frame in frames(spoken, 320)]
    plain = OpusEncoder(OpusSettings(has_fec=False))
    without = [plain.encode(frame) for frame in frames(spoken, 320)]
    assert any(OpusDecoder().recover(packet, 320) is not None for packet in packets)
    assert all(OpusDecoder().recover(packet, 320) is None for packet in without)


def test_opus_without_a_library(monkeypatch):
    opus.load_library.cache_clear()
    codecs.cache_clear()
    monkeypatch.setattr(opus, "_candidates", lambda: ["/nowhere/libopus.so"])
    try:
        with pytest.raises(OpusMissingError, match="/nowhere/libopus"):
            opus.load_library()
        assert not find_codec("opus", 48000).is_transcodable
        assert find_codec("G722").is_transcodable
        assert why_silent("opus") == "opus is not decoded"
    finally:
        opus.load_library.cache_clear()
        codecs.cache_clear()


def test_unknown_codecs_are_passed_only():
    codec = find_codec("AMR-WB", 16000)
    assert (codec.name, codec.clock_hz, codec.is_transcodable, codec.is_desked) == ("AMR-WB", 16000, False, False)
    assert why_silent("G729") == "G729 is not decoded"
    assert why_silent("PCMU") == why_silent("OPUS") == ""
    assert find_codec("PCMA").is_transcodable and not find_codec("PCMA").is_desked


@pytest.mark.parametrize(("name", "wanted", "made"), [("opus", 30, 20), ("opus", 60, 60), ("G722", 30, 30),
                                                      ("L16/16000", 60, 20), ("opus", 5, 10)])  # fmt: skip
def test_packet_length_is_what_the_codec_can(name, wanted, made):
    assert find_codec(name).ptime(wanted) == made


@pytest.mark.parametrize(
    ("decoder", "payload"),
    [
        (OpusDecoder, b""),
        (OpusDecoder, b"\xff\xff\xff"),
        (G722Decoder, b""),
        (lambda: L16Decoder(16000), b"\x00"),
        (lambda: L16Decoder(8000), b"\x00" * 100),
    ],
)
def test_broken_packets(decoder, payload):
    with pytest.raises(CodecError):
        decoder().decode(payload)


@given(st.binary(min_size=1, max_size=200))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_audio_or_refused(payload):
    for name in DESKED:
        decoder = find_codec(name).make_decoder()
        try:
            assert decoder.decode(payload).dtype == np.int16
        except CodecError:
            continue
        decoder.recover(payload, 320)
        decoder.conceal(320)


def test_wrong_frame_lengths():
    with pytest.raises(CodecError):
        find_codec("opus").make_encoder("", 20).encode(np.zeros(160, np.int16))
    with pytest.raises(CodecError):
        find_codec("opus").make_encoder("", 30)
    with pytest.raises(CodecError):
        find_codec("G722").make_encoder("", 20).encode(np.zeros(161, np.int16))
