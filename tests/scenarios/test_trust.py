"""Whole switch, virtual time: what carriers are told and believed: identities within and without the trust domain,
forwardings, early media, hops, breadth and loops; Reason both ways.

Not here: the headers themselves (tests/sip/test_identity_headers).
"""

import asyncio
import re

import pytest

from model.events import CallCreated
from tests.harness.peer import RawPeer
from tests.harness.sim_switch import EXTENSIONS, SERVER, TRUNKS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

SDP = """v=0
o=- 1 1 IN IP4 10.0.1.1
s=-
c=IN IP4 10.0.1.1
t=0 0
m=audio 4000 RTP/AVP 0
"""

INVITE = """
INVITE sip:{dialed}@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP {host}:{port};branch={branch}
Max-Forwards: {hops}
From: {caller};tag={tag}
To: <sip:{dialed}@10.0.0.1>
Call-ID: {call_id}
CSeq: 1 INVITE
Contact: <sip:{host}:{port}>
{more}Content-Type: application/sdp
Content-Length: {length}

"""


class Carrier(RawPeer):
    """The far end of trunk `carrier`, in raw text."""

    def __init__(self, net: SimNet) -> None:
        super().__init__(net, "10.0.1.1")
        self.target = SERVER
        self.set(hops=70, caller="<sip:13800138000@10.0.1.1>", dialed="02188886666")

    def invite(self, more: str = "", **values: object) -> bytes:
        return self.send(INVITE.replace("{more}", more) + SDP, **values)

    def acknowledge(self) -> None:
        text = "ACK sip:{dialed}@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP {host}:{port};branch={branch}\nMax-Forwards: 70\n"
        self.send(text + "{last:From}\n{last:To}\n{last:Call-ID}\nCSeq: 1 ACK\nContent-Length: 0\n\n")


def config(options: str = "", *, busy_to: str = "913900139000") -> str:
    extensions = EXTENSIONS.replace('number = "1001"', f'number = "1001"\nbusy_to = "{busy_to}"')
    return extensions + TRUNKS.replace('name = "carrier"\n', f'name = "carrier"\n{options}\n', 1)


def through(options: str, more: str = "", check=lambda came: None, **values: object) -> None:
    """A call from the carrier to an extension that is away and sends it on by the same carrier: `check` what comes."""

    async def main():
        net = SimNet()
        switch = SimSwitch(net, config(options))
        carrier = Carrier(net)
        carrier.invite(more, **values)
        came = await carrier.expect("^INVITE sip:13900139000@")
        check(came)
        carrier.respond(came, 486, "Busy Here")
        await carrier.expect("^ACK")
        await carrier.expect("^SIP/2.0 486")
        carrier.acknowledge()
        await switch.cdr()
        await carrier.close()
        await switch.close()

    run_virtual(main())


HIDDEN = '"Anonymous" <sip:anonymous@anonymous.invalid>'
ASSERTED = "P-Asserted-Identity: <sip:13800138000@10.0.1.1>\nPrivacy: id\n"


def test_hops_are_handed_on():
    def check(came):
        assert came.header("Max-Forwards") == "6"

    through("", check=check, hops=7)


def test_breadth_is_handed_on():
    def check(came):
        assert came.header("Max-Breadth") == "3"

    through("", "Max-Breadth: 3\n", check)


def test_outside_the_trust_domain_an_identity_is_neither_believed_nor_told():
    def check(came):
        assert not came.header("P-Asserted-Identity") and not came.header("P-Preferred-Identity")
        assert "13800138000" not in came.text

    through("", ASSERTED, check, caller=HIDDEN)


def test_inside_the_trust_domain_a_hidden_number_is_told_and_stays_hidden():
    def check(came):
        assert came.header("P-Asserted-Identity").startswith("<sip:02188886666@")
        assert came.header("Privacy") == "id"
        assert came.header("From").startswith(HIDDEN)
        assert came.contact_uri == "sip:10.0.0.1:5060"

    through('identity = "asserted"', ASSERTED, check, caller=HIDDEN)


def test_who_may_be_shown_is_shown():
    def check(came):
        assert came.header("From").startswith("<sip:02188886666@")
        assert came.header("P-Preferred-Identity").startswith("<sip:02188886666@")
        assert not came.header("Privacy")

    through('identity = "preferred"', "", check)


@pytest.mark.parametrize(
    ("style", "diversions", "history"),
    [
        ("diversion", 2, 0),
        ("history_info", 0, 1),
        ("both", 2, 1),
        ("off", 0, 0),
    ],
)
def test_who_sent_the_call_on_is_told(style, diversions, history):
    def check(came):
        told = came.all("Diversion")
        assert len(told) == diversions
        if told:
            # The extension as the carrier may know it, then who sent the call to us.
            assert re.match(r"<sip:02188886666@.*>;reason=unavailable", told[0])
            assert re.match(r"<sip:4711@.*>;reason=user-busy", told[1])
        entries = came.all("History-Info")
        assert len(entries) == history
        if entries:
            assert [part.partition("@")[0] for part in entries[0].split(", ")] == [
                "<sip:4711",
                "<sip:02188886666",
                "<sip:13900139000",
            ]

    through(f'diversion = "{style}"', "Diversion: <sip:4711@h>;reason=user-busy\n", check)


def test_who_sent_a_call_to_us_stands_in_its_event():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        phone = await switch.phone("1001", answer_after_s=1.0)
        carrier = Carrier(net)
        carrier.invite("History-Info: <sip:4711@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:02188886666@h>;index=1.1\n")
        await carrier.expect("^SIP/2.0 180")
        await carrier.expect("^SIP/2.0 200")
        carrier.acknowledge()
        (created,) = switch.of(CallCreated)
        assert created.diverted_from == "4711"
        phone.agent.hang_up(phone.the_call.id)
        carrier.respond(await carrier.expect("^BYE"), 200)
        await switch.cdr()
        await carrier.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("more", "values", "status"),
    [
        ("", {"hops": 0}, 483),
        ("Max-Breadth: 0\n", {}, 440),
        ("Max-Breadth: many\n", {}, 400),
        ("P-Asserted-Identity: <sip:x\n", {}, 400),
    ],
)
def test_calls_that_cannot_go_on(more, values, status):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, config('identity = "asserted"'))
        carrier = Carrier(net)
        carrier.invite(more, **values)
        await carrier.expect(f"^SIP/2.0 {status}")
        carrier.acknowledge()
        assert switch.core.calls.calls == {}
        await carrier.close()
        await switch.close()

    run_virtual(main())


def test_our_own_invite_that_comes_back_is_a_loop_and_for_another_number_a_call():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, config())
        carrier = Carrier(net)
        carrier.invite()
        came = await carrier.expect("^INVITE sip:13900139000@")
        via = f"Via: SIP/2.0/UDP 10.0.1.1:5060;branch=z9hG4bKloop\r\nVia: {came.header('Via')}"
        text = came.text.replace(f"Via: {came.header('Via')}", via)
        carrier.send_bytes(text.encode())
        await carrier.expect("^SIP/2.0 482")
        spiral = text.replace("INVITE sip:13900139000@", "INVITE sip:02188886666@").replace(
            "z9hG4bKloop", "z9hG4bKspiral"
        )
        carrier.send_bytes(spiral.encode())
        # It goes the same way once more, and from there on Max-Forwards counts it down.
        again = await carrier.expect("^INVITE sip:13900139000@")
        assert again.header("Max-Forwards") == "68"
        for one in (again, came):
            carrier.respond(one, 486)
        await switch.cdr(2)
        await asyncio.sleep(1.0)
        await carrier.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("option", "line", "is_heard"),
    [
        ("sdp", "", True),
        ("p_early_media", "", False),
        ("p_early_media", "P-Early-Media: sendonly", True),
        ("p_early_media", "P-Early-Media: inactive", False),
        ("off", "P-Early-Media: sendrecv", False),
    ],
)
def test_early_media_is_heard_when_the_carrier_may_be(option, line, is_heard):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, config(f'early_media = "{option}"'))
        phone = await switch.phone("1002")
        carrier = Carrier(net)
        phone.call("913900139000")
        came = await carrier.expect("^INVITE")
        assert came.header("P-Early-Media") == ("supported" if option == "p_early_media" else "")
        assert "100rel" in came.header("Supported")
        carrier.respond(came, 183, headers=f"Require: 100rel\nRSeq: 1\n{line}", body=SDP)
        prack = await carrier.expect("^PRACK")
        carrier.respond(prack, 200)
        told = await phone.wait("ringing")
        assert told.status == (183 if is_heard else 180)
        # The answer came already; the 200 need not bring it again.
        carrier.respond(came, 200)
        await carrier.expect("^ACK")
        await phone.wait("answered")
        phone.agent.hang_up(phone.the_call.id)
        carrier.respond(await carrier.expect("^BYE"), 200)
        await switch.cdr()
        await carrier.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("Q.850;cause=31", "NORMAL_UNSPECIFIED"),
        ('SIP;cause=200;text="Call completed elsewhere"', "ANSWERED_ELSEWHERE"),
        ("SIP;cause=486", "USER_BUSY"),
        ("preemption;cause=1", "ORIGINATOR_CANCEL"),
    ],
)
def test_the_reason_of_a_cancel_is_read_and_handed_on(reason, cause):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, config())
        carrier = Carrier(net)
        carrier.invite()
        came = await carrier.expect("^INVITE")
        carrier.respond(came, 180)
        await carrier.expect("^SIP/2.0 180")
        cancel = INVITE.replace("INVITE", "CANCEL").partition("Contact")[0]
        carrier.send(f"{cancel}Reason: {reason}\nContent-Length: 0\n\n")
        told = ""
        for _ in range(3):
            message = await carrier.expect("^CANCEL|^SIP/2.0 (200|487)")
            if message.start.startswith("CANCEL"):
                told = message.header("Reason")
                carrier.respond(message, 200)
                carrier.respond(came, 487)
            elif message.status == 487:
                carrier.acknowledge()
        if cause == "ANSWERED_ELSEWHERE":
            assert told.startswith("SIP;cause=200")
        elif reason.startswith("Q.850"):
            assert told.startswith(reason)
        assert (await switch.cdr()).hangup_cause == cause
        await asyncio.sleep(1.0)
        await carrier.close()
        await switch.close()

    run_virtual(main())
