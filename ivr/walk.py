"""One input's worth of steps of a caller through flows: what all nodes need of it. Pure."""

from typing import Protocol

from ivr import run as flow
from ivr.expression import ExpressionError, Value, evaluate
from ivr.program import Program
from ivr.run import FlowAction, FlowRun, Frame
from ivr.speaking import speak
from model.flows import Node, Piece
from model.prompts import Prompt

MAX_SAYING_S = 180.0
"""What is said and does not end is not waited for any longer."""
MAX_TYPED = 64


class World(Protocol):
    """What flows may ask of the switch; without delay."""

    def flow(self, name: str) -> Program | None:
        """As published now."""
        ...

    def hours(self, calendar: str) -> str:
        """working, off, holiday or emergency."""
        ...

    def may_rate(self) -> bool:
        """Whether this caller has not said yet how he was served."""
        ...

    def prompt(self, name: str) -> Prompt | None:
        """Of the library, as it is now."""
        ...


class Walk:
    """It goes on from node to node in `ivr.interpreter`."""

    def __init__(self, run: FlowRun, now: float, world: World) -> None:
        self.run = run
        self.now = now
        self.world = world
        self.actions: list[FlowAction] = []

    def go(self, node_id: str) -> list[FlowAction]:
        """To a node, and on until something must be waited for."""
        raise NotImplementedError

    def follow(self, node: Node, branch: str, to: str) -> None:
        self.go(self.left(node, branch, to))

    def left(self, node: Node, branch: str, to: str) -> str:
        program = self.frame().program
        self.actions.append(flow.Left(program.name, program.version, node.id, branch))
        return to

    def work_out(self, node: Node, text: str) -> Value | None:
        frame = self.frame()
        try:
            return evaluate(frame.program.expressions[text], frame.variables)
        except ExpressionError as error:
            self.actions.append(flow.Trouble(frame.program.name, node.id, str(error)))
            return None

    def say(self, pieces: tuple[Piece, ...]) -> bool:
        """Whether there is anything to say."""
        run = self.run
        frame = self.frame()
        default = frame.program.flow.language
        sounds, problems = speak(pieces, frame.variables, run.language, default, self.world.prompt)
        self.actions += [flow.Trouble(frame.program.name, frame.node, problem) for problem in problems]
        if not sounds:
            return False
        run.n_said += 1
        run.is_saying = True
        self.actions.append(flow.Say(run.n_said, sounds))
        return True

    def hush(self) -> None:
        if self.run.is_saying:
            self.run.is_saying = False
            self.actions.append(flow.StopSaying())

    def stop_hearing(self) -> None:
        if self.run.is_hearing:
            self.run.is_hearing = False
            self.actions.append(flow.StopHearing())

    def secure(self, is_on: bool) -> None:
        if self.run.is_secure != is_on:
            self.run.is_secure = is_on
            self.actions.append(flow.Secure(is_on))

    def wait(self, what: flow.Wait, seconds: float) -> None:
        self.run.waits_for = what
        self.until(seconds)

    def until(self, seconds: float) -> None:
        run = self.run
        run.deadline = min(self.now + seconds, run.ends_at) if run.ends_at else self.now + seconds

    def keep(self, digit: str) -> None:
        self.run.typed = (self.run.typed + digit)[:MAX_TYPED]

    def give_back(self, typed: str) -> None:
        self.run.typed = (typed + self.run.typed)[:MAX_TYPED]

    def frame(self) -> Frame:
        return self.run.frames[-1]

    def node(self) -> Node:
        frame = self.frame()
        return frame.program.nodes[frame.node]

    def over(self, last: FlowAction) -> None:
        run = self.run
        run.waits_for, run.deadline, run.ends_at = "", 0.0, 0.0
        self.actions.append(last)
