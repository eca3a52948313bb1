"""`ringback demo`: real calls with real audio between phones of ours through a switch on this machine."""

import asyncio
import signal
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from control.client import ConnectionFailed
from model.declare import ApiError
from switch.demo.conduct import Conductor, follow_switch
from switch.demo.plan import Plan, make_plan
from switch.demo.processes import DemoError, PhonesProcess, SwitchProcess
from switch.demo.screen import Screen
from switch.demo.setting import Setting, prepare
from switch.demo.stage import Stage
from switch.demo.verdict import Evidence, Verdict, gather_evidence, judge


def demo(calls: int = 10, seconds: float = 20.0, as_json: bool = False, directory: Path | None = None) -> int:
    """Plays `calls` calls of all kinds, each `seconds` long, and says what came of them.

    Everything is written to `directory`, or to a new temporary folder, and kept. With `as_json` one JSON object
    (`Result`) is all that is printed. Returns 0 only when everything was right, 1 when not, 2 when it could not go on,
    130 when it was stopped by SIGINT or SIGTERM.
    """
    folder = directory.absolute() if directory else Path(tempfile.mkdtemp(prefix="ringback-demo-"))
    plan = make_plan(calls, seconds)
    screen = Screen(plan.names, is_silent=as_json)
    try:
        if (folder / "data").exists():
            raise DemoError(f"{folder} holds another demo; name an empty folder")
        setting = prepare(folder, len(plan.extensions), plan.agents, calls)
        verdict = asyncio.run(_play(plan, setting, screen))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("ringback demo: stopped", file=sys.stderr)
        return 130
    except (DemoError, ConnectionFailed, ApiError, OSError) as error:
        print(f"ringback demo: {error or type(error).__name__}; see {folder}", file=sys.stderr)
        return 2
    if as_json:
        print(msgspec.json.encode(verdict.result).decode())
        for problem in verdict.problems:
            print(f"ringback demo: {problem}", file=sys.stderr)
    return 1 if verdict.problems else 0


async def _play(plan: Plan, setting: Setting, screen: Screen) -> Verdict:
    started = time.monotonic()
    playing = asyncio.current_task()
    if playing is not None:
        # As for Ctrl-C: the processes started here are ended before this one.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    screen.say(f"Starting a switch on udp:127.0.0.1:{setting.sip_port}, everything in {setting.directory}")
    stage = Stage(plan, screen.on_change)
    phones_log = setting.directory / "phones.log"
    switch = await SwitchProcess.start(setting)
    try:
        phones = await PhonesProcess.start(stage.on_phone, phones_log)
        try:
            evidence = await _perform(plan, setting, screen, stage, switch, phones)
        finally:
            phones_status = await phones.stop()
    finally:
        switch_status = await switch.stop()
    for name, status in (("the phones", phones_status), ("the switch", switch_status)):
        if status:
            stage.errors.append(f"{name} ended with status {status}")
    phone_errors = phones_log.read_text("utf-8", "replace")
    verdict = await asyncio.to_thread(judge, stage, setting, evidence, time.monotonic() - started, phone_errors)
    screen.summary(stage, verdict)
    return verdict


async def _perform(
    plan: Plan, setting: Setting, screen: Screen, stage: Stage, switch: SwitchProcess, phones: PhonesProcess
) -> Evidence:
    async with await switch.connect() as control:
        await control.subscribe()
        following = asyncio.create_task(follow_switch(control, stage))
        try:
            conductor = Conductor(plan, setting, stage, phones)
            screen.say(f"Registering {len(plan.extensions)} phones, opening a trunk, {len(plan.agents)} agents sign in")
            await conductor.open_phones()
            await conductor.sign_in(control)
            is_over = asyncio.Event()
            showing = asyncio.create_task(screen.show(stage, is_over.is_set))
            try:
                await conductor.play()
            finally:
                is_over.set()
                stage.wake()
                await showing
            return await gather_evidence(control, stage)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
