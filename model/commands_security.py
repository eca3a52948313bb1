"""Commands about strangers at the SIP ports and about certificates. `switch/security_commands.py` handles them."""

from typing import Annotated

from msgspec import Meta

from model import views
from model.declare import Command, command
from model.errors import InvalidValue

Address = Annotated[str, Meta(min_length=2, max_length=45, pattern=r"^[0-9A-Fa-f:.]+$")]
AnyPort = Annotated[int, Meta(ge=0, le=65535)]


class BanView(views.View, frozen=True, kw_only=True):
    """A source that is not listened to for a while."""

    address: str
    port: int = 0
    """0 = all of the address; a port where phones in use are behind the same address."""
    reason: str
    since_utc: float
    until_utc: float
    n_times: int
    """How often it was banned within a day of the time before."""
    n_dropped: int
    """Messages that were not looked at."""


class BanList(views.View, frozen=True, kw_only=True):
    """Bans in force, and what the guard did since the start."""

    bans: list[BanView]
    n_bans: int
    n_lock_outs: int
    """Wrong passwords that locked a user out for a source."""
    n_busy: int
    """Requests of strangers answered 503."""
    n_dropped: int
    """Messages that were not looked at."""
    n_clipped: int
    """Answers to strangers not sent because they would have been longer than the question."""


class CertificateView(views.View, frozen=True, kw_only=True):
    """The certificate that our TLS listeners show."""

    subject: str
    names: list[str]
    """Host names and addresses it is for."""
    not_before_utc: float
    not_after_utc: float
    sha256: str
    """Fingerprint, hex."""


class TlsReloaded(views.View, frozen=True, kw_only=True):
    """What new connections use from now on."""

    certificate: CertificateView | None = None
    """None where there is no TLS listener."""


@command("ban.list", permission="security.view", result=BanList)
class ListBans(Command, frozen=True, kw_only=True):
    """Sources of SIP that are banned, the newest last."""


@command("ban.add", permission="security.manage", result=BanView, errors=(InvalidValue,))
class AddBan(Command, frozen=True, kw_only=True):
    """Does not listen to an address for a while. Phones there that have proved their password, and trunks, go on."""

    address: Address
    port: AnyPort = 0
    """0 = all of the address."""
    duration_s: Annotated[float, Meta(gt=0, le=86400 * 30)] = 3600.0
    reason: Annotated[str, Meta(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")] = "by API"


@command("ban.remove", permission="security.manage", result=views.Done, errors=(InvalidValue,))
class RemoveBan(Command, frozen=True, kw_only=True):
    """Listens to an address again; what it did is forgotten."""

    address: Address
    port: AnyPort = 0
    """As in `ban.list`."""


@command("node.reload_tls", permission="switch.manage", result=TlsReloaded, errors=(InvalidValue,))
class ReloadTls(Command, frozen=True, kw_only=True):
    """Reads the certificate files again (SIGHUP does the same). Connections that are open stay; if a file is no good
    everything stays as it was."""
