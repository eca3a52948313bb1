"""Commands of supervisors: to listen to live calls and step in, to call an agent, to move calls.
`switch/supervision_commands.py` handles them; who may supervise whom is a matter of extensions (docs/supervision.md).
"""

from typing import Annotated, Literal

from msgspec import Meta

from model import views
from model.commands import ExtensionNumber, Id, Number, OptionalId, OptionalText
from model.declare import Command, command
from model.errors import (
    Congested,
    Draining,
    InvalidValue,
    NoRoute,
    NoSuchAgent,
    NoSuchCall,
    NoSuchExtension,
    NoSuchLeg,
    NoSuchMonitor,
    NotWaiting,
    SupervisionDenied,
    WrongState,
)

MonitorMode = Literal["listen", "whisper", "whisper_customer", "barge"]
AgentAudio = Literal["full", "listen_only"]
_BY_MODE = {"whisper": "monitor.whisper", "whisper_customer": "monitor.whisper", "barge": "monitor.barge"}


class MonitorView(views.View, frozen=True, kw_only=True):
    """A supervisor on a live call."""

    monitor_id: str
    call_id: str
    supervisor: str
    """His extension."""
    leg_id: str = ""
    """His leg; empty until he has answered."""
    agent_leg_id: str = ""
    """Leg of the agent he supervises; another one after a transfer."""
    agent: str = ""
    """Name of that leg: extension or trunk."""
    state: str
    """ringing or active."""
    mode: str
    """listen, whisper, whisper_customer or barge."""
    agent_audio: str = "full"
    """full; listen_only: nobody hears the agent (only while the mode is barge)."""
    started_utc: float = 0.0
    """When he answered."""


class MonitorList(views.View, frozen=True, kw_only=True):
    """Monitors, oldest first."""

    monitors: list[MonitorView]


@command(
    "monitor.start",
    permission="monitor.listen",
    of=("call_id", "extension", "agent_id"),
    also=("mode", _BY_MODE),
    result=MonitorView,
    errors=(NoSuchCall, NoSuchLeg, NoSuchExtension, NoSuchAgent, WrongState, SupervisionDenied, NoRoute, Congested),
)
class StartMonitor(Command, frozen=True, kw_only=True):
    """Rings the supervisor's phone; when it answers he is on the call. Nobody on it can notice that he listens."""

    supervisor: ExtensionNumber
    """Extension that is rung."""
    call_id: OptionalId = ""
    """The call; empty: the one that `extension` is in."""
    extension: OptionalText = ""
    """The agent. Empty: the extension that talks in `call_id`."""
    agent_id: OptionalText = ""
    """The agent by his id, in the place of `extension`: wherever he sits."""
    leg_id: OptionalId = ""
    """The agent's leg, when `call_id` has several that could be meant."""
    mode: MonitorMode = "listen"
    """listen: hears all, is heard by nobody; whisper: the agent alone hears him; whisper_customer: the customer alone;
    barge: all hear him."""
    agent_audio: AgentAudio = "full"
    """With barge: full, or listen_only: the agent is silenced and goes on hearing."""
    timeout_s: Annotated[float, Meta(ge=1.0, le=600.0)] = 30.0
    """How long his phone may ring."""


@command("monitor.list", permission="monitor.listen", each="monitors", is_audited=False, result=MonitorList)
class ListMonitors(Command, frozen=True, kw_only=True):
    """Supervisors on live calls."""

    call_id: OptionalId = ""
    """Only on this call."""
    supervisor: OptionalText = ""
    """Only this supervisor."""


@command(
    "monitor.mode",
    permission="monitor.listen",
    of="monitor_id",
    also=("mode", _BY_MODE),
    result=MonitorView,
    errors=(NoSuchMonitor, WrongState),
)
class ChangeMonitor(Command, frozen=True, kw_only=True):
    """Changes what a supervisor is heard by, without interrupting anything. Back from listen_only the agent is heard
    again."""

    monitor_id: Id
    mode: MonitorMode
    agent_audio: AgentAudio = "full"


@command(
    "monitor.takeover",
    permission="monitor.takeover",
    of="monitor_id",
    result=views.CallView,
    errors=(NoSuchMonitor, WrongState),
)
class TakeOver(Command, frozen=True, kw_only=True):
    """The agent is dropped, the customer goes on with the supervisor; the monitor is over."""

    monitor_id: Id


@command(
    "monitor.disconnect",
    permission="monitor.force_release",
    of="monitor_id",
    result=views.CallView,
    errors=(NoSuchMonitor, WrongState),
)
class Disconnect(Command, frozen=True, kw_only=True):
    """Ends the supervised call for everybody: the customer is cut off, the agent is free again."""

    monitor_id: Id


@command("monitor.stop", permission="monitor.listen", of="monitor_id", result=views.Done, errors=(NoSuchMonitor,))
class StopMonitor(Command, frozen=True, kw_only=True):
    """Ends a monitor; the call goes on as if there had been none. A silenced agent is heard again."""

    monitor_id: Id


@command(
    "supervisor.call",
    permission="agent.call",
    of="agent",
    result=views.CallView,
    errors=(NoSuchExtension, NotWaiting, SupervisionDenied, NoRoute, Draining, Congested),
)
class CallAgent(Command, frozen=True, kw_only=True):
    """A supervisor calls an agent who waits for calls; refused with the reason when he does not.

    The answer is the acknowledgement. The supervisor's phone rings, then the agent's; the answer connects them.
    """

    supervisor: ExtensionNumber
    """Seat that calls."""
    agent: ExtensionNumber
    """Seat that is called."""
    timeout_s: Annotated[float, Meta(ge=1.0, le=600.0)] = 30.0
    """How long each may ring."""


@command(
    "call.dispatch",
    permission="call.dispatch",
    of="call_id",
    result=views.CallView,
    errors=(NoSuchCall, NoSuchLeg, NoRoute, InvalidValue, WrongState),
)
class Dispatch(Command, frozen=True, kw_only=True):
    """Moves a call to another extension, whoever has it: one that rings stops ringing there and rings here; one that
    talks is taken from its agent, and nobody gets it back when it is not answered."""

    call_id: Id
    to: Number
    """Extension or number."""
    leg_id: OptionalId = ""
    """The agent's leg, when several could be meant; empty: that of who is the agent."""
    timeout_s: Annotated[float, Meta(ge=0.0, le=600.0)] = 0.0
    """How long it rings there; 0 = as configured."""
