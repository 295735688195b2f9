"""The long convolution against the sums that define it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from hyenadna.ops import long_conv, long_conv_cpu, long_conv_reference
from hyenadna.ops.long_conv_cpu import fast_length

MODULE = long_conv_cpu
LENGTHS = [1, 2, 3, 63, 64, 65, 127, 1021]  # one, odd, prime, at and past a block edge
FORMS = ["plain", "skip", "pre_gate", "post_gate", "all"]


def draw(form: str, length: int, *, taps: int | None = None, dtype: Any = torch.float32) -> Any:
    generator = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype)

    u, k = normal(2, 3, length), normal(3, taps or length)
    others = {
        "skip": normal(3),
        "pre_gate": normal(2, 3, length),
        "post_gate": normal(2, 3, length),
    }
    return u, k, {name: x for name, x in others.items() if form in (name, "all")}


def widen(u: Tensor, k: Tensor, others: dict[str, Tensor]) -> Any:
    return u.double(), k.double(), {name: x.double() for name, x in others.items()}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", LENGTHS)
def test_against_direct_sums_in_double(length: int, form: str) -> None:
    u, k, others = draw(form, length)
    y = long_conv(u, k, **others)
    exact_u, exact_k, exact_others = widen(u, k, others)
    exact = long_conv_reference(exact_u, exact_k, **exact_others)
    assert y.dtype is torch.float32
    assert (y - exact).abs().max() <= 2e-6 * exact.abs().max()


def test_reference_is_the_causal_convolution() -> None:
    u, k = torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([[10.0, 1.0, 0.5]])
    assert long_conv_reference(u, k).tolist() == [[[10.0, 21.0, 32.5]]]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("length", [1, 2, 33])
def test_gradients(length: int, form: str) -> None:
    u, k, others = draw(form, length, dtype=torch.float64)
    inputs = [x.requires_grad_() for x in (u, k, *others.values())]
    names = list(others)
    assert torch.autograd.gradcheck(
        lambda u, k, *rest: long_conv(u, k, **dict(zip(names, rest, strict=True))),
        inputs,
        fast_mode=True,
    )


@pytest.mark.parametrize("taps", [1, 5, 40, 90])
def test_filter_may_be_shorter_or_longer_than_the_input(taps: int) -> None:
    u, k, others = draw("all", 40, taps=taps, dtype=torch.float64)
    inputs = [x.requires_grad_() for x in (u, k, *others.values())]
    torch.testing.assert_close(long_conv(u, k, **others), long_conv_reference(u, k, **others))
    ours = torch.autograd.grad(long_conv(u, k, **others).square().sum(), inputs)
    plain = torch.autograd.grad(long_conv_reference(u, k, **others).square().sum(), inputs)
    torch.testing.assert_close(ours, plain)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_input_meets_fp32_spectra(dtype: torch.dtype) -> None:
    u, k, others = draw("all", 1021, dtype=dtype)
    y = long_conv(u, k, **others)
    exact_u, exact_k, exact_others = widen(u, k, others)
    exact = long_conv_reference(exact_u, exact_k, **exact_others)
    assert y.dtype is dtype
    rounding_once = torch.finfo(dtype).eps / 2 * exact.abs()
    assert ((y - exact).abs() <= rounding_once + 1e-5 * exact.abs().max()).all()


def test_gradients_have_the_dtypes_of_their_inputs() -> None:
    u, k, others = draw("all", 65, dtype=torch.bfloat16)
    inputs = [x.requires_grad_() for x in (u, k.float(), *others.values())]
    y = long_conv(inputs[0], inputs[1], **dict(zip(others, inputs[2:], strict=True)))
    gradients = torch.autograd.grad(y.float().sum(), inputs)
    assert [g.dtype for g in gradients] == [x.dtype for x in inputs]


def test_channels_in_blocks_equal_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    u, k, others = draw("all", 127)
    inputs = [x.requires_grad_() for x in (u, k, *others.values())]
    whole = long_conv(u, k, **others)
    whole_gradients = torch.autograd.grad(whole.square().sum(), inputs)
    assert 2 * 3 * fast_length(253) <= MODULE.BLOCK_ELEMENTS
    monkeypatch.setattr(MODULE, "BLOCK_ELEMENTS", 2 * 2 * fast_length(253))
    blocked = long_conv(u, k, **others)
    torch.testing.assert_close(blocked, whole, rtol=1e-4, atol=1e-4)
    gradients = torch.autograd.grad(blocked.square().sum(), inputs)
    torch.testing.assert_close(gradients, whole_gradients, rtol=1e-4, atol=1e-3)


def test_later_input_never_changes_earlier_output() -> None:
    u, k, others = draw("all", 100)
    changed = u.clone()
    changed[..., 60:] += 10
    difference = (long_conv(changed, k, **others) - long_conv(u, k, **others)).abs()
    assert difference[..., :60].max() < 1e-5 * difference[..., 60:].max()


def test_views_of_one_projection_are_taken_as_they_are() -> None:
    streams = torch.randn(2, 9, 33, dtype=torch.float64)
    x0, x1, v = streams.chunk(3, dim=1)
    k = torch.randn(3, 33, dtype=torch.float64)
    expected = long_conv_reference(v, k, pre_gate=x1, post_gate=x0)
    torch.testing.assert_close(long_conv(v, k, pre_gate=x1, post_gate=x0), expected)


@pytest.mark.parametrize("length", [1, 64, 1023, 1024, 131_071, 450_000, 999_999, 1_000_002])
def test_transforms_have_a_fast_length_whatever_the_input(length: int) -> None:
    """The original transformed 2L points, of which an odd L made a slow number of factors."""
    n = fast_length(2 * length - 1)
    assert 2 * length - 1 <= n <= max(64, 1.1 * 2 * length)
    assert n % 64 == 0
    for prime in (2, 3, 5):
        while n % prime == 0:
            n //= prime
    assert n == 1
