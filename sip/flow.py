"""Where a message came from or goes to: the plain-data name of a UDP peer or of a stream connection."""

from typing import NamedTuple


class Flow(NamedTuple):
    """`host` is always an IP literal. For all but udp `connection` names an open connection; 0 asks for one to be
    opened, or an open one to the same peer to be used."""

    transport: str
    """udp, tcp, tls, ws, wss"""
    host: str
    port: int
    listener: int = 0
    """Index of the local listener it came in by, or shall go out by."""
    connection: int = 0
