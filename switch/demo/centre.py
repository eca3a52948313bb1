"""The demo's contact centre: an access number that leads to a menu, two queues, agents, and ratings. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any

FLOW = "welcome"
MENU = "menu"
QUEUES = {"1": "sales", "2": "service"}
"""By the key that leads there."""
RATINGS = {"1": "satisfied", "2": "neutral", "3": "dissatisfied"}
"""By key, as queues have it by default."""


def document() -> dict[str, Any]:
    """The flow: a key leads to a queue; who presses none waits for the service, too."""
    say = [{"kind": "sound", "source": "voice:en/for_other"}, {"kind": "digits", "value": "2"}]
    queues = [{"id": name, "type": "queue", "queue": name} for name in QUEUES.values()]
    menu = {
        "id": MENU,
        "type": "menu",
        "say": say,
        "choices": QUEUES,
        "no_input": QUEUES["2"],
        "no_match": QUEUES["2"],
    }
    return {"name": FLOW, "language": "en", "start": MENU, "nodes": [menu, *queues]}


def toml(access_number: str, agents: Sequence[str]) -> Iterator[str]:
    """Sections of the configuration; each agent sits at the extension with his number and serves both queues."""
    yield '[ivr]\nflows = "flows"\n'
    yield f'[[access_number]]\nnumber = "{access_number}"\nto = "ivr:{FLOW}"\n'
    for name in QUEUES.values():
        yield f'[[queue]]\nname = "{name}"\nsatisfaction = {{ is_enabled = true }}\n'
    served = ", ".join(f'{{ queue = "{name}" }}' for name in QUEUES.values())
    for extension in agents:
        yield f'[[agent]]\nagent_id = "{extension}"\nextension = "{extension}"\nqueues = [{served}]\n'
