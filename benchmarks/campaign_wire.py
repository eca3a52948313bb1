"""What `benchmarks.campaign` can say from the wire alone: who was dialled when and what the carrier did, which agent
had whom when, and when he heard him. Knows nothing of logs. Pure, but for reading captures.
"""

import itertools
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.campaign_carrier import MACHINE, QUIET
from benchmarks.contact_centre_capture import steady_packets

_DIALLED = re.compile(rb"^INVITE sip:\+?(?:86)?(\d+)@")
_CALLER = re.compile(rb"^(?:From|f):[^<\r]*<sip:\+?(?:86)?(\d+)@", re.MULTILINE | re.IGNORECASE)
_CALL_ID = re.compile(rb"^(?:Call-ID|i): *(\S+)", re.MULTILINE | re.IGNORECASE)
_METHOD = re.compile(rb"^CSeq: *\d+ +(\w+)", re.MULTILINE | re.IGNORECASE)
_AUDIO = re.compile(rb"^m=audio (\d+) ", re.MULTILINE)
_CLOCK_S = 0.05
"""What leaves the switch is on the wire within this time."""
_RESULTS = {486: "busy", 600: "busy", 603: "busy", 404: "invalid", 503: "congestion"}


class Dialled(msgspec.Struct):
    """An INVITE to the carrier. Instants are those of the capture; 0.0 = did not happen."""

    number: str
    began: float
    answered: float = 0.0
    cancelled: float = 0.0
    status: int = 0
    """The final one."""
    ended: float = 0.0

    def result(self, ring_timeout_s: float) -> str:
        """What the switch should call it; "" = that cannot be told: an answer that crossed a CANCEL, or no end."""
        if self.answered:
            kind = "machine" if self.number.endswith(MACHINE) else "human"
            return "" if self.cancelled else kind
        if self.status == 487:
            return "no_answer" if self.cancelled - self.began > ring_timeout_s - 0.25 else "cancelled"
        return _RESULTS.get(self.status, "")


class Offered(msgspec.Struct):
    """An INVITE to an agent."""

    agent: str
    number: str
    """The customer's."""
    began: float
    answered: float = 0.0
    rtp_port: int = 0
    heard: float = 0.0
    """The first packet of the customer's that came to his phone."""
    ended: float = 0.0


class Wire:
    """Counted from messages in the order in which they were on the wire. Places are whatever `take` gets: ports, or
    (host, port)."""

    def __init__(self, carrier: Hashable, agents: Mapping[Any, str]) -> None:
        self.dialled: dict[str, Dialled] = {}
        self.offered: dict[str, Offered] = {}
        """Both by Call-ID."""
        self._carrier = carrier
        self._agents = agents

    def take(self, at: float, source: Hashable, target: Hashable, data: bytes) -> None:
        call_id, method = _CALL_ID.search(data), _METHOD.search(data)
        if call_id is None or method is None:
            return
        key, name = call_id[1].decode(), method[1].decode()
        status = int(data[8:11]) if data.startswith(b"SIP/2.0") else 0
        if self._carrier in (source, target):
            self._take_carrier(at, key, name, status, data)
        elif (agent := self._agents.get(source) or self._agents.get(target)) is not None:
            self._take_agent(at, key, name, status, data, agent)

    def _take_carrier(self, at: float, key: str, method: str, status: int, data: bytes) -> None:
        call = self.dialled.get(key)
        if call is None:
            number = _DIALLED.search(data)
            if number is not None:
                self.dialled[key] = Dialled(number[1].decode(), at)
        elif method == "INVITE" and status >= 200 and not call.status:
            call.status = status
            if status < 300:
                call.answered = at
            else:
                call.ended = at
        elif method == "CANCEL" and not status and not call.cancelled:
            call.cancelled = at
        elif method == "BYE" and not call.ended:
            call.ended = at

    def _take_agent(self, at: float, key: str, method: str, status: int, data: bytes, agent: str) -> None:
        offer = self.offered.get(key)
        if offer is None:
            number = _CALLER.search(data)
            if method == "INVITE" and not status and number is not None:
                self.offered[key] = Offered(agent, number[1].decode(), at)
        elif method == "INVITE" and status >= 200:
            audio = _AUDIO.search(data)
            if status < 300 and audio is not None and not offer.answered:
                offer.answered, offer.rtp_port = at, int(audio[1])
            elif status >= 300 and not offer.ended:
                offer.ended = at
        elif method in ("BYE", "CANCEL") and not status and not offer.ended:
            offer.ended = at

    def listen(self, path: Path) -> None:
        """When each agent first heard the customer he was given."""
        at, ports, _ = steady_packets(path, [QUIET])
        by_port = {int(port): at[ports == port] for port in np.unique(ports)}
        for offer in self.offered.values():
            heard = by_port.get(offer.rtp_port)
            if heard is None or not offer.answered:
                continue
            first = heard[heard >= offer.began]
            if len(first) and (not offer.ended or first[0] <= offer.ended):
                offer.heard = float(first[0])

    def served(self, call: Dialled) -> Offered | None:
        """Who had the customer of this call."""
        for offer in self.offered.values():
            is_in_time = call.answered and call.answered <= offer.answered <= (call.ended or offer.answered)
            if offer.number == call.number and is_in_time:
                return offer
        return None

    def by_number(self) -> dict[str, list[Dialled]]:
        """In the order in which they were dialled."""
        found: dict[str, list[Dialled]] = {}
        for call in sorted(self.dialled.values(), key=lambda each: each.began):
            found.setdefault(call.number, []).append(call)
        return found

    def dialled_twice(self, wait_s: Callable[[Dialled], float]) -> list[str]:
        """Numbers that were dialled while a call to them was not over, or sooner after it than `wait_s` says of it."""
        return [
            number
            for number, calls in self.by_number().items()
            for before, after in itertools.pairwise(calls)
            if not before.ended or after.began < before.ended + wait_s(before) - _CLOCK_S
        ]

    def offered_twice(self) -> list[str]:
        """Agents who were rung while they had somebody else."""
        until: dict[str, float] = {}
        twice = []
        for offer in sorted(self.offered.values(), key=lambda each: each.began):
            if offer.began < until.get(offer.agent, 0.0):
                twice.append(offer.agent)
            until[offer.agent] = max(until.get(offer.agent, 0.0), offer.ended or float("inf"))
        return twice

    def take_all(self, datagrams: Iterable[tuple[float, Hashable, Hashable, bytes]]) -> None:
        for at, source, target, data in datagrams:
            self.take(at, source, target, data)
