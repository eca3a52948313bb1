"""switch/guard.py, security_events.py, security_log.py, bounded_table.py: who is known, slowed, locked out, banned.

What strangers are answered is in tests/scenarios/test_strangers.py; real scanners in tests/live/test_attacks.py.
"""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.flow import Flow
from switch.bounded_table import BoundedTable
from switch.config_security import Security
from switch.guard import KNOWN_S, MAX_LOCK_S, Guard, Verdict
from switch.security_events import KINDS, SecurityEvent, line_of
from switch.security_log import SecurityLog

HERE = Flow("udp", "192.0.2.9", 5060)
NEXT_DOOR = Flow("udp", "192.0.2.9", 41000)
TRUNK = Flow("udp", "192.0.2.1", 5060)


class Rig:
    def __init__(self, **settings):
        self.told: list[SecurityEvent] = []
        self.guard = Guard(Security(**settings), self.told.append, lambda flow: flow == TRUNK)

    def kinds(self):
        return [event.kind for event in self.told]


def test_a_stranger_is_slowed_down_told_so_and_then_not_heard_and_others_do_not_notice():
    rig = Rig(stranger_rate=10.0)
    verdicts = [rig.guard.sort(HERE, 0.0) for _ in range(400)]
    assert verdicts[:30] == [Verdict.STRANGER] * 30
    assert verdicts[30:140] == [Verdict.BUSY] * 110 and set(verdicts[160:]) == {Verdict.DROP}
    assert rig.kinds() == ["flood"]
    assert rig.guard.sort(Flow("udp", "192.0.2.10", 5060), 0.0) is Verdict.STRANGER
    assert rig.guard.sort(TRUNK, 0.0) is Verdict.KNOWN
    assert rig.guard.sort(HERE, 60.0) is Verdict.STRANGER


def test_who_floods_on_is_banned_but_not_for_what_all_do_together():
    rig = Rig(stranger_rate=10.0, strangers_rate=20.0)
    while not rig.guard.bans(0.0):
        rig.guard.sort(HERE, 0.0)
    assert rig.kinds() == ["flood", "ban"] and rig.guard.counters.n_busy > 100
    for n in range(5000):
        rig.guard.sort(Flow("udp", f"198.51.{n // 250}.{n % 250}", 5060), 0.0)
    assert len(rig.guard.bans(0.0)) == 1


def test_all_strangers_together_are_limited_but_not_streams_nor_phones():
    rig = Rig(strangers_rate=100.0)
    phone = Flow("udp", "192.0.2.77", 5060)
    rig.guard.proved(phone, "1001", 0.0)
    verdicts = [rig.guard.sort(Flow("udp", f"198.51.{n // 250}.{n % 250}", 5060), 0.0) for n in range(5000)]
    assert verdicts.count(Verdict.STRANGER) == 300 and Verdict.DROP in verdicts
    assert rig.guard.sort(phone, 0.0) is Verdict.KNOWN
    assert rig.guard.sort(Flow("tcp", "203.0.113.5", 40000, 0, 7), 0.0) is Verdict.STRANGER


def test_a_known_phone_is_forgotten_when_it_stays_away():
    rig = Rig()
    rig.guard.proved(HERE, "1001", 0.0)
    assert rig.guard.sort(HERE, KNOWN_S - 1) is Verdict.KNOWN
    assert rig.guard.sort(HERE, KNOWN_S + 1) is Verdict.STRANGER


def test_wrong_passwords_lock_out_longer_and_longer_and_the_right_one_in_time_ends_it():
    rig = Rig(lock_after=3, lock_s=10.0, ban_after=100_000)
    now, pauses = 0.0, []
    for n in range(1, 16):
        rig.guard.failed(HERE, "1001", "REGISTER", now, is_verified=True)
        assert rig.guard.is_locked(HERE, "1001", now) is (n >= 3)
        began = now
        while rig.guard.is_locked(HERE, "1001", now):
            now += 1.0
        pauses.append(now - began)
    assert pauses[:6] == [0, 0, 10, 20, 40, 80] and pauses[-1] == MAX_LOCK_S
    assert not rig.guard.is_locked(HERE, "1002", began) and not rig.guard.is_locked(TRUNK, "1001", began)
    rig.guard.proved(NEXT_DOOR, "1001", now)
    rig.guard.failed(HERE, "1001", "REGISTER", now, is_verified=True)
    assert not rig.guard.is_locked(HERE, "1001", now)


def test_a_phone_in_use_is_not_locked_out_by_another_program_at_its_address():
    rig = Rig(lock_after=1)
    rig.guard.proved(HERE, "1001", 0.0)
    rig.guard.failed(NEXT_DOOR, "1001", "REGISTER", 1.0, is_verified=False)
    assert rig.guard.is_locked(NEXT_DOOR, "1001", 1.0) and not rig.guard.is_locked(HERE, "1001", 1.0)


@pytest.mark.parametrize("user", ["1001", "no such user"])
def test_bans_come_and_go_and_come_back_longer(user):
    rig = Rig(ban_after=5, ban_s=100.0)
    for _ in range(5):
        assert rig.guard.sort(HERE, 0.0) is Verdict.STRANGER
        rig.guard.failed(HERE, user, "REGISTER", 0.0, is_verified=True)
    assert rig.guard.sort(NEXT_DOOR, 1.0) is Verdict.DROP
    [(place, ban)] = rig.guard.bans(1.0)
    assert (place, ban.until, ban.n_dropped) == ((HERE.host, 0), 100.0, 1)
    assert rig.guard.sort(HERE, 101.0) is Verdict.STRANGER and rig.guard.bans(101.0) == []
    for _ in range(5):
        rig.guard.failed(HERE, user, "REGISTER", 200.0, is_verified=True)
    [(_, ban)] = rig.guard.bans(200.0)
    assert (ban.until, ban.n_times) == (400.0, 2)
    assert rig.guard.unban((HERE.host, 0), 201.0) and not rig.guard.unban((HERE.host, 0), 201.0)
    assert rig.guard.sort(HERE, 201.0) is Verdict.STRANGER


def test_where_a_phone_is_in_use_only_the_offenders_port_is_banned():
    rig = Rig(ban_after=3)
    rig.guard.proved(HERE, "1001", 0.0)
    for _ in range(3):
        rig.guard.failed(NEXT_DOOR, "1002", "REGISTER", 1.0, is_verified=False)
    assert rig.guard.sort(NEXT_DOOR, 1.0) is Verdict.DROP
    assert rig.guard.sort(HERE, 1.0) is Verdict.KNOWN
    assert rig.guard.sort(NEXT_DOOR._replace(port=41001), 1.0) is Verdict.STRANGER


def test_a_known_phone_is_never_banned_whatever_it_does():
    rig = Rig(ban_after=2)
    rig.guard.proved(HERE, "1001", 0.0)
    for _ in range(50):
        rig.guard.failed(HERE, "1001", "INVITE", 1.0, is_verified=True)
        rig.guard.misbehaved("forbidden_method", HERE, "NOTIFY", 1.0)
    assert not rig.guard.is_scanner(HERE, ("friendly-scanner",), "OPTIONS", 1.0)
    assert rig.guard.sort(HERE, 1.0) is Verdict.KNOWN and rig.guard.bans(1.0) == []


@pytest.mark.parametrize(("networks", "is_banned"), [((), True), (("192.0.2.0/24",), False), (("192.0.2.9",), False)])
def test_scanners_are_banned_at_once_but_not_from_networks_of_ours(networks, is_banned):
    rig = Rig(never_ban=networks)
    assert rig.guard.is_scanner(HERE, ("Friendly-Scanner", "<sip:100@x>"), "OPTIONS", 0.0)
    assert (rig.guard.sort(HERE, 0.0) is Verdict.DROP) is is_banned
    assert not rig.guard.is_scanner(TRUNK, ("friendly-scanner",), "OPTIONS", 0.0)
    assert not rig.guard.is_scanner(NEXT_DOOR, ("Yealink SIP-T46S", "<sip:1001@x>"), "REGISTER", 0.0)


def test_asking_for_many_names_and_proving_none_is_enumeration():
    rig = Rig(ban_after=20)
    for n in range(100):
        rig.guard.challenged(HERE, str(n), "REGISTER", n * 0.1)
    assert "enumeration" in rig.kinds() and rig.guard.sort(HERE, 10.0) is Verdict.DROP


def test_an_office_that_registers_all_its_phones_at_once_is_not():
    rig = Rig(ban_after=20)
    for n in range(120):
        rig.guard.challenged(HERE._replace(port=20000 + n), str(n), "REGISTER", 0.0)
    for n in range(120):
        rig.guard.proved(HERE._replace(port=20000 + n), str(n), 0.1)
    for n in range(120):
        rig.guard.challenged(HERE._replace(port=30000 + n), str(n), "REGISTER", 7.0)
        rig.guard.proved(HERE._replace(port=30000 + n), str(n), 7.1)
    assert rig.told == []


def test_a_phone_with_a_wrong_name_that_tries_now_and_then_is_not():
    rig = Rig()
    for n in range(1000):
        rig.guard.challenged(HERE, "1001", "REGISTER", n * 60.0)
    assert rig.guard.bans(60_000.0) == []


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3)), max_size=200))
def test_tables_never_grow_past_their_size(steps):
    table: BoundedTable[int, int] = BoundedTable(8)
    newest: list[int] = []
    for key, kind in steps:
        if kind == 0:
            found = table.look_up(key)
            assert (found is not None) == (key in newest)
            if found is None:
                continue
        else:
            table[key] = 1
        newest = [*(k for k in newest if k != key), key][-8:]
        assert list(table) == newest


HOSTILE = 'x" source=203.0.113.1 port=1\r\nringback SECURITY event=ban source=203.0.113.1 \x1b[31m'


def test_a_line_cannot_be_forged_by_what_a_stranger_writes():
    event = SecurityEvent(
        kind="scanner", source="192.0.2.9", port=5060, transport="udp", method="OPTIONS", user=HOSTILE, detail=HOSTILE
    )
    line = line_of(event, "node", "2026-01-01T00:00:00.000Z")
    assert line.isprintable() and line.count('"') == 4
    assert re.findall(r"SECURITY event=(\w+) source=(\S+)", line)[0] == ("scanner", "192.0.2.9")
    assert re.fullmatch(
        r"\S+Z node SECURITY event=scanner source=192\.0\.2\.9 port=5060 transport=udp known=no verified=no "
        r'method=OPTIONS user="[^"]*" detail="[^"]*"',
        line,
    )


def test_the_log_is_written_opened_again_after_rotation_and_readable_by_few(tmp_path):
    path = tmp_path / "data" / "security.log"
    log = SecurityLog(path, "node")
    event = SecurityEvent(kind="ban", source="192.0.2.9", port=0, transport="udp")
    log.write(event)
    log.close()
    assert path.stat().st_mode & 0o007 == 0
    rotated = path.rename(path.with_suffix(".1"))
    log = SecurityLog(path, "node")
    log.write(event)
    log.close()
    assert [len(file.read_text().splitlines()) for file in (rotated, path)] == [1, 1]
    assert event.kind in KINDS
