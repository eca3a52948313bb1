"""`python -m switch.demo.phones`: a process full of phones. One command a line on stdin, one event a line on stdout.

Commands and events are those of `switch.demo.events`. Ends with `quit`, at the end of stdin, or on SIGTERM: calls are
hung up and phones unregistered first.
"""

import asyncio
import signal
import sys

import msgspec
import uvloop

from switch.demo import events
from switch.demo.events import PhoneCommand, PhoneEvent
from switch.demo.phone import Phone
from switch.demo.phone_call import PhoneError
from switch.demo.rtp import RtpClock

_GOODBYE_S = 3.0
_MAX_LINE = 1 << 16


class Phones:
    """The phones of this process and the commands to them. `tell` gets every event."""

    def __init__(self, tell: "EventLines") -> None:
        self.phones: dict[str, Phone] = {}
        self.is_over = asyncio.Event()
        self._tell = tell
        self._clock = RtpClock()
        self._decoder = msgspec.json.Decoder(PhoneCommand)
        self._changed = asyncio.Event()

    async def obey(self, line: bytes) -> None:
        """One command; what it led to is told as `done` or `error` when it carries a tag."""
        try:
            command = self._decoder.decode(line)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            self._tell(PhoneEvent(event="error", reason=f"not a command: {error}"))
            return
        try:
            await self._do(command)
        except (PhoneError, OSError, ValueError) as error:
            phone = getattr(command, "phone", "")
            call = getattr(command, "call", "")
            self._tell(PhoneEvent(event="error", phone=phone, call=call, reason=str(error), tag=command.tag))
            return
        if command.tag:
            self._tell(PhoneEvent(event="done", tag=command.tag))

    async def _do(self, command: PhoneCommand) -> None:
        if isinstance(command, events.AddPhone):
            if command.phone in self.phones:
                raise PhoneError(f"{command.phone} is there already")
            phone = await Phone.open(command, self._clock, self._on_event)
            self.phones[command.phone] = phone
            self._tell(PhoneEvent(event="ready", phone=command.phone, address=f"{phone.address[0]}:{phone.address[1]}"))
            return
        if isinstance(command, events.Quit):
            self.is_over.set()
            return
        if command.phone not in self.phones:
            raise PhoneError(f"no phone {command.phone!r}")
        agent = self.phones[command.phone].agent
        match command:
            case events.Call():
                agent.call(command.number, call_id=command.call, caller=command.caller)
            case events.Answer():
                agent.answer(command.call)
            case events.Reject():
                agent.reject(command.call, command.status, command.reason)
            case events.HangUp():
                agent.hang_up(command.call)
            case events.Hold():
                agent.hold(command.call)
            case events.Resume():
                agent.resume(command.call)
            case events.Transfer():
                agent.transfer(
                    command.call, f"sip:{command.number}@{agent.settings.domain}", replacing=command.replacing
                )
            case events.SendDigits():
                agent.send_digits(command.call, command.digits)

    def _on_event(self, event: PhoneEvent) -> None:
        self._tell(event)
        self._changed.set()

    async def close(self) -> None:
        """Hangs up, unregisters, waits a moment for the answers, closes."""
        for phone in self.phones.values():
            for call_id in list(phone.agent.calls):
                phone.agent.hang_up(call_id)
            if phone.agent.is_registered:
                phone.agent.unregister()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                while any(phone.agent.is_registered for phone in self.phones.values()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._tell(PhoneEvent(event="error", reason="no answer to the un-registration"))
        for phone in self.phones.values():
            await phone.close()


class EventLines:
    """Writes events to stdout, one a line."""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()

    def __call__(self, event: PhoneEvent) -> None:
        sys.stdout.buffer.write(self._encoder.encode(event) + b"\n")
        sys.stdout.buffer.flush()


async def serve_phones() -> None:
    """Runs until stdin ends, `quit` or SIGTERM."""
    loop = asyncio.get_running_loop()
    phones = Phones(EventLines())
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, phones.is_over.set)
    reader = asyncio.StreamReader(limit=_MAX_LINE)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def obey_all() -> None:
        while line := await reader.readline():
            await phones.obey(line)
        phones.is_over.set()

    obeying = asyncio.create_task(obey_all())
    try:
        over = asyncio.create_task(phones.is_over.wait())
        await asyncio.wait({obeying, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
    finally:
        obeying.cancel()
        await asyncio.gather(obeying, return_exceptions=True)
        await phones.close()
        transport.close()


if __name__ == "__main__":
    uvloop.run(serve_phones())
