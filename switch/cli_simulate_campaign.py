"""`ringback simulate --campaign`: days of a campaign by the pacing that would run it, beside other ways to dial."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

from dialer.comparison import Compared, compare
from dialer.simulation_world import World
from dialer.snapshot import PacingConfig, pacing_config
from model.campaigns import Mode
from switch.campaign_chart import bar, hourly_abandon_rate, hourly_occupancy, svg
from switch.cli_client import fail
from switch.cli_tables import rows_table
from switch.config_file import ConfigError, load_config

_BAR = 40
_LIST_H = 2000
"""A list that takes longer is not waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What `ringback simulate` was asked for a campaign."""

    campaign: str
    """One that is configured, or a mode: then with the settings of a new campaign."""
    config: Path
    agents: int
    answer_rate: float
    talk_s: float
    wrap_s: float
    hours: float
    records: int
    inbound: float
    reserve: int
    days: int
    seed: int
    svg: Path | None
    as_json: bool


def simulate_campaign(wanted: Wanted) -> None:
    try:
        config, agents = _campaign(wanted)
        if config.mode == "preview":
            fail("a campaign of mode preview is dialled by its agents, nothing is to be simulated")
        world = World(
            n_agents=agents,
            length_s=(_LIST_H if wanted.records else wanted.hours) * 3600.0,
            answer_rate=((0.0, wanted.answer_rate),),
            talk_s=wanted.talk_s,
            wrap_s=wanted.wrap_s,
            ring_timeout_s=config.ring_timeout_s,
            patience_s=config.patience_s,
            inbound_per_h=wanted.inbound,
            n_records=wanted.records or None,
        )
        rows = list(compare(world, config, range(wanted.seed, wanted.seed + wanted.days), wanted.hours * 3600.0))
    except (ConfigError, ValueError) as error:
        fail(str(error))
    if wanted.svg is not None:
        _draw(rows, _title(wanted, world), config, wanted.svg)
    if wanted.as_json:
        print(json.dumps(_plain(wanted, config, world, rows)))
        return
    _print(wanted, config, world, rows)


def _campaign(wanted: Wanted) -> tuple[PacingConfig, int]:
    """Raises ConfigError, ValueError."""
    if wanted.campaign in get_args(Mode):
        if not wanted.agents:
            raise ValueError("how many agents? Say --agents N, or name a configured campaign")
        return PacingConfig(mode=wanted.campaign, reserve=wanted.reserve), wanted.agents  # type: ignore[arg-type]
    loaded = load_config(wanted.config)
    found = {campaign.name: campaign for campaign in loaded.campaign}
    campaign = found.get(wanted.campaign)
    if campaign is None:
        known = ", ".join([*found, *get_args(Mode)])
        raise ValueError(f'there is no campaign or mode "{wanted.campaign}"; there are {known}')
    serving = [
        agent
        for agent in loaded.agent
        if agent.is_enabled and any(each.queue == campaign.queue for each in agent.queues)
    ]
    agents = wanted.agents or len(serving)
    if not agents:
        raise ValueError(f'no agent serves queue "{campaign.queue}" of {campaign.name}; say --agents N')
    return pacing_config(campaign, loaded.dialer, wanted.reserve), agents


def _title(wanted: Wanted, world: World) -> str:
    size = f"{wanted.records} numbers" if wanted.records else f"{wanted.hours:g} h"
    return (
        f"{wanted.campaign}: {world.n_agents} agents, {wanted.answer_rate:.0%} answer, "
        f"{world.talk_s:g} s talk, {world.wrap_s:g} s wrap-up, {size}"
    )


def _plain(wanted: Wanted, config: PacingConfig, world: World, rows: list[Compared]) -> dict[str, Any]:
    return {
        "campaign": wanted.campaign,
        "mode": config.mode,
        "n_agents": world.n_agents,
        "answer_rate": wanted.answer_rate,
        "limit": config.alpha,
        "days": wanted.days,
        "seed": wanted.seed,
        "ways": [
            {
                "name": row.name,
                "occupancy": round(row.occupancy, 4),
                "talk_share": round(row.talk_share, 4),
                "abandon_rate": round(row.abandon_rate, 5),
                "worst_abandon_rate": round(row.worst_abandon_rate, 5),
                "connects_per_agent_hour": round(row.connects_per_agent_hour, 2),
                "dials_per_hour": round(row.dials_per_hour, 1),
                "completed_s": None if row.completed_s is None else round(row.completed_s),
                "hourly_occupancy": [round(share, 4) for share in hourly_occupancy(row)],
                "abandon_rate_so_far": [round(rate, 5) for rate in hourly_abandon_rate(row)],
            }
            for row in rows
        ],
    }


def _print(wanted: Wanted, config: PacingConfig, world: World, rows: list[Compared]) -> None:
    heads = ("dialled", "busy", "talk", "abandoned", "worst", "connects", "dials/h", "list done")
    lines = [
        (
            row.name,
            f"{row.occupancy:.1%}",
            f"{row.talk_share:.1%}",
            f"{row.abandon_rate:.2%}",
            f"{row.worst_abandon_rate:.2%}" + (" !" if row.worst_abandon_rate > config.alpha else ""),
            f"{row.connects_per_agent_hour:.1f}",
            f"{row.dials_per_hour:.0f}",
            _hours(row.completed_s),
        )
        for row in rows
    ]
    n_heads = len(heads) if wanted.records else len(heads) - 1
    console = Console(highlight=False)
    console.print(rows_table(heads[:n_heads], [line[:n_heads] for line in lines], _title(wanted, world)))
    console.print(f"At most {config.alpha:.1%} abandoned; connects: for each agent and hour.")
    console.print(f"\n{rows[0].name}, by the hour: busy, and abandoned so far")
    so_far = hourly_abandon_rate(rows[0])
    for hour, share in enumerate(hourly_occupancy(rows[0])):
        console.print(f"{hour + 1:>4}  {bar(share, _BAR)} {share:6.1%}  {so_far[hour]:.2%}")


def _hours(seconds: float | None) -> str:
    if seconds is None:
        return "not"
    minutes = round(seconds / 60.0)
    return f"{minutes // 60}:{minutes % 60:02d} h"


def _draw(rows: list[Compared], title: str, config: PacingConfig, path: Path) -> None:
    try:
        path.write_text(svg(rows, title, config.alpha), encoding="utf-8")
    except OSError as error:
        fail(f"{path}: {error.strerror}")
