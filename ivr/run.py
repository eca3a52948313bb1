"""What a caller's way through flows is, what comes to it and what it asks for: plain data. Pure."""

from typing import Literal

import msgspec

from ivr.expression import Value
from ivr.program import Program
from ivr.speaking import Sound

Outcome = Literal["busy", "no_answer", "failed"]
MessageOutcome = Literal["left", "nothing", "full"]
Wait = Literal["", "said", "key", "digits", "reply", "pause", "transfer", "message", "speech"]
"""What comes next: the end of what is said, a key, …; "" = nothing, the flow is over."""


class Frame(msgspec.Struct, gc=False):
    """A flow that he is in, or that waits for a sub-flow to return."""

    program: Program
    node: str = ""
    variables: dict[str, Value] = {}

    def __repr__(self) -> str:
        return f"Frame({self.program.name}, {self.node})"


class FlowRun(msgspec.Struct, gc=False, kw_only=True):
    """One caller. Its repr, which may be logged, tells nothing that he typed."""

    frames: list[Frame]
    language: str
    waits_for: Wait = ""
    deadline: float = 0.0
    """Instant at which it wants `Due`; 0 = none."""
    ends_at: float = 0.0
    n_steps: int = 0
    n_said: int = 0
    n_heard: int = 0
    is_hearing: bool = False
    """He is listened to."""
    is_saying: bool = False
    is_secure: bool = False
    is_rated: bool = False
    """He was asked in this flow how he was served."""
    is_leaving: bool = False
    """A limit was passed: he is on his way out."""
    typed: str = ""
    """Keys that nothing has asked for yet."""
    digits: str = ""
    """Of the question that is asked."""
    n_tries: int = 0
    menus: list[tuple[int, str]] = []
    """Menus he has come through: how deep, and which."""
    path: list[str] = []
    """Nodes as "flow/node", the last ones (IVR-19)."""

    def __repr__(self) -> str:
        return f"FlowRun({self.frames}, {self.waits_for})"


class Digit(msgspec.Struct, frozen=True, gc=False):
    digit: str

    def __repr__(self) -> str:
        return "Digit()"


class Said(msgspec.Struct, frozen=True, gc=False):
    """All of what `Say` asked for with this number has been heard."""

    number: int


class Due(msgspec.Struct, frozen=True, gc=False):
    """The deadline has come."""


class Replied(msgspec.Struct, frozen=True, gc=False):
    """Of an `Ask` or its like. `found`: variable -> text; `error` "" = it went well."""

    found: dict[str, str]
    error: str = ""
    outcome: str = ""
    """Branch that it leads to, when that is another one than the usual."""

    def __repr__(self) -> str:
        return f"Replied({len(self.found)}, {self.error!r})"


class NotTransferred(msgspec.Struct, frozen=True, gc=False):
    outcome: Outcome


class Heard(msgspec.Struct, frozen=True, gc=False):
    """What he said, of the `Hear` with this number; "" = nothing. Its repr does not tell it."""

    number: int
    text: str
    error: str = ""

    def __repr__(self) -> str:
        return f"Heard({self.number}, {self.error!r})"


class MessageTaken(msgspec.Struct, frozen=True, gc=False):
    """He is back from leaving a message."""

    outcome: MessageOutcome


FlowInput = Digit | Said | Due | Replied | NotTransferred | MessageTaken | Heard


class Say(msgspec.Struct, frozen=True, gc=False):
    number: int
    sounds: list[Sound]


class StopSaying(msgspec.Struct, frozen=True, gc=False):
    pass


class Secure(msgspec.Struct, frozen=True, gc=False):
    """From now on (not) nobody may hear or record his keys."""

    is_on: bool


class Ask(msgspec.Struct, frozen=True, gc=False):
    """An HTTP request; `picks`: variable -> path in the answer."""

    method: str
    url: str
    headers: dict[str, str]
    body: dict[str, str] | None
    picks: dict[str, str]
    timeout_s: float
    retries: int
    hold: str

    def __repr__(self) -> str:
        return f"Ask({self.method})"


class LookUp(msgspec.Struct, frozen=True, gc=False):
    """A row of a database; `picks`: variable -> column. The outcome is none when there is no row."""

    source: str
    query: str
    values: dict[str, Value]
    picks: dict[str, str]
    timeout_s: float
    hold: str

    def __repr__(self) -> str:
        return f"LookUp({self.source})"


class AskBack(msgspec.Struct, frozen=True, gc=False):
    """A queue shall call him back; `number` "" = his own."""

    queue: str
    number: str
    priority: int

    def __repr__(self) -> str:
        return f"AskBack({self.queue})"


class CheckMember(msgspec.Struct, frozen=True, gc=False):
    """Whether this is the member's password; the outcome is ok, wrong or locked."""

    member: str
    password: str

    def __repr__(self) -> str:
        return "CheckMember()"


class Survey(msgspec.Struct, frozen=True, gc=False):
    """A question is asked, or answered. `question` "": how he was served."""

    question: str
    answer: str
    """asked, asked_again (after a wrong key), none, wrong_key, or what was answered."""
    key: str = ""


class JoinQueue(msgspec.Struct, frozen=True, gc=False):
    queue: str


class TransferTo(msgspec.Struct, frozen=True, gc=False):
    number: str
    ring_timeout_s: float
    is_variable: bool = False
    """The number is what a variable holds."""


class Hear(msgspec.Struct, frozen=True, gc=False):
    """Listen to him; `Heard` follows."""

    number: int
    language: str
    hints: tuple[str, ...]
    first_s: float
    """He has so long to begin."""
    silence_s: float
    max_s: float


class StopHearing(msgspec.Struct, frozen=True, gc=False):
    """Nobody wants to know any more."""


class TakeMessage(msgspec.Struct, frozen=True, gc=False):
    """Into a box; `MessageTaken` follows."""

    box: str
    has_greeting: bool


class EndCall(msgspec.Struct, frozen=True, gc=False):
    pass


class Tell(msgspec.Struct, frozen=True, gc=False):
    """Call data for screens."""

    data: dict[str, str]


class SpeakLanguage(msgspec.Struct, frozen=True, gc=False):
    language: str


class RankCaller(msgspec.Struct, frozen=True, gc=False):
    is_vip: bool
    priority: int
    skills: dict[str, int]


class Visited(msgspec.Struct, frozen=True, gc=False):
    """He has come to a node (XIVR-10)."""

    flow: str
    version: int
    node: str
    kind: str


class Left(msgspec.Struct, frozen=True, gc=False):
    """By which branch he went on."""

    flow: str
    version: int
    node: str
    branch: str


class Trouble(msgspec.Struct, frozen=True, gc=False):
    """Something did not work; the caller was helped on."""

    flow: str
    node: str
    problem: str


FlowAction = (
    Say
    | StopSaying
    | Secure
    | Ask
    | LookUp
    | AskBack
    | CheckMember
    | Survey
    | JoinQueue
    | TransferTo
    | TakeMessage
    | Hear
    | StopHearing
    | EndCall
    | Tell
    | SpeakLanguage
    | RankCaller
    | Visited
    | Left
    | Trouble
)
