"""Phones register here: proves who they are, keeps their bindings (sip.registrar), tells who came and went."""

from collections.abc import Callable, Sequence

from model import events, views
from model.declare import Event
from sip.errors import SipParseError
from sip.flow import Flow
from sip.gruu import read_gruu
from sip.message import Request
from sip.registrar import Binding, BindingChange, Registrar, one_flow_each
from sip.uri import SipUri
from switch.cdr import mask
from switch.config import Config
from switch.identity import Gatekeeper, Unidentified

_WHY = {
    "removed": "unregistered",
    "expired": "expired",
    "replaced": "replaced",
    "flow_failed": "connection_lost",
    "cleared": "removed",
}


class Registrations:
    """The bindings of all extensions; an extension's number is its address of record."""

    def __init__(
        self,
        config: Config,
        publish: Callable[[Event], None],
        clock: Callable[[], float],
        wall: Callable[[], float],
        token: Callable[[int], str],
    ) -> None:
        self._clock = clock
        self._wall = wall
        self._registrar = Registrar(
            min_expires_s=config.sip.min_expires_s,
            max_expires_s=config.sip.max_expires_s,
            default_expires_s=config.sip.max_expires_s,
            max_bindings=config.sip.max_bindings,
            flow_timer_s=config.sip.flow_timer_s,
            token=token,
        )
        self._service_route = "".join(f"Service-Route: {value}\r\n" for value in config.sip.service_route)
        self._publish = publish
        self._gatekeeper: Gatekeeper | None = None
        self._on_change: list[Callable[[str, float], None]] = []
        self._on_bound: Callable[[str, Binding], None] = lambda number, binding: None
        self._on_register: list[Callable[[str, float], None]] = []

    def admit_with(self, gatekeeper: Gatekeeper) -> None:
        """Who may register."""
        self._gatekeeper = gatekeeper

    def on_change(self, changed: Callable[[str, float], None]) -> None:
        """`changed(number, now)` is called when a phone of the extension came or went."""
        self._on_change.append(changed)

    def tell_bound(self, on_bound: Callable[[str, Binding], None]) -> None:
        """`on_bound(number, binding)` is called for every binding that was made or refreshed."""
        self._on_bound = on_bound

    def on_register(self, registered: Callable[[str, float], None]) -> None:
        """The same, and also when a phone only said again that it is there, perhaps from elsewhere."""
        self._on_register.append(registered)

    @property
    def deadline(self) -> float | None:
        return self._registrar.deadline

    @property
    def n_bindings(self) -> int:
        return len(self._registrar)

    def bindings(self, number: str, now: float) -> list[Binding]:
        """Where the extension can be rung, best first, each phone by one of its flows."""
        return one_flow_each(self._registrar.lookup(number, now))

    def every_binding(self, number: str, now: float) -> list[Binding]:
        """All bindings, also those of one phone by several flows."""
        return self._registrar.lookup(number, now)

    def lost(self, number: str, contact: str, now: float) -> None:
        """The phone cannot be reached any more where it registered."""
        self._tell(self._registrar.drop(number, contact), now)

    def resolve_gruu(self, uri: SipUri) -> tuple[str, str]:
        """(number, instance of the one phone that is meant) for a GRUU (RFC 5627), (user, "") for any other URI.

        Raises:
            SipParseError: 404, a temporary GRUU that leads nowhere (any more).
        """
        gruu = read_gruu(uri)
        if gruu is None:
            return uri.user, ""
        name, instance = gruu
        if not name:
            return uri.user, instance
        found = self._registrar.find_temporary(name)
        if found is None:
            raise SipParseError("no such GRUU", 404, "Not Found")
        return found

    def register(self, request: Request, now: float) -> tuple[int, str, str]:
        """(status, reason, header lines) that answer a REGISTER."""
        assert self._gatekeeper is not None
        try:
            number = request.to.uri.user
        except SipParseError as error:
            return error.status, str(error), ""
        who = self._gatekeeper.authenticate(request, number, now)
        if isinstance(who, Unidentified):
            return who.status, who.reason, who.headers
        result = self._registrar.register(number, request, now)
        self._tell(result.changes, now)
        headers = f"{result.headers}{self._service_route}" if result.status < 300 else result.headers
        return result.status, result.reason, headers

    def handle_timeout(self, now: float) -> None:
        """Drops what has expired."""
        self._tell(self._registrar.poll(now), now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """A connection is gone, and the phones behind it."""
        self._tell(self._registrar.flow_failed(flow), now)

    def remove_all(self, number: str) -> None:
        """The extension was deleted."""
        self._tell(self._registrar.clear(number), self._clock())

    def views(self, number: str = "") -> list[views.RegistrationView]:
        """Bindings as the API shows them, of one extension or (empty) of all."""
        now, wall = self._clock(), self._wall()
        numbers = [number] if number else sorted(self._registrar.aors())
        return [
            views.RegistrationView(
                extension=one,
                address=_address(binding.flow),
                contact=mask(binding.contact),
                user_agent=mask(binding.user_agent),
                registered_utc=wall - (now - binding.registered_at),
                expires_s=binding.expires_at - now,
            )
            for one in numbers
            for binding in self._registrar.lookup(one, now)
        ]

    def _tell(self, changes: Sequence[BindingChange], now: float) -> None:
        for change in changes:
            binding = change.binding
            if change.what in ("added", "refreshed"):
                self._on_bound(change.aor, binding)
            if change.what == "added":
                self._publish(
                    events.RegistrationAdded(
                        extension=change.aor,
                        address=_address(binding.flow),
                        user_agent=mask(binding.user_agent),
                        expires_s=binding.expires_at - now,
                    )
                )
            elif change.what in _WHY:
                self._publish(
                    events.RegistrationRemoved(
                        extension=change.aor,
                        address=_address(binding.flow),
                        user_agent=mask(binding.user_agent),
                        why=_WHY[change.what],
                    )
                )
        for number in {change.aor for change in changes if change.what != "refreshed"}:
            for changed in self._on_change:
                changed(number, now)
        for number in {change.aor for change in changes}:
            for registered in self._on_register:
                registered(number, now)


def _address(flow: Flow) -> str:
    return f"{flow.transport}:{flow.host}:{flow.port}"
