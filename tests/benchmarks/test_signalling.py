"""The signalling benchmark still measures what it says: calls go through the core in memory and through the floor.

Not covered: any figure (times are judged in benchmarks only), and the live part with a real switch.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks.signalling_core import measure_core
from benchmarks.signalling_text import (
    answer_tail,
    callee_answer,
    follow,
    follow_template,
    invite_template,
    session_description,
    with_credentials,
)
from sip.digest import NonceTable, Outcome, check_digest, ha1, make_challenge
from sip.message import Request, Response
from sip.offer_answer import offered_codecs
from sip.parser import parse_message


def test_the_core_carries_calls_from_memory() -> None:
    figures = measure_core(rounds=1)
    assert set(figures) == {"in_process_us_per_call", "in_process_relay_us_per_call"}
    assert all(value > 0 for value in figures.values())


def test_the_text_is_sip() -> None:
    sdp = session_description(30_000)
    invite = invite_template("4000", 5060, 6001, sdp) % (7, 7, 7)
    request = parse_message(invite)
    assert isinstance(request, Request)
    assert (request.method, request.call_id, request.uri) == ("INVITE", "7@load", "sip:4000@127.0.0.1:5060")
    assert offered_codecs(request.body)[:2] == ["PCMU", "PCMA"]
    answer = callee_answer(invite, answer_tail(6002, sdp))
    response = parse_message(answer)
    assert isinstance(response, Response)
    assert (response.status, response.to_tag, response.branch) == (200, "callee", request.branch)
    for method, cseq in ((b"ACK", 1), (b"BYE", 2)):
        later = parse_message(follow(follow_template(6001), method, answer, 7))
        assert isinstance(later, Request)
        assert (later.method, later.cseq, later.to_tag, later.uri) == (
            method.decode(), cseq, "callee", "sip:callee@127.0.0.1:6002",
        )  # fmt: skip
        assert later.branch != request.branch


def test_an_extension_answers_the_challenge_and_goes_on_with_the_next_number() -> None:
    invite = invite_template("18200000000", 5060, 6001, session_description(30_000), caller="5001") % (7, 7, 7)
    nonces = NonceTable(b"a secret of sixteen octets")
    challenges = make_challenge(nonces, "ringback", "127.0.0.1", 0.0, algorithms=("SHA-256", "MD5"))
    lines = "".join([f"WWW-Authenticate: {value}\r\n" for value in challenges])
    again = parse_message(with_credentials(invite, f"SIP/2.0 401 No\r\n{lines}\r\n".encode(), "5001", "password"))
    assert isinstance(again, Request)
    assert (again.cseq, again.branch) == (2, "z9hG4bKj7")
    result = check_digest(
        again.all("Authorization"), method="INVITE", uri=again.uri, realm="ringback", source="127.0.0.1", now=1.0,
        nonces=nonces, find_ha1=lambda user, algorithm: ha1(user, "ringback", "password", algorithm),
        algorithms=("SHA-256", "MD5"),
    )  # fmt: skip
    assert (result.outcome, result.username) == (Outcome.ACCEPTED, "5001")


@pytest.fixture
def load() -> Iterator[subprocess.Popen[str]]:
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.signalling_load"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(process.terminate)
        yield process


@pytest.mark.live
def test_load_and_floor_understand_each_other(load: subprocess.Popen[str]) -> None:
    assert load.stdin is not None and load.stdout is not None
    caller, callee = json.loads(load.stdout.readline())["pairs"][0]
    command = [sys.executable, "-m", "benchmarks.signalling_floor", "--caller", str(caller), "--callee", str(callee)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as floor:
        assert floor.stdout is not None
        try:
            job = {"pair": 0, "host": "127.0.0.1", "port": json.loads(floor.stdout.readline())["port"], "dial": "4000"}
            for what in ({"do": "run", "talk_s": 0.1}, {"do": "hold"}):
                load.stdin.write(json.dumps(job | what | {"rate": 100, "calls": 20}) + "\n")
                load.stdin.flush()
                got = json.loads(load.stdout.readline())
                assert (got["calls"], got["answered"], got["failed"]) == (20, 20, 0)
            load.stdin.write('{"do": "release", "rate": 100}\n')
            load.stdin.flush()
            assert json.loads(load.stdout.readline()) == {"released": 20, "failed": 0}
        finally:
            floor.terminate()
