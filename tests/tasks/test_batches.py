"""Batches: order, strands, cutting and padding."""

from itertools import islice

import numpy as np
import pytest
import torch

from hyenadna import tokenizer
from hyenadna.data.labelled import LabelledSet
from hyenadna.genome import reverse_complement
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.heads import SequenceClassifier
from hyenadna.tasks.batches import (
    Examples,
    Features,
    evaluate,
    steps_per_epoch,
    training_batches,
)
from hyenadna.tokenizer import PAD, decode, encode


@pytest.fixture(scope="module")
def items() -> LabelledSet:
    """Seventy items of 5 to 40 nucleotides, no two alike."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 41, size=70)
    sequences = ["".join(rng.choice(list("ACGTN"), length)) for length in lengths]
    labels = rng.integers(0, 2, size=70)
    return LabelledSet(
        [f"s{i}" for i in range(70)], sequences, lengths, labels, ("a", "b"), "single"
    )


@pytest.fixture(scope="module")
def network(tiny_model) -> SequenceClassifier:
    torch.manual_seed(0)
    return SequenceClassifier(HyenaDNA(tiny_model), 2).eval()


def texts(batch) -> list[str]:
    """The sequences of a batch without their padding."""
    ids, lengths, _ = batch
    assert all((row[length:] == PAD).all() for row, length in zip(ids, lengths, strict=True))
    return [decode(row[:length].numpy()) for row, length in zip(ids, lengths, strict=True)]


def epoch(items, recipe, *, seed, number) -> list[str]:
    """What one epoch reads, in order."""
    source = Examples(items, longest=64)
    steps = steps_per_epoch(source, recipe)
    batches = islice(training_batches(source, recipe, seed, number * steps), steps)
    return [text for step in batches for batch in step for text in texts(batch)]


def test_an_epoch_reads_each_item_once(items, tiny_recipe):
    assert sorted(epoch(items, tiny_recipe, seed=0, number=0)) == sorted(items.sequences)


def test_order_depends_on_seed_and_epoch_alone(items, tiny_recipe):
    first = epoch(items, tiny_recipe, seed=0, number=1)
    assert first == epoch(items, tiny_recipe, seed=0, number=1)
    assert first != epoch(items, tiny_recipe, seed=0, number=0)
    assert first != epoch(items, tiny_recipe, seed=1, number=1)


def test_batches_go_on_from_any_step_as_they_would_have(items, tiny_recipe):
    recipe = tiny_recipe.replace(flip_strand=0.5)
    source = Examples(items, longest=64)
    whole = list(islice(training_batches(source, recipe, 3, 0), 8))
    resumed = list(islice(training_batches(source, recipe, 3, 5), 3))
    for expected, found in zip(whole[5:], resumed, strict=True):
        for one, other in zip(expected, found, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_micro_batches_share_out_their_step(items, tiny_recipe):
    source = Examples(items, longest=64)
    sizes = [
        [len(batch[0]) for batch in step]
        for step in islice(training_batches(source, tiny_recipe, 0, 0), 3)
    ]
    assert sizes == [[20, 12], [20, 12], [6]]


def test_nothing_but_nucleotides_and_padding_on_the_right_is_fed_to_the_network(items):
    ids, lengths, _ = Examples(items, longest=64).batch(np.arange(70), np.zeros(70, dtype=bool))
    assert texts((ids, lengths, None)) == list(items.sequences)
    special = [n for t, n in tokenizer.VOCAB.items() if t.startswith("[") and n != PAD]
    assert not np.isin(ids, special).any()


def test_strands_are_drawn_in_training_at_the_rate_asked_for(items, tiny_recipe):
    flipped = {reverse_complement(sequence): sequence for sequence in items.sequences}
    for rate in (0.0, 1.0):
        read = epoch(items, tiny_recipe.replace(flip_strand=rate), seed=0, number=0)
        assert sorted(read) == sorted(flipped if rate else items.sequences)
    half = epoch(items, tiny_recipe.replace(flip_strand=0.5), seed=0, number=0)
    assert 20 < sum(text in flipped for text in half) < 50
    assert sorted(flipped.get(text, text) for text in half) == sorted(items.sequences)


def test_evaluation_reads_the_forward_strand_whatever_the_recipe(items, network, tiny_recipe):
    source = Examples(items, longest=64)
    plain = evaluate(network, source, tiny_recipe)
    assert torch.equal(plain, evaluate(network, source, tiny_recipe.replace(flip_strand=1.0)))
    assert not torch.allclose(plain, evaluate(network, source, tiny_recipe, flip=True))


def test_an_item_scores_the_same_alone_and_padded_in_a_batch(items, network, tiny_recipe):
    together = evaluate(network, Examples(items, longest=64), tiny_recipe)
    for row in (0, 7, 31):
        ids = torch.from_numpy(encode(items.sequences[row]))[None]
        alone = network(ids, torch.tensor([ids.shape[1]]))[0]
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-4)


def test_a_long_item_is_cut_to_its_middle(items):
    source = Examples(items, longest=8)
    rows = np.arange(70)
    cut = texts(source.batch(rows, np.zeros(70, dtype=bool)))
    for sequence, middle in zip(items.sequences, cut, strict=True):
        spare = max(len(sequence) - 8, 0)
        assert middle == sequence[spare // 2 : spare // 2 + 8]


@pytest.mark.parametrize("flip", [False, True])
def test_features_give_the_head_what_the_whole_network_would(items, network, tiny_recipe, flip):
    examples = Examples(items, longest=64)
    features = Features(examples, network, tiny_recipe, both_strands=True)
    whole = evaluate(network, examples, tiny_recipe, flip=flip)
    torch.testing.assert_close(evaluate(network.head, features, tiny_recipe, flip=flip), whole)
