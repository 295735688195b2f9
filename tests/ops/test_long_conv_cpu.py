"""The CPU's ways to convolve, each forced in turn, against the sums that define it."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from hyenadna.ops import long_conv_cpu, long_conv_reference

PATHS = ["real", "right-angle"]
NAMES = ["u", "k", "skip", "pre_gate", "post_gate"]


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Take one path at every length, and in blocks small enough that there are many."""
    force(monkeypatch, request.param)
    monkeypatch.setattr(long_conv_cpu, "BLOCK_ELEMENTS", 1 << 12)
    yield request.param
    long_conv_cpu._transform.cache_clear()


def force(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    longest = {"real": 1 << 40, "right-angle": 0}[path]
    monkeypatch.setattr(long_conv_cpu, "RIGHT_ANGLE_LENGTH", longest)
    monkeypatch.setattr(long_conv_cpu, "SMALL_FORWARD", 0)
    monkeypatch.setattr(long_conv_cpu, "SMALL_BACKWARD", 0)
    long_conv_cpu._transform.cache_clear()


def draw(
    length: int, *, batch: int = 2, channels: int = 3, taps: int | None = None
) -> list[Tensor]:
    """Draw dy, u, k, skip, pre_gate and post_gate."""
    generator = torch.Generator().manual_seed(length)
    full = (batch, channels, length)
    shapes = [full, full, (channels, taps or length), (channels,), full, full]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def exact(dy: Tensor, *inputs: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Return y and all gradients there are by direct sums in double precision."""
    doubles = [x if x is None else x.double().clone().requires_grad_() for x in inputs]
    u, k, *others = doubles
    assert u is not None
    assert k is not None
    y = long_conv_reference(u, k, *others)
    there = [x for x in doubles if x is not None]
    return y.detach(), torch.autograd.grad(y, there, dy.double())


def error(x: Tensor, exact: Tensor) -> float:
    return float((x - exact).norm() / exact.norm())


@pytest.mark.parametrize("length", [1, 2, 3, 16, 33, 63, 257, 1021])
def test_output_and_gradients_against_direct_sums(length: int, path: str) -> None:
    dy, *inputs = draw(length)
    y, gradients = exact(dy, *inputs)
    assert long_conv_cpu.path(length) == path
    assert error(long_conv_cpu.forward(*inputs), y) < 1e-6
    ours = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
    for name, gradient, expected in zip(NAMES, ours, gradients, strict=True):
        assert error(gradient, expected) < 2e-6, name


@pytest.mark.parametrize("length", [1, 2, 17, 100, 1021])
def test_small_inputs_against_direct_sums(length: int) -> None:
    dy, *inputs = draw(length)
    y, gradients = exact(dy, *inputs)
    assert error(long_conv_cpu.forward(*inputs), y) < 1e-6
    ours = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
    for name, gradient, expected in zip(NAMES, ours, gradients, strict=True):
        assert error(gradient, expected) < 2e-6, name


@pytest.mark.parametrize("length", [1, 2, 17, 100, 1021])
def test_composed_of_plain_operations_against_direct_sums(length: int) -> None:
    dy, *inputs = draw(length)
    y, gradients = exact(dy, *inputs)
    leaves = [x.requires_grad_() for x in inputs]
    composed = long_conv_cpu.composed(*leaves)
    assert error(composed.detach(), y) < 1e-6
    ours = torch.autograd.grad(composed, leaves, dy)
    for name, gradient, expected in zip(NAMES, ours, gradients, strict=True):
        assert error(gradient, expected) < 2e-6, name


def test_without_gates_and_skip(path: str) -> None:
    dy, u, k, *_ = draw(130)
    y, (du, dk) = exact(dy, u, k, None, None, None)
    assert error(long_conv_cpu.forward(u, k, None, None, None), y) < 1e-6
    ours = long_conv_cpu.backward(dy, u, k, None, None, None, needs=[True, True] + [False] * 3)
    assert error(ours[0], du) < 1e-6
    assert error(ours[1], dk) < 1e-6
    assert [x.numel() for x in ours[2:]] == [0, 0, 0]


@pytest.mark.parametrize("needs", range(32))
def test_gradients_do_not_depend_on_which_are_wanted(needs: int, path: str) -> None:
    dy, *inputs = draw(40)
    wanted = [bool(needs >> i & 1) for i in range(5)]
    whole = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
    some = long_conv_cpu.backward(dy, *inputs, needs=wanted)
    for gradient, expected, needed in zip(some, whole, wanted, strict=True):
        assert torch.equal(gradient, expected if needed else torch.empty(0))


@pytest.mark.parametrize("taps", [1, 5, 63])
def test_short_filters(taps: int, path: str) -> None:
    dy, *inputs = draw(64, channels=20, taps=taps)
    y, gradients = exact(dy, *inputs)
    assert error(long_conv_cpu.forward(*inputs), y) < 1e-6
    ours = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
    for name, gradient, expected in zip(NAMES, ours, gradients, strict=True):
        assert error(gradient, expected) < 2e-6, name


def test_a_filter_spectrum_may_be_used_again(path: str) -> None:
    _, u, k, skip, pre_gate, post_gate = draw(300, channels=7)
    spectrum = long_conv_cpu.spectrum(k, 300)
    again = long_conv_cpu.forward_with_spectrum(u, spectrum, skip, pre_gate, post_gate)
    assert spectrum.shape[0] == 7
    assert spectrum.is_complex()
    assert error(again, long_conv_cpu.forward(u, k, skip, pre_gate, post_gate)) < 3e-7


def test_a_spectrum_ignores_lags_past_the_length(path: str) -> None:
    _, u, _, skip, pre_gate, post_gate = draw(90)
    k = draw(200)[2]
    spectrum = long_conv_cpu.spectrum(k, 90)
    expected = long_conv_cpu.forward(u, k[:, :90], skip, pre_gate, post_gate)
    again = long_conv_cpu.forward_with_spectrum(u, spectrum, skip, pre_gate, post_gate)
    assert error(again, expected) < 3e-7


def test_double_precision_is_kept(path: str) -> None:
    dy, *inputs = (x.double() for x in draw(200))
    y, gradients = exact(dy, *inputs)
    assert error(long_conv_cpu.forward(*inputs), y) < 1e-13
    for gradient, expected in zip(
        long_conv_cpu.backward(dy, *inputs, needs=[True] * 5), gradients, strict=True
    ):
        assert gradient.dtype is torch.float64
        assert error(gradient, expected) < 1e-13


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_rounded_once(dtype: torch.dtype, path: str) -> None:
    dy, u, k, skip, pre_gate, post_gate = draw(200)
    dy, u, pre_gate, post_gate = (x.to(dtype) for x in (dy, u, pre_gate, post_gate))
    inputs = (u, k, skip, pre_gate, post_gate)
    y, gradients = exact(dy, *inputs)
    ours = long_conv_cpu.forward(*inputs), *long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
    for x, expected in zip(ours, (y, *gradients), strict=True):
        rounding = torch.finfo(x.dtype).eps / 2 * expected.abs() + 3e-6 * expected.abs().max()
        assert ((x - expected).abs() <= rounding).all()
    assert [x.dtype for x in ours] == [dtype, dtype, k.dtype, skip.dtype, dtype, dtype]


def test_views_are_taken_as_they_are(path: str) -> None:
    dy, _, k, skip, *_ = draw(64)
    streams = torch.randn(2, 9, 64, generator=torch.Generator().manual_seed(0))
    before = streams.clone()
    x0, x1, v = streams.chunk(3, dim=1)
    turned = dy.mT.contiguous().mT
    y, gradients = exact(dy, v, k, skip, x1, x0)
    ours = long_conv_cpu.forward(v, k, skip, x1, x0)
    assert error(ours, y) < 1e-6
    results = ours, *long_conv_cpu.backward(turned, v, k, skip, x1, x0, needs=[True] * 5)
    for gradient, expected in zip(results[1:], gradients, strict=True):
        assert error(gradient, expected) < 2e-6
    assert torch.equal(streams, before)
    inputs = {x.untyped_storage().data_ptr() for x in (streams, turned, k, skip)}
    for x in results:
        assert x.is_contiguous()
        assert x.untyped_storage().data_ptr() not in inputs


@pytest.mark.parametrize("size", [1 << 9, 1 << 13, 1 << 22])
def test_blocks_change_nothing_beyond_rounding(
    size: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dy, *inputs = draw(1500, channels=5)
    y = long_conv_cpu.forward(*inputs)
    gradients = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
    monkeypatch.setattr(long_conv_cpu, "BLOCK_ELEMENTS", size)
    assert error(long_conv_cpu.forward(*inputs), y) < 1e-6
    again = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
    for gradient, expected in zip(again, gradients, strict=True):
        assert error(gradient, expected) < 1e-6


def test_same_bits_twice(path: str) -> None:
    dy, *inputs = draw(3000)
    for _ in range(3):
        once = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
        again = long_conv_cpu.backward(dy, *inputs, needs=[True] * 5)
        assert all(torch.equal(x, y) for x, y in zip(once, again, strict=True))
        assert torch.equal(long_conv_cpu.forward(*inputs), long_conv_cpu.forward(*inputs))


def plain(*inputs: Tensor) -> Tensor:
    """Compute the formula that the published model takes: transforms of twice the length."""
    u, k, skip, pre_gate, post_gate = inputs
    n, v = 2 * u.shape[-1], u * pre_gate
    y = torch.fft.irfft(torch.fft.rfft(v, n) * torch.fft.rfft(k, n), n)[..., : u.shape[-1]]
    return (y + v * skip[:, None]) * post_gate


@pytest.mark.parametrize("mean", [0.0, 1.0])
@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("length", [1000, 4100])
def test_no_less_exact_than_the_plain_formula(
    length: int, smooth: bool, mean: float, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_conv_cpu, "BLOCK_ELEMENTS", 1 << 18)
    dy, u, k, skip, *gates = draw(length)
    u += mean
    if smooth:
        t = torch.linspace(0, 1, length)
        k = 0.1 * (k + 10) * torch.exp(-t * torch.tensor([[3.0], [7.0], [15.0]]))
    inputs: list[Any] = [u, k, skip, *gates]

    def differentiate(*leaves: Tensor) -> tuple[Tensor, ...]:
        leaves = tuple(x.requires_grad_() for x in leaves)
        y = plain(*leaves)
        return y.detach(), *torch.autograd.grad(y, leaves, dy.to(y.dtype))

    best = differentiate(*(x.double() for x in inputs))
    theirs = differentiate(*(x.clone() for x in inputs))
    ours = (
        long_conv_cpu.forward(*inputs),
        *long_conv_cpu.backward(dy, *inputs, needs=[True] * 5),
    )
    for name, x, y, expected in zip(["y", *NAMES], ours, theirs, best, strict=True):
        assert error(x, expected) <= 2 * error(y, expected) + 1e-8, name
