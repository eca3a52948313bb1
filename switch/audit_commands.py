"""Handlers of `model.commands_audit`: the audit log is read, and its chain looked at."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from control.auth import Caller
from model import errors
from model.audit import FIRST_HASH, Fault, check
from model.commands_audit import AuditList, AuditState, ListAudit, VerifyAudit
from model.declare import Command
from storage.errors import CursorError, UnavailableError
from storage.filters import AuditFilter

if TYPE_CHECKING:
    from switch.app import App


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    handlers = AuditCommands(app)
    return {ListAudit: handlers.list, VerifyAudit: handlers.verify}


class AuditCommands:
    def __init__(self, app: "App") -> None:
        self._app = app

    async def list(self, command: ListAudit, caller: Caller) -> AuditList:
        criteria = AuditFilter(
            start_utc=command.start_utc,
            end_utc=command.end_utc,
            who=command.who,
            action=command.action,
            subject=command.subject,
            outcome=command.outcome,
        )
        await self._app.flush_records()
        try:
            page = await self._app.storage.audit.find(criteria, after=command.cursor, limit=command.limit)
        except CursorError as error:
            raise errors.InvalidValue(str(error), field="cursor") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        return AuditList(records=page.items, cursor=page.after)

    async def verify(self, command: VerifyAudit, caller: Caller) -> AuditState:
        trail = self._app.audit
        expected, last_hash = trail.seq, trail.last_hash
        await self._app.flush_records()
        seq, found_hash = 0, FIRST_HASH
        fault: Fault | None = None
        try:
            async for page in self._app.storage.audit.pages():
                page = [record for record in page if record.seq <= expected]
                fault = check(page, seq, found_hash)
                if fault is not None or not page:
                    break
                seq, found_hash = page[-1].seq, page[-1].hash
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        if fault is None and (seq, found_hash) != (expected, last_hash):
            fault = Fault(seq=seq + 1, what=f"rows {seq + 1} to {expected} are missing or were made anew")
        if fault is None:
            return AuditState(is_whole=True, n_rows=seq, last_hash=last_hash)
        trail.denied(Caller("", ""), "", "audit.verify", fault.what, kind="tampering")
        return AuditState(is_whole=False, n_rows=seq, last_hash=last_hash, fault_seq=fault.seq, fault=fault.what)
