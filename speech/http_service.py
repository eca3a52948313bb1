"""Any speech service that is asked over HTTP and answers with WAV."""

import asyncio
import hashlib
import re
from collections.abc import Callable
from urllib.parse import quote

import httpx
import msgspec

from model.speech import SpeechVoice
from speech.audio import Samples, from_wav
from speech.errors import SpeechError

MAX_ANSWER = 32 << 20
MAX_S = 20.0
"""For all of it: looking the host up, connecting, an answer that comes drop by drop."""

_PLACE = re.compile(r"\{(text|language|voice|rate)\}")


class HttpService:
    n_threads = 4

    def __init__(self, voice: SpeechVoice) -> None:
        self._voice = voice

    @property
    def version(self) -> str:
        asked = msgspec.json.encode((self._voice.url, self._voice.method, self._voice.body))
        return "http " + hashlib.sha256(asked).hexdigest()

    def synth(self, text: str, language: str, voice: str, rate: float) -> tuple[Samples, int]:
        values = {"text": text, "language": language, "voice": voice, "rate": f"{rate:g}"}
        try:
            return from_wav(asyncio.run(self._ask(values)))
        except TimeoutError:
            raise SpeechError(f"no answer within {MAX_S:.0f} s") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SpeechError(f"cannot be asked: {error or type(error).__name__}") from None

    async def _ask(self, values: dict[str, str]) -> bytes:
        asked = self._voice
        url = _fill(asked.url, values, lambda value: quote(value, safe=""))
        headers = {name: " ".join(_fill(text, values).split()) for name, text in asked.headers.items()}
        body = {name: _fill(text, values) for name, text in asked.body.items()} or values
        async with (
            asyncio.timeout(MAX_S),
            # Redirects are refused: text and headers are for the host that was named.
            httpx.AsyncClient(
                headers={"Accept": "audio/wav", "Accept-Encoding": "identity"},
                timeout=MAX_S,
                follow_redirects=False,
                trust_env=False,
            ) as client,
            client.stream(asked.method, url, headers=headers, json=body if asked.method == "POST" else None) as answer,
        ):
            if not answer.is_success:
                raise SpeechError(f"status {answer.status_code}")
            read = bytearray()
            async for piece in answer.aiter_raw():
                read += piece
                if len(read) > MAX_ANSWER:
                    raise SpeechError(f"an answer of more than {MAX_ANSWER} bytes")
            return bytes(read)


def _fill(template: str, values: dict[str, str], made: Callable[[str], str] = str) -> str:
    return _PLACE.sub(lambda place: made(values[place[1]]), template)
