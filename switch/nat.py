"""How peers see us: the external address from outside the local networks, the listener's own from inside. Pure."""

import ipaddress

from switch.config_nat import Nat

_MAX_CACHED = 4096


class Surroundings:
    """`host_for` is asked for every leg, `is_outside` for every message of ours while there is an external address."""

    def __init__(self, nat: Nat, hosts: dict[int, str]) -> None:
        """`hosts`: the address that SDP names, by IP version (4, 6)."""
        self._external = nat.external_address
        self._external_version = ipaddress.ip_address(self._external).version if self._external else 0
        self._networks = [ipaddress.ip_network(text) for text in nat.local_networks]
        self._hosts = hosts
        self._known: dict[str, bool] = {}

    @property
    def has_external(self) -> bool:
        return bool(self._external)

    def is_outside(self, host: str) -> bool:
        """Whether the peer at this IP literal sees us by the external address."""
        known = self._known.get(host)
        if known is None:
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            known = self._known[host] = self._decide(host)
        return known

    def host_for(self, peer: str) -> str:
        """The address in the SDP for who is reached at `peer`, of the same family where we have one."""
        if self._external and self.is_outside(peer):
            return self._external
        version = 6 if ":" in peer else 4
        return self._hosts.get(version) or next(iter(self._hosts.values()))

    def _decide(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        if address.version != self._external_version:
            return False
        return not any(address in network for network in self._networks if network.version == address.version)
