"""Which way audio takes to each leg: relayed, mixed in the tick, or not at all.

A change is never heard as a click: a leg that goes over to the relay path, or falls silent, is first given one mixed
packet in which the old gives way to the new.
"""

from collections.abc import Mapping

from media.arrays import OPAQUE, kind_of
from media.session import SILENT, Column, FrameSource, Leg, Paths, Session
from model.media import ConfigureLeg

_SAME = ("octet-align", "mode-set", "mode", "crc", "robust-sorting", "interleaving", "bitrate", "emphasis")
"""Format parameters that change what is in the packets (RFC 4867, RFC 3952, RFC 3551)."""


def choose_paths(session: Session, sources: Mapping[int, FrameSource], busy: set[int]) -> Paths:
    """`sources` are heard by the legs on those rows instead of what the matrix gives them; `busy` rows get digits.

    A leg is relayed to when it hears exactly one other, as it is, in the same format, and that one is relayed to
    nobody else; the two directions of a call are chosen apart. Sets `wanted`, `relayed_from` and, for legs that are
    relayed to, `sounding`.
    """
    paths = Paths()
    for leg in sorted(session.legs.values(), key=lambda leg: leg.relayed_from < 0):
        if not leg.settings.may_send or leg.guard.destination is None:
            leg.relayed_from = -1
            leg.wanted = leg.sounding = SILENT
            continue
        wanted = _column(session, leg, sources.get(leg.row))
        leg.wanted = leg.sounding if wanted == leg.sounding else wanted
        speaker = _relay_of(leg, paths)
        is_through = leg.sounding == leg.wanted or not leg.sounding or _is_opaque(leg)
        if speaker is not None and is_through and leg.row not in busy:
            paths.relays[speaker.row] = leg.row
            leg.relayed_from = speaker.row
            leg.sounding = leg.wanted
            continue
        leg.relayed_from = -1
        if (leg.wanted or leg.sounding or leg.row in busy) and not _is_opaque(leg):
            paths.mixed.append(leg)
            if leg.row not in busy and (speaker is not None or not leg.wanted):
                paths.passing.add(leg.row)
            paths.ringed.update(row for row, _ in leg.wanted.speakers)
            paths.ringed.update(row for row, _ in leg.sounding.speakers)
    for hall in session.halls:
        if any(hall.key in leg.wanted.rooms for leg in paths.mixed):
            paths.ringed.update(hall.speakers)
    return paths


def _column(session: Session, leg: Leg, source: FrameSource | None) -> Column:
    if source is not None:
        return Column(source=source)
    if _is_opaque(leg):
        fitting = [each.row for each, _ in leg.hears if are_compatible(each.settings, leg.settings)]
        row = leg.relayed_from if leg.relayed_from in fitting else fitting[0] if fitting else -1
        return Column(((row, 1.0),)) if row >= 0 else Column()
    speakers = [(each.row, gain) for each, gain in leg.hears if not _is_opaque(each)]
    rooms = tuple(hall.key for hall in session.halls if leg.id in hall.listeners)
    return Column(tuple(sorted(speakers)), rooms)


def _relay_of(leg: Leg, paths: Paths) -> Leg | None:
    """The leg whose packets can be passed to `leg` as they are."""
    if leg.wanted.rooms or leg.wanted.source is not None or len(leg.wanted.speakers) != 1:
        return None
    row, gain = leg.wanted.speakers[0]
    if gain != 1.0 or row in paths.relays:
        return None
    speaker = next(each for each, _ in leg.hears if each.row == row)
    is_told = leg.settings.dtmf_payload_type >= 0 or not leg.settings.takes_digits
    if "dtmf" in speaker.settings.detect and is_told:
        return None  # It is told the digits, so it may not hear them as tones as well.
    return speaker if are_compatible(speaker.settings, leg.settings) else None


def are_compatible(speaker: ConfigureLeg, listener: ConfigureLeg) -> bool:
    """Whether the listener can be sent the speaker's packets as they are.

    What Opus says in its format parameters are wishes, every decoder takes every stream (RFC 7587 §6.1). A codec that
    is not decoded here cannot be made into other packet lengths, and so is passed whatever `ptime` says.
    """
    if (speaker.codec.lower(), speaker.clock_hz) != (listener.codec.lower(), listener.clock_hz):
        return False
    if kind_of(listener.codec) != OPAQUE:
        return speaker.ptime_ms == listener.ptime_ms
    theirs, ours = _parameters(speaker.fmtp), _parameters(listener.fmtp)
    if ours.get("annexb") == "no" and theirs.get("annexb") != "no":  # RFC 3551 §4.5.6: no SID frames, please
        return False
    return all(theirs.get(name, "") == ours.get(name, "") for name in _SAME)


def _parameters(fmtp: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in fmtp.lower().split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _is_opaque(leg: Leg) -> bool:
    return kind_of(leg.settings.codec) == OPAQUE
