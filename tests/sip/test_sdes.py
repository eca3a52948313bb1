"""SDES (RFC 4568): the crypto attribute, its example in §6.1, what is refused; offers and answers with keys, each
policy, several keys, several streams, re-offers; keys are never shown.

Not here: SRTP itself (tests/rtp/test_srtp.py), and when the switch allows keys (tests/switch/test_leg_media.py).
"""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.offer_answer import Capabilities, NoCommonCodec, SecurityMismatch, answer_offer, apply_answer, make_offer
from sip.sdes import KEY_BYTES, Crypto, LocalKeys, describe_crypto, parse_crypto
from tests.sip.test_offer_answer import US, offer

SUITE = "AES_CM_128_HMAC_SHA1_80"
KEY = bytes(range(30))
TEXT = base64.b64encode(KEY).decode()
LONG = base64.b64encode(bytes(46)).decode()
KEYS = LocalKeys.make(lambda n: bytes([n]) * n)
OPTIONAL, REQUIRED = Capabilities(srtp="optional"), Capabilities(srtp="required")
POLICIES = {"off": Capabilities(), "optional": OPTIONAL, "required": REQUIRED}
LINE = f"a=crypto:1 {SUITE} inline:{TEXT}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"1 {SUITE} inline:{TEXT}", Crypto(1, SUITE, KEY)),
        (f"4711  {SUITE}  inline:{TEXT}|2^20", Crypto(4711, SUITE, KEY)),
        (f"1 {SUITE} inline:{TEXT}|2^48 WSH=128", Crypto(1, SUITE, KEY)),
        (f"1 {SUITE} inline:{TEXT}|4000000", Crypto(1, SUITE, KEY)),
        (f"2 aes_cm_128_hmac_sha1_32 INLINE:{TEXT}", Crypto(2, "AES_CM_128_HMAC_SHA1_32", KEY)),
        (f"3 AES_256_CM_HMAC_SHA1_80 inline:{LONG}", Crypto(3, "AES_256_CM_HMAC_SHA1_80", bytes(46))),
        (f"3 AES_256_CM_HMAC_SHA1_80 inline:{LONG.rstrip('=')}", Crypto(3, "AES_256_CM_HMAC_SHA1_80", bytes(46))),
        # RFC 4568 §6.1 and §9: a lifetime and an MKI; without the MKI it could be used.
        ("1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32", None),
        (f"1 {SUITE} inline:{TEXT}|1:4", None),
        (f"1 {SUITE} inline:{TEXT};inline:{TEXT}", None),
        (f"1 {SUITE} inline:{TEXT} UNENCRYPTED_SRTP", None),
        (f"1 {SUITE} inline:{TEXT} KDR=1", None),
        (f"1 {SUITE} inline:{TEXT}|2^10", None),
        (f"1 {SUITE} inline:{TEXT}|2^999999", None),
        (f"1 {SUITE} inline:{TEXT}|3^20", None),
        (f"1 {SUITE} inline:{TEXT}|", None),
        (f"1 {SUITE} inline:{TEXT[:-4]}", None),
        (f"1 {SUITE} inline:{TEXT[:-1]}!", None),
        (f"1 {SUITE} inline:", None),
        (f"1 {SUITE} outline:{TEXT}", None),
        (f"x {SUITE} inline:{TEXT}", None),
        (f"1234567890 {SUITE} inline:{TEXT}", None),
        (f"1 F8_128_HMAC_SHA1_80 inline:{TEXT}", None),
        (f"1 AES_256_CM_HMAC_SHA1_80 inline:{TEXT}", None),
        ("", None), ("1", None), (f"1 {SUITE}", None),
    ],
)  # fmt: skip
def test_parse(value: str, expected: Crypto | None) -> None:
    assert parse_crypto(f"crypto:{value}") == expected


@given(st.sampled_from(list(KEY_BYTES)), st.integers(0, 999_999_999), st.data())
def test_what_is_written_is_read(suite: str, tag: int, data: st.DataObject) -> None:
    size = KEY_BYTES[suite] + 14
    crypto = Crypto(tag, suite, data.draw(st.binary(min_size=size, max_size=size)))
    assert parse_crypto(describe_crypto(crypto).rstrip()[2:]) == crypto


@given(st.text(max_size=120))
def test_junk_never_raises(text: str) -> None:
    assert parse_crypto(f"crypto:{text}") is None
    assert parse_crypto(f"crypto:1 {SUITE} inline:{text}") is None


def test_keys_are_not_shown() -> None:
    agreed = answer_offer(offer(f"m=audio 4000 RTP/SAVP 0|{LINE}"), US, REQUIRED, keys=KEYS)[1]
    shown = f"{agreed} {agreed.srtp!r} {KEYS!r} {Crypto(1, SUITE, KEY)!r}"
    assert SUITE in shown and "x1e" not in shown and "x00" not in shown


# (profile and keys of the offer, policy, (protocol, has keys) of the answer or None when it is refused)
OFFERS = [
    ("RTP/AVP 0", "off", ("RTP/AVP", False)),
    ("RTP/AVP 0", "optional", ("RTP/AVP", False)),
    ("RTP/AVP 0", "required", None),
    (f"RTP/AVP 0|{LINE}", "off", ("RTP/AVP", False)),
    (f"RTP/AVP 0|{LINE}", "optional", ("RTP/AVP", True)),
    (f"RTP/AVP 0|{LINE}", "required", ("RTP/AVP", True)),
    (f"RTP/SAVP 0|{LINE}", "off", None),
    (f"RTP/SAVP 0|{LINE}", "optional", ("RTP/SAVP", True)),
    (f"RTP/SAVP 0|{LINE}", "required", ("RTP/SAVP", True)),
    ("RTP/SAVP 0", "optional", None),
    (f"RTP/SAVP 0|{LINE} KDR=1", "optional", None),
    (f"RTP/SAVPF 0|{LINE}", "optional", None),
    (f"UDP/TLS/RTP/SAVP 0|{LINE}", "optional", None),
]  # fmt: skip


@pytest.mark.parametrize(("media", "policy", "expected"), OFFERS)
def test_policies(media: str, policy: str, expected: tuple[str, bool] | None) -> None:
    sdp = offer(f"m=audio 4000 {media}")
    if expected is None:
        with pytest.raises(SecurityMismatch) as caught:
            answer_offer(sdp, US, POLICIES[policy], keys=KEYS)
        assert (caught.value.status, caught.value.warning) == (488, "302")
        return
    body, agreed = answer_offer(sdp, US, POLICIES[policy], keys=KEYS)
    protocol, has_keys = expected
    assert f"m=audio 20000 {protocol} 0\r\n".encode() in body
    assert (agreed.srtp is not None) == has_keys == (b"a=crypto:1 " in body)


def test_an_answer_picks_the_first_usable_key_and_keeps_its_tag() -> None:
    media = (
        f"m=audio 4000 RTP/SAVP 8|a=crypto:1 F8_128_HMAC_SHA1_80 inline:{TEXT}|a=crypto:2 {SUITE} inline:{TEXT} KDR=1"
        f"|a=crypto:7 AES_256_CM_HMAC_SHA1_32 inline:{LONG}|a=crypto:8 {SUITE} inline:{TEXT}"
    )
    body, agreed = answer_offer(offer(media), US, OPTIONAL, keys=KEYS)
    assert agreed.srtp is not None
    assert agreed.srtp.suite == "AES_256_CM_HMAC_SHA1_32"
    assert (agreed.srtp.receive, agreed.srtp.send) == (bytes(46), bytes([46]) * 46)
    assert body.count(b"a=crypto:") == 1 and b"a=crypto:7 AES_256_CM_HMAC_SHA1_32 inline:" in body


@pytest.mark.parametrize("suites", [tuple(KEY_BYTES), (SUITE,), ("AES_256_CM_HMAC_SHA1_32", SUITE)])
@pytest.mark.parametrize("policy", ["optional", "required"])
def test_offer_and_answer_understand_each_other(policy: str, suites: tuple[str, ...]) -> None:
    capabilities = POLICIES[policy]
    ours = LocalKeys.make(lambda n: b"a" * n, suites)
    theirs = LocalKeys.make(lambda n: b"b" * n)
    sdp = make_offer(US, capabilities, keys=ours)
    assert (b"RTP/SAVP" if policy == "required" else b"RTP/AVP") in sdp and sdp.count(b"a=crypto:") == len(suites)
    answer, at_their_end = answer_offer(sdp, US, capabilities, keys=theirs)
    at_our_end = apply_answer(answer, capabilities, keys=ours)
    assert at_our_end.srtp is not None and at_their_end.srtp is not None
    assert at_our_end.srtp.suite == at_their_end.srtp.suite == suites[0]
    assert (at_our_end.srtp.send, at_our_end.srtp.receive) == (at_their_end.srtp.receive, at_their_end.srtp.send)
    again = make_offer(US, capabilities, keys=ours)
    assert again == sdp, "a re-offer changes no key"


@pytest.mark.parametrize(
    ("media", "optional", "required"),
    [
        ("RTP/AVP 0", "plain", "refused"),
        (f"RTP/AVP 0|{LINE}", "keys", "keys"),
        (f"RTP/SAVP 0|{LINE}", "keys", "keys"),
        ("RTP/SAVP 0", "refused", "refused"),
        # Not one key of ours: another tag, another suite than its tag had, two at once.
        (f"RTP/SAVP 0|a=crypto:9 {SUITE} inline:{TEXT}", "refused", "refused"),
        (f"RTP/SAVP 0|a=crypto:2 {SUITE} inline:{TEXT}", "refused", "refused"),
        (f"RTP/SAVP 0|{LINE}|{LINE}", "refused", "refused"),
    ],
)
def test_what_a_peer_may_answer(media: str, optional: str, required: str) -> None:
    for capabilities, expected in ((OPTIONAL, optional), (REQUIRED, required)):
        try:
            agreed = apply_answer(offer(f"m=audio 4000 {media}"), capabilities, keys=KEYS)
        except NoCommonCodec:
            assert expected == "refused"
        else:
            assert expected == ("plain" if agreed.srtp is None else "keys")


def test_of_two_streams_the_one_with_keys_is_taken() -> None:
    """Some phones offer a plain stream and a second one with keys, in either order."""
    streams = ["m=audio 4000 RTP/AVP 0", f"m=audio 4002 RTP/SAVP 0|{LINE}"]
    for media in (streams, streams[::-1]):
        body, agreed = answer_offer(offer(*media), US, OPTIONAL, keys=KEYS)
        assert agreed.srtp is not None and agreed.remote_port == 4002
        assert b"m=audio 0 RTP/AVP 0\r\n" in body
    assert answer_offer(offer(*streams), US, Capabilities())[1].remote_port == 4000
