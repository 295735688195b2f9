"""Loss and perplexity: A, C, G, T targets, each once, and nothing else."""

import math

import pytest
import torch
from torch import nn

from hyenadna.tokenizer import PAD, SEP, N, encode
from hyenadna.training.perplexity import evaluate, next_base_loss

FP32 = torch.autocast("cpu", enabled=False)


class Oracle(nn.Module):
    """Logits by input id alone: 2 for the id itself, 0 for the others."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, ids):
        return self.scale * nn.functional.one_hot(ids, 16).float()


def ids(text):
    return torch.from_numpy(encode(text)).long()[None]


# Cross-entropy in nats of a target that equals the input, and of one that does not.
RIGHT = math.log(math.exp(2) + 15) - 2
WRONG = math.log(math.exp(2) + 15)


def test_loss_is_summed_and_counted_over_targets():
    loss, terms = next_base_loss(Oracle(), (ids("ACGT"), ids("ACTT")))
    assert terms == 4
    assert loss.item() == pytest.approx(3 * RIGHT + WRONG)


@pytest.mark.parametrize("other", [N, PAD, SEP])
def test_n_pad_and_sep_are_no_targets(other):
    """The original counted them: runs of N were free predictions."""
    inputs, targets = ids("ACGTAC"), ids("ACGTAC")
    targets[0, 2:4] = other
    loss, terms = next_base_loss(Oracle(), (inputs, targets))
    assert terms == 4
    assert loss.item() == pytest.approx(4 * RIGHT)
    score = evaluate(Oracle(), [(inputs, targets)], FP32)
    assert score.bases == 4
    assert score.bits == pytest.approx(RIGHT / math.log(2))


def test_a_batch_without_targets_costs_nothing():
    loss, terms = next_base_loss(Oracle(), (ids("NNN"), ids("NNN")))
    assert (loss.item(), terms) == (0.0, 0)


def test_perplexity_is_two_to_the_bits_per_base():
    rows = evaluate(Oracle(), [(ids("ACGT"), ids("ACTT"))], FP32).rows()
    assert rows["bits_per_base"] == pytest.approx((3 * RIGHT + WRONG) / 4 / math.log(2))
    assert rows["perplexity"] == pytest.approx(2 ** rows["bits_per_base"])
    assert rows["accuracy"] == 0.75


def test_every_target_weighs_the_same_whatever_its_batch():
    """The original averaged over mini-batches."""
    inputs, targets = ids("ACGTACGT"), ids("ACTTTCGA")
    whole = evaluate(Oracle(), [(inputs, targets)], FP32)
    pairs = [(inputs[:, :1], targets[:, :1]), (inputs[:, 1:], targets[:, 1:])]
    assert evaluate(Oracle(), pairs, FP32).bits == pytest.approx(whole.bits)


def test_evaluation_has_no_dropout():
    model = nn.Sequential(Oracle(), nn.Dropout(0.9))
    scores = [evaluate(model.train(), [(ids("ACGT"), ids("ACGT"))], FP32).bits for _ in range(2)]
    assert scores == [pytest.approx(RIGHT / math.log(2))] * 2
