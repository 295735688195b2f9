"""Find the fastest plan of the long convolution for each shape; keep it in the table of paths."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import torch

from hyenadna.bench.competitors import torch_fft
from hyenadna.bench.long_conv import OURS, PLAIN, call, gradients, inputs, row
from hyenadna.bench.machine import installed_version
from hyenadna.bench.results import Row
from hyenadna.bench.session import DTYPES, Case, Options, Session
from hyenadna.bench.timing import Call, Result
from hyenadna.errors import InputError
from hyenadna.ops import long_conv as our_long_conv
from hyenadna.ops import paths

DIRECTION = "forward+backward"


def tune(options: Options, tell: Callable[[str], None]) -> None:
    """Time every plan of each shape, forward and backward, and write the fastest to the table.

    The table is written after each shape. Rows of other shapes and devices stay as they are.
    """
    if options.device.type != "cuda":
        raise InputError(
            "--tune chooses between plans of a GPU; give --device cuda, or leave it out"
        )
    session = Session(options, tell)
    device = torch.cuda.get_device_name(options.device)
    for case in session.cases():
        plans = [of for of in _measure(session, case) if of.path and of.median_seconds is not None]
        if plans:
            best = min(plans, key=lambda of: of.median_seconds or 0)
            paths.write_table([table_row(best, device)])
    session.finish()


def table_row(best: Row, device: str) -> paths.Row:
    """Return the row of the table of paths that a measurement makes."""
    date = datetime.now(UTC).date().isoformat()
    return paths.Row(
        device=device,
        dtype=str(DTYPES[best.dtype]).removeprefix("torch."),
        channels=best.channels,
        batch=best.batch,
        length=best.length,
        plan=best.path,
        seconds=best.median_seconds or 0.0,
        measured_on=f"{date}, torch {torch.__version__}, triton {installed_version('triton')}",
    )


def _measure(session: Session, case: Case) -> list[Row]:
    template = row(case, DIRECTION)
    try:
        given = inputs(case)
        dy = gradients(DIRECTION, given[0])
    except (RuntimeError, MemoryError) as error:
        return session.refuse([template], error)
    plain, free = call(torch_fft, given, dy), call(our_long_conv, given, dy)
    calls, rows = {PLAIN: plain}, {PLAIN: replace(template, implementation=PLAIN)}
    for plan in paths.candidates(case.length, case.length):
        name = f"{OURS} ({plan})"
        calls[name] = _forced(plan, free)
        rows[name] = replace(template, path=str(plan))
    return session.measure(rows, calls, plain=PLAIN, check_against=PLAIN)


def _forced(plan: paths.Plan, free: Call) -> Call:
    def call() -> Result:
        with paths.use(plan):
            return free()

    return call
