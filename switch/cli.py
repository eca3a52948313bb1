"""The command `ringback`. Wrong use or a wrong configuration: one line on standard error, exit status 2."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from switch.cli_control import app as control_app
from switch.cli_ivr import app as ivr_app
from switch.cli_say import say
from switch.cli_simulate import simulate
from switch.cli_staffing import staffing
from switch.config_file import ConfigError, load_config
from switch.flows import load_flows
from switch.listening import UnusableError
from switch.logs import set_up_logging

app = typer.Typer(
    name="ringback",
    help="A contact-centre switch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigPath = Annotated[Path, typer.Option("--config", "-c", help="Configuration file.")]


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="Where to write ringback.toml and the token.")] = Path(),
    extensions: Annotated[int, typer.Option(min=0, max=1000, help="How many extensions to make.")] = 4,
) -> None:
    """Write a commented configuration with strong random passwords."""
    from switch.init_config import write_configuration

    try:
        written = write_configuration(directory, extensions)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}")
    for path, what in written:
        typer.echo(f"{path}  {what}")


@app.command()
def serve(
    config: ConfigPath = Path("ringback.toml"),
) -> None:
    """Run the switch until SIGTERM; live calls get node.drain_s seconds to end."""
    from switch.supervisor import serve as run

    try:
        loaded = load_config(config.absolute())
        set_up_logging(loaded.node.log_level)
        raise typer.Exit(asyncio.run(run(loaded)))
    except ConfigError as error:
        _fail(str(error))


@app.command()
def check(config: ConfigPath = Path("ringback.toml")) -> None:
    """Read and check a configuration without running anything."""
    try:
        loaded = load_config(config)
        load_flows(loaded)
    except (ConfigError, UnusableError) as error:
        _fail(str(error))
    typer.echo(f"{config}: good: {len(loaded.extension)} extensions, {len(loaded.trunk)} trunks")


app.command()(staffing)
app.command()(simulate)
app.command()(say)
app.add_typer(ivr_app)


@app.command()
def demo(
    calls: Annotated[int, typer.Option(min=1, max=200, help="Calls to make.")] = 10,
    seconds: Annotated[float, typer.Option(min=2, max=3600, help="Length of each call.")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    directory: Annotated[Path | None, typer.Option(help="Keep recordings and database here.")] = None,
) -> None:
    """Real calls with real audio between phones of ours through a switch on this machine."""
    from switch.demo.run import demo as run

    raise typer.Exit(run(calls=calls, seconds=seconds, as_json=as_json, directory=directory))


@app.command()
def token() -> None:
    """Make an API token and the hash that stands in the configuration."""
    from control.auth import hash_token, new_token

    made = new_token()
    typer.echo(f"token       {made}\ntoken_hash  {hash_token(made)}")


@app.command()
def pin() -> None:
    """Make the hash of an agent's PIN, for pin_hash in the configuration; the PIN is asked for, or read from a pipe."""
    from switch.pins import hash_pin

    if sys.stdin.isatty():
        wanted = typer.prompt("PIN", hide_input=True, confirmation_prompt=True)
    else:
        wanted = sys.stdin.readline()
    try:
        typer.echo(f"pin_hash  {hash_pin(wanted.strip())}")
    except ValueError as error:
        _fail(str(error))


app.registered_commands += control_app.registered_commands
app.registered_groups += control_app.registered_groups


def _fail(message: str) -> NoReturn:
    print(f"ringback: {message}", file=sys.stderr)
    raise typer.Exit(2)


def main() -> None:
    """Entry point of the command."""
    app()
