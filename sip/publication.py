"""Event state that phones publish (RFC 3903): PUBLISH in, entity tags and bodies kept, bounded and expiring. Pure."""

from collections.abc import Callable

import msgspec

from sip.message import Request


class Publication(msgspec.Struct, gc=False):
    """One document a phone published."""

    etag: str
    resource: str
    body: bytes
    expires_at: float
    """Monotonic seconds."""
    published_at: float


class PublishResult(msgspec.Struct, frozen=True, gc=False):
    status: int
    reason: str
    headers: str = ""
    is_changed: bool = False
    """Whether what is published of the resource is another now."""


class Publications:
    """The documents of one event package."""

    def __init__(
        self,
        package: str,
        content_type: str,
        token: Callable[[int], str],
        check: Callable[[bytes], None],
        *,
        min_expires_s: int = 60,
        max_expires_s: int = 3600,
        max_per_resource: int = 10,
        max_bytes: int = 8192,
    ) -> None:
        """`token(n)` gives n random hex digits; `check(body)` raises ValueError for a document that is none."""
        self._package = package
        self._content_type = content_type
        self._token = token
        self._check = check
        self._min_expires_s = min_expires_s
        self._max_expires_s = max_expires_s
        self._max_per_resource = max_per_resource
        self._max_bytes = max_bytes
        self._of: dict[str, list[Publication]] = {}
        self.deadline: float | None = None
        """When `poll` wants to be called."""

    def of(self, resource: str) -> list[Publication]:
        """What is published of it, latest first."""
        return sorted(self._of.get(resource, ()), key=lambda one: -one.published_at)

    def publish(self, resource: str, request: Request, now: float) -> PublishResult:
        """A PUBLISH by whoever may publish for `resource`."""
        event = request.headers.get("Event", "").partition(";")[0].strip(" \t").lower()
        if event != self._package:
            return PublishResult(489, "Bad Event", f"Allow-Events: {self._package}\r\n")
        wished = self._max_expires_s if request.expires is None else request.expires
        if 0 < wished < self._min_expires_s:
            return PublishResult(423, "Interval Too Brief", f"Min-Expires: {self._min_expires_s}\r\n")
        granted = min(wished, self._max_expires_s)
        ours = self._of.get(resource, [])
        etag = request.headers.get("SIP-If-Match", "")
        known = next((one for one in ours if one.etag == etag), None) if etag else None
        if etag and known is None:
            return PublishResult(412, "Conditional Request Failed")
        refusal = self._refuse_body(request, is_refresh=known is not None)
        if refusal is not None:
            return refusal
        if known is None:
            return self._add(resource, request.body, granted, now)
        is_changed = not granted or (bool(request.body) and request.body != known.body)
        if not granted:
            self._drop(known)
            return PublishResult(200, "OK", "Expires: 0\r\n", is_changed)
        # Each answer carries a new tag, so that a lost one is noticed (§6).
        known.etag = self._token(16)
        known.body = request.body or known.body
        known.expires_at = now + granted
        self._note_deadline(known.expires_at)
        known.published_at = now if request.body else known.published_at
        return PublishResult(200, "OK", f"SIP-ETag: {known.etag}\r\nExpires: {granted}\r\n", is_changed)

    def poll(self, now: float) -> list[str]:
        """Drop what has expired; the resources that changed by it."""
        over = [one for ours in self._of.values() for one in ours if one.expires_at <= now]
        for one in over:
            self._drop(one)
        self.deadline = min((one.expires_at for ours in self._of.values() for one in ours), default=None)
        return list(dict.fromkeys(one.resource for one in over))

    def clear(self, resource: str) -> bool:
        """Forget all that is published of it; whether there was anything."""
        return self._of.pop(resource, None) is not None

    def _refuse_body(self, request: Request, *, is_refresh: bool) -> PublishResult | None:
        body = request.body
        if not body:
            return None if is_refresh else PublishResult(400, "PUBLISH Without Body")
        if len(body) > self._max_bytes:
            return PublishResult(413, "Request Entity Too Large")
        is_encoded = request.headers.get("Content-Encoding", "identity").lower() != "identity"
        if request.content_type != self._content_type or is_encoded:
            return PublishResult(415, "Unsupported Media Type", f"Accept: {self._content_type}\r\n")
        try:
            self._check(body)
        except ValueError:
            return PublishResult(400, "Malformed Body")
        return None

    def _add(self, resource: str, body: bytes, granted: int, now: float) -> PublishResult:
        if not granted:
            return PublishResult(400, "Nothing To Remove")
        ours = self._of.setdefault(resource, [])
        if len(ours) >= self._max_per_resource:
            # A phone that lost its tag publishes anew; its earlier document is the stalest.
            ours.remove(min(ours, key=lambda one: one.published_at))
        made = Publication(self._token(16), resource, body, now + granted, now)
        ours.append(made)
        self._note_deadline(made.expires_at)
        return PublishResult(200, "OK", f"SIP-ETag: {made.etag}\r\nExpires: {granted}\r\n", True)

    def _note_deadline(self, expires_at: float) -> None:
        # One that was prolonged leaves an early deadline behind: `poll` finds nothing then, and the right one.
        self.deadline = expires_at if self.deadline is None else min(self.deadline, expires_at)

    def _drop(self, one: Publication) -> None:
        rest = [other for other in self._of[one.resource] if other is not one]
        if rest:
            self._of[one.resource] = rest
        else:
            del self._of[one.resource]
