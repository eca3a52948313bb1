"""What each command of the switch does to the engine. A command that makes no sense is refused and changes nothing."""

import ipaddress
import logging
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING

from media.arrays import BYTE_A_TICK, LAWS, OPAQUE, PCMU, kind_of
from media.codecs.registry import find_codec
from media.learning import Address
from media.session import Leg, Session
from model import media as protocol
from model.media import CommandRefused, Statistics
from rtp.srtp_keys import LegKeys, check_keys

if TYPE_CHECKING:
    from media.engine import Engine

log = logging.getLogger(__name__)

PTIMES = (10, 20, 30, 40, 60)
MAX_EDGES = 4096
MAX_ROOMS = 64
MAX_SOURCES = 256


_CODEC = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}(/[0-9]{4,6}(/[0-9]{1,2})?)?")


class Refused(ValueError):
    """The command cannot be carried out; the text says why."""


class Commands:
    """Carries out commands on an engine."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._handlers: dict[type, Callable[..., None]] = {
            protocol.ConfigureLeg: self._configure_leg,
            protocol.ConnectMatrix: self._connect_matrix,
            protocol.SecureLeg: self._secure_leg,
            protocol.DetectAnswer: self._detect_answer,
            protocol.Play: self._play,
            protocol.StopPlay: self._stop_play,
            protocol.SendDigits: self._send_digits,
            protocol.StartRecording: self._start_recording,
            protocol.PauseRecording: self._pause_recording,
            protocol.ResumeRecording: self._resume_recording,
            protocol.StopRecording: self._stop_recording,
            protocol.ReleaseLeg: self._release_leg,
            protocol.ReleaseSession: self._release_session,
            protocol.GetStatistics: self._get_statistics,
            protocol.Snapshot: self._snapshot,
            protocol.Adopt: self._adopt,
        }

    def apply(self, command: protocol.Command, now: float) -> None:
        """Carries `command` out; emits `CommandRefused` when it makes no sense."""
        name = type(command).__name__
        try:
            self._handlers[type(command)](command, now)
        except Refused as error:
            self._engine.emit(CommandRefused(command=name, session=command.session, error=str(error)))
        except Exception as error:  # A bug with one command must not end the calls of all others.
            log.exception("%s: %r", command.session, command)
            self._engine.emit(CommandRefused(command=name, session=command.session, error=f"bug: {error!r}"))

    # -- legs ---------------------------------------------------------------------------------------------------------

    def _configure_leg(self, command: protocol.ConfigureLeg, now: float) -> None:
        engine = self._engine
        remote = _check_leg(command)
        session = engine.sessions.get(command.session)
        leg = session.legs.get(command.leg) if session is not None else None
        row = self._row_for(command, leg)
        is_new = leg is None
        if leg is None:
            if session is None:
                session = engine.sessions[command.session] = Session(command.session)
            leg = self._allocate(session, command, row, now)
        try:
            self._apply_leg(leg, command, remote, now)
        except OSError as error:
            if is_new:
                engine.release(leg, now, quietly=True)
            raise Refused(f"{command.remote_host}:{command.remote_port} cannot be reached: {error}") from error
        assert session is not None
        session.apply_edges()
        engine.changed.add(session.id)

    def _row_for(self, command: protocol.ConfigureLeg, leg: Leg | None) -> int:
        """The leg's row, or a free one on the port; `leg` is None when it is new."""
        engine = self._engine
        try:
            row = engine.ports.choose_row(command.port, engine.takeover.find(command.session, command.leg))
        except KeyError:
            raise Refused(f"port {command.port} is not one of this worker's") from None
        except OSError as error:
            raise Refused(f"port {command.port}: {error}") from error
        if leg is not None and leg.settings.port == command.port:
            return leg.row
        owner = engine.by_row[row]
        if owner is not None:
            raise Refused(f"port {command.port} belongs to leg {owner.id} of session {owner.session}")
        if leg is not None:
            raise Refused(f"leg {leg.id} is on port {leg.settings.port} and cannot move")
        return row

    def _allocate(self, session: Session, command: protocol.ConfigureLeg, row: int, now: float) -> Leg:
        engine, table = self._engine, self._engine.table
        engine.planner.settle(now)
        leg = Leg(session.id, command.leg, row, command, now)
        session.legs[command.leg] = leg
        engine.by_row[row] = leg
        engine.n_legs += 1
        has_waiting = engine.takeover.claim(row, session.id, command.leg)
        table.reset(row)
        engine.receiver.reset(row)
        engine.inputs.reset(row)
        engine.wide_inputs.reset(row, _ticks(command))
        engine.receiver.clock_hz[row] = command.clock_hz
        table.out_ssrc[row] = secrets.randbits(32)
        # Low, so that nobody loses the first packets together with a wrap (RFC 3711 §3.3.1).
        table.out_seq[row] = secrets.randbits(15)
        table.out_ts[row] = secrets.randbits(32)
        table.received_at[row] = now
        engine.ports.open(row, command.port, is_kept=has_waiting)
        engine.reports.add(leg, now)
        engine.lines.add(leg, now)
        return leg

    def _apply_leg(self, leg: Leg, command: protocol.ConfigureLeg, remote: Address | None, now: float) -> None:
        engine, table, row = self._engine, self._engine.table, leg.row
        engine.prediction.forget(row)
        leg.guard.configure(remote, command.learn_from)
        leg.packets_at_configure = int(engine.receiver.packets[row])
        if command.srtp is None:
            engine.ports.srtp.remove(row)
        else:
            engine.ports.srtp.set_keys(row, _keys(command.srtp), engine.reports.first_secure_index())
        engine.takeover.go_on(leg)
        engine.ports.connect(row, leg.guard.source, leg.guard.destination)
        kind, step = kind_of(command.codec), _ticks(command)
        if leg.settings.codec != command.codec or table.step[row] != step:
            engine.taps.flush_leg(leg)
            engine.inputs.reset(row)
            engine.wide_inputs.reset(row, step)
            engine.receiver.clock_hz[row] = command.clock_hz
            engine.sender.forget(row)
        table.audio_type[row] = command.payload_type
        table.event_type[row] = command.dtmf_payload_type
        table.noise_type[row] = command.cn_payload_type
        table.kind[row] = kind
        table.is_byte_a_tick[row] = command.codec in BYTE_A_TICK
        table.law[row] = LAWS.get(command.codec, PCMU)
        table.step[row], table.ptime[row] = step, find_codec(command.codec).ptime(command.ptime_ms) // 10
        is_watched_anew = command.inactivity_s > 0 and not table.inactivity_s[row]
        if is_watched_anew or (command.may_receive and not table.may_receive[row]):
            table.received_at[row] = now
            table.is_inactive[row] = False
        table.may_receive[row] = command.may_receive
        table.inactivity_s[row] = command.inactivity_s
        leg.settings = command
        engine.coding.configure(leg)
        if not command.may_send:
            engine.digits.stop_sending(row)
        rtcp_port = command.remote_rtcp_port or command.remote_port + 1
        if remote is None:
            leg.report_to = None
        elif leg.guard.destination == remote:
            leg.report_to = (remote[0], rtcp_port) if rtcp_port <= 65535 else None
        else:
            engine.reports.redirect(leg)
        engine.takeover.note(leg)

    def _release_leg(self, command: protocol.ReleaseLeg, now: float) -> None:
        leg = self._find_leg(command.session, command.leg)
        if leg is not None:
            self._engine.release(leg, now)

    def _release_session(self, command: protocol.ReleaseSession, now: float) -> None:
        session = self._engine.sessions.get(command.session)
        if session is None:
            return
        self._engine.finish_session(session, now)

    def _get_statistics(self, command: protocol.GetStatistics, now: float) -> None:
        engine = self._engine
        if command.session:
            sessions = [engine.sessions[command.session]] if command.session in engine.sessions else []
        else:
            sessions = list(engine.sessions.values())
        if not sessions:
            engine.emit(Statistics(session=command.session, legs={}))
        for session in sessions:
            legs = {leg.id: engine.statistics(leg) for leg in session.legs.values()}
            engine.emit(Statistics(session=session.id, legs=legs))

    def _snapshot(self, command: protocol.Snapshot, now: float) -> None:
        engine = self._engine
        snapshot = engine.takeover.describe(self._need_session(command.session), now)
        engine.emit(protocol.SnapshotTaken(session=command.session, snapshot=snapshot))

    def _adopt(self, command: protocol.Adopt, now: float) -> None:
        self._engine.takeover.adopt(command, now)

    # -- what is heard ------------------------------------------------------------------------------------------------

    def _connect_matrix(self, command: protocol.ConnectMatrix, now: float) -> None:
        session = self._need_session(command.session)
        if len(command.edges) > MAX_EDGES:
            raise Refused(f"more than {MAX_EDGES} edges")
        n_places = sum(len(room.speakers) + len(room.listeners) for room in command.rooms)
        if len(command.rooms) > MAX_ROOMS or n_places > MAX_EDGES:
            raise Refused(f"more than {MAX_ROOMS} rooms or {MAX_EDGES} places in them")
        for gain in [gain for room in command.rooms for gain in room.gains.values()]:
            if not 0.0 <= gain <= 16.0:
                raise Refused(f"gain {gain} is not between 0 and 16")
        for edge in command.edges:
            if not 0.0 <= edge.gain <= 16.0:
                raise Refused(f"gain {edge.gain} is not between 0 and 16")
        session.edges, session.rooms = list(command.edges), list(command.rooms)
        session.apply_edges()
        self._engine.changed.add(session.id)

    def _secure_leg(self, command: protocol.SecureLeg, now: float) -> None:
        leg = self._need_leg(command.session, command.leg)
        if leg.is_secure == command.is_secure:
            return
        engine = self._engine
        engine.taps.secure(leg, command.is_secure)
        leg.is_secure = command.is_secure
        engine.digits.secure(leg, now)
        engine.planner.forget_speaker(engine.sessions[leg.session], leg.row)

    def _detect_answer(self, command: protocol.DetectAnswer, now: float) -> None:
        try:
            self._engine.answers.start(self._need_leg(command.session, command.leg), command.max_s)
        except ValueError as error:
            raise Refused(str(error)) from error

    def _play(self, command: protocol.Play, now: float) -> None:
        leg = self._need_leg(command.session, command.leg)
        if not command.sources or len(command.sources) > MAX_SOURCES:
            raise Refused(f"1 to {MAX_SOURCES} sources are needed, {len(command.sources)} came")
        if kind_of(leg.settings.codec) == OPAQUE:
            raise Refused(f"{leg.settings.codec} is not encoded here")
        try:
            self._engine.players.play(
                leg, command.play_id, command.sources, is_looped=command.is_looped, offset_s=command.offset_s
            )
        except ValueError as error:
            raise Refused(str(error)) from error

    def _stop_play(self, command: protocol.StopPlay, now: float) -> None:
        leg = self._find_leg(command.session, command.leg)
        if leg is not None:
            self._engine.players.stop(leg, command.play_id)

    def _send_digits(self, command: protocol.SendDigits, now: float) -> None:
        leg = self._need_leg(command.session, command.leg)
        if not leg.settings.may_send:
            raise Refused(f"leg {leg.id} does not want to be sent anything (may_send is false)")
        try:
            self._engine.digits.send(leg, command.digits, command.duration_ms, command.gap_ms)
        except ValueError as error:
            raise Refused(str(error)) from error

    # -- recording ----------------------------------------------------------------------------------------------------

    def _start_recording(self, command: protocol.StartRecording, now: float) -> None:
        session = self._need_session(command.session)
        try:
            self._engine.taps.start(session, command)
        except ValueError as error:
            raise Refused(str(error)) from error
        self._engine.changed.add(session.id)

    def _pause_recording(self, command: protocol.PauseRecording, now: float) -> None:
        self._need_recording(command.session, command.recording)
        self._engine.taps.pause(command.recording)

    def _resume_recording(self, command: protocol.ResumeRecording, now: float) -> None:
        self._need_recording(command.session, command.recording)
        self._engine.taps.resume(command.recording)

    def _stop_recording(self, command: protocol.StopRecording, now: float) -> None:
        if self._engine.taps.session_of(command.recording) == command.session:
            self._engine.taps.stop(command.recording)
            self._engine.changed.add(command.session)

    # -- looking up ---------------------------------------------------------------------------------------------------

    def _find_leg(self, session: str, leg: str) -> Leg | None:
        found = self._engine.sessions.get(session)
        return found.legs.get(leg) if found is not None else None

    def _need_session(self, session: str) -> Session:
        found = self._engine.sessions.get(session)
        if found is None:
            raise Refused(f"there is no session {session}")
        return found

    def _need_leg(self, session: str, leg: str) -> Leg:
        found = self._find_leg(session, leg)
        if found is None:
            raise Refused(f"there is no leg {leg} in session {session}")
        return found

    def _need_recording(self, session: str, recording: str) -> None:
        if self._engine.taps.session_of(recording) != session:
            raise Refused(f"there is no recording {recording} in session {session}")


def _keys(keys: protocol.SrtpKeys) -> LegKeys:
    return LegKeys(keys.suite, keys.send, keys.receive)


def _check_leg(command: protocol.ConfigureLeg) -> Address | None:
    """The remote address of a sane command, None while it is unknown; `Refused` otherwise."""
    if not command.session or not command.leg:
        raise Refused("session and leg must be named")
    if not _CODEC.fullmatch(command.codec):
        raise Refused(f"{command.codec!r} is no name of a codec")
    if not 8000 <= command.clock_hz <= 192_000 or command.clock_hz % 100:
        raise Refused(f"a clock of {command.clock_hz} Hz is not possible")
    clock_hz = find_codec(command.codec, command.clock_hz).clock_hz
    if command.clock_hz != clock_hz:
        raise Refused(f"the clock of {command.codec} is {clock_hz} Hz, not {command.clock_hz}")
    for payload_type in (command.payload_type, command.dtmf_payload_type):
        if not (0 <= payload_type <= 127 and not 64 <= payload_type <= 95) and payload_type != -1:
            raise Refused(f"payload type {payload_type} is not possible")
    if command.payload_type in (-1, command.dtmf_payload_type):
        raise Refused("the codec needs a payload type of its own")
    if command.ptime_ms not in PTIMES:
        raise Refused(f"ptime {command.ptime_ms} ms is not one of {PTIMES}")
    if not 0 <= command.remote_port <= 65535 or not 0 <= command.remote_rtcp_port <= 65535:
        raise Refused("a port is 0 to 65535")
    if command.srtp is not None:
        try:
            check_keys(_keys(command.srtp))
        except ValueError as error:
            raise Refused(str(error)) from error
    if not command.inactivity_s >= 0:
        raise Refused("inactivity_s is negative")
    for host in (command.remote_host, command.learn_from):
        _check_host(host)
    if not command.remote_host or not command.remote_port:
        return None
    address = ipaddress.ip_address(command.remote_host)
    return None if address.is_unspecified else (str(address), command.remote_port)


def _ticks(command: protocol.ConfigureLeg) -> int:
    """Ticks of the leg's RTP clock in 10 ms."""
    return command.clock_hz // 100


def _check_host(host: str) -> None:
    if not host:
        return
    try:
        address = ipaddress.ip_address(host)
    except ValueError as error:
        raise Refused(f"{host!r} is no IP address") from error
    if address.is_multicast or host == "255.255.255.255":
        raise Refused(f"{host} is no address of one peer")
