"""Customers behind a carrier, in virtual time: what each does is told by the end of his number."""

import asyncio
from collections import Counter

from switch.demo.events import PhoneEvent
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import SERVER, SimSwitch

ANSWERS, BUSY, SILENT, UNKNOWN, CONGESTED, SHORT = "1", "2", "3", "4", "5", "6"
"""Last digits: he answers and talks; is busy; never answers; has no such number; the carrier is full; he answers and
hangs up at once."""
_STATUS = {BUSY: 486, UNKNOWN: 404, CONGESTED: 503}


class Public(SimPhone):
    """The far end of trunk "carrier": `Public(switch)`. Close it with the switch."""

    def __init__(self, switch: SimSwitch, *, rings_s: float = 3.0, talks_s: float = 30.0) -> None:
        super().__init__(switch.net, "10.0.1.1", "carrier", SERVER, is_carrier=True)
        self.rings_s, self.talks_s = rings_s, talks_s
        self.dialed: Counter[str] = Counter()
        self.shown: dict[str, str] = {}
        """Number called -> number shown there, the last time."""
        self.ringing: dict[str, str] = {}
        """Call -> number, of those that ring now."""
        self.most_ringing = 0
        self.answered: dict[str, str] = {}
        switch.phones.append(self)

    def _on_event(self, event: PhoneEvent) -> None:
        super()._on_event(event)
        loop = asyncio.get_running_loop()
        if event.event == "incoming":
            number = event.dialed
            self.dialed[number] += 1
            self.shown[number] = event.number
            self.ringing[event.call] = number
            self.most_ringing = max(self.most_ringing, len(self.ringing))
            if number[-1] in (ANSWERS, SHORT):
                loop.call_later(self.rings_s, self._answer, event.call, number)
            elif number[-1] in _STATUS:
                loop.call_later(0.5, self._refuse, event.call, _STATUS[number[-1]])
        elif event.event == "ended":
            self.ringing.pop(event.call, None)

    def _answer(self, call: str, number: str) -> None:
        if self.ringing.pop(call, None) is None:
            return
        self.answered[call] = number
        self.agent.answer(call)
        talks_s = self.talks_s if number[-1] == ANSWERS else 0.5
        asyncio.get_running_loop().call_later(talks_s, self._leave, call)

    def _refuse(self, call: str, status: int) -> None:
        if self.ringing.pop(call, None) is not None:
            self.agent.reject(call, status, "No")

    def _leave(self, call: str) -> None:
        if call in self.agent.calls:
            self.agent.hang_up(call)
