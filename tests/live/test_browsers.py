"""Chromium with JsSIP as a phone: registering by ws and wss, calls both ways with a desk phone and between browsers,
audio both ways, hold, digits, hanging up by either side, coming back into the call after the page was loaded again or
the edge's process was killed.

Not here: the protocol by bytes (tests/sip/net/test_websocket.py), the edge by packets (tests/media/webrtc), every kind
of phone with every other (test_matrix).
"""

import os
import signal
from pathlib import Path

from tests.live.baresip import Baresip
from tests.live.browser.chromium import ORIGIN, Chromium
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.processes import wait_until
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import B_HZ, add_phone, wait_heard
from tests.sip.net.certificates import Authority

A_HZ, C_HZ = 440.0, 950.0
LISTEN = [f"udp:{SWITCH}:5060", f"tcp:{SWITCH}:5060", f"ws:{SWITCH}:5066"]


def switch_for_browsers(bed: Bed, *, sip: dict[str, object] | None = None, **extensions: object) -> SwitchProcess:
    made = {"listen": LISTEN, "digest_algorithms": ["MD5"], **(sip or {})}
    numbers = [extension(str(number), **extensions) for number in range(1001, 1004)]
    return bed.switch(sip=made, webrtc={"origins": [ORIGIN]}, extension=numbers)


def browser_and_phone(bed: Bed) -> tuple[SwitchProcess, Chromium, Baresip]:
    switch = switch_for_browsers(bed)
    browser = bed.browser("1001", hz=A_HZ)
    browser.register()
    return switch, browser, add_phone(bed, "1002", B_HZ)


def call_phone(browser: Chromium, phone: Baresip) -> None:
    """Both talk, and hear each other."""
    browser.evaluate(f"phone.call('sip:{phone.user}@{SWITCH}')")
    phone.wait_for("CALL_INCOMING")
    phone.accept()
    browser.wait("phone.has('confirmed')")
    hear_each_other(browser, phone)


def hear_each_other(browser: Chromium, phone: Baresip) -> None:
    wait_heard(phone, browser.hz)
    browser.wait_heard(B_HZ)


def test_a_browser_calls_a_phone_holds_and_sends_digits(bed: Bed) -> None:
    switch, browser, phone = browser_and_phone(bed)
    call_phone(browser, phone)
    shown = browser.evaluate("phone.stats()")
    assert shown["srtp"] == "SRTP_AEAD_AES_128_GCM" and shown["codec"] in ("audio/PCMU", "audio/PCMA")
    browser.evaluate("phone.hold()")
    switch.control.wait_for("call.held")
    browser.evaluate("phone.unhold()")
    switch.control.wait_for("call.resumed")
    hear_each_other(browser, phone)
    browser.evaluate("phone.digits('159#')")
    events = switch.control.wait_for_n(4, "call.digit")
    assert "".join(event["digit"] for event in events) == "159#"
    for digit in "159#":
        assert phone.wait_for("CALL_DTMF_START")["param"] == digit
    browser.evaluate("phone.hangUp()")
    phone.wait_for("CALL_CLOSED")
    switch.calls_are_over()


def test_a_phone_calls_a_browser_and_hangs_up(bed: Bed) -> None:
    switch, browser, phone = browser_and_phone(bed)
    phone.dial(f"sip:1001@{SWITCH}")
    browser.wait("phone.has('incoming')")
    browser.evaluate("phone.answer()")
    phone.wait_for("CALL_ESTABLISHED")
    hear_each_other(browser, phone)
    phone.hang_up()
    browser.wait("phone.has('ended')")
    switch.calls_are_over()


def test_two_browsers_talk_in_opus_by_wss(bed: Bed, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue(SWITCH)
    sip = {"listen": [*LISTEN, f"wss:{SWITCH}:5067"], "tls_certificate": certificate, "tls_key": key}
    switch = switch_for_browsers(bed, sip=sip, codecs=["opus", "PCMA"])
    a, b = bed.browser("1001", hz=A_HZ), bed.browser("1003", hz=C_HZ)
    for each in (a, b):
        each.register("wss", 5067)
    a.evaluate(f"phone.call('sip:1003@{SWITCH}')")
    b.wait("phone.has('incoming')")
    b.evaluate("phone.answer()")
    a.wait("phone.has('confirmed')")
    a.wait_heard(C_HZ)
    b.wait_heard(A_HZ)
    assert a.evaluate("phone.stats()")["codec"] == b.evaluate("phone.stats()")["codec"] == "audio/opus"
    b.evaluate("phone.hangUp()")
    a.wait("phone.has('ended')")
    switch.calls_are_over()


def test_a_page_that_is_loaded_again_comes_back_into_its_call(bed: Bed) -> None:
    switch, browser, phone = browser_and_phone(bed)
    call_phone(browser, phone)
    call = switch.control.wait_for("call.connected")["call_id"]
    browser.reload()
    switch.control.wait_for("call.browser_lost", call_id=call)
    switch.control.wait_for("call.held", call_id=call)
    browser.register()
    browser.evaluate(f"phone.comeBack('sip:1002@{SWITCH}')")
    browser.wait("phone.has('confirmed')")
    switch.control.wait_for("call.resumed", call_id=call)
    hear_each_other(browser, phone)
    [view] = switch.control.call("call.list")["calls"]
    assert view["call_id"] == call
    browser.evaluate("phone.hangUp()")
    phone.wait_for("CALL_CLOSED")
    switch.calls_are_over()
    record = switch.record_of(call)
    assert record["answered_utc"] and len(record["legs"]) == 3


def test_a_page_looks_for_another_path_when_it_is_told_to(bed: Bed) -> None:
    """An ICE restart within the call: nothing is heard of it."""
    switch, browser, phone = browser_and_phone(bed)
    call_phone(browser, phone)
    before = browser.evaluate("phone.pc.remoteDescription.sdp.match(/ice-ufrag:(\\S+)/)[1]")
    browser.evaluate("phone.restartIce()")
    browser.wait(f"phone.pc.remoteDescription.sdp.match(/ice-ufrag:(\\S+)/)[1] != '{before}'")
    hear_each_other(browser, phone)
    assert not [event for event in switch.control.events if event["event"] == "call.browser_lost"]


def test_a_page_whose_websocket_broke_is_reached_again(bed: Bed) -> None:
    switch, browser, phone = browser_and_phone(bed)
    call_phone(browser, phone)
    n_before = len(browser.log())
    browser.evaluate("phone.ua._transport.socket._ws.close()")
    browser.wait(f"phone.log.slice({n_before}).some(each => each.what === 'registered')")
    hear_each_other(browser, phone)
    phone.hang_up()
    browser.wait("phone.has('ended')")
    switch.calls_are_over()


def test_an_edge_that_is_killed_is_replaced_and_the_call_goes_on(bed: Bed) -> None:
    switch, browser, phone = browser_and_phone(bed)
    call_phone(browser, phone)
    call = switch.control.wait_for("call.connected")["call_id"]
    switch.expected.append("x webrtc edge")
    os.kill(_edge_of(switch.pid), signal.SIGKILL)
    switch.control.wait_for("webrtc.edge_changed", state="down")
    switch.control.wait_for("webrtc.edge_changed", state="up", after=switch.control.events[-1]["seq"])
    switch.control.wait_for("call.browser_back", after=switch.control.events[-1]["seq"])
    hear_each_other(browser, phone)
    [view] = switch.control.call("call.list")["calls"]
    assert view["call_id"] == call


def _edge_of(supervisor: int) -> int:
    def find() -> int:
        for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
            if b"media.webrtc.process" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
        return 0

    return wait_until(find, "the edge's process")
