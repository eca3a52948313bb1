"""A network of its own for each live test: a namespace with addresses 10.9.0.1 to 10.9.0.30 for the switch and for
SIPp, and beside it, on one bridge of veth pairs, a namespace for each phone (10.9.0.101 …).

Real clients misbehave on bare 127.0.0.1 (they pick no interface, or offer no address), and baresip sends RTP from the
machine's first address whatever it offered, so every phone is a machine. There is a default route. Name servers of the
machine are local addresses here where nobody listens: a look-up is refused at once instead of hanging.

Only the network namespace is entered (`nsenter --net`), not what `ip netns exec` does besides: its mounts are refused
in a chroot, where the tests must run too.
"""

import contextlib
import ctypes
import ctypes.util
import functools
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

_PREFIX = "rb-live"
_FOLDER = Path("/run/netns")
_CLONE_NEWNET = 0x40000000
_N_ADDRESSES = 30

SWITCH = "10.9.0.1"
"""Where the switch under test listens."""


def peer_address(n: int) -> str:
    """Address for the n-th SIPp (1 …): one each, so that a capture can tell who was sent what."""
    assert 1 <= n < _N_ADDRESSES
    return f"10.9.0.{n + 1}"


class Namespace:
    """Made by `namespace()`; gone, with everything that runs in it, at the end of the block."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path = _FOLDER / name
        self._phones: list[str] = []
        self._n_phones = 0

    def command(self, *words: str) -> list[str]:
        """The command line that runs `words` inside; the process keeps its pid (nsenter execs)."""
        return ["nsenter", f"--net={self._path}", *words]

    def run(self, *words: str) -> str:
        """Run to the end inside; what it printed. Raises CalledProcessError with the error output in it."""
        return _run(*self.command(*words))

    def add_phone(self) -> tuple["Namespace", str]:
        """A machine of its own on the same network, and its address. It goes when this namespace goes."""
        self._n_phones += 1
        n = self._n_phones
        name, address = f"{self.name}-p{n}", f"10.9.0.{100 + n}"
        _remove(name)
        _run("ip", "netns", "add", name)
        self._phones.append(name)
        self.run("ip", "link", "add", f"port-{n}", "type", "veth", "peer", "name", "eth0", "netns", name)
        self.run("ip", "link", "set", f"port-{n}", "master", "lan0", "up")
        phone = Namespace(name)
        _batch(phone, "link set lo up", f"addr add {address}/24 dev eth0", "link set eth0 up", *_routes("eth0"))
        return phone, address

    def add_machine(self, name: str) -> "Namespace":
        """A machine that is connected with nothing yet. It goes when this namespace goes."""
        full = f"{self.name}-{name}"
        _remove(full)
        _run("ip", "netns", "add", full)
        self._phones.append(full)
        return Namespace(full)

    def remove(self) -> None:
        """End everything inside and take it away, phones first."""
        for phone in self._phones:
            _remove(phone)
        _remove(self.name)

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM, protocol: int = 0) -> socket.socket:
        """A socket inside, for use by this process: a socket belongs to the namespace of the thread that made it."""
        made: list[socket.socket] = []
        problems: list[OSError] = []

        def make() -> None:
            try:
                with open(self._path, "rb") as handle:
                    _set_namespace(handle.fileno())
                made.append(socket.socket(family, kind, protocol))
            except OSError as problem:
                problems.append(problem)

        thread = threading.Thread(target=make, name=f"socket in {self.name}")
        thread.start()
        thread.join()
        if problems:
            raise problems[0]
        return made[0]


@contextlib.contextmanager
def namespace(tag: str) -> Iterator[Namespace]:
    """A fresh namespace; `tag` tells the tests of one process apart."""
    name = f"{_PREFIX}-{os.getpid()}-{tag}"
    _remove(name)
    made = Namespace(name)
    try:
        _run("ip", "netns", "add", name)
        _furnish(made)
        yield made
    finally:
        made.remove()


def remove_stale() -> None:
    """Remove namespaces (and end the processes in them) that killed test runs left behind; only those of our naming
    whose maker is gone."""
    for entry in _FOLDER.glob(f"{_PREFIX}-*") if _FOLDER.is_dir() else ():
        match = re.fullmatch(rf"{_PREFIX}-(\d+)-.*", entry.name)
        if match is not None and not Path(f"/proc/{match[1]}").exists():
            _remove(entry.name)


@functools.cache
def why_not_permitted() -> str:
    """Why network namespaces cannot be made here, or "" when they can."""
    name = f"{_PREFIX}-{os.getpid()}-probe"
    try:
        _run("ip", "netns", "add", name)
        _run("nsenter", f"--net={_FOLDER / name}", "ip", "link", "add", "probe", "type", "bridge")
    except FileNotFoundError as problem:
        return f"{problem.filename} is not installed (scripts/install-test-packages)"
    except subprocess.CalledProcessError as problem:
        return f"network namespaces are not permitted here: {problem.stderr.strip()}"
    finally:
        with contextlib.suppress(FileNotFoundError):
            _remove(name)
    return ""


def skip_unless_permitted() -> None:
    reason = why_not_permitted()
    if reason:
        pytest.skip(reason)


def _furnish(made: Namespace) -> None:
    _batch(
        made,
        "link set lo up",
        # A bridge has a carrier only when one of its ports has: this pair is always there. Its far end must not answer
        # for the addresses of lan0, which Linux lets every interface do. Without a link address of its own the bridge
        # takes that of a port, another with each phone that comes, and phones would go on sending to the old one.
        "link add lan0 address 02:00:0a:09:00:01 type bridge",
        "link add veth-a type veth peer name veth-b",
        "link set veth-b arp off up",
        "link set veth-a master lan0 up",
        *(f"addr add 10.9.0.{n}/24 dev lan0" for n in range(1, _N_ADDRESSES + 1)),
        "link set lan0 up",
        *_routes("lan0"),
    )


def _routes(device: str) -> list[str]:
    return [
        f"route add default via 10.9.0.254 dev {device}",
        *(f"addr add {server}/32 dev lo" for server in _name_servers()),
    ]


def _batch(where: Namespace, *lines: str) -> None:
    words = where.command("ip", "-batch", "-")
    subprocess.run(words, input="\n".join(lines), check=True, capture_output=True, text=True)


def _name_servers() -> list[str]:
    try:
        text = Path("/etc/resolv.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    servers = re.findall(r"^nameserver\s+(\d+\.\d+\.\d+\.\d+)\s*$", text, re.MULTILINE)
    return [server for server in dict.fromkeys(servers) if not server.startswith(("127.", "10.9.0."))]


def _remove(name: str) -> None:
    if not (_FOLDER / name).exists():
        return
    pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout.split()
    for pid in pids:
        if int(pid) != os.getpid():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def _set_namespace(descriptor: int) -> None:
    # os.setns came with Python 3.12.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
