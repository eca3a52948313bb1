"""`recvmmsg` and `sendmmsg` (Linux): many datagrams a system call, straight into and out of numpy arrays.

The kernel's structures (`struct mmsghdr`, `iovec`, `sockaddr_in`, `sockaddr_in6`) are numpy record arrays that are
filled once; a call moves no data in Python. 64-bit systems only, as the layout says.
"""

import ctypes
import errno
import os
import socket

import numpy as np
from numpy.typing import NDArray

from rtp.net.address import Address, for_socket, plain

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
_sendmmsg = _libc.sendmmsg
_sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]

MMSGHDR = np.dtype(
    [
        ("name", "u8"),
        ("name_length", "u4"),
        ("_pad0", "u4"),
        ("iov", "u8"),
        ("iov_count", "u8"),
        ("control", "u8"),
        ("control_length", "u8"),
        ("flags", "i4"),
        ("_pad1", "u4"),
        ("length", "u4"),
        ("_pad2", "u4"),
    ]
)
IOVEC = np.dtype([("base", "u8"), ("length", "u8")])
NAME_BYTES = 32
"""Room for one socket address of either family; as 64-bit words: see `name_words`."""
_AT_ONCE = 1024
"""UIO_MAXIOV: more messages the kernel does not take in one call."""


def pack_name(address: Address, family: int) -> bytes:
    """`address` as the kernel's sockaddr, zero-filled to NAME_BYTES. OSError when the host is of another family."""
    host, port = for_socket(address, family)
    packed = socket.inet_pton(family, host.partition("%")[0])
    if family == socket.AF_INET:
        made = family.to_bytes(2, "little") + port.to_bytes(2, "big") + packed
    else:
        _, _, scope = host.partition("%")
        index = (int(scope) if scope.isdigit() else socket.if_nametoindex(scope)) if scope else 0
        made = family.to_bytes(2, "little") + port.to_bytes(2, "big") + bytes(4) + packed + index.to_bytes(4, "little")
    return made.ljust(NAME_BYTES, b"\0")


def unpack_name(name: bytes) -> Address:
    """The address in a kernel's sockaddr."""
    port = int.from_bytes(name[2:4], "big")
    if int.from_bytes(name[:2], "little") == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, name[4:8]), port
    return plain(socket.inet_ntop(socket.AF_INET6, name[8:24])), port


def name_length(family: int) -> int:
    """Bytes of the family's sockaddr that mean something."""
    return 16 if family == socket.AF_INET else 28


class Receiver:
    """Receives into the rows of `arena`; `names[i]` is who sent row i, `lengths[i]` its bytes."""

    def __init__(self, arena: NDArray[np.uint8], family: int) -> None:
        n, stride = arena.shape
        self._arena = arena  # the kernel is given its address
        self.names = np.zeros((n, NAME_BYTES), np.uint8)
        self.words = self.names.view(np.uint64)
        iov = self._iov = np.zeros(n, IOVEC)
        iov["base"] = _addresses(arena)
        iov["length"] = stride
        headers = self._headers = np.zeros(n, MMSGHDR)
        headers["name"] = _addresses(self.names)
        headers["name_length"] = name_length(family)
        headers["iov"] = _addresses(iov)
        headers["iov_count"] = 1
        self.lengths = headers["length"]
        self._at = headers.ctypes.data
        self._size = n

    def receive(self, fd: int, at: int) -> int:
        """What waits on the socket, into rows `at` and on while there are any; how many. Never waits."""
        n = int(_recvmmsg(fd, self._at + at * 64, self._size - at, socket.MSG_DONTWAIT, None))
        # Nothing there, or an ICMP error from earlier on, which is taken off by being returned.
        return max(n, 0)


class Sender:
    """Room for up to `capacity` messages that leave over any sockets.

    Fill `headers["name"]`, `iov["base"]` and `iov["length"]` for the first n, then `send` them.
    """

    def __init__(self, capacity: int, family: int) -> None:
        self.iov = np.zeros(capacity, IOVEC)
        self.headers = np.zeros(capacity, MMSGHDR)
        self.headers["name_length"] = name_length(family)
        self.headers["iov"] = _addresses(self.iov)
        self.headers["iov_count"] = 1
        self.bases, self.lengths = self.iov["base"], self.iov["length"]
        self.names = self.headers["name"]
        self._at = self.headers.ctypes.data

    def send(self, fd: int, begin: int, end: int) -> int:
        """Messages begin to end - 1; how many could not be sent. One that fails does not keep the rest back."""
        n_failed = 0
        while begin < end:
            sent = int(_sendmmsg(fd, self._at + begin * 64, min(end - begin, _AT_ONCE), socket.MSG_DONTWAIT))
            if sent > 0:
                begin += sent
                continue
            code = ctypes.get_errno()
            if code in (errno.EAGAIN, errno.ENOBUFS):  # the kernel's queue is full: what is late is lost
                return n_failed + end - begin
            if code in (errno.EBADF, errno.EFAULT, errno.ENOTSOCK):
                raise OSError(code, os.strerror(code))
            begin += 1
            n_failed += 1
        return n_failed


def _addresses(array: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Of the rows of `array`."""
    return np.uint64(array.ctypes.data) + np.arange(len(array), dtype=np.uint64) * np.uint64(array.strides[0])
