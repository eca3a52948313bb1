"""Covers what is refused of campaigns when they are configured: the legal cap, short ringing, unknown names, hours."""

import msgspec
import pytest

from model.campaigns import Campaign, DialerRules
from switch.config_campaigns import campaign_problem
from switch.config_file import ConfigError, parse_config

GOOD = {"name": "spring", "mode": "predictive", "queue": "sales"}


def problem_of(**settings: object) -> str:
    campaign = msgspec.convert({**GOOD, **settings}, Campaign)
    keys, problem = campaign_problem(
        campaign, DialerRules(), queues={"sales"}, calendars={"work"}, ways={"carrier"}, flows={"survey"}, boxes=set()
    )
    return f"{'.'.join(keys)}: {problem}" if problem else ""


def test_a_good_campaign_has_no_problem() -> None:
    assert not problem_of(
        calendar="work", trunks=["carrier"], answered_to="ivr:survey", contact_hours="mon-fri 09:00-17:00"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"max_abandon_rate": 0.05}, "max_abandon_rate: 0.05 is above the legal cap of 0.03"),
        ({"hit_rate": 0.9}, "hit_rate: 0.9 would allow more than the legal cap of 0.03 abandoned"),
        ({"ring_timeout_s": 10}, "ring_timeout_s: is less than dialer.least_ring_s (15)"),
        ({"queue": "none"}, 'queue: there is no queue "none"'),
        ({"queue": ""}, "queue: is needed for mode predictive"),
        ({"mode": "agentless"}, "answered_to: is needed for mode agentless"),
        ({"answered_to": "ivr:nothing"}, 'answered_to: there is no flow "nothing"'),
        ({"calendar": "leisure"}, 'calendar: there is no calendar "leisure"'),
        ({"contact_hours": "always"}, 'contact_hours: "always" is no time of the week'),
        ({"time_zone": "Mars/Olympus"}, 'time_zone: "Mars/Olympus" is no time zone'),
        ({"trunks": ["string"]}, 'trunks: there is no trunk or trunk_group "string"'),
        ({"starts_utc": 20, "ends_utc": 10}, "ends_utc: must come after starts_utc"),
        ({"abandon_message": ["/etc/passwd"]}, 'abandon_message: "/etc/passwd" is no source'),
        ({"dispositions": [{"code": "sale"}, {"code": "sale"}]}, 'dispositions: "sale" is there twice'),
        ({"is_disposition_required": True}, "dispositions: are needed where is_disposition_required is set"),
        ({"retries": [{"outcome": "busy", "after_s": 1}] * 2}, 'retries: "busy" is there twice'),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, object], said: str) -> None:
    assert problem_of(**settings).startswith(said)


def test_a_hit_rate_that_allows_no_more_than_the_cap_is_none_to_refuse() -> None:
    assert not problem_of(hit_rate=0.97)


def test_the_file_is_checked_as_the_api_is() -> None:
    text = (
        '[[queue]]\nname = "sales"\n[[campaign]]\nname = "c"\nmode = "power"\nqueue = "sales"\nmax_abandon_rate = 0.1\n'
    )
    with pytest.raises(ConfigError, match=r"campaign\[0\]\.max_abandon_rate: 0\.1 is above the legal cap"):
        parse_config(text, "x.toml")
