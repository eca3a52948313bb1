"""Tells phones what they watch: message lamps (RFC 3842), busy lamps (RFC 4235), presence (RFC 3856).

SUBSCRIBE and PUBLISH come by `switch.door`; every watcher has proved which extension it is and is checked against
`[subscriptions]`. The machines are `sip.subscription` and `sip.publication`; here is what they are told and what is
written into the NOTIFYs.
"""

import logging
from collections.abc import Callable, Iterable, Sequence

from model.declare import Event
from model.watching import PresenceChanged, SubscriptionAdded, SubscriptionRemoved, SubscriptionView
from sip import actions as sip
from sip.dialog import address_uri
from sip.errors import SipParseError
from sip.event_bodies import (
    DIALOG_INFO,
    MESSAGE_SUMMARY,
    PIDF,
    DialogState,
    MessageCounts,
    PresenceState,
    format_dialog_info,
    format_message_summary,
    format_pidf,
    parse_pidf,
)
from sip.flow import Flow
from sip.publication import Publications
from sip.subscription import Subscriptions
from sip.subscription_data import EventPackage, NotifyDue, SubscribeResult, Subscription
from sip.uri import parse_uri
from storage.directory import ExtensionState
from switch.identity import Gatekeeper, Unidentified
from switch.line_states import LineStates
from switch.presence import PresenceBook
from switch.registrations import Registrations
from switch.runtime import Runtime
from switch.targets import uri_user

log = logging.getLogger(__name__)

MWI, BLF, PRESENCE = "message-summary", "dialog", "presence"
PACKAGES = (EventPackage(MWI, MESSAGE_SUMMARY), EventPackage(BLF, DIALOG_INFO), EventPackage(PRESENCE, PIDF))
ALLOW_EVENTS = ", ".join(package.name for package in PACKAGES)

Answer = tuple[int, str, str]
"""Status, reason, header lines."""


class Notifier:
    def __init__(
        self,
        runtime: Runtime,
        gatekeeper: Gatekeeper,
        registrations: Registrations,
        publish: Callable[[Event], None],
        token: Callable[[int], str],
    ) -> None:
        self._runtime = runtime
        self._stack = runtime.stack
        self._calls = runtime.calls
        self._gatekeeper = gatekeeper
        self._publish = publish
        env = runtime.calls.env
        self._directory = env.directory
        self._config = config = env.config.subscriptions
        self.subscriptions = Subscriptions(
            PACKAGES,
            min_expires_s=config.min_expires_s,
            max_expires_s=config.max_expires_s,
            max_total=config.max_total,
            max_per_watcher=config.max_per_watcher,
            max_per_resource=config.max_per_resource,
        )
        self._publications = Publications(
            PRESENCE, PIDF, token, _check_pidf, min_expires_s=config.min_expires_s, max_expires_s=config.max_expires_s
        )
        self.lines = LineStates(runtime.stack.sessions)
        self.book = PresenceBook(
            self._publications,
            is_registered=lambda number: bool(registrations.bindings(number, runtime.outside.clock())),
            is_busy=self.lines.is_busy,
            is_dnd=env.services.is_dnd,
        )
        self._told: dict[str, PresenceState] = {}
        """What watchers of presence were last told, by extension."""
        registrations.on_change(self._presence_may_have_changed)

    # -- a machine under the runtime's timer ---------------------------------------------------------------------------

    @property
    def deadline(self) -> float | None:
        deadlines = (self.subscriptions.deadline, self._publications.deadline)
        return min((one for one in deadlines if one is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Ends what was not refreshed."""
        due, over = self.subscriptions.poll(now)
        self._send(due, now)
        for one in over:
            self._ended(one, "timeout")
        for number in self._publications.poll(now):
            self._published(number, now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """A connection is gone, and the watchers behind it."""
        for one in self.subscriptions.flow_failed(flow):
            self._ended(one, "connection_lost")

    def request_done(self, action: sip.RequestDone, now: float) -> None:
        """The answer to one of our NOTIFYs."""
        if not self.subscriptions.is_ours(action.token):
            return
        due, ended = self.subscriptions.done(action.token, action.response, now)
        if ended is not None and ended.ending is None:
            self._ended(ended, "no_answer" if action.response is None else "refused")
        self._send(due, now)

    # -- requests ------------------------------------------------------------------------------------------------------

    def subscribe(self, action: sip.IncomingRequest, now: float) -> None:
        """Answers a SUBSCRIBE, new or inside a dialog of ours, and tells the state at once."""
        request = action.request
        result = self._subscribe(action, now)
        contact = ""
        if result.status < 300 and request.flow is not None:
            contact = f"Contact: <{self._stack.contact_uri(request.flow)}>\r\n"
        self._respond(action, result.status, result.reason, f"{contact}{result.headers}", now)
        self._send(result.due, now)

    def publish(self, action: sip.IncomingRequest, now: float) -> None:
        """Answers a PUBLISH of presence (RFC 3903); a phone publishes for its own extension alone."""
        request = action.request
        try:
            number = parse_uri(request.uri).user or request.to.uri.user
            who = self._gatekeeper.authenticate(request, request.from_.uri.user, now)
            if isinstance(who, Unidentified):
                self._respond(action, who.status, who.reason, who.headers, now)
                return
            assert who.extension is not None
            if who.extension.number != number:
                self._respond(action, 403, "Forbidden", "", now)
                return
            result = self._publications.publish(number, request, now)
        except SipParseError as error:
            self._respond(action, error.status, error.reason, "", now)
            return
        self._respond(action, result.status, result.reason, result.headers, now)
        if result.is_changed:
            self._published(number, now)
        self._runtime.extra_changed()

    def _subscribe(self, action: sip.IncomingRequest, now: float) -> SubscribeResult:
        request = action.request
        checked = self.subscriptions.check_event(request)
        if isinstance(checked, SubscribeResult):
            return checked
        known = self.subscriptions.find(request) if request.to_tag else None
        if request.to_tag and known is None:
            return SubscribeResult(481, "Subscription Does Not Exist")
        try:
            number = parse_uri(request.uri).user or request.to.uri.user
            who = self._gatekeeper.authenticate(request, request.from_.uri.user, now)
        except SipParseError as error:
            return SubscribeResult(error.status, error.reason)
        if isinstance(who, Unidentified):
            return SubscribeResult(who.status, who.reason, who.headers)
        assert who.extension is not None
        watcher = who.extension.number
        if known is not None:
            if known.watcher != watcher:
                return SubscribeResult(403, "Forbidden")
            ends = request.expires == 0
            result = self.subscriptions.refresh(known, request, now)
            if ends and result.status < 300:
                self._ended(known, "timeout")
            return result
        refusal = self._refuse(checked[0].name, number, watcher)
        if refusal is not None:
            return refusal
        result = self.subscriptions.subscribe(request, tag=action.tag, resource=number, watcher=watcher, now=now)
        if result.is_new and request.expires != 0:
            log.info("= %s watches %s of %s", watcher, checked[0].name, number)
            self._publish(SubscriptionAdded(watcher=watcher, package=checked[0].name, extension=number))
        return result

    def _refuse(self, package: str, number: str, watcher: str) -> SubscribeResult | None:
        """Why `watcher` may not watch `number`. Of oneself everything may be watched, of others all but messages."""
        entry = self._directory.extensions.get(number)
        if entry is None:
            return SubscribeResult(404, "Not Found")
        if watcher == number:
            return None
        allowed = entry.watched_by or self._config.watched_by
        if package == MWI or not any(_matches(watcher, pattern) for pattern in allowed):
            return SubscribeResult(403, "Forbidden")
        return None

    def _respond(self, action: sip.IncomingRequest, status: int, reason: str, headers: str, now: float) -> None:
        self._runtime.perform_sip(self._stack.respond(action.transaction, status, reason, now, headers=headers), now)

    # -- what changed --------------------------------------------------------------------------------------------------

    def calls_touched(self, call_ids: Iterable[str], now: float) -> None:
        """These calls may look different now."""
        for call_id in call_ids:
            changed = self.lines.touch(call_id, self._calls.calls.get(call_id))
            for number, legs in changed.items():
                self._send(self.subscriptions.changed(BLF, number, now, legs), now)
                self._presence_may_have_changed(number, now)

    def state_set(self, state: ExtensionState, now: float) -> None:
        """Messages or presence of an extension were set by API, and are stored."""
        before = self.book.stored(state.number)
        self.book.keep(state)
        if self.book.counts(state.number) != _counts(before):
            self._send(self.subscriptions.changed(MWI, state.number, now), now)
        if (before.activity, before.note) != (state.activity, state.note):
            self._tell_presence(state.number)
        self._presence_may_have_changed(state.number, now)

    def dnd_changed(self, number: str, now: float) -> None:
        """The user of the extension takes calls again, or none any more."""
        self._presence_may_have_changed(number, now)

    def extension_gone(self, number: str, now: float) -> None:
        """It was deleted: nobody can watch it, and its phones watch nothing."""
        self.book.forget(number)
        self._told.pop(number, None)
        for one in self.subscriptions.snapshot():
            if number in (one.resource, one.watcher):
                self._ended(one, "noresource" if one.resource == number else "rejected")
        self._send(self.subscriptions.end(now, "noresource", resource=number), now)
        self._send(self.subscriptions.end(now, "rejected", watcher=number), now)

    def _published(self, number: str, now: float) -> None:
        self._tell_presence(number)
        self._presence_may_have_changed(number, now)

    def _tell_presence(self, number: str) -> None:
        state, source = self.book.presence(number)
        self._publish(
            PresenceChanged(
                extension=number, is_open=state.is_open, activity=state.activity, note=state.note, source=source
            )
        )

    def _presence_may_have_changed(self, number: str, now: float) -> None:
        if not self.subscriptions.watchers(PRESENCE, number):
            self._told.pop(number, None)
            return
        state, _ = self.book.presence(number)
        if self._told.get(number) != state:
            self._told[number] = state
            self._send(self.subscriptions.changed(PRESENCE, number, now), now)

    def _ended(self, one: Subscription, why: str) -> None:
        self._publish(SubscriptionRemoved(watcher=one.watcher, package=one.package, extension=one.resource, why=why))

    # -- NOTIFY --------------------------------------------------------------------------------------------------------

    def _send(self, due: Sequence[NotifyDue], now: float) -> None:
        for one in due:
            watching = one.subscription
            content_type = self.subscriptions.packages[watching.package].content_type
            token, actions = self._stack.request(
                "NOTIFY",
                watching.target,
                flow=watching.flow,
                from_=watching.local,
                to=watching.remote,
                now=now,
                headers=f"Event: {one.event}\r\nSubscription-State: {one.state}\r\n",
                body=self._body(one),
                content_type=content_type,
                route=watching.routes,
                call_id=watching.call_id,
                cseq=one.cseq,
                tag=watching.id,
                contact_user="",
            )
            self.subscriptions.sent(one, token)
            self._runtime.perform_sip(actions, now)
        self._runtime.extra_changed()

    def _body(self, due: NotifyDue) -> bytes:
        watching = due.subscription
        number = watching.resource
        entity = address_uri(watching.local)
        match watching.package:
            case "message-summary":
                return format_message_summary(entity, self.book.counts(number))
            case "dialog":
                return self._dialog_info(due, entity)
            case _:
                state = self.book.presence(number)[0]
                self._told[number] = state
                return format_pidf(entity, state)

    def _dialog_info(self, due: NotifyDue, entity: str) -> bytes:
        host = entity.rpartition("@")[2].partition(";")[0].partition(">")[0]
        lines = self.lines.of(due.subscription.resource)
        wanted = lines if due.is_full else due.changes
        dialogs = [self._dialog(lines.get(leg_id), leg_id, due.subscription, host) for leg_id in sorted(wanted)]
        return format_dialog_info(entity, due.version, dialogs, is_full=due.is_full)

    def _dialog(self, line: DialogState | None, leg_id: str, watching: Subscription, host: str) -> DialogState:
        """What this watcher may see of it; a dialog that is gone is told as terminated."""
        own = f"sip:{uri_user(watching.resource)}@{host}"
        if line is None:
            return DialogState(leg_id, "terminated", "recipient", own)
        is_own = watching.watcher == watching.resource
        shows = is_own or self._config.shows_numbers
        gives = self._config.may_pick_up or is_own
        return DialogState(
            id=line.id,
            state=line.state,
            direction=line.direction,
            local=own,
            remote=f"sip:{uri_user(line.remote or 'anonymous')}@{host}" if shows else "",
            remote_display=line.remote_display if shows else "",
            call_id=line.call_id if gives else "",
            local_tag=line.local_tag if gives else "",
            remote_tag=line.remote_tag if gives else "",
            is_held=line.is_held,
        )

    # -- for the API ---------------------------------------------------------------------------------------------------

    def views(self, extension: str, watcher: str, now: float) -> list[SubscriptionView]:
        """What is watched, of one extension or all, by one or all."""
        return [
            SubscriptionView(
                watcher=one.watcher,
                event=one.package,
                extension=one.resource,
                address=f"{one.flow.transport}:{one.flow.host}:{one.flow.port}",
                expires_s=max(0.0, one.expires_at - now),
            )
            for one in self.subscriptions.snapshot()
            if extension in ("", one.resource) and watcher in ("", one.watcher)
        ]


def _matches(watcher: str, pattern: str) -> bool:
    return watcher.startswith(pattern[:-1]) if pattern.endswith("*") else watcher == pattern


def _counts(state: ExtensionState) -> MessageCounts:
    return MessageCounts(state.new, state.old, state.urgent_new, state.urgent_old)


def _check_pidf(body: bytes) -> None:
    parse_pidf(body)
