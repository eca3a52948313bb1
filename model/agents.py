"""Agents as they are configured, and the words for what they do (FEATURES 4.2).

A person is an *agent*; where he sits is an *extension*; he signs in at one (or at none, only to look).
"""

from collections.abc import Iterator
from typing import Annotated, Literal

from msgspec import Meta, field

from model.settings import Name, Number, Seconds, Section, Text

AgentId = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,32}$", description="His number (工号): what he signs in with.")
]
Level = Annotated[int, Meta(ge=0, le=9, description="0 lowest, 9 highest (ACD-02).")]


def _code(text: str) -> Meta:
    return Meta(pattern=r"^([*#][0-9*#]{1,7})?$", description=text)


Reason = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")]

DisplayState = Literal[
    "offline",
    "available",
    "reserved",
    "ringing",
    "dialing",
    "on_call",
    "hold",
    "consult",
    "conference",
    "acw",
    "not_ready",
    "outbound_only",
    "auto_dial",
]
"""The product of presence and activity, as reports and wallboards show it."""

LoginMode = Literal["extension", "softphone", "unbound"]
"""extension: a phone of his own rings; softphone: his browser does; unbound: only to look (AGT-04…06)."""

BUILT_IN_GROUP = "default"
"""Of agents who are given no other; always there."""
SYSTEM_REASONS = frozenset(("rona", "device_unreachable", "forced_by_supervisor", "link_lost", "shift_end", "login"))
"""Reasons of not_ready that the switch gives; nobody can choose them."""


class NotReadyReason(Section, frozen=True):
    """Why an agent takes no calls: chosen by himself (AGT-11…14, XAGT-01)."""

    code: Annotated[Reason, Meta(description="Its name in the API: lunch, training, …")]
    title: Annotated[Text, Meta(description="How people call it.")] = ""
    bucket: Annotated[
        Literal["busy", "break", "away"],
        Meta(description="In reports: busy 置忙, break 小休, away 离开."),
    ] = "busy"
    max_s: Annotated[Seconds, Meta(description="Longer than this raises an alarm; 0: never.")] = 0.0
    max_per_day: Annotated[int, Meta(ge=0, le=1000, description="How often a day; 0: as often as he likes.")] = 0
    max_at_once: Annotated[
        int, Meta(ge=0, le=10_000, description="How many of one agent group at the same time; 0: all.")
    ] = 0


class Membership(Section, frozen=True):
    """One of the queues an agent serves."""

    queue: Name
    level: Annotated[int, Meta(ge=-1, le=9, description="Level in this queue; -1: his own.")] = -1


class AgentGroup(Section, frozen=True):
    """Agents who belong together (AGT-09, SYS-04); supervisors are given groups."""

    name: Name
    title: Text = ""


class Agent(Section, frozen=True):
    """A person who serves calls."""

    agent_id: AgentId
    name: Annotated[Text, Meta(description="How people call him.")] = ""
    group: Annotated[Name, Meta(description="The one agent group he belongs to.")] = BUILT_IN_GROUP
    role: Annotated[Name, Meta(description="The one role that says what he may do.")] = "agent"
    extension: Annotated[str, Meta(description="Where he sits as a rule; empty: wherever he signs in.")] = ""
    modes: Annotated[
        tuple[LoginMode, ...], Meta(max_length=3, description="Ways in which he may sign in; the first is the usual.")
    ] = ("extension", "softphone", "unbound")
    pin_hash: Annotated[
        Text, Meta(description="Hash of the PIN he keys to sign in by phone (`ringback pin`); empty: not by phone.")
    ] = ""
    home_area: Annotated[Text, Meta(description="Area whose callers he is preferred for (ACD-04).")] = ""
    level: Level = 0
    queues: Annotated[tuple[Membership, ...], Meta(max_length=500)] = ()
    skills: Annotated[
        dict[Name, Annotated[int, Meta(ge=1, le=9)]], Meta(max_length=100, description="Skill -> level, 1 to 9.")
    ] = field(default_factory=dict)
    mobile: Annotated[str, Meta(max_length=32)] = ""
    auto_answer: Annotated[bool, Meta(description="Calls are connected without his pressing a key (TEL-03).")] = False
    post_call: Annotated[
        Literal["", "available", "acw"],
        Meta(description="After a call: available at once, or after-call work; empty: as the queue says (AGT-15)."),
    ] = ""
    outbound_number: Annotated[str, Meta(max_length=32, description="Shown by trunks (TEL-33).")] = ""
    is_enabled: Annotated[bool, Meta(description="False: he cannot sign in.")] = True


class AgentRules(Section, frozen=True):
    """`[agents]`: what holds for all of them."""

    min_busy_s: Annotated[
        Seconds, Meta(description="Not ready lasts at least this long; who goes back earlier is refused (AGT-17).")
    ] = 0.0
    rona_limit: Annotated[
        int,
        Meta(ge=0, le=100, description="Offers not answered in a row after which he is made not ready; 0: never."),
    ] = 1
    link_grace_s: Annotated[
        Seconds, Meta(description="A broken connection of the client shorter than this changes nothing (AGT-18).")
    ] = 60.0
    device_grace_s: Annotated[
        Seconds, Meta(description="An unregistered phone is missed for this long before he is made not ready.")
    ] = 5.0
    restore_s: Annotated[
        Seconds,
        Meta(description="Who signed in at most so long ago is signed in again after a restart; 0: nobody."),
    ] = 57_600.0
    sign_in_code: Annotated[
        str, _code("Dialled to sign in at a phone, with agent id and PIN (AGT-07); empty: there is none.")
    ] = "*50"
    sign_out_code: Annotated[str, _code("Dialled to sign out.")] = "*51"
    ready_code: Annotated[str, _code("Dialled to be ready.")] = "*52"
    not_ready_code: Annotated[
        str, _code("Dialled to be not ready, with the place of the reason in agents.reason after it; alone: the first.")
    ] = "*53"
    is_ready_after_phone_sign_in: Annotated[
        bool, Meta(description="Who signs in by a code is ready at once; false: he dials ready_code when he is.")
    ] = True
    lock_extension_to_address: Annotated[
        bool, Meta(description="An agent may sign in only from the address his extension is registered from (AGT-22).")
    ] = False
    reason: Annotated[tuple[NotReadyReason, ...], Meta(max_length=50)] = (
        NotReadyReason(code="busy", title="置忙", bucket="busy"),
        NotReadyReason(code="break", title="小休", bucket="break"),
        NotReadyReason(code="away", title="离开", bucket="away"),
    )

    def codes(self) -> Iterator[tuple[str, str]]:
        """(feature, code) of those that agents dial and that have one."""
        for name in ("sign_in", "sign_out", "ready", "not_ready"):
            if code := getattr(self, f"{name}_code"):
                yield f"agent_{name}", code


__all__ = [
    "BUILT_IN_GROUP",
    "SYSTEM_REASONS",
    "Agent",
    "AgentGroup",
    "AgentId",
    "AgentRules",
    "DisplayState",
    "Level",
    "LoginMode",
    "Membership",
    "NotReadyReason",
    "Number",
    "Reason",
]
