"""Asks other systems over HTTP: everything they answer is bounded, and nothing is sent on to where they point."""

import httpx

MAX_ANSWER = 65_536


class HttpClient:
    """Redirects are refused: headers, secrets among them, are for the host that was named."""

    def __init__(self, headers: dict[str, str], timeout_s: float) -> None:
        # Encoded bodies are not asked for: what is small on the way may be huge.
        self._client = httpx.AsyncClient(
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **headers},
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=False,
        )

    async def fetch(
        self, url: str, *, method: str = "GET", headers: dict[str, str] | None = None, body: object = None
    ) -> bytes:
        """The body of a good answer. Raises ValueError that says what was wrong, never about whom it was asked."""
        try:
            async with self._client.stream(method, url, headers=headers, json=body) as answer:
                if not answer.is_success:
                    raise ValueError(f"status {answer.status_code}")
                read = b""
                async for piece in answer.aiter_raw():
                    read += piece
                    if len(read) > MAX_ANSWER:
                        raise ValueError(f"an answer of more than {MAX_ANSWER} bytes")
                return read
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ValueError(str(error) or type(error).__name__) from None

    async def close(self) -> None:
        await self._client.aclose()
