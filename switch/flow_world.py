"""What flows may ask of this switch (`ivr.walk.World`)."""

from ivr.program import Program
from model.prompts import Prompt
from switch import surveys
from switch.call import Call
from switch.environment import Environment

_HOURS = {"open": "working", "closed": "off"}


class FlowWorld:
    """For one call, at one instant."""

    def __init__(self, call: Call, env: Environment, now: float) -> None:
        self._call = call
        self._directory = env.directory
        self._wall = env.wall(now)

    def flow(self, name: str) -> Program | None:
        return self._directory.flows.get(name)

    def hours(self, calendar: str) -> str:
        office = self._directory.office
        if office.closure(calendar, self._wall) is not None:
            return "emergency"
        almanac = office.almanacs.get(calendar)
        which = almanac.say(self._wall)[0] if almanac is not None else "closed"
        return _HOURS.get(which, which)

    def may_rate(self) -> bool:
        return not surveys.is_rated(self._call)

    def prompt(self, name: str) -> Prompt | None:
        return self._directory.prompts.get(name)
