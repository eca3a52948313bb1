"""Whole switch, virtual time: channels by direction, calls per second, groups, numbers as a trunk writes them, and
emergency calls that pass every limit and may take a channel. The choice inside a group is in
tests/switch/test_trunk_groups.py."""

import asyncio

import pytest

from model.events_outbound import CallEmergency
from switch.phases.route import plan
from switch.ring_plan import Ringing
from switch.routing import Origin
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual


def with_options(options: str) -> str:
    return EXTENSIONS + TRUNKS.replace('name = "carrier"\n', f'name = "carrier"\n{options}\n', 1)


async def end_all(switch):
    for phone in switch.phones:
        for call in list(phone.agent.calls):
            phone.agent.hang_up(call)
    await switch.until(lambda: not switch.core.calls.calls)
    await switch.close()


@pytest.mark.parametrize("limit", ["max_channels_in = 1", "max_channels = 1"])
def test_a_trunk_brings_no_more_calls_than_it_may(limit):
    async def main():
        switch = SimSwitch(SimNet(), with_options(limit))
        carrier = switch.carrier()
        phone = await switch.phone("1001", answer_after_s=0.0)
        carrier.call("02188886666")
        await carrier.wait("answered")
        second = carrier.call("02188886666")
        assert (await carrier.wait("ended", call=second.id)).status == 503
        assert (await switch.cdr()).hangup_cause == "NORMAL_CIRCUIT_CONGESTION"
        for call in list(phone.agent.calls.values()):
            phone.agent.hang_up(call.id)
        await switch.cdr(2)
        third = carrier.call("02188886666")
        await carrier.wait("answered", call=third.id)
        await end_all(switch)

    run_virtual(main())


def test_each_direction_has_channels_of_its_own():
    async def main():
        switch = SimSwitch(SimNet(), with_options("max_channels_in = 1\nmax_channels_out = 1"))
        carrier, spare = switch.carrier(answer_after_s=0.0), switch.carrier("10.0.1.2", answer_after_s=0.0)
        await switch.phone("1001", answer_after_s=0.0)
        phones = [await switch.phone("1002"), await switch.phone("1003")]
        carrier.call("02188886666")
        await carrier.wait("answered")
        for phone in phones:
            phone.call("913800138000")
            await phone.wait("answered")
        assert "incoming" in carrier.names() and "incoming" in spare.names()
        trunk = switch.core.directory.trunks["carrier"]
        assert (trunk.n_in, trunk.n_calls) == (1, 2)
        await end_all(switch)
        assert (trunk.n_in, trunk.n_calls) == (0, 0)

    run_virtual(main())


def test_calls_above_the_rate_of_a_trunk_take_the_next_one_at_once():
    async def main():
        switch = SimSwitch(SimNet(), with_options("max_calls_per_second = 2.0"))
        carrier, spare = switch.carrier(answer_after_s=0.0), switch.carrier("10.0.1.2", answer_after_s=0.0)
        phones = [await switch.phone(str(number)) for number in (1001, 1002, 1003, 1004)]
        started = switch.loop.time()
        for phone in phones:
            phone.call("913800138000")
        for phone in phones:
            await phone.wait("answered")
        assert switch.loop.time() - started < 0.5
        assert [one.names().count("incoming") for one in (carrier, spare)] == [2, 2]
        assert switch.core.directory.trunks["carrier"].calls_skipped == 2
        for phone in phones:
            phone.agent.hang_up(phone.the_call.id)
            await phone.wait("ended")
        await asyncio.sleep(1.0)
        phones[0].call("913800138000")
        await phones[0].wait("answered")
        assert carrier.names().count("incoming") == 3
        await end_all(switch)

    run_virtual(main())


def test_congestion_is_said_when_every_trunk_has_had_its_calls_of_this_second():
    async def main():
        rate = "max_calls_per_second = 0.5\n"
        config = EXTENSIONS + TRUNKS.replace("port = 5060\n", "port = 5060\n" + rate)
        switch = SimSwitch(SimNet(), config)
        switch.carrier(answer_after_s=0.0), switch.carrier("10.0.1.2", answer_after_s=0.0)
        phones = [await switch.phone(str(number)) for number in (1001, 1002, 1003)]
        for phone in phones:
            phone.call("913800138000")
        assert (await phones[2].wait("ended")).status == 503
        assert (await switch.cdr()).hangup_cause == "NORMAL_CIRCUIT_CONGESTION"
        await end_all(switch)

    run_virtual(main())


GROUP = """
[[trunk_group]]
name = "both"
order = "weighted"
members = [{ trunk = "carrier", weight = 1 }, { trunk = "spare", weight = 1 }]
"""


def test_a_route_shares_its_calls_among_the_trunks_of_a_group():
    async def main():
        config = EXTENSIONS + TRUNKS.replace('trunks = ["carrier", "spare"]', 'trunks = ["both"]') + GROUP
        switch = SimSwitch(SimNet(), config)
        carrier, spare = switch.carrier(answer_after_s=0.0), switch.carrier("10.0.1.2", answer_after_s=0.0)
        phone = await switch.phone("1001")
        for n in range(12):
            phone.call("913800138000")
            await phone.wait("answered")
            phone.agent.hang_up(phone.the_call.id)
            await switch.cdr(n + 1)
        counts = [one.names().count("incoming") for one in (carrier, spare)]
        assert sum(counts) == 12 and min(counts) >= 2
        await end_all(switch)

    run_virtual(main())


def test_who_is_rung_for_a_live_call_is_shared_among_the_trunks_of_a_group_too():
    async def main():
        config = EXTENSIONS + TRUNKS.replace('trunks = ["carrier", "spare"]', 'trunks = ["both"]') + GROUP
        switch = SimSwitch(SimNet(), config)
        first = set()
        for n in range(20):
            rung = Ringing(ringing_id=f"transfer {n}", caller="1001", dialed="913800138000")
            assert plan(rung, Origin(caller="1001"), rung.dialed, switch.loop.time(), switch.core.env) is None
            first.add(rung.plan[0].targets[0].name)
        assert first == {"carrier", "spare"}
        await switch.close()

    run_virtual(main())


def test_numbers_are_changed_as_the_trunk_wants_them_both_ways():
    async def main():
        rules = (
            'number_format = "e164_plus"\nnumber_format_in = "national"\n'
            'rules_out = [{ pattern = "+86", strip = 1, number = "dialed" }, '
            '{ pattern = "+", strip = 1, prepend = "9" }]\n'
            'rules_in = [{ pattern = "77X.", strip = 2 }]'
        )
        switch = SimSwitch(SimNet(), with_options(rules))
        carrier = switch.carrier(answer_after_s=0.0)
        phone = await switch.phone("1001")
        phone.call("913800138000")
        told = await carrier.wait("incoming")
        assert (told.dialed, told.number) == ("8613800138000", "9862188886666")
        await phone.wait("answered")
        phone.agent.hang_up(phone.the_call.id)
        await switch.cdr()
        carrier.call("77862188886666", caller="778613800138000")
        assert (await phone.wait("incoming")).number == "13800138000"
        record = switch.core.calls.calls[next(iter(switch.core.calls.calls))]
        assert (record.dialed, record.access_number) == ("02188886666", "02188886666")
        await end_all(switch)

    run_virtual(main())


@pytest.mark.parametrize("written", ["+862188886666", "862188886666", "02188886666", "00862188886666"])
def test_an_access_number_is_known_however_the_trunk_writes_it(written):
    async def main():
        switch = SimSwitch(SimNet())
        carrier = switch.carrier()
        phone = await switch.phone("1001")
        carrier.call(written)
        await phone.wait("incoming")
        await end_all(switch)

    run_virtual(main())


EMERGENCY = '[numbering]\nemergency_trunks = ["carrier"]\nemergency_caller_id = "02155550000"\n'


def test_an_emergency_call_passes_the_limits_of_trunks_and_shows_the_number_of_this_place():
    async def main():
        limits = "max_channels = 1\nmax_calls_per_second = 0.01"
        switch = SimSwitch(SimNet(), with_options(limits) + EMERGENCY)
        carrier = switch.carrier(answer_after_s=0.0)
        talking, calling = await switch.phone("1001"), await switch.phone("1002")
        talking.call("913800138000")
        await talking.wait("answered")
        calling.call("110")
        await calling.wait("answered")
        told = [event for event in carrier.events if event.event == "incoming"][-1]
        assert (told.dialed, told.number) == ("110", "02155550000")
        assert [(event.caller, event.dialed) for event in switch.of(CallEmergency)] == [("1002", "110")]
        assert "ended" not in talking.names()
        await end_all(switch)

    run_virtual(main())


def test_an_emergency_call_takes_the_channel_of_another_call_where_that_is_configured():
    async def main():
        switch = SimSwitch(SimNet(), with_options("max_channels = 2") + EMERGENCY + "emergency_preempts = true\n")
        carrier = switch.carrier(answer_after_s=0.0)
        first, second, calling = [await switch.phone(number) for number in ("1001", "1002", "1003")]
        for phone in (first, second):
            phone.call("913800138000")
            await phone.wait("answered")
            await asyncio.sleep(1.0)
        calling.call("119")
        await calling.wait("answered")
        # The younger call goes; who talks for longer stays, and an emergency call is never taken for another.
        await second.wait("ended")
        assert "ended" not in first.names()
        assert (await switch.cdr()).hangup_cause == "PRE_EMPTED"
        ended = next(event for event in carrier.events if event.event == "ended")
        assert "PRE_EMPTED" in ended.reason
        await end_all(switch)

    run_virtual(main())


def test_an_emergency_call_goes_out_by_a_trunk_that_seems_dead_when_no_other_is_there():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + EMERGENCY)
        trunk = switch.core.directory.trunks["carrier"]
        trunk.health_of(trunk.flows[0]).state = "down"
        switch.carrier(answer_after_s=0.0)
        phone = await switch.phone("1001")
        phone.call("110")
        await phone.wait("answered")
        await end_all(switch)

    run_virtual(main())
