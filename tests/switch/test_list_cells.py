"""switch/list_cells.py, list_columns.py, list_rows.py: what people and Excel make of numbers, dates and yes; which
column is what; whatever stands in a cell is taken or refused with a word, and never raises anything else."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.cells_out import guarded
from switch.list_cells import (
    CellError,
    flag_of,
    instant_of,
    number_of,
    numbers_of,
    priority_of,
    text_of,
    value_of,
    zone_of_cell,
)
from switch.list_columns import ColumnError, columns_of, letter
from switch.list_rows import ListOptions, RowReader, zone_of_number

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(year: int, month: int, day: int, *clock: int) -> datetime:
    """As a cell of Excel is: of no zone."""
    return datetime.combine(date(year, month, day), time(*clock))


@pytest.mark.parametrize(
    "cell",
    [
        "13800138000",
        13800138000,
        13800138000.0,
        "13800138000.0",
        "1.3800138000E+10",
        "1.38001380000E+10",
        "+86 138-0013-8000",
        "0086 138 0013 8000",
        "(138) 0013.8000",
        "１３８００１３８０００",
        "'13800138000",
        '="13800138000"',
        "\u202d138\u00a00013\u20118000\u202c",
        "86 13800138000",
        "138/0013/8000",
        "  13800138000\t",
    ],
)
def test_one_number_in_many_ways_of_writing(cell: object) -> None:
    assert numbers_of(cell, "CN") == ["+8613800138000"]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1.38E+10", "rounded_number"),
        ("1.38001E10", "rounded_number"),
        (1.2345678901234567e18, "rounded_number"),
        (13800138000.5, "not_a_number"),
        (-13800138000, "not_a_number"),
        ("1.38001380005E+10", "not_a_number"),
        ("13800138000a", "not_a_number"),
        ("zhang san", "not_a_number"),
        ("021-88886666转801", "not_a_number"),
        (True, "not_a_number"),
        (date(2026, 1, 2), "not_a_number"),
        (at(2026, 1, 2), "not_a_number"),
        (time(1, 2), "not_a_number"),
        ("=A1", "not_a_number"),
        ("-", "not_a_number"),
        ("1" * 200, "not_a_number"),
        ("12345", "impossible_number"),
        ("1380013800", "impossible_number"),
        ("138001380001", "impossible_number"),
        ("00000000000", "impossible_number"),
        ("+999 123456", "impossible_number"),
        ("110", "emergency_number"),
        (120, "emergency_number"),
        ("1-1-9", "emergency_number"),
        ("#REF!", "formula_error"),
        ("#n/a", "formula_error"),
        ("13800138000, 12345", "impossible_number"),
    ],
)
def test_what_is_no_number_and_why(cell: object, reason: str) -> None:
    with pytest.raises(CellError) as refused:
        numbers_of(cell, "CN")
    assert refused.value.reason == reason


def test_several_numbers_in_a_cell_and_none() -> None:
    assert numbers_of("13800138000、13900139000；021-88886666", "CN") == [
        "+8613800138000",
        "+8613900139000",
        "+862188886666",
    ]
    assert numbers_of("13800138000\n13900139000", "CN") == ["+8613800138000", "+8613900139000"]
    assert numbers_of("13800138000或13900139000", "CN") == ["+8613800138000", "+8613900139000"]
    for empty in (None, "", "   ", "'"):
        assert numbers_of(empty, "CN") == []


def test_extensions_are_taken_where_they_may_be() -> None:
    assert number_of("8001", "CN", may_be_internal=True) == "8001"
    assert number_of("13800138000", "CN", may_be_internal=True) == "+8613800138000"
    with pytest.raises(CellError, match="emergency_number"):
        number_of("110", "CN", may_be_internal=True)


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        ("2026-12-01 14:30", at(2026, 12, 1, 14, 30)),
        ("2026-12-01T14:30:05", at(2026, 12, 1, 14, 30, 5)),
        ("2026/12/1 9:05", at(2026, 12, 1, 9, 5)),
        ("2026年12月1日 14:30", at(2026, 12, 1, 14, 30)),
        ("2026年12月1日14时30分", at(2026, 12, 1, 14, 30)),
        ("2026-12-01", at(2026, 12, 1)),
        (at(2026, 12, 1, 14, 30), at(2026, 12, 1, 14, 30)),
        (date(2026, 12, 1), at(2026, 12, 1)),
    ],
)
def test_times_are_of_the_lists_zone(cell: object, wanted: datetime) -> None:
    assert instant_of(cell, SHANGHAI) == wanted.replace(tzinfo=SHANGHAI).timestamp()


def test_times_with_a_zone_none_and_wrong_ones() -> None:
    assert instant_of("2026-12-01T14:30+00:00", SHANGHAI) == datetime(2026, 12, 1, 14, 30, tzinfo=UTC).timestamp()
    assert instant_of(None, SHANGHAI) == instant_of(" ", SHANGHAI) == 0.0
    for wrong in ("tomorrow", "2026-13-01", "2026-02-30 10:00", 45000, True, "0001-01-01"):
        with pytest.raises(CellError, match="bad_date"):
            instant_of(wrong, SHANGHAI)


def test_other_cells() -> None:
    assert [flag_of(cell) for cell in ("是", "同意", "Yes", 1, True, "√")] == [True] * 6
    assert [flag_of(cell) for cell in ("否", "", None, "no", 0, False)] == [False] * 6
    assert [priority_of(cell) for cell in (None, "7", 7.0, -3)] == [0, 7, 7, -3]
    assert zone_of_cell("Asia/Shanghai") == "Asia/Shanghai"
    for reader, cell, reason in (
        (flag_of, "maybe", "bad_consent"),
        (priority_of, "high", "bad_priority"),
        (priority_of, 1001, "bad_priority"),
        (priority_of, 1.5, "bad_priority"),
        (zone_of_cell, "Mars/Base", "bad_time_zone"),
        (zone_of_cell, "../etc/passwd", "bad_time_zone"),
        (value_of, "x" * 1001, "too_long"),
        (value_of, "#DIV/0!", "formula_error"),
    ):
        with pytest.raises(CellError) as refused:
            reader(cell)
        assert refused.value.reason == reason
    assert text_of(5.0) == "5"
    assert text_of(" a\x00b\u3000") == "a b"
    assert text_of(at(2026, 1, 2, 3, 4)) == "2026-01-02 03:04"


CELLS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.text("0123456789+-.eE #/*,;年月日:", max_size=30)
    | st.datetimes()
    | st.dates()
    | st.times()
)


@settings(max_examples=300, deadline=None)
@given(CELLS)
def test_any_cell_is_taken_or_refused(cell: object) -> None:
    for reader in (
        lambda: numbers_of(cell, "CN"),
        lambda: numbers_of(cell, "DE", may_be_internal=True),
        lambda: instant_of(cell, SHANGHAI),
        lambda: flag_of(cell),
        lambda: priority_of(cell),
        lambda: zone_of_cell(cell),
        lambda: value_of(cell),
    ):
        try:
            found = reader()
        except CellError as refused:
            assert refused.reason.replace("_", "").isalpha()
        else:
            if isinstance(found, list):
                # What was taken once is taken again as the same, wherever that is.
                numbers = [each for each in found if each.startswith("+")]
                assert all(number_of(each, "US", may_be_internal=True) == each for each in numbers)


@settings(max_examples=200, deadline=None)
@given(st.integers(13_000_000_000, 19_999_999_999), st.data())
def test_a_number_means_the_same_however_it_is_separated(number: int, data: st.DataObject) -> None:
    digits = str(number)
    try:
        wanted: object = numbers_of(digits, "CN")
    except CellError as refused:
        wanted = refused.reason
    cuts = data.draw(st.lists(st.sampled_from(["", "", "-", " ", ".", "\u00a0"]), min_size=11, max_size=11))
    written = data.draw(st.sampled_from(["", "+86", "0086", "'"])) + "".join(
        f"{digit}{cut}" for digit, cut in zip(digits, cuts, strict=True)
    )
    for cell in (written, number, float(number)):
        try:
            found: object = numbers_of(cell, "CN")
        except CellError as refused:
            found = refused.reason
        assert found == wanted


def test_columns_by_their_names() -> None:
    titles = [
        "姓名",
        "手机号码",
        "家庭电话",
        "Office Phone",
        "电话2",
        "Time Zone",
        "优先级",
        "是否同意",
        "回拨时间",
        "保单号",
        "",
    ]
    found = columns_of(titles, "campaign", {})
    assert [(column.field, column.label) for column in found] == [
        ("name", ""),
        ("number", "mobile"),
        ("number", "home"),
        ("number", "work"),
        ("number", ""),
        ("time_zone", ""),
        ("priority", ""),
        ("consent", ""),
        ("callback", ""),
        ("data", ""),
        ("data", ""),
    ]
    assert [column.title for column in found[-2:]] == ["保单号", "K"]
    assert [letter(index) for index in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
    # What is known of customers only is data of a campaign.
    assert [column.field for column in columns_of(["tel", "tags"], "campaign", {})] == ["number", "data"]
    assert [column.field for column in columns_of(["tel", "tags"], "customers", {})] == ["number", "tags"]


def test_columns_as_somebody_says() -> None:
    found = columns_of(["Kunde", "Ort", "Ruf", "x"], "campaign", {"kunde": "name", "C": "number", "x": "ignore"})
    assert [column.field for column in found] == ["name", "data", "number", "ignore"]
    assert [column.title for column in columns_of(["tel", "a", "a", "a"], "dnc", {})] == ["tel", "a", "a (2)", "a (3)"]
    for titles, mapping, says in (
        (["姓名"], {}, "no column is called number"),
        (["tel"], {"Ruf": "number"}, 'there is no column "ruf"'),
        (["tel", "name", "姓名"], {}, 'columns "name" and "姓名" are both name'),
        ([f"tel{k}" for k in range(11)], {}, "11 columns hold numbers, at most 10 may"),
    ):
        with pytest.raises(ColumnError, match=says):
            columns_of(titles, "campaign", mapping)


def reader(
    kind: str = "campaign", titles: tuple[str, ...] = ("tel", "tel2", "name", "prio"), **changes: object
) -> RowReader:
    mapping = {"prio": "priority"} if "prio" in titles else {}
    options = ListOptions(kind=kind, region="CN", time_zone="Asia/Shanghai", emergency=("10086",), **changes)
    return RowReader(options, columns_of(titles, kind, mapping), lambda number: "somewhere")


def told(found: tuple[object, list]) -> list[tuple[str, str, bool]]:
    return [(each.column, each.reason, each.is_kept) for each in found[1]]


def test_rows_are_taken_without_what_is_wrong_of_them() -> None:
    rows = reader()
    ready, rejected = rows.read(2, ["13800138000", "12345", "王", 3])
    assert [(each.number, each.zone, each.area) for each in ready.numbers] == [
        ("+8613800138000", "Asia/Shanghai", "somewhere")
    ]
    assert (ready.name, ready.priority, ready.row) == ("王", 3, 2)
    assert told((ready, rejected)) == [("tel2", "impossible_number", True)]
    for cells, reasons in (
        ([None, None, "李"], [("", "no_number", False)]),
        (["13800138000", None, "李"], [("tel", "duplicate_in_file", False)]),
        (["13800138000", "13900139000", "李"], [("tel", "duplicate_in_file", True)]),
        (["#REF!", "12345"], [("tel", "formula_error", False), ("tel2", "impossible_number", False)]),
        (["13700137000", None, "x" * 201], [("name", "too_long", False)]),
        (["13700137000", None, "", "high"], [("prio", "bad_priority", False)]),
        (["10086"], [("tel", "emergency_number", False)]),
        (["10010"], [("tel", "impossible_number", False)]),
    ):
        found = rows.read(3, cells)
        assert told(found) == reasons, cells
        assert (found[0] is None) == (not reasons[0][2])
    # What was refused did not use up its numbers; the same number twice in a row is one.
    ready, rejected = rows.read(9, ["13700137000", "+8613700137000", "赵"])
    assert (len(ready.numbers), rejected) == (1, [])
    assert told(reader(may_be_internal=True).read(2, ["10086"])) == [("tel", "emergency_number", False)]


def test_more_than_ten_numbers_and_tags() -> None:
    many = ",".join(str(13_800_138_000 + k) for k in range(11))
    assert told(reader().read(2, [many])) == [("tel", "too_many_numbers", True)]
    found = reader("customers", ("tel", "标签")).read(2, ["13800138000", "vip，老客户; vip"])
    assert found[0].tags == ["vip", "老客户"]
    assert told(reader("customers", ("tel", "标签")).read(2, ["13800138000", "t" * 65])) == [
        ("标签", "too_long", False)
    ]


def test_beginnings_of_numbers_on_do_not_call_lists() -> None:
    rows = reader("dnc", ("tel", "reason"), may_be_prefix=True)
    ready, _ = rows.read(2, ["+86571*", "Area"])
    assert (ready.is_prefix, ready.numbers[0].number, ready.reason) == (True, "+86571", "Area")
    assert told(rows.read(3, ["abc*"])) == [("tel", "not_a_number", False)]
    assert told(reader("dnc", ("tel", "reason")).read(3, ["+86571*"])) == [("tel", "not_a_number", False)]


def test_time_zones_of_numbers() -> None:
    assert zone_of_number("+8613800138000") == "Asia/Shanghai"
    assert zone_of_number("+14155552671") == "America/Los_Angeles"
    # A number that may be anywhere in a country of many zones has none.
    assert zone_of_number("+18005552671") == zone_of_number("8001") == ""


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "＝1", "+86 138"])
def test_what_is_written_is_no_formula(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["+8613800138000", "-5", "3.5", "王", "a=b", ""])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert guarded(text) == text
