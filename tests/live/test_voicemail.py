"""baresip phones leave messages and hear them: it is the caller's voice that is kept, it is heard again, and it is
still there when the switch was killed while it was spoken."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.live.audio import Wav, hears
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.processes import wait_until
from tests.live.switch_process import CONTROL, SwitchProcess, extension
from tests.live.test_phones import A_HZ, add_phone, wait_heard

BOXES: list[dict[str, Any]] = [
    {"name": "office", "number": "7001", "extensions": ["1002"], "silence_s": 0, "has_review": False, "min_s": 0.5}
]


def switch_with_box(bed: Bed) -> SwitchProcess:
    return bed.switch(
        extension=[extension("1001"), extension("1002")],
        voicemail=BOXES,
    )


def messages(switch: SwitchProcess) -> list[dict[str, Any]]:
    return list(switch.control.call("voicemail.list")["messages"])


def test_a_message_is_left_and_heard(bed: Bed) -> None:
    switch = switch_with_box(bed)
    caller = add_phone(bed, "1001", A_HZ)
    caller.dial(f"sip:7001@{SWITCH}")
    caller.wait_for("CALL_ESTABLISHED")
    started = switch.control.wait_for("recording.started")
    wait_until(
        lambda: Path(started["path"]).exists() and Path(started["path"]).stat().st_size > 25_000,
        "three seconds of the message",
    )
    caller.hang_up()
    left = switch.control.wait_for("voicemail.left")
    (message,) = messages(switch)
    assert (message["message_id"], message["state"], message["caller"]) == (left["message_id"], "new", "1001")
    wav = Wav(Path(message["path"]))
    assert wav.seconds == left["duration_s"] > 2.9
    assert hears(wav.channels[0][wav.rate // 2 :], A_HZ, rate=wav.rate)
    # What the switch itself played, greeting and tone, is not in it; and by API it is the same file.
    piece = switch.control.call("voicemail.audio", message_id=message["message_id"])
    assert base64.b64decode(piece["content"]) == Path(message["path"]).read_bytes()
    owner = add_phone(bed, "1002", 700.0)
    owner.dial(f"sip:*97@{SWITCH}")
    owner.wait_for("CALL_ESTABLISHED")
    wait_heard(owner, A_HZ)
    heard = switch.control.wait_for("voicemail.changed", timeout_s=60.0)
    assert (heard["state"], heard["by"]) == ("heard", "1002")
    owner.send_digits("3")
    deleted = switch.control.wait_for("voicemail.changed", state="deleted")
    assert deleted["message_id"] == message["message_id"]
    wait_until(lambda: not Path(message["path"]).exists(), "the file to be gone")
    assert messages(switch) == []
    owner.hang_up()


def test_a_message_survives_the_death_of_the_switch(bed: Bed) -> None:
    switch = switch_with_box(bed)
    caller = add_phone(bed, "1001", A_HZ)
    caller.dial(f"sip:7001@{SWITCH}")
    caller.wait_for("CALL_ESTABLISHED")
    path = Path(switch.control.wait_for("recording.started")["path"])
    wait_until(lambda: path.exists() and path.stat().st_size > 25_000, "three seconds of the message")
    switch.kill_switch()
    left = switch.control.wait_for("voicemail.left", timeout_s=60.0)
    (message,) = messages(switch)
    assert message["message_id"] == left["message_id"]
    wav = Wav(Path(message["path"]))
    assert wav.seconds > 2.5
    assert hears(wav.channels[0][wav.rate // 2 : wav.rate * 2], A_HZ, rate=wav.rate)


def test_the_command_line_lists_and_saves(bed: Bed) -> None:
    switch = switch_with_box(bed)
    caller = add_phone(bed, "1001", A_HZ)
    caller.dial(f"sip:7001@{SWITCH}")
    path = Path(switch.control.wait_for("recording.started")["path"])
    wait_until(lambda: path.exists() and path.stat().st_size > 12_000, "a message")
    caller.hang_up()
    message_id = switch.control.wait_for("voicemail.left")["message_id"]
    copy = bed.folder / "copy.wav"
    assert message_id in by_command(switch, "list", "--box", "office")
    by_command(switch, "save", message_id, str(copy))
    assert copy.read_bytes() == path.read_bytes()
    assert "wants an offer" in by_command(switch, "mark", message_id, "--state", "heard", "--remark", "wants an offer")
    assert "office" in by_command(switch, "report")
    assert "1002" in by_command(switch, "boxes")
    assert "deleted" in by_command(switch, "delete", message_id)


def by_command(switch: SwitchProcess, *arguments: str) -> str:
    program = str(Path(sys.executable).parent / "ringback")
    door = ["--server", f"{CONTROL[0]}:{CONTROL[1]}", "--token", switch.token]
    command = switch.network.command(program, "voicemail", *arguments, *door)
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
