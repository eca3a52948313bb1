"""Covers `ivr/values.py`: money, dates, times, durations and telephone numbers, in words as people would write them.

Does not cover quantities (`test_reading`), nor how any of it sounds.
"""

from datetime import date, time
from decimal import Decimal

import pytest

from ivr.values import clock, day, duration, groups_of, money, telephone, weekday
from ivr.voices import PAUSE, PROMPTS, source


def zh(names: list[str]) -> str:
    return "".join(" " if name == PAUSE else PROMPTS["zh"][name] for name in names)


def en(names: list[str]) -> str:
    return " ".join("," if name == PAUSE else PROMPTS["en"][name] for name in names)


@pytest.mark.parametrize(
    ("amount", "chinese", "english"),
    [
        ("0", "零元", "zero yuan"),
        ("1", "一元", "one yuan"),
        ("2", "两元", "two yuan"),
        ("2.2", "两元两角", "two point two yuan"),
        ("0.50", "五角", "zero point five yuan"),
        ("0.05", "五分", "zero point zero five yuan"),
        ("12.05", "十二元零五分", "twelve point zero five yuan"),
        ("12.50", "十二元五角", "twelve point five yuan"),
        ("12.34", "十二元三角四分", "twelve point three four yuan"),
        ("1003.30", "一千零三元三角", "one thousand three point three yuan"),
        ("-8", "负八元", "minus eight yuan"),
        ("20000", "两万元", "twenty thousand yuan"),
    ],
)
def test_yuan(amount, chinese, english):
    assert zh(money(Decimal(amount), "zh")) == chinese
    assert en(money(Decimal(amount), "en")) == english


@pytest.mark.parametrize(
    ("amount", "chinese", "english"),
    [
        ("0", "零美元", "zero dollars"),
        ("1", "一美元", "one dollar"),
        ("2", "两美元", "two dollars"),
        ("1.01", "一点零一美元", "one dollar and one cent"),
        ("12.50", "十二点五美元", "twelve dollars and fifty cents"),
        ("0.99", "零点九九美元", "ninety nine cents"),
        ("-3.20", "负三点二美元", "minus three dollars and twenty cents"),
    ],
)
def test_dollars(amount, chinese, english):
    assert zh(money(Decimal(amount), "zh", "USD")) == chinese
    assert en(money(Decimal(amount), "en", "USD")) == english


@pytest.mark.parametrize(
    ("on", "chinese", "english", "weekdays"),
    [
        ("2026-11-27", "二零二六年十一月二十七日", "November the twenty-seventh twenty twenty six", ("五", "Friday")),
        ("2005-03-03", "二零零五年三月三日", "March the third two thousand five", ("四", "Thursday")),
        ("2000-01-01", "二零零零年一月一日", "January the first two thousand", ("六", "Saturday")),
        ("1900-12-31", "一九零零年十二月三十一日", "December the thirty-first nineteen hundred", ("一", "Monday")),
        ("1905-10-20", "一九零五年十月二十日", "October the twentieth nineteen oh five", ("五", "Friday")),
        ("2010-02-22", "二零一零年二月二十二日", "February the twenty-second twenty ten", ("一", "Monday")),
        ("2100-08-12", "二一零零年八月十二日", "August the twelfth twenty one hundred", ("四", "Thursday")),
        ("1066-10-14", "一零六六年十月十四日", "October the fourteenth one thousand sixty six", ("日", "Sunday")),
        ("2024-02-29", "二零二四年二月二十九日", "February the twenty-ninth twenty twenty four", ("四", "Thursday")),
        ("1999-09-09", "一九九九年九月九日", "September the ninth nineteen ninety nine", ("四", "Thursday")),
    ],
)
def test_dates(on, chinese, english, weekdays):
    read = date.fromisoformat(on)
    assert zh(day(read, "zh")) == chinese
    assert en(day(read, "en")) == english
    assert (zh(weekday(read)), en(weekday(read))) == ("星期" + weekdays[0], weekdays[1])


@pytest.mark.parametrize(
    ("moment", "chinese", "english"),
    [
        ("00:00", "零点整", "twelve a.m."),
        ("00:05", "零点零五分", "twelve oh five a.m."),
        ("02:00", "两点整", "two a.m."),
        ("02:02", "两点零二分", "two oh two a.m."),
        ("09:30", "九点三十分", "nine thirty a.m."),
        ("10:10", "十点十分", "ten ten a.m."),
        ("12:00", "十二点整", "twelve p.m."),
        ("14:30", "十四点三十分", "two thirty p.m."),
        ("20:15", "二十点十五分", "eight fifteen p.m."),
        ("22:22", "二十二点二十二分", "ten twenty two p.m."),
        ("23:59", "二十三点五十九分", "eleven fifty nine p.m."),
    ],
)
def test_times(moment, chinese, english):
    assert zh(clock(time.fromisoformat(moment), "zh")) == chinese
    assert en(clock(time.fromisoformat(moment), "en")) == english


@pytest.mark.parametrize(
    ("seconds", "chinese", "english"),
    [
        (0, "零秒", "zero seconds"),
        (1, "一秒", "one second"),
        (2, "两秒", "two seconds"),
        (60, "一分钟", "one minute"),
        (61, "一分钟一秒", "one minute one second"),
        (120, "两分钟", "two minutes"),
        (3600, "一小时", "one hour"),
        (7325, "两小时两分钟五秒", "two hours two minutes five seconds"),
        (86400, "一天", "one day"),
        (2 * 86400 + 12 * 3600 + 22 * 60, "两天十二小时二十二分钟", "two days twelve hours twenty two minutes"),
    ],
)
def test_durations(seconds, chinese, english):
    assert zh(duration(seconds, "zh")) == chinese
    assert en(duration(seconds, "en")) == english


@pytest.mark.parametrize(
    ("number", "chinese", "english"),
    [
        ("13800001111", "幺三八 零零零零 幺幺幺幺", "one three eight , zero zero zero zero , one one one one"),
        (
            "+86 138-0000-1111",
            "加八六 幺三八 零零零零 幺幺幺幺",
            "plus eight six , one three eight , zero zero zero zero , one one one one",
        ),
        ("4008001234", "四零零 八零零 幺二三四", "four zero zero , eight zero zero , one two three four"),
        (
            "(021) 8888 6666",
            "零二幺 八八八八 六六六六",
            "zero two one , eight eight eight eight , six six six six",
        ),
        (
            "051288886666",
            "零五幺二 八八八八 六六六六",
            "zero five one two , eight eight eight eight , six six six six",
        ),
        ("88886666", "八八八八 六六六六", "eight eight eight eight , six six six six"),
        ("8001", "八零零幺", "eight zero zero one"),
        ("95588", "九五五八八", "nine five five eight eight"),
        ("10086", "幺零零八六", "one zero zero eight six"),
        ("110", "幺幺零", "one one zero"),
        ("*72#", "星号键七二井号键", "the star key seven two the pound key"),
    ],
)
def test_telephone_numbers(number, chinese, english):
    assert zh(telephone(number, "zh")) == chinese
    assert en(telephone(number, "en")) == english


@pytest.mark.parametrize("length", range(1, 60))
@pytest.mark.parametrize("prefix", ["", "+", "+86"])
def test_no_digit_of_a_telephone_number_is_lost(prefix, length):
    number = prefix + ("9876543210" * 6)[:length]
    groups = groups_of(number)
    assert "".join(groups) == number
    assert all(1 <= len(group) <= 5 for group in groups)


@pytest.mark.parametrize(
    "read",
    [
        lambda: telephone("", "zh"),
        lambda: telephone("- -", "zh"),
        lambda: telephone("call me", "en"),
        lambda: telephone("١٢٣", "zh"),
        lambda: telephone("1" * 65, "en"),
        lambda: money(Decimal("1.005"), "zh"),
        lambda: money(Decimal("NaN"), "en"),
        lambda: money(Decimal("-Infinity"), "en"),
        lambda: money(Decimal("1E+30"), "zh"),
        lambda: duration(-1, "zh"),
        lambda: duration(10**18, "zh"),
    ],
)
def test_what_cannot_be_read_is_refused(read):
    with pytest.raises(ValueError, match=r"cannot be read|telephone number|no duration"):
        read()


def test_a_pause_is_silence_in_every_language():
    assert source(PAUSE, "zh") == source(PAUSE, "en") == "silence:250"
