"""`switch.leg_media`: whose codecs are offered to whom and in which order, what is answered, codecs that pass through,
SRTP policies by configuration, extension, trunk and transport, and what the worker is told.

Not here: SDP itself (tests/sip/test_offer_answer…, test_sdes.py), real phones (tests/live/test_codecs.py and others).
"""

from types import SimpleNamespace

import pytest

from sip.flow import Flow
from sip.offer_answer import Capabilities as Caps
from sip.offer_answer import LocalMedia, NoCommonCodec, SecurityMismatch, answer_offer, make_offer
from sip.sdes import LocalKeys
from sip.sdp import parse_sdp
from switch.call import Call, Leg
from switch.config_file import parse_config
from switch.directory import Directory, extension_entries
from switch.leg_media import LegMedia
from switch.ringing import may_go_directly
from tests.sip.test_offer_answer import offer

CONFIG = """
[media]
codecs = ["PCMA", "PCMU", "G722", "opus"]
[[extension]]
number = "1001"
password = "12345678"
[[extension]]
number = "1002"
password = "12345678"
srtp = "required"
codecs = ["opus", "PCMU"]
[[extension]]
number = "1003"
password = "12345678"
srtp = "off"
[[trunk]]
name = "carrier"
host = "192.0.2.9"
[[trunk]]
name = "wide"
host = "192.0.2.8"
codecs = ["G722", "PCMA"]
"""
LOCAL = LocalMedia("10.9.0.1", 20000, 77)
PEER_KEYS = LocalKeys.make(lambda n: b"p" * n)


class Pool:
    """Remembers what the workers were told."""

    def __init__(self):
        self.sent = []

    def send(self, worker, command):
        self.sent.append(command)


class Bench:
    def __init__(self, text=CONFIG):
        config = parse_config(text)
        directory = Directory(config)
        for entry in extension_entries(config, lambda *_: ("", "")):
            directory.extensions[entry.number] = entry
        self.pool = Pool()
        self.media = LegMedia(config, directory, self.pool)

    def leg(self, name="1001", *, is_tls=False, offer=b""):
        kind = "extension" if name.isdigit() else "trunk"
        return Leg(
            leg_id=f"c.{name}", call_id="c", direction="out", kind=kind, name=name, caller="1", dialed="2",
            is_tls=is_tls, offer=offer, address="192.0.2.1:5060", port=20000,
        )  # fmt: skip

    def offered(self, leg, peer=None):
        """Names of the codecs offered to `leg`, in order."""
        media = parse_sdp(self.media.offer(leg, peer, LOCAL)).media[0]
        names = {text: rtpmap.name for text, rtpmap in media.rtpmaps().items()}
        return [names[text] for text in media.formats if names[text] != "telephone-event"]

    def agree(self, leg, media):
        """`leg` answers our offer so."""
        self.media.configure(leg, self.media.apply(leg, offer(media)))


OPUS = "|a=rtpmap:96 opus/48000/2"


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("0 8", ["PCMU", "PCMA", "G722", "opus"]),
        ("8", ["PCMA", "PCMU", "G722", "opus"]),
        ("9 0", ["G722", "PCMU", "PCMA", "opus"]),
        (f"96 9 8{OPUS}", ["opus", "G722", "PCMA", "PCMU"]),
        ("18 8", ["PCMA", "G729", "PCMU", "G722", "opus"]),
        ("18 3 97|a=rtpmap:97 AMR/8000", ["G729", "GSM", "AMR"]),
    ],
)
def test_the_callers_codecs_go_first(theirs, ours):
    """What is in common needs no work; who can only be passed through is offered nothing else."""
    bench = Bench()
    caller = bench.leg("1003", offer=offer(f"m=audio 4000 RTP/AVP {theirs}"))
    assert bench.offered(bench.leg("1001"), caller) == ours


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("1001", ["PCMA", "PCMU", "G722", "opus"]),
        ("1002", ["opus", "PCMU"]),
        ("carrier", ["PCMA", "PCMU"]),
        ("wide", ["G722", "PCMA"]),
    ],
)
def test_whose_codecs_they_are(name, ours):
    bench = Bench()
    assert bench.offered(bench.leg(name, is_tls=True)) == ours


@pytest.mark.parametrize(
    ("peer_speaks", "offered", "answered"),
    [
        ("0", "8 0", "PCMU"),
        ("8", "9 0", "PCMU"),
        ("9", f"0 96{OPUS}", "opus"),
        (f"96{OPUS}", "8 9", "G722"),
        ("9", "0", "PCMU"),
    ],
)
def test_what_is_answered_when_the_other_party_speaks(peer_speaks, offered, answered):
    """Its own codec, else one as wide: a wide one for a narrow one is dear and sounds no better."""
    bench = Bench()
    peer = bench.leg("1003")
    bench.media.offer(peer, None, LOCAL)
    bench.agree(peer, f"m=audio 4000 RTP/AVP {peer_speaks}")
    caller = bench.leg("1001")
    _, agreed = bench.media.answer(caller, peer, offer(f"m=audio 4002 RTP/AVP {offered}"), LOCAL)
    assert agreed.codec == answered


def test_with_nobody_there_yet_our_order_decides():
    bench = Bench()
    sdp = offer(f"m=audio 4000 RTP/AVP 96 9 0 8{OPUS}")
    assert bench.media.answer(bench.leg("1001"), None, sdp, LOCAL)[1].codec == "PCMA"
    assert bench.media.answer(bench.leg("wide"), None, sdp, LOCAL)[1].codec == "G722"


def test_passing_through_and_the_same_again():
    bench = Bench()
    theirs = offer("m=audio 4000 RTP/AVP 97 0|a=rtpmap:97 AMR/8000|a=fmtp:97 octet-align=1")
    caller, callee = bench.leg("1003", offer=theirs), bench.leg("1001")
    bench.offered(callee, caller)
    bench.agree(callee, "m=audio 5000 RTP/AVP 97|a=rtpmap:97 AMR/8000|a=fmtp:97 octet-align=1;mode-set=2")
    body, agreed = bench.media.answer(caller, callee, theirs, LOCAL)
    bench.media.configure(caller, agreed)
    assert b"RTP/AVP 97\r\na=rtpmap:97 AMR/8000\r\na=fmtp:97 octet-align=1;mode-set=2\r\n" in body
    assert [(sent.codec, sent.clock_hz, sent.payload_type) for sent in bench.pool.sent] == [("AMR", 8000, 97)] * 2
    agreed = bench.media.answer(caller, callee, theirs, LOCAL)[1]
    assert agreed.codec == "AMR", "a re-INVITE changes nothing"
    assert b"RTP/AVP 97 101\r\n" in bench.media.offer_again(callee, LOCAL)
    with pytest.raises(NoCommonCodec):
        bench.media.answer(caller, callee, offer("m=audio 4000 RTP/AVP 0"), LOCAL)
    assert bench.offered(bench.leg("1003"), caller) == ["AMR"], "who joins must have it too"


@pytest.mark.parametrize(("early", "late", "may"), [("97", "97", True), ("97", "0", False), ("0", "8", True)])
def test_who_may_talk(early, late, may):
    """A caller who was promised a codec that passes through by one destination, when another one answers."""
    bench = Bench()
    amr = "|a=rtpmap:97 AMR/8000"
    caller = bench.leg("1003", offer=offer(f"m=audio 4000 RTP/AVP 97 0{amr}"))
    first, second = bench.leg("1001"), bench.leg("carrier")
    for leg in (first, second):
        bench.media.offer(leg, caller, LOCAL)
    bench.agree(first, f"m=audio 5000 RTP/AVP {early}{amr}")
    bench.media.configure(caller, bench.media.answer(caller, first, caller.offer, LOCAL)[1])
    second.ringing = "call"
    call = Call(call_id="c", caller="1", dialed="2", created_utc=0, a="a", legs={"a": caller, "b": second})
    negotiated = bench.media.apply(second, offer(f"m=audio 6000 RTP/AVP {late}{amr}"))
    assert bench.media.may_talk(call, second, negotiated) is may


# -- SRTP -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "name", "is_tls", "expected"),
    [
        ("", "1001", True, "optional"),
        ("", "1001", False, "off"),
        ("", "1002", True, "required"),
        ("", "1002", False, SecurityMismatch),
        ("", "1003", True, "off"),
        ("", "carrier", True, "optional"),
        ("srtp_without_tls = true", "1001", False, "optional"),
        ("srtp_without_tls = true", "1002", False, "required"),
        ('srtp = "required"', "1001", True, "required"),
        ('srtp = "required"', "1003", True, "off"),
        ('srtp = "off"', "carrier", True, "off"),
    ],
)
def test_policy(extra, name, is_tls, expected):
    bench = Bench(CONFIG.replace("[media]\n", f"[media]\n{extra}\n"))
    kind = bench.leg(name).kind
    if isinstance(expected, str):
        assert bench.media.security_of(kind, name, is_tls=is_tls) == expected
    else:
        with pytest.raises(expected):
            bench.media.security_of(kind, name, is_tls=is_tls)


def test_keys_stay_and_reach_the_worker():
    bench = Bench()
    leg = bench.leg("1002", is_tls=True)
    first = bench.media.offer(leg, None, LOCAL)
    answer, theirs = answer_offer(first, LOCAL, Caps(codecs=("PCMU",), srtp="required"), keys=PEER_KEYS)
    bench.media.configure(leg, bench.media.apply(leg, answer))
    [told] = bench.pool.sent
    assert (told.srtp.suite, told.srtp.send, told.srtp.receive) == (
        theirs.srtp.suite,
        theirs.srtp.receive,
        theirs.srtp.send,
    )
    crypto = [line for line in first.decode().split("\r\n") if line.startswith("a=crypto:")]
    again = bench.media.offer_again(leg, LOCAL).decode()
    assert all(line in again for line in crypto)
    theirs_again = make_offer(LOCAL, Caps(codecs=("PCMU",), srtp="required"), keys=PEER_KEYS)
    _, agreed = bench.media.answer(leg, None, theirs_again, LOCAL)
    assert agreed.srtp.send == told.srtp.send
    assert bench.leg("1001").srtp_keys is None


def test_a_refused_option_is_tried_again_as_a_demand():
    bench = Bench()
    leg = bench.leg("1001", is_tls=True)
    assert b"RTP/AVP" in bench.media.offer(leg, None, LOCAL)
    assert bench.media.may_insist(leg)
    bench.media.insist(leg)
    assert b"RTP/SAVP" in bench.media.offer(leg, None, LOCAL)
    assert not bench.media.may_insist(leg), "once"
    plain = bench.leg("1003", is_tls=True)
    bench.media.offer(plain, None, LOCAL)
    assert not bench.media.may_insist(plain)


@pytest.mark.parametrize(
    ("name", "is_tls", "media", "error"),
    [
        ("1001", False, "RTP/AVP 0", None),
        ("1001", False, "RTP/AVP 18", None),
        ("1001", False, "RTP/AVP 101|a=rtpmap:101 telephone-event/8000", NoCommonCodec),
        ("1001", False, f"RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{'A' * 40}", SecurityMismatch),
        ("1001", True, f"RTP/SAVP 0|a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{'A' * 40}", None),
        ("1002", True, "RTP/AVP 0", SecurityMismatch),
        ("1002", False, "RTP/AVP 0", SecurityMismatch),
    ],
)
def test_what_is_refused_at_the_door(name, is_tls, media, error):
    bench = Bench()
    sdp = offer(f"m=audio 4000 {media}")
    if error is None:
        bench.media.check(sdp, "extension", name, is_tls=is_tls)
    else:
        with pytest.raises(error):
            bench.media.check(sdp, "extension", name, is_tls=is_tls)


def test_a_missing_library_takes_its_codec_out(monkeypatch):
    monkeypatch.setattr("switch.leg_media.find_codec", lambda name: type("C", (), {"is_transcodable": name != "opus"}))
    bench = Bench()
    assert bench.offered(bench.leg("1001")) == ["PCMA", "PCMU", "G722"]
    assert bench.offered(bench.leg("1002", is_tls=True)) == ["PCMU"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[media]\ncodecs = ["PCMU", "PCMU"]', "there twice"),
        ('[[trunk]]\nname = "t"\nhost = "h"\ncodecs = ["G729"]', "G729"),
        ('[media]\nsrtp_suites = ["NULL"]', "NULL"),
        ("[media]\nptime_ms = 25", "one of 10, 20, 30, 40, 60"),
        ('[media]\nsrtp = "maybe"', "srtp"),
    ],
)
def test_configuration_that_makes_no_sense(text, what):
    with pytest.raises(ValueError, match=what):
        parse_config(text)


@pytest.mark.parametrize(
    ("srtp", "transport", "offer_", "expected"),
    [
        ("", "udp", b"m=audio 4000 RTP/AVP 0\r\n", True),
        ("", "udp", b"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 x\r\n", False),
        ("", "tls", b"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 x\r\n", True),
        ("required", "tls", b"m=audio 4000 RTP/AVP 0\r\n", False),
        ("required", "tls", b"m=audio 4000 RTP/SAVP 0\r\na=crypto:1 x\r\n", True),
    ],
)
def test_when_audio_may_go_directly(srtp, transport, offer_, expected):
    """Never with keys on a readable way, nor plainly to who demands SRTP."""
    text = CONFIG + f'[[extension]]\nnumber = "1009"\npassword = "12345678"\nmedia = "direct"\nsrtp = "{srtp}"\n'
    config = parse_config(text)
    directory = Directory(config)
    for entry in extension_entries(config, lambda *_: ("", "")):
        directory.extensions[entry.number] = entry
    env = SimpleNamespace(directory=directory, config=config)
    flow = Flow(transport, "192.0.2.1", 5060)
    target = SimpleNamespace(kind="extension", name="1009", uri="sip:1009@phone", flow=flow)
    assert may_go_directly(target, offer_, env) is expected
    assert not may_go_directly(
        SimpleNamespace(kind="extension", name="1001", uri="sip:1001@phone", flow=flow), offer_, env
    )
