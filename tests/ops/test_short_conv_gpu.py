"""The short convolution on a CUDA device, against torch's own in float64.

Needs torch, triton and pytest alone: pytest -m gpu tests/ops/test_short_conv_gpu.py
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from hyenadna.ops.short_conv import short_conv, short_conv_reference

pytestmark = pytest.mark.gpu

FP32, BF16, FP16 = torch.float32, torch.bfloat16, torch.float16
# One, odd, prime, at and past the edges of blocks, lengths of models, the longest.
LENGTHS = [1, 7, 127, 513, 1021, 1024, 4104, 32_768, 160_000, 1_000_002, 1 << 20]


def draw(
    batch: int, channels: int, length: int, taps: int = 3, *, dtype: torch.dtype = FP32
) -> list[Tensor]:
    """Return projected, weight and bias in fp32, and gradients of the outputs."""
    generator = torch.Generator("cuda").manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device="cuda")

    streams = normal(batch, 3 * channels, length).to(dtype)
    gradients = [normal(batch, channels, length).to(dtype) for _ in range(2)]
    return [streams, normal(3 * channels, 1, taps), normal(3 * channels), *gradients]


def run(function: Any, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Return both outputs and the gradients of the three inputs."""
    leaves = [x.detach().requires_grad_() for x in inputs[:3]]
    outputs = function(*leaves)
    return (*outputs, *torch.autograd.grad(outputs, leaves, inputs[3:]))


def assert_close(ours: tuple[Tensor, ...], exact: tuple[Tensor, ...], dtype: torch.dtype) -> None:
    """Compare: one rounding of what is in dtype, and what sums in fp32 lose of the largest."""
    for mine, true in zip(ours, exact, strict=True):
        rounding = torch.finfo(dtype).eps / 2 if mine.dtype is dtype is not FP32 else 0.0
        allowed = rounding * true.abs() + 5e-6 * true.abs().max()
        assert ((mine.double() - true).abs() <= allowed).all()


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("dtype", [FP32, BF16, FP16], ids=str)
@pytest.mark.parametrize("length", LENGTHS)
def test_against_conv1d_in_double(length: int, dtype: torch.dtype) -> None:
    inputs = draw(1 if length > 5000 else 3, 5, length, dtype=dtype)
    exact = run(short_conv_reference, [x.double() for x in inputs])
    assert_close(run(short_conv, inputs), exact, dtype)


@pytest.mark.parametrize("taps", range(1, 9))
@pytest.mark.parametrize("length", [1021, 1024])
def test_any_number_of_taps(length: int, taps: int) -> None:
    inputs = draw(2, 3, length, taps, dtype=BF16)
    exact = run(short_conv_reference, [x.double() for x in inputs])
    assert_close(run(short_conv, inputs), exact, BF16)


def test_double_precision_stays_double() -> None:
    inputs = [x.double() for x in draw(2, 3, 129)]
    torch.testing.assert_close(run(short_conv, inputs), run(short_conv_reference, inputs))


@pytest.mark.parametrize("length", [1021, 32_768])
def test_same_bits_every_time(length: int) -> None:
    inputs = draw(2, 64, length, dtype=BF16)
    for first, second in zip(run(short_conv, inputs), run(short_conv, inputs), strict=True):
        assert torch.equal(first, second)


def test_channels_last_input_and_expanded_gradients() -> None:
    projected, weight, bias, *_ = draw(2, 3, 129)
    inputs = [projected.mT.contiguous().mT.requires_grad_(), weight, bias]
    ours = torch.autograd.grad(short_conv(*inputs)[1].sum(), inputs[:1])
    plain = torch.autograd.grad(short_conv_reference(*inputs)[1].sum(), inputs[:1])
    torch.testing.assert_close(ours, plain, rtol=1e-4, atol=1e-4)


def test_operators_are_what_torch_takes_them_for() -> None:
    projected, weight, bias, *gradients = draw(2, 3, 129)
    leaves = [x.requires_grad_() for x in (projected, weight, bias)]
    torch.library.opcheck(torch.ops.hyenadna.short_conv.default, leaves)
    inputs = (*gradients, *(x.detach() for x in leaves))
    torch.library.opcheck(torch.ops.hyenadna.short_conv_backward.default, inputs)


def test_compiled_equals_eager() -> None:
    inputs = draw(2, 16, 1024, dtype=BF16)
    compiled = torch.compile(short_conv, fullgraph=True)
    for ours, eager in zip(run(compiled, inputs), run(short_conv, inputs), strict=True):
        assert torch.equal(ours, eager)


def test_replayed_as_a_graph_equals_eager() -> None:
    projected, weight, bias, *_ = draw(2, 16, 1024, dtype=BF16)
    eager = short_conv(projected, weight, bias)  # compiles, which a capture does not allow
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        outputs = short_conv(projected, weight, bias)
    graph.replay()
    for ours, expected in zip(outputs, eager, strict=True):
        assert torch.equal(ours, expected)


def test_more_than_two_to_the_31_elements() -> None:
    channels, length = 768, 1 << 20
    if torch.cuda.mem_get_info()[0] < 24 * 2**30:
        pytest.skip("needs 24 GB of free memory")
    wide = {"device": "cuda", "dtype": BF16}
    projected = torch.randn(1, 3 * channels, length, **wide)
    assert projected.numel() > 2**31
    weight, bias = torch.randn(3 * channels, 1, 3, **wide), torch.randn(3 * channels, **wide)
    gradients = [torch.randn(1, channels, length, **wide) for _ in range(2)]
    ours = run(short_conv, [projected, weight, bias, *gradients])
    last = torch.tensor([channels - 1, 2 * channels - 1, 3 * channels - 1], device="cuda")
    inputs = [projected[:, last], weight[last], bias[last], *(g[:, -1:] for g in gradients)]
    exact = run(short_conv_reference, [x.double() for x in inputs])
    picked = (*(y[:, -1:] for y in ours[:2]), ours[2][:, last], ours[3][last], ours[4][last])
    assert_close(picked, exact, BF16)
