"""Markov chains: counted right, smoothed as documented, confined to their windows."""

import math
from collections import Counter

import numpy as np
import pytest

from hyenadna.model import markov
from hyenadna.model.markov import MarkovChain
from hyenadna.tokenizer import PAD, decode, encode, reverse_complement_ids


def random_ids(length, *, seed=0, letters="ACGT"):
    return encode("".join(np.random.default_rng(seed).choice(list(letters), length)))


def window_of(ids):
    """One window, (1, L) inputs and targets."""
    return ids[None, :-1], ids[None, 1:]


def brute_force_probability(strands, context, base):
    """Return p(base | context) by searching strings and the documented recursion."""
    if context == "":
        counts = Counter("".join(strands))
        return (counts[base] + 1) / (sum(counts[letter] for letter in "ACGT") + 4)
    words = Counter(
        strand[i : i + len(context) + 1]
        for strand in strands
        for i in range(len(strand) - len(context))
    )
    seen = sum(words[context + letter] for letter in "ACGT")
    shorter = brute_force_probability(strands, context[1:], base)
    return (words[context + base] + 4 * shorter) / (seen + 4)


def brute_force_bits(strands, text, order):
    costs = []
    for i in range(1, len(text)):
        known = text[max(0, i - order) : i].rpartition("N")[2]
        if text[i] != "N":
            costs.append(-math.log2(brute_force_probability(strands, known, text[i])))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("both_strands", [True, False])
def test_against_counting_by_hand(both_strands):
    train = [random_ids(150, seed=1, letters="AACGTN"), random_ids(90, seed=2, letters="ACGGT")]
    strands = [decode(ids) for ids in train]
    if both_strands:
        strands += [decode(reverse_complement_ids(ids)) for ids in train]
    held_out = random_ids(60, seed=3, letters="ACGTN")
    bits = MarkovChain.fit(train, order=3, both_strands=both_strands).bits_per_base(
        [window_of(held_out)]
    )
    expected = [brute_force_bits(strands, decode(held_out), order) for order in range(4)]
    np.testing.assert_allclose(bits, expected, rtol=1e-12)


def test_uniform_random_bases_cost_two_bits_at_every_order():
    chain = MarkovChain.fit([random_ids(2_000_000)])
    bits = chain.bits_per_base([window_of(random_ids(200_000, seed=1))])
    np.testing.assert_allclose(bits, 2.0, atol=3e-3)


def test_a_periodic_sequence_costs_nothing_once_the_context_tells_the_phase():
    ids = encode("ACGGT" * 20_000)
    bits = MarkovChain.fit([ids], both_strands=False).bits_per_base([window_of(ids)])
    # One of five bases is A, C and T each, two are G.
    assert bits[0] == pytest.approx(0.6 * math.log2(5) + 0.4 * math.log2(2.5), abs=1e-3)
    assert bits[1] == pytest.approx(
        0.4, abs=1e-3
    )  # a G is two bases of five, and what follows it is open
    assert (bits[2:] < 1e-3).all()


def test_long_sequences_are_counted_across_chunks(monkeypatch):
    ids = random_ids(1000, letters="ACGTN")
    whole = MarkovChain.fit([ids]).bits
    monkeypatch.setattr(markov, "_CHUNK", 7)
    for expected, found in zip(whole, MarkovChain.fit([ids]).bits, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_context_never_reaches_beyond_its_window():
    chain = MarkovChain.fit([random_ids(5000)])
    inputs, targets = window_of(random_ids(101, seed=5))
    apart = inputs.reshape(4, 25), targets.reshape(4, 25)
    one_by_one = [(i[None], t[None]) for i, t in zip(*apart, strict=True)]
    np.testing.assert_allclose(chain.bits_per_base([apart]), chain.bits_per_base(one_by_one))
    assert not np.allclose(chain.bits_per_base([apart]), chain.bits_per_base([(inputs, targets)]))


def test_padding_and_n_are_no_targets():
    chain = MarkovChain.fit([random_ids(5000)])
    inputs, targets = window_of(random_ids(21, seed=5))
    padded = [np.pad(ids, ((0, 0), (0, 9)), constant_values=PAD) for ids in (inputs, targets)]
    np.testing.assert_allclose(
        chain.bits_per_base([tuple(padded)]), chain.bits_per_base([(inputs, targets)])
    )
    n_only = encode("N" * 10)[None]
    with_n = chain.bits_per_base([(inputs, targets), (n_only, n_only)])
    np.testing.assert_allclose(with_n, chain.bits_per_base([(inputs, targets)]))


def test_probabilities_of_each_context_sum_to_one():
    for k, bits in enumerate(MarkovChain.fit([random_ids(300)]).bits):
        np.testing.assert_allclose((2.0**-bits).reshape(4**k, 4).sum(axis=1), 1.0)
