"""Who is a peer: checks with credentials, proven addresses, nomination, DTLS only from them, ICE restart, another
browser on the same leg, silence. In memory, at given times.

Not here: RTP (test_edge), STUN's and DTLS's own rules (test_stun, test_dtls).
"""

from media.webrtc.dtls import Identity
from media.webrtc.peers import MAX_SOURCES, Peers
from media.webrtc.stun import BINDING_ERROR, BINDING_SUCCESS, ERROR_CODE, ICE_CONTROLLED, parse_stun
from model.webrtc import ConfigurePeer, PeerConnected, PeerFailed, PeerHeard, PeerReleased, PeerSilent
from tests.harness.browser import ScriptedBrowser

IDENTITY = Identity()
HOME, CAFE = ("192.0.2.1", 5000), ("198.51.100.9", 6000)
PWD = "p" * 22


class Edge:
    """Peers with one leg, and the wire between it and scripted browsers."""

    def __init__(self) -> None:
        self.peers = Peers(IDENTITY)
        self.browser = ScriptedBrowser("one", PWD, IDENTITY.fingerprint)
        self.now = 100.0

    def configure(self, browser: ScriptedBrowser | None = None, **changes: object) -> list[object]:
        browser = browser or self.browser
        said = {"ufrag": browser.remote_ufrag, "pwd": browser.remote_pwd, "engine_port": 20000} | changes
        command = ConfigurePeer(
            leg="l",
            fingerprints=[("sha-256", browser.identity.fingerprint)],
            **said,  # type: ignore[arg-type]
        )
        return list(self.peers.configure(command, self.now))

    def send(self, data: bytes, at: tuple[str, int] = HOME) -> list[bytes]:
        answers = self.peers.receive(data, f"{at}".encode(), at, self.now)
        assert all(address == at for _, address in answers)
        return [each for each, _ in answers]

    def connect(self, browser: ScriptedBrowser | None = None, at: tuple[str, int] = HOME) -> None:
        browser = browser or self.browser
        flight = [browser.check()]
        while flight:
            flight = [out for each in flight for answer in self.send(each, at) for out in browser.receive(answer)]
        assert browser.is_connected

    def events(self) -> list[object]:
        taken = list(self.peers.events)
        self.peers.events.clear()
        return taken


def connected() -> Edge:
    edge = Edge()
    edge.configure()
    edge.connect()
    assert edge.events() == [PeerConnected("l", "192.0.2.1:5000", "SRTP_AEAD_AES_128_GCM")]
    return edge


def test_a_browser_connects() -> None:
    edge = connected()
    peer = edge.peers.by_leg["l"]
    assert peer.address == HOME and peer.streams is not None and edge.browser.answers == [BINDING_SUCCESS]


def test_strangers_get_no_answer_and_leave_nothing() -> None:
    edge = Edge()
    edge.configure()
    other = ScriptedBrowser("two", PWD, IDENTITY.fingerprint)
    wrong = ScriptedBrowser("one", "q" * 22, IDENTITY.fingerprint)
    hello = edge.browser.start_dtls()[0]
    for data in (other.check(), wrong.check(), b"\0\1" + bytes(40), hello, b"\x80\0" + bytes(20), b"", b"\xff"):
        assert edge.send(data, CAFE) == []
    peers = edge.peers
    assert not peers.by_source and peers.by_leg["l"].dtls is None and peers.by_leg["l"].address is None
    assert peers.n_bad_stun == 3 and peers.n_strange == 4


def test_dtls_is_spoken_with_proven_addresses_alone() -> None:
    edge = Edge()
    edge.configure()
    assert edge.send(edge.browser.check()) and edge.peers.by_leg["l"].dtls is None
    assert edge.send(edge.browser.start_dtls()[0], CAFE) == []
    edge.browser.dtls = None
    edge.connect()


def test_what_must_be_understood_and_is_not_is_named() -> None:
    edge = Edge()
    edge.configure()
    [answer] = edge.send(edge.browser.check(extra=((0x7001, b"abcd"),)))
    message = parse_stun(answer)
    assert message is not None and message.kind == BINDING_ERROR
    assert message.attributes[ERROR_CODE][2:4] == bytes([4, 20])
    assert not edge.peers.by_source


def test_a_lite_agent_does_not_control() -> None:
    edge = Edge()
    edge.configure()
    [answer] = edge.send(edge.browser.check(extra=((ICE_CONTROLLED, bytes(8)),)))
    message = parse_stun(answer)
    assert message is not None and message.attributes[ERROR_CODE][2:4] == bytes([4, 87])


def test_audio_follows_the_nomination_and_not_a_mere_check() -> None:
    edge = connected()
    peer = edge.peers.by_leg["l"]
    edge.send(edge.browser.check(nominate=False), CAFE)
    assert peer.address == HOME and len(peer.sources) == 2
    edge.send(edge.browser.check(), CAFE)
    assert peer.address == CAFE and peer.n_paths == 2


def test_an_ice_restart_keeps_the_keys_and_the_old_path_until_the_nomination() -> None:
    edge = connected()
    peer = edge.peers.by_leg["l"]
    streams, dtls = peer.streams, peer.dtls
    assert edge.configure(ufrag="new", pwd="n" * 22) == []
    # The page has not heard of it yet and goes on checking as before.
    assert edge.send(edge.browser.check())
    edge.browser.remote_ufrag, edge.browser.remote_pwd = "new", "n" * 22
    assert edge.send(edge.browser.check(nominate=False), CAFE) and peer.address == HOME
    assert edge.send(edge.browser.check(), CAFE) and peer.address == CAFE
    assert (peer.streams, peer.dtls) == (streams, dtls)
    edge.browser.remote_ufrag, edge.browser.remote_pwd = "one", PWD
    assert edge.send(edge.browser.check()) == []


def test_the_same_page_loaded_again_takes_the_leg() -> None:
    edge = connected()
    again = ScriptedBrowser("again", "a" * 22, IDENTITY.fingerprint)
    goodbye = edge.configure(again, association=1)
    assert [edge.browser.receive(each.data) for each in goodbye] == [[]]  # type: ignore[attr-defined]
    assert edge.browser.dtls is not None and edge.browser.dtls.state == "closed"
    assert edge.send(edge.browser.check()) == []
    edge.connect(again, CAFE)
    peer = edge.peers.by_leg["l"]
    assert peer.address == CAFE and set(edge.peers.by_source.values()) == {peer} and len(edge.peers.by_source) == 1
    assert edge.events() == [PeerConnected("l", "198.51.100.9:6000", "SRTP_AEAD_AES_128_GCM")]


def test_another_certificate_than_announced_is_told() -> None:
    edge = Edge()
    edge.configure(ScriptedBrowser("one", PWD, IDENTITY.fingerprint))
    flight = [edge.browser.check()]
    while flight:
        flight = [out for each in flight for answer in edge.send(each) for out in edge.browser.receive(answer)]
    assert edge.events() == [PeerFailed("l", "the certificate is not the one of the signalling")]
    assert edge.peers.by_leg["l"].streams is None


def test_silence_is_told_once_and_so_is_its_end() -> None:
    edge = connected()
    start = edge.now
    while edge.now < start + 12:
        assert edge.peers.deadline is not None
        edge.now = max(edge.peers.deadline, edge.now + 0.01)
        edge.peers.handle_timeout(edge.now)
    [silent] = edge.events()
    assert isinstance(silent, PeerSilent) and 5.0 <= silent.silent_s < 5.6
    edge.send(edge.browser.check())
    assert edge.events() == [PeerHeard("l")]


def test_checks_are_life_enough() -> None:
    """A browser that is on hold sends no audio."""
    edge = connected()
    for _ in range(40):
        edge.now += 1.0
        edge.send(edge.browser.check())
        edge.peers.handle_timeout(edge.now)
    assert edge.events() == []


def test_addresses_of_one_browser_are_bounded() -> None:
    edge = connected()
    for port in range(1, 40):
        edge.send(edge.browser.check(nominate=False), ("192.0.2.1", port))
    assert len(edge.peers.by_source) == len(edge.peers.by_leg["l"].sources) == MAX_SOURCES


def test_release_leaves_nothing_and_gives_figures() -> None:
    edge = connected()
    for each in edge.peers.release("l"):
        edge.browser.receive(each.data)
    assert edge.browser.dtls is not None and edge.browser.dtls.state == "closed"
    peers = edge.peers
    assert not (peers.by_leg or peers.by_source or peers.by_engine_port or peers._by_ufrag or peers._handshaking)
    assert edge.events() == [PeerReleased("l", n_paths=1)]
    assert peers.deadline is None and peers.release("l") == []
