"""The one table of limits on what a peer may send (docs: TRUST §2). Checked before anything of that size is built."""

MAX_HEADER_BYTES = 8 * 1024
"""Start line and header block, without the blank line."""

MAX_BODY_BYTES = 64 * 1024

MAX_HEADER_LINES = 256
"""Header lines of a message after unfolding."""

MAX_LIST_ITEMS = 64
"""Elements of one comma list (Contact, Route, Via …), and parameters of one value."""

MAX_INTERNED_NAMES = 1024
"""Spellings of header names the canonical table remembers; more are recognised but not remembered."""

MAX_INTEGER_DIGITS = 20
"""Digits looked at in any integer; leading zeros are legal (RFC 4475 §3.1.1.1)."""

MAX_CSEQ = 2**31 - 1
MAX_MAX_FORWARDS = 255
MAX_EXPIRES_S = 2**32 - 1
MAX_PORT = 65535

MAX_SDP_BYTES = 16 * 1024
MAX_SDP_LINES = 1024
MAX_SDP_MEDIA = 32
MAX_SDP_FORMATS = 64
"""Payload types of one m= line."""

MAX_STREAM_BUFFER_BYTES = MAX_HEADER_BYTES + MAX_BODY_BYTES + 4
"""What a stream connection may hold of a message not yet complete."""

MAX_DIGEST_CHALLENGES = 16
"""Challenges looked at in one 401 or 407."""

MAX_TRACKED_NONCES = 65536
"""Nonces whose counts are remembered; the oldest is forgotten, and its user is asked again with stale=true."""
