"""Covers: the chain of the audit log under every change of it; secrets; what is noted of commands, with what was there
before and after; alarms on what is not allowed, and their number (XRBAC-02, RBAC-12).

Does not cover the table (tests/storage/test_audit.py) and the switch (tests/scenarios/test_audit.py).
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.audit import TOLD_EACH, AuditTrail
from control.auth import Caller
from model.audit import FIRST_HASH, AuditRecord, check, masked, seal
from model.commands_extensions import CreateExtension
from model.events_security import IllegalOperation
from tests.control.rig import run, running


def chain(n: int) -> list[AuditRecord]:
    records: list[AuditRecord] = []
    for seq in range(1, n + 1):
        record = AuditRecord(seq=seq, at_utc=float(seq), who=f"u{seq}", action="role.add", outcome="done")
        records.append(seal(record, records[-1].hash if records else FIRST_HASH))
    return records


class Trail:
    def __init__(self) -> None:
        self.kept: list[AuditRecord] = []
        self.alarms: list[IllegalOperation] = []
        self.now = 1000.0
        self.trail = AuditTrail(self.kept.append, self.alarms.append, lambda: self.now)  # type: ignore[arg-type]


def test_a_chain_as_it_was_made_is_whole() -> None:
    assert check(chain(20)) is None
    assert check(chain(20)[10:], 10, chain(10)[-1].hash) is None


@given(st.integers(0, 9), st.sampled_from([n for n in AuditRecord.__struct_fields__ if n not in ("seq", "hash")]))
def test_a_changed_row_is_found(at, name) -> None:
    records = chain(10)
    value = getattr(records[at], name)
    other = value + 1 if isinstance(value, float | int) else value + "x"
    records[at] = msgspec.structs.replace(records[at], **{name: other})
    fault = check(records)
    assert fault is not None
    assert fault.seq == at + 1


@given(st.integers(0, 8))
def test_a_removed_row_is_found(at) -> None:
    records = chain(10)
    del records[at]
    fault = check(records)
    assert fault is not None
    assert fault.seq == at + 1


@given(st.integers(1, 9))
def test_a_row_that_was_made_anew_with_a_right_hash_is_found_by_the_next(at) -> None:
    records = chain(10)
    forged = msgspec.structs.replace(records[at - 1], who="somebody else")
    records[at - 1] = seal(forged, forged.previous_hash)
    fault = check(records)
    assert fault is not None
    assert fault.seq == at + 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (CreateExtension(extension="1001", password="correct-horse"), '"password":"***"'),
        ({"users": [{"token_hash": "sha256:00"}]}, '{"users":[{"token_hash":"***"}]}'),
        ({"pin": ""}, '{"pin":""}'),
        (None, ""),
    ],
    ids=str,
)
def test_no_secret_gets_into_the_log(value, text) -> None:
    assert text in masked(value)
    assert "horse" not in masked(value)


def test_of_what_is_tried_again_and_again_only_tenfold_counts_are_told() -> None:
    rig = Trail()
    caller = Caller("eve", "viewer", "10.0.0.9:4000")
    for _ in range(250):
        rig.trail.denied(caller, "viewer", "role.add", "no", kind="permission")
    assert [alarm.n_times for alarm in rig.alarms] == [*range(1, TOLD_EACH + 1), 100]
    assert rig.alarms[-1].n_total == 100
    rig.now += 61.0
    rig.trail.denied(caller, "viewer", "role.add", "no", kind="permission")
    assert (rig.alarms[-1].n_times, rig.alarms[-1].n_total) == (1, 251)
    assert check(rig.kept) is None


def test_a_denied_command_is_an_alarm_and_a_row() -> None:
    async def test() -> None:
        trail = Trail()
        async with running(audit=trail.trail) as rig:
            peer = await rig.peer("viewer")
            await peer.ask("extension.delete", extension="1001")
            (row,), (alarm,) = trail.kept, trail.alarms
            assert (row.who, row.action, row.subject, row.outcome) == (
                "the viewer",
                "extension.delete",
                "1001",
                "denied",
            )
            assert row.address.startswith("127.0.0.1:")
            assert (alarm.kind, alarm.user, alarm.action) == ("permission", "the viewer", "extension.delete")

    run(test())


def test_a_wrong_token_is_an_alarm() -> None:
    async def test() -> None:
        trail = Trail()
        async with running(audit=trail.trail) as rig:
            peer = await rig.peer(None)
            await peer.ask("auth.login", token="rbk_" + "x" * 43)
            (alarm,) = trail.alarms
            assert (alarm.kind, alarm.user, alarm.action) == ("token", "", "auth.login")
            assert "xxx" not in trail.kept[0].params

    run(test())


@pytest.mark.parametrize(
    ("method", "params", "outcome"),
    [
        ("extension.delete", {"extension": "1001"}, "done"),
        ("recording.get", {"recording_id": "r"}, "done"),
        ("monitor.start", {"supervisor": "1003", "extension": "1001"}, "done"),
        ("node.reload_tls", {}, "done"),
        ("role.remove", {"role": "x"}, "done"),
        ("system.drain", {}, "failed"),
    ],
)
def test_what_changes_or_listens_is_noted(method, params, outcome) -> None:
    async def test() -> None:
        trail = Trail()
        async with running(audit=trail.trail) as rig:
            peer = await rig.peer("administrator")
            await peer.ask(method, **params)
            (row,) = trail.kept
            assert (row.who, row.role, row.action, row.outcome) == (
                "the administrator",
                "administrator",
                method,
                outcome,
            )
            assert not trail.alarms

    run(test())


@pytest.mark.parametrize(
    ("method", "params"), [("trunk.list", {}), ("call.hangup", {"call_id": "c"}), ("monitor.list", {})]
)
def test_what_changes_no_settings_and_listens_to_nobody_is_not_noted(method, params) -> None:
    async def test() -> None:
        trail = Trail()
        async with running(audit=trail.trail) as rig:
            peer = await rig.peer("administrator")
            await peer.ask(method, **params)
            assert not trail.kept

    run(test())
