"""Who has the floor of a conference: the member that is speaking, and was first to. Pure."""

from model import events_conference as told
from switch.actions import Action
from switch.call import Call
from switch.conference import Member, Room


def on_speaking(call: Call, room: Room, member: Member, is_speaking: bool) -> list[Action]:
    """A member has begun or ended to speak: whoever has the floor keeps it while he speaks."""
    member.is_speaking = is_speaking and member.state == "in"
    is_heard = member.is_speaking and not call.legs[member.leg_id].is_muted
    holder = room.members.get(room.floor)
    if holder is not None and (holder.is_speaking or (is_heard and holder is member)):
        return []
    speaking = [each.leg_id for each in room.inside() if each.is_speaking and not call.legs[each.leg_id].is_muted]
    floor = member.leg_id if is_heard else speaking[0] if speaking else ""
    return give(call, room, floor)


def give(call: Call, room: Room, leg_id: str) -> list[Action]:
    """The floor is that leg's now, nobody's with ""."""
    if room.floor == leg_id:
        return []
    room.floor = leg_id
    return [told.ConferenceFloorChanged(call_id=call.call_id, conference=room.name, leg_id=leg_id)]
