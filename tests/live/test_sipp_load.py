"""Fifty simultaneous calls with RTP both ways, at ten calls a second: nobody fails, nobody repeats himself, everybody
hears the other.

Times are not judged here (the benchmarks do); retransmissions are, because SIPp's timer is half a second.
"""

from tests.live.audio import hears
from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.peers import CALLEE_HZ, CALLER_HZ, answering, talking, towards_switch, trunks

_N_CALLS = 100
_N_AT_ONCE = 50
_TALK_MS = 5500


def test_fifty_calls_at_once_with_rtp_both_ways(bed: Bed) -> None:
    switch = bed.switch(**trunks())
    capture = bed.capture(f"udp and src host {SWITCH}")
    callee = bed.sipp(2, answering(bed), calls=_N_CALLS)
    caller = bed.sipp(
        1,
        talking(bed, milliseconds=_TALK_MS),
        **towards_switch(calls=_N_CALLS, rate=10, limit=_N_AT_ONCE),
    )
    figures = caller.finished(120)
    callee.finished()
    assert figures.peak == _N_AT_ONCE

    ended = switch.control.wait_for_n(_N_CALLS, "call.ended")
    assert {event["cause"] for event in ended} == {"NORMAL_CLEARING"}
    for host, hz in ((peer_address(1), CALLEE_HZ), (peer_address(2), CALLER_HZ)):
        streams = capture.rtp_to(host)
        assert len(streams) == _N_CALLS, "one stream a leg, whatever happened"
        assert [stream.source for stream in streams if stream.lost or stream.doubled] == []
        deaf = [stream.source for stream in streams if not hears(stream.audio, hz)]
        assert deaf == []
    assert capture.sip_repeated_by(SWITCH) == []

    status = switch.control.call("system.status")
    assert (status["n_calls"], status["n_legs"], status["unhandled_errors"]) == (0, 0, 0)
    assert status["calls_answered"] == _N_CALLS
    assert status["sip"]["n_retransmitted"] == 0
    for event in ended:
        record = switch.record_of(event["call_id"])
        assert record["talk_s"] > 0
        assert [leg["packets_lost"] for leg in record["legs"]] == [0, 0]
