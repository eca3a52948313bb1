"""Messages and bytes to test with, and how they are read.

`rfc4475/NAME.txt` holds one message of RFC 4475 in the notation of its §2: <hex> for octets that do not print (and for
spaces at the end of a line), <repeat> for long runs; line ends stand for CRLF. The texts were converted from the wire
bytes of the RFC's archive.
"""

import re
from pathlib import Path

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "vectors"
"""Bytes to compare with and seeds for fuzzing; not part of the project, so it may be absent."""


def rfc4475(name: str) -> bytes:
    """The wire bytes of one RFC 4475 message."""
    text = (HERE / "rfc4475" / f"{name}.txt").read_text("ascii").replace("\n", "\r\n")
    text = re.sub(r"<repeat count=(\d+)>(.*?)</repeat>", lambda match: match[2] * int(match[1]), text)
    parts = re.split(r"<hex>([0-9A-F]+)</hex>", text)
    return b"".join(bytes.fromhex(part) if i % 2 else part.encode("ascii") for i, part in enumerate(parts))


def rfc4475_names() -> list[str]:
    return sorted(path.stem for path in (HERE / "rfc4475").glob("*.txt"))


def seeds(folder: str) -> list[bytes]:
    """Seeds for a fuzzer, [] where there are none."""
    return [path.read_bytes() for path in sorted((SHARED / "seeds" / folder).glob("*"))]


def captured(name: str) -> bytes:
    """A message as a device of that kind sends it (`captured/NAME.sip`), line ends made CRLF."""
    return (HERE / "captured" / f"{name}.sip").read_bytes().replace(b"\n", b"\r\n")


def captured_names() -> list[str]:
    return sorted(path.stem for path in (HERE / "captured").glob("*.sip"))
