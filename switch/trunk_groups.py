"""In which order the trunks of a group are tried. Pure: chance comes from a seed (the id of the call), so the same call
is always ordered the same way.

- listed: as they stand there.
- weighted: each comes first with a probability in proportion to its weight; weight 0 stands last.
- least_used: the smallest share of its channels in use; as listed among equals.
- cheapest: by cost at this time of the week; as listed among equals.

A member with `hours` takes part only then. One trunk may be a member several times with other hours and costs.
"""

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime

from model.hours import is_within, parse_hours
from switch.config_trunks import GroupMember, TrunkGroup
from switch.days import zone_of
from switch.trunk_state import TrunkState


def order_trunks(
    group: TrunkGroup, trunks: Mapping[str, TrunkState], *, seed: str, wall: float, time_zone: str
) -> list[str]:
    """Names of the trunks to try, each once; `wall` is UTC seconds, `time_zone` an IANA name or "" (this machine's)."""
    members = _taking_part(group.members, wall, time_zone)
    match group.order:
        case "weighted":
            members.sort(key=lambda member: -_lot(member, seed))
        case "least_used":
            members.sort(key=lambda member: _share_used(trunks[member.trunk]))
        case "cheapest":
            members.sort(key=lambda member: member.cost)
        case _:
            pass
    return list(dict.fromkeys(member.trunk for member in members))


def _taking_part(members: tuple[GroupMember, ...], wall: float, time_zone: str) -> list[GroupMember]:
    if not any(member.hours for member in members):
        return list(members)
    local = datetime.fromtimestamp(wall, zone_of(time_zone))
    minute = local.hour * 60 + local.minute
    return [member for member in members if is_within(parse_hours(member.hours), local.weekday(), minute)]


def _lot(member: GroupMember, seed: str) -> float:
    """A draw whose largest is this member's with a probability in proportion to its weight: u^(1/w) with u from (0, 1)
    (Efraimidis, Spirakis: Weighted random sampling, 2006), as logarithm."""
    digest = hashlib.blake2b(f"{seed}/{member.trunk}/{member.hours}".encode(), digest_size=8).digest()
    u = (int.from_bytes(digest, "big") + 1) / (2**64 + 1)
    return math.log(u) / member.weight if member.weight else -math.inf


def _share_used(trunk: TrunkState) -> float:
    limit = trunk.config.max_channels_out or trunk.config.max_channels
    return trunk.n_calls / limit if limit else trunk.n_calls / 1e6
