"""The speech worker: a process of its own, so that nothing that speaks can hold up calls. Started by the switch.

Reads wishes from one socket and answers there (model/speech.py). It ends when the socket does.
"""

import argparse
import contextlib
import logging
import os
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import msgspec

from model.speech import BEAT_S, MAX_FRAME, Alive, FromSpeech, Setup, Speak, SpeechVoice, ToSpeech, Used
from speech.cache import SpeechCache
from speech.desk import Desk

log = logging.getLogger(__name__)

HANG_S = 60.0
"""A provider that speaks one text for so long hangs: only another process helps."""
HANGS = 70
"""Exit status for it."""
NICE = 5
_LENGTH = struct.Struct(">I")
_READ = 1 << 16


class Link:
    """Messages over a stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(ToSpeech).decode
        self._buffer = bytearray()

    def send(self, message: FromSpeech) -> None:
        """From any thread. Raises OSError when nobody is there any more."""
        data = self._encode(message)
        with self._lock:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)

    def receive(self) -> list[ToSpeech] | None:
        """What came; None when the other side is gone. Raises msgspec.DecodeError."""
        data = self._socket.recv(_READ)
        if not data:
            return None
        self._buffer += data
        messages: list[ToSpeech] = []
        while len(self._buffer) >= 4:
            (size,) = _LENGTH.unpack_from(self._buffer)
            if size > MAX_FRAME:
                raise msgspec.DecodeError(f"a message of {size} bytes")
            if len(self._buffer) < 4 + size:
                break
            messages.append(self._decode(bytes(self._buffer[4 : 4 + size])))
            del self._buffer[: 4 + size]
        return messages


class Worker:
    def __init__(self, setup: Setup, link: Link) -> None:
        self._link = link
        self._cache = SpeechCache(Path(setup.folder), setup.max_bytes)
        self._desks = {voice.language: self._desk(voice) for voice in setup.voices}
        for language, desk in self._desks.items():
            if desk.problem:
                log.error("x nothing can be spoken in %s: %s", language, desk.problem)

    def take(self, message: ToSpeech) -> None:
        match message:
            case Speak(language=language):
                desk = self._desks.get(language)
                if desk is None:
                    desk = self._desks[language] = self._desk(SpeechVoice(language=language, provider="espeak"))
                desk.ask(message)
            case Used(paths=paths):
                self._cache.used(paths)
            case Setup():
                raise msgspec.DecodeError("a second Setup")

    def hangs(self, now: float) -> bool:
        started = [desk.oldest for desk in list(self._desks.values())]
        return any(one is not None and now - one > HANG_S for one in started)

    def _desk(self, voice: SpeechVoice) -> Desk:
        return Desk(voice, self._cache, self._link.send)


def beat(link: Link, worker: Worker) -> None:
    """Shows that we live, until somebody should take our place."""
    while True:
        time.sleep(BEAT_S)
        if worker.hangs(time.monotonic()):
            log.error("x a text is being spoken for more than %.0f s; ending", HANG_S)
            os._exit(HANGS)
        try:
            link.send(Alive())
        except OSError:
            os._exit(0)


def serve(sock: socket.socket) -> int:
    """Until the other side is gone; the exit status."""
    link = Link(sock)
    worker: Worker | None = None
    try:
        while (messages := link.receive()) is not None:
            for message in messages:
                if worker is not None:
                    worker.take(message)
                    continue
                if not isinstance(message, Setup):
                    raise msgspec.DecodeError("the first message is no Setup")
                worker = Worker(message, link)
                threading.Thread(target=beat, args=(link, worker), name="speech-beat", daemon=True).start()
    except ConnectionError:
        return 0
    except (OSError, msgspec.DecodeError) as error:
        log.error("x the speech worker cannot go on: %s", error)
        return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="speech.worker")
    parser.add_argument("--fd", required=True, type=int, help="socket of the switch")
    parser.add_argument("--log-level", default="INFO")
    arguments = parser.parse_args()
    logging.basicConfig(level=arguments.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # httpx tells every request, with what it is about.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # Calls come first.
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    status = serve(socket.socket(fileno=arguments.fd))
    # Threads in the middle of a text are not waited for.
    logging.shutdown()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
