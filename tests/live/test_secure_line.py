"""A card number typed by a caller, however the keys come: into a secret question of a flow, and again in a recorded
conversation while his line is secure. It is in no recording, event, log, trace, record or file; what he types before
and after is. Who asked for it in the conversation gets it, once.
"""

import base64
import datetime
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.inband_dtmf import InbandDetector
from tests.ivr.flow_of import document
from tests.live.audio import Pcm, Wav, encode_ulaw, power_db, tone
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.our_phone import OurPhones
from tests.live.peers import ACCESS_NUMBER, USER, hanging_up, inviting, towards_switch, trunks
from tests.live.sipp import capture_of, pause, receive, request, scenario, sdp, send
from tests.live.switch_process import PASSWORD, SwitchProcess, extension

ACCOUNT, CARD = "1357", "4929638014752603"
BEFORE, AFTER = "26", "89"
TYPED = ("13", "57", CARD, BEFORE, CARD, AFTER)
KEYPAD = {"1": (697, 1209), "2": (697, 1336), "3": (697, 1477), "4": (770, 1209), "5": (770, 1336), "6": (770, 1477),
          "7": (852, 1209), "8": (852, 1336), "9": (852, 1477), "0": (941, 1336), "#": (941, 1477)}  # fmt: skip
EVENT_CODES = {**{str(n): n for n in range(10)}, "#": 11}
KEY_FRAMES, REST_FRAMES = 5, 7
FRAME = 160
VOICE_HZ = 350.0


class Line:
    """What the caller sends, in pieces that are one RTP stream."""

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder, self._kind = folder, kind
        self._n_files = self._n_packets = self._n_frames = 0

    def keys(self, digits: str) -> list[str]:
        """Pieces of a scenario: keys one after the other, speech between them."""
        packets: list[tuple[float, bytes]] = []
        start = self._n_frames
        speech = encode_ulaw(tone(VOICE_HZ, 0.02 * REST_FRAMES))
        for digit in digits:
            if self._kind == "rfc4733":
                packets += self._event(digit, start)
            else:
                low, high = KEYPAD[digit]
                packets += self._audio(encode_ulaw(tone(low, 0.1) + tone(high, 0.1)), start)
            packets += self._audio(speech, start)
        file = capture_of(self._folder / f"keys{self._n_files}.pcap", packets)
        self._n_files += 1
        lasts_ms = 20 * (self._n_frames - start)
        return [f'  <nop><action><exec play_pcap_audio="{file}"/></action></nop>', pause(lasts_ms + 40)]

    def _event(self, digit: str, start: int) -> list[tuple[float, bytes]]:
        stamp, packets = self._n_frames * FRAME, []
        for n in range(KEY_FRAMES + 3):
            is_end = n >= KEY_FRAMES
            length = min(n + 1, KEY_FRAMES) * FRAME
            body = struct.pack(">BBH", EVENT_CODES[digit], 0x8A if is_end else 0x0A, length)
            packets.append((self._at_s(start), self._head(101 | (0 if n else 0x80), stamp) + body))
            self._n_frames += 1
        return packets

    def _audio(self, codes: bytes, start: int) -> list[tuple[float, bytes]]:
        packets = []
        for at in range(0, len(codes), FRAME):
            packets.append((self._at_s(start), self._head(0, self._n_frames * FRAME) + codes[at : at + FRAME]))
            self._n_frames += 1
        return packets

    def _at_s(self, start: int) -> float:
        return 0.02 * (self._n_frames - start)

    def _head(self, kind: int, stamp: int) -> bytes:
        self._n_packets += 1
        return struct.pack(">BBHII", 0x80, kind, self._n_packets, stamp, 4711)


def by_info() -> Callable[[str], list[str]]:
    n_sent = 1

    def keys(digits: str) -> list[str]:
        nonlocal n_sent
        pieces: list[str] = []
        for digit in digits:
            n_sent += 1
            body = f"Signal={digit}\n      Duration=100\n"
            info = send(request("INFO", user=USER, cseq=n_sent), body, retransmit=True)
            pieces += [info.replace("application/sdp", "application/dtmf-relay"), receive(200), pause(80)]
        return pieces

    return keys


def caller_of(folder: Path, kind: str) -> str:
    keys = by_info() if kind == "info" else Line(folder, kind).keys
    account, rest, card, before, again, after = map(keys, TYPED)
    begin = list(inviting(USER))
    offer = sdp(payloads="0 101" if kind == "rfc4733" else "0", port="[media_port]")
    begin[0] = send(request("INVITE", user=USER, cseq=1, in_dialog=False), offer, retransmit=True)
    # The pauses are for the agent's phone to answer, and for who asks for a secure line and its end.
    asked = [*account, *rest, pause(700), *card, pause(5000)]
    ended = hanging_up(cseq=100)
    return scenario(
        "typist", *begin, pause(500), *asked, *before, pause(3000), *again, pause(3000), *after, pause(500), *ended
    )


def flow() -> dict[str, Any]:
    say = [{"kind": "number", "value": "2048"}]
    return document(
        {"id": "account", "type": "collect", "variable": "account", "max_digits": 4, "say": say, "next": "card"},
        {"id": "card", "type": "collect", "variable": "card", "max_digits": 16, "is_secret": True, "say": say,
         "next_digit_s": 10, "next": "people"},
        {"id": "people", "type": "queue", "queue": "service"},
        variables=[{"name": "account"}, {"name": "card"}],
    )  # fmt: skip


def switch_of(bed: Bed, kind: str) -> SwitchProcess:
    flows = bed.folder / "flows"
    flows.mkdir()
    (flows / "main.json").write_text(json.dumps(flow()))
    trunk = trunks()["trunk"][0]  # type: ignore[index]
    return bed.switch(
        trunk=[{**trunk, "dtmf": kind}],
        node={"log_level": "debug"},
        access_number=[{"number": ACCESS_NUMBER, "to": "ivr:main"}],
        ivr={"flows": str(flows)},
        queue=[{"name": "service"}],
        extension=[extension("1001")],
        agent=[{"agent_id": "ana", "extension": "1001", "queues": [{"queue": "service"}]}],
    )


@pytest.mark.parametrize("kind", ["rfc4733", "inband", "info"])
def test_xivr_08_a_card_number_is_nowhere(bed: Bed, kind: str) -> None:
    switch = switch_of(bed, kind)
    control = switch.control
    machine, address = bed.network.add_phone()
    phones = OurPhones(machine, bed.folder)
    try:
        phones.do("add_phone", phone="1001", server=f"udp:{SWITCH}:5060", host=address, port=5060, password=PASSWORD,
                  tone_hz=620.0, answer_after_s=0.2)  # fmt: skip
        phones.wait("registered", phone="1001")
        control.call("agent.sign_in", agent_id="ana", extension="1001")
        control.call("agent.ready", agent_id="ana")
        trace_id = control.call("trace.start")["trace_id"]
        caller = bed.sipp(1, caller_of(bed.folder, kind), **towards_switch())  # type: ignore[arg-type]
        call_id = control.wait_for("call.created")["call_id"]
        leg_id = control.wait_for("call.connected")["leg_id"]
        control.wait_for("recording.started", call_id=call_id)
        control.wait_for("call.digit", digit=BEFORE[-1])
        control.call("call.secure", call_id=call_id, leg_id=leg_id, is_secure=True)
        control.wait_for("call.secure_digit", n_digits=len(CARD))
        told = control.call("call.secure", call_id=call_id, leg_id=leg_id, is_secure=False)
        assert told["digits"] == CARD
        control.wait_for("call.digit", digit=AFTER[-1])
        caller.finished()
        switch.calls_are_over()
    finally:
        phones.stop()
    record = switch.record_of(call_id)
    file = switch.recording_file(call_id)
    trace = control.call("trace.read", trace_id=trace_id)["messages"]
    assert len(trace) > 10
    judge_recording(Wav(file), control.events, kind)

    typed = [event["digit"] for event in control.events if event["event"] == "call.digit"]
    assert "".join(typed) == ACCOUNT + BEFORE + AFTER
    assert [event["is_secure"] for event in control.events if event["event"] == "call.secured"] == [True, False] * 2
    for told_of in (control.events, record, switch.log):
        assert CARD not in json.dumps(told_of)
        assert CARD[:6] not in json.dumps(told_of)
    shown = b"".join(base64.b64decode(message["data"]) for message in trace)
    assert shown.count(b"INFO sip:") == (len("".join(TYPED)) if kind == "info" else 0)
    assert not any(f"Signal={digit}".encode() in shown for digit in "0123456789")
    files = [each for each in switch.folder.rglob("*") if each.is_file() and each != file]
    assert any(each.name.startswith("ringback.db") for each in files)
    assert [each for each in files if CARD.encode() in each.read_bytes()] == []


def judge_recording(wav: Wav, events: list[dict[str, Any]], kind: str) -> None:
    """The customer's channel holds the keys before and after, where they are audible at all, and nothing of the time
    between; his voice is there before and after."""
    customer = wav.channels[0]
    if kind == "inband":
        assert digits_in(customer) == BEFORE + AFTER
    else:
        assert digits_in(customer) == ""
    began = at_s(next(event for event in events if event["event"] == "recording.started"))
    since, until = [at_s(event) - began for event in events if event["event"] == "call.secured"][-2:]
    assert until - since > 2.0
    quiet = customer[round((since + 0.3) * wav.rate) : round((until - 0.3) * wav.rate)]
    assert power_db(quiet) < -70
    if kind != "info":
        assert power_db(customer[: round(since * wav.rate)]) > -40
        assert power_db(customer[round(until * wav.rate) :]) > -40


def digits_in(samples: Pcm) -> str:
    detector, found = InbandDetector(), ""
    whole = np.concatenate([samples, np.zeros(1600)]) * 32768
    for at in range(0, len(whole) - FRAME, FRAME):
        frame = np.ascontiguousarray(whole[None, at : at + FRAME], np.float32)
        found += "".join(heard.digit for heard in detector.run(np.array([0]), frame))
    return found


def at_s(event: dict[str, Any]) -> float:
    return datetime.datetime.fromisoformat(event["at"]).timestamp()
