"""Figures of the switch for Prometheus: served by its client library in a thread, read in the loop.

Names and units follow https://prometheus.io/docs/practices/naming/.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from model.errors import NoSuchCampaign
from model.events_alarm import ListAlarms
from switch.listening import UnusableError

if TYPE_CHECKING:
    from switch.app import App

READ_S = 2.0
"""A loop that does not answer for so long gives an empty page, which Prometheus takes for a target that is down."""


class Exporter:
    """Serves until `close`. Raises UnusableError when the port cannot be had."""

    def __init__(self, listen: str, read: Callable[[], list[Metric]]) -> None:
        host, _, port = listen.rpartition(":")
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Reader(asyncio.get_running_loop(), read))
        try:
            self._server, self._thread = prometheus_client.start_http_server(
                int(port), host.strip("[]"), registry=registry
            )
        except OSError as error:
            raise UnusableError(f"prometheus.listen {listen}: {error.strerror}") from error

    @property
    def port(self) -> int:
        return int(self._server.server_port)

    def close(self) -> None:
        """Blocks until the thread has ended."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Reader(Collector):
    """Asked in the server's threads; what it reads belongs to the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, read: Callable[[], list[Metric]]) -> None:
        self._loop = loop
        self._read = read

    def collect(self) -> Iterable[Metric]:
        async def in_loop() -> list[Metric]:
            return self._read()

        work = asyncio.run_coroutine_threadsafe(in_loop(), self._loop)
        try:
            return work.result(READ_S)
        except TimeoutError:
            work.cancel()
            raise


def samples(app: "App") -> list[Metric]:
    """All there are, as they are now."""
    return [*_of_switch(app), *_of_trunks(app), *_of_centre(app), *campaign_samples(app)]


def _of_switch(app: "App") -> Iterator[Metric]:
    runtime, calls = app.runtime, app.runtime.calls
    counters = calls.counters
    yield _gauge("calls", "Live calls.", len(calls.calls))
    yield _counter("calls", "Calls since the start.", counters.calls_total)
    yield _counter("calls_answered", "Answered calls since the start.", counters.calls_answered)
    yield _counter("calls_failed", "Calls that a fault of ours ended.", counters.calls_failed)
    errors = counters.unhandled_errors + runtime.counters.unhandled_errors + runtime.stack.stats.n_faults
    yield _counter("unhandled_errors", "Errors nobody expected.", errors)
    yield _gauge("registrations", "Phones that are registered.", app.registrations.n_bindings)
    yield _gauge("storage_backlog_records", "Records not yet in the database.", app.storage.state.backlog)
    yield _gauge("storage_failing", "1 while the database cannot be written.", app.storage.state.is_failing)
    yield _gauge("control_connections", "Connections of the control API.", app.control.stats.connections)
    yield _counter("events", "Events told.", app.hub.stats.published)
    workers = GaugeMetricFamily("ringback_media_worker_up", "1 while the media worker is connected.", labels=["worker"])
    for index, worker in enumerate(runtime.pool.workers):
        workers.add_metric([app.worker_name(index) or f"w{index}"], float(worker.is_connected))
    yield workers


def _of_trunks(app: "App") -> Iterator[Metric]:
    live = GaugeMetricFamily("ringback_trunk_calls", "Live calls of a trunk.", labels=["trunk"])
    total = CounterMetricFamily("ringback_trunk_calls_all", "Calls of a trunk since the start.", labels=["trunk"])
    failed = CounterMetricFamily("ringback_trunk_calls_failed", "Calls that a trunk refused.", labels=["trunk"])
    for name, trunk in app.core.directory.trunks.items():
        live.add_metric([name], trunk.n_calls)
        total.add_metric([name], trunk.calls_total)
        failed.add_metric([name], trunk.calls_failed)
    yield from (live, total, failed)


def _of_centre(app: "App") -> Iterator[Metric]:
    engine, metrics = app.core.floor.centre.engine, app.metrics
    now_ms = time.time() * 1000
    labels = ["queue"]
    waiting = GaugeMetricFamily("ringback_queue_waiting", "Callers who wait.", labels=labels)
    longest = GaugeMetricFamily("ringback_queue_longest_wait_seconds", "Longest wait of them.", labels=labels)
    idle = GaugeMetricFamily("ringback_queue_available_agents", "Agents who are idle.", labels=labels)
    today = GaugeMetricFamily(
        "ringback_queue_calls_today", "Calls since midnight, by what became of them.", labels=["queue", "outcome"]
    )
    for name in engine.state.queues:
        figures, entries = metrics.queue(name), metrics.waiting.get(name, {})
        waiting.add_metric([name], len(entries))
        longest.add_metric([name], max(0.0, now_ms - min(entries.values())) / 1000 if entries else 0.0)
        idle.add_metric([name], engine.n_idle(name))
        for outcome in ("offered", "answered", "answered_in_time", "abandoned", "flowed_out"):
            today.add_metric([name, outcome], getattr(figures, outcome))
    yield from (waiting, longest, idle, today)
    states: dict[str, int] = {}
    for desk in app.core.floor.centre.desk.state.agents.values():
        shown = desk.display()[0]
        states[shown] = states.get(shown, 0) + 1
    agents = GaugeMetricFamily("ringback_agents", "Signed-in agents by state.", labels=["state"])
    for state, n in sorted(states.items()):
        agents.add_metric([state], n)
    yield agents
    alarms = GaugeMetricFamily("ringback_alarm", "1 for each alarm that is on.", labels=["alarm", "queue", "severity"])
    for each in app.alarms.list(ListAlarms(), None).alarms:
        alarms.add_metric([each.alarm, each.queue, each.severity], 1.0)
    yield alarms


def campaign_samples(app: "App") -> Iterator[Metric]:
    """What campaigns do, of those that the dialler knows."""
    labels = ["campaign"]
    running = GaugeMetricFamily("ringback_campaign_running", "1 while it may call.", labels=labels)
    calls = GaugeMetricFamily(
        "ringback_campaign_calls", "Its calls, by how far they are.", labels=["campaign", "phase"]
    )
    agents = GaugeMetricFamily(
        "ringback_campaign_agents", "Agents for them, as they are.", labels=["campaign", "state"]
    )
    rates = GaugeMetricFamily(
        "ringback_campaign_abandon_rate", "Share of persons who found no agent.", labels=["campaign", "window"]
    )
    answered = CounterMetricFamily("ringback_campaign_answered", "Persons who answered, ever.", labels=labels)
    dialer = app.core.dialer
    now = dialer.now()
    for name in app.core.directory.campaigns:
        try:
            live = dialer.engine.progress(name, now, app.core.env.wall(now))
        except NoSuchCampaign:
            # It is being removed.
            continue
        running.add_metric([name], float(live.state == "running"))
        for phase, n in (("ringing", live.n_ringing), ("waiting", live.n_waiting), ("talking", live.n_talking)):
            calls.add_metric([name, phase], n)
        for state, n in (("idle", live.n_idle), ("busy", live.n_busy)):
            agents.add_metric([name, state], n)
        for each in live.abandoned:
            rates.add_metric([name, each.window], each.rate)
            if each.window == "life":
                answered.add_metric([name], each.n_answered)
    yield from (running, calls, agents, rates, answered)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"ringback_{name}", text, value=float(value))


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"ringback_{name}", text, value=float(value))
