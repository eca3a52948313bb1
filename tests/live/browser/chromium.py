"""A headless Chromium on a machine of its own, driven over the DevTools protocol."""

import contextlib
import http.client
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

from tests.live.audio import tone, write_wav
from tests.live.browser.bundle import HERE, bundle
from tests.live.netns import SWITCH, Namespace
from tests.live.processes import PATIENCE_S, Process, wait_until
from tests.live.switch_process import PASSWORD

PAGE_PORT, DEVTOOLS_PORT = 8080, 9222
ORIGIN = f"http://127.0.0.1:{PAGE_PORT}"
"""Of the page: a secure context, so that it may have the microphone."""


class Chromium:
    """Shows the phone's page; its microphone brings a tone. `evaluate` runs a script there."""

    def __init__(self, network: Namespace, folder: Path, *, address: str, user: str, hz: float) -> None:
        self.user, self.address, self.hz = user, address, hz
        self._network = network
        self._folder = folder / f"chromium-{user}"
        self._folder.mkdir()
        write_wav(self._folder / "microphone.wav", tone(hz, 20.0, 0.5), 8000)
        for name in ("page.html", "phone.js"):
            shutil.copy(HERE / name, self._folder / name)
        (self._folder / "jssip.js").write_text(bundle(), encoding="utf-8")
        serve = [sys.executable, "-m", "http.server", str(PAGE_PORT), "--bind", "127.0.0.1"]
        self._server = Process(
            network.command(*serve),
            folder / f"page-{user}.log",
            folder=self._folder,
            environment={"PYTHONUNBUFFERED": "1"},
        )
        self._process = Process(network.command(*self._command()), folder / f"chromium-{user}.log", folder=self._folder)
        self._last_id = 0
        self._open = contextlib.ExitStack()
        try:
            target = wait_until(self._find_page, lambda: f"Chromium's page:\n{self._process.log[-3000:]}")
            sock = network.socket()
            sock.connect(("127.0.0.1", DEVTOOLS_PORT))
            self._devtools = self._open.enter_context(connect(target, sock=sock, max_size=1 << 24))
            self.go()
        except BaseException:
            self.kill()
            raise

    def _command(self) -> list[str]:
        return [
            "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
            "--disable-extensions",
            "--ignore-certificate-errors", "--disable-background-networking", "--disable-component-update",
            "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={self._folder / 'microphone.wav'}",
            "--autoplay-policy=no-user-gesture-required", f"--remote-debugging-port={DEVTOOLS_PORT}",
            "--remote-allow-origins=*", f"--user-data-dir={self._folder / 'profile'}", "about:blank",
        ]  # fmt: skip

    def go(self) -> None:
        """Opens the page."""
        self._command_to("Page.navigate", url=f"{ORIGIN}/page.html")
        self.wait("typeof phone !== 'undefined' && document.readyState === 'complete'")

    def reload(self) -> None:
        """As a user does it; the script's state is gone, the session storage stays."""
        self.evaluate("window.isOld = true")
        self._command_to("Page.reload")
        self.wait("!window.isOld && typeof phone !== 'undefined' && document.readyState === 'complete'")

    def register(self, scheme: str = "ws", port: int = 5066) -> None:
        self.evaluate(f"phone.register('{scheme}://{SWITCH}:{port}', 'sip:{self.user}@{SWITCH}', '{PASSWORD}')")
        self.wait("phone.has('registered')")

    def evaluate(self, script: str) -> Any:
        """The value of an expression, of a promise what it is kept with. AssertionError when it throws."""
        answer = self._command_to(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, f"{script}: {answer['exceptionDetails']}"
        return answer["result"].get("value")

    def wait(self, condition: str, what: str = "") -> None:
        """Until the expression is true."""

        def is_so() -> bool:
            try:
                return bool(self.evaluate(condition))
            except AssertionError:
                return False

        wait_until(is_so, lambda: f"{what or condition} in {self.user}: {self._shown()}")

    def wait_heard(self, hz: float) -> None:
        """Until what the page hears is mostly this tone."""
        self.wait(f"phone.share({hz}).share > 0.7", f"{hz:g} Hz")

    def hears_something(self) -> bool:
        return bool(self.evaluate("phone.share(0).power > 1e-5"))

    def log(self) -> list[dict[str, Any]]:
        """What happened on the page."""
        return list(self.evaluate("phone.log"))

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._server.kill()
        self._open.close()

    def _shown(self) -> str:
        try:
            return json.dumps(self.evaluate("({log: phone.log, share: phone.t})"))[-3000:]
        except AssertionError as error:
            return str(error)

    def _find_page(self) -> str:
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", DEVTOOLS_PORT)) as connection:
                connection.sock = self._network.socket()
                connection.sock.settimeout(PATIENCE_S)
                connection.sock.connect(("127.0.0.1", DEVTOOLS_PORT))
                connection.request("GET", "/json/list")
                pages = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, json.JSONDecodeError):
            return ""
        return next((page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"), "")

    def _command_to(self, method: str, **params: Any) -> dict[str, Any]:
        self._last_id += 1
        self._devtools.send(json.dumps({"id": self._last_id, "method": method, "params": params}))
        deadline = time.monotonic() + PATIENCE_S
        while True:
            answer = json.loads(self._devtools.recv(timeout=max(0.1, deadline - time.monotonic())))
            if answer.get("id") == self._last_id:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return dict(answer["result"])
