"""Flows in memory; functions and errors of `storage.flows.FlowQueries`."""

import msgspec

from storage.errors import NotFoundError
from storage.flows import DRAFT, FlowHead, FlowRow


class MemoryFlows:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], FlowRow] = {}

    async def published(self) -> list[FlowRow]:
        return [self.rows[key] for key in sorted(self._newest()) if key[1] > DRAFT]

    async def heads(self) -> list[FlowHead]:
        newest = self._newest()
        return [_head(self.rows[key]) for key in sorted(self.rows) if key[1] == DRAFT or key in newest]

    async def versions(self, name: str) -> list[FlowHead]:
        return [_head(self.rows[key]) for key in sorted(self.rows) if key[0] == name]

    async def get(self, name: str, version: int) -> FlowRow:
        if (name, version) not in self.rows:
            raise NotFoundError("flow", name)
        return self.rows[name, version]

    async def save_draft(self, row: FlowRow) -> None:
        self.rows[row.name, DRAFT] = msgspec.structs.replace(row, version=DRAFT)

    async def publish(self, row: FlowRow, *, keep: int, is_draft_done: bool) -> None:
        self.rows[row.name, row.version] = row
        if is_draft_done:
            await self.remove_draft(row.name)
        for name, version in [*self.rows]:
            if name == row.name and DRAFT < version <= row.version - keep:
                del self.rows[name, version]

    async def remove(self, name: str) -> None:
        self.rows = {key: row for key, row in self.rows.items() if key[0] != name}

    async def remove_draft(self, name: str) -> None:
        self.rows.pop((name, DRAFT), None)

    def _newest(self) -> set[tuple[str, int]]:
        return {*{name: (name, version) for name, version in sorted(self.rows)}.values()}


def _head(row: FlowRow) -> FlowHead:
    values = {name: getattr(row, name) for name in FlowHead.__struct_fields__ if name != "size"}
    return FlowHead(size=len(row.document), **values)
