"""What may be allowed, each thing once (RBAC-04…07). Commands and events name one of these; roles are made of them.

A permission is of one of three classes (RBAC-04): *unscoped*; *agent_group*: it holds for the agents of the groups in
the role's scope, and for what they do; *queue*: for the queues in the role's scope.
"""

from typing import Literal, NamedTuple

Class = Literal["unscoped", "agent_group", "queue"]


class Permission(NamedTuple):
    """One thing that a role may allow."""

    name: str
    kind: Class
    text: str
    is_audited: bool = False
    """What is done by it stands in the audit log (XRBAC-02)."""


def _table(*permissions: Permission) -> dict[str, Permission]:
    return {permission.name: permission for permission in permissions}


PERMISSIONS: dict[str, Permission] = _table(
    # What an agent needs for his own work; it concerns nobody else, so it has no scope.
    Permission("agent.work", "unscoped", "Sign in, change his own state, see and control his own calls and queues."),
    Permission("call.dial_external", "unscoped", "Dial external lines (RBAC-07)."),
    Permission("phone.view_full", "unscoped", "See whole telephone numbers; without it digits are hidden (XRBAC-05)."),
    # The switch as a whole.
    Permission("switch.view", "unscoped", "See the state of the switch, its trunks and registrations."),
    Permission("switch.operate", "unscoped", "Work with what belongs to no agent or queue."),
    Permission("switch.supervise", "unscoped", "What supervisors do and belongs to no agent or queue.", True),
    Permission("switch.manage", "unscoped", "Change the switch itself: drain it, read its certificates again.", True),
    Permission("security.view", "unscoped", "See banned addresses."),
    Permission("security.manage", "unscoped", "Ban addresses and lift bans.", True),
    Permission("trace.use", "unscoped", "Trace signalling and audio.", True),
    Permission("trace.unmask", "unscoped", "Trace with secrets and digits in the clear.", True),
    Permission("conference.view", "unscoped", "See conferences."),
    Permission("conference.control", "unscoped", "Invite to conferences, mute, lock and end them."),
    Permission("message.send", "unscoped", "Send text messages to phones."),
    # Configuration.
    Permission("extension.view", "agent_group", "See extensions and their services."),
    Permission("extension.control", "agent_group", "Change services, presence and mailbox of extensions."),
    Permission("extension.manage", "unscoped", "Add, change and delete extensions.", True),
    Permission("agent.manage", "agent_group", "Add, change and delete agents (SUP-18).", True),
    Permission("queue.manage", "queue", "Add, change and delete queues.", True),
    Permission("routing.manage", "unscoped", "Change access numbers, calendars and ways out.", True),
    Permission("flow.view", "unscoped", "See which flows there are, and their figures."),
    Permission("flow.manage", "unscoped", "Read, change, publish and remove flows.", True),
    Permission("prompt.manage", "unscoped", "Upload, change and remove sound files of the prompt library.", True),
    Permission("campaign.view", "unscoped", "See campaigns, their records and figures."),
    Permission("campaign.control", "unscoped", "Start and stop campaigns.", True),
    Permission("campaign.manage", "unscoped", "Add, change and delete campaigns, records and do-not-call lists.", True),
    Permission("list.manage", "unscoped", "Change black and white lists, customer lists and address books.", True),
    Permission("role.view", "unscoped", "See roles."),
    Permission("role.manage", "unscoped", "Add, change and delete roles.", True),
    Permission("audit.view", "unscoped", "Read the audit log.", True),
    # Agents, and the calls they are on (RBAC-05).
    Permission("agent.view", "agent_group", "See agents and their states."),
    Permission("agent.control", "agent_group", "Sign agents in and out and change their states, as their clients do."),
    Permission("agent.call", "agent_group", "Call agents who wait for calls (SUP-16)."),
    Permission("agent.force_state", "agent_group", "Make agents ready or not ready, sign them out (SUP-08).", True),
    Permission("call.view", "agent_group", "See live calls and the record of a call."),
    Permission("call.history", "agent_group", "Search records of calls."),
    Permission("call.control", "agent_group", "Hold, transfer, hang up … calls."),
    Permission("call.originate", "agent_group", "Place calls."),
    Permission("call.dispatch", "agent_group", "Move a call, ringing or answered, to somebody else.", True),
    Permission("call.secure", "agent_group", "Keep keyed digits from everybody, and read them."),
    Permission("monitor.listen", "agent_group", "Listen to live calls.", True),
    Permission("monitor.whisper", "agent_group", "Speak to one party of a live call alone.", True),
    Permission("monitor.barge", "agent_group", "Join live calls.", True),
    Permission("monitor.takeover", "agent_group", "Take an agent's place in a live call.", True),
    Permission("monitor.force_release", "agent_group", "End an agent's call for everybody.", True),
    Permission("recording.view", "agent_group", "List recordings."),
    Permission("recording.play", "agent_group", "Listen to recordings and download them.", True),
    Permission("recording.control", "agent_group", "Start, pause and stop recordings of live calls."),
    Permission("report.view", "agent_group", "Read reports on agents and queues."),
    # Queues (RBAC-06).
    Permission("queue.view", "queue", "See queues and who waits in them."),
    Permission("queue.control", "queue", "Move callers between queues, raise their priority, pull a call.", True),
    Permission("voicemail.play", "queue", "Listen to voicemail.", True),
)
"""All there are."""

COARSE = {
    "viewer": "switch.view",
    "operator": "switch.operate",
    "supervisor": "switch.supervise",
    "administrator": "switch.manage",
}
"""What a command needs that names only the least built-in role."""
