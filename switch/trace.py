"""Traces: the SIP messages of chosen calls, for `ringback trace`. Pure; the runtime shows it every message while any
trace runs, and none otherwise.

A dialog (SIP Call-ID) is chosen by its first message that fits, its call with it, and with the call every other leg.
Since a leg may be chosen late, recent messages of all dialogs are kept for a moment. Everything here is bounded.
"""

import logging
import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from model.commands_trace import TraceMessage
from sip.flow import Flow
from sip.next_hop import Listener
from sip.uri import unescape
from switch.call import Call
from switch.trace_mask import mask_secrets

log = logging.getLogger(__name__)

MAX_TRACES = 8
MAX_UNREAD = 2000
MAX_UNREAD_BYTES = 4 << 20
MAX_RECENT = 1000
MAX_RECENT_BYTES = 2 << 20
MAX_DIALOGS = 20_000
UNREAD_S = 60.0
"""A trace nobody reads for so long is over."""
MIN_SUFFIX = 3

_HEAD_BYTES = 8192
_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]{1,256})", re.IGNORECASE | re.MULTILINE)
_PARTY = re.compile(
    rb"^(?:from|f|to|t|p-asserted-identity|p-preferred-identity|remote-party-id)[ \t]*:[ \t]*([^\r\n]*)",
    re.IGNORECASE | re.MULTILINE,
)
_OUTSIDE = re.compile(rb"^cseq[ \t]*:[ \t]*\d+[ \t]+(?:REGISTER|OPTIONS)", re.IGNORECASE | re.MULTILINE)
_TO = re.compile(rb"^(?:to|t)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_USER = re.compile(rb"(?:sips?|tel):([^@:;>\s]{1,64})", re.IGNORECASE)


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted; empty criteria choose everything."""

    call_id: str = ""
    number: str = ""
    extension: str = ""
    peers: frozenset[tuple[str, int]] = frozenset()
    """(host, port), port 0 = any."""
    is_unmasked: bool = False


class _Seen(msgspec.Struct, frozen=True, gc=False):
    at_utc: float
    is_sent: bool
    flow: Flow
    key: str
    data: bytes


class _Queue:
    """Messages, the oldest dropped when there are too many or they are too long."""

    def __init__(self, n_max: int, bytes_max: int) -> None:
        self.items: deque[_Seen] = deque()
        self._n_max = n_max
        self._bytes_max = bytes_max
        self._n_bytes = 0

    def put(self, seen: _Seen) -> int:
        """Returns how many were dropped for it."""
        self.items.append(seen)
        self._n_bytes += len(seen.data)
        n_dropped = 0
        while len(self.items) > self._n_max or (self._n_bytes > self._bytes_max and len(self.items) > 1):
            self.take()
            n_dropped += 1
        return n_dropped

    def take(self) -> _Seen:
        seen = self.items.popleft()
        self._n_bytes -= len(seen.data)
        return seen


class Trace:
    """One running trace."""

    def __init__(self, wanted: TraceFilter, now: float) -> None:
        self.wanted = wanted
        self.chosen: set[str] = set()
        self.unread = _Queue(MAX_UNREAD, MAX_UNREAD_BYTES)
        self.n_lost = 0
        self.read_at = now


class Tracer:
    """`switch_on` is called with True when the first trace begins and with False when the last has ended."""

    def __init__(
        self,
        listeners: Sequence[Listener],
        calls: Mapping[str, Call],
        *,
        clock: Callable[[], float],
        wall_offset: Callable[[], float],
        switch_on: Callable[["Tracer | None"], None],
    ) -> None:
        self._listeners = listeners
        self._calls = calls
        self._clock = clock
        self._wall_offset = wall_offset
        self._switch_on = switch_on
        self._traces: dict[str, Trace] = {}
        self._recent = _Queue(MAX_RECENT, MAX_RECENT_BYTES)
        self._call_of: dict[str, str] = {}
        self.arrived: Callable[[str], None] = lambda trace_id: None
        """Told the id of a trace that has something to read."""

    @property
    def n_traces(self) -> int:
        return len(self._traces)

    def start(self, trace_id: str, wanted: TraceFilter) -> None:
        """Raises OverflowError when there are enough traces already."""
        now = self._clock()
        self._drop_unread(now)
        if len(self._traces) >= MAX_TRACES:
            raise OverflowError(f"{MAX_TRACES} traces are the limit")
        trace = self._traces[trace_id] = Trace(wanted, now)
        call = self._calls.get(wanted.call_id)
        if call is not None:
            self._choose(trace, _keys_of(call))
        if len(self._traces) == 1:
            self._switch_on(self)

    def read(self, trace_id: str, limit: int) -> tuple[list[TraceMessage], int]:
        """(messages, how many are lost since the start). Raises KeyError."""
        trace = self._traces[trace_id]
        trace.read_at = self._clock()
        unread = trace.unread
        taken = [unread.take() for _ in range(min(limit, len(unread.items)))]
        return [self._shown(seen, trace.wanted) for seen in taken], trace.n_lost

    def stop(self, trace_id: str) -> None:
        """Raises KeyError."""
        del self._traces[trace_id]
        self.arrived(trace_id)
        if not self._traces:
            self._switch_on(None)
            self._recent = _Queue(MAX_RECENT, MAX_RECENT_BYTES)
            self._call_of.clear()

    # -- what the runtime shows ----------------------------------------------------------------------------------------

    def received(self, batch: Sequence[tuple[bytes, Flow]], now: float) -> None:
        """Messages that came, before anything is done about them."""
        for data, flow in batch:
            self._saw(data, flow, now, is_sent=False)
        self._drop_unread(now)

    def sent(self, data: bytes, flow: Flow) -> None:
        """A message that goes out now."""
        self._saw(data, flow, self._clock(), is_sent=True)

    def _saw(self, data: bytes, flow: Flow, now: float, *, is_sent: bool) -> None:
        try:
            head = data[:_HEAD_BYTES].partition(b"\r\n\r\n")[0]
            found = _CALL_ID.search(head)
            key = found.group(1).strip().decode("utf-8", "replace") if found is not None else ""
            seen = _Seen(now + self._wall_offset(), is_sent, flow, key, data)
            call = self._find_call(key, head, is_sent=is_sent)
            for trace_id, trace in self._traces.items():
                if key and key in trace.chosen:
                    self._tell(trace_id, trace, seen)
                elif self._fits(trace, head, flow, call, key):
                    self._choose(trace, {key, *(_keys_of(call) if call is not None else ())} - {""})
                    self._tell(trace_id, trace, seen)
            self._recent.put(seen)
        except Exception:
            # A trace must never stand in the way of a call.
            log.exception("x trace of a message from or to %s:%d", flow.host, flow.port)

    def _tell(self, trace_id: str, trace: Trace, seen: _Seen) -> None:
        trace.n_lost += trace.unread.put(seen)
        self.arrived(trace_id)

    def _choose(self, trace: Trace, keys: Iterable[str]) -> None:
        """These dialogs are wanted from now on, and what came of them before."""
        new = {key for key in keys if key} - trace.chosen
        if not new:
            return
        if len(trace.chosen) + len(new) > MAX_DIALOGS:
            trace.chosen.clear()
        trace.chosen |= new
        earlier = [seen for seen in self._recent.items if seen.key in new]
        if earlier:
            both = sorted([*earlier, *trace.unread.items], key=lambda seen: seen.at_utc)
            trace.unread = _Queue(MAX_UNREAD, MAX_UNREAD_BYTES)
            for seen in both:
                trace.n_lost += trace.unread.put(seen)

    def _fits(self, trace: Trace, head: bytes, flow: Flow, call: Call | None, key: str) -> bool:
        if call is not None and not trace.chosen.isdisjoint(_keys_of(call)):
            return True
        wanted = trace.wanted
        if wanted.call_id and (call is None or call.call_id != wanted.call_id):
            return False
        if wanted.peers and not {(flow.host, flow.port), (flow.host, 0)} & wanted.peers:
            return False
        if wanted.number and not any(_is_number(user, wanted.number) for user in _users(head)):
            return False
        if wanted.extension:
            is_leg = call is not None and any(
                leg.sip_call_id == key and leg.kind == "extension" and leg.name == wanted.extension
                for leg in call.legs.values()
            )
            return is_leg or wanted.extension in _users(head)
        return True

    def _find_call(self, key: str, head: bytes, *, is_sent: bool) -> Call | None:
        """The live call with this dialog. The look through all calls is done once for each dialog that has one."""
        if not key:
            return None
        known = self._call_of.get(key)
        if known is not None:
            return self._calls.get(known)
        # A request that comes in first has no call yet, a challenge never gets one, neither has a REGISTER.
        if not _may_be_of_call(head, is_sent=is_sent):
            return None
        for call in reversed(list(self._calls.values())):
            if any(leg.sip_call_id == key for leg in call.legs.values()):
                if len(self._call_of) >= MAX_DIALOGS:
                    self._call_of.clear()
                self._call_of[key] = call.call_id
                return call
        return None

    def _drop_unread(self, now: float) -> None:
        for trace_id in [one for one, trace in self._traces.items() if now - trace.read_at > UNREAD_S]:
            log.info("! trace %s ends: nobody has read it for %.0f s", trace_id, UNREAD_S)
            self.stop(trace_id)

    def _shown(self, seen: _Seen, wanted: TraceFilter) -> TraceMessage:
        flow = seen.flow
        return TraceMessage(
            at_utc=seen.at_utc,
            is_sent=seen.is_sent,
            transport=flow.transport,
            local=self._local(flow),
            remote=_address(flow.host, flow.port),
            call_id=self._call_of.get(seen.key, ""),
            data=seen.data if wanted.is_unmasked else mask_secrets(seen.data),
        )

    def _local(self, flow: Flow) -> str:
        candidates = [
            *self._listeners[flow.listener : flow.listener + 1],
            *(one for one in self._listeners if (":" in one.host) == (":" in flow.host)),
            *self._listeners,
        ]
        listener = next((one for one in candidates if one.transport == flow.transport), candidates[0])
        return listener.sent_by


def _keys_of(call: Call) -> set[str]:
    return {leg.sip_call_id for leg in call.legs.values() if leg.sip_call_id}


def _may_be_of_call(head: bytes, *, is_sent: bool) -> bool:
    start, _, rest = head.partition(b"\r\n")
    if start.startswith(b"SIP/2.0 "):
        return start[8:11] not in (b"401", b"407") and _OUTSIDE.search(rest) is None
    if start.startswith((b"REGISTER ", b"OPTIONS ")):
        return False
    if is_sent or not start.startswith(b"INVITE "):
        return True
    to = _TO.search(rest)
    return to is not None and b"tag=" in to.group(1)


def _users(head: bytes) -> set[str]:
    """User parts of the request URI and of who calls and is called."""
    start = head.partition(b"\r\n")[0]
    places = [start] if not start.startswith(b"SIP/2.0 ") else []
    places += _PARTY.findall(head)
    return {unescape(user.decode("utf-8", "replace")) for place in places for user in _USER.findall(place)}


def _is_number(user: str, wanted: str) -> bool:
    user, wanted = user.lstrip("+"), wanted.lstrip("+")
    return user == wanted or (len(wanted) >= MIN_SUFFIX and user.endswith(wanted))


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
