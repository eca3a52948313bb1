"""Whole switch, virtual time: alarms of queues, figures of agent groups and by interval, as supervisors see them."""

import asyncio
from types import SimpleNamespace

import msgspec
import pytest

from acd.metrics_history import History
from acd.metrics_views import queue_metrics
from control.auth import Caller
from model.commands_metrics import GetMetricsHistory
from model.declare import EVENTS
from model.errors import InvalidValue, NoSuchAlarm
from model.events_alarm import AcknowledgeAlarm, AlarmCleared, AlarmRaised, ListAlarms
from model.events_queue import CentreStarted
from switch.metrics import thresholds_of
from switch.metrics_history import interval_end
from switch.prometheus import samples
from switch.retention import forget_old
from switch.wallboard import Wallboard
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_restart import LoggedCentre

ALARMS = """
[numbering]
time_zone = "Asia/Shanghai"
[[alarm]]
name = "long"
measure = "longest_wait_s"
limit = 20
severity = "critical"
[[alarm]]
name = "nobody"
measure = "signed_in"
limit = 1
queues = ["sales"]
for_s = 5
"""


class Board(LoggedCentre):
    """Counts what is told, and keeps it where the switch does."""

    def __init__(self, more: str = ALARMS) -> None:
        super().__init__(more)
        self.fed = 0

    async def look(self) -> None:
        for row in self.rows[self.fed :]:
            self.switch.storage.put(row)
            self.app.metrics.feed(msgspec.json.decode(row.body, type=EVENTS[row.name].params), row.at_utc)
        self.fed = len(self.rows)
        self.app.alarms.look(self.switch.wall())

    def alarms(self):
        kinds = (AlarmRaised, AlarmCleared)
        return [(type(each).__name__, each.alarm, each.queue) for each in self.app.published if isinstance(each, kinds)]


def test_xsup_02_alarms_begin_are_acknowledged_and_end():
    async def main():
        board = Board()
        mine = board.caller()
        for _ in range(3):
            await asyncio.sleep(8.0)
            await board.look()
        assert board.alarms() == [("AlarmRaised", "nobody", "sales"), ("AlarmRaised", "long", "sales")]
        listed = (await board.app.do(ListAlarms())).alarms
        assert [(each.alarm, each.severity, each.acknowledged_by) for each in listed] == [
            ("nobody", "warning", ""),
            ("long", "critical", ""),
        ]
        boss = Caller("boss", "administrator")
        seen = await board.app.do(AcknowledgeAlarm(alarm="long", queue="sales"), boss)
        assert (seen.acknowledged_by, seen.value > 20.0) == ("boss", True)
        with pytest.raises(NoSuchAlarm, match="long is not on at queue small"):
            await board.app.do(AcknowledgeAlarm(alarm="long", queue="small"))
        phone = await board.agent("a1", "1001")
        await phone.wait("answered")
        await asyncio.sleep(1.0)
        await board.look()
        assert board.alarms()[2:] == [("AlarmCleared", "long", "sales"), ("AlarmCleared", "nobody", "sales")]
        assert not (await board.app.do(ListAlarms())).alarms
        board.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await board.close()

    run_virtual(main())


def test_intervals_of_the_log_add_up_to_the_day():
    async def main():
        board = Board()
        start = board.switch.wall() - 1.0
        phone = await board.agent("a1", "1001")
        for n in range(8):
            mine = board.caller(caller=str(n))
            await phone.wait("answered", within_s=400.0)
            await asyncio.sleep(100.0 + 30.0 * n)
            board.carrier.agent.hang_up(mine.id)
            await phone.wait("ended")
            if n == 3:
                lost = board.caller(caller="99")
                await asyncio.sleep(2.0)
                board.carrier.agent.hang_up(lost.id)
            await asyncio.sleep(25.0)
        waits = board.caller(caller="77")
        await asyncio.sleep(0.01)
        await board.look()
        end = board.switch.wall()
        ask = GetMetricsHistory(of="queue", start_utc=start - 900.0, end_utc=end + 1.0)
        found = await board.app.do(ask)
        assert found.identity_violations == 0
        assert all(interval.is_whole for interval in found.intervals)
        sales = [each for interval in found.intervals for each in interval.queues if each.queue == "sales"]
        day = queue_metrics(board.app.metrics, "sales", {}, end)
        for name in ("offered", "answered", "abandoned", "offers", "handled"):
            assert sum(getattr(each, name) for each in sales) == getattr(day, name), name
        assert len(found.intervals) >= 2
        assert all(interval.begin_utc % 900 == 0 for interval in found.intervals)
        assert sales[-1].waiting == day.waiting
        agents = await board.app.do(GetMetricsHistory(of="agent", start_utc=start, end_utc=end, interval_s=86400))
        groups = await board.app.do(GetMetricsHistory(of="group", ids=["default"], start_utc=start, end_utc=end))
        assert agents.intervals == []
        handled = [group.handled.get("queue", 0) for each in groups.intervals for group in each.groups]
        assert sum(handled) == day.handled == 8
        board.carrier.agent.hang_up(waits.id)
        await board.close()

    run_virtual(main())


def test_a_history_that_makes_no_sense_is_refused():
    async def main():
        board = Board()
        with pytest.raises(InvalidValue, match="later than start_utc"):
            await board.app.do(GetMetricsHistory(of="queue", start_utc=10.0, end_utc=10.0))
        with pytest.raises(InvalidValue, match="at most 31 days"):
            await board.app.do(GetMetricsHistory(of="queue", start_utc=1e9, end_utc=1e9 + 32 * 86_400))
        with pytest.raises(InvalidValue, match="more than 20000 rows"):
            ids = [f"q{n}" for n in range(20)]
            await board.app.do(GetMetricsHistory(of="queue", ids=ids, start_utc=1e9, end_utc=1e9 + 20 * 86_400))
        await board.close()

    run_virtual(main())


def test_who_waited_when_the_switch_was_killed_waits_no_more_in_the_history():
    async def main():
        board = Board()
        board.caller()
        await asyncio.sleep(2.0)
        shown = []
        thresholds = thresholds_of(board.switch.core.directory)
        at = board.switch.wall()
        history = History(
            thresholds,
            interval_end(900.0, None),
            at - 900.0,
            at - 900.0,
            lambda interval, metrics: shown.append(queue_metrics(metrics, "sales", {}, interval.end_utc)),
        )
        for row in board.rows:
            history.feed(msgspec.json.decode(row.body, type=EVENTS[row.name].params), row.at_utc)
        history.feed(CentreStarted(version="1"), at)
        history.finish(at + 1.0)
        assert (sum(each.offered for each in shown), shown[-1].waiting) == (1, 0)
        assert sum(each.flowed.get("lost", 0) for each in shown) == 1
        for call in list(board.carrier.agent.calls):
            board.carrier.agent.hang_up(call)
        await board.close()

    run_virtual(main())


def test_xsup_01_figures_of_queues_are_pushed_when_they_change():
    async def main():
        board = Board()
        pushed = []
        wallboard = Wallboard(board.switch.core.floor, board.app.metrics, pushed.append, lambda: True)

        async def look(after_s: float = 2.0):
            await asyncio.sleep(after_s)
            await board.look()
            pushed.clear()
            wallboard.look(board.switch.wall())
            return {each.queue: each for each in pushed}

        assert sorted(await look()) == sorted(board.switch.core.directory.queues)
        assert await look() == {}
        came_utc = board.switch.wall()
        mine = board.caller()
        (first,) = (await look()).values()
        assert (first.queue, first.waiting, first.offered, first.service_level) == ("sales", 1, 1, 0.0)
        assert first.waiting_since_utc == pytest.approx(came_utc, abs=0.5)
        # A wait that only grows is nothing new: whoever shows it has the instant.
        assert await look(30.0) == {}
        phone = await board.agent("a1", "1001")
        await phone.wait("answered")
        served = (await look())["sales"]
        assert (served.waiting, served.waiting_since_utc, served.answered, served.available) == (0, 0.0, 1, 0)
        assert served.agents == {"on_call": 1}
        board.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await board.close()

    run_virtual(main())


def test_old_events_are_removed_in_pieces_and_the_others_stay():
    async def main():
        board = Board()
        mine = board.caller()
        await asyncio.sleep(2.0)
        board.carrier.agent.hang_up(mine.id)
        await asyncio.sleep(100.0)
        late = board.caller()
        await asyncio.sleep(2.0)
        await board.look()
        storage = board.switch.storage
        n_before = len(storage.events.rows)
        assert await forget_old(storage, board.switch.wall() - 50.0) > 0
        left = [row.name for row in storage.events.rows.values()]
        assert "queue.entered" in left
        assert len(left) < n_before
        assert await forget_old(storage, board.switch.wall() - 50.0) == 0
        board.carrier.agent.hang_up(late.id)
        await board.close()

    run_virtual(main())


def test_prometheus_reads_queues_agents_trunks_and_alarms():
    async def main():
        board = Board()
        board.app.worker_name = lambda index: f"w{index}"
        board.app.control = SimpleNamespace(stats=SimpleNamespace(connections=2))
        board.app.hub.stats = SimpleNamespace(published=5)
        phone = await board.agent("a1", "1001")
        mine = board.caller()
        await phone.wait("answered")
        await asyncio.sleep(1.0)
        await board.look()
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in samples(board.app)
            for sample in family.samples
        }
        assert found["ringback_calls",] == 1.0
        assert found["ringback_calls_total",] == 1.0
        assert found["ringback_agents", "on_call"] == 1.0
        assert found["ringback_queue_calls_today", "sales", "answered"] == 1.0
        assert found["ringback_queue_waiting", "sales"] == 0.0
        assert found["ringback_trunk_calls", "carrier"] == 1.0
        assert found["ringback_media_worker_up", "w0"] == 1.0
        board.carrier.agent.hang_up(mine.id)
        await phone.wait("ended")
        await board.close()

    run_virtual(main())
