"""`ringback simulate`: a day by its profile, and how many agents it takes.

Charts only where matplotlib is installed.
"""

import importlib.util
import json

import pytest
from typer.testing import CliRunner

from acd.day import Interval, agents_needed, plan_day
from acd.staffing import Load
from acd.staffing import agents_needed as by_formula
from model.queues import AcdRules, Queue
from switch.cli import app
from switch.cli_simulate import read_profile

HEAD = "queue,start,end,calls,handle_s,patience_s\n"
DAY = HEAD + "sales,09:00,10:00,60,120,60\nsales,10:00,11:00,90,120,60\n"
QUEUES = """
[[queue]]
name = "sales"

[[agent]]
agent_id = "1001"
queues = [{ queue = "sales" }]

[[agent]]
agent_id = "1002"
queues = [{ queue = "sales" }]

[[agent]]
agent_id = "1003"
is_enabled = false
queues = [{ queue = "sales" }]
"""


@pytest.fixture
def config(tmp_path):
    made = CliRunner().invoke(app, ["init", str(tmp_path), "--extensions", "0"])
    assert made.exit_code == 0, made.output
    path = tmp_path / "ringback.toml"
    path.write_text(path.read_text() + QUEUES)
    return path


def run(config, profile, *more):
    path = config.parent / "day.csv"
    path.write_text(profile)
    return CliRunner().invoke(app, ["simulate", str(path), "--config", str(config), *more])


def test_a_day_of_the_configured_agents(config) -> None:
    made = run(config, DAY, "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.output)
    assert told["n_agents"] == 2
    assert told["agents_needed"] is None
    total = told["queues"]["sales"]
    assert 100 < total["calls"] == total["answered"] + total["abandoned"]
    assert [each["start_s"] for each in total["intervals"]] == [9 * 3600, 10 * 3600]
    assert run(config, DAY, "--json").output == made.output
    assert run(config, DAY, "--json", "--seed", "2").output != made.output


def test_more_agents_answer_more_in_time(config) -> None:
    few, many = (
        json.loads(run(config, DAY, "--json", "--agents", str(n)).output)["total"]["service_level"] for n in (2, 8)
    )
    assert few < 0.8 < many


def test_the_table_has_a_line_for_each_interval_and_the_day(config) -> None:
    made = run(config, DAY, "--find")
    assert made.exit_code == 0, made.output
    for text in ("09:00", "10:00", "day", "agents are needed"):
        assert text in made.output


def test_as_many_agents_are_found_as_the_formula_wants() -> None:
    day = [Interval(queue="q", start_s=0, end_s=36_000, calls=3000, handle_s=180)]
    plan = plan_day(day, [Queue(name="q")], [], AcdRules(), interval_s=3600, ring_s=0.0)
    wanted = by_formula(Load(calls_per_hour=300, handle_s=180), 0.8, 20.0).n_agents
    # Talk times of the simulation spread less than the formula's, so it may need one less.
    assert agents_needed(plan, range(1, 4)) == pytest.approx(wanted, abs=1)


@pytest.mark.parametrize(
    ("profile", "what"),
    [
        (HEAD, "no intervals"),
        (HEAD + "sales,9,10:00,1,1,\n", "9 is no time of day"),
        (HEAD + "sales,09:00,25:00,1,1,\n", "25:00 is no time of day"),
        (HEAD + "sales,10:00,09:00,1,60,\n", "needs a length"),
        (HEAD + "none,09:00,10:00,1,60,\n", "no queue none"),
        (HEAD + "sales,09:00,10:00,many,60,\n", "interval 1"),
        ("queue,start\nsales,09:00\n", "no end"),
        (HEAD.strip() + ",more\nsales,09:00,10:00,1,60,,x\n", "more is no column"),
    ],
)
def test_a_wrong_profile_is_refused_in_one_line(config, profile, what) -> None:
    made = run(config, profile)
    assert made.exit_code == 2
    assert what in made.output


def test_a_profile_in_toml_says_the_same(tmp_path) -> None:
    as_csv, as_toml = tmp_path / "a.csv", tmp_path / "a.toml"
    as_csv.write_text(HEAD + "sales,09:00,09:30,60,120,\n")
    as_toml.write_text('[[interval]]\nqueue = "sales"\nstart = "09:00"\nend = "09:30"\ncalls = 60\nhandle_s = 120\n')
    assert read_profile(as_csv) == read_profile(as_toml)
    as_toml.write_text("[[")
    with pytest.raises(ValueError, match=r"a\.toml"):
        read_profile(as_toml)


def test_a_chart_is_drawn_or_refused_in_one_line(config) -> None:
    chart = config.parent / "day.png"
    made = run(config, DAY, "--png", str(chart))
    if importlib.util.find_spec("matplotlib") is None:
        assert made.exit_code == 2
        assert "ringback[charts]" in made.output
    else:
        assert chart.read_bytes().startswith(b"\x89PNG")
