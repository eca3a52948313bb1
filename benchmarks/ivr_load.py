"""The phones of `benchmarks.ivr`, in one process: callers of a voice menu, or pairs who talk.

    python -m benchmarks.ivr_load

Prints the ports of its two SIP sides, then obeys one JSON line after the other:
`{"do": "menu" or "talk", "host", "port", "dial", "calls", "seconds"}`. It places the calls, tells how many
are up when all should be and two seconds have passed, and again so many seconds later; then it hangs up, and tells what
became of them.

Every phone sends 20 ms of PCMU all the time, in a millisecond of the 20 of its own. In a menu it presses keys at random
moments, whatever it hears: RTP events of 100 ms (RFC 4733), six packets that grow, the last of them the first of three
ends. From the first end on it waits for the signal of the prompt that the key leads to: `prompt_ms` is the time until
the kernel has the first packet that ends with it (the one in which the prompt before gives way to it, if there is one).
"""

import gc
import json
import random
import re
import select
import socket
import struct
import sys
import time
from typing import Any

import numpy as np

from benchmarks.ivr_flow import KEYS, LEVELS, signals
from benchmarks.measure import allow_descriptors, raise_priority
from benchmarks.mmsg import MessageBatch, time_arrivals
from benchmarks.signalling_text import (
    CALLER,
    answer_tail,
    callee_answer,
    follow,
    follow_template,
    invite_template,
    session_description,
)
from media.g711 import ULAW_TO_LINEAR

FIRST_CALLER = 13_800_000_000
"""Each caller has a number of his own: this plus his place."""
FRAME, PACKET = 160, 172
SLOTS = 20
_EVENT = 101
_GROWING, _PACKETS = 5, 8
"""Of an event: packets before its first end, and packets in all."""
_PAUSE_S = (0.2, 4.0)
"""From the last packet of one key to the first of the next: as short as fast fingers, shorter than the menu waits."""
_LAST = 10
"""So many samples at the end of a packet tell the signal, if they are it but for what is left of the prompt before."""
_LEFT = 0.15
_CALLS_PER_S = 100.0
_UP_S, _SETTLE_S, _DRAIN_S = 20.0, 2.0, 1.5
_NOTHING = -1
_BUFFER_BYTES = 4 << 20
_SO_RCVBUFFORCE = 33


class Phones:
    """RTP of so many legs, each with a socket of its own (calls that share a port of the switch are told by theirs).

    Leg l sends in slot l % 20 of each frame.
    """

    def __init__(self, n_legs: int, host: str, *, is_pressing: bool) -> None:
        self.n_legs = n_legs
        allow_descriptors(n_legs + 100)
        self.sockets = [_bound(host) for _ in range(n_legs)]
        self.is_pressing = is_pressing
        self.digits = [""] * n_legs
        self.prompt_ms: list[float] = []
        self.n_unheard = 0
        self.n_received = np.zeros(n_legs, np.int64)
        self.n_sent = np.zeros(n_legs, np.int64)
        self._host = host
        self._ends = np.stack([packet[-_LAST:] for packet in signals()]).astype(np.float32)
        self._randomness = random.Random(5)
        self._is_up = np.zeros(n_legs, np.bool_)
        self._stamp = np.zeros(n_legs, np.uint32)
        self._press_at = np.full(n_legs, np.inf)
        self._step = np.full(n_legs, -1, np.int64)
        self._event = [(0, 0)] * n_legs
        self._awaited = np.full(n_legs, _NOTHING, np.int64)
        self._ended_at = np.zeros(n_legs)
        self._slots = [np.arange(slot, n_legs, SLOTS) for slot in range(SLOTS)]
        self._out = np.full((n_legs // SLOTS + 1, PACKET), 0xFF, np.uint8)
        self._out[:, :2] = 0x80, 0
        self._in = MessageBatch(1024, is_timed=True)
        self._from = np.zeros(1024, np.int64)
        self._epoll = select.epoll()
        self._leg_of = {sock.fileno(): i for i, sock in enumerate(self.sockets)}
        for fd in self._leg_of:
            self._epoll.register(fd, select.EPOLLIN)

    def port_of(self, leg: int) -> int:
        port: int = self.sockets[leg].getsockname()[1]
        return port

    def connect(self, leg: int, port: int) -> None:
        """The switch has its audio at this port."""
        self.sockets[leg].connect((self._host, port))
        self._is_up[leg] = True
        self._press_at[leg] = time.monotonic() + self._randomness.uniform(*_PAUSE_S) if self.is_pressing else np.inf

    def send(self, slot: int) -> None:
        legs = self._slots[slot]
        legs = legs[self._is_up[legs]]
        if not len(legs):
            return
        self._stamp[legs] += np.uint32(FRAME)
        if self.is_pressing:
            for leg in legs[self._press_at[legs] <= time.monotonic()].tolist():
                self._press(leg)
        is_pressing = self._step[legs] >= 0
        for leg in legs[is_pressing].tolist():
            self._send_event(leg)
        legs = legs[~is_pressing]
        if n := len(legs):
            packets = self._out[:n]
            packets[:, 2:4] = (self.n_sent[legs] & 0xFFFF).astype(">u2").view(np.uint8).reshape(-1, 2)
            packets[:, 4:8] = self._stamp[legs].astype(">u4").view(np.uint8).reshape(-1, 4)
            packets[:, 8:12] = (legs + 1).astype(">u4").view(np.uint8).reshape(-1, 4)
            for packet, leg in zip(packets, legs.tolist(), strict=True):
                self.sockets[leg].send(packet)
            self.n_sent[legs] += 1

    def _press(self, leg: int) -> None:
        if self._awaited[leg] != _NOTHING:
            # The next key comes before the prompt of this one.
            self._awaited[leg] = _NOTHING
            self.n_unheard += 1
        self._press_at[leg] = np.inf
        self._step[leg] = 0
        self._event[leg] = (int(self._randomness.choice(KEYS)), int(self._stamp[leg]))

    def _send_event(self, leg: int) -> None:
        step = int(self._step[leg])
        key, stamp = self._event[leg]
        length = min(step + 1, _GROWING) * FRAME
        head = struct.pack(
            ">BBHII", 0x80, _EVENT | (0x80 if not step else 0), int(self.n_sent[leg]) & 0xFFFF, stamp, leg + 1
        )
        body = struct.pack(">BBH", key, 10 | (0x80 if step >= _GROWING else 0), length)
        self.n_sent[leg] += 1
        now = time.time()
        self.sockets[leg].send(head + body)
        if step == _GROWING:
            self.digits[leg] += str(key)
            self._ended_at[leg] = now
            self._awaited[leg] = len(self.digits[leg]) % LEVELS or LEVELS
        self._step[leg] = step + 1
        if step + 1 == _PACKETS:
            self._step[leg] = -1
            self._press_at[leg] = time.monotonic() + self._randomness.uniform(*_PAUSE_S)

    def stop_pressing(self) -> None:
        """Keys that are down come up."""
        self._press_at[:] = np.inf
        self.is_pressing = False

    def receive(self) -> None:
        batch, total = self._in, 0
        for fd, _ in self._epoll.poll(0):
            while n := batch.receive(fd, total):
                self._from[total : total + n] = self._leg_of[fd]
                total += n
                if total < batch.size:
                    break
                self._check(total)
                total = 0
        if total:
            self._check(total)

    def _check(self, n: int) -> None:
        legs = self._from[:n]
        is_audio = self._in.lengths[:n] == PACKET
        np.add.at(self.n_received, legs[is_audio], 1)
        rows = np.flatnonzero(is_audio & (self._awaited[legs] != _NOTHING))
        if not len(rows):
            return
        wanted = self._ends[self._awaited[legs[rows]]]
        heard = ULAW_TO_LINEAR[self._in.packets[rows, PACKET - _LAST : PACKET]]
        is_signal = (np.abs(heard - wanted) <= _LEFT * np.abs(wanted)).all(axis=1)
        arrivals = self._in.arrivals
        for row in rows[is_signal].tolist():
            leg = int(legs[row])
            if self._awaited[leg] != _NOTHING:
                self._awaited[leg] = _NOTHING
                self.prompt_ms.append((float(arrivals[row]) - float(self._ended_at[leg])) * 1000)

    def close(self) -> None:
        self.n_unheard += int((self._awaited != _NOTHING).sum())
        self._epoll.close()
        for sock in self.sockets:
            sock.close()


class Calls:
    """SIP of one job over the process's two sides: callers ring up, callees answer at once."""

    def __init__(self, caller: socket.socket, callee: socket.socket, job: dict[str, Any], first_number: int) -> None:
        self._caller, self._callee = caller, callee
        self._target = (job["host"], int(job["port"]))
        self._dial = str(job["dial"])
        self._port = caller.getsockname()[1]
        self._follow = follow_template(self._port)
        self._first = first_number
        self._is_talk = job["do"] == "talk"
        self.n = int(job["calls"])
        n_legs = self.n * 2 if self._is_talk else self.n
        self.phones = Phones(n_legs, str(job["host"]), is_pressing=not self._is_talk)
        self.n_placed = self.n_failed = self.n_dropped = 0
        self._answers: dict[int, bytes] = {}
        self._callees: dict[bytes, bytes] = {}
        self.ended: set[int] = set()

    @property
    def n_up(self) -> int:
        return len(self._answers)

    def place(self) -> None:
        """One more."""
        k = self.n_placed
        self.n_placed += 1
        number = self._first + k
        leg = k * 2 if self._is_talk else k
        sdp = session_description(self.phones.port_of(leg))
        invite = invite_template(self._dial, self._target[1], self._port, sdp) % (number, number, number)
        self._caller.sendto(invite.replace(CALLER.encode(), str(FIRST_CALLER + k).encode()), self._target)

    def poll(self) -> None:
        while (data := _received(self._caller)) is not None:
            self._on_caller(data)
        while (data := _received(self._callee)) is not None:
            self._on_callee(data)

    def hang_up(self, k: int) -> None:
        if k in self._answers:
            self._caller.sendto(follow(self._follow, b"BYE", self._answers[k], self._first + k), self._target)

    def _on_caller(self, data: bytes) -> None:
        found = re.search(rb"\r\nCall-ID: *(\d+)@", data)
        k = int(found[1]) - self._first if found else -1
        if not 0 <= k < self.n:
            return
        if data.startswith(b"BYE "):
            self.n_dropped += k not in self.ended
            self.ended.add(k)
            self._caller.sendto(callee_answer(data, b""), self._target)
            return
        status = int(data[8:11]) if data.startswith(b"SIP/2.0 ") else 0
        if status < 200:
            return
        if re.search(rb"\r\nCSeq: *\d+ BYE", data):
            self.ended.add(k)
        elif status == 200:
            self._caller.sendto(follow(self._follow, b"ACK", data, self._first + k), self._target)
            if k not in self._answers:
                self._answers[k] = data
                self.phones.connect(k * 2 if self._is_talk else k, _audio_port(data))
        else:
            self.n_failed += 1

    def _on_callee(self, data: bytes) -> None:
        call_id = data[data.index(b"\r\nCall-ID:") :].split(b"\r\n", 2)[1]
        if data.startswith(b"INVITE "):
            if call_id not in self._callees:
                leg = len(self._callees) * 2 + 1
                sdp = session_description(self.phones.port_of(leg))
                self._callees[call_id] = callee_answer(data, answer_tail(self._callee.getsockname()[1], sdp))
                self.phones.connect(leg, _audio_port(data))
            self._callee.sendto(self._callees[call_id], self._target)
        elif data.startswith(b"BYE "):
            self._callee.sendto(callee_answer(data, b""), self._target)


def run(calls: Calls, seconds: float) -> dict[str, Any]:
    """One job, from the first INVITE to the last BYE."""
    phones = calls.phones
    start = time.monotonic()
    end = np.inf
    stage = "up"
    late_s = 0.0
    tick = 0
    n_byes = 0
    while True:
        due = start + tick * 0.001
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        elif stage == "steady":
            late_s = max(late_s, -wait)
        phones.send(tick % SLOTS)
        phones.receive()
        calls.poll()
        tick += 1
        now = time.monotonic()
        match stage:
            case "up":
                if calls.n_placed < min(calls.n, (now - start) * _CALLS_PER_S):
                    calls.place()
                elif calls.n_up + calls.n_failed == calls.n or now - start > calls.n / _CALLS_PER_S + _UP_S:
                    stage, end = "settle", now + _SETTLE_S
            case "settle" if now >= end:
                stage, end = "steady", now + seconds
                sent, received = int(phones.n_sent.sum()), int(phones.n_received.sum())
                _tell({"up": calls.n_up})
            case "steady" if now >= end:
                _tell({"up": calls.n_up})
                sent, received = int(phones.n_sent.sum()) - sent, int(phones.n_received.sum()) - received
                phones.stop_pressing()
                stage, end = "drain", now + _DRAIN_S
            case "drain" if now >= end:
                stage, end = "bye", now + calls.n / _CALLS_PER_S + 5.0
            case "bye":
                if n_byes < calls.n:
                    if tick % 5 == 0:
                        calls.hang_up(n_byes)
                        n_byes += 1
                elif len(calls.ended) >= calls.n_up or now >= end:
                    break
            case _:
                pass
    phones.close()
    return {
        "up": calls.n_up,
        "dropped": calls.n_dropped,
        "not_ended": calls.n_up - len(calls.ended),
        "digits": phones.digits,
        "prompt_ms": [round(each, 2) for each in phones.prompt_ms],
        "unheard": phones.n_unheard,
        "sent": sent,
        "received": received,
        "late_ms_max": round(late_s * 1000, 1),
    }


def _audio_port(message: bytes) -> int:
    found = re.search(rb"\r\nm=audio (\d+) ", message)
    if found is None:
        raise ValueError("no audio is described")
    return int(found[1])


def _bound(host: str, port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except OSError:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    time_arrivals(made)
    made.bind((host, port))
    made.setblocking(False)
    return made


def _received(sock: socket.socket) -> bytes | None:
    try:
        return sock.recv(65535)
    except (BlockingIOError, ConnectionRefusedError):
        return None


def _tell(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def main() -> None:
    host = "127.0.0.1"
    caller, callee = _bound(host), _bound(host)
    _tell({"ports": [caller.getsockname()[1], callee.getsockname()[1]]})
    raise_priority()
    gc.disable()
    number = int(time.time()) % 100_000 * 100_000
    for line in sys.stdin:
        job = json.loads(line)
        _tell(run(Calls(caller, callee, job, number), float(job["seconds"])))
        number += int(job["calls"])


if __name__ == "__main__":
    main()
