"""A machine of an attacker on the switch's network, with scripts of its own beside sipvicious: raw SIP and raw RTP.

Nothing of the product is used but the switch's address: what an attacker does is written here by hand.
"""

import contextlib
import hashlib
import os
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

import numpy as np

from tests.live.audio import tone
from tests.live.netns import SWITCH, Namespace

_ANSWER_S = 2.0
_PHONE = "Yealink SIP-T46S 66.86.0.15"


class Attacker:
    """`sip` is its UDP port, `address` where it is."""

    def __init__(self, network: Namespace, folder: Path) -> None:
        self.network, self.address = network.add_phone()
        self._folder = folder
        self._n = 0
        self.sip = self.udp()
        self.port = self.sip.getsockname()[1]

    def udp(self) -> socket.socket:
        made = self.network.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self.address, 0))
        made.settimeout(_ANSWER_S)
        return made

    def tcp(self) -> socket.socket:
        made = self.network.socket(socket.AF_INET, socket.SOCK_STREAM)
        made.settimeout(_ANSWER_S)
        made.connect((SWITCH, 5060))
        return made

    # -- tools ---------------------------------------------------------------------------------------------------------

    def tool(self, *words: str, stdin: str = "", timeout_s: float = 60.0) -> str:
        """Runs one of sipvicious; what it printed. It may be cut off: a tool that gets no answers has no end."""
        environment = {**os.environ, "HOME": str(self._folder)}
        command = self.network.command("timeout", f"{timeout_s:g}", *words)
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment, check=False)
        return done.stdout + done.stderr

    # -- SIP -----------------------------------------------------------------------------------------------------------

    def request(
        self, method: str, user: str, to: str, *, extra: str = "", to_tag: str = "", body: str = "", agent: str = _PHONE
    ) -> bytes:
        """As a phone would write it."""
        self._n += 1
        lines = [
            f"{method} sip:{to}@{SWITCH} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};branch=z9hG4bK{self._n:08d};rport",
            "Max-Forwards: 70",
            f"From: <sip:{user}@{SWITCH}>;tag=t{self._n:08d}",
            f"To: <sip:{to}@{SWITCH}>{to_tag}",
            f"Call-ID: c{self._n:08d}@{self.address}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:{user}@{self.address}:{self.port}>",
            f"User-Agent: {agent}",
            "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, INFO, UPDATE",
            *extra.splitlines(),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def ask(self, request: bytes, *, within_s: float = _ANSWER_S) -> str:
        """The final answer to a request over UDP, or ""."""
        self.sip.sendto(request, (SWITCH, 5060))
        branch = re.findall(rb"branch=(\w+)", request)[0].decode()
        deadline = time.monotonic() + within_s
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < deadline:
                answer = self.sip.recv(65536).decode("utf-8", "replace")
                if branch in answer and not answer.startswith("SIP/2.0 1"):
                    return answer
        return ""

    def guess(self, method: str, user: str, to: str, password: str) -> str:
        """One try of a password, with a fresh challenge; the answer, or "" when there is none any more."""
        answer = self.ask(self.request(method, user, to))
        nonce = re.findall(r'nonce="([^"]+)"', answer)
        if not nonce:
            return answer
        uri = f"sip:{to}@{SWITCH}"
        ha1 = hashlib.md5(f"{user}:ringback:{password}".encode()).hexdigest()
        ha2 = hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
        response = hashlib.md5(f"{ha1}:{nonce[-1]}:00000001:abc:auth:{ha2}".encode()).hexdigest()
        proof = (
            f'Authorization: Digest username="{user}", realm="ringback", nonce="{nonce[-1]}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abc"'
        )
        return self.ask(self.request(method, user, to, extra=proof))

    # -- RTP -----------------------------------------------------------------------------------------------------------

    def inject(self, ports: range, hz: float, n_rounds: int) -> int:
        """A loud tone to every port, as PCMU and as PCMA, from one sequence each; how many packets were sent."""
        sock = self.udp()
        samples = (tone(hz, 0.02, 0.9) * 32767).astype(np.int16)
        payloads = ((0, _ulaw(samples)), (8, b"\x2a" * 160))
        n = 0
        for sequence in range(n_rounds):
            for port in ports:
                for kind, payload in payloads:
                    header = struct.pack("!BBHII", 0x80, kind, sequence, sequence * 160, 0xDEADBEEF)
                    sock.sendto(header + payload, (SWITCH, port))
                    n += 1
            time.sleep(0.02)
        sock.close()
        return n

    def close(self) -> None:
        self.sip.close()


def status_of(answer: str) -> int:
    return int(answer.split(" ")[1]) if answer.startswith("SIP/2.0 ") else 0


def _ulaw(samples: np.ndarray) -> bytes:
    """G.711 µ-law by the book (ITU-T G.711)."""
    out = bytearray()
    for sample in samples.tolist():
        sign = 0x80 if sample < 0 else 0
        value = min(abs(sample), 32635) + 132
        exponent = max(value.bit_length() - 8, 0)
        out.append(~(sign | exponent << 4 | (value >> (exponent + 3)) & 0x0F) & 0xFF)
    return bytes(out)
