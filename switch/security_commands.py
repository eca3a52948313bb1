"""Handlers of `model.commands_security`: bans are listed, made and lifted; certificate files are read again."""

import asyncio
import hashlib
import ipaddress
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from control.auth import Caller
from model import errors, views
from model.commands_security import (
    AddBan,
    BanList,
    BanView,
    CertificateView,
    ListBans,
    ReloadTls,
    RemoveBan,
    TlsReloaded,
)
from model.declare import Command
from switch.guard import Ban, Place
from switch.listening import UnusableError, tls_of

if TYPE_CHECKING:
    from switch.app import App

log = logging.getLogger(__name__)


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = SecurityCommands(app)
    return {
        ListBans: handlers.list_bans,
        AddBan: handlers.add_ban,
        RemoveBan: handlers.remove_ban,
        ReloadTls: lambda command, caller: reload_tls(app),
    }


class SecurityCommands:
    def __init__(self, app: "App") -> None:
        self._guard = app.core.guard
        self._clock = app.runtime.outside.clock
        self._env = app.runtime.calls.env

    def list_bans(self, command: ListBans, caller: Caller) -> BanList:
        counters = self._guard.counters
        return BanList(
            bans=[self._view(place, ban) for place, ban in self._guard.bans(self._clock())],
            n_bans=counters.n_bans,
            n_lock_outs=counters.n_lock_outs,
            n_busy=counters.n_busy,
            n_dropped=counters.n_dropped,
            n_clipped=counters.n_clipped,
        )

    def add_ban(self, command: AddBan, caller: Caller) -> BanView:
        place = (_address(command.address), command.port)
        return self._view(place, self._guard.ban(place, command.reason, self._clock(), command.duration_s))

    def remove_ban(self, command: RemoveBan, caller: Caller) -> views.Done:
        if not self._guard.unban((_address(command.address), command.port), self._clock()):
            raise errors.InvalidValue(f"{command.address} port {command.port} is not banned", field="address")
        return views.Done()

    def _view(self, place: Place, ban: Ban) -> BanView:
        wall = self._env.wall
        return BanView(
            address=place[0],
            port=place[1],
            reason=ban.reason,
            since_utc=wall(ban.since),
            until_utc=wall(ban.until),
            n_times=ban.n_times,
            n_dropped=ban.n_dropped,
        )


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise errors.InvalidValue(f"{text} is no IP address", field="address") from None


async def reload_tls(app: "App") -> TlsReloaded:
    """New connections use what the files hold now. Raises InvalidValue, and changes nothing, when one is no good."""
    try:
        tls = tls_of(app.config)
        if tls is None:
            raise errors.InvalidValue("nothing here speaks TLS", field="sip.tls_certificate")
        # Files: not on the loop.
        certificate = await asyncio.to_thread(_read_certificate, tls.certificate) if tls.certificate else None
        contexts = await asyncio.to_thread(app.transports.make_contexts, tls)
    except (UnusableError, OSError, ValueError) as error:
        what = error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
        raise errors.InvalidValue(f"the certificate stays as it was: {what}", field="sip.tls_certificate") from None
    app.transports.use_contexts(contexts)
    if certificate is not None:
        log.info("= TLS certificate of %s, until %d", ", ".join(certificate.names), certificate.not_after_utc)
    return TlsReloaded(certificate=certificate)


async def reload_tls_by_signal(app: "App") -> None:
    """As the command, but there is nobody to tell except the log."""
    try:
        await reload_tls(app)
    except errors.InvalidValue as error:
        log.warning("! %s", error.message)


def _read_certificate(path: str) -> CertificateView:
    certificate = x509.load_pem_x509_certificates(Path(path).read_bytes())[0]
    names: list[str] = []
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names += alternatives.get_values_for_type(x509.DNSName)
        names += [str(address) for address in alternatives.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        log.warning("! %s names no host (no subjectAltName): most clients refuse it", path)
    return CertificateView(
        subject=certificate.subject.rfc4514_string(),
        names=names,
        not_before_utc=certificate.not_valid_before_utc.timestamp(),
        not_after_utc=certificate.not_valid_after_utc.timestamp(),
        sha256=hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
    )
