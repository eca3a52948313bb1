"""Name resolution from a table, in virtual time."""

import asyncio

from sip.flow import Flow


class SimResolver:
    """The interface of `sip.net.dns.Resolver` from a table; IP literals resolve to themselves."""

    def __init__(self, names: dict[str, list[Flow]] | None = None, delay_s: float = 0.01) -> None:
        self.names = names or {}
        self.delay_s = delay_s
        self.is_black_hole = False
        self.asked: list[str] = []

    def try_literal(self, uri: str, *, listener: int = 0) -> list[Flow] | None:
        """Without waiting: None when the URI holds a name."""
        host, port, transport, _ = _read(uri)
        if not (host.replace(".", "").isdigit() or ":" in host):
            return None
        return [Flow(transport, host, port or (5061 if transport == "tls" else 5060), listener)]

    async def resolve(self, uri: str, *, deadline_s: float = 3.0, listener: int = 0) -> list[Flow]:
        """Flows for a SIP URI, best first; [] when it leads nowhere or within `deadline_s` nothing answered."""
        literal = self.try_literal(uri, listener=listener)
        if literal is not None:
            return literal
        self.asked.append(uri)
        if self.is_black_hole:
            await asyncio.sleep(deadline_s)
            return []
        await asyncio.sleep(self.delay_s)
        host, _, transport, is_named = _read(uri)
        flows = [flow._replace(listener=listener) for flow in self.names.get(host, [])]
        return [flow._replace(transport=transport) for flow in flows] if is_named else flows


def _read(uri: str) -> tuple[str, int, str, bool]:
    """Host, port (0 = none), transport, and whether the URI names the transport."""
    scheme, _, rest = uri.strip("<>").partition(":")
    place, *params = rest.rpartition("@")[2].split(";")
    named = next((param[10:].lower() for param in params if param.lower().startswith("transport=")), "")
    host, _, port = place.rpartition(":") if place.count(":") == 1 or "]:" in place else (place, "", "")
    transport = named or ("tls" if scheme == "sips" else "udp")
    return host.strip("[]"), int(port or 0), transport, bool(named)
