"""The demo's plan and setting: kinds, phones of one's own, steps that fit, a configuration the switch takes.

Not covered: playing it (test_demo).
"""

import stat
from pathlib import Path

import pytest

from switch.config_file import load_config
from switch.demo.centre import FLOW, QUEUES, RATINGS
from switch.demo.plan import KINDS, make_plan
from switch.demo.setting import ACCESS_NUMBER, CARRIER, free_rtp_range, prepare
from switch.flows import load_flows


@pytest.mark.parametrize("n", [1, 2, 3, 20, 200])
def test_everybody_is_in_one_call_only(n: int) -> None:
    plan = make_plan(n, 15.0)
    assert [call.kind for call in plan.calls] == [KINDS[i % 3] for i in range(n)]
    numbers = [number for call in plan.calls for number in (call.caller, call.callee) if number] + list(plan.agents)
    assert len(set(numbers)) == 2 * n
    assert len({(call.caller, call.dialed) for call in plan.calls}) == n
    assert set(plan.names) == set(plan.extensions) <= set(numbers)


@pytest.mark.parametrize("n", [2, 12, 200])
def test_callers_from_outside_choose_wait_and_rate(n: int) -> None:
    plan = make_plan(n, 15.0)
    inbound = [call for call in plan.calls if call.kind == "inbound"]
    assert len(plan.agents) == len(inbound) == n // 3
    for call in plan.calls:
        assert (call.dialed == ACCESS_NUMBER) == (call.kind == "inbound") == bool(call.menu_key)
        assert QUEUES.get(call.menu_key, "") == call.queue
        assert RATINGS.get(call.rating_key, "") == call.rating
    if n > 9:
        assert {call.queue for call in inbound} == set(QUEUES.values())
        assert {call.rating for call in inbound} == set(RATINGS.values())
    assert all(call.steps[-1].side == "callee" for call in inbound)


@pytest.mark.parametrize("talk_s", [2.0, 3.0, 15.0, 600.0])
@pytest.mark.parametrize("n", [1, 20, 200])
def test_steps_fit_into_the_call(n: int, talk_s: float) -> None:
    for call in make_plan(n, talk_s).calls:
        times = [step.at_s for step in call.steps]
        assert times == sorted(times)
        assert call.steps[-1].action == "hang_up" and times[-1] == talk_s
        assert call.start_s <= 0.4 * talk_s
        assert call.digits["caller"]
        holds = [step for step in call.steps if step.action in ("hold", "resume")]
        assert [step.action for step in holds] == ["hold", "resume"] * call.has_hold
        assert len({step.side for step in holds}) <= 1


def test_the_configuration_is_good_and_secret(tmp_path: Path) -> None:
    plan = make_plan(12, 15.0)
    setting = prepare(tmp_path / "demo", len(plan.extensions), plan.agents, 12)
    config = load_config(setting.config)
    assert [extension.number for extension in config.extension] == list(plan.extensions)
    assert len({extension.password for extension in config.extension}) == len(plan.extensions)
    assert [trunk.name for trunk in config.trunk] == [CARRIER]
    assert {access.number: access.to for access in config.access_number} == {ACCESS_NUMBER: f"ivr:{FLOW}"}
    assert list(load_flows(config, queues={queue.name for queue in config.queue})) == [FLOW]
    assert {agent.extension for agent in config.agent} == set(plan.agents)
    for queue in config.queue:
        settings = queue.satisfaction
        keys = (settings.satisfied_key, settings.neutral_key, settings.dissatisfied_key)
        assert settings.is_enabled and dict(zip(keys, RATINGS.values(), strict=True)) == RATINGS
    # Two requests each of the phones of 200 calls, all from one address.
    assert config.security.stranger_rate > 2 * len(make_plan(200, 15.0).extensions)
    assert stat.S_IMODE(setting.config.stat().st_mode) == 0o600
    assert setting.token not in setting.config.read_text()
    other = prepare(tmp_path / "other", len(plan.extensions), plan.agents, 12)
    assert not set(setting.passwords.values()) & set(other.passwords.values())


@pytest.mark.parametrize("n", [4, 41, 1000])
def test_rtp_ports_come_in_a_row_from_an_even_one(n: int) -> None:
    first, last = free_rtp_range(n)
    assert first % 2 == 0 and last - first == n - 1
