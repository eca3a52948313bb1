"""The registrar's table: address of record -> bindings (RFC 3261 §10.3, RFC 3327 Path, RFC 5626 flows, RFC 5627 GRUU).

Pure: `now` is monotonic seconds. Who may register what is decided before (digest); what a lookup is good for, after.
A request is applied whole or not at all.
"""

import heapq
from collections.abc import Callable
from itertools import count

import msgspec

from sip.errors import SipParseError
from sip.flow import Flow
from sip.gruu import MAX_KEPT, bare_instance, public_gruu, temporary_gruu, temporary_name
from sip.headers import parse_integer
from sip.limits import MAX_EXPIRES_S
from sip.message import Request
from sip.outbound import check_flows, flow_of, supports
from sip.uri import NameAddr, SipUri, uris_equal


class Binding(msgspec.Struct, gc=False):
    """One contact of an address of record."""

    contact: str
    """URI as registered."""
    flow: Flow
    """Where the REGISTER came from; the only way to a phone behind NAT."""
    path: tuple[str, ...]
    """Route values of requests to it (RFC 3327), nearest to us first."""
    q: float
    registered_at: float
    expires_at: float
    call_id: str
    cseq: int
    instance: str = ""
    """+sip.instance, with its angle brackets."""
    reg_id: int = 0
    """Which of its flows this is (RFC 5626); 0 = the phone does not count flows."""
    user_agent: str = ""
    uri: SipUri = SipUri("sip")
    temporary: tuple[str, ...] = ()
    """User parts of its temporary GRUUs, the latest last."""


class BindingChange(msgspec.Struct, frozen=True, gc=False):
    aor: str
    binding: Binding
    what: str
    """added, refreshed, removed (by its owner), expired, replaced (the same instance came with another contact),
    flow_failed, cleared (by us)"""


class RegisterResult(msgspec.Struct, frozen=True, gc=False):
    """How to answer the REGISTER."""

    status: int
    reason: str
    headers: str
    """Rendered lines: Contact and Path for a 200, Min-Expires for a 423."""
    changes: list[BindingChange]


class _Wish(msgspec.Struct, gc=False):
    """One Contact of a REGISTER, and the binding it is about."""

    address: NameAddr
    expires_s: int
    q: float
    instance: str
    reg_id: int
    known: Binding | None


class Registrar:
    def __init__(
        self,
        *,
        min_expires_s: int = 60,
        max_expires_s: int = 3600,
        default_expires_s: int = 3600,
        max_bindings: int = 10,
        max_total: int = 100_000,
        flow_timer_s: int = 0,
        token: Callable[[int], str] | None = None,
    ) -> None:
        """Wishes shorter than `min_expires_s` get 423, longer ones than `max_expires_s` are cut; more than
        `max_bindings` of one address of record get 403, more than `max_total` of all 503.

        Phones that register by flows are asked for a keep-alive each `flow_timer_s` seconds (0 = as they like). With
        `token(n)`, n random hex digits, phones that ask for GRUUs get them.
        """
        self._min_expires_s = min_expires_s
        self._max_expires_s = max_expires_s
        self._default_expires_s = default_expires_s
        self._max_bindings = max_bindings
        self._max_total = max_total
        self._bindings: dict[str, list[Binding]] = {}
        self._flow_timer_s = flow_timer_s
        self._token = token
        self._temporary: dict[str, tuple[str, Binding]] = {}
        """User part of a temporary GRUU → address of record, binding."""
        self._expiries: list[tuple[float, int, str, Binding]] = []
        self._serial = count().__next__
        self._n_bindings = 0

    def __len__(self) -> int:
        """Bindings of all addresses."""
        return self._n_bindings

    @property
    def deadline(self) -> float | None:
        heap = self._expiries
        while heap and heap[0][3].expires_at != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else None

    def register(self, aor: str, request: Request, now: float) -> RegisterResult:
        """Apply a REGISTER to `aor`, the canonical name of its To."""
        try:
            return self._register(aor, request, now)
        except SipParseError as error:
            return RegisterResult(error.status, error.reason, "", [])

    def lookup(self, aor: str, now: float) -> list[Binding]:
        """Where the address can be reached now: highest q first, then the latest registered."""
        found = [binding for binding in self._bindings.get(aor, ()) if binding.expires_at > now]
        found.sort(key=lambda binding: (-binding.q, -binding.registered_at))
        return found

    def lookup_instance(self, aor: str, instance: str, now: float) -> list[Binding]:
        """Those of one phone (RFC 5627 §6.1): of its flows the latest first (RFC 5626 §7)."""
        found = [one for one in self.lookup(aor, now) if one.instance and bare_instance(one.instance) == instance]
        return sorted(found, key=lambda binding: -binding.registered_at)

    def find_temporary(self, name: str) -> tuple[str, str] | None:
        """(address of record, instance) that a temporary GRUU's user part stands for; None when it is none (now)."""
        found = self._temporary.get(name)
        return (found[0], bare_instance(found[1].instance)) if found is not None else None

    def aors(self) -> list[str]:
        """Addresses that have bindings."""
        return list(self._bindings)

    def poll(self, now: float) -> list[BindingChange]:
        """Drop what is due."""
        changes: list[BindingChange] = []
        heap = self._expiries
        while heap and heap[0][0] <= now:
            expires_at, _, aor, binding = heapq.heappop(heap)
            if binding.expires_at == expires_at:
                self._drop(aor, binding, "expired", changes)
        return changes

    def flow_failed(self, flow: Flow) -> list[BindingChange]:
        """The stream connection is gone, and every binding that came by it with it (RFC 5626 §5.3). Walks the table."""
        changes: list[BindingChange] = []
        if flow.connection:
            lost = [(aor, each) for aor, bindings in self._bindings.items() for each in bindings if each.flow == flow]
            for aor, binding in lost:
                self._drop(aor, binding, "flow_failed", changes)
        return changes

    def drop(self, aor: str, contact: str) -> list[BindingChange]:
        """Drop the bindings of a contact that cannot be reached any more."""
        changes: list[BindingChange] = []
        for binding in [each for each in self._bindings.get(aor, ()) if each.contact == contact]:
            self._drop(aor, binding, "flow_failed", changes)
        return changes

    def clear(self, aor: str) -> list[BindingChange]:
        """Drop all bindings of an address (its extension was deleted)."""
        changes: list[BindingChange] = []
        for binding in list(self._bindings.get(aor, ())):
            self._drop(aor, binding, "cleared", changes)
        return changes

    # -- one REGISTER --------------------------------------------------------------------------------------------------

    def _register(self, aor: str, request: Request, now: float) -> RegisterResult:
        self.poll(now)
        bindings = self._bindings.get(aor, [])
        if "Contact" not in request.headers:
            return self._ok(aor, request, now, [])
        if request.has_wildcard_contact:
            return self._remove_all(aor, bindings, request, now)
        wishes = [self._wish(address, request, bindings) for address in request.contacts]
        check_flows([(wish.reg_id, wish.expires_s) for wish in wishes], request)
        if any(0 < wish.expires_s < self._min_expires_s for wish in wishes):
            return RegisterResult(423, "Interval Too Brief", f"Min-Expires: {self._min_expires_s}\r\n", [])
        if any(_is_out_of_order(wish.known, request) for wish in wishes if wish.known is not None):
            return _OUT_OF_ORDER
        n_new = sum(1 for wish in wishes if wish.known is None and wish.expires_s)
        n_gone = sum(1 for wish in wishes if wish.known is not None and not wish.expires_s)
        if len(bindings) + n_new - n_gone > self._max_bindings:
            return RegisterResult(403, "Too Many Contacts", "", [])
        if self._n_bindings + n_new > self._max_total:
            return RegisterResult(503, "Service Unavailable", "Retry-After: 60\r\n", [])
        changes: list[BindingChange] = []
        for wish in wishes:
            self._apply(aor, wish, request, now, changes)
        return self._ok(aor, request, now, changes)

    def _wish(self, address: NameAddr, request: Request, bindings: list[Binding]) -> _Wish:
        if not address.uri.is_sip and address.uri.scheme != "tel":
            raise SipParseError("Contact that no request can be sent to")
        params = address.params
        instance, reg_id = flow_of(address, request)
        known = next((each for each in bindings if _is_same(each, address.uri, instance, reg_id)), None)
        expires_s = self._default_expires_s
        if "expires" in params:
            try:
                expires_s = parse_integer(params["expires"], MAX_EXPIRES_S, "expires")
            except SipParseError:
                # "If the value is malformed, it is treated as equivalent to 3600" (§20.10).
                expires_s = 3600
        elif request.expires is not None:
            expires_s = request.expires
        return _Wish(address, min(expires_s, self._max_expires_s), _parse_q(params.get("q")), instance, reg_id, known)

    def _apply(self, aor: str, wish: _Wish, request: Request, now: float, changes: list[BindingChange]) -> None:
        known = wish.known
        if known is not None and all(each is not known for each in self._bindings.get(aor, ())):
            # Two Contacts of this request named the same binding, and the first removed it.
            known = None
        if not wish.expires_s:
            if known is not None:
                self._drop(aor, known, "removed", changes)
            return
        contact = str(wish.address.uri)
        handed_out: tuple[str, ...] = ()
        if known is not None and known.contact != contact and not uris_equal(known.uri, wish.address.uri):
            # The phone has another address; the GRUUs of this series of REGISTERs stay its own (RFC 5627 §5.2).
            handed_out = known.temporary if known.call_id == request.call_id else ()
            self._drop(aor, known, "replaced", changes)
            known = None
        what = "refreshed"
        if known is None:
            what = "added"
            known = Binding(contact, Flow("", "", 0), (), 1.0, now, 0.0, "", 0)
            self._bindings.setdefault(aor, []).append(known)
            self._n_bindings += 1
        known.contact = contact
        known.uri = wish.address.uri
        if request.flow is not None:
            known.flow = request.flow
        known.path = tuple(request.all("Path"))
        known.q = wish.q
        known.registered_at = now
        known.expires_at = now + wish.expires_s
        if known.call_id != request.call_id:
            # The phone started anew: what it handed out before is not its any more (RFC 5627 §5.2).
            self._forget_temporary(known)
        known.call_id = request.call_id
        known.cseq = request.cseq
        known.instance = wish.instance
        known.reg_id = wish.reg_id
        known.user_agent = request.headers.get("User-Agent", "")
        for name in handed_out:
            self._add_temporary(aor, known, name)
        if self._token is not None and wish.instance and supports(request, "gruu"):
            self._add_temporary(aor, known, temporary_name(self._token(24)))
        self._watch(aor, known)
        changes.append(BindingChange(aor, known, what))

    def _remove_all(self, aor: str, bindings: list[Binding], request: Request, now: float) -> RegisterResult:
        if request.expires != 0 or len(request.all("Contact")) > 1:
            return RegisterResult(400, "Contact: * Needs Expires: 0", "", [])
        if any(_is_out_of_order(binding, request) for binding in bindings):
            return _OUT_OF_ORDER
        changes: list[BindingChange] = []
        for binding in list(bindings):
            self._drop(aor, binding, "removed", changes)
        return self._ok(aor, request, now, changes)

    def _ok(self, aor: str, request: Request, now: float, changes: list[BindingChange]) -> RegisterResult:
        has_gruus = self._token is not None and supports(request, "gruu")
        uri = request.to.uri
        bindings = self._bindings.get(aor, ())
        lines = [_contact_line(binding, now, _gruus(binding, uri) if has_gruus else "") for binding in bindings]
        lines += [f"Path: {value}\r\n" for value in request.all("Path")]
        if any(binding.reg_id and binding.call_id == request.call_id for binding in bindings):
            lines.append("Require: outbound\r\n")
            if self._flow_timer_s:
                lines.append(f"Flow-Timer: {self._flow_timer_s}\r\n")
        return RegisterResult(200, "OK", "".join(lines), changes)

    def _drop(self, aor: str, binding: Binding, what: str, changes: list[BindingChange]) -> None:
        rest = [each for each in self._bindings.get(aor, ()) if each is not binding]
        if rest:
            self._bindings[aor] = rest
        else:
            self._bindings.pop(aor, None)
        self._n_bindings -= 1
        self._forget_temporary(binding)
        binding.expires_at = 0.0
        changes.append(BindingChange(aor, binding, what))

    def _add_temporary(self, aor: str, binding: Binding, name: str) -> None:
        for old in binding.temporary[: 1 - MAX_KEPT]:
            self._temporary.pop(old, None)
        binding.temporary = (*binding.temporary[1 - MAX_KEPT :], name)
        self._temporary[name] = (aor, binding)

    def _forget_temporary(self, binding: Binding) -> None:
        for name in binding.temporary:
            self._temporary.pop(name, None)
        binding.temporary = ()

    def _watch(self, aor: str, binding: Binding) -> None:
        heapq.heappush(self._expiries, (binding.expires_at, self._serial(), aor, binding))
        if len(self._expiries) > 4 * self._n_bindings + 64:
            # Phones that refresh often leave entries behind.
            self._expiries = [entry for entry in self._expiries if entry[3].expires_at == entry[0]]
            heapq.heapify(self._expiries)


_OUT_OF_ORDER = RegisterResult(500, "CSeq Out Of Order", "", [])


def one_flow_each(bindings: list[Binding]) -> list[Binding]:
    """Of the flows of one phone the first alone: a request goes to a phone once (RFC 5626 §7)."""
    seen: set[str] = set()
    found = []
    for binding in bindings:
        if binding.reg_id:
            if binding.instance in seen:
                continue
            seen.add(binding.instance)
        found.append(binding)
    return found


def _is_out_of_order(binding: Binding, request: Request) -> bool:
    return binding.call_id == request.call_id and request.cseq <= binding.cseq


def _is_same(binding: Binding, uri: SipUri, instance: str, reg_id: int) -> bool:
    if instance and reg_id and binding.instance:
        return binding.instance == instance and binding.reg_id == reg_id
    return uris_equal(binding.uri, uri)


def _parse_q(text: str | None) -> float:
    if text is None:
        return 1.0
    try:
        q = float(text) if len(text) <= 5 else -1.0
    except ValueError:
        q = -1.0
    if not 0.0 <= q <= 1.0:
        raise SipParseError("q out of range")
    return q


def _gruus(binding: Binding, uri: SipUri) -> str:
    if not binding.instance or not binding.temporary:
        return ""
    host = f"[{uri.host}]" if ":" in uri.host else uri.host
    public = public_gruu(uri.user, host, binding.instance)
    return f';pub-gruu="{public}";temp-gruu="{temporary_gruu(binding.temporary[-1], host)}"'


def _contact_line(binding: Binding, now: float, gruus: str) -> str:
    params = f";expires={max(0, round(binding.expires_at - now))}"
    if binding.q != 1.0:
        params += f";q={binding.q:g}"
    if binding.instance:
        params += f';+sip.instance="{binding.instance}"'
    if binding.reg_id:
        params += f";reg-id={binding.reg_id}"
    return f"Contact: <{binding.contact}>{params}{gruus}\r\n"
