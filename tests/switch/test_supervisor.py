"""switch/supervisor.py, sockets.py, process.py, cli.py with real processes on loopback: start, restarts after kill -9,
drain, and refusals in one line with exit status 2. Calls through it are in tests/demo and tests/live."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from control.auth import hash_token, new_token
from control.client import BlockingControlClient
from switch.demo.setting import free_ports, free_rtp_range
from switch.media_workers import BACK_OFF_S, MediaWorkers, Slot

RINGBACK = str(Path(sys.executable).parent / "ringback")
PATIENCE_S = 60.0


class Served:
    """`ringback serve` in a folder of its own."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.sip_port, self.control_port, _ = free_ports()
        first_rtp, last_rtp = free_rtp_range(40)
        self.token = new_token()
        self.config = folder / "ringback.toml"
        self.config.write_text(
            f'[sip]\nlisten = ["udp:127.0.0.1:{self.sip_port}"]\n'
            f'[media]\nrtp_ports = "{first_rtp}-{last_rtp}"\nworkers = 1\n'
            f'[control]\nlisten = "127.0.0.1:{self.control_port}"\n'
            f'[[control.user]]\nname = "t"\nrole = "administrator"\ntoken_hash = "{hash_token(self.token)}"\n{more}'
        )
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([RINGBACK, "serve", "--config", str(self.config)], stderr=log)

    def ask(self, name: str, **params: Any) -> Any:
        with BlockingControlClient("127.0.0.1", self.control_port, self.token) as client:
            return client.call(name, **params)

    def until(self, is_so: Callable[[Any], bool]) -> Any:
        """system.status, once it is as wanted; the switch may be away meanwhile."""
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                status = self.ask("system.status")
                if is_so(status):
                    return status
            except OSError as error:
                status = error
            assert time.monotonic() < give_up, f"{status}\n{self.log.read_text()}"
            time.sleep(0.05)

    def children(self) -> dict[str, int]:
        """Module name → pid of the supervisor's children; of the media workers, any."""
        found = {}
        for line in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            arguments = Path(f"/proc/{line}/cmdline").read_text().split("\0")
            if "-m" in arguments:
                found[arguments[arguments.index("-m") + 1]] = int(line)
        return found

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    one = Served(tmp_path)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()


def is_up(status: Any) -> bool:
    return bool(status["media_workers"]) and status["media_workers"][0]["state"] == "up"


def test_it_starts_answers_and_ends_with_status_0(served: Served) -> None:
    served.until(is_up)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(PATIENCE_S)
        port = phone.getsockname()[1]
        phone.sendto(
            f"OPTIONS sip:127.0.0.1:{served.sip_port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKo\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n".encode(),
            ("127.0.0.1", served.sip_port),
        )
        assert phone.recv(4096).startswith(b"SIP/2.0 200")
    pids = served.children()
    assert served.stop() == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids.values())
    assert "error" not in served.log.read_text()


def test_a_killed_media_worker_and_a_killed_switch_come_back_on_the_same_ports(served: Served) -> None:
    first = served.until(is_up)
    os.kill(first["media_workers"][0]["pid"], signal.SIGKILL)
    second = served.until(lambda status: is_up(status) and status["media_workers"][0]["n_restarts"] == 1)
    assert second["media_workers"][0]["pid"] != first["media_workers"][0]["pid"]
    assert second["started_utc"] == first["started_utc"]
    os.kill(served.children()["switch.process"], signal.SIGKILL)
    third = served.until(lambda status: is_up(status) and status["started_utc"] > first["started_utc"])
    assert third["media_workers"][0]["pid"] == second["media_workers"][0]["pid"]
    assert served.stop() == 0


def media_pids(served: Served) -> set[int]:
    """Of the worker and, when it is there, the spare."""
    found = set()
    for child in Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text().split():
        if b"media.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
            found.add(int(child))
    return found


def with_spare(served: Served, but: set[int]) -> tuple[int, int]:
    """(worker, spare), none of them in `but`, once both are there."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        worker = served.until(is_up)["media_workers"][0]["pid"]
        spares = media_pids(served) - {worker} - but
        if worker not in but and spares:
            return worker, spares.pop()
        assert time.monotonic() < give_up, served.log.read_text()
        time.sleep(0.05)


def test_a_spare_takes_a_killed_workers_place_and_is_replaced_itself(served: Served) -> None:
    worker, spare = with_spare(served, set())
    os.kill(spare, signal.SIGKILL)
    assert with_spare(served, {spare})[0] == worker
    worker, spare = with_spare(served, {spare})
    os.kill(worker, signal.SIGKILL)
    status = served.until(lambda status: is_up(status) and status["media_workers"][0]["n_restarts"] == 1)
    assert status["media_workers"][0]["pid"] == spare
    # At once again, whether the next spare is there or not.
    os.kill(spare, signal.SIGKILL)
    served.until(lambda status: is_up(status) and status["media_workers"][0]["n_restarts"] == 2)
    assert with_spare(served, {worker, spare})
    assert served.stop() == 0


def test_a_worker_that_hangs_is_killed_and_replaced(served: Served) -> None:
    worker, spare = with_spare(served, set())
    os.kill(worker, signal.SIGSTOP)
    status = served.until(lambda status: is_up(status) and status["media_workers"][0]["n_restarts"] == 1)
    assert status["media_workers"][0]["pid"] == spare
    assert "hangs" in served.log.read_text()
    assert served.stop() == 0


class Doomed(MediaWorkers):
    """Its processes end at once when they are given a slot."""

    def __init__(self, slot: Slot, n_deaths: int) -> None:
        super().__init__([slot])
        self.enough = asyncio.Event()
        self._n_deaths = n_deaths

    async def _start(self) -> asyncio.subprocess.Process:
        if self.n_restarts >= self._n_deaths:
            self.enough.set()
        program = "import sys; sys.stdin.readline(); sys.exit(1)"
        return await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=asyncio.subprocess.PIPE)


def test_workers_that_die_again_and_again_are_replaced_ever_more_slowly(tmp_path: Path) -> None:
    n_deaths = 6

    async def main() -> float:
        slot = Slot.make("w0", tmp_path / "w0.sock", ())
        workers = Doomed(slot, n_deaths)
        began = time.monotonic()
        running = asyncio.create_task(workers.run())
        try:
            async with asyncio.timeout(PATIENCE_S):
                await workers.enough.wait()
        finally:
            workers.stop()
            await running
            slot.close()
        return time.monotonic() - began

    assert asyncio.run(main()) >= sum(BACK_OFF_S[:n_deaths])


def test_a_drain_by_api_ends_everything(served: Served) -> None:
    served.until(is_up)
    served.ask("system.drain")
    assert served.process.wait(PATIENCE_S) == 0


def test_children_do_not_outlive_a_killed_supervisor(served: Served) -> None:
    served.until(is_up)
    pids = served.children().values()
    served.process.kill()
    served.process.wait()
    give_up = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path, served: Served) -> None:
    served.until(is_up)
    (tmp_path / "second").mkdir()
    second = tmp_path / "second" / "ringback.toml"
    second.write_text(served.config.read_text())
    refused = subprocess.run([RINGBACK, "serve", "--config", str(second)], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "the port is in use" in refused.stderr
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[sip]\nlisten = []\n", "sip.listen"),
        ('[sip]\nlisten = ["tls:127.0.0.1:0"]\ntls_certificate = "none.pem"\ntls_key = "none.pem"\n', "none.pem"),
        ('[sip]\nlisten = ["udp:203.0.113.1:5060"]\n', "this machine has no such address"),
        ('[[control.user]]\nname = "t"\ntoken_hash = "secret"\n', "token hash"),
    ],
    ids=["configuration", "certificate", "address", "token"],
)
def test_what_cannot_work_is_said_in_one_line(tmp_path: Path, more: str, message: str) -> None:
    _, control_port, _ = free_ports()
    first_rtp, last_rtp = free_rtp_range(10)
    listen = "" if "[sip]" in more else '[sip]\nlisten = ["udp:127.0.0.1:0"]\n'
    config = tmp_path / "ringback.toml"
    config.write_text(
        f'{listen}[control]\nlisten = "127.0.0.1:{control_port}"\n'
        f'[media]\naddress = "127.0.0.1"\nrtp_ports = "{first_rtp}-{last_rtp}"\n{more}'
    )
    refused = subprocess.run(
        [RINGBACK, "serve", "--config", str(config)], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert refused.returncode == 2, refused.stderr
    lines = [line for line in refused.stderr.splitlines() if line.startswith("ringback: ")]
    assert len(lines) == 1, refused.stderr
    assert message in lines[0], refused.stderr


def test_check_and_init(tmp_path: Path) -> None:
    made = subprocess.run([RINGBACK, "init", str(tmp_path)], capture_output=True, text=True, check=True)
    assert "ringback.toml" in made.stdout
    again = subprocess.run([RINGBACK, "init", str(tmp_path)], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    good = subprocess.run(
        [RINGBACK, "check", "--config", str(tmp_path / "ringback.toml")], capture_output=True, text=True, check=True
    )
    assert "good" in good.stdout
