"""Walks a caller through flows (FEATURES 1.2): inputs and `now` in, actions out. Pure.

No flow can keep him: a limit of steps and one of time lead to the flow's exit, and a second one ends the call.
"""

from collections.abc import Mapping

import msgspec

from ivr import questions, requests
from ivr import run as flow
from ivr.program import Program, fill
from ivr.run import FlowAction, FlowInput, FlowRun, Frame
from ivr.script import ScriptError, run_script
from ivr.walk import MAX_SAYING_S, Walk, World
from model.flows import (
    Back,
    CallMeBack,
    Collect,
    Condition,
    Data,
    HangUp,
    Http,
    LeaveMessage,
    Listen,
    Lookup,
    MemberCheck,
    Menu,
    Node,
    Pause,
    Play,
    Rank,
    Return,
    Satisfaction,
    Schedule,
    Script,
    Set,
    SetLanguage,
    SubFlow,
    Top,
    ToQueue,
    Transfer,
)
from model.prompts import Prompt

MAX_DEPTH = 8
MAX_PATH = 200
_STEPS_TO_LEAVE = 30
_S_TO_LEAVE = 120.0


def begin(program: Program, given: Mapping[str, str], language: str, now: float) -> FlowRun:
    """A caller at the beginning of a flow; `given`: values of the variables of all flows. `start` follows."""
    frame = Frame(program, "", {**program.initial(), **given, "language": language})
    return FlowRun(frames=[frame], language=language, ends_at=now + program.flow.max_s)


def start(run: FlowRun, now: float, world: World) -> list[FlowAction]:
    return _Walk(run, now, world).go(run.frames[-1].program.flow.start)


def step(run: FlowRun, given: FlowInput, now: float, world: World) -> list[FlowAction]:
    """What does not fit what the run waits for is nothing, but for keys, which are kept."""
    return _Walk(run, now, world).on(given)


def leave(run: FlowRun, why: str, now: float, world: World) -> list[FlowAction]:
    """What it led to is not there: to the exit."""
    return _Walk(run, now, world).leave(why)


class _Walk(Walk):
    """From node to node."""

    # -- what comes ---------------------------------------------------------------------------------------------------

    def on(self, given: FlowInput) -> list[FlowAction]:
        run = self.run
        if not run.waits_for:
            return []
        if run.ends_at and self.now >= run.ends_at and run.waits_for not in ("transfer", "message"):
            return self.leave("has lasted too long")
        node = self.node()
        match given:
            case flow.Digit(digit=digit):
                self._pressed(node, digit)
            case flow.Said(number=number) if run.is_saying and number == run.n_said:
                self._said(node)
            case flow.Due() if run.deadline and self.now >= run.deadline:
                self._due(node)
            case flow.Replied() if isinstance(node, requests.Request) and run.waits_for == "reply":
                requests.replied(self, node, given)
            case flow.NotTransferred(outcome=outcome) if isinstance(node, Transfer) and run.waits_for == "transfer":
                run.ends_at = max(run.ends_at, self.now + _S_TO_LEAVE)
                self.follow(node, outcome, getattr(node, outcome))
            case flow.Heard(number=number) if isinstance(node, Listen) and run.is_hearing and number == run.n_heard:
                run.is_hearing = False
                questions.heard(self, node, given.text, given.error)
            case flow.MessageTaken(outcome=outcome) if isinstance(node, LeaveMessage) and run.waits_for == "message":
                run.ends_at = max(run.ends_at, self.now + _S_TO_LEAVE)
                branch = "next" if outcome == "left" else outcome
                self.follow(node, branch, getattr(node, branch))
            case _:
                pass
        return self.actions

    def _pressed(self, node: Node, digit: str) -> None:
        run = self.run
        match run.waits_for, node:
            case "key", Menu() | Satisfaction():
                self.hush()
                questions.choose(self, node, digit)
            case "digits", Collect():
                self.hush()
                questions.gather(self, node, digit)
            case "speech", Listen():
                self.hush()
                self.stop_hearing()
                questions.heard(self, node, digit)
            case "said", Play(is_interruptible=True):
                self.keep(digit)
                self.hush()
                self.follow(node, "key", node.next)
            case _:
                self.keep(digit)

    def _said(self, node: Node) -> None:
        run = self.run
        run.is_saying = False
        if isinstance(node, Play):
            self.follow(node, "next", node.next)
        elif isinstance(node, Menu | Collect | Satisfaction):
            self.until(node.first_digit_s)
        elif isinstance(node, Listen):
            questions.hear(self, node)

    def _due(self, node: Node) -> None:
        run = self.run
        if run.is_saying:
            self.actions.append(flow.Trouble(self.frame().program.name, node.id, "what was said did not end"))
            self.hush()
            self._said(node)
            return
        match node:
            case Menu() | Satisfaction():
                questions.again(self, node, "no_input")
            case Collect():
                if run.digits:
                    questions.gathered(self, node)
                else:
                    questions.again(self, node, "no_input")
            case Listen():
                self.stop_hearing()
                questions.heard(self, node, "", "what was said was not understood in time")
            case Pause():
                self.follow(node, "next", node.next)
            case Http() | Lookup() | MemberCheck() | CallMeBack():
                requests.replied(self, node, flow.Replied({}, "no answer came in time"))
            case _:
                pass

    # -- going on -----------------------------------------------------------------------------------------------------

    def go(self, node_id: str) -> list[FlowAction]:
        """To a node, and on until something must be waited for."""
        run = self.run
        at: str | None = node_id
        while at is not None:
            run.waits_for, run.deadline, run.n_tries, run.digits = "", 0.0, 0, ""
            frame = self.frame()
            node = frame.program.nodes.get(at)
            if node is None:
                # "" as a branch: the exit; the exit's own, or none: the end.
                leaves_by = frame.program.flow.exit
                if at == "" and leaves_by and frame.node != leaves_by:
                    at = leaves_by
                    continue
                return self._end()
            run.n_steps += 1
            if run.n_steps > frame.program.flow.max_steps + (_STEPS_TO_LEAVE if run.is_leaving else 0):
                if run.is_leaving:
                    return self._end()
                self._mark_leaving(f"took more than {frame.program.flow.max_steps} steps")
                at = self._way_out()
                continue
            frame.node = node.id
            run.path = [*run.path[-(MAX_PATH - 1) :], f"{frame.program.name}/{node.id}"]
            kind = type(node).__struct_config__.tag
            self.actions.append(flow.Visited(frame.program.name, frame.program.version, node.id, str(kind)))
            at = self._enter(node)
        return self.actions

    def _enter(self, node: Node) -> str | None:
        """The node that comes next, None when something must be waited for, or the flow is over."""
        match node:
            case Play():
                if (self.run.typed and node.is_interruptible) or not self.say(node.say):
                    return self.left(node, "next", node.next)
                self.wait("said", MAX_SAYING_S)
            case Menu():
                self._remember_menu(node)
                return questions.ask(self, node, ())
            case Listen():
                return questions.ask(self, node, ())
            case Collect():
                if node.is_secret:
                    self.secure(True)
                return questions.ask(self, node, ())
            case Satisfaction():
                return questions.ask_for_answer(self, node)
            case Set():
                return self._set(node)
            case Script():
                return self._run_script(node)
            case Condition():
                return self._decide(node)
            case Schedule():
                hours = self.world.hours(node.calendar)
                return self.left(node, hours, getattr(node, hours, node.off))
            case Http() | Lookup() | MemberCheck() | CallMeBack():
                requests.ask(self, node)
            case ToQueue(queue=queue):
                self.over(flow.JoinQueue(queue))
            case LeaveMessage(box=box, has_greeting=has_greeting):
                self.wait("message", 0.0)
                self.run.deadline = 0.0
                self.actions.append(flow.TakeMessage(box, has_greeting))
            case Transfer():
                number = fill(node.to, self.frame().variables).removeprefix("external:")
                self.wait("transfer", 0.0)
                self.run.deadline = 0.0
                self.actions.append(flow.TransferTo(number, node.ring_timeout_s, "{" in node.to))
            case Back():
                return self._back(node)
            case Top():
                return self._top(node)
            case SubFlow():
                return self._call(node)
            case Return():
                return self._return(node)
            case SetLanguage(language=language):
                self.run.language = language
                for frame in self.run.frames:
                    frame.variables["language"] = language
                self.actions.append(flow.SpeakLanguage(language))
                return self.left(node, "next", node.next)
            case Rank():
                self.actions.append(flow.RankCaller(node.is_vip, node.priority, dict(node.skills)))
                return self.left(node, "next", node.next)
            case Data(data=data):
                variables = self.frame().variables
                self.actions.append(flow.Tell({name: fill(text, variables) for name, text in data.items()}))
                return self.left(node, "next", node.next)
            case Pause(seconds=seconds):
                self.wait("pause", seconds)
            case HangUp():
                self.over(flow.EndCall())
        return None

    # -- values -------------------------------------------------------------------------------------------------------

    def _set(self, node: Set) -> str:
        variables = self.frame().variables
        for name, text in node.values.items():
            value = self.work_out(node, text)
            if value is None:
                return self.left(node, "failed", node.failed)
            variables[name] = value
        return self.left(node, "next", node.next)

    def _run_script(self, node: Script) -> str:
        frame = self.frame()
        program = frame.program
        try:
            frame.variables = run_script(program.scripts[node.id], program.expressions, frame.variables)
        except ScriptError as error:
            self.actions.append(flow.Trouble(program.name, node.id, str(error)))
            return self.left(node, "failed", node.failed)
        return self.left(node, "next", node.next)

    def _decide(self, node: Condition) -> str:
        for i, case in enumerate(node.cases):
            holds = self.work_out(node, case.when)
            if holds is None:
                return self.left(node, "failed", node.failed)
            if holds:
                return self.left(node, f"case{i + 1}", case.next)
        return self.left(node, "otherwise", node.otherwise)

    # -- menus and flows above ----------------------------------------------------------------------------------------

    def _remember_menu(self, node: Menu) -> None:
        run = self.run
        mark = (len(run.frames), node.id)
        if mark in run.menus:
            # He is back: what came after it is behind him.
            run.menus = run.menus[: run.menus.index(mark) + 1]
        else:
            run.menus = [*run.menus, mark][-100:]

    def _back(self, node: Back) -> str:
        run = self.run
        if len(run.menus) >= 2:
            run.menus = run.menus[:-1]
        return self._to_menu(node, run.menus[-1:])

    def _top(self, node: Top) -> str:
        return self._to_menu(node, self.run.menus[:1])

    def _to_menu(self, node: Node, marks: list[tuple[int, str]]) -> str:
        run = self.run
        if not marks:
            return self.left(node, "next", self.frame().program.flow.start)
        depth, menu = marks[0]
        self.left(node, "next", menu)
        del run.frames[depth:]
        return menu

    def _call(self, node: SubFlow) -> str:
        program = self.world.flow(node.flow)
        frame = self.frame()
        if program is None or len(self.run.frames) >= MAX_DEPTH:
            why = (
                f'there is no flow "{node.flow}"' if program is None else f"more than {MAX_DEPTH} flows within another"
            )
            self.actions.append(flow.Trouble(frame.program.name, node.id, why))
            return self.left(node, "failed", node.failed)
        self.left(node, "flow", program.flow.start)
        # Variables of the same name and kind are shared: they go in here and come back at the return.
        shared = {
            name: value
            for name, value in frame.variables.items()
            if program.kinds.get(name) == frame.program.kinds[name] and _is_as_secret(name, frame.program, program)
        }
        self.run.frames.append(Frame(program, "", {**program.initial(), **shared}))
        return program.flow.start

    def _return(self, node: Return) -> str:
        run = self.run
        if len(run.frames) == 1:
            return self.left(node, "next", "")
        inner = run.frames.pop()
        outer = run.frames[-1]
        run.menus = [mark for mark in run.menus if mark[0] <= len(run.frames)]
        for name, value in inner.variables.items():
            same_kind = outer.program.kinds.get(name) == inner.program.kinds[name]
            if same_kind and _is_as_secret(name, inner.program, outer.program):
                outer.variables[name] = value
        called = outer.program.nodes[outer.node]
        assert isinstance(called, SubFlow)
        return self.left(called, "next", called.next)

    # -- ends and limits ----------------------------------------------------------------------------------------------

    def leave(self, why: str) -> list[FlowAction]:
        if self.run.is_leaving:
            return self._end()
        self._mark_leaving(why)
        return self.go(self._way_out())

    def _mark_leaving(self, why: str) -> None:
        run = self.run
        frame = self.frame()
        self.actions.append(flow.Trouble(frame.program.name, frame.node, f"the flow {why}"))
        run.is_leaving = True
        run.ends_at = self.now + _S_TO_LEAVE
        run.n_steps = frame.program.flow.max_steps

    def _way_out(self) -> str:
        """The exit of the call's first flow."""
        run = self.run
        self.hush()
        self.stop_hearing()
        self.secure(False)
        del run.frames[1:]
        run.n_steps = run.frames[0].program.flow.max_steps
        run.frames[0].node = ""
        run.menus = []
        run.typed = ""
        return ""

    def _end(self) -> list[FlowAction]:
        self.hush()
        self.stop_hearing()
        self.secure(False)
        self.over(flow.EndCall())
        return self.actions


def _is_as_secret(name: str, one: Program, other: Program) -> bool:
    """Secret digits go nowhere where they are not secret."""
    return name not in one.secrets or name in other.secrets


class FixedWorld(msgspec.Struct):
    """Flows by name, one answer for all calendars, and prompts that are known: for simulators."""

    flows: dict[str, Program]
    at_hours: str = "working"
    prompts: dict[str, Prompt] = {}

    def flow(self, name: str) -> Program | None:
        return self.flows.get(name)

    def hours(self, calendar: str) -> str:
        del calendar
        return self.at_hours

    def may_rate(self) -> bool:
        return True

    def prompt(self, name: str) -> Prompt | None:
        return self.prompts.get(name)
