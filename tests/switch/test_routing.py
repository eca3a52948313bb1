"""switch/routing.py, patterns.py, numbers.py, directory.py: where a number leads. Permissions and trunk state in whole
calls are in tests/scenarios/test_trunks.py."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.access_numbers import AccessNumber
from sip.flow import Flow
from switch.config_file import parse_config
from switch.directory import Directory, extension_entries
from switch.extensions_admin import hash_password
from switch.numbers import clean, e164, format_number, is_international
from switch.patterns import PatternTable
from switch.routing import Origin, Refuse, ToExtension, ToTrunks, choose_route

CONFIG = """
[[extension]]
number = "1001"
password = "long-enough-1"
caller_id = "02155550001"
[[trunk]]
name = "a"
host = "192.0.2.1"
port = 5060
number_format = "e164_plus"
caller_id = "02188886666"
[[trunk]]
name = "b"
host = "192.0.2.2"
port = 5060
from_addresses = ["192.0.2.7", "192.0.2.8:5080"]
[[access_number]]
number = "02188886666"
to = "1001"
[[access_number]]
number = "4008000000"
to = "1001"
trunk = "b"
[[route]]
name = "local"
pattern = "9."
strip = 1
trunks = ["a", "b"]
[[route]]
name = "mobile"
pattern = "91[3-9]."
strip = 1
trunks = ["b"]
"""


@pytest.fixture
def directory():
    config = parse_config(CONFIG)
    directory = Directory(config)
    for entry in extension_entries(config, hash_password):
        directory.extensions[entry.number] = entry
    directory.trunk_resolved("a", [Flow("udp", "192.0.2.1", 5060)])
    directory.trunk_resolved("b", [Flow("udp", "192.0.2.2", 5060)])
    return directory


def test_extension_before_access_number_before_route(directory):
    origin = Origin("1001", extension=directory.extensions["1001"])
    assert choose_route(directory, origin, "1001", 0.0) == ToExtension("1001")
    assert choose_route(directory, origin, "021 8888-6666", 0.0) == ToExtension("1001", "02188886666")
    assert isinstance(choose_route(directory, origin, "9021", 0.0), ToTrunks)


def test_numbers_are_written_as_each_trunk_wants_them(directory):
    origin = Origin("1001", extension=directory.extensions["1001"])
    decision = choose_route(directory, origin, "902012345678", 0.0)
    assert isinstance(decision, ToTrunks)
    assert [(a.trunk, a.number, a.caller) for a in decision.attempts] == [
        ("a", "+862012345678", "+862155550001"),
        ("b", "02012345678", "02155550001"),
    ]


def test_the_longer_prefix_wins(directory):
    decision = choose_route(directory, Origin("1001"), "913800138000", 0.0)
    assert isinstance(decision, ToTrunks)
    assert decision.route == "mobile"


@pytest.mark.parametrize("dialed", ["", "   ", "5" * 65, "5555"])
def test_a_number_that_leads_nowhere_is_refused_with_a_cause(directory, dialed):
    decision = choose_route(directory, Origin("1001"), dialed, 0.0)
    assert isinstance(decision, Refuse)
    assert decision.why


def test_an_access_number_of_one_trunk_is_none_of_another(directory):
    for name, reaches in (("a", False), ("b", True)):
        decision = choose_route(directory, Origin("1", trunk=directory.trunks[name]), "4008000000", 0.0)
        assert isinstance(decision, ToExtension) is reaches


def test_a_trunk_is_known_by_its_address_and_by_nothing_else(directory):
    assert directory.trunk_by_address("192.0.2.1", 5060).config.name == "a"
    assert directory.trunk_by_address("192.0.2.1", 5061) is None
    assert directory.trunk_by_address("192.0.2.7", 1234).config.name == "b"
    assert directory.trunk_by_address("192.0.2.8", 5080).config.name == "b"
    assert directory.trunk_by_address("192.0.2.2", 5060) is None


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"),
    [
        ("9.", ["91", "9" * 20], ["9", "81"]),
        ("021", ["021", "02188"], ["02"]),
        ("", ["", "1"], []),
        ("1[3-9]XXXXXXXXX", ["13800138000"], ["12800138000", "1380013800", "138001380001"]),
        ("NXX", ["200", "999"], ["100", "2000"]),
        ("ZXX", ["100"], ["000"]),
        ("*9X", ["*95"], ["095"]),
        ("+44.", ["+441"], ["+44", "441"]),
    ],
)
def test_patterns(pattern, matches, misses):
    table = PatternTable([(pattern, True)])
    assert all(table.find(number) for number in matches)
    assert not any(table.find(number) for number in misses)


@given(st.lists(st.text("0123456789", max_size=5), max_size=8), st.text("0123456789", max_size=8))
def test_plain_prefixes_behave_as_the_longest_prefix(prefixes, number):
    table = PatternTable([(prefix, prefix) for prefix in prefixes])
    expected = max((p for p in prefixes if number.startswith(p)), key=len, default=None)
    assert table.find(number) == expected


@pytest.mark.parametrize(
    ("number", "style", "written"),
    [
        ("13800138000", "e164_plus", "+8613800138000"),
        ("13800138000", "e164", "8613800138000"),
        ("+8613800138000", "national", "13800138000"),
        ("02188886666", "e164_plus", "+862188886666"),
        ("+862188886666", "national", "02188886666"),
        ("+14155552671", "national", "0014155552671"),
        ("1001", "e164_plus", "1001"),
        ("+86 138 0013 8000", "as_dialed", "+86 138 0013 8000"),
        ("10086", "e164", "10086"),
    ],
)
def test_number_formats(number, style, written):
    assert format_number(number, "CN", style) == written


def test_international_is_another_country():
    assert is_international("0014155552671", "CN")
    assert is_international("+14155552671", "CN")
    assert not is_international("13800138000", "CN")
    assert not is_international("+8613800138000", "CN")
    assert is_international("00999", "CN")


def test_cleaning_and_e164():
    assert clean("(021) 8888-6666") == "02188886666"
    assert e164("021-88886666", "CN") == "+862188886666"
    assert e164("hello", "CN") == ""


def test_an_access_number_that_leads_outside_is_named(directory):
    directory.add_access_number(AccessNumber(number="4009", to="902012345678"))
    decision = choose_route(directory, Origin("1", trunk=directory.trunks["a"]), "4009", 0.0)
    assert isinstance(decision, ToTrunks)
    assert decision.access_number == "4009"
