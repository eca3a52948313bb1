"""Network address translation for `SimNet`, on addresses alone."""

from dataclasses import dataclass, field

Address = tuple[str, int]


@dataclass(slots=True)
class _Mapping:
    outside_port: int
    inside: Address
    used_at: float
    contacted: set[Address] = field(default_factory=set)


class Nat:
    """A home router; made by `SimNet.add_nat`.

    `kind`: "full" (anyone may answer), "restricted" (only whom it sent to), "symmetric" (a new outside port for every
    destination, and only that one may answer). A mapping idle for `idle_s` seconds is gone.
    """

    def __init__(self, outside_host: str, kind: str = "restricted", idle_s: float = 60.0) -> None:
        assert kind in ("full", "restricted", "symmetric"), kind
        self.outside_host = outside_host
        self.kind = kind
        self.idle_s = idle_s
        self._next_port = 20_000
        self._by_inside: dict[tuple[Address, Address | None], _Mapping] = {}
        self._by_port: dict[int, _Mapping] = {}

    def rebind(self) -> None:
        """Forgets every mapping, as a router does that was switched off and on."""
        self._by_inside.clear()
        self._by_port.clear()

    def outbound(self, inside: Address, destination: Address, now: float) -> Address:
        key = (inside, destination if self.kind == "symmetric" else None)
        mapping = self._by_inside.get(key)
        if mapping is None or now - mapping.used_at > self.idle_s:
            if mapping is not None:
                del self._by_port[mapping.outside_port]
            self._next_port += 1
            mapping = _Mapping(self._next_port, inside, now)
            self._by_inside[key] = mapping
            self._by_port[mapping.outside_port] = mapping
        mapping.used_at = now
        mapping.contacted.add(destination)
        return (self.outside_host, mapping.outside_port)

    def inbound(self, outside_port: int, source: Address, now: float) -> Address | None:
        """The inside address a datagram from `source` is let through to, None when it is not."""
        mapping = self._by_port.get(outside_port)
        if mapping is None or now - mapping.used_at > self.idle_s:
            return None
        if self.kind != "full" and source not in mapping.contacted:
            return None
        return mapping.inside
