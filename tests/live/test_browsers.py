"""Chromium with JsSIP as a phone: registering by ws and wss, calls both ways with a desk phone and between browsers,
audio both ways, hold, digits, hanging up by either side, and coming back into the call after the page was loaded again.

Not here: the protocol by bytes (tests/sip/net/test_websocket.py), the edge by packets (tests/media/webrtc).
"""

from tests.live.baresip import Baresip
from tests.live.browser.chromium import ORIGIN, Chromium
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import B_HZ, add_phone, wait_heard

A_HZ = 440.0


def switch_for_browsers(bed: Bed, **changes: object) -> SwitchProcess:
    sip = {"listen": [f"udp:{SWITCH}:5060", f"tcp:{SWITCH}:5060", f"ws:{SWITCH}:5066"], "digest_algorithms": ["MD5"]}
    webrtc = {"origins": [ORIGIN], **changes}
    return bed.switch(sip=sip, webrtc=webrtc, extension=[extension(str(n)) for n in range(1001, 1004)])


def browser_and_phone(bed: Bed, **changes: object) -> tuple[SwitchProcess, Chromium, Baresip]:
    switch = switch_for_browsers(bed, **changes)
    browser = bed.browser("1001", hz=A_HZ)
    browser.register()
    return switch, browser, add_phone(bed, "1002", B_HZ)


def call_phone(browser: Chromium, phone: Baresip) -> None:
    browser.evaluate(f"phone.call('sip:{phone.user}@{SWITCH}')")
    phone.wait_for("CALL_INCOMING")
    phone.accept()
    browser.wait("phone.has('confirmed')")


def test_a_browser_calls_a_phone_holds_and_sends_digits(bed: Bed) -> None:
    switch, browser, phone = browser_and_phone(bed)
    call_phone(browser, phone)
    wait_heard(phone, A_HZ)
    browser.wait_heard(B_HZ)
    shown = browser.evaluate("phone.stats()")
    assert shown["srtp"] == "SRTP_AEAD_AES_128_GCM" and shown["codec"] == "audio/PCMA"
    browser.evaluate("phone.hold()")
    switch.control.wait_for("call.held")
    browser.evaluate("phone.unhold()")
    switch.control.wait_for("call.resumed")
    wait_heard(phone, A_HZ)
    browser.wait_heard(B_HZ)
    browser.evaluate("phone.digits('159#')")
    events = switch.control.wait_for_n(4, "call.digit")
    assert "".join(event["digit"] for event in events) == "159#"
    for digit in "159#":
        assert phone.wait_for("CALL_DTMF_START")["param"] == digit
    browser.evaluate("phone.hangUp()")
    phone.wait_for("CALL_CLOSED")
    switch.calls_are_over()
