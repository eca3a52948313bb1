"""The call centre of `benchmarks.contact_centre`: a network of its own, queues, agents, a configuration."""

import ctypes
import os
import secrets
import subprocess
from pathlib import Path

import msgspec

from control.auth import hash_token, new_token

HOST = "10.99.0.1"
SIP_PORT, CONTROL_PORT, CALLERS_PORT = 5060, 8470, 5080
RTP_PORTS = (20_000, 23_999)
FIRST_EXTENSION = 8001
QUEUES = ("sales", "support", "service")
NUMBERS = {"4001": "sales", "4002": "support", "4003": "service"}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    directory: Path
    config: Path
    token: str
    passwords: dict[str, str]
    """By extension."""
    agents: dict[str, str]
    """Agent id -> extension."""

    @property
    def control_port(self) -> int:
        return CONTROL_PORT

    @property
    def log(self) -> Path:
        return self.directory / "serve.log"

    @property
    def recordings(self) -> Path:
        return self.directory / "data" / "recordings"


def enter_network() -> None:
    """Gives this process a network of its own with one address, which nothing else can be reached from. Raises OSError
    when that is not permitted."""
    _unshare()
    for words in (
        ("link", "set", "lo", "up"),
        ("link", "add", "centre0", "type", "veth", "peer", "name", "centre1"),
        ("addr", "add", f"{HOST}/24", "dev", "centre0"),
        ("link", "set", "centre0", "up"),
        ("link", "set", "centre1", "up"),
    ):
        subprocess.run(("ip", *words), check=True, capture_output=True)


def prepare(directory: Path, n_agents: int) -> Setting:
    """Writes the configuration. Three queues with strategies of their own; every agent serves two of them."""
    directory.mkdir(parents=True, exist_ok=True)
    extensions = [str(FIRST_EXTENSION + k) for k in range(n_agents)]
    token = new_token()
    setting = Setting(
        directory=directory,
        config=directory / "ringback.toml",
        token=token,
        passwords={number: secrets.token_urlsafe(18) for number in extensions},
        agents={f"a{number}": number for number in extensions},
    )
    setting.config.touch(mode=0o600)
    setting.config.write_text(_toml(setting), encoding="utf-8")
    return setting


def queues_of(agent_id: str) -> tuple[str, str]:
    k = int(agent_id[1:])
    return QUEUES[k % 3], QUEUES[(k + 1) % 3]


def _toml(setting: Setting) -> str:
    lines = [
        '[node]\nname = "centre"\ndirectory = "data"\nlog_level = "warning"\ndrain_s = 5.0\n',
        # baresip knows MD5 alone, and gives up where it is offered something else beside it.
        f'[sip]\nlisten = ["udp:{HOST}:{SIP_PORT}"]\ndigest_algorithms = ["MD5"]\n',
        f'[media]\naddress = "{HOST}"\nrtp_ports = "{RTP_PORTS[0]}-{RTP_PORTS[1]}"\nshared_ports = 0\nworkers = 1\n'
        'codecs = ["PCMU"]\n',
        f'[control]\nlisten = "{HOST}:{CONTROL_PORT}"\n',
        f'[[control.user]]\nname = "centre"\ntoken_hash = "{hash_token(setting.token)}"\nrole = "administrator"\n',
        "[agents]\nrona_limit = 1\n",
        f'[[trunk]]\nname = "town"\nhost = "{HOST}"\nport = {CALLERS_PORT}\n'
        f'from_addresses = ["{HOST}:{CALLERS_PORT}"]\n',
    ]
    for name, strategy in zip(QUEUES, ("longest_idle", "fewest_calls", "round_robin"), strict=True):
        lines.append(
            f'[[queue]]\nname = "{name}"\nstrategy = "{strategy}"\nring_timeout_s = 6.0\n'
            'wrap_up = { post_call = "acw", max_s = 2.0 }\n'
        )
    lines.append('[queue.limits]\nmax_wait_s = 45.0\ntimeout_to = "queue:sales"\n')
    for number, queue in NUMBERS.items():
        lines.append(f'[[access_number]]\nnumber = "{number}"\nto = "queue:{queue}"\n')
    for extension, password in setting.passwords.items():
        lines.append(f'[[extension]]\nnumber = "{extension}"\npassword = "{password}"\n')
    for agent_id, extension in setting.agents.items():
        served = ", ".join(f'{{ queue = "{name}" }}' for name in queues_of(agent_id))
        lines.append(f'[[agent]]\nagent_id = "{agent_id}"\nextension = "{extension}"\nqueues = [{served}]\n')
    return "\n".join(lines)


def _unshare() -> None:
    clone_newnet = 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(clone_newnet):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
