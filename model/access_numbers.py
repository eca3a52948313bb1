"""Access numbers as they are configured and stored (FEATURES 1.3, XACC-03)."""

from typing import Annotated

from msgspec import Meta, field

from model.settings import Name, Number, Section, Text

_TARGET = r"[0-9*#+]{1,32}|(queue|ivr|voicemail):[A-Za-z0-9_.-]{1,64}"


class AccessNumber(Section, frozen=True):
    """A number of ours that trunks deliver: where its calls go at which time, and what goes with them."""

    number: Number
    to: Annotated[
        str,
        Meta(
            pattern=rf"^({_TARGET})$",
            description='Extension (or number) that is called, "queue:NAME", "ivr:FLOW" or "voicemail:BOX"; with a '
            "calendar: while it is open.",
        ),
    ]
    trunk: Annotated[str, Meta(description="Only when it comes by this trunk; empty: by any.")] = ""
    name: Annotated[Text, Meta(description="What it is for.")] = ""
    calendar: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}$", description="Calendar it follows; empty: always open.")
    ] = ""
    off_to: Annotated[
        str, Meta(pattern=rf"^({_TARGET})?$", description="Where calls go out of hours; empty: they are refused.")
    ] = ""
    holiday_to: Annotated[
        str, Meta(pattern=rf"^({_TARGET})?$", description="Where they go on holidays; empty: as off_to.")
    ] = ""
    emergency_to: Annotated[
        str,
        Meta(
            pattern=rf"^({_TARGET})?$",
            description="Where they go while the calendar, or everything, is closed by command; empty: as off_to.",
        ),
    ] = ""
    is_vip: Annotated[bool, Meta(description="Who calls it waits in queues with the VIPs.")] = False
    priority: Annotated[
        int, Meta(ge=0, le=100, description="Of its calls in queues; a step is worth queue.priority_step_s of waiting.")
    ] = 0
    skills: Annotated[
        dict[Name, Annotated[int, Meta(ge=1, le=9)]],
        Meta(max_length=20, description="Skill -> least level, asked of agents for its calls beside the queue's own."),
    ] = field(default_factory=dict)
    language: Annotated[
        str, Meta(pattern=r"^([a-z]{2}(-[A-Z]{2})?)?$", description="Language of its callers, told as call data.")
    ] = ""
    brand: Annotated[Text, Meta(description="Brand its callers mean, told as call data.")] = ""
    whisper: Annotated[
        Text,
        Meta(description='What the agent is told, as call data; "file:PATH" or "voice:zh/NAME" he hears at the start.'),
    ] = ""
    wrap_up_set: Annotated[
        str, Meta(pattern=r"^[A-Za-z0-9_.-]{0,64}$", description="Wrap-up codes for its calls, told as call data.")
    ] = ""
