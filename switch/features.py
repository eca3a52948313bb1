"""Feature codes: what a dialled text asks for. Pure."""

import msgspec

from model.agents import AgentRules
from switch.config_features import FeatureCodes

TAKES_NUMBER = frozenset(("forward_always_on", "forward_busy_on", "forward_no_answer_on", "agent_sign_in"))
"""Features that are nothing without a number; it may be dialled with the code or after the tone."""
MAY_TAKE_NUMBER = frozenset(("pickup", "park", "retrieve", "agent_not_ready", "voicemail"))
TAKES_PIN = frozenset(("agent_sign_in",))
"""Features that ask for a PIN after the number."""
OF_AGENTS = ("agent_sign_in", "agent_sign_out", "agent_ready", "agent_not_ready")
"""Their codes stand in `[agents]`."""

SERVICES: dict[str, tuple[str, str]] = {
    "forward_always_on": ("always_to", ""),
    "forward_always_off": ("always_to", "off"),
    "forward_busy_on": ("busy_to", ""),
    "forward_busy_off": ("busy_to", "off"),
    "forward_no_answer_on": ("no_answer_to", ""),
    "forward_no_answer_off": ("no_answer_to", "off"),
    "dnd_on": ("is_dnd", "on"),
    "dnd_off": ("is_dnd", "off"),
    "call_waiting_on": ("call_waiting", "on"),
    "call_waiting_off": ("call_waiting", "off"),
}
"""Feature → what it sets, and to what ("" = the number)."""


class Feature(msgspec.Struct, frozen=True, gc=False):
    name: str
    number: str = ""


class FeatureTable:
    """Finds the feature in what was dialled: the longest code that fits."""

    def __init__(self, codes: FeatureCodes, rules: AgentRules) -> None:
        every = [*codes.codes(), *rules.codes()]
        self._codes = sorted(((code, name) for name, code in every), key=lambda pair: -len(pair[0]))
        self._first = frozenset(code[0] for code, _ in self._codes)

    def find(self, dialed: str) -> Feature | None:
        """None: a number like any other. "*72*1003" and "*721003#" mean the same as "*721003"."""
        if dialed[:1] not in self._first:
            return None
        for code, name in self._codes:
            if dialed == code or dialed == code + "#":
                return Feature(name)
            if dialed.startswith(code) and (name in TAKES_NUMBER or name in MAY_TAKE_NUMBER):
                number = dialed[len(code) :].lstrip("*").rstrip("#")
                if number:
                    return Feature(name, number)
        return None
