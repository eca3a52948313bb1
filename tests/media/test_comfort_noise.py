"""Comfort noise (RFC 3389): level, spectrum, no seam, whatever the packet holds.

Not here: when it is heard (test_inputs.py); packets of it on their way (the end of this file, through the engine).
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.comfort_noise import ComfortNoise, level_of, polynomial
from tests.media.virtual import Phone, World


def heard(payload, n=16384, part=160):
    noise = ComfortNoise(1)
    noise.set(0, payload, 0)
    return np.concatenate([noise.next(0, part) for _ in range(n // part)])


@pytest.mark.parametrize(("octet", "dbov"), [(0, 0), (30, -30), (78, -78), (127, -127), (0x80 | 40, -40)])
def test_level(octet, dbov):
    assert 20 * np.log10(level_of(octet) / 32768) == pytest.approx(dbov, abs=0.01)
    assert np.sqrt(np.mean(heard(bytes([octet])) ** 2)) == pytest.approx(level_of(octet), rel=0.02)


def test_reflection_coefficients_shape_it():
    """One coefficient makes a first-order low- or high-pass of known correlation."""
    for octet in (27, 227):
        k = 258 * (octet - 127) / 32768
        sound = heard(bytes([30, octet])).astype(float)
        correlation = np.mean(sound[1:] * sound[:-1]) / np.mean(sound**2)
        assert correlation == pytest.approx(-k, abs=0.03)
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(level_of(30), rel=0.03)


@given(st.binary(max_size=20))
def test_any_packet_makes_a_stable_filter(payload):
    a = polynomial(payload)
    assert a[0] == 1 and np.abs(np.roots(a)).max(initial=0) < 1
    noise = ComfortNoise(2)
    noise.set(1, payload, 0)
    assert bool(noise.is_on[1]) == bool(payload)
    sound = noise.next(1, 160)
    assert np.isfinite(sound).all() and np.abs(sound).max() < 8 * 32768


def test_loop_has_no_seam():
    sound = heard(bytes([20, 20]), n=3 * 16384, part=200)
    assert np.abs(np.diff(sound)).max() < 7 * np.std(np.diff(sound))


def test_packets_are_heard_in_the_mix_and_relayed_only_to_who_knows_them():
    world = World(Phone("a", 0, hz=440), Phone("b", 1, hz=550), Phone("c", 2, hz=660))
    for name in "ab":
        world.configure(world.phones[name], cn_payload_type=13)
    a = world.phones["a"]

    def hush(seconds):
        """a is silent and says so."""
        world.run(0.3)
        a.is_muted = True
        packet = bytearray(a.make_packet())
        packet[1] = 13
        world.ports.inbox[0].append(bytes(packet[:12]) + bytes([25]))
        since = world.run(seconds)
        a.is_muted = False
        return since

    world.connect("a-b")
    hush(0.3)
    assert [each.payload for each in world.phones["b"].heard if each.type == 13] == [bytes([25])]
    world.connect("a-c")
    hush(0.3)
    assert 13 not in {each.type for each in world.phones["c"].heard}
    world.connect("a-b", "a-c", "b-c")
    since = hush(0.4)
    world.phones["b"].is_muted = True
    since = hush(0.4)
    noise = world.phones["c"].audio(since + 0.15)
    assert 20 * np.log10(np.std(noise) / 32768) == pytest.approx(-25, abs=1)
