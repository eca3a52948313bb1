"""The load of `benchmarks.media`: both phones of every call, in one process of its own.

    python -m benchmarks.media_load

Reads one JSON line, {"sockets": K, "legs": 2N, "host": …}, binds K sockets (leg l uses socket l % K) and one for all
RTCP, which nobody reads, and answers with their ports. Reads a second line, {"targets": [port of the switch for each
leg], "seconds": S, "is_mixed": false}; then leg l and leg l ^ 1 send each other 20 ms of PCMU through those ports for S
seconds, each leg in its own millisecond of the 20. Prints one JSON line at the start of the sending and one at the end:
what was sent, lost, late, doubled or changed on the way.

A packet is late when the kernel has it more than 20 ms after it was sent, whenever this process reads it. Its payload
names leg and number, so every byte and the one leg that may get it are verified; sequence numbers and timestamps of
what arrives must run on without a break. What is mixed names nobody: then a packet is late when it comes more than
20 ms after its time, which its sequence number and the most punctual packet before it tell, and lost when it never
comes.
"""

import gc
import json
import select
import socket
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import raise_priority
from benchmarks.mmsg import MessageBatch, addresses, time_arrivals

FRAME = 160
PACKET = 172
SLOTS = 20
"""Of one millisecond: the phases of the legs."""
LATE_S = 0.020
_PATTERNS = 64
_DRAIN_S = 0.3
_BUFFER_BYTES = 4 << 20
_SO_RCVBUFFORCE = 33
_BIN_S = 0.0001
_N_BINS = 5000


class Load:
    """The phones. Packet k of leg l is sent in slot l % 20 of frame k."""

    def __init__(self, n_sockets: int, n_legs: int, host: str) -> None:
        self.n_legs = n_legs
        self.host = host
        self.sockets = [_bound(host) for _ in range(n_sockets)]
        self.ports = [s.getsockname()[1] for s in self.sockets]
        self.reports = _bound(host)
        self._socket_of = np.arange(n_legs) % n_sockets
        self._in = MessageBatch(1024, is_timed=True)
        self._from = np.zeros(1024, np.int64)
        self._epoll = select.epoll()
        self._index = {s.fileno(): i for i, s in enumerate(self.sockets)}
        for s in self.sockets:
            self._epoll.register(s.fileno(), select.EPOLLIN)
        self._patterns = np.random.default_rng(5).integers(0, 256, (_PATTERNS, FRAME - 8)).astype(np.uint8)
        self.lost = self.late = self.duplicated = self.corrupt = self.misdelivered = self.breaks = 0
        self.send_late_max_s = 0.0
        self.transit = np.zeros(_N_BINS, np.int64)

    def aim(self, targets: list[int], n_frames: int, *, is_mixed: bool) -> None:
        """Prepares to send `n_frames` packets of each leg to its port of the switch."""
        ports = np.array(targets, np.int64)
        distinct = np.unique(ports)
        self._port_index = np.full(65536, -1, np.int64)
        self._port_index[distinct] = np.arange(len(distinct))
        # Who gets what comes from this port of the switch to this socket of ours.
        self._leg_at = np.full((len(self.sockets), len(distinct)), -1, np.int64)
        self._leg_at[self._socket_of, self._port_index[ports]] = np.arange(self.n_legs)
        self._names = addresses(self.host, ports)
        self._sent_at = np.zeros((self.n_legs, n_frames))
        self._seen = np.zeros((self.n_legs, n_frames), np.uint8)
        self._offset = np.full((self.n_legs, 2), -1, np.int64)
        self._slots = [self._make_slot(slot) for slot in range(SLOTS)]
        self._is_mixed = is_mixed
        self._began = np.full(self.n_legs, np.inf)
        self._first_seq = np.full(self.n_legs, -1, np.int64)
        self._count = np.zeros(self.n_legs, np.int64)
        self._furthest = np.zeros(self.n_legs, np.int64)

    def _make_slot(self, slot: int) -> list[tuple[int, NDArray[np.int64], MessageBatch]]:
        legs = np.arange(slot, self.n_legs, SLOTS)
        groups = []
        for index in np.unique(self._socket_of[legs]).tolist():
            mine = legs[self._socket_of[legs] == index]
            batch = MessageBatch(len(mine), PACKET)
            batch.names[:] = self._names[mine]
            batch.packets[:, 0] = 0x80
            batch.packets[:, 8:12] = (mine + 1).astype(">u4").view(np.uint8).reshape(-1, 4)
            batch.packets[:, 12:16] = mine.astype(">u4").view(np.uint8).reshape(-1, 4)
            groups.append((self.sockets[index].fileno(), mine, batch))
        return groups

    def run(self, n_frames: int) -> None:
        """Sends and receives until everything is sent and a moment longer."""
        self._throw_away()
        start = time.monotonic() + 0.05
        for k in range(n_frames):
            for slot in range(SLOTS):
                due = start + k * 0.02 + slot * 0.001
                wait = due - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                else:
                    self.send_late_max_s = max(self.send_late_max_s, -wait)
                self._send(slot, k)
                self._receive()
        end = time.monotonic() + _DRAIN_S
        while time.monotonic() < end:
            time.sleep(0.001)
            self._receive()
        self.lost = int((self._seen == 0).sum())
        if self._is_mixed:
            self.lost = int((self._furthest + 1 - self._count).sum())

    def _throw_away(self) -> None:
        """What came before we began to listen."""
        for s in self.sockets:
            while self._in.receive(s.fileno()):
                pass

    def _send(self, slot: int, k: int) -> None:
        for fd, legs, batch in self._slots[slot]:
            packets = batch.packets
            packets[:, 2:4] = (k >> 8) & 0xFF, k & 0xFF
            packets[:, 4:8] = np.array([k * FRAME], ">u4").view(np.uint8)
            packets[:, 16:20] = np.array([k], ">u4").view(np.uint8)
            packets[:, 20:] = self._patterns[(legs + k) % _PATTERNS]
            self._sent_at[legs, k] = time.time()
            batch.send(fd, len(legs), PACKET)

    def _receive(self) -> None:
        batch, total = self._in, 0
        for fd, _ in self._epoll.poll(0):
            while n := batch.receive(fd, total):
                self._from[total : total + n] = self._index[fd]
                total += n
                if total < batch.size:
                    break
                self._check(total)
                total = 0
        if total:
            self._check(total)

    def _check(self, n: int) -> None:
        packets, lengths, index = self._in.packets[:n], self._in.lengths[:n], self._from[:n]
        arrived = self._in.arrivals[:n]
        # RTCP of the switch comes to the odd port, where nobody listens; what is here must be audio of a call.
        port = self._port_index[self._in.names["port"][:n]]
        if self._is_mixed:
            self._check_mixed(packets, lengths, self._leg_at[index, port], arrived)
            return
        fields = packets[:, 12:20].copy().view(">u4").astype(np.int64)
        speaker, number = fields[:, 0], fields[:, 1]
        is_ours = (lengths == PACKET) & (port >= 0) & (speaker < self.n_legs) & (number < self._seen.shape[1])
        if not is_ours.all():
            self.corrupt += int((~is_ours).sum())
            packets, port, index, arrived = packets[is_ours], port[is_ours], index[is_ours], arrived[is_ours]
            speaker, number = speaker[is_ours], number[is_ours]
        listener = self._leg_at[index, port]
        right = (listener ^ 1) == speaker
        same = (packets[:, 20:PACKET] == self._patterns[(speaker + number) % _PATTERNS]).all(axis=1)
        self.misdelivered += int((~right).sum())
        self.corrupt += int((right & ~same).sum())
        good = right & same
        speaker, number, listener, packets = speaker[good], number[good], listener[good], packets[good]
        transit = np.maximum(arrived[good] - self._sent_at[speaker, number], 0)
        self.late += int((transit > LATE_S).sum())
        np.add.at(self.transit, np.minimum((transit / _BIN_S).astype(np.int64), _N_BINS - 1), 1)
        self.duplicated += int((self._seen[speaker, number] > 0).sum())
        self._seen[speaker, number] = 1
        self._check_stream(packets, number, listener)

    def _check_mixed(
        self,
        packets: NDArray[np.uint8],
        lengths: NDArray[np.uint32],
        listener: NDArray[np.int64],
        arrived: NDArray[np.float64],
    ) -> None:
        good = (listener >= 0) & (lengths == PACKET)
        self.corrupt += int((~good).sum())
        listener, packets, arrived = listener[good], packets[good], arrived[good]
        seq = packets[:, 2:4].copy().view(">u2").astype(np.int64)[:, 0]
        is_new = self._first_seq[listener] < 0
        # Of several packets of a leg the assignment that comes last stays: that of the first of them.
        self._first_seq[listener[is_new][::-1]] = seq[is_new][::-1]
        # A run is shorter than the sequence numbers' way round.
        number = (seq - self._first_seq[listener]) & 0xFFFF
        early = number > 0x8000
        self.breaks += int(early.sum())
        listener, number, arrived = listener[~early], number[~early], arrived[~early]
        np.add.at(self._count, listener, 1)
        np.maximum.at(self._furthest, listener, number)
        nominal = arrived - number * 0.02
        np.minimum.at(self._began, listener, nominal)
        transit = nominal - self._began[listener]
        self.late += int((transit > LATE_S).sum())
        np.add.at(self.transit, np.minimum((transit / _BIN_S).astype(np.int64), _N_BINS - 1), 1)

    def _check_stream(self, packets: NDArray[np.uint8], number: NDArray[np.int64], listener: NDArray[np.int64]) -> None:
        seq = packets[:, 2:4].copy().view(">u2").astype(np.int64)[:, 0]
        ts = packets[:, 4:8].copy().view(">u4").astype(np.int64)[:, 0]
        offsets = np.stack([(seq - number) & 0xFFFF, (ts - number * FRAME) & 0xFFFFFFFF], axis=1)
        is_new = self._offset[listener, 0] < 0
        self._offset[listener[is_new]] = offsets[is_new]
        self.breaks += int((self._offset[listener] != offsets).any(axis=1).sum())

    def transit_ms(self, part: float) -> float:
        """The transit time that `part` of the packets kept under, in milliseconds."""
        total = np.cumsum(self.transit)
        return (
            round(float((int(np.searchsorted(total, total[-1] * part)) + 1) * _BIN_S * 1000), 1) if total[-1] else 0.0
        )

    def result(self, n_frames: int) -> dict[str, Any]:
        """What became of the packets."""
        return {
            "sent": self.n_legs * n_frames,
            "lost": self.lost,
            "late": self.late,
            "duplicated": self.duplicated,
            "corrupt": self.corrupt,
            "misdelivered": self.misdelivered,
            "stream_breaks": self.breaks,
            "transit_ms_p50": self.transit_ms(0.5),
            "transit_ms_p99": self.transit_ms(0.99),
            "transit_ms_max": self.transit_ms(1.0),
            "send_late_ms_max": round(self.send_late_max_s * 1000, 1),
            "load_cpu_s": round(time.process_time(), 2),
        }


def _bound(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except OSError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    time_arrivals(made)
    made.bind((host, 0))
    return made


def main() -> int:
    """Serves one run."""
    setup = json.loads(sys.stdin.readline())
    load = Load(setup["sockets"], setup["legs"], setup["host"])
    print(json.dumps({"ports": load.ports, "reports": load.reports.getsockname()[1]}), flush=True)
    line = sys.stdin.readline()
    if not line:
        return 0
    order = json.loads(line)
    n_frames = round(order["seconds"] * 50)
    load.aim(order["targets"], n_frames, is_mixed=order["is_mixed"])
    raise_priority()
    gc.collect()
    gc.freeze()
    gc.disable()
    print(json.dumps({"started": True}), flush=True)
    load.run(n_frames)
    print(json.dumps(load.result(n_frames)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
