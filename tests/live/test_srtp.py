"""baresip phones with SDES-SRTP (RFC 4568): both ways over TLS, with a plain phone on the other side, hold and resume,
what is refused and why; on the wire nothing is readable.

Not here: SRTP and SDES themselves (tests/rtp/test_srtp.py, tests/sip/test_sdes.py).
"""

from pathlib import Path
from typing import Any

import pytest

from tests.live.audio import Wav, hears
from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import A_HZ, B_HZ, add_phone, connect, wait_heard
from tests.sip.net.certificates import Authority

MODULE = "module                  srtp.so"


def secure_switch(bed: Bed, folder: Path, *extensions: dict[str, Any], **media: Any) -> tuple[SwitchProcess, str]:
    """A switch with a TLS listener, and the phones' option to trust it."""
    authority = Authority(folder)
    certificate, key = authority.issue(SWITCH)
    sip = {
        "listen": [f"udp:{SWITCH}:5060", f"tcp:{SWITCH}:5060", f"tls:{SWITCH}:5061"],
        "tls_certificate": certificate,
        "tls_key": key,
    }
    return bed.switch(sip=sip, media=media, extension=list(extensions)), f"sip_cafile {authority.ca_file}"


def secure_phone(bed: Bed, user: str, hz: float, trust: str, mediaenc: str) -> Baresip:
    account = f";mediaenc={mediaenc}" if mediaenc else ""
    return add_phone(bed, user, hz, transport="tls", sip_extra=trust, account_extra=account, module_extra=MODULE)


def payloads_to(bed_capture: Any, phone: Baresip) -> list[bytes]:
    [stream] = bed_capture.rtp_to(phone.address)
    assert stream.lost == stream.doubled == 0
    return [packet[3] for packet in stream.packets if packet[2] in (0, 8)]


@pytest.mark.parametrize(("mode_a", "mode_b"), [("srtp", "srtp"), ("srtp-mand", "srtp-mand"), ("srtp-mand", "")])
def test_a_call_with_srtp(bed: Bed, tmp_path: Path, mode_a: str, mode_b: str) -> None:
    switch, trust = secure_switch(bed, tmp_path, extension("1001"), extension("1002"))
    a = secure_phone(bed, "1001", A_HZ, trust, mode_a)
    b = secure_phone(bed, "1002", B_HZ, trust, mode_b)
    capture = bed.capture(f"udp and src host {SWITCH}")
    connect(a, b)
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    a.hang_up()
    b.wait_for("CALL_CLOSED")
    ended = switch.control.wait_for("call.ended")
    record = switch.record_of(ended["call_id"])
    assert all(leg["packets_received"] > 40 and leg["packets_lost"] == 0 for leg in record["legs"])
    left, right = Wav(switch.recording_file(ended["call_id"])).channels
    assert hears(left, A_HZ) and hears(right, B_HZ)
    for phone, is_secure, hz in ((a, True, B_HZ), (b, bool(mode_b), A_HZ)):
        packets = payloads_to(capture, phone)
        assert {len(packet) for packet in packets} == ({170} if is_secure else {160})
        [stream] = capture.rtp_to(phone.address)
        assert hears(stream.audio, hz) is not is_secure


def test_who_is_called_with_srtp_by_a_plain_phone(bed: Bed, tmp_path: Path) -> None:
    switch, trust = secure_switch(bed, tmp_path, extension("1001"), extension("1002", srtp="required"))
    a = add_phone(bed, "1001", A_HZ)
    b = secure_phone(bed, "1002", B_HZ, trust, "srtp-mand")
    capture = bed.capture(f"udp and src host {SWITCH}")
    connect(a, b)
    wait_heard(a, B_HZ)
    wait_heard(b, A_HZ)
    b.hang_up()
    a.wait_for("CALL_CLOSED")
    switch.control.wait_for("call.ended")
    assert {len(packet) for packet in payloads_to(capture, b)} == {170}
    assert {len(packet) for packet in payloads_to(capture, a)} == {160}


def test_hold_and_resume_keep_the_keys(bed: Bed, tmp_path: Path) -> None:
    switch, trust = secure_switch(bed, tmp_path, extension("1001"), extension("1002"))
    a = secure_phone(bed, "1001", A_HZ, trust, "srtp-mand")
    b = secure_phone(bed, "1002", B_HZ, trust, "srtp-mand")
    connect(a, b)
    wait_heard(b, A_HZ)
    a.hold()
    switch.control.wait_for("call.held")
    a.resume()
    switch.control.wait_for("call.resumed")
    wait_heard(b, A_HZ, 2.0)
    a.hang_up()
    b.wait_for("CALL_CLOSED")
    record = switch.record_of(switch.control.wait_for("call.ended")["call_id"])
    assert sum(leg["packets_lost"] for leg in record["legs"]) == 0


@pytest.mark.parametrize("without_tls", [False, True])
def test_keys_in_readable_signalling(bed: Bed, without_tls: bool) -> None:
    """Refused, and said why, unless the configuration wants it so."""
    extensions = [extension("1001"), extension("1002")]
    switch = bed.switch(media={"srtp_without_tls": without_tls}, extension=extensions)
    options = {"account_extra": ";mediaenc=srtp-mand", "module_extra": MODULE}
    a, b = add_phone(bed, "1001", A_HZ, **options), add_phone(bed, "1002", B_HZ, **options)
    if without_tls:
        connect(a, b)
        wait_heard(a, B_HZ)
        wait_heard(b, A_HZ)
        return
    a.dial(f"sip:1002@{SWITCH}")
    assert "488" in a.wait_for("CALL_CLOSED")["param"]
    assert 'Warning: 302 ringback "' in a.log
    assert switch.control.call("call.list")["calls"] == []


def test_a_phone_without_srtp_where_it_is_required(bed: Bed, tmp_path: Path) -> None:
    _, trust = secure_switch(bed, tmp_path, extension("1001", srtp="required"), extension("1002"))
    a = secure_phone(bed, "1001", A_HZ, trust, "")
    secure_phone(bed, "1002", B_HZ, trust, "")
    a.dial(f"sip:1002@{SWITCH}")
    assert "488" in a.wait_for("CALL_CLOSED")["param"]
