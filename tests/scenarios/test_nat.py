"""Whole switch, virtual time: phones behind routers of every kind, and the switch behind one: rport, keep-alives,
mappings lost and made anew, the external address for who is outside, both IP versions in one call.

That audio is learned from where it comes is in tests/media/test_learning.py and test_strangers.py; real routers in
tests/live/test_nat.py."""

import asyncio
import re

import pytest

from model import events, media
from sip.flow import Flow
from switch.config_file import ConfigError, parse_config
from tests.harness.nat import Nat
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import EXTENSIONS, HOST, PASSWORD, SERVER, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

OUTSIDE = "198.51.100.1"


async def behind(switch: SimSwitch, number: str, nat: Nat, **settings) -> SimPhone:
    """A registered phone at 192.168.1.20 behind the router."""
    phone = SimPhone(switch.net, "192.168.1.20", number, SERVER, nat=nat, password=PASSWORD, **settings)
    switch._phones.append(phone)
    await phone.registered()
    return phone


def sent_to(switch: SimSwitch, host: str, start: bytes = b"") -> list[bytes]:
    return [seen.data for seen in switch.net.trace if seen.destination[0] == host and seen.data.startswith(start)]


@pytest.mark.parametrize("kind", ["full", "restricted", "symmetric"])
def test_a_phone_behind_nat_calls_is_called_holds_and_is_told_the_end(kind):
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        nat = net.add_nat(OUTSIDE, kind)
        alice = await switch.phone("1001", answer_after_s=0.5)
        bob = await behind(switch, "1002", nat, answer_after_s=0.5)
        for caller, callee, number in ((alice, bob, "1002"), (bob, alice, "1001")):
            mine, theirs = await caller.talk_to(number, callee)
            held = theirs if callee is bob else mine
            bob.agent.hold(held.id)
            await bob.wait("held")
            bob.agent.resume(held.id)
            await bob.wait("resumed")
            other = mine if caller is alice else theirs
            alice.agent.hang_up(other.id)
            await bob.wait("ended", call=held.id)
        await switch.cdr(2)
        # RTP is expected from where the signalling came, whatever private address the SDP named.
        configured = {(one.remote_host, one.learn_from) for one in switch.worker.of(media.ConfigureLeg)}
        assert ("192.168.1.20", OUTSIDE) in configured
        # Every answer to it says where it was seen (RFC 3581).
        answers = sent_to(switch, OUTSIDE, b"SIP/2.0")
        assert answers
        assert all(re.search(rb"received=198\.51\.100\.1", data) and re.search(rb"rport=\d", data) for data in answers)
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("keep_alive_s", [25, 0])
def test_asking_phones_behind_nat_keeps_their_routers_way_open(keep_alive_s):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + f"[nat]\nkeep_alive_s = {keep_alive_s}\n")
        nat = net.add_nat(OUTSIDE, "restricted", idle_s=30)
        alice = await switch.phone("1001")
        bob = await behind(switch, "1002", nat, answer_after_s=0.5, expires_s=3600)
        await asyncio.sleep(600.0)
        n_asked = len(sent_to(switch, OUTSIDE, b"OPTIONS"))
        call = alice.call("1002")
        if keep_alive_s:
            assert n_asked == pytest.approx(600 / keep_alive_s, abs=2)
            await bob.wait("answered")
            alice.agent.hang_up(call.id)
            await switch.cdr()
            # Who is not behind NAT is not asked.
            assert sent_to(switch, "10.0.0.11", b"OPTIONS") == []
        else:
            assert n_asked == 0
            await alice.wait("ended", call=call.id, within_s=120)
            assert "incoming" not in bob.names()
        await switch.close()

    run_virtual(main())


def test_calls_follow_a_phone_whose_router_gave_it_another_port():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        nat = net.add_nat(OUTSIDE)
        alice = await switch.phone("1001")
        bob = await behind(switch, "1002", nat, answer_after_s=0.5, expires_s=60)
        mine, theirs = await alice.talk_to("1002", bob)
        before = switch.core.registrations.views("1002")[0].address
        nat.rebind()
        await switch.until(lambda: switch.core.registrations.views("1002")[0].address != before)
        alice.agent.hang_up(mine.id)
        await bob.wait("ended", call=theirs.id, within_s=5.0)
        # The next call finds it at once.
        mine, theirs = await alice.talk_to("1002", bob)
        # And one that changes its way in mid-call is followed with its first word, before it registers again.
        nat.rebind()
        bob.agent.hold(theirs.id)
        await bob.wait("held")
        alice.agent.hang_up(mine.id)
        await bob.wait("ended", call=theirs.id, within_s=5.0)
        await switch.close()

    run_virtual(main())


def test_audio_is_expected_from_the_new_address_of_a_phone_that_moved():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        first, second = net.add_nat(OUTSIDE), net.add_nat("198.51.100.2")
        alice = await switch.phone("1001")
        bob = await behind(switch, "1002", first, answer_after_s=0.5, expires_s=60)
        mine, theirs = await alice.talk_to("1002", bob)
        bob.transports.nat = second
        await switch.until(lambda: "198.51.100.2" in switch.core.registrations.views("1002")[0].address)
        assert switch.worker.of(media.ConfigureLeg)[-1].learn_from == "198.51.100.2"
        alice.agent.hang_up(mine.id)
        await bob.wait("ended", call=theirs.id, within_s=5.0)
        await switch.close()

    run_virtual(main())


def test_a_phone_that_was_there_and_is_silent_is_not_rung_until_it_registers_again():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        nat = net.add_nat(OUTSIDE)
        alice = await switch.phone("1001")
        bob = await behind(switch, "1002", nat, answer_after_s=0.5, expires_s=3600)
        await asyncio.sleep(60.0)
        net.cut_off.add("192.168.1.20")
        net.cut_off.add(OUTSIDE)
        await switch.until(lambda: not switch.core.registrations.views("1002"), within_s=200)
        (gone,) = switch.of(events.RegistrationRemoved)
        assert (gone.extension, gone.why) == ("1002", "connection_lost")
        alice.call("1002")
        assert (await alice.wait("ended", within_s=2.0)).status == 480
        net.cut_off.clear()
        again = await behind(switch, "1002", net.add_nat("198.51.100.3"), port=5070, answer_after_s=0.5)
        call, _ = await alice.talk_to("1002", again)
        alice.agent.hang_up(call.id)
        assert bob
        await switch.close()

    run_virtual(main())


EXTERNAL = (
    EXTENSIONS
    + """
[nat]
external_address = "203.0.113.5"
local_networks = ["10.0.0.0/8"]
[[trunk]]
name = "carrier"
host = "198.51.100.9"
port = 5060
caller_id = "02188886666"
username = "acme"
password = "a-secret-of-acme"
register = true
[[route]]
name = "outside"
pattern = "9."
strip = 1
trunks = ["carrier"]
"""
)


def test_outside_sees_the_external_address_and_inside_the_own_one():
    async def main():
        switch = SimSwitch(SimNet(), EXTERNAL)
        carrier = switch.carrier("198.51.100.9", answer_after_s=0.5)
        alice = await switch.phone("1001")
        registering = asyncio.create_task(switch.core.trunks.keep_resolved())
        await switch.until(lambda: sent_to(switch, "198.51.100.9", b"REGISTER"))
        await asyncio.sleep(1.0)
        call = alice.call("94711")
        await alice.wait("answered", call=call.id)
        carrier.agent.hold(carrier.the_call.id)
        await carrier.wait("held")
        alice.agent.hang_up(call.id)
        await carrier.wait("ended")
        outside, inside = sent_to(switch, "198.51.100.9"), sent_to(switch, "10.0.0.11")
        ours = [data for data in outside if not data.startswith(b"SIP/2.0")]
        assert {data.split(b" ")[0] for data in ours} >= {b"REGISTER", b"INVITE", b"ACK", b"BYE"}
        for data in ours:
            assert b"Via: SIP/2.0/UDP 203.0.113.5:5060;" in data
        for data in outside:
            assert HOST.encode() not in data.replace(b"INVITE sip:", b"")
        assert any(b"c=IN IP4 203.0.113.5" in data for data in outside)
        assert any(b"Contact: <sip:acme@203.0.113.5:5060" in data for data in ours)
        assert not any(b"203.0.113.5" in data for data in inside)
        assert any(b"c=IN IP4 10.0.0.1" in data for data in inside)
        await switch.core.trunks.close()
        registering.cancel()
        await asyncio.gather(registering, return_exceptions=True)
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('external_address = "pbx.example.com"', 'nat.external_address: "pbx.example.com" is no IP address'),
        ('local_networks = ["10.0.0.0/33"]', 'nat.local_networks: "10.0.0.0/33" is no network'),
    ],
)
def test_a_wrong_configuration_is_named(text, says):
    with pytest.raises(ConfigError, match=r"\.toml:2: ") as refused:
        parse_config(f"[nat]\n{text}\n")
    assert says in str(refused.value)


DUAL = f'[sip]\nlisten = ["udp:{HOST}:5060", "udp:[2001:db8::1]:5060"]\n' + EXTENSIONS
NEW = {"server": Flow("udp", "2001:db8::1", 5060), "domain": "ringback"}


@pytest.mark.parametrize("is_mixed", [True, False], ids=["one of each version", "both by IPv6"])
def test_ipv6_and_ipv4_phones_talk_with_each_other(is_mixed):
    async def main():
        switch = SimSwitch(SimNet(), DUAL)
        old = {} if is_mixed else {"host": "2001:db8::11", **NEW}
        alice = await switch.phone("1001", answer_after_s=0.5, **old)
        bob = await switch.phone("1002", host="2001:db8::12", **NEW, answer_after_s=0.5)
        for caller, callee, number in ((alice, bob, "1002"), (bob, alice, "1001")):
            mine, theirs = await caller.talk_to(number, callee)
            bob.agent.hold((theirs if callee is bob else mine).id)
            await bob.wait("held")
            caller.agent.hang_up(mine.id)
            await callee.wait("ended")
        await switch.cdr(2)
        to_old, to_new = sent_to(switch, "10.0.0.11"), sent_to(switch, "2001:db8::12")
        assert bool(to_old) is is_mixed
        assert any(b"c=IN IP6 2001:db8::1\r\n" in data for data in to_new)
        assert not any(b"IP4" in data or b"10.0.0.1" in data for data in to_new)
        assert not any(b"IP6" in data or b"2001:" in data for data in to_old)
        invite = next(data for data in to_new if data.startswith(b"INVITE"))
        assert b"Via: SIP/2.0/UDP [2001:db8::1]:5060;" in invite
        assert re.search(rb"Contact: <sip:1001@\[2001:db8::1\]:5060>", invite)
        hosts = {one.remote_host for one in switch.worker.of(media.ConfigureLeg)}
        assert hosts == {"10.0.0.11" if is_mixed else "2001:db8::11", "2001:db8::12"}
        await switch.close()

    run_virtual(main())
