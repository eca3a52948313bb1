"""The trail of what was done and what was tried over the control API: rows for the audit log, and alarms (RBAC-12).

Rows are chained as they are made (`model.audit`). A caller who is refused again and again cannot fill the disk: of what
he does more than `TOLD_EACH` times within a minute only each tenfold count is told.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from control.auth import Caller
from model.audit import FIRST_HASH, AuditRecord, masked, seal
from model.declare import Command, CommandSpec, Event
from model.events_security import IllegalOperation

TOLD_EACH = 20
WINDOW_S = 60.0
MAX_KEYS = 4096

_SUBJECTS = (
    "agent_id",
    "extension",
    "role",
    "queue",
    "flow",
    "group",
    "recording_id",
    "prompt",
    "monitor_id",
    "call_id",
    "member",
    "trace_id",
    "address",
    "number",
    "name",
)
"""Fields that say to what something is done; the first that is given counts."""


class AuditTrail:
    """`keep` takes each row, `publish` each alarm; neither waits. `head`: (seq, hash) of the last row there is."""

    def __init__(
        self,
        keep: Callable[[AuditRecord], None],
        publish: Callable[[Event], None],
        wall: Callable[[], float],
        head: tuple[int, str] = (0, FIRST_HASH),
    ) -> None:
        self._keep = keep
        self._publish = publish
        self._wall = wall
        self.seq, self.last_hash = head
        self.n_illegal = 0
        """Since the start."""
        self._recent: OrderedDict[tuple[str, str, str], tuple[int, float]] = OrderedDict()

    def did(
        self,
        caller: Caller,
        role: str,
        spec: CommandSpec,
        command: Command,
        *,
        problem: str = "",
        old: Any = None,
        new: Any = None,
    ) -> None:
        """An audited command was carried out, or failed for another reason than permission."""
        self._add(
            caller,
            role,
            action=spec.name,
            subject=_subject(command),
            outcome="failed" if problem else "done",
            reason=problem,
            params=masked(command),
            old_value=masked(old),
            new_value=masked(new),
        )

    def denied(
        self, caller: Caller, role: str, action: str, reason: str, *, kind: str, command: Command | None = None
    ) -> None:
        """Somebody tried what he may not. `kind`: permission, token or tampering."""
        self.n_illegal += 1
        n_times = self._count((caller.user or caller.address.rpartition(":")[0], action, kind))
        if n_times > TOLD_EACH and str(n_times).strip("0") != "1":
            return
        subject = _subject(command) if command is not None else ""
        self._add(
            caller,
            role,
            action=action,
            subject=subject,
            outcome="denied",
            reason=reason,
            params=masked(command),
            n_times=n_times,
        )
        self._publish(
            IllegalOperation(
                kind=kind,
                user=caller.user,
                address=caller.address,
                action=action,
                subject=subject,
                reason=reason,
                n_times=n_times,
                n_total=self.n_illegal,
            )
        )

    def _add(self, caller: Caller, role: str, **values: Any) -> None:
        record = AuditRecord(
            seq=self.seq + 1,
            at_utc=self._wall(),
            who=caller.user,
            role=role,
            agent_id=caller.agent,
            address=caller.address,
            **values,
        )
        record = seal(record, self.last_hash)
        self.seq, self.last_hash = record.seq, record.hash
        self._keep(record)

    def _count(self, key: tuple[str, str, str]) -> int:
        now = self._wall()
        n, since = self._recent.pop(key, (0, now))
        if now - since > WINDOW_S:
            n, since = 0, now
        while len(self._recent) >= MAX_KEYS:
            self._recent.popitem(last=False)
        self._recent[key] = n + 1, since
        return n + 1


def _subject(command: Command) -> str:
    for field in _SUBJECTS:
        value = getattr(command, field, "")
        if isinstance(value, str) and value:
            return value
    inner = next((value for name in command.__struct_fields__ if _is_struct(value := getattr(command, name))), None)
    return _subject(inner) if inner is not None else ""


def _is_struct(value: object) -> bool:
    return isinstance(value, msgspec.Struct)
