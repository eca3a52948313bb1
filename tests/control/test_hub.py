"""Covers: delivery over real connections: subscribe, filter, resume, coalescing, slow readers, restart numbers.

Does not cover encoding and filters themselves (test_event_log.py).
"""

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.event_log import EventFilter
from control.hub import FLUSH_AT_BYTES, EventHub
from model import events
from tests.control.rig import eventually, run, running


def ringing(n: int = 1) -> events.CallRinging:
    return events.CallRinging(call_id=f"c{n}", leg_id="l")


class FakeSink:
    """Takes what it gets; `is_open` False = it is blocked."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.is_open = True
        self.dropped = b""

    def write_events(self, data: bytes) -> bool:
        self.writes.append(data)
        return self.is_open

    def drop_subscriber(self, data: bytes) -> None:
        self.dropped = data

    @property
    def n_lines(self) -> int:
        return b"".join(self.writes).count(b"\n")


async def hear_events(peer, n: int) -> list[dict]:
    return [(await peer.hear())["params"] for _ in range(n)]


# -- over connections -------------------------------------------------------------------------------------------------


def test_subscriber_gets_what_happens_from_now_on() -> None:
    async def test() -> None:
        async with running() as rig:
            rig.hub.publish(ringing(1))
            peer = await rig.peer("viewer")
            view = (await peer.ask("events.subscribe"))["result"]
            assert view == {
                "node": "node-1",
                "oldest_seq": view["next_seq"] - 1,
                "next_seq": rig.hub.next_seq,
                "is_complete": True,
            }
            rig.hub.publish(ringing(2))
            (event,) = await hear_events(peer, 1)
            assert (event["call_id"], event["seq"]) == ("c2", view["next_seq"])

    run(test())


def test_filters_and_replacing_the_subscription() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            await peer.ask("events.subscribe", names=["call.ringing"], call_ids=["c2"])
            for n in range(4):
                rig.hub.publish(ringing(n))
                rig.hub.publish(events.CallAnswered(call_id=f"c{n}", leg_id="l"))
            assert [e["call_id"] for e in await hear_events(peer, 1)] == ["c2"]
            await peer.ask("events.subscribe", names=["call.answered"])
            rig.hub.publish(ringing(7))
            rig.hub.publish(events.CallAnswered(call_id="c8", leg_id="l"))
            assert [e["call_id"] for e in await hear_events(peer, 1)] == ["c8"]

    run(test())


def test_unsubscribe_ends_it() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            await peer.ask("events.subscribe")
            await peer.ask("events.unsubscribe")
            assert rig.hub.stats.subscribers == 0
            rig.hub.publish(ringing())
            rig.hub.flush()
            assert "result" in await peer.ask("system.ping")

    run(test())


def test_leaving_ends_it() -> None:
    async def test() -> None:
        async with running() as rig:
            peer = await rig.peer()
            await peer.ask("events.subscribe")
            await peer.close()
            await eventually(lambda: rig.hub.stats.subscribers == 0)

    run(test())


def test_resuming_misses_nothing_and_repeats_nothing() -> None:
    async def test() -> None:
        async with running(history=1000) as rig:
            first = rig.hub.next_seq
            seen: list[int] = []
            for round_ in range(5):
                peer = await rig.peer()
                await peer.ask("events.subscribe", from_seq=seen[-1] + 1 if seen else first)
                for _ in range(50):
                    rig.hub.publish(ringing(round_))
                # Only some are read before the connection breaks.
                seen += [event["seq"] for event in await hear_events(peer, 30)]
                await peer.close()
            assert seen == list(range(first, first + len(seen)))

    run(test())


@pytest.mark.parametrize("n_gone", [1, 500])
def test_resuming_too_late_names_what_is_lost(n_gone) -> None:
    async def test() -> None:
        async with running(history=10) as rig:
            first = rig.hub.next_seq
            for n in range(10 + n_gone):
                rig.hub.publish(ringing(n))
            peer = await rig.peer()
            assert not (await peer.ask("events.subscribe", from_seq=first))["result"]["is_complete"]
            lost, *rest = await hear_events(peer, 11)
            assert (lost["event"], lost["from_seq"], lost["to_seq"]) == ("events.lost", first, first + n_gone - 1)
            assert [event["seq"] for event in rest] == list(range(first + n_gone, first + n_gone + 10))
            assert lost["seq"] + 1 == rest[0]["seq"]

    run(test())


def test_number_from_the_future_gives_all_that_is_kept() -> None:
    async def test() -> None:
        async with running() as rig:
            first = rig.hub.next_seq
            rig.hub.publish(ringing())
            peer = await rig.peer()
            assert not (await peer.ask("events.subscribe", from_seq=2**53 - 1))["result"]["is_complete"]
            lost, event = await hear_events(peer, 2)
            assert (lost["event"], event["seq"]) == ("events.lost", first)

    run(test())


def test_slow_reader_is_told_what_it_lost_and_dropped_while_others_get_everything() -> None:
    async def test() -> None:
        async with running(history=2000, write_buffer=10_000) as rig:
            slow, quick = await rig.peer(), await rig.peer()
            slow.reader._transport.pause_reading()
            await quick.ask("events.subscribe")
            slow.send('{"jsonrpc":"2.0","id":9,"method":"events.subscribe"}')
            await eventually(lambda: rig.hub.stats.subscribers == 2)
            first, n = rig.hub.next_seq, 0
            text = "x" * 2000
            while not rig.hub.stats.subscribers_dropped:
                for _ in range(100):
                    rig.hub.publish(events.CallRinging(call_id="c", leg_id=text))
                n += 100
                seqs = [event["seq"] for event in await hear_events(quick, 100)]
                assert seqs == list(range(first + n - 100, first + n))
            assert rig.hub.stats.subscribers == 1
            slow.reader._transport.resume_reading()
            heard = []
            while (message := await slow.hear()) is not None:
                heard.append(message)
            *told, lost = [message["params"] for message in heard if "params" in message]
            assert lost["event"] == "events.lost"
            assert lost["from_seq"] == first + len(told)
            assert lost["to_seq"] >= lost["from_seq"]
            assert "result" in await quick.ask("system.ping")

    run(test())


def test_numbers_grow_over_a_restart() -> None:
    instants = iter([1000.0, 1000.5, 1001.0])
    before = EventHub("n", wall=lambda: next(instants))
    before.publish(ringing())
    after = EventHub("n", wall=lambda: next(instants))
    assert after.next_seq > before.next_seq


# -- the hub alone ----------------------------------------------------------------------------------------------------


def test_events_of_one_moment_are_one_write() -> None:
    async def test() -> None:
        hub, sink = EventHub("n"), FakeSink()
        hub.subscribe(sink, EventFilter())
        for n in range(100):
            hub.publish(ringing(n))
        assert not sink.writes
        await eventually(lambda: bool(sink.writes))
        assert (len(sink.writes), sink.n_lines) == (1, 100)
        hub.close()

    run(test())


def test_much_is_written_without_waiting() -> None:
    async def test() -> None:
        hub, sink = EventHub("n"), FakeSink()
        hub.subscribe(sink, EventFilter())
        published = 0
        while not sink.writes:
            hub.publish(ringing())
            published += 1
        assert len(sink.writes[0]) >= FLUSH_AT_BYTES
        assert sink.n_lines == published
        hub.close()

    run(test())


def test_no_timer_runs_when_nothing_is_due() -> None:
    async def test() -> None:
        hub, sink = EventHub("n"), FakeSink()
        hub.publish(ringing())
        assert hub._timer is None
        hub.subscribe(sink, EventFilter())
        assert hub._timer is None
        hub.publish(ringing())
        assert hub._timer is not None
        await eventually(lambda: sink.n_lines == 1)
        assert hub._timer is None
        sink.is_open = False
        hub.publish(ringing())
        await eventually(lambda: sink.n_lines == 2)
        hub.publish(ringing())
        await eventually(lambda: hub._timer is None)
        assert sink.n_lines == 2
        sink.is_open = True
        hub.ready(sink)
        await eventually(lambda: sink.n_lines == 3)
        assert hub._timer is None
        hub.close()

    run(test())


def test_publishing_without_a_subscriber_needs_no_loop() -> None:
    EventHub("n").publish(ringing())


def test_subscribers_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr("control.hub.MAX_SUBSCRIBERS", 2)
    hub, sinks = EventHub("n"), [FakeSink() for _ in range(3)]
    for sink in (*sinks[:2], sinks[0]):
        hub.subscribe(sink, EventFilter())
    with pytest.raises(OverflowError):
        hub.subscribe(sinks[2], EventFilter())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.integers(1, 12)),
        st.tuples(st.sampled_from(["flush", "block", "open"]), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(steps=STEPS, history=st.integers(1, 20))
def test_every_event_comes_once_in_order_or_is_named_as_lost(steps, history) -> None:
    async def test() -> None:
        hub, sink = EventHub("n", history=history, first_seq=1), FakeSink()
        hub.subscribe(sink, EventFilter())
        for step, n in steps:
            match step:
                case "publish":
                    for _ in range(n):
                        hub.publish(ringing())
                case "flush":
                    hub.flush()
                case "block":
                    sink.is_open = False
                case "open":
                    sink.is_open = True
                    hub.ready(sink)
        sink.is_open = True
        hub.ready(sink)
        hub.close()
        covered: list[int] = []
        for line in b"".join([*sink.writes, sink.dropped]).splitlines():
            told = msgspec.json.decode(line)["params"]
            covered += range(told["from_seq"], told["to_seq"] + 1) if told["event"] == "events.lost" else [told["seq"]]
        assert covered == list(range(1, len(covered) + 1))
        if not sink.dropped:
            assert len(covered) == hub.next_seq - 1

    asyncio.run(test())
