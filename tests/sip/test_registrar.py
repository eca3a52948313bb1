"""sip/registrar.py: bindings by RFC 3261 §10.3, order of requests, `*`, 423, limits, Path, instance, expiry, look-up.

Not here: who may register (digest), the REGISTER's way through the stack (test_registration); flows and GRUUs are in
test_registrar_flows.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.flow import Flow
from sip.message import Request
from sip.parser import parse_message
from sip.registrar import RegisterResult, Registrar

AOR = "sip:100@example.com"
FLOW = Flow("udp", "198.51.100.7", 40000)


def register(cseq: int = 1, call_id: str = "c", flow: Flow = FLOW, **headers: str) -> Request:
    fields = {
        "Contact": "<sip:100@10.0.0.5:5060>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    extra = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    message = parse_message(
        f"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK{cseq}\r\n"
        f"From: <{AOR}>;tag=1\r\nTo: <{AOR}>\r\nCall-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\n{extra}"
        "Content-Length: 0\r\n\r\n".encode(),
        flow,
    )
    assert isinstance(message, Request)
    return message


def what(result: RegisterResult) -> list[str]:
    return [change.what for change in result.changes]


def test_add_refresh_fetch_remove() -> None:
    registrar = Registrar()
    added = registrar.register(AOR, register(1, User_Agent="desk phone"), 0.0)
    assert (added.status, what(added)) == (200, ["added"])
    assert added.headers == "Contact: <sip:100@10.0.0.5:5060>;expires=3600\r\n"
    binding = registrar.lookup(AOR, 1.0)[0]
    assert (binding.contact, binding.flow, binding.user_agent) == ("sip:100@10.0.0.5:5060", FLOW, "desk phone")
    moved = FLOW._replace(port=41000)
    refreshed = registrar.register(AOR, register(2, flow=moved, Expires="600"), 100.0)
    assert what(refreshed) == ["refreshed"]
    assert registrar.lookup(AOR, 101.0)[0].flow == moved
    fetched = registrar.register(AOR, register(3, Contact=""), 200.0)
    assert (fetched.headers, fetched.changes) == ("Contact: <sip:100@10.0.0.5:5060>;expires=500\r\n", [])
    removed = registrar.register(AOR, register(4, Contact="<sip:100@10.0.0.5:5060>;expires=0"), 300.0)
    assert (what(removed), removed.headers) == (["removed"], "")
    assert registrar.lookup(AOR, 300.0) == [] and len(registrar) == 0
    assert registrar.deadline is None


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ({}, 3600),
        ({"Expires": "120"}, 120),
        ({"Expires": "120", "Contact": "<sip:100@10.0.0.5>;expires=90"}, 90),
        ({"Expires": "999999999"}, 3600),
        ({"Contact": "<sip:100@10.0.0.5>;expires=soon"}, 3600),
    ],
    ids=["default", "header", "parameter wins", "cut", "malformed counts as 3600"],
)
def test_granted_time(headers: dict[str, str], granted: int) -> None:
    assert f";expires={granted}\r\n" in Registrar().register(AOR, register(**headers), 0.0).headers


def test_too_brief_is_423_and_changes_nothing() -> None:
    registrar = Registrar(min_expires_s=60)
    result = registrar.register(AOR, register(Contact="<sip:a@1.1.1.1>, <sip:b@1.1.1.1>;expires=59"), 0.0)
    assert (result.status, result.headers, result.changes) == (423, "Min-Expires: 60\r\n", [])
    assert len(registrar) == 0


@pytest.mark.parametrize(
    ("cseq", "call_id", "status"),
    [(4, "c", 500), (5, "c", 500), (6, "c", 200), (1, "other", 200)],
    ids=["older", "the same", "newer", "after a restart of the phone"],
)
def test_order_of_requests(cseq: int, call_id: str, status: int) -> None:
    registrar = Registrar()
    registrar.register(AOR, register(5), 0.0)
    result = registrar.register(AOR, register(cseq, call_id, Expires="0"), 1.0)
    assert result.status == status
    assert len(registrar) == (0 if status == 200 else 1)


def test_star_removes_all() -> None:
    registrar = Registrar()
    registrar.register(AOR, register(1, Contact="<sip:a@1.1.1.1>, <sip:b@1.1.1.1>"), 0.0)
    assert registrar.register(AOR, register(1, Contact="*", Expires="0"), 0.0).status == 500
    assert len(registrar) == 2
    assert what(registrar.register(AOR, register(2, Contact="*", Expires="0"), 0.0)) == ["removed", "removed"]
    assert len(registrar) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Contact": "*"},
        {"Contact": "*", "Expires": "60"},
        {"Contact": "<sip:a@b>;q=2"},
        {"Contact": "<mailto:a@b>"},
        {"Contact": "<sip:a@b"},
        {"Contact": "<sip:a@b>;reg-id=x"},
    ],
    ids=["* without Expires", "* with Expires", "q", "scheme", "malformed", "reg-id"],
)
def test_bad_requests(headers: dict[str, str]) -> None:
    registrar = Registrar()
    assert registrar.register(AOR, register(**headers), 0.0).status == 400
    assert len(registrar) == 0


def test_limits() -> None:
    registrar = Registrar(max_bindings=2, max_total=3)
    two = "<sip:a@1.1.1.1>, <sip:b@1.1.1.1>"
    assert registrar.register(AOR, register(1, Contact=two), 0.0).status == 200
    assert registrar.register(AOR, register(2, Contact="<sip:c@1.1.1.1>"), 0.0).status == 403
    swap = "<sip:a@1.1.1.1>;expires=0, <sip:c@1.1.1.1>"
    assert registrar.register(AOR, register(3, Contact=swap), 0.0).status == 200
    assert registrar.register("sip:other@example.com", register(1, Contact=two), 0.0).status == 503


def test_lookup_by_q_then_by_freshness() -> None:
    registrar = Registrar()
    for n, (contact, q) in enumerate([("old", "0.5"), ("low", "0.1"), ("new", "0.5"), ("best", "1.0")]):
        registrar.register(AOR, register(n, f"c{n}", Contact=f"<sip:{contact}@1.1.1.1>;q={q}"), float(n))
    assert [binding.uri.user for binding in registrar.lookup(AOR, 5.0)] == ["best", "new", "old", "low"]


def test_path_and_instance_are_kept_and_said() -> None:
    registrar = Registrar()
    contact = '<sip:a@1.1.1.1>;+sip.instance="<urn:uuid:1>";reg-id=1;q=0.7'
    result = registrar.register(
        AOR, register(1, Contact=contact, Path="<sip:edge1;lr>, <sip:edge2;lr>", Supported="path, outbound"), 0.0
    )
    binding = registrar.lookup(AOR, 0.0)[0]
    assert binding.path == ("<sip:edge1;lr>", "<sip:edge2;lr>")
    assert (binding.instance, binding.reg_id, binding.q) == ("<urn:uuid:1>", 1, 0.7)
    assert result.headers == (
        'Contact: <sip:a@1.1.1.1>;expires=3600;q=0.7;+sip.instance="<urn:uuid:1>";reg-id=1\r\n'
        "Path: <sip:edge1;lr>\r\nPath: <sip:edge2;lr>\r\nRequire: outbound\r\n"
    )
    # The same phone after its address changed replaces its binding (RFC 5626 §6).
    moved = register(1, "d", Contact=contact.replace("1.1.1.1", "2.2.2.2"), Supported="outbound")
    changed = registrar.register(AOR, moved, 1.0)
    assert what(changed) == ["replaced", "added"]
    assert [binding.contact for binding in registrar.lookup(AOR, 1.0)] == ["sip:a@2.2.2.2"]


def test_expiry() -> None:
    registrar = Registrar()
    registrar.register(AOR, register(1, Expires="100"), 0.0)
    registrar.register(AOR, register(2, Expires="100"), 50.0)
    assert registrar.deadline == 150.0
    assert registrar.poll(149.9) == []
    assert registrar.lookup(AOR, 150.0) == []
    assert [(change.aor, change.what) for change in registrar.poll(150.0)] == [(AOR, "expired")]
    assert registrar.aors() == [] and registrar.deadline is None


def test_bindings_end_with_their_connection_or_their_extension() -> None:
    registrar = Registrar()
    stream = Flow("tcp", "198.51.100.7", 40000, 1, 9)
    registrar.register(AOR, register(1, flow=stream), 0.0)
    assert registrar.flow_failed(FLOW) == []
    assert [change.what for change in registrar.flow_failed(stream)] == ["flow_failed"]
    registrar.register(AOR, register(2), 0.0)
    assert [change.what for change in registrar.clear(AOR)] == ["cleared"]
    assert len(registrar) == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([0, 60, 100, 3600]), st.floats(0, 50)), max_size=60))
def test_agrees_with_a_plain_model(steps: list[tuple[str, int, float]]) -> None:
    registrar = Registrar()
    model: dict[str, float] = {}
    now = 0.0
    for cseq, (user, expires_s, advance) in enumerate(steps):
        now += advance
        registrar.register(AOR, register(cseq, Contact=f"<sip:{user}@1.1.1.1>;expires={expires_s}"), now)
        model[user] = now + expires_s
        expected = {name for name, until in model.items() if until > now}
        assert {binding.uri.user for binding in registrar.lookup(AOR, now)} == expected
        assert len(registrar) == len(expected)
        assert len(registrar._expiries) <= 4 * len(registrar) + 65
