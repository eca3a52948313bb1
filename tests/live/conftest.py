"""The `bed`: a network of its own, and whatever a test starts in it, all gone at the end.

Live tests need root (or the right to make network namespaces), SIPp, baresip and tcpdump. They run one after the other
on one xdist worker (tests/conftest.py).
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.live import netns
from tests.live.baresip import Baresip
from tests.live.browser.chromium import Chromium
from tests.live.capture import Capture
from tests.live.name_server import NameServer
from tests.live.netns import Namespace, peer_address
from tests.live.sipp import Sipp
from tests.live.switch_process import SwitchProcess

_PROGRAMS = (
    *("ip", "nsenter", "ss", "sipp", "baresip", "tcpdump", "chromium", "dnsmasq"),
    *("svwar", "fail2ban-regex"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.live)


class Bed:
    """Starts things; `close` ends them, phones first, the switch last and in good order."""

    def __init__(self, network: Namespace, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self._phones: list[Baresip] = []
        self._browsers: list[Chromium] = []
        self._sipps: list[Sipp] = []
        self._captures: list[Capture] = []
        self._switches: list[SwitchProcess] = []
        self._name_servers: list[NameServer] = []

    def switch(self, **config: Any) -> SwitchProcess:
        """A running switch. `config`: sections of the configuration over the defaults of tests."""
        made = SwitchProcess(self.network, self.folder, config)
        self._switches.append(made)
        return made

    def sipp(self, n: int, xml: str, **options: Any) -> Sipp:
        """The n-th SIPp, at `peer_address(n)`."""
        made = Sipp(self.network, self.folder, xml, local=peer_address(n), **options)
        self._sipps.append(made)
        return made

    def phone(
        self,
        user: str,
        *,
        domain: str = netns.SWITCH,
        place: tuple[Namespace, str] | None = None,
        **options: Any,
    ) -> Baresip:
        """A baresip on a machine of its own, or on the one of `place` with that address."""
        network, address = place or self.network.add_phone()
        made = Baresip(network, self.folder, address=address, user=user, domain=domain, **options)
        self._phones.append(made)
        return made

    def browser(self, user: str, *, hz: float) -> Chromium:
        """A Chromium on a machine of its own."""
        network, address = self.network.add_phone()
        made = Chromium(network, self.folder, address=address, user=user, hz=hz)
        self._browsers.append(made)
        return made

    def name_server(self, srv: Mapping[str, Sequence[tuple[int, str, int]]]) -> NameServer:
        """Names for the switch: domain → (priority, address, port) of its SRV records for SIP over UDP."""
        made = NameServer(self.network, self.folder, srv)
        self._name_servers.append(made)
        return made

    def capture(self, expression: str = "udp") -> Capture:
        made = Capture(self.network, self.folder, expression)
        self._captures.append(made)
        return made

    def close(self) -> None:
        try:
            for phone in self._phones:
                phone.stop()
            for switch in self._switches:
                switch.finish()
        finally:
            for one in (
                *self._phones,
                *self._browsers,
                *self._sipps,
                *self._captures,
                *self._switches,
                *self._name_servers,
            ):
                one.kill()


@pytest.fixture(scope="session")
def live_permitted() -> None:
    """Skips where namespaces cannot be made; what is merely not installed is a failure, `make test` installs it."""
    netns.skip_unless_permitted()
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    assert not missing, f"not installed: {', '.join(missing)}; run scripts/install-test-packages"
    netns.remove_stale()


@pytest.fixture
def bed(live_permitted: None, tmp_path: Path) -> Iterator[Bed]:
    with netns.namespace("t") as network:
        made = Bed(network, tmp_path)
        try:
            yield made
        finally:
            made.close()
