"""A working day of a call centre: `python -m benchmarks.contact_centre --minutes 10 [--json]`.

Two hundred SIPp callers at a time, each with a patience of his own, call three queues; twenty agents (baresip and our
own phones) answer, talk, hang up, and sometimes do not answer. A real `ringback serve` with recording on, in a network
of its own. Afterwards every caller must be accounted for three times: by what the switch told live, by its durable log,
and by a packet capture that knows nothing of either.
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.contact_centre_agents import FIRST_CODE, BaresipPhone, Habits, Handset, OurPhone, Person
from benchmarks.contact_centre_callers import Callers
from benchmarks.contact_centre_capture import Capture
from benchmarks.contact_centre_setting import (
    CALLERS_PORT,
    HOST,
    NUMBERS,
    RTP_PORTS,
    SIP_PORT,
    Setting,
    enter_network,
    prepare,
)
from benchmarks.contact_centre_verdict import Verdict, judge
from benchmarks.measure import machine, print_result
from benchmarks.takeover_phones import Clock
from control.client import ControlClient
from sip.flow import Flow
from switch.demo.processes import SwitchProcess

N_AGENTS, N_BARESIP = 20, 6
N_LINES = 200
CALLS_PER_S = 6.0
MEAN_PATIENCE_S = 50.0
_EVENTS = ["queue.*", "offer.*", "agent.*", "call.*", "recording.*"]


class Day:
    """The running centre."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self.setting = setting
        self.clock = Clock()
        self.people: dict[str, Person] = {}
        self.phones: dict[str, Handset] = {}
        self.agent_ports: dict[int, str] = {}
        self.codes: dict[int, str] = {}
        self.events: list[dict[str, Any]] = []
        self._randomness = random.Random(seed)
        self._tasks: list[asyncio.Task[None]] = []

    async def open_phones(self, control: ControlClient) -> None:
        """Every agent gets a phone that is registered, and signs in."""
        server = Flow("udp", HOST, SIP_PORT)
        self._tasks.append(asyncio.create_task(self.clock.run()))
        for k, (agent_id, extension) in enumerate(self.setting.agents.items()):
            person = Person(agent_id, Habits(), control, random.Random(self._randomness.random()))
            password, code = self.setting.passwords[extension], FIRST_CODE + k
            if k < N_BARESIP:
                folder = self.setting.directory / f"baresip-{extension}"
                phone: Any = await BaresipPhone.open(folder, extension, password, code, server, HOST, k, person.events)
            else:
                phone = await OurPhone.open(extension, password, code, server, HOST, self.clock, person.events)
            self.people[agent_id], self.phones[agent_id] = person, phone
            self.agent_ports[phone.port], self.codes[code] = agent_id, agent_id
        await self._all_registered(control)
        for agent_id, person in self.people.items():
            await person.sign_in(self.setting.agents[agent_id])
            self._tasks.append(asyncio.create_task(person.work(self.phones[agent_id])))

    async def _all_registered(self, control: ControlClient) -> None:
        async with asyncio.timeout(30):
            while True:
                found = await control.call("registration.list")
                if {each["extension"] for each in found["registrations"]} >= set(self.setting.agents.values()):
                    return
                await asyncio.sleep(0.2)

    async def listen(self, control: ControlClient) -> None:
        """Keeps what the switch tells."""
        await control.call("events.subscribe", names=_EVENTS)

        async def read() -> None:
            async for event in control.events():
                self.events.append({"event": event.event, "at": event.at, "seq": event.seq, **event.fields})

        self._tasks.append(asyncio.create_task(read()))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for phone in self.phones.values():
            await phone.close()


async def measure(directory: Path, minutes: float, *, seed: int = 11) -> dict[str, Any]:
    """Runs the day and returns the result. Raises what makes it impossible."""
    setting = prepare(directory, N_AGENTS)
    switch = await SwitchProcess.start(setting)  # type: ignore[arg-type]
    day = Day(setting, seed)
    capture: Capture | None = None
    callers: list[Callers] = []
    try:
        async with await switch.connect(HOST) as control, await switch.connect(HOST) as listener:
            await day.listen(listener)
            capture = await Capture.start(directory, SIP_PORT, RTP_PORTS)
            await day.open_phones(control)
            callers.append(await _start_callers(directory))
            await asyncio.sleep(minutes * 60.0)
            callers[0].stop_calling()
            await callers[0].finished(300.0)
            # Wrap-up, the last recordings and the last records.
            await asyncio.sleep(4.0)
            await capture.stop()
            verdict = await _judge(day, capture, callers[0], control)
    finally:
        for each in callers:
            await each.kill()
        if capture is not None:
            await capture.stop()
        await day.close()
        status = await switch.stop()
    return {
        "minutes": minutes,
        **verdict.result(),
        "agent_problems": [problem for person in day.people.values() for problem in person.problems],
        "phones_late_ms_max": round(day.clock.late_s_max * 1000, 1),
        "exit_status": status,
        "errors_in_log": errors_in(setting.log),
        **machine(),
    }


async def _start_callers(directory: Path) -> Callers:
    return await Callers.start(
        directory / "callers",
        local=(HOST, CALLERS_PORT),
        remote=(HOST, SIP_PORT),
        numbers=list(NUMBERS),
        rate=CALLS_PER_S,
        limit=N_LINES,
        mean_patience_s=MEAN_PATIENCE_S,
    )


async def _judge(day: Day, capture: Capture, callers: Callers, control: ControlClient) -> Verdict:
    wire = await asyncio.to_thread(capture.read, (HOST, SIP_PORT), day.agent_ports, day.codes)
    return await judge(day.events, wire, capture.n_dropped, callers, day.setting.recordings, control)


def errors_in(log: Path) -> list[str]:
    """The first lines of a switch's log that tell of trouble."""
    words = ("error", "Traceback", "critical")
    return [line for line in log.read_text(errors="replace").splitlines() if any(word in line for word in words)][:20]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long callers call")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    parser.add_argument("--directory", type=Path, help="an empty folder for all files, kept; default: a temporary one")
    arguments = parser.parse_args()
    try:
        enter_network()
    except OSError as error:
        sys.exit(f"a network namespace is needed (as root): {error}")
    with contextlib.ExitStack() as held:
        directory = arguments.directory or Path(held.enter_context(tempfile.TemporaryDirectory(prefix="centre-")))
        result = uvloop.run(measure(directory, arguments.minutes))
    rows = [(key, value) for key, value in result.items() if not isinstance(value, dict | list)]
    print_result(result, ("figure", "value"), rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
