"""Commands on the audit log. `switch/audit_commands.py` handles them; nothing changes or removes a row."""

from typing import Literal

from model import views
from model.audit import AuditRecord
from model.commands import Cursor, Instant, Limit, OptionalText
from model.declare import Command, command
from model.errors import InvalidValue, StorageUnavailable


class AuditList(views.View, frozen=True, kw_only=True):
    """Rows of the audit log."""

    records: list[AuditRecord]
    cursor: str = ""
    """For the next page; empty: this was the last."""


class AuditState(views.View, frozen=True, kw_only=True):
    """Whether the audit log is whole."""

    is_whole: bool
    n_rows: int
    """Rows that were looked at."""
    last_hash: str
    """Of the last row that was written. Kept elsewhere, it shows later that nothing before it was changed."""
    fault_seq: int = 0
    """The first row that is missing or was changed; 0: none."""
    fault: str = ""


@command("audit.list", permission="audit.view", result=AuditList, errors=(StorageUnavailable, InvalidValue))
class ListAudit(Command, frozen=True, kw_only=True):
    """Who did or tried what, the latest first; filters are combined."""

    start_utc: Instant = 0.0
    """At this instant or later."""
    end_utc: Instant = 0.0
    """Before this instant; 0 = no end."""
    who: OptionalText = ""
    """User of the control API."""
    action: OptionalText = ""
    """Name of a command, or "role." for all that begin so."""
    subject: OptionalText = ""
    """What it was done to: an extension, role, agent, recording …"""
    outcome: Literal["", "done", "denied", "failed"] = ""
    """Empty = all."""
    limit: Limit = 100
    cursor: Cursor = ""
    """From the page before."""


@command("audit.verify", permission="audit.view", result=AuditState, errors=(StorageUnavailable,))
class VerifyAudit(Command, frozen=True, kw_only=True):
    """Looks at the whole chain of rows: whether one was changed or is missing. A broken one raises the alarm
    `security.illegal_operation`."""
