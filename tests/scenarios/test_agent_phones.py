"""Whole switch, virtual time: agents without a client sign in and out at phones, with number and PIN; where they may
sit; and what becomes of an agent whose phone or client is lost and found again."""

import asyncio

import pytest

from control.auth import Caller
from model import media
from model.commands_agent import GetAgent, NotReady, Ready, SignIn
from model.errors import PermissionDenied, WrongState
from model.events_agent import AgentCallEnded, AgentSignedIn, AgentSignedOut, AgentStateChanged
from model.events_queue import OfferMade
from switch.pins import FREE_TRIES, hash_pin
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_browsers import Setting
from tests.scenarios.test_control import SimApp
from tests.scenarios.test_queues import CENTRE, Centre
from tests.scenarios.test_services import DONE, REFUSED

PIN = "2580"
AGENT = f"""
[[agent]]
agent_id = "8001"
pin_hash = "{hash_pin(PIN)}"
queues = [{{ queue = "sales" }}]
"""
LOCKED = "[agents]\nlock_extension_to_address = true\n"


async def dial(centre, phone, code, digits=""):
    """Dials a code, keys digits after its tone, and hears whether it was done."""
    switch = centre.switch
    n_plays, n_records = len(switch.worker.of(media.Play)), len(switch.cdrs)
    call = phone.call(code)
    await phone.wait("answered", call=call.id)
    (live,) = (one for one in switch.core.calls.calls.values() if one.phase == "feature")
    for digit in digits:
        await asyncio.sleep(0.3)
        switch.worker.tell(media.Digit(live.call_id, live.a, digit, 100))
    await switch.until(lambda: any(not play.is_looped for play in switch.worker.of(media.Play)[n_plays:]))
    said = switch.worker.of(media.Play)[-1]
    switch.worker.tell(media.PlayFinished(said.session, said.leg, said.play_id))
    await phone.wait("ended", call=call.id)
    await switch.cdr(n_records + 1)
    return said.sources[-1].partition("/")[0]


@pytest.mark.parametrize(("code", "digits"), [("*50", f"8001#{PIN}#"), ("*508001", f"{PIN}#"), ("*50*8001#", PIN)])
def test_agt_07_an_agent_signs_in_at_any_phone_and_serves(code, digits):
    async def main():
        centre = Centre(AGENT)
        phone = await centre.switch.phone("1003", answer_after_s=1.0)
        assert await dial(centre, phone, code, digits) == DONE
        (signed_in,) = centre.of(AgentSignedIn)
        assert (signed_in.agent_id, signed_in.extension, signed_in.mode) == ("8001", "1003", "extension")
        await asyncio.sleep(0.5)
        assert await centre.state("8001") == "available"
        mine = centre.caller()
        await phone.wait("answered", within_s=20.0)
        await asyncio.sleep(2.0)
        assert await centre.state("8001") == "on_call"
        centre.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        # Codes he dialled are no calls of his.
        assert [each.call_type for each in centre.of(AgentCallEnded)] == ["queue"]
        assert await dial(centre, phone, "*51") == DONE
        assert await centre.state("8001") == "offline"
        assert [each.reason for each in centre.of(AgentSignedOut)] == ["requested"]
        await centre.close()

    run_virtual(main())


def test_agt_07_ready_and_not_ready_by_codes_and_no_call_rings_meanwhile():
    async def main():
        centre = Centre(AGENT)
        phone = await centre.switch.phone("1003", answer_after_s=1.0)
        assert await dial(centre, phone, "*508001", f"{PIN}#") == DONE
        assert await dial(centre, phone, "*532") == DONE
        await asyncio.sleep(0.5)
        view = await centre.app.do(GetAgent(agent_id="8001"))
        assert (view.state, view.reason) == ("not_ready", "break")
        assert await dial(centre, phone, "*539") == REFUSED
        assert await dial(centre, phone, "*53") == DONE
        await asyncio.sleep(0.5)
        assert (await centre.app.do(GetAgent(agent_id="8001"))).reason == "busy"
        mine = centre.caller()
        await centre.carrier.wait("answered", call=mine.id)
        assert await dial(centre, phone, "*52") == DONE
        # It rang once the code's call was over.
        (offer,) = centre.of(OfferMade)
        assert offer.agent_id == "8001"
        states = [each.state for each in centre.of(AgentStateChanged)]
        assert states[-3:] == ["dialing", "available", "reserved"] or "dialing" in states[-5:]
        centre.carrier.agent.hang_up(mine.id)
        assert await dial(centre, phone, "*51") == DONE
        assert await dial(centre, phone, "*52") == REFUSED
        assert await dial(centre, phone, "*51") == REFUSED
        await centre.close()

    run_virtual(main())


def test_wrong_pins_are_refused_reported_and_slowed_down():
    async def main():
        centre = Centre(AGENT)
        phone = await centre.switch.phone("1003")
        for number in ["8001"] * FREE_TRIES + ["9999"]:
            assert await dial(centre, phone, f"*50{number}", "0852#") == REFUSED
        kinds = [(event.kind, event.user) for event in centre.switch.security]
        assert kinds == [("wrong_pin", "8001")] * FREE_TRIES + [("wrong_pin", "9999")]
        # The right PIN has to wait too, at this phone; at another it counts.
        assert await dial(centre, phone, "*508001", f"{PIN}#") == REFUSED
        other = await centre.switch.phone("1004")
        assert await dial(centre, other, "*508001", f"{PIN}#") == DONE
        assert all("0852" not in repr(each) and PIN not in repr(each) for each in centre.switch.events)
        await asyncio.sleep(31.0)
        assert await dial(centre, phone, "*508001", f"{PIN}#") == DONE
        assert [each.reason for each in centre.of(AgentSignedOut)] == ["elsewhere"]
        # Nobody without a PIN comes in by phone.
        assert await dial(centre, phone, "*50" + "1", "0000#") == REFUSED
        await centre.close()

    run_virtual(main())


def test_agt_22_only_from_where_the_extension_is():
    async def main():
        centre = Centre(AGENT + LOCKED)
        await centre.switch.phone("1001")
        at_home = Caller("anna", "operator", "10.0.0.11:40000", "a1")
        elsewhere = Caller("anna", "operator", "10.9.9.9:40000", "a1")
        with pytest.raises(PermissionDenied, match="lock_extension_to_address"):
            await centre.app.do(SignIn(agent_id="a1"), elsewhere)
        assert await centre.state("a1") == "offline"
        await centre.app.do(SignIn(agent_id="a1"), at_home)
        assert await centre.state("a1") == "not_ready"
        phone = await centre.switch.phone("1003")
        assert await dial(centre, phone, "*508001", f"{PIN}#") == DONE
        await centre.close()

    run_virtual(main())


def test_xagt_05_a_phone_that_is_gone_and_comes_back():
    async def main():
        centre = Centre()
        phone = await centre.agent("a1", "1001")
        centre.switch.core.registrations.remove_all("1001")
        await asyncio.sleep(1.0)
        assert not (await centre.app.do(GetAgent(agent_id="a1"))).has_device
        assert await centre.state("a1") == "available"
        await asyncio.sleep(6.0)
        view = await centre.app.do(GetAgent(agent_id="a1"))
        assert (view.state, view.reason) == ("not_ready", "device_unreachable")
        mine = centre.caller()
        await asyncio.sleep(2.0)
        assert not centre.of(OfferMade)
        with pytest.raises(WrongState, match="no phone is registered at extension 1001"):
            await centre.app.do(Ready(agent_id="a1"))
        again = await centre.switch.phone("1001", host="10.0.0.77", answer_after_s=1.0)
        await again.wait("answered")
        assert (await centre.app.do(GetAgent(agent_id="a1"))).has_device
        centre.carrier.agent.hang_up(mine.id)
        await phone.close()
        await centre.close()

    run_virtual(main())


def test_agt_18_a_client_that_is_lost_for_a_moment_changes_nothing():
    async def main():
        centre = Centre()
        floor = centre.switch.core.floor
        await centre.switch.phone("1001")
        himself = Caller("anna", "operator", "", "a1")
        await centre.app.do(SignIn(agent_id="a1", is_client=True), himself)
        await centre.app.do(Ready(agent_id="a1"), himself)
        await centre.agent("a2", "1002")
        before = await centre.app.do(GetAgent(agent_id="a1"))
        floor.client_changed("a1", False)
        await asyncio.sleep(50.0)
        floor.client_changed("a1", True)
        await asyncio.sleep(20.0)
        after = await centre.app.do(GetAgent(agent_id="a1"))
        assert (after.state, after.state_s) == ("available", pytest.approx(before.state_s + 70.0))
        for agent_id in ("a1", "a2"):
            floor.client_changed(agent_id, False)
        await asyncio.sleep(61.0)
        lost = await centre.app.do(GetAgent(agent_id="a1"))
        assert (lost.state, lost.reason) == ("not_ready", "link_lost")
        # Who has said that he has no client loses none.
        assert await centre.state("a2") == "available"
        floor.client_changed("a1", True)
        assert await centre.state("a1") == "available"
        await centre.app.do(NotReady(agent_id="a1", reason="break"), himself)
        await centre.close()

    run_virtual(main())


def test_agt_06_an_agent_whose_phone_is_his_browser():
    async def main():
        setting = Setting(CENTRE)
        switch = setting.switch
        app, carrier = SimApp(switch), switch.carrier()
        page = await setting.page("1001", "10.0.0.11", answer_after_s=1.0)
        view = await app.do(SignIn(agent_id="a1", mode="softphone"))
        assert (view.mode, view.extension, view.has_device) == ("softphone", "1001", True)
        await app.do(Ready(agent_id="a1"))
        mine = carrier.call("4001", caller="13800001111")
        assert (await page.wait("incoming")).number == "13800001111"
        await page.wait("answered")
        await asyncio.sleep(1.0)
        assert (await app.do(GetAgent(agent_id="a1"))).state == "on_call"
        carrier.agent.hang_up(mine.id)
        await page.wait("ended")
        await switch.cdr()
        await switch.close()
        assert setting.edge.peers == {}

    run_virtual(main())
