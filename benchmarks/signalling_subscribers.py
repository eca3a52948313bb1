"""The subscribers of `benchmarks.signalling`: so many control connections that read every event and count.

    python -m benchmarks.signalling_subscribers --port 8470 --n 2      (the token comes on standard input)

Prints a JSON line when all are subscribed, and the counts as another when standard input is closed.
"""

import argparse
import asyncio
import json
import sys

from control.client import ControlClient


async def count(client: ControlClient, counts: dict[str, int]) -> None:
    """Until the connection is closed."""
    async for event in client.events():
        counts[event.event] = counts.get(event.event, 0) + 1


async def run(port: int, n: int) -> None:
    loop = asyncio.get_running_loop()
    token = (await asyncio.to_thread(sys.stdin.readline)).strip()
    clients = [await ControlClient.connect("127.0.0.1", port, token, timeout_s=60.0) for _ in range(n)]
    counts: list[dict[str, int]] = [{} for _ in clients]
    for client in clients:
        await client.subscribe()
    counting = [loop.create_task(count(client, each)) for client, each in zip(clients, counts, strict=True)]
    print(json.dumps({"subscribed": n}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for client in clients:
        await client.close()
    await asyncio.gather(*counting, return_exceptions=True)
    print(json.dumps({"events": counts}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--n", type=int, default=2)
    wanted = parser.parse_args()
    asyncio.run(run(wanted.port, wanted.n))


if __name__ == "__main__":
    main()
