"""What `benchmarks.contact_centre` can say from the wire alone: tcpdump writes, this counts, knowing nothing of logs.

A caller is known by his number, which stands in his INVITE and in those that the switch sends to agents for him; an
agent by the port of his phone and by the one byte that is all he says.
"""

import asyncio
import re
import signal
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

_RTP_SNAP = 60
"""Ethernet, IP, UDP and RTP headers, and six bytes of what is said."""
_RTP_RECORD = np.dtype(
    [
        ("seconds", "<u4"),
        ("micros", "<u4"),
        ("captured", "<u4"),
        ("length", "<u4"),
        ("link", "V14"),
        ("ip", "V12"),
        ("source", ">u4"),
        ("target", ">u4"),
        ("source_port", ">u2"),
        ("target_port", ">u2"),
        ("udp", "V4"),
        ("rtp", "V12"),
        ("payload", "u1", (6,)),
    ]
)
_NUMBER = re.compile(rb"^From:[^<\r]*<sip:([^@>;]+)@", re.MULTILINE | re.IGNORECASE)
_CALL_ID = re.compile(rb"^(?:Call-ID|i): *(\S+)", re.MULTILINE | re.IGNORECASE)
_CSEQ = re.compile(rb"^CSeq: *(\d+) +(\w+)", re.MULTILINE | re.IGNORECASE)
_AUDIO = re.compile(rb"^m=audio (\d+) ", re.MULTILINE)


class WireCall(msgspec.Struct):
    """One caller, as the wire shows him. Instants are those of the capture; 0.0 = did not happen."""

    caller: str
    rtp_port: int = 0
    answered: float = 0.0
    """The switch answered him: he waits."""
    ended: float = 0.0
    ended_by_caller: bool = False
    served: float = 0.0
    """An agent answered, and neither had anybody given up by then."""
    agent: str = ""
    heard: float = 0.0
    """The first packet of that agent's voice reached him."""


class WireOffer(msgspec.Struct):
    """An INVITE to an agent."""

    agent: str
    caller: str
    began: float
    answered: float = 0.0
    ended: float = 0.0
    """CANCEL, BYE or refusal."""


class Capture:
    """Two tcpdumps on the loopback device of this network namespace: signalling in full, audio to callers in brief."""

    def __init__(self, processes: list[asyncio.subprocess.Process], folder: Path) -> None:
        self._processes = processes
        self.folder = folder

    @classmethod
    async def start(cls, folder: Path, sip_port: int, rtp_ports: tuple[int, int]) -> "Capture":
        """Raises OSError when tcpdump does not listen."""
        audio = (
            f"udp and src portrange {rtp_ports[0]}-{rtp_ports[1]} "
            # Payload type 0, whatever the marker says: no RTCP, no telephone-events.
            "and udp[9] & 0x7f = 0"
        )
        processes = []
        for name, snap, expression in (("sip", 4096, f"udp port {sip_port}"), ("rtp", _RTP_SNAP, audio)):
            with (folder / f"tcpdump-{name}.log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    "tcpdump", "-i", "lo", "-n", "-s", str(snap), "-B", "65536", "-Z", "root",
                    "-w", str(folder / f"{name}.pcap"), expression,
                    stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                )  # fmt: skip
            processes.append(process)
        made = cls(processes, folder)
        for name in ("sip", "rtp"):
            for _ in range(200):
                if "listening on" in (folder / f"tcpdump-{name}.log").read_text():
                    break
                await asyncio.sleep(0.05)
            else:
                await made.stop()
                raise OSError(f"tcpdump does not listen: {(folder / f'tcpdump-{name}.log').read_text()}")
        return made

    async def stop(self) -> None:
        await asyncio.sleep(1.0)
        for process in self._processes:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in self._processes:
            await process.wait()

    @property
    def n_dropped(self) -> int:
        """Packets the kernel could not hand over: with any, the counts say nothing."""
        text = "".join((self.folder / f"tcpdump-{name}.log").read_text() for name in ("sip", "rtp"))
        return sum(int(n) for n in re.findall(r"(\d+) packets dropped by kernel", text))

    def read(self, switch: tuple[str, int], agent_ports: dict[int, str], codes: dict[int, str]) -> "Wire":
        """`agent_ports`: port of an agent's phone → agent id; `codes`: the byte he says → agent id."""
        wire = Wire(switch[1], agent_ports)
        for at, source, target, data in sip_datagrams(self.folder / "sip.pcap"):
            wire.take(at, source, target, data)
        wire.listen(self.folder / "rtp.pcap", codes)
        return wire


class Wire:
    """Callers and offers, counted from messages in the order in which they were on the wire."""

    def __init__(self, sip_port: int, agent_ports: dict[int, str]) -> None:
        self.calls: dict[str, WireCall] = {}
        """By the caller's number."""
        self.offers: dict[str, WireOffer] = {}
        """By Call-ID of the INVITE to the agent."""
        self._sip_port = sip_port
        self._agent_ports = agent_ports
        self._by_call_id: dict[str, WireCall] = {}

    def take(self, at: float, source: int, target: int, data: bytes) -> None:
        call_id_found, cseq = _CALL_ID.search(data), _CSEQ.search(data)
        if call_id_found is None or cseq is None:
            return
        call_id, method = call_id_found[1].decode(), cseq[2].decode()
        is_response = data.startswith(b"SIP/2.0")
        agent = self._agent_ports.get(target) or self._agent_ports.get(source)
        if agent is not None:
            self._take_agent(
                at, agent, call_id, method, data, from_switch=source == self._sip_port, is_response=is_response
            )
        else:
            self._take_caller(at, call_id, method, data, from_switch=source == self._sip_port, is_response=is_response)

    def _take_caller(
        self, at: float, call_id: str, method: str, data: bytes, *, from_switch: bool, is_response: bool
    ) -> None:
        call = self._by_call_id.get(call_id)
        if method == "INVITE" and not is_response and call is None and not from_switch:
            number = _NUMBER.search(data)
            audio = _AUDIO.search(data)
            if number is not None and audio is not None:
                call = WireCall(number[1].decode(), int(audio[1]))
                self.calls[call.caller] = self._by_call_id[call_id] = call
        elif call is None:
            return
        elif method == "INVITE" and is_response and from_switch and b" 200 " in data[:16] and not call.answered:
            call.answered = at
        elif method == "BYE" and not is_response and not call.ended:
            call.ended, call.ended_by_caller = at, not from_switch

    def _take_agent(
        self, at: float, agent: str, call_id: str, method: str, data: bytes, *, from_switch: bool, is_response: bool
    ) -> None:
        offer = self.offers.get(call_id)
        if offer is None:
            number = _NUMBER.search(data)
            if method == "INVITE" and from_switch and not is_response and number is not None:
                self.offers[call_id] = WireOffer(agent, number[1].decode(), at)
            return
        status = int(data[8:11]) if is_response else 0
        if method == "INVITE" and is_response and not from_switch:
            if status == 200 and not offer.answered:
                offer.answered = at
                self._serve(offer, at)
            elif status >= 300 and not offer.ended:
                offer.ended = at
        elif method in ("BYE", "CANCEL") and not is_response and not offer.ended:
            offer.ended = at

    def _serve(self, offer: WireOffer, at: float) -> None:
        call = self.calls.get(offer.caller)
        if call is not None and not call.ended and not call.served and not offer.ended:
            call.served, call.agent = at, offer.agent

    def listen(self, path: Path, codes: dict[int, str]) -> None:
        """When each caller first heard the agent who served him."""
        at, ports, said_by = steady_packets(path, list(codes))
        by_port: dict[int, list[WireCall]] = {}
        for call in self.calls.values():
            by_port.setdefault(call.rtp_port, []).append(call)
        agent_codes = {agent: code for code, agent in codes.items()}
        for port, calls in by_port.items():
            here = ports == port
            here_at, here_by = at[here], said_by[here]
            for call in calls:
                if not call.served:
                    continue
                first = here_at[(here_by == agent_codes[call.agent]) & (here_at >= call.served)]
                if len(first) and (not call.ended or first[0] <= call.ended):
                    call.heard = float(first[0])

    def offered_twice(self) -> int:
        """INVITEs to an agent, or for a caller, while another one was not over."""
        n = 0
        for key in ("agent", "caller"):
            until: dict[str, float] = {}
            for offer in sorted(self.offers.values(), key=lambda each: each.began):
                who = getattr(offer, key)
                n += offer.began < until.get(who, 0.0)
                until[who] = max(until.get(who, 0.0), offer.ended or float("inf"))
        return n


def steady_packets(path: Path, codes: list[int]) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Of all that begins with one of these bytes over and over: (instants, ports it went to, bytes)."""
    raw = path.read_bytes()[24:]
    packets = np.frombuffer(raw, dtype=_RTP_RECORD, count=len(raw) // _RTP_RECORD.itemsize)
    if len(packets) and not (packets["captured"] == _RTP_SNAP).all():
        raise ValueError(f"{path}: packets of other lengths than {_RTP_SNAP}")
    said = packets["payload"]
    steady = (said == said[:, :1]).all(axis=1) & np.isin(said[:, 0], codes)
    at = packets["seconds"][steady] + packets["micros"][steady] / 1e6
    return at, packets["target_port"][steady].astype(np.int64), said[steady, 0].astype(np.int64)


def sip_datagrams(path: Path) -> list[tuple[float, int, int, bytes]]:
    """(instant, source port, target port, payload) of UDP over IPv4 over Ethernet."""
    raw = path.read_bytes()
    found, position = [], 24
    while position + 16 <= len(raw):
        seconds, micros, length = np.frombuffer(raw, "<u4", 3, position).tolist()
        frame = raw[position + 16 : position + 16 + length]
        position += 16 + length
        start = 14 + 4 * (frame[14] & 15)
        source, target, size = np.frombuffer(frame, ">u2", 3, start).tolist()
        found.append((seconds + micros / 1e6, source, target, frame[start + 8 : start + size]))
    return found
