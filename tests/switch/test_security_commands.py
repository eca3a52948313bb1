"""switch/security_commands.py: bans by API, and certificates read again without a restart: new connections get the new
one, open ones stay, and a file that is no good changes nothing. SIGHUP is in tests/live/test_tls_reload.py."""

import asyncio
import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest

from control.auth import Caller
from model import errors
from model.commands_security import AddBan, ListBans, ReloadTls, RemoveBan
from model.events_security import SourceBanned, SourceUnbanned
from sip.flow import Flow
from sip.net.tls import TlsConfig
from sip.net.transports import Transports
from sip.stack import Listener
from switch.config_file import parse_config
from switch.guard import Verdict
from switch.security_commands import make_handlers
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.sip.net.certificates import Authority

ANYBODY = Caller("tests", "administrator")
HERE = Flow("udp", "2001:db8::7", 5060)


def test_a_ban_is_made_listed_told_and_lifted():
    async def main():
        switch = SimSwitch(SimNet())
        handlers = make_handlers(SimpleNamespace(core=switch.core, runtime=switch.core.runtime))
        now = switch.loop.time()
        made = handlers[AddBan](AddBan(address="2001:DB8:0::7", duration_s=60.0, reason="cracker"), ANYBODY)
        assert (made.address, made.until_utc - made.since_utc, made.reason) == (HERE.host, 60.0, "cracker")
        assert switch.core.guard.sort(HERE, now) is Verdict.DROP
        listed = handlers[ListBans](ListBans(), ANYBODY)
        assert [(ban.address, ban.n_dropped) for ban in listed.bans] == [(HERE.host, 1)] and listed.n_bans == 1
        handlers[RemoveBan](RemoveBan(address=HERE.host), ANYBODY)
        assert switch.core.guard.sort(HERE, now) is Verdict.STRANGER
        with pytest.raises(errors.InvalidValue, match="not banned"):
            handlers[RemoveBan](RemoveBan(address=HERE.host), ANYBODY)
        with pytest.raises(errors.InvalidValue, match="no IP address"):
            handlers[AddBan](AddBan(address="1.2.3"), ANYBODY)
        [banned], [unbanned] = switch.of(SourceBanned), switch.of(SourceUnbanned)
        assert (banned.address, banned.reason, banned.duration_s) == (HERE.host, "cracker", 60.0)
        assert unbanned.address == HERE.host
        await switch.close()

    run_virtual(main())


class Nobody:
    def __init__(self):
        self.has_received = asyncio.Event()

    def receive_batch(self, batch):
        self.has_received.set()

    def flow_failed(self, flow, why):
        """Nobody waits."""


def test_certificates_are_read_again(tmp_path: Path):
    authority = Authority(tmp_path)
    first_certificate, first_key = (Path(file) for file in authority.issue("127.0.0.1"))
    certificate, key = tmp_path / "our.pem", tmp_path / "our.key"
    certificate.write_bytes(first_certificate.read_bytes())
    key.write_bytes(first_key.read_bytes())
    text = f'[sip]\nlisten = ["tls:127.0.0.1:5061"]\ntls_certificate = "{certificate}"\ntls_key = "{key}"\n'
    config = parse_config(text, str(tmp_path / "ringback.toml"))

    async def connect(port: int) -> tuple[asyncio.StreamWriter, bytes]:
        context = ssl.create_default_context(cafile=authority.ca_file)
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return writer, shown

    async def main():
        nobody = Nobody()
        tls = TlsConfig(certificate=str(certificate), key=str(key))
        transports = await Transports.open([Listener("tls", "127.0.0.1", 0)], nobody, tls=tls)
        [(_, _, port)] = transports.addresses()
        app = SimpleNamespace(
            config=config, transports=transports, core=SimpleNamespace(guard=None),
            runtime=SimpleNamespace(outside=SimpleNamespace(clock=None), calls=SimpleNamespace(env=None)),
        )  # fmt: skip
        reload_tls = make_handlers(app)[ReloadTls]
        old, old_shown = await connect(port)
        second_certificate, second_key = (Path(file) for file in authority.issue("127.0.0.1"))
        certificate.write_bytes(second_certificate.read_bytes())
        # The key is still the old one: nothing may change.
        with pytest.raises(errors.InvalidValue, match="stays as it was"):
            await reload_tls(ReloadTls(), ANYBODY)
        again, shown = await connect(port)
        assert shown == old_shown
        key.write_bytes(second_key.read_bytes())
        told = await reload_tls(ReloadTls(), ANYBODY)
        new, new_shown = await connect(port)
        assert new_shown != old_shown and told.certificate.names == ["127.0.0.1"]
        # The open connection still carries messages.
        old.write(b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n")
        await old.drain()
        await asyncio.wait_for(nobody.has_received.wait(), 10)
        certificate.unlink()
        with pytest.raises(errors.InvalidValue, match="cannot be read"):
            await reload_tls(ReloadTls(), ANYBODY)
        for writer in (old, again, new):
            writer.close()
        await transports.close()

    asyncio.run(main())
