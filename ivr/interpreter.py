"""Walks a caller through flows (FEATURES 1.2): inputs and `now` in, actions out. Pure.

No flow can keep him: a limit of steps and one of time lead to the flow's exit, and a second one ends the call.
"""

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote

import msgspec

from ivr import run as flow
from ivr.expression import ExpressionError, Value, convert, evaluate
from ivr.program import Program, fill
from ivr.run import FlowAction, FlowInput, FlowRun, Frame
from ivr.speaking import speak
from model.flows import (
    Back,
    Collect,
    Condition,
    Data,
    HangUp,
    Http,
    Menu,
    Node,
    Pause,
    Piece,
    Play,
    Rank,
    Return,
    Schedule,
    Set,
    SetLanguage,
    SubFlow,
    Top,
    ToQueue,
    Transfer,
)

MAX_SAYING_S = 180.0
"""What is said and does not end is not waited for any longer."""
MAX_DEPTH = 8
MAX_TYPED = 64
MAX_PATH = 200
_STEPS_TO_LEAVE = 30
_S_TO_LEAVE = 120.0
_GRACE_S = 2.0
"""An answer that should have come is waited for so much longer."""


class World(Protocol):
    """What flows may ask of the switch; without delay."""

    def flow(self, name: str) -> Program | None:
        """As published now."""
        ...

    def hours(self, calendar: str) -> str:
        """working, off, holiday or emergency."""
        ...


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


class _Walk:
    """One input's worth of steps."""

    def __init__(self, run: FlowRun, now: float, world: World) -> None:
        self.run = run
        self.now = now
        self.world = world
        self.actions: list[FlowAction] = []

    # -- what comes ---------------------------------------------------------------------------------------------------

    def on(self, given: FlowInput) -> list[FlowAction]:
        run = self.run
        if not run.waits_for:
            return []
        if run.ends_at and self.now >= run.ends_at and run.waits_for != "transfer":
            return self.leave("has lasted too long")
        node = self._node()
        match given:
            case flow.Digit(digit=digit):
                self._pressed(node, digit)
            case flow.Said(number=number) if run.is_saying and number == run.n_said:
                self._said(node)
            case flow.Due() if run.deadline and self.now >= run.deadline:
                self._due(node)
            case flow.Replied() if isinstance(node, Http) and run.waits_for == "reply":
                self._replied(node, given)
            case flow.NotTransferred(outcome=outcome) if isinstance(node, Transfer) and run.waits_for == "transfer":
                run.ends_at = max(run.ends_at, self.now + _S_TO_LEAVE)
                self._follow(node, outcome, getattr(node, outcome))
            case _:
                pass
        return self.actions

    def _pressed(self, node: Node, digit: str) -> None:
        run = self.run
        match run.waits_for, node:
            case "key", Menu():
                self._hush()
                self._choose(node, digit)
            case "digits", Collect():
                self._hush()
                self._gather(node, digit)
            case "said", Play(is_interruptible=True):
                self._keep(digit)
                self._hush()
                self._follow(node, "key", node.next)
            case _:
                self._keep(digit)

    def _keep(self, digit: str) -> None:
        self.run.typed = (self.run.typed + digit)[:MAX_TYPED]

    def _said(self, node: Node) -> None:
        run = self.run
        run.is_saying = False
        if isinstance(node, Play):
            self._follow(node, "next", node.next)
        elif isinstance(node, Menu | Collect):
            self._until(node.first_digit_s)

    def _due(self, node: Node) -> None:
        run = self.run
        if run.is_saying:
            self.actions.append(flow.Trouble(self._frame().program.name, node.id, "what was said did not end"))
            self._hush()
            self._said(node)
            return
        match node:
            case Menu():
                self._again(node, "no_input")
            case Collect():
                if run.digits:
                    self._gathered(node)
                else:
                    self._again(node, "no_input")
            case Pause():
                self._follow(node, "next", node.next)
            case Http():
                self._replied(node, flow.Replied({}, "no answer came in time"))
            case _:
                pass

    # -- going on -----------------------------------------------------------------------------------------------------

    def go(self, node_id: str) -> list[FlowAction]:
        """To a node, and on until something must be waited for."""
        run = self.run
        at: str | None = node_id
        while at is not None:
            run.waits_for, run.deadline, run.n_tries, run.digits = "", 0.0, 0, ""
            frame = self._frame()
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

    def _follow(self, node: Node, branch: str, to: str) -> None:
        self.go(self._left(node, branch, to))

    def _left(self, node: Node, branch: str, to: str) -> str:
        program = self._frame().program
        self.actions.append(flow.Left(program.name, program.version, node.id, branch))
        return to

    def _enter(self, node: Node) -> str | None:
        """The node that comes next, None when something must be waited for, or the flow is over."""
        match node:
            case Play():
                if (self.run.typed and node.is_interruptible) or not self._say(node.say):
                    return self._left(node, "next", node.next)
                self._wait("said", MAX_SAYING_S)
            case Menu():
                self._remember_menu(node)
                return self._ask(node, ())
            case Collect():
                if node.is_secret:
                    self._secure(True)
                return self._ask(node, ())
            case Set():
                return self._set(node)
            case Condition():
                return self._decide(node)
            case Schedule():
                hours = self.world.hours(node.calendar)
                return self._left(node, hours, getattr(node, hours, node.off))
            case Http():
                self._request(node)
            case ToQueue(queue=queue):
                self._over(flow.JoinQueue(queue))
            case Transfer():
                number = fill(node.to, self._frame().variables).removeprefix("external:")
                self._wait("transfer", 0.0)
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
                return self._left(node, "next", node.next)
            case Rank():
                self.actions.append(flow.RankCaller(node.is_vip, node.priority, dict(node.skills)))
                return self._left(node, "next", node.next)
            case Data(data=data):
                variables = self._frame().variables
                self.actions.append(flow.Tell({name: fill(text, variables) for name, text in data.items()}))
                return self._left(node, "next", node.next)
            case Pause(seconds=seconds):
                self._wait("pause", seconds)
            case HangUp():
                self._over(flow.EndCall())
        return None

    # -- questions ----------------------------------------------------------------------------------------------------

    def _ask(self, node: Menu | Collect, before: tuple[Piece, ...]) -> str | None:
        run = self.run
        wait: flow.Wait = "key" if isinstance(node, Menu) else "digits"
        if run.typed:
            typed, run.typed = run.typed, ""
            run.waits_for = wait
            self._until(node.first_digit_s if wait == "key" else MAX_SAYING_S)
            self._use_typed(node, typed)
            return None
        if self._say((*before, *node.say)):
            self._wait(wait, MAX_SAYING_S)
        else:
            self._wait(wait, node.first_digit_s)
        return None

    def _use_typed(self, node: Menu | Collect, typed: str) -> None:
        """Keys that came before the question."""
        for i, digit in enumerate(typed):
            if self._frame().node != node.id or self.run.waits_for not in ("key", "digits"):
                self._give_back(typed[i:])
                return
            if isinstance(node, Menu):
                # What comes after the choice is for whatever it leads to.
                self._give_back(typed[i + 1 :])
                self._choose(node, digit)
                return
            n_tries = self.run.n_tries
            is_last = self._is_last(node, digit)
            if is_last:
                self._give_back(typed[i + 1 :])
            self._gather(node, digit)
            if is_last or self.run.n_tries != n_tries:
                return

    def _is_last(self, node: Collect, digit: str) -> bool:
        return digit in node.terminators or len(self.run.digits) + 1 >= node.max_digits

    def _give_back(self, typed: str) -> None:
        self.run.typed = (typed + self.run.typed)[:MAX_TYPED]

    def _choose(self, node: Menu, digit: str) -> None:
        to = node.choices.get(digit)
        if to is None:
            self._again(node, "no_match")
        else:
            self._follow(node, digit, to)

    def _gather(self, node: Collect, digit: str) -> None:
        run = self.run
        if digit in node.terminators:
            self._gathered(node)
            return
        run.digits += digit
        if len(run.digits) >= node.max_digits:
            self._gathered(node)
        else:
            self._until(node.next_digit_s)

    def _gathered(self, node: Collect) -> None:
        run = self.run
        frame = self._frame()
        if not run.digits:
            self._again(node, "no_input")
            return
        digits, run.digits = run.digits, ""
        before = frame.variables[node.variable]
        frame.variables[node.variable] = digits
        if len(digits) < node.min_digits or not self._accepts(node):
            frame.variables[node.variable] = before
            self._again(node, "no_match")
            return
        if node.is_secret:
            self._secure(False)
        self._follow(node, "next", node.next)

    def _accepts(self, node: Collect) -> bool:
        return not node.accept or self._work_out(node, node.accept) is True

    def _again(self, node: Menu | Collect, why: str) -> None:
        """Nothing, or nothing that fits: asks once more, or goes on without."""
        run = self.run
        run.n_tries += 1
        run.typed = run.digits = ""
        if run.n_tries > node.retries:
            if isinstance(node, Collect) and node.is_secret:
                self._secure(False)
            self._follow(node, why, node.no_input if why == "no_input" else node.no_match)
            return
        self._ask(node, node.no_input_say if why == "no_input" else node.no_match_say)

    # -- values -------------------------------------------------------------------------------------------------------

    def _work_out(self, node: Node, text: str) -> Value | None:
        frame = self._frame()
        try:
            return evaluate(frame.program.expressions[text], frame.variables)
        except ExpressionError as error:
            self.actions.append(flow.Trouble(frame.program.name, node.id, str(error)))
            return None

    def _set(self, node: Set) -> str:
        variables = self._frame().variables
        for name, text in node.values.items():
            value = self._work_out(node, text)
            if value is None:
                return self._left(node, "failed", node.failed)
            variables[name] = value
        return self._left(node, "next", node.next)

    def _decide(self, node: Condition) -> str:
        for i, case in enumerate(node.cases):
            holds = self._work_out(node, case.when)
            if holds is None:
                return self._left(node, "failed", node.failed)
            if holds:
                return self._left(node, f"case{i + 1}", case.next)
        return self._left(node, "otherwise", node.otherwise)

    def _request(self, node: Http) -> None:
        variables = self._frame().variables
        self._wait("reply", node.timeout_s * (node.retries + 1) + _GRACE_S)
        self.actions.append(
            flow.Ask(
                method=node.method,
                url=fill(node.url, variables, lambda text: quote(text, safe="")),
                headers={name: _one_line(fill(text, variables)) for name, text in node.headers.items()},
                body={name: fill(text, variables) for name, text in node.body.items()} if node.body else None,
                picks=dict(node.picks),
                timeout_s=node.timeout_s,
                retries=node.retries,
                hold=node.hold,
            )
        )

    def _replied(self, node: Http, reply: flow.Replied) -> None:
        frame = self._frame()
        problem = reply.error
        self.actions.append(flow.StopSaying())
        found: dict[str, Value] = {}
        for name, path in node.picks.items():
            if problem:
                break
            if name not in reply.found:
                problem = "" if path.endswith("?") else f"the answer has no {path}"
                continue
            try:
                found[name] = convert(reply.found[name], frame.program.kinds[name])
            except ExpressionError as error:
                problem = f"{path}: {error}"
        if problem:
            self.actions.append(flow.Trouble(frame.program.name, node.id, problem))
            self._follow(node, "failed", node.failed)
            return
        frame.variables.update(found)
        self._follow(node, "next", node.next)

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
            return self._left(node, "next", self._frame().program.flow.start)
        depth, menu = marks[0]
        self._left(node, "next", menu)
        del run.frames[depth:]
        return menu

    def _call(self, node: SubFlow) -> str:
        program = self.world.flow(node.flow)
        frame = self._frame()
        if program is None or len(self.run.frames) >= MAX_DEPTH:
            why = (
                f'there is no flow "{node.flow}"' if program is None else f"more than {MAX_DEPTH} flows within another"
            )
            self.actions.append(flow.Trouble(frame.program.name, node.id, why))
            return self._left(node, "failed", node.failed)
        self._left(node, "flow", program.flow.start)
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
            return self._left(node, "next", "")
        inner = run.frames.pop()
        outer = run.frames[-1]
        run.menus = [mark for mark in run.menus if mark[0] <= len(run.frames)]
        for name, value in inner.variables.items():
            same_kind = outer.program.kinds.get(name) == inner.program.kinds[name]
            if same_kind and _is_as_secret(name, inner.program, outer.program):
                outer.variables[name] = value
        called = outer.program.nodes[outer.node]
        assert isinstance(called, SubFlow)
        return self._left(called, "next", called.next)

    # -- ends and limits ----------------------------------------------------------------------------------------------

    def leave(self, why: str) -> list[FlowAction]:
        if self.run.is_leaving:
            return self._end()
        self._mark_leaving(why)
        return self.go(self._way_out())

    def _mark_leaving(self, why: str) -> None:
        run = self.run
        frame = self._frame()
        self.actions.append(flow.Trouble(frame.program.name, frame.node, f"the flow {why}"))
        run.is_leaving = True
        run.ends_at = self.now + _S_TO_LEAVE
        run.n_steps = frame.program.flow.max_steps

    def _way_out(self) -> str:
        """The exit of the call's first flow."""
        run = self.run
        self._hush()
        self._secure(False)
        del run.frames[1:]
        run.n_steps = run.frames[0].program.flow.max_steps
        run.frames[0].node = ""
        run.menus = []
        run.typed = ""
        return ""

    def _end(self) -> list[FlowAction]:
        self._hush()
        self._secure(False)
        self._over(flow.EndCall())
        return self.actions

    def _over(self, last: FlowAction) -> None:
        run = self.run
        run.waits_for, run.deadline, run.ends_at = "", 0.0, 0.0
        self.actions.append(last)

    # -- small parts --------------------------------------------------------------------------------------------------

    def _frame(self) -> Frame:
        return self.run.frames[-1]

    def _node(self) -> Node:
        frame = self._frame()
        return frame.program.nodes[frame.node]

    def _say(self, pieces: tuple[Piece, ...]) -> bool:
        """Whether there is anything to say."""
        run = self.run
        frame = self._frame()
        sounds, problems = speak(pieces, frame.variables, run.language.partition("-")[0])
        self.actions += [flow.Trouble(frame.program.name, frame.node, problem) for problem in problems]
        if not sounds:
            return False
        run.n_said += 1
        run.is_saying = True
        self.actions.append(flow.Say(run.n_said, sounds))
        return True

    def _hush(self) -> None:
        if self.run.is_saying:
            self.run.is_saying = False
            self.actions.append(flow.StopSaying())

    def _secure(self, is_on: bool) -> None:
        if self.run.is_secure != is_on:
            self.run.is_secure = is_on
            self.actions.append(flow.Secure(is_on))

    def _wait(self, what: flow.Wait, seconds: float) -> None:
        self.run.waits_for = what
        self._until(seconds)

    def _until(self, seconds: float) -> None:
        run = self.run
        run.deadline = min(self.now + seconds, run.ends_at) if run.ends_at else self.now + seconds


def _is_as_secret(name: str, one: Program, other: Program) -> bool:
    """Secret digits go nowhere where they are not secret."""
    return name not in one.secrets or name in other.secrets


def _one_line(text: str) -> str:
    return " ".join(text.split())


def pick(document: object, paths: Mapping[str, str]) -> dict[str, str]:
    """Variable -> text of what its path leads to in a JSON document; what is not there, or no plain value, is left
    out."""
    found = {}
    for name, path in paths.items():
        at = document
        for part in path.removesuffix("?").split("."):
            if isinstance(at, dict):
                at = at.get(part)
            elif isinstance(at, list) and part.isdecimal() and int(part) < len(at):
                at = at[int(part)]
            else:
                at = None
        if isinstance(at, bool):
            found[name] = "true" if at else "false"
        elif isinstance(at, str | int | float):
            found[name] = str(at)
    return found


class FixedWorld(msgspec.Struct):
    """Flows by name, and one answer for all calendars: for simulators."""

    flows: dict[str, Program]
    at_hours: str = "working"

    def flow(self, name: str) -> Program | None:
        return self.flows.get(name)

    def hours(self, calendar: str) -> str:
        del calendar
        return self.at_hours
