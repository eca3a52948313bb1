"""`ringback ivr`: checks flows, and walks one in the terminal without a call."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from ivr.checks import Surroundings, flow_faults, read_flow
from ivr.interpreter import FixedWorld
from ivr.program import Program, compile_flow
from ivr.simulation import SAYS, Simulation, TransferEnd
from model.flows import Flow
from switch.cli_client import AsJson, fail
from switch.cli_flows import add_flows
from switch.sources import source_problem

app = typer.Typer(name="ivr", help="Flows of the voice menu.", no_args_is_help=True)

add_flows(app)

FlowPath = Annotated[Path, typer.Argument(help="Flow document (JSON); flows it calls lie beside it as NAME.json.")]


@app.command()
def check(flows: Annotated[list[Path], typer.Argument(help="Flow documents (JSON).")], as_json: AsJson = False) -> None:
    """Tell everything that is wrong with flows; exit status 1 when anything is."""
    n_faults = 0
    told: list[dict[str, Any]] = []
    for path in flows:
        loaded, lines = _read(path)
        n_faults += len(lines)
        told.append({"file": str(path), "flow": loaded.name if loaded else "", "faults": lines})
        if as_json:
            continue
        for line in lines:
            print(f"{path}: {line}")
        if not lines and loaded is not None:
            print(f"{path}: good: {len(loaded.nodes)} nodes")
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    if n_faults:
        raise typer.Exit(1)


@app.command()
def run(
    path: FlowPath,
    say: Annotated[
        str | None,
        typer.Option(
            help='What the caller does, in order: digits; "say:WORDS" = speaks; "-" = nothing until it is too '
            'late; "!" = hangs up. "1,2,#"'
        ),
    ] = None,
    hours: Annotated[str, typer.Option(help="What calendars say: working, off, holiday or emergency.")] = "working",
    caller: Annotated[str, typer.Option(help="Who calls.")] = "13800001111",
    replies: Annotated[
        Path | None,
        typer.Option(
            help='JSON list: answers to requests, in order: a document, or "wrong"; null: it fails. Else all fail.'
        ),
    ] = None,
    transfer: Annotated[str, typer.Option(help="How transfers end: answered, busy, no_answer or failed.")] = "answered",
    as_json: AsJson = False,
) -> None:
    """Walk a flow as a caller would, without a call. Without --say it asks for each input."""
    if hours not in ("working", "off", "holiday", "emergency"):
        fail(f'--hours is working, off, holiday or emergency, not "{hours}"')
    if transfer not in ("answered", "busy", "no_answer", "failed"):
        fail(f'--transfer is answered, busy, no_answer or failed, not "{transfer}"')
    world = FixedWorld(_programs(path), hours)
    inputs = [part.strip() for part in say.split(",")] if say is not None else None
    for part in inputs or []:
        if part not in ("-", "!") and not part.startswith(SAYS) and not (part and set(part) <= set("0123456789*#")):
            fail(f'--say: "{part}" is neither digits nor "say:WORDS" nor "-" nor "!"')
    end = msgspec.convert(transfer, TransferEnd)
    walk = Simulation(world.flows[path.stem], world, caller=caller, replies=_documents(replies), transfer=end)
    walk.start()
    shown = 0
    while True:
        shown = 0 if as_json else _show(walk, shown)
        if walk.end:
            break
        walk.give(_from_terminal() if inputs is None else inputs.pop(0) if inputs else "-")
    if as_json:
        steps = [msgspec.structs.asdict(step) for step in walk.told]
        print(json.dumps({"path": walk.run.path, "end": walk.end, "steps": steps}, ensure_ascii=False))


def _show(walk: Simulation, shown: int) -> int:
    """What happened since; returns how much of it is shown now."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for step in walk.told[shown:]:
        console.print(f"{step.what:>9}  {step.text}")
    return len(walk.told)


def _from_terminal() -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip() or "!"
    return str(typer.prompt('keys ("-" nothing, "!" hang up)', default="-", show_default=False)).strip()


def _read(path: Path) -> tuple[Flow | None, list[str]]:
    try:
        text = path.read_bytes()
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    loaded, faults = read_flow(text)
    if loaded is not None:
        beside = frozenset(each.stem for each in path.parent.glob("*.json"))
        faults = flow_faults(loaded, Surroundings(flows=beside, source_problem=source_problem))
        if loaded.name != path.stem:
            return loaded, [f'name: is "{loaded.name}" in a file for "{path.stem}"', *map(str, faults)]
    return loaded, [str(fault) for fault in faults]


def _programs(path: Path) -> dict[str, Program]:
    """The flow, and those that it can come to."""
    programs: dict[str, Program] = {}
    ahead = [path]
    while ahead:
        at = ahead.pop()
        loaded, lines = _read(at)
        if lines or loaded is None:
            fail(f"{at}: {lines[0]}" + (f" (and {len(lines) - 1} more: `ringback ivr check`)" if lines[1:] else ""))
        programs[at.stem] = compile_flow(loaded, 0)
        called = {name for node in loaded.nodes if (name := getattr(node, "flow", ""))} - {*programs}
        ahead += [path.parent / f"{name}.json" for name in sorted(called)]
    return programs


def _documents(path: Path | None) -> list[Any]:
    if path is None:
        return []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{path}: {error.strerror}")
    except ValueError as error:
        fail(f"{path}: is no JSON: {error}")
    if not isinstance(found, list):
        fail(f"{path}: must be a list, one element for each request")
    return found
