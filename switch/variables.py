"""Customer data that travels with a call (FEATURES TEL-25). Pure."""

from model import events
from switch.actions import Action
from switch.call import Call


def set_data(call: Call, data: dict[str, str | None]) -> list[Action]:
    """Puts values to the call, and takes those away that are None; told once, with all that there is then."""
    before = dict(call.variables)
    for name, value in data.items():
        if value is None:
            call.variables.pop(name, None)
        else:
            call.variables[name] = value
    if call.variables == before:
        return []
    return [events.CallDataChanged(call_id=call.call_id, data=dict(call.variables))]
