"""Cross-entropy of a linear layer's outputs (N tokens, D width, V classes).

    sum over tokens of weight * (logsumexp(logits) - logits[label]),  logits = W hidden

Logits are computed for some tokens at a time, and again going back, where the gradient of a
token's logits is weight * (softmax(logits) - onehot(label)). So of all that has V numbers a token,
nothing is kept.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from hyenadna.ops.derivatives import Gradients, first_derivatives
from hyenadna.ops.precision import wide

# Numbers of the hidden states that are taken at a time: 8 MiB of fp32.
CHUNK_ELEMENTS = 1 << 21


def linear_cross_entropy_reference(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    *,
    token_weights: Tensor | None = None,
    ignored: int = -100,
) -> Tensor:
    """Compute `linear_cross_entropy` by torch's own operators, in the inputs' own dtype."""
    losses = cross_entropy(hidden @ weight.mT, labels, ignore_index=ignored, reduction="none")
    return (losses if token_weights is None else losses * token_weights).sum()


def linear_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    *,
    token_weights: Tensor | None = None,
    ignored: int = -100,
) -> Tensor:
    """Sum the weighted cross-entropy of labels, given the hidden states that predict them.

    Only the inputs and one number a token are saved for the gradients, which are first ones only
    and go to `hidden` and `weight`.

    Args:
        hidden: (N, D).
        weight: (V, D), of the output layer.
        labels: (N,), int64; below V, or `ignored`.
        token_weights: (N,), factor of each token's loss; 1 if not given.
        ignored: label of tokens that do not count.

    Returns:
        A scalar, in nats, in fp32 or in fp64 where `hidden` is fp64; autocast does not narrow it.

    Raises:
        ValueError: Shapes do not fit each other.
    """
    _check(hidden, weight, labels, token_weights)
    loss: Tensor = _LinearCrossEntropy.apply(hidden, weight, labels, token_weights, ignored)  # type: ignore[no-untyped-call]
    return loss


def _check(hidden: Tensor, weight: Tensor, labels: Tensor, token_weights: Tensor | None) -> None:
    fits = hidden.ndim == weight.ndim == 2 and hidden.shape[1] == weight.shape[1]
    given = [labels] if token_weights is None else [labels, token_weights]
    if not fits or any(x.shape != hidden.shape[:1] for x in given):
        raise ValueError(
            "linear_cross_entropy takes hidden (N, D), weight (V, D), labels (N,) and token "
            f"weights (N,), got {tuple(hidden.shape)}, {tuple(weight.shape)} and "
            f"{', '.join(str(tuple(x.shape)) for x in given)}"
        )


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        labels: Tensor,
        token_weights: Tensor | None,
        ignored: int,
    ) -> Tensor:
        dtype = wide(hidden.dtype)
        total = torch.zeros((), dtype=dtype, device=hidden.device)
        normalisers = hidden.new_empty(len(hidden), dtype=dtype)
        for chunk, states, matrix in _chunks(hidden, weight):
            logits = _product(states, matrix.mT)
            normalisers[chunk] = logits.logsumexp(1)
            label, factor = _targets(labels[chunk], token_weights, chunk, ignored, dtype)
            losses = normalisers[chunk] - logits.gather(1, label[:, None])[:, 0]
            total += (losses * factor).sum()
        ctx.ignored = ignored
        ctx.save_for_backward(hidden, weight, labels, token_weights, normalisers)
        return total

    @staticmethod
    def backward(ctx: Any, d_loss: Tensor) -> Gradients:
        def compute(d_loss: Tensor, *saved: Any) -> Gradients:
            return _backward(d_loss, *saved, ignored=ctx.ignored)

        name = f"{__name__}.{linear_cross_entropy_reference.__name__}"
        gradients = first_derivatives(compute, d_loss, *ctx.saved_tensors, reference=name)
        return *gradients, None, None, None


def _backward(
    d_loss: Tensor,
    hidden: Tensor,
    weight: Tensor,
    labels: Tensor,
    token_weights: Tensor | None,
    normalisers: Tensor,
    *,
    ignored: int,
) -> tuple[Tensor, Tensor]:
    """Return the gradients of hidden states and weight."""
    d_hidden = torch.empty_like(hidden)
    d_weight = torch.zeros_like(weight, dtype=d_loss.dtype)
    for chunk, states, matrix in _chunks(hidden, weight):
        label, factor = _targets(labels[chunk], token_weights, chunk, ignored, d_loss.dtype)
        d_logits = _product(states, matrix.mT).sub_(normalisers[chunk, None]).exp_()
        d_logits.scatter_add_(1, label[:, None], -torch.ones_like(d_logits[:, :1]))
        d_logits.mul_((factor * d_loss)[:, None])
        d_hidden[chunk] = _product(d_logits, matrix)
        d_weight += _product(d_logits.mT, states)
    return d_hidden, d_weight.to(weight.dtype)


def _chunks(hidden: Tensor, weight: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Cut the tokens into chunks; give each its states (n, D) and the weights, widened."""
    dtype = wide(hidden.dtype)
    matrix = weight.to(dtype)
    size = max(1, CHUNK_ELEMENTS // max(weight.shape))
    for start in range(0, len(hidden), size):
        chunk = slice(start, start + size)
        yield chunk, hidden[chunk].to(dtype), matrix


def _targets(
    labels: Tensor, token_weights: Tensor | None, chunk: slice, ignored: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Return a class that there is for each label (n,) of a chunk, and its weight, 0 if ignored."""
    counted = labels != ignored
    factor = counted.to(dtype)
    if token_weights is not None:
        factor = factor * token_weights[chunk].to(dtype)
    return labels.where(counted, 0), factor


def _product(a: Tensor, b: Tensor) -> Tensor:
    """Return a @ b in their own dtype, which autocast would narrow."""
    with torch.autocast(a.device.type, enabled=False):
        return a @ b
