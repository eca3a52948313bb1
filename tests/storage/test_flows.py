"""storage/flows.py and its twin in memory: drafts and versions of flows, one by one and all or nothing."""

from collections.abc import Callable

import msgspec
import pytest

from storage.errors import NotFoundError
from storage.flows import DRAFT, FlowRow
from storage.interface import AnyStorage
from tests.storage.conftest import Scenario


def row(name: str, version: int, document: str = '{"a": "一"}') -> FlowRow:
    return FlowRow(
        name=name, version=version, document=document, saved_utc=10.0 + version, saved_by="ann", note=f"n{version}"
    )


def test_drafts_and_versions(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.flows
        assert await book.heads() == await book.published() == await book.versions("main") == []
        await book.save_draft(row("main", DRAFT, "{}"))
        await book.save_draft(row("main", DRAFT))
        assert await book.get("main", DRAFT) == row("main", DRAFT)
        assert await book.published() == []
        await book.publish(row("main", 1), keep=10, is_draft_done=True)
        with pytest.raises(NotFoundError):
            await book.get("main", DRAFT)
        await book.save_draft(row("main", DRAFT))
        await book.publish(row("main", 2), keep=10, is_draft_done=False)
        await book.publish(row("night", 1), keep=10, is_draft_done=False)
        await book.save_draft(row("new", DRAFT))
        assert await book.published() == [row("main", 2), row("night", 1)]
        heads = await book.heads()
        assert [(each.name, each.version) for each in heads] == [("main", 0), ("main", 2), ("new", 0), ("night", 1)]
        assert (heads[1].saved_utc, heads[1].saved_by, heads[1].note, heads[1].size) == (12.0, "ann", "n2", 10)
        assert [each.version for each in await book.versions("main")] == [0, 1, 2]
        await book.remove_draft("main")
        assert [each.version for each in await book.versions("main")] == [1, 2]
        await book.remove("main")
        assert await book.versions("main") == []
        assert await book.published() == [row("night", 1)]

    run(scenario)


def test_old_versions_go_and_the_draft_does_not(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        book = storage.flows
        await book.save_draft(row("main", DRAFT))
        await book.publish(row("other", 1), keep=3, is_draft_done=False)
        for version in range(1, 7):
            await book.publish(row("main", version), keep=3, is_draft_done=False)
        assert [each.version for each in await book.versions("main")] == [0, 4, 5, 6]
        assert [each.version for each in await book.versions("other")] == [1]
        assert await book.get("main", 5) == msgspec.structs.replace(row("main", 5))

    run(scenario)
