"""Callers walk a menu of three levels by their keys, however these come: RTP events, tones in the audio, SIP INFO, a
baresip phone. Each must reach the right leaf.
"""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.ivr.flow_of import document
from tests.live.audio import encode_ulaw, tone
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.peers import ACCESS_NUMBER, USER, hung_up, inviting, towards_switch, trunks
from tests.live.sipp import capture_of, pause, receive, request, scenario, sdp, send
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import add_phone

KEYS = "12#"
CODES = {"1": 1, "2": 2, "3": 3, "*": 10, "#": 11}
TONES = {"1": (697, 1209), "2": (697, 1336), "3": (697, 1477), "*": (941, 1209), "#": (941, 1477)}
KEY_S, REST_S = 0.12, 0.28
PACKET = 160


def menu(name: str, **choices: str) -> dict[str, object]:
    say = [{"kind": "sound", "source": "voice:zh/for_other"}, {"kind": "number", "value": "10010"}]
    return {"id": name, "type": "menu", "say": say, "choices": choices, "no_input": "lost", "no_match": "lost"}


def three_levels() -> dict[str, object]:
    leaves = ["lost", *(f"leaf{a}{b}{c}" for a in "12" for b in "12" for c in ("star", "pound"))]
    second = [menu(f"m{a}", **{b: f"m{a}{b}" for b in "12"}) for a in "12"]
    third = [menu(f"m{a}{b}", **{"*": f"leaf{a}{b}star", "#": f"leaf{a}{b}pound"}) for a in "12" for b in "12"]
    ends = [{"id": name, "type": "hang_up"} for name in leaves]
    return document(menu("top", **{"1": "m1", "2": "m2"}), *second, *third, *ends)


def switch_with_flow(bed: Bed, **config: object) -> SwitchProcess:
    flows = bed.folder / "flows"
    flows.mkdir()
    (flows / "main.json").write_text(json.dumps(three_levels()))
    return bed.switch(ivr={"flows": str(flows)}, **config)


def ended_at(switch: SwitchProcess) -> tuple[str, str]:
    ended = switch.control.wait_for("flow.ended")
    return ended["at_node"], ended["result"]


def events_file(folder: Path) -> Path:
    """Keys as RTP events (RFC 4733 §2.5.1.2): one timestamp each, its length growing, the end three times."""
    packets = []
    at_s, sequence = 0.1, 0
    for key in KEYS:
        stamp = int(at_s * 8000)
        for n in range(1, 9):
            length = min(n, 6) * PACKET
            body = struct.pack(">BBH", CODES[key], 0x8A if n >= 6 else 0x0A, length)
            marker = 0x80 if n == 1 else 0
            packets.append((at_s + 0.02 * n, struct.pack(">BBHII", 0x80, marker | 101, sequence, stamp, 77) + body))
            sequence += 1
        at_s += KEY_S + REST_S
    return capture_of(folder / "events.pcap", packets)


def tones_file(folder: Path) -> Path:
    """Keys as two tones each, in PCMU."""
    quiet = np.zeros(int(REST_S * 8000), np.int16)
    parts = [quiet]
    for key in KEYS:
        low, high = TONES[key]
        parts += [tone(low, KEY_S) + tone(high, KEY_S), quiet]
    codes = encode_ulaw(np.concatenate(parts))
    packets = [
        (0.02 * n, struct.pack(">BBHII", 0x80, 0, n, n * PACKET, 78) + codes[n * PACKET : (n + 1) * PACKET])
        for n in range(len(codes) // PACKET)
    ]
    return capture_of(folder / "tones.pcap", packets)


def played(file: Path) -> tuple[str, ...]:
    return (f'  <nop><action><exec play_pcap_audio="{file}"/></action></nop>',)


def by_info() -> tuple[str, ...]:
    pieces: list[str] = []
    for n, key in enumerate(KEYS):
        body = f"Signal={key}\n      Duration=120\n"
        info = send(request("INFO", user=USER, cseq=2 + n), body, retransmit=True)
        pieces += [info.replace("application/sdp", "application/dtmf-relay"), receive(200), pause(200)]
    return tuple(pieces[:-1])


@pytest.mark.parametrize("kind", ["rfc4733", "inband", "info"])
def test_each_kind_of_key_reaches_the_right_leaf(bed: Bed, kind: str) -> None:
    config = trunks()
    config["access_number"] = [{"number": ACCESS_NUMBER, "to": "ivr:main"}]
    del config["route"]
    config["trunk"] = [{**config["trunk"][0], "dtmf": kind}]  # type: ignore[index]
    switch = switch_with_flow(bed, **config)
    pieces = {
        "rfc4733": lambda: played(events_file(bed.folder)),
        "inband": lambda: played(tones_file(bed.folder)),
        "info": by_info,
    }[kind]()
    payloads = "0 101" if kind == "rfc4733" else "0"
    begin = list(inviting(USER))
    offer = sdp(payloads=payloads, port="[media_port]")
    begin[0] = send(request("INVITE", user=USER, cseq=1, in_dialog=False), offer, retransmit=True)
    caller = bed.sipp(1, scenario("keys", *begin, pause(400), *pieces, *hung_up()), **towards_switch())
    caller.finished()
    assert ended_at(switch) == ("main/leaf12pound", "ended")


def test_a_baresip_phone_reaches_the_right_leaf(bed: Bed) -> None:
    switch = switch_with_flow(bed, extension=[extension("1001")], access_number=[{"number": "4001", "to": "ivr:main"}])
    phone = add_phone(bed, "1001", 440.0)
    phone.dial(f"sip:4001@{SWITCH}")
    phone.wait_for("CALL_ESTABLISHED")
    phone.send_digits("21*")
    assert ended_at(switch) == ("main/leaf21star", "ended")
