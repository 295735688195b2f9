"""The short convolution against torch's own in float64: the operator on a CPU, and its kernels."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from hyenadna.ops.short_conv import short_conv, short_conv_reference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SHAPES = [(1, 1, 1), (3, 5, 2), (1, 5, 3), (3, 1, 64), (2, 3, 127), (1, 2, 1021)]
# Of kernels: one, odd, prime, below, at and past the edges of blocks, and of vectors within.
LENGTHS = [1, 2, 31, 127, 128, 129, 511, 512, 513, 516, 1021, 1024, 1032]


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The kernels, with two steps to a program as soon as there are two blocks."""
    pytest.importorskip("triton")
    from hyenadna.ops import short_conv_kernels

    monkeypatch.setattr(short_conv_kernels, "ENOUGH_PROGRAMS", 1)
    monkeypatch.setattr(short_conv_kernels, "MOST_STEPS", 2)
    return short_conv_kernels


def draw(
    batch: int,
    channels: int,
    length: int,
    taps: int = 3,
    *,
    dtype: torch.dtype = torch.float32,
    weight_dtype: torch.dtype | None = None,
) -> list[Tensor]:
    """Return projected, weight, bias, and gradients of the outputs."""
    generator = torch.Generator().manual_seed(length)

    def normal(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
        x = torch.randn(*shape, generator=generator, dtype=torch.float64)
        return x.to(DEVICE if dtype is not torch.float64 else "cpu", dtype)

    wide = weight_dtype or dtype
    filters = normal(3 * channels, 1, taps, dtype=wide), normal(3 * channels, dtype=wide)
    gradients = (normal(batch, channels, length) for _ in range(2))
    return [normal(batch, 3 * channels, length), *filters, *gradients]


def run(function: Any, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """Return both outputs and the gradients of the three inputs."""
    leaves = [x.detach().requires_grad_() for x in inputs[:3]]
    outputs = function(*leaves)
    return (*outputs, *torch.autograd.grad(outputs, leaves, inputs[3:]))


def exactly(inputs: list[Tensor]) -> tuple[Tensor, ...]:
    return run(short_conv_reference, [x.double() for x in inputs])


def launch(kernels: ModuleType, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    projected, weight, bias, d_post, d_gated = inputs
    return (
        *kernels.forward(projected, weight, bias),
        *kernels.backward(d_post, d_gated, projected, weight, bias),
    )


def assert_close(ours: tuple[Tensor, ...], exact: tuple[Tensor, ...], *, rounding: float) -> None:
    """Compare, allowing `rounding` of each number and what sums in fp32 lose of the largest."""
    for mine, true in zip(ours, exact, strict=True):
        allowed = rounding * true.abs() + 3e-6 * true.abs().max()
        assert ((mine.double() - true).abs() <= allowed).all()


def test_reference_convolves_splits_and_gates() -> None:
    projected = torch.tensor([[[1.0, 2.0, 3.0], [1.0, 1.0, 1.0], [2.0, 4.0, 6.0]]])
    weight = torch.tensor([[[10.0, 1.0]], [[0.0, 2.0]], [[0.0, 0.5]]])
    bias = torch.tensor([0.0, 1.0, 0.0])
    post_gate, gated = short_conv_reference(projected, weight, bias)
    assert post_gate.tolist() == [[[1.0, 12.0, 23.0]]]
    assert gated.tolist() == [[[3.0, 6.0, 9.0]]]


@pytest.mark.parametrize("taps", [1, 2, 3, 8])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_against_conv1d_in_double(shape: tuple[int, int, int], taps: int) -> None:
    inputs = draw(*shape, taps)
    assert_close(run(short_conv, inputs), exactly(inputs), rounding=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_rounds_once(dtype: torch.dtype) -> None:
    inputs = draw(2, 3, 129, dtype=dtype, weight_dtype=torch.float32)
    ours, exact = run(short_conv, inputs), exactly(inputs)
    assert [x.dtype for x in ours] == [dtype, dtype, dtype, torch.float32, torch.float32]
    assert_close(ours, exact, rounding=torch.finfo(dtype).eps / 2)


@pytest.mark.parametrize(("length", "taps"), [(1, 3), (2, 8), (9, 1), (9, 3)])
def test_gradients(length: int, taps: int) -> None:
    inputs = [x.requires_grad_() for x in draw(2, 2, length, taps, dtype=torch.float64)[:3]]
    assert torch.autograd.gradcheck(short_conv, inputs)


def test_second_derivatives_are_refused() -> None:
    inputs = [x.requires_grad_() for x in draw(1, 1, 5, dtype=torch.float64)[:3]]
    (gradient,) = torch.autograd.grad(short_conv(*inputs)[1].sum(), inputs[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(gradient.sum(), inputs[:1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_operators_are_what_torch_takes_them_for(dtype: torch.dtype) -> None:
    projected, weight, bias, *gradients = draw(2, 3, 33, dtype=dtype, weight_dtype=torch.float32)
    leaves = [x.requires_grad_() for x in (projected, weight, bias)]
    torch.library.opcheck(torch.ops.hyenadna.short_conv.default, leaves)
    inputs = (*gradients, *(x.detach() for x in leaves))
    torch.library.opcheck(torch.ops.hyenadna.short_conv_backward.default, inputs)


def test_later_input_never_changes_earlier_output() -> None:
    projected, weight, bias, *_ = draw(2, 3, 100)
    changed = projected.clone()
    changed[..., 60:] += 10
    before, after = short_conv(projected, weight, bias), short_conv(changed, weight, bias)
    for x, y in zip(before, after, strict=True):
        assert torch.equal(x[..., :60], y[..., :60])
        assert (x[..., 60] != y[..., 60]).all()


@pytest.mark.parametrize("elements", [1, 200, 700])
def test_blocks_equal_all_at_once(elements: int, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = draw(3, 5, 65, dtype=torch.float64)
    whole = run(short_conv, inputs)
    monkeypatch.setattr(sys.modules[short_conv.__module__], "BLOCK_ELEMENTS", elements)
    torch.testing.assert_close(run(short_conv, inputs), whole)


def test_same_bits_every_time() -> None:
    inputs = draw(3, 5, 1021)
    for first, second in zip(run(short_conv, inputs), run(short_conv, inputs), strict=True):
        assert torch.equal(first, second)


def test_channels_last_input_and_expanded_gradients() -> None:
    projected, weight, bias, *_ = draw(2, 3, 33, dtype=torch.float64)
    inputs = [projected.mT.contiguous().mT.requires_grad_(), weight, bias]
    ours = torch.autograd.grad(short_conv(*inputs)[1].sum(), inputs[:1])
    plain = torch.autograd.grad(short_conv_reference(*inputs)[1].sum(), inputs[:1])
    torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize(
    ("projected", "weight", "bias"),
    [
        ((6, 9), (6, 1, 3), (6,)),
        ((1, 5, 9), (5, 1, 3), (5,)),
        ((1, 6, 9), (6, 1, 9), (6,)),
        ((1, 6, 9), (6, 1, 0), (6,)),
        ((1, 6, 9), (6, 2, 3), (6,)),
        ((1, 6, 9), (6, 1, 3), (3,)),
    ],
)
def test_wrong_shapes_are_refused(
    projected: tuple[int, ...], weight: tuple[int, ...], bias: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"short_conv takes projected \(B, 3 D, L\)"):
        short_conv(torch.zeros(projected), torch.zeros(weight), torch.zeros(bias))


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("length", LENGTHS)
def test_kernels_against_conv1d_in_double(kernels: ModuleType, length: int) -> None:
    inputs = draw(1, 1, length)
    assert_close(launch(kernels, inputs), exactly(inputs), rounding=0)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("taps", [1, 2, 4, 5, 6, 8])
@pytest.mark.parametrize("length", [3, 520])
def test_kernels_take_any_number_of_taps(kernels: ModuleType, length: int, taps: int) -> None:
    inputs = draw(1, 1, length, taps)
    assert_close(launch(kernels, inputs), exactly(inputs), rounding=0)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("shape", [(3, 1, 1032), (1, 5, 63), (3, 2, 4)], ids=str)
def test_kernels_take_batches_and_channels(
    kernels: ModuleType, shape: tuple[int, int, int]
) -> None:
    inputs = draw(*shape)
    assert_close(launch(kernels, inputs), exactly(inputs), rounding=0)


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("length", [1, 129, 1021, 1032])
def test_kernels_in_half_precision(kernels: ModuleType, length: int, dtype: torch.dtype) -> None:
    inputs = draw(1, 1, length, dtype=dtype, weight_dtype=torch.float32)
    ours = launch(kernels, inputs)
    assert [x.dtype for x in ours] == [dtype, dtype, dtype, torch.float32, torch.float32]
    # A GPU rounds to nearest; Triton's interpreter truncates to bf16.
    assert_close(ours, exactly(inputs), rounding=torch.finfo(dtype).eps)


def test_kernels_leave_what_lies_beside_the_rows_alone(kernels: ModuleType) -> None:
    projected, weight, bias, d_post, d_gated = draw(2, 1, 100)
    views = []
    for x in (projected, d_post, d_gated):
        around = x.new_full((2, x.shape[1] + 2, 112), torch.nan)
        around[:, 1:-1, 4:104] = x
        views.append(around[:, 1:-1, 4:104])
    ours = launch(kernels, [views[0], weight, bias, *views[1:]])
    assert_close(ours, exactly([projected, weight, bias, d_post, d_gated]), rounding=0)


def test_kernels_give_the_same_bits_every_time(kernels: ModuleType) -> None:
    inputs = draw(1, 1, 1100)
    for first, second in zip(launch(kernels, inputs), launch(kernels, inputs), strict=True):
        assert torch.equal(first, second)
