"""The signalling of one phone, or of one carrier, on `sip.stack.SipStack`: everything but sockets and sound.

The same agent is a real phone over `sip.net.Transports` (`switch.demo.phone`) and a simulated one in virtual time
(`tests/harness/sim_phone.py`); what differs is where `send` leads and what `make_media` makes. Whoever uses it calls
its methods and hears what happens as `PhoneEvent`.
"""

import asyncio
import random
import re
from collections.abc import Callable

from sip.actions import (
    Answered,
    Cancelled,
    Confirmed,
    Ended,
    IncomingInvite,
    IncomingRequest,
    OfferAnswered,
    Offered,
    OfferRefused,
    Progressed,
    ReferAnswered,
    ReferNotified,
    Referred,
    Rejected,
)
from sip.credentials import Credentials
from sip.message import Request
from sip.offer_answer import (
    Capabilities,
    Negotiated,
    NoCommonCodec,
    SdpError,
    answer_offer,
    apply_answer,
    make_offer,
)
from sip.stack import Listener, SipStack
from switch.demo.driver import Sender, StackDriver
from switch.demo.events import PhoneEvent
from switch.demo.phone_call import AgentSettings, Media, PhoneCall, PhoneError
from switch.demo.registrant import Registrant


class Agent:
    """One phone's or carrier's signalling; its `driver` is the `Receiver` for transports.

    `listener` is the address it is reached at; `make_media(call_id, on_digit)` opens the audio of a call and may raise
    OSError. Methods that act on a call raise `PhoneError` for an unknown call or a wrong state.
    """

    def __init__(
        self,
        settings: AgentSettings,
        listener: Listener,
        make_media: Callable[[str, Callable[[str, int], None]], Media],
        on_event: Callable[[PhoneEvent], None],
        randomness: random.Random,
    ) -> None:
        self.settings = settings
        self.calls: dict[str, PhoneCall] = {}

        def token(n_hex: int) -> str:
            return f"{randomness.getrandbits(4 * n_hex):0{n_hex}x}"

        self.stack = SipStack([listener], token=token, user_agent=settings.user_agent, methods=frozenset(("OPTIONS",)))
        self.driver = StackDriver(self.stack, self._on_action)
        self._capabilities = Capabilities(codecs=settings.codecs)
        self._credentials = Credentials(settings.name, password=settings.password) if settings.password else None
        self._make_media = make_media
        self._on_event = on_event
        self._by_session: dict[str, PhoneCall] = {}
        self._n_calls = 0
        self._registrant: Registrant | None = None
        if self._credentials is not None:
            self._registrant = Registrant(
                self.stack, listener, settings, self._credentials, token, self._on_registration
            )
            self.driver.machines.append(self._registrant)

    # -- life ----------------------------------------------------------------------------------------------------------

    def start(self, sender: Sender) -> None:
        """From now on it sends; with a password it registers."""
        self.driver.start(sender)
        if self._registrant is not None:
            self.driver.perform(self._registrant.start(self.driver.now()))

    @property
    def is_registered(self) -> bool:
        return self._registrant is not None and self._registrant.is_registered

    def unregister(self) -> None:
        if self._registrant is not None:
            self.driver.perform(self._registrant.stop(self.driver.now()))

    def stop(self) -> None:
        """Frees what is held without telling anybody."""
        for call in list(self.calls.values()):
            self._forget(call)
        self.driver.stop()

    # -- calls ---------------------------------------------------------------------------------------------------------

    def call(self, number: str, *, call_id: str = "", caller: str = "", headers: str = "") -> PhoneCall:
        """Calls `number` at the server, with more header lines. Raises OSError when no port is free for the audio."""
        settings = self.settings
        call_id = call_id or self._new_id()
        media = self._make_media(call_id, lambda digit, ms: self._on_digit(call_id, digit, ms))
        user = caller or settings.name
        display = f'"{settings.display}" ' if settings.display and not caller else ""
        place = settings.domain
        call = PhoneCall(call_id, "", "out", number, number, media)
        offer = make_offer(call.local, self._capabilities)
        server = settings.server
        host = f"[{server.host}]" if ":" in server.host else server.host
        suffix = "" if server.transport == "udp" else f";transport={server.transport}"
        call.session, actions = self.stack.invite(
            flow=server,
            uri=f"sip:{number}@{host}:{server.port}{suffix}",
            from_=f"{display}<sip:{user}@{place}>",
            to=f"<sip:{number}@{place}>",
            now=self.driver.now(),
            body=offer,
            contact_user=settings.name,
            headers=headers,
            credentials=self._credentials,
        )
        self.calls[call_id] = self._by_session[call.session] = call
        self._tell("calling", call, number=number)
        self.driver.perform(actions)
        return call

    def answer(self, call_id: str) -> None:
        call = self._find(call_id)
        if call.is_up or call.direction != "in":
            raise PhoneError(f"{call_id} does not ring here")
        self._cancel_timer(call)
        if call.offer:
            try:
                body, negotiated = answer_offer(call.offer, call.local, self._capabilities)
            except (NoCommonCodec, SdpError) as error:
                self.driver.perform(self.stack.reject(call.session, 488, "Not Acceptable Here", self.driver.now()))
                self._end(call, 488, str(error))
                return
            self._configure(call, negotiated)
        else:
            body = make_offer(call.local, self._capabilities)
        self._set_up(call)
        self.driver.perform(self.stack.answer(call.session, body, self.driver.now()))

    def reject(self, call_id: str, status: int = 486, reason: str = "Busy Here") -> None:
        call = self._find(call_id)
        if call.is_up or call.direction != "in":
            raise PhoneError(f"{call_id} does not ring here")
        self.driver.perform(self.stack.reject(call.session, status, reason, self.driver.now()))
        self._end(call, status, reason)

    def hang_up(self, call_id: str) -> None:
        call = self._find(call_id)
        actions = self.stack.hang_up(call.session, self.driver.now())
        self._end(call, 0, "hung up here")
        self.driver.perform(actions)

    def hold(self, call_id: str) -> None:
        self._renegotiate(call_id, True)

    def resume(self, call_id: str) -> None:
        self._renegotiate(call_id, False)

    def transfer(self, call_id: str, uri: str, *, replacing: str = "") -> None:
        """REFER: the other party shall call `uri`; `replacing` is a call of ours whose place it takes there."""
        call = self._find(call_id)
        named = self.stack.dialog_of(self._find(replacing).session) if replacing else None
        actions = self.stack.refer(call.session, uri, self.driver.now(), replaces=named)
        if not actions:
            raise PhoneError(f"{call_id} cannot be transferred now")
        self.driver.perform(actions)

    def send_digits(self, call_id: str, digits: str) -> None:
        """RFC 4733 events, one after the other."""
        call = self._find(call_id)
        try:
            call.media.send_digits(digits)
        except ValueError as error:
            raise PhoneError(str(error)) from error

    def _renegotiate(self, call_id: str, hold: bool) -> None:
        call = self._find(call_id)
        if not call.is_up or call.wanted is not None or call.is_held == hold:
            raise PhoneError(f"{call_id} cannot be {'held' if hold else 'resumed'} now")
        call.wanted = hold
        body = make_offer(call.next_version(), self._capabilities, direction="sendonly" if hold else "sendrecv")
        self.driver.perform(self.stack.reinvite(call.session, body, self.driver.now()))

    # -- what the stack tells ------------------------------------------------------------------------------------------

    def _on_action(self, action: object) -> None:
        if self._registrant is not None and (actions := self._registrant.on(action, self.driver.now())) is not None:
            self.driver.perform(actions)
            return
        match action:
            case IncomingInvite(session, request):
                self._on_invite(session, request)
            case IncomingRequest(transaction, _):
                self.driver.perform(self.stack.respond(transaction, 200, "OK", self.driver.now()))
            case _:
                call = self._by_session.get(getattr(action, "session", ""))
                if call is not None:
                    self._on_call_action(call, action)

    def _on_call_action(self, call: PhoneCall, action: object) -> None:
        match action:
            case Progressed(_, status, reason, body, _):
                if body:
                    self._apply(call, body)
                self._tell("ringing", call, status=status, reason=reason)
            case Answered(_, _, body):
                self._set_up(call)
                if not body or not self._apply(call, body):
                    self.hang_up(call.id)
            case Rejected(_, status, reason, _):
                self._end(call, status, reason)
            case Cancelled(_, reason):
                self._end(call, 487, reason or "cancelled")
            case Confirmed(_, body):
                if body:
                    self._apply(call, body)
            case Offered(_, body):
                self._on_offer(call, body)
            case OfferAnswered(_, body):
                self._on_offer_answered(call, body)
            case OfferRefused(_, status):
                call.wanted = None
                self._tell("refused", call, status=status)
            case ReferAnswered(_, status, _) if status >= 300:
                self._tell("transfer", call, status=status)
            case ReferNotified(_, status, reason, _):
                self._tell("transfer", call, status=status, reason=reason)
            case Referred(_, refer, _, _):
                self.driver.perform(self.stack.refuse_refer(refer, 603, "Decline", self.driver.now()))
            case Ended(_, why, reason):
                self._end(call, 0, reason or why)
            case _:
                # InfoReceived and Closed change nothing at a phone.
                return

    # -- what comes ----------------------------------------------------------------------------------------------------

    def _on_invite(self, session: str, request: Request) -> None:
        now = self.driver.now()
        user = re.match(r"sips?:([^@;]*)@", request.uri)
        dialed = user[1] if user else ""
        if self.calls and not self.settings.is_carrier:
            self.driver.perform(self.stack.reject(session, 486, "Busy Here", now))
            return
        if not self.settings.is_carrier and dialed != self.settings.name:
            self.driver.perform(self.stack.reject(session, 404, "Not Found", now))
            return
        call_id = self._new_id()
        try:
            media = self._make_media(call_id, lambda digit, ms: self._on_digit(call_id, digit, ms))
        except OSError as error:
            self.driver.perform(self.stack.reject(session, 500, "No Port", now))
            self._on_event(PhoneEvent(event="error", phone=self.settings.name, reason=str(error)))
            return
        call = PhoneCall(call_id, session, "in", request.from_.uri.user, dialed, media)
        call.offer = request.body
        self.calls[call_id] = self._by_session[session] = call
        self.driver.perform(self.stack.progress(session, 180, "Ringing", now))
        self._tell("incoming", call, number=call.number, dialed=dialed)
        after_s = self.settings.answer_after_s
        if after_s >= 0 and call_id in self.calls:
            call.timer = asyncio.get_running_loop().call_later(after_s, self.answer, call_id)

    def _on_offer(self, call: PhoneCall, body: bytes) -> None:
        now = self.driver.now()
        direction = "sendonly" if call.is_held else "sendrecv"
        local = call.next_version()
        if not body:
            offer = make_offer(local, self._capabilities, direction=direction)
            self.driver.perform(self.stack.accept_offer(call.session, offer, now))
            return
        try:
            answer, negotiated = answer_offer(body, local, self._capabilities, direction=direction)
        except (NoCommonCodec, SdpError):
            self.driver.perform(self.stack.refuse_offer(call.session, 488, "Not Acceptable Here", now))
            return
        self.driver.perform(self.stack.accept_offer(call.session, answer, now))
        self._configure(call, negotiated)
        is_held_by_peer = negotiated.direction in ("recvonly", "inactive")
        if is_held_by_peer != call.is_held_by_peer:
            call.is_held_by_peer = is_held_by_peer
            self._tell("held_by_peer" if is_held_by_peer else "resumed_by_peer", call)

    def _on_offer_answered(self, call: PhoneCall, body: bytes) -> None:
        if not self._apply(call, body) or call.wanted is None:
            return
        call.is_held, call.wanted = call.wanted, None
        self._tell("held" if call.is_held else "resumed", call)

    def _on_digit(self, call_id: str, digit: str, duration_ms: int) -> None:
        call = self.calls.get(call_id)
        if call is not None:
            self._tell("digit", call, digit=digit, duration_ms=duration_ms)

    # -- one call ------------------------------------------------------------------------------------------------------

    def _apply(self, call: PhoneCall, answer: bytes) -> bool:
        try:
            self._configure(call, apply_answer(answer, self._capabilities))
        except (NoCommonCodec, SdpError) as error:
            self._tell("error", call, reason=f"answer: {error}")
            return False
        return True

    def _configure(self, call: PhoneCall, negotiated: Negotiated) -> None:
        call.negotiated = negotiated
        call.media.configure(negotiated)

    def _set_up(self, call: PhoneCall) -> None:
        call.is_up = True
        call.answered_at = self.driver.now()
        self._tell("answered", call)

    def _end(self, call: PhoneCall, status: int, reason: str) -> None:
        if call.id not in self.calls:
            return
        self._forget(call)
        talked_s = self.driver.now() - call.answered_at if call.is_up else 0.0
        self._tell("ended", call, status=status, reason=reason, duration_s=talked_s, statistics=call.media.statistics)

    def _forget(self, call: PhoneCall) -> None:
        self._cancel_timer(call)
        self.calls.pop(call.id, None)
        self._by_session.pop(call.session, None)
        call.media.close()

    def _cancel_timer(self, call: PhoneCall) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None

    def _find(self, call_id: str) -> PhoneCall:
        call = self.calls.get(call_id)
        if call is None:
            raise PhoneError(f"{self.settings.name} has no call {call_id!r}")
        return call

    def _new_id(self) -> str:
        self._n_calls += 1
        return f"{self.settings.name}-{self._n_calls}"

    def _tell(self, event: str, call: PhoneCall, **more: object) -> None:
        known = {"event": event, "phone": self.settings.name, "call": call.id, "direction": call.direction}
        self._on_event(PhoneEvent(**known, **more))  # type: ignore[arg-type]

    def _on_registration(self, event: str, status: int, reason: str) -> None:
        self._on_event(PhoneEvent(event=event, phone=self.settings.name, status=status, reason=reason))
