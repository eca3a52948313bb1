"""aiortc as the browser before a real edge: another maker's ICE, DTLS, SRTP and SDP, audio both ways.

Not here: Chromium (tests/live/test_browsers.py).
"""

import asyncio

from benchmarks.webrtc_aiortc import AiortcBrowser
from benchmarks.webrtc_load import Field


def test_aiortc_connects_and_gets_what_the_engine_sends() -> None:
    async def work() -> None:
        async with asyncio.timeout(60), Field() as field:
            await field.connect_aiortc(1)
            [line] = field.lines
            browser = line.browser
            assert isinstance(browser, AiortcBrowser)
            field.start()
            while not (await browser.n_received() > 20 and line.n_engine_got > 20):  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.05)
            await field.stop()

    asyncio.run(work())
