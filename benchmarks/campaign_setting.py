"""The campaign of `benchmarks.campaign`: configuration, list of customers as CSV, the agents at their phones."""

import asyncio
import csv
import random
import secrets
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.contact_centre_agents import OurPhone
from benchmarks.contact_centre_setting import CONTROL_PORT, HOST, RTP_PORTS, SIP_PORT
from control.auth import hash_token, new_token
from control.client import ControlClient
from switch.demo.phone_call import PhoneError

CARRIER_PORT = 5080
CAMPAIGN, QUEUE = "spring", "sales"
FIRST_EXTENSION = 8001
PATIENCE_S = 2.0
RING_TIMEOUT_S = 8.0
"""Real ones are 25 s, and no call is given up before it rang 15: these are scaled, so that it ends in minutes."""
LEAST_RING_S = 5.0
RETRY_S = {"busy": 10.0, "no_answer": 15.0, "machine": 15.0, "congestion": 5.0, "cancelled": 5.0, "failed": 10.0}
"""Nobody is called again sooner."""
WRAP_S = 2.0
SETTLED = frozenset(("connected", "done", "failed", "dnc"))
"""Records that are not called again."""
N_TRIES = 2
"""Of a number that ends so."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    directory: Path
    config: Path
    customers: Path
    """The CSV to import."""
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


def prepare(directory: Path, n_agents: int, numbers: Sequence[str]) -> Setting:
    """Writes the configuration and the list."""
    directory.mkdir(parents=True, exist_ok=True)
    extensions = [str(FIRST_EXTENSION + k) for k in range(n_agents)]
    setting = Setting(
        directory=directory,
        config=directory / "ringback.toml",
        customers=directory / "customers.csv",
        token=new_token(),
        passwords={number: secrets.token_urlsafe(18) for number in extensions},
        agents={f"a{number}": number for number in extensions},
    )
    setting.config.touch(mode=0o600)
    setting.config.write_text(_toml(setting), encoding="utf-8")
    with setting.customers.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("name", "number", "city"))
        rows.writerows((f"Customer {n}", number, "Shanghai") for n, number in enumerate(numbers, 1))
    return setting


def _toml(setting: Setting) -> str:
    retries = ", ".join(
        f'{{ outcome = "{outcome}", after_s = {after_s}, max_attempts = {0 if outcome == "congestion" else N_TRIES} }}'
        for outcome, after_s in RETRY_S.items()
    )
    lines = [
        '[node]\nname = "campaign"\ndirectory = "data"\nlog_level = "warning"\ndrain_s = 5.0\n',
        f'[sip]\nlisten = ["udp:{HOST}:{SIP_PORT}"]\n',
        f'[media]\naddress = "{HOST}"\nrtp_ports = "{RTP_PORTS[0]}-{RTP_PORTS[1]}"\nshared_ports = 0\nworkers = 1\n'
        'codecs = ["PCMU"]\n',
        f'[control]\nlisten = "{HOST}:{CONTROL_PORT}"\n',
        f'[[control.user]]\nname = "centre"\ntoken_hash = "{hash_token(setting.token)}"\nrole = "administrator"\n',
        f"[dialer]\nleast_ring_s = {LEAST_RING_S}\n",
        f'[[trunk]]\nname = "carrier"\nhost = "{HOST}"\nport = {CARRIER_PORT}\ncaller_id = "02160000000"\n',
        f'[[queue]]\nname = "{QUEUE}"\nring_timeout_s = 6.0\nwrap_up = {{ post_call = "acw", max_s = {WRAP_S} }}\n',
        f'[[campaign]]\nname = "{CAMPAIGN}"\nmode = "predictive"\nqueue = "{QUEUE}"\ntrunks = ["carrier"]\n'
        f'contact_hours = ""\nring_timeout_s = {RING_TIMEOUT_S}\npatience_s = {PATIENCE_S}\ndetects_machines = true\n'
        f"retry_min_s = 5.0\nretries = [{retries}]\n",
    ]
    for extension, password in setting.passwords.items():
        lines.append(f'[[extension]]\nnumber = "{extension}"\npassword = "{password}"\n')
    for agent_id, extension in setting.agents.items():
        lines.append(
            f'[[agent]]\nagent_id = "{agent_id}"\nextension = "{extension}"\nqueues = [{{ queue = "{QUEUE}" }}]\n'
        )
    return "\n".join(lines)


class Clerk:
    """An agent whose phone answers by itself: talks as long as it takes, and hangs up when the customer did not."""

    def __init__(self, agent_id: str, randomness: random.Random, mean_talk_s: float) -> None:
        self.agent_id = agent_id
        self.events: asyncio.Queue[str] = asyncio.Queue(maxsize=10_000)
        self._randomness = randomness
        self._mean_talk_s = mean_talk_s

    async def sign_in(self, control: ControlClient, extension: str) -> None:
        await control.call("agent.sign_in", agent_id=self.agent_id, extension=extension)
        await control.call("agent.ready", agent_id=self.agent_id)

    async def work(self, phone: OurPhone) -> None:
        """Until it is cancelled."""
        while True:
            if await self.events.get() != "answered":
                continue
            try:
                async with asyncio.timeout(3.0 + self._randomness.expovariate(1 / self._mean_talk_s)):
                    while await self.events.get() != "ended":
                        pass
            except TimeoutError:
                try:
                    await phone.hang_up()
                except PhoneError:
                    # The customer was faster.
                    continue
