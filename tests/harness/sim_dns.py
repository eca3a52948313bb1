"""Name resolution from a table, in virtual time."""

import asyncio

from sip.flow import Flow


class SimResolver:
    """The interface of `sip.net.Resolver` from a table; IP literals resolve to themselves."""

    def __init__(self, names: dict[str, list[Flow]] | None = None, delay_s: float = 0.01) -> None:
        self.names = names or {}
        self.delay_s = delay_s
        self.is_black_hole = False
        self.asked: list[str] = []

    async def resolve(self, uri: str, *, deadline_s: float = 3.0) -> list[Flow]:
        """Flows for a SIP URI, best first; [] when it leads nowhere or within `deadline_s` nothing answered."""
        self.asked.append(uri)
        rest = uri.partition(":")[2].rpartition("@")[2].strip("<>")
        place, _, params = rest.partition(";")
        transport = "tls" if uri.startswith("sips:") else "udp"
        for param in params.split(";"):
            if param.lower().startswith("transport="):
                transport = param[10:].lower()
        host, _, port = place.rpartition(":") if place.count(":") == 1 or "]:" in place else (place, "", "")
        host = host.strip("[]")
        if host.replace(".", "").isdigit() or ":" in host:
            return [Flow(transport, host, int(port or (5061 if transport == "tls" else 5060)))]
        if self.is_black_hole:
            await asyncio.sleep(deadline_s)
            return []
        await asyncio.sleep(self.delay_s)
        return [flow._replace(transport=transport) if params else flow for flow in self.names.get(host, [])]
