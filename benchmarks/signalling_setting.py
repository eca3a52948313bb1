"""The configuration `benchmarks.signalling` measures with: trunks by address, one extension, no recording."""

import socket
from collections.abc import Sequence
from pathlib import Path

import msgspec

from control.auth import hash_token, new_token
from switch.demo.setting import free_rtp_range

HOST = "127.0.0.1"
_RTP_PORTS = 5000
"""Enough for the anchored row: each call takes two pairs, and freed ports rest for some seconds."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    config: Path
    log: Path
    database: Path
    sip_port: int
    control_port: int
    token: str

    def connect(self) -> socket.socket:
        """To the control port. Raises OSError."""
        return socket.create_connection((HOST, self.control_port), timeout=5)


class Failover(msgspec.Struct, frozen=True, kw_only=True):
    """A route whose first trunk is dead."""

    pair: Sequence[int]
    """Ports of caller and callee."""
    dead_port: int
    dial: str


EXTENSION, PASSWORD = "5001", "a-password-of-the-load"
DIAL_OUT = "18300000000"
"""What the extension dials: the callee of `phones`."""


def prepare(
    directory: Path,
    direct: Sequence[int],
    relay: Sequence[int],
    dial_direct: str,
    dial_relay: str,
    failover: Failover | None = None,
    phones: Sequence[int] = (),
) -> Setting:
    """Writes a configuration in which `dial_direct` leads from the caller to the callee port of `direct`, audio past
    us, and `dial_relay` through those of `relay`, audio by us; `failover.dial` leads to the dead port and then to the
    callee's. `EXTENSION` reaches the callee of `phones` by `DIAL_OUT`."""
    sip_port, control_port = _free_port(socket.SOCK_DGRAM), _free_port(socket.SOCK_STREAM)
    first, last = free_rtp_range(_RTP_PORTS)
    token = new_token()
    trunks = ""
    for name, ports, media, dial, prefix in (
        ("direct", direct, "direct", dial_direct, "180"),
        ("relay", relay, "relay", dial_relay, "181"),
    ):
        for side, port in zip(("caller", "callee"), ports, strict=True):
            trunks += (
                f'[[trunk]]\nname = "{name}-{side}"\nhost = "{HOST}"\nport = {port}\n'
                f'from_addresses = ["{HOST}:{port}"]\nmedia = "{media}"\nis_recorded = false\n\n'
            )
        trunks += (
            f'[[access_number]]\nnumber = "{dial}"\nto = "{prefix}00000000"\ntrunk = "{name}-caller"\n\n'
            f'[[route]]\nname = "{name}"\npattern = "{prefix}"\ntrunks = ["{name}-callee"]\n\n'
        )
    if failover is not None:
        trunks += _failover(failover)
    if phones:
        trunks += (
            f'[[trunk]]\nname = "phones-callee"\nhost = "{HOST}"\nport = {phones[1]}\nmedia = "direct"\n'
            f'is_recorded = false\n\n[[route]]\nname = "phones"\npattern = "183"\ntrunks = ["phones-callee"]\n\n'
            f'[[extension]]\nnumber = "{EXTENSION}"\npassword = "{PASSWORD}"\nmedia = "direct"\nis_recorded = false\n\n'
        )
    setting = Setting(
        config=directory / "ringback.toml",
        log=directory / "serve.log",
        database=directory / "data" / "ringback.db",
        sip_port=sip_port,
        control_port=control_port,
        token=token,
    )
    setting.config.write_text(
        f'[node]\nname = "bench"\ndirectory = "data"\nlog_level = "warning"\ndrain_s = 1.0\n\n'
        f'[sip]\nlisten = ["udp:{HOST}:{sip_port}"]\n\n'
        f'[media]\naddress = "{HOST}"\nrtp_ports = "{first}-{last}"\ninactivity_s = 0.0\nworkers = 1\n\n'
        f"[recording]\nenabled = false\n\n"
        f"[outbound]\nmax_calls = 0\nmax_calls_per_day = 0\nmax_minutes_per_day = 0\n\n[calls]\nmax_calls = 20000\n\n"
        f'[control]\nlisten = "{HOST}:{control_port}"\n\n'
        f'[[control.user]]\nname = "bench"\ntoken_hash = "{hash_token(token)}"\nrole = "operator"\n\n{trunks}'
    )
    return setting


def _failover(failover: Failover) -> str:
    caller, callee = failover.pair
    trunks = "".join(
        f'[[trunk]]\nname = "failover-{name}"\nhost = "{HOST}"\nport = {port}\n{more}is_recorded = false\n\n'
        for name, port, more in (
            ("caller", caller, f'from_addresses = ["{HOST}:{caller}"]\n'),
            # It never rests: every call finds it dead anew.
            ("dead", failover.dead_port, "rest_s = 0.0\n"),
            ("callee", callee, ""),
        )
    )
    return (
        f'{trunks}[[access_number]]\nnumber = "{failover.dial}"\nto = "18200000000"\ntrunk = "failover-caller"\n\n'
        f'[[route]]\nname = "failover"\npattern = "182"\ntrunks = ["failover-dead", "failover-callee"]\n\n'
    )


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
    return port
