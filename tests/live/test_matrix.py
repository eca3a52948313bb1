"""Every kind of phone calls every kind of phone: both hear each other's tone, hold and resume from either side with
music for the other, digits both ways, the end by either side, blind transfer by the phone itself (REFER) and attended
transfer, by the phone (Replaces) where it can and by the API where it cannot; who is left hears the third.

Peers are small classes in `matrix_peers.py`. Not here: what only one kind of phone can do, failures (test_phones,
test_sipp_calls), codecs (test_codecs).
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.live import netns
from tests.live.browser.chromium import ORIGIN
from tests.live.browser.peer import BrowserPeer
from tests.live.conftest import Bed
from tests.live.ears import Ears
from tests.live.matrix_peers import BaresipPeer, OurPeer, Peer, SippPeer
from tests.live.netns import SWITCH, peer_address
from tests.live.our_phone import OurPhones
from tests.live.switch_process import PASSWORD, SwitchProcess, extension

UDP_AND_TCP = (f"udp:{SWITCH}:5060", f"tcp:{SWITCH}:5060")
KINDS = ("sipp", "baresip", "ours", "browser")
# Whole Hz, and no tone near a harmonic of another, of the music, or of those that digits are made of.
TONES = {
    "caller": dict(zip(KINDS, (430.0, 530.0, 670.0, 390.0), strict=True)),
    "callee": dict(zip(KINDS, (810.0, 1010.0, 1110.0, 890.0), strict=True)),
}
NUMBERS = {
    "caller": dict(zip(KINDS, ("2001", "2002", "2003", "2004"), strict=True)),
    "callee": dict(zip(KINDS, ("2011", "2012", "2013", "2014"), strict=True)),
}


TARGET = "2021"


class Table:
    """The switch and two phones of each kind, all registered, for all cells."""

    def __init__(self, network: netns.Namespace, folder: Path, stack: ExitStack) -> None:
        self.bed = Bed(network, folder)
        stack.callback(self.bed.close)
        extensions = [extension(number, dtmf="info") for number in ("2001", "2004", "2011", "2014")]
        extensions += [extension(number) for number in ("2002", "2003", "2012", "2013", TARGET)]
        sip = {"listen": [*UDP_AND_TCP, f"ws:{SWITCH}:5066"], "digest_algorithms": ["MD5"]}
        self.switch: SwitchProcess = self.bed.switch(sip=sip, webrtc={"origins": [ORIGIN]}, extension=extensions)
        self.ears = Ears(network, SWITCH)
        stack.callback(self.ears.close)
        self.phones = OurPhones(network, folder)
        stack.callback(self.phones.stop)
        control = self.switch.control
        self.target = OurPeer(self.phones, TARGET, peer_address(21), 1270.0, self.ears, control)
        self.peers: dict[tuple[str, str], Peer] = {
            (role, kind): self._make(role, kind) for role in ("caller", "callee") for kind in KINDS
        }

    def _make(self, role: str, kind: str) -> Peer:
        number, hz = NUMBERS[role][kind], TONES[role][kind]
        if kind == "baresip":
            account = f";auth_pass={PASSWORD};regint=600;ptime=20;audio_codecs=pcmu"
            phone = self.bed.phone(number, hz=hz, account=account)
            self.switch.control.wait_for("registration.added", extension=number)
            return BaresipPeer(phone, hz, self.ears, self.switch.control)
        if kind == "browser":
            browser = self.bed.browser(number, hz=hz)
            browser.register()
            return BrowserPeer(browser, hz, self.ears, self.switch.control)
        address = peer_address(int(number) % 100)
        if kind == "ours":
            return OurPeer(self.phones, number, address, hz, self.ears, self.switch.control)
        return SippPeer(self.bed.network, self.bed.folder, self.switch.control, number, address, hz, self.ears)


@pytest.fixture(scope="module")
def table(live_permitted: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    with netns.namespace("m") as network, ExitStack() as stack:
        yield Table(network, tmp_path_factory.mktemp("matrix"), stack)


def connect(a: Peer, b: Peer, steps_a: tuple[str, ...], steps_b: tuple[str, ...]) -> None:
    """`a` calls `b`, who answers, and both hear each other."""
    a.prepare("caller", steps_a)
    b.prepare("callee", steps_b)
    a.place(b.number)
    b.answer()
    a.wait_up()
    b.wait_up()
    hear_each_other(a, b)


def hear_each_other(a: Peer, b: Peer) -> None:
    a.wait_hears(b.hz)
    b.wait_hears(a.hz)


def finish(first: Peer, other: Peer) -> None:
    """`first` hangs up, and the call is gone on both sides."""
    first.hang_up()
    other.wait_over()
    first.wait_over()


def caller_hangs_up(a: Peer, b: Peer) -> None:
    connect(a, b, ("hang_up",), ())
    finish(a, b)


def caller_holds_and_resumes(a: Peer, b: Peer) -> None:
    connect(a, b, ("hold", "resume", "hang_up"), ())
    a.hold()
    b.wait_hears_music(a.hz, b.hz)
    a.resume()
    hear_each_other(a, b)
    finish(a, b)


def callee_holds_resumes_and_hangs_up(a: Peer, b: Peer) -> None:
    connect(a, b, (), ("hold", "resume", "hang_up"))
    b.hold()
    a.wait_hears_music(a.hz, b.hz)
    b.resume()
    hear_each_other(a, b)
    finish(b, a)


def digits_both_ways(a: Peer, b: Peer) -> None:
    connect(a, b, ("send_digits:5#", "get_digits:*2", "hang_up"), ("get_digits:5#", "send_digits:*2"))
    a.send_digits("5#")
    b.wait_digits("5#")
    b.send_digits("*2")
    a.wait_digits("*2")
    hear_each_other(a, b)
    finish(a, b)


def callee_transfers_blind(a: Peer, b: Peer, c: Peer) -> None:
    connect(a, b, ("hang_up",), (f"transfer:{c.number}",))
    c.prepare("callee", ())
    b.transfer(c.number)
    c.answer()
    c.wait_up()
    hear_each_other(a, c)
    b.wait_over()
    finish(a, c)


def caller_transfers_after_consulting(a: Peer, b: Peer, c: Peer) -> None:
    connect(a, b, (), ("hang_up",))
    c.prepare("callee", ())
    a.consult(c.number)
    c.answer()
    c.wait_up()
    hear_each_other(a, c)
    b.wait_hears_music(a.hz, b.hz, c.hz)
    a.complete()
    hear_each_other(b, c)
    a.wait_over()
    finish(b, c)


TRANSFERS: list[Callable[[Peer, Peer, Peer], None]] = [callee_transfers_blind, caller_transfers_after_consulting]
ROWS: list[Callable[[Peer, Peer], None]] = [
    caller_hangs_up,
    caller_holds_and_resumes,
    callee_holds_resumes_and_hangs_up,
    digits_both_ways,
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
@pytest.mark.parametrize(("caller", "callee"), list(itertools.product(KINDS, KINDS)))
def test_cell(table: Table, caller: str, callee: str, row: Callable[[Peer, Peer], None]) -> None:
    row(table.peers["caller", caller], table.peers["callee", callee])
    table.switch.calls_are_over()


@pytest.mark.parametrize("row", TRANSFERS, ids=lambda row: row.__name__)
@pytest.mark.parametrize(("caller", "callee"), list(itertools.product(KINDS, KINDS)))
def test_transfer_cell(table: Table, caller: str, callee: str, row: Callable[[Peer, Peer, Peer], None]) -> None:
    row(table.peers["caller", caller], table.peers["callee", callee], table.target)
    table.switch.calls_are_over()
