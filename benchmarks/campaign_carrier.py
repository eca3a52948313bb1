"""The carrier of `benchmarks.campaign`: one SIPp behind which everybody does what the last digit of his number says.

A person who answers says one short word, then is quiet in a way that can be told on the wire, and hangs up when he has
talked enough. A machine greets at length. Now and then the carrier is congested, whoever is called.
"""

import asyncio
import csv
import math
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from media.g711 import encoder
from switch.demo.speech import RATE_HZ, synthesise
from tests.live.sipp import receive, response, scenario, sdp, send

QUIET = 0x5A
"""Every byte of a person's PCMU after his word: a steady level, which is no speech, and no silence either."""
HUMAN, BUSY, SILENT, UNKNOWN, DECLINES, MACHINE = "1", "2", "3", "4", "5", "6"
SHARES = {HUMAN: 0.45, SILENT: 0.18, MACHINE: 0.13, BUSY: 0.12, UNKNOWN: 0.07, DECLINES: 0.05}
NAMES = {HUMAN: "person", BUSY: "busy", SILENT: "silent", UNKNOWN: "unknown", DECLINES: "declines", MACHINE: "machine"}
_REFUSALS = {BUSY: (486, "Busy Here"), UNKNOWN: (404, "Not Found"), DECLINES: (603, "Decline")}
_VOICE, _GREETING = 21, 9
"""Seeds of the demo's voices."""
_WORD_S, _LONGEST_S = 0.7, 60.0
_TAG = ";tag=[pid]s[call_number]"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """What customers are like, and their carrier."""

    least_talk_s: float = 4.0
    mean_talk_s: float = 9.0
    """By an exponential law above the least."""
    rings_s: Sequence[float] = (1.0, 2.0, 3.0, 4.5)
    """Each as likely as the others."""
    refuses_after_s: float = 1.3
    """Networks take their time, too; what fails at once is the trunk's fault."""
    congested: float = 0.03
    """Share of calls for which there is no line, at once."""


def customers(n: int, shares: dict[str, float] = SHARES) -> list[str]:
    """Numbers of so many, mixed, of each kind its share as near as can be."""
    given = dict.fromkeys(shares, 0)
    made = []
    for k in range(n):
        kind = max(shares, key=lambda each: shares[each] * (k + 1) - given[each])
        given[kind] += 1
        made.append(f"138{k:07d}{kind}")
    return made


def carrier_xml(folder: Path, manner: Manner) -> str:
    """SIPp's scenario; what customers say comes to lie in `folder`."""
    word, greeting = folder / "word.ulaw", folder / "greeting.ulaw"
    word.write_bytes(_encoded(synthesise(_VOICE, _WORD_S)).ljust(int(_LONGEST_S * RATE_HZ), bytes((QUIET,))))
    greeting.write_bytes(_encoded(synthesise(_GREETING, 20.0)))
    exponential = [-math.log(1 - (k + 0.5) / 8) for k in range(8)]
    talks_s = [manner.least_talk_s + (manner.mean_talk_s - manner.least_talk_s) * each for each in exponential]
    xml: str = scenario(
        "carrier",
        receive("OPTIONS", optional=True, attributes='next="asked"'),
        receive("INVITE", action=_looks()),
        *([f'  <nop next="congested" chance="{manner.congested:.4f}"/>'] if manner.congested else []),
        send(response(100, "Trying", to_tag=False)),
        *(_go(NAMES[kind]) for kind in _REFUSALS),
        send(response(180, "Ringing")),
        _go(NAMES[SILENT]),
        *_one_of("ring", "CANCEL", manner.rings_s, "answers", "cancelled"),
        *_answering(),
        _go(NAMES[MACHINE]),
        _play(word),
        *_one_of("talk", "BYE", talks_s, "leaves", "left"),
        f'  <label id="{NAMES[MACHINE]}"/>',
        _play(greeting),
        receive("BYE", attributes='next="left"'),
        f'  <label id="{NAMES[SILENT]}"/>',
        receive("CANCEL", attributes='next="cancelled"'),
        *_endings(),
        *_refusals(manner),
        '  <label id="end"/>',
        "  <nop/>",
    )
    return xml


def _looks() -> str:
    """What is kept of the INVITE, and who is called by it."""
    kept = {"via": ("Via:", ".*"), "from": ("From:", ".*"), "to": ("To:", ".*"), "cseq": ("CSeq:", "[0-9]+")}
    kept["contact"] = "Contact:", "sip:[^>]*"
    return "".join(
        (
            *(
                f'<ereg regexp="{regexp}" search_in="hdr" header="{header}" check_it="true" assign_to="{name}"/>'
                for name, (header, regexp) in kept.items()
            ),
            *(
                f'<ereg regexp="^INVITE sip:[^@]*{kind}@" search_in="msg" assign_to="{NAMES[kind]}"/>'
                for kind in NAMES
                if kind != HUMAN
            ),
        )
    )


def _go(name: str) -> str:
    """To the label of this name, when the number is of that kind."""
    return f'  <nop next="{name}" test="{name}"/>'


def _play(file: Path) -> str:
    return f'  <nop><action><exec rtp_stream="{file},-1,0"/></action></nop>'


def _one_of(name: str, request: str, waits_s: Sequence[float], in_time: str, next_: str) -> list[str]:
    """Waits one of so long, each with the same chance, and goes on; before, the request leads elsewhere."""
    n = len(waits_s)
    return [
        *(f'  <nop next="{name}{k}" chance="{1 / (n - k):.6f}"/>' for k in range(n)),
        *(
            f'  <label id="{name}{k}"/>\n  <recv request="{request}" timeout="{wait_s * 1000:.0f}" '
            f'ontimeout="{in_time}" next="{next_}"/>'
            for k, wait_s in enumerate(waits_s)
        ),
    ]


def _answering() -> list[str]:
    """The call is up; a CANCEL that crossed the answer is told so."""
    return [
        '  <label id="answers"/>',
        send(response(200, "OK"), sdp(payloads="0 101"), retransmit=True),
        receive("CANCEL", optional=True, attributes='next="crossed"'),
        '  <label id="acknowledged"/>',
        receive("ACK"),
    ]


def _endings() -> list[str]:
    bye = [
        "BYE [$contact] SIP/2.0",
        "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]",
        f"From:[$to]{_TAG}",
        "To:[$from]",
        "Call-ID: [call_id]",
        "CSeq: 1 BYE",
        "Max-Forwards: 70",
    ]
    terminated = [
        "SIP/2.0 487 Request Terminated",
        "Via:[$via]",
        "From:[$from]",
        f"To:[$to]{_TAG}",
        "[last_Call-ID:]",
        "CSeq: [$cseq] INVITE",
    ]
    to_end = 'next="end"'
    good = response(200, "OK", to_tag=False)
    return [
        '  <label id="crossed"/>',
        send(good, attributes='next="acknowledged"'),
        '  <label id="cancelled"/>',
        send(good),
        send("\n".join(terminated), retransmit=True),
        receive("ACK", attributes=to_end),
        '  <label id="left"/>',
        send(good, attributes=to_end),
        '  <label id="leaves"/>',
        send("\n".join(bye), retransmit=True),
        # Both hang up at the same time.
        receive("BYE", optional=True, attributes='next="both"'),
        receive(200, attributes=to_end),
        '  <label id="both"/>',
        send(good),
        receive(200, attributes=to_end),
        '  <label id="asked"/>',
        send(response(200, "OK"), attributes=to_end),
    ]


def _refusals(manner: Manner) -> list[str]:
    pieces = []
    for kind, (status, reason) in _REFUSALS.items():
        name = NAMES[kind]
        pieces += [
            f'  <label id="{name}"/>\n  <recv request="CANCEL" timeout="{manner.refuses_after_s * 1000:.0f}" '
            f'ontimeout="{name}_now" next="cancelled"/>',
            *_refusal(f"{name}_now", status, reason),
        ]
    return [*pieces, *_refusal("congested", 503, "Service Unavailable")]


def _refusal(label: str, status: int, reason: str) -> list[str]:
    refusing = send(response(status, reason), retransmit=True)
    return [f'  <label id="{label}"/>', refusing, receive("ACK", attributes='next="end"')]


def _write_folder(folder: Path, manner: Manner) -> Path:
    folder.mkdir(parents=True)
    file = folder / "scenario.xml"
    file.write_text(carrier_xml(folder, manner), encoding="utf-8")
    return file


def _encoded(samples: NDArray[np.int16]) -> bytes:
    return encoder("PCMU").take(samples.view(np.uint16)).tobytes()


class Carrier:
    """SIPp with that scenario."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder

    @classmethod
    async def start(cls, folder: Path, local: tuple[str, int], manner: Manner) -> "Carrier":
        """It takes calls as soon as its port is bound, an instant later."""
        file = _write_folder(folder, manner)
        words = [
            "sipp", "-sf", str(file), "-i", local[0], "-p", str(local[1]), "-mi", local[0], "-t", "u1", "-nostdin",
            "-trace_stat", "-stf", str(folder / "stat.csv"), "-fd", "1",
            "-trace_err", "-error_file", str(folder / "errors.log"),
        ]  # fmt: skip
        with (folder / "output.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env={"TERM": "dumb", "PATH": _PATH}
            )
        return cls(process, folder)

    async def stop(self) -> None:
        """When its calls are over, or after a while (SIGUSR1 is SIPp's key q)."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGUSR1)
            try:
                async with asyncio.timeout(20.0):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    def n_failed(self) -> int:
        """Calls that did not go as written, by its own count."""
        with (self._folder / "stat.csv").open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        return int(last["FailedCall(C)"])

    def errors(self) -> str:
        """What it says of its calls; that somebody answered or left when it was time, too."""
        file = self._folder / "errors.log"
        return file.read_text(errors="replace")[:4000] if file.exists() else ""
