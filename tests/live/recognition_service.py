"""A speech service for tests: `python -m tests.live.recognition_service PORT FILE` understands whatever it hears as
"sales", and keeps the samples of the last caller in FILE."""

import asyncio
import json
import sys
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve


async def main(port: int, file: Path) -> None:
    async def handle(socket: ServerConnection) -> None:
        await socket.recv()
        audio = b""
        async for piece in socket:
            if isinstance(piece, bytes):
                audio += piece
                continue
            await asyncio.to_thread(file.write_bytes, audio)
            await socket.send(json.dumps({"type": "final", "text": "sales" if any(audio) else ""}))

    async with serve(handle, "127.0.0.1", port):
        print("ready", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
