"""`recvmmsg` and `sendmmsg` straight into numpy arrays (Linux): for loads and floors that must cost little."""

import ctypes
import socket

import numpy as np
from numpy.typing import NDArray

_libc = ctypes.CDLL(None, use_errno=True)
_recvmmsg = _libc.recvmmsg
_recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
_sendmmsg = _libc.sendmmsg
_sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]

_MSGHDR = np.dtype(
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
_IOVEC = np.dtype([("base", "u8"), ("length", "u8")])
_CONTROL_BYTES = 64
_SO_TIMESTAMPNS = 35
SOCKADDR = np.dtype([("family", "u2"), ("port", ">u2"), ("address", "u4"), ("_pad", "u8")])


def addresses(host: str, ports: NDArray[np.int64]) -> NDArray[np.void]:
    """IPv4 socket addresses of one host."""
    made = np.zeros(len(ports), SOCKADDR)
    made["family"] = socket.AF_INET
    made["port"] = ports
    made["address"] = np.frombuffer(socket.inet_aton(host), "u4")[0]
    return made


def time_arrivals(sock: socket.socket) -> None:
    """From now on the kernel notes when each datagram came, whenever it is read."""
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)


class MessageBatch:
    """`size` datagrams: `packets` (rows of bytes), `names` (their addresses), `lengths`.

    `is_timed`: also `arrivals`, when the kernel got each; for sockets that `time_arrivals` was called on.
    """

    def __init__(self, size: int, width: int = 256, *, is_timed: bool = False) -> None:
        self.packets = np.zeros((size, width), np.uint8)
        self.names = np.zeros(size, SOCKADDR)
        self._iov = np.zeros(size, _IOVEC)
        self._iov["base"] = self.packets.ctypes.data + np.arange(size, dtype=np.uint64) * np.uint64(width)
        self._iov["length"] = width
        self._headers = np.zeros(size, _MSGHDR)
        self._headers["name"] = self.names.ctypes.data + np.arange(size, dtype=np.uint64) * np.uint64(SOCKADDR.itemsize)
        self._headers["name_length"] = SOCKADDR.itemsize
        self._headers["iov"] = self._iov.ctypes.data + np.arange(size, dtype=np.uint64) * np.uint64(_IOVEC.itemsize)
        self._headers["iov_count"] = 1
        self._control = np.zeros((size, _CONTROL_BYTES // 8), np.int64)
        if is_timed:
            offsets = np.arange(size, dtype=np.uint64) * np.uint64(_CONTROL_BYTES)
            self._headers["control"] = self._control.ctypes.data + offsets
        self._is_timed = is_timed
        self._at = self._headers.ctypes.data
        self._width = width
        self.size = size

    @property
    def lengths(self) -> NDArray[np.uint32]:
        """Of the datagrams the last `receive` got."""
        return np.asarray(self._headers["length"])

    @property
    def arrivals(self) -> NDArray[np.float64]:
        """Seconds since 1970 (CLOCK_REALTIME) of the datagrams the last `receive` got."""
        # struct cmsghdr is 16 bytes, then comes a timespec.
        return np.asarray(self._control[:, 2] + self._control[:, 3] * 1e-9)

    def receive(self, fd: int, at: int = 0) -> int:
        """What waits on the socket, into rows `at` and on while there are any; how many. Never waits.

        OSError when the socket has one.
        """
        if self._is_timed:
            self._headers["control_length"][at:] = _CONTROL_BYTES
        n = int(_recvmmsg(fd, self._at + at * _MSGHDR.itemsize, self.size - at, socket.MSG_DONTWAIT, None))
        if n >= 0:
            return n
        error = ctypes.get_errno()
        if error in (11, 111):  # nothing there; or an ICMP refusal, which the receiver will count as lost
            return 0
        raise OSError(error, "recvmmsg")

    def send(self, fd: int, n: int, length: int) -> int:
        """Sends the first `n` packets, `length` bytes each, to `names`; how many the kernel took."""
        self._iov["length"][:n] = length
        done = 0
        while done < n:
            sent = int(_sendmmsg(fd, self._at + done * _MSGHDR.itemsize, n - done, socket.MSG_DONTWAIT))
            if sent <= 0:
                break
            done += sent
        self._iov["length"][:n] = self._width
        return done
