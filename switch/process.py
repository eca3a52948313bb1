"""The switch process, started by the supervisor with its sockets. One uvloop, no blocking."""

import argparse
import asyncio
import logging
import signal
import socket
import sys

import uvloop

from switch.app import App
from switch.collector import calm_collector
from switch.config import Config
from switch.config_file import ConfigError, load_config
from switch.listening import UnusableError
from switch.logs import set_up_logging

log = logging.getLogger(__name__)


def main() -> int:
    parser = argparse.ArgumentParser(prog="switch.process")
    parser.add_argument("--config", required=True)
    parser.add_argument("--sip-fds", required=True, help="FIRST:COUNT, in the order of sip.listen")
    parser.add_argument("--control-fd", required=True, type=int)
    parser.add_argument("--media", action="append", default=[], help="socket of a media worker, in order")
    parser.add_argument("--edge", default="", help="socket of the WebRTC edge")
    arguments = parser.parse_args()
    try:
        config = load_config(arguments.config)
    except ConfigError as error:
        print(f"ringback: {error}", file=sys.stderr)
        return 2
    set_up_logging(config.node.log_level)
    first, _, count = arguments.sip_fds.partition(":")
    sip_sockets = [socket.socket(fileno=int(first) + i) for i in range(int(count))]
    control_socket = socket.socket(fileno=arguments.control_fd)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(run(config, sip_sockets, control_socket, arguments.media, arguments.edge))
        except UnusableError as error:
            print(f"ringback: {error}", file=sys.stderr)
            return 2


async def run(
    config: Config, sip_sockets: list[socket.socket], control_socket: socket.socket, media: list[str], edge: str = ""
) -> int:
    """Runs until it is drained; the exit status."""
    loop = asyncio.get_running_loop()
    app = await App.start(config, sip_sockets, control_socket, media, edge)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.asked_to_stop)
    loop.add_signal_handler(signal.SIGHUP, app.asked_to_reload_tls)
    calm_collector()
    log.info("= ready: %s", ", ".join(f"{t}:{h}:{p}" for t, h, p in app.addresses))
    try:
        await app.stopped.wait()
    finally:
        await app.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
