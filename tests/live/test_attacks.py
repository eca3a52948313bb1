"""Attacks from machines beside the phones, while two phones talk: sipvicious and scripts of our own. Nobody is
enumerated, no password found, no call made, no audio injected, no phone banned; and fail2ban reads what was told.

Not here: each answer by method (tests/scenarios/test_strangers.py), what makes a ban (tests/switch/test_guard.py).
"""

import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.attacker import Attacker, status_of
from tests.live.audio import Wav, hears, tone_share
from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.processes import wait_until
from tests.live.switch_process import PASSWORD, SwitchProcess
from tests.live.test_phones import A_HZ, B_HZ, connect, two_phones, wait_heard

FILTER = Path(__file__).parents[2] / "contrib/fail2ban/filter.d/ringback.conf"
INJECTED_HZ = 1730.0
SDP = (
    "v=0\r\no=- 1 1 IN IP4 10.9.0.110\r\ns=-\r\nc=IN IP4 10.9.0.110\r\nt=0 0\r\nm=audio 9000 RTP/AVP 0 8\r\n"
    "a=rtpmap:0 PCMU/8000\r\n"
)


class Talk:
    """Two phones in a call, and everything they must not notice."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.switch: SwitchProcess
        self.a: Baresip
        self.b: Baresip
        self.switch, self.a, self.b = two_phones(bed)
        connect(self.a, self.b)
        self.attackers: list[Attacker] = []

    def attacker(self) -> Attacker:
        made = Attacker(self.bed.network, self.bed.folder)
        self.attackers.append(made)
        return made

    @property
    def log(self) -> list[str]:
        return (self.switch.data / "security.log").read_text().splitlines()

    def events(self, kind: str, source: str = "") -> list[str]:
        return [line for line in self.log if f"event={kind} source={source}" in line]

    def until_told(self, kind: str, source: str) -> None:
        wait_until(lambda: self.events(kind, source), lambda: f"{kind} of {source}; told were {self.log[-5:]}")

    def unharmed(self) -> None:
        """The phones still hear each other and are registered, nobody banned them, and there was no other call."""
        wait_heard(self.b, A_HZ)
        wait_heard(self.a, B_HZ)
        registered = self.switch.control.call("registration.list")["registrations"]
        assert sorted(one["extension"] for one in registered) == ["1001", "1002"]
        phones = (self.a.address, self.b.address)
        assert {one["address"].split(":")[1] for one in registered} == set(phones)
        assert not [line for phone in phones for line in self.events("ban", phone) if "port=0 " in line]
        assert self.switch.control.call("system.status")["calls_total"] == 1
        self.a.hang_up()
        self.b.wait_for("CALL_CLOSED")
        ended = self.switch.control.wait_for("call.ended")
        record = self.switch.record_of(ended["call_id"])
        assert all(leg["packets_lost"] == 0 for leg in record["legs"])
        left, right = Wav(self.switch.recording_file(ended["call_id"])).channels
        for channel, hz in ((left, A_HZ), (right, B_HZ)):
            assert hears(channel, hz) and tone_share(channel, INJECTED_HZ) < 0.01
        # And they may go on: the next call is as good as the first.
        connect(self.b, self.a)
        self.b.hang_up()
        self.a.wait_for("CALL_CLOSED")


@pytest.fixture
def talk(bed: Bed) -> Iterator[Talk]:
    made = Talk(bed)
    yield made
    for attacker in made.attackers:
        attacker.close()


def test_sipvicious_learns_nothing(talk: Talk) -> None:
    dictionary = talk.bed.folder / "passwords"
    dictionary.write_text("\n".join([*(f"{n:04d}" for n in range(300)), PASSWORD, "secret"]) + "\n")
    target = "10.9.0.1"
    for words in (
        ("svmap", "-v", target),
        ("svwar", "-v", "--force", "-e1000-1050", "-m", "REGISTER", "--maximumtime=3", target),
        ("svwar", "-v", "--force", "-e1000-1050", "-m", "INVITE", "--maximumtime=3", target),
        ("svwar", "-v", "--force", "-e1000-1050", "-m", "OPTIONS", "--maximumtime=3", target),
        ("svcrack", "-v", "-u1001", "-d", str(dictionary), "--maximumtime=3", target),
        ("svcrack", "-v", "-n", "-u1002", "-r", "1-400", "--maximumtime=3", target),
    ):
        one = talk.attacker()
        printed = one.tool(*words)
        assert "Traceback" not in printed, printed
        # What it finds stands in tables: extensions with how they authenticate, passwords, devices.
        assert not re.search(r"\|\s*100[12]\s*\|", printed), printed
        assert PASSWORD not in printed and "Ringback" not in printed, printed
        talk.until_told("scanner", one.address)
    talk.unharmed()


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS", "SUBSCRIBE", "MESSAGE"])
def test_known_and_unknown_users_cannot_be_told_apart(talk: Talk, method: str) -> None:
    answers = {}
    for user in ("1001", "4711"):
        one = talk.attacker()
        shapes = []
        for _ in range(4):
            answer = one.ask(
                one.request(method, user, user, extra="Event: presence", body=SDP if method == "INVITE" else "")
            )
            text = answer.replace(user, "USER").replace(one.address, "HOST").replace(str(one.port), "PORT")
            shapes.append(re.sub(r'(nonce="|tag=|branch=|c0)[^";@\r]+', r"\1X", text))
        answers[user] = shapes
    assert answers["1001"] == answers["4711"] and answers["1001"][0]
    talk.unharmed()


def test_names_are_not_to_be_had_by_asking_for_many(talk: Talk) -> None:
    one = talk.attacker()
    statuses = set()
    for name in range(1000, 1030):
        statuses.add(status_of(one.ask(one.request("REGISTER", str(name), str(name)))))

    # Slowly enough not to be a flood: the challenges it never answers come to light when they are old.
    def asks_on() -> list[str]:
        one.ask(one.request("REGISTER", "2000", "2000"), within_s=0.5)
        time.sleep(0.2)
        return talk.events("ban", one.address)

    wait_until(asks_on, lambda: f"the ban of who asks for many names; told: {talk.log}")
    assert talk.events("enumeration", one.address)
    assert statuses <= {401, 0}
    talk.unharmed()


def test_the_right_password_among_wrong_ones_is_not_found(talk: Talk) -> None:
    one = talk.attacker()
    answers = [status_of(one.guess("REGISTER", "1001", "1001", guess)) for guess in [*"abcdef", PASSWORD, *"ghi"]]
    assert set(answers) == {401}
    assert talk.events("locked_out", one.address)
    talk.unharmed()


def test_nobody_calls_without_a_password(talk: Talk) -> None:
    one = talk.attacker()
    for to in ("1002", "911", "90014155550100", "1001;phone-context=x", "%31002"):
        for user in ("1001", "1002", "carrier", "anonymous"):
            assert status_of(one.ask(one.request("INVITE", user, to, body=SDP))) in (400, 401, 404, 503, 0)
    for method in ("REFER", "NOTIFY", "INFO", "PUBLISH", "UPDATE", "PRACK", "BYE", "MESSAGE", "SUBSCRIBE"):
        extra = "Refer-To: <sip:1002@10.9.0.1>\nEvent: dialog\nRAck: 1 1 INVITE"
        answer = one.ask(one.request(method, "1001", "1002", extra=extra))
        assert status_of(answer) >= 400 or not answer
        tagged = one.ask(one.request(method, "1001", "1002", extra=extra, to_tag=";tag=0123456789abcdef"))
        assert status_of(tagged) >= 400 or not tagged
    talk.unharmed()


def test_no_audio_gets_in_from_elsewhere(talk: Talk) -> None:
    one, other = talk.attacker(), talk.attacker()
    n = one.inject(range(20000, 20040), INJECTED_HZ, 25) + other.inject(range(20000, 20040, 2), INJECTED_HZ, 25)
    assert n >= 3000
    for phone in (talk.a, talk.b):
        [heard] = [wav.channels[0] for wav in phone.heard()][-1:]
        assert tone_share(heard, INJECTED_HZ) < 0.01
    talk.unharmed()


def _flood(one: Attacker) -> None:
    for n in range(4000):
        one.sip.sendto(one.request("INVITE", f"{n}", "1002", body=SDP), ("10.9.0.1", 5060))


def _junk(one: Attacker) -> None:
    for n in range(1000):
        one.sip.sendto(bytes((n * 7 + i * i) % 256 for i in range(40 + n)), ("10.9.0.1", 5060))
        one.sip.sendto(b"INVITE sip:1002@10.9.0.1 SIP/2.0\r\nVia: \x00\x01\r\nFrom: \r\n\r\n", ("10.9.0.1", 5060))


def _smuggling(one: Attacker) -> None:
    for text in ("1002\r\nX-Evil: 1", "=cmd|'/C calc'!A0", "\x1b[31mred", 'a" source=10.9.0.101 event="ban'):
        one.ask(one.request("REGISTER", text, "1001"), within_s=0.2)
        one.ask(one.request("REGISTER", "1001", "1001", agent=f"friendly-scanner {text}"), within_s=0.2)


def _idle_streams(one: Attacker) -> None:
    held = []
    for _ in range(300):
        try:
            held.append(one.tcp())
        except OSError:
            break
    for sock in held[::2]:
        sock.sendall(b"INVITE sip:1002@10.9.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP x")
    closed = [sock for sock in held if _is_closed(sock)]
    # One source gets no more than its share of connections.
    assert closed or len(held) < 300
    for sock in held:
        sock.close()


def _is_closed(sock: socket.socket) -> bool:
    sock.settimeout(0.01)
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("attack", [_flood, _junk, _smuggling, _idle_streams])
def test_phones_notice_nothing_of(talk: Talk, attack: Callable[[Attacker], None]) -> None:
    attack(talk.attacker())
    for line in talk.log:
        assert line.isprintable() and line.count('"') == 4 and len(line) < 500
    talk.unharmed()


def test_fail2ban_reads_the_log_and_spares_the_phones(talk: Talk) -> None:
    guesser, scanner = talk.attacker(), talk.attacker()
    for guess in "abcdefgh":
        guesser.guess("REGISTER", "1001", "1001", guess)
    scanner.ask(scanner.request("OPTIONS", "100", "100", agent="friendly-scanner"), within_s=0.2)
    # Somebody beside a phone, at its address.
    beside = talk.a.network.socket(socket.AF_INET, socket.SOCK_DGRAM)
    beside.sendto(scanner.request("OPTIONS", "100", "100", agent="sipvicious"), ("10.9.0.1", 5060))
    beside.close()
    talk.until_told("scanner", talk.a.address)
    found = {mode: _fail2ban(talk.switch.data / "security.log", mode) for mode in ("normal", "verified")}
    assert set(found["normal"]) == {guesser.address, scanner.address}
    assert set(found["verified"]) == {guesser.address}
    assert len(found["verified"]) == 8
    talk.unharmed()


def _fail2ban(log: Path, mode: str) -> list[str]:
    """The addresses of the lines that the shipped filter matches."""
    done = subprocess.run(
        ["fail2ban-regex", "-o", "ip", str(log), f"{FILTER}[mode={mode}]"], capture_output=True, text=True, check=True
    )
    return done.stdout.split()
