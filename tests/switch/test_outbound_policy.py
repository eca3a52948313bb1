"""switch/outbound_policy.py and outbound_history.py: what a number is for what it costs, and the limits of an account.

That forwarding, transfers and the API are under the same limits is in tests/scenarios/test_toll_fraud.py.
"""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.causes import HangupCause
from model.records import CallRecord
from storage.storage import Storage
from switch.config_security import Outbound
from switch.outbound_history import recall_usage
from switch.outbound_policy import HOUR_S, OutboundPolicy, number_kind

NOON = 1_800_000_000.0


class Payer(msgspec.Struct, kw_only=True):
    number: str = "1001"
    may_call_external: bool = True
    may_call_international: bool = False
    max_outbound_calls: int = 0
    max_outbound_calls_per_day: int = 0
    max_outbound_minutes_per_day: int = 0


class Leg(msgspec.Struct):
    leg_id: str
    answered_utc: float = 0.0


@pytest.mark.parametrize(
    ("number", "region", "full", "is_abroad", "is_premium"),
    [
        ("13800138000", "CN", "+8613800138000", False, False),
        ("02188886666", "CN", "+862188886666", False, False),
        ("10086", "CN", "10086", False, False),
        ("008613800138000", "CN", "+8613800138000", False, False),
        ("0014155550100", "CN", "+14155550100", True, False),
        ("+442079460018", "CN", "+442079460018", True, False),
        ("00881612345678", "CN", "+881612345678", True, False),
        ("0099912345", "CN", "0099912345", True, False),
        ("+9991", "CN", "+9991", True, False),
        ("01144207946001", "US", "+44207946001", True, False),
        ("2125550123", "US", "+12125550123", False, False),
        ("8765550123", "US", "+18765550123", True, False),
        ("18761110000", "US", "+18761110000", True, False),
        ("19005551234", "US", "+19005551234", False, True),
        ("09012345678", "GB", "+449012345678", False, True),
        ("*97", "CN", "*97", False, False),
    ],
)
def test_what_a_number_is(number, region, full, is_abroad, is_premium):
    kind = number_kind(number, region)
    assert (kind.is_abroad, kind.is_premium) == (is_abroad, is_premium)
    if kind.is_abroad and kind.full.startswith("+"):
        assert kind.full == full


@pytest.mark.parametrize(
    ("limits", "payer", "number", "why"),
    [
        ({}, {}, "13800138000", ""),
        ({}, {"may_call_external": False}, "13800138000", "may not call by trunk"),
        ({}, {}, "0014155550100", "abroad"),
        ({}, {"may_call_international": True}, "0014155550100", ""),
        ({}, {"may_call_international": True}, "00881612345678", "closed"),
        ({}, {"may_call_international": True}, "00882133000000", "closed"),
        ({"closed_prefixes": ()}, {"may_call_international": True}, "00881612345678", ""),
        ({"international_prefixes": ("+44",)}, {"may_call_international": True}, "00442079460018", ""),
        ({"international_prefixes": ("+44",)}, {"may_call_international": True}, "0014155550100", "not in"),
        ({"international_prefixes": ("+44",)}, {}, "00442079460018", "abroad"),
        ({}, None, "13800138000", ""),
        ({}, None, "0014155550100", "abroad"),
        ({"may_call_international": True}, None, "0014155550100", ""),
        ({"may_call_international": True}, {}, "0014155550100", "abroad"),
    ],
)
def test_closed_numbers(limits, payer, number, why):
    policy = OutboundPolicy(Outbound(**limits), "CN")
    barred = policy.refusal(Payer(**payer) if payer is not None else None, number, NOON)
    assert (barred is not None and why in barred.why) if why else barred is None
    if barred is not None:
        assert barred.cause is HangupCause.OUTGOING_CALL_BARRED


@pytest.mark.parametrize(("is_open", "why"), [(False, "premium"), (True, "")])
def test_premium_rate_numbers(is_open, why):
    policy = OutboundPolicy(Outbound(may_call_premium=is_open), "US")
    barred = policy.refusal(Payer(), "19005551234", NOON)
    assert (barred.why if barred else "").count(why) and (barred is None) is is_open


def test_calls_at_one_time_per_extension_and_its_own_limit():
    policy = OutboundPolicy(Outbound(max_calls=2), "CN")
    for name in ("a", "b"):
        assert policy.refusal(Payer(), "13800138000", NOON) is None
        policy.leg_started("1001", Leg(name), NOON, is_new_call=True)
    assert "max_calls" in policy.refusal(Payer(), "13800138000", NOON).why
    assert policy.refusal(Payer(number="1002"), "13800138000", NOON) is None
    assert policy.refusal(Payer(max_outbound_calls=3), "13800138000", NOON) is None
    policy.leg_ended("1001", Leg("a"), NOON)
    policy.leg_ended("1001", Leg("a"), NOON)
    assert policy.refusal(Payer(), "13800138000", NOON) is None
    assert policy.refusal(Payer(max_outbound_calls=1), "13800138000", NOON) is not None


def test_calls_within_a_day_fall_out_after_24_hours_not_at_midnight():
    policy = OutboundPolicy(Outbound(max_calls_per_day=3), "CN")
    for n in range(3):
        leg = Leg(str(n))
        policy.leg_started("1001", leg, NOON + n * HOUR_S, is_new_call=True)
        policy.leg_ended("1001", leg, NOON + n * HOUR_S)
    assert "max_calls_per_day" in policy.refusal(Payer(), "13800138000", NOON + 22 * HOUR_S).why
    assert policy.refusal(Payer(), "13800138000", NOON + 24 * HOUR_S) is None


def test_minutes_count_while_they_are_spoken():
    policy = OutboundPolicy(Outbound(max_minutes_per_day=10), "CN")
    leg = Leg("a")
    policy.leg_started("1001", leg, NOON, is_new_call=True)
    assert policy.refusal(Payer(), "13800138000", NOON + 700) is None
    leg.answered_utc = NOON + 60
    assert policy.refusal(Payer(), "13800138000", NOON + 60 + 599) is None
    assert "max_minutes_per_day" in policy.refusal(Payer(), "13800138000", NOON + 60 + 600).why
    policy.leg_ended("1001", leg, NOON + 60 + 600)
    assert "max_minutes_per_day" in policy.refusal(Payer(), "13800138000", NOON + HOUR_S).why


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.floats(0, 90_000)), max_size=30))
def test_what_is_live_is_what_started_and_did_not_end(steps):
    policy = OutboundPolicy(Outbound(), "CN")
    live = set()
    wall = NOON
    for name, is_start, pause in steps:
        wall += pause
        if is_start:
            policy.leg_started("1001", Leg(name, wall), wall, is_new_call=True)
            live.add(name)
        else:
            policy.leg_ended("1001", Leg(name, wall), wall)
            live.discard(name)
    usage = policy.usage.get("1001")
    assert set(usage.live if usage else ()) == live
    if usage:
        n_calls, spoken_s = usage.within_a_day(wall)
        assert n_calls <= len(steps) and spoken_s >= 0 and len(usage.hours) <= 24


def test_a_restart_forgets_nothing(tmp_path):
    async def main():
        storage = await Storage.open(f"sqlite+aiosqlite:///{tmp_path}/calls.db", folder=tmp_path)
        for n, (extension, age_h, talk_s) in enumerate([("1001", 1, 300.0), ("1001", 30, 999.0), ("", 1, 5.0)]):
            created = NOON - age_h * HOUR_S
            storage.put(
                CallRecord(
                    call_id=f"c{n}", direction="outbound", caller="1001", dialed="9", extension=extension,
                    created_utc=created, ended_utc=created + talk_s, duration_s=talk_s, talk_s=talk_s,
                    answered_utc=created, hangup_cause="NORMAL_CLEARING",
                )
            )  # fmt: skip
        await storage.flush()
        policy = OutboundPolicy(Outbound(), "CN")
        await recall_usage(storage, policy, NOON)
        await storage.close()
        assert {name: usage.within_a_day(NOON) for name, usage in policy.usage.items()} == {"1001": (1, 300.0)}

    asyncio.run(main())
