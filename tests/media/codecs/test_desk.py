"""The codec desk: what the engine gives and collects, legs that come, change and go, full queues, threads.

Not here: the engine with it (test_transcoding.py), the order of packets (test_streams.py).
"""

import os
import threading
import time

import numpy as np
import pytest

from media.codecs import desk as desk_module
from media.codecs.desk import CodecDesk
from media.codecs.registry import find_codec
from media.worker import THREADS_PRIORITY, TICK_PRIORITY
from tests.media.codecs.signals import frames, likeness, speech_like

TIMEOUT_S = 20.0


@pytest.fixture
def desk():
    made = CodecDesk(0)
    yield made
    made.close()


@pytest.fixture
def threaded():
    made = CodecDesk(2)
    yield made
    made.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("codec-")]


def coded(name, pcm):
    encoder = find_codec(name).make_encoder("", 20)
    return [encoder.encode(frame) for frame in frames(pcm, find_codec(name).rate // 50)]


def until(check):
    deadline = time.monotonic() + TIMEOUT_S
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_many_legs_through_threads(threaded):
    names = ["G722", "opus", "L16/16000"] * 4
    spoken = [speech_like(0.5, seed=i) for i in range(12)]
    packets = [coded(name, pcm) for name, pcm in zip(names, spoken, strict=True)]
    heard = {row: [] for row in range(12)}
    stamps = {row: [] for row in range(12)}
    for row, name in enumerate(names):
        threaded.start(row, name)

    def collect():
        for batch in threaded.collect():
            assert len(set(batch.rows.tolist())) == len(batch.rows)
            for row, ts, fresh, pcm, size in zip(*batch[:5], strict=True):
                assert fresh == (not stamps[row])
                heard[row].append(pcm[:size])
                stamps[row].append(int(ts))

    for i in range(25):
        for row, name in enumerate(names):
            threaded.receive(row, i, i * find_codec(name).clock_hz // 50, packets[row][i], time.monotonic())
        threaded.flush(time.monotonic())
        collect()
        # The queue takes this many polls at once; here the next one comes when there is room.
        until(lambda: all(lane._jobs.qsize() < desk_module.MAX_JOBS for lane in threaded._lanes))

    def is_all():
        collect()
        return all(len(parts) == 25 for parts in heard.values())

    until(is_all)
    for row, name in enumerate(names):
        step = find_codec(name).clock_hz // 50
        assert stamps[row] == [i * step for i in range(25)]
        assert likeness(spoken[row], np.concatenate(heard[row])) > 0.75
        assert threaded.counters(row).dropped == 0


def test_encoding_through_threads(threaded):
    rows = np.arange(6)
    for row in rows.tolist():
        threaded.start(row, "opus" if row % 2 else "G722", "", 40 if row == 5 else 20)
    spoken = np.stack([speech_like(0.5, seed=i) for i in range(6)]).astype(np.float32)
    made = {row: [] for row in range(6)}

    def collect():
        for row, ticks, payload in threaded.collect_packets():
            made[row].append((ticks, payload))
        return sum(map(len, made.values())) == 5 * 25 + 12

    for i in range(25):
        threaded.encode(rows, spoken[:, i * 320 : i * 320 + 320], time.monotonic())
        until(lambda: all(lane._jobs.qsize() < desk_module.MAX_JOBS for lane in threaded._lanes))
    until(collect)
    for row in range(6):
        decoder = find_codec("opus" if row % 2 else "G722").make_decoder()
        heard = np.concatenate([decoder.decode(payload) for _, payload in made[row]])
        assert likeness(spoken[row][: len(heard)], heard) > 0.75
        assert {ticks for ticks, _ in made[row]} == {1920 if row == 5 else 960 if row % 2 else 160}


def test_threads_share_the_work_not_the_legs(threaded):
    for row in range(12):
        threaded.start(row, "G722" if row % 2 else "opus")
    one, other = (lane.load for lane in threaded._lanes)
    assert abs(one - other) <= find_codec("opus").cost_ms
    for row in range(12):
        threaded.stop(row)
    assert [round(lane.load, 6) for lane in threaded._lanes] == [0, 0]


@pytest.mark.parametrize(
    ("policy", "nice", "wanted"),
    [
        (os.SCHED_FIFO, 0, [("fifo", desk_module.PRIORITY)]),
        (os.SCHED_OTHER, -15, [("nice", -desk_module.PRIORITY)]),
        (os.SCHED_OTHER, 0, []),
    ],
)
def test_threads_go_between_the_tick_and_the_disk(monkeypatch, policy, nice, wanted):
    done = []
    monkeypatch.setattr(os, "sched_getscheduler", lambda _: policy)
    monkeypatch.setattr(os, "getpriority", lambda *_: nice)
    monkeypatch.setattr(os, "sched_setscheduler", lambda _, __, param: done.append(("fifo", param.sched_priority)))
    monkeypatch.setattr(os, "setpriority", lambda _, __, level: done.append(("nice", level)))
    desk_module._take_priority()
    assert done == wanted
    assert THREADS_PRIORITY < desk_module.PRIORITY < TICK_PRIORITY


def test_a_priority_that_is_refused_is_logged(monkeypatch, caplog):
    def refuse(*_):
        raise PermissionError("no")

    monkeypatch.setattr(os, "sched_getscheduler", lambda _: os.SCHED_FIFO)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    desk_module._take_priority()
    assert "keeps the priority" in caplog.text


def test_loud_frames_are_clipped(desk):
    desk.start(0, "L16/16000")
    desk.encode(np.array([0]), np.full((1, 320), 40000.0, np.float32), 0.0)
    [(row, ticks, payload)] = desk.collect_packets()
    assert (row, ticks) == (0, 320)
    assert set(np.frombuffer(payload, ">i2").tolist()) == {32767}


def test_a_leg_that_is_gone_gets_nothing(desk):
    desk.start(1, "L16/16000")
    desk.start(2, "L16/16000")
    for row in (1, 2):
        desk.receive(row, 0, 0, bytes(640), 0.0)
    desk.encode(np.array([1, 2]), np.zeros((2, 320), np.float32), 0.0)
    desk.flush(0.0)
    desk.stop(1)
    desk.stop(1)
    assert [batch.rows.tolist() for batch in desk.collect()] == [[2]]
    assert [row for row, _, _ in desk.collect_packets()] == [2]
    desk.receive(1, 1, 320, bytes(640), 0.0)
    desk.flush(0.0)
    desk.encode(np.array([1]), np.zeros((1, 320), np.float32), 0.0)
    assert desk.collect() == [] and desk.collect_packets() == []
    assert desk.counters(1) is None


def test_starting_again_changes_nothing_but_another_codec_does(desk):
    desk.start(0, "L16/16000")
    desk.receive(0, 0, 0, b"\x10" * 640, 0.0)
    desk.flush(0.0)
    desk.start(0, "L16/16000")
    assert len(desk.collect()) == 1
    desk.receive(0, 1, 320, b"\x10" * 640, 0.0)
    desk.flush(0.0)
    desk.start(0, "G722")
    assert desk.collect() == []
    desk.receive(0, 2, 480, bytes(160), 0.0)
    desk.flush(0.0)
    [batch] = desk.collect()
    assert batch.fresh.tolist() == [True] and batch.sizes.tolist() == [320]
    assert desk.ptime_ms(0) == 20


def test_a_new_stream_is_fresh(desk):
    desk.start(0, "L16/16000")
    fresh = []
    for seq, is_new in ((5, False), (6, False), (900, True), (901, False)):
        if is_new:
            desk.reset(0)
        desk.receive(0, seq, seq * 320, bytes(640), 0.0)
        desk.flush(0.0)
        fresh += [bool(batch.fresh[0]) for batch in desk.collect()]
    assert fresh == [True, False, True, False]


def test_several_packets_of_a_leg_come_in_several_batches(desk):
    desk.start(0, "L16/16000")
    desk.start(1, "L16/16000")
    for i in range(3):
        desk.receive(0, i, i * 320, bytes(640), 0.0)
    desk.receive(1, 0, 0, bytes(320), 0.0)
    desk.flush(0.0)
    batches = desk.collect()
    assert [batch.rows.tolist() for batch in batches] == [[0, 1], [0], [0]]
    assert batches[0].sizes.tolist() == [320, 160] and batches[0].pcm.shape == (2, 320)


def test_a_held_packet_is_let_go_by_the_polls(desk):
    desk.start(0, "L16/16000")
    for seq in (0, 2, 1):
        desk.receive(0, seq, seq * 320, bytes(640), 0.0)
        desk.flush(0.0)
    desk.collect()
    desk.receive(0, 4, 4 * 320, bytes(640), 1.0)
    desk.flush(1.0)
    assert desk.collect() == []
    desk.flush(1.1)
    assert [int(batch.ts[0]) for batch in desk.collect()] == [4 * 320]


def test_a_full_queue_drops_and_counts_and_time_goes_on(threaded, caplog):
    gate, entered = threading.Event(), threading.Event()

    class Stuck:
        def encode(self, pcm):
            entered.set()
            assert gate.wait(TIMEOUT_S)
            return b"x"

        def expect_loss(self, percent):
            pass

    threaded.start(0, "L16/16000")
    threaded._seats[0].encoder._encoder = Stuck()
    row, frame = np.array([0]), np.zeros((1, 320), np.float32)
    threaded.encode(row, frame, time.monotonic())
    assert entered.wait(TIMEOUT_S)
    for _ in range(desk_module.MAX_JOBS + 3):
        threaded.encode(row, frame, time.monotonic())
    threaded.receive(0, 0, 0, bytes(640), 0.0)
    threaded.flush(0.0)
    counters = threaded.counters(0)
    assert counters.dropped == threaded.n_dropped == 4
    assert caplog.text.count("too much to do") == 1
    gate.set()
    packets = []

    def is_all():
        packets.extend(threaded.collect_packets())
        return len(packets) == desk_module.MAX_JOBS + 4

    until(is_all)
    assert sum(ticks for _, ticks, _ in packets) == 320 * (desk_module.MAX_JOBS + 4)
    assert sum(1 for _, _, payload in packets if not payload) == 3


def test_a_bug_with_one_leg_does_not_end_the_others(threaded, caplog):
    class Broken:
        def encode(self, pcm):
            raise RuntimeError("bug")

        def expect_loss(self, percent):
            pass

    for row in (0, 1, 2, 3):
        threaded.start(row, "L16/16000")
    threaded._seats[0].encoder._encoder = Broken()
    for row in (0, 1, 2, 3):
        threaded.encode(np.array([row]), np.zeros((1, 320), np.float32), time.monotonic())
    rows = set()

    def is_all():
        rows.update(row for row, _, _ in threaded.collect_packets())
        return rows == {1, 2, 3}

    until(is_all)
    assert "a job was lost" in caplog.text


def test_other_codecs_are_refused(desk):
    for name in ("PCMU", "G729"):
        with pytest.raises(ValueError, match=name):
            desk.start(0, name)


def test_reported_loss_reaches_the_encoder(desk):
    desk.start(0, "opus", "useinbandfec=1")
    desk.expect_loss(0, 0.25)
    desk.expect_loss(7, 0.25)
    assert desk._seats[0].encoder.loss_percent == 25
    desk.reset_encoder(0)
    assert desk._seats[0].encoder.loss_percent == 25
