"""The codec desk: threads that decode what arrives and encode what the tick made, so that the tick waits for neither.

A leg belongs to one thread. What the engine gives is queued and what comes back is collected at its next poll or tick;
no call of the engine's blocks. When a thread is so far behind that its queue is full, packets and frames are dropped
and counted: late audio is worth nothing. The threads run between the tick and the disk: SCHED_FIFO priority 10 where
the process is scheduled so.
"""

import logging
import os
import queue
import threading
import time
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from media.codecs.base import WIDE_HZ, Codec, Pcm
from media.codecs.registry import codecs, find_codec
from media.codecs.streams import CodecCounters, Decoded, DecodeStream, Encoded, EncodeStream, Packet

log = logging.getLogger(__name__)

PRIORITY = 10
MAX_THREADS = 4
MAX_JOBS = 24
"""Waiting for one thread: about 160 ms of polls and ticks."""
_BEHIND_S = 0.02
_CLOSE_S = 5.0


class DecodedBatch(NamedTuple):
    """What came out for n legs, no leg twice: ready for the jitter ring."""

    rows: NDArray[np.int64]
    ts: NDArray[np.uint32]
    fresh: NDArray[np.bool_]
    """The first of a stream."""
    pcm: NDArray[np.int16]
    """int16[n, longest]."""
    sizes: NDArray[np.int64]
    """Samples of each, multiples of 160."""
    is_made_up: NDArray[np.bool_]
    numbers: NDArray[np.uint16]
    """See `Decoded.number`."""


class _Decode(NamedTuple):
    packets: dict[DecodeStream, list[Packet]]
    at: float


class _Encode(NamedTuple):
    streams: list[EncodeStream]
    pcm: NDArray[np.int16]
    at: float


class _Lane:
    """A thread and its queue; without a thread its work is done at once."""

    def __init__(self, name: str, decoded: deque[Decoded], encoded: deque[Encoded]) -> None:
        self.load = 0.0
        """Expected work of its legs, ms in a second."""
        self.pending: dict[DecodeStream, list[Packet]] = {}
        """Gathered by the engine's thread until it hands them over."""
        self.is_holding = False
        self._is_full = False
        self._decoded = decoded
        self._encoded = encoded
        self._holding: dict[DecodeStream, None] = {}
        self._jobs: queue.SimpleQueue[_Decode | _Encode | None] = queue.SimpleQueue()
        self._name = name
        self._thread: threading.Thread | None = None

    def put(self, job: _Decode | _Encode, *, is_threaded: bool) -> bool:
        """False when the queue is full."""
        if not is_threaded:
            self._do(job)
            return True
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        n_waiting = self._jobs.qsize()
        if n_waiting >= MAX_JOBS:
            if not self._is_full:
                self._is_full = True
                log.warning("%s has too much to do: audio of legs with other codecs is dropped", self._name)
            return False
        if n_waiting < MAX_JOBS // 4:
            self._is_full = False
        self._jobs.put(job)
        return True

    def close(self) -> None:
        if self._thread is None:
            return
        self._jobs.put(None)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            raise TimeoutError(f"{self._name} does not end")
        self._thread = None

    def _run(self) -> None:
        _take_priority()
        while (job := self._jobs.get()) is not None:
            try:
                self._do(job)
            except Exception:  # A bug with one leg must not end the audio of all others.
                log.exception("%s: a job was lost", self._name)

    def _do(self, job: _Decode | _Encode) -> None:
        if isinstance(job, _Decode):
            self._decode(job)
        else:
            self._encode(job)

    def _decode(self, job: _Decode) -> None:
        out: list[Decoded] = []
        for stream in [stream for stream in self._holding if stream not in job.packets]:
            stream.take([], job.at, out)
        for stream, packets in job.packets.items():
            stream.take(packets, job.at, out)
            if time.monotonic() - job.at > _BEHIND_S:
                stream.counters.behind += len(packets)
            if stream.is_holding:
                self._holding[stream] = None
            self._hand_out(out)
        self._hand_out(out)
        self._holding = {stream: None for stream in self._holding if stream.is_holding}
        self.is_holding = bool(self._holding)

    def _hand_out(self, out: list[Decoded]) -> None:
        self._decoded.extend(out)
        out.clear()

    def _encode(self, job: _Encode) -> None:
        out: list[Encoded] = []
        for stream, pcm in zip(job.streams, job.pcm, strict=True):
            stream.take(pcm, out)
            if time.monotonic() - job.at > _BEHIND_S:
                stream.counters.behind += 1
            self._encoded.extend(out)
            out.clear()


class _Seat:
    """One leg at the desk."""

    __slots__ = ("codec", "counters", "decoder", "encoder", "fmtp", "lane", "ptime_ms")

    def __init__(self, row: int, codec: Codec, fmtp: str, ptime_ms: int, lane: _Lane) -> None:
        self.codec = codec
        self.fmtp = fmtp
        self.ptime_ms = ptime_ms
        self.lane = lane
        self.counters = CodecCounters()
        self.decoder = DecodeStream(row, codec, self.counters)
        self.encoder = EncodeStream(row, codec, fmtp, ptime_ms, self.counters)


class CodecDesk:
    """Decodes and encodes for up to any number of legs, each known by its row. For one thread, the engine's.

    `n_threads` None: one a processor, at most `MAX_THREADS`; 0: everything is done at once, in the call that asks for
    it (tests). Threads are made when there is something to do.
    """

    def __init__(self, n_threads: int | None = None) -> None:
        if n_threads is None:
            n_threads = min(MAX_THREADS, len(os.sched_getaffinity(0)))
        codecs()  # loads the libraries before there is a call
        self._is_threaded = n_threads > 0
        self._decoded: deque[Decoded] = deque()
        self._encoded: deque[Encoded] = deque()
        self._lanes = [_Lane(f"codec-{i}", self._decoded, self._encoded) for i in range(max(1, n_threads))]
        self._seats: dict[int, _Seat] = {}
        self.n_dropped = 0
        """Packets and frames of all legs that found their thread's queue full."""

    # -- legs ---------------------------------------------------------------------------------------------------------

    def start(self, row: int, codec: str, fmtp: str = "", ptime_ms: int = 20) -> None:
        """The leg on `row` speaks `codec` from now on; nothing happens when it does already. ValueError for a codec
        that is not the desk's."""
        found = find_codec(codec)
        if not found.is_desked:
            raise ValueError(f"{codec} is not decoded by the codec desk")
        seat = self._seats.get(row)
        if seat is not None and (seat.codec, seat.fmtp, seat.ptime_ms) == (found, fmtp, ptime_ms):
            return
        self.stop(row)
        lane = min(self._lanes, key=lambda each: each.load)
        lane.load += found.cost_ms
        self._seats[row] = _Seat(row, found, fmtp, ptime_ms, lane)

    def stop(self, row: int) -> None:
        """The leg is gone or speaks something else: what is still under way for it is dropped."""
        seat = self._seats.pop(row, None)
        if seat is not None:
            seat.lane.load -= seat.codec.cost_ms
            seat.lane.pending.pop(seat.decoder, None)

    def reset(self, row: int) -> None:
        """A new stream begins to come in (another SSRC)."""
        seat = self._seats.get(row)
        if seat is not None:
            seat.lane.pending.pop(seat.decoder, None)
            seat.decoder = DecodeStream(row, seat.codec, seat.counters)

    def reset_encoder(self, row: int) -> None:
        """The leg was not encoded for a while, or was sent packets of another: what waits for a whole packet is old."""
        seat = self._seats.get(row)
        if seat is not None:
            loss = seat.encoder.loss_percent
            seat.encoder = EncodeStream(row, seat.codec, seat.fmtp, seat.ptime_ms, seat.counters)
            seat.encoder.loss_percent = loss

    def expect_loss(self, row: int, fraction: float) -> None:
        """The part of our packets that the peer reported lost: Opus repeats more the more are lost."""
        seat = self._seats.get(row)
        if seat is not None:
            seat.encoder.loss_percent = max(1, min(100, round(fraction * 100)))

    def ptime_ms(self, row: int) -> int:
        """Length of the packets that are really made for the leg: what its codec can."""
        return self._seats[row].encoder.ptime_ms

    def counters(self, row: int) -> CodecCounters | None:
        """What happened on the leg since it was started; None when it is not here."""
        seat = self._seats.get(row)
        return seat.counters if seat is not None else None

    # -- from the wire ------------------------------------------------------------------------------------------------

    def receive(self, row: int, seq: int, ts: int, payload: bytes, now: float) -> None:
        """A packet of the leg, in the order of arrival; handed over by `flush`. One that is no audio (a
        telephone-event, comfort noise) is given with an empty payload, so that it is not taken for lost."""
        seat = self._seats.get(row)
        if seat is not None:
            seat.lane.pending.setdefault(seat.decoder, []).append(Packet(seq, ts, payload, now))

    def flush(self, now: float) -> None:
        """Once a poll: hands over what was received. Packets that overtook each other within a poll are in order
        again."""
        for lane in self._lanes:
            if not lane.pending and not lane.is_holding:
                continue
            packets, lane.pending = lane.pending, {}
            if not lane.put(_Decode(packets, now), is_threaded=self._is_threaded):
                for stream, lost in packets.items():
                    stream.counters.dropped += len(lost)
                    self.n_dropped += len(lost)

    def collect(self) -> list[DecodedBatch]:
        """What has been decoded since the last call, in order."""
        batches: list[dict[int, Decoded]] = []
        depth: dict[int, int] = {}
        while self._decoded:
            each = self._decoded.popleft()
            row = each.stream.row
            seat = self._seats.get(row)
            if seat is None or seat.decoder is not each.stream:
                continue
            k = depth.get(row, 0)
            depth[row] = k + 1
            if k == len(batches):
                batches.append({})
            batches[k][row] = each
        return [_batch(list(each.values())) for each in batches]

    # -- to the wire --------------------------------------------------------------------------------------------------

    def encode(self, rows: NDArray[np.int64], frames: NDArray[np.float32], now: float) -> None:
        """The next 20 ms for each of `rows`, in 16-bit scale: float32[n, 320] at 16 kHz, or float32[n, 160] when all of
        them are L16/8000. `frames` is copied."""
        pcm = np.empty(frames.shape, np.int16)
        np.copyto(pcm, np.clip(frames, -32768, 32767), casting="unsafe")
        lanes: dict[_Lane, tuple[list[EncodeStream], list[int]]] = {}
        for i, row in enumerate(rows.tolist()):
            seat = self._seats.get(row)
            if seat is not None:
                streams, places = lanes.setdefault(seat.lane, ([], []))
                streams.append(seat.encoder)
                places.append(i)
        for lane, (streams, places) in lanes.items():
            part = pcm if len(places) == len(pcm) else pcm[places]
            if not lane.put(_Encode(streams, part, now), is_threaded=self._is_threaded):
                self.n_dropped += len(streams)
                for stream in streams:
                    stream.counters.dropped += 1
                    self._encoded.append(stream.skip())

    def encode_at_once(self, row: int, pcm: Pcm) -> list[tuple[int, bytes]]:
        """(ticks, payload) of the whole packets in `pcm`, 16 kHz, made in the calling thread: for the few that must go
        out before the leg is sent packets of another. What is still under way for the leg is dropped, and so is what
        does not fill a packet."""
        seat = self._seats.get(row)
        if seat is None:
            return []
        self.reset_encoder(row)
        encoder, out = EncodeStream(row, seat.codec, seat.fmtp, seat.ptime_ms, seat.counters), list[Encoded]()
        frame = WIDE_HZ // 50
        for begin in range(0, len(pcm) - frame + 1, frame):
            encoder.take(pcm[begin : begin + frame], out)
        return [(each.ticks, each.payload) for each in out]

    def collect_packets(self) -> list[tuple[int, int, bytes]]:
        """(row, length in ticks of the RTP clock, payload) of the packets made since the last call, in order. One
        without payload is not sent, but time goes on by its length."""
        packets = []
        while self._encoded:
            each = self._encoded.popleft()
            row = each.stream.row
            seat = self._seats.get(row)
            if seat is not None and seat.encoder is each.stream:
                packets.append((row, each.ticks, each.payload))
        return packets

    def close(self) -> None:
        """Ends the threads. TimeoutError when one does not."""
        for lane in self._lanes:
            lane.close()


def _batch(decoded: list[Decoded]) -> DecodedBatch:
    n = len(decoded)
    sizes = np.fromiter((len(each.pcm) for each in decoded), np.int64, n)
    pcm: Pcm = np.zeros((n, int(sizes.max())), np.int16)
    fresh = np.zeros(n, np.bool_)
    for i, each in enumerate(decoded):
        pcm[i, : len(each.pcm)] = each.pcm
        fresh[i] = not each.stream.has_come_out
        each.stream.has_come_out = True
    return DecodedBatch(
        rows=np.fromiter((each.stream.row for each in decoded), np.int64, n),
        ts=np.fromiter((each.ts for each in decoded), np.uint32, n),
        fresh=fresh,
        pcm=pcm,
        sizes=sizes,
        is_made_up=np.fromiter((each.is_made_up for each in decoded), np.bool_, n),
        numbers=np.fromiter((each.number for each in decoded), np.uint16, n),
    )


def _take_priority() -> None:
    """The calling thread has inherited the tick's scheduling: it goes behind it, before the disk."""
    try:
        if os.sched_getscheduler(0) == os.SCHED_FIFO:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        elif os.getpriority(os.PRIO_PROCESS, 0) < -PRIORITY:
            os.setpriority(os.PRIO_PROCESS, 0, -PRIORITY)
    except OSError as error:
        log.warning("a codec thread keeps the priority it has: %s", error)
