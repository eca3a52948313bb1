"""`ringback customer …`: customers."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from model.commands_customers import CustomerPage
from model.customers import Customer
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, ask, fail
from switch.cli_lists import touched
from switch.cli_tables import facts_grid, instant_text, next_page, rows_table

customer_app = typer.Typer(no_args_is_help=True, help="Customers (files: list import --customers).")

CustomerId = Annotated[str, typer.Argument(help="Its id.")]
CustomerIds = Annotated[list[str], typer.Argument(help="Ids of customers.")]
Name = Annotated[str | None, typer.Option(help="Who it is.")]
Numbers = Annotated[list[str] | None, typer.Option("--number", help="A number; several in the order of trying.")]
Owner = Annotated[str | None, typer.Option(help="Agent whose customer he is.")]
Level = Annotated[str | None, typer.Option(help="gold, silver …")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="A tag; several are allowed.")]
Consent = Annotated[bool | None, typer.Option("--consent/--no-consent", help="Whether he agrees to be called.")]
Data = Annotated[list[str] | None, typer.Option("--data", help="What else is known: KEY=VALUE.")]


def add_customers(app: typer.Typer) -> None:
    """The commands, beside the others."""
    app.add_typer(customer_app, name="customer")


@customer_app.command("create")
def customer_create(
    name: Name = None,
    number: Numbers = None,
    owner: Owner = None,
    level: Level = None,
    tag: Tags = None,
    consent: Consent = None,
    data: Data = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Add a customer."""
    ask(server, token, as_json, "customer.create", _given(name, number, owner, level, tag, consent, data), _one)


@customer_app.command("update")
def customer_update(
    customer_id: CustomerId,
    name: Name = None,
    number: Numbers = None,
    owner: Owner = None,
    level: Level = None,
    tag: Tags = None,
    consent: Consent = None,
    data: Data = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Change what is given of a customer."""
    params = _given(name, number, owner, level, tag, consent, data)
    ask(server, token, as_json, "customer.update", {"customer_id": customer_id, **params}, _one)


@customer_app.command("get")
def customer_get(
    customer_id: CustomerId, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Show a customer."""
    ask(server, token, as_json, "customer.get", {"customer_id": customer_id}, _one)


@customer_app.command("find")
def customer_find(
    text: Annotated[str, typer.Argument(help="In the name, or in what else is known.")] = "",
    number: Annotated[str, typer.Option(help="One of his numbers, +86…")] = "",
    tag: Annotated[str, typer.Option(help="Who has this tag.")] = "",
    owner: Owner = None,
    area: Annotated[str, typer.Option(help="The beginning of their area.")] = "",
    level: Annotated[str, typer.Option(help="Of this level.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    cursor: Annotated[str, typer.Option(help="The page after this one.")] = "",
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Customers."""
    params = {
        "text": text,
        "number": number,
        "tag": tag,
        "owner": owner,
        "area": area,
        "level": level,
        "limit": limit,
        "cursor": cursor,
    }
    ask(server, token, as_json, "customer.find", params, _page)


@customer_app.command("tag")
def customer_tag(
    customer_ids: CustomerIds,
    add: Annotated[list[str] | None, typer.Option("--add", help="A tag that they get.")] = None,
    remove: Annotated[list[str] | None, typer.Option("--remove", help="A tag that they lose.")] = None,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """Give customers tags, or take them away."""
    params = {"customer_ids": customer_ids, "add": add or [], "remove": remove or []}
    ask(server, token, as_json, "customer.tag", params, touched)


@customer_app.command("delete")
def customer_delete(
    customer_ids: CustomerIds, as_json: AsJson = False, server: Server = DEFAULT_SERVER, token: Token = ""
) -> None:
    """Delete customers."""
    ask(server, token, as_json, "customer.delete", {"customer_ids": customer_ids}, touched)


def _given(
    name: str | None,
    number: list[str] | None,
    owner: str | None,
    level: str | None,
    tag: list[str] | None,
    consent: bool | None,
    data: list[str] | None,
) -> dict[str, Any]:
    pairs = dict(each.partition("=")[::2] for each in data or [])
    if any("=" not in each for each in data or []):
        fail("--data: write KEY=VALUE")
    found = {
        "name": name,
        "numbers": number or None,
        "owner": owner,
        "level": level,
        "tags": tag or None,
        "has_consent": consent,
        "data": pairs or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _page(page: CustomerPage) -> RenderableType:
    heads = ("customer", "name", "numbers", "area", "owner", "level", "tags", "source")
    rows = [
        (
            each.customer_id,
            each.name,
            " ".join(number.number for number in each.numbers),
            each.area or next((number.area for number in each.numbers), ""),
            each.owner,
            each.level,
            ", ".join(each.tags),
            each.source,
        )
        for each in page.customers
    ]
    return rows_table(heads, rows, next_page(page.cursor) or "")


def _one(customer: Customer) -> RenderableType:
    facts = [
        ("customer", customer.customer_id),
        ("name", customer.name),
        ("owner", customer.owner),
        ("time zone", customer.zone),
        ("area", customer.area),
        ("agrees to calls", "yes" if customer.has_consent else "no"),
        ("level", customer.level),
        ("tags", ", ".join(customer.tags)),
        ("source", customer.source),
        ("created", instant_text(customer.created_utc)),
        ("changed", instant_text(customer.updated_utc)),
        *customer.data.items(),
    ]
    numbers = [(each.number, each.label, each.zone, each.area) for each in customer.numbers]
    return Group(facts_grid(facts), rows_table(("number", "label", "zone", "area"), numbers))
