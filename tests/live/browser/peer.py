"""A browser as one of the kinds of phones of the matrix (`tests/live/matrix_peers.py`). Its audio is encrypted on the
way, so the page says what it hears. Its digits go by SIP INFO both ways, as JsSIP sends them by itself: on a busy
machine a page does not hear every tone that Chromium makes of RFC 4733 digits, which `test_browsers.py` is about."""

from collections.abc import Sequence

from tests.live.browser.chromium import Chromium
from tests.live.control_client import Control
from tests.live.ears import Ears
from tests.live.matrix_peers import Peer
from tests.live.netns import SWITCH


class BrowserPeer(Peer):
    def __init__(self, browser: Chromium, hz: float, ears: Ears, control: Control) -> None:
        self._browser = browser
        self.control = control
        self._n_log = 0
        self.number, self.hz, self.address, self.ears = browser.user, hz, browser.address, ears

    def prepare(self, role: str, steps: Sequence[str]) -> None:
        self._n_log = len(self._browser.log())

    def _wait(self, what: str) -> None:
        self._browser.wait(f"phone.log.slice({self._n_log}).some(each => each.what === '{what}')", what)

    def place(self, number: str) -> None:
        self._browser.evaluate(f"phone.call('sip:{number}@{SWITCH}')")

    def answer(self) -> None:
        self._wait("incoming")
        self._browser.evaluate("phone.answer()")

    def wait_up(self) -> None:
        self._wait("confirmed")

    def hold(self) -> None:
        self._browser.evaluate("phone.hold()")

    def resume(self) -> None:
        self._browser.evaluate("phone.unhold()")

    def send_digits(self, digits: str) -> None:
        options = "{ transportType: 'INFO', duration: 120, interToneGap: 100 }"
        self._browser.evaluate(f"phone.session.sendDTMF('{digits}', {options})")

    def hang_up(self) -> None:
        self._browser.evaluate("phone.hangUp()")

    def transfer(self, number: str) -> None:
        self._browser.evaluate(f"void phone.session.refer('sip:{number}@{SWITCH}')")

    def wait_over(self) -> None:
        self._wait("ended")

    def wait_hears(self, hz: float) -> None:
        self._browser.wait_heard(hz)

    def wait_hears_music(self, *not_hz: float) -> None:
        quiet = " && ".join(f"phone.share({hz}).share < 0.3" for hz in not_hz)
        self._browser.wait(f"phone.share(0).power > 1e-5 && {quiet}", "music")

    def wait_digits(self, digits: str) -> None:
        told = f"phone.log.slice({self._n_log}).filter(each => each.what === 'newDTMF' && each.originator === 'remote')"
        self._browser.wait(f"{told}.map(each => each.tone).join('') === '{digits}'", f"digits {digits}")
