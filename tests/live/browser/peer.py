"""A browser as one of the kinds of phones of the matrix (`tests/live/matrix_peers.py`). Its audio is encrypted on the
way, so the page says what it hears: tones, music, and the digits that its own decoder makes tones of."""

from collections.abc import Sequence

from tests.live.browser.chromium import Chromium
from tests.live.ears import Ears
from tests.live.matrix_peers import Peer
from tests.live.netns import SWITCH
from tests.live.processes import wait_until


class BrowserPeer(Peer):
    def __init__(self, browser: Chromium, hz: float, ears: Ears) -> None:
        self._browser = browser
        self._n_log = 0
        self.number, self.hz, self.address, self.ears = browser.user, hz, browser.address, ears

    def prepare(self, role: str, steps: Sequence[str]) -> None:
        self._n_log = len(self._browser.log())
        self._browser.evaluate("phone.digitsHeard = ''")

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
        self._browser.evaluate(f"phone.digits('{digits}')")

    def hang_up(self) -> None:
        self._browser.evaluate("phone.hangUp()")

    def wait_over(self) -> None:
        self._wait("ended")

    def wait_hears(self, hz: float) -> None:
        self._browser.wait_heard(hz)

    def wait_hears_music(self, *not_hz: float) -> None:
        quiet = " && ".join(f"phone.share({hz}).share < 0.3" for hz in not_hz)
        self._browser.wait(f"phone.share(0).power > 1e-5 && {quiet}", "music")

    def wait_digits(self, digits: str) -> None:
        def so_far() -> str:
            return str(self._browser.evaluate("phone.digitsHeard"))

        wait_until(lambda: so_far() == digits, lambda: f"{self.number} to get {digits!r}, got {so_far()!r}")
