"""Where the demo plays: a folder with a configuration for free loopback ports, with random passwords and a token."""

import secrets
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from control.auth import hash_token, new_token
from switch.demo import centre

HOST = "127.0.0.1"
CARRIER = "carrier"
FIRST_EXTENSION = 1001
ACCESS_NUMBER = "4008001001"
FIRST_OUTSIDE_NUMBER = 13800138001
_PORTS_PER_CALL = 4
_LOWEST_PORT, _HIGHEST_PORT = 15_000, 32_000
"""Below the ports that systems give to whoever asks for any: nobody is given ours between choosing and binding it."""
_HIGHEST_OF_MANY = 60_000
"""For thousands of RTP ports there is not room enough below."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """What has been written, and what it takes to use it."""

    directory: Path
    config: Path
    sip_port: int
    control_port: int
    carrier_port: int
    token: str
    passwords: dict[str, str]
    """By extension."""
    agents: tuple[str, ...]
    """Their numbers, which are those of their extensions."""

    @property
    def recordings(self) -> Path:
        return self.directory / "data" / "recordings"

    @property
    def log(self) -> Path:
        return self.directory / "serve.log"


def prepare(directory: Path, n_extensions: int, agents: Sequence[str], n_calls: int) -> Setting:
    """Writes `ringback.toml` and a flow into `directory`, for so many extensions and one carrier; at the extensions in
    `agents` sits an agent each. Raises OSError when there are no free ports or the folder cannot be written."""
    directory.mkdir(parents=True, exist_ok=True)
    sip_port, control_port, carrier_port = free_ports()
    first_rtp, last_rtp = free_rtp_range(max(40, n_calls * _PORTS_PER_CALL * 2))
    token = new_token()
    setting = Setting(
        directory=directory,
        config=directory / "ringback.toml",
        sip_port=sip_port,
        control_port=control_port,
        carrier_port=carrier_port,
        token=token,
        passwords={str(FIRST_EXTENSION + i): secrets.token_urlsafe(18) for i in range(n_extensions)},
        agents=tuple(agents),
    )
    flows = directory / "data" / "flows"
    flows.mkdir(parents=True)
    (flows / f"{centre.FLOW}.json").write_bytes(msgspec.json.format(msgspec.json.encode(centre.document())))
    setting.config.touch(mode=0o600)
    setting.config.write_text(_toml(setting, hash_token(token), first_rtp, last_rtp), encoding="utf-8")
    return setting


def _toml(setting: Setting, token_hash: str, first_rtp: int, last_rtp: int) -> str:
    def lines() -> Iterator[str]:
        yield "# Written by `ringback demo`; the passwords are random and good for this folder only."
        yield '[node]\nname = "demo"\ndirectory = "data"\ndrain_s = 5.0\n'
        yield f'[sip]\nlisten = ["udp:{HOST}:{setting.sip_port}"]\n'
        yield f'[media]\naddress = "{HOST}"\nrtp_ports = "{first_rtp}-{last_rtp}"\n'
        # All phones register at the same moment, from the same address.
        yield "[security]\nstranger_rate = 2000.0\nstrangers_rate = 2000.0\n"
        yield f'[control]\nlisten = "{HOST}:{setting.control_port}"\n'
        yield f'[[control.user]]\nname = "demo"\ntoken_hash = "{token_hash}"\nrole = "supervisor"\n'
        for extension, password in setting.passwords.items():
            yield f'[[extension]]\nnumber = "{extension}"\npassword = "{password}"\n'
        yield (
            f'[[trunk]]\nname = "{CARRIER}"\nhost = "{HOST}"\nport = {setting.carrier_port}\n'
            f'from_addresses = ["{HOST}:{setting.carrier_port}"]\ncaller_id = "{ACCESS_NUMBER}"\n'
        )
        yield f'[[route]]\nname = "mobile"\npattern = "1XXXXXXXXXX"\ntrunks = ["{CARRIER}"]\n'
        yield from centre.toml(ACCESS_NUMBER, setting.agents)

    return "\n".join(lines())


def free_ports() -> tuple[int, int, int]:
    """UDP, TCP and UDP ports that differ and are free. Raises OSError when there are none."""
    found: dict[int, int] = {}
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_DGRAM):
        for _ in range(100):
            port = _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)
            if port not in found and _is_free(kind, port):
                found[port] = kind
                break
        else:
            raise OSError(f"no free port on {HOST}")
    first, second, third = found
    return first, second, third


def _is_free(kind: int, port: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as sock:
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
    return True


def free_rtp_range(n_ports: int) -> tuple[int, int]:
    """First and last of `n_ports` free UDP ports in a row, the first even. Raises OSError when there are none."""
    highest = _HIGHEST_PORT if n_ports * 2 < _HIGHEST_PORT - _LOWEST_PORT else _HIGHEST_OF_MANY
    for _ in range(100):
        first = (_LOWEST_PORT + secrets.randbelow(highest - _LOWEST_PORT - n_ports)) & ~1
        if all(_is_free(socket.SOCK_DGRAM, port) for port in range(first, first + n_ports)):
            return first, first + n_ports - 1
    raise OSError(f"no {n_ports} free UDP ports in a row on {HOST}")
