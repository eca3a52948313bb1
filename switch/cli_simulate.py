"""`ringback simulate`: a day of calls through the configured queues and agents, by the real routing core."""

import csv
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from acd.day import Interval, agents_needed, plan_day, with_agents
from acd.simulation import Plan, Simulation
from acd.simulation_results import Figures, SimulationResult
from switch.cli_client import AsJson, fail
from switch.cli_simulate_campaign import Wanted, simulate_campaign
from switch.cli_tables import rows_table
from switch.config_file import ConfigError, load_config

_FIELDS = ("queue", "start", "end", "calls", "handle_s", "patience_s")
_SEEDS = 3
"""Days that a number of agents must do for, of the search."""


_OF_CAMPAIGNS = "With --campaign"


def simulate(
    profile: Annotated[
        Path | None, typer.Argument(help="CSV or TOML file: queue, start, end (HH:MM), calls, handle_s, patience_s.")
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="Configuration with queues and agents.")] = Path(
        "ringback.toml"
    ),
    find: Annotated[bool, typer.Option("--find", help="How many agents reach the queues' service levels?")] = False,
    agents: Annotated[
        int, typer.Option(min=0, max=2000, help="So many agents, all alike, in place of those configured.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Another day of the same kind.")] = 1,
    interval_m: Annotated[int, typer.Option("--interval", min=1, max=1440, help="Minutes of each line.")] = 60,
    ring_s: Annotated[float, typer.Option(min=0, max=60, help="Seconds until an agent answers.")] = 3.0,
    png: Annotated[Path | None, typer.Option(help="Draw a chart into this file (wants matplotlib).")] = None,
    campaign: Annotated[
        str, typer.Option(help="A configured campaign, or a mode (predictive …), in place of a profile.")
    ] = "",
    answer_rate: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of dials answered.", rich_help_panel=_OF_CAMPAIGNS)
    ] = 0.3,
    talk_s: Annotated[
        float, typer.Option("--talk", min=1, max=7200, help="Mean talk.", rich_help_panel=_OF_CAMPAIGNS)
    ] = 90.0,
    wrap_s: Annotated[
        float, typer.Option("--wrap", min=0, max=7200, help="Mean after-call work.", rich_help_panel=_OF_CAMPAIGNS)
    ] = 20.0,
    hours: Annotated[float, typer.Option(min=0.1, max=24, help="Of a day.", rich_help_panel=_OF_CAMPAIGNS)] = 8.0,
    records: Annotated[
        int,
        typer.Option(min=0, max=1_000_000, help="A list of so many: when is it done?", rich_help_panel=_OF_CAMPAIGNS),
    ] = 0,
    inbound: Annotated[
        float, typer.Option(min=0, max=100_000, help="Callers an hour beside.", rich_help_panel=_OF_CAMPAIGNS)
    ] = 0.0,
    reserve: Annotated[
        int, typer.Option(min=0, max=1000, help="Idle agents kept for them.", rich_help_panel=_OF_CAMPAIGNS)
    ] = 0,
    days: Annotated[int, typer.Option(min=1, max=100, help="So many days.", rich_help_panel=_OF_CAMPAIGNS)] = 1,
    svg: Annotated[
        Path | None, typer.Option(help="Draw a chart into this file.", rich_help_panel=_OF_CAMPAIGNS)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a day of calls through the configured queues and agents in seconds, or a day of a campaign, by the rules that
    hold for real calls."""
    if campaign:
        if profile is not None or find or png is not None:
            fail("--campaign goes without a profile, --find and --png; it is drawn by --svg FILE")
        simulate_campaign(
            Wanted(
                campaign=campaign,
                config=config,
                agents=agents,
                answer_rate=answer_rate,
                talk_s=talk_s,
                wrap_s=wrap_s,
                hours=hours,
                records=records,
                inbound=inbound,
                reserve=reserve,
                days=days,
                seed=seed,
                svg=svg,
                as_json=as_json,
            )
        )
        return
    if profile is None:
        fail("name a profile of calls, or --campaign NAME")
    try:
        loaded = load_config(config)
        plan = plan_day(
            read_profile(profile),
            loaded.queue,
            loaded.agent,
            loaded.acd,
            interval_s=interval_m * 60.0,
            ring_s=ring_s,
        )
        needed = agents_needed(plan, range(seed, seed + _SEEDS)) if find else None
        if needed or agents:
            plan = with_agents(plan, needed or agents)
        if not plan.shifts:
            fail(f"{config}: no agent serves a queue; configure some, or ask with --agents N or --find")
        result = Simulation(plan, seed).run()
    except (ConfigError, ValueError) as error:
        fail(str(error))
    if png is not None:
        _draw(result, png)
    if as_json:
        print(json.dumps(_plain(plan, result, needed)))
        return
    _print(plan, result, needed)


def read_profile(path: Path) -> list[Interval]:
    """`[[interval]]` tables of a TOML file, or lines of a CSV file with a head. Raises ValueError that says where."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if path.suffix == ".toml":
        try:
            rows: list[dict[str, Any]] = tomllib.loads(text).get("interval", [])
        except tomllib.TOMLDecodeError as error:
            raise ValueError(f"{path}: {error}") from None
    else:
        rows = list(csv.DictReader(text.splitlines()))
    if not rows:
        raise ValueError(f"{path}: no intervals; wanted are {', '.join(_FIELDS)}")
    return [_interval(row, f"{path}, interval {n}") for n, row in enumerate(rows, 1)]


def _interval(row: dict[str, Any], where: str) -> Interval:
    unknown = sorted(str(key) for key in row if key not in _FIELDS)
    missing = [key for key in _FIELDS[:-1] if row.get(key) in (None, "")]
    if unknown or missing:
        what = f"no {missing[0]}" if missing else f"{unknown[0]} is no column"
        raise ValueError(f"{where}: {what}; wanted are {', '.join(_FIELDS)}")
    try:
        return Interval(
            queue=str(row["queue"]),
            start_s=_clock(str(row["start"])),
            end_s=_clock(str(row["end"])),
            calls=float(row["calls"]),
            handle_s=float(row["handle_s"]),
            patience_s=float(row.get("patience_s") or 0.0),
        )
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def _clock(text: str) -> float:
    hours, colon, minutes = text.partition(":")
    if not (colon and hours.isdecimal() and minutes.isdecimal() and int(hours) * 60 + int(minutes) <= 24 * 60):
        raise ValueError(f"{text} is no time of day; wanted is HH:MM, 00:00 to 24:00")
    return int(hours) * 3600.0 + int(minutes) * 60.0


def _occupancy(plan: Plan, result: SimulationResult) -> float:
    begin_s = min(stream.start_s for stream in plan.streams)
    there_s = sum(shift.end_s - begin_s for shift in plan.shifts)
    return sum(result.busy_s.values()) / there_s if there_s else 0.0


def _figures(made: Figures) -> dict[str, float]:
    return {
        "calls": made.arrived,
        "answered": made.answered,
        "abandoned": made.abandoned,
        "sent_on": made.sent_on,
        "overflowed": made.overflowed,
        "service_level": round(made.service_level, 4),
        "mean_wait_s": round(made.mean_wait_s, 2),
        "longest_wait_s": round(made.longest_s, 1),
    }


def _plain(plan: Plan, result: SimulationResult, needed: int | None) -> dict[str, Any]:
    return {
        "n_agents": len(plan.shifts),
        "agents_needed": needed,
        "occupancy": round(_occupancy(plan, result), 4),
        "still_waiting": result.n_open,
        "total": _figures(result.total),
        "queues": {
            name: {
                **_figures(made.total),
                "intervals": [
                    {"start_s": n * result.interval_s, **_figures(each)} for n, each in sorted(made.by_interval.items())
                ],
            }
            for name, made in result.queues.items()
            if made.total.arrived or made.n_taken_over
        },
    }


def _print(plan: Plan, result: SimulationResult, needed: int | None) -> None:
    rows = []
    for name, made in result.queues.items():
        rows += [_row(name, _time(n * result.interval_s), each) for n, each in sorted(made.by_interval.items())]
        if made.total.arrived:
            rows.append(_row(name, "day", made.total))
    heads = ("queue", "from", "calls", "answered", "gave up", "sent on", "in time", "mean wait", "longest")
    title = f"{len(plan.shifts)} agents, {_occupancy(plan, result):.1%} busy"
    if needed is not None:
        title = f"{needed} agents are needed; {title}"
    if result.n_open:
        title += f"; {result.n_open} still waited at the end"
    Console(highlight=False).print(rows_table(heads, rows, title))


def _row(queue: str, begins: str, made: Figures) -> tuple[str, ...]:
    return (
        queue,
        begins,
        str(made.arrived),
        str(made.answered),
        str(made.abandoned),
        str(made.sent_on + made.overflowed),
        f"{made.service_level:.1%}",
        f"{made.mean_wait_s:.1f} s",
        f"{made.longest_s:.0f} s",
    )


def _time(at_s: float) -> str:
    return f"{int(at_s // 3600):02d}:{int(at_s % 3600 // 60):02d}"


def _draw(result: SimulationResult, path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        fail("--png wants matplotlib: pip install 'ringback[charts]'")
    figure = Figure(figsize=(10, 5))
    axes = figure.subplots()
    levels = axes.twinx()
    for name, made in result.queues.items():
        intervals = sorted(made.by_interval.items())
        hours = [n * result.interval_s / 3600.0 for n, _ in intervals]
        axes.bar(hours, [each.arrived for _, each in intervals], result.interval_s / 3600.0, align="edge", alpha=0.4)
        levels.plot(hours, [each.service_level * 100 for _, each in intervals], marker="o", label=name)
    axes.set_xlabel("hour")
    axes.set_ylabel("calls")
    levels.set_ylabel("answered in time, %")
    levels.set_ylim(0, 105)
    levels.legend()
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
