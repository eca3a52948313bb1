"""Where batches of rows come from: a file, read by a process of its own, or our own customers."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Protocol

import msgspec

from model.customers import Customer
from storage.customers import CustomerFilter
from switch.list_rows import LENGTH, ListBatch, ListEnd, ListOptions, ReadyRow, RejectedRow, RowNumber, zone_of_number
from switch.lists import Lists

log = logging.getLogger(__name__)

SILENT_S = 120.0
"""A process that says nothing for so long is ended: the first batch of a big Excel file may take a while."""
MAX_FRAME = 64 << 20
_PAGE = 250
_decode = msgspec.msgpack.Decoder(ListBatch | ListEnd).decode


class Source(Protocol):
    def batches(self) -> AsyncGenerator[ListBatch | ListEnd, None]:
        """The last one is a `ListEnd`."""


class FileSource:
    """A list in a file; it is removed afterwards."""

    def __init__(self, path: Path, options: ListOptions) -> None:
        self.path = path
        self._options = options

    async def batches(self) -> AsyncGenerator[ListBatch | ListEnd, None]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "switch.list_reader", str(self.path)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            with suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(msgspec.json.encode(self._options))
                await process.stdin.drain()
                process.stdin.close()
            while True:
                message = await _read(process.stdout)
                yield message
                if isinstance(message, ListEnd):
                    return
        except (asyncio.IncompleteReadError, msgspec.DecodeError, ValueError):
            await process.wait()
            log.warning("! the reader of a list ended with %d", process.returncode or 0)
            yield ListEnd(problem="the file broke its reader, or is too big for it")
        except TimeoutError:
            yield ListEnd(problem=f"the file could not be read: nothing of it within {SILENT_S:.0f} s")
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


async def _read(stream: asyncio.StreamReader) -> ListBatch | ListEnd:
    async with asyncio.timeout(SILENT_S):
        (size,) = LENGTH.unpack(await stream.readexactly(LENGTH.size))
        if size > MAX_FRAME:
            raise ValueError(f"a batch of {size} bytes")
        message: ListBatch | ListEnd = _decode(await stream.readexactly(size))
        return message


class CustomerSource:
    """Customers, as the rows of a list. Whose records they become stands in `customer_ids`, by row."""

    def __init__(self, lists: Lists, criteria: CustomerFilter, ids: tuple[str, ...], *, keeps_owner: bool) -> None:
        self._lists = lists
        self._criteria = criteria
        self._ids = ids
        self._keeps_owner = keeps_owner
        self.customer_ids: dict[int, str] = {}

    async def batches(self) -> AsyncGenerator[ListBatch | ListEnd, None]:
        row = 0
        async with aclosing(self._pages()) as pages:
            async for customers in pages:
                # Only the rows of the batch that is being taken are looked up.
                self.customer_ids.clear()
                batch = ListBatch([], [], len(customers), 0)
                for customer in customers:
                    row += 1
                    self.customer_ids[row] = customer.customer_id
                    if customer.numbers:
                        batch.ready.append(self._row(row, customer))
                    else:
                        batch.n_refused += 1
                        batch.rejected.append(
                            RejectedRow(row=row, column="", value=customer.name[:60], reason="no_number")
                        )
                yield batch
        yield ListEnd()

    async def _pages(self) -> AsyncGenerator[list[Customer], None]:
        book = self._lists.storage.customers
        if self._ids:
            found = await book.get_many(self._ids)
            yield [found[each] for each in dict.fromkeys(self._ids) if each in found]
            return
        after = ""
        while True:
            page = await book.find(self._criteria, after=after, limit=_PAGE)
            yield page.items
            after = page.after
            if not after:
                return

    def _row(self, row: int, customer: Customer) -> ReadyRow:
        is_known = customer.owner in self._lists.directory.agents
        return ReadyRow(
            row=row,
            numbers=[
                RowNumber(each.number, each.label, each.zone or zone_of_number(each.number), each.area)
                for each in customer.numbers
            ],
            name=customer.name,
            time_zone=customer.zone,
            has_consent=customer.has_consent,
            owner=customer.owner if self._keeps_owner and is_known else "",
            area=customer.area,
            data=customer.data,
        )
