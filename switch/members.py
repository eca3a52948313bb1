"""Members: whether the password that a caller keyed is right (IVR-22, MPV-01), and the commands that manage them.

Passwords are kept as slow hashes, so they are checked in threads, few at a time; and whose password was wrong too often
is locked for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from control.auth import Caller
from model import commands_members as members
from model import errors, views
from model.declare import Command, Event
from storage.directory import Member
from storage.errors import DuplicateError, NotFoundError, UnavailableError
from storage.interface import AnyStorage
from switch.actions import AskMember
from switch.agent_phone import check_pin_in_thread
from switch.bounded_table import BoundedTable
from switch.config_ivr import Ivr
from switch.leg_events import CallEvent, FlowReplied
from switch.pins import hash_keyed

if TYPE_CHECKING:
    from switch.app import App

MAX_ASKED = 200
"""Callers whose passwords are looked at or wait for it; those beyond take the branch for failures."""
AT_ONCE = 2
"""Each takes a processor for some 50 ms."""
MAX_WAIT_S = 10.0


class _Tries(msgspec.Struct, gc=False):
    n: int
    latest: float


class TryLimit:
    """Who was tried how often with a wrong password, bounded; `now` in monotonic seconds."""

    def __init__(self, n_free: int, lock_s: float, max_names: int = 65_536) -> None:
        self._n_free = n_free
        self._lock_s = lock_s
        self._tries: BoundedTable[str, _Tries] = BoundedTable(max_names)

    def is_locked(self, name: str, now: float) -> bool:
        tries = self._tries.get(name)
        return tries is not None and tries.n >= self._n_free and now - tries.latest < self._lock_s

    def count(self, name: str, now: float) -> None:
        """Before the password is looked at, so that many tries at once are no more than many in a row."""
        tries = self._tries.look_up(name)
        if tries is None or now - tries.latest >= self._lock_s:
            tries = self._tries[name] = _Tries(0, now)
        tries.n, tries.latest = tries.n + 1, now

    def take_back(self, name: str) -> None:
        """That time it was not looked at."""
        tries = self._tries.get(name)
        if tries is not None:
            tries.n -= 1

    def forget(self, name: str) -> None:
        self._tries.pop(name, None)


async def hash_in_thread(password: str) -> str:
    return await asyncio.to_thread(hash_keyed, password)


class Members:
    """One per switch. `own` sees the checks through, `tell` takes their results, `publish` what others may know."""

    def __init__(
        self,
        storage: AnyStorage,
        settings: Ivr,
        clock: Callable[[], float],
        tell: Callable[[CallEvent], None],
        publish: Callable[[Event], None],
        own: Callable[[Coroutine[Any, Any, None]], None],
        verify: Callable[[str, str], Awaitable[bool]] = check_pin_in_thread,
        hashed: Callable[[str], Awaitable[str]] = hash_in_thread,
    ) -> None:
        self.storage = storage
        self.clock = clock
        self.hashed = hashed
        self._tell = tell
        self._publish = publish
        self._own = own
        self._verify = verify
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._n_asked = 0
        self.limit = TryLimit(settings.member_tries, settings.member_lock_s)

    def ask(self, action: AskMember, now: float) -> None:
        del now
        self._own(self._answer(action))

    async def _answer(self, action: AskMember) -> None:
        outcome = error = ""
        if self._n_asked >= MAX_ASKED:
            error = f"{MAX_ASKED} passwords are looked at"
        else:
            self._n_asked += 1
            try:
                async with asyncio.timeout(MAX_WAIT_S), self._slots:
                    outcome = await self.check(action.asked.member, action.asked.password)
            except TimeoutError:
                error = f"no password could be looked at within {MAX_WAIT_S:.0f} s"
            except UnavailableError as problem:
                error = str(problem)[:200]
            finally:
                self._n_asked -= 1
        if outcome:
            self._publish(
                members.MemberChecked(call_id=action.call_id, member=action.asked.member, result=outcome),
            )
        self._tell(FlowReplied(action.call_id, "", action.token, {}, error, outcome))

    async def check(self, number: str, password: str) -> str:
        """ok, wrong or locked; who does not exist is no other to the caller than who keyed a wrong password."""
        if self.limit.is_locked(number, self.clock()):
            return "locked"
        self.limit.count(number, self.clock())
        try:
            kept = (await self.storage.members.get(number)).password_hash
        except NotFoundError:
            kept = ""
        except UnavailableError:
            self.limit.take_back(number)
            raise
        if await self._verify(password, kept):
            self.limit.forget(number)
            return "ok"
        return "locked" if self.limit.is_locked(number, self.clock()) else "wrong"


def make_handlers(app: "App") -> dict[type[Command], Callable[[Any, Caller], Awaitable[Any] | Any]]:
    desk = MembersDesk(app.members)
    return {
        members.ListMembers: desk.list,
        members.CreateMember: desk.create,
        members.SetMemberPassword: desk.set_password,
        members.RemoveMember: desk.remove,
    }


class MembersDesk:
    """Members by API."""

    def __init__(self, kept: Members) -> None:
        self._members = kept.storage.members
        self._limit = kept.limit
        self._clock = kept.clock
        self._hashed = kept.hashed

    async def list(self, command: members.ListMembers, caller: Caller) -> members.MemberList:
        try:
            found = await self._members.page(command.prefix, command.cursor, command.limit + 1)
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        page = found[: command.limit]
        cursor = page[-1].number if len(found) > len(page) else ""
        return members.MemberList(members=[self._view(each) for each in page], cursor=cursor)

    async def create(self, command: members.CreateMember, caller: Caller) -> members.MemberEntry:
        kept = await self._hashed(command.password) if command.password is not None else ""
        try:
            added = await self._members.add(
                Member(number=command.member, name=command.name, password_hash=kept, source="api")
            )
        except DuplicateError:
            raise errors.AlreadyExists(f"member {command.member} exists") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        return self._view(added)

    async def set_password(self, command: members.SetMemberPassword, caller: Caller) -> members.MemberEntry:
        kept = await self._hashed(command.password)
        try:
            before = await self._members.get(command.member)
            changed = await self._members.update(msgspec.structs.replace(before, password_hash=kept))
        except NotFoundError:
            raise errors.NoSuchMember(f"there is no member {command.member}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        self._limit.forget(command.member)
        return self._view(changed)

    async def remove(self, command: members.RemoveMember, caller: Caller) -> views.Done:
        try:
            await self._members.delete(command.member)
        except NotFoundError:
            raise errors.NoSuchMember(f"there is no member {command.member}") from None
        except UnavailableError as error:
            raise errors.StorageUnavailable(str(error)) from None
        self._limit.forget(command.member)
        return views.Done()

    def _view(self, member: Member) -> members.MemberEntry:
        return members.MemberEntry(
            member=member.number,
            name=member.name,
            has_password=bool(member.password_hash),
            is_locked=self._limit.is_locked(member.number, self._clock()),
            created_utc=member.created_utc,
            updated_utc=member.updated_utc,
        )
