"""Whole switch, virtual time: what users set for their extensions, by feature code and API: forwarding always, on busy
and without answer, do not disturb, call waiting. Kept in the storage, paid for by who forwards, and never in a circle.

Pickup and parking are in files of their own; the words of the codes in tests/switch/test_features.py."""

import asyncio

import pytest

from model import errors, events, media
from model.commands_services import GetServices, SetServices
from model.events_services import CallForwarded, ExtensionServicesChanged
from switch.services_desk import ServicesDesk
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp


async def dial(switch, phone, code, digits=""):
    """Dials a feature code and waits for what it says: the source that is played at the end."""
    n_before = len(switch.worker.of(media.Play))
    n_records = len(switch.cdrs)
    call = phone.call(code)
    await phone.wait("answered")
    (live,) = (one for one in switch.core.calls.calls.values() if one.phase == "feature")
    for digit in digits:
        switch.worker.tell(media.Digit(live.call_id, live.a, digit, 100))
        await asyncio.sleep(0.3)
    await switch.until(lambda: any(not play.is_looped for play in switch.worker.of(media.Play)[n_before:]))
    said = switch.worker.of(media.Play)[-1]
    switch.worker.tell(media.PlayFinished(said.session, said.leg, said.play_id))
    await phone.wait("ended", call=call.id)
    await switch.cdr(n_records + 1)
    return said.sources[-1].partition("/")[0]


DONE, REFUSED = "tone:confirmation", "tone:refusal"


@pytest.mark.parametrize(
    ("code", "digits"), [("*721003", ""), ("*72*1003#", ""), ("*72", "1003#"), ("*72", "1003")], ids=str
)
def test_forwarding_of_all_calls_by_feature_code_until_it_is_taken_back(code, digits):
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
        carol = await switch.phone("1003", answer_after_s=0.5)
        assert await dial(switch, bob, code, digits) == DONE
        if digits:
            # The dial tone asked for the number, and stopped with the first digit.
            assert "tone:dial/cn" in [play.sources[0] for play in switch.worker.of(media.Play)]
            assert switch.worker.of(media.StopPlay)
        call, _ = await alice.talk_to("1002", carol)
        assert len(bob.agent.calls) == 0
        (forwarded,) = switch.of(CallForwarded)
        assert (forwarded.extension, forwarded.to, forwarded.reason) == ("1002", "1003", "unconditional")
        alice.agent.hang_up(call.id)
        record = await switch.cdr(2)
        assert (record.dialed, record.extension) == ("1002", "1003")

        assert await dial(switch, bob, "*73") == DONE
        call, _ = await alice.talk_to("1002", bob)
        alice.agent.hang_up(call.id)
        await switch.cdr(4)
        assert [event.always_to for event in switch.of(ExtensionServicesChanged)] == ["1003", ""]
        assert {event.by for event in switch.of(ExtensionServicesChanged)} == {"1002"}
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("code", "off", "reason"),
    [("*901003", "*91", "user-busy"), ("*921003", "*93", "no-answer")],
    ids=["busy", "no answer"],
)
def test_forwarding_when_the_extension_cannot_take_the_call(code, off, reason):
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + "[calls]\nring_timeout_s = 10\n")
        alice, bob = await switch.phone("1001"), await switch.phone("1002")
        carol = await switch.phone("1003", answer_after_s=0.5)
        assert await dial(switch, bob, code) == DONE
        call = alice.call("1002")
        told = await bob.wait("incoming")
        if reason == "user-busy":
            bob.agent.reject(told.call)
        await carol.wait("answered")
        assert switch.of(CallForwarded)[0].reason == reason
        await alice.wait("answered", call=call.id)
        alice.agent.hang_up(call.id)
        await switch.cdr(2)
        assert await dial(switch, bob, off) == DONE
        call = alice.call("1002")
        told = await bob.wait("incoming")
        if reason == "user-busy":
            bob.agent.reject(told.call)
        assert (await alice.wait("ended", call=call.id)).status in (480, 486)
        await switch.close()

    run_virtual(main())


def test_do_not_disturb_gives_busy_or_the_number_for_it():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
        carol = await switch.phone("1003", answer_after_s=0.5)
        assert await dial(switch, bob, "*78") == DONE
        call = alice.call("1002")
        assert (await alice.wait("ended", call=call.id)).status == 486
        assert "incoming" not in bob.names()
        await app.do(SetServices(extension="1002", busy_to="1003"))
        call, _ = await alice.talk_to("1002", carol)
        assert switch.of(CallForwarded)[0].reason == "do-not-disturb"
        alice.agent.hang_up(call.id)
        await switch.cdr(3)
        # It can still call.
        call, _ = await bob.talk_to("1003", carol)
        bob.agent.hang_up(call.id)
        await switch.cdr(4)
        assert await dial(switch, bob, "*79") == DONE
        assert not (await app.do(GetServices(extension="1002"))).is_dnd
        await switch.close()

    run_virtual(main())


def test_without_call_waiting_a_second_call_finds_the_extension_busy():
    async def main():
        switch = SimSwitch(SimNet())
        alice, bob = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.5)
        carol = await switch.phone("1003")
        assert await dial(switch, bob, "*71") == DONE
        first, _ = await alice.talk_to("1002", bob)
        carol.call("1002")
        assert (await carol.wait("ended")).status == 486
        assert await dial(switch, alice, "*70") == DONE  # somebody else's choice changes nothing
        carol.call("1002")
        assert (await carol.wait("ended")).status == 486
        alice.agent.hang_up(first.id)
        await switch.cdr(5)
        call, _ = await carol.talk_to("1002", bob)
        carol.agent.hang_up(call.id)
        await switch.close()

    run_virtual(main())


NO_OUTSIDE = EXTENSIONS.replace('number = "1002"\n', 'number = "1002"\nmay_call_external = false\n') + TRUNKS


@pytest.mark.parametrize(
    ("to", "said"),
    [("913800138000", REFUSED), ("110", REFUSED), ("1002", REFUSED), ("4711", REFUSED), ("1004", DONE)],
    ids=["outside", "emergency", "itself", "nowhere", "inside"],
)
def test_an_extension_forwards_only_to_where_it_may_call_itself(to, said):
    async def main():
        switch = SimSwitch(SimNet(), NO_OUTSIDE)
        app = SimApp(switch)
        bob = await switch.phone("1002")
        assert await dial(switch, bob, f"*72{to}") == said
        if said == REFUSED:
            with pytest.raises(errors.InvalidValue):
                await app.do(SetServices(extension="1002", no_answer_to=to))
        assert (await app.do(GetServices(extension="1002"))).always_to == (to if said == DONE else "")
        await switch.close()

    run_virtual(main())


def test_rights_are_looked_at_again_when_the_call_is_forwarded():
    async def main():
        # The file says so, and nothing asked whether 1002 may: the caller's own rights do not help.
        config = NO_OUTSIDE.replace('number = "1002"\n', 'number = "1002"\nalways_to = "913800138000"\n')
        switch = SimSwitch(SimNet(), config)
        carrier = switch.carrier(answer_after_s=0.2)
        alice = await switch.phone("1001")
        alice.call("1002")
        assert (await alice.wait("ended")).status == 403
        assert carrier.events == []
        assert (await switch.cdr()).hangup_cause == "OUTGOING_CALL_BARRED"
        await switch.close()

    run_virtual(main())


def test_forwarding_in_a_circle_ends_and_rings_nobody():
    async def main():
        switch = SimSwitch(SimNet())
        app = SimApp(switch)
        phones = {number: await switch.phone(number) for number in ("1001", "1002", "1003", "1004")}
        for number, to in (("1002", "1003"), ("1003", "1004"), ("1004", "1002")):
            await app.do(SetServices(extension=number, always_to=to))
        phones["1001"].call("1002")
        assert (await phones["1001"].wait("ended")).status == 480
        assert all("incoming" not in phone.names() for phone in phones.values())
        await switch.close()

    run_virtual(main())


def test_what_users_chose_outlives_a_restart_and_the_configuration_is_what_it_returns_to():
    async def main():
        config = EXTENSIONS.replace(
            'number = "1002"\n', 'number = "1002"\nbusy_to = "1005"\nhas_call_waiting = false\n'
        )
        switch = SimSwitch(SimNet(), config)
        app = SimApp(switch)
        changed = await app.do(
            SetServices(extension="1002", busy_to="", no_answer_to="1003", has_call_waiting=True, pickup_group="sales")
        )
        assert (changed.busy_to, changed.no_answer_to, changed.has_call_waiting) == ("", "1003", True)
        assert changed.pickup_group == "sales"

        again = SimSwitch(SimNet(), config)
        again.storage = switch.storage
        desk = ServicesDesk(
            again.core.runtime, switch.storage, again.events.append, again._own, lambda number, now: None
        )
        await desk.load()
        again.services = desk
        later = SimApp(again)
        assert await later.do(GetServices(extension="1002")) == changed
        back = await later.do(SetServices(extension="1002", busy_to=None, has_call_waiting=None))
        assert (back.busy_to, back.no_answer_to, back.has_call_waiting) == ("1005", "1003", False)
        with pytest.raises(errors.NoSuchExtension):
            await later.do(SetServices(extension="4711", is_dnd=True))
        await again.close()
        await switch.close()

    run_virtual(main())


def test_a_user_who_hangs_up_or_says_nothing_changes_nothing():
    async def main():
        switch = SimSwitch(SimNet())
        bob = await switch.phone("1002")
        call = bob.call("*72")
        await bob.wait("answered")
        bob.agent.hang_up(call.id)
        record = await switch.cdr()
        assert (record.hangup_side, record.dialed) == ("caller", "*72")
        assert await dial(switch, bob, "*72") == REFUSED
        assert await dial(switch, bob, "*72", "#") == REFUSED
        assert switch.of(ExtensionServicesChanged) == []
        await switch.close()

    run_virtual(main())


def test_codes_are_for_extensions_and_an_unknown_one_is_no_number():
    async def main():
        switch = SimSwitch(SimNet(), EXTENSIONS + TRUNKS + '[feature_codes]\ndnd_on = ""\n')
        carrier = switch.carrier()
        alice = await switch.phone("1001")
        for dialed in ("*78", "*7", "*"):
            call = alice.call(dialed)
            assert (await alice.wait("ended", call=call.id)).status == 404
        carrier.call("*79")
        assert (await carrier.wait("ended")).status == 404
        assert switch.of(events.CallAnswered) == []
        await switch.close()

    run_virtual(main())
