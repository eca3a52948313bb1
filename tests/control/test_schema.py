"""Covers: reading requests and parameters: what is accepted, and that each refusal names the field and what is right.

Does not cover who may send what (test_server.py).
"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import schema
from model import commands
from model.causes import HangupCause
from model.declare import COMMANDS, ApiError
from model.errors import InvalidParams, InvalidRequest, ParseError, UnknownCommand


def read(name: str, params: str):
    return schema.parse_params(schema.find_command(name), params.encode())


@pytest.mark.parametrize(
    ("line", "method", "request_id"),
    [
        ('{"jsonrpc":"2.0","id":1,"method":"system.ping"}', "system.ping", 1),
        ('{"jsonrpc":"2.0","id":"a","method":"system.ping","params":{}}', "system.ping", "a"),
        ('{"jsonrpc":"2.0","id":null,"method":"system.ping"}', "system.ping", None),
        (' {"method" : "x", "jsonrpc":"2.0"} ', "x", msgspec.UNSET),
    ],
    ids=["number", "text", "null", "notification"],
)
def test_request_is_read(line, method, request_id) -> None:
    request = schema.parse_request(line.encode())
    assert (request.method, request.id) == (method, request_id)


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        (b"", ParseError, "not JSON"),
        (b"hello", ParseError, "not JSON"),
        (b'{"jsonrpc":"2.0","method":"a"', ParseError, "not JSON"),
        (b'{"jsonrpc":"2.0","method":"a"} x', ParseError, "not JSON"),
        (b'{"jsonrpc":"2.0","method":"\xff"}', ParseError, "not"),
        (b'{"jsonrpc":"2.0","method":"a","params":' + b"[" * 50000, ParseError, "nested too deeply"),
        (b"[]", InvalidRequest, "batches"),
        (b' [{"jsonrpc":"2.0","id":1,"method":"system.ping"}]', InvalidRequest, "batches"),
        (b"1", InvalidRequest, "not a request"),
        (b"null", InvalidRequest, "not a request"),
        (b"{}", InvalidRequest, "jsonrpc"),
        (b'{"jsonrpc":"1.0","method":"a"}', InvalidRequest, "jsonrpc"),
        (b'{"jsonrpc":"2.0"}', InvalidRequest, "method"),
        (b'{"jsonrpc":"2.0","method":1}', InvalidRequest, "method"),
        (b'{"jsonrpc":"2.0","method":"a","id":[]}', InvalidRequest, "id"),
        (b'{"jsonrpc":"2.0","method":"a","id":1.5}', InvalidRequest, "id"),
        (b'{"jsonrpc":"2.0","method":"a","id":true}', InvalidRequest, "id"),
        (b'{"jsonrpc":"2.0","method":"a","id":"' + b"x" * 129 + b'"}', InvalidRequest, "id"),
        (b'{"jsonrpc":"2.0","method":"a","id":' + b"9" * 30 + b"}", InvalidRequest, "id"),
        (b'{"jsonrpc":"2.0","method":"a","extra":1}', InvalidRequest, "extra"),
    ],
    ids=lambda value: value[:40].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_no_request_is_refused(line, error, says) -> None:
    with pytest.raises(error, match=says):
        schema.parse_request(line)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"id":7,"method":1}', 7),
        (b'{"id":"x"}', "x"),
        (b'{"id":[1]}', None),
        (b"[1]", None),
        (b"nonsense", None),
        (b'{"id":"' + b"x" * 200 + b'"}', None),
    ],
)
def test_id_of_a_faulty_request_is_found_where_there_is_one(line, found) -> None:
    assert schema.find_id(line) == found


@pytest.mark.parametrize(
    ("name", "hint"),
    [("call.hangp", "call.hangup"), ("calllist", "call.list"), ("x" * 10000, "no command"), ("", "no")],
)
def test_unknown_command_is_refused_with_the_nearest(name, hint) -> None:
    with pytest.raises(UnknownCommand, match=hint) as caught:
        schema.find_command(name)
    assert len(str(caught.value)) < 200


def test_params_become_the_declared_command() -> None:
    assert read("call.hangup", '{"call_id":"c","cause":"USER_BUSY"}') == commands.Hangup(
        call_id="c", cause=HangupCause.USER_BUSY
    )
    assert read("call.originate", '{"from":"1","to":"2","timeout_s":30}').timeout_s == 30.0
    assert read("extension.update", '{"extension":"1001"}').name is msgspec.UNSET


@pytest.mark.parametrize(
    ("name", "params", "field", "says"),
    [
        ("call.hangup", "{}", "call_id", "is missing"),
        ("call.hangup", '{"call_id":5}', "call_id", 'expected "str", got "int"'),
        ("call.hangup", '{"call_id":""}', "call_id", "length >= 1"),
        ("call.hangup", '{"call_id":"c","call_idd":"c"}', "call_idd", "did you mean 'call_id'"),
        ("call.hangup", '{"call_id":"c","zzz":1}', "zzz", "known: call_id, leg_id, cause"),
        ("call.hangup", '{"call_id":"c","cause":"BUSY"}', "cause", "one of NORMAL_CLEARING, USER_BUSY"),
        ("call.hangup", "[]", "params", "object"),
        ("call.hangup", "null", "params", "object"),
        ("call.list", '{"direction":"up"}', "direction", "inbound"),
        ("call.list", '{"limit":0}', "limit", ">= 1"),
        ("call.list", '{"limit":1001}', "limit", "<= 1000"),
        ("call.list", '{"number":"1\\u0000"}', "number", "regex"),
        ("call.history", '{"hangup_cause":"BUSY"}', "hangup_cause", "one of NORMAL_CLEARING"),
        (
            "queue.create",
            '{"queue":"q","settings":{"limits":{"max_waits":3}}}',
            "max_waits",
            "did you mean 'max_wait_s'",
        ),
        (
            "queue.update",
            '{"queue":"q","settings":{"limits":{"max_wait_s":-1}}}',
            "settings.limits.max_wait_s",
            ">= 0",
        ),
        ("queue.create", '{"queue":"q","settings":{"name":"r"}}', "name", "known: title, strategy"),
        ("agent.create", '{"agent_id":"a","settings":{"post_call":"rest"}}', "settings.post_call", "one of"),
        ("agent.create", '{"agent_id":"a","settings":{"queues":[{"quue":"x"}]}}', "quue", "did you mean 'queue'"),
        ("agent.create", '{"agent_id":"a","settings":{"queues":[7]}}', "settings.queues[0]", "object"),
        ("call.originate", '{"from":"1","to":"2","variables":{"a":1}}', "variables[...]", 'got "int"'),
        ("call.originate", '{"from":"1","to":"2","timeout_s":"30"}', "timeout_s", '"float"'),
        ("call.originate", '{"from":"1\\r\\nX: y","to":"2"}', "from", "regex"),
        ("call.dtmf", '{"call_id":"c","leg_id":"l","digits":"12E"}', "digits", "regex"),
        ("call.play", '{"call_id":"c","sources":[]}', "sources", "length >= 1"),
        ("call.play", '{"call_id":"c","sources":[1]}', "sources[0]", '"str"'),
        ("extension.create", '{"extension":"a b"}', "extension", "regex"),
        ("extension.create", '{"extension":"1001","password":"short"}', "password", "length >= 8"),
        ("events.subscribe", '{"names":["call"]}', "names[0]", "regex"),
        ("events.subscribe", '{"from_seq":-1}', "from_seq", ">= 0"),
        ("system.ping", '{"x":1}', "x", "known: none"),
    ],
)
def test_refusal_names_the_field_and_what_would_be_right(name, params, field, says) -> None:
    with pytest.raises(InvalidParams) as caught:
        read(name, params)
    assert caught.value.data["field"] == field
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{name}: ")


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_line_is_read_or_refused(line) -> None:
    try:
        schema.parse_request(line)
    except ApiError as problem:
        assert isinstance(problem, ParseError | InvalidRequest)
    schema.find_id(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
NAMES = sorted({name for spec in COMMANDS.values() for name in spec.params.__struct_encode_fields__})


@given(
    st.sampled_from(sorted(COMMANDS)),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), JSON, max_size=5) | JSON,
)
def test_any_params_are_read_or_refused(name, params) -> None:
    spec = schema.find_command(name)
    try:
        command = schema.parse_params(spec, msgspec.json.encode(params))
    except InvalidParams as problem:
        assert problem.message.startswith(f"{name}: ")
        msgspec.json.encode([problem.message, problem.data])
    else:
        assert isinstance(command, spec.params)
