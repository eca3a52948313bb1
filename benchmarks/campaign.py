"""A campaign on a real switch: `python -m benchmarks.campaign [--json] [--quick]`.

Three hundred customers behind a SIPp trunk that answers, refuses, rings on, is congested now and then and answers as a
machine in set shares; ten agents at phones of ours that answer by themselves; predictive dialling with machine
detection on a real `ringback serve` with SQLite, in a network of its own. Ring times and waits between attempts are
scaled down, so that it ends in minutes. Afterwards every attempt must be what a packet capture saw at the carrier.
"""

import argparse
import asyncio
import contextlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.campaign_carrier import NAMES, SHARES, Carrier, Manner, customers
from benchmarks.campaign_setting import (
    CAMPAIGN,
    CARRIER_PORT,
    RING_TIMEOUT_S,
    SETTLED,
    WRAP_S,
    Clerk,
    Setting,
    prepare,
)
from benchmarks.campaign_verdict import Verdict, judge
from benchmarks.campaign_wire import Wire
from benchmarks.contact_centre import errors_in
from benchmarks.contact_centre_agents import FIRST_CODE, OurPhone
from benchmarks.contact_centre_capture import Capture, sip_datagrams
from benchmarks.contact_centre_setting import HOST, RTP_PORTS, SIP_PORT, enter_network
from benchmarks.measure import machine, print_result
from benchmarks.takeover_phones import Clock
from control.client import ControlClient
from sip.flow import Flow
from switch.demo.processes import SwitchProcess

N_RECORDS, N_QUICK, N_AGENTS = 300, 40, 10
MEAN_TALK_S = 9.0
LIMIT_MINUTES = 8.0
FAR_S = 600.0
"""A record that is not called again before so long is settled, for the time being."""
_EVENTS = ["campaign.*", "attempt.*", "record.*", "queue.*", "offer.*", "agent.*", "call.*"]


class Centre:
    """The agents, and what the switch tells."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.setting = setting
        self.clock = Clock()
        self.events: list[dict[str, Any]] = []
        self.agent_ports: dict[int, str] = {}
        self.settled: set[str] = set()
        self.is_completed = asyncio.Event()
        self._n_records = 0
        self._phones: list[OurPhone] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._randomness = random.Random(seed)

    async def open_phones(self, control: ControlClient) -> None:
        """Every agent gets a phone that is registered, and signs in."""
        server = Flow("udp", HOST, SIP_PORT)
        self._tasks.append(asyncio.create_task(self.clock.run()))
        clerks: list[Clerk] = []
        for k, (agent_id, extension) in enumerate(self.setting.agents.items()):
            clerk = Clerk(agent_id, random.Random(self._randomness.random()), MEAN_TALK_S)
            password = self.setting.passwords[extension]
            phone = await OurPhone.open(
                extension, password, FIRST_CODE + k, server, HOST, self.clock, clerk.events, answer_after_s=0.0
            )
            self._phones.append(phone)
            self.agent_ports[phone.port] = agent_id
            clerks.append(clerk)
        await self._all_registered(control)
        for clerk, phone in zip(clerks, self._phones, strict=True):
            await clerk.sign_in(control, self.setting.agents[clerk.agent_id])
            self._tasks.append(asyncio.create_task(clerk.work(phone)))

    async def _all_registered(self, control: ControlClient) -> None:
        async with asyncio.timeout(30):
            while True:
                found = await control.call("registration.list")
                if {each["extension"] for each in found["registrations"]} >= set(self.setting.agents.values()):
                    return
                await asyncio.sleep(0.2)

    async def listen(self, control: ControlClient, n_records: int) -> None:
        """Keeps what the switch tells, and sees when so many records are settled."""
        self._n_records = n_records
        await control.call("events.subscribe", names=_EVENTS)

        async def read() -> None:
            async for event in control.events():
                self.events.append({"event": event.event, "at": event.at, "seq": event.seq, **event.fields})
                self._look(event.event, event.fields)

        self._tasks.append(asyncio.create_task(read()))

    def _look(self, name: str, fields: dict[str, Any]) -> None:
        if name == "record.changed":
            is_settled = fields["status"] in SETTLED or fields["next_utc"] > time.time() + FAR_S
            (self.settled.add if is_settled else self.settled.discard)(fields["record_id"])
        has_ended = name == "campaign.state_changed" and fields["state"] == "completed"
        if has_ended or len(self.settled) >= self._n_records:
            self.is_completed.set()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for phone in self._phones:
            await phone.close()


async def measure(directory: Path, n_records: int, limit_s: float, *, seed: int = 11) -> dict[str, Any]:
    """Runs the campaign and returns the result. Raises what makes it impossible."""
    setting = prepare(directory, N_AGENTS, customers(n_records))
    switch = await SwitchProcess.start(setting)  # type: ignore[arg-type]
    centre = Centre(setting, seed)
    held: list[Carrier | Capture] = []
    try:
        async with await switch.connect(HOST) as control, await switch.connect(HOST) as listener:
            await centre.listen(listener, n_records)
            capture = await Capture.start(directory, SIP_PORT, RTP_PORTS)
            held.append(capture)
            carrier = await Carrier.start(directory / "carrier", (HOST, CARRIER_PORT), Manner())
            held.append(carrier)
            await centre.open_phones(control)
            await _import(setting)
            began = time.monotonic()
            await control.call("campaign.start", campaign=CAMPAIGN)
            is_completed = await _completed(centre, control, limit_s)
            lasted_s = time.monotonic() - began
            # Wrap-up, and the last records.
            await asyncio.sleep(WRAP_S + 1.0)
            await carrier.stop()
            await capture.stop()
            verdict = await _judge(centre, capture, control, lasted_s)
            progress = await control.call("campaign.progress", campaign=CAMPAIGN)
    finally:
        for each in held:
            await each.stop()
        await centre.close()
        status = await switch.stop()
    ledger = next(each for each in progress["live"]["abandoned"] if each["window"] == "life")
    return {
        **verdict.result(),
        # With the share of machines that is reckoned to be persons (amd_false_rate).
        "abandon_pct_by_ledger": round(100 * ledger["rate"], 2),
        "is_completed": is_completed,
        "finished_after_s": round(lasted_s, 1),
        "ring_timeout_s": RING_TIMEOUT_S,
        "shares_set": {NAMES[kind]: share for kind, share in SHARES.items()},
        "packets_dropped": capture.n_dropped,
        "carrier_failed": carrier.n_failed(),
        "carrier_errors": carrier.errors() if carrier.n_failed() else "",
        "phones_late_ms_max": round(centre.clock.late_s_max * 1000, 1),
        "exit_status": status,
        "errors_in_log": errors_in(setting.log),
        **machine(),
    }


async def _completed(centre: Centre, control: ControlClient, limit_s: float) -> bool:
    """Whether everybody was called before the time was over; otherwise it is stopped. No call is left."""
    is_completed = True
    try:
        async with asyncio.timeout(limit_s):
            await centre.is_completed.wait()
    except TimeoutError:
        is_completed = False
        await control.call("campaign.stop", campaign=CAMPAIGN)
    for _ in range(600):
        if not (await control.call("call.list"))["calls"]:
            break
        await asyncio.sleep(0.2)
    return is_completed


async def _import(setting: Setting) -> None:
    """The list, by the command line. Raises RuntimeError with what that says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from switch.cli import main; main()",
        "list", "import", str(setting.customers), "--campaign", CAMPAIGN, "--server", f"{HOST}:{setting.control_port}",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "RINGBACK_TOKEN": setting.token},
    )  # fmt: skip
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(said.decode(errors="replace"))


async def _all_of(control: ControlClient, command: str, key: str, **params: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await control.call(command, limit=1000, cursor=cursor, **params)
        found += page[key]
        cursor = page["cursor"]
        if not cursor:
            return found


async def _judge(centre: Centre, capture: Capture, control: ControlClient, lasted_s: float) -> Verdict:
    wire = Wire(CARRIER_PORT, centre.agent_ports)
    wire.take_all(sip_datagrams(capture.folder / "sip.pcap"))
    wire.listen(capture.folder / "rtp.pcap")
    records = await _all_of(control, "record.find", "records", campaign=CAMPAIGN)
    attempts: list[dict[str, Any]] = []
    for record in records:
        attempts += (await control.call("record.get", record_id=record["record_id"]))["attempts"]
    return judge(
        centre.events,
        attempts,
        wire,
        records,
        {each["call_id"] for each in await _all_of(control, "call.history", "calls")},
        n_agents=N_AGENTS,
        lasted_s=lasted_s,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=0, help=f"customers; {N_RECORDS} unless --quick")
    parser.add_argument("--minutes", type=float, default=LIMIT_MINUTES, help="it is stopped after so long")
    parser.add_argument("--quick", action="store_true", help=f"{N_QUICK} customers: about a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--directory", type=Path, help="an empty folder for all files, kept; default: a temporary one")
    arguments = parser.parse_args()
    n_records = arguments.records or (N_QUICK if arguments.quick else N_RECORDS)
    try:
        enter_network()
    except OSError as error:
        sys.exit(f"a network namespace is needed (as root): {error}")
    with contextlib.ExitStack() as held:
        directory = arguments.directory or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="campaign-")))
        result = uvloop.run(measure(directory, n_records, arguments.minutes * 60.0))
    rows = [(key, value) for key, value in result.items() if not isinstance(value, dict | list)]
    print_result(result, ("figure", "value"), rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
