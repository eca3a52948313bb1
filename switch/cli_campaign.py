"""`ringback campaign …`: set up, start and stop campaigns, and see how they stand."""

from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from model import views
from model.campaigns import Campaign
from model.commands_campaign import CampaignDetail, CampaignList, CampaignSettings, CampaignView
from switch.cli_centre import Set, settings_of, unusual
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask
from switch.cli_tables import facts_grid, rows_table

campaign_app = typer.Typer(no_args_is_help=True, help="Campaigns: customers who are called, and how they stand.")


def add_campaigns(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(campaign_app, name="campaign")


@campaign_app.command("list")
def campaign_list(as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """All campaigns."""
    ask(server, token, as_json, "campaign.list", {}, _campaigns)


@campaign_app.command("show")
def campaign_show(campaign: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """One campaign, and its settings that are not the usual ones."""
    ask(server, token, as_json, "campaign.get", {"campaign": campaign}, _detail)


def _state_command(name: str, text: str) -> None:
    def run(campaign: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
        ask(server, token, as_json, f"campaign.{name}", {"campaign": campaign}, _now)

    campaign_app.command(name, help=text)(run)


_state_command("start", "Start it, or go on; outside its hours it waits for them.")
_state_command("stop", "Call nobody new; calls under way go on.")


def _settings_command(name: str, text: str, show: Callable[[Any], RenderableType]) -> None:
    def run(
        campaign: str,
        title: Annotated[str | None, typer.Option(help="How people call it.")] = None,
        mode: Annotated[str | None, typer.Option(help="preview, progressive, power, predictive or agentless.")] = None,
        queue: Annotated[str | None, typer.Option(help="Whose agents speak to who answers.")] = None,
        settings: Set = None,
        as_json: AsJson = False,
        server: Server = DEFAULT_SERVER,
        token: Token = "",
    ) -> None:
        named = (("title", title), ("mode", mode), ("queue", queue))
        given = {key: value for key, value in named if value is not None}
        params = {"campaign": campaign, "settings": settings_of(CampaignSettings, settings or ()) | given}
        ask(server, token, as_json, f"campaign.{name}", params, show)

    campaign_app.command(name, help=text)(run)


@campaign_app.command("delete")
def campaign_delete(campaign: str, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = "") -> None:
    """Delete a campaign that does not run, with its records."""
    ask(server, token, as_json, "campaign.delete", {"campaign": campaign}, _done)


# -- what is shown -----------------------------------------------------------------------------------------------------


def _campaigns(found: CampaignList) -> RenderableType:
    rows = [
        (each.campaign, each.title, each.mode, each.state, each.why, each.queue, str(each.n_calls or ""))
        for each in found.campaigns
    ]
    return rows_table(("campaign", "title", "mode", "state", "why", "queue", "calls"), rows)


def _now(campaign: CampaignView) -> RenderableType:
    return facts_grid(_facts(campaign))


def _facts(campaign: CampaignView) -> list[tuple[str, str]]:
    return [
        ("campaign", campaign.campaign),
        ("title", campaign.title),
        ("mode", campaign.mode),
        ("state", f"{campaign.state} ({campaign.why})" if campaign.why else campaign.state),
        ("queue", campaign.queue),
        ("calls under way", str(campaign.n_calls)),
    ]


def _detail(detail: CampaignDetail) -> RenderableType:
    usual = Campaign(name=detail.campaign, title=detail.settings.title, mode=detail.settings.mode)
    where = "in the configuration file" if detail.now.source == "file" else "in the database"
    return facts_grid([*_facts(detail.now), ("set up", where), *unusual(detail.settings, usual)])


_settings_command("create", "Add a campaign.", _detail)
_settings_command("update", "Change the settings that are given; they hold at once.", _detail)


def _done(done: views.Done) -> str:
    return "done"
