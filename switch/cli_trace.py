"""`ringback trace`: the SIP messages of chosen calls as a ladder, as they happen, and as a capture for Wireshark."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO

import msgspec
import typer

from control.client import BlockingControlClient
from model.commands_trace import TraceMessage, TraceMessages
from model.declare import ApiError
from sip.next_hop import split_host_port
from switch import pcap
from switch.cli_client import DEFAULT_SERVER, AsJson, Server, Token, connected, fail
from switch.trace_ladder import Ladder, full_text

_WAIT_S = 5.0


def trace(
    call: Annotated[str, typer.Option(help="Only this live call, with all its legs.")] = "",
    number: Annotated[str, typer.Option(help="Only calls from or to this number, or that end so.")] = "",
    extension: Annotated[str, typer.Option(help="Only calls and registrations of this extension.")] = "",
    peer: Annotated[str, typer.Option(help='Only with this peer: "host", "host:port" or the name of a trunk.')] = "",
    pcap_file: Annotated[str, typer.Option("--pcap", metavar="FILE", help="Also write a capture for Wireshark.")] = "",
    full: Annotated[bool, typer.Option("--full", help="Print the whole messages below the arrows.")] = False,
    unmasked: Annotated[
        bool, typer.Option("--unmasked", help="Show digest responses, keys and digits too (administrators).")
    ] = False,
    count: Annotated[int, typer.Option(min=0, help="End after so many messages; 0 = never.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.0, help="End after so many seconds; 0 = never.")] = 0.0,
    as_json: AsJson = False,
    server: Server = DEFAULT_SERVER,
    token: Token = "",
) -> None:
    """SIP messages of chosen calls as they come and go, until Ctrl-C."""
    params = {"call_id": call, "number": number, "extension": extension, "peer": peer, "is_unmasked": unmasked}
    ladder = Ladder(timezone=None)
    with connected(server, token) as switch, _capture(pcap_file) as capture:
        for message in _messages(switch, params, count, seconds):
            if capture is not None:
                _write(capture, message)
            if as_json:
                lines = [msgspec.json.encode(message).decode()]
            else:
                lines = ladder.add(message) + ([full_text(message), ""] if full else [])
            print("\n".join(lines), flush=True)


def _messages(
    switch: BlockingControlClient, params: dict[str, Any], count: int, seconds: float
) -> Iterator[TraceMessage]:
    trace_id = switch.call("trace.start", **params)["trace_id"]
    end = time.monotonic() + seconds if seconds else float("inf")
    n_shown = n_lost = 0
    try:
        while (left := end - time.monotonic()) > 0:
            limit = min(200, count - n_shown) if count else 200
            asked = {"trace_id": trace_id, "wait_s": min(_WAIT_S, left), "limit": limit}
            got = msgspec.convert(switch.call("trace.read", **asked), TraceMessages)
            if got.n_lost > n_lost:
                print(f"ringback: {got.n_lost - n_lost} messages came too fast and are lost", file=sys.stderr)
                n_lost = got.n_lost
            yield from got.messages
            n_shown += len(got.messages)
            if count and n_shown >= count:
                return
    finally:
        with contextlib.suppress(ApiError):  # it may have ended by itself, or the connection with it
            switch.call("trace.stop", trace_id=trace_id)


@contextlib.contextmanager
def _capture(path: str) -> Iterator[BinaryIO | None]:
    """A new capture file that only its owner can read: it holds numbers and names of people."""
    if not path:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as problem:
        fail(f"{path}: {problem.strerror}")
    with os.fdopen(descriptor, "wb") as file:
        file.write(pcap.file_header())
        file.flush()
        yield file


def _write(capture: BinaryIO, message: TraceMessage) -> None:
    ends = [split_host_port(message.remote), split_host_port(message.local)]
    if message.is_sent:
        ends.reverse()
    capture.write(pcap.packet(message.at_utc, ends[0], ends[1], message.data))
    capture.flush()
