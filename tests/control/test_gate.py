"""Covers: the whole catalogue of commands against the built-in roles; scopes by agent group and queue; what is one's
own; lists, results and events that are sieved; nobody gives more than he has (RBAC-01…08, SUP-01, SUP-18, SUP-23).

Does not cover whose the things of a running switch are (tests/scenarios/test_permissions.py).
"""

from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.auth import ApiUser, Caller
from control.gate import Gate, Reach, Viewer
from control.role_book import RoleBook
from model import errors, events, views
from model.catalogue import our_commands, our_events
from model.commands import GetRecording, Hangup, ListCalls
from model.commands_monitor import StartMonitor
from model.commands_originate import Originate
from model.declare import COMMANDS, EVENTS, command_spec, event_spec
from model.events_agent import AgentStateChanged
from model.events_monitor import MonitorStarted
from model.events_queue import QueueAllBusy, QueueEntered
from model.permissions import PERMISSIONS
from model.records import CallRecord, RecordingRecord
from model.roles import BUILT_IN_ROLES, Rights, Role, RoleFault, compile_rights
from tests.control.rig import TableObjects, run, running

LEAST_ROLE = {
    "": "auth.login events.subscribe events.unsubscribe system.ping",
    "viewer": """
        call.list call.get registration.list trunk.list system.status conference.list conference.get extension.list
        extension.get parking.list extension.services mailbox.get presence.get subscription.list
    """,
    "operator": """
        call.hangup call.hold call.resume call.dtmf call.secure call.detect_answer call.play call.stop_play
        call.history recording.list recording.get recording.start recording.pause recording.resume recording.stop
        call.collect call.stop_collect conference.invite conference.member conference.mute_all conference.kick
        conference.lock conference.end call.originate call.park call.retrieve ban.list extension.set_services
        call.transfer call.redirect call.mute call.set_data consult.start consult.cancel consult.complete
        consult.swap consult.merge mailbox.set presence.set message.send
    """,
    "supervisor": """
        monitor.start monitor.list monitor.mode monitor.takeover monitor.disconnect monitor.stop supervisor.call
        call.dispatch ban.add ban.remove trace.start trace.read trace.stop role.list role.get permission.list
    """,
    "administrator": """
        system.drain extension.create extension.update extension.delete node.reload_tls role.add role.update
        role.remove audit.list audit.verify
    """,
}
"""Each may do what those before may, too."""
ORDER = ["", "viewer", "operator", "supervisor", "administrator"]
LEAST = {name: role for role, names in LEAST_ROLE.items() for name in names.split()}
LEAST_BY_PERMISSION = {
    "viewer": """
        agent.view call.view campaign.view conference.view extension.view flow.view phone.view_full queue.view
        switch.view
    """,
    "operator": """
        agent.control campaign.control
        call.control call.dial_external call.history call.originate call.secure conference.control extension.control
        message.send recording.view recording.play recording.control security.view switch.operate
    """,
    "supervisor": """
        agent.work agent.call agent.force_state call.dispatch campaign.manage monitor.listen monitor.whisper
        monitor.barge
        monitor.takeover monitor.force_release queue.control report.view role.view security.manage switch.supervise
        trace.use voicemail.play
    """,
    "administrator": """
        agent.manage audit.view extension.manage flow.manage list.manage prompt.manage queue.manage role.manage
        routing.manage
        switch.manage trace.unmask
    """,
}
AGENT_MAY = {"agent.work", "call.dial_external", "phone.view_full"}

OBJECTS = TableObjects(
    {
        ("agent", "8001"): Reach(frozenset(["8001"]), frozenset(["sales"])),
        ("agent", "8002"): Reach(frozenset(["8002"]), frozenset(["service"])),
        ("extension", "1001"): Reach(frozenset(["8001"]), frozenset(["sales"])),
        ("extension", "1002"): Reach(frozenset(["8002"]), frozenset(["service"])),
        ("extension", "1009"): Reach(groups=frozenset(["lobby"])),
        ("call", "of-sales"): Reach(frozenset(["8001"]), frozenset(["sales"])),
        ("call", "of-service"): Reach(frozenset(["8002"]), frozenset(["service"])),
        ("call", "waiting"): Reach(queues=frozenset(["hotline"])),
    },
    queues={"8001": frozenset(["hotline"]), "8002": frozenset(["backoffice"])},
    roles={"8001": "agent", "8002": "agent"},
)
LEAD = Role(name="lead", base="supervisor", agent_groups=("sales", "lobby"), queues=("hotline",))
BOOK = RoleBook([LEAD])
GATE = Gate(BOOK, OBJECTS)
ROOT = Caller("root", "administrator")
LEADER = Caller("lea", "lead")
ANN = Caller("ann", "", agent="8001")


def may(caller: Caller, command, gate: Gate = GATE) -> bool:
    try:
        gate.admit(caller, command_spec(type(command)), command)
    except errors.PermissionDenied as problem:
        assert problem.data["needed"] in PERMISSIONS
        return False
    return True


def is_admitted(role: str, spec) -> bool:
    command = SimpleNamespace(**dict.fromkeys(spec.params.__struct_fields__, "anything"))
    try:
        GATE.admit(Caller("somebody", role), spec, command)
    except errors.PermissionDenied:
        return False
    return True


# -- built-in roles ---------------------------------------------------------------------------------------------------


def test_each_permission_has_its_place_in_the_table() -> None:
    assert sorted(name for names in LEAST_BY_PERMISSION.values() for name in names.split()) == sorted(PERMISSIONS)


@pytest.mark.parametrize("role", ORDER[1:])
def test_built_in_roles_have_the_permissions_of_the_table(role) -> None:
    expected = {name for each in ORDER[1 : ORDER.index(role) + 1] for name in LEAST_BY_PERMISSION[each].split()}
    rights = BOOK.rights(role)
    assert rights.permissions == rights.unlimited == expected


@pytest.mark.parametrize("spec", our_commands(), ids=lambda spec: spec.name)
def test_every_command_of_the_catalogue_against_every_built_in_role(spec) -> None:
    needed = spec.permission
    least = LEAST.get(spec.name) or next(
        (role for role, names in LEAST_BY_PERMISSION.items() if needed in names.split()), ""
    )
    for role in ORDER[1:]:
        assert is_admitted(role, spec) is (ORDER.index(role) >= ORDER.index(least)), role
    # Without an agent of his own nothing is his own.
    assert is_admitted("agent", spec) is (not needed or needed in AGENT_MAY)


@pytest.mark.parametrize("name", sorted(LEAST))
def test_commands_in_the_table_exist(name) -> None:
    assert name in COMMANDS


def test_only_what_belongs_to_the_connection_needs_no_permission() -> None:
    assert {spec.name for spec in our_commands() if not spec.permission} == set(LEAST_ROLE[""].split())


def test_a_role_that_is_gone_allows_nothing() -> None:
    assert not may(Caller("x", "gone"), ListCalls())


# -- scopes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "command", "allowed"),
    [
        (LEADER, StartMonitor(supervisor="1003", extension="1001"), True),
        (LEADER, StartMonitor(supervisor="1003", extension="1009"), True),
        (LEADER, StartMonitor(supervisor="1003", extension="1002"), False),
        (LEADER, StartMonitor(supervisor="1003", call_id="of-sales"), True),
        (LEADER, StartMonitor(supervisor="1003", call_id="of-service"), False),
        (LEADER, StartMonitor(supervisor="1003", call_id="of-sales", extension="1002"), False),
        (LEADER, Hangup(call_id="of-sales"), True),
        (LEADER, Hangup(call_id="of-service"), False),
        (LEADER, Hangup(call_id="waiting"), True),
        (LEADER, Hangup(call_id="unknown"), False),
        (LEADER, Originate(from_="1001", to="13800138000"), True),
        (LEADER, Originate(from_="1002", to="13800138000"), False),
        (ROOT, Hangup(call_id="unknown"), True),
        (ANN, Hangup(call_id="of-sales"), True),
        (ANN, Hangup(call_id="of-service"), False),
        (ANN, Originate(from_="1001", to="13800138000"), True),
        (ANN, Originate(from_="1002", to="13800138000"), False),
        (ANN, StartMonitor(supervisor="1001", call_id="of-sales"), False),
    ],
    ids=lambda value: value.user if isinstance(value, Caller) else str(value)[:60],
)
def test_a_permission_holds_for_the_groups_and_queues_of_the_role(caller, command, allowed) -> None:
    assert may(caller, command) is allowed


def test_who_may_listen_may_not_therefore_barge() -> None:
    book = RoleBook([Role(name="ear", permissions=("monitor.listen",), agent_groups=("*",))])
    gate = Gate(book, OBJECTS)
    ear = Caller("e", "ear")
    assert may(ear, StartMonitor(supervisor="1003", extension="1001"), gate)
    assert not may(ear, StartMonitor(supervisor="1003", extension="1001", mode="barge"), gate)
    assert not may(ear, StartMonitor(supervisor="1003", extension="1001", mode="whisper"), gate)


def test_a_change_of_the_role_holds_at_once() -> None:
    book = RoleBook([])
    gate = Gate(book, OBJECTS)
    kim = Caller("kim", "helper")
    assert not may(kim, ListCalls(), gate)
    book.put(Role(name="helper", permissions=("call.*",), agent_groups=("*",)))
    assert may(kim, ListCalls(), gate)
    book.remove("helper")
    assert not may(kim, ListCalls(), gate)


def test_require_asks_for_what_a_handler_found() -> None:
    GATE.require(LEADER, "monitor.listen", "extension", "1001")
    with pytest.raises(errors.PermissionDenied, match=r"not for extension 1002"):
        GATE.require(LEADER, "monitor.listen", "extension", "1002")


# -- three tiers (RBAC-08) --------------------------------------------------------------------------------------------


def call(call_id: str, *extensions: str) -> views.CallView:
    legs = [views.LegView(leg_id=e, kind="extension", name=e, direction="in", state="answered") for e in extensions]
    return views.CallView(
        call_id=call_id, phase="bridged", direction="inbound", caller="", dialed="", created_utc=1.0, legs=legs
    )


@pytest.mark.parametrize(
    ("caller", "seen"),
    [(ANN, ["a"]), (LEADER, ["a", "c"]), (ROOT, ["a", "b", "c", "d"])],
    ids=["agent", "supervisor", "administrator"],
)
def test_lists_show_own_or_subordinates_or_all(caller, seen) -> None:
    calls = [call("a", "1001"), call("b", "1002"), call("c", "1009"), call("d")]
    shown = GATE.sieve(caller, command_spec(ListCalls), views.CallList(calls=calls, n_calls=4))
    assert [each.call_id for each in shown.calls] == seen
    assert shown.n_calls == len(seen)


@pytest.mark.parametrize(
    ("caller", "agent", "allowed"),
    [(ANN, "8001", True), (ANN, "8002", False), (LEADER, "8001", True), (LEADER, "8002", False), (ROOT, "", True)],
)
def test_a_recording_is_played_to_who_may_hear_its_agent(caller, agent, allowed) -> None:
    recording = RecordingRecord(recording_id="r", call_id="old", path="a.wav", started_utc=1.0, agent_id=agent)
    spec = command_spec(GetRecording)
    GATE.admit(caller, spec, GetRecording(recording_id="r"))
    if allowed:
        assert GATE.sieve(caller, spec, recording) is recording
    else:
        with pytest.raises(errors.PermissionDenied):
            GATE.sieve(caller, spec, recording)


def test_a_stored_call_is_known_by_its_legs() -> None:
    record = CallRecord(
        call_id="old",
        direction="inbound",
        caller="",
        dialed="",
        extension="1001",
        created_utc=1.0,
        ended_utc=2.0,
        duration_s=1.0,
        hangup_cause="",
    )
    spec = COMMANDS["call.get"]
    detail = views.CallDetail(record=record)
    assert GATE.sieve(ANN, spec, detail) is detail
    with pytest.raises(errors.PermissionDenied):
        GATE.sieve(ANN, spec, views.CallDetail(record=msgspec.structs.replace(record, extension="1002")))


def test_a_supervisors_track_is_not_the_agents() -> None:
    spec = COMMANDS["recording.list"]
    track = RecordingRecord(
        recording_id="t", call_id="of-sales", path="x_supervisor_1003_.wav", started_utc=1.0, extension="1003"
    )
    own = msgspec.structs.replace(track, recording_id="r", extension="1001")
    shown = GATE.sieve(ANN, spec, views.RecordingList(recordings=[track, own]))
    assert shown.recordings == [own]


def test_an_agent_does_not_see_who_listens() -> None:
    spec = COMMANDS["call.get"]
    listened = call("of-sales", "1001", "1003")
    listened.legs[1] = msgspec.structs.replace(listened.legs[1], role="supervisor")
    seen = {
        caller.user: [leg.name for leg in GATE.sieve(caller, spec, views.CallDetail(live=listened)).live.legs]
        for caller in (ANN, LEADER, ROOT)
    }
    assert seen == {"ann": ["1001"], "lea": ["1001", "1003"], "root": ["1001", "1003"]}


STATE = AgentStateChanged(
    agent_id="8001",
    group="sales",
    state="available",
    reason="",
    previous="offline",
    previous_reason="",
    previous_s=1.0,
    call_id="",
    queue="",
    by="",
    pending="",
)
ENTERED = QueueEntered(
    call_id="waiting",
    entry_id="e",
    queue="hotline",
    caller="1",
    rank="normal",
    position=1,
    priority=0,
    is_outbound=False,
    waited_s=0.0,
    n_hops=0,
    is_resumed=False,
)
BUSY = QueueAllBusy(queue="backoffice", is_over=False, n_waiting=1, n_agents=1, longest_wait_s=1.0)
LISTENS = MonitorStarted(
    monitor_id="m", call_id="of-sales", supervisor="1003", leg_id="l", agent_leg_id="a", agent="1001", mode="listen"
)
TOLD = {
    "of his own": (events.CallRinging(call_id="of-sales", leg_id="l"), "ann lea root"),
    "of another's": (events.CallRinging(call_id="of-service", leg_id="l"), "root"),
    "his own state": (STATE, "ann lea root"),
    "another's state": (msgspec.structs.replace(STATE, agent_id="8002", group="service"), "root"),
    "his own queue": (ENTERED, "ann lea root"),
    "another queue": (BUSY, "root"),
    "somebody listens to him": (LISTENS, "lea root"),
    "the switch": (events.TrunkDown(trunk="carrier"), "lea root"),
}


@pytest.mark.parametrize("case", TOLD)
def test_events_are_told_to_own_or_superiors_or_administrators(case) -> None:
    event, expected = TOLD[case]
    spec = event_spec(type(event))
    reach = GATE.reach_of_event(event, spec)
    told = []
    for caller in (ANN, LEADER, ROOT):
        viewer = Viewer(GATE, caller)
        if viewer.sees_everything() or viewer.sees_all(spec) or viewer.sees(spec, reach):
            told.append(caller.user)
    assert told == expected.split()


def test_viewers_of_old_are_still_told_everything_but_who_listens() -> None:
    viewer = Viewer(GATE, Caller("v", "viewer"))
    hidden = {spec.name for spec in our_events() if not viewer.sees_all(EVENTS[spec.name])}
    assert not {name for name in hidden if not name.startswith(("monitor.", "role.", "audit.", "security."))}


def test_a_subscriber_is_told_what_he_may_see_and_misses_nothing_of_it() -> None:
    class OneRole:
        def rights(self, role: str) -> Rights:
            return BOOK.rights("lead")

    async def test() -> None:
        gate = Gate(OneRole(), OBJECTS)
        async with running(gate=gate) as rig:
            rig.hub.track(gate.reach_of_event)
            first = rig.hub.next_seq
            for call_id in ("of-sales", "of-service", "of-sales"):
                rig.hub.publish(events.CallRinging(call_id=call_id, leg_id="l"))
            peer = await rig.peer()
            await peer.ask("events.subscribe", from_seq=first)
            heard = [(await peer.hear())["params"] for _ in range(2)]
            assert [(each["call_id"], each["seq"]) for each in heard] == [("of-sales", first), ("of-sales", first + 2)]

    run(test())


# -- who may give what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "given", "excess"),
    [
        (LEAD, LEAD, ""),
        (LEAD, Role(name="r", permissions=("call.view",), agent_groups=("sales",)), ""),
        (LEAD, Role(name="r", permissions=("call.view",), agent_groups=("service",)), "call.view for agent_group"),
        (LEAD, Role(name="r", permissions=("call.view",), agent_groups=("*",)), "call.view for everybody"),
        (LEAD, Role(name="r", permissions=("queue.view",), queues=("other",)), "queue.view for queue other"),
        (LEAD, Role(name="r", permissions=("role.manage",)), "permission role.manage"),
        (BUILT_IN_ROLES["administrator"], LEAD, ""),
    ],
    ids=str,
)
def test_nobody_gives_more_than_he_has(mine, given, excess) -> None:
    assert compile_rights(mine).excess(compile_rights(given)).startswith(excess)
    assert bool(compile_rights(mine).excess(compile_rights(given))) is bool(excess)


_ROLES = st.builds(
    Role,
    name=st.just("r"),
    permissions=st.lists(st.sampled_from(["*", "call.*", "call.view", "queue.view", "monitor.*", "role.manage"])).map(
        tuple
    ),
    queues=st.lists(st.sampled_from(["*", "q", "p"])).map(tuple),
    agent_groups=st.lists(st.sampled_from(["*", "g", "h"])).map(tuple),
)


@given(_ROLES, _ROLES, st.sampled_from(sorted(PERMISSIONS)), st.sampled_from(["g", "h"]), st.sampled_from(["q", "p"]))
def test_a_role_without_excess_covers_nothing_that_the_giver_does_not(mine, given, permission, group, queue) -> None:
    mine, given = compile_rights(mine), compile_rights(given)
    if not mine.excess(given):
        for groups, queues in (([group], []), ([], [queue]), ([group], [queue])):
            assert not given.covers(permission, groups, queues) or mine.covers(permission, groups, queues)


# -- the book of roles ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faulty", [Role(name="x", base="emperor"), Role(name="x", permissions=("call.fly",)), Role(name="viewer")], ids=str
)
def test_faulty_roles_are_refused(faulty) -> None:
    with pytest.raises(RoleFault):
        RoleBook([faulty])


def test_a_role_that_somebody_has_stays_and_somebody_can_always_manage_roles() -> None:
    users = [ApiUser(name="boss", role="chief", token_hash=""), ApiUser(name="ann", agent="8001", token_hash="")]
    book = RoleBook([], users, lambda: {"8001": "helper"})
    book.put(Role(name="chief", permissions=("role.manage",)))
    book.put(Role(name="helper", permissions=("call.view",)))
    book.put(Role(name="spare", permissions=("call.view",)))
    assert (book.holders("chief"), book.holders("helper")) == (["user boss"], ["user ann", "agent 8001"])
    for name in ("chief", "helper"):
        with pytest.raises(errors.InUse):
            book.check_gone(name)
    book.check_gone("spare")
    with pytest.raises(errors.InUse, match=r"nobody could manage roles"):
        book.check_changed(Role(name="chief", permissions=("call.view",)))
    book.check_changed(Role(name="chief", permissions=("role.*",)))


def test_events_need_not_be_looked_at_while_everybody_may_see_them_all() -> None:
    def book(**user) -> RoleBook:
        return RoleBook([LEAD], [ApiUser(name="u", token_hash="", **user)])

    assert book(role="viewer").may_all_see_everything()
    assert not book(role="lead").may_all_see_everything()
    assert not book(agent="8001").may_all_see_everything()


def test_what_is_given_covers_waiting_calls_only_by_queue() -> None:
    assert BOOK.rights("lead").covers("call.view", [], ["hotline"])
    assert not BOOK.rights("lead").covers("call.view", ["service"], ["hotline"])
