"""Whom and what the switch serves: extensions, trunks, access numbers; to add, get, change and delete."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Row, Table, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from storage import schema
from storage.database import Database
from storage.errors import DuplicateError, InUseError, NotFoundError


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """A phone's account. The secret is kept as HA1 = hash of "number:realm:password" (RFC 7616 §3.4.2), both kinds."""

    number: str
    name: str = ""
    realm: str = ""
    """The realm both HA1s were made for; with another realm they are of no use."""
    ha1_md5: str = ""
    ha1_sha256: str = ""
    caller_id: str = ""
    """Number shown to trunks; empty: the trunk's."""
    ring_timeout_s: float = 0.0
    """Seconds until no-answer handling; 0 means the system's."""
    busy_to: str = ""
    """Number called instead when it is busy or not registered; empty: none."""
    no_answer_to: str = ""
    """Number called instead when it does not answer in time; empty: none."""
    is_recorded: bool = True
    may_call_external: bool = True
    may_call_international: bool = False
    media: str = "relay"
    """relay: audio by the switch; direct: from phone to phone, never recorded."""
    is_enabled: bool = True
    source: str = ""
    """Who owns the row: "config" (the configuration file) or "api"."""
    created_utc: float = 0.0
    updated_utc: float = 0.0
    """Set by the storage."""


class ExtensionServices(msgspec.Struct, frozen=True, kw_only=True):
    """What the user of an extension chose, over what is configured for it; a file's extension may have a row here too.
    Forwardings: "" as configured, "off" none, else the number."""

    number: str
    always_to: str = ""
    busy_to: str = ""
    no_answer_to: str = ""
    is_dnd: bool = False
    call_waiting: str = ""
    """"" as configured, "on", "off"."""
    pickup_group: str = ""
    """"" as configured."""
    source: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0


class Trunk(msgspec.Struct, frozen=True, kw_only=True):
    """A line to a carrier or another switch."""

    name: str
    host: str = ""
    port: int = 0
    """0: found by DNS (RFC 3263)."""
    transport: str = "udp"
    proxy: str = ""
    """SIP URI of an outbound proxy; empty: none."""
    username: str = ""
    secret: str = ""
    is_registering: bool = False
    register_expires_s: float = 0.0
    """Seconds asked for; 0 means the system's."""
    caller_id: str = ""
    max_channels: int = 0
    """Calls at a time; 0: no limit."""
    codecs: tuple[str, ...] = ()
    """In order of preference; empty: the system's."""
    accept_from: tuple[str, ...] = ()
    """Addresses or networks its calls come from; empty: those of `host`."""
    is_enabled: bool = True
    source: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0


class AccessNumber(msgspec.Struct, frozen=True, kw_only=True):
    """A number the outside dials, and where its calls go."""

    number: str
    name: str = ""
    trunk: str = ""
    """Only calls over this trunk; empty: any."""
    destination: str = ""
    """"KIND:NAME", e.g. "extension:8001"."""
    is_enabled: bool = True
    source: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0


class ExtensionState(msgspec.Struct, frozen=True, kw_only=True):
    """What was last said of an extension and must outlive a restart: messages waiting, and what its user does."""

    number: str
    new: int = 0
    old: int = 0
    urgent_new: int = 0
    urgent_old: int = 0
    """Messages in its mailbox; the urgent ones are among the others."""
    activity: str = ""
    """away, busy …; empty: calls and registration speak for themselves."""
    note: str = ""
    source: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0


class StoredRole(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody may do, and of whom (`model.roles.Role`)."""

    name: str
    title: str = ""
    base: str = ""
    permissions: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    agent_groups: tuple[str, ...] = ()
    source: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Something made by API that is kept whole."""

    key: str
    """"KIND:NAME", e.g. "calendar:office"."""
    value: str = ""
    """JSON."""
    source: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A customer who tells by a keyed password who he is."""

    number: str
    name: str = ""
    password_hash: str = ""
    """As `switch.pins.hash_keyed` makes it."""
    source: str = ""
    created_utc: float = 0.0
    updated_utc: float = 0.0


AnyEntry = Extension | ExtensionServices | ExtensionState | Trunk | AccessNumber | StoredRole | Setting | Member
Entry = TypeVar("Entry", bound=AnyEntry)


class Kind(NamedTuple):
    what: str
    """Its name in errors."""
    key: str
    """The field that is unique within the domain."""
    table: Table


KINDS: dict[type, Kind] = {
    Extension: Kind("extension", "number", schema.extensions),
    ExtensionServices: Kind("services of extension", "number", schema.extension_services),
    Trunk: Kind("trunk", "name", schema.trunks),
    AccessNumber: Kind("access number", "number", schema.access_numbers),
    StoredRole: Kind("role", "name", schema.roles),
    Setting: Kind("setting", "key", schema.settings),
    ExtensionState: Kind("extension state", "number", schema.extension_states),
    Member: Kind("member", "number", schema.members),
}


class Directory(Generic[Entry]):
    """One kind of entry. Every change is durable on return; UnavailableError when the database cannot be written."""

    def __init__(
        self, kind: type[Entry], database: Database, *, wall: Callable[[], float] = time.time, domain: str = ""
    ) -> None:
        self._kind = kind
        self._what, self._key, self._table = KINDS[kind]
        self._database = database
        self._wall = wall
        self._domain = domain
        self._columns = [self._table.c[name] for name in kind.__struct_fields__]

    async def add(self, entry: Entry) -> Entry:
        """Stores a new entry and returns it as stored. DuplicateError when its key is taken."""
        now_utc = self._wall()
        entry = msgspec.structs.replace(entry, created_utc=now_utc, updated_utc=now_utc)
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(self._table).values(domain=self._domain, **_values(entry)))
        except IntegrityError as error:
            raise DuplicateError(self._what, getattr(entry, self._key)) from error
        return entry

    async def get(self, key: str) -> Entry:
        """NotFoundError when there is none."""
        async with self._database.read() as connection:
            row = (await connection.execute(select(*self._columns).where(*self._is(key)))).first()
        if row is None:
            raise NotFoundError(self._what, key)
        return self._entry(row)

    async def all(self) -> list[Entry]:
        """All, in the order of their keys."""
        ordered = select(*self._columns).where(self._table.c.domain == self._domain).order_by(self._table.c[self._key])
        async with self._database.read() as connection:
            return [self._entry(row) for row in await connection.execute(ordered)]

    async def page(self, prefix: str = "", after: str = "", limit: int = 100) -> list[Entry]:
        """Those whose keys begin so and come after that one, in order."""
        key = self._table.c[self._key]
        wanted = select(*self._columns).where(self._table.c.domain == self._domain, key > after)
        if prefix:
            wanted = wanted.where(key.startswith(prefix, autoescape=True))
        async with self._database.read() as connection:
            return [self._entry(row) for row in await connection.execute(wanted.order_by(key).limit(limit))]

    async def update(self, entry: Entry) -> Entry:
        """Replaces the entry with the same key, but for `created_utc`. NotFoundError when there is none."""
        key: str = getattr(entry, self._key)
        values = _values(entry) | {"updated_utc": self._wall()}
        del values["created_utc"], values[self._key]
        async with self._database.write() as connection:
            await connection.execute(update(self._table).where(*self._is(key)).values(values))
            row = (await connection.execute(select(*self._columns).where(*self._is(key)))).first()
        if row is None:
            raise NotFoundError(self._what, key)
        return self._entry(row)

    async def delete(self, key: str) -> None:
        """NotFoundError when there is none; InUseError for a trunk that access numbers name."""
        async with self._database.write() as connection:
            if self._kind is Trunk:
                numbers = schema.access_numbers.c
                users = select(numbers.number).where(numbers.domain == self._domain, numbers.trunk == key).limit(1)
                if (user := (await connection.execute(users)).scalar()) is not None:
                    raise InUseError(self._what, key, f"access number {user}")
            if (await connection.execute(delete(self._table).where(*self._is(key)))).rowcount == 0:
                raise NotFoundError(self._what, key)

    async def replace_source(self, source: str, entries: Sequence[Entry]) -> None:
        """Makes `entries` all that `source` owns, in one transaction: new ones come, changed ones change, others go.

        DuplicateError, and nothing is changed, when a key is taken by another source or is twice in `entries`.
        """
        now_utc = self._wall()
        table = self._table.c
        owned = delete(self._table).where(table.domain == self._domain, table.source == source)
        async with self._database.write() as connection:
            born = select(table[self._key], table.created_utc).where(table.domain == self._domain)
            created = {row[0]: row[1] for row in await connection.execute(born)}
            await connection.execute(owned)
            for entry in entries:
                key: str = getattr(entry, self._key)
                values = _values(entry) | {"domain": self._domain, "source": source, "updated_utc": now_utc}
                values["created_utc"] = created.get(key, now_utc)
                try:
                    await connection.execute(insert(self._table).values(values))
                except IntegrityError as error:
                    raise DuplicateError(self._what, key) from error

    def _is(self, key: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return self._table.c.domain == self._domain, self._table.c[self._key] == key

    def _entry(self, row: Row[Any]) -> Entry:
        values: dict[str, Any] = row._asdict()
        for name in _LISTS & values.keys():
            values[name] = tuple(values[name].split(",")) if values[name] else ()
        return self._kind(**values)


_LISTS = {"codecs", "accept_from", "permissions", "queues", "agent_groups"}
"""Kept as text with commas: none holds one, and no query looks inside."""


def _values(entry: AnyEntry) -> dict[str, Any]:
    values = msgspec.structs.asdict(entry)
    for name in _LISTS & values.keys():
        values[name] = ",".join(values[name])
    return values
