"""Speed of causal attention beside the long convolution of the same width (D = heads x 64)."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from hyenadna.bench import long_conv
from hyenadna.bench.long_conv import OURS, call, gradients, inputs, path_of
from hyenadna.bench.results import BEYOND_LIMIT, DIRECTIONS, Row, minimal_bytes
from hyenadna.bench.session import DTYPES, Case, Options, Session
from hyenadna.bench.timing import Call, Effort, Stopwatch, time_in_rounds
from hyenadna.errors import InputError
from hyenadna.ops import long_conv as our_long_conv

HEAD_WIDTH = 64
ATTENTION = "scaled_dot_product_attention"
# Long enough for time to follow length, short enough to wait for on any machine.
PILOT_LENGTH = 4096


def bench(options: Options, tell: Callable[[str], None]) -> None:
    """Measure causal attention at growing length, until a call would exceed the time limit.

    Its time grows as the square of the length in the end: a length is left out where the time of
    the last one, grown so, is beyond the limit.
    """
    wrong = [channels for channels in options.channels if channels % HEAD_WIDTH]
    if wrong:
        raise InputError(f"{wrong[0]} channels are no whole number of heads of {HEAD_WIDTH}")
    session = Session(options, tell)
    growth = Growth(session.watch)
    for case in session.cases():
        for direction in DIRECTIONS:
            key = (case.channels, direction)
            expected = growth.expected_seconds(key, case, partial(_attention, direction))
            names = [OURS, ATTENTION] if expected <= options.limit else [OURS]
            growth.note(key, _measure(session, case, direction, names))
            if ATTENTION not in names:
                session.record([replace(row(case, direction), status=BEYOND_LIMIT)])
    session.finish()


class Growth:
    """What the times of one row's name so far let expect of longer input: time ~ length ** 2."""

    def __init__(self, watch: Stopwatch, name: str = ATTENTION) -> None:
        self._watch = watch
        self._name = name
        self._last: dict[Hashable, tuple[int, float]] = {}

    def expected_seconds(self, key: Hashable, case: Case, call_of: Callable[[Case], Call]) -> float:
        """Return the seconds to expect of a case, after a short pilot if `key` was not seen yet."""
        if key not in self._last and case.length > PILOT_LENGTH:
            pilot = call_of(replace(case, length=PILOT_LENGTH))
            timing = time_in_rounds({"": pilot}, self._watch, Effort(repeats=1))[""]
            if timing.seconds:
                self._last[key] = (PILOT_LENGTH, timing.seconds[0])
        length, seconds = self._last.get(key, (case.length, 0.0))
        return seconds * (case.length / length) ** 2

    def note(self, key: Hashable, rows: Iterable[Row]) -> None:
        """Remember the time of what was named, where it is among the rows."""
        for of in rows:
            if of.implementation == self._name and of.median_seconds is not None:
                self._last[key] = (of.length, of.median_seconds)


def row(case: Case, direction: str) -> Row:
    """Return what is known of a row of attention before it is timed."""
    activation = case.batch * case.channels * case.length * DTYPES[case.dtype].itemsize
    moved = minimal_bytes(3 * activation, activation, direction)
    like = replace(long_conv.row(case, direction), operation="attention")
    return replace(like, implementation=ATTENTION, minimal_bytes=moved)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend causally; all (B, H, L, 64). On a GPU and 16 bits by FlashAttention or not at all."""
    with flash_only(q):
        return scaled_dot_product_attention(q, k, v, is_causal=True)


def flash_only(x: Tensor) -> AbstractContextManager[None]:
    """Allow no other kernel than FlashAttention where that runs: on a GPU, not in fp32."""
    if x.device.type == "cuda" and x.dtype is not torch.float32:
        return sdpa_kernel(SDPBackend.FLASH_ATTENTION)
    return nullcontext()


def _measure(session: Session, case: Case, direction: str, names: Sequence[str]) -> list[Row]:
    ours = long_conv.row(case, direction)
    rows = {OURS: ours, ATTENTION: row(case, direction)}
    try:
        given = inputs(case)
        calls = {OURS: call(our_long_conv, given, gradients(direction, given[0]))}
        if ATTENTION in names:
            calls[ATTENTION] = _attention(direction, case)
    except (RuntimeError, MemoryError) as error:
        return session.refuse([rows[name] for name in names], error)
    rows[OURS] = replace(ours, path=path_of(given[0], case.length))
    return session.measure(rows, calls, plain=OURS)


def _attention(direction: str, case: Case) -> Call:
    shape = (case.batch, case.channels // HEAD_WIDTH, case.length, HEAD_WIDTH)
    given = [
        torch.randn(shape, dtype=DTYPES[case.dtype], device=case.device, requires_grad=True)
        for _ in range(3)
    ]
    return call(attend, given, gradients(direction, given[0]))
