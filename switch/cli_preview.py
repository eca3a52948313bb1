"""`ringback record …` and `ringback campaign …` for preview campaigns: records are shared out, dialled by agents, and
what became of them is noted."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from model.commands_preview import AgentFiguresList, DialedRecord, OwnRecords, RecordCard, RecordSheet, Shares
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, utc_of
from switch.cli_tables import counts_text, duration_text, facts_grid, instant_text, next_page, rows_table

CampaignName = Annotated[str, typer.Argument(help="Name of the campaign.")]
AgentArgument = Annotated[str, typer.Argument(help="Id of the agent.")]
RecordId = Annotated[str, typer.Argument(help="As `mine` shows it.")]
Agents = Annotated[list[str], typer.Argument(help="Ids of agents.")]
Most = Annotated[int, typer.Option("--limit", min=0, help="At most so many; 0 = all.")]
Chosen = Annotated[list[str] | None, typer.Option("--record", help="This record; may be given several times.")]


def add_preview(campaigns: typer.Typer, records: typer.Typer) -> None:
    """The commands, beside the others of `campaign` and `record`."""
    of_campaigns: dict[str, Callable[..., None]] = {
        "shares": campaign_shares,
        "distribute": campaign_distribute,
        "reassign": campaign_reassign,
        "take-back": campaign_take_back,
        "agents": campaign_agents,
    }
    of_records: dict[str, Callable[..., None]] = {
        "mine": record_mine,
        "next": record_next,
        "pick": record_pick,
        "open": record_open,
        "dial": record_dial,
        "result": record_result,
    }
    for group, commands in ((campaigns, of_campaigns), (records, of_records)):
        for name, command in commands.items():
            group.command(name)(command)


# -- sharing out -------------------------------------------------------------------------------------------------------


def campaign_shares(
    campaign: CampaignName, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """How many records each agent has."""
    ask(server, token, as_json, "record.shares", {"campaign": campaign}, show_shares)


def campaign_distribute(
    campaign: CampaignName,
    agents: Agents,
    each: Annotated[int, typer.Option(min=0, help="So many to each; 0 = evenly.")] = 0,
    limit: Most = 0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Share out new records that are nobody's. AGENT=COUNT gives one agent so many."""
    counts = {}
    for name, is_counted, n in (one.partition("=") for one in agents):
        if is_counted and not n.isdecimal():
            raise typer.BadParameter(f"{name}={n}: after = comes how many records the agent gets")
        if is_counted:
            counts[name] = int(n)
    params = {"campaign": campaign, "agents": [one.partition("=")[0] for one in agents], "counts": counts}
    ask(server, token, as_json, "record.distribute", params | {"each": each, "limit": limit}, show_shares)


def campaign_reassign(
    campaign: CampaignName,
    to: Agents,
    agent: Annotated[str, typer.Option("--from", help="Whose records.")] = "",
    limit: Most = 0,
    record: Chosen = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Give records of an agent to others: those not called yet, or those that are named."""
    params = {"campaign": campaign, "to": to, "agent_id": agent, "limit": limit, "record_ids": record or []}
    ask(server, token, as_json, "record.reassign", params, show_shares)


def campaign_take_back(
    campaign: CampaignName,
    agent: Annotated[str, typer.Option("--from", help="Whose records.")] = "",
    limit: Most = 0,
    record: Chosen = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Make records of an agent nobody's again."""
    params = {"campaign": campaign, "agent_id": agent, "limit": limit, "record_ids": record or []}
    ask(server, token, as_json, "record.take_back", params, show_shares)


def campaign_agents(
    since: Annotated[str, typer.Option(help="2026-12-01 or 2026-12-01T08:00 (local time).")],
    until: Annotated[str, typer.Option(help="The first instant that does not count.")],
    campaign: Annotated[str, typer.Option(help="Only of this campaign.")] = "",
    interval: Annotated[str, typer.Option(help="hour or day: apart by it.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """What each agent called and achieved."""
    params = {"campaign": campaign, "start_utc": utc_of(since), "end_utc": utc_of(until), "interval": interval}
    ask(server, token, as_json, "campaign.agents", params, show_figures)


# -- work of agents ----------------------------------------------------------------------------------------------------


def record_mine(
    agent_id: AgentArgument,
    campaign: Annotated[str, typer.Option(help="Only of this campaign.")] = "",
    what: Annotated[str, typer.Option(help="to_call, callbacks, done or all.")] = "to_call",
    text: Annotated[str, typer.Option(help="Only those in whose name or data it stands.")] = "",
    number: Annotated[str, typer.Option(help="Only those with this number.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 50,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Records of an agent."""
    params: dict[str, Any] = {"agent_id": agent_id, "campaign": campaign, "what": what, "text": text}
    params |= {"number": number, "limit": limit, "cursor": cursor}
    ask(server, token, as_json, "record.mine", params, show_own)


def record_next(
    agent_id: AgentArgument,
    campaign: Annotated[str, typer.Option(help="Only of this campaign.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Whom an agent is to call next."""
    ask(server, token, as_json, "record.next", {"agent_id": agent_id, "campaign": campaign}, show_sheet)


def record_pick(
    agent_id: AgentArgument,
    record_id: RecordId,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Make a record that is nobody's an agent's."""
    ask(server, token, as_json, "record.pick", {"agent_id": agent_id, "record_id": record_id}, show_sheet)


def record_open(
    agent_id: AgentArgument,
    record_id: RecordId,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """A record as its agent sees it, with script and dispositions."""
    ask(server, token, as_json, "record.open", {"agent_id": agent_id, "record_id": record_id}, show_sheet)


def record_dial(
    agent_id: AgentArgument,
    record_id: RecordId,
    position: Annotated[int, typer.Option(help="Which number, from 0; -1 = the one whose turn it is.")] = -1,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Ring an agent's phone, then the customer."""
    params = {"agent_id": agent_id, "record_id": record_id, "position": position}
    ask(server, token, as_json, "record.dial", params, show_dialed)


def record_result(
    agent_id: AgentArgument,
    record_id: RecordId,
    code: Annotated[str, typer.Argument(help="One of the campaign's dispositions.")],
    note: str = "",
    callback: Annotated[str, typer.Option(help="When to call again: 2026-12-31T18:00 (local time).")] = "",
    shared: Annotated[bool, typer.Option(help="Whoever is free calls then.")] = False,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Say how a conversation went."""
    params: dict[str, Any] = {"agent_id": agent_id, "record_id": record_id, "code": code, "note": note}
    params |= {"callback_utc": utc_of(callback), "is_shared": shared}
    ask(server, token, as_json, "record.result", params, show_sheet)


# -- showing -----------------------------------------------------------------------------------------------------------


def show_shares(shares: Shares) -> RenderableType:
    heads = ("agent", "given", "records", "to call", "callbacks", "done")
    rows = [
        (
            each.agent_id,
            f"{each.n_given:+d}" if each.n_given else "",
            str(each.n_records),
            str(each.n_to_call),
            str(each.n_callbacks),
            str(each.n_done),
        )
        for each in shares.shares
    ]
    return rows_table(heads, rows, f"{shares.n_moved} moved, {shares.n_unassigned} new ones are nobody's")


def show_own(page: OwnRecords) -> RenderableType:
    heads = ("record", "campaign", "name", "numbers", "status", "attempts", "last", "callback", "disposition", "note")
    rows = [
        (
            each.record_id,
            each.campaign,
            each.name,
            _numbers(each),
            each.status,
            str(each.n_attempts),
            each.last_result,
            instant_text(each.callback_utc),
            each.disposition,
            each.note,
        )
        for each in page.records
    ]
    return rows_table(heads, rows, next_page(page.cursor))


def show_sheet(sheet: RecordSheet) -> RenderableType:
    record = sheet.record
    why_not = f"no: {sheet.why_not} {instant_text(sheet.retry_at_utc)}".strip()
    facts = [
        ("record", record.record_id),
        ("campaign", sheet.title),
        ("name", record.name),
        ("numbers", _numbers(record)),
        ("status", record.status),
        ("may be called", f"yes, number {sheet.position}" if sheet.may_call else why_not),
        ("owner", record.owner),
        ("attempts", f"{record.n_attempts} {record.last_result}".strip()),
        ("callback", f"{instant_text(record.callback_utc)} {record.callback_owner} {record.callback_note}".strip()),
        ("disposition", record.disposition),
        ("note", record.note),
        *((f"data {name}", value) for name, value in record.data.items()),
        ("questionnaire", sheet.questionnaire),
    ]
    heads = ("disposition", "title", "effect")
    rows = [(each.code, each.title, each.effect) for each in sheet.dispositions]
    texts = [(head, text) for head, text in (("script", sheet.script), ("content", sheet.content)) if text]
    return Group(facts_grid(facts), facts_grid(texts), rows_table(heads, rows))


def show_dialed(dialed: DialedRecord) -> RenderableType:
    facts = [("call", dialed.call_id), ("number", dialed.number), ("shown", dialed.caller_id)]
    return facts_grid(facts)


def show_figures(page: AgentFiguresList) -> RenderableType:
    heads = ("since", "campaign", "agent", "calls", "connected", "talk", "deals", "dispositions")
    rows = [
        (
            instant_text(each.start_utc),
            each.campaign,
            each.agent_id,
            str(each.n_attempts),
            str(each.n_connected),
            duration_text(each.talk_s),
            str(each.n_deals),
            counts_text(each.dispositions),
        )
        for each in page.figures
    ]
    return rows_table(heads, rows)


def _numbers(record: RecordCard) -> str:
    return ", ".join(f"{each.number}{' (bad)' if each.is_bad else ''}" for each in record.numbers)
