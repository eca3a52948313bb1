"""`[[conference]]` of the configuration: rooms."""

from collections.abc import Callable, Sequence
from typing import Annotated

from msgspec import Meta

from switch.config_types import Name, Number, Section, Text

MAX_MEMBERS = 200

_PIN = r"^(\d{4,16})?$"


class Conference(Section, frozen=True):
    """A room that is entered by dialling its number."""

    name: Name
    number: Annotated[
        Number, Meta(description="Extensions dial it; access numbers lead to it. No extension may have the same.")
    ]
    pin: Annotated[str, Meta(pattern=_PIN, description="Digits members are asked for; empty: nobody is asked.")] = ""
    moderator_pin: Annotated[str, Meta(pattern=_PIN, description="Whoever enters this instead is a moderator.")] = ""
    moderators: Annotated[
        tuple[Number, ...], Meta(max_length=200, description="Extensions that are moderators without any PIN.")
    ] = ()
    entry_role: Annotated[
        str,
        Meta(pattern=r"^(member|listener)$", description="What all others are: member (may speak) or listener."),
    ] = "member"
    waits_for_moderator: Annotated[bool, Meta(description="Members hear music until a moderator is there.")] = False
    ends_with_moderator: Annotated[bool, Meta(description="The conference ends when its last moderator leaves.")] = (
        False
    )
    max_members: Annotated[int, Meta(ge=2, le=MAX_MEMBERS, description="At one time; above it: busy.")] = MAX_MEMBERS
    is_recorded: Annotated[bool, Meta(description="Recorded as one call (when recording.enabled).")] = True
    pin_prompt: Annotated[
        Text,
        Meta(description='Asks for the PIN: "file:PATH" within media.prompts, "tone:NAME/PLAN"; empty: a tone.'),
    ] = ""
    pin_refused: Annotated[Text, Meta(description="Says that the PIN is wrong; likewise.")] = ""


Wrong = Callable[[list[str | int], str], Exception]


def check_conferences(conferences: Sequence[Conference], taken: set[str], wrong: Wrong) -> None:
    """What the types cannot say. `taken` are the numbers that mean something else; `wrong` makes the error to raise."""
    names: set[str] = set()
    for i, each in enumerate(conferences):
        if each.name in names:
            raise wrong(["conference", i, "name"], f'"{each.name}" is there twice')
        if each.number in taken:
            raise wrong(["conference", i, "number"], f"{each.number} is taken by something else")
        if each.moderator_pin and each.moderator_pin == each.pin:
            raise wrong(["conference", i, "moderator_pin"], "members and moderators need different PINs")
        if each.waits_for_moderator and not (each.moderator_pin or each.moderators):
            raise wrong(
                ["conference", i, "waits_for_moderator"], "nobody can be moderator: set moderator_pin or moderators"
            )
        for key in ("pin_prompt", "pin_refused"):
            source = getattr(each, key)
            if source and not source.startswith(("tone:", "file:")):
                raise wrong(["conference", i, key], f'"{source}" must be "file:PATH" or "tone:NAME/PLAN"')
        names.add(each.name)
        taken.add(each.number)
