"""Whole switch, virtual time: calls by trunks, in and out. Access numbers, failover, limits, permissions, emergency,
registering at a carrier. DNS itself is covered in tests/sip/net."""

import asyncio

import pytest

from model import events
from model.media import ConfigureLeg
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual


def test_a_call_from_the_trunk_reaches_the_extension_of_the_access_number():
    async def main():
        switch = SimSwitch(SimNet())
        carrier = switch.carrier()
        phone = await switch.phone("1001", answer_after_s=1.0)
        carrier.call("02188886666", caller="13800138000")
        incoming = await phone.wait("incoming")
        assert incoming.number == "13800138000"
        await carrier.wait("answered")
        phone.agent.hang_up(phone.the_call.id)
        record = await switch.cdr()
        assert (record.direction, record.trunk, record.access_number) == ("inbound", "carrier", "02188886666")
        assert record.extension == "1001"
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(("choice", "trunks_port"), [("shared", 30000), ("own", 20002)])
def test_a_trunks_calls_share_ports_and_a_phone_has_its_own(choice, trunks_port):
    async def main():
        trunks = TRUNKS.replace('name = "carrier"', f'name = "carrier"\nrtp_ports = "{choice}"', 1)
        switch = SimSwitch(SimNet(), EXTENSIONS + trunks)
        switch.worker.shared_ports.reset([30000])
        phone = await switch.phone("1001")
        switch.carrier(answer_after_s=0.5)
        phone.call("913800138000")
        await phone.wait("answered")
        ports = {each.leg: each.port for each in switch.worker.of(ConfigureLeg)}
        assert sorted(ports.values()) == [20000, trunks_port]
        phone.agent.hang_up(phone.the_call.id)
        await switch.cdr()
        assert switch.worker.shared_ports.n_taken == 0
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("dialed", ["1002", "913800138000", "110", "02100000000"])
def test_a_trunk_is_never_a_way_to_anything_but_our_access_numbers(dialed):
    async def main():
        switch = SimSwitch(SimNet())
        carrier = switch.carrier()
        await switch.phone("1002")
        carrier.call(dialed)
        assert (await carrier.wait("ended")).status == 404
        assert (await switch.cdr()).hangup_cause == "UNALLOCATED_NUMBER"
        await switch.close()

    run_virtual(main())


def test_an_extension_calls_out_with_the_trunks_caller_id():
    async def main():
        switch = SimSwitch(SimNet())
        phone = await switch.phone("1001")
        carrier = switch.carrier(answer_after_s=0.5)
        phone.call("913800138000")
        incoming = await carrier.wait("incoming")
        assert (incoming.number, incoming.dialed) == ("02188886666", "13800138000")
        await phone.wait("answered")
        phone.agent.hang_up(phone.the_call.id)
        record = await switch.cdr()
        assert (record.direction, record.trunk, record.route) == ("outbound", "carrier", "outside")
        await switch.close()

    run_virtual(main())


def test_calls_in_and_out_stand_in_one_history_with_the_same_facts():
    async def main():
        switch = SimSwitch(SimNet())
        carrier = switch.carrier(answer_after_s=0.5)
        phone = await switch.phone("1001", answer_after_s=0.5)
        phone.call("913800138000")
        await phone.wait("answered")
        phone.agent.hang_up(phone.the_call.id)
        out = await switch.cdr()
        carrier.call("02188886666", caller="13800138000")
        await carrier.wait("answered", call=carrier.the_call.id)
        phone.agent.hang_up(phone.the_call.id)
        came = await switch.cdr(2)
        facts = [(r.direction, r.caller, r.dialed, r.extension, r.trunk, r.hangup_cause) for r in (out, came)]
        assert facts == [
            ("outbound", "1001", "913800138000", "1001", "carrier", "NORMAL_CLEARING"),
            ("inbound", "13800138000", "02188886666", "1001", "carrier", "NORMAL_CLEARING"),
        ]
        for record in (out, came):
            assert 0 < record.created_utc < record.answered_utc <= record.bridged_utc <= record.ended_utc
            assert [leg.sip_status for leg in record.legs] == [200, 200] and record.segments
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("status", "reaches_spare"),
    [(503, True), (502, True), (500, True), (408, True), (486, False), (404, False), (603, False)],
)
def test_the_next_trunk_is_tried_only_on_causes_that_say_the_trunk_failed(status, reaches_spare):
    async def main():
        switch = SimSwitch(SimNet())
        phone = await switch.phone("1001")
        carrier = switch.carrier()
        spare = switch.carrier("10.0.1.2", answer_after_s=0.1)
        phone.call("913800138000")
        told = await carrier.wait("incoming")
        carrier.agent.reject(told.call, status, "No")
        if reaches_spare:
            await phone.wait("answered")
            phone.agent.hang_up(phone.the_call.id)
            assert (await switch.cdr()).trunk == "spare"
        else:
            assert (await phone.wait("ended")).status in (status, 480)
            assert not spare.events
        await switch.close()

    run_virtual(main())


def test_a_dead_trunk_is_left_after_its_refusal():
    async def main():
        switch = SimSwitch(SimNet())
        phone = await switch.phone("1001")
        # Nobody listens on the first trunk: the network says so at once.
        switch.carrier("10.0.1.2", answer_after_s=0.1)
        started = switch.loop.time()
        phone.call("913800138000")
        await phone.wait("answered")
        assert switch.loop.time() - started < 2.0
        phone.agent.hang_up(phone.the_call.id)
        await switch.close()

    run_virtual(main())


def test_a_full_trunk_is_passed_over_and_congestion_is_said_when_all_are():
    async def main():
        config = EXTENSIONS + TRUNKS.replace("port = 5060\n", "port = 5060\nmax_channels = 1\n")
        switch = SimSwitch(SimNet(), config)
        carriers = [switch.carrier(), switch.carrier("10.0.1.2")]
        phones = [await switch.phone(str(number)) for number in (1001, 1002, 1003)]
        for phone in phones:
            phone.call("913800138000")
        assert (await phones[2].wait("ended")).status == 503
        for carrier in carriers:
            await carrier.wait("incoming")
        for phone in phones[:2]:
            phone.agent.hang_up(phone.the_call.id)
        await switch.cdr(3)
        assert sorted(record.hangup_cause for record in switch.cdrs) == [
            "NORMAL_CIRCUIT_CONGESTION",
            "ORIGINATOR_CANCEL",
            "ORIGINATOR_CANCEL",
        ]
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("permission", "dialed", "status"),
    [
        ("may_call_external = false", "913800138000", 403),
        ("may_call_international = false", "90014155552671", 403),
        ("may_call_international = true", "90014155552671", 200),
        ("may_call_external = false", "110", 200),
    ],
    ids=["no trunk calls", "not abroad", "abroad when allowed", "emergency always"],
)
def test_what_an_extension_may_call(permission, dialed, status):
    async def main():
        config = (EXTENSIONS + TRUNKS).replace('number = "1001"\n', f'number = "1001"\n{permission}\n', 1)
        switch = SimSwitch(SimNet(), config)
        phone = await switch.phone("1001")
        switch.carrier(answer_after_s=0.1)
        phone.call(dialed)
        if status == 200:
            await phone.wait("answered")
            phone.agent.hang_up(phone.the_call.id)
        else:
            assert (await phone.wait("ended")).status == status
            assert (await switch.cdr()).hangup_cause == "OUTGOING_CALL_BARRED"
        await switch.close()

    run_virtual(main())


def test_an_emergency_call_passes_when_no_other_call_may():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + "[calls]\nmax_calls = 1\n")
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.1)
        carol = await switch.phone("1003")
        switch.carrier(answer_after_s=0.1)
        await alice.talk_to("1002", bob)
        switch.core.door.is_draining = True
        carol.call("119")
        await carol.wait("answered")
        carol.agent.hang_up(carol.the_call.id)
        alice.agent.hang_up(alice.the_call.id)
        await switch.close()

    run_virtual(main())


def test_the_switch_registers_at_a_trunk_that_wants_it():
    async def main():
        net = SimNet()
        # The far end is another switch of ours, where this one is extension 1004.
        far = SimSwitch(net, '[sip]\nlisten = ["udp:10.0.1.1:5060"]\n' + EXTENSIONS)
        near = SimSwitch(
            net,
            EXTENSIONS
            + '[[trunk]]\nname = "far"\nhost = "10.0.1.1"\nport = 5060\nusername = "1004"\n'
            + 'password = "a-password-of-1001"\nregister = true\nexpires_s = 60\n',
        )
        task = asyncio.create_task(near.core.trunks.keep_resolved())
        await near.until(lambda: near.core.directory.trunks["far"].state == "up")
        assert [one.extension for one in far.core.registrations.views()] == ["1004"]
        assert near.of(events.TrunkStateChanged)[-1].state == "up"
        await asyncio.sleep(200.0)
        assert far.core.registrations.n_bindings == 1
        await near.core.trunks.close()
        assert far.core.registrations.n_bindings == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await near.close()
        await far.close()

    run_virtual(main())
