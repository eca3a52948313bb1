"""ivr/statistics.py: what became of callers, counted from events; every call of the time is in exactly one figure."""

from hypothesis import given
from hypothesis import strategies as st

from ivr.statistics import FlowFigures
from model.events_flow import FlowEnded, FlowLeft, FlowTrouble, FlowVisited


def visited(call: str, node: str, flow: str = "main", version: int = 1) -> FlowVisited:
    return FlowVisited(call_id=call, flow=flow, version=version, at_node=node, kind="menu")


def left(call: str, node: str, branch: str, flow: str = "main") -> FlowLeft:
    return FlowLeft(call_id=call, flow=flow, version=1, at_node=node, branch=branch)


def ended(call: str, result: str, at: str = "main/menu", flow: str = "main") -> FlowEnded:
    return FlowEnded(call_id=call, flow=flow, version=1, at_node=at, result=result, n_steps=1)


def figures(*events: tuple[float, object], version: int = 0) -> FlowFigures:
    made = FlowFigures("main", version, 100.0, 200.0)
    for at_utc, event in events:
        made.feed(event, at_utc)
    return made


def test_xivr_10_visits_branches_drop_offs_and_troubles_of_each_node():
    made = figures(
        (100.0, visited("a", "menu")),
        (101.0, left("a", "menu", "1")),
        (101.0, visited("a", "account")),
        (102.0, FlowTrouble(call_id="a", flow="main", at_node="account", problem="no answer")),
        (103.0, ended("a", "hung_up", "main/account")),
        (104.0, visited("b", "menu")),
        (105.0, left("b", "menu", "1")),
        (105.0, ended("b", "queue")),
    )
    assert made.calls == 2 and made.results == {"hung_up": 1, "queue": 1}
    menu, account = made.nodes["menu"], made.nodes["account"]
    assert (menu.visits, menu.branches, menu.dropped, menu.troubles) == (2, {"1": 2}, 0, 0)
    assert (account.visits, account.branches, account.dropped, account.troubles) == (1, {}, 1, 1)


def test_a_call_counts_where_it_began_whatever_comes_after_the_time():
    made = figures(
        (99.0, visited("before", "menu")),
        (100.0, visited("before", "account")),
        (101.0, ended("before", "hung_up")),
        (199.0, visited("late", "menu")),
        (200.0, visited("after", "menu")),
        (201.0, visited("late", "account")),
    )
    assert made.calls == 1 and made.is_waiting and not made.results
    assert made.nodes["menu"].visits == made.nodes["account"].visits == 1
    made.feed(ended("after", "ended"), 202.0)
    made.feed(ended("late", "ended"), 203.0)
    assert made.results == {"ended": 1} and not made.is_waiting


def test_a_sub_flow_has_visits_and_no_calls_of_its_own():
    made = figures(
        (100.0, visited("a", "top", flow="other")),
        (101.0, visited("a", "menu")),
        (102.0, visited("a", "menu")),
        (103.0, ended("a", "hung_up", "main/menu", flow="other")),
        # Back from a queue.
        (110.0, visited("a", "menu")),
        (111.0, ended("a", "ended")),
    )
    assert (made.calls, made.as_sub_flow, made.results) == (1, 1, {"ended": 1})
    assert (made.nodes["menu"].visits, made.nodes["menu"].dropped) == (3, 1)


def test_of_one_version():
    made = figures(
        (100.0, visited("a", "menu")), (101.0, visited("b", "menu", version=2)), (102.0, ended("b", "ended")), version=2
    )
    assert (made.calls, made.versions, made.nodes["menu"].visits) == (1, {2: 1}, 1)


CALLS = st.sampled_from(["a", "b", "c"])
EVENTS = st.one_of(
    st.builds(visited, CALLS, st.sampled_from(["x", "y"]), st.sampled_from(["main", "other"])),
    st.builds(left, CALLS, st.sampled_from(["x", "y"]), st.just("next"), st.sampled_from(["main", "other"])),
    st.builds(
        ended,
        CALLS,
        st.sampled_from(["ended", "queue", "hung_up", "new"]),
        st.sampled_from(["main/x", "other/x", ""]),
        st.sampled_from(["main", "other"]),
    ),
)


@given(st.lists(st.tuples(st.floats(0, 40), EVENTS), max_size=60))
def test_no_call_is_counted_twice(told):
    at_utc, made, begun, inside = 50.0, FlowFigures("main", 0, 100.0, 200.0), 0, {}
    for later_s, event in told:
        at_utc += later_s
        made.feed(event, at_utc)
        if isinstance(event, FlowVisited) and event.call_id not in inside:
            counts = event.flow == "main" and 100.0 <= at_utc < 200.0
            begun += counts
            # Nobody is looked for who came after the time.
            if at_utc < 200.0:
                inside[event.call_id] = counts
        elif isinstance(event, FlowEnded):
            inside.pop(event.call_id, None)
    assert made.calls == begun
    assert made.calls - sum(made.results.values()) == sum(inside.values())
    assert made.is_waiting is any(inside.values())
