"""Callers hear the texts of flows (IVR-06, IVR-10, IVR-13): at a baresip phone, by the real speech worker, which comes
back when it is killed. The three examples of flows load and speak.
"""

import json
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np

from media.wav import read_samples
from model.speech import DEFAULT_VOICES, SpeechVoice
from speech.cache import key_of
from speech.providers import make_provider
from tests.ivr.flow_of import document
from tests.live.baresip import Baresip
from tests.live.conftest import Bed
from tests.live.netns import SWITCH
from tests.live.processes import wait_until
from tests.live.switch_process import SwitchProcess, extension
from tests.live.test_phones import add_phone

FLOWS = Path(__file__).parents[2] / "contrib" / "flows"
ENGLISH = "Your balance is twelve yuan and fifty cents."
CHINESE = "您的余额是十二元五角。"
TALK = document(
    {"id": "zh", "type": "play", "say": [{"kind": "text", "text": CHINESE}], "next": "who"},
    {"id": "who", "type": "play", "say": [{"kind": "text", "text": "主叫{caller}"}], "next": "language"},
    {"id": "language", "type": "language", "language": "en", "next": "en"},
    {"id": "en", "type": "play", "say": [{"kind": "text", "text": ENGLISH}], "next": "bye"},
    {"id": "bye", "type": "hang_up"},
    name="talk",
    language="zh",
)
QUEUES = ("members", "reception", "repair", "sales", "service", "workshop")


def switch_that_speaks(bed: Bed) -> SwitchProcess:
    flows = bed.folder / "flows"
    shutil.copytree(FLOWS, flows)
    (flows / "talk.json").write_text(json.dumps(TALK))
    names = ("talk", "company", "car_dealer", "gas_utility")
    return bed.switch(
        ivr={"flows": str(flows)},
        extension=[extension("1001"), extension("1002")],
        queue=[{"name": name} for name in QUEUES],
        calendar=[{"name": "office", "time_zone": "Asia/Shanghai"}],
        access_number=[{"number": f"400{n}", "to": f"ivr:{name}"} for n, name in enumerate(names, 1)],
        **{"ivr.source": [{"name": "billing", "url": f"sqlite+aiosqlite:///{bed.folder}/billing.db"}]},
    )


def file_of(switch: SwitchProcess, text: str, language: str) -> Path:
    (voice,) = (each for each in DEFAULT_VOICES if each.language == language)
    version = make_provider(SpeechVoice(language=language, provider=voice.provider)).version
    return switch.data / "speech" / f"{key_of(text, language, '', 1.0, version)}.wav"


def likeness(heard: np.ndarray, spoken: np.ndarray) -> float:
    """1 = somewhere in what was heard is exactly this."""
    n = 1 << (len(heard) + len(spoken)).bit_length()
    products = np.fft.irfft(np.fft.rfft(heard, n) * np.conj(np.fft.rfft(spoken, n)), n)[: len(heard)]
    at = int(products.argmax())
    part = heard[at : at + len(spoken)]
    return float(products[at] / np.sqrt((part**2).sum() * (spoken**2).sum() + 1e-9))


def wait_hears(phone: Baresip, file: Path) -> None:
    wait_until(file.is_file, lambda: f"{file} to be spoken")
    spoken = read_samples(file.read_bytes())[0].astype(float) / 32768
    assert len(spoken) > 4000 and 20 * np.log10(np.sqrt((spoken**2).mean())) > -30

    def best() -> float:
        return max((likeness(wav.channels[0], spoken) for wav in phone.heard() if wav.rate == 8000), default=0.0)

    wait_until(lambda: best() > 0.9, lambda: f"{phone.user} to hear {file}; nothing is more like it than {best():.2f}")


def worker_pids(switch: SwitchProcess) -> list[int]:
    return [int(each) for each in re.findall(r"speech worker is pid (\d+)", switch.log)]


def test_ivr_13_a_caller_hears_chinese_and_english_and_again_after_the_worker_was_killed(bed: Bed) -> None:
    switch = switch_that_speaks(bed)
    for n, number in enumerate(("1001", "1002"), 1):
        phone = add_phone(bed, number, 440.0)
        phone.dial(f"sip:4001@{SWITCH}")
        phone.wait_for("CALL_ESTABLISHED")
        ended = switch.control.wait_for_n(n, "flow.ended")[-1]
        assert (ended["at_node"], ended["result"]) == ("talk/bye", "ended")
        # Of the second caller nothing was spoken before the worker died.
        for text, language in ((CHINESE, "zh"), (f"主叫{number}", "zh"), (ENGLISH, "en")):
            wait_hears(phone, file_of(switch, text, language))
        if number == "1001":
            switch.expected.append("the speech worker is gone")
            os.kill(worker_pids(switch)[0], signal.SIGKILL)
            wait_until(lambda: len(worker_pids(switch)) == 2, lambda: "another speech worker")
    assert not [each for each in switch.control.events if each.get("event") == "flow.trouble"]


def test_the_examples_of_flows_speak(bed: Bed) -> None:
    switch = switch_that_speaks(bed)
    phone = add_phone(bed, "1001", 440.0)
    for n, name in enumerate(("company", "car_dealer", "gas_utility"), 2):
        written = json.loads((FLOWS / f"{name}.json").read_text())
        said = next(
            piece["text"]
            for node in written["nodes"]
            for piece in node.get("say", ())
            if piece["kind"] == "text" and "{" not in piece["text"]
        )
        phone.dial(f"sip:400{n}@{SWITCH}")
        phone.wait_for("CALL_ESTABLISHED")
        wait_hears(phone, file_of(switch, said, written["language"]))
        phone.hang_up()
        phone.wait_for("CALL_CLOSED")
        switch.calls_are_over()
    assert not [each for each in switch.control.events if each.get("event") == "flow.trouble"]
