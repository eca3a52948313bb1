"""The two UDP sockets of a phone's audio; an error on them is a lost packet, as on a network."""

import socket


def open_pair(host: str) -> tuple[socket.socket, socket.socket]:
    """RTP on an even port, RTCP on the next (RFC 3550 §11)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        rtp, rtcp = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        try:
            rtp.bind((host, 0))
            port = rtp.getsockname()[1]
            if port % 2 == 0:
                rtcp.bind((host, port + 1))
                for each in (rtp, rtcp):
                    each.setblocking(False)
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                return rtp, rtcp
        except OSError:
            pass
        rtp.close()
        rtcp.close()
    raise OSError(f"no free pair of ports on {host}")


def send(to: socket.socket, data: bytes, address: tuple[str, int]) -> None:
    """Sends, or loses it."""
    try:
        to.sendto(data, address)
    except OSError:
        # As a phone does: the network lost it, the receiver's counters tell.
        return


def receive(source: socket.socket) -> bytes | None:
    """The next datagram, None when there is none."""
    try:
        return source.recv(2048)
    except OSError:
        return None
