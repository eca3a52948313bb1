"""Callers of a voice menu, all at once: `python -m benchmarks.ivr [--callers 400] [--seconds 60] [--quick] [--json]`.

A real `ringback serve` (configured as `_toml` tells: nothing is recorded), callers in a process of their own
(`benchmarks.ivr_load`), a flow of three levels with three keys each (`benchmarks.ivr_flow`), whose leaves lead to its
beginning. The callers press keys at random moments by RTP events, mostly before the prompt is over; each stays in the
menu until the time is up.

- `digits_lost`, `digits_doubled`: keys that `call.digit` does not tell, or tells more than once; `wrong_leaf`: leaves
  that `flow.visited` has and the keys do not lead to, or the other way round. All keys of all callers count.
- `prompt_start_ms_*`: from the sending of the first of the three end packets of a key's event to the arrival of the
  first audible packet of the prompt that it leads to: each begins with a signal that the prompt before has not.
  `prompts_unheard`: those that had not begun when the next key was pressed.
- `cpu_ms_per_caller_s`: CPU time of supervisor, switch and media processes, as the operating system counts it, a second
  of a caller, with one subscriber to the events. `relay_cpu_ms_per_call_s`: the same for a second of a call of two
  parties whose audio the same switch relays afterwards, as many calls as there were callers.
"""

import argparse
import asyncio
import contextlib
import difflib
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.ivr_flow import FLOW, LEVELS, node_of, write_flow
from benchmarks.ivr_load import FIRST_CALLER
from benchmarks.measure import machine, print_result
from benchmarks.media_processes import Talker, running
from benchmarks.signalling import Switch
from benchmarks.signalling_setting import HOST, Setting
from control.auth import hash_token, new_token
from control.client import ConnectionFailed, ControlClient
from switch.demo.setting import free_ports, free_rtp_range

MENU, TALK = "4001", "4002"
_TALK_OUT = "18100000000"
_READY_S = 60.0
_EVENTS = ["call.created", "call.digit", "flow.*"]
_PORTS_A_CALL = 10
"""Twice four, and freed ones rest for some seconds."""


class Journal:
    """What the switch tells, by caller."""

    def __init__(self) -> None:
        self.digits: dict[int, str] = {}
        self.leaves: dict[int, list[str]] = {}
        self.troubles: list[str] = []
        self.n_events = 0
        self._places: dict[str, int] = {}

    def take(self, event: str, fields: dict[str, Any]) -> None:
        self.n_events += 1
        if event == "call.created":
            number = "".join(each for each in fields["caller"] if each.isdigit())[-11:]
            self._places[fields["call_id"]] = int(number) - FIRST_CALLER if number else -1
            return
        place = self._places.get(fields["call_id"], -1)
        match event:
            case "call.digit":
                self.digits[place] = self.digits.get(place, "") + fields["digit"]
            case "flow.visited" if fields["at_node"].startswith("leaf"):
                self.leaves.setdefault(place, []).append(fields["at_node"])
            case "flow.trouble":
                self.troubles.append(f"{fields['at_node']}: {fields['problem']}")
            case _:
                pass


def compare(sent: str, told: str) -> tuple[int, int]:
    """Digits lost on the way, and digits that are too many."""
    lost = doubled = 0
    for tag, a, b, c, d in difflib.SequenceMatcher(None, sent, told, autojunk=False).get_opcodes():
        if tag != "equal":
            lost += b - a
            doubled += d - c
    return lost, doubled


def leaves_of(digits: str) -> list[str]:
    return [node_of(digits[at : at + LEVELS]) for at in range(0, len(digits) - LEVELS + 1, LEVELS)]


def judge(digits: list[str], journal: Journal) -> dict[str, int]:
    """What became of the keys."""
    lost = doubled = wrong = 0
    for place, sent in enumerate(digits):
        told = journal.digits.get(place, "")
        if told != sent:
            missing, extra = compare(sent, told)
            lost, doubled = lost + missing, doubled + extra
        wanted, visited = leaves_of(sent), journal.leaves.get(place, [])
        wrong += sum(a != b for a, b in zip(wanted, visited, strict=False)) + abs(len(wanted) - len(visited))
    return {
        "digits_sent": sum(map(len, digits)),
        "digits_lost": lost,
        "digits_doubled": doubled,
        "leaves_reached": sum(map(len, journal.leaves.values())),
        "wrong_leaf": wrong,
    }


def quantiles(values: list[float], name: str) -> dict[str, float]:
    ordered = sorted(values)
    if not ordered:
        return {f"{name}_{q}": 0.0 for q in ("p50", "p99", "max")}
    return {
        f"{name}_{q}": round(ordered[min(len(ordered) - 1, int(len(ordered) * part))], 2)
        for q, part in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }


async def measure(folder: Path, callers: int, seconds: float) -> dict[str, Any]:
    """One run. Raises RuntimeError when the calls cannot be made."""
    journal = Journal()
    async with running(["-m", "benchmarks.ivr_load"], []) as process:
        load = Talker(process)
        ports = (await load.hear())["ports"]
        setting = prepare(folder, ports, callers)
        switch = Switch(setting)
        try:
            async with _listening(setting, switch, journal):
                job = {"host": HOST, "port": setting.sip_port, "calls": callers, "seconds": seconds}
                load.say({"do": "menu", "dial": MENU, **job})
                menu, menu_cpu = await _follow(load, switch, callers, seconds)
                await asyncio.sleep(1.0)
                n_events = journal.n_events
                load.say({"do": "talk", "dial": TALK, **job})
                talk, talk_cpu = await _follow(load, switch, callers, seconds)
        finally:
            switch.stop()
    errors = [line for line in setting.log.read_text("utf-8", "replace").splitlines() if line.strip()]
    prompt_ms = menu["prompt_ms"]
    cpu, relay = sum(menu_cpu.values()), sum(talk_cpu.values())
    return {
        "callers": menu["up"],
        "seconds": seconds,
        **judge(menu["digits"], journal),
        **quantiles(prompt_ms, "prompt_start_ms"),
        "prompts_heard": len(prompt_ms),
        "prompts_unheard": menu["unheard"],
        "cpu_ms_per_caller_s": round(cpu, 3),
        "relay_cpu_ms_per_call_s": round(relay, 3),
        "ratio": round(cpu / relay, 2),
        **{f"cpu_ms_{kind.replace('.', '_')}": round(part, 3) for kind, part in menu_cpu.items()},
        **{f"relay_cpu_ms_{kind.replace('.', '_')}": round(part, 3) for kind, part in talk_cpu.items()},
        "events": n_events,
        "relay_packets": talk["received"],
        "calls_dropped": menu["dropped"] + talk["dropped"],
        "calls_not_ended": menu["not_ended"] + talk["not_ended"],
        "load_late_ms_max": max(menu["late_ms_max"], talk["late_ms_max"]),
        "troubles": journal.troubles[:10],
        "log": errors[:10],
        **machine(),
    }


async def _follow(load: Talker, switch: Switch, calls: int, seconds: float) -> tuple[dict[str, Any], dict[str, float]]:
    """The load's own result, and CPU milliseconds a second of a call by process."""
    setup_s = calls / 50 + 60
    steady = await load.hear(setup_s)
    before, began = switch.cpu_s(), time.monotonic()
    if steady["up"] < calls:
        raise RuntimeError(f"only {steady['up']} of {calls} calls are up: {switch.last_words()}")
    await load.hear(seconds + 30)
    took = time.monotonic() - began
    spent: dict[str, float] = {}
    for name, after in switch.cpu_s().items():
        kind = name.split()[0]
        spent[kind] = spent.get(kind, 0.0) + (after - before.get(name, 0.0)) * 1000 / took / calls
    return await load.hear(setup_s), spent


@contextlib.asynccontextmanager
async def _listening(setting: Setting, switch: Switch, journal: Journal) -> AsyncIterator[None]:
    """The switch is up, and tells its events."""
    deadline = time.monotonic() + _READY_S
    while True:
        try:
            control = await ControlClient.connect(HOST, setting.control_port, setting.token)
            break
        except (ConnectionFailed, TimeoutError) as error:
            if switch.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the switch does not start: {error}; {switch.last_words()}") from None
            await asyncio.sleep(0.05)

    async def read() -> None:
        async for event in control.events():
            journal.take(event.event, event.fields)

    async with control:
        await control.call("events.subscribe", names=_EVENTS)
        reader = asyncio.create_task(read())
        try:
            yield
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


def prepare(folder: Path, ports: list[int], calls: int) -> Setting:
    """Writes configuration, flow and prompts: a trunk to the callers' port, one to the callees'."""
    folder.mkdir(parents=True, exist_ok=True)
    sip_port, control_port, _ = free_ports()
    setting = Setting(
        config=folder / "ringback.toml",
        log=folder / "serve.log",
        database=folder / "data" / "ringback.db",
        sip_port=sip_port,
        control_port=control_port,
        token=new_token(),
    )
    data = setting.database.parent
    write_flow(data / "flows", data / "prompts")
    setting.config.write_text(_toml(setting, ports, max(200, calls * _PORTS_A_CALL)), encoding="utf-8")
    return setting


def _toml(setting: Setting, ports: list[int], n_rtp_ports: int) -> str:
    first, last = free_rtp_range(n_rtp_ports)
    trunks = "".join(
        f'[[trunk]]\nname = "{name}"\nhost = "{HOST}"\nport = {port}\nfrom_addresses = ["{HOST}:{port}"]\n'
        for name, port in zip(("callers", "callees"), ports, strict=True)
    )
    return (
        '[node]\nname = "bench"\ndirectory = "data"\nlog_level = "warning"\ndrain_s = 1.0\n'
        f'[sip]\nlisten = ["udp:{HOST}:{setting.sip_port}"]\n'
        f'[media]\naddress = "{HOST}"\nrtp_ports = "{first}-{last}"\ncodecs = ["PCMU"]\nprompts = "prompts"\n'
        "[recording]\nenabled = false\n[outbound]\nmax_calls = 0\nmax_calls_per_day = 0\nmax_minutes_per_day = 0\n"
        f'[control]\nlisten = "{HOST}:{setting.control_port}"\n'
        f'[[control.user]]\nname = "bench"\ntoken_hash = "{hash_token(setting.token)}"\nrole = "operator"\n'
        f'[ivr]\nflows = "flows"\n{trunks}'
        f'[[route]]\nname = "out"\npattern = "181"\ntrunks = ["callees"]\n'
        f'[[access_number]]\nnumber = "{MENU}"\nto = "ivr:{FLOW}"\n'
        f'[[access_number]]\nnumber = "{TALK}"\nto = "{_TALK_OUT}"\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--callers", type=int, default=400, help="at once (400)")
    parser.add_argument("--seconds", type=float, help="how long they press keys (60; 10 with --quick)")
    parser.add_argument("--quick", action="store_true", help="ten seconds")
    parser.add_argument("--json", action="store_true", help="one JSON line instead of a table")
    wanted = parser.parse_args()
    seconds = wanted.seconds or (10.0 if wanted.quick else 60.0)
    with tempfile.TemporaryDirectory(prefix="ringback-bench-") as folder:
        result = uvloop.run(measure(Path(folder), wanted.callers, seconds))
    keys = "digits_sent", "digits_lost", "digits_doubled", "wrong_leaf"
    times = "prompt_start_ms_p50", "prompt_start_ms_p99", "prompt_start_ms_max"
    costs = "cpu_ms_per_caller_s", "relay_cpu_ms_per_call_s", "ratio"
    columns = ("callers", *keys, *times, *costs)
    print_result(result, columns, [[result[column] for column in columns]], as_json=wanted.json)


if __name__ == "__main__":
    main()
