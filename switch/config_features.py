"""The configuration of what users do with their phones' keys: feature codes and parking."""

from collections.abc import Collection, Iterator
from typing import Annotated

from msgspec import Meta

from model.agents import AgentRules
from switch.config_types import Seconds, Section, Text

MAX_ORBITS = 1000


def _code(text: str) -> Meta:
    return Meta(pattern=r"^([*#][0-9*#]{1,7})?$", description=text)


class FeatureCodes(Section, frozen=True):
    """What phones without a screen dial to use a feature; empty: there is no code for it. docs/feature-codes.md."""

    forward_always_on: Annotated[
        str, _code("Forward all calls: code and number, or the code alone and the number after the tone.")
    ] = "*72"
    forward_always_off: Annotated[str, _code("Forward no longer all calls.")] = "*73"
    forward_busy_on: Annotated[str, _code("Forward calls while busy or not registered; like forward_always_on.")] = (
        "*90"
    )
    forward_busy_off: Annotated[str, _code("Forward no longer on busy.")] = "*91"
    forward_no_answer_on: Annotated[str, _code("Forward calls nobody answers; like forward_always_on.")] = "*92"
    forward_no_answer_off: Annotated[str, _code("Forward no longer without answer.")] = "*93"
    dnd_on: Annotated[str, _code("Do not disturb: callers hear busy.")] = "*78"
    dnd_off: Annotated[str, _code("Take calls again.")] = "*79"
    call_waiting_on: Annotated[str, _code("A second call may ring while one is up.")] = "*70"
    call_waiting_off: Annotated[str, _code("A second call finds the extension busy.")] = "*71"
    pickup: Annotated[
        str, _code("Take a call that rings elsewhere: code and extension, or the code alone for any of the group.")
    ] = "*8"
    park: Annotated[str, _code("Park: transfer a call to it, alone or with the orbit.")] = "*68"
    retrieve: Annotated[str, _code("Take a parked call: code and orbit, or the code alone for the oldest.")] = "*69"
    echo: Annotated[str, _code("Hear oneself, to try phone and headset; one's own number does the same.")] = "*43"
    voicemail: Annotated[
        str, _code("Hear voicemail: the phone's own box, or code and number of a box, then its PIN.")
    ] = "*97"
    in_call: Annotated[
        bool,
        Meta(description="Extensions use the codes below by keys during a call; other digits go on a moment later."),
    ] = False
    in_call_transfer: Annotated[
        str, _code("Transfer: the number and #; during a consultation: hand over to who is consulted.")
    ] = "*1"
    in_call_consult: Annotated[str, _code("Consult: the number and #; then: to the others and back.")] = "*2"
    in_call_join: Annotated[str, _code("Bring the consulted party and the others together.")] = "*3"
    in_call_hold: Annotated[str, _code("Hold the other party, and take it back.")] = "*4"
    in_call_park: Annotated[str, _code("Park the other party in the first free orbit.")] = "*5"
    in_call_back: Annotated[str, _code("End the consultation, or the hold.")] = "*0"
    confirmed: Annotated[
        Text, Meta(description='What is played when it is done: "tone:NAME/PLAN", "file:PATH"; empty: a tone.')
    ] = ""
    refused: Annotated[Text, Meta(description="What is played when it cannot be done; empty: a tone.")] = ""

    def codes(self) -> Iterator[tuple[str, str]]:
        """(feature, code) of those that are dialled and have one."""
        for name in self.__struct_fields__:
            code = getattr(self, name)
            if name not in ("confirmed", "refused") and not name.startswith("in_call") and code:
                yield name, code

    def in_call_codes(self) -> Iterator[tuple[str, str]]:
        """(what, code) of those that are typed during a call: transfer, consult, join, hold, park, back."""
        for name in self.__struct_fields__:
            if name.startswith("in_call_") and getattr(self, name):
                yield name.removeprefix("in_call_"), getattr(self, name)


class Parking(Section, frozen=True):
    """Parked calls wait in orbits, each a number that anybody inside can dial."""

    orbits: Annotated[
        str,
        Meta(pattern=r"^(\d{1,6}-\d{1,6})?$", description='Numbers of the orbits, "first-last"; empty: no parking.'),
    ] = "701-720"
    timeout_s: Annotated[Seconds, Meta(description="After this time the parked call rings whoever parked it, s.")] = (
        120.0
    )
    recall_s: Annotated[Seconds, Meta(description="How long it rings there, s.")] = 30.0
    overflow_to: Annotated[Text, Meta(description="Number called then; empty: it goes back into its orbit.")] = ""
    max_s: Annotated[Seconds, Meta(description="A call parked for so long in all is ended, s; 0: never.")] = 3600.0

    def orbit_numbers(self) -> list[str]:
        """In order, all of the length of the first."""
        if not self.orbits:
            return []
        first, last = self.orbits.split("-")
        return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def feature_problem(
    codes: FeatureCodes, rules: AgentRules, parking: Parking, extensions: Collection[str]
) -> tuple[list[str], str] | None:
    """(where, what is wrong) of what the types cannot say; None when all is right."""
    seen: dict[str, str] = {}
    for name, code in codes.codes():
        if code in seen:
            return ["feature_codes", name], f'"{code}" is the code of {seen[code]} already'
        seen[code] = name
    for name, code in rules.codes():
        if code in seen:
            return ["agents", f"{name.removeprefix('agent_')}_code"], f'"{code}" is the code of {seen[code]} already'
        seen[code] = name
    typed: dict[str, str] = {}
    for name, code in codes.in_call_codes():
        other = next((each for each in typed if each.startswith(code) or code.startswith(each)), None)
        if other is not None:
            return ["feature_codes", f"in_call_{name}"], f'"{code}" cannot be told from "{other}" of {typed[other]}'
        typed[code] = f"in_call_{name}"
    if parking.orbits:
        first, last = parking.orbits.split("-")
        if len(first) != len(last) or int(first) > int(last) or int(last) - int(first) >= MAX_ORBITS:
            wanted = f'"first-last" of the same length, at most {MAX_ORBITS} orbits, e.g. "701-720"'
            return ["parking", "orbits"], wanted
        taken = sorted(set(parking.orbit_numbers()) & set(extensions))
        if taken:
            return ["parking", "orbits"], f"{taken[0]} is an extension"
    return None
