"""`ringback metrics`: figures of queues and agents since midnight."""

import sys
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console, RenderableType

from model.commands_metrics import AgentMetricsList, QueueMetricsList
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, connected
from switch.cli_tables import counts_text, duration_text, rows_table


def add_metrics(app: typer.Typer) -> None:
    """The command, beside the others."""
    app.command("metrics")(metrics)


def metrics(
    of: Annotated[Literal["all", "queues", "agents"], typer.Argument(help="all, queues or agents.")] = "all",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Figures of queues and agents since midnight; formulas: docs/metrics.md."""
    found: dict[str, Any] = {}
    with connected(server, token) as switch:
        if of != "agents":
            found |= switch.call("metrics.queue")
        if of != "queues":
            found |= switch.call("metrics.agent")
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
        return
    console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)
    if of != "agents":
        console.print(_queues(msgspec.convert(found, QueueMetricsList)))
    if of != "queues":
        console.print(_agents(msgspec.convert(found, AgentMetricsList)))


def _queues(found: QueueMetricsList) -> RenderableType:
    heads = (
        "queue,offered,answered,abandoned,short,sent on,waiting,longest,answer rate,in time,ASA,AHT,talk,ACW,satisfied"
    )
    rows = [
        (
            each.queue,
            str(each.carried + each.offered),
            str(each.answered),
            str(each.abandoned),
            str(each.abandoned_short),
            str(each.flowed_out),
            str(each.waiting),
            duration_text(max(each.longest_wait_s, each.longest_wait_current_s)),
            _share(each.answer_rate),
            _share(each.sl1),
            _mean(each.asa_s),
            _mean(each.aht_s),
            _mean(each.att_s),
            _mean(each.avg_acw_s),
            _share(each.csat),
            counts_text(each.agents),
        )
        for each in found.queues
    ]
    wrong = found.identity_violations
    return rows_table((*heads.split(","), "agents"), rows, f"{wrong} events do not fit together" if wrong else "")


def _agents(found: AgentMetricsList) -> RenderableType:
    heads = "agent,state,for,signed in,offers,taken,handled,AHT,talk,hold,ACW,not ready,occupancy,utilization,satisfied"
    rows = [
        (
            each.agent_id,
            f"{each.state} ({each.reason})" if each.reason else each.state,
            duration_text(each.state_s) if each.state != "offline" else "",
            duration_text(each.signin_s),
            str(each.offers),
            str(each.offers_accepted),
            counts_text(each.handled),
            _mean(each.aht_s),
            duration_text(each.talk_s),
            duration_text(each.hold_s),
            duration_text(each.acw_s),
            duration_text(each.states_s.get("not_ready", 0.0)),
            _share(each.occupancy),
            _share(each.utilization),
            _share(each.csat),
        )
        for each in found.agents
    ]
    return rows_table(heads.split(","), rows)


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


def _mean(seconds: float | None) -> str:
    return "" if seconds is None else duration_text(seconds)
