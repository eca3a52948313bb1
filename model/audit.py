"""The audit log: who did or tried what, when, from where (XRBAC-02). Rows are chained by hashes, so that one that was
changed, removed or put in afterwards is found. Pure.

Each row's hash covers the row and the hash before it. Who can write the database could make the whole chain anew: keep
the last hash (`audit.verify` tells it) somewhere else from time to time.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

SECRETS = frozenset(
    ("password", "token", "token_hash", "secret", "pin", "moderator_pin", "pin_hash", "digits", "ha1_md5", "ha1_sha256")
)
"""Fields whose values never go into a log."""
HIDDEN = "***"
MAX_VALUE = 16_384
"""Characters of what is kept of one value."""
FIRST_HASH = "0" * 64


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that somebody did or tried."""

    seq: int
    """1, 2, 3 …"""
    at_utc: float
    who: str
    """User of the control API; empty: nobody who is known."""
    role: str = ""
    agent_id: str = ""
    address: str = ""
    """Where from, "host:port"."""
    action: str
    """Name of the command, "auth.login" for a wrong token, "audit.verify" for a broken chain."""
    subject: str = ""
    """Extension, role, agent, recording … that it was done to."""
    outcome: str
    """done; denied: not allowed; failed: refused for another reason."""
    reason: str = ""
    """Why it was not done."""
    params: str = ""
    """What was asked for, JSON; secrets are "***"."""
    old_value: str = ""
    """What was changed, before, JSON; empty: nothing, or it is not known."""
    new_value: str = ""
    """And afterwards."""
    n_times: int = 1
    """How often within the last minute, this time included (denied only)."""
    previous_hash: str = ""
    hash: str = ""
    """SHA-256, hex."""


def hash_of(record: AuditRecord) -> str:
    """What the hash of a row must be."""
    fields = [getattr(record, name) for name in AuditRecord.__struct_fields__ if name != "hash"]
    return hashlib.sha256(msgspec.json.encode(fields)).hexdigest()


def seal(record: AuditRecord, previous_hash: str) -> AuditRecord:
    """The row as the next one of the chain."""
    record = msgspec.structs.replace(record, previous_hash=previous_hash)
    return msgspec.structs.replace(record, hash=hash_of(record))


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chain is broken."""

    seq: int
    what: str


def check(records: Iterable[AuditRecord], seq: int = 0, last_hash: str = FIRST_HASH) -> Fault | None:
    """The first fault in rows in order that follow the row `seq` with its hash; None: there is none."""
    for record in records:
        seq += 1
        if record.seq != seq:
            return Fault(seq=seq, what=f"row {seq} is missing; row {record.seq} follows")
        if record.previous_hash != last_hash:
            return Fault(seq=seq, what=f"row {seq} does not follow from the row before it")
        last_hash = hash_of(record)
        if record.hash != last_hash:
            return Fault(seq=seq, what=f"row {seq} was changed")
    return None


def masked(value: Any) -> str:
    """A value as JSON without its secrets, cut off where it is too long; empty for None."""
    if value is None:
        return ""
    text = msgspec.json.encode(_without_secrets(msgspec.to_builtins(value))).decode()
    return text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "…"


def _without_secrets(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: HIDDEN if name in SECRETS and inner else _without_secrets(inner) for name, inner in value.items()
            }
        case list() | tuple():
            return [_without_secrets(inner) for inner in value]
        case _:
            return value
