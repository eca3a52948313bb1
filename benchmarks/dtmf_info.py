"""Keys by SIP INFO through the whole switch over a simulated network that loses datagrams."""

import asyncio
import random

from benchmarks.dtmf_lab import compare
from media.inband_dtmf import KEYPAD
from model import events, media
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import Link, SimNet
from tests.harness.virtual_loop import run_virtual

_GAP_S = 0.2
_GIVE_UP_S = 32.0
_SETTLE_S = 40.0


def press_info(n_digits: int, *, loss: float = 0.02, seed: int = 1) -> dict[str, int]:
    """Keys that the switch, and those towards the other leg, lost and got twice."""
    pressed = "".join(random.Random(seed).choice(KEYPAD) for _ in range(n_digits))
    told: list[str] = []
    sent: list[str] = []

    async def main() -> None:
        net = SimNet(seed, Link(latency_s=0.01))
        switch = SimSwitch(net, EXTENSIONS)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.2)
        await alice.talk_to("1002", bob)
        net.worsen(loss=loss)
        session = alice.the_call.session
        for key in pressed:
            n_events = len(switch.events)
            body = f"Signal={key}\r\nDuration=100\r\n".encode()
            now = switch.loop.time()
            alice.agent.driver.perform(alice.agent.stack.info(session, "application/dtmf-relay", body, now))
            # The next one waits for this one, as its CSeq must not be overtaken (RFC 3261 §12.2.2).
            await asyncio.sleep(_GAP_S)
            while len(switch.events) == n_events and switch.loop.time() < now + _GIVE_UP_S:  # noqa: ASYNC110 (virtual time)
                await asyncio.sleep(_GAP_S)
        net.worsen(loss=0.0)
        await asyncio.sleep(_SETTLE_S)
        told.extend(event.digit for event in switch.of(events.CallDigit))
        sent.extend(each.digits for each in switch.worker.of(media.SendDigits))
        alice.agent.hang_up(alice.the_call.id)
        await switch.close()

    run_virtual(main(), limit_s=_GAP_S * 4 * n_digits + 200)
    lost, doubled = compare(pressed, "".join(told))
    listener = compare(pressed, "".join(sent))
    return {
        "pressed": n_digits,
        "lost": lost,
        "doubled": doubled,
        "listener_lost": listener[0],
        "listener_doubled": listener[1],
    }
