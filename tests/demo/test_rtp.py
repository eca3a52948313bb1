"""A phone's audio over loopback sockets: RTP, RFC 4733, RTCP, and what is counted of what arrives.

Ticks are given by hand, so nothing depends on the speed of the machine. Not covered: pacing itself.
"""

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

from sip.offer_answer import Negotiated
from switch.demo.rtp import RtpClock, RtpLine
from switch.demo.speech import speak

VOICE = {"PCMU": speak(1), "PCMA": speak(1, codec="PCMA")}
HOST = "127.0.0.1"


class StoppedClock(RtpClock):
    """Ticks come from the test."""

    def add(self, line: RtpLine) -> None: ...

    def remove(self, line: RtpLine) -> None: ...


class Ear:
    """The other end: plain sockets that keep what they get."""

    def __init__(self) -> None:
        self.rtp, self.rtcp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for each in (self.rtp, self.rtcp):
            each.bind((HOST, 0))
            each.settimeout(10)

    def next(self) -> tuple[bool, int, int, int, int, bytes]:
        """marker, payload type, sequence, timestamp, ssrc, payload"""
        data = self.rtp.recv(2048)
        first, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        assert first == 0x80
        return bool(kind & 0x80), kind & 0x7F, sequence, timestamp, ssrc, data[12:]

    def negotiated(self, **more: object) -> Negotiated:
        known: dict[str, object] = {
            "codec": "PCMU",
            "payload_type": 0,
            "dtmf_payload_type": 101,
            "remote_host": HOST,
            "remote_port": self.rtp.getsockname()[1],
            "remote_rtcp_port": self.rtcp.getsockname()[1],
            "direction": "sendrecv",
            "ptime_ms": 20,
        }
        return Negotiated(**(known | more))  # type: ignore[arg-type]


def with_line(test: Callable[[RtpLine, Ear, list[tuple[str, int]]], Awaitable[None]]) -> None:
    async def main() -> None:
        digits: list[tuple[str, int]] = []
        line = RtpLine(
            HOST,
            StoppedClock(),
            VOICE,
            randomness=random.Random(1),
            on_digit=lambda digit, ms: digits.append((digit, ms)),
        )
        ear = Ear()
        try:
            await test(line, ear, digits)
        finally:
            line.close()
            ear.rtp.close()
            ear.rtcp.close()

    asyncio.run(main())


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_true():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def packet(sequence: int, timestamp: int, payload: bytes = b"\xff" * 160, kind: int = 0, ssrc: int = 9) -> bytes:
    return struct.pack("!BBHII", 0x80, kind, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def event(sequence: int, timestamp: int, digit: int, duration: int, is_end: bool) -> bytes:
    return packet(sequence, timestamp, struct.pack("!BBH", digit, 0x80 * is_end | 10, duration), kind=101)


def test_audio_is_sent_in_order() -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        assert line.address[1] % 2 == 0
        line.tick()
        line.configure(ear.negotiated())
        for _ in range(5):
            line.tick()
        got = [ear.next() for _ in range(5)]
        assert [each[0] for each in got] == [True, False, False, False, False]
        assert {each[1] for each in got} == {0}
        assert [(each[2] - got[0][2]) & 0xFFFF for each in got] == [0, 1, 2, 3, 4]
        assert [(each[3] - got[0][3]) & 0xFFFFFFFF for each in got] == [0, 160, 320, 480, 640]
        assert b"".join(each[5] for each in got) in VOICE["PCMU"]
        assert line.statistics.packets_sent == 5

    with_line(test)


@pytest.mark.parametrize("direction", ["recvonly", "inactive"])
def test_a_held_phone_is_silent_and_its_clock_goes_on(direction: str) -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        line.configure(ear.negotiated())
        line.tick()
        line.configure(ear.negotiated(direction=direction))
        for _ in range(10):
            line.tick()
        line.configure(ear.negotiated(codec="PCMA", payload_type=8))
        line.tick()
        first, second = ear.next(), ear.next()
        assert (second[2] - first[2]) & 0xFFFF == 1
        assert (second[3] - first[3]) & 0xFFFFFFFF == 11 * 160
        assert second[:2] == (True, 8)

    with_line(test)


def test_digits_are_sent_as_rfc_4733_says() -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        line.configure(ear.negotiated())
        line.tick()
        line.send_digits("5#")
        ticks = 0
        while line.is_sending_digits:
            line.tick()
            ticks += 1
        sent = [ear.next() for _ in range(ticks + 1)]
        assert len({each[2] for each in sent}) == len(sent)
        events = [each for each in sent if each[1] == 101]
        for code, start in ((5, 0), (11, 7)):
            one = events[start : start + 7]
            assert [struct.unpack("!BBH", each[5]) for each in one] == [
                (code, 0x80 * (duration == 800) | 10, duration) for duration in (160, 320, 480, 640, 800, 800, 800)
            ]
            assert len({each[3] for each in one}) == 1
            assert [each[0] for each in one] == [True] + [False] * 6
        between = sent.index(events[7]) - sent.index(events[6]) - 1
        assert between >= 3, "two digits need a gap"
        assert line.statistics.digits_sent == "5#"

    with_line(test)


@pytest.mark.parametrize(("digits", "payload_type"), [("5x", 101), ("5", -1)], ids=["no digit", "not negotiated"])
def test_what_cannot_be_sent_is_refused(digits: str, payload_type: int) -> None:
    async def test(line: RtpLine, ear: Ear, heard: list[tuple[str, int]]) -> None:
        with pytest.raises(ValueError, match="not"):
            line.send_digits("1")
        line.configure(ear.negotiated(dtmf_payload_type=payload_type))
        with pytest.raises(ValueError, match="not"):
            line.send_digits(digits)
        assert not line.is_sending_digits

    with_line(test)


RTP_CASES = {
    "all there": (range(10), {"packets_received": 10}),
    "one missing": ([0, 1, 3, 4], {"packets_received": 4, "packets_lost": 1}),
    "reordered": ([0, 2, 1, 3], {"packets_received": 4, "packets_lost": 0}),
    "first two swapped": ([1, 0, 2], {"packets_received": 3, "packets_lost": 0}),
    "twice": ([0, 1, 1, 2], {"packets_received": 3, "packets_lost": 0, "packets_duplicate": 1}),
    "over the wrap": ([65534, 65535, 65536, 65538], {"packets_received": 4, "packets_lost": 1}),
}


@pytest.mark.parametrize(("sequences", "expected"), RTP_CASES.values(), ids=RTP_CASES)
def test_what_arrives_is_counted(sequences: list[int], expected: dict[str, int]) -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        line.configure(ear.negotiated())
        for sequence in sequences:
            ear.rtp.sendto(packet(sequence, sequence * 160), line.address)
        seen = line.statistics
        await until(lambda: seen.packets_received + seen.packets_duplicate == len(list(sequences)))
        line.close()
        assert {name: getattr(seen, name) for name in expected} == expected

    with_line(test)


def test_a_new_source_keeps_the_losses_of_the_old_one() -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        line.configure(ear.negotiated())
        for sequence, ssrc in ((0, 1), (2, 1), (500, 2), (501, 2)):
            ear.rtp.sendto(packet(sequence, sequence * 160, ssrc=ssrc), line.address)
        await until(lambda: line.statistics.packets_received == 4)
        line.close()
        assert line.statistics.packets_lost == 1

    with_line(test)


def test_voice_is_told_from_silence_and_rubbish_is_counted() -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        line.configure(ear.negotiated())
        loud = max((VOICE["PCMU"][i : i + 160] for i in range(0, 16_000, 160)), key=lambda part: len(set(part)))
        for sequence, payload in enumerate((loud, b"\xff" * 160, loud)):
            ear.rtp.sendto(packet(sequence, sequence * 160, payload), line.address)
        for rubbish in (b"", b"\x80", b"\x00" * 40, packet(7, 7, kind=96)):
            ear.rtp.sendto(rubbish, line.address)
        await until(lambda: line.statistics.packets_foreign == 4)
        assert line.statistics.packets_received == 3
        assert line.statistics.voice_s == pytest.approx(0.04)

    with_line(test)


DIGIT_CASES = {
    "complete": ([(0, 0, 5, 160, False), (1, 0, 5, 800, True), (2, 0, 5, 800, True)], [("5", 100)]),
    "only an end": ([(0, 0, 11, 800, True)], [("#", 100)]),
    "end lost, next digit": ([(0, 0, 1, 480, False), (1, 4000, 2, 800, True)], [("1", 60), ("2", 100)]),
    "same digit twice": ([(0, 0, 1, 800, True), (1, 4000, 1, 800, True)], [("1", 100), ("1", 100)]),
    "no digit": ([(0, 0, 32, 800, True)], []),
}


@pytest.mark.parametrize(("events", "expected"), DIGIT_CASES.values(), ids=DIGIT_CASES)
def test_digits_are_heard_once(events: list[tuple[int, int, int, int, bool]], expected: list[tuple[str, int]]) -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        line.configure(ear.negotiated())
        for each in events:
            ear.rtp.sendto(event(*each), line.address)
        await until(lambda: line.statistics.packets_received == len(events))
        line.close()
        assert digits == expected
        assert line.statistics.digits_received == "".join(digit for digit, _ in expected)

    with_line(test)


def test_reports_go_out_and_are_read() -> None:
    async def test(line: RtpLine, ear: Ear, digits: list[tuple[str, int]]) -> None:
        line.configure(ear.negotiated())
        ear.rtp.sendto(packet(1, 160), line.address)
        ear.rtp.sendto(packet(3, 480), line.address)
        await until(lambda: line.statistics.packets_received == 2)
        for _ in range(260):
            line.tick()
        report = ear.rtcp.recv(2048)
        assert report[0] == 0x81 and report[1] == 200
        assert struct.unpack_from("!H", report, 2)[0] == 12
        ssrc, lost = struct.unpack_from("!II", report, 28)
        assert (ssrc, lost) == (9, 1)
        assert report[52:54] == b"\x81\xca" and (len(report) - 52) % 4 == 0
        receiver_report = struct.pack("!BBHI", 0x81, 201, 7, 9) + struct.pack("!IIIIII", 5, 3, 0, 0, 0, 0)
        ear.rtcp.sendto(receiver_report, (HOST, line.address[1] + 1))
        await until(lambda: line.statistics.rtcp_received == 1)
        assert line.statistics.remote_lost == 3

    with_line(test)


def test_the_clock_ticks_all_lines_and_rests_without_them() -> None:
    class Counting:
        def __init__(self) -> None:
            self.ticks = 0

        def tick(self) -> None:
            self.ticks += 1

    async def main() -> None:
        clock = RtpClock()
        lines = [Counting(), Counting()]
        for line in lines:
            clock.add(line)  # type: ignore[arg-type]
        await until(lambda: min(line.ticks for line in lines) >= 5)
        assert abs(lines[0].ticks - lines[1].ticks) == 0
        for line in lines:
            clock.remove(line)  # type: ignore[arg-type]
        assert clock._timer is None

    asyncio.run(main())
