"""The kernels of the long convolution in Triton's interpreter, against sums in float64."""

from typing import Any

import pytest
import torch
from torch import Tensor

from hyenadna.ops import long_conv_gpu, paths
from hyenadna.ops.paths import Plan

pytestmark = pytest.mark.usefixtures("poisoned")

TAPS = Plan("taps")
PLANS = ["taps", "one-pass row 128 rows 4", "three-pass row 32 radix 1 columns 32 rows 16"]


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


@pytest.mark.parametrize("length", [1, 2, 31, 64])
def test_direct_taps_of_few_positions(length: int) -> None:
    check(*draw((3, 5, length), length), TAPS)


@pytest.mark.parametrize(("length", "taps"), [(257, 1), (300, 3), (200, 32)])
def test_direct_taps_of_short_filters(length: int, taps: int) -> None:
    check(*draw((1, 2, length), taps), TAPS)


# A batch of five is one whose filters are transformed once.
@pytest.mark.parametrize(("batch", "channels"), [(1, 5), (3, 1), (5, 2)])
@pytest.mark.parametrize("length", [65, 127, 128])
def test_one_pass(length: int, batch: int, channels: int) -> None:
    plan = Plan("one-pass", row=128, rows=4)
    check(*draw((batch, channels, length), length), plan)


@pytest.mark.parametrize("row", [256, 1024, pytest.param(4096, marks=pytest.mark.slow)])
def test_one_pass_of_longer_rows(row: int) -> None:
    plan = Plan("one-pass", row=row, rows=max(1, 512 // row))
    check(*draw((1, 1, row - 5), row - 5), plan)


# Rows of 32 and 128 points stand for those of 512 and more, which take minutes here.
@pytest.mark.parametrize(("batch", "channels"), [(1, 1), (2, 1), (1, 3)])
def test_three_passes(batch: int, channels: int) -> None:
    plan = Plan("three-pass", row=32, radix=2, columns=32, rows=16)
    check(*draw((batch, channels, plan.points - 61), plan.points - 61), plan)


@pytest.mark.parametrize("radix", paths.RADICES)
def test_columns_of_all_radices(radix: int) -> None:
    plan = Plan("three-pass", row=32, radix=radix, columns=32, rows=16)
    _, inputs = draw((1, 1, plan.points), plan.points)
    with paths.use(plan):
        y = long_conv_gpu.forward(*inputs)
    assert error(y, plain(*(x.double() for x in inputs))) < 5e-7


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("plan", PLANS)
def test_half_precision_is_rounded_once(plan: str, dtype: torch.dtype) -> None:
    dy, inputs = draw((2, 1, 50), 50, dtype=dtype)
    needs = [True] * 5
    with paths.use(Plan.parse(plan)):
        found = [long_conv_gpu.forward(*inputs), *long_conv_gpu.backward(dy, *inputs, needs=needs)]
    exact, exact_gradients = gradients(dy, inputs, torch.float64)
    for x, exact_ in zip(found, [exact, *exact_gradients], strict=True):
        floor = torch.finfo(x.dtype).eps / 2
        # The interpreter truncates to bfloat16 where a GPU rounds.
        allowed = 2 * floor if dtype == torch.bfloat16 else floor
        assert ((x - exact_).abs() <= allowed * exact_.abs() + 2e-6 * exact_.abs().max()).all()


@pytest.mark.parametrize("plan", PLANS)
def test_gradients_share_no_memory(plan: str) -> None:
    dy, inputs = draw((1, 2, 60), 60)
    with paths.use(Plan.parse(plan)):
        found = long_conv_gpu.backward(dy, *inputs, needs=[True] * 5)
    assert len({x.untyped_storage().data_ptr() for x in found}) == 5


@pytest.mark.parametrize(
    "needs", [[True, False, False, False, False], [False, True, False, True, True]]
)
@pytest.mark.parametrize("plan", PLANS)
def test_only_what_is_needed_is_made(plan: str, needs: list[bool]) -> None:
    dy, inputs = draw((1, 1, 60), 60)
    with paths.use(Plan.parse(plan)):
        some = long_conv_gpu.backward(dy, *inputs, needs=needs)
        whole = long_conv_gpu.backward(dy, *inputs, needs=[True] * 5)
    for x, expected, needed in zip(some, whole, needs, strict=True):
        assert torch.equal(x, expected if needed else torch.empty(0))


@pytest.mark.parametrize("plan", PLANS)
def test_streams_of_one_projection_without_gates(plan: str) -> None:
    dy, (u, k, *_) = draw((2, 3, 60), 60)
    inputs = [u.chunk(3, dim=1)[1], k[1:2], None, None, None]
    check(dy[:, 2:], inputs, Plan.parse(plan))


@pytest.mark.parametrize("taps", [40, 500])
@pytest.mark.parametrize(
    "plan", ["one-pass row 512 rows 1", "three-pass row 32 radix 1 columns 32 rows 16"]
)
def test_filters_shorter_than_the_input(plan: str, taps: int) -> None:
    check(*draw((1, 1, 500), taps), Plan.parse(plan))


@pytest.mark.parametrize("plan", PLANS)
def test_spectra_made_before(plan: str) -> None:
    _, (u, k, skip, pre, post) = draw((1, 2, 60), 60)
    plan_ = Plan.parse(plan)
    values = k if plan == "taps" else long_conv_gpu.spectrum(k, plan_)
    y = long_conv_gpu.forward_with_spectrum(u, values, skip, pre, post, plan_)
    assert error(y, plain(*(x.double() for x in (u, k, skip, pre, post)))) < 5e-7


def test_channels_in_groups_equal_all_at_once() -> None:
    plan = Plan("three-pass", row=32, radix=1, columns=32, rows=16)
    _, inputs = draw((1, 3, 500), 500)
    with paths.use(plan):
        grouped = long_conv_gpu.forward(*inputs)
        alone = [long_conv_gpu.forward(*(_channel(x, d) for x in inputs)) for d in range(3)]
    assert torch.equal(grouped, torch.cat(alone, dim=1))


def _channel(x: Tensor, d: int) -> Tensor:
    return x[:, d : d + 1] if x.ndim == 3 else x[d : d + 1]


# What of the lengths of the models an interpreter can do: minutes.
@pytest.mark.slow
@pytest.mark.parametrize("length", [32_768, 1_000_002])
def test_plans_of_models(length: int) -> None:
    plan = paths.rule(1, 128, length, length)
    dy, inputs = draw((1, 1, length), length)
    if length < 100_000:
        check(dy, inputs, plan)
        return
    with paths.use(plan):
        y = long_conv_gpu.forward(*inputs)
    exact, single = (
        plain(*(x.to(dtype) for x in inputs)) for dtype in (torch.float64, torch.float32)
    )
    assert error(y, exact) <= 2 * error(single, exact)
