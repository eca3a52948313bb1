"""After-call work of campaigns' calls on the agent desk (XAGT-02): whoever dialled, it ends with a code or in time.

Not covered: what a code does to a record (tests/scenarios/test_preview.py).
"""

import pytest

from acd.centre import Centre
from acd.desk import AgentDesk
from acd.desk_inputs import (
    Activity,
    CallOver,
    CampaignCall,
    DeskInput,
    EndAcw,
    GoNotReady,
    GoReady,
    ResultGiven,
    SignIn,
)
from acd.engine import AcdEngine
from acd.inputs import CallEnters, OfferAnswered, QueueChanges
from model.agents import Agent, Membership
from model.errors import InvalidValue, WrongState
from model.events_agent import AgentAcwEnded, AgentCallEnded
from model.queues import Queue, WrapUp

WRAP_UP = WrapUp(max_s=60.0, codes=("sold", "no"), is_code_required=True)


class Desk:
    """Agent a of queue q, at a phone."""

    def __init__(self, **agent: object) -> None:
        self.centre = Centre(AcdEngine(seed=1), AgentDesk())
        self.now = 100.0
        self.out: list[object] = []
        self.tell(QueueChanges(Queue(name="q", wrap_up=WrapUp(max_s=30.0, codes=("other",)))))
        one = Agent(agent_id="a", extension="1001", queues=(Membership(queue="q"),), **agent)  # type: ignore[arg-type]
        self.tell(SignIn(agent=one, mode="extension", extension="1001"))

    def tell(self, told: object) -> list[object]:
        said = self.centre.handle(told, self.now)  # type: ignore[arg-type]
        self.out += said
        return said

    def state(self) -> str:
        return self.centre.desk.find("a").display()[0]

    def dials(self, call_id: str = "c1", **told: object) -> None:
        """He dials, and speaks to the customer."""
        self.tell(Activity(agent_id="a", doing="dialing", call_id=call_id))
        self.tell(Activity(agent_id="a", doing="on_call", call_id=call_id))
        self.tell(
            CampaignCall(**{"agent_id": "a", "call_id": call_id, "wrap_up": WRAP_UP, "is_result_due": True, **told})
        )  # type: ignore[arg-type]

    def hangs_up(self, call_id: str = "c1") -> None:
        self.tell(CallOver(agent_id="a", call_id=call_id, call_type="campaign", talk_s=5.0))
        self.tell(Activity(agent_id="a", doing=""))

    def of(self, kind: type) -> list:
        return [each for each in self.out if isinstance(each, kind)]


def refused(desk: Desk, told: DeskInput, error: type[Exception]) -> None:
    with pytest.raises(error):
        desk.tell(told)


def test_a_code_is_owed_after_a_call_that_he_dialled():
    desk = Desk()
    desk.dials()
    desk.hangs_up()
    assert desk.state() == "acw"
    refused(desk, EndAcw(agent_id="a"), InvalidValue)
    refused(desk, EndAcw(agent_id="a", code="other"), InvalidValue)
    refused(desk, GoReady(agent_id="a"), WrongState)
    refused(desk, GoNotReady(agent_id="a", reason="break"), WrongState)
    desk.tell(EndAcw(agent_id="a", code="sold"))
    assert [(each.code, each.call_id) for each in desk.of(AgentAcwEnded)] == [("sold", "c1")]
    (ended,) = desk.of(AgentCallEnded)
    assert (ended.queue, ended.entry_id, ended.call_type) == ("", "", "campaign")


def test_its_time_runs_out():
    desk = Desk()
    desk.dials()
    desk.hangs_up()
    desk.now += 59.0
    desk.out += desk.centre.handle_timeout(desk.now)
    assert desk.state() == "acw"
    desk.now += 1.0
    desk.out += desk.centre.handle_timeout(desk.now)
    assert [each.code for each in desk.of(AgentAcwEnded)] == ["ACW_TIMEOUT"]
    assert desk.state() == "not_ready"


@pytest.mark.parametrize("is_due", [True, False])
def test_who_is_available_after_calls_still_owes_what_is_due(is_due):
    desk = Desk(post_call="available")
    desk.dials(is_result_due=is_due)
    desk.hangs_up()
    assert desk.state() == ("acw" if is_due else "not_ready")


def test_what_is_said_during_the_call_is_the_code_and_nothing_is_owed():
    desk = Desk()
    desk.dials()
    desk.tell(ResultGiven(agent_id="a", call_id="c1", code="no"))
    assert desk.state() == "on_call"
    desk.hangs_up()
    assert desk.state() == "acw"
    desk.tell(GoReady(agent_id="a"))
    assert [each.code for each in desk.of(AgentAcwEnded)] == ["no"]


def test_a_result_ends_the_work_after_the_call_it_is_of_and_no_other():
    desk = Desk()
    desk.dials()
    desk.hangs_up()
    desk.tell(ResultGiven(agent_id="a", call_id="c0", code="no"))
    assert desk.state() == "acw"
    desk.tell(ResultGiven(agent_id="a", call_id="c1", code="no", note="n"))
    assert [(each.code, each.note) for each in desk.of(AgentAcwEnded)] == [("no", "n")]
    desk.tell(ResultGiven(agent_id="a", call_id="c1", code="sold"))
    assert len(desk.of(AgentAcwEnded)) == 1


def test_a_call_that_he_has_left_already_owes_nothing():
    desk = Desk()
    desk.tell(CampaignCall(agent_id="a", call_id="c1", wrap_up=WRAP_UP, is_result_due=True))
    desk.tell(CampaignCall(agent_id="b", call_id="c1", wrap_up=WRAP_UP))
    desk.tell(Activity(agent_id="a", doing="on_call", call_id="c2"))
    desk.hangs_up("c2")
    assert desk.state() == "not_ready"


def test_a_call_of_the_dialler_keeps_its_queue_and_takes_the_codes_of_its_campaign():
    desk = Desk()
    desk.tell(GoReady(agent_id="a"))
    desk.tell(CallEnters(entry_id="e1", call_id="c1", queue="q", is_outbound=True))
    (offer,) = desk.centre.engine.state.offers.values()
    desk.tell(OfferAnswered(offer.offer_id))
    desk.tell(CampaignCall(agent_id="a", call_id="c1", wrap_up=WRAP_UP, is_result_due=True))
    desk.hangs_up()
    assert desk.state() == "acw"
    (ended,) = desk.of(AgentCallEnded)
    assert (ended.queue, ended.entry_id, ended.call_type) == ("q", "e1", "queue")
    refused(desk, EndAcw(agent_id="a", code="other"), InvalidValue)
    desk.tell(ResultGiven(agent_id="a", call_id="c1", code="sold"))
    assert desk.state() == "available"
    # The core offers him the next one.
    desk.tell(CallEnters(entry_id="e2", call_id="c2", queue="q"))
    assert len(desk.centre.engine.state.offers) == 1
