"""The switch under test: `ringback serve` with a configuration of the test's own, in the test's network."""

import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

from control.auth import hash_token, new_token
from tests.live.control_client import Control
from tests.live.netns import SWITCH, Namespace
from tests.live.processes import PATIENCE_S, Process, wait_until

CONTROL = (SWITCH, 8470)
PASSWORD = "a-password-of-tests-1"
"""Of every extension made by `extension()`."""
_BAD_LINE = re.compile(
    r"\[(error|critical)\s*\]|\b(ERROR|CRITICAL)\b|Traceback|Warning:|never awaited|never retrieved|Task was destroyed"
)


def extension(number: str, **keys: Any) -> dict[str, Any]:
    """An [[extension]] of the configuration."""
    return {"number": number, "password": PASSWORD, **keys}


def toml(value: dict[str, Any]) -> str:
    """Tables and arrays of tables; what is deeper stands in the line of its key."""
    scalars = [f"{key} = {json.dumps(item)}" for key, item in value.items() if not _is_table(item)]
    tables = [f"[{key}]\n{_lines(item)}" for key, item in value.items() if isinstance(item, dict)]
    arrays = [
        f"[[{key}]]\n{_lines(row)}"
        for key, item in value.items()
        if isinstance(item, list) and _is_table(item)
        for row in item
    ]
    return "\n".join((*scalars, *tables, *arrays)) + "\n"


def _lines(table: dict[str, Any]) -> str:
    return "".join(f"{key} = {_inline(item)}\n" for key, item in table.items())


def _inline(item: Any) -> str:
    match item:
        case dict():
            return "{ " + ", ".join(f"{key} = {_inline(each)}" for key, each in item.items()) + " }"
        case list():
            return "[" + ", ".join(map(_inline, item)) + "]"
        case _:
            return json.dumps(item)


def _is_table(item: Any) -> bool:
    return isinstance(item, dict) or (isinstance(item, list) and bool(item) and isinstance(item[0], dict))


class SwitchProcess:
    """Started, and ready when the constructor returns: its control API has answered. `config` is merged over defaults
    that suit a test, section by section; `tests_role` is what the tests may do over the control API."""

    def __init__(self, network: Namespace, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder / "switch"
        self.folder.mkdir()
        self.data = self.folder / "data"
        self.network = network
        self.token = new_token()
        role = config.pop("tests_role", "supervisor")
        user = {"name": "tests", "token_hash": hash_token(self.token), "role": role}
        text = toml(_merged(_DEFAULTS, config)) + "[[control.user]]\n" + toml(user)
        file = self.folder / "ringback.toml"
        file.write_text(text)
        program = str(Path(sys.executable).parent / "ringback")
        self._process = Process(
            network.command(program, "serve", "--config", str(file)),
            folder / "switch.log",
            folder=self.folder,
        )
        self._is_finished = False
        self.expected: list[str] = []
        """Texts of lines in the log that are no problem in this test."""
        self.control = wait_until(self._try_connect, lambda: f"the control API:\n{self.log[-4000:]}")

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        return self._process.pid

    @property
    def log(self) -> str:
        return self._process.log

    def connect(self) -> Control:
        """Another control connection."""
        return Control(self.network.socket(), CONTROL, self.token)

    def reconnect(self) -> None:
        """After the switch process was killed."""
        self.control.close()
        self.control = wait_until(self._try_connect, lambda: f"the control API again:\n{self.log[-4000:]}")

    def kill_switch(self) -> None:
        """SIGKILL to the switch process under the supervisor, which starts another one; back when that answers."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        pid = next(int(pid) for pid in children if b"switch.process" in Path(f"/proc/{pid}/cmdline").read_bytes())
        self.expected.append("switch died")
        os.kill(pid, signal.SIGKILL)
        self.reconnect()

    def calls_are_over(self) -> None:
        """Wait until no call is left."""
        wait_until(
            lambda: not self.control.call("call.list")["calls"],
            lambda: f"calls to end: {self.control.call('call.list')}",
        )

    def record_of(self, call_id: str) -> dict[str, Any]:
        """The call's CDR, as soon as it is durable."""

        def find() -> Any:
            return self.control.call("call.get", call_id=call_id).get("record")

        return dict(wait_until(find, f"the record of call {call_id}"))

    def recording_file(self, call_id: str) -> Path:
        """The finished recording of a call."""
        event = self.control.wait_for("recording.finished", call_id=call_id)
        file = self.data / "recordings" / event["path"]
        assert file.is_file(), f"{file} is not there"
        assert file.stat().st_size == event["size"]
        return file

    def wait_for_end(self) -> int:
        """The exit code, when it has been told to end already."""
        return self._process.wait(PATIENCE_S)

    def problems(self) -> list[str]:
        """What the log holds that must not be there: errors, tracebacks, tasks nobody awaited."""
        bad = [line for line in self.log.splitlines() if _BAD_LINE.search(line)]
        return [line for line in bad if not any(text in line for text in self.expected)]

    def finish(self) -> None:
        """SIGTERM; fails unless it ends in good order and the log is clean."""
        if self._is_finished:
            return
        self._is_finished = True
        self.control.close()
        code = self._process.terminate(2 * PATIENCE_S)
        problems = self.problems()
        assert not problems, "the log of the switch holds:\n" + "\n".join(problems[:20])
        assert code == 0, f"the switch ended with {code}:\n{self.log[-4000:]}"

    def kill(self) -> None:
        if hasattr(self, "control"):
            self.control.close()
        self._process.kill()

    def _try_connect(self) -> Control | None:
        assert self._process.exit_code is None, f"the switch ended ({self._process.exit_code}):\n{self.log[-4000:]}"
        sock = self.network.socket()
        try:
            return Control(sock, CONTROL, self.token)
        except OSError:
            sock.close()
            return None
        except AssertionError as problem:
            # The supervisor's socket takes connections even when nobody behind it can start.
            sock.close()
            raise AssertionError(f"{problem}\nthe log of the switch:\n{self.log[-6000:]}") from None


_DEFAULTS: dict[str, Any] = {
    "node": {"name": "live", "directory": "data", "drain_s": 5},
    # SIPp 3.6 and baresip 1.0 know MD5 alone; baresip gives up when it is offered SHA-256 beside it (against RFC 8760).
    "sip": {"listen": [f"udp:{SWITCH}:5060", f"tcp:{SWITCH}:5060"], "digest_algorithms": ["MD5"]},
    "media": {"rtp_ports": "20000-20399", "tone_plan": "us", "workers": 1},
    "control": {"listen": f"{CONTROL[0]}:{CONTROL[1]}"},
    "numbering": {"region": "US", "emergency": ["911"]},
}


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        merged[key] = {**base[key], **value} if isinstance(value, dict) and key in base else value
    return merged
