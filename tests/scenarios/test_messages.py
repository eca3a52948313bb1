"""Whole switch, virtual time: instant messages between extensions (RFC 3428) and from the API."""

import pytest

from model import errors, watching
from tests.harness.sim_switch import EXTENSIONS, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.harness.watcher import Watcher
from tests.scenarios.test_control import SimApp

PLAIN = "Content-Type: text/plain"


def test_a_message_reaches_every_phone_of_the_extension():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        alice = Watcher(net, "10.0.0.50", "1001")
        phones = [Watcher(net, "10.0.0.51", "1002"), Watcher(net, "10.0.0.52", "1002")]
        for phone in phones:
            assert (await phone.register()).status == 200
        headers = f"{PLAIN};charset=UTF-8\nSubject: lunch\nP-Asserted-Identity: <sip:boss@x>"
        answer = await alice.ask("MESSAGE", "1002", headers, "at twelve? 好")
        assert answer.status == 202
        for phone in phones:
            message = await phone.expect("^MESSAGE ")
            assert message.start == f"MESSAGE sip:1002@{phone.host}:5060;transport=udp SIP/2.0"
            assert (message.body, message.header("Subject")) == ("at twelve? 好", "lunch")
            assert message.header("Content-Type") == "text/plain;charset=UTF-8"
            assert message.header("From").startswith('"Phone 1001" <sip:1001@10.0.0.1:5060>')
            assert message.header("Max-Forwards") == "69"
            assert not message.header("P-Asserted-Identity") and not message.header("Authorization")
        phones[0].respond(phones[0].last, 200)
        phones[1].respond(phones[1].last, 488)
        await switch.until(lambda: switch.of(watching.MessageDelivered) and switch.of(watching.MessageFailed))
        (delivered,), (failed,) = switch.of(watching.MessageDelivered), switch.of(watching.MessageFailed)
        assert (delivered.sender, delivered.address, delivered.size) == ("1001", "udp:10.0.0.51:5060", 14)
        assert (failed.address, failed.status) == ("udp:10.0.0.52:5060", 488)
        for peer in (alice, *phones):
            await peer.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("to", "headers", "body", "status"),
    [
        ("1004", PLAIN, "hello", 480),
        ("4711", PLAIN, "hello", 404),
        ("9123", PLAIN, "hello", 404),
        ("1002", "", "hello", 400),
        ("1002", PLAIN, "x" * 1001, 413),
        ("1002", f"{PLAIN}\nRequire: x", "hello", 420),
        ("1002", f"{PLAIN}\nMax-Forwards: 0", "hello", 400),
    ],
    ids=["not registered", "nobody", "outside", "no type", "too long", "require", "two Max-Forwards"],
)
def test_a_message_that_cannot_go_says_why(to, headers, body, status):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + "[messages]\nmax_bytes = 1000\n")
        alice, bob = Watcher(net, "10.0.0.50", "1001"), Watcher(net, "10.0.0.51", "1002")
        await bob.register()
        assert (await alice.ask("MESSAGE", to, headers, body)).status == status
        await bob.expect_nothing(1.0)
        for peer in (alice, bob):
            await peer.close()
        await switch.close()

    run_virtual(main())


def test_messages_can_be_switched_off():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + "[messages]\nenabled = false\n")
        alice = Watcher(net, "10.0.0.50", "1001")
        assert (await alice.ask("MESSAGE", "1001", PLAIN, "hello")).status == 403
        await alice.close()
        await switch.close()

    run_virtual(main())


def test_a_message_from_the_api():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        app = SimApp(switch)
        bob = Watcher(net, "10.0.0.51", "1002")
        await bob.register()
        sent = await app.do(watching.SendMessage(to="1002", text="Queue 7 is full", from_="8000"))
        assert sent.n_phones == 1
        message = await bob.expect("^MESSAGE ")
        assert (message.body, message.header("From").partition(";")[0]) == (
            "Queue 7 is full",
            "<sip:8000@10.0.0.1:5060>",
        )
        with pytest.raises(errors.NotReachable):
            await app.do(watching.SendMessage(to="1003", text="hello"))
        # Nobody answers.
        await switch.until(lambda: [event.status for event in switch.of(watching.MessageFailed)] == [0])
        await bob.close()
        await switch.close()

    run_virtual(main())
