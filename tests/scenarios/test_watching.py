"""Whole switch, virtual time: phones subscribe to message lamps, busy lamps and presence, publish, and are told (RFC
6665, 3842, 4235, 3856, 3903); who may watch whom, limits, expiry, and what ends a subscription.

The machines' own tables are in tests/sip/test_subscription.py, the documents in tests/sip/test_event_bodies.py.
"""

import asyncio
from xml.etree import ElementTree

import pytest

from model import commands_extensions, errors, events, watching
from model.commands_services import SetServices
from tests.harness.sim_switch import EXTENSIONS, PASSWORD, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual
from tests.harness.watcher import Watcher
from tests.scenarios.test_control import SimApp

DIALOG = "{urn:ietf:params:xml:ns:dialog-info}"
PIDF = "{urn:ietf:params:xml:ns:pidf}"
RPID = "{urn:ietf:params:xml:ns:pidf:rpid}"


def dialogs(notify):
    """(version, full or partial, {dialog id: (state, direction, remote)})"""
    root = ElementTree.fromstring(notify.body)
    found = {
        one.get("id"): (
            one.findtext(f"{DIALOG}state"),
            one.get("direction"),
            one.findtext(f"{DIALOG}remote/{DIALOG}identity"),
        )
        for one in root.findall(f"{DIALOG}dialog")
    }
    return int(root.get("version")), root.get("state"), found


def presence(notify):
    """(open or closed, activity, note)"""
    root = ElementTree.fromstring(notify.body)
    activities = root.find(f".//{RPID}activities")
    activity = activities[0].tag.removeprefix(RPID) if activities is not None else ""
    return root.findtext(f".//{PIDF}basic"), activity, root.findtext(f"{PIDF}note") or ""


def test_the_message_lamp_follows_the_mailbox():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        app = SimApp(switch)
        phone = Watcher(net, "10.0.0.50", "1001")
        answer, first = await phone.subscribe("1001", "message-summary")
        assert (answer.header("Expires"), bool(answer.header("Contact"))) == ("600", True)
        assert (first.header("Event"), first.header("Subscription-State")) == ("message-summary", "active;expires=600")
        assert first.header("Content-Type") == "application/simple-message-summary"
        assert "Messages-Waiting: no\r\n" in first.body
        view = await app.do(watching.SetMailbox(extension="1001", new=2, old=8, urgent_new=1))
        assert view.n_watchers == 1
        told = await phone.notified()
        assert told.body == (
            "Messages-Waiting: yes\r\nMessage-Account: sip:1001@10.0.0.1\r\nVoice-Message: 2/8 (1/0)\r\n"
        )
        # The same again is nothing new, and it outlives the process: it is in the database.
        await app.do(watching.SetMailbox(extension="1001", new=2, old=8, urgent_new=1))
        await phone.expect_nothing(5.0)
        (stored,) = await switch.storage.extension_states.all()
        assert (stored.number, stored.new, stored.old, stored.urgent_new) == ("1001", 2, 8, 1)
        with pytest.raises(errors.NoSuchExtension):
            await app.do(watching.SetMailbox(extension="4711", new=1))
        with pytest.raises(errors.InvalidValue):
            await app.do(watching.SetMailbox(extension="1001", new=1, urgent_new=2))
        # Another's messages are nobody's business.
        phone.new_call()
        assert (await phone.ask("SUBSCRIBE", "1002", "Event: message-summary")).status == 403
        await phone.close()
        await switch.close()

    run_virtual(main())


def test_a_busy_lamp_follows_ringing_talking_hold_and_end():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002")
        lamp = Watcher(net, "10.0.0.50", "1003")
        _, first = await lamp.subscribe("1002", "dialog")
        assert dialogs(first) == (0, "full", {})
        mine = alice.call("1002")
        incoming = await bob.wait("incoming")
        version, kind, found = dialogs(await lamp.notified())
        ((leg, (state, direction, remote)),) = found.items()
        assert (version, kind, direction, remote) == (1, "partial", "recipient", "sip:1001@10.0.0.1")
        while state == "trying":
            version, _, found = dialogs(last := await lamp.notified())
            state = found[leg][0]
        assert state == "early"
        # What another phone needs to take the call (RFC 3891) is told while it rings.
        early = ElementTree.fromstring(last.body).find(f"{DIALOG}dialog")
        assert early.get("call-id") and early.get("local-tag") and early.get("remote-tag")
        bob.agent.answer(incoming.call)
        last = await lamp.notified()
        assert dialogs(last) == (
            version + 1,
            "partial",
            {leg: ("confirmed", "recipient", "sip:1001@10.0.0.1")},
        )
        assert ElementTree.fromstring(last.body).find(f"{DIALOG}dialog").get("call-id") is None
        bob.agent.hold(incoming.call)
        assert "+sip.rendering" in (await lamp.notified()).body
        bob.agent.resume(incoming.call)
        assert "+sip.rendering" not in (await lamp.notified()).body
        alice.agent.hang_up(mine.id)
        version, _, found = dialogs(await lamp.notified())
        assert found == {leg: ("terminated", "recipient", None)}
        await lamp.close()
        await switch.close()

    run_virtual(main())


def test_a_lamp_that_comes_late_is_told_of_the_call_that_is_up():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        alice = await switch.phone("1001")
        bob = await switch.phone("1002", answer_after_s=0.5)
        await alice.talk_to("1002", bob)
        lamp = Watcher(net, "10.0.0.50", "1003")
        answer, first = await lamp.subscribe("1001", "dialog;id=7")
        assert first.header("Event") == "dialog;id=7"
        version, kind, found = dialogs(first)
        assert (version, kind, list(found.values())) == (0, "full", [("confirmed", "initiator", "sip:1002@10.0.0.1")])
        refreshed = await lamp.ask("SUBSCRIBE", "1001", "Event: dialog;id=7\nExpires: 900", to_tag=answer.tag("To"))
        assert (refreshed.status, refreshed.header("Expires")) == (200, "900")
        again = await lamp.notified()
        assert dialogs(again) == (1, "full", found)
        assert again.header("Subscription-State") == "active;expires=900"
        alice.agent.hang_up(alice.the_call.id)
        await lamp.notified()
        await lamp.close()
        await switch.close()

    run_virtual(main())


def test_presence_is_put_together_from_registration_calls_and_what_was_said():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        app = SimApp(switch)
        lamp = Watcher(net, "10.0.0.50", "1003")
        _, first = await lamp.subscribe("1001", "presence")
        assert presence(first) == ("closed", "", "Offline")
        alice = await switch.phone("1001")
        assert presence(await lamp.notified()) == ("open", "", "")
        bob = await switch.phone("1002", answer_after_s=0.5)
        call, _ = await alice.talk_to("1002", bob)
        assert presence(await lamp.notified()) == ("open", "on-the-phone", "On the phone")
        await app.do(SetServices(extension="1001", is_dnd=True))
        assert presence(await lamp.notified()) == ("open", "busy", "Do not disturb")
        await app.do(SetServices(extension="1001", is_dnd=False))
        assert presence(await lamp.notified()) == ("open", "on-the-phone", "On the phone")
        await app.do(watching.SetPresence(extension="1001", activity="away", note="back at <3>"))
        assert presence(await lamp.notified()) == ("open", "away", "back at <3>")
        view = await app.do(watching.GetPresence(extension="1001"))
        assert (view.activity, view.source, view.n_watchers) == ("away", "api", 1)
        alice.agent.hang_up(call.id)
        await lamp.expect_nothing(2.0)
        await app.do(watching.SetPresence(extension="1001", activity="available"))
        assert presence(await lamp.notified()) == ("open", "", "")
        alice.agent.unregister()
        assert presence(await lamp.notified()) == ("closed", "", "Offline")
        told = [event for event in app.published if isinstance(event, watching.PresenceChanged)]
        told += switch.of(watching.PresenceChanged)
        assert [(event.activity, event.source) for event in told] == [
            ("away", "api"),
            ("", "registration"),
        ]
        await lamp.close()
        await switch.close()

    run_virtual(main())


DOCUMENT = (
    '<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:r="urn:ietf:params:xml:ns:pidf:rpid" entity="sip:1001@x">'
    '<tuple id="a"><status><basic>open</basic></status></tuple>'
    '<dm:person xmlns:dm="urn:ietf:params:xml:ns:pidf:data-model" id="p"><r:activities><r:away/></r:activities>'
    "</dm:person><note>lunch</note></presence>"
)


def test_a_phone_publishes_what_its_user_does():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        lamp = Watcher(net, "10.0.0.50", "1003")
        await lamp.subscribe("1001", "presence")
        phone = Watcher(net, "10.0.0.51", "1001")
        head = "Event: presence\nContent-Type: application/pidf+xml"
        made = await phone.ask("PUBLISH", "1001", f"{head}\nExpires: 120", DOCUMENT)
        assert (made.status, made.header("Expires"), bool(made.header("SIP-ETag"))) == (200, "120", True)
        assert presence(await lamp.notified()) == ("open", "away", "lunch")
        stale = made.header("SIP-ETag")
        kept = await phone.ask("PUBLISH", "1001", f"Event: presence\nExpires: 120\nSIP-If-Match: {stale}")
        assert kept.status == 200 and kept.header("SIP-ETag") != stale
        await lamp.expect_nothing(1.0)
        assert (await phone.ask("PUBLISH", "1001", f"Event: presence\nSIP-If-Match: {stale}")).status == 412
        # Not refreshed again: it is forgotten when its time is over.
        assert presence(await lamp.notified()) == ("closed", "", "Offline")
        assert (await phone.ask("PUBLISH", "1001", head, "<presence")).status == 400
        assert (await phone.ask("PUBLISH", "1001", head, f"<!DOCTYPE presence>{DOCUMENT}")).status == 400
        assert (await phone.ask("PUBLISH", "1001", head, DOCUMENT + " " * 9000)).status == 413
        assert (await phone.ask("PUBLISH", "1001", "Event: presence\nContent-Type: a/b", DOCUMENT)).status == 415
        assert (await phone.ask("PUBLISH", "1002", head, DOCUMENT)).status == 403
        assert (await phone.ask("PUBLISH", "1001", "Event: dialog", DOCUMENT)).status == 489
        for peer in (phone, lamp):
            await peer.close()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("to", "headers", "status", "header"),
    [
        ("1002", "Event: dialog", 200, "Expires: 3600"),
        ("1002", "Event: dialog\nExpires: 5", 423, "Min-Expires: 60"),
        ("1002", "Event: dialog\nExpires: 99999", 200, "Expires: 3600"),
        ("1002", "Event: conference", 489, "Allow-Events: message-summary, dialog, presence"),
        ("1002", "", 489, "Allow-Events: message-summary, dialog, presence"),
        ("1002", "Event: dialog\nAccept: text/plain", 406, "Accept: application/dialog-info+xml"),
        ("1002", "Event: dialog\nAccept: application/*", 200, "Expires: 3600"),
        ("1002", 'Event: dialog;id="a b"', 400, ""),
        ("4711", "Event: dialog", 404, ""),
        ("1005", "Event: presence", 403, ""),
        ("1005", "Event: message-summary", 403, ""),
        ("1002", "Event: dialog\nRequire: eventlist", 420, "Unsupported: eventlist"),
    ],
    ids=[
        "default",
        "too brief",
        "cut",
        "package",
        "no event",
        "accept",
        "wildcard",
        "id",
        "nobody",
        "hidden",
        "mail",
        "list",
    ],
)
def test_every_subscribe_gets_its_answer(to, headers, status, header):
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + 'watched_by = ["1001", "2*"]\n')
        lamp = Watcher(net, "10.0.0.50", "1003")
        answer = await lamp.ask("SUBSCRIBE", to, headers)
        assert answer.status == status
        name, _, value = header.partition(": ")
        assert not name or answer.header(name) == value
        if status == 200:
            await lamp.notified()
        else:
            await lamp.expect_nothing(1.0)
        await lamp.close()
        await switch.close()

    run_virtual(main())


def test_strangers_watch_nothing_and_learn_nothing():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        for number, password in (("1003", "wrong-password"), ("6666", PASSWORD)):
            stranger = Watcher(net, f"10.0.0.{int(number) % 100}", number, password=password)
            for method, headers in (("SUBSCRIBE", "Event: dialog"), ("PUBLISH", "Event: presence"), ("MESSAGE", "")):
                for to in ("1002", "4711"):
                    stranger.new_call()
                    assert (await stranger.ask(method, to, headers)).status == 401
            await stranger.close()
        assert len(switch.core.notifier.subscriptions) == 0
        await switch.close()

    run_virtual(main())


def test_a_subscription_ends_by_time_by_wish_by_refusal_and_by_silence():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        app = SimApp(switch)
        lamp = Watcher(net, "10.0.0.50", "1003")

        async def change(n: int) -> None:
            await app.do(watching.SetMailbox(extension="1003", new=n))

        # Not refreshed.
        await lamp.subscribe("1003", "message-summary", expires=60)
        last = await lamp.notified()
        assert last.header("Subscription-State") == "terminated;reason=timeout"
        # Given back.
        answer, _ = await lamp.subscribe("1003", "message-summary")
        gone = await lamp.ask("SUBSCRIBE", "1003", "Event: message-summary\nExpires: 0", to_tag=answer.tag("To"))
        assert (gone.status, gone.header("Expires")) == (200, "0")
        assert (await lamp.notified()).header("Subscription-State") == "terminated;reason=timeout"
        late = await lamp.ask("SUBSCRIBE", "1003", "Event: message-summary", to_tag=answer.tag("To"))
        assert late.status == 481
        # Asked once.
        _, fetched = await lamp.subscribe("1003", "message-summary", expires=0)
        assert fetched.header("Subscription-State") == "terminated;reason=timeout"
        # A NOTIFY is refused.
        await lamp.subscribe("1003", "message-summary")
        await change(1)
        await lamp.notified(481)
        await change(2)
        await lamp.expect_nothing(5.0)
        # A pause is asked for, and the latest state comes after it.
        await lamp.subscribe("1003", "message-summary")
        await change(3)
        await lamp.notified(503, "Retry-After: 10")
        await change(4)
        await lamp.expect_nothing(8.0)
        assert "Voice-Message: 4/0" in (await lamp.notified()).body
        # Nobody answers; what changes meanwhile is not sent on top.
        await change(5)
        await lamp.expect(r"^NOTIFY ")
        await change(6)
        await lamp.expect_nothing(40.0)
        assert len(switch.core.notifier.subscriptions) == 0
        assert [event.why for event in switch.of(watching.SubscriptionRemoved)] == [
            "timeout",
            "timeout",
            "refused",
            "no_answer",
        ]
        await lamp.close()
        await switch.close()

    run_virtual(main())


def test_one_notify_at_a_time_and_the_latest_state_in_the_next():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        app = SimApp(switch)
        lamp = Watcher(net, "10.0.0.50", "1003")
        await lamp.subscribe("1003", "message-summary")
        await app.do(watching.SetMailbox(extension="1003", new=1))
        slow = await lamp.expect(r"^NOTIFY ")
        for n in range(2, 30):
            await app.do(watching.SetMailbox(extension="1003", new=n))
        await lamp.expect_nothing(3.0)
        lamp.respond(slow, 200)
        assert "Voice-Message: 29/0" in (await lamp.notified()).body
        await lamp.expect_nothing(3.0)
        await lamp.close()
        await switch.close()

    run_virtual(main())


def test_watchers_are_bounded_by_phone_and_by_resource():
    async def main():
        net = SimNet()
        limits = "[subscriptions]\nmax_per_watcher = 2\nmax_per_resource = 3\nmax_total = 6\n"
        switch = SimSwitch(net, EXTENSIONS + limits)
        phones = [Watcher(net, f"10.0.0.{50 + n}", f"100{n}") for n in range(1, 6)]
        for phone in phones[:3]:
            await phone.subscribe("1005", "dialog")
        phones[3].new_call()
        assert (await phones[3].ask("SUBSCRIBE", "1005", "Event: dialog")).status == 403
        await phones[0].subscribe("1004", "dialog")
        phones[0].new_call()
        assert (await phones[0].ask("SUBSCRIBE", "1003", "Event: dialog")).status == 403
        for phone in phones[1:3]:
            await phone.subscribe("1004", "dialog")
        phones[4].new_call()
        full = await phones[4].ask("SUBSCRIBE", "1005", "Event: presence")
        assert (full.status, full.header("Retry-After")) == (503, "60")
        app = SimApp(switch)
        listed = await app.do(watching.ListSubscriptions(extension="1005"))
        assert [one.watcher for one in listed.subscriptions] == ["1001", "1002", "1003"]
        for phone in phones:
            await phone.close()
        await switch.close()

    run_virtual(main())


def test_watchers_of_a_deleted_extension_are_told():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        app = SimApp(switch)
        await app.do(commands_extensions.CreateExtension(extension="2001", password=PASSWORD))
        await app.do(watching.SetMailbox(extension="2001", new=1))
        lamp, gone = Watcher(net, "10.0.0.50", "1003"), Watcher(net, "10.0.0.51", "2001")
        await lamp.subscribe("2001", "dialog")
        await gone.subscribe("1001", "presence")
        await app.do(commands_extensions.DeleteExtension(extension="2001"))
        assert (await lamp.notified()).header("Subscription-State") == "terminated;reason=noresource"
        assert (await gone.notified()).header("Subscription-State") == "terminated;reason=rejected"
        assert len(switch.core.notifier.subscriptions) == 0
        assert await switch.storage.extension_states.all() == []
        for phone in (lamp, gone):
            await phone.close()
        await switch.close()

    run_virtual(main())


def test_watchers_behind_a_connection_go_with_it():
    async def main():
        net = SimNet()
        switch = SimSwitch(net)
        lamp = Watcher(net, "10.0.0.50", "1003", transport="tcp")
        lamp.target = lamp.target._replace(transport="tcp")
        await lamp.subscribe("1002", "dialog")
        assert len(switch.core.notifier.subscriptions) == 1
        await asyncio.sleep(1.0)
        await lamp.close()
        await switch.until(lambda: len(switch.core.notifier.subscriptions) == 0)
        assert [event.why for event in switch.of(watching.SubscriptionRemoved)] == ["connection_lost"]
        await switch.close()

    run_virtual(main())


def test_numbers_are_not_shown_where_the_configuration_says_so():
    async def main():
        net = SimNet()
        switch = SimSwitch(net, EXTENSIONS + "[subscriptions]\nshows_numbers = false\nmay_pick_up = false\n")
        alice = await switch.phone("1001")
        bob = await switch.phone("1002")
        await alice.registered()
        alice.call("1002")
        await bob.wait("incoming")
        await asyncio.sleep(1.0)
        lamp = Watcher(net, "10.0.0.50", "1003")
        _, first = await lamp.subscribe("1002", "dialog")
        assert list(dialogs(first)[2].values()) == [("early", "recipient", None)]
        assert "1001" not in first.body and "call-id" not in first.body
        alice.agent.hang_up(alice.the_call.id)
        await lamp.notified()
        assert switch.of(events.CallEnded)
        await lamp.close()
        await switch.close()

    run_virtual(main())
