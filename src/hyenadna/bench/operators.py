"""Speed of what a Hyena operator does beside its long convolution (B batch, D width, L length)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from hyenadna.bench.long_conv import OURS, as_tuple, call, drawing, gradients, row
from hyenadna.bench.results import DIRECTIONS, minimal_bytes
from hyenadna.bench.session import DTYPES, Case, Options, Session
from hyenadna.errors import InputError
from hyenadna.ops.implicit_filter import (
    FilterWeights,
    implicit_filter,
    implicit_filter_reference,
)
from hyenadna.ops.short_conv import short_conv, short_conv_reference

# Of the published models.
SHORT_TAPS, FEATURES, HIDDEN, INNER_LAYERS, FREQUENCY = 3, 5, 64, 2, 10.0


@dataclass(frozen=True)
class Operator:
    """An operation of ours, the plain form that it is compared with, and what both are given."""

    plain: str
    """Name of the plain form in tables."""
    reference: Callable[[Case], Callable[..., Any]]
    ours: Callable[[Case], Callable[..., Any]]
    inputs: Callable[[Case], tuple[Tensor, ...]]
    of_activations: bool = True
    """Whether batch and type of activations matter to it; if not, they are 1 and fp32."""


def short_conv_inputs(case: Case) -> tuple[Tensor, ...]:
    """Draw three streams (B, 3 D, L), taps (3 D, 1, 3) and biases (3 D,)."""
    draw, dtype, channels = drawing(case.device), DTYPES[case.dtype], 3 * case.channels
    # Weights have the type of activations, as autocast hands them to a convolution.
    return (
        draw((case.batch, channels, case.length), dtype),
        draw((channels, 1, SHORT_TAPS), dtype),
        draw((channels,), dtype),
    )


def implicit_filter_inputs(case: Case) -> FilterWeights:
    """Draw the weights of a filter network, each layer of unit gain or so."""
    draw = drawing(case.device)
    shapes = {
        "first_weight": (HIDDEN, FEATURES),
        "first_bias": (HIDDEN,),
        "inner_weights": (INNER_LAYERS, HIDDEN, HIDDEN),
        "inner_biases": (INNER_LAYERS, HIDDEN),
        "last_weight": (case.channels, HIDDEN),
        "freq": (HIDDEN,),
    }
    weights = FilterWeights(**{name: draw(of, torch.float32) for name, of in shapes.items()})
    for weight in weights:
        weight.data /= (3 * weight.shape[-1]) ** 0.5
    weights.freq.data.fill_(FREQUENCY)
    return weights


def _filter_by(function: Callable[..., Tensor], case: Case) -> Callable[..., Tensor]:
    def evaluate(*weights: Tensor) -> Tensor:
        given = FilterWeights(*weights)
        return function(given, length=case.length, max_length=max(2, case.length), shift=0.0)

    return evaluate


OPERATORS = {
    "short_conv": Operator(
        plain="torch conv1d",
        reference=lambda case: short_conv_reference,
        ours=lambda case: short_conv,
        inputs=short_conv_inputs,
    ),
    "implicit_filter": Operator(
        plain="torch",
        reference=partial(_filter_by, implicit_filter_reference),
        ours=partial(_filter_by, implicit_filter),
        inputs=implicit_filter_inputs,
        of_activations=False,
    ),
}


def bench(options: Options, tell: Callable[[str], None]) -> None:
    """Measure the operators at each length, each beside its plain form."""
    unknown = [name for name in options.against if name not in OPERATORS]
    if unknown:
        raise InputError(f"operator {unknown[0]!r} is not known; choose {', '.join(OPERATORS)}")
    session = Session(options, tell)
    for name in options.against or OPERATORS:
        for case in session.cases():
            for direction in DIRECTIONS:
                _measure(session, case, direction, name)
    session.finish()


def _measure(session: Session, case: Case, direction: str, name: str) -> None:
    operator = OPERATORS[name]
    case = case if operator.of_activations else replace(case, dtype="fp32", batch=1)
    blank = replace(row(case, direction), operation=name, minimal_bytes=None)
    rows = {of: replace(blank, implementation=of) for of in (operator.plain, OURS)}
    functions = {operator.plain: operator.reference(case), OURS: operator.ours(case)}
    try:
        given = operator.inputs(case)
        with torch.no_grad():
            outputs = as_tuple(functions[operator.plain](*given))
        dy = gradients(direction, *outputs)
    except (RuntimeError, MemoryError) as error:
        session.refuse(rows.values(), error)
        return
    moved = minimal_bytes(_bytes(given), _bytes(outputs), direction)
    del outputs
    rows = {of: replace(known, minimal_bytes=moved) for of, known in rows.items()}
    calls = {of: call(function, given, dy) for of, function in functions.items()}
    session.measure(rows, calls, plain=operator.plain, check_against=operator.plain)


def _bytes(tensors: Sequence[Tensor]) -> int:
    return sum(x.numel() * x.element_size() for x in tensors)
