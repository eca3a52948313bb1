"""SRTP and SRTCP of many legs at once (RFC 3711; RFC 6188 for 256-bit keys), in place on arena rows. Pure.

The predefined transforms: AES counter mode, HMAC-SHA1 of 80 or 32 bits, a key derivation rate of 0, no MKI. What
numpy can do for all packets together it does: packet indices, replay windows, counter blocks, the XOR. What depends on
a leg's own keys is one call for the keystream (counter blocks through AES-ECB) and one HMAC a packet, about half of
what libsrtp takes through its binding, which has no 256-bit suites either.

Nothing is believed before it is verified: `unprotect` gives length 0 for whatever is forged, replayed or cut, and
changes no state for it.
"""

import hmac
from collections.abc import Callable, Sequence

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC
from numpy.typing import NDArray

from rtp.header import HEADER_BYTES
from rtp.srtcp import Srtcp
from rtp.srtp_keys import SALT_BYTES, LegKeys, Suite, check_keys, derive
from rtp.srtp_streams import Streams

MAX_TRAILER = 10
"""Octets that `protect` may add to a packet: its row must have room for them."""
_DIGEST = 20
_ROOM = 16
"""What the AES call wants behind its output."""
_FEW = 8
"""Below it packets are done one by one: an array pass takes as long as that (measured: 55 µs, one packet 7 µs)."""
_BLOCK_COUNTS = (10, 20, 40, 80, 128)
"""Keystream lengths that buffers are kept for: 160 octets of audio to the longest datagram."""

Views = Sequence["memoryview[int]"]
_Ints = NDArray[np.int64]


class _Direction:
    """The session keys of one direction of every leg, and where its streams are."""

    def __init__(self, capacity: int) -> None:
        self.streams = Streams(capacity)
        self.tag = np.zeros(capacity, np.int64)
        self.salt_high = np.zeros(capacity, np.uint64)
        self.salt_low = np.zeros(capacity, np.uint64)
        self.encrypt: list[Callable[[memoryview, memoryview], int] | None] = [None] * capacity
        self.mac: list[HMAC | None] = [None] * capacity
        self.rtcp: list[Srtcp | None] = [None] * capacity

    def set(self, row: int, suite: Suite, master: bytes, rtcp_index: int) -> None:
        key, salt = master[: suite.key_bytes], master[suite.key_bytes :]
        session_salt = derive(key, salt, 2, SALT_BYTES)
        self.streams.reset(row)
        self.tag[row] = suite.tag_bytes
        self.salt_high[row] = int.from_bytes(session_salt[:8], "big")
        self.salt_low[row] = int.from_bytes(session_salt[8:], "big") << 16
        cipher = Cipher(algorithms.AES(derive(key, salt, 0, suite.key_bytes)), modes.ECB())
        self.encrypt[row] = cipher.encryptor().update_into
        self.mac[row] = HMAC(derive(key, salt, 1, _DIGEST), hashes.SHA1())
        self.rtcp[row] = Srtcp(suite, master, rtcp_index)

    def remove(self, row: int) -> None:
        self.streams.reset(row)
        self.encrypt[row] = self.mac[row] = self.rtcp[row] = None


class _Keystream:
    """Buffers for so many blocks of every packet of a batch."""

    def __init__(self, n_packets: int, n_blocks: int) -> None:
        size = n_blocks * 16
        self.blocks = np.zeros((n_packets, n_blocks, 2), np.uint64)
        self.counters = np.arange(n_blocks, dtype=">u8").view(np.uint64)
        self.out = np.zeros((n_packets, size + _ROOM), np.uint8)
        inputs, outputs = self.blocks.reshape(-1).view(np.uint8).data, self.out.reshape(-1).data
        self.inputs = [inputs[i * size : (i + 1) * size] for i in range(n_packets)]
        self.outputs = [outputs[i * (size + _ROOM) : (i + 1) * (size + _ROOM)] for i in range(n_packets)]


class SrtpTable:
    """SRTP contexts of `capacity` legs; rows without keys are left alone by everybody who asks `has_keys` first."""

    def __init__(self, capacity: int) -> None:
        self.has_keys = np.zeros(capacity, np.bool_)
        self.n_keyed = 0
        """Legs that have keys: while 0, nothing here needs to be called."""
        self.auth_failures = np.zeros(capacity, np.int64)
        self.replays = np.zeros(capacity, np.int64)
        self._keys: dict[int, LegKeys] = {}
        self._send = _Direction(capacity)
        self._receive = _Direction(capacity)
        self._keystreams: dict[int, _Keystream] = {}
        self._mark = np.zeros(capacity, np.int64)

    # -- keys ---------------------------------------------------------------------------------------------------------

    def set_keys(self, row: int, keys: LegKeys, rtcp_index: int = 0) -> None:
        """Keys of a leg; the same ones again change nothing, and only a direction whose key is new begins anew, with
        roll-over counter 0. `rtcp_index` is the first SRTCP index to send: higher than any used with this key.

        Raises:
            ValueError: an unknown suite, or a key that does not fit it.
        """
        suite = check_keys(keys)
        before = self._keys.get(row)
        is_same_suite = before is not None and before.suite == keys.suite
        if before is None or not is_same_suite or before.send != keys.send:
            self._send.set(row, suite, keys.send, rtcp_index)
        if before is None or not is_same_suite or before.receive != keys.receive:
            self._receive.set(row, suite, keys.receive, 0)
        self._keys[row] = keys
        self.has_keys[row] = True
        self.n_keyed = len(self._keys)

    def remove(self, row: int) -> None:
        """The leg has no keys any more (or none yet): plain RTP."""
        self._keys.pop(row, None)
        self.n_keyed = len(self._keys)
        self.has_keys[row] = False
        self.auth_failures[row] = self.replays[row] = 0
        self._send.remove(row)
        self._receive.remove(row)

    def roll_over(self, row: int) -> tuple[int, int]:
        """Roll-over counters: sending, receiving."""
        return self._send.streams.roll_over(row), self._receive.streams.roll_over(row)

    def set_roll_over(self, row: int, send: int, receive: int, sent_seq: int = -1) -> None:
        """Goes on where another worker stopped; after `set_keys`. `sent_seq`: sequence number of the newest packet
        sent, -1 when nothing was; nothing up to it is sent again."""
        self._send.streams.continue_from(row, send, sent_seq)
        self._receive.streams.continue_from(row, receive)

    @property
    def streams(self) -> tuple[Streams, Streams]:
        """Of what is sent and of what is received: their columns are what must outlive a worker."""
        return self._send.streams, self._receive.streams

    # -- many packets -------------------------------------------------------------------------------------------------

    def unprotect(
        self, packets: NDArray[np.uint8], views: Views, rows: _Ints, legs: _Ints, lengths: _Ints
    ) -> NDArray[np.int64]:
        """Verifies and decrypts the SRTP packets in `packets[rows]`, as they came, of `legs` (all with keys).

        Returns the lengths without the tags, 0 for each that must be dropped. `views[i]` is the memory of `packets[i]`.
        A leg may come several times.
        """
        result = np.zeros(len(rows), np.int64)
        streams, tag = self._receive.streams, self._receive.tag[legs]
        heads = packets[rows, :HEADER_BYTES]
        ends = lengths - tag
        ssrc = heads[:, 8:12].copy().view(">u4").reshape(-1).astype(np.int64)
        # Header options and streams that begin are few: one by one.
        plain = (heads[:, 0] & 0xDF == 0x80) & (ends >= HEADER_BYTES)
        plain &= (streams.highest[legs] >= 0) & (streams.ssrc[legs] == ssrc) & self._is_first_of_leg(legs)
        at = np.flatnonzero(plain)
        if len(at) < _FEW:
            plain[:] = False
        else:
            result[at] = self._unprotect_batch(packets, views, rows[at], legs[at], ends[at], heads[at])
        for k in np.flatnonzero(~plain).tolist():
            result[k] = self.unprotect_one(views[int(rows[k])], int(legs[k]), int(lengths[k]))
        return result

    def protect(
        self, packets: NDArray[np.uint8], views: Views, rows: _Ints, legs: _Ints, lengths: _Ints
    ) -> NDArray[np.int64]:
        """Encrypts and signs the RTP packets in `packets[rows]`, plain 12-octet headers, for `legs` (all with keys).

        Returns the new lengths, 0 for each that must not be sent: a repetition, or a row without room for the tag.
        """
        result = np.zeros(len(rows), np.int64)
        streams = self._send.streams
        heads = packets[rows, :HEADER_BYTES]
        ssrc = heads[:, 8:12].copy().view(">u4").reshape(-1).astype(np.int64)
        plain = (lengths >= HEADER_BYTES) & (lengths + MAX_TRAILER <= packets.shape[1])
        begins = (streams.highest[legs] < 0) | (streams.ssrc[legs] != ssrc) | ~self._is_first_of_leg(legs)
        at = np.flatnonzero(plain & ~begins)
        if len(at) < _FEW:
            begins[:] = True
        else:
            result[at] = self._protect_batch(packets, views, rows[at], legs[at], lengths[at], heads[at])
        for k in np.flatnonzero(plain & begins).tolist():
            result[k] = self.protect_one(views[int(rows[k])], int(legs[k]), int(lengths[k]))
        return result

    def _is_first_of_leg(self, legs: _Ints) -> NDArray[np.bool_]:
        order = np.arange(len(legs) - 1, -1, -1)
        self._mark[legs[::-1]] = order
        is_first: NDArray[np.bool_] = self._mark[legs] == order[::-1]
        return is_first

    def _unprotect_batch(
        self, packets: NDArray[np.uint8], views: Views, rows: _Ints, legs: _Ints, ends: _Ints, heads: NDArray[np.uint8]
    ) -> NDArray[np.int64]:
        """One packet of each leg, all of the stream that is running."""
        streams = self._receive.streams
        index, is_new = streams.locate(legs, heads[:, 2:4].copy().view(">u2").reshape(-1).astype(np.uint16))
        columns = ends[:, None] + np.arange(MAX_TRAILER)
        np.minimum(columns, packets.shape[1] - 1, out=columns)
        tags = packets[rows[:, None], columns]
        digests = self._digest(self._receive, packets, views, rows, legs, ends, index)
        same = digests[:, :MAX_TRAILER] == tags
        same |= np.arange(MAX_TRAILER) >= self._receive.tag[legs][:, None]
        verified = same.all(axis=1)
        good = verified & is_new
        if not good.all():
            self.auth_failures[legs[~verified]] += 1
            self.replays[legs[verified & ~is_new]] += 1
            at = np.flatnonzero(good)
            rows, legs, index = rows[at], legs[at], index[at]
        result: NDArray[np.int64] = np.where(good, ends, 0)
        if len(rows):
            self._crypt(self._receive, packets, rows, legs, index, int(result.max()))
            streams.accept(legs, index)
        return result

    def _protect_batch(
        self,
        packets: NDArray[np.uint8],
        views: Views,
        rows: _Ints,
        legs: _Ints,
        ends: _Ints,
        heads: NDArray[np.uint8],
    ) -> NDArray[np.int64]:
        streams = self._send.streams
        index, is_new = streams.locate(legs, heads[:, 2:4].copy().view(">u2").reshape(-1).astype(np.uint16))
        result: NDArray[np.int64] = np.where(is_new, ends + self._send.tag[legs], 0)
        if not is_new.all():
            at = np.flatnonzero(is_new)
            rows, legs, ends, index = rows[at], legs[at], ends[at], index[at]
        if len(rows):
            self._crypt(self._send, packets, rows, legs, index, int(ends.max()))
            digests = self._digest(self._send, packets, views, rows, legs, ends, index)
            packets[rows[:, None], ends[:, None] + np.arange(MAX_TRAILER)] = digests[:, :MAX_TRAILER]
            streams.accept(legs, index)
        return result

    def _digest(
        self,
        keys: _Direction,
        packets: NDArray[np.uint8],
        views: Views,
        rows: _Ints,
        legs: _Ints,
        ends: _Ints,
        index: _Ints,
    ) -> NDArray[np.uint8]:
        """HMAC-SHA1 of each packet up to its end and of its roll-over counter, which is written behind it (§4.2)."""
        roll_over = (index >> 16).astype(">u4").view(np.uint8).reshape(-1, 4)
        packets[rows[:, None], ends[:, None] + np.arange(4)] = roll_over
        macs, digests = keys.mac, []
        for row, leg, end in zip(rows.tolist(), legs.tolist(), (ends + 4).tolist(), strict=True):
            mac = macs[leg].copy()
            mac.update(views[row][:end])
            digests.append(mac.finalize())
        return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST)

    def _crypt(
        self, keys: _Direction, packets: NDArray[np.uint8], rows: _Ints, legs: _Ints, index: _Ints, longest: int
    ) -> None:
        """XORs the keystream (§4.1.1) onto each packet's payload, and onto what lies behind it up to `longest`."""
        n, n_octets = len(rows), longest - HEADER_BYTES
        if not n_octets:
            return
        stream = self._keystream(n, (n_octets + 15) // 16)
        ssrc = keys.streams.ssrc[legs].astype(np.uint64)
        high = (keys.salt_high[legs] ^ ssrc).byteswap()
        low = (keys.salt_low[legs] ^ (index.astype(np.uint64) << np.uint64(16))).byteswap()
        stream.blocks[:n, :, 0] = high[:, None]
        np.bitwise_or(low[:, None], stream.counters, out=stream.blocks[:n, :, 1])
        encrypt, inputs, outputs = keys.encrypt, stream.inputs, stream.outputs
        for k, leg in enumerate(legs.tolist()):
            encrypt[leg](inputs[k], outputs[k])
        packets[rows, HEADER_BYTES:longest] ^= stream.out[:n, :n_octets]

    def _keystream(self, n_packets: int, n_blocks: int) -> _Keystream:
        size = next((size for size in _BLOCK_COUNTS if size >= n_blocks), n_blocks)
        found = self._keystreams.get(size)
        if found is None or len(found.inputs) < n_packets:
            found = self._keystreams[size] = _Keystream(max(64, 1 << (n_packets - 1).bit_length()), size)
        return found

    # -- one packet ---------------------------------------------------------------------------------------------------

    def unprotect_one(self, packet: "memoryview[int]", leg: int, length: int) -> int:
        """Verifies and decrypts one packet in place; its length without the tag, 0 when it must be dropped."""
        keys, streams = self._receive, self._receive.streams
        end = length - int(keys.tag[leg])
        start = _header_length(packet, end)
        if not start:
            return 0
        ssrc, seq = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
        stream = streams.of(leg, ssrc)
        for index in stream.candidates(seq):
            digest = self._digest_one(keys, packet, leg, end, index)
            if hmac.compare_digest(digest[: length - end], packet[end:length]):
                break
        else:
            self.auth_failures[leg] += 1
            return 0
        if not stream.is_new(index):
            self.replays[leg] += 1
            return 0
        self._crypt_one(keys, packet, leg, start, end, ssrc, index)
        streams.take(leg, ssrc, stream, index)
        return end

    def protect_one(self, packet: "memoryview[int]", leg: int, length: int) -> int:
        """Encrypts and signs one RTP packet in place, `MAX_TRAILER` octets of room behind it; its new length, 0 when it
        must not be sent."""
        keys, streams = self._send, self._send.streams
        start = _header_length(packet, length)
        if not start:
            return 0
        ssrc, seq = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
        stream = streams.of(leg, ssrc)
        index = stream.candidates(seq)[0]
        if not stream.is_new(index):
            return 0
        self._crypt_one(keys, packet, leg, start, length, ssrc, index)
        tag = int(keys.tag[leg])
        packet[length : length + tag] = self._digest_one(keys, packet, leg, length, index)[:tag]
        streams.take(leg, ssrc, stream, index)
        return length + tag

    def seal(self, leg: int, packet: bytes | memoryview) -> bytes:
        """SRTP of one RTP packet; empty when it must not be sent."""
        room = bytearray(packet) + bytearray(MAX_TRAILER)
        return bytes(room[: self.protect_one(memoryview(room), leg, len(packet))])

    def _digest_one(self, keys: _Direction, packet: "memoryview[int]", leg: int, end: int, index: int) -> bytes:
        mac = keys.mac[leg].copy()  # type: ignore[union-attr]
        mac.update(packet[:end])
        mac.update((index >> 16).to_bytes(4, "big"))
        return mac.finalize()

    def _crypt_one(
        self, keys: _Direction, packet: "memoryview[int]", leg: int, start: int, end: int, ssrc: int, index: int
    ) -> None:
        size = end - start
        if not size:
            return
        n_blocks = (size + 15) // 16
        nonce = (int(keys.salt_high[leg]) ^ ssrc) << 64 | (int(keys.salt_low[leg]) ^ index << 16)
        blocks = b"".join([(nonce | i).to_bytes(16, "big") for i in range(n_blocks)])
        out = bytearray(n_blocks * 16 + _ROOM)
        keys.encrypt[leg](memoryview(blocks), memoryview(out))  # type: ignore[misc]
        mixed = int.from_bytes(packet[start:end], "big") ^ int.from_bytes(out[:size], "big")
        packet[start:end] = mixed.to_bytes(size, "big")

    # -- reports ------------------------------------------------------------------------------------------------------

    def unprotect_rtcp(self, leg: int, data: bytes) -> bytes | None:
        """The compound RTCP packet in an SRTCP packet (§3.4); None when it must be dropped."""
        srtcp = self._receive.rtcp[leg]
        opened = srtcp.open(data) if srtcp is not None else None
        self.auth_failures[leg] += opened is None
        return opened

    def protect_rtcp(self, leg: int, data: bytes) -> bytes:
        """SRTCP of a compound RTCP packet."""
        srtcp = self._send.rtcp[leg]
        assert srtcp is not None
        return srtcp.seal(data)


def _header_length(packet: "memoryview[int]", end: int) -> int:
    """Octets before the encrypted part (§3.1): the header with its CSRC list and its extension; 0 when cut."""
    if end < HEADER_BYTES or packet[0] >> 6 != 2:
        return 0
    start = HEADER_BYTES + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        if start + 4 > end:
            return 0
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    return start if start <= end else 0
