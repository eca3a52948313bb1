"""The notifier's side of event subscriptions (RFC 6665): SUBSCRIBE, answers to NOTIFY and deadlines in, NOTIFYs out.

Pure. A subscription is a dialog of its own and plain data; `snapshot` and `restore` carry all of them over a restart.
Who may watch what, and what the bodies say, is decided by whoever uses `Subscriptions`. One NOTIFY of a subscription is
on its way at a time, and what changes meanwhile goes with the next one, so that none overtakes another and a slow
watcher gets the latest state instead of a queue.

    (new) ── SUBSCRIBE ──► active ── expiry, unsubscribe, `end` ──► ending ── last NOTIFY sent ──► (gone)
                             └────── NOTIFY refused, not answered, flow lost ────────────────────────┘
"""

import heapq
from collections.abc import Iterable, Sequence
from itertools import count

from sip.dialog import contact_target, route_set
from sip.errors import SipParseError
from sip.flow import Flow
from sip.headers import is_token, parse_params, parse_retry_after
from sip.message import Request, Response
from sip.next_hop import reply_to
from sip.subscription_data import EventPackage, NotifyDue, SubscribeResult, Subscription

PARTIAL, FULL = 1, 2
MAX_RETRY_S = 60.0
"""A watcher that asks for more patience than this (Retry-After) has lost its subscription."""


class Subscriptions:
    def __init__(
        self,
        packages: Sequence[EventPackage],
        *,
        min_expires_s: int = 60,
        max_expires_s: int = 3600,
        max_total: int = 50_000,
        max_per_watcher: int = 500,
        max_per_resource: int = 500,
    ) -> None:
        """Beyond `max_total` a SUBSCRIBE gets 503, beyond the other two 403."""
        self.packages = {package.name: package for package in packages}
        self.by_id: dict[str, Subscription] = {}
        self._min_expires_s = min_expires_s
        self._max_expires_s = max_expires_s
        self._max_total = max_total
        self._max_per_watcher = max_per_watcher
        self._max_per_resource = max_per_resource
        self._watching: dict[tuple[str, str], dict[str, Subscription]] = {}
        """(package, resource) → the active ones by id."""
        self._n_of_watcher: dict[str, int] = {}
        self._by_token: dict[str, str] = {}
        self._times: list[tuple[float, int, str]] = []
        self._serial = count().__next__

    def __len__(self) -> int:
        return len(self.by_id)

    @property
    def deadline(self) -> float | None:
        heap = self._times
        while heap and not self._is_live(heap[0]):
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def watchers(self, package: str, resource: str) -> int:
        return len(self._watching.get((package, resource), ()))

    def is_watched(self, package: str) -> bool:
        """Whether anybody watches anything of this kind."""
        return any(key[0] == package for key in self._watching)

    # -- SUBSCRIBE -----------------------------------------------------------------------------------------------------

    def check_event(self, request: Request) -> tuple[EventPackage, str] | SubscribeResult:
        """(package, id) of the Event header, or the refusal: before anybody is asked for a password."""
        value = request.headers.get("Event", "")
        name, _, rest = value.partition(";")
        package = self.packages.get(name.strip(" \t").lower())
        if package is None:
            return SubscribeResult(489, "Bad Event", f"Allow-Events: {', '.join(self.packages)}\r\n")
        try:
            params = parse_params(f";{rest}") if rest else {}
        except SipParseError as error:
            return SubscribeResult(error.status, error.reason)
        event_id = params.get("id", "")
        if event_id and (len(event_id) > 128 or not is_token(event_id)):
            return SubscribeResult(400, "Malformed Event")
        return package, event_id

    def find(self, request: Request) -> Subscription | None:
        """The subscription whose dialog a SUBSCRIBE with a To tag belongs to."""
        known = self.by_id.get(request.to_tag)
        if known is None or known.ending is not None:
            return None
        return known if (known.call_id, known.remote_tag) == (request.call_id, request.from_tag) else None

    def subscribe(self, request: Request, *, tag: str, resource: str, watcher: str, now: float) -> SubscribeResult:
        """A SUBSCRIBE outside any dialog whose `watcher` is known and may watch `resource`; `tag` is our To tag."""
        checked = self.check_event(request)
        if isinstance(checked, SubscribeResult):
            return checked
        package, event_id = checked
        try:
            granted = self._granted(request, package)
            if isinstance(granted, SubscribeResult):
                return granted
            target, routes = contact_target(request), route_set(request, reverse=False)
            if not target:
                return SubscribeResult(400, "SUBSCRIBE Without Contact")
            flow = reply_to(request)
        except SipParseError as error:
            return SubscribeResult(error.status, error.reason)
        if not _accepts(request, package.content_type):
            return SubscribeResult(406, "Not Acceptable", f"Accept: {package.content_type}\r\n")
        if len(self.by_id) >= self._max_total:
            return SubscribeResult(503, "Service Unavailable", "Retry-After: 60\r\n")
        if (
            self._n_of_watcher.get(watcher, 0) >= self._max_per_watcher
            or self.watchers(package.name, resource) >= self._max_per_resource
        ):
            return SubscribeResult(403, "Too Many Subscriptions")
        made = Subscription(
            id=tag,
            call_id=request.call_id,
            remote_tag=request.from_tag,
            package=package.name,
            event_id=event_id,
            resource=resource,
            watcher=watcher,
            local=request.headers["To"],
            remote=request.headers["From"],
            target=target,
            routes=routes,
            flow=flow,
            remote_cseq=request.cseq,
            expires_at=now + granted,
        )
        self._add(made)
        return self._accepted(made, granted, now, is_new=True)

    def refresh(self, known: Subscription, request: Request, now: float) -> SubscribeResult:
        """A SUBSCRIBE inside the dialog of `known` (see `find`)."""
        if request.cseq <= known.remote_cseq:
            return SubscribeResult(500, "CSeq Out Of Order")
        known.remote_cseq = request.cseq
        checked = self.check_event(request)
        if isinstance(checked, SubscribeResult):
            return checked
        package, event_id = checked
        if (package.name, event_id) != (known.package, known.event_id):
            return SubscribeResult(489, "Bad Event", f"Allow-Events: {known.package}\r\n")
        try:
            granted = self._granted(request, package)
            if isinstance(granted, SubscribeResult):
                return granted
            known.target = contact_target(request) or known.target
            known.flow = reply_to(request)
        except SipParseError as error:
            return SubscribeResult(error.status, error.reason)
        known.expires_at = now + granted
        self._watch_time(known.expires_at, known.id)
        return self._accepted(known, granted, now, is_new=False)

    def _granted(self, request: Request, package: EventPackage) -> int | SubscribeResult:
        wished = package.default_expires_s if request.expires is None else request.expires
        if 0 < wished < self._min_expires_s:
            return SubscribeResult(423, "Interval Too Brief", f"Min-Expires: {self._min_expires_s}\r\n")
        return min(wished, self._max_expires_s)

    def _accepted(self, one: Subscription, granted: int, now: float, *, is_new: bool) -> SubscribeResult:
        """200, and then the whole state at once (RFC 6665 §4.2.1.2)."""
        one.wants = FULL
        if not granted:
            self._stop(one, "timeout")
        return SubscribeResult(200, "OK", f"Expires: {granted}\r\n", tuple(self._next(one, now)), is_new)

    # -- the state changed ---------------------------------------------------------------------------------------------

    def changed(self, package: str, resource: str, now: float, changes: Iterable[str] = ()) -> list[NotifyDue]:
        """Something to tell whoever watches `resource`; `changes` names the parts, none of them = everything."""
        due: list[NotifyDue] = []
        changes = tuple(changes)
        for one in list(self._watching.get((package, resource), {}).values()):
            one.wants = max(one.wants, PARTIAL if changes else FULL)
            one.changes.update(changes)
            due += self._next(one, now)
        return due

    def end(
        self, now: float, reason: str, *, package: str = "", resource: str = "", watcher: str = ""
    ) -> list[NotifyDue]:
        """End the subscriptions that are all of what is given, e.g. with "noresource", "rejected", "deactivated"."""
        due: list[NotifyDue] = []
        for one in list(self.by_id.values()):
            if (
                package in ("", one.package)
                and resource in ("", one.resource)
                and watcher in ("", one.watcher)
                and one.ending is None
            ):
                self._stop(one, reason)
                due += self._next(one, now)
        return due

    def poll(self, now: float) -> tuple[list[NotifyDue], list[Subscription]]:
        """What is due: the end of those that were not refreshed (the second list), and NOTIFYs after a pause."""
        due: list[NotifyDue] = []
        over: list[Subscription] = []
        heap = self._times
        while heap and heap[0][0] <= now:
            entry = heapq.heappop(heap)
            if not self._is_live(entry):
                continue
            one = self.by_id[entry[2]]
            if one.expires_at <= now and one.ending is None:
                self._stop(one, "timeout")
                over.append(one)
            due += self._next(one, now)
        return due, over

    def flow_failed(self, flow: Flow) -> list[Subscription]:
        """The stream connection is gone; watchers behind it subscribe again. Returns what ended. Walks the table."""
        lost = [one for one in self.by_id.values() if flow.connection and one.flow == flow]
        for one in lost:
            self._remove(one)
        return lost

    # -- NOTIFY --------------------------------------------------------------------------------------------------------

    def sent(self, due: NotifyDue, token: str) -> None:
        """The NOTIFY is on its way; `done` will be called with this token."""
        one = due.subscription
        if one.id in self.by_id:
            one.pending = token
            self._by_token[token] = one.id

    def is_ours(self, token: str) -> bool:
        return token in self._by_token

    def done(self, token: str, response: Response | None, now: float) -> tuple[list[NotifyDue], Subscription | None]:
        """The outcome of a NOTIFY: what is to be sent next, and the subscription if that was its end."""
        one = self.by_id.get(self._by_token.pop(token, ""))
        if one is None:
            return [], None
        one.pending = ""
        if response is not None and response.status < 300:
            return self._next(one, now), None
        pause_s = parse_retry_after(response.headers.get("Retry-After", "")) if response is not None else 0
        if not 0 < pause_s <= MAX_RETRY_S or one.ending is not None:
            # RFC 6665 §4.2.2: the watcher is gone, or wants none of it.
            self._remove(one)
            return [], one
        one.wants = FULL
        one.retry_at = now + pause_s
        self._watch_time(one.retry_at, one.id)
        return [], None

    def _next(self, one: Subscription, now: float) -> list[NotifyDue]:
        if one.pending or not one.wants:
            return []
        if one.retry_at > now and one.ending is None:
            return []
        is_full = one.wants == FULL
        one.local_cseq += 1
        state = f"active;expires={max(0, round(one.expires_at - now))}"
        if one.ending is not None:
            state = f"terminated;reason={one.ending}"
        due = NotifyDue(
            one, one.local_cseq, state, one.version, is_full, frozenset() if is_full else frozenset(one.changes)
        )
        one.version += 1
        one.wants = 0
        one.retry_at = 0.0
        one.changes.clear()
        if one.ending is not None:
            self._remove(one)
        return [due]

    # -- tables --------------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Subscription]:
        """All of them, to be written down (`expires_at` is of this machine's clock)."""
        return list(self.by_id.values())

    def restore(self, subscriptions: Iterable[Subscription], now: float) -> list[NotifyDue]:
        """Take over what another process kept: every watcher is told the whole state, because NOTIFYs may be lost."""
        due: list[NotifyDue] = []
        for one in subscriptions:
            one.pending = ""
            self._add(one)
            one.wants = FULL
            if one.ending is not None or one.expires_at <= now:
                self._stop(one, one.ending or "timeout")
            due += self._next(one, now)
        return due

    def _add(self, one: Subscription) -> None:
        self.by_id[one.id] = one
        self._watching.setdefault((one.package, one.resource), {})[one.id] = one
        self._n_of_watcher[one.watcher] = self._n_of_watcher.get(one.watcher, 0) + 1
        self._watch_time(one.expires_at, one.id)

    def _stop(self, one: Subscription, reason: str) -> None:
        one.ending = reason
        one.wants = FULL
        self._unwatch(one)

    def _unwatch(self, one: Subscription) -> None:
        key = (one.package, one.resource)
        others = self._watching.get(key)
        if others is not None and others.pop(one.id, None) is not None and not others:
            del self._watching[key]

    def _remove(self, one: Subscription) -> None:
        self._unwatch(one)
        self.by_id.pop(one.id, None)
        self._by_token.pop(one.pending, None)
        left = self._n_of_watcher.get(one.watcher, 0) - 1
        if left > 0:
            self._n_of_watcher[one.watcher] = left
        else:
            self._n_of_watcher.pop(one.watcher, None)

    def _watch_time(self, at: float, subscription: str) -> None:
        heapq.heappush(self._times, (at, self._serial(), subscription))
        if len(self._times) > 4 * len(self.by_id) + 64:
            # Watchers that refresh often leave entries behind.
            self._times = [entry for entry in self._times if self._is_live(entry)]
            heapq.heapify(self._times)

    def _is_live(self, entry: tuple[float, int, str]) -> bool:
        one = self.by_id.get(entry[2])
        return one is not None and one.ending is None and entry[0] in (one.expires_at, one.retry_at)


def _accepts(request: Request, content_type: str) -> bool:
    """Whether the watcher takes this body; without Accept it takes the package's default (RFC 6665 §3.1.3)."""
    if "Accept" not in request.headers:
        return True
    family = content_type.partition("/")[0] + "/*"
    ranges = [value.partition(";")[0].replace(" ", "").lower() for value in request.all("Accept")]
    return any(each in (content_type, family, "*/*") for each in ranges)
