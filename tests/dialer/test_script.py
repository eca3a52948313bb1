"""Scripts with what is known of the customer in them (XAGT-08)."""

from dialer.script import LONGEST, fill_in


def test_fields_are_filled_in_once_and_what_is_not_known_stays():
    script = "您好{name}，您的 { 套餐 } 套餐 {nothing} {} {{name}} {a\nb}"
    said = fill_in(script, "王{data}", {"套餐": "58 元", "name": "wrong", "data": "not again"})
    assert said == "您好王{data}，您的 58 元 套餐 {nothing} {} {王{data}} {a\nb}"


def test_a_script_that_grows_beyond_all_bounds_is_cut():
    assert len(fill_in("{x}" * 6000, "", {"x": "y" * 1000})) == LONGEST
