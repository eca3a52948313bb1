"""Covers: which feature a dialled text asks for, and which configurations of codes and orbits are refused.

What the features do is in tests/scenarios.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.agents import AgentRules
from switch.config_features import FeatureCodes
from switch.config_file import ConfigError, parse_config
from switch.features import Feature, FeatureTable

TABLE = FeatureTable(FeatureCodes(), AgentRules())


@pytest.mark.parametrize(
    ("dialed", "found"),
    [
        ("*72", Feature("forward_always_on")),
        ("*72#", Feature("forward_always_on")),
        ("*721003", Feature("forward_always_on", "1003")),
        ("*72*1003#", Feature("forward_always_on", "1003")),
        ("*73", Feature("forward_always_off")),
        ("*731003", None),
        ("*8", Feature("pickup")),
        ("*81002", Feature("pickup", "1002")),
        ("*8*1002", Feature("pickup", "1002")),
        ("*69701", Feature("retrieve", "701")),
        ("*50", Feature("agent_sign_in")),
        ("*501001", Feature("agent_sign_in", "1001")),
        ("*51", Feature("agent_sign_out")),
        ("*511", None),
        ("*532", Feature("agent_not_ready", "2")),
        ("*", None),
        ("1003", None),
        ("", None),
    ],
)
def test_the_feature_of_a_dialled_text(dialed, found):
    assert TABLE.find(dialed) == found


def test_the_longest_code_that_fits_counts():
    table = FeatureTable(FeatureCodes(pickup="*8", dnd_on="*81"), AgentRules())
    assert table.find("*81") == Feature("dnd_on")
    assert table.find("*811") == Feature("pickup", "11")


@given(st.text("0123456789*#", max_size=20))
def test_any_text_is_a_feature_or_a_number(dialed):
    found = TABLE.find(dialed)
    codes = dict([*FeatureCodes().codes(), *AgentRules().codes()])
    assert found is None or dialed.startswith(codes[found.name])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[feature_codes]\ndnd_on = "*79"\n', 'feature_codes.dnd_off: "*79" is the code of dnd_on already'),
        ('[agents]\nsign_in_code = "*79"\n', 'agents.sign_in_code: "*79" is the code of dnd_off already'),
        ('[agents]\nready_code = "52"\n', "agents.ready_code"),
        ('[feature_codes]\ndnd_on = "78"\n', "feature_codes.dnd_on"),
        ('[parking]\norbits = "720-701"\n', "parking.orbits"),
        ('[parking]\norbits = "1-99999"\n', "parking.orbits"),
        (
            '[parking]\norbits = "1000-1010"\n[[extension]]\nnumber = "1001"\npassword = "12345678"\n',
            "parking.orbits: 1001 is an extension",
        ),
    ],
)
def test_a_wrong_configuration_is_named(text, says):
    with pytest.raises(ConfigError, match=r"\.toml:\d+: ") as refused:
        parse_config(text)
    assert says in str(refused.value)


def test_no_orbits_and_no_codes_are_right():
    config = parse_config('[parking]\norbits = ""\n[feature_codes]\npark = ""\n')
    assert config.parking.orbit_numbers() == []
    assert "park" not in dict(config.feature_codes.codes())
    assert parse_config('[parking]\norbits = "008-011"\n').parking.orbit_numbers() == ["008", "009", "010", "011"]
