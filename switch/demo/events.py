"""What a phone tells and what it can be told: JSON lines between the phones process and whoever runs it."""

import msgspec

from switch.demo.rtp import LineStatistics


class PhoneEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something happened at a phone. Fields that do not apply are empty."""

    event: str
    """ready, registered, unregistered, registration_failed, incoming, calling, ringing, answered, held, resumed,
    held_by_peer, resumed_by_peer, refused, transfer, digit, ended, error, done."""
    phone: str = ""
    call: str = ""
    """Id of the call at this phone, unique in its process."""
    number: str = ""
    """incoming: who calls; calling: who is called."""
    dialed: str = ""
    """incoming: the number in the request, as it reached us."""
    direction: str = ""
    """in or out, as this phone sees it."""
    status: int = 0
    """SIP status, where there is one."""
    reason: str = ""
    digit: str = ""
    duration_ms: int = 0
    duration_s: float = 0.0
    """ended: from answer to end."""
    statistics: LineStatistics | None = None
    """ended: what the audio amounted to."""
    tag: str = ""
    """done, error: the `tag` of the command."""
    address: str = ""
    """ready: where the phone listens, "host:port"."""


class _Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    tag: str = ""
    """Comes back with `done` or `error`."""


class AddPhone(_Command, frozen=True, kw_only=True, tag="add_phone"):
    """Opens a phone; with a password it registers. `ready`, then `registered` follow."""

    phone: str
    """Its name, for a phone the extension number as well."""
    server: str
    """Where all it sends goes, "transport:address:port"."""
    domain: str = ""
    """Host part of its address of record; empty: the server's address."""
    host: str = "127.0.0.1"
    """Local address, for signalling and audio."""
    port: int = 0
    """Local signalling port; 0 = any."""
    password: str = ""
    """Empty: it does not register (a carrier)."""
    expires_s: int = 300
    display: str = ""
    codecs: tuple[str, ...] = ("PCMU", "PCMA")
    voice: int = 0
    """Seed of its voice."""
    tone_hz: float = 0.0
    """Speaks this tone instead; 0 = its voice."""
    answer_after_s: float = -1.0
    """Calls that come in ring this long, then are answered; negative: by `answer` alone."""
    is_carrier: bool = False
    """Takes calls to any number; several at a time."""


class Call(_Command, frozen=True, kw_only=True, tag="call"):
    phone: str
    call: str
    """Id to give to the new call."""
    number: str
    caller: str = ""
    """A carrier calls in anybody's name."""


class Answer(_Command, frozen=True, kw_only=True, tag="answer"):
    phone: str
    call: str


class Reject(_Command, frozen=True, kw_only=True, tag="reject"):
    phone: str
    call: str
    status: int = 486
    reason: str = "Busy Here"


class HangUp(_Command, frozen=True, kw_only=True, tag="hang_up"):
    phone: str
    call: str


class Hold(_Command, frozen=True, kw_only=True, tag="hold"):
    phone: str
    call: str


class Resume(_Command, frozen=True, kw_only=True, tag="resume"):
    phone: str
    call: str


class Transfer(_Command, frozen=True, kw_only=True, tag="transfer"):
    """REFER: the other party shall call `number`, or take the place of this phone in its call `replacing`."""

    phone: str
    call: str
    number: str
    replacing: str = ""


class SendDigits(_Command, frozen=True, kw_only=True, tag="send_digits"):
    phone: str
    call: str
    digits: str


class Quit(_Command, frozen=True, kw_only=True, tag="quit"):
    """Hangs up everything, unregisters, ends the process."""


PhoneCommand = AddPhone | Call | Answer | Reject | HangUp | Hold | Resume | Transfer | SendDigits | Quit
