"""Whole switch, virtual time: the audit log is read by command, and tampering with it is found and told (XRBAC-02,
RBAC-12).
"""

import msgspec
import pytest

from control.auth import Caller
from model import errors
from model.commands_audit import ListAudit, VerifyAudit
from model.commands_roles import AddRole
from model.declare import command_spec
from model.events_security import IllegalOperation
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import ROOT, SimApp


def some(app: SimApp, n: int) -> None:
    for i in range(n):
        app.audit.did(ROOT, "administrator", command_spec(AddRole), AddRole(role=f"r{i}"))


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (lambda rows: None, ""),
        (lambda rows: rows.__setitem__(2, msgspec.structs.replace(rows[2], who="nobody")), "row 2 was changed"),
        (lambda rows: rows.__delitem__(2), "row 2 is missing"),
        (lambda rows: rows.__delitem__(4), "rows 4 to 4 are missing"),
        (lambda rows: rows.clear(), "rows 1 to 4 are missing"),
    ],
    ids=["whole", "changed", "removed", "end removed", "all removed"],
)
def test_tampering_is_found_and_told(tamper, says):
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        some(app, 4)
        tamper(switch.storage.audit.rows)
        state = await app.do(VerifyAudit())
        assert state.is_whole is (not says)
        assert says in state.fault
        alarms = [event for event in app.published if isinstance(event, IllegalOperation)]
        assert [alarm.kind for alarm in alarms] == (["tampering"] if says else [])
        await switch.close()

    run_virtual(main())


def test_the_log_is_read_by_who_may_and_by_nobody_else():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        some(app, 3)
        page = await app.do(ListAudit(limit=2))
        assert [(row.who, row.action, row.subject) for row in page.records] == [
            ("root", "role.add", "r2"),
            ("root", "role.add", "r1"),
        ]
        assert [row.subject for row in (await app.do(ListAudit(cursor=page.cursor))).records] == ["r0"]
        with pytest.raises(errors.PermissionDenied):
            await app.do(ListAudit(), Caller("sue", "supervisor"))
        with pytest.raises(errors.InvalidValue):
            await app.do(ListAudit(cursor="x"))
        await switch.close()

    run_virtual(main())
