"""The agents of `benchmarks.contact_centre`: telephones that are signed in, and people who answer, talk and hang up.

Most phones are ours (the demo's SIP over real sockets, RTP with one byte of their own all the time), some are baresip.
What an agent does is drawn from a seeded source: how long he lets it ring, how long he talks, whether he is away.
"""

import asyncio
import json
import random
import wave
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np

from benchmarks.takeover_phones import Clock, Line
from control.client import ControlClient
from media.g711 import decoder
from model.declare import ApiError
from sip.flow import Flow
from sip.net.transports import Transports
from sip.stack import Listener
from switch.demo.agent import Agent
from switch.demo.events import PhoneEvent
from switch.demo.phone import bind_signalling
from switch.demo.phone_call import AgentSettings, PhoneError

FIRST_CODE = 0x90
"""Agent k says nothing but this plus k, in PCMU: who hears that byte hears him."""
BARESIP_MODULES = Path("/usr/lib/baresip/modules")
_BARESIP = """\
poll_method epoll
sip_listen {host}:{port}
call_max_calls 4
audio_player aubridge,sink
audio_source aufile,{voice}
audio_alert aubridge,alert
audio_path {folder}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_ports {rtp}-{rtp_last}
net_interface {host}
dns_server 127.0.0.1:53
module_path {modules}
module g711.so
module aubridge.so
module aufile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
ringback_disabled yes
menu_bell no
"""


class Habits(msgspec.Struct, frozen=True):
    """What an agent is like."""

    answers_after_s: tuple[float, float] = (0.3, 2.0)
    mean_talk_s: float = 8.0
    misses: float = 0.04
    """Share of calls that he does not answer."""
    back_after_s: float = 4.0
    """After that he is made not ready, and comes back."""


class Handset(Protocol):
    """A telephone that is told what to do."""

    async def answer(self) -> None: ...
    async def hang_up(self) -> None: ...
    async def close(self) -> None: ...


class OurPhone:
    """The demo's phone, that answers when it is told to."""

    def __init__(self, on_event: "EventQueue") -> None:
        self._events = on_event
        self._call = ""
        self.agent: Agent | None = None
        self.port = 0
        """Of its signalling."""
        self._transports: Transports | None = None

    @classmethod
    async def open(
        cls,
        number: str,
        password: str,
        code: int,
        server: Flow,
        host: str,
        clock: Clock,
        events: "EventQueue",
        *,
        answer_after_s: float = -1.0,
    ) -> "OurPhone":
        """With `answer_after_s` it answers by itself."""
        made = cls(events)
        randomness = random.Random(number)
        payload = bytes((code,)) * 160
        sock = bind_signalling("udp", host, 0)
        listener = Listener("udp", *sock.getsockname()[:2])
        made.port = listener.port
        settings = AgentSettings(
            name=number,
            server=server,
            domain=server.host,
            password=password,
            codecs=("PCMU",),
            answer_after_s=answer_after_s,
        )
        made.agent = Agent(
            settings,
            listener,
            lambda call_id, on_digit: Line(clock, payload, randomness, host),
            made._on_event,
            randomness,
        )
        made._transports = await Transports.open([listener], made.agent.driver, sockets=[sock])
        made.agent.start(made._transports)
        return made

    def _on_event(self, event: PhoneEvent) -> None:
        if event.event == "incoming":
            self._call = event.call
            self._events.put_nowait("ringing")
        elif event.event in ("answered", "ended"):
            self._events.put_nowait(event.event)

    async def answer(self) -> None:
        assert self.agent is not None
        self.agent.answer(self._call)

    async def hang_up(self) -> None:
        assert self.agent is not None
        self.agent.hang_up(self._call)

    async def close(self) -> None:
        if self.agent is not None:
            self.agent.stop()
        if self._transports is not None:
            await self._transports.close()


EventQueue = asyncio.Queue[str]
"""ringing, answered, ended; bounded by what a phone can do."""


class BaresipPhone:
    """baresip over its control port (netstrings with JSON)."""

    def __init__(self, process: asyncio.subprocess.Process, events: EventQueue) -> None:
        self._process = process
        self._events = events
        self.port = 0
        """Of its signalling."""
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, folder: Path, number: str, password: str, code: int, server: Flow, host: str, nth: int, events: EventQueue
    ) -> "BaresipPhone":
        """Starts it and waits for its control port. Raises OSError when it does not come."""
        control = 14_400 + nth
        _write_folder(folder, number, password, code, server, host, nth)
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                "baresip", "-f", str(folder), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
            )
        made = cls(process, events)
        made.port = 15_400 + 10 * nth
        for _ in range(200):
            try:
                reader, made._writer = await asyncio.open_connection(host, control)
                break
            except OSError:
                await asyncio.sleep(0.05)
        else:
            raise OSError(f"baresip {number} does not listen on {host}:{control}; see {folder / 'log'}")
        made._reading = asyncio.create_task(made._read(reader))
        return made

    async def _read(self, reader: asyncio.StreamReader) -> None:
        names = {"CALL_INCOMING": "ringing", "CALL_ESTABLISHED": "answered", "CALL_CLOSED": "ended"}
        while True:
            try:
                size = int((await reader.readuntil(b":"))[:-1])
                message = json.loads((await reader.readexactly(size + 1))[:size])
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if message.get("event") and message.get("type") in names:
                self._events.put_nowait(names[message["type"]])

    async def _command(self, name: str) -> None:
        assert self._writer is not None
        body = json.dumps({"command": name, "params": "", "token": "1"}).encode()
        self._writer.write(b"%d:%b," % (len(body), body))
        await self._writer.drain()

    async def answer(self) -> None:
        await self._command("accept")

    async def hang_up(self) -> None:
        await self._command("hangup")

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._reading is not None:
            await self._reading


def _write_folder(folder: Path, number: str, password: str, code: int, server: Flow, host: str, nth: int) -> None:
    folder.mkdir(parents=True)
    write_steady_wav(folder / "voice.wav", code)
    control = 14_400 + nth
    first_rtp = 52_000 + 100 * nth
    (folder / "config").write_text(
        _BARESIP.format(
            host=host,
            port=15_400 + 10 * nth,
            voice=folder / "voice.wav",
            folder=folder,
            rtp=first_rtp,
            rtp_last=first_rtp + 98,
            modules=BARESIP_MODULES,
            control=control,
        )
    )
    (folder / "accounts").write_text(
        f"<sip:{number}@{server.host}>;answermode=manual;auth_pass={password};regint=300;"
        f'outbound="sip:{server.host}:{server.port}";audio_codecs=PCMU/8000/1\n'
    )
    for name in ("contacts", "current_contact"):
        (folder / name).write_text("")


def write_steady_wav(path: Path, code: int) -> None:
    """A minute of one sample value: the one that PCMU writes as `code`."""
    value = int(decoder("PCMU")[code])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.full(8000 * 60, value, dtype="<i2").tobytes())


class Person:
    """Who sits at the phone: answers, talks, hangs up, comes back when he was made not ready."""

    def __init__(self, agent_id: str, habits: Habits, control: ControlClient, randomness: random.Random) -> None:
        self.agent_id = agent_id
        self.events: EventQueue = asyncio.Queue(maxsize=10_000)
        self.n_missed_on_purpose = 0
        self.problems: list[str] = []
        self._habits = habits
        self._control = control
        self._randomness = randomness

    async def work(self, phone: Handset) -> None:
        """Until it is cancelled."""
        while True:
            event = await self.events.get()
            if event != "ringing":
                continue
            try:
                await self._take(phone)
            except PhoneError:
                # The caller was gone before he could.
                continue

    async def _take(self, phone: Handset) -> None:
        habits = self._habits
        is_away = self._randomness.random() < habits.misses
        if await self._over_within(60.0 if is_away else self._randomness.uniform(*habits.answers_after_s)):
            if is_away:
                self.n_missed_on_purpose += 1
                await asyncio.sleep(habits.back_after_s)
                await self._ready()
            return
        await phone.answer()
        if not await self._over_within(self._randomness.expovariate(1 / habits.mean_talk_s)):
            await phone.hang_up()

    async def _over_within(self, seconds: float) -> bool:
        """Whether the call ends by itself before so long."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    if await self.events.get() == "ended":
                        return True
            except TimeoutError:
                return False

    async def _ready(self) -> None:
        try:
            await self._control.call("agent.ready", agent_id=self.agent_id)
        except ApiError as error:
            self.problems.append(f"{self.agent_id}: {error}")

    async def sign_in(self, extension: str) -> None:
        params: dict[str, Any] = {"agent_id": self.agent_id, "extension": extension}
        await self._control.call("agent.sign_in", **params)
        await self._control.call("agent.ready", agent_id=self.agent_id)
