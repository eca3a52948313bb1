"""Who is at the SIP ports: phones and trunks we know, strangers, and strangers that have had enough of our time.

Pure: every method takes `now` (monotonic seconds). Every table has a fixed size. A source is an IP address; where
phones that proved their password are behind the same address (NAT), the address and port of the offender.
"""

import ipaddress
from collections import deque
from collections.abc import Callable
from enum import Enum

import msgspec

from sip.flow import Flow
from switch.bounded_table import BoundedTable
from switch.config_security import Security
from switch.security_events import SecurityEvent

KNOWN_S = 3900.0
"""A flow is known for so long after its last proof: a little more than phones take to register again."""
BURST_S = 3.0
"""A source may use the rate of so many seconds at once."""
WANE_S = 10.0
"""A point is forgotten in this time."""
GRACE_S = 5.0
"""A challenge that is not answered by then was not meant to be."""
FLOOD_POINTS = 0.05
"""For each message beyond the rate."""
MAX_LOCK_S = 3600.0
MAX_BAN_S = 86400.0
MAX_PENDING = 128

Place = tuple[str, int]
"""(IP address, port); port 0: any."""


class Verdict(Enum):
    KNOWN = "known"
    STRANGER = "stranger"
    BUSY = "busy"
    """503 and nothing else."""
    DROP = "drop"


class Ban(msgspec.Struct, gc=False):
    reason: str
    since: float
    until: float
    n_times: int = 1
    n_dropped: int = 0


class _Source(msgspec.Struct):
    """What is remembered of a source of strangers."""

    tokens: float
    refilled: float
    points: float = 0.0
    waned: float = 0.0
    pending: deque[tuple[float, str]] = msgspec.field(default_factory=lambda: deque(maxlen=MAX_PENDING))
    """Challenges that were not answered: when, and for which user."""
    names: set[str] = msgspec.field(default_factory=set)
    is_flood_told: bool = False


class GuardCounters(msgspec.Struct):
    n_busy: int = 0
    n_dropped: int = 0
    n_bans: int = 0
    n_lock_outs: int = 0
    n_clipped: int = 0
    """Answers that were left out because they would have been longer than the question."""


class Guard:
    """`tell` takes each security event; `is_trunk` says whether a trunk's signalling comes by it."""

    def __init__(
        self,
        settings: Security,
        tell: Callable[[SecurityEvent], None],
        is_trunk: Callable[[Flow], bool],
        *,
        known_s: float = KNOWN_S,
    ) -> None:
        self.counters = GuardCounters()
        self._settings = settings
        self._tell = tell
        self._is_trunk = is_trunk
        self._known_s = max(KNOWN_S, known_s)
        self._networks = [ipaddress.ip_network(text, strict=False) for text in settings.never_ban]
        self._agents = tuple(text.lower() for text in settings.scanner_agents)
        self._known: BoundedTable[Place, float] = BoundedTable(131_072)
        self._hosts: BoundedTable[str, float] = BoundedTable(131_072)
        self._sources: BoundedTable[str, _Source] = BoundedTable(8192)
        self._locks: BoundedTable[tuple[str, str], tuple[int, float, float]] = BoundedTable(16_384)
        self._bans: BoundedTable[Place, Ban] = BoundedTable(16_384)
        self._banned_before: BoundedTable[Place, tuple[int, float]] = BoundedTable(16_384)
        self._all_strangers = (settings.strangers_rate * BURST_S, 0.0)

    # -- every datagram ------------------------------------------------------------------------------------------------

    def sort(self, flow: Flow, now: float) -> Verdict:
        """What to do with what comes from there. Cheap for those we know."""
        place = (flow.host, flow.port)
        until = self._known.get(place)
        if (until is not None and until > now) or self._is_trunk(flow):
            return Verdict.KNOWN
        ban = self._bans.get((flow.host, 0)) or self._bans.get(place)
        if ban is not None and ban.until > now:
            ban.n_dropped += 1
            self.counters.n_dropped += 1
            return Verdict.DROP
        verdict = self._take_token(flow, now)
        self.counters.n_busy += verdict is Verdict.BUSY
        self.counters.n_dropped += verdict is Verdict.DROP
        return verdict

    def is_known(self, flow: Flow, now: float) -> bool:
        place = (flow.host, flow.port)
        return self._known.get(place, 0.0) > now or self._is_trunk(flow)

    def has_phones(self, host: str, now: float) -> bool:
        """Phones of ours that proved their password are there."""
        return self._hosts.get(host, 0.0) > now

    def _take_token(self, flow: Flow, now: float) -> Verdict:
        settings = self._settings
        # An office that comes back from a power cut is let in faster than a stranger.
        rate = settings.stranger_rate * (10.0 if self.has_phones(flow.host, now) else 1.0)
        source = self._source(flow.host, now, rate * BURST_S)
        source.tokens = min(rate * BURST_S, source.tokens + (now - source.refilled) * rate) - 1.0
        source.refilled = now
        left = source.tokens
        # Down to minus four bursts each request is told so; what is beyond does not get that much of our time either.
        source.tokens = max(source.tokens, -4.0 * BURST_S * rate - 1.0)
        if flow.transport == "udp":
            most = settings.strangers_rate * BURST_S
            tokens, refilled = self._all_strangers
            tokens = max(min(most, tokens + (now - refilled) * settings.strangers_rate) - 1.0, -4.0 * most - 1.0)
            self._all_strangers = (tokens, now)
            left = min(left, tokens * rate / settings.strangers_rate)
        if left >= 0.0:
            source.is_flood_told = False
            return Verdict.STRANGER
        if source.tokens < 0.0:
            self._blame(flow, "flood", FLOOD_POINTS, now)
        if not source.is_flood_told:
            source.is_flood_told = True
            self._say("flood", flow, now)
        return Verdict.BUSY if left > -4.0 * BURST_S * rate else Verdict.DROP

    def _source(self, host: str, now: float, tokens: float = 0.0) -> _Source:
        source = self._sources.look_up(host)
        if source is None:
            source = self._sources[host] = _Source(tokens or self._settings.stranger_rate * BURST_S, now, waned=now)
        return source

    # -- what they turned out to be ------------------------------------------------------------------------------------

    def proved(self, flow: Flow, user: str, now: float) -> None:
        """A password was proved from there, or a dialog of ours: the flow is known for a while."""
        place = (flow.host, flow.port)
        self._known[place] = now + self._known_s
        self._hosts[flow.host] = now + self._known_s
        if user:
            self._locks.pop((flow.host, user), None)
        if self._bans.pop((flow.host, 0), None) is not None:
            self._say("unban", flow._replace(port=0), now, detail="a phone of ours is there")
        source = self._sources.get(flow.host)
        if source is not None:
            source.points = 0.0
            source.pending.clear()
            source.names.clear()

    def challenged(self, flow: Flow, user: str, method: str, now: float) -> None:
        """It was asked for a password. Who asks for many names and never proves one is looking for names."""
        if self.is_known(flow, now):
            return
        source = self._source(flow.host, now)
        source.pending.append((now, user))
        points = 0.0
        while source.pending and (source.pending[0][0] < now - GRACE_S or len(source.pending) == MAX_PENDING):
            _, name = source.pending.popleft()
            points += 0.5 if name in source.names else 2.0
            if len(source.names) < MAX_PENDING:
                source.names.add(name)
        if points:
            self._blame(flow, "enumeration", points, now, method=method, user=user)

    def is_locked(self, flow: Flow, user: str, now: float) -> bool:
        """Even the right password is no use now."""
        lock = self._locks.get((flow.host, user))
        return lock is not None and lock[1] > now and not self.is_known(flow, now)

    def failed(self, flow: Flow, user: str, method: str, now: float, *, is_verified: bool) -> None:
        """A wrong password, or a user there is none of: one counts as much as the other."""
        is_verified = is_verified or flow.transport != "udp"
        if self.is_locked(flow, user, now):
            self._say("locked_out", flow, now, method=method, user=user, is_verified=is_verified)
        else:
            self._say("wrong_credentials", flow, now, method=method, user=user, is_verified=is_verified)
            n, _, last = self._locks.look_up((flow.host, user)) or (0, 0.0, now)
            n = n + 1 if now - last < 2 * MAX_LOCK_S else 1
            over = n - self._settings.lock_after
            lock_s = min(MAX_LOCK_S, self._settings.lock_s * 2.0 ** min(over, 16)) if over >= 0 else 0.0
            self._locks[(flow.host, user)] = (n, now + lock_s if lock_s else 0.0, now)
            self.counters.n_lock_outs += over >= 0
        self._blame(flow, "wrong_credentials", 1.0, now, method=method, user=user)

    def is_scanner(self, flow: Flow, texts: tuple[str, ...], method: str, now: float) -> bool:
        """Whether one of these header values names a scanner; then it is banned."""
        if self.is_known(flow, now):
            return False
        found = next((agent for text in texts for agent in self._agents if agent in text.lower()), "")
        if not found:
            return False
        self._say("scanner", flow, now, method=method, detail=found)
        self._ban(flow, f"scanner {found}", now)
        return True

    def misbehaved(self, kind: str, flow: Flow, method: str, now: float, user: str = "") -> None:
        """A method it may not send, a dialog that is not its own, an identity that it did not prove."""
        self._say(kind, flow, now, method=method, user=user)
        self._blame(flow, kind, 1.0, now, method=method, user=user)

    def malformed(self, flow: Flow, now: float) -> None:
        if not self.is_known(flow, now):
            self._blame(flow, "malformed", 1.0, now)

    def _blame(self, flow: Flow, why: str, points: float, now: float, method: str = "", user: str = "") -> None:
        source = self._source(flow.host, now)
        source.points = max(0.0, source.points - (now - source.waned) / WANE_S) + points
        source.waned = now
        if source.points >= self._settings.ban_after and not self.is_known(flow, now):
            source.points = 0.0
            if why == "enumeration":
                self._say("enumeration", flow, now, method=method, user=user)
            self._ban(flow, why, now)

    # -- bans ----------------------------------------------------------------------------------------------------------

    def _ban(self, flow: Flow, reason: str, now: float) -> None:
        address = ipaddress.ip_address(flow.host.partition("%")[0])
        if not self._settings.ban_s or any(address in network for network in self._networks):
            return
        # Never an address with a phone of ours in use, nor a trunk's: then the offender's own port.
        is_shared = self.has_phones(flow.host, now) or self._is_trunk(flow._replace(port=0))
        place = (flow.host, flow.port if is_shared else 0)
        n_before, last = self._banned_before.look_up(place) or (0, 0.0)
        n_times = n_before + 1 if n_before and now - last < MAX_BAN_S else 1
        self._banned_before[place] = (n_times, now)
        self.ban(place, reason, now, min(MAX_BAN_S, self._settings.ban_s * 2.0 ** min(n_times - 1, 16)), n_times)

    def ban(self, place: Place, reason: str, now: float, ban_s: float, n_times: int = 1) -> Ban:
        """Nothing that comes from there is looked at for `ban_s`, except from flows that are known."""
        made = self._bans[place] = Ban(reason, now, now + ban_s, n_times)
        self.counters.n_bans += 1
        self._say("ban", Flow("-", *place), now, detail=f"{reason}, {ban_s:.0f} s", lasts_s=ban_s)
        return made

    def unban(self, place: Place, now: float) -> bool:
        """False when there is no such ban."""
        if self._bans.pop(place, None) is None:
            return False
        self._banned_before.pop(place, None)
        self._sources.pop(place[0], None)
        for key in [key for key in self._locks if key[0] == place[0]]:
            del self._locks[key]
        self._say("unban", Flow("-", *place), now)
        return True

    def bans(self, now: float) -> list[tuple[Place, Ban]]:
        """Those in force, the newest last."""
        for place in [place for place, ban in self._bans.items() if ban.until <= now]:
            del self._bans[place]
        return list(self._bans.items())

    def _say(
        self,
        kind: str,
        flow: Flow,
        now: float,
        *,
        method: str = "",
        user: str = "",
        detail: str = "",
        is_verified: bool | None = None,
        lasts_s: float = 0.0,
    ) -> None:
        self._tell(
            SecurityEvent(
                kind=kind,
                source=flow.host,
                port=flow.port,
                transport=flow.transport,
                method=method,
                user=user,
                is_known=self.has_phones(flow.host, now) or self._is_trunk(flow),
                is_verified=flow.transport not in ("udp", "-") if is_verified is None else is_verified,
                detail=detail,
                lasts_s=lasts_s,
            )
        )
