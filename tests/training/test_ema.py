"""Averaged weights: what the average is, and that it comes and goes without a trace."""

import pytest
import torch
from torch import nn

from hyenadna.training import checkpoint
from hyenadna.training.ema import WeightAverage

DECAY = 0.9


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def train(model, average, steps):
    """Move the weights at random, and return what they were after each step."""
    seen = []
    for _ in range(steps):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update()
        seen.append(model[0].weight.detach().clone().double())
    return seen


def test_the_average_is_the_weighted_mean_of_the_steps(model):
    average = WeightAverage(model, DECAY)
    seen = train(model, average, 20)
    shares = torch.tensor([DECAY**age for age in reversed(range(20))], dtype=torch.float64)
    expected = (torch.stack(seen) * shares[:, None, None]).sum(0) / shares.sum()
    torch.testing.assert_close(average.tensors["0.weight"].double(), expected)


def test_the_weights_that_training_started_from_count_nothing(model):
    average = WeightAverage(model, DECAY)
    train(model, average, 1)
    assert torch.equal(average.tensors["0.weight"], model[0].weight)


def test_the_average_of_bf16_weights_is_fp32(model):
    average = WeightAverage(model.bfloat16(), DECAY)
    train(model, average, 2)
    assert average.tensors["0.weight"].dtype is torch.float32


def test_the_average_is_named_as_the_model_is(model):
    assert WeightAverage(model, DECAY).tensors.keys() == checkpoint.model_tensors(model).keys()


def test_counts_are_copied(model):
    average = WeightAverage(model, DECAY)
    model(torch.randn(4, 3))
    average.update()
    assert average.tensors["1.num_batches_tracked"] == 1


def test_averaged_weights_are_applied_and_taken_back_to_the_bit(model):
    average = WeightAverage(model, DECAY)
    train(model, average, 3)
    own = model[0].weight.detach().clone()
    with average.applied():
        assert torch.equal(model[0].weight, average.tensors["0.weight"])
        assert not torch.equal(model[0].weight, own)
    assert torch.equal(model[0].weight, own)


def test_weights_come_back_after_an_error(model):
    average = WeightAverage(model, DECAY)
    train(model, average, 3)
    own = model[0].weight.detach().clone()
    with pytest.raises(KeyboardInterrupt), average.applied():
        raise KeyboardInterrupt
    assert torch.equal(model[0].weight, own)


def test_an_average_that_is_put_back_goes_on_to_the_bit(model):
    average = WeightAverage(model, DECAY)
    train(model, average, 3)
    other = WeightAverage(model, DECAY)
    other.load({name: tensor.clone() for name, tensor in average.state().items()})
    train(model, average, 1)
    other.update()
    for name, tensor in average.tensors.items():
        assert torch.equal(other.tensors[name], tensor)
