"""`ringback simulate --campaign`: days of a campaign by the engine itself, beside other ways to dial; their charts."""

import json
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from dialer.comparison import Compared
from dialer.simulation import DayResult, Hour
from switch.campaign_chart import bar, hourly_abandon_rate, hourly_occupancy, svg
from switch.cli import app

CAMPAIGN = """
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

[[campaign]]
name = "spring"
mode = "power"
power_ratio = 3.0
queue = "sales"
max_abandon_rate = 0.02

[[campaign]]
name = "visit"
mode = "preview"
queue = "sales"
"""


@pytest.fixture
def config(tmp_path):
    made = CliRunner().invoke(app, ["init", str(tmp_path), "--extensions", "0"])
    assert made.exit_code == 0, made.output
    path = tmp_path / "ringback.toml"
    path.write_text(path.read_text() + CAMPAIGN)
    return path


def run(*more):
    return CliRunner().invoke(app, ["simulate", *map(str, more)])


def test_twenty_agents_and_a_list_are_told_with_every_other_way_beside(tmp_path) -> None:
    made = run("--campaign", "predictive", "--agents", 20, "--records", 4000, "--hours", 2, "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.output)
    ways = {way["name"].split(" ")[0]: way for way in told["ways"]}
    assert list(ways) == ["predictive", "progressive", "ratio", "adaptive", "adaptive,"]
    best, careful = ways["predictive"], ways["progressive"]
    assert best["occupancy"] > careful["occupancy"] + 0.08
    assert best["worst_abandon_rate"] <= told["limit"] == 0.03
    assert careful["abandon_rate"] == 0.0
    assert 2 * 3600 < best["completed_s"] < careful["completed_s"] < 4 * 3600
    assert best["connects_per_agent_hour"] > 23
    assert len(best["hourly_occupancy"]) == len(best["abandon_rate_so_far"]) == 3
    assert best["abandon_rate_so_far"][-1] == pytest.approx(best["abandon_rate"], abs=1e-4)


def test_a_configured_campaign_with_its_own_agents_and_limits(config) -> None:
    made = run("--campaign", "spring", "--config", config, "--hours", 1, "--json")
    assert made.exit_code == 0, made.output
    told = json.loads(made.output)
    assert (told["mode"], told["n_agents"], told["limit"]) == ("power", 2, 0.02)
    assert run("--campaign", "spring", "--config", config, "--agents", 5, "--hours", 0.5, "--json").exit_code == 0


def test_tables_and_charts_for_people(tmp_path) -> None:
    path = tmp_path / "day.svg"
    made = run("--campaign", "progressive", "--agents", 3, "--hours", 1, "--days", 2, "--svg", path)
    assert made.exit_code == 0, made.output
    assert "progressive: 3 agents, 30% answer, 90 s talk, 20 s wrap-up, 1 h" in " ".join(made.output.split())
    assert "█" in made.output
    assert "list done" not in made.output
    assert ElementTree.parse(path).getroot().tag.endswith("svg")


def test_a_flow_that_answers_needs_no_other_way(config) -> None:
    made = run("--campaign", "agentless", "--agents", 5, "--hours", 0.2, "--records", 200, "--json")
    assert made.exit_code == 0, made.output
    assert [way["name"] for way in json.loads(made.output)["ways"]] == ["agentless"]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ((), "name a profile of calls, or --campaign NAME"),
        (("--campaign", "predictive"), "how many agents"),
        (("--campaign", "predictive", "--agents", "5", "--find"), "goes without a profile"),
        (("--campaign", "preview", "--agents", "5"), "dialled by its agents"),
        (("--campaign", "predictive", "--agents", "5", "--answer-rate", "1.5"), ""),
    ],
)
def test_what_cannot_be_simulated_is_told(told, says) -> None:
    made = run(*told)
    assert made.exit_code == 2
    assert says in made.stderr


def test_a_campaign_that_is_none_and_one_without_agents(config) -> None:
    made = run("--campaign", "autumn", "--config", config)
    assert made.exit_code == 2
    assert 'no campaign or mode "autumn"; there are spring, visit, preview' in made.stderr
    config.write_text(config.read_text().replace('agent_id = "100', 'is_enabled = false\nagent_id = "100'))
    config.write_text(config.read_text().replace("is_enabled = false\nqueues", "queues"))
    made = run("--campaign", "spring", "--config", config)
    assert made.exit_code == 2
    assert 'no agent serves queue "sales"' in made.stderr


def compared(name: str = "one", abandoned: int = 3) -> Compared:
    day = DayResult(2, 7200.0, answered=60, abandoned=abandoned, completed_s=5400.0, talk_s=4000.0, wrap_s=1000.0)
    day.hours = [Hour(100, 40, 1, 3600.0), Hour(50, 20, abandoned - 1, 1400.0), Hour()]
    return Compared(name, (day,))


def test_hours_are_those_that_the_day_had() -> None:
    assert hourly_occupancy(compared()) == [0.5, pytest.approx(1400 / 3600)]
    assert hourly_abandon_rate(compared()) == [1 / 40, 3 / 60]


def test_a_chart_has_a_line_for_each_way_and_tells_who_broke_the_limit() -> None:
    drawn = svg([compared("safe <1>", 1), compared("bold", 3)], "spring & autumn", 0.03)
    root = ElementTree.fromstring(drawn)
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "spring & autumn" in texts
    assert "1.67% abandoned" in texts
    assert "5.00% abandoned – over the limit" in texts
    assert len(list(root.iter("{http://www.w3.org/2000/svg}polyline"))) == 2


def test_bars_end_at_an_eighth_of_a_character() -> None:
    assert bar(0.0, 4) == "    "
    assert bar(1.0, 4) == "████"
    assert bar(0.5 + 1 / 32, 4) == "██▏ "
    assert bar(7.0, 2) == "██"
