"""What the user sees of the demo: a live table on a terminal, one line a happening elsewhere, a summary at the end."""

import asyncio
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from switch.demo.stage import SIDES, CallState, Stage
from switch.demo.verdict import Verdict

_STYLES = {
    "waiting": "dim",
    "calling": "yellow",
    "menu": "yellow",
    "queued": "yellow",
    "ringing": "bold yellow",
    "talking": "bold green",
    "hold": "bold magenta",
    "rating": "yellow",
    "ended": "cyan",
}
_KINDS = {"internal": "phone → phone", "outbound": "phone → trunk", "inbound": "trunk → agent"}
_REFRESH_S = 0.25
_MAX_PATHS = 20


class Screen:
    """`say` prints a line, `show` runs while calls go on. With `is_silent` nothing is printed at all."""

    def __init__(self, names: dict[str, str], *, is_silent: bool, console: Console | None = None) -> None:
        self._console = console or Console(quiet=is_silent, highlight=False)
        self._names = names
        self._is_live = self._console.is_terminal and not is_silent
        self._started: float | None = None

    def say(self, text: str) -> None:
        self._console.print(text)

    def on_change(self, state: CallState, text: str) -> None:
        """One line, where there is no terminal to draw a table on."""
        if self._is_live:
            return
        planned = state.planned
        at = asyncio.get_running_loop().time() - (self._started or asyncio.get_running_loop().time())
        self._console.print(f"{at:6.1f} s  {planned.index + 1:>3}  {self._who(state)}  {text}")

    async def show(self, stage: Stage, is_over: Callable[[], bool]) -> None:
        """Draws the table four times a second until `is_over()`."""
        self._started = asyncio.get_running_loop().time()
        if not self._is_live:
            await stage.until(is_over, None)
            return
        with Live(self._table(stage), console=self._console, auto_refresh=False, transient=False) as live:
            while not await stage.until(is_over, _REFRESH_S):
                live.update(self._table(stage), refresh=True)
            live.update(self._table(stage), refresh=True)

    def _who(self, state: CallState) -> str:
        return f"{self._named(state.planned.caller)} → {self._named(state.callee or state.planned.dialed)}"

    def _named(self, number: str) -> str:
        name = self._names.get(number)
        return f"{number} {name}" if name else number

    def _table(self, stage: Stage) -> Group:
        now = asyncio.get_running_loop().time()
        table = Table(title="Ringback: live calls", title_justify="left", expand=False)
        for heading in ("#", "kind", "caller", "callee", "state", "talk", "digits", "recording"):
            table.add_column(heading, justify="right" if heading in ("#", "talk") else "left", no_wrap=True)
        for state in stage.calls:
            planned = state.planned
            talk_s = state.talk_s if state.phase == "ended" else now - state.connected_at if state.connected_at else 0.0
            recording = "✔ on disk" if state.is_recorded else "● rec" if state.recording_path else ""
            table.add_row(
                str(planned.index + 1),
                _KINDS[planned.kind],
                self._named(planned.caller),
                self._named(state.callee or planned.dialed),
                Text(f"{state.phase} {state.cause}".strip(), _STYLES.get(state.phase, "")),
                f"{talk_s:.0f} s" if talk_s else "",
                state.digits_seen,
                Text(
                    state.recording_error or recording,
                    "red" if state.recording_error or "rec" in recording else "green",
                ),
            )
        up = sum(state.phase in ("talking", "hold") for state in stage.calls)
        ended = sum(state.phase == "ended" for state in stage.calls)
        foot = f"{up} calls up, {ended} ended, {len(stage.registered)} phones registered, 1 trunk"
        return Group(table, Text(foot, "dim"))

    def summary(self, stage: Stage, verdict: Verdict) -> None:
        """What came out: one row a call, then the counts and the paths."""
        table = Table(title="What is on record", title_justify="left")
        for heading in ("#", "call", "talk", "hold", "ended by", "cause", "RTP heard (lost)", "both heard", "rated"):
            table.add_column(heading, overflow="fold")
        for state in stage.calls:
            row = verdict.rows.get(state.call_id)
            lost = sum(state.statistics[side].packets_lost for side in SIDES if side in state.statistics)
            packets = "/".join(str(s.packets_received) for s in (state.statistics.get(side) for side in SIDES) if s)
            heard = verdict.heard.get(state.call_id)
            table.add_row(
                str(state.planned.index + 1),
                self._who(state),
                f"{row.talk_s:.1f} s" if row else "no record",
                f"{row.hold_s:.1f} s" if row and row.hold_s else "",
                row.hangup_side if row else "",
                row.hangup_cause if row else "",
                f"{packets} ({lost})",
                "yes" if heard and heard.has_both_sides else "NO",
                state.rating,
            )
        self._console.print(table)
        result = verdict.result
        self._console.print(
            f"{result.answered} of {result.calls} calls answered, {result.cdr_rows} call records, {result.recordings} "
            f"recordings, {result.recordings_with_both_sides} with both voices; {result.holds} holds, "
            f"{result.dtmf_received} of {result.dtmf_sent} digits heard; {result.led_to_queue} callers led by the menu "
            f"to their queue, {result.rated} rated; {result.rtp_lost} RTP packets lost, "
            f"{result.unhandled_errors} errors."
        )
        for problem in verdict.problems:
            self._console.print(f"[red]problem:[/red] {problem}")
        paths = [verdict.recordings / state.recording_path for state in stage.calls if state.recording_path]
        self._console.print(f"\nRecordings, one voice on each channel, in {verdict.recordings}:", soft_wrap=True)
        for path in paths[:_MAX_PATHS]:
            self._console.print(f"  {path}", soft_wrap=True)
        if len(paths) > _MAX_PATHS:
            self._console.print(f"  … and {len(paths) - _MAX_PATHS} more")
        self._console.print(f"Call records: {verdict.database}", soft_wrap=True)
        self._console.print(f"Configuration and logs: {result.directory}", soft_wrap=True)
