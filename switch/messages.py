"""Instant messages between extensions (RFC 3428): proved who sends, copied to every phone of who is meant.

Nothing is kept: where no phone is registered the sender is told 480. The answer is 202, because other phones than the
first may still be asked when it goes; what became of each is an event. The text is told to nobody else.
"""

import logging
from collections.abc import Callable

import msgspec

from model.declare import Event
from model.watching import MessageDelivered, MessageFailed
from sip import actions as sip
from sip.errors import SipParseError
from sip.flow import Flow
from sip.gruu import bare_instance
from sip.headers import header_line
from sip.message import Request
from sip.registrar import Binding
from sip.uri import parse_uri
from switch.cdr import mask
from switch.identity import Gatekeeper, Unidentified
from switch.numbers import clean
from switch.registrations import Registrations
from switch.runtime import Runtime
from switch.targets import uri_user

log = logging.getLogger(__name__)

MAX_ON_THEIR_WAY = 10_000
_KEPT_HEADERS = ("Subject", "Content-Language", "Content-Encoding", "Content-Disposition", "Expires", "Date")
"""Of the sender's, passed on (RFC 3428 §4); nobody is vouched for by a header that came from outside."""


class _OnItsWay(msgspec.Struct, frozen=True, gc=False):
    sender: str
    extension: str
    flow: Flow
    size: int


class Messages:
    def __init__(
        self,
        runtime: Runtime,
        gatekeeper: Gatekeeper,
        registrations: Registrations,
        publish: Callable[[Event], None],
    ) -> None:
        self._runtime = runtime
        self._stack = runtime.stack
        self._env = runtime.calls.env
        self._gatekeeper = gatekeeper
        self._registrations = registrations
        self._publish = publish
        self._on_their_way: dict[str, _OnItsWay] = {}

    def incoming(self, action: sip.IncomingRequest, now: float) -> None:
        """Answers a MESSAGE and passes it on."""
        status, reason, headers = self._incoming(action.request, now)
        self._runtime.perform_sip(self._stack.respond(action.transaction, status, reason, now, headers=headers), now)

    def request_done(self, action: sip.RequestDone, now: float) -> None:
        """What a phone said to a message."""
        sent = self._on_their_way.pop(action.token, None)
        if sent is None:
            return
        address = f"{sent.flow.transport}:{sent.flow.host}:{sent.flow.port}"
        status = action.response.status if action.response is not None else 0
        if 200 <= status < 300:
            self._publish(
                MessageDelivered(sender=sent.sender, extension=sent.extension, address=address, size=sent.size)
            )
        else:
            self._publish(MessageFailed(sender=sent.sender, extension=sent.extension, address=address, status=status))

    def send(self, sender: str, number: str, text: str, now: float) -> int:
        """A text from the API to all phones of `number`; to how many it went."""
        bindings = self._env.bindings(number, now)
        self._pass_on(sender, "", number, bindings, text.encode(), "text/plain;charset=UTF-8", "", 70, now)
        return len(bindings)

    def _incoming(self, request: Request, now: float) -> tuple[int, str, str]:
        config = self._env.config.messages
        try:
            who = self._gatekeeper.authenticate(request, request.from_.uri.user, now)
            if isinstance(who, Unidentified):
                return who.status, who.reason, who.headers
            user, instance = self._registrations.resolve_gruu(parse_uri(request.uri))
            number = clean(user)
            max_forwards = 70 if request.max_forwards is None else request.max_forwards
        except SipParseError as error:
            return error.status, error.reason, ""
        assert who.extension is not None
        if not config.enabled:
            return 403, "Messages Are Off", ""
        if len(request.body) > config.max_bytes:
            return 413, "Message Too Large", ""
        if request.body and not request.content_type:
            return 400, "Body Without Content-Type", ""
        entry = self._env.directory.extensions.get(number)
        if entry is None or not entry.is_enabled:
            return 404, "Not Found", ""
        bindings = self._env.bindings(number, now)
        if instance:
            bindings = [one for one in bindings if bare_instance(one.instance) == instance]
        if not bindings:
            return 480, "Temporarily Unavailable", ""
        if len(self._on_their_way) + len(bindings) > MAX_ON_THEIR_WAY:
            return 503, "Service Unavailable", "Retry-After: 5\r\n"
        kept = "".join(header_line(name, request.headers[name]) for name in _KEPT_HEADERS if name in request.headers)
        content_type = request.headers.get("Content-Type", "")
        sender, name = who.extension.number, who.extension.name
        self._pass_on(sender, name, number, bindings, request.body, content_type, kept, max_forwards - 1, now)
        return 202, "Accepted", ""

    def _pass_on(
        self,
        sender: str,
        name: str,
        number: str,
        bindings: list[Binding],
        body: bytes,
        content_type: str,
        headers: str,
        max_forwards: int,
        now: float,
    ) -> None:
        quoted = mask(name).replace("\\", "").replace('"', "")
        display = f'"{quoted}" ' if quoted else ""
        for binding in bindings:
            host = self._runtime.legs.local_host(binding.flow)
            token, actions = self._stack.request(
                "MESSAGE",
                binding.contact,
                flow=binding.flow,
                from_=f"{display}<sip:{uri_user(sender)}@{host}>",
                to=f"<sip:{uri_user(number)}@{host}>",
                now=now,
                headers=headers,
                body=body,
                content_type=content_type,
                route=binding.path,
                max_forwards=max_forwards,
            )
            self._on_their_way[token] = _OnItsWay(sender, number, binding.flow, len(body))
            self._runtime.perform_sip(actions, now)
        log.info("> MESSAGE of %d bytes from %s to %s (%d phones)", len(body), sender, number, len(bindings))
