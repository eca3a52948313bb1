"""`kill -HUP`: the switch shows a new certificate to new connections, without a restart, and registered phones stay.

The command and bad files are in tests/switch/test_security_commands.py.
"""

import os
import signal
import ssl
from pathlib import Path

from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.processes import wait_until
from tests.live.switch_process import extension
from tests.live.test_phones import A_HZ, add_phone
from tests.sip.net.certificates import Authority


def test_a_new_certificate_by_signal(bed: Bed, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = (Path(file) for file in authority.issue(SWITCH))
    sip = {
        "listen": [f"udp:{SWITCH}:5060", f"tls:{SWITCH}:5061"],
        "tls_certificate": str(certificate),
        "tls_key": str(key),
    }
    switch = bed.switch(sip=sip, extension=[extension("1001")])
    add_phone(bed, "1001", A_HZ, transport="tls", sip_extra=f"sip_cafile {authority.ca_file}")

    def shown() -> bytes | None:
        context = ssl.create_default_context(cafile=authority.ca_file)
        with bed.network.socket() as plain:
            plain.connect((SWITCH, 5061))
            with context.wrap_socket(plain, server_hostname=SWITCH) as secure:
                return secure.getpeercert(binary_form=True)

    before = shown()
    next_certificate, next_key = (Path(file) for file in Authority.issue(authority, SWITCH))
    key.write_bytes(next_key.read_bytes())
    certificate.write_bytes(next_certificate.read_bytes())
    os.kill(switch.pid, signal.SIGHUP)
    wait_until(lambda: shown() != before, "the new certificate")
    assert [one["extension"] for one in switch.control.call("registration.list")["registrations"]] == ["1001"]
    assert switch.control.call("ban.list")["bans"] == []
