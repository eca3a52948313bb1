"""Lists of callers, where they come from and who served them last: the tables in memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.caller_lists import ListedCaller
from switch.caller_lists import CallerLists, Entry
from switch.last_agents import LastAgents
from switch.regions import Regions


def lists(*listed: ListedCaller) -> CallerLists:
    made = CallerLists("CN")
    for each in listed:
        made.put(Entry(caller=each))
    return made


@pytest.mark.parametrize(
    ("number", "caller", "is_found"),
    [
        ("13800001111", "13800001111", True),
        ("13800001111", "+8613800001111", True),
        ("+8613800001111", "013800001111", True),
        ("+8613800001111", "138 0000 1111", True),
        ("13800001111", "13800001112", False),
        ("138000*", "13800001111", True),
        ("138000*", "+8613800001111", False),
        ("86138*", "+8613800001111", True),
        ("86138*", "13800001111", True),
        ("138000*", "13800", False),
        ("anonymous", "anonymous", True),
        ("anonymous", "", True),
        ("anonymous", "Restricted", True),
        ("anonymous", "13800001111", False),
        ("1001", "1001", True),
    ],
)
def test_however_a_number_is_written(number, caller, is_found):
    found = lists(ListedCaller(list="vip", number=number)).find("vip", caller, "sales", 0.0)
    assert (found is not None) == is_found
    assert lists(ListedCaller(list="vip", number=number)).find("blacklist", caller, "sales", 0.0) is None


def test_one_number_has_one_entry_however_it_is_written():
    made = lists(
        ListedCaller(list="blacklist", number="13800001111", of=("4001",)),
        ListedCaller(list="blacklist", number="+8613800001111", of=("4002",)),
        ListedCaller(list="blacklist", number="+8613*"),
        ListedCaller(list="blacklist", number="8613*"),
    )
    assert [entry.caller.number for entry in made.all("blacklist")] == ["+8613800001111", "8613*"]
    # What was said last holds.
    assert made.get("blacklist", "13800001111").caller.of == ("4002",)
    assert made.find("blacklist", "13800001111", "4002", 0.0).number == "+8613800001111"
    assert made.remove("blacklist", "138 0000 1111") is not None
    assert made.find("blacklist", "13800001111", "4002", 0.0).number == "8613*"
    assert made.remove("blacklist", "+8613*") is not None
    assert made.find("blacklist", "13800001111", "4002", 0.0) is None
    assert len(made) == 0


def test_for_some_queues_and_for_some_time():
    made = lists(
        ListedCaller(list="vip", number="13800001111", of=("sales",), expires_utc=100.0),
        ListedCaller(list="vip", number="138*", of=("help",)),
        ListedCaller(list="vip", number="1380*", of=("repair",)),
    )

    def finds(of: str, now: float) -> str:
        found = made.find("vip", "13800001111", of, now)
        return found.number if found is not None else ""

    assert [finds("sales", now) for now in (0.0, 99.9, 100.0)] == ["13800001111", "13800001111", ""]
    assert [finds(of, 200.0) for of in ("help", "repair", "other")] == ["138*", "1380*", ""]
    assert made.remove("vip", "1380*") is not None
    assert made.remove("vip", "1380*") is None
    assert finds("repair", 0.0) == ""
    assert len(made) == 2


@given(
    st.lists(st.tuples(st.from_regex(r"1[0-9]{1,6}\*?", fullmatch=True), st.booleans()), max_size=30),
    st.from_regex(r"1[0-9]{3,8}", fullmatch=True),
)
def test_what_is_found_is_what_is_there(steps, caller):
    made, there = CallerLists(""), set()
    for number, is_added in steps:
        if is_added:
            made.put(Entry(caller=ListedCaller(list="blacklist", number=number)))
            there.add(number)
        else:
            assert (made.remove("blacklist", number) is not None) == (number in there)
            there.discard(number)
    fits = {number for number in there if number == caller or (number[-1] == "*" and caller.startswith(number[:-1]))}
    found = made.find("blacklist", caller, "", 0.0)
    assert (found is not None) == bool(fits)
    if found is not None:
        assert found.number == (caller if caller in fits else max(fits, key=len))
    assert [entry.caller.number for entry in made.all("blacklist")] == sorted(there)


def test_xacc_04_where_a_caller_comes_from():
    regions = Regions("CN")
    assert regions.area_of("13912345678") == ""
    regions.load()
    assert regions.area_of("13912345678") == "江苏省常州市"
    assert regions.area_of("+8657188886666") == "浙江省杭州市"
    assert regions.area_of("1001") == ""
    assert regions.area_of("anonymous") == ""
    regions.use_homes(["江苏", "常州", "Berlin", ""])
    assert regions.area_of("13912345678") in ("常州", "江苏")
    assert regions.area_of("+4930123456") == "Berlin"
    assert regions.area_of("02188886666") == "上海市"


def test_who_served_last_and_for_how_long():
    agents = LastAgents("CN", 100.0)
    agents.note("13800001111", "a1", 10.0)
    agents.note("anonymous", "a1", 10.0)
    assert agents.of("+8613800001111", 50.0) == "a1"
    assert agents.of("13800001111", 111.0) == ""
    assert agents.of("anonymous", 11.0) == ""
    agents.note("13800001111", "a2", 20.0)
    assert agents.of("13800001111", 50.0) == "a2"
    nobody = LastAgents("CN", 0.0)
    nobody.note("13800001111", "a1", 10.0)
    assert nobody.of("13800001111", 10.0) == ""
