"""A campaign on a real switch: SIPp's customers, our own phones as agents. What was dialled is counted on the wire, at
the carrier. How soon agents hear their customers is judged in benchmarks/campaign.py only."""

import functools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.campaign_carrier import HUMAN, Manner, carrier_xml, customers
from benchmarks.campaign_wire import Wire
from tests.live.conftest import Bed
from tests.live.netns import SWITCH, peer_address
from tests.live.our_phone import OurPhones
from tests.live.processes import wait_until
from tests.live.sipp import Sipp
from tests.live.switch_process import PASSWORD, extension

_CARRIER = 2
_AGENTS = {"a1": "8001", "a2": "8002", "a3": "8003"}
_MANNER = Manner(least_talk_s=1.0, mean_talk_s=2.0, rings_s=(0.5, 1.0, 1.5), congested=0.0)


@pytest.mark.usefixtures("live_permitted")
def test_out_16_what_becomes_of_forty_customers_is_what_the_carrier_did(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.campaign", "--quick", "--json"]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path / "campaign")], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["is_completed"], result
    assert result["connected"] > 10, result
    assert result["machines"] > 3, result
    assert result["packets_dropped"] == 0, result
    assert (result["records_without_result"], result["dialled_twice"], result["offered_twice"]) == (0, 0, 0), result
    assert result["abandon_pct"] == result["abandon_pct_on_wire"], result
    assert (result["unaccounted"], result["calls_lost"], result["not_heard"]) == (0, 0, 0), result
    assert result["results_match"], result
    assert (result["carrier_failed"], result["errors_in_log"], result["exit_status"]) == (0, [], 0), result


class Centre:
    """Three agents whose phones answer by themselves, a carrier, and the campaign "spring" that calls persons."""

    def __init__(
        self,
        bed: Bed,
        phones: OurPhones,
        address: str,
        n_customers: int,
        *,
        trunk: dict[str, Any] | None = None,
        **campaign: Any,
    ) -> None:
        self.numbers = customers(n_customers, {HUMAN: 1.0})
        settings = {
            "name": "spring",
            "mode": "progressive",
            "queue": "sales",
            "trunks": ["carrier"],
            "contact_hours": "",
            "ring_timeout_s": 20.0,
            **campaign,
        }
        self.switch = bed.switch(
            tests_role="administrator",
            # Phones are known to a new switch process soon.
            sip={"min_expires_s": 5},
            numbering={"region": "CN"},
            trunk=[{"name": "carrier", "host": peer_address(_CARRIER), "port": 5060, **(trunk or {})}],
            queue=[{"name": "sales", "wrap_up": {"post_call": "acw", "max_s": 0.5}}],
            agent=[
                {"agent_id": agent_id, "extension": number, "queues": [{"queue": "sales"}]}
                for agent_id, number in _AGENTS.items()
            ],
            extension=[extension(number) for number in _AGENTS.values()],
            campaign=[settings],
        )
        self._bed = bed
        self._capture = bed.capture("udp port 5060")
        self.carrier = self.open_carrier()
        for number in _AGENTS.values():
            place = {"server": f"udp:{SWITCH}:5060", "host": address, "password": PASSWORD}
            phones.do("add_phone", phone=number, **place, expires_s=6, answer_after_s=0.0)
            phones.wait("registered", phone=number)
        self.sign_in()

    def open_carrier(self) -> Sipp:
        folder = self._bed.folder / "voices"
        folder.mkdir(exist_ok=True)
        return self._bed.sipp(_CARRIER, carrier_xml(folder, _MANNER), calls=100_000)

    def sign_in(self) -> None:
        """As soon as their phones are known."""

        def are_known() -> bool:
            found = self.switch.control.call("registration.list")["registrations"]
            return {each["extension"] for each in found} >= set(_AGENTS.values())

        wait_until(are_known, "the phones to register")
        for agent_id, number in _AGENTS.items():
            self.switch.control.call("agent.sign_in", agent_id=agent_id, extension=number)
            self.switch.control.call("agent.ready", agent_id=agent_id)

    def start(self) -> None:
        records = [{"numbers": [number]} for number in self.numbers]
        self.switch.control.call("record.add", campaign="spring", records=records)
        self.switch.control.call("campaign.start", campaign="spring")

    def told(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.switch.control.events if each["event"] == name]

    def records(self) -> list[dict[str, Any]]:
        return list(self.switch.control.call("record.find", campaign="spring", limit=1000)["records"])

    def under_way(self) -> list[dict[str, Any]]:
        """Attempts that were begun and have not ended."""
        # The answer comes after all that was told before it.
        self.switch.control.call("campaign.get", campaign="spring")
        ended = {each["attempt_id"] for each in self.told("attempt.ended")}
        return [each for each in self.told("attempt.started") if each["attempt_id"] not in ended]

    def counted(self) -> dict[str, float]:
        """The ledger of abandoned calls, of all times."""
        windows = self.switch.control.call("campaign.progress", campaign="spring")["live"]["abandoned"]
        return next(each for each in windows if each["window"] == "life")

    def nobody_is_new(self) -> bool:
        return all(each["status"] not in ("new", "queued", "dialing") for each in self.records())

    def everybody_was_reached(self) -> bool:
        return all(each["last_result"] == "human" for each in self.records())

    def wire(self) -> Wire:
        """What was dialled, so far as the capture goes: it ends here."""
        wire = Wire((peer_address(_CARRIER), 5060), {})
        for each in self._capture.datagrams:
            wire.take(each.at, each.source, each.target, each.data)
        return wire


@pytest.fixture
def opened(bed: Bed) -> Iterator[Callable[..., Centre]]:
    """Makes a `Centre` of so many customers."""
    machine, address = bed.network.add_phone()
    phones = OurPhones(machine, bed.folder)
    try:
        yield functools.partial(Centre, bed, phones, address)
    finally:
        phones.stop()


def test_a_switch_that_dies_goes_on_where_it_was_and_dials_nobody_twice(opened: Callable[..., Centre]) -> None:
    centre = opened(15)
    centre.start()
    centre.switch.control.wait_for_n(6, "attempt.ended")
    wait_until(lambda: len(centre.under_way()) >= 2, "two calls under way")
    cut_off = centre.under_way()
    before = centre.records()
    centre.switch.kill_switch()
    assert centre.counted()["n_answered"] > 0, "what was counted is stored every few seconds"
    # Calls that were up are not ours to end: their customers hang up. Agents are signed in as they were.
    wait_until(centre.nobody_is_new, lambda: f"the others to be called: {centre.records()}", timeout_s=120)
    centre.switch.calls_are_over()
    after = {each["record_id"]: each for each in centre.records()}
    for record in before:
        assert after[record["record_id"]]["n_attempts"] >= record["n_attempts"]
    for attempt in cut_off:
        [stored] = centre.switch.control.call("record.get", record_id=attempt["record_id"])["attempts"]
        assert (stored["attempt_id"], stored["result"]) == (attempt["attempt_id"], "interrupted")
    assert [len(calls) for calls in centre.wire().by_number().values()] == [1] * 15


def test_a_trunk_that_dies_pauses_dialling_and_no_record_pays_for_it(opened: Callable[..., Centre]) -> None:
    retries = [{"outcome": "congestion", "after_s": 5.0}]
    centre = opened(12, retries=retries, retry_min_s=1.0, trunk={"qualify_s": 1.0})
    centre.start()
    centre.switch.control.wait_for_n(3, "attempt.ended")
    centre.carrier.kill()
    centre.switch.control.wait_for("campaign.paused", reason="trunk_trouble", timeout_s=90)
    centre.open_carrier()
    wait_until(centre.everybody_was_reached, lambda: f"the others to be called: {centre.records()}", timeout_s=120)
    assert {each["n_attempts"] for each in centre.records()} == {1}


def test_agents_who_leave_end_dialling_and_those_who_come_begin_it(opened: Callable[..., Centre]) -> None:
    centre = opened(40)
    centre.start()
    centre.switch.control.wait_for_n(3, "attempt.ended")
    for agent_id in _AGENTS:
        centre.switch.control.call("agent.sign_out", agent_id=agent_id)
    left = time.time()
    centre.switch.calls_are_over()
    time.sleep(3.0)
    came = time.time()
    centre.sign_in()
    centre.switch.control.wait_for_n(len(centre.told("attempt.started")) + 3, "attempt.started")
    dialled = [call.began for call in centre.wire().dialled.values()]
    assert not [at for at in dialled if left + 1.0 < at < came]
    assert [at for at in dialled if at > came]
