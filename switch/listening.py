"""What the configuration says of listening, as the transports and the resolver want it."""

import os

from sip.net.dns import Resolver
from sip.net.tls import TlsConfig
from sip.stack import Listener
from switch.addresses import parse_listen
from switch.config import Config
from switch.sockets import local_address


class UnusableError(Exception):
    """The switch cannot run like this, and trying again would not change it; the message is one line."""


def make_listeners(config: Config) -> list[Listener]:
    listeners = []
    for text in config.sip.listen:
        address = parse_listen(text)
        advertised = config.sip.advertised_host or local_address(address.host)
        listeners.append(
            Listener(
                transport=address.transport,
                host=address.host,
                port=address.port,
                advertised_host="" if advertised == address.host else advertised,
            )
        )
    return listeners


def make_resolver(config: Config, listeners: list[Listener]) -> Resolver:
    """Looks for what we have listeners to talk to, streams by the family of any listener."""
    families = {6 if ":" in listener.host else 4 for listener in listeners}
    can_speak = {
        "udp": any(one.transport == "udp" for one in listeners),
        "tcp": True,
        "tls": tls_of(config) is not None,
    }
    return Resolver(
        transports=[name for name, is_possible in can_speak.items() if is_possible], families=sorted(families)
    )


def tls_of(config: Config) -> TlsConfig | None:
    sip_config = config.sip
    needs_tls = any(trunk.transport == "tls" for trunk in config.trunk)
    if not sip_config.tls_certificate and not needs_tls:
        return None
    return TlsConfig(
        certificate=_file_beside(config, "tls_certificate"),
        key=_file_beside(config, "tls_key"),
        verify_peers=True,
        ca_file=_file_beside(config, "tls_ca"),
        client_certificates=sip_config.tls_client_certificates,
        client_ca_file=_file_beside(config, "tls_client_ca"),
    )


def _file_beside(config: Config, key: str) -> str:
    """A readable file that the configuration names relative to itself; "" when it names none."""
    path: str = getattr(config.sip, key)
    if not path:
        return ""
    path = os.path.join(os.path.dirname(config.path), path)
    if not os.access(path, os.R_OK):
        raise UnusableError(f"sip.{key}: {path} cannot be read")
    return path
