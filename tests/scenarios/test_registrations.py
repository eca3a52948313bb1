"""Whole switch, virtual time: several devices and flows of one extension, Path, Service-Route, calls to one phone of
several (GRUU, RFC 5627). The registrar's own tables are in tests/sip/test_registrar*.py."""

import asyncio
import re

import pytest

from tests.harness.peer import RawPeer
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.harness.watcher import Watcher

SDP = "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0 8\r\na=sendrecv\r\n"


class Device(Watcher):
    """One device of an extension, with an instance of its own."""

    def __init__(self, net: SimNet, host: str, number: str, instance: str, **attach) -> None:
        super().__init__(net, host, number, **attach)
        self.instance = instance

    async def sign_in(self, supported: str = "path, outbound, gruu", reg_id: int = 0, headers: str = "", q: str = ""):
        self.new_call()
        contact = f'<sip:{self.number}@{self.host}:5060>;+sip.instance="<{self.instance}>"'
        contact += f";reg-id={reg_id}" if reg_id else ""
        contact += f";q={q}" if q else ""
        answer = await self.ask(
            "REGISTER", self.number, f"Expires: 600\nSupported: {supported}\n{headers}", contact=contact
        )
        assert answer.status == 200, answer.text
        return answer


def gruus(answer, instance: str) -> tuple[str, str]:
    """User and parameters of the public and of the temporary one."""
    line = next(value for value in answer.all("Contact") if instance in value)
    found = re.search(r'pub-gruu="sip:([^"]+)";temp-gruu="sip:([^"]+)"', line)
    return found[1], found[2]


def test_a_call_to_a_gruu_rings_one_phone_of_several():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        desk, mobile = (
            Device(net, "10.0.0.50", "1002", "urn:uuid:desk"),
            Device(net, "10.0.0.51", "1002", "urn:uuid:mobile"),
        )
        await desk.sign_in()
        answer = await mobile.sign_in()
        caller = Watcher(net, "10.0.0.52", "1001")
        for address in gruus(answer, "mobile"):
            user, _, rest = address.partition("@")
            params = rest.partition(";")[2]
            caller.new_call()
            calling = caller.calls(user, f";{params}", SDP.format(host=caller.host))
            ringing = await mobile.expect("^INVITE ")
            mobile.respond(ringing, 486, "Busy Here")
            assert (await calling).status == 486
            await mobile.expect("^ACK ")
        await desk.expect_nothing(1.0)
        # Both ring when the number is called.
        caller.new_call()
        calling = caller.calls("1002", "", SDP.format(host=caller.host))
        for phone in (desk, mobile):
            phone.respond(await phone.expect("^INVITE "), 486, "Busy Here")
        assert (await calling).status == 486
        for peer in (desk, mobile, caller):
            await peer.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("user", "params", "status"),
    [
        ("tgruu.0123456789abcdef", ";gr", 404),
        ("1002", ";gr=urn:uuid:nobody", 480),
        ("4711", ";gr=urn:uuid:desk", 404),
    ],
    ids=["temporary", "instance", "user"],
)
def test_a_gruu_that_leads_nowhere_says_so(user, params, status):
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        desk = Device(net, "10.0.0.50", "1002", "urn:uuid:desk")
        await desk.sign_in()
        caller = Watcher(net, "10.0.0.52", "1001")
        assert (await caller.calls(user, params, SDP.format(host=caller.host))).status == status
        await desk.expect_nothing(1.0)
        for peer in (desk, caller):
            await peer.close()
        await switch.close()

    run_virtual(main())


def test_a_phone_with_two_flows_rings_once_and_by_the_other_one_when_the_first_is_gone():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        first = Device(net, "10.0.0.50", "1002", "urn:uuid:desk", transport="tcp")
        second = Device(net, "10.0.0.51", "1002", "urn:uuid:desk", transport="tcp")
        for reg_id, flow in enumerate((first, second), 1):
            flow.target = flow.target._replace(transport="tcp")
            answer = await flow.sign_in(reg_id=reg_id)
            assert (answer.header("Require"), answer.header("Flow-Timer")) == ("outbound", "120")
        assert switch.core.registrations.n_bindings == 2
        caller = Watcher(net, "10.0.0.52", "1001")
        calling = caller.calls("1002", "", SDP.format(host=caller.host))
        second.respond(await second.expect("^INVITE "), 486, "Busy Here")
        assert (await calling).status == 486
        await second.expect("^ACK ")
        await first.expect_nothing(1.0)
        await second.close()
        caller.new_call()
        calling = caller.calls("1002", "", SDP.format(host=caller.host))
        first.respond(await first.expect("^INVITE "), 486, "Busy Here")
        assert (await calling).status == 486
        for peer in (first, caller):
            await peer.close()
        await switch.close()

    run_virtual(main())


def test_requests_go_by_the_path_a_phone_registered_with():
    async def main():
        net = SimNet()
        switch = SimSwitch(
            net,
            EXTENSIONS.replace(
                "[[ext",
                '[sip]\nlisten = ["udp:10.0.0.1:5060"]\nservice_route = ["<sip:edge.example.com;lr>"]\n[[ext',
                1,
            ),
        )
        phone = Device(net, "10.0.0.50", "1002", "urn:uuid:desk")
        answer = await phone.sign_in(headers="Path: <sip:edge1@10.0.0.9;lr>, <sip:edge2@10.0.0.8;lr;ob>")
        assert answer.all("Path") == ["<sip:edge1@10.0.0.9;lr>", "<sip:edge2@10.0.0.8;lr;ob>"]
        assert answer.all("Service-Route") == ["<sip:edge.example.com;lr>"]
        caller = Watcher(net, "10.0.0.52", "1001")
        await caller.ask("MESSAGE", "1002", "Content-Type: text/plain", "hello")
        message = await phone.expect("^MESSAGE ")
        assert message.all("Route") == ["<sip:edge1@10.0.0.9;lr>", "<sip:edge2@10.0.0.8;lr;ob>"]
        phone.respond(message, 200)
        calling = caller.calls("1002", "", SDP.format(host=caller.host))
        invite = await phone.expect("^INVITE ")
        assert invite.all("Route") == message.all("Route")
        phone.respond(invite, 486, "Busy Here")
        assert (await calling).status == 486
        for peer in (phone, caller):
            await peer.close()
        await switch.close()

    run_virtual(main())


def test_calls_to_a_trunk_go_by_the_route_it_told_when_we_registered():
    async def main():
        net = SimNet()
        carrier = RawPeer(net, "10.0.1.1")
        trunk = (
            '[[trunk]]\nname = "carrier"\nhost = "10.0.1.1"\nport = 5060\nusername = "us"\npassword = "long-enough"\n'
            'register = true\n[[route]]\nname = "out"\npattern = "9."\nstrip = 1\ntrunks = ["carrier"]\n'
        )
        switch = SimSwitch(net, EXTENSIONS + trunk)
        resolving = asyncio.create_task(switch.core.trunks.keep_resolved())
        register = await carrier.expect("^REGISTER ")
        routes = "Service-Route: <sip:sbc1.example.com;lr>, <sip:sbc2.example.com;lr>\nExpires: 600"
        carrier.respond(register, 200, headers=f"{routes}\nContact: {register.header('Contact')}")
        await switch.until(lambda: switch.core.directory.trunks["carrier"].state == "up")
        caller = Watcher(net, "10.0.0.52", "1001")
        calling = caller.calls("9123", "", SDP.format(host=caller.host))
        invite = await carrier.expect("^INVITE ")
        assert invite.all("Route") == ["<sip:sbc1.example.com;lr>", "<sip:sbc2.example.com;lr>"]
        carrier.respond(invite, 486, "Busy Here")
        assert (await calling).status == 486
        resolving.cancel()
        for peer in (carrier, caller):
            await peer.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("how", ["refuses", "rings on"])
def test_phones_of_lower_q_ring_when_those_of_higher_q_did_not_take_the_call(how):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + "[calls]\nring_timeout_s = 20\n")
        first = Device(net, "10.0.0.50", "1002", "urn:uuid:first")
        second = Device(net, "10.0.0.51", "1002", "urn:uuid:second")
        await second.sign_in(q="0.3")
        await first.sign_in(q="0.8")
        caller = Watcher(net, "10.0.0.52", "1001")
        calling = caller.calls("1002", "", SDP.format(host=caller.host))
        invite = await first.expect("^INVITE ")
        began = switch.loop.time()
        first.respond(invite, 180, "Ringing")
        await second.expect_nothing(5.0)
        if how == "refuses":
            first.respond(invite, 480, "Temporarily Unavailable")
        other = await second.expect("^INVITE ")
        # Each has half of the time that the extension may ring.
        assert (switch.loop.time() - began >= 9.9) == (how == "rings on")
        second.respond(other, 486, "Busy Here")
        if how == "rings on":
            cancel = await first.expect("^CANCEL ", ignore="^ACK ")
            first.respond(cancel, 200)
            first.respond(invite, 487, "Request Terminated")
        assert (await calling).status in (480, 486)
        for peer in (first, second, caller):
            await peer.close()
        await switch.close()

    run_virtual(main())
