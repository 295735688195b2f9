"""Loss and perplexity: A, C, G, T targets, each once, and nothing else."""

import math

import pytest
import torch
from torch import nn

from hyenadna.tokenizer import PAD, SEP, N, encode
from hyenadna.training.perplexity import evaluate, next_base_loss
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import Recipe

FP32 = Precision(Recipe(batch_size=1, checkpoint_every=1), torch.device("cpu"))


class Repeater(nn.Module):
    """Logits by input id alone: 2 for the id itself as the next one, 0 for the others."""

    def __init__(self, dropout=0.0):
        super().__init__()
        self.lm_head = nn.Linear(16, 16, bias=False)
        nn.init.eye_(self.lm_head.weight)
        self.dropout = nn.Dropout(dropout)

    def hidden_states(self, ids):
        return self.dropout(2.0 * nn.functional.one_hot(ids, 16).float())

    def forward(self, ids):
        return self.lm_head(self.hidden_states(ids))


def window(text):
    return torch.from_numpy(encode(text))[None]


# Cross-entropy in nats of a target that repeats its input, and of one that does not.
RIGHT = math.log(math.exp(2) + 15) - 2
WRONG = math.log(math.exp(2) + 15)


def test_loss_is_summed_and_counted_over_targets():
    loss, weight = next_base_loss(Repeater(), (window("AACCG"), None))
    assert weight == 4
    assert loss.item() == pytest.approx(2 * RIGHT + 2 * WRONG)


@pytest.mark.parametrize("other", [N, PAD, SEP])
def test_n_pad_and_sep_are_no_targets(other):
    """The original counted them: runs of N were free predictions."""
    ids = window("AAAACCAAA")
    ids[0, 4:6] = other
    loss, weight = next_base_loss(Repeater(), (ids, None))
    assert weight == 6
    assert loss.item() == pytest.approx(5 * RIGHT + WRONG)
    score = evaluate(Repeater(), [ids], FP32)
    assert score.bases == 6
    assert score.bits == pytest.approx((5 * RIGHT + WRONG) / 6 / math.log(2))


def test_soft_masked_targets_weigh_less():
    masked = torch.tensor([[True, True, False, False, True]])
    loss, weight = next_base_loss(Repeater(), (window("AACCG"), masked), soft_mask_weight=0.25)
    assert weight == 2.5
    assert loss.item() == pytest.approx(0.25 * RIGHT + WRONG + RIGHT + 0.25 * WRONG)


def test_a_batch_without_targets_costs_nothing():
    loss, weight = next_base_loss(Repeater(), (window("NNNN"), None))
    assert (loss.item(), weight) == (0.0, 0)


def test_perplexity_is_two_to_the_bits_per_base():
    rows = evaluate(Repeater(), [window("AAACC")], FP32).rows()
    assert rows["bits_per_base"] == pytest.approx((3 * RIGHT + WRONG) / 4 / math.log(2))
    assert rows["perplexity"] == pytest.approx(2 ** rows["bits_per_base"])
    assert rows["accuracy"] == 0.75


def test_every_target_weighs_the_same_whatever_its_batch():
    """The original averaged over mini-batches."""
    ids = window("AACCGTTTAC")
    whole = evaluate(Repeater(), [ids], FP32)
    parts = evaluate(Repeater(), [ids[:, :3], ids[:, 2:]], FP32)
    assert parts.bits == pytest.approx(whole.bits)


def test_evaluation_has_no_dropout():
    model = Repeater(dropout=0.9)
    scores = [evaluate(model.train(), [window("AAAA")], FP32).bits for _ in range(2)]
    assert scores == [pytest.approx(RIGHT / math.log(2))] * 2
