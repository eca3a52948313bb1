"""Transfers for `benchmarks.signalling`, by `call.transfer` on the control port.

In each the switch ends the leg that leaves, sends an INVITE to where the call goes, gets its answer, acknowledges it,
and tells the media worker who hears whom now. Whoever answers does so at once, so the rest is ours.
"""

import json
import time
from typing import Any

from benchmarks.signalling_setting import Setting

_GIVE_UP_S = 5.0


class Control:
    """One connection to the control port, logged in."""

    def __init__(self, setting: Setting) -> None:
        self._socket = setting.connect()
        self._lines = self._socket.makefile("rb")
        self._n_asked = 0
        self._events: list[dict[str, Any]] = []
        self.ask("auth.login", token=setting.token)

    def __enter__(self) -> "Control":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def ask(self, method: str, **params: Any) -> Any:
        """The result. Raises RuntimeError when the switch refuses, TimeoutError when it does not answer."""
        self._n_asked += 1
        request = {"jsonrpc": "2.0", "id": self._n_asked, "method": method, "params": params}
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            message = self._read(_GIVE_UP_S)
            if message.get("id") == self._n_asked:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._events.append(message["params"])

    def wait(self, call_id: str) -> dict[str, Any]:
        """The next event of the call. Raises TimeoutError."""
        while True:
            event = self._events.pop(0) if self._events else self._read(_GIVE_UP_S)["params"]
            if event.get("call_id") == call_id:
                return event

    def _read(self, within_s: float) -> dict[str, Any]:
        self._socket.settimeout(within_s)
        line = self._lines.readline()
        if not line:
            raise RuntimeError("the switch closed the control connection")
        message: dict[str, Any] = json.loads(line)
        return message


def transfer_all(setting: Setting, dial: str, n: int, rate: float) -> list[float]:
    """Transfers `n` calls that are up to `dial`, one after the other, `rate` a second at most, and ends them; when each
    was asked for, monotonic seconds. Raises RuntimeError when a transfer fails.

    The callers' legs leave; who was called talks with who is called now.
    """
    asked_at = []
    with Control(setting) as control:
        calls = control.ask("call.list", limit=n)["calls"]
        control.ask("events.subscribe", names=["call.transferred", "call.transfer_failed"])
        begin = time.monotonic()
        for i, call in enumerate(calls):
            time.sleep(max(0.0, begin + i / rate - time.monotonic()))
            asked_at.append(time.monotonic())
            control.ask("call.transfer", call_id=call["call_id"], leg_id=call["legs"][0]["leg_id"], to=dial)
            # Events are told some 50 ms later; only then comes the next, so the ACKs have the order of the calls.
            event = control.wait(call["call_id"])
            if event["event"] != "call.transferred":
                raise RuntimeError(f"a transfer failed: {event}")
        for call in calls:
            control.ask("call.hangup", call_id=call["call_id"])
    return asked_at
