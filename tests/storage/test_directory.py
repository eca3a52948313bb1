"""storage/directory.py and its twin in storage/memory.py: extensions and their services, trunks, access numbers.

Not here: who may change them and what the switch does with them.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from storage.directory import AccessNumber, Extension, ExtensionServices, Member, Setting, Trunk
from storage.errors import DuplicateError, InUseError, NotFoundError
from storage.interface import AnyStorage
from tests.storage.conftest import Scenario

ENTRIES = [
    (
        Extension(number="8001", name="Front desk", ha1_md5="a" * 32, ring_timeout_s=12.5, is_recorded=False),
        "extensions",
    ),
    (Trunk(name="8001", host="sip.example.net", port=5061, codecs=("PCMA", "PCMU"), max_channels=30), "trunks"),
    (
        ExtensionServices(number="8001", always_to="8002", busy_to="off", is_dnd=True, call_waiting="on"),
        "extension_services",
    ),
    (Member(number="8001", name="王芳", password_hash="scrypt:…"), "members"),
    (AccessNumber(number="8001", destination="extension:8001", is_enabled=False), "access_numbers"),
]


@pytest.mark.parametrize(("entry", "book"), ENTRIES, ids=[book for _, book in ENTRIES])
def test_an_entry_lives_and_dies(run: Callable[[Scenario], None], entry: Any, book: str) -> None:
    key = entry.__struct_fields__[0]

    async def scenario(storage: AnyStorage) -> None:
        entries: Any = getattr(storage, book)
        added = await entries.add(entry)
        assert added == msgspec.structs.replace(entry, created_utc=1000.0, updated_utc=1000.0)
        assert await entries.get("8001") == added
        with pytest.raises(DuplicateError, match="'8001' exists already"):
            await entries.add(entry)
        await entries.add(msgspec.structs.replace(entry, **{key: "7999"}))
        assert [getattr(each, key) for each in await entries.all()] == ["7999", "8001"]
        assert [getattr(each, key) for each in await entries.page("", "7999", 5)] == ["8001"]
        assert [getattr(each, key) for each in await entries.page("7", "", 5)] == ["7999"]
        assert [getattr(each, key) for each in await entries.page("", "", 1)] == ["7999"]
        assert await entries.page("%", "", 5) == []
        flags: dict[type, tuple[str, Any]] = {ExtensionServices: ("is_dnd", True), Member: ("name", "王芳芳")}
        flag, value = flags.get(type(entry), ("is_enabled", True))
        changed = await entries.update(msgspec.structs.replace(entry, source="api", **{flag: value}))
        assert (getattr(changed, flag), changed.source, changed.created_utc) == (value, "api", 1000.0)
        assert changed.updated_utc > 1000.0
        assert await entries.get("8001") == changed
        await entries.delete("8001")
        for action in (entries.get("8001"), entries.delete("8001"), entries.update(entry)):
            with pytest.raises(NotFoundError):
                await action

    run(scenario)


def test_what_is_kept_whole_lives_and_dies(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        value = '{"name":"销售","title":"it\'s"}'
        await storage.settings.add(Setting(key="queue:sales", value=value, source="api"))
        await storage.settings.add(Setting(key="agent:8001", value="{}", source="api"))
        with pytest.raises(DuplicateError, match="'queue:sales' exists already"):
            await storage.settings.add(Setting(key="queue:sales"))
        assert [(each.key, each.value) for each in await storage.settings.all()] == [
            ("agent:8001", "{}"),
            ("queue:sales", value),
        ]
        changed = await storage.settings.update(Setting(key="queue:sales", value="[]", source="api"))
        assert (changed.value, changed.created_utc) == ("[]", 1000.0)
        await storage.settings.delete("queue:sales")
        for action in (
            storage.settings.delete("queue:sales"),
            storage.settings.update(Setting(key="queue:sales", value="{}")),
        ):
            with pytest.raises(NotFoundError):
                await action
        assert [each.key for each in await storage.settings.all()] == ["agent:8001"]

    run(scenario)


def test_a_trunk_in_use_stays(run: Callable[[Scenario], None]) -> None:
    async def scenario(storage: AnyStorage) -> None:
        await storage.trunks.add(Trunk(name="t1"))
        await storage.access_numbers.add(AccessNumber(number="400", trunk="t1"))
        with pytest.raises(InUseError, match="access number 400"):
            await storage.trunks.delete("t1")
        await storage.access_numbers.delete("400")
        await storage.trunks.delete("t1")
        assert await storage.trunks.all() == []

    run(scenario)


def test_a_source_owns_its_entries_alone(run: Callable[[Scenario], None]) -> None:
    def numbers(*names: str) -> list[Extension]:
        return [Extension(number=name) for name in names]

    async def scenario(storage: AnyStorage) -> None:
        await storage.extensions.add(Extension(number="9000", source="api"))
        await storage.extensions.replace_source("config", numbers("8001", "8002"))
        before = {each.number: each for each in await storage.extensions.all()}
        await storage.extensions.replace_source("config", [Extension(number="8002", name="new"), *numbers("8003")])
        after = {each.number: each for each in await storage.extensions.all()}
        assert sorted(after) == ["8002", "8003", "9000"]
        assert after["8002"].name == "new"
        assert after["8002"].created_utc == before["8002"].created_utc < after["8002"].updated_utc
        assert (after["8003"].source, after["9000"].source) == ("config", "api")
        for taken in (numbers("9000"), numbers("8004", "8004")):
            with pytest.raises(DuplicateError):
                await storage.extensions.replace_source("config", taken)
        assert {each.number: each for each in await storage.extensions.all()} == after, "nothing was changed"

    run(scenario)
