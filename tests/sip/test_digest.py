"""`sip.digest`: RFC 7616 §3.9 and RFC 2617 §3.5 examples, RFC 8760 with several challenges, replay, bounded memory.

Not covered: where the passwords come from and what a failed attempt leads to (the registrar's and the switch's tests).
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sip.credentials import Credentials
from sip.digest import (
    ALGORITHMS,
    DigestResult,
    NonceTable,
    Outcome,
    answer_challenge,
    check_digest,
    ha1,
    is_stale,
    make_challenge,
    parse_digest,
)
from sip.errors import SipParseError
from sip.parser import parse_message
from tests.vectors import rfc4475

SECRET = b"0123456789abcdef0123456789abcdef"
REALM = "ringback.example"
URI = "sip:ringback.example"
SOURCE = "192.0.2.7"
PASSWORDS = {"alice": "wonder land", "bob": "build", 'q"uote': "p"}


def find_ha1(username: str, algorithm: str) -> str | None:
    password = PASSWORDS.get(username)
    return None if password is None else ha1(username, REALM, password, algorithm)


def check(authorization: str | None, nonces: NonceTable, now: float = 10.0, **changes: object) -> DigestResult:
    arguments: dict[str, object] = {"method": "REGISTER", "uri": URI, "realm": REALM, "source": SOURCE, **changes}
    values = [] if authorization is None else [authorization]
    return check_digest(values, now=now, nonces=nonces, find_ha1=find_ha1, **arguments)  # type: ignore[arg-type]


def answer(
    challenges: list[str], username: str = "alice", password: str | None = None, count: int = 1, uri: str = URI
) -> str:
    credentials = Credentials(username, PASSWORDS.get(username, "x") if password is None else password)
    authorization = answer_challenge(
        challenges, credentials, method="REGISTER", uri=uri, cnonce="0a4f113b", nonce_count=count
    )
    assert authorization is not None
    return authorization


# RFC 7616 §3.9.1 (MD5, SHA-256). Its §3.9.2 needs userhash, which SIP phones do not speak and we do not offer.
NONCE_7616 = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CHALLENGE_7616 = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={0}, nonce="' + NONCE_7616 + '", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("challenges", "algorithm", "response"),
    [
        (["MD5"], "MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        (["SHA-256"], "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (["SHA-256", "MD5"], "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        (["SHA3-999", "MD5"], "MD5", "8ca523f5e9506fed4657c9700eebdbec"),
    ],
)
def test_rfc_7616_examples(challenges: list[str], algorithm: str, response: str) -> None:
    authorization = answer_challenge(
        [CHALLENGE_7616.format(name) for name in challenges],
        Credentials("Mufasa", "Circle of Life"),
        method="GET",
        uri="/dir/index.html",
        cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert authorization is not None
    params = parse_digest([authorization])[0]
    assert (params["response"], params["algorithm"], params["qop"], params["nc"]) == (
        response,
        algorithm,
        "auth",
        "00000001",
    )
    assert params["opaque"] == "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def test_rfc_2617_example() -> None:
    authorization = answer_challenge(
        [
            'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
            'opaque="5ccc069c403ebaf9f0171e9517f40e41"'
        ],
        Credentials("Mufasa", ha1s={"MD5": "939e7578ed9e3c518a452acee763bce9"}),
        method="GET",
        uri="/dir/index.html",
        cnonce="0a4f113b",
    )
    assert authorization is not None
    assert 'response="6629fae49393a05397450978507c4ef1"' in authorization


def test_challenge_without_qop() -> None:
    """RFC 2069 servers; the figure is the one of its §2.4 erratum."""
    authorization = answer_challenge(
        ['Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'],
        Credentials("Mufasa", "CircleOfLife"),
        method="GET",
        uri="/dir/index.html",
        cnonce="x",
    )
    assert authorization is not None
    assert 'response="1949323746fe6a43ef61f9606e7febea"' in authorization
    assert "cnonce" not in authorization


def test_auth_int_is_answered_over_the_body() -> None:
    arguments = {"method": "INVITE", "uri": URI, "cnonce": "c"}
    challenge = ['Digest realm="r", nonce="n", qop="auth-int"']
    empty, full = (answer_challenge(challenge, Credentials("a", "b"), body=body, **arguments) for body in (b"", b"v=0"))
    assert empty is not None
    assert "qop=auth-int" in empty
    assert empty != full


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess"])
@pytest.mark.parametrize("username", list(PASSWORDS))
def test_both_sides_agree(algorithm: str, username: str) -> None:
    nonces = NonceTable(SECRET)
    challenges = make_challenge(nonces, REALM, SOURCE, 10.0, algorithms=[algorithm])
    result = check(answer(challenges, username), nonces, algorithms=[algorithm.removesuffix("-sess")])
    assert result == DigestResult(Outcome.ACCEPTED, username)


def test_strongest_is_offered_first() -> None:
    challenges = make_challenge(NonceTable(SECRET), REALM, SOURCE, 10.0)
    assert [params["algorithm"] for params in parse_digest(challenges)] == ["SHA-256", "MD5"] == list(ALGORITHMS)
    assert parse_digest([", ".join(challenges)]) == parse_digest(challenges)


def test_credentials_answer_their_own_realm_only() -> None:
    challenges = make_challenge(NonceTable(SECRET), REALM, SOURCE, 10.0)
    arguments = {"method": "INVITE", "uri": URI, "cnonce": "c"}
    assert answer_challenge(challenges, Credentials("alice", "x", realm="other"), **arguments) is None
    assert answer_challenge(challenges, Credentials("alice", "x", realm=REALM), **arguments) is not None
    assert answer_challenge(challenges, Credentials("alice"), **arguments) is None
    assert answer_challenge(['Basic realm="x"'], Credentials("alice", "x"), **arguments) is None
    assert answer_challenge(['Digest realm="r", nonce="n", qop="new"'], Credentials("alice", "x"), **arguments) is None


def test_password_is_not_shown() -> None:
    assert "wonder" not in repr(Credentials("alice", "wonder land", {"MD5": "abc"}))
    assert "abc" not in repr(Credentials("alice", "wonder land", {"MD5": "abc"}))


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, Outcome.ACCEPTED),
        ({"method": "INVITE"}, Outcome.REJECTED),
        ({"uri": "sip:elsewhere.example"}, Outcome.REJECTED),
        ({"uri": "sip:ringback.example;transport=tcp"}, Outcome.ACCEPTED),
        ({"uri": "sip:RINGBACK.example:5060"}, Outcome.ACCEPTED),
        ({"uri": "not a uri"}, Outcome.REJECTED),
        ({"realm": "other"}, Outcome.MISSING),
        ({"source": "192.0.2.8"}, Outcome.STALE),
        ({"now": 309.9}, Outcome.ACCEPTED),
        ({"now": 311.0}, Outcome.STALE),
        ({"now": 9.0}, Outcome.STALE),
        ({"algorithms": ["MD5"]}, Outcome.MISSING),
    ],
)
def test_check(change: dict[str, object], outcome: Outcome) -> None:
    nonces = NonceTable(SECRET, lifetime_s=300.0)
    authorization = answer(make_challenge(nonces, REALM, SOURCE, 10.0))
    assert check(authorization, nonces, **change).outcome is outcome  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ('username="alice"', 'username="bob"', Outcome.REJECTED),
        ('username="alice"', 'username="nobody"', Outcome.REJECTED),
        ('username="alice"', "username*=UTF-8''alice", Outcome.ACCEPTED),
        ('username="alice", ', "", Outcome.MALFORMED),
        ("qop=auth", "qop=auth-int", Outcome.MALFORMED),
        (", qop=auth", "", Outcome.MALFORMED),
        ("nc=00000001", "nc=1", Outcome.MALFORMED),
        ("nc=00000001", "nc=0000000g", Outcome.MALFORMED),
        ("nc=00000001", "nc=00000002", Outcome.REJECTED),
        ('response="', 'response="é', Outcome.REJECTED),
        ("Digest ", "NoOneKnowsThisScheme ", Outcome.MISSING),
        ("Digest ", "Digest realm=x, ", Outcome.MALFORMED),
        ("algorithm=SHA-256", "algorithm=SHA-256, algorithm=MD5", Outcome.MALFORMED),
        ("algorithm=SHA-256", "algorithm=MD5", Outcome.REJECTED),
        ("algorithm=SHA-256", 'algorithm="sha-256"', Outcome.ACCEPTED),
        (", ", " ,\t", Outcome.ACCEPTED),
    ],
)
def test_check_changed(old: str, new: str, outcome: Outcome) -> None:
    nonces = NonceTable(SECRET)
    authorization = answer(make_challenge(nonces, REALM, SOURCE, 10.0))
    assert old in authorization
    assert check(authorization.replace(old, new), nonces).outcome is outcome


def test_no_credentials_and_unknown_scheme() -> None:
    nonces = NonceTable(SECRET)
    assert check(None, nonces).outcome is Outcome.MISSING
    unknown = parse_message(rfc4475("regaut01")).all("Authorization")
    assert check(unknown[0], nonces).outcome is Outcome.MISSING


def test_wrong_password_takes_no_count_and_no_memory() -> None:
    nonces = NonceTable(SECRET)
    challenges = make_challenge(nonces, REALM, SOURCE, 10.0)
    for i in range(100):
        assert check(answer(challenges, password=f"guess {i}"), nonces).outcome is Outcome.REJECTED
        assert check(answer(challenges, username=f"user{i}"), nonces).outcome is Outcome.REJECTED
    assert len(nonces) == 0
    assert check(answer(challenges), nonces).is_accepted


def test_unknown_user_costs_the_same_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    genuine = check_digest.__globals__["_hash"]
    monkeypatch.setitem(check_digest.__globals__, "_hash", lambda *args: calls.append("x") or genuine(*args))
    nonces = NonceTable(SECRET)
    counts = []
    for username in ("alice", "nobody"):
        authorization = answer(make_challenge(nonces, REALM, SOURCE, 10.0), username, "wrong")
        calls.clear()
        check_digest(
            [authorization], method="REGISTER", uri=URI, realm=REALM, source=SOURCE, now=10.0, nonces=nonces,
            find_ha1=lambda name, _: "0" * 64 if name == "alice" else None,
        )  # fmt: skip
        counts.append(len(calls))
    assert counts[0] == counts[1] > 0


def test_counts_are_used_once_in_any_order() -> None:
    nonces = NonceTable(SECRET)
    challenges = make_challenge(nonces, REALM, SOURCE, 10.0)

    def take(count: int) -> bool:
        return check(answer(challenges, count=count), nonces).is_accepted

    assert [take(count) for count in (1, 2, 5, 3, 3, 5, 4, 4, 1)] == [
        True,
        True,
        True,
        True,
        False,
        False,
        True,
        False,
        False,
    ]
    assert take(100)
    assert [take(count) for count in (36, 37, 37, 100)] == [False, True, False, False]
    assert check(answer(challenges, count=100), nonces).outcome is Outcome.STALE


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 200), max_size=80))
def test_no_count_is_ever_taken_twice(counts: list[int]) -> None:
    nonces = NonceTable(SECRET)
    nonce = nonces.issue(SOURCE, 10.0)
    taken = [count for count in counts if nonces.use(nonce, SOURCE, count, 10.0)]
    assert len(taken) == len(set(taken))
    if counts:
        assert counts[0] in taken


def test_memory_is_bounded_and_forgetting_is_safe() -> None:
    nonces = NonceTable(SECRET, max_tracked=100)
    issued = [nonces.issue(SOURCE, 10.0) for _ in range(300)]
    assert all(nonces.use(nonce, SOURCE, 1, 10.0) for nonce in issued)
    assert len(nonces) <= 100
    assert not any(nonces.use(nonce, SOURCE, 1, 10.0) for nonce in issued)
    assert not nonces.use(issued[0], SOURCE, 2, 10.0)
    assert nonces.use(issued[-1], SOURCE, 2, 10.0)


def test_expired_nonces_are_dropped_as_new_ones_come() -> None:
    nonces = NonceTable(SECRET, lifetime_s=10.0)
    for second in range(1000):
        assert nonces.use(nonces.issue(SOURCE, float(second)), SOURCE, 1, float(second))
    assert len(nonces) <= 12


def test_nonces_are_ours_only() -> None:
    nonces = NonceTable(SECRET)
    nonce = nonces.issue(SOURCE, 10.0)
    forged = f"{'0' * 23}1{nonce[24:]}"
    foreign = NonceTable(b"another secret of some length").issue(SOURCE, 10.0)
    for other in (forged, foreign, "", "x" * 56, nonce.upper() if nonce.upper() != nonce else "", nonce + "0"):
        assert not nonces.use(other, SOURCE, 1, 10.0)
    assert nonces.use(nonce, SOURCE, 1, 10.0)
    assert nonces.issue(SOURCE, 10.0) != nonces.issue(SOURCE, 10.0)
    with pytest.raises(ValueError, match="secret"):
        NonceTable(b"short")


def test_stale_is_told_and_understood() -> None:
    challenges = make_challenge(NonceTable(SECRET), REALM, SOURCE, 10.0, is_stale=True)
    assert is_stale(challenges)
    assert not is_stale(make_challenge(NonceTable(SECRET), REALM, SOURCE, 10.0))


@pytest.mark.parametrize(
    "value",
    ["", "Digest", "Digest =", 'Digest realm="x', "Digest realm", "realm=x", "Digest a=1 b=2",
     "Digest " + ", ".join(f"p{i}=1" for i in range(40)), ", ".join(["Digest a=1"] * 20)],
)  # fmt: skip
def test_malformed_headers(value: str) -> None:
    try:
        assert parse_digest([value]) == []
    except SipParseError as error:
        assert error.status == 400
    assert check(value, NonceTable(SECRET)).outcome in (Outcome.MALFORMED, Outcome.MISSING)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='Digest realm="x\\",nonce=\té', max_size=60))
def test_only_sip_parse_error(text: str) -> None:
    assert check(f"Digest {text}", NonceTable(SECRET)).outcome is not Outcome.ACCEPTED


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["realm", "nonce", "Opaque", "qop"]), st.sampled_from(["x", '"a b"', '""', '"é"'])),
        max_size=5,
    )
)
def test_quick_reading_is_that_of_the_grammar(pairs: list[tuple[str, str]]) -> None:
    """The second spelling never takes the quick way."""
    quick = "Digest " + ", ".join(f"{name}={value}" for name, value in pairs)
    slow = quick.replace("Digest ", "Digest  ", 1).replace("=", " = ")

    def read(text: str) -> object:
        try:
            return parse_digest([text])
        except SipParseError:
            return None

    if pairs:
        assert read(quick) == read(slow)
