"""Packets that no socket vouches for: from elsewhere than a leg's peer, or to a shared port and for no leg known there.

Judged one by one, in bounded numbers: whose they may be, and whether that leg takes them (`media.learning`). On a
shared port whose they may be is asked in this order: a leg whose peer's address it is, and if that is several legs, the
one that was not heard yet or has fallen silent; the leg that has the packet's SSRC (its peer's NAT gave it another
port); the one leg that was not heard yet and may be sent to from there, at once while it waits for its peer's address,
after some packets when it has one. Where two could be meant it is nobody's.
"""

import logging
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from media.learning import Address, Verdict
from media.session import Leg
from rtp.header import HEADER_BYTES, MAX_PACKET, strip_options

if TYPE_CHECKING:
    from media.engine import Engine

log = logging.getLogger(__name__)

MAX_OF_PORT = 32
"""Packets taken of one leg's open socket in one poll: more is a flood, and waits."""
MAX_IN_ALL = 512
"""The same of all legs together; of a flood to shared ports the rest is dropped."""
MAX_BACKLOG = 1000
"""Packets that are looked through of one leg that nobody served for a while: its socket holds no more."""
BACKLOG = 8
"""So many of them are still worth hearing: 160 ms."""
HINT_PACKETS = 10
"""Packets of one stream on a shared port before it is taken for that of the only leg that was not heard: 200 ms."""
MAX_HINTS = 1000
SILENCE_S = 0.3
"""A leg not heard for so long may have begun another stream."""

Batch = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Arena rows, leg rows, lengths: RTP that is accepted, each leg once."""


class Strangers:
    """Finds what is acceptable of one poll's strange packets. `begin` before each poll."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._ports = engine.ports
        self._table = engine.table
        self._receiver = engine.receiver
        self._by_row = engine.by_row
        self.n_dropped = 0
        """Packets to shared ports that were nobody's, since the start."""
        self._n_judged = 0
        self._hints: dict[tuple[int, Address, int], tuple[int, int]] = {}
        """Streams (shared port, source, SSRC) that may be those of the leg on that row, and how many packets came."""
        self._unheard: dict[int, list[Leg]] = {}
        """By shared port: legs that were not heard since they were configured."""
        self._hosts: dict[int, set[str]] = {}
        """By shared port: where its legs may be sent to from."""

    def begin(self) -> None:
        """A new poll."""
        self._n_judged = 0
        if self._hosts:
            self._unheard.clear()
            self._hosts.clear()

    @property
    def is_enough(self) -> bool:
        """No more is judged in this poll."""
        return self._n_judged >= MAX_IN_ALL

    def take_waiting(self, rows: list[int]) -> tuple[Batch, list[int]]:
        """At most one packet of the open socket of each leg in `rows`; also which of them may have more."""
        ports = self._ports
        n = 0
        waiting = []
        for row in rows:
            if n == ports.batch or self.is_enough:
                break
            read = ports.read_stranger(row, n)
            if read is None:
                continue
            self._n_judged += 1
            waiting.append(row)
            n += self._place(n, row, *read)
        return self._batch(n), waiting

    def take_backlog(self, rows: list[int]) -> Iterator[Batch]:
        """What waits in the open sockets of legs that nobody served for a while, oldest first; of each the newest
        `BACKLOG` packets, the others are too old to be of use."""
        ports = self._ports
        held: dict[int, deque[tuple[bytes, Address]]] = {}
        for row in rows:
            packets = held[row] = deque(maxlen=BACKLOG)
            for _ in range(MAX_BACKLOG):
                read = ports.read_stranger(row, 0)
                if read is None:
                    break
                packets.append((bytes(ports.rows[0][: read[0]]), read[1]))
        while any(held.values()):
            n = 0
            for row, packets in held.items():
                if packets and n < ports.batch:
                    data, address = packets.popleft()
                    ports.rows[n][: len(data)] = data
                    n += self._place(n, row, len(data), address)
            yield self._batch(n)

    def _place(self, n: int, row: int, length: int, address: Address) -> bool:
        """Whether the packet in arena row `n` is taken, as one of the leg on `row`."""
        ports, headers = self._ports, self._ports.headers
        length = 0 if length >= MAX_PACKET else strip_options(ports.rows[n], length)
        leg = self._by_row[row]
        if leg is None or not length:
            self._table.rejected[row] += 1
            return False
        if not self._accepts(leg, address, int(headers["ssrc"][n]), int(headers["seq"][n])):
            return False
        ports.legs[n], ports.lengths[n] = row, length
        return True

    def _batch(self, n: int) -> Batch:
        return np.arange(n), self._ports.legs[:n].copy(), self._ports.lengths[:n].copy()

    def take_unknown(self, arena_rows: NDArray[np.intp], now: float) -> list[tuple[int, int, int]]:
        """Packets to shared ports that belong to no leg: (arena row, leg row, length) of those that are accepted, in
        their order; one leg may have several."""
        ports, headers, accepted = self._ports, self._ports.headers, []
        self.n_dropped += len(arena_rows)
        for k in arena_rows[: max(MAX_IN_ALL - self._n_judged, 0)].tolist():
            self._n_judged += 1
            index, address = ports.source_of(k)
            if address[0] not in self._hosts_of(index):
                continue
            if not HEADER_BYTES <= ports.lengths[k] < MAX_PACKET:
                continue
            ssrc = int(headers["ssrc"][k])
            leg = self._whose(index, address, ssrc, now)
            if leg is None:
                continue
            length = strip_options(ports.rows[k], ports.claim(k, leg.row))
            if not length:
                continue
            self.n_dropped -= 1
            if self._accepts(leg, address, ssrc, int(headers["seq"][k])):
                accepted.append((k, leg.row, length))
        return accepted

    def _accepts(self, leg: Leg, address: Address, ssrc: int, seq: int) -> bool:
        received, guard = self._receiver, leg.guard
        before = guard.source, guard.destination
        verdict = guard.judge(
            address,
            ssrc,
            seq,
            has_received=int(received.packets[leg.row]) > leg.packets_at_configure,
            stream=(int(received.ssrc[leg.row]), int(received.max_seq[leg.row])),
        )
        if verdict is Verdict.LEARN and not self._follow(leg):
            guard.source, guard.destination = before
            verdict = Verdict.REJECT
        if verdict is Verdict.REJECT:
            self._table.rejected[leg.row] += 1
        return verdict is not Verdict.REJECT

    def _follow(self, leg: Leg) -> bool:
        """The guard has learned an address: the sockets follow. False: they cannot."""
        engine = self._engine
        try:
            self._ports.connect(leg.row, leg.guard.source, leg.guard.destination)
        except OSError as error:
            log.warning("%s %s: cannot reach %s: %s", leg.session, leg.id, leg.guard.source, error)
            return False
        self._unheard.clear()
        self._hosts.clear()
        engine.reports.redirect(leg)
        engine.takeover.note(leg)
        engine.changed.add(leg.session)
        log.info(
            "%s %s: RTP comes from %s, ours goes to %s", leg.session, leg.id, leg.guard.source, leg.guard.destination
        )
        return True

    # -- shared ports -------------------------------------------------------------------------------------------------

    def _whose(self, index: int, address: Address, ssrc: int, now: float) -> Leg | None:
        rows = self._ports.rows_at(index, address, ssrc)
        if len(rows) == 1:
            return self._by_row[rows[0]]
        if rows:
            return self._of_several(rows, now)
        received, on_port = self._receiver, self._ports.rows_of(index)
        streams = on_port[received.ssrc[on_port] == ssrc]
        if len(streams) == 1:
            leg = self._by_row[int(streams[0])]
            return leg if leg is not None and leg.guard.is_allowed_host(address[0]) else None
        unheard = [leg for leg in self._unheard_of(index) if leg.guard.is_allowed_host(address[0])]
        if len(unheard) != 1:
            return None
        leg = unheard[0]
        # With keys the packet proves itself.
        is_certain = leg.guard.source is None or self._ports.srtp.has_keys[leg.row]
        return leg if is_certain or self._is_proven(index, address, ssrc, leg) else None

    def _is_proven(self, index: int, address: Address, ssrc: int, leg: Leg) -> bool:
        """Whether a stream that nothing ties to the leg has gone on for so long that it is the leg's all the same.

        Audio often comes before the answer that says from where: taken at once, one call would hear another.
        """
        stream = (index, address, ssrc)
        row, n = self._hints.pop(stream, (leg.row, 0))
        n = n + 1 if row == leg.row else 1
        if n >= HINT_PACKETS:
            return True
        if len(self._hints) >= MAX_HINTS:
            self._hints.clear()
        self._hints[stream] = (leg.row, n)
        return False

    def _of_several(self, rows: list[int], now: float) -> Leg | None:
        """Of legs with the same peer's address, the one whose stream a new SSRC can be."""
        legs = [leg for leg in (self._by_row[row] for row in rows) if leg is not None]
        new = [leg for leg in legs if self._receiver.ssrc[leg.row] < 0]
        silent = new or [leg for leg in legs if now - self._table.received_at[leg.row] > SILENCE_S]
        return silent[0] if len(silent) == 1 else None

    def _unheard_of(self, index: int) -> list[Leg]:
        if index not in self._unheard:
            self._look_at(index)
        return [leg for leg in self._unheard[index] if self._receiver.packets[leg.row] <= leg.packets_at_configure]

    def _hosts_of(self, index: int) -> set[str]:
        if index not in self._hosts:
            self._look_at(index)
        return self._hosts[index]

    def _look_at(self, index: int) -> None:
        packets = self._receiver.packets
        legs = [leg for leg in (self._by_row[row] for row in self._ports.rows_of(index).tolist()) if leg is not None]
        self._unheard[index] = [leg for leg in legs if packets[leg.row] <= leg.packets_at_configure]
        self._hosts[index] = {host for leg in legs for host in leg.guard.allowed_hosts}
