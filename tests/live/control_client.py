"""The control API as an integrator sees it: a TCP connection with one JSON object a line. Independent of the product's
own client."""

import json
import socket
import time
from typing import Any

from tests.live.processes import PATIENCE_S


class Refused(AssertionError):
    """The switch answered with an error; `error` is its body."""

    def __init__(self, method: str, error: dict[str, Any]) -> None:
        super().__init__(f"{method}: {error}")
        self.error = error


class Control:
    """One connection, logged in, subscribed to all events unless told otherwise."""

    def __init__(self, sock: socket.socket, address: tuple[str, int], token: str) -> None:
        self._socket = sock
        self._received = b""
        self._last_id = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        """All that came, in order; `wait_for` takes none away."""
        sock.settimeout(PATIENCE_S)
        sock.connect(address)
        self.call("auth.login", token=token)
        self.call("events.subscribe")

    def call(self, method: str, **params: Any) -> Any:
        """The result. Raises Refused."""
        self._last_id += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        self._socket.sendall(line.encode() + b"\n")
        deadline = time.monotonic() + PATIENCE_S
        while self._last_id not in self._answers:
            self._read(deadline, f"the answer to {method}")
        answer = self._answers.pop(self._last_id)
        if "error" in answer:
            raise Refused(method, answer["error"])
        return answer["result"]

    def wait_for(self, name: str, *, timeout_s: float = PATIENCE_S, after: int = 0, **fields: Any) -> dict[str, Any]:
        """The first event `name` with these fields and a sequence number above `after`, come already or to come."""
        deadline = time.monotonic() + timeout_s
        looked_at = 0
        while True:
            for event in self.events[looked_at:]:
                if event["event"] == name and event["seq"] > after and fields.items() <= event.items():
                    return event
            looked_at = len(self.events)
            self._read(deadline, f"event {name} {fields}")

    def wait_for_n(self, n: int, name: str, *, timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """All events `name`, as soon as there are so many."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = [event for event in self.events if event["event"] == name]
            if len(found) >= n:
                return found
            self._read(deadline, f"{n} events {name}, {len(found)} came")

    def close(self) -> None:
        self._socket.close()

    def _read(self, deadline: float, what: str) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            told = "\n".join(f"  {event}" for event in self.events[-40:])
            raise AssertionError(f"waited in vain for {what}; the last events:\n{told}")
        self._socket.settimeout(min(left, 1.0))
        try:
            piece = self._socket.recv(1 << 18)
        except TimeoutError:
            return
        assert piece, f"the switch closed the control connection while we waited for {what}"
        *lines, self._received = (self._received + piece).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if message.get("method") == "event":
                self.events.append(message["params"])
            else:
                self._answers[message["id"]] = message
