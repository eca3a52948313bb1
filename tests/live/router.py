"""A home router for the live tests: a namespace between the tests' network and a phone's, with MASQUERADE."""

import shutil
import subprocess

import pytest

from tests.live.netns import Namespace

_INSIDE = "192.168.77"


class Router:
    """`Router(bed.network)`: `inside` is the phone's machine, `address` its address there, `outside` the router's
    address that everybody else sees. It goes with the network. Skips where iptables is not or cannot translate."""

    def __init__(self, network: Namespace) -> None:
        if shutil.which("iptables") is None:
            pytest.skip("iptables is not installed")
        self._router, self.outside = network.add_phone()
        self.inside = network.add_machine("inside")
        self.address = f"{_INSIDE}.10"
        self._n_rebinds = 0
        router, inside = self._router, self.inside
        router.run("ip", "link", "add", "lan", "type", "veth", "peer", "name", "eth0", "netns", inside.name)
        router.run("ip", "addr", "add", f"{_INSIDE}.1/24", "dev", "lan")
        router.run("ip", "link", "set", "lan", "up")
        for words in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{self.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
            ("route", "add", "default", "via", f"{_INSIDE}.1"),
        ):
            inside.run("ip", *words)
        try:
            router.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
            self._translate("-A", "POSTROUTING")
        except subprocess.CalledProcessError as problem:
            pytest.skip(f"no address translation here: {problem.stderr.strip()}")

    def rebind(self) -> None:
        """Forgets every mapping, as a router does that was switched off and on; the next ones have other ports."""
        self._n_rebinds += 1
        self._translate("-R", "POSTROUTING", "1")
        # The kernel forgets what it masqueraded by an address that goes.
        self._router.run("ip", "addr", "del", f"{self.outside}/24", "dev", "eth0")
        self._router.run("ip", "addr", "add", f"{self.outside}/24", "dev", "eth0")

    def _translate(self, *where: str) -> None:
        first = 40_000 + 1000 * self._n_rebinds
        rule = ("-o", "eth0", "-p", "udp", "-j", "MASQUERADE", "--to-ports", f"{first}-{first + 999}")
        self._router.run("iptables", "-t", "nat", *where, *rule)
