"""Speed of the gated long convolution (B batch, D channels, L length)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from hyenadna.bench.competitors import MAKERS, Operation
from hyenadna.bench.results import DIRECTIONS, Row, minimal_bytes
from hyenadna.bench.session import DTYPES, Case, Options, Session
from hyenadna.bench.timing import Call, Graphed, Result
from hyenadna.errors import InputError
from hyenadna.ops import long_conv_cpu, paths

# Nucleotides that the published models are named for; the longest with its two special tokens,
# as the models' sizes in config/models/ have it.
MODEL_LENGTHS = (1_024, 16_384, 32_768, 160_000, 450_000, 1_000_002)
LENGTHS = tuple(sorted({*(1 << power for power in range(10, 21)), *MODEL_LENGTHS}))
# Up to here launching the kernels takes a GPU as long as running them.
LONGEST_GRAPH = 1 << 14

PLAIN, OURS = "torch.fft", "hyenadna"


def bench(options: Options, tell: Callable[[str], None]) -> None:
    """Measure `long_conv` and what it is compared with, at each length."""
    names = _chosen(options.against)
    session = Session(options, tell)
    for case in session.cases():
        for direction in DIRECTIONS:
            _measure(session, case, direction, names)
    session.finish()


def row(case: Case, direction: str) -> Row:
    """Return what is known of a row before it is timed; k and skip are fp32."""
    activation = case.batch * case.channels * case.length * DTYPES[case.dtype].itemsize
    weights = case.channels * (case.length + 1) * 4
    return Row(
        operation="long_conv",
        implementation=OURS,
        path="",
        direction=direction,
        dtype=case.dtype,
        batch=case.batch,
        channels=case.channels,
        length=case.length,
        minimal_bytes=minimal_bytes(3 * activation + weights, activation, direction),
    )


def inputs(case: Case) -> tuple[Tensor, ...]:
    """Draw u, k (of L taps), skip and both gates, each of which a gradient is wanted of."""
    draw, shape = drawing(case.device), (case.batch, case.channels, case.length)
    u, pre_gate, post_gate = (draw(shape, DTYPES[case.dtype]) for _ in range(3))
    k = draw(shape[1:], torch.float32)
    k.data /= case.length**0.5  # so that y is of u's size
    return u, k, draw(shape[1:2], torch.float32), pre_gate, post_gate


def drawing(device: torch.device) -> Callable[[tuple[int, ...], torch.dtype], Tensor]:
    """Return a function that draws normal tensors, the same each time, to take gradients of."""
    generator = torch.Generator(device).manual_seed(0)

    def draw(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        x = torch.randn(shape, generator=generator, device=device, dtype=dtype)
        return x.requires_grad_()

    return draw


def call(operation: Callable[..., Any], given: Sequence[Tensor], dy: Sequence[Tensor]) -> Call:
    """Return a call of an operation: forward, or with dy also backward to all that is given."""
    return partial(_forward_and_backward if dy else _forward, operation, given, dy)


def gradients(direction: str, *outputs: Tensor) -> list[Tensor]:
    """Draw gradients of outputs of such shapes where the direction is also backward."""
    return [torch.randn_like(y) for y in outputs] if direction == "forward+backward" else []


def path_of(u: Tensor, taps: int) -> str:
    """Name the path that `long_conv` takes."""
    if u.device.type == "cuda":
        return str(paths.choose(u, taps))
    return long_conv_cpu.path(u.shape[-1])


def _measure(session: Session, case: Case, direction: str, names: Sequence[str]) -> None:
    template = row(case, direction)
    rows = {name: replace(template, implementation=name) for name in names}
    try:
        given = inputs(case)
        dy = gradients(direction, given[0])
    except (RuntimeError, MemoryError) as error:
        session.refuse(rows.values(), error)
        return
    calls = {name: call(_made(name, case), given, dy) for name in names}
    rows[OURS] = replace(rows[OURS], path=path_of(given[0], case.length))
    if case.device.type == "cuda" and case.length <= LONGEST_GRAPH:
        for name in (PLAIN, OURS):
            graph = f"{name}, CUDA graph"
            calls[graph] = Graphed(calls[name])
            rows[graph] = replace(rows[name], implementation=graph)
    session.measure(rows, calls, plain=PLAIN, check_against=PLAIN)


def _chosen(against: Sequence[str]) -> list[str]:
    """Return the names of what is timed, the plain formula and ours always and first."""
    unknown = [name for name in against if name not in MAKERS]
    if unknown:
        raise InputError(f"{unknown[0]!r} is not compared with; choose {', '.join(MAKERS)}")
    return [x for x in MAKERS if not against or x in against or x in (PLAIN, OURS)]


def _made(name: str, case: Case) -> Operation:
    """Return the operation, made in its first call, so that a failure to make it is one to run."""
    made: list[Operation] = []

    def operation(*given: Tensor) -> Tensor:
        if not made:
            made.append(MAKERS[name](case))
        return made[0](*given)

    return operation


def _forward(operation: Callable[..., Any], given: Sequence[Tensor], _: Sequence[Tensor]) -> Result:
    with torch.no_grad():
        return as_tuple(operation(*given))


def _forward_and_backward(
    operation: Callable[..., Any], given: Sequence[Tensor], dy: Sequence[Tensor]
) -> Result:
    outputs = as_tuple(operation(*given))
    found = torch.autograd.grad(outputs, given, dy)
    return (*(y.detach() for y in outputs), *found)


def as_tuple(outputs: Tensor | Result) -> Result:
    """Return what an operation returned as a tuple, where it is not one."""
    return (outputs,) if isinstance(outputs, Tensor) else outputs
