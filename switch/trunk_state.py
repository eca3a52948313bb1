"""A trunk and what is known of it now: addresses and their health, calls, limits. Plain data; `now` is monotonic s.

Who may still be sent a call is asked here: `has_room` counts channels, `take_token` calls per second, `ways` the
addresses that are not known to be dead. An address that did not answer an INVITE, or said 503, rests for a while
(RFC 3263 §4.3, RFC 3261 §21.5.4): it is tried after all others, not never, since nothing better may be there.
"""

import math

import msgspec

from sip.credentials import Audience
from sip.flow import Flow
from switch.config_trunks import Trunk

AddressKey = tuple[str, str, int]
"""(transport, host, port)"""


class AddressHealth(msgspec.Struct):
    """What OPTIONS said of one address of a trunk."""

    state: str = "unknown"
    """unknown, up, down"""
    n_good: int = 0
    """Answers in a row."""
    n_bad: int = 0
    """Silences in a row."""
    status: int = 0
    """Of the last answer."""
    round_trip_ms: float = 0.0
    resting_until: float = 0.0


class TokenBucket(msgspec.Struct):
    """At most `rate` a second on the long run and `burst` at once; nothing waits in it."""

    rate: float
    burst: float
    tokens: float
    at: float = 0.0

    def take(self, now: float) -> bool:
        """Whether one more may go at `now`; it counts when it may."""
        self.tokens = min(self.burst, self.tokens + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.tokens < 1.0 - 1e-9:
            return False
        self.tokens -= 1.0
        return True


class TrunkState(msgspec.Struct, kw_only=True):
    """A trunk and what is known of it now."""

    config: Trunk
    flows: list[Flow] = []
    """Where its calls go, in order of preference (RFC 3263); empty while unknown."""
    audience: Audience = msgspec.field(default_factory=Audience)
    """To whom its credentials may be shown."""
    sources: frozenset[tuple[str, int]] = frozenset()
    """(ip, port) its calls come from; port 0 = any."""
    n_calls: int = 0
    """Both ways."""
    n_in: int = 0
    """Of them, those that came by it."""
    calls_total: int = 0
    calls_failed: int = 0
    """Calls to it that it refused or that could not be sent."""
    calls_skipped: int = 0
    """Calls that went another way because a limit of it was reached."""
    service_route: tuple[str, ...] = ()
    """Route of calls to it, as it told when we registered (RFC 3608)."""
    registration: str = ""
    """"", registering, registered, rejected"""
    error: str = ""
    since_utc: float = 0.0
    """When `state` became what it is."""
    health: dict[AddressKey, AddressHealth] = {}
    bucket: TokenBucket | None = None

    @property
    def is_full(self) -> bool:
        """No channel is left for a call to it."""
        return not self.has_room("out")

    def has_room(self, direction: str) -> bool:
        """Whether one more call of that direction ("in", "out") has a channel."""
        config = self.config
        if 0 < config.max_channels <= self.n_calls:
            return False
        if direction == "in":
            return not 0 < config.max_channels_in <= self.n_in
        return not 0 < config.max_channels_out <= self.n_calls - self.n_in

    def is_over(self) -> bool:
        """Whether the call that came by it just now is one too many."""
        config = self.config
        return 0 < config.max_channels < self.n_calls or 0 < config.max_channels_in < self.n_in

    def take_token(self, now: float) -> bool:
        """Whether its calls per second allow one more now; it counts when they do."""
        rate = self.config.max_calls_per_second
        if not rate:
            return True
        if self.bucket is None:
            burst = float(self.config.call_burst or math.ceil(rate))
            self.bucket = TokenBucket(rate, burst, burst, now)
        return self.bucket.take(now)

    def health_of(self, flow: Flow) -> AddressHealth:
        key = (flow.transport, flow.host, flow.port)
        found = self.health.get(key)
        if found is None:
            found = self.health[key] = AddressHealth()
        return found

    def rest(self, flow: Flow, now: float, seconds: float) -> None:
        """The address failed a call: others go first for so long."""
        health = self.health_of(flow)
        health.resting_until = max(health.resting_until, now + seconds)

    def wake(self, flow: Flow) -> None:
        """The address took a call or answered: it rests no more."""
        if self.health:
            self.health_of(flow).resting_until = 0.0

    def is_resting(self, flow: Flow, now: float) -> bool:
        return bool(self.health) and self.health_of(flow).resting_until > now

    def ways(self) -> list[Flow]:
        """Its addresses that OPTIONS does not say are dead, in their order."""
        if not self.health:
            return self.flows
        return [flow for flow in self.flows if self.health_of(flow).state != "down"]

    @property
    def state(self) -> str:
        """up, down (no address, or none answers OPTIONS), registering or rejected."""
        if not self.flows or not self.ways():
            return "down"
        if self.config.register and self.registration != "registered":
            return self.registration or "registering"
        return "up"

    @property
    def reason(self) -> str:
        """Why it is not up; "" when it is."""
        if self.flows and not self.ways():
            said = {self.health_of(flow).status for flow in self.flows}
            return "no answer to OPTIONS" if said == {408} else f"OPTIONS answered {max(said - {408})}"
        return self.error
