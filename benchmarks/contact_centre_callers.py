"""The callers of `benchmarks.contact_centre`: SIPp, two hundred lines at a time, each with a patience of its own.

A caller rings up, is answered by the queue, speaks all the time, and waits for the switch to hang up; when his patience
is over he hangs up himself, whether he waits or talks by then. The patiences are quantiles of an exponential law.
"""

import asyncio
import csv
import math
import signal
from pathlib import Path

N_PATIENCES = 24
FIRST_CALLER = 13_800_000_000
"""Each caller has a number of his own: this plus the number SIPp gives the call."""
_HEAD = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'
_LOUD = 0x2A
"""Every byte of a caller's PCMU: what an agent hears of him, and a recording has of him on the left."""
_FROM = '"Caller" <sip:138[call_number]@[remote_ip]>;tag=[pid]c[call_number]'
_SDP = """v=0
      o=sipp 53655765 1 IN IP4 [local_ip]
      s=-
      c=IN IP4 [media_ip]
      t=0 0
      m=audio [rtpstream_audio_port] RTP/AVP 0 101
      a=rtpmap:0 PCMU/8000
      a=rtpmap:101 telephone-event/8000
      a=ptime:20
      a=sendrecv
"""


def patiences_s(mean_s: float) -> list[float]:
    """Quantiles of the exponential law with this mean, from the shortest to the longest."""
    return [-mean_s * math.log(1 - (k + 0.5) / N_PATIENCES) for k in range(N_PATIENCES)]


def scenario(voice: Path, mean_patience_s: float) -> str:
    """SIPp's XML. `voice`: raw PCMU to send."""
    branches, choices = [], []
    for k, patience_s in enumerate(patiences_s(mean_patience_s)):
        label = 100 + k
        # One of those that are left, each with the same chance.
        choices.append(f'  <nop next="{label}" chance="{1 / (N_PATIENCES - k):.6f}"></nop>')
        wait_ms = max(200, int(patience_s * 1000))
        branches.append(
            f'  <label id="{label}"/>\n  <recv request="BYE" timeout="{wait_ms}" ontimeout="50" next="60"/>'
        )
    return (
        f'{_HEAD}<scenario name="caller">\n'
        + _send("INVITE", "sip:[field0]@[remote_ip]:[remote_port]", cseq=1, has_tag=False, body=_SDP)
        + '  <recv response="100" optional="true"/>\n  <recv response="180" optional="true"/>\n'
        + '  <recv response="183" optional="true"/>\n  <recv response="200" rrs="true"/>\n'
        + _send("ACK", "[next_url]", cseq=1)
        + f'  <nop><action><exec rtp_stream="{voice},-1,0"/></action></nop>\n'
        + "\n".join(choices)
        + "\n"
        + "\n".join(branches)
        + '\n  <label id="50"/>\n'
        + _send("BYE", "[next_url]", cseq=2, is_repeated=True)
        + '  <recv request="BYE" optional="true" next="70"/>\n  <recv response="200" next="90"/>\n'
        # Both hung up at the same time.
        + '  <label id="70"/>\n'
        + _ok()
        + '  <recv response="200" next="90"/>\n'
        + '  <label id="60"/>\n'
        + _ok()
        + '  <label id="90"/>\n  <nop></nop>\n</scenario>\n'
    )


def _send(method: str, uri: str, *, cseq: int, has_tag: bool = True, body: str = "", is_repeated: bool = False) -> str:
    repeated = ' retrans="500"' if is_repeated or body else ""
    kind = "      Content-Type: application/sdp\n" if body else ""
    return (
        f"  <send{repeated}>\n    <![CDATA[\n\n      {method} {uri} SIP/2.0\n"
        "      Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]\n"
        f"      From: {_FROM}\n      To: <sip:[field0]@[remote_ip]>{'[peer_tag_param]' if has_tag else ''}\n"
        f"      Call-ID: [call_id]\n      CSeq: {cseq} {method}\n"
        "      Contact: <sip:caller@[local_ip]:[local_port];transport=[transport]>\n      Max-Forwards: 70\n"
        f"{kind}      Content-Length: [len]\n\n      {body}\n    ]]>\n  </send>\n"
    )


def _ok() -> str:
    return (
        "  <send>\n    <![CDATA[\n\n      SIP/2.0 200 OK\n      [last_Via:]\n      [last_From:]\n      [last_To:]\n"
        "      [last_Call-ID:]\n      [last_CSeq:]\n      Content-Length: 0\n\n    ]]>\n  </send>\n"
    )


class Callers:
    """One SIPp process that calls one access number at a steady rate. It makes no new calls after `stop_calling`."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._folder = folder

    @classmethod
    async def start(
        cls,
        folder: Path,
        *,
        local: tuple[str, int],
        remote: tuple[str, int],
        numbers: list[str],
        rate: float,
        limit: int,
        mean_patience_s: float,
    ) -> "Callers":
        """`rate` calls a second, at most `limit` at a time."""
        file, dialled = _write_folder(folder, numbers, mean_patience_s)
        words = [
            "sipp", f"{remote[0]}:{remote[1]}", "-sf", str(file), "-inf", str(dialled), "-i", local[0],
            "-p", str(local[1]),
            "-mi", local[0], "-t", "u1", "-nostdin", "-r", f"{rate * 10:.0f}", "-rp", "10000", "-l", str(limit),
            "-trace_stat", "-stf", str(folder / "stat.csv"), "-fd", "1",
            "-trace_err", "-error_file", str(folder / "errors.log"), "-recv_timeout", "300000",
        ]  # fmt: skip
        with (folder / "output.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env={"TERM": "dumb", "PATH": _PATH}
            )
        return cls(process, folder)

    def stop_calling(self) -> None:
        """Those under way go on (SIGUSR1 is SIPp's key q)."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGUSR1)

    async def finished(self, timeout_s: float) -> None:
        """All calls are over. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            await self._process.wait()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def count(self) -> dict[str, int]:
        """SIPp's own count: calls created, successful, failed."""
        with (self._folder / "stat.csv").open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        names = {"created": "TotalCallCreated", "successful": "SuccessfulCall(C)", "failed": "FailedCall(C)"}
        return {ours: int(last[theirs]) for ours, theirs in names.items()}

    def errors(self) -> str:
        file = self._folder / "errors.log"
        return file.read_text(errors="replace")[:4000] if file.exists() else ""


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _write_folder(folder: Path, numbers: list[str], mean_patience_s: float) -> tuple[Path, Path]:
    """The scenario and the numbers."""
    folder.mkdir(parents=True)
    voice = folder / "voice.ulaw"
    voice.write_bytes(bytes((_LOUD,)) * 16_000)
    file = folder / "scenario.xml"
    file.write_text(scenario(voice, mean_patience_s), encoding="utf-8")
    # Each call takes the next line: they call the numbers in turn.
    dialled = folder / "numbers.csv"
    dialled.write_text("SEQUENTIAL\n" + "".join(f"{number};\n" for number in numbers), encoding="utf-8")
    return file, dialled
