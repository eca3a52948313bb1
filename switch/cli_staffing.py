"""`ringback staffing`: how many agents a load takes, and what a few more or less would make of it."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from acd.staffing import Forecast, Load, agents_needed, forecast
from switch.cli_client import AsJson, fail
from switch.cli_tables import rows_table

_FEWER, _MORE = 3, 4
"""Rows shown beside that of the agents needed."""


def staffing(
    calls_per_hour: Annotated[float, typer.Argument(min=0.1, max=1e6, help="Calls that come in an hour.")],
    handle_s: Annotated[float, typer.Argument(min=1, max=36_000, help="Mean seconds of talk and wrap-up.")],
    patience_s: Annotated[
        float, typer.Option(min=0, max=36_000, help="Mean seconds until a caller gives up; 0 = nobody does (Erlang C).")
    ] = 0.0,
    level: Annotated[float, typer.Option(min=0.01, max=0.999, help="Share to be answered in time.")] = 0.8,
    within_s: Annotated[float, typer.Option(min=0.1, max=3600, help="What in time means, in seconds.")] = 20.0,
    max_abandon: Annotated[float, typer.Option(min=0.0001, max=1, help="Share that may give up at most.")] = 1.0,
    as_json: AsJson = False,
) -> None:
    """How many agents a load takes, by Erlang C, or Erlang A where callers give up."""
    load = Load(calls_per_hour=calls_per_hour, handle_s=handle_s, patience_s=patience_s)
    try:
        needed = agents_needed(load, level, within_s, max_abandon)
    except ValueError as error:
        fail(str(error))
    if as_json:
        print(json.dumps({"erlangs": load.erlangs, **asdict(needed)}))
        return
    stable = 1 if patience_s else int(load.erlangs) + 1
    span = range(max(stable, needed.n_agents - _FEWER), needed.n_agents + _MORE + 1)
    rows = [_row(forecast(load, n, within_s), needed.n_agents) for n in span]
    heads = ("agents", "", f"in {within_s:g} s", "wait", "mean wait", "give up", "occupancy")
    Console(highlight=False).print(rows_table(heads, rows, f"{load.erlangs:.2f} erlangs"))


def _row(made: Forecast, needed: int) -> tuple[str, ...]:
    return (
        str(made.n_agents),
        "needed" if made.n_agents == needed else "",
        f"{made.service_level:.1%}",
        f"{made.wait_share:.1%}",
        f"{made.mean_wait_s:.1f} s",
        f"{made.abandon_share:.2%}",
        f"{made.occupancy:.1%}",
    )
