"""Whole switch, virtual time: browsers as phones. Calls both ways, hold, what the edge and the media worker are told,
loss of the browser, coming back after a reload or an ICE restart, loss of the edge, what is refused.

Not here: audio (tests/media/webrtc), a real browser (tests/live/test_browsers.py), the bytes of WebSockets
(tests/sip/net/test_websocket.py).
"""

import asyncio

from model import media
from model.causes import HangupCause
from model.events_webrtc import CallBrowserBack, CallBrowserLost
from model.webrtc import PeerFailed, PeerHeard, PeerSilent, ReleasePeer
from tests.harness.sim_browser import EDGE_HOST, EDGE_PORT, ENGINE_SIDE, LISTEN, SimBrowser, SimEdge
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual


class Setting:
    """A switch with its edge, a browser at 1001 and a desk phone at 1002."""

    def __init__(self, text: str = "") -> None:
        self.switch = SimSwitch(SimNet(), LISTEN + text + EXTENSIONS)
        self.edge = SimEdge(self.switch)

    async def start(self) -> None:
        self.browser = await self.page("1001", "10.0.0.11")
        self.phone = await self.switch.phone("1002", answer_after_s=1.0)

    async def page(self, number: str, host: str, **settings: object) -> SimBrowser:
        browser = SimBrowser(self.switch, number, host, **settings)
        self.switch._phones.append(browser)
        await browser.registered()
        return browser

    async def talk(self) -> None:
        """The browser calls the phone."""
        self.call = self.browser.call("1002")
        await self.browser.wait("answered")
        await asyncio.sleep(0.5)
        [self.live] = self.switch.core.calls.calls.values()

    def leg(self, number: str) -> object:
        return next(leg for leg in self.live.legs.values() if leg.name == number and not leg.is_ended)

    def hears_music(self, number: str) -> bool:
        return self.leg(number).playing == "hold"

    async def end(self) -> None:
        await self.switch.cdr()
        await self.switch.close()
        assert self.edge.peers == {}


def virtual(text: str = ""):
    """A test that gets a started `Setting`."""

    def wrap(body):
        def test() -> None:
            async def main() -> None:
                setting = Setting(text)
                await setting.start()
                await body(setting)

            run_virtual(main())

        test.__name__, test.__doc__ = body.__name__, body.__doc__
        return test

    return wrap


@virtual()
async def test_a_browser_calls_a_phone(s: Setting) -> None:
    await s.talk()
    leg = s.leg("1001")
    answer = s.browser.last_offer
    for line in (
        f"m=audio {EDGE_PORT} UDP/TLS/RTP/SAVPF", f"c=IN IP4 {EDGE_HOST}", "a=setup:passive", "a=mid:0", "a=rtcp-mux",
        "a=group:BUNDLE 0", f"a=fingerprint:sha-256 {':'.join(['AA'] * 32)}",
        f"a=candidate:1 1 udp 2130706431 {EDGE_HOST} {EDGE_PORT} typ host",
    ):  # fmt: skip
        assert line in answer
    told = s.edge.peers[leg.leg_id]
    assert told.engine_port == leg.port and f"a=ice-ufrag:{told.ufrag}\r\n" in answer
    assert f"a=ice-pwd:{told.pwd}\r\n" in answer and len(told.pwd) >= 22
    assert told.fingerprints == [("sha-256", s.browser.fingerprint)] and told.may_send and told.may_receive
    configured = [c for c in s.switch.worker.of(media.ConfigureLeg) if c.leg == leg.leg_id][-1]
    assert (configured.remote_host, configured.remote_port, configured.remote_rtcp_port) == (*ENGINE_SIDE, 41000)
    assert configured.learn_from == "" and configured.srtp is None
    assert s.switch.of(CallBrowserBack)
    s.browser.agent.hang_up(s.call.id)
    await s.phone.wait("ended")
    await s.end()
    assert s.edge.commands[-1] == ReleasePeer(leg.leg_id)


@virtual()
async def test_a_phone_calls_a_browser(s: Setting) -> None:
    other = await s.page("1003", "10.0.0.13", answer_after_s=1.0)
    caller = await s.switch.phone("1004")
    call = caller.call("1003")
    await caller.wait("answered")
    await asyncio.sleep(0.5)
    offer = other.theirs[0]
    assert "a=setup:actpass" in offer and "a=ice-lite" in offer and "a=crypto" not in offer
    [told] = s.edge.peers.values()
    assert f"a=ice-ufrag:{told.ufrag}\r\n" in offer and told.fingerprints == [("sha-256", other.fingerprint)]
    caller.agent.hang_up(call.id)
    await other.wait("ended")
    await s.end()


@virtual()
async def test_hold_by_the_browser_is_enforced_by_the_edge(s: Setting) -> None:
    await s.talk()
    leg = s.leg("1001")
    ufrag = s.edge.peers[leg.leg_id].ufrag
    s.browser.agent.hold(s.call.id)
    await s.switch.until(lambda: s.hears_music("1002"))
    assert not s.edge.peers[leg.leg_id].may_send and s.edge.peers[leg.leg_id].may_receive
    s.browser.agent.resume(s.call.id)
    await s.switch.until(lambda: not s.hears_music("1002"))
    assert s.edge.peers[leg.leg_id].may_send
    assert s.edge.peers[leg.leg_id].ufrag == ufrag and s.edge.peers[leg.leg_id].association == 0
    s.browser.agent.hang_up(s.call.id)
    await s.end()


@virtual()
async def test_a_silent_browser_is_waited_for_with_music_and_offered_another_path(s: Setting) -> None:
    await s.talk()
    leg = s.leg("1001")
    before = s.edge.peers[leg.leg_id]
    s.edge.tell(PeerSilent(leg.leg_id, 5.1))
    await s.switch.until(lambda: s.hears_music("1002"))
    [lost] = s.switch.of(CallBrowserLost)
    assert (lost.leg_id, lost.waits_s) == (leg.leg_id, 30.0)
    await s.switch.until(lambda: s.edge.peers[leg.leg_id].ufrag != before.ufrag)
    assert f"a=ice-ufrag:{s.edge.peers[leg.leg_id].ufrag}\r\n" in s.browser.last_offer
    assert s.edge.peers[leg.leg_id].association == before.association
    assert s.hears_music("1002")
    s.edge.tell(PeerHeard(leg.leg_id))
    await s.switch.until(lambda: not s.hears_music("1002"))
    await asyncio.sleep(60.0)
    assert s.live.legs[leg.leg_id].is_up
    s.browser.agent.hang_up(s.call.id)
    await s.end()


@virtual("[webrtc]\nreattach_s = 12.0\n")
async def test_who_does_not_come_back_in_time_is_given_up(s: Setting) -> None:
    await s.talk()
    s.edge.tell(PeerFailed(s.leg("1001").leg_id, "closed by the browser"))
    await s.switch.until(lambda: s.hears_music("1002"))
    at = s.switch.loop.time()
    await s.phone.wait("ended")
    assert 11.9 < s.switch.loop.time() - at < 12.5
    record = await s.switch.cdr()
    assert record.hangup_cause == HangupCause.MEDIA_TIMEOUT
    await s.end()


@virtual()
async def test_a_page_that_was_loaded_again_comes_back_into_its_call(s: Setting) -> None:
    await s.talk()
    old = s.leg("1001")
    dialog = s.browser.agent.stack.dialog_of(s.call.session)
    s.switch.net.cut_connections("10.0.0.11")
    await asyncio.sleep(0.1)
    # Its WebSocket is gone: the edge watches closely from now on.
    assert s.edge.peers[old.leg_id].silence_s == 1.0
    await s.browser.close()
    s.edge.tell(PeerSilent(old.leg_id, 1.0))
    await s.switch.until(lambda: s.hears_music("1002"))
    again = await s.page("1001", "10.0.0.21")
    again.fingerprint = ":".join(["CC"] * 32)
    call = again.call("anything", headers=f"Replaces: {dialog}\r\n")
    await again.wait("answered")
    await s.switch.until(lambda: not s.hears_music("1002"))
    new = s.leg("1001")
    assert new.leg_id != old.leg_id and old.is_ended and new.room
    edges = {(edge.speaker, edge.listener) for edge in s.live.edges}
    other = s.leg("1002").leg_id
    assert edges == {(new.leg_id, other), (other, new.leg_id)}
    assert set(s.edge.peers) == {new.leg_id}
    assert len(s.switch.core.calls.calls) == 1
    await asyncio.sleep(60.0)
    assert new.is_up
    again.agent.hang_up(call.id)
    await s.phone.wait("ended")
    record = await s.switch.cdr()
    assert len(s.switch.cdrs) == 1 and record.talk_s > 60.0
    await s.end()


@virtual()
async def test_a_page_that_connects_again_is_reached_by_its_new_connection(s: Setting) -> None:
    """Its WebSocket broke, its audio did not: the call goes on, and requests in it go where it registered."""
    await s.talk()
    leg = s.leg("1001")
    old = leg.browser.flow
    s.switch.net.cut_connections("10.0.0.11")
    await asyncio.sleep(0.1)
    assert s.edge.peers[leg.leg_id].silence_s == 1.0
    driver = s.browser.agent.driver
    driver.perform(s.browser.agent._registrant.start(driver.now()))
    await s.switch.until(lambda: leg.browser.flow != old)
    assert s.edge.peers[leg.leg_id].silence_s == 0.0 and not s.hears_music("1002")
    [call] = s.phone.agent.calls
    s.phone.agent.hang_up(call)
    await s.browser.wait("ended")
    await s.end()


@virtual()
async def test_nobody_else_gets_into_the_call_with_wrong_tags(s: Setting) -> None:
    await s.talk()
    dialog = s.browser.agent.stack.dialog_of(s.call.session)
    stranger = await s.page("1003", "10.0.0.23")
    stranger.call("anything", headers=f"Replaces: {dialog.call_id};to-tag=x;from-tag=y\r\n")
    told = await stranger.wait("ended")
    assert told.status == 481
    assert s.leg("1001").is_up
    s.browser.agent.hang_up(s.call.id)
    await s.end()


@virtual()
async def test_an_ice_restart_by_the_page_gets_new_credentials(s: Setting) -> None:
    await s.talk()
    leg = s.leg("1001")
    before = s.edge.peers[leg.leg_id]
    s.browser.ufrag = "restarted"
    s.browser.agent.hold(s.call.id)
    await s.switch.until(lambda: s.edge.peers[leg.leg_id].ufrag != before.ufrag)
    assert s.edge.peers[leg.leg_id].association == before.association
    s.browser.fingerprint = ":".join(["DD"] * 32)
    s.browser.agent.resume(s.call.id)
    await s.switch.until(lambda: s.edge.peers[leg.leg_id].association == before.association + 1)
    s.browser.agent.hang_up(s.call.id)
    await s.end()


@virtual()
async def test_a_new_edge_process_makes_new_offers_to_every_browser(s: Setting) -> None:
    await s.talk()
    leg = s.leg("1001")
    s.switch.core.browser_edge.disconnected("killed")
    s.edge.start("EE")
    await s.switch.until(lambda: leg.leg_id in s.edge.peers)
    assert f"a=fingerprint:sha-256 {':'.join(['EE'] * 32)}" in s.browser.last_offer
    assert s.edge.peers[leg.leg_id].association == 1 and leg.is_up
    s.browser.agent.hang_up(s.call.id)
    await s.end()


@virtual()
async def test_without_an_edge_browsers_are_refused_and_phones_are_not(s: Setting) -> None:
    s.switch.core.browser_edge.disconnected("killed")
    s.browser.call("1002")
    told = await s.browser.wait("ended")
    assert told.status == 488
    caller = await s.switch.phone("1004")
    call = caller.call("1001")
    ended = await caller.wait("ended")
    assert ended.status >= 400
    call = caller.call("1002")
    await caller.wait("answered")
    caller.agent.hang_up(call.id)
    await s.switch.until(lambda: not s.switch.core.calls.calls)
    await s.switch.close()


@virtual()
async def test_plain_rtp_is_not_taken_from_a_browser(s: Setting) -> None:
    """A re-INVITE that takes the encryption away is refused, and the call goes on as it was."""
    await s.talk()
    leg = s.leg("1001")
    before = len(s.edge.commands)
    s.browser._with_coat = lambda data: data  # type: ignore[method-assign]
    s.browser.agent.hold(s.call.id)
    await asyncio.sleep(2.0)
    assert len(s.edge.commands) == before and leg.is_up and not s.hears_music("1002")
    s.browser.agent.hang_up(s.call.id)
    await s.end()


@virtual('[[extension]]\nnumber = "1008"\npassword = "a-password-of-1001"\nmedia = "direct"\n')
async def test_audio_of_a_browser_never_goes_directly(s: Setting) -> None:
    page = await s.page("1008", "10.0.0.18")
    call = page.call("1002")
    await page.wait("answered")
    [told] = s.edge.peers.values()
    assert told.engine_port
    page.agent.hang_up(call.id)
    await s.end()
