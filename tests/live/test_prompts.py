"""A sound file is uploaded over the control API, and callers of a flow hear it; replaced by another one while the
switch runs, the next caller hears that."""

import io
import json
import wave
from base64 import b64encode
from typing import Any

import numpy as np

from tests.ivr.flow_of import document
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import add_phone, wait_heard

PIECE = 30_000


def cd(hz: float, seconds: float) -> bytes:
    """A WAV as a studio delivers it: 48 kHz, stereo, with silence around it."""
    at = np.arange(int(48_000 * seconds)) / 48_000
    samples = np.concatenate([np.zeros(48_000), 0.05 * np.sin(2 * np.pi * hz * at), np.zeros(48_000)])
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(np.repeat(np.asarray(samples * 32767, "<i2"), 2).tobytes())
    return made.getvalue()


def upload(switch: SwitchProcess, content: bytes) -> str:
    upload_id = ""
    for offset in range(0, len(content), PIECE):
        piece = b64encode(content[offset : offset + PIECE]).decode()
        is_last = offset + PIECE >= len(content)
        uploaded = switch.control.call("prompt.upload", data=piece, upload_id=upload_id, offset=offset, is_last=is_last)
        upload_id = uploaded["upload_id"]
    assert 6.0 <= uploaded["duration_s"] <= 6.3
    return upload_id


def offer(switch: SwitchProcess, hz: float) -> None:
    audio = {"en": upload(switch, cd(hz, 6.0))}
    shown = switch.control.call("prompt.set", prompt="welcome", audio=audio)
    assert [each["language"] for each in shown["variants"]] == ["en"]
    switch.control.wait_for("prompt.changed", prompt="welcome")


def test_ivr_07_uploaded(bed: Bed) -> None:
    settings: dict[str, Any] = {
        "node": {"directory": str(bed.folder / "data")},
        "extension": [extension("1001")],
        "tests_role": "administrator",
    }
    before = bed.switch(**settings)
    offer(before, 660.0)
    before.finish()

    # A flow that names it is good now, after a restart too. Paths are short: baresip cuts them off at 127 characters.
    bed.folder = bed.folder / "2"
    flows = bed.folder / "flows"
    flows.mkdir(parents=True)
    say = [{"kind": "sound", "source": "prompt:welcome"}]
    (flows / "main.json").write_text(json.dumps(document({"id": "top", "type": "play", "say": say})))
    switch = bed.switch(**settings, ivr={"flows": str(flows)}, access_number=[{"number": "4001", "to": "ivr:main"}])
    phone = add_phone(bed, "1001", 440.0)
    for hz in (660.0, 880.0):
        if hz != 660.0:
            offer(switch, hz)
        phone.dial(f"sip:4001@{SWITCH}")
        phone.wait_for("CALL_ESTABLISHED")
        wait_heard(phone, hz)
        phone.hang_up()
        switch.calls_are_over()
    assert not [each for each in switch.control.events if each["event"] == "flow.trouble"]
