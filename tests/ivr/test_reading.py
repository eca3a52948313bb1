"""Covers: how numbers and digits are read aloud, against tables of both languages and against what somebody who listens
would write down; what callers in a queue are told; and that every built-in prompt there is can be played.

How it sounds is not covered: only that it is there, is long enough, and is no silence.
"""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.announcements import agent_number, choice, place
from ivr.reading import MAX_NUMBER, count, digits, number
from ivr.voices import PROMPTS, language_of, source
from media.prompts import SourceError, prepare

VOICES = Path(__file__).parents[2] / "media" / "voices"


def text(names: list[str], language: str) -> str:
    words = [PROMPTS[language][name] for name in names]
    return "".join(words) if language == "zh" else " ".join(words)


ZH_TABLE = """
0 零  1 一  2 二  9 九  10 十  11 十一  12 十二  19 十九  20 二十  21 二十一  22 二十二  99 九十九  100 一百
101 一百零一  102 一百零二  110 一百一十  111 一百一十一  112 一百一十二  119 一百一十九  120 一百二十  200 二百
222 二百二十二  305 三百零五  350 三百五十  999 九百九十九  1000 一千  1001 一千零一  1003 一千零三
1010 一千零一十  1012 一千零一十二  1100 一千一百  1101 一千一百零一  1110 一千一百一十  2000 两千
2002 两千零二  2022 两千零二十二  2200 两千二百  2222 两千二百二十二  9009 九千零九  10000 一万  10001 一万零一
10010 一万零一十  10100 一万零一百  11000 一万一千  12345 一万两千三百四十五  20000 两万  20002 两万零二
22000 两万两千  100000 十万  100001 十万零一  101000 十万一千  110000 十一万  120000 十二万  200000 二十万
1000000 一百万  1000001 一百万零一  1010000 一百零一万  1100000 一百一十万  10000000 一千万  10001000 一千万一千
10010000 一千零一万  20000000 两千万  100000000 一亿  100000001 一亿零一  100001000 一亿零一千
100010000 一亿零一万  101000000 一亿零一百万  110000000 一亿一千万  200000000 两亿  1000000000 十亿
1000100000 十亿零一十万  -5 负五  -10 负十  -1003 负一千零三
"""
EN_TABLE = """
0 zero
1 one
10 ten
12 twelve
19 nineteen
20 twenty
21 twenty one
99 ninety nine
100 one hundred
101 one hundred one
110 one hundred ten
342 three hundred forty two
1000 one thousand
1001 one thousand one
1100 one thousand one hundred
10010 ten thousand ten
12345 twelve thousand three hundred forty five
100000 one hundred thousand
1000000 one million
1000001 one million one
2500000 two million five hundred thousand
1000000000 one billion
-7 minus seven
"""
ZH = [(int(value), said) for value, said in (item.split() for item in ZH_TABLE.replace("\n", "  ").split("  ") if item)]
EN = [(int(value), said) for value, _, said in (line.partition(" ") for line in EN_TABLE.strip().splitlines())]


@pytest.mark.parametrize(("value", "said"), ZH)
def test_ivr_09_quantities_in_chinese(value, said):
    assert text(number(value, "zh"), "zh") == said


@pytest.mark.parametrize(("value", "said"), EN)
def test_ivr_09_quantities_in_english(value, said):
    assert text(number(value, "en"), "en") == said


ORACLE = [
    line.split("\t")
    for line in (Path(__file__).parents[1] / "vectors/reading/numbers.tsv").read_text(encoding="utf-8").splitlines()
]
"""Number, as cn2an spells it, as num2words does: libraries that know nothing of us."""


@pytest.mark.parametrize(("value", "zh", "en"), ORACLE, ids=[each[0] for each in ORACLE])
def test_ivr_09_quantities_as_libraries_spell_them(value, zh, en):
    # cn2an writes 二 where people say 两; num2words is British, with "and", and hyphens.
    assert text(number(int(value), "zh"), "zh").replace("两", "二") == zh
    assert text(number(int(value), "en"), "en") == en.replace(" and ", " ").replace("-", " ")


def write_down_zh(names: list[str]) -> int:
    """What somebody writes down who hears it."""
    total = group = digit = 0
    sign = 1
    for name in names:
        if name == "minus":
            sign = -1
        elif name in ("10", "100", "1000"):
            # 十 alone is one of them.
            group, digit = group + (digit or 1) * int(name), 0
        elif name == "wan":
            total, group, digit = total + (group + digit) * 10_000, 0, 0
        elif name == "yi":
            total, group, digit = total + (group + digit) * 100_000_000, 0, 0
        else:
            digit = 2 if name == "liang" else int(name)
    return sign * (total + group + digit)


def write_down_en(names: list[str]) -> int:
    total = group = 0
    sign = 1
    big = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
    for name in names:
        if name == "minus":
            sign = -1
        elif name == "hundred":
            group *= 100
        elif name in big:
            total, group = total + group * big[name], 0
        else:
            group += int(name)
    return sign * (total + group)


@given(st.integers(-MAX_NUMBER + 1, MAX_NUMBER - 1) | st.integers(-99_999, 99_999))
def test_who_hears_a_quantity_writes_the_same_down(value):
    zh = number(value, "zh")
    assert write_down_zh(zh) == value
    assert write_down_en(number(value, "en")) == value
    said = "".join(PROMPTS["zh"][name] for name in zh)
    assert "零零" not in said
    assert value == 0 or not said.endswith("零")


@given(st.decimals(-1000, 1000, places=2))
def test_fractions_digit_by_digit(value):
    said = number(value, "zh")
    where = said.index("point")
    assert "".join(said[where + 1 :]) == f"{abs(value):f}".partition(".")[2]
    assert number(Decimal("0.50"), "en") == ["0", "point", "5", "0"]


@pytest.mark.parametrize("value", [MAX_NUMBER, -MAX_NUMBER, Decimal("NaN"), Decimal("Infinity")], ids=str)
def test_what_cannot_be_read(value):
    with pytest.raises(ValueError, match="cannot be read aloud"):
        number(value, "zh")


def test_ivr_08_digits_one_at_a_time():
    assert text(digits("021-8888 1003", "zh"), "zh") == "零二幺八八八八幺零零三"
    assert text(digits("8001", "en"), "en") == "eight zero zero one"


@pytest.mark.parametrize(
    ("said", "zh", "en"),
    [
        (lambda lang: place(1, None, lang), "您是下一位", "You are next in line"),
        (lambda lang: place(2, None, lang), "您现在排在第二位", "You are number two in the queue"),
        (
            lambda lang: place(12, 61.0, lang),
            "您现在排在第十二位预计等待时间约两分钟",
            "You are number twelve in the queue The estimated waiting time is two minutes",
        ),
        (
            lambda lang: place(10, 59.0, lang, is_more_than=True),
            "您前面的客户超过十位预计等待时间不到一分钟",
            "There are more than ten callers before you You will wait less than a minute",
        ),
        (
            lambda lang: place(3, 60.0, lang),
            "您现在排在第三位预计等待时间约一分钟",
            "You are number three in the queue The estimated waiting time is one minute",
        ),
        (
            lambda lang: choice("for_callback", "2", lang),
            "如需我们给您回电，请按二",
            "If you want us to call you back, press two",
        ),
        (
            lambda lang: choice("for_message", "#", lang),
            "如需留言，请按井号键",
            "To leave a message, press the pound key",
        ),
        (
            lambda lang: agent_number("8001", lang),
            "工号八零零幺为您服务",
            "Agent eight zero zero one is at your service",
        ),
        (lambda lang: agent_number("anna", lang), "", ""),
    ],
)
def test_what_callers_are_told(said, zh, en):
    for language, expected in (("zh", zh), ("en", en)):
        names = [each.removeprefix(f"voice:{language}/") for each in said(language)]
        assert text(names, language) == expected


def test_two_of_them_and_the_second():
    assert count(2, "zh") == ["liang"]
    assert number(2, "zh") == ["2"]


def test_the_language_that_is_spoken():
    assert [language_of(each) for each in ("zh", "zh-CN", "en-GB", "EN", "de", "")] == [
        "zh",
        "zh",
        "en",
        "en",
        "zh",
        "zh",
    ]


@pytest.mark.parametrize(("language", "name"), [(lang, name) for lang in PROMPTS for name in PROMPTS[lang]])
def test_every_built_in_prompt_is_there_and_is_no_silence(language, name):
    samples = prepare(source(name, language)).samples
    longest_s = 1.5 + len(PROMPTS[language][name]) * {"zh": 0.4, "en": 0.1}[language]
    assert 0.2 < len(samples) / 8000 < longest_s
    rms = float(np.sqrt(np.mean(samples.astype(float) ** 2)))
    assert 1000 < rms < 8000
    spoken = json.loads((VOICES / "manifest.json").read_text(encoding="utf-8"))[f"{language}/{name}"]
    assert spoken["text"] == PROMPTS[language][name], "changed: run scripts/render-prompts"
    assert spoken["sha256"] == hashlib.sha256((VOICES / language / f"{name}.wav").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["voice:zh/none", "voice:zh/../../tones", "voice:", "voice:zh", "voice:ZH/0"])
def test_a_prompt_there_is_none_of_is_an_error(name):
    with pytest.raises(SourceError, match="no such built-in prompt"):
        prepare(name)
