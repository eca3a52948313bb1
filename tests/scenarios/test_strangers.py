"""Whole switch, virtual time: what strangers are answered, by method, inside dialogs and out; that known and unknown
users look the same; lock-out; bans that do not touch phones; answers no longer than the question.

The guard alone is in tests/switch/test_guard.py; real scanners in tests/live/test_attacks.py.
"""

import asyncio
import re

import pytest

from sip.credentials import Credentials
from sip.digest import answer_challenge
from switch.guard import GRACE_S
from switch.method_policy import INSIDE, OUTSIDE, Sender, may_send
from tests.harness.peer import RawPeer, Received
from tests.harness.sim_switch import HOST, PASSWORD, SERVER, SimSwitch
from tests.harness.simnet import SimNet
from tests.harness.virtual_loop import run_virtual

REQUEST = """
{method} sip:{callee}@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP {host}:{port};branch={branch};rport
Max-Forwards: 70
From: <sip:{user}@10.0.0.1>;tag={tag}
To: <sip:{callee}@10.0.0.1>{to_tag}
Call-ID: {call_id}
CSeq: {cseq} {method}
Contact: <sip:{user}@{host}:{port}>
User-Agent: Desk phone 4.2.1
Content-Length: 0
"""
ALL_METHODS = sorted({*OUTSIDE, *INSIDE, "FROBNICATE"})


def stranger(switch: SimSwitch, host: str = "198.51.100.7", **options) -> RawPeer:
    peer = RawPeer(switch.net, host, **options)
    peer.target = SERVER
    peer.set(user="1001", callee="1001", cseq=1, to_tag="")
    return peer


async def ask(peer: RawPeer, method: str, extra: str = "", **values) -> Received:
    peer.new_branch()
    template = REQUEST.replace("Content-Length", extra + "Content-Length") if extra else REQUEST
    peer.send(template, method=method, **values)
    return await peer.expect("^SIP/2.0", ignore="")


async def prove(
    peer: RawPeer, method: str, user: str, password: str, uri: str = f"sip:1001@{HOST}", **values
) -> Received:
    """Asks, and answers the challenge."""
    challenge = await ask(peer, method, user=user, **values)
    assert challenge.status == 401
    uri = f"sip:{values.get('callee', '1001')}@{HOST}"
    credentials = Credentials(user, password)
    proof = answer_challenge(challenge.all("WWW-Authenticate"), credentials, method=method, uri=uri, cnonce="c")
    return await ask(peer, method, f"Authorization: {proof}\n", user=user, **values)


@pytest.mark.parametrize("method", ALL_METHODS)
def test_a_stranger_is_served_nothing_but_options(method):
    async def main():
        switch = SimSwitch(SimNet())
        await switch.phone("1001")
        before = switch.core.stack.n_transactions
        peer = stranger(switch)
        answer = await ask(peer, method)
        expected = {"OPTIONS": (200,), "INVITE": (401,), "REGISTER": (401,), "BYE": (481,), "FROBNICATE": (501,)}
        assert answer.status in expected.get(method, (401, 403, 405, 481))
        # Nothing is left of it: no call, no session, and only OPTIONS a transaction.
        assert switch.core.calls.calls == {} and switch.core.calls.counters.calls_total == 0
        assert switch.core.stack.n_transactions <= before + (method == "OPTIONS")
        await switch.close()

    run_virtual(main())


def test_what_stands_in_no_row_is_for_nobody():
    assert may_send("FROBNICATE", is_in_dialog=False) is may_send("FROBNICATE", is_in_dialog=True) is Sender.NOBODY
    assert Sender.ANYONE not in INSIDE.values()
    assert [method for method, sender in OUTSIDE.items() if sender is Sender.ANYONE] == ["OPTIONS"]


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
@pytest.mark.parametrize("has_password", [False, True])
def test_known_and_unknown_users_are_answered_the_same(method, has_password):
    async def main():
        switch = SimSwitch(SimNet())
        answers = []
        for user, host in (("1001", "198.51.100.7"), ("9999", "198.51.100.8")):
            peer = stranger(switch, host)
            for _ in range(12):
                if has_password and method != "OPTIONS":
                    answer = await prove(peer, method, user, "wrong", callee=user)
                else:
                    answer = await ask(peer, method, user=user, callee=user)
                text = answer.text.replace(user, "USER").replace(host, "HOST")
                text = re.sub(r'(nonce="|tag=|branch=|Call-ID: |i:)[^";\r]+', r"\1X", text)
                answers.append((user, text))
            await peer.close()
        known, unknown = ([text for user, text in answers if user == one] for one in ("1001", "9999"))
        assert known == unknown and len(known) == 12
        await switch.close()

    run_virtual(main())


def test_the_right_password_is_no_use_while_the_source_is_locked_out():
    async def main():
        switch = SimSwitch(SimNet())
        peer = stranger(switch)
        for _ in range(5):
            assert (await prove(peer, "REGISTER", "1001", "wrong")).status == 401
        assert (await prove(peer, "REGISTER", "1001", PASSWORD)).status == 401
        assert switch.core.registrations.n_bindings == 0
        # From elsewhere the phone registers all the while.
        await switch.phone("1001")
        await switch.until(lambda: not switch.core.guard.is_locked(peer_flow(peer), "1001", switch.loop.time()))
        assert (await prove(peer, "REGISTER", "1001", PASSWORD)).status == 200
        kinds = {event.kind for event in switch.security}
        assert kinds == {"wrong_credentials", "locked_out"} and all(event.is_verified for event in switch.security)
        await peer.close()
        await switch.close()

    run_virtual(main())


def peer_flow(peer: RawPeer):
    return SERVER._replace(host=peer.host, port=peer.port)


def test_nobody_registers_or_calls_as_somebody_else():
    async def main():
        switch = SimSwitch(SimNet())
        peer = stranger(switch)
        assert (await prove(peer, "REGISTER", "1002", PASSWORD)).status == 403
        peer.new_call()
        challenge = await ask(peer, "INVITE", user="1001")
        proof = answer_challenge(
            challenge.all("WWW-Authenticate"), Credentials("1002", PASSWORD), method="INVITE", uri=f"sip:1001@{HOST}",
            cnonce="c",
        )  # fmt: skip
        assert (await ask(peer, "INVITE", f"Authorization: {proof}\n", user="1001")).status == 403
        assert [event.kind for event in switch.security] == ["wrong_identity"] * 2
        await switch.close()

    run_virtual(main())


def test_a_scanner_gets_no_answer_and_phones_at_its_address_notice_nothing():
    async def main():
        switch = SimSwitch(SimNet())
        phone, other = await switch.phone("1001"), await switch.phone("1002", answer_after_s=0.1)
        beside = stranger(switch, "10.0.0.11", port=41000)
        away = stranger(switch)
        for peer in (beside, away):
            peer.send(REQUEST.replace("Desk phone 4.2.1", "friendly-scanner"), method="OPTIONS")
            await peer.expect_nothing()
            peer.send(REQUEST, method="OPTIONS")
            await peer.expect_nothing()
        assert {place for place, _ in switch.core.guard.bans(switch.loop.time())} == {
            ("10.0.0.11", 41000),
            ("198.51.100.7", 0),
        }
        phone.call("1002")
        await phone.wait("answered")
        await other.wait("answered")
        assert [(event.kind, event.is_known) for event in switch.security if event.kind == "scanner"] == [
            ("scanner", True),
            ("scanner", False),
        ]
        phone.agent.hang_up(phone.the_call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


def test_who_asks_for_many_names_is_banned_and_learned_none():
    async def main():
        switch = SimSwitch(SimNet())
        peer = stranger(switch)
        answers = set()
        for name in range(1000, 1000 + 12):
            answers.add((await ask(peer, "REGISTER", user=str(name), callee=str(name))).status)
        switch.loop.call_later(GRACE_S + 1, lambda: None)
        await peer.expect_nothing(GRACE_S + 1)
        peer.send(REQUEST, method="REGISTER", user="2000", callee="2000")
        await peer.expect_nothing(1.0, ignore="401")
        peer.send(REQUEST, method="REGISTER", user="2001", callee="2001")
        await peer.expect_nothing(1.0)
        assert answers == {401}
        assert [event.kind for event in switch.security] == ["enumeration", "ban"]
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize("method", ["OPTIONS", "REGISTER", "INVITE", "NOTIFY", "FROBNICATE", "BYE"])
def test_no_answer_to_an_unproved_source_is_longer_than_the_question(method):
    async def main():
        switch = SimSwitch(SimNet())
        for template in (REQUEST, REQUEST.replace("User-Agent: Desk phone 4.2.1\n", "")):
            peer = stranger(switch)
            asked = peer.send(template, method=method)
            await asyncio.sleep(1.0)
            assert all(len(answer.text.encode()) <= len(asked) for answer in peer.received)
            # Only who says next to nothing of itself, which no phone does, may get no answer at all.
            assert peer.received or "User-Agent" not in template
            await peer.close()
        # A whole answer for who has proved itself.
        phone = stranger(switch, "198.51.100.8")
        assert (await prove(phone, "REGISTER", "1001", PASSWORD)).status == 200
        assert "Accept: " in (await ask(phone, "OPTIONS")).text
        await switch.close()

    run_virtual(main())


def test_a_flood_of_strangers_gets_503_and_a_phone_calls_meanwhile():
    async def main():
        switch = SimSwitch(SimNet())
        phone = await switch.phone("1001")
        await switch.phone("1002", answer_after_s=0.1)
        peer = stranger(switch)
        for _ in range(600):
            peer.new_branch()
            peer.send(REQUEST, method="INVITE")
        phone.call("1002")
        await phone.wait("answered")
        statuses = [message.status for message in peer.received]
        assert 0 < statuses.count(401) <= 70 and 0 < statuses.count(503) <= 250
        assert "Retry-After" in next(message.text for message in peer.received if message.status == 503)
        assert switch.core.stack.n_transactions < 20
        phone.agent.hang_up(phone.the_call.id)
        await switch.cdr()
        await switch.close()

    run_virtual(main())


@pytest.mark.parametrize(
    ("method", "status"),
    [
        ("INVITE", 401),
        ("UPDATE", 401),
        ("INFO", 401),
        ("REFER", 401),
        ("NOTIFY", 401),
        ("FROBNICATE", 403),
        ("BYE", 200),
    ],
)
def test_who_knows_a_dialog_but_comes_from_elsewhere_proves_the_phones_password(method, status):
    """All but BYE and OPTIONS, for which the tags are proof enough."""

    async def main():
        switch = SimSwitch(SimNet())
        phone = await switch.phone("1001", answer_after_s=0.1)
        other = await switch.phone("1002")
        other.call("1001")
        await other.wait("answered")
        [session] = [one for one in switch.core.stack.sessions.values() if one.role == "uac"]
        peer = stranger(switch)
        ours, theirs = re.findall(r";tag=([0-9a-zA-Z]+)", session.head)
        dialog = {"call_id": session.call_id, "tag": theirs, "to_tag": f";tag={ours}", "cseq": 1000}
        answer = await ask(peer, method, **dialog)
        assert answer.status == status
        if status == 401 and method == "INFO":
            proof = answer_challenge(
                answer.all("WWW-Authenticate"), Credentials("1001", PASSWORD), method=method, uri=f"sip:1001@{HOST}",
                cnonce="c",
            )  # fmt: skip
            dialog["cseq"] = 1001
            assert (await ask(peer, method, f"Authorization: {proof}\n", **dialog)).status in (200, 415)
        if method != "BYE":
            assert len(switch.core.calls.calls) == 1
            other.agent.hang_up(other.the_call.id)
        await switch.cdr()
        assert phone.events
        await switch.close()

    run_virtual(main())


def test_a_cancel_from_elsewhere_ends_nothing():
    async def main():
        switch = SimSwitch(SimNet())
        caller = stranger(switch, "198.51.100.8")
        await switch.phone("1002")
        challenge = await ask(caller, "INVITE", callee="1002")
        proof = answer_challenge(
            challenge.all("WWW-Authenticate"), Credentials("1001", PASSWORD), method="INVITE", uri=f"sip:1002@{HOST}",
            cnonce="c",
        )  # fmt: skip
        branch = caller.new_branch()
        caller.send(
            REQUEST.replace("Content-Length", f"Authorization: {proof}\nContent-Length"), method="INVITE", callee="1002"
        )
        await caller.expect("180")
        peer = stranger(switch)
        cancel = REQUEST.replace("{host}:{port};branch", "198.51.100.8:5060;branch")
        dialog = {name: caller.values[name] for name in ("call_id", "tag")}
        peer.send(cancel, method="CANCEL", callee="1002", **dialog | {"branch": branch})
        assert (await peer.expect("^SIP/2.0")).status == 481
        assert len(switch.core.calls.calls) == 1
        caller.send(REQUEST, method="CANCEL", callee="1002", branch=branch)
        await caller.expect("200 OK .CSeq 1 CANCEL")
        await switch.cdr()
        await caller.close()
        await switch.close(check=False)

    run_virtual(main())
