"""baresip as a real phone: a folder with its configuration, driven over ctrl_tcp (netstrings with JSON in them).

It speaks a tone from a WAV file and writes what it hears, decoded, to WAV files of its own (module sndfile).
"""

import json
import socket
import time
from pathlib import Path
from typing import Any

from tests.live.audio import Wav, tone, write_wav
from tests.live.netns import Namespace
from tests.live.processes import PATIENCE_S, Process, wait_until

_MODULES = "/usr/lib/baresip/modules"
_CONTROL_PORT = 4444
_CONFIG = """\
poll_method             epoll
sip_listen              {address}:5060
{sip_extra}
call_local_timeout      {ring_s}
call_max_calls          4
audio_player            aubridge,sink
audio_source            aufile,{source}
audio_alert             aubridge,alert
audio_path              {folder}
ausrc_srate             8000
auplay_srate            8000
ausrc_channels          1
auplay_channels         1
ausrc_format            s16
auplay_format           s16
auenc_format            s16
audec_format            s16
audio_buffer            20-160
audio_level             no
rtp_tos                 184
rtp_ports               30000-30100
rtcp_mux                no
jitter_buffer_delay     1-5
rtp_stats               yes
net_interface           {address}
dns_server              127.0.0.1:53
module_path             {modules}
module                  g711.so
module                  sndfile.so
module                  aubridge.so
module                  aufile.so
{module_extra}
module_tmp              account.so
module_app              menu.so
module_app              ctrl_tcp.so
ctrl_tcp_listen         {address}:{control}
snd_path                {heard}
ringback_disabled       yes
menu_bell               no
"""


class Baresip:
    """One phone with one account. `account` is what stands after the address in the accounts file, e.g.
    `;auth_pass=secret;regint=60`; `uri_params` e.g. `;transport=tls`."""

    def __init__(
        self,
        network: Namespace,
        folder: Path,
        *,
        address: str,
        user: str,
        domain: str,
        account: str = "",
        uri_params: str = "",
        hz: float = 440.0,
        answer: str = "manual",
        ring_s: int = 120,
        sip_extra: str = "",
        module_extra: str = "",
    ) -> None:
        self.address = address
        self.network = network
        self.user = user
        self.folder = folder / f"baresip-{user}"
        self.heard_folder = self.folder / "heard"
        self.heard_folder.mkdir(parents=True)
        source = self.folder / "voice.wav"
        write_wav(source, tone(hz, 120))
        (self.folder / "config").write_text(
            _CONFIG.format(
                address=address,
                source=source,
                folder=self.folder,
                modules=_MODULES,
                control=_CONTROL_PORT,
                heard=self.heard_folder,
                ring_s=ring_s,
                sip_extra=sip_extra,
                module_extra=module_extra,
            )
        )
        (self.folder / "accounts").write_text(f"<sip:{user}@{domain}{uri_params}>;answermode={answer}{account}\n")
        for name in ("contacts", "current_contact"):
            (self.folder / name).write_text("")
        self._process = Process(
            network.command("baresip", "-f", str(self.folder), "-v", "-s"),
            folder / f"baresip-{user}.log",
            folder=self.folder,
        )
        self._events: list[dict[str, Any]] = []
        self._responses: list[dict[str, Any]] = []
        self._received = b""
        self._token = 0
        self._socket = wait_until(lambda: self._connect(network), lambda: f"baresip's control port:\n{self.log}")

    @property
    def log(self) -> str:
        return self._process.log

    # -- doing ---------------------------------------------------------------------------------------------------------

    def command(self, name: str, params: str = "") -> str:
        """Have a command done; what baresip printed. Fails when it refuses."""
        self._token += 1
        token = str(self._token)
        body = json.dumps({"command": name, "params": params, "token": token}).encode()
        self._socket.sendall(b"%d:%b," % (len(body), body))
        deadline = time.monotonic() + PATIENCE_S
        while True:
            for response in self._responses:
                if response.get("token") == token:
                    self._responses.remove(response)
                    assert response.get("ok"), f"baresip {self.user}: {name} {params}: {response}"
                    return str(response.get("data", ""))
            self._read(deadline, f"the answer to {name}")

    def dial(self, uri: str) -> None:
        self.command("dial", uri)

    def accept(self) -> None:
        self.command("accept")

    def hang_up(self) -> None:
        self.command("hangup")

    def hold(self) -> None:
        self.command("hold")

    def resume(self) -> None:
        self.command("resume")

    def send_digits(self, digits: str) -> None:
        """One key after the other, as a finger does."""
        for digit in digits:
            self.command("sndcode", digit)

    # -- hearing -------------------------------------------------------------------------------------------------------

    def wait_for(self, event: str, *, param: str = "", timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next event of this type (whose param contains `param`); earlier events are forgotten."""
        deadline = time.monotonic() + timeout_s
        while True:
            while self._events:
                found = self._events.pop(0)
                if found.get("type") == event and param in str(found.get("param", "")):
                    return found
            self._read(deadline, f"event {event} {param}")

    def wait_for_line(self, text: str) -> None:
        """Until it stands in the output: for what happens before the control port can be reached."""
        self._process.wait_for_line(text)

    def events_so_far(self) -> list[dict[str, Any]]:
        """Everything told and not yet waited for."""
        self._socket.setblocking(False)
        try:
            while piece := self._socket.recv(65536):
                self._received += piece
                self._cut()
        except BlockingIOError:
            pass
        return list(self._events)

    def heard(self) -> list[Wav]:
        """What was heard, one file for each start of the audio (a hold begins another), oldest first."""
        files = sorted(self.heard_folder.glob("dump-*-dec.wav"), key=lambda file: file.stat().st_mtime_ns)
        return [Wav(file) for file in files if file.stat().st_size > 44]

    # -- end -----------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Hang up, unregister and end, as a phone that is switched off in good order."""
        self._socket.close()
        self._process.terminate()

    def kill(self) -> None:
        self._socket.close()
        self._process.kill()

    # -- ctrl_tcp ------------------------------------------------------------------------------------------------------

    def _connect(self, network: Namespace) -> socket.socket | None:
        assert self._process.exit_code is None, f"baresip ended:\n{self.log}"
        made = network.socket()
        made.settimeout(5)
        try:
            made.connect((self.address, _CONTROL_PORT))
        except OSError:
            made.close()
            return None
        return made

    def _read(self, deadline: float, what: str) -> None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise AssertionError(
                f"baresip {self.user}: waited in vain for {what}; told: {self._events}\n{self.log[-3000:]}"
            )
        self._socket.settimeout(min(left, 1.0))
        try:
            piece = self._socket.recv(65536)
        except TimeoutError:
            return
        assert piece, f"baresip {self.user} ended:\n{self.log[-3000:]}"
        self._received += piece
        self._cut()

    def _cut(self) -> None:
        while b":" in self._received:
            length, _, rest = self._received.partition(b":")
            size = int(length)
            if len(rest) < size + 1:
                return
            message = json.loads(rest[:size])
            self._received = rest[size + 1 :]
            (self._events if message.get("event") else self._responses).append(message)
