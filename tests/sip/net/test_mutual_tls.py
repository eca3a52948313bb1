"""Certificates of who connects to a tls listener: asked for as configured, checked, and known by their names; what the
switch makes of a trunk's name. Certificates of servers we connect to are in test_tls.py and tests of the pool."""

import asyncio
import ssl
from pathlib import Path

import pytest

from sip.flow import Flow
from sip.net.tls import TlsConfig
from sip.net.transports import Transports
from sip.stack import Listener
from switch.config_file import ConfigError, parse_config
from switch.directory import Directory
from tests.sip.net.certificates import Authority

OPTIONS = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n"


class Ears:
    def __init__(self) -> None:
        self.flows: asyncio.Queue[Flow] = asyncio.Queue()

    def receive_batch(self, batch: list[tuple[bytes, Flow]]) -> None:
        for _, flow in batch:
            self.flows.put_nowait(flow)

    def flow_failed(self, flow: Flow, why: str) -> None:
        """The other side closed."""


@pytest.mark.parametrize(
    ("mode", "shows", "names"),
    [
        ("off", "ours", frozenset()),
        ("optional", "", frozenset()),
        ("optional", "ours", frozenset(("carrier.example.net", "192.0.2.1"))),
        ("optional", "foreign", None),
        ("required", "", None),
        ("required", "ours", frozenset(("carrier.example.net", "192.0.2.1"))),
    ],
)
def test_who_connects(tmp_path: Path, mode: str, shows: str, names: frozenset[str] | None) -> None:
    ours, foreign = Authority(tmp_path, "ours"), Authority(tmp_path, "foreign")
    certificate, key = ours.issue("127.0.0.1")

    async def main() -> None:
        ears = Ears()
        tls = TlsConfig(
            certificate=certificate,
            key=key,
            client_certificates=mode,
            client_ca_file=str(ours.ca_file) if mode != "off" else "",
        )
        transports = await Transports.open([Listener("tls", "127.0.0.1", 0)], ears, tls=tls)
        [(_, _, port)] = transports.addresses()
        context = ssl.create_default_context(cafile=ours.ca_file)
        if shows:
            context.load_cert_chain(
                *{"ours": ours, "foreign": foreign}[shows].issue("Carrier.example.net", "192.0.2.1")
            )
        is_refused = False
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            writer.write(OPTIONS)
            await writer.drain()
            if names is None:
                # In TLS 1.3 the client learns of the refusal when it reads.
                is_refused = await reader.read(1) == b""
            else:
                flow = await asyncio.wait_for(ears.flows.get(), 10)
                assert transports.peer_names(flow) == names
            writer.close()
        except (ssl.SSLError, ConnectionError):
            is_refused = True
        assert is_refused is (names is None) and ears.flows.empty()
        await transports.close()

    asyncio.run(main())


CONFIG = """
[sip]
listen = ["udp:0.0.0.0:5060"]
tls_client_certificates = "{mode}"
tls_client_ca = "ca.pem"
[[trunk]]
name = "carrier"
host = "192.0.2.1"
transport = "tls"
certificate_name = "Carrier.example.net"
"""


def test_a_trunk_with_a_certificate_name_is_known_by_that_alone() -> None:
    directory = Directory(parse_config(CONFIG.format(mode="optional")))
    directory.trunk_resolved("carrier", [Flow("tls", "192.0.2.1", 5061)])
    shown = {7: frozenset(("carrier.example.net",)), 8: frozenset(("other.example.net",))}
    directory.peer_names = lambda flow: shown.get(flow.connection, frozenset())
    assert directory.trunk_of(Flow("tls", "203.0.113.9", 40000, 0, 7)) is directory.trunks["carrier"]
    assert directory.is_trunk(Flow("tls", "203.0.113.9", 40000, 0, 7))
    for flow in (
        Flow("tls", "192.0.2.1", 40000, 0, 8),
        Flow("tls", "192.0.2.1", 5061, 0, 9),
        Flow("udp", "192.0.2.1", 5061),
        Flow("tcp", "192.0.2.1", 5061, 0, 7),
    ):
        assert directory.trunk_of(flow) is None
        assert not directory.is_trunk(flow)


def test_a_certificate_name_needs_certificates_to_be_asked_for() -> None:
    with pytest.raises(ConfigError, match=r"trunk\[0\].certificate_name: needs sip.tls_client_certificates"):
        parse_config(CONFIG.format(mode="off"))
