"""Random numbers by counter."""

import numpy as np
import pytest

from hyenadna.data import draws

# The first outputs of SplitMix64 seeded with 1234567, as published with its C code.
KNOWN = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def words(*numbers):
    return np.array(numbers, dtype=np.uint64)


def test_outputs_are_those_of_splitmix64():
    assert draws.outputs(words(1234567), range(5)).ravel().tolist() == KNOWN


def test_an_output_does_not_depend_on_its_batch():
    states = draws.absorb(words(*range(100)))
    together = draws.outputs(states, (3, 7))
    assert (together[1, 13:14] == draws.outputs(states[13:14], (7,))[0]).all()


def test_every_word_and_its_place_matter():
    one, two, three = words(1), words(2), words(3)
    states = [
        draws.absorb(*order)
        for order in [(one, two), (two, one), (one, two, three), (one, three), (one,)]
    ]
    assert len({int(state[0]) for state in states}) == 5


@pytest.mark.parametrize("bound", [1, 2, 3, 1000, 2**32 - 1, 2**32, 2**40 + 12345, 2**63])
def test_below_is_the_upper_half_of_the_exact_product(bound):
    (random,) = draws.outputs(draws.absorb(words(*range(500))), (0,))
    random[:3] = words(0, 2**64 - 1, 2**32)
    expected = [int(r) * bound >> 64 for r in random]
    assert draws.below(random, words(bound)).tolist() == expected


def test_unit_covers_zero_to_one_without_reaching_it():
    values = draws.unit(words(0, 2**63, 2**64 - 1))
    assert values.tolist() == [0.0, 0.5, 1 - 2.0**-53]


def test_numbers_of_neighbouring_positions_are_uniform_and_unrelated():
    states = draws.absorb(words(0), np.arange(100_000, dtype=np.uint64))
    values, others = draws.unit(draws.outputs(states, (0, 1)))
    counts = np.histogram(values, bins=100, range=(0, 1))[0]
    # 99 degrees of freedom; 176 is passed once in 100,000 times.
    assert ((counts - 1000) ** 2 / 1000).sum() < 176
    # Five standard deviations of a correlation of 100,000 pairs.
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 0.016
    assert abs(np.corrcoef(values, others)[0, 1]) < 0.016
