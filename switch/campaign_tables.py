"""How the command line shows the figures of campaigns, and the tables that it writes into files."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType

from model.campaign_figures import AttemptFigures, CallingFigures
from model.commands_campaign_view import (
    AttemptList,
    CampaignDiagnosed,
    CampaignProgress,
    EvidenceReport,
    NumberList,
    PacingList,
)
from switch.cli_tables import counts_text, duration_text, facts_grid, instant_text, next_page, rows_table
from switch.sheet_files import Cell


def progress(found: CampaignProgress) -> RenderableType:
    parts: list[RenderableType] = [facts_grid(_facts(found))]
    if found.lists:
        heads: tuple[str, ...] = ("list", "since", "records", "called", "delivered", "open", "called rate")
        rows = [
            (
                each.list_name,
                instant_text(each.created_utc),
                *map(str, (each.n_records, each.n_called, each.n_delivered, each.n_open)),
                _share(each.called_rate),
            )
            for each in found.lists
        ]
        parts.append(rows_table(heads, rows))
    if found.agents:
        heads = ("agent", "records", "called", "attempts", "connected", "deals", "talk", "dispositions")
        rows = [
            (
                each.agent_id,
                *map(str, (each.n_records, each.n_called, each.n_attempts, each.n_connected, each.n_deals)),
                duration_text(each.talk_s),
                counts_text(each.dispositions),
            )
            for each in found.agents
        ]
        parts.append(rows_table(heads, rows))
    return Group(*parts)


def _facts(found: CampaignProgress) -> Iterator[tuple[str, str]]:
    records, live = found.records, found.live
    yield "campaign", f"{found.campaign} {found.title}".strip()
    yield "state", f"{found.state} ({live.reason})" if live.reason else found.state
    yield "records", f"{records.n_records}: {counts_text(records.by_status)}"
    yield "not called", f"{records.n_not_called} ({_share(records.not_called_rate)})"
    yield "called", f"{records.n_called} ({_share(records.called_rate)})"
    yield "connected", f"{records.n_connected} ({_share(records.answered_rate)} of called)"
    yield "not connected", str(records.n_not_connected)
    yield "delivered", f"{records.n_delivered} ({_share(records.transferred_rate)} of connected)"
    yield "today", _attempts_text(found.today)
    yield "30 days", _attempts_text(found.days_30)
    yield (
        "lines",
        f"{live.n_lines}: {live.n_ringing} ringing, {live.n_waiting} waiting, {live.n_talking} talking"
        + ("" if found.dial_level is None else f"; {found.dial_level:.2f} for each agent"),
    )
    yield "agents", f"{live.n_agents}: {live.n_idle} idle, {live.n_busy} busy; occupancy {live.occupancy:.1%}"
    yield "hit rate", f"{found.hit_rate:.1%}"
    rates = ", ".join(f"{each.window} {each.rate:.2%} of {each.n_answered:.0f}" for each in live.abandoned)
    yield "abandoned", f"{rates}; limit {found.max_abandon_rate:.2%}"
    yield "pacing", live.pacing
    yield "left", duration_text(found.left_s) if found.left_s is not None else f"cannot be said ({found.left_why})"


def _attempts_text(figures: AttemptFigures) -> str:
    return (
        f"{figures.n_attempts} attempts, {figures.n_live} persons ({_share(figures.contact_rate)}), "
        f"{figures.n_dropped} abandoned ({_share(figures.drop_rate)}), {figures.n_busy} busy, "
        f"{figures.n_no_answer} no answer, {figures.n_machines} machines, {figures.n_failed} failed"
    )


def numbers(found: NumberList) -> RenderableType:
    heads = ("number", "label", "name", "list", "status", "called", "last", "result", "next", "why", "record")
    rows = [
        (
            each.number + (" (calling)" if each.is_calling else ""),
            each.label,
            each.name,
            each.list_name,
            f"{each.status} ({each.reason})" if each.reason else each.status,
            str(each.n_attempts or ""),
            instant_text(each.last_utc),
            each.last_result,
            instant_text(each.next_utc),
            each.deferred or ("bad number" if each.is_bad else ""),
            each.record_id,
        )
        for each in found.numbers
    ]
    return rows_table(heads, rows, next_page(found.cursor))


def attempts(found: AttemptList) -> RenderableType:
    heads = ("at", "campaign", "number", "mode", "result", "cause", "rang", "talk", "agent", "said", "attempt")
    rows = [
        (
            instant_text(each.started_utc),
            each.campaign,
            each.number,
            each.mode,
            (each.result or "…") + (" (abandoned)" if each.is_dropped else ""),
            each.cause,
            duration_text((each.answered_utc or each.ended_utc) - each.started_utc) if each.ended_utc else "",
            duration_text(each.talk_s) if each.talk_s else "",
            each.agent_id,
            each.disposition,
            each.attempt_id,
        )
        for each in found.attempts
    ]
    return rows_table(heads, rows, next_page(found.cursor))


def diagnosis(found: CampaignDiagnosed) -> RenderableType:
    return _diagnosis(found, [each.text for each in found.blockers])


def diagnosis_zh(found: CampaignDiagnosed) -> RenderableType:
    return _diagnosis(found, [each.text_zh for each in found.blockers])


def _diagnosis(found: CampaignDiagnosed, texts: Sequence[str]) -> RenderableType:
    if not found.blockers:
        return f"{found.campaign} is {found.state}: nothing keeps it from calling"
    rows = [
        (f"{each.reason} {each.of}".strip(), str(each.count or ""), text, instant_text(each.until_utc))
        for each, text in zip(found.blockers, texts, strict=True)
    ]
    return rows_table(("blocker", "count", f"{found.campaign} is {found.state}", "until"), rows)


def pacing(found: PacingList) -> RenderableType:
    heads = ("at", "calls", "reason", "from")
    rows = [
        (
            instant_text(each.at_utc),
            str(each.n_dials),
            each.reason,
            ", ".join(f"{name} {value:g}" for name, value in each.inputs.items()),
        )
        for each in found.entries
    ]
    return rows_table(heads, rows, next_page(found.cursor))


def evidence(report: EvidenceReport) -> RenderableType:
    head, *lines = evidence_days(report)
    rows = [[_text(cell) for cell in line] for line in lines]
    shown: list[RenderableType] = [rows_table([str(name) for name in head], rows)]
    for each in report.campaigns:
        what = ", ".join(each.faults) if each.faults else "every rule was kept"
        shown.append(f"{each.campaign}: {what}")
    return Group(*shown)


def evidence_days(report: EvidenceReport) -> list[list[Cell]]:
    """A line for each campaign and day, and one (day: total) for all of them."""
    names = CallingFigures.__struct_fields__
    table: list[list[Cell]] = [["campaign", "day", *names, "abandon_rate_30_days"]]
    for campaign in report.campaigns:
        for day in campaign.days:
            table.append(
                [campaign.campaign, day.day, *(getattr(day, name) for name in names), day.abandon_rate_30_days]
            )
        table.append([campaign.campaign, "total", *(getattr(campaign.total, name) for name in names), None])
    return table


def evidence_campaigns(report: EvidenceReport) -> list[list[Cell]]:
    """A line for each campaign: its rules, what the dialler keeps to, and what was not kept."""
    table: list[list[Cell]] = [[*_RULES, "windows", "faults"]]
    for each in report.campaigns:
        windows = ", ".join(f"{one.window} {one.rate:.4f} of {one.n_answered:g}" for one in each.windows)
        table.append([*(getattr(each, name) for name in _RULES), windows, ", ".join(each.faults)])
    return table


_RULES = (
    "campaign",
    "title",
    "mode",
    "zone",
    "max_abandon_rate",
    "legal_cap",
    "patience_s",
    "least_ring_s",
    "contact_hours",
    "retry_min_s",
    "no_redial_after_drop_s",
    "amd_false_rate",
    "n_dnc",
)


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell)


def _share(value: float | None) -> str:
    return "—" if value is None else f"{value:.1%}"
