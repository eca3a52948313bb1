"""One leg's packets: order, reordering, loss, DTX gaps, telephone-events in between, frame lengths, packet lengths.

Not here: threads and queues (test_desk.py), sound of the codecs (test_codecs.py).
"""

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from media.codecs.opus import OpusEncoder, OpusSettings
from media.codecs.registry import find_codec
from media.codecs.streams import CodecCounters, DecodeStream, EncodeStream, Packet
from tests.media.codecs.signals import frames, level_at, likeness, speech_like, tone

FEC = OpusSettings(has_fec=True, loss_percent=20)


def stream(name="L16/16000"):
    return DecodeStream(3, find_codec(name), CodecCounters())


def l16(number):
    """20 ms that can be told from others."""
    return (np.zeros(320, ">i2") + number).astype(">i2").tobytes()


def packets(*seqs, at=0.0, base=65530, step=320):
    return [Packet((base + i) & 0xFFFF, (4294967000 + i * step) & 0xFFFFFFFF, l16(i), at) for i in seqs]


def numbers(out):
    return [int(each.pcm[0]) for each in out]


def take(decoder, given_packets, now=0.0):
    out = []
    decoder.take(given_packets, now, out)
    return out


def test_in_order_across_the_wraps():
    decoder = stream()
    out = [each for i in range(20) for each in take(decoder, packets(i))]
    assert numbers(out) == list(range(20))
    assert [each.ts for each in out] == [(4294967000 + i * 320) & 0xFFFFFFFF for i in range(20)]
    assert not any(each.is_made_up for each in out)


def test_order_within_one_poll_is_mended():
    decoder = stream()
    take(decoder, packets(0))
    assert numbers(take(decoder, packets(3, 1, 2))) == [1, 2, 3]
    assert decoder.counters == CodecCounters()


def test_loss_is_not_waited_for():
    decoder = stream()
    take(decoder, packets(0))
    assert numbers(take(decoder, packets(2))) == [2]
    assert not decoder.is_holding


def test_a_leg_that_reorders_gets_a_window_and_loses_it_again():
    decoder = stream()
    take(decoder, packets(0))
    assert numbers(take(decoder, packets(2))) == [2]
    assert take(decoder, packets(1)) == []  # too late: its place is filled
    assert decoder.counters.late == 1
    assert take(decoder, packets(4, at=0.1), 0.1) == []
    assert decoder.is_holding
    assert numbers(take(decoder, packets(3, at=0.11), 0.11)) == [3, 4]
    # One that never comes is waited for no longer than two packets, or 60 ms.
    assert take(decoder, packets(6, at=0.2), 0.2) == []
    assert numbers(take(decoder, packets(7, at=0.22), 0.22)) == [6, 7]
    assert take(decoder, packets(9, at=0.3), 0.3) == []
    assert numbers(take(decoder, [], 0.37)) == [9]
    # Long afterwards nothing is waited for.
    assert numbers(take(decoder, packets(11, at=60.0), 60.0)) == [11]


def test_numbers_tell_silence_from_loss():
    decoder = stream()
    out = take(decoder, packets(0, 1))
    out += take(decoder, [Packet((65530 + 2) & 0xFFFF, packets(12)[0].ts, l16(12), 0.0)])  # nothing was sent
    out += take(decoder, [Packet((65530 + 4) & 0xFFFF, packets(14)[0].ts, l16(14), 0.0)])  # one is lost
    out += take(decoder, [Packet((65530 + 5) & 0xFFFF, 0, b"x", 0.0)])  # one is broken
    out += take(decoder, [Packet((65530 + 6) & 0xFFFF, packets(16)[0].ts, l16(16), 0.0)])
    assert numbers(out) == [0, 1, 12, 14, 16]
    assert [b.number - a.number for a, b in itertools.pairwise(out)] == [1, 1, 2, 2]


def test_duplicates_are_decoded_once():
    decoder = stream()
    assert numbers(take(decoder, packets(0, 0, 1, 1))) == [0, 1]
    assert take(decoder, packets(0, 1)) == []
    assert decoder.counters.late == 0


def test_a_jump_begins_anew():
    decoder = stream()
    take(decoder, packets(0, 1))
    out = take(decoder, [Packet(30000, 5, l16(7), 0.0)])
    assert numbers(out) == [7] and out[0].ts == 5


@given(order=st.permutations(range(12)), lost=st.sets(st.integers(1, 11), max_size=5))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_the_order_nothing_comes_twice_or_backwards(order, lost):
    decoder = stream()
    out = take(decoder, packets(0))
    for k, i in enumerate(each for each in order if each not in lost and each):
        out += take(decoder, packets(i, at=k / 50), k / 50)
    out += take(decoder, [], 99.0)
    got = numbers(out)
    assert got == sorted(set(got))
    assert not decoder.is_holding
    assert set(got) <= set(range(12)) - lost


def test_events_are_not_lost_packets():
    """RFC 4733 §2.6.1: events and audio share their sequence numbers."""
    decoder = stream("opus")
    encoder = OpusEncoder(FEC)
    coded = [encoder.encode(frame) for frame in frames(speech_like(), 320)]
    take(decoder, [Packet(i, i * 960, coded[i], 0.0) for i in range(5)])
    out = take(decoder, [Packet(i, 5 * 960, b"", 0.0) for i in range(5, 12)])
    out += take(decoder, [Packet(12, 10 * 960, coded[10], 0.0)])
    assert [(each.ts, each.is_made_up) for each in out] == [(9600, False)]
    assert decoder.counters == CodecCounters()


def opus_with_loss(lost, settings, seconds=2.0):
    spoken = speech_like(seconds)
    encoder, decoder = OpusEncoder(settings), stream("opus")
    coded = [encoder.encode(frame) for frame in frames(spoken, 320)]
    whole, heard = np.zeros(len(spoken), np.int16), np.zeros(len(spoken), np.int16)
    reference = stream("opus")
    for target, one, gone in ((whole, reference, ()), (heard, decoder, lost)):
        for i, payload in enumerate(coded):
            if i not in gone:
                for each in take(one, [Packet(i, i * 960, payload, 0.0)]):
                    target[each.ts // 3 : each.ts // 3 + len(each.pcm)] = each.pcm
    return whole, heard, decoder.counters


def test_single_losses_are_recovered_by_forward_error_correction():
    lost = range(20, 95, 9)
    places = np.concatenate([np.arange(i * 320, i * 320 + 320) for i in lost])
    whole, heard, counters = opus_with_loss(lost, FEC)
    assert counters.recovered >= 7 and counters.recovered + counters.concealed == len(lost)
    with_fec = np.linalg.norm((whole - heard.astype(float))[places]) / np.linalg.norm(whole[places].astype(float))
    whole, heard, counters = opus_with_loss(lost, OpusSettings())
    assert counters.recovered == 0 and counters.concealed == len(lost)
    assert counters.concealed_samples == 320 * len(lost)
    made_up = np.linalg.norm((whole - heard.astype(float))[places]) / np.linalg.norm(whole[places].astype(float))
    assert with_fec < 0.6 * made_up


def test_longer_losses_are_made_up_and_bounded():
    _, heard, counters = opus_with_loss(range(30, 33), FEC)
    assert counters.concealed + counters.recovered == 3
    assert heard[30 * 320 : 33 * 320].any()
    _, heard, counters = opus_with_loss(range(30, 60), FEC)
    assert counters.concealed + counters.recovered == 0
    assert not heard[30 * 320 : 60 * 320].any()


def test_silence_that_was_not_sent_is_no_loss():
    quiet = np.concatenate([speech_like(0.6), np.zeros(32000, np.int16), speech_like(0.6)])
    encoder, decoder, seq, n_sent = OpusEncoder(OpusSettings(has_dtx=True, has_fec=True)), stream("opus"), 0, 0
    heard = []
    for i, frame in enumerate(frames(quiet, 320)):
        payload = encoder.encode(frame)
        if payload:
            heard += take(decoder, [Packet(seq, i * 960, payload, 0.0)])
            seq, n_sent = seq + 1, n_sent + 1
    assert n_sent < 110 < len(quiet) / 320
    assert decoder.counters == CodecCounters()
    after = np.concatenate([each.pcm for each in heard if each.ts >= 130 * 960])
    assert likeness(quiet[130 * 320 :][:8000], after[:8000]) > 0.8


@pytest.mark.parametrize("samples", [40, 80, 120, 160, 240, 480, 960])
def test_odd_frames_leave_in_whole_chunks(samples):
    decoder, sound = stream(), speech_like(0.3)
    out = []
    for i, frame in enumerate(frames(sound, samples)):
        out += take(decoder, [Packet(i, 7 + i * samples, frame.astype(">i2").tobytes(), 0.0)])
    assert all(len(each.pcm) % 160 == 0 for each in out)
    joined = np.concatenate([each.pcm for each in out])
    np.testing.assert_array_equal(joined, sound[: len(joined)])
    assert len(sound) - len(joined) < 160 + samples
    at = 7
    for each in out:
        assert each.ts == at
        at += len(each.pcm)


def test_long_packets_leave_in_pieces():
    """Opus has packets of 120 ms."""
    decoder, sound = stream(), speech_like(0.12)
    out = take(decoder, [Packet(0, 5, sound.astype(">i2").tobytes(), 0.0)])
    assert [(each.ts, len(each.pcm)) for each in out] == [(5, 960), (965, 960)]
    np.testing.assert_array_equal(np.concatenate([each.pcm for each in out]), sound)


def test_broken_packets_are_counted_and_passed_over():
    decoder = stream()
    out = take(decoder, [*packets(0), packets(1)[0]._replace(payload=b"x"), *packets(2)])
    assert numbers(out) == [0, 2]
    assert decoder.counters.errors == 1


# -- encoding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "ptime", "ticks", "made"),
    [
        ("G722", 10, 80, 10),
        ("G722", 20, 160, 20),
        ("G722", 30, 240, 30),
        ("G722", 40, 320, 40),
        ("G722", 60, 480, 60),
        ("opus", 10, 480, 10),
        ("opus", 20, 960, 20),
        ("opus", 30, 960, 20),
        ("opus", 60, 2880, 60),
        ("L16/8000", 30, 240, 30),
        ("L16/16000", 20, 320, 20),
    ],
)
def test_packet_lengths(name, ptime, ticks, made):
    codec, out = find_codec(name), []
    encoder = EncodeStream(1, codec, "", ptime, CodecCounters())
    spoken = tone(800, 1.2)
    for frame in frames(spoken, 320):
        encoder.take(frame, out)
    assert encoder.ptime_ms == made
    assert len(out) == 1200 // made
    assert {each.ticks for each in out} == {ticks}
    decoder = codec.make_decoder()
    heard = np.concatenate([decoder.decode(each.payload) for each in out])
    assert level_at(heard[4000:], 800) > 7000


def test_frames_at_the_codecs_own_rate():
    codec, out = find_codec("L16/8000"), []
    encoder = EncodeStream(1, codec, "", 20, CodecCounters())
    encoder.take(np.arange(160, dtype=np.int16), out)
    assert out[0].payload == np.arange(160).astype(">i2").tobytes()


def test_reported_loss_makes_opus_repeat_more():
    sizes = []
    for percent in (-1, 30):
        out = []
        encoder = EncodeStream(1, find_codec("opus"), "useinbandfec=1", 20, CodecCounters())
        encoder.loss_percent = percent
        for frame in frames(speech_like(2.0), 320):
            encoder.take(frame, out)
        lbrr = find_codec("opus").make_decoder()
        sizes.append(sum(1 for each in out if lbrr.recover(each.payload, 320) is not None))
    assert sizes[1] >= sizes[0] > 0
