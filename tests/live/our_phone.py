"""Our own phone (`switch.demo`) as a peer: a process of its own, told by lines of JSON, at an address of the bed."""

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.live.netns import SWITCH, Namespace
from tests.live.processes import PATIENCE_S, wait_until
from tests.live.switch_process import PASSWORD


class OurPhones:
    """The process; one or more phones in it."""

    def __init__(self, network: Namespace, folder: Path) -> None:
        self._errors = open(folder / "phones.log", "wb")  # noqa: SIM115 - closed with the process
        self._popen = subprocess.Popen(
            network.command(sys.executable, "-m", "switch.demo.phones"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )
        self.events: list[dict[str, Any]] = []
        self._n = 0
        self._reader = threading.Thread(target=self._read, name="phones")
        self._reader.start()

    def add(self, number: str, address: str, hz: float) -> None:
        """A phone that speaks a tone, registered."""
        self.do(
            "add_phone",
            phone=number,
            server=f"udp:{SWITCH}:5060",
            host=address,
            port=5060,
            password=PASSWORD,
            tone_hz=hz,
        )
        self.wait("registered", phone=number)

    def do(self, what: str, **fields: Any) -> None:
        """A command, done when this returns. Fails when the phone refuses."""
        self._n += 1
        tag = f"t{self._n}"
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps({"do": what, "tag": tag, **fields}).encode() + b"\n")
        self._popen.stdin.flush()
        done = self.wait(tag=tag)
        assert done["event"] == "done", f"{what} {fields}: {done}"

    def wait(self, event: str = "", *, after: int = 0, **fields: Any) -> dict[str, Any]:
        """The first event with these fields, come already or to come; `after` are as many as do not count."""

        def find() -> dict[str, Any] | None:
            for told in self.events[after:]:
                if (not event or told["event"] == event) and fields.items() <= told.items():
                    return told
            assert self._popen.poll() is None, f"the phones ended with {self._popen.returncode}"
            return None

        found = wait_until(find, lambda: f"{event} {fields} of our phones; told: {self.events[after:][-20:]}")
        assert found is not None
        return found

    def stop(self) -> None:
        """Hangs up, unregisters and ends."""
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        try:
            self._popen.wait(PATIENCE_S)
        finally:
            self.kill()

    def kill(self) -> None:
        if self._popen.poll() is None:
            self._popen.kill()
            self._popen.wait()
        self._reader.join()
        assert self._popen.stdout is not None
        self._popen.stdout.close()
        self._errors.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.events.append(json.loads(line))
