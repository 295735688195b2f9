"""Gradients that have none of their own, and say so when asked for them."""

from collections.abc import Callable
from typing import Any, NoReturn

import torch
from torch import Tensor

Gradients = tuple[Tensor | None, ...]


def first_derivatives(
    compute: Callable[..., Gradients], *inputs: Tensor | None, reference: str
) -> Gradients:
    """Return compute(*inputs) such that going back through it raises a RuntimeError.

    Without this, second derivatives would come out as zero where a loss adds them to others.

    Args:
        reference: full name of the function whose second derivatives can be had.
    """
    gradients: Gradients = _First.apply(compute, reference, *inputs)  # type: ignore[no-untyped-call]
    return gradients


def refuse_second(reference: str) -> Callable[..., NoReturn]:
    """Return the backward pass of an operator that computes first derivatives only.

    Args:
        reference: as for `first_derivatives`.
    """

    def refuse(ctx: Any, *gradients: Tensor) -> NoReturn:
        raise _refusal(reference)

    return refuse


def _refusal(reference: str) -> RuntimeError:
    name = reference.rpartition(".")[2].removesuffix("_reference")
    return RuntimeError(f"{name} has first derivatives only; use {reference} for second ones")


class _First(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, compute: Callable[..., Gradients], reference: str, *inputs: Tensor | None
    ) -> Gradients:
        ctx.reference = reference
        return compute(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> NoReturn:
        raise _refusal(ctx.reference)
