"""SIPp as a scripted peer: scenarios put together from pieces, runs, and the figures SIPp gives at the end.

What SIPp 3.6 from Debian needs: `rtp_stream` wants raw µ-law and a port from `[rtpstream_audio_port]`; there is no TLS.
"""

import csv
import itertools
import struct
from dataclasses import dataclass
from pathlib import Path

from tests.live.audio import encode_alaw, encode_ulaw, tone
from tests.live.netns import Namespace
from tests.live.processes import PATIENCE_S, Process, wait_until

HEAD = '<?xml version="1.0" encoding="ISO-8859-1" ?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n'


def scenario(name: str, *pieces: str) -> str:
    return f'{HEAD}<scenario name="{name}">\n' + "\n".join(pieces) + "\n</scenario>\n"


def sdp(
    direction: str = "sendrecv",
    payloads: str = "0 8 101",
    version: int = 1,
    *,
    ptime_ms: int = 20,
    port: str = "[rtpstream_audio_port]",
) -> str:
    return f"""v=0
      o=sipp 53655765 {version} IN IP4 [local_ip]
      s=-
      c=IN IP4 [media_ip]
      t=0 0
      m=audio {port} RTP/AVP {payloads}
      a=rtpmap:0 PCMU/8000
      a=rtpmap:8 PCMA/8000
      a=rtpmap:101 telephone-event/8000
      a=fmtp:101 0-15
      a=ptime:{ptime_ms}
      a={direction}
"""


def send(text: str, body: str = "", *, retransmit: bool = False, attributes: str = "") -> str:
    """One message; Content-Type and Content-Length come by themselves."""
    kind = "      Content-Type: application/sdp\n" if body else ""
    lines = "\n".join("      " + line.strip() for line in text.strip().splitlines())
    rest = f"\n      {body.strip()}\n" if body else ""
    retrans = ' retrans="500"' if retransmit else ""
    return (
        f"  <send{retrans} {attributes}>\n    <![CDATA[\n\n{lines}\n{kind}      Content-Length: [len]\n{rest}\n"
        "    ]]>\n  </send>"
    )


def receive(what: int | str, *, optional: bool = False, attributes: str = "", action: str = "") -> str:
    """A response (number) or a request (name)."""
    kind = f'response="{what}"' if isinstance(what, int) else f'request="{what}"'
    maybe = ' optional="true"' if optional else ""
    inner = f"<action>{action}</action>" if action else ""
    return f"  <recv {kind}{maybe} {attributes}>{inner}</recv>"


def pause(milliseconds: int) -> str:
    return f'  <pause milliseconds="{milliseconds}"/>'


def play(folder: Path, hz: float, *, payload_type: int = 0) -> str:
    """Speak a tone from now on, in PCMU (0) or PCMA (8). The file comes to lie in `folder`."""
    file = folder / f"tone-{hz:g}.{payload_type}"
    if not file.exists():
        encode = encode_alaw if payload_type == 8 else encode_ulaw
        file.write_bytes(encode(tone(hz, 4.0)))
    return f'  <nop><action><exec rtp_stream="{file},-1,{payload_type}"/></action></nop>'


def play_packets(folder: Path, hz: float, *, ptime_ms: int, payload_type: int = 0, seconds: float = 3.0) -> str:
    """Speak a tone in packets of any length, from the port `[media_port]`: `rtp_stream` knows 20 ms alone."""
    file = folder / f"tone-{hz:g}-{ptime_ms}.{payload_type}.pcap"
    encode = encode_alaw if payload_type == 8 else encode_ulaw
    codes, size = encode(tone(hz, seconds)), 8 * ptime_ms
    frames = [codes[at : at + size] for at in range(0, len(codes) - size + 1, size)]
    packets = [
        (n * ptime_ms / 1000, struct.pack(">BBHII", 0x80, payload_type, n, n * size, 0x51990000 + ptime_ms) + frame)
        for n, frame in enumerate(frames)
    ]
    capture_of(file, packets)
    return f'  <nop><action><exec play_pcap_audio="{file}"/></action></nop>'


def capture_of(file: Path, packets: list[tuple[float, bytes]]) -> Path:
    """A capture for `play_pcap_audio`: RTP packets with their instants, in seconds."""
    with open(file, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for n, (at_s, rtp) in enumerate(packets):
            udp = struct.pack(">HHHH", 6000, 6000, 8 + len(rtp), 0) + rtp
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), n, 0, 64, 17, 0, bytes(4), bytes(4)) + udp
            packet = bytes(12) + b"\x08\x00" + ip
            at_us = round(at_s * 1_000_000)
            out.write(
                struct.pack("<IIII", 1 + at_us // 1_000_000, at_us % 1_000_000, len(packet), len(packet)) + packet
            )
    return file


# -- requests and responses -------------------------------------------------------------------------------------------

_VIA = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"
_FROM = "From: <sip:{user}@[remote_ip]>;tag=[pid]c[call_number]"
_TO = "To: <sip:[service]@[remote_ip]>"
_CONTACT = "Contact: <sip:{user}@[local_ip]:[local_port];transport=[transport]>"


def request(
    method: str, *, user: str, cseq: int, extra: str = "", in_dialog: bool = True, back_to_invite: int = 0
) -> str:
    """Text of a request of the UAC, in the dialog (from the 200 on) or outside it.

    `back_to_invite`: how many pieces before in the scenario the INVITE stands whose transaction this CANCEL, or this
    ACK to a refusal, belongs to: SIPp numbers the branches by piece.
    """
    target = "[next_url]" if in_dialog else "sip:[service]@[remote_ip]:[remote_port]"
    via = _VIA.replace("[branch]", f"[branch-{back_to_invite}]") if back_to_invite else _VIA
    lines = [
        f"{method} {target} SIP/2.0",
        via,
        "[routes]" if in_dialog else "",
        _FROM.format(user=user),
        _TO + ("[peer_tag_param]" if in_dialog or (back_to_invite and method == "ACK") else ""),
        "Call-ID: [call_id]",
        f"CSeq: {cseq} {method}",
        _CONTACT.format(user=user),
        "Max-Forwards: 70",
        extra,
    ]
    return "\n".join(line for line in lines if line)


def response(status: int, reason: str, *, extra: str = "", to_tag: bool = True) -> str:
    """Text of a response of the UAS to the last request."""
    lines = [
        f"SIP/2.0 {status} {reason}",
        "[last_Via:]",
        "[last_Record-Route:]",
        "[last_From:]",
        "[last_To:]" + (";tag=[pid]s[call_number]" if to_tag else ""),
        "[last_Call-ID:]",
        "[last_CSeq:]",
        "Contact: <sip:uas@[local_ip]:[local_port];transport=[transport]>",
        extra,
    ]
    return "\n".join(line for line in lines if line)


# -- runs -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figures:
    """What SIPp counted, over the whole run."""

    created: int
    successful: int
    failed: int
    retransmissions: int
    """SIPp's own, because an answer did not come in time."""
    unexpected: int
    peak: int
    """Most calls at one time."""


class Sipp:
    """A SIPp process inside a namespace; it ends by itself after `calls`, made or taken."""

    _numbers = itertools.count(1)

    def __init__(
        self,
        network: Namespace,
        folder: Path,
        xml: str,
        *,
        local: str,
        port: int = 5060,
        remote: str = "",
        calls: int = 1,
        rate: float = 10,
        limit: int = 0,
        service: str = "service",
        transport: str = "u1",
        options: tuple[str, ...] = (),
    ) -> None:
        """`remote` (host:port) makes it a UAC that calls at `rate` a second, at most `limit` at a time."""
        self._n_calls = calls
        self._folder = folder / f"sipp-{next(self._numbers)}"
        self._folder.mkdir()
        file = self._folder / "scenario.xml"
        file.write_text(xml)
        self._stat = self._folder / "stat.csv"
        self._errors = self._folder / "errors.log"
        words = ["sipp", *([remote] if remote else []), "-sf", str(file), "-i", local, "-p", str(port), "-mi", local]
        words += ["-t", transport, "-nostdin", "-s", service, "-fd", "1", "-trace_stat", "-stf", str(self._stat)]
        words += ["-trace_err", "-error_file", str(self._errors), "-timeout", "240s", "-timeout_error"]
        words += ["-trace_msg", "-message_file", str(self._folder / "messages.log")]
        words += ["-m", str(calls)]
        if remote:
            words += ["-r", str(rate), "-l", str(limit or calls)]
        self._process = Process(
            network.command(*words, *options),
            self._folder / "output.log",
            folder=self._folder,
            environment={"TERM": "dumb"},
        )
        self.messages_file = self._folder / "messages.log"
        if not remote:
            wait_until(lambda: _is_bound(network, local, port), lambda: f"SIPp on {local}:{port}: {self._process.log}")

    @property
    def errors(self) -> str:
        return self._errors.read_text(errors="replace") if self._errors.exists() else ""

    @property
    def messages(self) -> str:
        """Every message sent and received."""
        return self.messages_file.read_text(errors="replace") if self.messages_file.exists() else ""

    def finished(self, timeout_s: float = 2 * PATIENCE_S) -> Figures:
        """Wait for the last call to end. Fails unless every call went as written and SIPp never repeated itself."""
        code = self._process.wait(timeout_s)
        shown = f"{self.errors[:4000]}\n{self._process.log[-2000:]}"
        # 0: all successful, 1: some failed, 97: ended on request, 99: no calls.
        assert code in (0, 1, 97, 99), f"SIPp ended with {code}:\n{shown}"
        figures = self._figures()
        good = (figures.successful, figures.failed, figures.retransmissions) == (self._n_calls, 0, 0)
        assert good, f"{figures}\n{shown}"
        return figures

    def kill(self) -> None:
        self._process.kill()

    def _figures(self) -> Figures:
        with open(self._stat, newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        last = rows[-1]

        def count(name: str) -> int:
            return int(last[name])

        return Figures(
            created=count("TotalCallCreated"),
            successful=count("SuccessfulCall(C)"),
            failed=count("FailedCall(C)"),
            retransmissions=count("Retransmissions(C)"),
            unexpected=count("FailedUnexpectedMessage(C)"),
            peak=max(int(row["CurrentCall"]) for row in rows),
        )


def _is_bound(network: Namespace, host: str, port: int) -> bool:
    return f"{host}:{port} " in network.run("ss", "-Hlun") + network.run("ss", "-Hltn")
