"""Shared UDP ports: few sockets for many legs, read and written in batches (`recvmmsg`, `sendmmsg`).

A packet's leg is found by (local port, source address, source port), a whole batch at a time. Legs whose peer uses one
address and port for several of them on the same port of ours are told apart by SSRC. Whatever belongs to no leg is
`unknown`: whoever knows the legs may judge it, else it is forgotten with the batch.

For peers whose address is known and not behind a NAT; at most one leg of a port may wait for its peer's address.
"""

import socket
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtp.net.address import Address, for_socket, plain
from rtp.net.arena import Arena
from rtp.net.key_table import NOTHING, KeyTable, Words
from rtp.net.leg_ports import drain
from rtp.net.mmsg import NAME_BYTES, Receiver, Sender, pack_name, unpack_name
from rtp.net.watcher import Watcher

CONTESTED = 1 << 40
"""Value of an address that several legs of the port share."""
MAX_PORTS = 256
MAX_REPORT = 1500
_FAMILY_BITS = np.uint64(0xFFFF)
_OUR_PORT = np.uint64(0xFF)
_BITS = np.uint64(16)
_NO_FLOW = np.uint64(0xFFFF_FFFF)


class PortRefused(OSError):
    """The leg cannot live on that port; another one may do."""


class _Shared:
    """One pair of sockets and who lives there."""

    __slots__ = ("fd", "index", "legs", "port", "rows", "rtcp", "rtp")

    def __init__(self, index: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.index = index
        self.rtp = rtp
        self.rtcp = rtcp
        self.fd = rtp.fileno()
        self.port: int = rtp.getsockname()[1]
        self.legs: dict[int, _Resident] = {}
        self.rows: NDArray[np.int64] | None = None
        """Those of `legs`, when somebody asked."""


class _Resident:
    """One leg."""

    __slots__ = ("destination", "is_waiting", "key", "port", "source", "ssrc")

    def __init__(self, port: _Shared) -> None:
        self.port = port
        self.key: tuple[int, ...] | None = None
        self.source: Address | None = None
        self.destination: Address | None = None
        self.is_waiting = True
        """Its peer's address was never known (that of a peer on hold may be unknown again)."""
        self.ssrc = -1
        """-1 = not told yet."""


class SharedPorts:
    """The sockets of up to `capacity` legs; leg `row`s are `first_row` and on.

    `pairs` are bound UDP sockets of one family, RTP (even port) with RTCP; they stay open when a leg is released.
    """

    def __init__(
        self,
        pairs: Sequence[tuple[socket.socket, socket.socket]],
        arena: Arena,
        watcher: Watcher,
        *,
        first_row: int,
        capacity: int,
    ) -> None:
        families = {each.family for pair in pairs for each in pair}
        if len(families) > 1:
            raise ValueError("the shared ports are not all of one address family")
        self._family = families.pop() if families else socket.AF_INET
        self.first_row = first_row
        self.capacity = capacity
        self._arena = arena
        self._watcher = watcher
        self._ports = [_Shared(i, *pair) for i, pair in enumerate(pairs)]
        self.ports = {each.port: each.index for each in self._ports}
        if len(self._ports) > MAX_PORTS:
            raise ValueError(f"more than {MAX_PORTS} shared ports")
        self._indices = np.arange(len(self._ports), dtype=np.uint8)
        for each in self._ports:
            each.rtp.setblocking(False)
            each.rtcp.setblocking(False)
        self._free = list(range(first_row + capacity - 1, first_row - 1, -1))
        n_words = 1 if self._family == socket.AF_INET else 3
        self._by_address = KeyTable(
            capacity, n_words, _by_ports, max(1 << 16, 1 << (16 + (len(pairs) - 1).bit_length()))
        )
        self._by_ssrc = KeyTable(capacity, n_words + 1)
        self._contested: dict[tuple[int, ...], list[int]] = {}
        """Rows of an address that several legs share."""
        self._residents: dict[int, _Resident] = {}
        self._receiver = Receiver(arena.bytes, self._family)
        self._from = np.zeros(arena.size, np.uint64)
        """Index of the port that each arena row came to."""
        self._names = np.zeros((first_row + capacity, NAME_BYTES), np.uint8)
        """Each leg's destination; family 0 = none."""
        self._name_at = np.uint64(self._names.ctypes.data) + np.arange(
            first_row + capacity, dtype=np.uint64
        ) * np.uint64(NAME_BYTES)
        self._port_of = np.zeros(first_row + capacity, np.uint8)
        self._sender = Sender(arena.size, self._family)
        stride = np.uint64(arena.bytes.strides[0])
        self._row_at = np.uint64(arena.bytes.ctypes.data) + np.arange(arena.size, dtype=np.uint64) * stride
        """Address of each arena row."""

    # -- allocation ---------------------------------------------------------------------------------------------------

    def choose_row(self, wanted: int = -1) -> int:
        """A free row, `wanted` if that is one; PortRefused when all are taken."""
        if not self._free:
            raise PortRefused(f"{self.capacity} legs are on the shared ports already")
        return wanted if wanted in self._free else self._free[-1]

    def open(self, row: int, port: int, *, is_kept: bool = False) -> None:
        """The leg lives on `port` from now on; it hears nobody before `connect`. What waits on the port when its first
        leg comes is thrown away, unless `is_kept`."""
        self._free.remove(row)
        shared = self._ports[self.ports[port]]
        if not shared.legs:
            for each in (shared.rtp, shared.rtcp):
                if not is_kept:
                    drain(each)
            self._watcher.add(shared.fd, self._watcher.shared, shared.index)
            self._watcher.add(shared.rtcp.fileno(), self._watcher.shared_reports, shared.index)
        self._residents[row] = shared.legs[row] = _Resident(shared)
        shared.rows = None
        self._port_of[row] = shared.index

    def connect(self, row: int, source: Address | None, destination: Address | None) -> None:
        """From now on the peer is `source`, and we send to `destination`. PortRefused when another leg of the port
        cannot be told from it; OSError when an address is none of ours; nothing is changed then."""
        leg = self._residents[row]
        name = bytes(NAME_BYTES) if destination is None else pack_name(destination, self._family)
        if source is None:
            if leg.is_waiting and any(each.is_waiting for each in leg.port.legs.values() if each is not leg):
                raise PortRefused(f"port {leg.port.port}: another leg waits for its peer's address there")
            self._leave(row, leg)
        else:
            key = self._key(leg.port, source)
            if key != leg.key:
                self._need_distinct(row, leg, key, source)
                self._leave(row, leg)
                self._enter(row, leg, key)
            leg.is_waiting = False
        leg.source, leg.destination = source, destination
        self._names[row] = np.frombuffer(name, np.uint8)

    def tell_ssrc(self, row: int, ssrc: int) -> None:
        """The leg's stream has this SSRC: needed only while the leg shares its peer's address with others."""
        leg = self._residents[row]
        if leg.key is not None and leg.key in self._contested:
            if leg.ssrc >= 0:
                self._by_ssrc.remove((*leg.key, leg.ssrc))
            self._by_ssrc.put((*leg.key, ssrc), row)
        leg.ssrc = ssrc

    def rows_at(self, index: int, source: Address, ssrc: int) -> list[int]:
        """Rows of the legs of a port whose packets come from `source`; of several the one with that SSRC, if there is
        one."""
        key = self._key(self._ports[index], source)
        row = self._by_address.get(key)
        if row < CONTESTED:
            return [] if row == NOTHING else [row]
        row = self._by_ssrc.get((*key, ssrc))
        return list(self._contested[key]) if row == NOTHING else [row]

    def close(self, row: int) -> None:
        """Forgets the leg; whatever still comes for it is unknown."""
        leg = self._residents.pop(row, None)
        if leg is None:
            return
        self._leave(row, leg)
        del leg.port.legs[row]
        leg.port.rows = None
        if not leg.port.legs:
            self._watcher.remove(leg.port.fd)
            self._watcher.remove(leg.port.rtcp.fileno())
        self._names[row] = 0
        self._free.append(row)

    def close_all(self) -> None:
        for row in list(self._residents):
            self.close(row)
        for each in self._ports:
            each.rtp.close()
            each.rtcp.close()

    def rows_of(self, index: int) -> NDArray[np.int64]:
        """Of the legs that live on a port."""
        shared = self._ports[index]
        if shared.rows is None:
            shared.rows = np.fromiter(shared.legs, np.int64, len(shared.legs))
        return shared.rows

    def _need_distinct(self, row: int, leg: _Resident, key: tuple[int, ...], source: Address) -> None:
        there = self._by_address.get(key)
        if there == NOTHING:
            return
        others = self._contested[key] if there >= CONTESTED else [there]
        if any(self._residents[other].ssrc < 0 for other in others):
            raise PortRefused(
                f"port {leg.port.port}: another leg has the same peer {source[0]}:{source[1]} and was not heard yet"
            )

    def _enter(self, row: int, leg: _Resident, key: tuple[int, ...]) -> None:
        there = self._by_address.get(key)
        leg.key = key
        if there == NOTHING:
            self._by_address.put(key, row)
            return
        if there < CONTESTED:
            self._contested[key] = [there]
            self._by_address.put(key, CONTESTED)
            self._by_ssrc.put((*key, self._residents[there].ssrc), there)
        self._contested[key].append(row)
        leg.ssrc = -1

    def _leave(self, row: int, leg: _Resident) -> None:
        key, leg.key = leg.key, None
        if key is None:
            return
        sharing = self._contested.get(key)
        if sharing is None:
            self._by_address.remove(key)
            return
        sharing.remove(row)
        if leg.ssrc >= 0:
            self._by_ssrc.remove((*key, leg.ssrc))
        if len(sharing) == 1:
            # Whoever is left has the address for itself again.
            del self._contested[key]
            last = sharing[0]
            if self._residents[last].ssrc >= 0:
                self._by_ssrc.remove((*key, self._residents[last].ssrc))
            self._by_address.put(key, last)

    def _key(self, port: _Shared, source: Address) -> tuple[int, ...]:
        words = np.frombuffer(pack_name(source, self._family), np.uint64)[:, None]
        return tuple(int(word[0]) for word in self._words(words.T, np.array([port.index], np.uint64)))

    def _words(self, names: NDArray[np.uint64], ports: NDArray[np.uint64]) -> Words:
        """The keys of source addresses; the family's place is taken by our port's index."""
        first = (names[:, 0] & ~_FAMILY_BITS) | ports
        if self._family == socket.AF_INET:
            return (first,)
        return first & _NO_FLOW, names[:, 1].copy(), names[:, 2].copy()

    # -- input --------------------------------------------------------------------------------------------------------

    def receive(
        self, ready: Sequence[int], at: int, legs: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[int, bool]:
        """Reads what waits on the ports `ready` into arena rows `at` and on: (how many, whether any is unknown).

        Sets their `lengths`, and `legs`: NOTHING for an unknown one.
        """
        receiver, end = self._receiver, at
        for index in ready:
            n = receiver.receive(self._ports[index].fd, end)
            self._from[end : end + n] = index
            end += n
        if end == at:
            return 0, False
        lengths[at:end] = receiver.lengths[at:end]
        words = self._words(receiver.words[at:end], self._from[at:end])
        found = self._by_address.find(words)
        if self._contested:
            self._tell_apart(found, words, at)
        legs[at:end] = found
        return end - at, bool(found.min() < 0)

    def _tell_apart(self, found: NDArray[np.int64], words: Words, at: int) -> None:
        which = np.flatnonzero(found >= CONTESTED)
        if len(which):
            ssrc = self._arena.headers["ssrc"][at + which].astype(np.uint64)
            found[which] = self._by_ssrc.find((*(word[which] for word in words), ssrc))

    def source_of(self, arena_row: int) -> tuple[int, Address]:
        """Which port the packet came to (its index), and from where."""
        return int(self._from[arena_row]), unpack_name(self._receiver.names[arena_row].tobytes())

    def read_report(self, index: int) -> tuple[bytes, Address] | None:
        """One RTCP packet that came to the port's neighbour, or None when there is none."""
        try:
            data, address = self._ports[index].rtcp.recvfrom(MAX_REPORT)
        except OSError:
            return None
        return data, (plain(address[0]), address[1])

    # -- output -------------------------------------------------------------------------------------------------------

    def send_rows(self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64]) -> int:
        """Sends arena row `rows[i]`, `lengths[i]` bytes long, to leg `legs[i]`; how many could not be sent."""
        n, sender = len(rows), self._sender
        ports = self._port_of.take(legs)
        if (ports[1:] < ports[:-1]).any():
            order = ports.argsort(kind="stable")
            rows, legs, lengths, ports = rows.take(order), legs.take(order), lengths.take(order), ports.take(order)
        sender.bases[:n] = self._row_at.take(rows)
        sender.lengths[:n] = lengths
        sender.names[:n] = self._name_at.take(legs)
        return self.send_batch(sender, ports)

    def send(self, row: int, packet: bytes | memoryview) -> None:
        """Sends one RTP packet to the leg. OSError when that fails."""
        leg = self._residents[row]
        if leg.destination is not None:
            leg.port.rtp.sendto(packet, for_socket(leg.destination, self._family))

    def send_report(self, row: int, packet: bytes, destination: Address) -> None:
        """Sends one RTCP packet from the leg's RTCP port. OSError when that fails."""
        self._residents[row].port.rtcp.sendto(packet, for_socket(destination, self._family))

    def prepare(self, packets: NDArray[np.uint8], which: NDArray[np.intp], legs: NDArray[np.int64]) -> "FrameBatch":
        """For packets that are made anew in the same place again and again: `packets[which[i]]` goes to `legs[i]`."""
        order = self._port_of[legs].argsort(kind="stable")
        which, legs = which[order], legs[order]
        sender = Sender(len(legs), self._family)
        sender.bases[:] = which.astype(np.uint64) * np.uint64(packets.strides[0]) + np.uint64(packets.ctypes.data)
        sender.lengths[:] = packets.shape[1]
        sender.names[:] = self._name_at[legs]
        return FrameBatch(self, sender, packets, self._port_of[legs])

    def send_batch(self, sender: Sender, ports: NDArray[np.uint8]) -> int:
        """The messages of `sender`, in order of `ports` (their indices); how many could not be sent."""
        ends = ports.searchsorted(self._indices, side="right").tolist()
        begin = n_failed = 0
        for shared, end in zip(self._ports, ends, strict=True):
            if end > begin:
                n_failed += sender.send(shared.fd, begin, end)
                begin = end
        return n_failed


def _by_ports(words: Words) -> NDArray[np.int64]:
    """Where an address belongs: told by our port and its port alone, so the many ports of one host never collide."""
    first = words[0]
    return (((first & _OUR_PORT) << _BITS) | ((first >> _BITS) & _FAMILY_BITS)).view(np.int64)


class FrameBatch:
    """Packets of one length to many legs, laid out once."""

    def __init__(self, via: SharedPorts, sender: Sender, packets: NDArray[np.uint8], ports: NDArray[np.uint8]) -> None:
        self._via = via
        self._sender = sender
        self._packets = packets  # the kernel is given its address
        self._ports = ports

    def send(self) -> int:
        """Sends all of them as they are now; how many could not be sent."""
        return self._via.send_batch(self._sender, self._ports)
