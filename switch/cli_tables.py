"""How the command line shows what the control API returns: rich tables, control characters masked."""

import time
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from control.client import ReceivedEvent
from model.records import CallRecord, RecordingRecord
from model.views import (
    CallDetail,
    CallHistory,
    CallList,
    CallView,
    ExtensionCreated,
    ExtensionList,
    ExtensionView,
    RecordingList,
    RecordingState,
    RegistrationList,
    SystemStatus,
    TrunkList,
)


def show_calls(calls: CallList) -> RenderableType:
    """Live calls, one line each."""
    rows = [
        (
            call.call_id,
            call.direction,
            call.caller,
            call.dialed,
            call.phase,
            duration_text(call.duration_s),
            duration_text(call.talk_s),
            ", ".join(f"{leg.name} {leg.state}" for leg in call.legs),
            _recording(call),
        )
        for call in calls.calls
    ]
    heads = ("call", "direction", "caller", "dialed", "phase", "duration", "talk", "legs", "recording")
    more = f"{len(rows)} of {calls.n_calls} calls" if calls.n_calls > len(rows) else f"{calls.n_calls} calls"
    return rows_table(heads, rows, more)


def show_call(call: CallView) -> RenderableType:
    """One live call and its legs."""
    facts = [
        ("call", call.call_id),
        ("direction", call.direction),
        ("caller", call.caller),
        ("dialed", call.dialed),
        ("phase", call.phase),
        ("created", instant_text(call.created_utc)),
        ("answered", instant_text(call.answered_utc)),
        ("duration", duration_text(call.duration_s)),
        ("talk", duration_text(call.talk_s)),
        ("recording", _recording(call)),
        *((f"variable {name}", value) for name, value in call.variables.items()),
    ]
    legs = [
        (
            leg.leg_id,
            f"{leg.kind} {leg.name}",
            leg.direction,
            leg.state,
            "held" if leg.is_held else "",
            leg.codec,
            leg.address,
            "" if leg.statistics is None else str(leg.statistics.packets_received),
            "" if leg.statistics is None else str(leg.statistics.packets_lost),
            "" if leg.statistics is None else f"{leg.statistics.jitter_ms:.1f}",
        )
        for leg in call.legs
    ]
    heads = ("leg", "who", "way", "state", "", "codec", "address", "received", "lost", "jitter ms")
    return Group(facts_grid(facts), rows_table(heads, legs))


def show_call_detail(detail: CallDetail) -> RenderableType:
    """A call by its id, live or recorded."""
    parts: list[RenderableType] = []
    if detail.live is not None:
        parts.append(show_call(detail.live))
    if detail.record is not None:
        parts.append(_call_record(detail.record))
    if detail.recordings:
        parts.append(_recordings(detail.recordings))
    return Group(*parts)


def show_history(history: CallHistory) -> RenderableType:
    """Call records, one line each."""
    rows = [
        (
            call.call_id,
            instant_text(call.created_utc),
            call.direction,
            call.caller,
            call.dialed,
            call.extension or call.trunk,
            duration_text(call.duration_s),
            duration_text(call.talk_s),
            call.hangup_cause,
        )
        for call in history.calls
    ]
    heads = ("call", "created", "direction", "caller", "dialed", "by", "duration", "talk", "cause")
    return rows_table(heads, rows, next_page(history.cursor))


def show_recordings(page: RecordingList) -> RenderableType:
    """Recordings, one line each."""
    return _recordings(page.recordings, next_page(page.cursor))


def show_recording(recording: RecordingRecord) -> RenderableType:
    """One recording."""
    return facts_grid(
        [
            ("recording", recording.recording_id),
            ("call", recording.call_id),
            ("path", recording.path),
            ("state", recording.state),
            ("format", f"{recording.format}, {recording.channels} channels"),
            ("started", instant_text(recording.started_utc)),
            ("duration", duration_text(recording.duration_s)),
            ("size", f"{recording.size} bytes"),
            ("sha256", recording.sha256),
            ("pauses", ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in recording.pauses)),
            ("speech", ", ".join(f"{seconds:.1f} s" for seconds in recording.speech_s)),
            ("silent because", ", ".join(filter(None, recording.silent_because))),
            ("error", recording.error),
        ]
    )


def show_recording_state(state: RecordingState) -> RenderableType:
    """A recording that was started, paused, resumed or stopped."""
    return Text(_plain(f"{state.state}: {state.path}"))


def show_extensions(page: ExtensionList) -> RenderableType:
    """Extensions, one line each."""
    rows = [
        (
            extension.extension,
            extension.name,
            extension.caller_id,
            "yes" if extension.is_enabled else "no",
            "yes" if extension.is_recorded else "no",
            _rights(extension),
            str(extension.n_registrations),
            str(extension.n_calls),
            extension.source,
        )
        for extension in page.extensions
    ]
    heads = ("extension", "name", "caller id", "enabled", "recorded", "may call", "phones", "calls", "source")
    return rows_table(heads, rows, next_page(page.cursor))


def show_extension(extension: ExtensionView) -> RenderableType:
    """One extension."""
    return facts_grid(
        [
            ("extension", extension.extension),
            ("name", extension.name),
            ("caller id", extension.caller_id),
            ("enabled", "yes" if extension.is_enabled else "no"),
            ("recorded", "yes" if extension.is_recorded else "no"),
            ("may call", _rights(extension)),
            ("ring timeout", f"{extension.ring_timeout_s:g} s" if extension.ring_timeout_s else "default"),
            ("busy to", extension.busy_to),
            ("no answer to", extension.no_answer_to),
            ("media", extension.media),
            ("phones", str(extension.n_registrations)),
            ("source", extension.source),
        ]
    )


def show_extension_created(created: ExtensionCreated) -> RenderableType:
    """A new extension with its password."""
    note = Text(_plain(f"password  {created.password}   (shown this once)"))
    return Group(show_extension(created.extension), note)


def show_registrations(page: RegistrationList) -> RenderableType:
    """Bindings, one line each."""
    rows = [(r.extension, r.address, r.user_agent, f"{r.expires_s:.0f} s") for r in page.registrations]
    return rows_table(("extension", "address", "user agent", "expires in"), rows)


def show_trunks(page: TrunkList) -> RenderableType:
    """Trunks, one line each."""
    rows = [
        (
            trunk.trunk,
            trunk.state,
            trunk.reason,
            f"{trunk.n_calls}" + (f" of {trunk.max_calls}" if trunk.max_calls else ""),
            str(trunk.calls_total),
            str(trunk.calls_failed),
            ", ".join(f"{each.address} {each.state}{' (rests)' * each.is_resting}" for each in trunk.addresses),
        )
        for trunk in page.trunks
    ]
    return rows_table(("trunk", "state", "reason", "calls", "total", "failed", "addresses"), rows)


def show_status(status: SystemStatus) -> RenderableType:
    """The whole switch."""
    storage = status.storage
    facts = [
        ("node", f"{status.node}, version {status.version}"),
        ("up", f"{duration_text(status.uptime_s)} since {instant_text(status.started_utc)}"),
        ("calls", f"{status.n_calls} now ({status.n_legs} legs){', draining' if status.is_draining else ''}"),
        ("calls total", f"{status.calls_total}, {status.calls_answered} answered, {status.calls_failed} failed"),
        ("registrations", str(status.n_registrations)),
        ("trunks", ", ".join(f"{name} {state}" for name, state in status.trunks.items()) or "none"),
        ("storage", f"failing: {storage.error}" if storage.is_failing else f"good, backlog {storage.backlog}"),
        ("unhandled errors", str(status.unhandled_errors)),
        ("event loop", f"{status.loop_lag_ms:.1f} ms late, at worst {status.loop_lag_ms_max:.1f} ms"),
        ("memory", f"{status.memory_bytes / 1e6:.1f} MB"),
        ("cpu", duration_text(status.cpu_s)),
    ]
    workers = [
        (
            worker.worker,
            worker.state,
            str(worker.n_sessions),
            str(worker.n_legs),
            f"{worker.tick_late_ms_max:.1f} ms",
            "failing" if worker.is_disk_failing else f"backlog {worker.writer_backlog}",
            str(worker.n_restarts),
        )
        for worker in status.media_workers
    ]
    heads = ("media worker", "state", "sessions", "legs", "latest tick", "disk", "restarts")
    return Group(facts_grid(facts), rows_table(heads, workers))


def event_line(event: ReceivedEvent) -> str:
    """One event as one line."""
    fields = "  ".join(f"{name}={value}" for name, value in event.fields.items() if value != "")
    return _plain(f"{event.at[11:23]}  {event.event:<22} {fields}")


def _call_record(call: CallRecord) -> RenderableType:
    facts = facts_grid(
        [
            ("call", call.call_id),
            ("direction", call.direction),
            ("caller", call.caller),
            ("dialed", call.dialed),
            ("created", instant_text(call.created_utc)),
            ("answered", instant_text(call.answered_utc)),
            ("ended", instant_text(call.ended_utc)),
            ("duration", duration_text(call.duration_s)),
            ("talk", duration_text(call.talk_s)),
            ("hold", duration_text(call.hold_s)),
            ("ended by", f"{call.hangup_side}: {call.hangup_cause}"),
        ]
    )
    legs = [
        (leg.leg_id, f"{leg.kind} {leg.name}", leg.direction, leg.codec, leg.hangup_cause, str(leg.packets_lost))
        for leg in call.legs
    ]
    return Group(facts, rows_table(("leg", "who", "way", "codec", "cause", "lost"), legs))


def _recordings(recordings: Iterable[RecordingRecord], caption: str = "") -> RenderableType:
    rows = [
        (r.recording_id, instant_text(r.started_utc), r.caller, r.dialed, duration_text(r.duration_s), r.state, r.path)
        for r in recordings
    ]
    return rows_table(("recording", "started", "caller", "dialed", "duration", "state", "path"), rows, caption)


def _rights(extension: ExtensionView) -> str:
    if not extension.may_call_external:
        return "internal"
    return "everywhere" if extension.may_call_international else "national"


def _recording(call: CallView) -> str:
    if not call.is_recorded:
        return ""
    return "paused" if call.is_recording_paused else "yes"


def next_page(cursor: str) -> str:
    """How to get the page after this one; empty: this was the last."""
    return f"more: --cursor {cursor}" if cursor else ""


def facts_grid(facts: Iterable[tuple[str, str]]) -> Table:
    """Names and values, one a line; what is empty is left out."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        if value:
            grid.add_row(Text(name), Text(_plain(value)))
    return grid


def rows_table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str = "") -> Table:
    """Rows under heads, control characters masked."""
    table = Table(
        box=None, header_style="bold", caption=Text(_plain(caption)) if caption else None, caption_justify="left"
    )
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(cell)) for cell in row))
    return table


def _plain(text: str) -> str:
    """Numbers and names come from strangers: nothing of theirs may steer the terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def duration_text(seconds: float) -> str:
    """ "12.3 s", "1:23" or "1:02:03"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def instant_text(utc: float) -> str:
    """Local time of UTC seconds; empty for 0."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(utc)) if utc else ""


def counts_text(counts: Mapping[str, int]) -> str:
    """ "2 available, 1 on_call"; what is 0 is left out."""
    return ", ".join(f"{n} {name}" for name, n in counts.items() if n)
