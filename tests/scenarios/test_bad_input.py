"""Whole switch, virtual time: a carrier in raw text that does what should not happen, and calls that bear it. Hold in
all dialects, streams switched off, offers without a common codec, crossing and late messages, ACKs that do not come.

Not here: one message at a time (tests/sip/test_states), messages that are malformed (tests/sip/test_torture).
"""

import asyncio

import pytest

from model.events import CallHeld, CallResumed
from tests.harness.peer import Received
from tests.harness.sim_phone import SimPhone
from tests.harness.sim_switch import SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.scenarios.test_trust import SDP, Carrier

IN_DIALOG = """
{method} sip:10.0.0.1:5060 SIP/2.0
Via: SIP/2.0/UDP {host}:{port};branch={branch}
Max-Forwards: 70
From: {caller};tag={tag}
To: <sip:{dialed}@10.0.0.1>;tag={theirs}
Call-ID: {call_id}
CSeq: {cseq} {method}
Contact: <sip:{host}:{port}>
"""


class Talking:
    """A call from the carrier that extension 1001 has answered."""

    def __init__(self, switch: SimSwitch, carrier: Carrier, phone: SimPhone) -> None:
        self.switch, self.carrier, self.phone = switch, carrier, phone
        self.cseq = 1

    def say(self, method: str, body: str = "", *, cseq: int = 0) -> None:
        """A request of the carrier in the dialog."""
        if not cseq:
            self.cseq += 1
            self.carrier.new_branch()
        content = "Content-Type: application/sdp\n" if body else ""
        text = f"{IN_DIALOG}{content}Content-Length: {{length}}\n\n{body}"
        self.carrier.send(text, method=method, cseq=cseq or self.cseq)

    async def offer(self, body: str) -> Received:
        """The final answer to a re-INVITE, acknowledged."""
        self.say("INVITE", body)
        answer = await self.carrier.expect("^SIP/2.0 [2-6].*INVITE")
        if answer.status < 300:
            self.carrier.new_branch()
        self.say("ACK", cseq=self.cseq)
        return answer


async def talking(net: SimNet) -> Talking:
    switch = SimSwitch(net)
    phone = await switch.phone("1001", answer_after_s=1.0)
    carrier = Carrier(net)
    carrier.invite()
    await carrier.expect("^SIP/2.0 180")
    answer = await carrier.expect("^SIP/2.0 200")
    carrier.set(theirs=answer.tag("To"))
    call = Talking(switch, carrier, phone)
    carrier.new_branch()
    call.say("ACK", cseq=1)
    await phone.wait("answered")
    return call


async def hang_up(call: Talking) -> None:
    call.say("BYE")
    await call.carrier.expect("^SIP/2.0 200.*BYE")
    assert (await call.switch.cdr()).hangup_cause == "NORMAL_CLEARING"
    await call.phone.wait("ended")
    await call.carrier.close()
    await call.switch.close()


@pytest.mark.parametrize(
    "held",
    [
        SDP + "a=sendonly\n",
        SDP + "a=inactive\n",
        SDP.replace("c=IN IP4 10.0.1.1", "c=IN IP4 0.0.0.0"),
        SDP.replace("t=0 0", "t=0 0\na=sendonly"),
        SDP.replace("m=audio 4000", "m=audio 0"),
    ],
    ids=["sendonly", "inactive", "c=0.0.0.0", "sendonly of the session", "port 0"],
)
def test_hold_in_every_dialect_and_back(held):
    async def main():
        call = await talking(SimNet())
        for n in (1, 2):
            answer = await call.offer(held)
            assert answer.status == 200
            assert ("m=audio 0 " in answer.body) is ("m=audio 0 " in held)
            assert len(call.switch.of(CallHeld)) == n
            answer = await call.offer(SDP)
            assert answer.status == 200 and "m=audio 0 " not in answer.body
            assert len(call.switch.of(CallResumed)) == n
        await hang_up(call)

    run_virtual(main())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (SDP.replace("AVP 0", "AVP 3 4"), 488),
        (SDP.replace("m=audio 4000 RTP/AVP 0", "m=video 4000 RTP/AVP 99"), 488),
        (SDP.replace("RTP/AVP", "RTP/SAVP"), 488),
        (SDP.replace("v=0", "v=1"), 400),
        ("nonsense\n", 400),
    ],
    ids=["codecs", "no audio", "keys missing", "version", "no SDP"],
)
def test_an_offer_that_cannot_be_taken_is_refused_and_the_call_goes_on(body, status):
    async def main():
        call = await talking(SimNet())
        answer = await call.offer(body)
        assert answer.status == status
        assert len(call.switch.core.calls.calls) == 1
        assert (await call.offer(SDP)).status == 200
        await hang_up(call)

    run_virtual(main())


def test_a_reinvite_after_bye_finds_nothing():
    async def main():
        call = await talking(SimNet())
        call.say("BYE")
        await call.carrier.expect("^SIP/2.0 200.*BYE")
        call.say("INVITE", SDP)
        await call.carrier.expect("^SIP/2.0 481.*INVITE")
        call.say("REFER")
        await call.carrier.expect("^SIP/2.0 481.*REFER")
        await call.switch.cdr()
        await call.phone.wait("ended")
        await call.carrier.close()
        await call.switch.close()

    run_virtual(main())


def test_bye_crosses_bye():
    async def main():
        call = await talking(SimNet())
        call.phone.agent.hang_up(call.phone.the_call.id)
        call.say("BYE")
        bye = await call.carrier.expect("^BYE", ignore="^SIP/2.0 200")
        call.carrier.respond(bye, 200)
        assert (await call.switch.cdr()).hangup_cause == "NORMAL_CLEARING"
        await asyncio.sleep(1.0)
        assert call.carrier.count("^SIP/2.0 200.*BYE") == 1
        await call.carrier.close()
        await call.switch.close()
        assert len(call.switch.cdrs) == 1

    run_virtual(main())


def test_bye_crosses_a_reinvite():
    async def main():
        call = await talking(SimNet())
        call.say("INVITE", SDP)
        call.phone.agent.hang_up(call.phone.the_call.id)
        bye = await call.carrier.expect("^BYE", ignore="^SIP/2.0 [12]")
        call.carrier.respond(bye, 200)
        await call.switch.cdr()
        call.say("ACK", cseq=call.cseq)
        await call.carrier.close()
        await call.switch.close()

    run_virtual(main())


@pytest.mark.parametrize("answered_after_s", [0.0, 0.02])
def test_cancel_crosses_the_answer(answered_after_s):
    """Whoever is first: one record, nothing left, and the phone is not talking to nobody."""

    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001", answer_after_s=answered_after_s)
        carrier = Carrier(net)
        carrier.invite()
        await asyncio.sleep(0.02)
        text = (
            "CANCEL sip:{dialed}@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {host}:{port};branch={branch}\nMax-Forwards: 70\n"
        )
        carrier.send(
            text + "From: {caller};tag={tag}\nTo: <sip:{dialed}@10.0.0.1>\nCall-ID: {call_id}\n"
            "CSeq: 1 CANCEL\nContent-Length: 0\n\n"
        )
        final = await carrier.expect("^SIP/2.0 (200|487).*INVITE", ignore="^SIP/2.0 (1|200.*CANCEL)")
        if final.status == 200:
            carrier.set(theirs=final.tag("To"))
            call = Talking(switch, carrier, phone)
            carrier.new_branch()
            call.say("ACK", cseq=1)
            await phone.wait("answered")
            call.say("BYE")
        else:
            carrier.acknowledge()
        await phone.wait("ended")
        await switch.cdr()
        await carrier.close()
        await switch.close()
        assert len(switch.cdrs) == 1

    run_virtual(main())


def test_a_late_ack_is_as_good_as_one_in_time():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001", answer_after_s=1.0)
        carrier = Carrier(net)
        carrier.invite()
        await carrier.expect("^SIP/2.0 180")
        answer = await carrier.expect("^SIP/2.0 200")
        await asyncio.sleep(20.0)
        assert carrier.count("^SIP/2.0 200") > 5
        carrier.set(theirs=answer.tag("To"))
        call = Talking(switch, carrier, phone)
        carrier.new_branch()
        call.say("ACK", cseq=1)
        await asyncio.sleep(60.0)
        assert len(switch.core.calls.calls) == 1
        await hang_up(call)

    run_virtual(main())


def test_an_ack_that_never_comes_ends_the_call():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001", answer_after_s=1.0)
        carrier = Carrier(net)
        carrier.invite()
        await carrier.expect("^SIP/2.0 180")
        await carrier.expect("^SIP/2.0 200")
        bye = await carrier.expect("^BYE")
        assert "ACK" in bye.header("Reason")
        carrier.respond(bye, 200)
        await phone.wait("ended")
        assert (await switch.cdr()).hangup_cause == "RECOVERY_ON_TIMER_EXPIRE"
        await carrier.close()
        await switch.close()

    run_virtual(main())
