"""baresip phones: a supervisor listens and whispers on a call of two others; a phone hears its echo.

What was relayed is compared packet by packet with what was sent, on the wire. Every other mode: tests/scenarios.
"""

from pathlib import Path

import pytest

from tests.live.audio import Wav, hears, tone_share
from tests.live.baresip import Baresip
from tests.live.capture import RtpStream
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.processes import wait_until
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import A_HZ, B_HZ, add_phone, connect, wait_heard

S_HZ = 1150.0
"""The supervisor's tone; the customer's is A_HZ, the agent's B_HZ."""


def share(phone: Baresip, hz: float, seconds: float = 1.0) -> float:
    """Which part of the last so many seconds of what the phone heard is this tone; 0 before it heard so much."""
    wavs = phone.heard()
    if not wavs or wavs[-1].seconds < seconds:
        return 0.0
    last = wavs[-1].channels[0][-int(seconds * wavs[-1].rate) :]
    return tone_share(last, hz, rate=wavs[-1].rate)


def wait_mixed(phone: Baresip, *tones: float) -> None:
    """Until the phone hears all of these tones, each as loud as the others."""
    least = 0.6 / len(tones)
    wait_until(
        lambda: all(share(phone, hz) > least for hz in tones),
        lambda: f"{phone.user} to hear {tones}; shares {[share(phone, hz) for hz in tones]}\n{phone.log[-3000:]}",
    )


def payloads(stream: RtpStream) -> list[bytes]:
    return [packet[3] for packet in stream.packets if packet[2] in (0, 8)]


def assert_relayed(streams: list[RtpStream], speaker: str, listener: str) -> int:
    """All that `listener` was sent is what `speaker` sent, bit by bit, from one packet of it on; how many that were."""
    [sent] = [payloads(one) for one in streams if one.source[0] == speaker and one.target[0] == SWITCH]
    [got] = [one for one in streams if one.source[0] == SWITCH and one.target[0] == listener]
    assert got.lost == got.doubled == 0
    heard = payloads(got)
    assert any(sent[begin : begin + len(heard)] == heard for begin in range(len(sent) - len(heard) + 1))
    return len(heard)


def on_call(bed: Bed) -> tuple[SwitchProcess, Baresip, Baresip, Baresip]:
    """The switch; 1002, a customer, talks with the agent 1001; 1003 may supervise."""
    switch = bed.switch(
        extension=[
            extension("1001", supervision_group="sales"),
            extension("1002"),
            extension("1003", supervises=["sales"]),
        ]
    )
    customer, agent = add_phone(bed, "1002", A_HZ), add_phone(bed, "1001", B_HZ)
    return switch, customer, agent, add_phone(bed, "1003", S_HZ)


@pytest.mark.parametrize("mode", ["listen", "whisper"])
def test_nobody_notices_who_listens_and_the_customer_nothing_of_a_whisper(bed: Bed, mode: str) -> None:
    switch, customer, agent, supervisor = on_call(bed)
    capture = bed.capture("udp")
    connect(customer, agent)
    wait_heard(customer, B_HZ)
    wait_heard(agent, A_HZ)
    call_id = switch.control.wait_for("call.connected")["call_id"]
    view = switch.control.call("monitor.start", supervisor="1003", extension="1001", mode=mode)
    supervisor.wait_for("CALL_INCOMING")
    supervisor.accept()
    switch.control.wait_for("monitor.started", monitor_id=view["monitor_id"])
    wait_mixed(supervisor, A_HZ, B_HZ)
    wait_mixed(agent, *((A_HZ, S_HZ) if mode == "whisper" else (A_HZ,)))
    assert hears(customer.heard()[-1].channels[0][-8000:], B_HZ)
    # His keys change what he does, and no one else gets them.
    supervisor.send_digits("1" if mode == "whisper" else "2")
    told = switch.control.wait_for("monitor.changed", monitor_id=view["monitor_id"])
    assert told["mode"] == ("listen" if mode == "whisper" else "whisper")
    wait_mixed(agent, *((A_HZ, S_HZ) if mode == "listen" else (A_HZ,)))
    supervisor.send_digits("#")
    supervisor.wait_for("CALL_CLOSED")
    wait_heard(agent, A_HZ)
    customer.hang_up()
    agent.wait_for("CALL_CLOSED")
    switch.control.wait_for("call.ended", call_id=call_id)

    streams = capture.rtp()
    # The customer was sent the agent's packets and nothing else, through all of it.
    assert assert_relayed(streams, agent.address, customer.address) > 50
    [to_agent] = [one for one in streams if one.source[0] == SWITCH and one.target[0] == agent.address]
    assert to_agent.lost == to_agent.doubled == 0 and to_agent.digits() == ""
    _assert_tracks(switch, call_id)


def test_both_parties_are_sent_the_same_samples_with_a_monitor_as_without(bed: Bed) -> None:
    """From the first packet to the last: before he comes, while he listens, after he left."""
    switch, customer, agent, supervisor = on_call(bed)
    capture = bed.capture("udp")
    connect(customer, agent)
    wait_heard(customer, B_HZ)
    wait_heard(agent, A_HZ)
    view = switch.control.call("monitor.start", supervisor="1003", extension="1001")
    supervisor.wait_for("CALL_INCOMING")
    supervisor.accept()
    switch.control.wait_for("monitor.started")
    wait_mixed(supervisor, A_HZ, B_HZ)
    switch.control.call("monitor.stop", monitor_id=view["monitor_id"])
    supervisor.wait_for("CALL_CLOSED")
    wait_heard(customer, B_HZ)
    wait_heard(agent, A_HZ)
    customer.hang_up()
    agent.wait_for("CALL_CLOSED")
    switch.control.wait_for("call.ended")

    streams = capture.rtp()
    assert assert_relayed(streams, agent.address, customer.address) > 50
    assert assert_relayed(streams, customer.address, agent.address) > 50
    [to_supervisor] = [one for one in streams if one.source[0] == SWITCH and one.target[0] == supervisor.address]
    assert len(to_supervisor.packets) > 20
    # No signalling but that of the call itself: one INVITE each, no re-INVITE, no INFO, no UPDATE.
    for phone in (customer, agent):
        methods = [
            datagram.data.split(b" ", 1)[0]
            for datagram in capture.datagrams
            if datagram.source[0] == SWITCH and datagram.target[0] == phone.address and b" SIP/2.0\r\n" in datagram.data
        ]
        assert set(methods) <= {b"INVITE", b"ACK", b"BYE", b"OPTIONS"}
        assert methods.count(b"INVITE") <= 1


def _assert_tracks(switch: SwitchProcess, call_id: str) -> None:
    """Customer and agent alone on the call's channels, the supervisor in a file of his own."""

    def finished() -> list[dict[str, object]]:
        recordings: list[dict[str, object]] = switch.control.call("recording.list", call_id=call_id)["recordings"]
        return [one for one in recordings if one["state"] == "finished"]

    wait_until(lambda: len(finished()) == 2, lambda: f"two files; there are {finished()}")
    files = {str(one["extension"]): Wav(Path(str(one["path"]))) for one in finished()}
    left, right = files["1001"].channels
    rate = files["1001"].rate
    assert hears(left, A_HZ, rate=rate) and hears(right, B_HZ, rate=rate)
    for channel in (left, right):
        for begin in range(0, len(channel) - rate, rate):
            assert tone_share(channel[begin : begin + rate], S_HZ, rate=rate) < 0.001
    [own] = files["1003"].channels
    rate = files["1003"].rate
    said = max(tone_share(own[begin : begin + rate // 2], S_HZ, rate=rate) for begin in range(0, len(own), rate // 2))
    assert said > 0.8
    assert tone_share(own, A_HZ, rate=rate) < 0.001


def test_a_phone_hears_its_echo(bed: Bed) -> None:
    bed.switch(extension=[extension("1001")])
    phone = add_phone(bed, "1001", B_HZ)
    capture = bed.capture("udp")
    phone.dial(f"sip:*43@{SWITCH}")
    phone.wait_for("CALL_ESTABLISHED")
    wait_heard(phone, B_HZ, seconds=2.0)
    phone.hang_up()
    streams = capture.rtp()
    [sent] = [payloads(one) for one in streams if one.source[0] == phone.address]
    [got] = [payloads(one) for one in streams if one.target[0] == phone.address]
    assert any(sent[begin : begin + 50] == got[-50:] for begin in range(len(sent) - 49)), "bit by bit"
