"""Addresses to listen on, as the configuration writes them."""

import ipaddress

import msgspec


class ListenAddress(msgspec.Struct, frozen=True):
    """One entry of sip.listen."""

    transport: str
    host: str
    port: int


def parse_listen(text: str) -> ListenAddress:
    """ "udp:0.0.0.0:5060" or "tls:[::]:5061". Raises ValueError that says what would be right."""
    transport, _, rest = text.partition(":")
    if transport not in ("udp", "tcp", "tls", "ws", "wss"):
        raise ValueError(f'"{text}" must begin with udp:, tcp:, tls:, ws: or wss:')
    host, port = split_host_port(rest)
    return ListenAddress(transport, host, port)


def split_host_port(text: str) -> tuple[str, int]:
    """ "127.0.0.1:5060" or "[::1]:5060" → (IP literal, port). Port 0 asks for any free one."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        ipaddress.ip_address(host)
        number = int(port)
        if not 0 <= number <= 65535:
            raise ValueError
    except ValueError:
        raise ValueError(
            f'"{text}" must be "address:port" with an IP address, e.g. "0.0.0.0:5060" or "[::]:5060"'
        ) from None
    return host, number
