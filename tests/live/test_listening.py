"""A caller says something in a flow: the service hears his voice while he speaks, and what it understands leads him
on."""

import json
import struct
import sys

import numpy as np

from media.prompts import prepare
from tests.ivr.flow_of import document
from tests.live.audio import encode_ulaw
from tests.live.conftest import Bed
from tests.live.peers import ACCESS_NUMBER, USER, hung_up, inviting, towards_switch, trunks
from tests.live.processes import Process, wait_until
from tests.live.sipp import capture_of, pause, request, scenario, sdp, send

PACKET = 160
PORT = 18_765
FLOW = document(
    {
        "id": "what",
        "type": "listen",
        "variable": "wish",
        "first_digit_s": 10,
        "accept": 'wish = "sales"',
        "next": "understood",
        "no_input": "lost",
        "no_match": "lost",
        "failed": "lost",
    },
    {"id": "understood", "type": "hang_up"},
    {"id": "lost", "type": "hang_up"},
)


def test_xivr_05_the_service_hears_the_caller_and_leads_him_on(bed: Bed) -> None:
    heard = bed.folder / "heard.raw"
    service = Process(
        bed.network.command(sys.executable, "-m", "tests.live.recognition_service", str(PORT), str(heard)),
        bed.folder / "service.log",
    )
    try:
        wait_until(lambda: "ready" in service.log, lambda: f"the service: {service.log}")
        flows = bed.folder / "flows"
        flows.mkdir()
        (flows / "main.json").write_text(json.dumps(FLOW))
        config = trunks()
        config["access_number"] = [{"number": ACCESS_NUMBER, "to": "ivr:main"}]
        del config["route"]
        recognition = {"provider": "websocket", "url": f"ws://127.0.0.1:{PORT}"}
        switch = bed.switch(ivr={"flows": str(flows)}, recognition=recognition, **config)
        quiet = np.zeros(8000, np.int16)
        spoken = prepare("voice:zh/leave_message").samples
        codes = encode_ulaw(np.concatenate([quiet, spoken, np.zeros(24_000, np.int16)]) / 32768.0)
        packets = [
            (0.02 * n, struct.pack(">BBHII", 0x80, 0, n, n * PACKET, 78) + codes[n * PACKET : (n + 1) * PACKET])
            for n in range(len(codes) // PACKET)
        ]
        file = capture_of(bed.folder / "spoken.pcap", packets)
        begin = list(inviting(USER))
        offer = sdp(payloads="0", port="[media_port]")
        begin[0] = send(request("INVITE", user=USER, cseq=1, in_dialog=False), offer, retransmit=True)
        played = f'  <nop><action><exec play_pcap_audio="{file}"/></action></nop>'
        caller = bed.sipp(1, scenario("says", *begin, pause(400), played, *hung_up()), **towards_switch())
        ended = switch.control.wait_for("flow.ended", timeout_s=60.0)
        assert (ended["at_node"], ended["result"]) == ("main/understood", "ended")
        caller.finished()
        samples = np.frombuffer(heard.read_bytes(), "<i2").astype(float)
        # All of it, but for what came before it was found out that he speaks, is what he said.
        loud = np.abs(samples) > 500
        assert loud.sum() > 0.8 * (np.abs(spoken.astype(float)) > 500).sum()
        wait_until(lambda: not list((switch.data / "heard").glob("*.wav")), "the file to be gone")
    finally:
        service.kill()
