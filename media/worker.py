"""The media worker process: `python -m media.worker --name w0 --socket PATH --rtp-fds FIRST:COUNT`.

It inherits bound UDP sockets as file descriptors FIRST … FIRST+COUNT-1, RTP (even port) and RTCP (the odd one after
it), and takes commands on a Unix socket (`model.media`). With `--standby` it waits until it is told which of several
`--slot`s it serves; it inherits the listening socket, too, and what an earlier worker left (`media.standby`). With no
legs it sleeps in epoll. SIGTERM closes the recordings and ends it with status 0.
"""

import argparse
import ctypes
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections import deque
from types import FrameType

from media.arrays import TICK_S
from media.beat import Beat
from media.encoders import EncoderPool
from media.engine import Engine
from media.intake import MAX_ROUNDS
from media.link import CommandLink, listen
from media.prompts import PromptCache
from media.recorder import RecordingWriter
from media.standby import Place, inherit_pairs, wait_for_place
from model.media import LEGS_OF_SHARED_PORT, PROTOCOL_VERSION, Command, Health, Hello, RecordingFinished
from rtp.net.ports import Ports

log = logging.getLogger("media.worker")

POLL_S = 0.01
"""How often the sockets are looked at while legs are there: the most a relayed packet waits."""
CATCH_UP_POLLS = 4
"""Every so often a poll takes two packets of each leg: what came in a burst does not stay behind for good."""
COMMANDS_S = 0.004
"""How long commands are carried out before the sockets are looked at again."""
SWITCH_INTERVAL_S = 0.0002
TICK_PRIORITY = 15
THREADS_PRIORITY = 5
HEALTH_S = 5.0
IDLE_S = 2.0
CLOSE_S = 20.0
"""What the last recordings may take at the end."""
BEAT_S = 1.0
"""So much longer than it means to sleep the worker has to show that it lives (`media.beat`)."""
DIED = 1
"""Exit status after a bug."""
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
"""Of mallopt(3)."""
_PR_SET_THP_DISABLE = 41
"""Of prctl(2)."""
_BEHIND_S = 0.5
"""A tick later than this is not made up for: the machine was stopped."""


class Worker:
    """The loop: epoll, the engine's polls and ticks on their time, the link to the switch."""

    def __init__(
        self,
        name: str,
        listener: socket.socket,
        pairs: list[tuple[socket.socket, socket.socket]],
        host: str,
        music: list[str],
        memory_fd: int = -1,
        n_shared: int = 0,
    ) -> None:
        """The first `n_shared` of `pairs` are for many legs each, the others for one."""
        self._name = name
        self._beat = Beat(memory_fd)
        self._host = host
        self._ports = Ports(pairs[n_shared:], pairs[:n_shared], shared_legs=n_shared * LEGS_OF_SHARED_PORT)
        self._prompts = PromptCache(music)
        self._writer = RecordingWriter()
        self._encoders = EncoderPool()
        self._link = CommandLink(listener, self._hello, self._watch, self._ports.unwatch)
        self._engine = Engine(
            self._ports,
            self._link.emit,
            prompts=self._prompts,
            writer=self._writer,
            cname=f"{name}@{host or 'ringback'}",
            wall=time.time,
            memory_fd=memory_fd,
        )
        self._commands: deque[Command] = deque()
        self._is_stopping = False
        self._wake, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._watch(self._wake.fileno(), False)
        self._watch(self._writer.wake_fd, False)
        self._watch(self._encoders.wake_fd, False)
        self._watch(self._prompts.wake_fd, False)
        self._late_max_s = 0.0
        self._next_tick = self._next_poll = self._next_health = 0.0
        self._n_polls = 0
        self._was_active = False
        self._owes_health = False
        """Legs were there since the last report."""

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Ends `run` soon; may be called by a signal handler."""
        self._is_stopping = True
        try:
            self._waker.send(b"x")
        except BlockingIOError:
            pass

    def run(self) -> None:
        """Serves until `stop`. What is raised is a bug; no leg is released and no recording ended then, so that a
        successor finds all as after kill -9."""
        while not self._is_stopping:
            self._step()
        self._close()

    def _step(self) -> None:
        engine = self._engine
        now = time.monotonic()
        if not engine.is_active:
            if self._was_active:
                self._was_active = False
                gc.collect()
            if self._owes_health:
                self._owes_health = False
                self._report_health()
                self._link.flush()
            self._beat.promise(now + IDLE_S + BEAT_S)
            self._ports.poll(IDLE_S)
            self._handle_ready(time.monotonic())
            return
        if not self._was_active:
            self._was_active = True
            self._next_tick = self._next_poll = now
            self._next_health = now + HEALTH_S
        self._beat.promise(now + BEAT_S)
        wait = min(self._next_poll, self._next_tick) - now
        if wait > 0 and not self._commands:
            time.sleep(wait)
            now = time.monotonic()
        engine.poll(now, self._rounds(now))
        self._handle_ready(now)
        if now >= self._next_poll:
            self._next_poll = max(self._next_poll + POLL_S, now)
        if now >= self._next_tick:
            self._tick(now)
        if now >= self._next_health:
            self._next_health = now + HEALTH_S
            self._report_health()
            # Young objects only, some microseconds: what lives as long as a call is left alone.
            gc.collect(0)
        self._link.flush()

    def _rounds(self, now: float) -> int:
        """Of the coming poll: as many packets of a leg as can wait. What comes while a batch is worked on makes a batch
        of its own, and small batches are dear: a worker that is late must not make itself later by them."""
        self._n_polls += 1
        late_s = max(now - self._next_poll, 0.0)
        return min(1 + int(late_s / TICK_S) + (self._n_polls % CATCH_UP_POLLS == 0), MAX_ROUNDS)

    def _tick(self, now: float) -> None:
        late = now - self._next_tick
        self._late_max_s = max(self._late_max_s, late)
        if late > _BEHIND_S:
            log.warning("tick %.0f ms late: the machine was stopped, or has too much to do", late * 1000)
            self._next_tick = now
        # Ticks that were missed are made up for: what the peers hear keeps its timestamps.
        while self._next_tick <= now:
            self._engine.tick(now)
            self._next_tick += TICK_S

    def _handle_ready(self, now: float) -> None:
        """The link, the writer and the prompt loader, whichever the last polls found ready."""
        link_fd = -1
        for fd in self._ports.take_others():
            if fd == self._wake.fileno():
                continue
            if fd == self._writer.wake_fd:
                self._take_recorded()
            elif fd == self._encoders.wake_fd:
                self._take_encoded()
            elif fd == self._prompts.wake_fd:
                for source, result in self._prompts.poll():
                    if isinstance(result, str):
                        self._engine.players.source_failed(source, result)
            else:
                link_fd = fd
        if self._commands or link_fd >= 0:
            self._apply_commands(link_fd, now)
        self._link.flush()

    def _take_recorded(self) -> None:
        try:
            events = self._writer.poll()
        except RuntimeError:  # calls go on without recording; `Health` says that the disk fails
            log.exception("recordings are lost from now on")
            self._ports.unwatch(self._writer.wake_fd)
            return
        for event in events:
            self._link.emit(event)
            if isinstance(event, RecordingFinished) and event.is_encoding:
                self._encoders.encode(event)

    def _take_encoded(self) -> None:
        try:
            events = self._encoders.poll()
        except RuntimeError:  # recordings stay WAV files until the next start
            log.exception("no MP3 is made from now on")
            self._ports.unwatch(self._encoders.wake_fd)
            return
        for event in events:
            self._link.emit(event)

    def _apply_commands(self, fd: int, now: float) -> None:
        """What the switch says, in order, for a bounded time: audio that flows comes before calls that begin."""
        if not self._commands and fd >= 0:
            self._commands.extend(self._link.handle(fd))
        until = time.monotonic() + COMMANDS_S
        while self._commands:
            self._engine.apply(self._commands.popleft(), now)
            self._owes_health |= self._engine.is_active
            if self._engine.is_active and time.monotonic() > until:
                return

    def _report_health(self) -> None:
        engine = self._engine
        self._link.emit(
            Health(
                sessions=len(engine.sessions),
                legs=engine.n_legs,
                tick_late_ms_max=round(self._late_max_s * 1000, 3),
                packets_dropped=self._ports.n_send_failures + engine.coding.n_dropped,
                packets_strange=engine.n_strangers,
                writer_backlog=self._writer.backlog,
                is_disk_failing=self._writer.is_failing,
                disk_error=self._writer.error,
            )
        )
        self._late_max_s = 0.0

    def _hello(self) -> Hello:
        return Hello(
            worker=self._name,
            version=PROTOCOL_VERSION,
            ports=sorted(self._ports.own_ports + self._ports.shared_ports),
            shared_ports=self._ports.shared_ports,
            sessions=list(self._engine.sessions),
            host=self._host,
            pid=os.getpid(),
        )

    def _watch(self, fd: int, is_writable: bool) -> None:
        self._ports.watch(fd, writable=is_writable)

    def _close(self) -> None:
        now = time.monotonic()
        self._beat.promise(now + CLOSE_S)
        for session in list(self._engine.sessions.values()):
            self._engine.finish_session(session, now)
        try:
            for event in self._writer.close():
                self._link.emit(event)
            self._prompts.close()
            self._engine.close()
            self._encoders.close()
        except (RuntimeError, TimeoutError):
            log.exception("not everything could be closed")
        self._link.close()
        self._ports.close_all()
        self._wake.close()
        self._waker.close()
        self._beat.close()


def raise_priority(want: str, level: int) -> None:
    """Real-time scheduling of the calling thread at priority `level`, or at least a negative nice value.

    Threads made afterwards inherit it. Logs a warning when neither is permitted.
    """
    if want == "none":
        return
    try:
        if want == "fifo":
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(level))
            return
    except (OSError, AttributeError) as error:
        log.warning("no real-time scheduling (%s); trying nice", error)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -level)
    except OSError as error:
        log.warning("no raised priority (%s): other processes can delay the audio", error)


def keep_memory() -> None:
    """Lets malloc keep what was freed, and take no pages of its own for large arrays; keeps the kernel from tidying.

    By default every large temporary array is mapped and unmapped anew: thousands of page faults in a tick, and on a
    virtual machine some of them cost 20 µs each (ticks of 40 ms were seen, with 8000 faults in them). And numpy asks
    for huge pages, which a kernel thread of the lowest priority puts together later; meanwhile nobody else of the
    process can have a page: that one waits for the processor, we for it.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(_PR_SET_THP_DISABLE, 1, 0, 0, 0)
    mallopt = getattr(libc, "mallopt", None)
    if mallopt is None:  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, 32 << 20)
    mallopt(_M_TRIM_THRESHOLD, 1 << 30)
    mallopt(_M_TOP_PAD, 16 << 20)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m media.worker", description="Ringback media worker")
    parser.add_argument("--name", default="", help="name in messages and logs")
    parser.add_argument("--socket", default="", help="path of the Unix socket for the switch")
    parser.add_argument("--rtp-fds", default="", metavar="FIRST:COUNT", help="inherited UDP sockets")
    parser.add_argument("--standby", action="store_true", help="wait for a slot's name on standard input")
    parser.add_argument("--slot", action="append", default=[], metavar="NAME:FIRST:COUNT:LISTENER:MEMORY")
    parser.add_argument("--shared-ports", type=int, default=0, help="how many of its ports many legs may share")
    parser.add_argument("--host", default="", help="the address peers are told")
    parser.add_argument("--cpus", default="", help="processors to run on, e.g. 1 or 2,3 (default: all)")
    parser.add_argument("--priority", choices=("fifo", "nice", "none"), default="fifo")
    parser.add_argument("--music", action="append", default=[], metavar="FOLDER", help="folder of moh:NAME files")
    parser.add_argument("--log-level", default="INFO")
    return parser.parse_args(arguments)


def own_place(options: argparse.Namespace) -> Place:
    """The place of a worker that is started by itself. Raises ValueError, OSError."""
    if not (options.name and options.socket and options.rtp_fds):
        raise ValueError("--name, --socket and --rtp-fds are needed, or --standby")
    first, count = map(int, options.rtp_fds.split(":"))
    return Place(options.name, inherit_pairs(first, count), listen(options.socket), -1)


def main(arguments: list[str] | None = None) -> int:
    """Runs the worker; its exit status."""
    options = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        place = wait_for_place(options.slot, sys.stdin) if options.standby else own_place(options)
        if place is None:
            return 0
        logging.basicConfig(
            level=options.log_level, format=f"%(asctime)s %(levelname)s {place.name} %(name)s: %(message)s"
        )
        if options.cpus:
            os.sched_setaffinity(0, {int(cpu) for cpu in options.cpus.split(",")})
        keep_memory()
        # Writer and loader may hold the interpreter lock, so nobody else may push them aside either; the tick may.
        raise_priority(options.priority, THREADS_PRIORITY)
        worker = Worker(
            *(place.name, place.listener, place.pairs, options.host, options.music, place.memory_fd),
            n_shared=min(options.shared_ports, len(place.pairs)),
        )
    except (ValueError, OSError) as error:
        print(f"media worker: {error}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    raise_priority(options.priority, TICK_PRIORITY)
    # Every packet's system call gives the interpreter lock away; the writer may not keep it for the usual 5 ms.
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    gc.collect()
    gc.freeze()
    gc.disable()
    log.info("%d RTP ports", len(place.pairs))
    try:
        worker.run()
    except Exception:
        log.exception("the worker dies of this; whoever takes its place goes on")
        # At once: nothing that threads still do may be waited for while calls are silent.
        os._exit(DIED)
    if options.socket:
        os.unlink(options.socket)
    return 0


if __name__ == "__main__":
    sys.exit(main())
