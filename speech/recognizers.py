"""Services that understand speech: audio goes out over a WebSocket while it is spoken, text comes back.

A provider is anything with `recognise`; to add one, write it here and name it in `recognizer` and in
`model.recognition.Recognition.provider`.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException

from model.recognition import MAX_TEXT, Recognition
from speech.errors import SpeechError

MAX_ANSWER = 65_536
CONNECT_S = 5.0


class Recognizer(Protocol):
    """A provider."""

    async def recognise(self, audio: AsyncIterator[bytes], rate: int, language: str, hints: tuple[str, ...]) -> str:
        """What was said in `audio`, 16-bit little-endian samples of one channel at `rate` Hz, in pieces as they come.

        Returns as soon as it is sure, or when the audio has ended. Raises SpeechError.
        """
        ...


class WebSocketService:
    """The protocol of docs/ivr.md: a JSON start, binary audio, a JSON end; answers of type partial, final or error."""

    def __init__(self, settings: Recognition, token: str) -> None:
        self._settings = settings
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def recognise(self, audio: AsyncIterator[bytes], rate: int, language: str, hints: tuple[str, ...]) -> str:
        try:
            async with connect(
                self._settings.url,
                additional_headers=self._headers,
                open_timeout=CONNECT_S,
                close_timeout=1.0,
                max_size=MAX_ANSWER,
                compression=None,
                proxy=None,
            ) as socket:
                await socket.send(msgspec.json.encode(self.start(rate, language, hints)).decode())
                sending = asyncio.create_task(self._send(socket, audio))
                try:
                    return await self._answer(socket, sending)
                finally:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
        except (InvalidURI, InvalidHandshake, TimeoutError, OSError) as error:
            raise SpeechError(f"cannot be reached: {str(error) or type(error).__name__}") from None
        except WebSocketException as error:
            raise SpeechError(f"broke off: {str(error)[:200]}") from None

    async def _send(self, socket: ClientConnection, audio: AsyncIterator[bytes]) -> None:
        async for piece in audio:
            await socket.send(piece)
        await socket.send(msgspec.json.encode(self.end()).decode())

    async def _answer(self, socket: ClientConnection, sending: "asyncio.Task[None]") -> str:
        while True:
            receiving = asyncio.ensure_future(socket.recv())
            waited = {receiving, sending} if not sending.done() else {receiving}
            try:
                await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                if not receiving.done():
                    # All is sent: from now on the answer has its time. A failure to send shows here, too.
                    sending.result()
                    async with asyncio.timeout(self._settings.answer_s):
                        await asyncio.wait({receiving})
                answer = await receiving
            except TimeoutError:
                raise SpeechError(f"no answer within {self._settings.answer_s:g} s") from None
            finally:
                receiving.cancel()
            text = self._text(answer)
            if text or (text is not None and sending.done()):
                return text[:MAX_TEXT]

    def _text(self, answer: str | bytes) -> str | None:
        """What was said, once it is sure; None: not yet. Raises SpeechError."""
        try:
            document = msgspec.json.decode(answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SpeechError("an answer that is no JSON") from None
        if not isinstance(document, dict):
            raise SpeechError("an answer that is no JSON object")
        text = self.read(document)
        return " ".join(text.split()) if text is not None else None

    def start(self, rate: int, language: str, hints: tuple[str, ...]) -> dict[str, Any]:
        return {
            "type": "start",
            "encoding": "pcm16",
            "sample_rate": rate,
            "language": language,
            "hints": list(hints),
        }

    def end(self) -> dict[str, Any]:
        return {"type": "end"}

    def read(self, answer: dict[str, Any]) -> str | None:
        match answer:
            case {"type": "final", "text": str(text)}:
                return text
            case {"type": "error"}:
                raise SpeechError(str(answer.get("message", "an error"))[:200])
            case _:
                return None


class VoskServer(WebSocketService):
    """A vosk-server (its language is that of its model): configuration, audio, eof; answers with partial or text."""

    def start(self, rate: int, language: str, hints: tuple[str, ...]) -> dict[str, Any]:
        del language
        return {"config": {"sample_rate": rate, **({"phrase_list": [*hints, "[unk]"]} if hints else {})}}

    def end(self) -> dict[str, Any]:
        return {"eof": 1}

    def read(self, answer: dict[str, Any]) -> str | None:
        match answer:
            case {"text": str(text)}:
                return text
            case {"error": error}:
                raise SpeechError(str(error)[:200])
            case _:
                return None


def recognizer(settings: Recognition, token: str) -> Recognizer:
    """The provider that is configured. Raises SpeechError."""
    if settings.provider == "off" or not settings.url:
        raise SpeechError("recognition is off")
    return (VoskServer if settings.provider == "vosk" else WebSocketService)(settings, token)
