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
    BothStrands,
    Examples,
    Features,
    View,
    evaluate,
    steps_per_epoch,
    strand_outputs,
    training_batches,
)
from hyenadna.tokenizer import PAD, decode, encode
from hyenadna.training.precision import Precision

FORWARD = View.of_strand(70, reverse=False)


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


@pytest.fixture(scope="module")
def fp32(tiny_recipe) -> Precision:
    return Precision(tiny_recipe, torch.device("cpu"))


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
    ids, lengths, _ = Examples(items, longest=64).batch(np.arange(70), FORWARD)
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


def test_the_mean_over_both_strands_is_the_same_for_both(items, network, fp32, tiny_recipe):
    recipe = tiny_recipe.replace(average_strands=True, flip_strand=1.0)
    other = [reverse_complement(sequence) for sequence in items.sequences]
    flipped = LabelledSet(items.ids, other, items.lengths, items.labels, items.classes, items.kind)
    one, two = (
        strand_outputs(network, Examples(of, longest=64), fp32, recipe) for of in (items, flipped)
    )
    torch.testing.assert_close(one, two)
    forward = strand_outputs(network, Examples(items, longest=64), fp32, tiny_recipe)
    assert not torch.allclose(one, forward)


def test_both_strands_of_an_item_are_side_by_side(items):
    source = BothStrands(Examples(items, longest=64))
    ids, lengths, labels = source.batch(np.arange(70), FORWARD)
    assert len(labels) == 70
    read = texts((ids, lengths, labels))
    assert read[:70] == list(items.sequences)
    assert read[70:] == [reverse_complement(sequence) for sequence in items.sequences]


def test_first_epochs_read_parts_of_longer_items(items, tiny_recipe):
    stages = [{"length": 8, "epochs": 1}, {"length": 16, "epochs": 2}]
    recipe = tiny_recipe.replace(epochs=4, length_warmup=stages)
    for number, length in enumerate((8, 16, 16, None)):
        read = epoch(items, recipe, seed=0, number=number)
        expected = [min(len(sequence), length or 40) for sequence in items.sequences]
        assert sorted(map(len, read)) == sorted(expected)
        assert all(any(part in sequence for sequence in items.sequences) for part in read)
    parts = epoch(items, recipe, seed=0, number=1), epoch(items, recipe, seed=0, number=2)
    assert sorted(parts[0]) != sorted(parts[1])


def test_shorter_items_share_a_larger_forward_pass(items, tiny_recipe):
    recipe = tiny_recipe.replace(micro_batch_size=2, length_warmup=[{"length": 8, "epochs": 1}])
    first = next(training_batches(Examples(items, longest=64), recipe, 0, 0))
    assert [len(batch[0]) for batch in first] == [10, 10, 10, 2]


def test_evaluation_reads_the_strand_that_it_is_told(items, network, fp32):
    source = Examples(items, longest=64)
    plain = evaluate(network, source, fp32, forward_size=20)
    reverse = evaluate(network, source, fp32, forward_size=20, reverse=True)
    assert not torch.allclose(plain, reverse)


def test_an_item_scores_the_same_alone_and_padded_in_a_batch(items, network, fp32):
    together = evaluate(network, Examples(items, longest=64), fp32, forward_size=20)
    for row in (0, 7, 31):
        ids = torch.from_numpy(encode(items.sequences[row]))[None]
        alone = network(ids, torch.tensor([ids.shape[1]]))[0]
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-4)


def test_a_long_item_is_cut_to_its_middle(items):
    source = Examples(items, longest=8)
    rows = np.arange(70)
    cut = texts(source.batch(rows, FORWARD))
    for sequence, middle in zip(items.sequences, cut, strict=True):
        spare = max(len(sequence) - 8, 0)
        assert middle == sequence[spare // 2 : spare // 2 + 8]


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
def test_features_give_the_head_what_the_whole_network_would(
    items, tiny_model, fp32, reverse, bidirectional
):
    torch.manual_seed(0)
    model = HyenaDNA(tiny_model.replace(bidirectional=bidirectional))
    network = SequenceClassifier(model, 2).eval()
    examples = Examples(items, longest=64)
    features = Features(examples, network, fp32, forward_size=20, both_strands=True)
    whole, head = (
        evaluate(of, source, fp32, forward_size=20, reverse=reverse)
        for of, source in ((network, examples), (network.head, features))
    )
    torch.testing.assert_close(head, whole)
