"""What baresip phones do during a call: hold with music, resume, digits; hold, digits and prompts by the API.

Not here: setting calls up and their failures (test_phones).
"""

from tests.live.audio import Pcm, hears, power_db
from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.processes import wait_until
from tests.live.test_phones import A_HZ, B_HZ, connect, two_phones, wait_heard


def _heard_s(phone: Baresip) -> float:
    return sum(wav.seconds for wav in phone.heard())


def _wait_for_music(phone: Baresip, *not_hz: float) -> None:
    """Until one second from now on was heard whole, and was sound, and none of these tones."""
    begin_s = _heard_s(phone)

    def is_music() -> bool:
        last: Pcm = phone.heard()[-1].channels[0][-8000:]
        return _heard_s(phone) > begin_s + 1.2 and power_db(last) > -60 and not any(hears(last, hz) for hz in not_hz)

    wait_until(is_music, f"{phone.user} to hear music")


def test_hold_with_music_and_resume(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    capture = bed.capture(f"udp and src host {SWITCH}")
    connect(a, b)
    wait_heard(b, A_HZ)
    a.hold()
    held = switch.control.wait_for("call.held")
    _wait_for_music(b, A_HZ)
    a.resume()
    switch.control.wait_for("call.resumed", leg_id=held["leg_id"])
    resumed_s = _heard_s(b)
    wait_until(lambda: _heard_s(b) > resumed_s + 1.2, "1002 to hear more")
    wait_heard(b, A_HZ)
    b.hang_up()
    a.wait_for("CALL_CLOSED")
    record = switch.record_of(held["call_id"])
    assert 0.5 < record["hold_s"] < record["talk_s"]
    # After a hold of its own baresip 1.0.0 writes no more of what it hears (two of them without a switch do the same),
    # so what it was sent is judged.
    [to_a] = capture.rtp_to(a.address)
    assert to_a.lost == to_a.doubled == 0
    times = [packet[1] for packet in to_a.packets]
    [resumed] = [i for i in range(1, len(times)) if (times[i] - times[i - 1]) & 0xFFFFFFFF > 8000]
    after = to_a.audio[resumed * 160 :]
    assert len(after) > 0.8 * 8000 and hears(after, B_HZ)


def test_hold_and_resume_by_the_api(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    connect(a, b)
    wait_heard(b, A_HZ)
    [view] = switch.control.call("call.list")["calls"]
    [leg_id] = [leg["leg_id"] for leg in view["legs"] if leg["name"] == "1002"]
    switch.control.call("call.hold", call_id=view["call_id"], leg_id=leg_id)
    switch.control.wait_for("call.held", leg_id=leg_id)
    _wait_for_music(b, A_HZ)
    before_s = _heard_s(a)
    switch.control.call("call.resume", call_id=view["call_id"], leg_id=leg_id)
    switch.control.wait_for("call.resumed", leg_id=leg_id)
    wait_heard(b, A_HZ)
    wait_until(lambda: _heard_s(a) > before_s + 1, "1001 to hear anything again")
    wait_heard(a, B_HZ)


def test_digits_are_told_and_relayed(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    capture = bed.capture(f"udp and src host {SWITCH}")
    connect(a, b)
    wait_heard(b, A_HZ)
    call = switch.control.wait_for("call.connected")
    a.send_digits("159*0#")
    events = switch.control.wait_for_n(6, "call.digit")
    assert "".join(event["digit"] for event in events) == "159*0#"
    assert {event["call_id"] for event in events} == {call["call_id"]}
    assert all(event["duration_ms"] > 20 for event in events)
    for digit in "159*0#":
        assert b.wait_for("CALL_DTMF_START")["param"] == digit
    wait_heard(b, A_HZ)
    a.hang_up()
    b.wait_for("CALL_CLOSED")
    [to_b] = capture.rtp_to(b.address)
    assert to_b.digits() == "159*0#"
    assert to_b.lost == to_b.doubled == 0
    assert "".join(event["digit"] for event in switch.control.events if event["event"] == "call.digit") == "159*0#"


def test_digits_sent_by_the_api(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    connect(a, b)
    wait_heard(b, A_HZ)
    [view] = switch.control.call("call.list")["calls"]
    [leg_id] = [leg["leg_id"] for leg in view["legs"] if leg["name"] == "1002"]
    switch.control.call("call.dtmf", call_id=view["call_id"], leg_id=leg_id, digits="42#")
    for digit in "42#":
        assert b.wait_for("CALL_DTMF_START")["param"] == digit
    wait_heard(b, A_HZ)


def test_a_prompt_is_heard_and_the_talk_goes_on(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    connect(a, b)
    wait_heard(b, A_HZ)
    [view] = switch.control.call("call.list")["calls"]
    [leg_id] = [leg["leg_id"] for leg in view["legs"] if leg["name"] == "1002"]
    started = switch.control.call(
        "call.play", call_id=view["call_id"], leg_id=leg_id, sources=["tone:dial/cn"], loop=True
    )
    # The dial tone of China is 450 Hz, steady.
    wait_heard(b, 450.0)
    switch.control.call("call.stop_play", call_id=view["call_id"], leg_id=leg_id)
    switch.control.wait_for("call.play_finished", play_id=started["play_id"], reason="stopped")
    wait_heard(b, A_HZ)
