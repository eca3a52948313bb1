"""Keys pressed on many legs through a lossy network and a whole engine in virtual time, and who heard which.

In every call phone `a` presses keys, 100 ms with 100 ms between them, as telephone-events or as tones in its audio;
phone `b` hears them. What `a` sends loses packets at random, what `b` is sent loses as many, where `b` is told events.
"""

import random

import numpy as np

from benchmarks.dtmf_q24 import dual_tone, listen
from media import g711
from media.inband_dtmf import KEYPAD
from model.media import ConnectMatrix, Digit, Edge
from rtp.events import DIGITS, EventReceiver
from tests.media.virtual import TYPES, Phone, World

EVENT_TYPE = 101
ON_TICKS = OFF_TICKS = 5
_LEAD_TICKS = 50
_SETTLE_S = 2.0


class Presser(Phone):
    """Presses `keys`: in-band as `voice`, or telephone-events in place of audio (RFC 4733 §2.5.1)."""

    keys: str
    kind: str
    loss: float
    rng: random.Random

    def prepare(self, keys: str, kind: str, loss: float, seed: int) -> None:
        self.keys, self.kind, self.loss, self.rng = keys, kind, loss, random.Random(seed)
        # Not in step with the packets, as on a line.
        shift = self.rng.randrange(160)
        parts = [np.zeros(160 * _LEAD_TICKS + shift)]
        for key in keys if kind == "inband" else "":
            parts += [dual_tone(key, 100, phase=self.rng.uniform(0, 3)), np.zeros(160 * OFF_TICKS)]
        self.voice = np.concatenate([*parts, np.zeros(160 * round(50 * _SETTLE_S))])

    def make_packet(self) -> bytes:
        tick = self.n
        packet: bytes = super().make_packet()
        self.sent.clear()
        self.is_muted = self.rng.random() < self.loss
        if self.kind == "inband" or tick < _LEAD_TICKS:
            return packet
        place, step = divmod(tick - _LEAD_TICKS, ON_TICKS + OFF_TICKS)
        # The last update is the first of three end packets; the other two take the place of two packets of silence.
        if place >= len(self.keys) or step >= ON_TICKS + 2:
            return packet
        duration = 160 * min(step + 1, ON_TICKS)
        body = bytes((DIGITS.index(self.keys[place]), 0x8A if step >= ON_TICKS - 1 else 10))
        began = (int.from_bytes(packet[4:8], "big") - 160 * step) & 0xFFFFFFFF
        marker = 0x80 if step == 0 else 0
        header = bytes((0x80, EVENT_TYPE | marker)) + packet[2:4] + began.to_bytes(4, "big") + packet[8:12]
        return header + body + duration.to_bytes(2, "big")


def press(
    kind: str, hears: str, n_digits: int, *, loss: float = 0.02, n_legs: int = 40, seed: int = 1
) -> dict[str, int]:
    """`n_digits` keys of `kind` ("rfc4733" or "inband") to listeners that are told "rfc4733" (in the same codec or,
    every second, another one) or "inband". Keys that the switch, and that the listeners, lost and got twice."""
    rng = random.Random(f"{seed} {kind} {hears}")
    each = -(-n_digits // n_legs)
    pressers, listeners = [], []
    for i in range(n_legs):
        presser = Presser(f"a{i}", 2 * i, phase_s=rng.uniform(0, 0.02))
        count = min(each, n_digits - i * each)
        presser.prepare("".join(rng.choice(KEYPAD) for _ in range(max(count, 0))), kind, loss, rng.randrange(1 << 30))
        pressers.append(presser)
        listeners.append(
            Phone(f"b{i}", 2 * i + 1, "PCMA" if i % 2 else "PCMU", level=0.0, phase_s=rng.uniform(0, 0.02))
        )
    world = World(*pressers, *listeners)
    for presser, listener in zip(pressers, listeners, strict=True):
        inband = {"detect": ("dtmf",)}
        world.configure(presser, **(inband if kind == "inband" else {"dtmf_payload_type": EVENT_TYPE}))
        world.configure(listener, dtmf_payload_type=EVENT_TYPE if hears == "rfc4733" else -1)
    edges = [Edge(a.name, b.name) for a, b in zip(pressers, listeners, strict=True)]
    world.do(ConnectMatrix(session="s", edges=edges))
    world.run((_LEAD_TICKS + each * (ON_TICKS + OFF_TICKS)) * 0.02 + _SETTLE_S)
    told: dict[str, str] = {}
    for event in world.events:
        if isinstance(event, Digit):
            told[event.leg] = told.get(event.leg, "") + event.digit
    if hears == "rfc4733":
        heard = [_events_of(listener, loss, rng) for listener in listeners]
    else:
        audio = [_audio_of(listener) for listener in listeners]
        heard = listen([samples for samples, _ in audio], [came for _, came in audio])
    result = {"pressed": 0, "lost": 0, "doubled": 0, "listener_lost": 0, "listener_doubled": 0}
    for presser, digits in zip(pressers, heard, strict=True):
        result["pressed"] += len(presser.keys)
        for prefix, got in (("", told.get(presser.name, "")), ("listener_", digits)):
            lost, doubled = compare(presser.keys, got)
            result[prefix + "lost"] += lost
            result[prefix + "doubled"] += doubled
    return result


def compare(pressed: str, heard: str) -> tuple[int, int]:
    """Keys of `pressed` that are not in `heard`, and keys too many in it, by the longest common row of keys."""
    if pressed == heard:
        return 0, 0
    row = [0] * (len(heard) + 1)
    for key in pressed:
        before = 0
        for j, other in enumerate(heard, 1):
            before, row[j] = row[j], before + 1 if key == other else max(row[j], row[j - 1])
    return len(pressed) - row[-1], len(heard) - row[-1]


def _events_of(phone: Phone, loss: float, rng: random.Random) -> str:
    receiver, digits = EventReceiver(), ""
    for each in phone.heard:
        digits += "".join(one.digit for one in receiver.handle_timeout(each.at))
        if each.type == EVENT_TYPE and rng.random() >= loss:
            digits += "".join(one.digit for one in receiver.receive(each.payload, each.ts, each.at))
    return digits + "".join(one.digit for one in receiver.finish())


def _audio_of(phone: Phone) -> tuple[np.ndarray, np.ndarray]:
    """What the listener's own jitter buffer makes of it: samples, and of each 20 ms whether they came (relayed packets
    that were lost on their way to us are holes in its stream as well)."""
    type_ = TYPES[phone.codec]
    packets = [each for each in phone.heard if each.type == type_]
    if not packets:
        return np.zeros(0), np.zeros(0, np.bool_)
    places = [((each.ts - packets[0].ts) & 0xFFFFFFFF) // 160 for each in packets]
    audio, came = np.zeros((max(places) + 1, 160)), np.zeros(max(places) + 1, np.bool_)
    for place, each in zip(places, packets, strict=True):
        audio[place] = g711.decoder(phone.codec)[np.frombuffer(each.payload, np.uint8)]
        came[place] = True
    return audio.reshape(-1), came
