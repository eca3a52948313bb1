"""What callers say of the service, as it is told; and that nobody is asked twice (SAT-01, SAT-02, XIVR-07). Pure."""

from ivr.run import Survey
from model.events_queue import CallRated, SurveyAnswered
from model.flows import Satisfaction
from switch.actions import Action
from switch.call import Call, QueueStay
from switch.variables import set_data

RATING = "rating"
"""Call data: how he was served. Other questions: survey_QUESTION."""


def served_in(call: Call) -> QueueStay | None:
    """The queue whose agent served him last."""
    return call.stay if call.stay is not None and call.stay.agent_id else None


def is_rated(call: Call) -> bool:
    served = served_in(call)
    return served.rating == "thanked" if served is not None else RATING in call.variables


def take(call: Call, said: Survey) -> list[Action]:
    """Of a flow."""
    if said.question:
        return _answered(call, said)
    served = served_in(call)
    if said.answer in ("asked", "asked_again"):
        if served is not None:
            served.rating = said.answer
        return []
    result = said.answer
    if result == "none":
        result = "wrong_key" if served is not None and served.rating == "asked_again" else "hung_up"
    return [rated(call, result, said.key), *set_data(call, {RATING: result})]


def rated(call: Call, result: str, key: str) -> CallRated:
    served = served_in(call)
    if served is None:
        return CallRated(call_id=call.call_id, queue="", agent_id="", result=result, key=key)
    served.rating = "thanked"
    return CallRated(call_id=call.call_id, queue=served.queue, agent_id=served.agent_id, result=result, key=key)


def unfinished(call: Call) -> list[Action]:
    """He is gone, or goes on: what he was asked stays without an answer."""
    actions: list[Action] = []
    served = served_in(call)
    if served is not None and served.rating in ("asked", "asked_again"):
        actions.append(rated(call, "wrong_key" if served.rating == "asked_again" else "hung_up", ""))
    run = call.flow
    if run is not None and run.waits_for:
        node = run.frames[-1].program.nodes.get(run.frames[-1].node)
        if isinstance(node, Satisfaction) and node.question:
            actions += _answered(call, Survey(node.question, "hung_up"))
    return actions


def _answered(call: Call, said: Survey) -> list[Action]:
    if said.answer in ("asked", "asked_again"):
        return []
    served = served_in(call)
    told = SurveyAnswered(
        call_id=call.call_id,
        flow=call.flow_name,
        question=said.question,
        answer=said.answer,
        key=said.key,
        queue=served.queue if served is not None else "",
        agent_id=served.agent_id if served is not None else "",
    )
    return [told, *set_data(call, {f"survey_{said.question}": said.answer})]
