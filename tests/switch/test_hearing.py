"""switch.hearing: who hears whom, music and segments from the rooms and properties of legs.

Covers the derivation and that `settle` tells only what changed. How the worker mixes it is tested in tests/media.
"""

import pytest

from model import events, media
from switch import hearing
from switch.call import MAIN, Call, Leg
from switch.config import CallLimits, Config
from switch.environment import Environment
from switch.ring_plan import Ringing


class Env:
    """As much of `switch.environment.Environment` as is looked at."""

    def __init__(self) -> None:
        self.config = Config(calls=CallLimits())
        self.music = ["moh:default"]
        self.ringback = ["tone:ringback/cn"]
        self.released = ["tone:busy/cn"]

    def wall(self, now: float) -> float:
        return 1000.0 + now


ENV: Environment = Env()  # type: ignore[assignment]


def conversation(*names: str, **rooms: str) -> Call:
    """A call with answered legs in the main room, or the one that is given."""
    legs = {
        name: Leg(
            leg_id=name,
            call_id="c",
            direction="in",
            kind="extension",
            name=name,
            caller="",
            dialed="",
            state="answered",
            room=rooms.get(name, MAIN),
            is_configured=True,
        )
        for name in (*names, *rooms)
    }
    return Call(call_id="c", caller="1", dialed="2", created_utc=0.0, legs=legs, phase="bridged")


def pairs(call: Call) -> str:
    """Edges as words: "ab ba" = b hears a, and a hears b."""
    return " ".join(sorted(edge.speaker + edge.listener for edge in hearing.derive_edges(call)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "ab ac ba bc ca cb"),
        ({"c": {"room": "consult"}}, "ab ba"),
        ({"c": {"room": ""}}, "ab ba"),
        ({"c": {"state": "early_media"}}, "ab ba"),
        ({"c": {"is_muted": True}}, "ab ac ba bc"),
        ({"c": {"is_deaf": True}}, "ab ba ca cb"),
        ({"c": {"is_held": True}}, "ab ba"),
        ({"c": {"is_away": True}}, "ab ba"),
        ({"c": {"heard_by": ()}}, "ab ac ba bc"),
        ({"c": {"heard_by": ("b",)}}, "ab ac ba bc cb"),
        ({"c": {"heard_by": ("a", "b"), "is_muted": True}}, "ab ac ba bc"),
    ],
)
def test_who_hears_whom(change, expected):
    call = conversation("a", "b", "c")
    for name, values in change.items():
        for key, value in values.items():
            setattr(call.legs[name], key, value)
    assert pairs(call) == expected


def test_two_consult_while_the_customer_hears_music():
    call = conversation("a", b="consult", c="consult")
    actions = hearing.settle(call, 5.0, ENV)
    assert pairs(call) == "bc cb"
    assert [(play.leg, play.play_id) for play in actions if isinstance(play, media.Play)] == [("a", "hold")]
    assert events.CallHeld(call_id="c", leg_id="a") in actions
    assert [(each.leg_id, each.purpose) for each in call.segments] == [
        ("a", "hold"),
        ("b", "consult"),
        ("c", "consult"),
    ]
    assert hearing.settle(call, 6.0, ENV) == [], "nothing is told twice"

    call.legs["b"].room = MAIN
    actions = hearing.settle(call, 9.0, ENV)
    assert pairs(call) == "ab ba"
    assert [(play.leg, play.play_id) for play in actions if isinstance(play, media.Play)] == [("c", "hold")]
    assert media.StopPlay("c", "a", "hold") in actions
    assert [(s.leg_id, s.purpose, s.started_utc, s.ended_utc) for s in call.segments] == [
        ("a", "hold", 1005.0, 1009.0),
        ("b", "consult", 1005.0, 1009.0),
        ("c", "consult", 1005.0, 1009.0),
        ("a", "talk", 1009.0, 0.0),
        ("b", "talk", 1009.0, 0.0),
        ("c", "hold", 1009.0, 0.0),
    ]


def test_who_waits_for_a_transfer_hears_ringback_then_the_destination_itself():
    call = conversation("a")
    call.ringings["r"] = Ringing(ringing_id="r", caller_leg="a", caller="1", dialed="2", has_ringback=True)
    assert media.Play("c", "a", "ringback", ENV.ringback, True) in hearing.settle(call, 0.0, ENV)
    rung = Leg(leg_id="r1", call_id="c", direction="out", kind="extension", name="2", caller="", dialed="", ringing="r")
    call.legs["r1"] = rung
    rung.state, call.ringings["r"].is_heard = "early_media", True
    actions = hearing.settle(call, 3.0, ENV)
    assert actions == [media.ConnectMatrix("c", [media.Edge("r1", "a")]), media.StopPlay("c", "a", "ringback")]
    assert [(each.leg_id, each.purpose) for each in call.segments] == [("a", "ring")]


def test_nobody_hears_a_silent_listener_or_gets_music_for_it():
    call = conversation("a", "b", "s")
    call.legs["s"].heard_by = ()
    hearing.settle(call, 0.0, ENV)
    assert {each.leg_id: each.purpose for each in call.segments} == {"a": "talk", "b": "talk", "s": "monitor"}
    call.legs["b"].is_away = True
    actions = hearing.settle(call, 1.0, ENV)
    assert [play.leg for play in actions if isinstance(play, media.Play)] == ["a"], "the listener is no company"
