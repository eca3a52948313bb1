"""A caller's way through a flow without a call: what he does is given, time passes where nothing else happens. Pure.

Bounded: whatever the flow and the caller do, it ends.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from ivr import interpreter
from ivr import run as flow
from ivr.program import Program
from ivr.requests import pick
from ivr.run import FlowAction, FlowInput, FlowRun
from ivr.speaking import Sound
from ivr.voices import PROMPTS
from ivr.walk import World

TransferEnd = Literal["answered", "busy", "no_answer", "failed"]
MAX_INPUTS = 10_000
MAX_TOLD = 5000
SAYS = "say:"


class Told(msgspec.Struct, frozen=True, gc=False):
    """Something that happened."""

    what: str
    text: str
    flow: str
    at_node: str


class Simulation:
    """`go_on` after `start` and after each `give`; he is asked for something whenever it returns and `end` is empty.

    `replies`: the JSON answer to each request, in order; None and those that are not there: it fails.
    """

    def __init__(
        self,
        program: Program,
        world: World,
        *,
        caller: str,
        replies: Sequence[Any] = (),
        transfer: TransferEnd = "answered",
    ) -> None:
        self.world = world
        self.now = 0.0
        self.run: FlowRun = interpreter.begin(
            program, {"caller": caller, "access_number": ""}, program.flow.language, self.now
        )
        self.told: list[Told] = []
        self.end = ""
        """queue, transferred, ended, hung_up; stopped: it was too long."""
        self._replies = [*replies]
        self._transfer: TransferEnd = transfer
        self._ask: flow.Ask | flow.LookUp | None = None
        self._n_inputs = 0

    def start(self) -> None:
        self._take(interpreter.start(self.run, self.now, self.world))
        self._go_on()

    def give(self, typed: str) -> None:
        """Keys, "say:WORDS" for something said, "-" for nothing until it is too late, or "!": he hangs up."""
        if self.end:
            return
        if typed == "!":
            self._tell("caller", "hangs up")
            self.end = "hung_up"
            return
        if typed.startswith(SAYS):
            self._says(typed.removeprefix(SAYS).strip())
        elif typed in ("-", ""):
            self._tell("caller", "does nothing")
            if self.run.is_saying:
                self._give(flow.Said(self.run.n_said))
            self._give(self._silent())
        else:
            self._tell("caller", "keys " + ("•" * len(typed) if self.run.is_secure else typed))
            for digit in typed:
                self._give(flow.Digit(digit))
        self._go_on()

    def _silent(self) -> FlowInput:
        return flow.Heard(self.run.n_heard, "") if self.run.waits_for == "speech" else self._later()

    def _says(self, words: str) -> None:
        self._tell("caller", f"says {words}")
        if self.run.waits_for == "speech":
            if self.run.is_saying:
                self._give(flow.Said(self.run.n_said))
            self._give(flow.Heard(self.run.n_heard, words))
        else:
            self._tell("caller", "is not listened to")

    def _go_on(self) -> None:
        """To where the caller must do something, or the end."""
        while not self.end:
            match self.run.waits_for:
                case "said":
                    self._give(flow.Said(self.run.n_said))
                case "reply":
                    self._give(self._reply())
                case "message":
                    self._give(flow.MessageTaken("left"))
                case "pause":
                    self._give(self._later())
                case "transfer":
                    self._called()
                case _:
                    return

    def _called(self) -> None:
        if self._transfer == "answered":
            self._tell("talks", "with who was called")
            self.end = "transferred"
        else:
            self._tell("transfer", self._transfer)
            self._give(flow.NotTransferred(self._transfer))

    def _give(self, given: FlowInput) -> None:
        if self.end:
            return
        self._n_inputs += 1
        self._take(interpreter.step(self.run, given, self.now, self.world))
        if not self.end and (self._n_inputs >= MAX_INPUTS or len(self.told) >= MAX_TOLD):
            self.end = "stopped"
            self._tell("stopped", f"after {self._n_inputs} inputs")

    def _later(self) -> FlowInput:
        self.now = max(self.now, self.run.deadline)
        return flow.Due()

    def _reply(self) -> FlowInput:
        document = self._replies.pop(0) if self._replies else None
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
        at = ("", "")
        for action in actions:
            if isinstance(action, flow.Visited):
                at = action.flow, action.node
            self._note(action, at)

    def _note(self, action: FlowAction, at: tuple[str, str]) -> None:
        match action:
            case flow.Visited():
                self._tell("node", f"{action.flow}/{action.node} ({action.kind})", at)
            case flow.Left(branch=branch) if branch not in ("next", "key"):
                self._tell("branch", branch, (action.flow, action.node))
            case flow.Say(sounds=sounds):
                self._tell("hears", _spoken(sounds), at)
            case flow.Ask(method=method, url=url):
                self._ask = action
                self._tell("asks", f"{method} {url}", at)
            case flow.LookUp(source=source):
                self._ask = action
                self._tell("asks", f"database {source}", at)
            case flow.AskBack(queue=queue, number=number):
                self._ask = None
                self._tell("asks", f"queue {queue} to call {number or 'him'} back", at)
            case flow.Survey(question=question, answer=answer):
                self._tell("survey", f"{question or 'service'}: {answer}", at)
            case flow.CheckMember(member=member):
                self._ask = None
                self._tell("asks", f"for the password of member {member}", at)
            case flow.Secure(is_on=is_on):
                self._tell("secure", "begins" if is_on else "ends", at)
            case flow.Tell(data=data):
                self._tell("data", ", ".join(f"{name} = {value}" for name, value in data.items()), at)
            case flow.SpeakLanguage(language=language):
                self._tell("language", language, at)
            case flow.RankCaller():
                skills = "".join(f", {skill} {level}" for skill, level in action.skills.items())
                self._tell("rank", f"{'VIP' if action.is_vip else 'normal'}, priority {action.priority}{skills}", at)
            case flow.TransferTo(number=number):
                self._tell("transfer", f"to {number}", at)
            case flow.JoinQueue(queue=queue):
                self._tell("queue", queue, at)
                self.end = "queue"
            case flow.TakeMessage(box=box):
                self._tell("message", f"into box {box}", at)
            case flow.EndCall():
                self._tell("end", "the call is over", at)
                self.end = "ended"
            case flow.Trouble(problem=problem):
                self._tell("trouble", problem, (action.flow, action.node))
            case _:
                pass

    def _tell(self, what: str, text: str, at: tuple[str, str] = ("", "")) -> None:
        """The way itself is told to the end of what is kept; the last words always are."""
        if len(self.told) < MAX_TOLD or self.end:
            frame = self.run.frames[-1]
            in_flow, node = at if at[1] else (frame.program.name, frame.node)
            self.told.append(Told(what, text, in_flow, node))


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
