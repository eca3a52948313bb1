"""What the switch sends each peer, heard while it comes: a thread reads the wire of a namespace and keeps the last
second of G.711 to every address, and the digits (RFC 4733). `Capture` is for judging all of it afterwards."""

import select
import socket
import struct
import threading
from collections import deque

import numpy as np

from tests.live.audio import Pcm, decode_alaw, decode_ulaw, power_db, tone_share
from tests.live.netns import Namespace
from tests.live.processes import wait_until

_ETH_P_IP = 0x0800
_ETH_P_ALL = 3
_OUTGOING = 4
_FRAMES = 15
"""Packets of 20 ms that judge what is heard now."""


class _Ear:
    def __init__(self) -> None:
        self.n = 0
        self.last: deque[tuple[int, bytes]] = deque(maxlen=60)
        self.digits = ""
        self.at_event: tuple[int, int] = (0, -1)

    def take(self, packet: bytes) -> None:
        kind = packet[1] & 0x7F
        payload = packet[12 + 4 * (packet[0] & 15) :]
        if kind in (0, 8) and len(payload) == 160:
            self.n += 1
            self.last.append((kind, payload))
        elif kind >= 96 and len(payload) == 4:
            event = struct.unpack_from(">II", packet, 4)
            if event != self.at_event:
                self.at_event = event
                self.digits += "0123456789*#ABCD"[payload[0] & 15]

    def audio(self, frames: int) -> Pcm:
        pieces = [decode_alaw(p) if kind == 8 else decode_ulaw(p) for kind, p in list(self.last)[-frames:]]
        return np.concatenate(pieces) if pieces else np.zeros(0)


class Ears:
    """Hears from construction to `close` whatever comes from `source` in the namespace."""

    def __init__(self, network: Namespace, source: str) -> None:
        self._source = socket.inet_aton(source)
        self._ears: dict[str, _Ear] = {}
        self._sockets = []
        for device in ("lo", "lan0"):
            # What this machine sends is only shown to who asks for packets of all protocols.
            made = network.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
            made.bind((device, _ETH_P_ALL))
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            made.setblocking(False)
            self._sockets.append(made)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="ears")
        self._thread.start()

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()
        for each in self._sockets:
            each.close()

    def wait_hears(self, address: str, hz: float) -> None:
        """Until what comes to `address` from now on is this tone, for a third of a second."""
        ear = self._ear(address)
        begin = ear.n

        def is_heard() -> bool:
            return ear.n >= begin + _FRAMES and tone_share(ear.audio(_FRAMES), hz, 0.1) > 0.8

        wait_until(is_heard, lambda: f"{address} to hear {hz:g} Hz; {self._heard(ear, begin)}")

    def wait_hears_music(self, address: str, *not_hz: float) -> None:
        """Until something else than these tones comes, and is no silence."""
        ear = self._ear(address)
        begin = ear.n

        def is_music() -> bool:
            audio = ear.audio(_FRAMES)
            is_new = ear.n >= begin + _FRAMES
            return is_new and power_db(audio) > -60 and all(tone_share(audio, hz, 0.1) < 0.3 for hz in not_hz)

        wait_until(is_music, lambda: f"{address} to hear music; {self._heard(ear, begin)}")

    def digits(self, address: str) -> str:
        """All that came so far, in the order they came."""
        return self._ear(address).digits

    def _ear(self, address: str) -> _Ear:
        return self._ears.setdefault(address, _Ear())

    def _heard(self, ear: _Ear, begin: int) -> str:
        audio = ear.audio(_FRAMES)
        spectrum = np.abs(np.fft.rfft(audio)) if len(audio) else np.zeros(1)
        loudest = spectrum.argmax() * 8000 / max(1, len(audio))
        return f"{ear.n - begin} packets came, the last at {power_db(audio):.0f} dB, mostly {loudest:.0f} Hz"

    def _listen(self) -> None:
        while not self._is_over.is_set():
            ready, _, _ = select.select(self._sockets, [], [], 0.2)
            for each in ready:
                for _ in range(200):
                    try:
                        data, (device, protocol, kind, *_rest) = each.recvfrom(2048)
                    except BlockingIOError:
                        break
                    # The loopback shows every packet twice, going out and coming in.
                    if protocol == _ETH_P_IP and (device != "lo" or kind != _OUTGOING):
                        self._take(data)

    def _take(self, packet: bytes) -> None:
        if len(packet) < 40 or packet[9] != 17 or packet[12:16] != self._source:
            return
        rtp = packet[4 * (packet[0] & 15) + 8 :]
        if len(rtp) >= 12 and rtp[0] & 0xC0 == 0x80 and not 192 <= rtp[1] <= 223:
            self._ear(socket.inet_ntoa(packet[16:20])).take(rtp)
