"""The transport of a media worker: ports of one leg each and ports that many legs share, behind one interface.

All packets land in one arena, whichever way they came, and leave from there: relaying from one transport to the other
copies nothing. SRTP ends here: of legs with keys nothing comes in that was not verified, and nothing goes out plainly.
Rows of legs on their own ports come first, then those on shared ports; nobody above looks at that.
"""

import socket
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtp.header import Headers
from rtp.net.address import Address
from rtp.net.arena import Arena
from rtp.net.leg_ports import LegPorts
from rtp.net.shared_ports import FrameBatch, SharedPorts
from rtp.net.watcher import Watcher
from rtp.srtp import MAX_TRAILER, SrtpTable

Pairs = Sequence[tuple[socket.socket, socket.socket]]
BATCH = 1024
"""Most packets taken in one poll."""


class Ports:
    """The sockets of all legs; a leg's `row` is its index in every array of the media plane.

    `pairs` are bound UDP sockets, RTP (even port) with RTCP, for one leg each; `shared_pairs` the same for
    `shared_legs` legs together. The sockets stay open when legs are released.
    """

    def __init__(self, pairs: Pairs, shared_pairs: Pairs = (), *, shared_legs: int = 0, batch: int = BATCH) -> None:
        n_own = len(pairs)
        self.batch = max(64, min(batch, 2 * (n_own + shared_legs)))
        self.capacity = n_own + shared_legs
        """Rows there are."""
        arena = Arena(self.batch)
        self.arena = arena.bytes
        self.headers: Headers = arena.headers
        self.rows = arena.rows
        """The arena's rows as memory views."""
        self.legs = np.zeros(self.batch, np.int64)
        """Row of the leg each packet of the last `poll` belongs to; -1 = none."""
        self.lengths = np.zeros(self.batch, np.int64)
        """Bytes of each packet of the last `poll`."""
        self.n_send_failures = 0
        self.srtp = SrtpTable(self.capacity)
        self._n_own = n_own
        self._watcher = watcher = Watcher()
        self._own = LegPorts(pairs, arena, watcher, self.capacity)
        self._shared = SharedPorts(shared_pairs, arena, watcher, first_row=n_own, capacity=shared_legs)
        self.strangers = watcher.strangers
        """Rows whose own port has packets from elsewhere than the peer, since the last `poll`: `read_stranger`."""
        self.reports = watcher.reports
        """Rows whose own RTCP port has something."""
        self.shared_reports = watcher.shared_reports
        """Shared ports (by index) whose RTCP port has something."""
        self.unknown: NDArray[np.intp] = np.zeros(0, np.intp)
        """Arena rows of the last `poll` that came to shared ports and belong to no leg there: `source_of`."""
        self.has_doubles = False
        """Packets of the last `poll` came to shared ports, where one leg may have several in a batch."""

    @property
    def own_ports(self) -> list[int]:
        """RTP ports for one leg each."""
        return sorted(self._own.ports)

    @property
    def shared_ports(self) -> list[int]:
        """RTP ports for many legs."""
        return sorted(self._shared.ports)

    # -- allocation ---------------------------------------------------------------------------------------------------

    def choose_row(self, port: int, wanted: int = -1) -> int:
        """The row of a new leg on `port`; `wanted` if that is free there. KeyError: the port is none of ours;
        PortRefused: no more legs fit. Of ports of one leg it is always the same row, taken or not."""
        if port in self._own.ports:
            return self._own.ports[port]
        if port not in self._shared.ports:
            raise KeyError(port)
        return self._shared.choose_row(wanted)

    def open(self, row: int, port: int, *, is_kept: bool = False) -> None:
        """Starts listening for the leg. What was waiting on its port is thrown away if it can be nobody else's, unless
        `is_kept`: the leg was there before, in a worker that died."""
        self.srtp.remove(row)
        if row < self._n_own:
            self._own.open(row, is_kept=is_kept)
        else:
            self._shared.open(row, port, is_kept=is_kept)

    def connect(self, row: int, source: Address | None, destination: Address | None) -> None:
        """From now on the peer is `source`, and we send to `destination` (mostly the same).

        PortRefused (an OSError) when another leg on the same port could not be told from this one; OSError when the
        address is impossible.
        """
        (self._own if row < self._n_own else self._shared).connect(row, source, destination)

    def tell_ssrc(self, row: int, ssrc: int) -> None:
        """The leg's stream has begun anew: on shared ports that tells it from others of the same peer."""
        if row >= self._n_own:
            self._shared.tell_ssrc(row, ssrc)

    def close(self, row: int) -> None:
        """Forgets the leg; its port stays bound."""
        self.srtp.remove(row)
        (self._own if row < self._n_own else self._shared).close(row)

    def close_all(self) -> None:
        self._own.close_all()
        self._shared.close_all()
        self._watcher.close()

    # -- other people's descriptors -----------------------------------------------------------------------------------

    def watch(self, fd: int, *, writable: bool = False) -> None:
        """Reports `fd` in `take_others` when it can be read (or written)."""
        self._watcher.watch_other(fd, writable=writable)

    def unwatch(self, fd: int) -> None:
        self._watcher.remove(fd)

    def take_others(self) -> list[int]:
        """The foreign descriptors that became ready since the last call."""
        ready = list(dict.fromkeys(self._watcher.others))
        self._watcher.others.clear()
        return ready

    # -- input --------------------------------------------------------------------------------------------------------

    def poll(self, timeout_s: float = 0.0) -> int:
        """Takes what has arrived into the arena; how many packets. Of a leg with its own port at most one.

        Sets `legs[:n]`, `lengths[:n]`, `unknown`, `has_doubles` and the lists of slower things that are ready.
        """
        watcher = self._watcher
        fast, rows, legs, lengths = watcher.fast, self.rows, [], []
        self.strangers.clear()
        self.reports.clear()
        self.shared_reports.clear()
        watcher.shared.clear()
        n = 0
        for fd, _ in watcher.epoll.poll(timeout_s, self.batch):
            if fd in fast:
                receive, leg = fast[fd]
                try:
                    lengths.append(receive(rows[n]))
                except OSError:  # nothing there after all, or an ICMP error from the peer's side
                    continue
                legs.append(leg)
                n += 1
            elif fd in watcher.slow:
                noted_in, as_ = watcher.slow[fd]
                noted_in.append(as_)
        if n:
            self.legs[:n] = legs
            self.lengths[:n] = lengths
        self.has_doubles = False
        if len(self.unknown):
            self.unknown = self.unknown[:0]
        if watcher.shared:
            n_shared, has_unknown = self._shared.receive(watcher.shared, n, self.legs, self.lengths)
            if has_unknown:
                self.unknown = np.flatnonzero(self.legs[: n + n_shared] < 0)
            self.has_doubles = n_shared > 0
            n += n_shared
        if self.srtp.n_keyed and n:
            self._unprotect(n)
        return n

    def _unprotect(self, n: int) -> None:
        legs = self.legs[:n]
        at = np.flatnonzero((legs >= 0) & self.srtp.has_keys[legs])
        if len(at):
            self.lengths[at] = self.srtp.unprotect(self.arena, self.rows, at, legs[at], self.lengths[at])

    def read_stranger(self, row: int, into: int) -> tuple[int, Address] | None:
        """One packet of the leg's open socket into arena row `into`: (length, source), or None when there is none.
        Length 0: it is forged."""
        read = self._own.read_stranger(row, into)
        if read is None or not self.srtp.has_keys[row]:
            return read
        return self.srtp.unprotect_one(self.rows[into], row, read[0]), read[1]

    def claim(self, arena_row: int, row: int) -> int:
        """The `unknown` packet in that arena row is taken for this leg's: its length, 0 when it is forged."""
        length = int(self.lengths[arena_row])
        return self.srtp.unprotect_one(self.rows[arena_row], row, length) if self.srtp.has_keys[row] else length

    def source_of(self, arena_row: int) -> tuple[int, Address]:
        """Which shared port (its index) an `unknown` packet came to, and from where."""
        return self._shared.source_of(arena_row)

    def rows_at(self, index: int, source: Address, ssrc: int) -> list[int]:
        """Rows of the legs of a shared port whose packets come from `source`; of several the one with that SSRC, if
        there is one."""
        return self._shared.rows_at(index, source, ssrc)

    def rows_of(self, index: int) -> NDArray[np.int64]:
        """Of the legs that live on a shared port, by its index."""
        return self._shared.rows_of(index)

    def read_report(self, row: int) -> tuple[bytes, Address] | None:
        """One RTCP packet of a leg with its own port, or None when there is none."""
        return self._own.read_report(row)

    def read_shared_report(self, index: int) -> tuple[bytes, Address] | None:
        """One RTCP packet of a shared port, by its index, or None when there is none."""
        return self._shared.read_report(index)

    # -- output -------------------------------------------------------------------------------------------------------

    def send_rows(self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64]) -> None:
        """Sends arena row `rows[i]`, `lengths[i]` bytes long, to leg `legs[i]`."""
        if self.srtp.n_keyed:
            rows, legs, lengths = self._protect(rows, legs, lengths)
        if self.capacity > self._n_own:
            is_shared = legs >= self._n_own
            n_shared = int(np.count_nonzero(is_shared))
            if n_shared == len(legs):
                self.n_send_failures += self._shared.send_rows(rows, legs, lengths)
                return
            if n_shared:
                self.n_send_failures += self._shared.send_rows(rows[is_shared], legs[is_shared], lengths[is_shared])
                is_own = ~is_shared
                rows, legs, lengths = rows[is_own], legs[is_own], lengths[is_own]
        self.n_send_failures += self._own.send_rows(rows.tolist(), legs.tolist(), lengths.tolist())

    def _protect(
        self, rows: NDArray[np.int64], legs: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        at = np.flatnonzero(self.srtp.has_keys[legs])
        if not len(at):
            return rows, legs, lengths
        lengths = lengths.copy()
        lengths[at] = self.srtp.protect(self.arena, self.rows, rows[at], legs[at], lengths[at])
        left = np.flatnonzero(lengths)
        return rows[left], legs[left], lengths[left]

    def prepare(self, packets: NDArray[np.uint8], which: NDArray[np.intp], legs: NDArray[np.int64]) -> "Outgoing":
        """For packets made in the same place again and again: `packets[which[i]]` goes to leg `legs[i]`."""
        sealed = None
        has_keys = self.srtp.has_keys[legs]
        if has_keys.any():
            sealed = Sealed(self, packets, which[has_keys], legs[has_keys])
            which, legs = which[~has_keys], legs[~has_keys]
        is_shared = legs >= self._n_own
        view = packets.reshape(-1).data
        size = packets.shape[1]
        own = [
            (leg, view[i * size : (i + 1) * size])
            for i, leg in zip(which, legs.tolist(), strict=True)
            if leg < self._n_own
        ]
        batch = self._shared.prepare(packets, which[is_shared], legs[is_shared]) if is_shared.any() else None
        return Outgoing(self, own, batch, sealed)

    def send(self, row: int, packet: bytes | memoryview) -> None:
        """Sends one RTP packet to the leg."""
        if self.srtp.has_keys[row]:
            packet = self.srtp.seal(row, packet)
        if packet:
            self.send_as_it_is(row, packet)

    def send_as_it_is(self, row: int, packet: bytes | memoryview) -> None:
        """Sends what is SRTP already, or goes to a leg without keys."""
        try:
            if row < self._n_own:
                self._own.senders[row](packet)
            else:
                self._shared.send(row, packet)
        except OSError:
            self.n_send_failures += 1

    def send_report(self, row: int, packet: bytes, destination: Address) -> None:
        """Sends one RTCP packet from the leg's RTCP port."""
        if self.srtp.has_keys[row]:
            packet = self.srtp.protect_rtcp(row, packet)
        try:
            (self._own if row < self._n_own else self._shared).send_report(row, packet, destination)
        except OSError:
            self.n_send_failures += 1


class Sealed:
    """Packets of one length to legs with keys: copied and sealed anew each time."""

    def __init__(
        self, ports: Ports, packets: NDArray[np.uint8], which: NDArray[np.intp], legs: NDArray[np.int64]
    ) -> None:
        n, size = len(which), packets.shape[1]
        stride = size + MAX_TRAILER
        self._ports = ports
        self._packets, self._which, self._legs = packets, which, legs
        self._copies = np.zeros((n, stride), np.uint8)
        view = self._copies.reshape(-1).data
        self._views = [view[i * stride : (i + 1) * stride] for i in range(n)]
        self._rows = np.arange(n)
        self._lengths = np.full(n, size, np.int64)

    def send(self) -> None:
        ports, size = self._ports, self._packets.shape[1]
        self._copies[:, :size] = self._packets[self._which]
        lengths = ports.srtp.protect(self._copies, self._views, self._rows, self._legs, self._lengths)
        for leg, view, length in zip(self._legs.tolist(), self._views, lengths.tolist(), strict=True):
            if length:
                ports.send_as_it_is(leg, view[:length])


class Outgoing:
    """Packets of one length to many legs, laid out once: `Ports.prepare`."""

    def __init__(
        self,
        ports: Ports,
        own: list[tuple[int, "memoryview[int]"]],
        batch: FrameBatch | None,
        sealed: Sealed | None = None,
    ) -> None:
        self._ports = ports
        self._own = own
        self._batch = batch
        self._sealed = sealed

    def send(self) -> None:
        """Sends all of them as they are now."""
        send = self._ports.send_as_it_is
        for leg, packet in self._own:
            send(leg, packet)
        if self._batch is not None:
            self._ports.n_send_failures += self._batch.send()
        if self._sealed is not None:
            self._sealed.send()
