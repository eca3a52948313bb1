"""What was on the wire of a namespace: tcpdump writes, this reads. RTP streams with their losses and their audio."""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.live.audio import Pcm, decode_alaw, decode_ulaw
from tests.live.netns import Namespace
from tests.live.processes import Process

_IPV4 = 0x0800


@dataclass
class Datagram:
    at: float
    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes


@dataclass
class RtpStream:
    """All RTP of one SSRC from one address to another, in order of arrival."""

    source: tuple[str, int]
    target: tuple[str, int]
    ssrc: int
    packets: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    """(sequence number made monotonic, timestamp, payload type, payload)"""

    def add(self, number: int, timestamp: int, kind: int, payload: bytes) -> None:
        if self.packets:
            last = self.packets[-1][0]
            step = (number - last) & 0xFFFF
            number = last + (step if step < 0x8000 else step - 0x10000)
        else:
            number += 0x10000
        self.packets.append((number, timestamp, kind, payload))

    @property
    def lost(self) -> int:
        """Packets missing between the first and the last."""
        numbers = {packet[0] for packet in self.packets}
        return max(numbers) - min(numbers) + 1 - len(numbers)

    @property
    def doubled(self) -> int:
        return len(self.packets) - len({packet[0] for packet in self.packets})

    @property
    def audio(self) -> Pcm:
        """All G.711 payloads one after the other."""
        pieces = [decode_alaw(p[3]) if p[2] == 8 else decode_ulaw(p[3]) for p in self.packets if p[2] in (0, 8)]
        return np.concatenate(pieces) if pieces else np.zeros(0)

    def digits(self, payload_type: int = 101) -> str:
        """Telephone events (RFC 4733), each once."""
        seen: dict[int, str] = {}
        for _, timestamp, kind, payload in self.packets:
            if kind == payload_type and len(payload) >= 4:
                seen.setdefault(timestamp, "0123456789*#ABCD"[payload[0] & 15])
        return "".join(seen.values())


class Capture:
    """Runs from construction to `stop`: what the switch and SIPp send each other (lo) and what passes between them and
    the phones (lan0). `expression` is a pcap filter."""

    def __init__(self, network: Namespace, folder: Path, expression: str = "udp") -> None:
        self._files = [folder / f"wire-{device}.pcap" for device in ("lo", "lan0")]
        self._processes = []
        for file in self._files:
            device = file.stem.removeprefix("wire-")
            # Without immediate mode the last second of packets would be lost when it is told to end. A slot of the
            # buffer is as large as the longest packet taken: short ones make 16,000 of them, seconds of any load.
            words = ["tcpdump", "-i", device, "-n", "-U", "--immediate-mode", "-s", "4096", "-B", "65536", "-Z", "root"]
            words += ["-w", str(file), expression]
            self._processes.append(Process(network.command(*words), folder / f"tcpdump-{device}.log"))
        for process in self._processes:
            process.wait_for_line("listening on")
        self._datagrams: list[Datagram] | None = None

    def stop(self) -> None:
        """Fails when the kernel could not keep up: then nothing is known."""
        for process in self._processes:
            if process.exit_code is None:
                process.terminate()
            assert "\n0 packets dropped by kernel" in process.log, process.log

    def kill(self) -> None:
        for process in self._processes:
            process.kill()

    @property
    def datagrams(self) -> list[Datagram]:
        """All UDP, in order. Stops the capture."""
        if self._datagrams is None:
            self.stop()
            self._datagrams = sorted((d for file in self._files for d in _read(file)), key=lambda one: one.at)
        return self._datagrams

    def rtp(self) -> list[RtpStream]:
        """RTP (not RTCP, not SIP) by source, target and SSRC. Stops the capture."""
        streams: dict[tuple[tuple[str, int], tuple[str, int], int], RtpStream] = {}
        for datagram in self.datagrams:
            data = datagram.data
            if len(data) < 12 or data[0] & 0xC0 != 0x80 or 192 <= data[1] <= 223:
                continue
            number, timestamp, ssrc = struct.unpack_from(">HII", data, 2)
            key = (datagram.source, datagram.target, ssrc)
            stream = streams.get(key) or streams.setdefault(key, RtpStream(*key))
            stream.add(number, timestamp, data[1] & 0x7F, data[12 + 4 * (data[0] & 15) :])
        return list(streams.values())

    def rtp_to(self, host: str) -> list[RtpStream]:
        return [stream for stream in self.rtp() if stream.target[0] == host]

    def sip_repeated_by(self, host: str) -> list[bytes]:
        """SIP datagrams that `host` sent more than once to the same place: its retransmissions. Stops the capture."""
        seen: set[tuple[tuple[str, int], bytes]] = set()
        repeated: list[bytes] = []
        for datagram in self.datagrams:
            if datagram.source[0] == host and b"SIP/2.0" in datagram.data[:512]:
                key = (datagram.target, datagram.data)
                if key in seen:
                    repeated.append(datagram.data)
                seen.add(key)
        return repeated


def _read(path: Path) -> list[Datagram]:
    raw = path.read_bytes()
    magic, link = struct.unpack_from("<I16xI", raw)
    assert magic == 0xA1B2C3D4 and link == 1, f"{path}: pcap magic {magic:x}, link type {link}"
    datagrams = []
    position = 24
    while position + 16 <= len(raw):
        seconds, micros, length = struct.unpack_from("<III", raw, position)
        frame = raw[position + 16 : position + 16 + length]
        position += 16 + length
        if len(frame) < 42 or struct.unpack_from(">H", frame, 12)[0] != _IPV4 or frame[23] != 17:
            continue
        start = 14 + 4 * (frame[14] & 15)
        source_port, target_port, size = struct.unpack_from(">HHH", frame, start)
        source = (".".join(map(str, frame[26:30])), source_port)
        target = (".".join(map(str, frame[30:34])), target_port)
        datagrams.append(Datagram(seconds + micros / 1e6, source, target, frame[start + 8 : start + size]))
    return datagrams
