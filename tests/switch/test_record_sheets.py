"""What agents are shown of records: numbers only as far as their role lets them (XRBAC-05), scripts filled in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialer.rules import No, Yes
from model.campaigns import Campaign
from model.dialing import CampaignRecord, RecordNumber
from switch.masking import mask_number
from switch.record_sheets import card_of, sheet_of

RECORD = CampaignRecord(
    record_id="r",
    campaign="c",
    name="王",
    numbers=[RecordNumber(number="+8613800001111"), RecordNumber(number="02188886666")],
    data={"mobile": "138 0000 1111", "office": "021-8888-6666", "age": "1111", "city": "上海"},
)
CAMPAIGN = Campaign(name="c", script="{name} {mobile} {age}")


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("13800001111", "138****1111"),
        ("+8613800001111", "+861******1111"),
        ("021-8888-6666", "021-****-6666"),
        ("1234567", "*****67"),
        ("110", "*10"),
        ("12", "**"),
        ("", ""),
    ],
)
def test_the_middle_of_a_number_is_hidden(number, shown):
    assert mask_number(number) == shown


@given(st.text(alphabet="0123456789+-# ()", max_size=40))
def test_most_of_a_number_is_never_shown(number):
    shown = mask_number(number)
    assert len(shown) == len(number)
    n_digits = sum(char.isdigit() for char in number)
    assert sum(char.isdigit() for char in shown) <= min(7, max(0, n_digits - 1))


def test_numbers_are_hidden_wherever_they_stand():
    card = card_of(RECORD, is_whole=False)
    assert [each.number for each in card.numbers] == ["+861******1111", "021****6666"]
    assert card.data == {"mobile": "138 **** 1111", "office": "021-****-6666", "age": "1111", "city": "上海"}
    assert sheet_of(RECORD, CAMPAIGN, Yes(0), is_whole=False).script == "王 138 **** 1111 1111"


def test_who_may_see_them_sees_them():
    sheet = sheet_of(RECORD, CAMPAIGN, No("hours", 5.0), is_whole=True)
    assert [each.number for each in sheet.record.numbers] == ["+8613800001111", "02188886666"]
    assert sheet.record.data == RECORD.data
    assert (sheet.may_call, sheet.position, sheet.why_not, sheet.retry_at_utc) == (False, -1, "hours", 5.0)
    assert sheet.title == "c"
