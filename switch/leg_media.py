"""What each leg may speak, and what was agreed with it: codecs in the order that avoids transcoding, SRTP keys, and the
command that tells the media worker.

A caller's codecs are offered on first, so that both legs end up with the same one; what neither of us decodes passes
through when both have it. Policies come from the configuration: `[media]`, and over it the extension's or trunk's own.
"""

import logging
import secrets

import msgspec

from media.codecs.registry import find_codec
from model import media
from sip.codecs import CODECS, Codec
from sip.offer_answer import (
    Capabilities,
    LocalMedia,
    Negotiated,
    NoCommonCodec,
    SecurityMismatch,
    answer_offer,
    apply_answer,
    check_security,
    make_offer,
    offered_codecs,
    passable_codecs,
)
from sip.sdes import LocalKeys
from sip.sdp import SdpError
from sip.silent_offer import answer_silent, is_silent
from sip.webrtc import is_browser_sdp
from switch.browsers import Browsers, no_browsers
from switch.call import Call, Leg
from switch.config import Config, Media
from switch.directory import Directory
from switch.media_pool import MediaPool

log = logging.getLogger(__name__)

_NARROW = ("PCMU", "PCMA")


class LegMedia:
    """The SDP of every leg. Each method may raise `NoCommonCodec` (answer 488) or `SdpError` (400)."""

    def __init__(self, config: Config, directory: Directory, pool: MediaPool, browsers: Browsers | None = None) -> None:
        self._config = config
        self.browsers = browsers or no_browsers()
        self._directory = directory
        self._pool = pool
        self._missing = {name for name in CODECS if not find_codec(name).is_transcodable}
        self._default = self._available(config.media.codecs)
        # What carriers have: more would only make INVITEs too long for UDP (RFC 3261 §18.1.1).
        self._narrow = tuple(name for name in self._default if name in _NARROW) or self._default
        for name in self._missing.intersection(config.media.codecs):
            log.warning("! codec %s is not offered: its library is missing", name)
        self._sharing = {trunk.name for trunk in config.trunk if trunk.rtp_ports == "shared"}
        self._suites = config.media.srtp_suites
        self._some_keys = LocalKeys.make(bytes, self._suites)
        """Stand for a leg's own where only their suites matter."""

    def _available(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([name for name in names if name not in self._missing]) if self._missing else names

    # -- policies -----------------------------------------------------------------------------------------------------

    def _codecs_of(self, kind: str, name: str) -> tuple[str, ...]:
        own: tuple[str, ...] = ()
        if kind == "trunk":
            trunk = self._directory.trunks.get(name)
            own = trunk.config.codecs if trunk is not None else ()
            return self._available(own) or self._narrow
        if name in self._directory.extensions:
            own = self._directory.extensions[name].codecs
        return self._available(own) or self._default

    def security_of(self, kind: str, name: str, *, is_tls: bool) -> str:
        """off, optional or required, for a party and the transport of its signalling."""
        own = ""
        if kind == "trunk":
            trunk = self._directory.trunks.get(name)
            own = trunk.config.srtp if trunk is not None else ""
        elif name in self._directory.extensions:
            own = self._directory.extensions[name].srtp
        wanted = own or self._config.media.srtp
        if wanted == "off" or is_tls or self._config.media.srtp_without_tls:
            return wanted
        if wanted == "required":
            raise SecurityMismatch("SRTP is required, and its keys need TLS signalling")
        return "off"

    def _security(self, leg: Leg) -> str:
        """A browser's audio is encrypted up to the edge, and plain from there."""
        return "off" if leg.browser is not None else self.security_of(leg.kind, leg.name, is_tls=leg.is_tls)

    def check(self, offer: bytes, kind: str, name: str, *, is_tls: bool) -> None:
        """Whether a party's first offer can lead to anything, before anybody rings."""
        if is_browser_sdp(offer):
            offer, security = self.browsers.check(offer), "off"
        else:
            security = self.security_of(kind, name, is_tls=is_tls)
        check_security(offer, self._capabilities((), security), self._some_keys)
        ours = self._codecs_of(kind, name)
        if not any(codec in ours for codec in offered_codecs(offer)) and not passable_codecs(offer):
            raise NoCommonCodec("no codec in common")

    def _capabilities(self, codecs: tuple[str | Codec, ...], security: str) -> Capabilities:
        config = self._config.media
        return Capabilities(codecs=codecs, ptime_ms=config.ptime_ms, comfort_noise=config.comfort_noise, srtp=security)

    def _keys_of(self, leg: Leg, security: str) -> LocalKeys | None:
        if security != "off" and leg.srtp_keys is None:
            leg.srtp_keys = LocalKeys.make(secrets.token_bytes, self._suites)
        return leg.srtp_keys if security != "off" else None

    def local(self, leg: Leg) -> LocalMedia | None:
        """Where the leg's peer finds us; takes a port for it when it has none. None: no port is free, or (for a
        browser) no edge is up."""
        if not leg.port:
            is_shared = leg.kind == "trunk" and leg.name in self._sharing
            leg.port = self._pool.allocate_port(leg.worker, leg.name if is_shared else "")
            if not leg.port:
                log.warning("! no RTP port is free for leg %s", leg.leg_id)
                return None
        # The session id must be unique to us (RFC 8866 §5.2): port and instant are.
        session_id = int(leg.created_utc * 1000)
        if leg.browser is not None:
            return self.browsers.local_media(leg, session_id)
        return LocalMedia(self._pool.host_for(host_of(leg)), leg.port, session_id, leg.sdp_version)

    # -- offers and answers -------------------------------------------------------------------------------------------

    def offer(self, leg: Leg, peer: Leg | None, local: LocalMedia) -> bytes:
        """Our offer to the leg, made for a call with `peer` (None: nobody yet)."""
        security = self._security(leg)
        if leg.is_insisting and security == "optional":
            security = "required"
        leg.capabilities = self._capabilities(self._towards(leg, peer), security)
        plain = make_offer(local, leg.capabilities, keys=self._keys_of(leg, security))
        return self.browsers.write(leg, plain, is_offer=True)

    def may_insist(self, leg: Leg) -> bool:
        """Whether a refusal may be one of plain RTP: phones that demand SRTP want it as RTP/SAVP, and refuse the
        profile of our offer, which those without SRTP can answer."""
        return leg.capabilities is not None and leg.capabilities.srtp == "optional" and not leg.is_insisting

    def insist(self, leg: Leg) -> None:
        """The next offer to the leg takes SRTP or nothing."""
        leg.is_insisting = True

    def offer_again(self, leg: Leg, local: LocalMedia) -> bytes:
        """Our offer in a re-INVITE that carried none: what is spoken already comes first."""
        before = leg.capabilities
        if before is None or leg.negotiated is None:
            return self.offer(leg, None, local)
        # The other party is not asked, so nothing may come of it that it does not speak.
        passed = _foreign_codec(leg)
        codecs = (passed,) if passed is not None else tuple([name for name in before.codecs if isinstance(name, str)])
        leg.capabilities = self._capabilities(codecs, before.srtp)
        plain = make_offer(local, leg.capabilities, prefer=leg.negotiated.codec, keys=self._keys_of(leg, before.srtp))
        return self.browsers.write(leg, plain, is_offer=True)

    def answer(self, leg: Leg, peer: Leg | None, offer: bytes, local: LocalMedia) -> tuple[bytes, Negotiated]:
        """Our answer to the leg's offer, so that `peer` need not be transcoded."""
        offer = self.browsers.read(leg, offer)
        if leg.negotiated is not None and b" 0 " in offer and is_silent(offer):
            silent = msgspec.structs.replace(leg.negotiated, direction="inactive")
            return self.browsers.write(leg, answer_silent(offer, local), is_offer=False), silent
        security = self._security(leg)
        codecs: tuple[str | Codec, ...] = self._codecs_of(leg.kind, leg.name)
        passed = _foreign_codec(peer) or (_foreign_codec(leg) if leg.negotiated is not None else None)
        if passed is not None:
            codecs = (passed,)
        capabilities = self._capabilities(codecs, security)
        if leg.negotiated is not None and passed is None:
            prefer = leg.negotiated.codec
        else:
            prefer = self._closest(offered_codecs(offer), codecs, peer)
        body, negotiated = answer_offer(offer, local, capabilities, prefer=prefer, keys=self._keys_of(leg, security))
        leg.capabilities = capabilities
        return self.browsers.write(leg, body, is_offer=False), negotiated

    def apply(self, leg: Leg, answer: bytes) -> Negotiated:
        """What the leg made of our offer."""
        answer = self.browsers.read(leg, answer)
        capabilities = leg.capabilities or Capabilities(codecs=self._default)
        return apply_answer(answer, capabilities, keys=self._keys_of(leg, capabilities.srtp))

    def may_talk(self, call: Call, leg: Leg, negotiated: Negotiated) -> bool:
        """Whether who called `leg` can hear what it agreed to: a codec that passes through needs the same there."""
        caller = call.asked_by(leg)
        if caller is None or caller is leg or caller.negotiated is None:
            return True
        both = {caller.negotiated.codec, negotiated.codec}
        return len(both) == 1 or both <= CODECS.keys()

    def _towards(self, leg: Leg, peer: Leg | None) -> tuple[str | Codec, ...]:
        """What is offered to `leg`, in order, so that both have the same codec if they can."""
        ours = self._codecs_of(leg.kind, leg.name)
        if peer is None:
            return ours
        if peer.negotiated is not None:
            passed = _foreign_codec(peer)
            if passed is not None:
                return (passed,)
            return _ordered([peer.negotiated.codec], (), ours)
        if not peer.offer:
            return ours
        try:
            theirs, foreign = offered_codecs(peer.offer), passable_codecs(peer.offer)
        except SdpError:
            return ours
        # Who speaks nothing that we decode can only be passed through.
        if not any(name in self._codecs_of(peer.kind, peer.name) for name in theirs):
            return foreign or ours
        return _ordered(theirs, foreign, ours)

    def _closest(self, offered: list[str], codecs: tuple[str | Codec, ...], peer: Leg | None) -> str:
        """Which offered codec costs least: the peer's own, else one as wide as it; with no peer yet, our preference."""
        possible = [each for each in codecs if (each if isinstance(each, str) else each.name) in offered]
        names = [each if isinstance(each, str) else each.name for each in possible]
        if peer is None or peer.negotiated is None:
            return names[0] if names else ""
        spoken = peer.negotiated.codec
        if spoken in names:
            return spoken
        is_narrow = spoken in _NARROW
        return next((name for name in names if (name in _NARROW) == is_narrow), names[0] if names else "")

    def _note_digits(self, leg: Leg) -> None:
        if leg.kind == "trunk":
            trunk = self._directory.trunks.get(leg.name)
            if trunk is not None:
                leg.dtmf, leg.detects_tones = trunk.config.dtmf, trunk.config.detect_tones
        elif leg.name in self._directory.extensions:
            leg.dtmf = self._directory.extensions[leg.name].dtmf
            leg.has_keys = self._config.feature_codes.in_call

    # -- the media worker ---------------------------------------------------------------------------------------------

    def configure(self, leg: Leg, negotiated: Negotiated) -> None:
        """Tells the leg's worker what was agreed."""
        leg.negotiated = negotiated
        leg.is_configured = True
        self._note_digits(leg)
        # Nothing is learned of a browser's address: to the engine it is at the edge, and nobody else may be.
        host = "" if leg.browser is not None else host_of(leg)
        self.browsers.configure(leg, negotiated)
        self._pool.send(leg.worker, configure_command(leg, negotiated, host, self._config.media))


def host_of(leg: Leg) -> str:
    """Where the leg's signalling comes from."""
    return leg.address.rpartition(":")[0].removeprefix("[").removesuffix("]")


def configure_command(leg: Leg, negotiated: Negotiated, signalling_host: str, settings: Media) -> media.ConfigureLeg:
    """What the worker must know of the leg; said again in full when the worker was restarted.

    A phone that holds may send nothing for as long as it holds, so its silence ends no call.
    """
    direction, srtp = negotiated.direction, negotiated.srtp
    return media.ConfigureLeg(
        session=leg.call_id,
        leg=leg.leg_id,
        port=leg.port,
        codec=negotiated.codec,
        clock_hz=negotiated.clock_rate,
        fmtp=negotiated.fmtp,
        payload_type=negotiated.payload_type,
        dtmf_payload_type=negotiated.dtmf_payload_type if leg.dtmf in ("auto", "rfc4733") else -1,
        takes_digits=leg.dtmf != "info",
        passes_digits=not (leg.keeps_digits or leg.has_keys),
        detect=_detected(leg, negotiated, settings),
        cn_payload_type=negotiated.cn_payload_type,
        ptime_ms=negotiated.ptime_ms,
        remote_host=negotiated.remote_host,
        remote_port=negotiated.remote_port,
        remote_rtcp_port=negotiated.remote_rtcp_port,
        learn_from=signalling_host,
        may_send=direction in ("sendrecv", "sendonly"),
        may_receive=direction in ("sendrecv", "recvonly"),
        inactivity_s=settings.inactivity_s if direction == "sendrecv" else 0.0,
        srtp=media.SrtpKeys(srtp.suite, srtp.send, srtp.receive) if srtp is not None else None,
    )


def _detected(leg: Leg, negotiated: Negotiated, settings: Media) -> tuple[str, ...]:
    is_inband = leg.dtmf == "inband" or (leg.dtmf == "auto" and negotiated.dtmf_payload_type < 0)
    return (
        ("dtmf",) * is_inband
        + ("tones",) * leg.detects_tones
        + ("speech",) * (settings.detect_speech or leg.detects_speech)
    )


def _foreign_codec(leg: Leg | None) -> Codec | None:
    """The codec the leg speaks when we do not decode it, with the parameters its phone gave."""
    if leg is None or leg.negotiated is None or leg.capabilities is None or leg.negotiated.codec in CODECS:
        return None
    for each in leg.capabilities.codecs:
        if isinstance(each, Codec) and each.name == leg.negotiated.codec:
            return msgspec.structs.replace(each, fmtp=leg.negotiated.fmtp)
    return None


def _ordered(theirs: list[str], foreign: tuple[Codec, ...], ours: tuple[str, ...]) -> tuple[str | Codec, ...]:
    """Ours that they have in their order, then what would pass through, then the rest of ours for who has nothing else:
    narrow before wide, since a wider codec than theirs could bring nothing but work."""
    shared = [name for name in theirs if name in ours]
    rest = [name for name in ours if name not in shared]
    rest.sort(key=lambda name: name not in _NARROW)
    return (*shared, *foreign, *rest)
