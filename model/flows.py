"""Flows of the voice menu as documents (FEATURES 1.2, XIVR-01/02): nodes, what each says, and where each leads.

A branch that names no node leads to the flow's `exit`; without an exit the call ends there. So every branch exists.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, field

from model.settings import Name, Section

NodeId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Branch = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{0,64}$", description="Node; empty: the flow's exit.")]
VariableName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Key = Annotated[str, Meta(pattern=r"^[0-9*#]$")]
Language = Annotated[str, Meta(pattern=r"^[a-z]{2}(-[A-Z]{2})?$")]
Expression = Annotated[str, Meta(min_length=1, max_length=500)]
Template = Annotated[str, Meta(max_length=2000, description="{name} stands for the variable's value.")]
Wait = Annotated[float, Meta(ge=0.5, le=120)]
Kind = Literal["text", "number", "truth"]
Reading = Literal["text", "digits", "number", "money", "telephone", "date", "time", "duration"]


class PlaySound(Section, frozen=True, tag_field="kind", tag="sound"):
    """A recorded sound (IVR-07)."""

    source: Annotated[
        str, Meta(max_length=255, description='"prompt:NAME", "file:PATH", "voice:LANGUAGE/NAME", "silence:MS".')
    ]


class PlayDigits(Section, frozen=True, tag_field="kind", tag="digits"):
    """One digit after the other (IVR-08)."""

    value: Annotated[str, Meta(pattern=r"^[0-9]{1,64}$")]


class PlayNumber(Section, frozen=True, tag_field="kind", tag="number"):
    """As a quantity (IVR-09)."""

    value: Annotated[str, Meta(pattern=r"^-?[0-9]{1,12}(\.[0-9]{1,10})?$")]


class PlayVariable(Section, frozen=True, tag_field="kind", tag="variable"):
    """What a variable holds: spoken as text (IVR-10), as digits (IVR-11), as a quantity (IVR-12), or as money, date …

    A date is YYYY-MM-DD, a time HH:MM, a duration a number of seconds.
    """

    name: VariableName
    read: Reading = "text"


class PlayText(Section, frozen=True, tag_field="kind", tag="text"):
    """Typed text, spoken (IVR-13)."""

    text: Template


RATINGS = {"1": "satisfied", "2": "neutral", "3": "dissatisfied"}
"""What the service can be rated as, and by which keys unless a flow says otherwise (SAT-02)."""

Piece = PlaySound | PlayDigits | PlayNumber | PlayVariable | PlayText
Pieces = Annotated[tuple[Piece, ...], Meta(max_length=50)]


class _Node(Section, frozen=True, kw_only=True, tag_field="type"):
    id: NodeId
    title: Annotated[str, Meta(max_length=255)] = ""
    x: float = 0.0
    """Where an editor draws it."""
    y: float = 0.0


class Play(_Node, frozen=True, kw_only=True, tag="play"):
    """Says something."""

    say: Pieces
    is_interruptible: Annotated[bool, Meta(description="A key ends it, and counts for what comes next.")] = True
    next: Branch = ""


class _Input(_Node, frozen=True, kw_only=True):
    say: Pieces = ()
    retries: Annotated[int, Meta(ge=0, le=9, description="How often it asks again.")] = 2
    first_digit_s: Wait = 5.0
    no_input_say: Annotated[Pieces, Meta(description="Said before it asks again.")] = ()
    no_match_say: Pieces = ()
    no_input: Branch = ""
    no_match: Branch = ""


class Menu(_Input, frozen=True, kw_only=True, tag="menu"):
    """One key chooses."""

    choices: Annotated[dict[Key, NodeId], Meta(min_length=1)] = field(default_factory=dict)


class Collect(_Input, frozen=True, kw_only=True, tag="collect"):
    """Digits into a variable (IVR-15). Secret ones are nowhere recorded, passed on, logged or shown (XIVR-08)."""

    variable: VariableName
    min_digits: Annotated[int, Meta(ge=1, le=64)] = 1
    max_digits: Annotated[int, Meta(ge=1, le=64)] = 32
    terminators: Annotated[str, Meta(pattern=r"^[0-9*#]{0,12}$")] = "#"
    next_digit_s: Wait = 3.0
    is_secret: bool = False
    accept: Annotated[
        str, Meta(max_length=500, description="Expression that must hold; else it is as a wrong key.")
    ] = ""
    next: Branch = ""


class Satisfaction(_Input, frozen=True, kw_only=True, tag="satisfaction"):
    """How he was served, or another question of a survey, answered by one key (SAT-01, XIVR-07)."""

    retries: Annotated[int, Meta(ge=0, le=9, description="How often it asks again.")] = 1
    question: Annotated[
        str,
        Meta(
            pattern=r"^([a-z][a-z0-9_]{0,23})?$",
            description="Of a survey; empty: how he was served, which is asked once and is told as `call.rated`.",
        ),
    ] = ""
    answers: Annotated[dict[Key, Name], Meta(min_length=1, description="Key -> answer.")] = field(
        default_factory=lambda: dict(RATINGS)
    )
    choices: Annotated[
        dict[Key, NodeId], Meta(description="Key -> node, for answers that lead elsewhere than the others.")
    ] = field(default_factory=dict)
    next: Branch = ""


class Listen(_Input, frozen=True, kw_only=True, tag="listen"):
    """Something said, into a variable (XIVR-05); needs `[recognition]`. A key counts as if its digit were said."""

    variable: VariableName
    hints: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...],
        Meta(max_length=100, description="Words that are likely."),
    ] = ()
    silence_s: Annotated[float, Meta(ge=0.3, le=10, description="So much silence ends it.")] = 1.2
    max_s: Annotated[float, Meta(ge=1, le=120)] = 20.0
    accept: Annotated[
        str, Meta(max_length=500, description="Expression that must hold; else it is as a wrong key.")
    ] = ""
    next: Branch = ""
    failed: Annotated[Branch, Meta(description="It cannot be understood: recognition is off, or does not answer.")] = ""


class Set(_Node, frozen=True, kw_only=True, tag="set"):
    """Values of variables, in order."""

    values: Annotated[dict[VariableName, Expression], Meta(min_length=1, max_length=20)]
    next: Branch = ""
    failed: Branch = ""


class Script(_Node, frozen=True, kw_only=True, tag="script"):
    """Several values at once, with conditions: `ivr.script` says how."""

    lines: Annotated[
        tuple[Annotated[str, Meta(max_length=500)], ...],
        Meta(min_length=1, max_length=200, description="NAME = EXPRESSION; if, else if, else, end; fail; # remark."),
    ]
    next: Branch = ""
    failed: Branch = ""


class Case(Section, frozen=True):
    when: Expression
    next: Branch = ""


class Condition(_Node, frozen=True, kw_only=True, tag="condition"):
    """The first case that holds."""

    cases: Annotated[tuple[Case, ...], Meta(min_length=1, max_length=50)]
    otherwise: Branch = ""
    failed: Branch = ""


class Schedule(_Node, frozen=True, kw_only=True, tag="schedule"):
    """By the calendar of the office (ACC-04)."""

    calendar: Name
    working: Branch = ""
    off: Branch = ""
    holiday: Branch = ""
    emergency: Branch = ""


class Http(_Node, frozen=True, kw_only=True, tag="http"):
    """Asks another system (IVR-14, XIVR-03); meanwhile the caller hears `hold`."""

    url: Annotated[Template, Meta(pattern=r"^https?://[^{}\s/]+(/.*)?$")]
    method: Literal["GET", "POST", "PUT"] = "GET"
    headers: Annotated[dict[str, Template], Meta(max_length=20)] = field(default_factory=dict)
    body: Annotated[dict[str, Template], Meta(max_length=50, description="Sent as a JSON object.")] = field(
        default_factory=dict
    )
    picks: Annotated[
        dict[VariableName, Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,255}\??$")]],
        Meta(max_length=50, description='Variable -> path in the JSON answer, "order.items.0.name"; "?": need not be.'),
    ] = field(default_factory=dict)
    timeout_s: Annotated[float, Meta(ge=0.1, le=30)] = 5.0
    retries: Annotated[int, Meta(ge=0, le=3)] = 0
    hold: Annotated[str, Meta(max_length=255)] = "moh:default"
    next: Branch = ""
    failed: Branch = ""


class Lookup(_Node, frozen=True, kw_only=True, tag="lookup"):
    """Looks something up in a database (IVR-16); meanwhile the caller hears `hold`. The first row counts."""

    source: Annotated[Name, Meta(description="Of `[[ivr.source]]`.")]
    query: Annotated[
        str, Meta(min_length=1, max_length=4000, description="One SELECT; :name stands for the variable's value.")
    ]
    picks: Annotated[
        dict[VariableName, Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,64}\??$")]],
        Meta(max_length=50, description='Variable -> column; "?": it may be NULL.'),
    ] = field(default_factory=dict)
    timeout_s: Annotated[float, Meta(ge=0.1, le=30)] = 3.0
    hold: Annotated[str, Meta(max_length=255)] = "moh:default"
    next: Branch = ""
    none: Annotated[Branch, Meta(description="There is no row.")] = ""
    failed: Branch = ""


class MemberCheck(_Node, frozen=True, kw_only=True, tag="member_check"):
    """Whether a member's password is right (IVR-22, MPV-01). Then his number is call data `member`."""

    member: Annotated[VariableName, Meta(description="Holds the member's number.")]
    password: Annotated[VariableName, Meta(description="Holds secret digits, which are then forgotten.")]
    ok: Branch = ""
    wrong: Branch = ""
    locked: Branch = ""
    failed: Branch = ""


class ToQueue(_Node, frozen=True, kw_only=True, tag="queue"):
    """To agents; where he goes then is the queue's business."""

    queue: Name


class LeaveMessage(_Node, frozen=True, kw_only=True, tag="voicemail"):
    """He leaves a message in a box; then the flow goes on (VM-02, REC-17). A play node before it may say what about."""

    box: Name
    has_greeting: Annotated[bool, Meta(description="The box's own greeting; else the tone alone.")] = True
    next: Branch = ""
    nothing: Annotated[Branch, Meta(description="He has said nothing.")] = ""
    full: Branch = ""


class CallMeBack(_Node, frozen=True, kw_only=True, tag="callback"):
    """A queue shall call him back, as if he waited there (XACD-03)."""

    queue: Name
    number: Annotated[str, Meta(pattern=r"^([a-z][a-z0-9_]{0,31})?$", description="Variable; empty: his own.")] = ""
    priority: Annotated[int, Meta(ge=0, le=100)] = 0
    next: Branch = ""
    failed: Branch = ""


class Transfer(_Node, frozen=True, kw_only=True, tag="transfer"):
    """To an extension, an agent or outside; when nobody answers the flow goes on."""

    to: Annotated[str, Meta(pattern=r"^([0-9*#+]{1,32}|external:[0-9*#+]{1,32}|\{[a-z][a-z0-9_]{0,31}\})$")]
    ring_timeout_s: Annotated[float, Meta(ge=1, le=300)] = 30.0
    busy: Branch = ""
    no_answer: Branch = ""
    failed: Branch = ""


class Back(_Node, frozen=True, kw_only=True, tag="back"):
    """To the menu before the last one (返回上级)."""


class Top(_Node, frozen=True, kw_only=True, tag="top"):
    """To the first menu (返回顶级)."""


class SubFlow(_Node, frozen=True, kw_only=True, tag="sub_flow"):
    """Another flow, and back."""

    flow: Name
    next: Branch = ""
    failed: Branch = ""


class Return(_Node, frozen=True, kw_only=True, tag="return"):
    """The end of a sub-flow; of a call's first flow: its exit."""


class SetLanguage(_Node, frozen=True, kw_only=True, tag="language"):
    language: Language
    next: Branch = ""


class Rank(_Node, frozen=True, kw_only=True, tag="rank"):
    """How he waits in queues afterwards."""

    is_vip: bool = False
    priority: Annotated[int, Meta(ge=0, le=100)] = 0
    skills: Annotated[dict[Name, Annotated[int, Meta(ge=1, le=9)]], Meta(max_length=20)] = field(default_factory=dict)
    next: Branch = ""


class Data(_Node, frozen=True, kw_only=True, tag="data"):
    """Call data, for screens."""

    data: Annotated[dict[VariableName, Template], Meta(min_length=1, max_length=20)]
    next: Branch = ""


class Pause(_Node, frozen=True, kw_only=True, tag="wait"):
    seconds: Annotated[float, Meta(ge=0.1, le=60)]
    next: Branch = ""


class HangUp(_Node, frozen=True, kw_only=True, tag="hang_up"):
    """The end."""


Node = (
    Play
    | Menu
    | Collect
    | Satisfaction
    | Listen
    | Set
    | Script
    | Condition
    | Schedule
    | Http
    | Lookup
    | MemberCheck
    | ToQueue
    | LeaveMessage
    | CallMeBack
    | Transfer
    | Back
    | Top
    | SubFlow
    | Return
    | SetLanguage
    | Rank
    | Data
    | Pause
    | HangUp
)


class Variable(Section, frozen=True):
    name: VariableName
    kind: Kind = "text"
    initial: Annotated[str, Meta(max_length=500)] = ""


class Flow(Section, frozen=True):
    """A flow, checked node by node; what spans nodes is for `ivr.checks`."""

    name: Name
    start: NodeId
    nodes: Annotated[tuple[Node, ...], Meta(min_length=1, max_length=1000)]
    title: Annotated[str, Meta(max_length=255)] = ""
    language: Language = "zh"
    exit: Annotated[Branch, Meta(description="Where callers go when nothing else is said; empty: the call ends.")] = ""
    max_steps: Annotated[int, Meta(ge=10, le=10_000, description="Then the caller goes to the exit.")] = 300
    max_s: Annotated[float, Meta(ge=10, le=3600, description="Then the caller goes to the exit.")] = 900.0
    variables: Annotated[tuple[Variable, ...], Meta(max_length=200)] = ()


class FlowFault(msgspec.Struct, frozen=True, gc=False):
    """A mistake in a flow."""

    node: str
    """"" = the flow itself."""
    field: str
    problem: str

    def __str__(self) -> str:
        where = ".".join(part for part in (self.node, self.field) if part)
        return f"{where}: {self.problem}" if where else self.problem


BUILT_IN: dict[str, Kind] = {"caller": "text", "access_number": "text", "language": "text"}
"""Variables that every flow has; it cannot set them."""
