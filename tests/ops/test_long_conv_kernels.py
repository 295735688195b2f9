"""The kernels of the long convolution in Triton's interpreter, against sums in float64."""

from typing import Any

import pytest
import torch
from torch import Tensor

from hyenadna.ops import long_conv_gpu, paths
from hyenadna.ops.paths import Plan

pytestmark = pytest.mark.usefixtures("poisoned")

TAPS = Plan("taps")
ONE_PASS = [Plan("one-pass", row=128, rows=4), Plan("one-pass", row=512, rows=1)]
# Rows of 32 and 128 points stand for those of 1,024 and more, which take minutes here.
THREE_PASS = [
    Plan("three-pass", row=32, radix=1, columns=32, rows=16),
    Plan("three-pass", row=32, radix=2, columns=16, rows=16),
    Plan("three-pass", row=32, radix=3, columns=32, rows=8),
]


def draw(
    shape: tuple[int, int, int], taps: int, *, gates: bool = True, dtype: Any = torch.float32
) -> Any:
    """Return dy and the inputs u, k, skip, pre_gate, post_gate: noise, decaying filters."""
    generator = torch.Generator().manual_seed(sum(shape) + taps)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator)

    k = normal(shape[1], taps) * torch.exp(-3 * torch.linspace(0, 1, taps))
    streams = [normal(*shape).to(dtype) for _ in range(4)]
    dy, u, pre, post = streams
    return dy, [u, k, normal(shape[1]), pre, post]


def plain(u: Tensor, k: Tensor, skip: Any, pre: Any, post: Any) -> Tensor:
    """Return the published formula, in the type of the inputs."""
    v = u if pre is None else u * pre
    n = 2 * u.shape[-1]
    y = torch.fft.irfft(torch.fft.rfft(v, n) * torch.fft.rfft(k, n), n)[..., : u.shape[-1]]
    y = y if skip is None else y + skip[:, None] * v
    return y if post is None else y * post


def gradients(dy: Tensor, inputs: list[Tensor | None], dtype: torch.dtype) -> tuple[Any, Any]:
    """Return y and the gradients of the published formula, computed in a type."""
    wide = [x if x is None else x.to(dtype).requires_grad_() for x in inputs]
    y = plain(*wide)
    there = [x for x in wide if x is not None]
    return y.detach(), list(torch.autograd.grad(y, there, dy.to(dtype)))


def error(x: Tensor, exact: Tensor) -> float:
    return ((x.double() - exact).norm() / exact.norm()).item()


def check(dy: Tensor, inputs: Any, plan: Plan) -> None:
    """Compare y and all gradients with float64: at most twice the error of torch.fft in fp32."""
    needs = [x is not None for x in inputs]
    with paths.use(plan):
        y = long_conv_gpu.forward(*inputs)
        ours = long_conv_gpu.backward(dy, *inputs, needs=needs)
    exact, exact_gradients = gradients(dy, inputs, torch.float64)
    single, single_gradients = gradients(dy, inputs, torch.float32)
    found = [y, *(g for g, needed in zip(ours, needs, strict=True) if needed)]
    for ours_, exact_, single_ in zip(
        found, [exact, *exact_gradients], [single, *single_gradients], strict=True
    ):
        # What is left of a few sums is partly luck, for either.
        least = 1e-7 if exact_.numel() > 16 else 1e-6
        assert error(ours_, exact_) <= 2 * max(error(single_, exact_), least)


@pytest.mark.parametrize("length", [1, 2, 31, 33, 64])
@pytest.mark.parametrize(("batch", "channels"), [(1, 5), (3, 1)])
def test_direct_taps_of_few_positions(length: int, batch: int, channels: int) -> None:
    check(*draw((batch, channels, length), length), TAPS)


@pytest.mark.parametrize(("length", "taps"), [(300, 1), (257, 3), (1000, 32)])
def test_direct_taps_of_short_filters(length: int, taps: int) -> None:
    check(*draw((2, 2, length), taps), TAPS)


@pytest.mark.parametrize("plan", ONE_PASS, ids=str)
@pytest.mark.parametrize(("batch", "channels"), [(1, 5), (3, 1), (5, 2)])
def test_one_pass(plan: Plan, batch: int, channels: int) -> None:
    for length in (plan.row // 2 + 1, plan.row - 1, plan.row):
        check(*draw((batch, channels, length), length), plan)


@pytest.mark.parametrize("plan", THREE_PASS, ids=str)
@pytest.mark.parametrize(("batch", "channels"), [(1, 2), (2, 3)])
def test_three_passes(plan: Plan, batch: int, channels: int) -> None:
    length = plan.points - 61
    check(*draw((batch, channels, length), length), plan)
