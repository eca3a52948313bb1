"""The switch without its sockets, clock, disk and tasks: every pure part, wired together.

`App` gives it the real outside; scenarios a simulated network and clock; the benchmark memory.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from model.declare import Event
from model.events_security import SourceBanned, SourceUnbanned
from model.ids import IdSource
from sip.stack import Listener, SipStack, TransactionTimers
from switch.actions import MakeSpeech
from switch.admission import Admission
from switch.browser_edge import BrowserEdge
from switch.browsers import Browsers
from switch.calls import Calls
from switch.config import Config
from switch.dialer import Dialer
from switch.directory import Directory
from switch.door import METHODS, Door
from switch.environment import Environment
from switch.floor import Floor
from switch.guard import Guard
from switch.identity import Gatekeeper
from switch.keepalive import KeepAlives
from switch.media_pool import MediaPool
from switch.messages import Messages
from switch.nat import Surroundings
from switch.notifier import Notifier
from switch.registrations import Registrations
from switch.runtime import Outside, Runtime
from switch.security_events import SecurityEvent
from switch.services import is_in_call
from switch.sip_legs import SipLegs
from switch.speech_service import SpeechService
from switch.trunks import Lookup, Trunks


class Core(msgspec.Struct, frozen=True):
    """What `assemble` made."""

    directory: Directory
    stack: SipStack
    pool: MediaPool
    env: Environment
    calls: Calls
    runtime: Runtime
    registrations: Registrations
    trunks: Trunks
    notifier: Notifier
    keep_alives: KeepAlives
    messages: Messages
    door: Door
    browser_edge: BrowserEdge
    guard: Guard
    floor: Floor
    speech: SpeechService
    dialer: Dialer


def _tell(event: SecurityEvent, outside: Outside, publish: Callable[[Event], None]) -> None:
    outside.report(event)
    if event.kind == "ban":
        reason = event.detail.rpartition(", ")[0]
        publish(SourceBanned(address=event.source, port=event.port, reason=reason, duration_s=event.lasts_s))
    elif event.kind == "unban":
        publish(SourceUnbanned(address=event.source, port=event.port))


class Secrets(Protocol):
    """Random bytes."""

    def __call__(self, n: int, /) -> bytes: ...


def assemble(
    config: Config,
    directory: Directory,
    listeners: Sequence[Listener],
    pool: MediaPool,
    outside: Outside,
    lookup: Lookup,
    *,
    ids: IdSource,
    secrets: Secrets,
    wall_offset: float,
    publish: Callable[[Event], None],
    is_congested: Callable[[], bool] = lambda: False,
    timers: TransactionTimers | None = None,
) -> Core:
    """Wires the parts. `wall_offset` is UTC seconds minus the clock of `outside`."""
    surroundings = Surroundings(config.nat, pool.hosts)
    pool.host_for = surroundings.host_for
    listeners = [msgspec.structs.replace(one, external_host=_external(config, one)) for one in listeners]
    guard = Guard(
        config.security,
        lambda event: _tell(event, outside, publish),
        directory.is_trunk,
        known_s=config.sip.max_expires_s + 300.0,
    )
    gatekeeper = Gatekeeper(config, directory, secrets(32), guard)
    admission = Admission(gatekeeper, guard, directory)
    stack = SipStack(
        listeners,
        admission=admission,
        token=ids.token,
        user_agent=config.sip.user_agent,
        methods=METHODS,
        timers=timers or TransactionTimers(),
        session_expires_s=config.sip.session_expires_s,
        min_se_s=config.sip.min_session_expires_s,
        is_outside=surroundings.is_outside if surroundings.has_external else None,
    )
    registrations = Registrations(config, publish, outside.clock, lambda: outside.clock() + env.wall_offset, ids.token)
    env = Environment(config, directory, ids, registrations.bindings, pool, wall_offset)
    calls = Calls(env)
    env.is_in_call = lambda number: is_in_call(calls.calls.values(), number)
    browsers = Browsers(ids.token)
    legs = SipLegs(config, directory, stack, pool, local_host=stack.sent_by, browsers=browsers)
    runtime = Runtime(stack, calls, legs, pool, outside)
    browser_edge = BrowserEdge(runtime, browsers, publish, reattach_s=config.webrtc.reattach_s)
    registrations.tell_bound(browser_edge.registered)
    trunks = Trunks(runtime, directory, lookup, publish, outside.clock)
    runtime.guard = guard
    admission.ask_legs(legs.leg_of)
    registrations.admit_with(gatekeeper)
    notifier = Notifier(runtime, gatekeeper, registrations, publish, ids.token)
    messages = Messages(runtime, gatekeeper, registrations, publish)
    runtime.watch_calls(notifier.calls_touched)
    keep_alives = KeepAlives(
        stack,
        registrations,
        config.nat.keep_alive_s,
        local_name=stack.sent_by,
        perform=runtime.perform_sip,
        moved=runtime.flow_moved,
    )
    for machine in (registrations, trunks, notifier, keep_alives, browser_edge):
        runtime.also_drive(machine, machine.handle_timeout)
        runtime.watch_flows(machine.flow_failed)
    floor = Floor(runtime, directory, env, int.from_bytes(secrets(8)))
    floor.begin()
    dialer = Dialer(runtime, directory, env, floor)
    speech = SpeechService(runtime.tell, runtime.dispatch)
    runtime.also_perform(MakeSpeech, speech.make)
    registrations.on_change(floor.phones_changed)
    door = Door(runtime, gatekeeper, registrations, trunks, notifier, messages, is_congested=is_congested)
    door.requests_done.append(keep_alives.request_done)
    runtime.open_door(door)
    return Core(
        directory,
        stack,
        pool,
        env,
        calls,
        runtime,
        registrations,
        trunks,
        notifier,
        keep_alives,
        messages,
        door,
        browser_edge,
        guard,
        floor,
        speech,
        dialer,
    )


def _external(config: Config, listener: Listener) -> str:
    """The listener's address as the outside sees it; only what is of the same family is translated."""
    external = config.nat.external_address
    return external if external and (":" in external) == (":" in listener.host) else ""
