"""Real phones transfer real calls, and everybody hears whom he should: blind by the phone (REFER), by the API, after a
consultation, and by joining two calls (REFER with Replaces).

What else may happen meanwhile is tested in virtual time (tests/scenarios/test_transfers, test_consults, test_joining).
"""

from tests.live.audio import Wav, hears
from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.our_phone import OurPhones
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import A_HZ, B_HZ, add_phone, connect, wait_heard

C_HZ = 930.0


def three_phones(bed: Bed) -> tuple[SwitchProcess, Baresip, Baresip, Baresip]:
    switch = bed.switch(extension=[extension("1001"), extension("1002"), extension("1003")])
    return switch, add_phone(bed, "1001", A_HZ), add_phone(bed, "1002", B_HZ), add_phone(bed, "1003", C_HZ)


def take(phone: Baresip) -> None:
    phone.wait_for("CALL_INCOMING")
    phone.accept()


def record_of(switch: SwitchProcess, last: Baresip) -> dict[str, object]:
    """Ends the call; its record."""
    last.hang_up()
    return switch.record_of(switch.control.wait_for("call.ended")["call_id"])


def test_blind_transfer_by_the_phone(bed: Bed) -> None:
    switch, a, b, c = three_phones(bed)
    connect(a, b)
    wait_heard(b, A_HZ)
    b.command("transfer", f"sip:1003@{SWITCH}")
    take(c)
    switch.control.wait_for("call.transferred", kind="blind", number="1003")
    b.wait_for("CALL_CLOSED")
    wait_heard(a, C_HZ)
    wait_heard(c, A_HZ)
    record = record_of(switch, a)
    assert [leg["name"] for leg in record["legs"]] == ["1001", "1002", "1003"]


def test_blind_transfer_by_the_api_is_in_one_recording(bed: Bed) -> None:
    switch, a, b, c = three_phones(bed)
    connect(a, b)
    wait_heard(a, B_HZ)
    [view] = switch.control.call("call.list")["calls"]
    [leg_id] = [leg["leg_id"] for leg in view["legs"] if leg["name"] == "1002"]
    switch.control.call("call.transfer", call_id=view["call_id"], leg_id=leg_id, to="1003")
    b.wait_for("CALL_CLOSED")
    take(c)
    wait_heard(a, C_HZ)
    wait_heard(c, A_HZ)
    record_of(switch, a)
    switch.control.wait_for("recording.finished", call_id=view["call_id"])
    left, right = Wav(switch.recording_file(view["call_id"])).channels
    assert hears(left, A_HZ)
    assert hears(right[:8000], B_HZ) and hears(right[-8000:], C_HZ), "first one agent, then the other"


def test_attended_transfer_by_the_api(bed: Bed) -> None:
    switch, a, b, c = three_phones(bed)
    connect(a, b)
    wait_heard(b, A_HZ)
    [view] = switch.control.call("call.list")["calls"]
    [leg_id] = [leg["leg_id"] for leg in view["legs"] if leg["name"] == "1002"]
    consult = switch.control.call("consult.start", call_id=view["call_id"], leg_id=leg_id, to="1003")
    take(c)
    wait_heard(c, B_HZ)
    wait_heard(b, C_HZ)
    switch.control.call("consult.complete", consult_id=consult["consult_id"])
    b.wait_for("CALL_CLOSED")
    wait_heard(a, C_HZ)
    wait_heard(c, A_HZ)
    record = record_of(switch, c)
    assert [leg["hangup_cause"] for leg in record["legs"]][1] == "ATTENDED_TRANSFER"


def test_attended_transfer_by_the_phone_joins_two_calls(bed: Bed) -> None:
    switch = bed.switch(extension=[extension("1001"), extension("1002"), extension("1003")])
    a, c = add_phone(bed, "1001", A_HZ), add_phone(bed, "1003", C_HZ)
    phones = OurPhones(bed.network, bed.folder)
    try:
        phones.add("1002", peer_address(2), B_HZ)
        a.dial(f"sip:1002@{SWITCH}")
        first = phones.wait("incoming")["call"]
        phones.do("answer", phone="1002", call=first)
        wait_heard(a, B_HZ)
        phones.do("hold", phone="1002", call=first)
        phones.wait("held", call=first)
        phones.do("call", phone="1002", call="second", number="1003")
        take(c)
        wait_heard(c, B_HZ)
        phones.do("transfer", phone="1002", call=first, number="1003", replacing="second")
        absorbed = switch.control.wait_for("call.absorbed")
        phones.wait("transfer", call=first, status=200)
        wait_heard(a, C_HZ)
        wait_heard(c, A_HZ)
        record = record_of(switch, a)
        assert record["call_id"] == absorbed["into_call_id"]
        assert record["absorbed"] == [absorbed["call_id"]]
        assert [leg["name"] for leg in record["legs"]] == ["1001", "1002", "1002", "1003"]
    finally:
        phones.stop()
