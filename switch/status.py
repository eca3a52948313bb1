"""The answer to `system.status`: counters and states of every part, read when asked for."""

import resource
import time
from typing import TYPE_CHECKING, Any

from model import media, views
from switch.version import VERSION

if TYPE_CHECKING:
    from switch.app import App


def system_status(app: "App") -> views.SystemStatus:
    """The whole switch in one answer."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    runtime, calls = app.runtime, app.runtime.calls
    state = app.storage.state
    stack = runtime.stack
    lag_ms, lag_ms_max = app.lag.take()
    return views.SystemStatus(
        version=VERSION,
        node=app.config.node.name,
        started_utc=app.started_utc,
        uptime_s=time.time() - app.started_utc,
        is_draining=app.is_draining,
        n_calls=len(calls.calls),
        n_legs=sum(len(call.live_legs()) for call in calls.calls.values()),
        n_registrations=app.registrations.n_bindings,
        calls_total=calls.counters.calls_total,
        calls_answered=calls.counters.calls_answered,
        calls_failed=calls.counters.calls_failed,
        unhandled_errors=calls.counters.unhandled_errors
        + runtime.counters.unhandled_errors
        + stack.stats.n_faults
        + app.control.stats.internal_errors,
        loop_lag_ms=lag_ms,
        loop_lag_ms_max=lag_ms_max,
        memory_bytes=_resident_bytes(),
        cpu_s=usage.ru_utime + usage.ru_stime,
        trunks={name: trunk.state for name, trunk in calls.env.directory.trunks.items()},
        media_workers=[_worker_view(app, index) for index in range(len(runtime.pool.workers))],
        webrtc=app.core.browser_edge.view(),
        storage=views.StorageView(
            is_failing=state.is_failing,
            error=state.error,
            since_utc=state.since_utc,
            backlog=state.backlog,
            written_total=state.written,
        ),
        sip=_counters(stack.stats) | _counters(stack.transaction_stats),
        events={"published": app.hub.stats.published, "subscribers": app.hub.stats.subscribers},
    )


def _worker_view(app: "App", index: int) -> views.MediaWorkerView:
    worker = app.runtime.pool.workers[index]
    notes = app.workers.get(index)
    if notes is None:
        return views.MediaWorkerView(worker=f"w{index}", state="starting")
    hello, health = notes.hello, notes.health or media.Health(0, 0, 0.0)
    return views.MediaWorkerView(
        worker=hello.worker,
        state="up" if worker.is_connected else "down",
        pid=hello.pid,
        n_sessions=health.sessions,
        n_legs=health.legs,
        tick_late_ms_max=health.tick_late_ms_max,
        packets_dropped=health.packets_dropped,
        writer_backlog=health.writer_backlog,
        is_disk_failing=health.is_disk_failing,
        n_restarts=notes.n_restarts,
    )


def _counters(stats: Any) -> dict[str, int]:
    return {name: getattr(stats, name) for name in stats.__struct_fields__}


def _resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
