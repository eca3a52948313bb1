"""One datagram of a stranger: looked at with caution, and answered with no more bytes than it had."""

from typing import TYPE_CHECKING

from sip.clip import clip
from sip.flow import Flow
from switch.guard import Guard

if TYPE_CHECKING:
    from switch.runtime import Runtime


def answer_stranger(runtime: "Runtime", guard: Guard, data: bytes, flow: Flow, now: float, *, is_busy: bool) -> None:
    """`is_busy`: with 503, whatever it is."""
    n_malformed = runtime.stack.stats.n_malformed

    def send(answer: bytes, to: Flow) -> None:
        # This very datagram may have proved its sender.
        if (to.host, to.port) == (flow.host, flow.port) and not guard.is_known(flow, now):
            clipped = clip(answer, len(data))
            if clipped is None:
                guard.counters.n_clipped += 1
                return
            answer = clipped
        runtime.outside.send(answer, to)

    # Who has a connection has shown where it is.
    runtime.reply = send if flow.transport == "udp" else None
    try:
        runtime.perform_sip(runtime.stack.receive(data, flow, now, is_busy=is_busy), now)
    finally:
        runtime.reply = None
    if runtime.stack.stats.n_malformed != n_malformed:
        guard.malformed(flow, now)
