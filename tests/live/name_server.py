"""A real name server (dnsmasq) at the addresses where the machine's own would be: the switch under test asks there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sip.net.dns_cache import read_name_servers
from tests.live.netns import Namespace
from tests.live.processes import Process, wait_until


class NameServer:
    """Answers for SIP over UDP in the domains of `srv`: domain → (priority, address, port), and for nothing else."""

    def __init__(self, network: Namespace, folder: Path, srv: Mapping[str, Sequence[tuple[int, str, int]]]) -> None:
        addresses = [host for host, _ in read_name_servers()]
        assert addresses, "/etc/resolv.conf names no server that this one could stand in for"
        words = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root"]
        words += ["--no-resolv", "--no-hosts", "--bind-interfaces", "--log-queries", "--log-facility=-"]
        words += [f"--listen-address={address}" for address in addresses]
        for domain, records in srv.items():
            for n, (priority, address, port) in enumerate(records):
                words.append(f"--srv-host=_sip._udp.{domain},n{n}.{domain},{port},{priority},10")
                words.append(f"--host-record=n{n}.{domain},{address}")
        self._process = Process(network.command(*words), folder / "dnsmasq.log", folder=folder)
        wait_until(lambda: ":53 " in network.run("ss", "-Hlun"), lambda: f"dnsmasq: {self._process.log}")

    @property
    def log(self) -> str:
        """Every question and answer."""
        return self._process.log

    def kill(self) -> None:
        self._process.kill()
