"""The relay fast path: packets forwarded in the poll they came in, payload untouched, header ours.

Every leg we send to has one SSRC and one unbroken row of sequence numbers and timestamps, whatever the source: relay,
mix, prompt, digits. So a relayed packet keeps its distance to its neighbours and is shifted by an offset that is set
when a stream enters the path.
"""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from media.arrays import LegTable
from rtp.header import HEADER_BYTES, Headers, rows_at

MARKER = 0x80


def next_timestamp(table: LegTable, row: int, now: float) -> int:
    """Timestamp of the next packet to the leg when its source changes: time that passed in silence counts."""
    last, step = int(table.out_ts[row]), int(table.step[row])
    if table.sent_at[row] < 0:
        return (last + 2 * step) & 0xFFFFFFFF
    ticks = table.packet_ticks(row)
    gap = (now - float(table.sent_at[row])) * 100 * step
    if gap >= 2 * ticks + 3 * step:
        ticks = round(gap / step) * step
    return (last + ticks) & 0xFFFFFFFF


def enter(table: LegTable, speaker: int, listener: int, seq: int, ts: int, now: float) -> None:
    """Sets the offsets so that the packet (`seq`, `ts`) of `speaker` continues what `listener` got so far."""
    table.relay_seq[speaker] = (int(table.out_seq[listener]) + 1 - seq) & 0xFFFF
    table.relay_ts[speaker] = (next_timestamp(table, listener, now) - ts) & 0xFFFFFFFF
    table.is_relay_set[speaker] = True


def rewrite(
    table: LegTable,
    headers: Headers,
    rows: NDArray[np.int64],
    legs: NDArray[np.int64],
    lengths: NDArray[np.int64],
    is_audio: NDArray[np.bool_],
    now: float,
) -> NDArray[np.int64]:
    """Makes the packets in arena rows `rows`, which rise, ours (from `legs`, all relayed, each leg once); returns the
    listeners."""
    listeners = table.relay_to.take(legs)
    at = rows_at(rows)
    h = headers[at]
    types = table.audio_type.take(listeners)
    if not is_audio.all():
        types = np.where(is_audio, types, table.event_type[listeners])
    marker_type = (h["marker_type"] & MARKER) | types
    if not table.is_relay_set.take(legs).all():
        for k in np.flatnonzero(~table.is_relay_set[legs]).tolist():
            row = int(rows[k])
            enter(table, int(legs[k]), int(listeners[k]), int(headers["seq"][row]), int(headers["ts"][row]), now)
            if is_audio[k]:
                marker_type[k] |= MARKER
    seq = cast("NDArray[np.uint16]", h["seq"].astype(np.uint16) + table.relay_seq.take(legs))
    ts = cast("NDArray[np.uint32]", h["ts"].astype(np.uint32) + table.relay_ts.take(legs))
    headers["marker_type"][at] = marker_type
    headers["seq"][at] = seq
    headers["ts"][at] = ts
    headers["ssrc"][at] = table.out_ssrc.take(listeners)
    payload = lengths - HEADER_BYTES
    # The clock of `next_timestamp` starts where a timestamp was first used: the packets of one event share theirs.
    is_moved = ts != table.out_ts.take(listeners)
    table.sent_at[listeners if is_moved.all() else listeners[is_moved]] = now
    newer = (seq - table.out_seq.take(listeners)).view(np.int16) > 0
    if newer.all():
        table.out_seq[listeners] = seq
        table.out_ts[listeners] = ts
        table.out_samples[listeners] = payload
    else:
        onto = listeners[newer]
        table.out_seq[onto] = seq[newer]
        table.out_ts[onto] = ts[newer]
        table.out_samples[onto] = payload[newer]
    table.packets_sent[listeners] += 1
    table.bytes_sent[listeners] += payload
    return listeners


def skip(table: LegTable, speaker: int) -> None:
    """One packet of the speaker is not forwarded; the listener must not see a gap for it."""
    table.relay_seq[speaker] -= np.uint16(1)
