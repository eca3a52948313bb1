"""`ringback queue …`: who waits and why, open and close, and how queues are set up."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from model import views
from model.commands_centre import QueueSettings
from model.commands_queue import QueueDetail, QueueList, QueueView, Standing, WaitingCall, WaitingCalls
from model.queues import Queue
from switch.cli_centre import Set, settings_of, unusual
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask
from switch.cli_tables import counts_text, duration_text, facts_grid, next_page, rows_table

queue_app = typer.Typer(no_args_is_help=True, help="Queues: who waits, and how they are set up.")

Title = Annotated[str | None, typer.Option(help="How people call it.")]
Strategy = Annotated[str | None, typer.Option(help="Who is chosen: longest_idle, random, ring_all …")]


def add_queues(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(queue_app, name="queue")


@queue_app.command("list")
def queue_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Queues, with what is going on in each."""
    ask(server, token, as_json, "queue.list", {}, _queues)


@queue_app.command("show")
def queue_show(queue: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """One queue, and its settings that are not the usual ones."""
    ask(server, token, as_json, "queue.get", {"queue": queue}, _detail)


# -- callers -----------------------------------------------------------------------------------------------------------


@queue_app.command("waiting")
def queue_waiting(
    queue: str,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Who waits, the next one first."""
    ask(server, token, as_json, "queue.waiting", {"queue": queue, "limit": limit, "cursor": cursor}, _waiting)


@queue_app.command("explain")
def queue_explain(
    queue: str, call_id: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Why a call waits where it does."""
    ask(server, token, as_json, "queue.explain", {"queue": queue, "call_id": call_id}, _standing)


@queue_app.command("raise")
def queue_raise(
    queue: str,
    call_id: str,
    priority: Annotated[int | None, typer.Option(help="0 to 100; default: as it is.")] = None,
    first: Annotated[bool, typer.Option("--first", help="Before everybody.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Give a waiting call another priority, or put it before everybody."""
    params = {"queue": queue, "call_id": call_id, "priority": priority, "is_first": first}
    ask(server, token, as_json, "queue.raise_call", params, _call)


@queue_app.command("move")
def queue_move(
    queue: str,
    call_id: str,
    to: Annotated[str, typer.Argument(help="Another queue.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Move a waiting call to another queue; it counts as waiting since it did here."""
    ask(server, token, as_json, "queue.move_call", {"queue": queue, "call_id": call_id, "to": to}, _done)


@queue_app.command("pull")
def queue_pull(
    queue: str,
    call_id: str,
    agent_id: Annotated[str, typer.Argument(help="An available agent who serves the queue.")],
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Ring an agent for a waiting call out of its turn."""
    ask(server, token, as_json, "queue.pull", {"queue": queue, "call_id": call_id, "agent_id": agent_id}, _call)


@queue_app.command("callback")
def queue_callback(
    queue: str,
    call_id: str,
    number: Annotated[str, typer.Option(help="Where; default: the number he calls from.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Let a caller hang up and keep his place: he is called back when it is his turn."""
    params = {"queue": queue, "call_id": call_id, "number": number}
    ask(server, token, as_json, "queue.request_callback", params, lambda callback: callback.call_id)


def _state_command(name: str, state: str, text: str) -> None:
    def run(queue: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
        ask(server, token, as_json, "queue.set_state", {"queue": queue, "state": state}, _now)

    queue_app.command(name, help=text)(run)


_state_command("open", "open", "Let callers in.")
_state_command("drain", "draining", "Let nobody new in; who waits is served.")
_state_command("close", "closed", "Let nobody in, and send everybody on who waits (limits.closed_to).")


# -- settings ----------------------------------------------------------------------------------------------------------


def _settings_command(name: str, text: str, show: Callable[[Any], RenderableType]) -> None:
    def run(
        queue: str,
        title: Title = None,
        strategy: Strategy = None,
        settings: Set = None,
        as_json: AsJson = False,
        server: Server = DEFAULT_SERVER,
        token: Token = "",
    ) -> None:
        given = {key: value for key, value in (("title", title), ("strategy", strategy)) if value is not None}
        params = {"queue": queue, "settings": settings_of(QueueSettings, settings or ()) | given}
        ask(server, token, as_json, f"queue.{name}", params, show)

    queue_app.command(name, help=text)(run)


@queue_app.command("delete")
def queue_delete(
    queue: str,
    waiting: Annotated[
        str, typer.Option(help="Callers in it: refuse (not deleted then), drain (served first), overflow (sent on).")
    ] = "refuse",
    to: Annotated[str, typer.Option(help="Where overflow sends them; default: limits.closed_to.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Delete a queue that no access number and no other queue leads to."""
    ask(server, token, as_json, "queue.delete", {"queue": queue, "waiting": waiting, "to": to}, _done)


# -- what is shown -----------------------------------------------------------------------------------------------------


def _queues(found: QueueList) -> RenderableType:
    rows = [
        (
            each.queue,
            each.title,
            each.state,
            str(each.n_waiting),
            str(each.n_callbacks),
            duration_text(each.longest_wait_s),
            str(each.n_agents),
            str(each.n_idle),
            _ewt(each.ewt_s),
        )
        for each in found.queues
    ]
    heads = ("queue", "title", "state", "waiting", "callbacks", "longest", "agents", "idle", "expected wait")
    return rows_table(heads, rows)


def _now(queue: QueueView) -> RenderableType:
    return facts_grid(_facts(queue))


def _facts(queue: QueueView) -> list[tuple[str, str]]:
    longest = f", the longest for {duration_text(queue.longest_wait_s)}" if queue.n_waiting else ""
    return [
        ("queue", queue.queue),
        ("title", queue.title),
        ("state", queue.state),
        ("waiting", f"{queue.n_waiting}{longest}"),
        ("callbacks", str(queue.n_callbacks or "")),
        ("agents", f"{queue.n_agents} signed in, {queue.n_idle} idle"),
        ("by state", counts_text(queue.n_by_state)),
        ("all busy", "yes" if queue.is_all_busy else ""),
        ("expected wait", _ewt(queue.ewt_s)),
    ]


def _detail(detail: QueueDetail) -> RenderableType:
    settings = [*unusual(detail.settings, Queue(name=detail.queue, title=detail.settings.title))]
    where = "in the configuration file" if detail.source == "file" else "in the database"
    return facts_grid([*_facts(detail.now), ("set up", where), *settings])


_settings_command("create", "Add a queue.", _detail)
_settings_command("update", "Change the settings that are given; they hold at once.", _detail)


def _waiting(found: WaitingCalls) -> RenderableType:
    rows = [
        (
            str(each.position or ""),
            each.call_id,
            each.caller,
            each.dialed,
            duration_text(each.waited_s),
            each.customer_type,
            each.call_type,
            str(each.priority or ""),
            each.state,
            ", ".join(each.offered_to),
            _ewt(each.ewt_s),
        )
        for each in found.calls
    ]
    heads = (
        "place",
        "call",
        "caller",
        "dialed",
        "waited",
        "customer",
        "type",
        "priority",
        "state",
        "rings at",
        "expected wait",
    )
    return rows_table(heads, rows, next_page(found.cursor) or f"{found.n_waiting} wait")


def _call(call: WaitingCall) -> RenderableType:
    return _waiting(WaitingCalls(calls=[call], n_waiting=1, cursor=""))


def _standing(standing: Standing) -> RenderableType:
    facts = [
        ("order", standing.ranking),
        ("counts as waiting", duration_text(standing.counts_as_waiting_s)),
        ("before it", ", ".join(standing.before_it) or "nobody"),
        ("agents", counts_text(standing.agents) or "none"),
    ]
    return Group(_call(standing.call), facts_grid(facts))


def _ewt(ewt_s: float | None) -> str:
    return "" if ewt_s is None else duration_text(ewt_s)


def _done(done: views.Done) -> str:
    return "done"
