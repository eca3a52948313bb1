"""Whole switch, virtual time: callers key a member's number and password before they are served (IVR-22, MPV-01), and
nobody is told the password."""

import asyncio
import logging

import msgspec
import pytest

from model import commands_members as members
from model import errors, events, media
from model.events_flow import FlowLeft, FlowTrouble
from storage.directory import Member
from storage.errors import UnavailableError
from switch.actions import AskMember
from switch.pins import hash_keyed
from tests.harness.virtual_loop import run_virtual
from tests.ivr.flow_of import document
from tests.scenarios.test_ivr import Hotline, spoken

PASSWORD = "480915"
HASH = hash_keyed(PASSWORD)
FLOW = document(
    {"id": "who", "type": "collect", "variable": "who", "say": spoken("enter_box"), "next": "word"},
    {
        "id": "word",
        "type": "collect",
        "variable": "word",
        "say": spoken("enter_pin"),
        "is_secret": True,
        "next": "check",
    },
    {
        "id": "check",
        "type": "member_check",
        "member": "who",
        "password": "word",
        "ok": "agents",
        "wrong": "word",
        "locked": "bye",
        "failed": "bye",
    },
    {"id": "agents", "type": "queue", "queue": "sales"},
    {"id": "bye", "type": "play", "say": spoken("goodbye")},
)


async def opened(folder) -> Hotline:
    centre = Hotline(folder, FLOW)
    await centre.switch.storage.members.add(Member(number="2001", name="王芳", password_hash=HASH))
    return centre


async def tries(centre: Hotline, password: str) -> None:
    await centre.keys(password + "#", is_secure=True)
    await asyncio.sleep(0.5)


def results(centre: Hotline) -> list[str]:
    return [each.result for each in centre.of(members.MemberChecked)]


def test_mpv_01_a_member_keys_his_password_and_is_known_to_the_agent(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)

    async def main():
        centre = await opened(tmp_path)
        seen: list[str] = []
        performed = centre.switch.core.runtime.perform

        def perform(actions, now):
            seen.extend(map(repr, actions))
            performed(actions, now)

        centre.switch.core.runtime.perform = perform
        mine = await centre.call()
        await centre.keys("2001#")
        await tries(centre, "480916")
        assert results(centre) == ["wrong"]
        assert centre.live.flow.frames[-1].node == "word"
        await tries(centre, PASSWORD)
        assert results(centre) == ["wrong", "ok"]
        assert [each.branch for each in centre.of(FlowLeft)] == ["next", "next", "wrong", "next", "ok"]
        assert centre.live.variables["member"] == "2001"
        assert centre.results() == ["queue"]
        secure = [each.is_secure for each in centre.switch.worker.of(media.SecureLeg)]
        assert secure == [True, False, True, False]
        await centre.hang_up(mine)
        told = [repr(each) + msgspec.json.encode(each).decode() for each in centre.switch.events]
        records = list(map(repr, centre.switch.records))
        commands = [repr(each) for each in centre.switch.worker.commands]
        assert any("AskMember" in each for each in seen)
        for where in (told, records, commands, seen, [caplog.text]):
            assert not [each for each in where if PASSWORD in each or "480916" in each]
        assert "".join(each.digit for each in centre.of(events.CallDigit)) == "2001#"
        await centre.close()

    run_virtual(main())


def test_ivr_22_too_many_wrong_passwords_lock_a_member_for_a_while(tmp_path):
    async def main():
        centre = await opened(tmp_path)
        mine = await centre.call()
        await centre.keys("2001#")
        for _ in range(5):
            await tries(centre, "0000")
        assert results(centre) == ["wrong"] * 4 + ["locked"]
        assert centre.played()[-1] == "voice:zh/goodbye"
        await centre.hang_up(mine)
        again = await centre.call()
        await centre.keys("2001#")
        await tries(centre, PASSWORD)
        assert results(centre)[-1] == "locked"
        (shown,) = (await centre.app.do(members.ListMembers())).members
        assert (shown.member, shown.is_locked, shown.has_password) == ("2001", True, True)
        await centre.hang_up(again)
        await asyncio.sleep(900.0)
        last = await centre.call()
        await centre.keys("2001#")
        await tries(centre, PASSWORD)
        assert results(centre)[-1] == "ok"
        await centre.hang_up(last)
        await centre.close()

    run_virtual(main())


@pytest.mark.parametrize("number", ["2002", "999999999"])
def test_nobody_learns_which_members_there_are(tmp_path, number):
    async def main():
        centre = await opened(tmp_path)
        mine = await centre.call()
        await centre.keys(number + "#")
        await tries(centre, PASSWORD)
        assert results(centre) == ["wrong"]
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_without_the_database_a_caller_is_helped_on_and_nothing_is_counted(tmp_path):
    async def main():
        centre = await opened(tmp_path)

        async def gone(number):
            raise UnavailableError("the database is away")

        get, centre.switch.storage.members.get = centre.switch.storage.members.get, gone
        for _ in range(6):
            mine = await centre.call()
            await centre.keys("2001#")
            await tries(centre, PASSWORD)
            assert centre.of(FlowTrouble)[-1].problem == "the database is away"
            assert centre.played()[-1] == "voice:zh/goodbye"
            await centre.hang_up(mine)
        centre.switch.storage.members.get = get
        assert not results(centre)
        mine = await centre.call()
        await centre.keys("2001#")
        await tries(centre, PASSWORD)
        assert results(centre) == ["ok"]
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_an_answer_that_never_comes_takes_the_branch_for_failures(tmp_path):
    async def main():
        centre = await opened(tmp_path)
        centre.switch.core.runtime.also_perform(AskMember, lambda action, now: None)
        mine = await centre.call()
        await centre.keys("2001#")
        await tries(centre, PASSWORD)
        await asyncio.sleep(20.0)
        assert centre.of(FlowTrouble)[-1].problem == "no answer came in time"
        assert centre.played()[-1] == "voice:zh/goodbye"
        await centre.hang_up(mine)
        await centre.close()

    run_virtual(main())


def test_members_are_managed_by_api(tmp_path):
    async def main():
        centre = await opened(tmp_path)
        do = centre.app.do
        assert (await do(members.RemoveMember(member="2001"))).__struct_fields__ is not None
        assert (await do(members.ListMembers())).members == []
        for command in (members.RemoveMember(member="2001"), members.SetMemberPassword(member="2001", password="1234")):
            with pytest.raises(errors.NoSuchMember, match="there is no member 2001"):
                await do(command)
        for number in ("3001", "3002", "4001"):
            await do(members.CreateMember(member=number, name="李"))
        with pytest.raises(errors.AlreadyExists, match="member 3001 exists"):
            await do(members.CreateMember(member="3001"))
        first = await do(members.ListMembers(limit=2))
        assert ([each.member for each in first.members], first.cursor) == (["3001", "3002"], "3002")
        rest = await do(members.ListMembers(limit=2, cursor=first.cursor))
        assert ([each.member for each in rest.members], rest.cursor) == (["4001"], "")
        assert [each.member for each in (await do(members.ListMembers(prefix="4"))).members] == ["4001"]
        shown = await do(members.SetMemberPassword(member="3001", password=PASSWORD))
        assert shown.has_password
        kept = await centre.switch.storage.members.get("3001")
        assert PASSWORD not in repr(kept)
        assert await centre.switch.members.check("3001", PASSWORD) == "ok"
        assert await centre.switch.members.check("3002", "") == "wrong"
        await centre.close()

    run_virtual(main())
