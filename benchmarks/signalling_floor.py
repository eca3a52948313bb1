"""The floor of `benchmarks.signalling`: a bare uvloop program that only receives and sends the same datagrams.

    python -m benchmarks.signalling_floor --caller 40000 --callee 40001

For each call 5 datagrams come in and 6 go out, of about the sizes a B2BUA's have; nothing is parsed, kept or written.
Prints its port as JSON and runs until it is terminated.
"""

import argparse
import asyncio
import json
from typing import cast

import uvloop

Address = tuple[str, int]


class Floor(asyncio.DatagramProtocol):
    """Tells messages apart by their first bytes and passes them on."""

    def __init__(self, caller: Address, callee: Address) -> None:
        self._caller = caller
        self._callee = callee
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's.
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        transport = self.transport
        assert transport is not None
        kind = data[:3]
        if kind == b"INV":
            head = data[data.index(b"\r\n") : data.index(b"Content-Type")]
            transport.sendto(b"SIP/2.0 100 Trying" + head + b"Content-Length: 0\r\n\r\n", self._caller)
            transport.sendto(data, self._callee)
        elif kind == b"BYE":
            transport.sendto(b"SIP/2.0 200 OK" + data[data.index(b"\r\n") :], self._caller)
            transport.sendto(data, self._callee)
        elif kind == b"ACK":
            transport.sendto(data, self._callee)
        elif b"INVITE\r\n" in data:
            transport.sendto(data, self._caller)


async def run(caller: int, callee: int) -> None:
    """Until cancelled."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Floor(("127.0.0.1", caller), ("127.0.0.1", callee)), local_addr=("127.0.0.1", 0)
    )
    print(json.dumps({"port": transport.get_extra_info("sockname")[1]}), flush=True)
    try:
        await loop.create_future()
    finally:
        transport.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--caller", type=int, required=True)
    parser.add_argument("--callee", type=int, required=True)
    wanted = parser.parse_args()
    try:
        uvloop.run(run(wanted.caller, wanted.callee))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
