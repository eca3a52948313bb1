"""baresip phones on the switch: registering by UDP, TCP and TLS, calls with audio, record and recording, busy,
no answer, cancel, nobody there, calls placed by the API.

Not here: hold, music and digits (test_phone_features).
"""

from pathlib import Path

import pytest

from tests.live.audio import Wav, hears
from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.processes import wait_until
from tests.live.switch_process import PASSWORD, SwitchProcess, extension
from tests.sip.net.certificates import Authority

A_HZ, B_HZ = 440.0, 700.0


def add_phone(
    bed: Bed, user: str, hz: float, *, transport: str = "udp", account_extra: str = "", **options: str
) -> Baresip:
    """A phone of extension `user`, registered."""
    account = f";auth_pass={PASSWORD};regint=60{account_extra}"
    phone = bed.phone(user, hz=hz, account=account, uri_params=f";transport={transport}", **options)
    phone.wait_for_line("[1 binding]")
    return phone


def two_phones(bed: Bed, **extensions: object) -> tuple[SwitchProcess, Baresip, Baresip]:
    """A switch with 1001 and 1002 registered."""
    switch = bed.switch(extension=[extension("1001"), extension("1002", **extensions)])
    return switch, add_phone(bed, "1001", A_HZ), add_phone(bed, "1002", B_HZ)


def connect(a: Baresip, b: Baresip) -> None:
    """`a` calls `b`, who accepts."""
    a.dial(f"sip:{b.user}@{SWITCH}")
    b.wait_for("CALL_INCOMING")
    b.accept()
    a.wait_for("CALL_ESTABLISHED")
    b.wait_for("CALL_ESTABLISHED")


def wait_heard(phone: Baresip, hz: float, seconds: float = 1.0) -> None:
    """Until the last so many seconds of what the phone heard are this tone."""

    def is_heard() -> bool:
        wavs = phone.heard()
        if not wavs:
            return False
        size = int(seconds * wavs[-1].rate)
        last = wavs[-1].channels[0][-size:]
        return len(last) >= size and hears(last, hz, rate=wavs[-1].rate)

    def what() -> str:
        heard = [wav.seconds for wav in phone.heard()]
        return f"{phone.user} to hear {hz:g} Hz; heard {heard} s\n{phone.log[-5000:]}"

    wait_until(is_heard, what)


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_register_and_unregister(bed: Bed, tmp_path: Path, transport: str) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.issue(SWITCH)
    sip = {
        "listen": [f"udp:{SWITCH}:5060", f"tcp:{SWITCH}:5060", f"tls:{SWITCH}:5061"],
        "tls_certificate": certificate,
        "tls_key": key,
    }
    switch = bed.switch(sip=sip, extension=[extension("1001"), extension("1002")])
    phone = add_phone(bed, "1001", A_HZ, transport=transport, sip_extra=f"sip_cafile {authority.ca_file}")
    [shown] = switch.control.call("registration.list")["registrations"]
    assert shown["extension"] == "1001" and "baresip" in shown["user_agent"].lower()
    assert shown["address"].startswith(f"{transport}:{phone.address}:") and 0 < shown["expires_s"] < 61

    other = add_phone(bed, "1002", B_HZ)
    connect(other, phone)
    wait_heard(phone, B_HZ)
    wait_heard(other, A_HZ)
    phone.hang_up()
    other.wait_for("CALL_CLOSED")

    phone.stop()
    switch.control.wait_for("registration.removed", extension="1001")


def test_a_phone_with_a_wrong_password_is_refused(bed: Bed) -> None:
    switch = bed.switch(extension=[extension("1001")])
    phone = bed.phone("1001", account=";auth_pass=not-the-password;regint=60")
    phone.wait_for_line("401 Unauthorized")
    assert switch.control.call("registration.list")["registrations"] == []


def test_a_call_with_audio_record_and_recording(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    connect(a, b)
    connected = switch.control.wait_for("call.connected")
    [view] = switch.control.call("call.list")["calls"]
    assert (view["caller"], view["dialed"], view["direction"], view["phase"]) == ("1001", "1002", "internal", "bridged")
    assert {leg["name"]: leg["state"] for leg in view["legs"]} == {"1001": "answered", "1002": "answered"}
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    a.hang_up()
    b.wait_for("CALL_CLOSED")

    ended = switch.control.wait_for("call.ended", call_id=connected["call_id"])
    assert (ended["cause"], ended["side"]) == ("NORMAL_CLEARING", "caller")
    record = switch.record_of(ended["call_id"])
    assert (record["caller"], record["dialed"], record["extension"]) == ("1001", "1002", "1002")
    assert record["talk_s"] >= 1 and record["ringing_utc"] <= record["answered_utc"] <= record["bridged_utc"]
    assert all(leg["packets_received"] > 40 and leg["packets_lost"] == 0 for leg in record["legs"])
    wav = Wav(switch.recording_file(ended["call_id"]))
    left, right = wav.channels
    assert hears(left, A_HZ) and hears(right, B_HZ), "caller left, called right"
    [listed] = switch.control.call("recording.list", call_id=ended["call_id"])["recordings"]
    assert listed["size"] == wav.size and abs(listed["duration_s"] - wav.seconds) < 0.1 and len(listed["sha256"]) == 64


def test_called_phone_hangs_up(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    connect(b, a)
    wait_heard(b, A_HZ)
    a.hang_up()
    b.wait_for("CALL_CLOSED")
    ended = switch.control.wait_for("call.ended")
    assert ended["cause"] == "NORMAL_CLEARING" and (ended["caller"], ended["dialed"]) == ("1002", "1001")


def test_busy(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    a.dial(f"sip:1002@{SWITCH}")
    b.wait_for("CALL_INCOMING")
    b.hang_up()
    assert "486" in a.wait_for("CALL_CLOSED")["param"]
    ended = switch.control.wait_for("call.ended", cause="USER_BUSY")
    assert switch.record_of(ended["call_id"])["answered_utc"] == 0


def test_no_answer(bed: Bed) -> None:
    switch, a, b = two_phones(bed, ring_timeout_s=1.5)
    a.dial(f"sip:1002@{SWITCH}")
    b.wait_for("CALL_INCOMING")
    a.wait_for("CALL_RINGING")
    assert "480" in a.wait_for("CALL_CLOSED")["param"]
    b.wait_for("CALL_CLOSED")
    switch.control.wait_for("call.ended", cause="NO_ANSWER")


def test_no_answer_goes_to_another(bed: Bed) -> None:
    extensions = [extension("1001"), extension("1002", ring_timeout_s=1.5, no_answer_to="1003"), extension("1003")]
    switch = bed.switch(extension=extensions)
    a, b, c = add_phone(bed, "1001", A_HZ), add_phone(bed, "1002", B_HZ), add_phone(bed, "1003", 900)
    a.dial(f"sip:1002@{SWITCH}")
    b.wait_for("CALL_INCOMING")
    c.wait_for("CALL_INCOMING")
    c.accept()
    a.wait_for("CALL_ESTABLISHED")
    b.wait_for("CALL_CLOSED")
    wait_heard(a, 900)
    wait_heard(c, A_HZ)
    a.hang_up()
    record = switch.record_of(switch.control.wait_for("call.ended")["call_id"])
    assert (record["dialed"], record["extension"]) == ("1002", "1003")


def test_the_caller_gives_up(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    a.dial(f"sip:1002@{SWITCH}")
    b.wait_for("CALL_INCOMING")
    a.wait_for("CALL_RINGING")
    a.hang_up()
    b.wait_for("CALL_CLOSED")
    switch.control.wait_for("call.ended", cause="ORIGINATOR_CANCEL")


@pytest.mark.parametrize(
    ("number", "status"), [("1002", "480"), ("4711", "404")], ids=["not registered", "no such number"]
)
def test_nobody_there(bed: Bed, number: str, status: str) -> None:
    bed.switch(extension=[extension("1001"), extension("1002")])
    a = add_phone(bed, "1001", A_HZ)
    a.dial(f"sip:{number}@{SWITCH}")
    assert status in a.wait_for("CALL_CLOSED")["param"]


def test_a_call_placed_and_ended_by_the_api(bed: Bed) -> None:
    switch, a, b = two_phones(bed)
    call_id = switch.control.call("call.originate", **{"from": "1001", "to": "1002"})["call_id"]
    a.wait_for("CALL_INCOMING")
    a.accept()
    b.wait_for("CALL_INCOMING")
    b.accept()
    switch.control.wait_for("call.connected", call_id=call_id)
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    switch.control.call("call.hangup", call_id=call_id)
    a.wait_for("CALL_CLOSED")
    b.wait_for("CALL_CLOSED")
    ended = switch.control.wait_for("call.ended", call_id=call_id)
    assert ended["cause"] == "NORMAL_CLEARING" and switch.record_of(call_id)["talk_s"] > 0
