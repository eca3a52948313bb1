"""Supervisors on live calls: they listen, whisper, barge in, take over, end the call. Pure.

A monitor lies beside whatever phase its call is in: `Calls` hands events of supervisors' legs, and commands about
monitors, to `on`, and lets `watch` look after each step of the phase. A supervisor's leg is in the agent's room with
the role `SUPERVISOR`; who hears it is `Leg.heard_by`. So the parties' own edges of the hear-matrix never change.
"""

from model import events, events_monitor, media
from model.causes import HangupCause
from switch import ringing, supervisor_track
from switch.actions import Action, RelocateLeg
from switch.call import MAIN, Call, Leg
from switch.directory import Directory
from switch.environment import Environment
from switch.hearing import settle
from switch.leg_events import (
    CallEvent,
    DropLeg,
    EndMonitor,
    LegDigit,
    LegFailed,
    LegHungUp,
    LegSilent,
    SetMonitor,
    TimerDue,
)
from switch.leg_media import configure_command
from switch.monitor import SUPERVISOR, Monitor
from switch.phases.outcome import Outcome, releasing, stay
from switch.release import drop_audio, end_leg, leg_left
from switch.ring_plan import Ringing
from switch.targets import extension_step

KEYS_S = 4.0
"""A key sequence must go on within this time."""
ANNOUNCE_PLAY = "monitor"


def may_supervise(directory: Directory, supervisor: str, agent: Leg) -> bool:
    """Whether the extension `supervisor` may be on calls of that leg; a leg that is no extension is anybody's whom "*"
    allows all."""
    entry = directory.extensions.get(supervisor)
    if entry is None:
        return False
    if agent.kind == "extension":
        return may_supervise_extension(directory, supervisor, agent.name)
    return "*" in entry.supervises


def may_supervise_extension(directory: Directory, supervisor: str, number: str) -> bool:
    """Whether the extension `supervisor` supervises the extension `number`: by their settings, or by the role of the
    agent who sits at the former."""
    entry, supervised = directory.extensions.get(supervisor), directory.extensions.get(number)
    if entry is None:
        return False
    group = supervised.supervision_group if supervised is not None else ""
    if "*" in entry.supervises or (group and group in entry.supervises):
        return True
    return directory.may_supervise_by_role(supervisor, number)


def find_agent(call: Call, extension: str = "", leg_id: str = "") -> Leg | None:
    """The party a supervisor means: that leg, that extension's, else the agent of the conversation."""
    parties = [leg for leg in call.legs.values() if leg.is_up and leg.role != SUPERVISOR and leg.room]
    if leg_id:
        return next((leg for leg in parties if leg.leg_id == leg_id), None)
    if extension:
        return next((leg for leg in parties if leg.kind == "extension" and leg.name == extension), None)
    agents = [leg for leg in parties if leg.role == "agent"] or [leg for leg in parties if leg.kind == "extension"]
    return agents[-1] if agents else parties[-1] if parties else None


def start(
    call: Call, monitor: Monitor, ring_timeout_s: float, now: float, env: Environment
) -> tuple[list[Action], HangupCause | None]:
    """Rings the supervisor's phone; the cause when there is none to ring."""
    rung = Ringing(
        ringing_id=monitor.monitor_id,
        purpose=SUPERVISOR,
        caller=call.legs[monitor.agent_leg].name,
        dialed=monitor.supervisor,
        ring_timeout_s=ring_timeout_s,
    )
    step = extension_step(rung, monitor.supervisor, now, env)
    # What he forwards are calls to him, not his work.
    step.extension = ""
    rung.plan = [step]
    standing = ringing.start(call, rung, now, env)
    if standing.failed is not None:
        return standing.actions, standing.failed
    for leg in ringing.rung_legs(call, rung):
        leg.role = SUPERVISOR
        leg.keeps_digits = True
        leg.is_recorded = True
    call.monitors[monitor.monitor_id] = monitor
    return standing.actions, None


def concerns(call: Call, event: CallEvent) -> bool:
    """Whether the event is a monitor's and not the phase's."""
    if isinstance(event, SetMonitor | EndMonitor):
        return True
    if isinstance(event, TimerDue):
        return any(event.name == each.timer for each in call.monitors.values())
    leg = call.legs.get(event.leg_id)
    return leg is not None and leg.role == SUPERVISOR and _of(call, leg) is not None


def on(call: Call, event: CallEvent, now: float, env: Environment) -> Outcome:
    """An event that concerns a monitor."""
    match event:
        case SetMonitor(monitor_id=monitor_id, mode=mode, agent_audio=agent_audio):
            monitor = call.monitors.get(monitor_id)
            return stay(_set_mode(call, monitor, mode, agent_audio, now, env) if monitor is not None else [])
        case EndMonitor(monitor_id=monitor_id, how=how):
            monitor = call.monitors.get(monitor_id)
            return _end(call, monitor, how, now, env) if monitor is not None else stay()
        case TimerDue(name=name):
            monitor = next(each for each in call.monitors.values() if each.timer == name)
            rung = call.ringings[monitor.monitor_id]
            return _rung(call, monitor, ringing.no_answer(call, rung, now, env), "no_answer", now, env)
    leg = call.legs[event.leg_id]
    found = _of(call, leg)
    assert found is not None
    if leg.ringing:
        standing = ringing.on(call, call.ringings[leg.ringing], leg, event, now, env)
        return _rung(call, found, standing, "failed", now, env)
    match event:
        case LegHungUp(cause=cause):
            leg_left(leg, cause, now, env)
            return stay(_finish(call, found, "hung_up", now, env))
        case LegFailed() | LegSilent():
            return stay(_finish(call, found, "failed", now, env))
        case DropLeg():
            return stay(_finish(call, found, "stopped", now, env))
        case LegDigit(digit=digit):
            return _key(call, found, digit, now, env)
        case _:
            return stay()


def watch(call: Call, now: float, env: Environment) -> list[Action]:
    """After each step of the phase: supervisors go where their agents are, and to the next one when the call is his."""
    actions: list[Action] = []
    before = {each.monitor_id: each.agent_leg for each in call.monitors.values()}
    is_moved = False
    for monitor in list(call.monitors.values()):
        agent = call.legs[monitor.agent_leg]
        if agent.is_ended:
            following = _next_agent(call)
            if following is None:
                continue
            if not may_supervise(env.directory, monitor.supervisor, following):
                actions += _finish(call, monitor, "not_permitted", now, env)
                continue
            monitor.agent_leg = following.leg_id
        is_moved |= _place(call, monitor)
        if monitor.is_active and monitor.agent_leg != before[monitor.monitor_id]:
            actions.append(_changed(call, monitor))
    if is_moved:
        actions += settle(call, now, env)
    for monitor in call.monitors.values():
        actions += supervisor_track.settle(call, monitor, now, env)
    return actions


def follow_over(keep: Call, gone: Call, now: float, env: Environment) -> list[Action]:
    """`gone` was absorbed by `keep`, its legs are there already: so are its supervisors. Whose phone still rings is
    called off."""
    actions: list[Action] = []
    for monitor in gone.monitors.values():
        if not monitor.is_active:
            actions.append(_ended(keep, monitor, "call_ended"))
            continue
        # The track ended with the other session; another one begins beside this call's recording.
        monitor.recording_id = ""
        keep.monitors[monitor.monitor_id] = monitor
        actions.append(RelocateLeg(keep.call_id, monitor.leg_id))
    gone.monitors = {}
    return actions + watch(keep, now, env)


def release_all(call: Call, reason: str) -> list[Action]:
    """The call is over: so are its monitors."""
    ended: list[Action] = [_ended(call, monitor, reason) for monitor in call.monitors.values()]
    call.monitors = {}
    return ended


def _next_agent(call: Call) -> Leg | None:
    """Who is the agent after the one that left; None while nobody is, or somebody is rung who may be."""
    agents = [leg for leg in call.parties() if leg.role == "agent"]
    is_rung = any(each.purpose != SUPERVISOR for each in call.ringings.values())
    return agents[-1] if agents else None if is_rung else find_agent(call)


# -- how he is heard --------------------------------------------------------------------------------------------------


def _place(call: Call, monitor: Monitor) -> bool:
    """Puts his leg where its mode wants it. Whether anything changed."""
    agent = call.legs[monitor.agent_leg]
    wants_silence = monitor.is_active and monitor.mode == "barge" and monitor.agent_audio == "listen_only"
    is_changed = False
    if wants_silence and not agent.is_muted:
        agent.is_muted = monitor.has_silenced = is_changed = True
    elif monitor.has_silenced and not wants_silence:
        agent.is_muted = monitor.has_silenced = False
        is_changed = True
    leg = call.legs.get(monitor.leg_id)
    if leg is None:
        return is_changed
    wanted = (agent.room or MAIN, _heard_by(call, monitor))
    if (leg.room, leg.heard_by) != wanted:
        leg.room, leg.heard_by = wanted
        is_changed = True
    return is_changed


def _heard_by(call: Call, monitor: Monitor) -> tuple[str, ...] | None:
    match monitor.mode:
        case "whisper":
            return (monitor.agent_leg,)
        case "whisper_customer":
            parties = [leg for leg in call.legs.values() if leg.is_up and leg.role != SUPERVISOR]
            return tuple(leg.leg_id for leg in parties if leg.leg_id != monitor.agent_leg)
        case "barge":
            return None
        case _:
            return ()


def _set_mode(call: Call, monitor: Monitor, mode: str, agent_audio: str, now: float, env: Environment) -> list[Action]:
    agent_audio = agent_audio if mode == "barge" else "full"
    if (monitor.mode, monitor.agent_audio) == (mode, agent_audio):
        return []
    monitor.mode, monitor.agent_audio = mode, agent_audio
    if not monitor.is_active:
        return []
    _place(call, monitor)
    return [*settle(call, now, env), _changed(call, monitor)]


# -- coming and going -------------------------------------------------------------------------------------------------


def _rung(
    call: Call, monitor: Monitor, standing: ringing.Standing, reason: str, now: float, env: Environment
) -> Outcome:
    if standing.failed is not None:
        del call.monitors[monitor.monitor_id]
        return stay([*standing.actions, _ended(call, monitor, reason)])
    if standing.answered is None:
        return stay(standing.actions)
    leg = standing.answered
    leg.bridged_utc = monitor.started_utc = env.wall(now)
    monitor.leg_id = leg.leg_id
    _place(call, monitor)
    actions = [*standing.actions, *settle(call, now, env)]
    if env.config.supervision.is_announced:
        tone = f"tone:call_waiting/{env.config.media.tone_plan}"
        actions.append(media.Play(call.call_id, monitor.agent_leg, ANNOUNCE_PLAY, [tone]))
    agent = call.legs[monitor.agent_leg]
    actions.append(
        events_monitor.MonitorStarted(
            monitor_id=monitor.monitor_id,
            call_id=call.call_id,
            supervisor=monitor.supervisor,
            leg_id=leg.leg_id,
            agent_leg_id=agent.leg_id,
            agent=agent.name,
            mode=monitor.mode,
            agent_audio=monitor.agent_audio,
        )
    )
    return stay(actions)


def _end(call: Call, monitor: Monitor, how: str, now: float, env: Environment) -> Outcome:
    match how:
        case "takeover" if monitor.is_active:
            return stay(_take_over(call, monitor, now, env))
        case "disconnect" if monitor.is_active:
            told = release_all(call, "disconnect")
            return releasing(call, HangupCause.NORMAL_CLEARING, "system", now, env, told)
        case _:
            return stay(_finish(call, monitor, "stopped", now, env))


def _finish(call: Call, monitor: Monitor, reason: str, now: float, env: Environment) -> list[Action]:
    """He is off the call; whom he silenced is heard again."""
    actions: list[Action] = supervisor_track.stop(call, monitor)
    rung = call.ringings.get(monitor.monitor_id)
    if rung is not None:
        actions += ringing.stop(call, rung, HangupCause.ORIGINATOR_CANCEL, now, env)
    monitor.mode = "listen"
    _place(call, monitor)
    del call.monitors[monitor.monitor_id]
    leg = call.legs.get(monitor.leg_id)
    if leg is not None:
        actions += end_leg(leg, HangupCause.NORMAL_CLEARING, "system", now, env)
        leg.room = ""
        actions += settle(call, now, env) + drop_audio(leg)
    return [*actions, _ended(call, monitor, reason)]


def _take_over(call: Call, monitor: Monitor, now: float, env: Environment) -> list[Action]:
    agent, leg = call.legs[monitor.agent_leg], call.legs[monitor.leg_id]
    actions: list[Action] = supervisor_track.stop(call, monitor)
    monitor.mode = "listen"
    _place(call, monitor)
    del call.monitors[monitor.monitor_id]
    leg.role, leg.heard_by, leg.keeps_digits = agent.role, None, False
    if agent.leg_id == call.a:
        call.a = leg.leg_id
    elif agent.leg_id == call.b:
        call.b = leg.leg_id
    if leg.kind == "extension":
        call.extension = leg.name
    actions += end_leg(agent, HangupCause.PICKED_OFF, "system", now, env)
    actions += settle(call, now, env) + drop_audio(agent)
    if leg.negotiated is not None:
        host = leg.address.rpartition(":")[0].removeprefix("[").removesuffix("]")
        actions.append(configure_command(leg, leg.negotiated, host, env.config.media))
    actions.append(
        events_monitor.CallTakenOver(
            call_id=call.call_id, leg_id=leg.leg_id, from_leg_id=agent.leg_id, supervisor=monitor.supervisor
        )
    )
    others = call.company(leg)
    if len(others) == 1:
        actions.append(events.CallConnected(call_id=call.call_id, leg_id=others[0].leg_id, peer_leg_id=leg.leg_id))
    return [*actions, _ended(call, monitor, "takeover")]


def _key(call: Call, monitor: Monitor, digit: str, now: float, env: Environment) -> Outcome:
    table = env.config.supervision.table()
    typed = monitor.keys + digit if now - monitor.keys_at < KEYS_S else digit
    if not any(keys.startswith(typed) for keys in table):
        typed = digit
    monitor.keys, monitor.keys_at = typed, now
    what = table.get(typed)
    if what is None:
        return stay()
    monitor.keys = ""
    match what:
        case "takeover" | "disconnect" | "stop":
            return _end(call, monitor, what, now, env)
        case "barge_listen_only":
            return stay(_set_mode(call, monitor, "barge", "listen_only", now, env))
        case mode:
            return stay(_set_mode(call, monitor, mode, "full", now, env))


def _of(call: Call, leg: Leg) -> Monitor | None:
    if leg.ringing:
        return call.monitors.get(leg.ringing)
    return next((each for each in call.monitors.values() if each.leg_id == leg.leg_id), None)


def _changed(call: Call, monitor: Monitor) -> Action:
    agent = call.legs[monitor.agent_leg]
    return events_monitor.MonitorChanged(
        monitor_id=monitor.monitor_id,
        call_id=call.call_id,
        supervisor=monitor.supervisor,
        agent_leg_id=agent.leg_id,
        agent=agent.name,
        mode=monitor.mode,
        agent_audio=monitor.agent_audio,
    )


def _ended(call: Call, monitor: Monitor, reason: str) -> Action:
    return events_monitor.MonitorEnded(
        monitor_id=monitor.monitor_id, call_id=call.call_id, supervisor=monitor.supervisor, reason=reason
    )
