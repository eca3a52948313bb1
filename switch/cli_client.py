"""How the command line reaches the switch: address, token, one command, what to print.

A refusal or an unreachable switch is one line on standard error and exit status 2.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
import typer
from rich.console import Console, RenderableType

from control.client import BlockingControlClient, ConnectionFailed, parse_address
from model.declare import COMMANDS, ApiError

DEFAULT_SERVER = "127.0.0.1:8470"
TOKEN_FILES = (Path("ringback.token"), Path("~/.config/ringback/ringback.token"), Path("/etc/ringback/ringback.token"))

Server = Annotated[
    str, typer.Option("--server", envvar="RINGBACK_SERVER", help="host:port of the control API.", show_envvar=True)
]
Token = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="RINGBACK_TOKEN",
        help="API token; else from the file ringback.token.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def ask(
    server: str,
    token: str,
    as_json: bool,
    name: str,
    params: dict[str, Any],
    show: Callable[[Any], RenderableType] | None = None,
) -> None:
    """Carries out one command and prints the result: as JSON, or as `show` makes it of the declared result."""
    with connected(server, token) as switch:
        result = switch.call(name, **params)
        if as_json:
            print(msgspec.json.format(msgspec.json.encode(result), indent=2).decode())
        elif show is not None:
            console = Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False)
            console.print(show(msgspec.convert(result, COMMANDS[name].result)))


@contextmanager
def connected(server: str, token: str) -> Iterator[BlockingControlClient]:
    """A client that is logged in; whatever goes wrong is one line and exit status 2."""
    try:
        host, port = parse_address(server)
        with BlockingControlClient(host, port, token or find_token()) as switch:
            yield switch
    except (ApiError, ConnectionFailed, ValueError) as problem:
        fail(str(problem))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


def find_token() -> str:
    """The token from the first file of `TOKEN_FILES` (or $RINGBACK_TOKEN_FILE). Raises ValueError."""
    named = os.environ.get("RINGBACK_TOKEN_FILE")
    for path in [Path(named)] if named else [path.expanduser() for path in TOKEN_FILES]:
        try:
            with path.open(encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    raise ValueError(f"{path} can be read by others: chmod 600 {path}")
                return file.readline().strip()
        except FileNotFoundError:
            continue
        except OSError as problem:
            raise ValueError(f"{path}: {problem.strerror}") from None
    raise ValueError(f"no token: give --token, set RINGBACK_TOKEN, or make a {named or TOKEN_FILES[0]} (ringback init)")


def fail(message: str) -> NoReturn:
    """Ends the command with one line on standard error and exit status 2."""
    print(f"ringback: {message}", file=sys.stderr)
    raise typer.Exit(2)


def utc_of(text: str) -> float:
    if not text:
        return 0.0
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        fail(f'"{text}" is no instant: write 2026-11-22 or 2026-11-22T14:30')
