"""Whole switch, virtual time: calls placed by API: to whom, what is shown, who rings when, what is heard meanwhile, and
that a mailbox takes no call. The plain case and the records are in test_control.py."""

import asyncio

import pytest

from model import errors, events, media
from model.commands_originate import Originate
from model.events_outbound import CallConfirming
from sip.flow import Flow
from tests.harness.peer import RawPeer
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp

MOBILE = "913800138000"
CAMPAIGN = '[[campaign]]\nname = "spring"\ncaller_id = "02166660000"\ncaller_name = "Ringback"\n'
SDP = """v=0
o=- 1 1 IN IP4 {host}
s=-
c=IN IP4 {host}
t=0 0
m=audio 4000 RTP/AVP 8 101
a=rtpmap:101 telephone-event/8000
"""


async def end_all(switch):
    for phone in switch.phones:
        for call in list(phone.agent.calls):
            phone.agent.hang_up(call)
    await switch.until(lambda: not switch.core.calls.calls)
    await switch.close()


def incoming(phone):
    return [event for event in phone.events if event.event == "incoming"]


async def place(switch, first="1001", second="1002", **options):
    return await SimApp(switch).do(Originate(from_=first, to=second, **options))


@pytest.mark.parametrize(
    ("to", "trunk", "number"),
    [(MOBILE, "carrier", "13800138000"), ("trunk:spare/13800138000", "spare", "13800138000")],
    ids=["by route", "by a trunk"],
)
def test_a_call_goes_to_a_number_by_the_routes_or_by_the_trunk_that_is_named(to, trunk, number):
    async def main():
        switch = SimSwitch(SimNet())
        await switch.phone("1001", answer_after_s=0.1)
        carriers = {"carrier": switch.carrier(answer_after_s=0.1)}
        carriers["spare"] = switch.carrier("10.0.1.2", answer_after_s=0.1)
        await place(switch, second=to)
        assert (await carriers[trunk].wait("incoming")).dialed == number
        await switch.until(lambda: switch.of(events.CallConnected))
        await end_all(switch)
        assert (switch.cdrs[0].trunk, switch.cdrs[0].dialed) == (trunk, number if ":" in to else to)
        assert switch.cdrs[0].direction == "outbound"

    run_virtual(main())


@pytest.mark.parametrize(
    ("first", "cause"),
    [
        ("trunk:nobody/1", "NO_ROUTE_DESTINATION"),
        ("trunk:carrier/", "INVALID_NUMBER_FORMAT"),
        ("trunk:carrier/0014155552671", "OUTGOING_CALL_BARRED"),
        ("sip:bob@10.0.3.3", "OUTGOING_CALL_BARRED"),
        ("sip:bob:secret@10.0.2.2", "INVALID_NUMBER_FORMAT"),
        ("sip:bob@10.0.2.2;transport=sctp", "INVALID_NUMBER_FORMAT"),
        ("sip:", "INVALID_NUMBER_FORMAT"),
    ],
)
def test_what_leads_nowhere_or_is_not_allowed_is_refused_with_its_cause(first, cause):
    async def main():
        switch = SimSwitch(SimNet(), '[outbound]\nsip_uri_hosts = ["10.0.2.2"]\n' + EXTENSIONS + TRUNKS)
        switch.carrier()
        with pytest.raises(errors.NoRoute) as refused:
            await place(switch, first=first)
        assert refused.value.data["cause"] == cause
        assert not switch.core.calls.calls
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    "parties", [{"second": "8000"}, {"also_to": ["8000"]}, {"first": "8000"}, {"also_from": ["8000"]}]
)
def test_a_conference_room_cannot_be_rung_and_nobody_else_is(parties):
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + '[[conference]]\nname = "open"\nnumber = "8000"\n')
        phone = await switch.phone("1001")
        with pytest.raises(errors.InvalidValue, match=r"conference\.invite"):
            await place(switch, **parties)
        assert not incoming(phone) and not switch.core.calls.calls
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("host", ["10.0.2.2", "sip.friends.example"])
def test_a_sip_uri_is_called_where_its_host_is_allowed(host):
    async def main():
        net = SimNet()
        config = '[outbound]\nsip_uri_hosts = ["10.0.2.2", ".friends.example"]\n' + EXTENSIONS + TRUNKS
        switch = SimSwitch(net, config)
        switch.resolver.names["sip.friends.example"] = [Flow("udp", "10.0.2.2", 5060)]
        await switch.phone("1001", answer_after_s=0.1)
        friend = RawPeer(net, "10.0.2.2")
        await place(switch, second=f"sip:bob@{host}?Replaces=x", caller_id="02155551234")
        invite = await friend.expect("^INVITE ")
        assert invite.start == f"INVITE sip:bob@{host} SIP/2.0" and "<sip:02155551234@" in invite.header("From")
        friend.respond(invite, 200, "OK", body=SDP.replace("{host}", "10.0.2.2"))
        await friend.expect("^ACK ")
        await switch.until(lambda: switch.of(events.CallConnected))
        (leg,) = [leg for call in switch.core.calls.calls.values() for leg in call.legs.values() if leg.kind == "uri"]
        assert leg.address == "10.0.2.2:5060"
        for phone in switch.phones:
            phone.agent.hang_up(phone.the_call.id)
        friend.respond(await friend.expect("^BYE "), 200, "OK")
        await switch.cdr()
        await friend.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("options", "extension_id", "shown"),
    [
        ({"caller_id": "02155551234", "campaign": "spring"}, "02177770000", "02155551234"),
        ({"campaign": "spring"}, "02177770000", "02166660000"),
        ({}, "02177770000", "02177770000"),
        ({}, "", "02188886666"),
    ],
    ids=["request", "campaign", "extension", "trunk"],
)
def test_the_number_shown_is_the_requests_the_campaigns_the_extensions_or_the_trunks(options, extension_id, shown):
    async def main():
        config = EXTENSIONS.replace('number = "1001"\n', f'number = "1001"\ncaller_id = "{extension_id}"\n', 1)
        switch = SimSwitch(SimNet(), config + TRUNKS + CAMPAIGN)
        agent = await switch.phone("1001", answer_after_s=0.1)
        carrier = switch.carrier()
        view = await place(switch, second=MOBILE, **options)
        assert view.variables == ({"campaign": "spring"} if "campaign" in options else {})
        assert (await agent.wait("incoming")).number == MOBILE
        assert (await carrier.wait("incoming")).number == shown
        await end_all(switch)

    run_virtual(main())


def test_two_agents_of_a_campaign_show_one_number_and_a_campaign_that_is_none_is_refused():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + CAMPAIGN)
        for number in ("1001", "1002"):
            await switch.phone(number, answer_after_s=0.1)
        carrier = switch.carrier()
        for number in ("1001", "1002"):
            await place(switch, first=number, second=MOBILE, campaign="spring")
        await switch.until(lambda: len(incoming(carrier)) == 2)
        assert {event.number for event in incoming(carrier)} == {"02166660000"}
        with pytest.raises(errors.InvalidValue, match="autumn"):
            await place(switch, campaign="autumn")
        await end_all(switch)

    run_virtual(main())


def test_parallel_rings_all_at_once_and_the_losers_hear_that_it_was_answered_elsewhere():
    async def main():
        switch = SimSwitch(SimNet())
        slow, quick = await switch.phone("1001"), await switch.phone("1002", answer_after_s=2.0)
        carrier = switch.carrier()
        await switch.phone("1003", answer_after_s=0.1)
        await place(switch, second="1003", also_from=["1002", MOBILE, "1005"])
        await asyncio.sleep(1.0)
        assert incoming(slow) and incoming(quick) and incoming(carrier)
        await switch.until(lambda: switch.of(events.CallConnected))
        for loser in (slow, carrier):
            assert "completed elsewhere" in (await loser.wait("ended")).reason
        legs = next(iter(switch.core.calls.calls.values())).legs.values()
        assert sorted(leg.hangup_cause for leg in legs) == ["", "", "ANSWERED_ELSEWHERE", "ANSWERED_ELSEWHERE"]
        await end_all(switch)

    run_virtual(main())


def test_serial_rings_one_after_the_other_whatever_the_cause():
    async def main():
        switch = SimSwitch(SimNet())
        silent, busy = await switch.phone("1001"), switch.carrier()
        last = await switch.phone("1002", answer_after_s=0.1)
        await switch.phone("1003", answer_after_s=0.1)
        await place(switch, second="1003", also_from=[MOBILE, "1002"], strategy="serial", timeout_s=5.0)
        await asyncio.sleep(4.0)
        assert incoming(silent) and not incoming(busy) and not incoming(last)
        told = await busy.wait("incoming")
        busy.agent.reject(told.call, 486, "Busy Here")
        await last.wait("answered")
        await switch.until(lambda: switch.of(events.CallConnected))
        await end_all(switch)
        assert [leg.hangup_cause for leg in switch.cdrs[0].legs][:2] == ["NO_ANSWER", "USER_BUSY"]

    run_virtual(main())


def test_a_dead_trunk_is_left_for_the_next_while_the_others_ring_on():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001")
        hole = RawPeer(net, "10.0.1.1")
        spare = switch.carrier("10.0.1.2", answer_after_s=3.0)
        await switch.phone("1003", answer_after_s=0.1)
        started = switch.loop.time()
        await place(switch, second="1003", also_from=[MOBILE])
        await spare.wait("incoming")
        assert switch.loop.time() - started <= 2.0 and "ended" not in phone.names()
        await switch.until(lambda: switch.of(events.CallConnected))
        assert "completed elsewhere" in (await phone.wait("ended")).reason
        await hole.close()
        await end_all(switch)

    run_virtual(main())


@pytest.mark.parametrize(
    ("options", "has_ringback", "hears_network"),
    [
        ({}, True, True),
        ({"play_ringback": False}, False, True),
        ({"progress": "early_media"}, False, True),
        ({"progress": "ringback"}, True, False),
        ({"progress": "silence"}, False, False),
    ],
    ids=["auto", "no ringback", "early media", "ringback", "silence"],
)
def test_what_is_heard_until_the_answer_is_chosen(options, has_ringback, hears_network):
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        await switch.phone("1001", answer_after_s=0.1)
        carrier = RawPeer(net, "10.0.1.1")
        await place(switch, second=MOBILE, **options)
        invite = await carrier.expect("^INVITE ")
        carrier.respond(invite, 180, "Ringing")
        await asyncio.sleep(1.0)
        carrier.respond(invite, 183, "Session Progress", body=SDP.replace("{host}", "10.0.1.1"))
        await asyncio.sleep(1.0)
        plays = [play for play in switch.worker.of(media.Play) if play.play_id == "ringback"]
        stops = [stop for stop in switch.worker.of(media.StopPlay) if stop.play_id == "ringback"]
        assert bool(plays) is has_ringback
        assert bool(stops) is (has_ringback and hears_network)
        assert any(matrix.edges for matrix in switch.worker.of(media.ConnectMatrix)) is hears_network
        carrier.respond(invite, 486, "Busy Here")
        await switch.cdr()
        await carrier.close()
        await switch.close()

    run_virtual(main())


def digit_from(switch, kind: str, digit: str):
    """The media worker tells a digit of the call's leg of that kind that is asked."""
    call = next(iter(switch.core.calls.calls.values()))
    leg = next(leg for leg in call.legs.values() if leg.is_confirming and leg.kind == kind)
    switch.worker.tell(media.Digit(call.call_id, leg.leg_id, digit, 100))


def test_who_picks_up_must_accept_and_a_mailbox_takes_nothing():
    async def main():
        switch = SimSwitch(SimNet())
        agent = await switch.phone("1001")
        mailbox = switch.carrier(answer_after_s=0.5)
        await switch.phone("1003", answer_after_s=0.1)
        options = {"confirm": "from", "confirm_sources": ["file:press-one.wav"], "confirm_timeout_s": 8.0}
        await place(switch, second="1003", also_from=[MOBILE], **options)
        await mailbox.wait("answered")
        await switch.until(lambda: switch.of(CallConfirming))
        (asked,) = [play for play in switch.worker.of(media.Play) if play.play_id == "confirm"]
        assert asked.is_looped and asked.sources[0].endswith("/prompts/press-one.wav")
        await asyncio.sleep(3.0)
        # The other phone still rings, and takes the call once it accepts.
        assert "ended" not in agent.names()
        await mailbox.wait("ended", within_s=10.0)
        agent.agent.answer(agent.the_call.id)
        await switch.until(lambda: len(switch.of(CallConfirming)) == 2)
        digit_from(switch, "extension", "5")
        await asyncio.sleep(1.0)
        assert not switch.of(events.CallConnected)
        digit_from(switch, "extension", "1")
        await switch.until(lambda: switch.of(events.CallConnected))
        assert [stop.play_id for stop in switch.worker.of(media.StopPlay)].count("confirm") == 1
        await end_all(switch)
        assert switch.cdrs[0].legs[1].hangup_cause == "NO_ANSWER"

    run_virtual(main())


def test_the_first_to_accept_wins_among_those_who_picked_up():
    async def main():
        switch = SimSwitch(SimNet())
        phone, mobile = await switch.phone("1001", answer_after_s=0.5), switch.carrier(answer_after_s=1.0)
        await switch.phone("1003", answer_after_s=0.1)
        await place(switch, "1003", "1001", also_to=[MOBILE], confirm="to", confirm_digit="#")
        await switch.until(lambda: len(switch.of(CallConfirming)) == 2)
        digit_from(switch, "trunk", "#")
        await switch.until(lambda: switch.of(events.CallConnected))
        assert "completed elsewhere" in (await phone.wait("ended")).reason
        assert "ended" not in mobile.names()
        await end_all(switch)

    run_virtual(main())


def test_nobody_accepts_and_the_caller_is_told_that_there_was_no_answer():
    async def main():
        switch = SimSwitch(SimNet())
        switch.carrier(answer_after_s=1.0)
        caller = await switch.phone("1003", answer_after_s=0.1)
        # Ringing ends while the question is put; the question gets its time.
        await place(switch, "1003", MOBILE, confirm="both", timeout_s=2.0, confirm_timeout_s=5.0)
        await switch.until(lambda: switch.of(CallConfirming))
        digit_from(switch, "extension", "1")
        await caller.wait("ended")
        record = await switch.cdr()
        assert (record.hangup_cause, record.talk_s) == ("NO_ANSWER", 0.0)
        await switch.close()

    run_virtual(main())


def test_a_call_has_a_longest_duration_of_its_own():
    async def main():
        switch = SimSwitch(SimNet())
        for number in ("1001", "1002"):
            await switch.phone(number, answer_after_s=0.1)
        await place(switch, max_duration_s=7.0)
        record = await switch.cdr()
        assert record.hangup_cause == "ALLOTTED_TIMEOUT"
        assert record.talk_s == pytest.approx(7.0, abs=0.1)
        await switch.close()

    run_virtual(main())
