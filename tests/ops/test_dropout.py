"""Dropout: how often, how much, and reproducibly."""

import pytest
import torch

from hyenadna.ops.dropout import dropout


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.9])
def test_elements_are_dropped_as_often_as_asked(p: float) -> None:
    torch.manual_seed(0)
    y = dropout(torch.ones(1000, 1001), p)
    share = (y == 0).double().mean().item()
    assert share == pytest.approx(p, abs=5 * (p * (1 - p) / y.numel()) ** 0.5)
    assert torch.equal(y[y != 0], torch.full_like(y[y != 0], 1 / (1 - p)))


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(0)
    gone = dropout(torch.ones(1 << 20), 0.1) == 0
    for lag in (1, 2, 3):
        both = (gone[lag:] & gone[:-lag]).double().mean().item()
        assert both == pytest.approx(0.01, abs=5 * (0.01 / gone.numel()) ** 0.5)


def test_it_depends_on_the_state_of_torchs_generator_alone() -> None:
    x = torch.randn(3, 5, 7)
    torch.manual_seed(0)
    first = dropout(x, 0.5)
    other = dropout(x, 0.5)
    torch.manual_seed(0)
    assert torch.equal(dropout(x, 0.5), first)
    assert not torch.equal(other, first)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_gradients_pass_where_values_do(dtype: torch.dtype) -> None:
    x = torch.ones(3, 5, dtype=dtype, requires_grad=True)
    y = dropout(x, 0.5)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert y.dtype is dtype
    assert torch.equal(gradient, y)
