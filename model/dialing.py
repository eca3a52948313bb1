"""Records of campaigns and attempts to call them, as they are stored and as the dialler holds them."""

import msgspec

from model.campaigns import AttemptResult, RecordStatus


class RecordNumber(msgspec.Struct, kw_only=True):
    """One of the numbers of a record (at most ten), in the order in which they are tried (XOUT-09)."""

    number: str
    """As it is dialled, cleaned; E.164 with "+" where it is a telephone number."""
    label: str = ""
    """mobile, home, work … as imported."""
    zone: str = ""
    """IANA time zone; "" = not known."""
    area: str = ""
    n_attempts: int = 0
    n_by_result: dict[str, int] = {}
    last_utc: float = 0.0
    last_result: AttemptResult = ""
    is_bad: bool = False
    """Invalid, wrong or on a do-not-call list: not tried any more."""


class CampaignRecord(msgspec.Struct, kw_only=True):
    """Somebody who is to be called (名单). Mutable: the dialler counts in it what it stores."""

    record_id: str
    campaign: str
    list_name: str = ""
    """The import it came with."""
    row: int = 0
    """There."""
    status: RecordStatus = "new"
    name: str = ""
    numbers: list[RecordNumber] = []
    data: dict[str, str] = {}
    """Whatever else the list says of him; shown to agents and known to flows."""
    customer_id: str = ""
    owner: str = ""
    """Agent whom it is distributed to (preview); "" = nobody's."""
    priority: int = 0
    """Higher first."""
    has_consent: bool = False
    n_attempts: int = 0
    day: str = ""
    """Day by his own clock ("2026-11-28") of `n_today`."""
    n_today: int = 0
    n_connected: int = 0
    """Attempts at which an agent or flow had him."""
    next_utc: float = 0.0
    """Not dialled by the dialler before."""
    deferred: str = ""
    """Why `next_utc`: retry, hours, callback, day_limit, redial_ban."""
    last_utc: float = 0.0
    last_number: str = ""
    last_result: AttemptResult = ""
    reason: str = ""
    """Why it is done, failed or dnc, in a word: attempts_used, no_number, no_consent, dnc, wrong_number, or the
    disposition."""
    callback_utc: float = 0.0
    callback_owner: str = ""
    """Agent who promised it; "" = whoever is free."""
    callback_note: str = ""
    disposition: str = ""
    note: str = ""
    agent_id: str = ""
    """Who spoke to him last."""
    created_utc: float = 0.0
    updated_utc: float = 0.0


NOT_DIALLED = frozenset(("not_running", "no_agents", "hours", "trunk_trouble", "lines_full"))
"""Causes of attempts that were cancelled between being stored and being dialled: nobody was called."""


class Attempt(msgspec.Struct, kw_only=True):
    """One call to one number of a record. In the database before it is dialled."""

    attempt_id: str
    """Also the id of its call."""
    campaign: str
    record_id: str
    number: str
    mode: str
    position: int = 0
    """Of the number in the record."""
    caller_id: str = ""
    agent_id: str = ""
    started_utc: float
    rang_utc: float = 0.0
    answered_utc: float = 0.0
    connected_utc: float = 0.0
    """An agent or flow had him."""
    ended_utc: float = 0.0
    talk_s: float = 0.0
    result: AttemptResult = ""
    cause: str = ""
    sip_status: int = 0
    verdict: str = ""
    """Of AMD: human, machine, not_sure …; "" = it was not asked."""
    evidence: str = ""
    """The rule by which AMD decided: beep, long_greeting, short_greeting …"""
    is_dropped: bool = False
    """Answered by a person, and no agent within `patience_s`: the legal definition of abandoned."""
    disposition: str = ""
    zone: str = ""
    """The time zone by whose clock he might be called; "" = that of the campaign, else the company's."""
    is_promised: bool = False
    """The call had been promised him for its time."""
    message_utc: float = 0.0
    """When he, or his machine, was played the message of the campaign."""


class DncEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A number that is not called: by a campaign, or by none."""

    number: str
    """E.164 with "+", or the beginning of one."""
    campaign: str = ""
    """ "" = by none."""
    is_prefix: bool = False
    """All numbers that begin so: an area."""
    reason: str = ""
    source: str = ""
    """The import it came with, "agent", "api" …"""
    added_by: str = ""
    added_utc: float = 0.0
    expires_utc: float = 0.0
    """Called again from then on; 0 = never."""


class PacingEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of how many to call, with what it was made from."""

    campaign: str
    at_utc: float
    n_dials: int
    reason: str
    inputs: dict[str, float]
