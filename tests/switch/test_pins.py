"""PINs of agents: which may be had, how they are kept, how often one may try; `ringback pin`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from switch.cli import app
from switch.pins import FREE_TRIES, MAX_WAIT_S, PinGuard, check_pin, hash_pin, is_pin_hash, pin_fault


@pytest.mark.parametrize("pin", ["", "123", "1234", "4321", "7777", "90123", "12a4", "1" * 13, "１２９４"], ids=repr)
def test_pins_that_nobody_may_have(pin):
    assert pin_fault(pin)
    with pytest.raises(ValueError, match="PIN"):
        hash_pin(pin)


def test_a_hash_fits_its_pin_alone_and_no_two_are_alike():
    one, other = hash_pin("2580"), hash_pin("2580")
    assert one != other
    assert is_pin_hash(one)
    assert "2580" not in one.split(":")
    assert check_pin("2580", one)
    assert check_pin("2580", other)
    assert not check_pin("2581", one)
    assert not check_pin("", one)


@pytest.mark.parametrize(
    "text", ["", "2580", "scrypt", f"scrypt:25:{'0' * 32}:{'0' * 64}", f"scrypt:14:{'0' * 30}:{'0' * 64}"], ids=repr
)
def test_what_is_no_hash_fits_no_pin(text):
    assert not is_pin_hash(text)
    assert not check_pin("2580", text)


@settings(max_examples=50)
@given(st.lists(st.floats(0, 4000), max_size=40))
def test_waits_only_grow_until_the_right_pin_comes(steps):
    guard, now, n, before = PinGuard(), 0.0, 0, 0.0
    for step in steps:
        now += step
        if guard.wait_s(("a1",), now):
            continue
        guard.failed(("a1",), now)
        n += 1
        wait_s = guard.wait_s(("a1",), now)
        assert (wait_s > 0) == (n > FREE_TRIES)
        # Instants are floats: a difference of two may be a little off.
        assert before - 1e-6 <= wait_s <= MAX_WAIT_S + 1e-6
        before = wait_s
    assert guard.wait_s(("a2",), now) == 0.0
    guard.passed(("a1",))
    assert guard.wait_s(("a1",), now) == 0.0


def test_an_agent_and_a_phone_are_counted_apart():
    guard = PinGuard()
    for i in range(FREE_TRIES + 1):
        guard.failed((f"a{i}", "at 1001"), 0.0)
    assert guard.wait_s(("a9", "at 1001"), 1.0) == pytest.approx(29.0)
    assert guard.wait_s(("a0", "at 1002"), 1.0) == 0.0


def test_the_command_makes_a_hash_and_refuses_a_bad_pin():
    def run(pin):
        return CliRunner().invoke(app, ["pin"], input=pin + "\n")

    made = run("2580")
    assert made.exit_code == 0, made.output
    assert check_pin("2580", made.output.split()[-1])
    refused = run("1234")
    assert refused.exit_code == 2
    assert refused.output.splitlines() == ["ringback: a PIN is no row of equal or consecutive digits"]
