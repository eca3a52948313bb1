"""`ringback ivr`: checks flows, and walks one in the terminal without a call."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from ivr import interpreter
from ivr import run as flow
from ivr.checks import Surroundings, flow_faults, read_flow
from ivr.interpreter import FixedWorld
from ivr.program import Program, compile_flow
from ivr.requests import pick
from ivr.run import FlowAction, FlowInput, FlowRun
from ivr.speaking import Sound
from ivr.voices import PROMPTS
from model.flows import Flow
from switch.cli_client import AsJson, fail
from switch.sources import source_problem

app = typer.Typer(name="ivr", help="Flows of the voice menu.", no_args_is_help=True)

FlowPath = Annotated[Path, typer.Argument(help="Flow document (JSON); flows it calls lie beside it as NAME.json.")]
_MAX_INPUTS = 10_000


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
            help='What the caller does, in order: digits; "-" = nothing until it is too late; "!" = hangs up. "1,2,#"'
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
    program = world.flows[path.stem]
    inputs = [part.strip() for part in say.split(",")] if say is not None else None
    for part in inputs or []:
        if part not in ("-", "!") and not (part and set(part) <= set("0123456789*#")):
            fail(f'--say: "{part}" is neither digits nor "-" nor "!"')
    walk = _Walk(program, world, caller, inputs, _documents(replies), transfer, is_quiet=as_json)
    walk.go()
    if as_json:
        print(json.dumps({"path": walk.run.path, "end": walk.end, "steps": walk.told}, ensure_ascii=False))


class _Walk:
    """One simulated caller; time passes only where nothing else happens."""

    def __init__(
        self,
        program: Program,
        world: FixedWorld,
        caller: str,
        inputs: list[str] | None,
        documents: list[Any],
        transfer: str,
        *,
        is_quiet: bool,
    ) -> None:
        self.now = 0.0
        self.world = world
        self.run: FlowRun = interpreter.begin(
            program, {"caller": caller, "access_number": ""}, program.flow.language, self.now
        )
        self.inputs = inputs
        self.documents = documents
        self.transfer = transfer
        self.is_quiet = is_quiet
        self.told: list[dict[str, str]] = []
        self.end = ""
        self._console = Console(highlight=False, markup=False, soft_wrap=True)
        self._ask: flow.Ask | None = None

    def go(self) -> None:
        self._take(interpreter.start(self.run, self.now, self.world))
        n_inputs = 0
        while self.is_on() and n_inputs < _MAX_INPUTS:
            for given in self._next():
                n_inputs += 1
                if self.is_on():
                    self._take(interpreter.step(self.run, given, self.now, self.world))
        if self.is_on():
            self._tell("stopped", f"after {n_inputs} inputs")

    def is_on(self) -> bool:
        return not self.end

    def _next(self) -> list[FlowInput]:
        run = self.run
        match run.waits_for:
            case "said":
                return [flow.Said(run.n_said)]
            case "reply":
                return [self._reply()]
            case "transfer":
                if self.transfer == "answered":
                    self._tell("talks", "with who was called")
                    self.end = "transferred"
                    return []
                self._tell("transfer", self.transfer)
                return [flow.NotTransferred(msgspec.convert(self.transfer, flow.Outcome))]
            case "message":
                return [flow.MessageTaken("left")]
            case "pause":
                return [self._later()]
            case _:
                return self._input()

    def _input(self) -> list[FlowInput]:
        if self.inputs is None:
            typed = self._from_terminal()
        elif self.inputs:
            typed = self.inputs.pop(0)
        else:
            typed = "-"
        if typed == "!":
            self._tell("caller", "hangs up")
            self.end = "hung_up"
            return []
        if typed in ("-", ""):
            self._tell("caller", "does nothing")
            if self.run.is_saying:
                self._take(interpreter.step(self.run, flow.Said(self.run.n_said), self.now, self.world))
            return [self._later()]
        self._tell("caller", "keys " + ("•" * len(typed) if self.run.is_secure else typed))
        return [flow.Digit(digit) for digit in typed]

    def _from_terminal(self) -> str:
        if not sys.stdin.isatty():
            return sys.stdin.readline().strip() or "!"
        return str(typer.prompt('keys ("-" nothing, "!" hang up)', default="-", show_default=False)).strip()

    def _later(self) -> FlowInput:
        self.now = max(self.now, self.run.deadline)
        return flow.Due()

    def _reply(self) -> FlowInput:
        document = self.documents.pop(0) if self.documents else None
        if isinstance(document, str):
            self._tell("answer", document)
            return flow.Replied({}, outcome=document)
        if document is None or self._ask is None:
            self._tell("answer", "none")
            return flow.Replied({}, "no answer")
        found = pick(document, self._ask.picks)
        self._tell("answer", ", ".join(f"{name} = {value}" for name, value in found.items()))
        return flow.Replied(found)

    def _take(self, actions: list[FlowAction]) -> None:
        for action in actions:
            match action:
                case flow.Visited():
                    self._tell("node", f"{action.flow}/{action.node} ({action.kind})")
                case flow.Left(branch=branch) if branch not in ("next", "key"):
                    self._tell("branch", branch)
                case flow.Say(sounds=sounds):
                    self._tell("hears", _spoken(sounds))
                case flow.Ask(method=method, url=url):
                    self._ask = action
                    self._tell("asks", f"{method} {url}")
                case flow.CheckMember(member=member):
                    self._ask = None
                    self._tell("asks", f"for the password of member {member}")
                case flow.Secure(is_on=is_on):
                    self._tell("secure", "begins" if is_on else "ends")
                case flow.Tell(data=data):
                    self._tell("data", ", ".join(f"{name} = {value}" for name, value in data.items()))
                case flow.SpeakLanguage(language=language):
                    self._tell("language", language)
                case flow.RankCaller():
                    skills = "".join(f", {skill} {level}" for skill, level in action.skills.items())
                    self._tell("rank", f"{'VIP' if action.is_vip else 'normal'}, priority {action.priority}{skills}")
                case flow.TransferTo(number=number):
                    self._tell("transfer", f"to {number}")
                case flow.JoinQueue(queue=queue):
                    self._tell("queue", queue)
                    self.end = "queue"
                case flow.TakeMessage(box=box):
                    self._tell("message", f"into box {box}")
                case flow.EndCall():
                    self._tell("end", "the call is over")
                    self.end = "ended"
                case flow.Trouble(problem=problem):
                    self._tell("trouble", problem)
                case _:
                    pass

    def _tell(self, what: str, text: str) -> None:
        self.told.append({"what": what, "text": text})
        if not self.is_quiet:
            self._console.print(f"{what:>9}  {text}")


def _spoken(sounds: list[Sound]) -> str:
    """Texts of built-in prompts in place of their names."""
    parts = []
    for sound in sounds:
        if not isinstance(sound, str):
            parts.append(sound.text)
        elif sound.startswith("voice:"):
            language, _, name = sound.removeprefix("voice:").partition("/")
            parts.append(PROMPTS[language][name])
        else:
            parts.append(f"[{sound}]")
    return " ".join(parts)


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
        programs[at.stem] = compile_flow(loaded, 1)
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
