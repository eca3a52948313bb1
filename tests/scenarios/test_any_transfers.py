"""Whole switch, virtual time: whatever agents, phones and programs do to conversations in whatever order, no call
crashes, none is left over, and the segments of every record hold together.

What each action does is tested by itself (test_transfers, test_consults, test_joining, test_handling).
"""

import asyncio
import itertools
import random

import pytest

from model import commands
from model.commands_transfer import (
    ConsultCancel,
    ConsultComplete,
    ConsultMerge,
    ConsultStart,
    ConsultSwap,
    Mute,
    RedirectCall,
    Transfer,
)
from model.declare import ApiError
from switch.demo.phone_call import PhoneError
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import EXTENSIONS, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_control import SimApp

NUMBERS = ("1001", "1002", "1003", "1004", "1005")
SETTINGS = "[calls]\nring_timeout_s = 8\nrecall_timeout_s = 5\nhold_recall_s = 6\nrelease_tone_s = 4\n"


class Chaos:
    """One of many who do something now and then."""

    def __init__(self, switch: SimSwitch, phones: list[SimPhone], seed: int) -> None:
        self.switch, self.app, self.phones = switch, SimApp(switch), phones
        self.random = random.Random(seed)

    async def step(self) -> None:
        """One thing, which may well be refused."""
        try:
            await self.random.choice((self.by_phone, self.by_phone, self.by_api, self.by_api, self.by_consult))()
        except (ApiError, PhoneError):
            return

    async def by_phone(self) -> None:
        phone = self.random.choice(self.phones)
        calls = list(phone.agent.calls)
        if not calls:
            phone.call(self.number())
            return
        one = self.random.choice(calls)
        if len(calls) > 1 and self.random.random() < 0.4:
            phone.agent.transfer(one, "sip:x@10.0.0.1", replacing=next(each for each in calls if each != one))
            return
        match self.random.choice(("hang_up", "hold", "resume", "answer", "reject", "refer", "call", "call")):
            case "refer":
                phone.agent.transfer(one, f"sip:{self.number()}@10.0.0.1")
            case "call" if len(calls) < 2:
                phone.call(self.number())
            case "call":
                phone.agent.hang_up(one)
            case other:
                getattr(phone.agent, other)(one)

    async def by_api(self) -> None:
        calls = list(self.switch.core.calls.calls.values())
        if not calls:
            return
        call = self.random.choice(calls)
        leg = self.random.choice(list(call.legs))
        what = self.random.choice((commands.Hold, commands.Resume, commands.Hangup, Mute, Transfer, RedirectCall))
        more = {"to": self.number()} if what in (Transfer, RedirectCall) else {}
        if what is not RedirectCall:
            more["leg_id"] = leg
        await self.app.do(what(call_id=call.call_id, **more))

    async def by_consult(self) -> None:
        consults = [each for call in self.switch.core.calls.calls.values() for each in call.consults]
        if consults:
            what = self.random.choice((ConsultCancel, ConsultComplete, ConsultMerge, ConsultSwap))
            await self.app.do(what(consult_id=self.random.choice(consults)))
            return
        calls = list(self.switch.core.calls.calls.values())
        if calls:
            call = self.random.choice(calls)
            leg = self.random.choice(list(call.legs))
            await self.app.do(ConsultStart(call_id=call.call_id, leg_id=leg, to=self.number()))

    def number(self) -> str:
        return self.random.choice((*NUMBERS, "02188886666", "913800138000", "4711"))


@pytest.mark.parametrize("seed", range(12))
def test_nothing_crashes_and_nothing_is_left(seed):
    async def main():
        extensions = EXTENSIONS.replace(
            'name = "Phone 1003"', 'name = "Phone 1003"\nauto_release = false\nauto_answer = true'
        )
        switch = SimSwitch(SimNet(seed), extensions + TRUNKS + SETTINGS, seed=seed, n_workers=2)
        phones = [switch.carrier(answer_after_s=1.0)]
        phones += [await switch.phone(number, answer_after_s=0.5 + n) for n, number in enumerate(NUMBERS)]
        chaos = Chaos(switch, phones, seed)
        for _ in range(150):
            await chaos.step()
            await asyncio.sleep(chaos.random.choice((0.0, 0.02, 0.3, 2.0)))
        for phone in phones:
            for each in list(phone.agent.calls):
                phone.agent.hang_up(each)
        for call in list(switch.core.calls.calls.values()):
            await chaos.app.do(commands.Hangup(call_id=call.call_id)) if call.phase != "releasing" else None
        await switch.close()
        assert switch.cdrs
        for record in switch.cdrs:
            for leg in record.legs:
                mine = [each for each in record.segments if each.leg_id == leg.leg_id]
                assert all(each.started_utc <= each.ended_utc for each in mine)
                assert all(a.ended_utc <= b.started_utc for a, b in itertools.pairwise(mine))
                assert leg.created_utc <= leg.ended_utc <= record.ended_utc

    run_virtual(main())
