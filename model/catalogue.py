"""All that the switch declares, from every module of declarations. A new module of commands or events is named here."""

from types import ModuleType

from model import (
    commands,
    commands_access,
    commands_agent,
    commands_audio,
    commands_audit,
    commands_callers,
    commands_campaign,
    commands_campaign_view,
    commands_centre,
    commands_conference,
    commands_customers,
    commands_dnc,
    commands_extensions,
    commands_flow,
    commands_imports,
    commands_lists,
    commands_log,
    commands_members,
    commands_metrics,
    commands_monitor,
    commands_originate,
    commands_parking,
    commands_prompts,
    commands_queue,
    commands_roles,
    commands_security,
    commands_services,
    commands_trace,
    commands_transfer,
    commands_voicemail,
    events,
    events_access,
    events_agent,
    events_alarm,
    events_audio,
    events_campaign,
    events_conference,
    events_flow,
    events_metrics,
    events_monitor,
    events_outbound,
    events_prompts,
    events_queue,
    events_security,
    events_services,
    events_webrtc,
    watching,
)
from model.declare import COMMANDS, EVENTS, CommandSpec, EventSpec

_MODULES: tuple[ModuleType, ...] = (
    commands,
    commands_access,
    commands_agent,
    commands_audio,
    commands_callers,
    commands_campaign,
    commands_campaign_view,
    commands_centre,
    commands_conference,
    commands_customers,
    commands_dnc,
    commands_extensions,
    commands_flow,
    commands_imports,
    commands_lists,
    commands_log,
    commands_members,
    commands_metrics,
    commands_monitor,
    commands_parking,
    commands_prompts,
    commands_originate,
    commands_queue,
    commands_roles,
    commands_audit,
    commands_security,
    commands_services,
    commands_trace,
    commands_transfer,
    commands_voicemail,
    events,
    events_access,
    events_agent,
    events_alarm,
    events_metrics,
    events_audio,
    events_campaign,
    events_conference,
    events_flow,
    events_monitor,
    events_outbound,
    events_prompts,
    events_queue,
    events_security,
    events_services,
    events_webrtc,
    watching,
)
_PLACES = {module.__name__: place for place, module in enumerate(_MODULES)}


def our_commands() -> list[CommandSpec]:
    """Every command, by module and in the order of declaration; what a test declares is not among them."""
    ours = [spec for spec in COMMANDS.values() if spec.params.__module__ in _PLACES]
    return sorted(ours, key=lambda spec: _PLACES[spec.params.__module__])


def our_events() -> list[EventSpec]:
    """Every event, likewise."""
    ours = [spec for spec in EVENTS.values() if spec.params.__module__ in _PLACES]
    return sorted(ours, key=lambda spec: _PLACES[spec.params.__module__])
