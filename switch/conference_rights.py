"""Who may do what in a conference: PINs, roles, keys. Pure choices."""

import hmac

from switch.call import Leg
from switch.conference import Member
from switch.config_conference import Conference

PIN_S = 15.0
"""Time for each digit of the PIN."""
PIN_TRIES = 3
KEYS_S = 4.0
"""A key sequence must go on within this time."""
KEYS = {"*6": "mute", "*5": "mute_all", "*7": "lock", "*8": "end"}
"""Of members: mute; the others are of moderators."""


def role_of(settings: Conference, leg: Leg) -> str:
    """What somebody who dials the room is before he enters a PIN. Extensions have proved who they are."""
    if leg.kind == "extension" and leg.name in settings.moderators:
        return "moderator"
    return settings.entry_role


def judge_pin(settings: Conference, member: Member, digit: str) -> tuple[bool, str]:
    """Takes one more digit: whether the PIN is complete, and the role it gives, "" when it is wrong.

    "#" ends it; a right one needs no "#" unless the other one goes on from it. Without a PIN for members, whoever
    enters nothing but "#" is one.
    """
    pins = [pin for pin in (settings.pin, settings.moderator_pin) if pin]
    if digit != "#":
        member.typed += digit
        going_on = [pin for pin in pins if pin.startswith(member.typed)]
        is_right = going_on == [member.typed]
        if not is_right and len(member.typed) < max(map(len, pins)):
            return False, ""
    # As long for a wrong one as for a right one.
    is_moderator = hmac.compare_digest(member.typed.encode(), settings.moderator_pin.encode())
    is_member = hmac.compare_digest(member.typed.encode(), settings.pin.encode())
    if is_moderator and settings.moderator_pin:
        return True, "moderator"
    return True, settings.entry_role if is_member else ""


def choose_key(typed: str, digit: str) -> tuple[str, str]:
    """What the keys typed so far mean ("" = nothing yet), and which of them to keep for the next one."""
    if not any(keys.startswith(typed) for keys in KEYS):
        typed = digit
    if typed in KEYS:
        return KEYS[typed], ""
    return "", typed if any(keys.startswith(typed) for keys in KEYS) else ""
