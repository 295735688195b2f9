"""Implicit filter of the Hyena operator (D channels, L length, E features, F hidden, M inner).

k = MLP(features of position) * (exp(-rate * time) + shift): a network of sines, under a window of
decay (arXiv:2302.10866, section 3.3). This file has what it means, how a CPU computes it and how
PyTorch sees it, as the operators `hyenadna::implicit_filter` and
`hyenadna::implicit_filter_backward`; `implicit_filter_kernels` computes it on a GPU.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hyenadna.ops.derivatives import refuse_second
from hyenadna.ops.precision import widened

# Over the longest input, the slowest channel decays to 0.01 in 1.5 times its length and the
# fastest in 0.3 times.
DECAY_TARGET, SLOW_DECAY, FAST_DECAY = 1e-2, 1.5, 0.3

# Positions that a CPU takes at a time, so that activations stay in cache and take no memory of the
# sequence's length. Going back computes them again.
BLOCK_POSITIONS = 4096
# Up to so many, all of them at once are faster: computing again costs a fifth. From 262,144 on,
# blocks take half the time, and an eighth of the memory.
COMPOSED_POSITIONS = 1 << 14

# Widest hidden layers whose products the kernels keep in registers.
MOST_HIDDEN = 64


class FilterWeights(NamedTuple):
    """What is trained of an implicit filter, or the gradients of that."""

    first_weight: Tensor
    """(F, E)."""
    first_bias: Tensor
    """(F,)."""
    inner_weights: Tensor
    """(M, F, F), in order; M may be 0."""
    inner_biases: Tensor
    """(M, F)."""
    last_weight: Tensor
    """(D, F)."""
    freq: Tensor
    """(F,), the frequencies of every sine."""


def band_frequencies(features: int, device: torch.device) -> Tensor:
    """Return the turns of each pair of features over the longest input, ((E - 1) / 2,) in fp64."""
    bands = (features - 1) // 2
    return torch.linspace(1e-4, bands - 1, bands, dtype=torch.float64, device=device)


def positional_features(position: Tensor, *, features: int, max_length: int) -> Tensor:
    """Return time, its cosines and its negative sines at positions (L,), (L, E) in fp64.

    Positions are fractions of the longest input, not of this one: a shorter input sees the start
    of the same filter.
    """
    position = position.double()[:, None]
    frequency = band_frequencies(features, position.device)
    angle = frequency * (2 * math.pi * position / max_length)
    return torch.cat([position / (max_length - 1), angle.cos(), -angle.sin()], dim=1)


def decay_rates(channels: int, device: torch.device) -> Tensor:
    """Return the decay of each channel over the longest input, (D,) in fp64."""
    slow, fast = (-math.log(DECAY_TARGET) / share for share in (SLOW_DECAY, FAST_DECAY))
    return torch.linspace(slow, fast, channels, dtype=torch.float64, device=device)


def implicit_filter_reference(
    weights: FilterWeights,
    *,
    length: int,
    max_length: int,
    shift: float,
    start: int = 0,
    features: Tensor | None = None,
) -> Tensor:
    """Compute `implicit_filter` by torch's own operators.

    Args:
        features: (L, E), in place of what the formula makes of positions.

    Hidden layers are in fp64: each multiplies rounding errors by the frequency, ten or so, which
    would leave four digits of fp32 and none of TF32.
    """
    position = torch.arange(start, start + length, device=weights.freq.device)
    if features is None:
        size = weights.first_weight.shape[1]
        features = positional_features(position, features=size, max_length=max_length)
    last = widened(weights.last_weight)
    with torch.autocast(last.device.type, enabled=False):
        _, waves = _hidden(_in_fp64(weights), features.double())
        window = _window(position, last, max_length=max_length, shift=shift)
        return (last @ waves[-1].to(last.dtype)) * window


def implicit_filter(
    weights: FilterWeights, *, length: int, max_length: int, shift: float, start: int = 0
) -> Tensor:
    """Evaluate the filter of each channel at consecutive positions.

    Only the weights are saved for the gradients; the network is evaluated again going back.

    Args:
        weights: on one device.
        length: L, taps to return.
        max_length: tokens over which the filter is defined, at least 2.
        shift: floor of the window.
        start: position of the first of these taps; start + L is at most `max_length`.

    Returns:
        (D, L) in fp32, or in fp64 where the last weights are. A CPU computes hidden layers in
        fp64; kernels compute in fp32, from positions whose angles wrap around exactly.

    Raises:
        ValueError: Shapes do not fit each other, or length does not fit max_length.
    """
    _check(weights, length, max_length, start)
    small = length <= COMPOSED_POSITIONS and weights.freq.device.type == "cpu"
    if small and not torch.compiler.is_compiling():
        return implicit_filter_reference(
            weights, length=length, max_length=max_length, shift=shift, start=start
        )
    k: Tensor = torch.ops.hyenadna.implicit_filter(*weights, length, max_length, shift, start)
    return k


def _check(weights: FilterWeights, length: int, max_length: int, start: int) -> None:
    shapes = [tuple(x.shape) for x in weights]
    try:
        (hidden, features), (channels, _), layers = shapes[0], shapes[4], shapes[2][0]
    except (IndexError, ValueError):
        hidden = features = channels = layers = 0
    square = (layers, hidden, hidden)
    fitting = [(hidden, features), (hidden,), square, square[:2], (channels, hidden), (hidden,)]
    if shapes != fitting or features < 3 or features % 2 == 0:
        raise ValueError(
            "implicit_filter takes weights (F, E), (F,), (M, F, F), (M, F), (D, F) and (F,) with "
            f"E odd and at least 3, got {', '.join(map(str, shapes))}"
        )
    if not 1 <= length <= max_length - start or start < 0 or max_length < 2:
        raise ValueError(
            "implicit_filter takes length from 1 to max_length less start, max_length at least 2 "
            f"and start at least 0, got {length}, {max_length} and {start}"
        )


def _forward(*arguments: Any) -> Tensor:
    *given, length, max_length, shift, start = arguments
    weights, last = _in_fp64(FilterWeights(*given)), widened(given[4])
    k = last.new_empty(last.shape[0], length)
    # Autocast reaches into operators, and would narrow the products to half precision.
    with torch.autocast(k.device.type, enabled=False):
        for block, position in _blocks(start, length, k.device):
            _, waves = _hidden(weights, _features(weights, position, max_length))
            window = _window(position, last, max_length=max_length, shift=shift)
            torch.mul(last @ waves[-1].to(last.dtype), window, out=k[:, block])
    return k


def _backward(dk: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    *given, length, max_length, shift, start = arguments
    weights, last = _in_fp64(FilterWeights(*given)), widened(given[4])
    sums = [torch.zeros_like(x) for x in weights]
    with torch.autocast(dk.device.type, enabled=False):
        for block, position in _blocks(start, length, dk.device):
            window = _window(position, last, max_length=max_length, shift=shift)
            d_taps = window.mul_(dk[:, block])
            features = _features(weights, position, max_length)
            for total, part in zip(sums, _block_backward(d_taps, weights, features), strict=True):
                total += part
    return tuple(total.to(x.dtype) for total, x in zip(sums, given, strict=True))


def _block_backward(d_taps: Tensor, weights: FilterWeights, features: Tensor) -> FilterWeights:
    """Return the gradients of the weights, that of (last weights @ activations) being (D, n).

    Activations are computed in fp64; products of gradients, which errors only pass through, in
    the dtype of d_taps.
    """
    sums, waves = _hidden(weights, features)
    narrow = FilterWeights(*(x.to(d_taps.dtype) for x in weights))
    inner_weights = torch.empty_like(narrow.inner_weights)
    inner_biases = torch.empty_like(narrow.inner_biases)
    d_freq = torch.zeros_like(narrow.freq)
    d_last = d_taps @ waves[-1].to(d_taps.dtype).mT
    d = narrow.last_weight.mT @ d_taps
    for m in reversed(range(len(sums))):
        d *= (weights.freq[:, None] * sums[m]).cos_().to(d.dtype)
        d_freq += (d * sums[m].to(d.dtype)).sum(1)
        d *= narrow.freq[:, None]
        if m:
            inner_weights[m - 1] = d @ waves[m - 1].to(d.dtype).mT
            inner_biases[m - 1] = d.sum(1)
            d = narrow.inner_weights[m - 1].mT @ d
    d_first = d @ features.to(d.dtype)
    return FilterWeights(d_first, d.sum(1), inner_weights, inner_biases, d_last, d_freq)


def _hidden(weights: FilterWeights, features: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Return what each hidden layer sums up, and the sine of it: M + 1 each of (F, n).

    Args:
        features: (n, E).
    """
    freq = weights.freq[:, None]
    sums = [torch.addmm(weights.first_bias[:, None], weights.first_weight, features.mT)]
    waves = [(freq * sums[0]).sin()]
    for weight, bias in zip(weights.inner_weights, weights.inner_biases, strict=True):
        sums.append(torch.addmm(bias[:, None], weight, waves[-1]))
        waves.append((freq * sums[-1]).sin())
    return sums, waves


def _features(weights: FilterWeights, position: Tensor, max_length: int) -> Tensor:
    size = weights.first_weight.shape[1]
    return positional_features(position, features=size, max_length=max_length)


def _window(position: Tensor, last: Tensor, *, max_length: int, shift: float) -> Tensor:
    """Return decay at positions (n,) for each row of the last weights, (D, n) in their dtype."""
    time = (position.double() / (max_length - 1)).to(last.dtype)
    rates = decay_rates(last.shape[0], last.device).to(last.dtype)
    return (-rates[:, None] * time).exp_().add_(shift)


def _blocks(start: int, length: int, device: torch.device) -> Iterator[tuple[slice, Tensor]]:
    """Cut L taps into blocks, each as a slice of them and as its positions (n,)."""
    for low in range(0, length, BLOCK_POSITIONS):
        high = min(low + BLOCK_POSITIONS, length)
        yield slice(low, high), torch.arange(start + low, start + high, device=device)


def _in_fp64(weights: FilterWeights) -> FilterWeights:
    return FilterWeights(*(x.double() for x in weights))


def _has_kernels(weights: FilterWeights) -> bool:
    """Whether kernels compute this: in fp32, by products that older GPUs do not have."""
    fits = weights.first_weight.shape[0] <= MOST_HIDDEN and torch.version.hip is None
    narrow = all(x.dtype is not torch.float64 for x in weights)
    return fits and narrow and torch.cuda.get_device_capability(weights.freq.device) >= (8, 0)


def _forward_cuda(*arguments: Any) -> Tensor:
    *given, length, max_length, shift, start = arguments
    weights = FilterWeights(*given)
    if not _has_kernels(weights):
        return _forward(*arguments)
    from hyenadna.ops import implicit_filter_kernels  # imports triton, which is not everywhere

    return implicit_filter_kernels.forward(
        weights, length=length, max_length=max_length, shift=shift, start=start
    )


def _backward_cuda(dk: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    *given, length, max_length, shift, start = arguments
    weights = FilterWeights(*given)
    if not _has_kernels(weights):
        return _backward(dk, *arguments)
    from hyenadna.ops import implicit_filter_kernels

    gradients = implicit_filter_kernels.backward(
        dk, weights, length=length, max_length=max_length, shift=shift, start=start
    )
    return tuple(
        x.new_empty(x.shape).copy_(gradient) for x, gradient in zip(weights, gradients, strict=True)
    )


def _fake(*arguments: Any) -> Tensor:
    last, length = arguments[4], arguments[6]
    return widened(last).new_empty(last.shape[0], length)


def _fake_backward(dk: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    return tuple(x.new_empty(x.shape) for x in arguments[: len(FilterWeights._fields)])


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *weights, ctx.length, ctx.max_length, ctx.shift, ctx.start = inputs
    ctx.save_for_backward(*weights)


def _gradients(ctx: Any, dk: Tensor) -> tuple[Tensor | None, ...]:
    gradients = torch.ops.hyenadna.implicit_filter_backward(
        dk, *ctx.saved_tensors, ctx.length, ctx.max_length, ctx.shift, ctx.start
    )
    return *gradients, None, None, None, None


_INPUTS = (
    "Tensor first_weight, Tensor first_bias, Tensor inner_weights, Tensor inner_biases, "
    "Tensor last_weight, Tensor freq, SymInt length, SymInt max_length, float shift, SymInt start"
)
torch.library.define("hyenadna::implicit_filter", f"({_INPUTS}) -> Tensor")
torch.library.define(
    "hyenadna::implicit_filter_backward",
    f"(Tensor dk, {_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
)
torch.library.impl("hyenadna::implicit_filter", "CPU", _forward)
torch.library.impl("hyenadna::implicit_filter", "CUDA", _forward_cuda)
torch.library.impl("hyenadna::implicit_filter_backward", "CPU", _backward)
torch.library.impl("hyenadna::implicit_filter_backward", "CUDA", _backward_cuda)
torch.library.register_fake("hyenadna::implicit_filter", _fake)
torch.library.register_fake("hyenadna::implicit_filter_backward", _fake_backward)
torch.library.register_autograd("hyenadna::implicit_filter", _gradients, setup_context=_save)
torch.library.register_autograd(
    "hyenadna::implicit_filter_backward",
    refuse_second("hyenadna.ops.implicit_filter.implicit_filter_reference"),
)
