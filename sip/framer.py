"""A byte stream cut into SIP messages by Content-Length (RFC 3261 §18.3), with CRLF keep-alive (RFC 5626 §4.4.1).

Pure. `sip.net.stream` owns one framer per connection and closes the connection when `feed` raises: once the boundary
between two messages is lost, nothing that follows can be trusted.
"""

import re

from sip import limits
from sip.errors import SipParseError

_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*+:((?:[ \t]|\r\n[ \t])*)([^\r\n]*+)", re.IGNORECASE)
_LINE_ENDS = re.compile(rb"(?:\r\n)+")
_DIGITS = re.compile(rb"([0-9]{1,20})[ \t]*+")


class StreamFramer:
    """Holds the bytes of a message that has not come in full; never more than `limits.MAX_STREAM_BUFFER_BYTES`."""

    __slots__ = ("_buffer", "_n_needed", "_n_searched", "pongs")

    def __init__(self) -> None:
        self.pongs = 0
        """Keep-alive pings (CRLFCRLF) seen since the caller last set this to 0; answer each with one CRLF."""
        self._buffer = bytearray()
        self._n_needed = 0
        self._n_searched = 0

    @property
    def is_partial(self) -> bool:
        """Part of a message is held: a read deadline must run. A lone line end of a keep-alive does not count."""
        return len(self._buffer) > 3 or bool(self._buffer.strip(b"\r\n"))

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order, each exactly as received.

        Raises:
            SipParseError: what is left cannot be cut; messages complete before that come first, the next call
                raises it. 400 for a missing or malformed Content-Length, 513 for a header block or body over its limit.
                `error.request_head` is not set. The connection must be closed; the framer is of no more use.
        """
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
        while buffer:
            try:
                has_message = self._has_message()
            except SipParseError:
                if messages:
                    break
                raise
            if not has_message:
                break
            messages.append(bytes(buffer[: self._n_needed]))
            del buffer[: self._n_needed]
            self._n_needed = self._n_searched = 0
        return messages

    def _has_message(self) -> bool:
        """Whether the buffer, without line ends before it, begins with a whole message of `_n_needed` bytes."""
        buffer = self._buffer
        while buffer and buffer[0] in b"\r\n":
            if not self._skip_line_ends():
                return False
        if buffer and not self._n_needed:
            self._n_needed = self._find_end()
        return 0 < self._n_needed <= len(buffer)

    def _skip_line_ends(self) -> bool:
        """Drop line ends between messages, counting pings; False when half a ping is all that is left."""
        buffer = self._buffer
        match = _LINE_ENDS.match(buffer)
        n = match.end() if match is not None else 0
        self.pongs += n // 4
        rest = bytes(buffer[n : n + 2])
        if rest in (b"", b"\r"):
            del buffer[: n - n % 4]
            return False
        del buffer[:n]
        if rest[0] in b"\r\n":
            raise SipParseError("bare CR or LF between messages")
        return True

    def _find_end(self) -> int:
        """Length of the message that begins the buffer, 0 as long as its header block is not complete."""
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", max(0, self._n_searched - 3), limits.MAX_HEADER_BYTES + 4)
        if end < 0:
            if len(buffer) > limits.MAX_HEADER_BYTES + 3:
                raise SipParseError("header block too large", 513, "Message Too Large")
            self._n_searched = len(buffer)
            return 0
        lengths = _LENGTH.findall(buffer, 0, end)
        if not lengths:
            raise SipParseError("stream message without Content-Length")
        digits = _DIGITS.fullmatch(lengths[0][1])
        if len(lengths) > 1 or digits is None:
            raise SipParseError("malformed Content-Length")
        n_body = int(digits[1])
        if n_body > limits.MAX_BODY_BYTES:
            raise SipParseError("body too large", 513, "Message Too Large")
        return end + 4 + n_body
