"""Time implementations of one operation in turns, so that all of them meet the same machine."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from hyenadna.bench.results import OUT_OF_MEMORY, does_not_run

Result = tuple[Tensor, ...]
Call = Callable[[], Result]

# Rounds taken however long they are, unless fewer are asked for: a quartile of less means nothing.
FEWEST_ROUNDS = 3
# Calls that take this long are not repeated to warm up: caches and clocks do not matter beside it.
SLOW_SECONDS = 0.5
# More than the last-level cache of any processor here; each is overwritten or copied as a whole.
FLUSH_BYTES = 1 << 28
COPY_BYTES = 1 << 28


class Unavailable(Exception):
    """An implementation cannot be timed here; the message is its status."""


@dataclass(frozen=True)
class Effort:
    """How long to measure: until `repeats` rounds, or `seconds` per implementation are over."""

    repeats: int = 100
    seconds: float = 1.0


@dataclass
class Timing:
    """Seconds of each call of one implementation, or the reason why there are none."""

    seconds: list[float] = field(default_factory=list)
    peak_bytes: int | None = None
    status: str = ""

    def quartiles(self) -> tuple[float, float, float]:
        """Return lower quartile, median and upper quartile, in seconds."""
        if len(self.seconds) < 2:
            return self.seconds[0], self.seconds[0], self.seconds[0]
        low, median, high = statistics.quantiles(self.seconds, n=4, method="inclusive")
        return low, median, high


class Stopwatch:
    """Time calls on one device.

    On a GPU, events on the stream bracket the call. A fill of 256 MiB goes ahead of each: it
    empties the L2 cache, and hides up to some 0.1 ms of what the host needs to launch the kernels.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._flush = None
        if device.type == "cuda":
            self._flush = torch.empty(FLUSH_BYTES, dtype=torch.int8, device=device)

    def time(self, call: Call) -> tuple[float, Result]:
        """Return the seconds of one call and what it returned."""
        if self._flush is None:
            began = time.perf_counter()
            result = call()
            return time.perf_counter() - began, result
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        self._flush.zero_()
        start.record()
        result = call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1e3, result

    def peak_bytes(self, call: Call) -> int:
        """Return the memory that one call takes beyond its inputs and results, as tensors."""
        if self._flush is None:
            return _peak_bytes_of_cpu(call)
        torch.cuda.synchronize(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device)
        result = call()
        peak = torch.cuda.max_memory_allocated(self.device) - before
        return max(0, peak - _bytes(result))

    def copy_bytes_per_second(self) -> float:
        """Measure a copy within the device's memory, counting what is read and what is written."""
        source = torch.zeros(COPY_BYTES, dtype=torch.int8, device=self.device)
        target = torch.empty_like(source)
        seconds = [self.time(lambda: (target.copy_(source),))[0] for _ in range(12)]
        return 2 * COPY_BYTES / statistics.median(seconds[2:])


def _peak_bytes_of_cpu(call: Call) -> int:
    """Add up what PyTorch's profile of a call says was allocated and freed, in its order."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as taken:
        result = call()
    assert taken.profiler is not None
    events = taken.profiler.kineto_results.events()
    changes: list[tuple[int, int]] = sorted(
        (event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]"
    )
    held = accumulate((size for _, size in changes), initial=0)
    return max(0, max(held) - _bytes(result))


def _bytes(result: Result) -> int:
    return sum(x.numel() * x.element_size() for x in result)


def time_in_rounds(
    calls: Mapping[str, Call],
    watch: Stopwatch,
    effort: Effort,
    *,
    accept: Callable[[str, Result], str] = lambda name, result: "",
) -> dict[str, Timing]:
    """Time each call once per round, the first of a round being another each time.

    A call that fails, for want of memory or otherwise, leaves the rounds with its reason as status.

    Args:
        calls: By name.
        watch: Of the device that the calls run on.
        effort: Rounds and seconds.
        accept: Given the name and the result of a first call, returns "" or the status of a call
            that is not worth timing, such as one whose result is wrong.
    """
    timings = {name: Timing() for name in calls}
    for name, call in calls.items():
        work = partial(_warm_up, name, call, watch, timings[name], accept)
        timings[name].status = _attempt(work)
    began = time.perf_counter()
    budget = effort.seconds * sum(not timing.status for timing in timings.values())
    for turn in range(effort.repeats):
        if turn >= FEWEST_ROUNDS and time.perf_counter() - began > budget:
            break
        for name in _rotated(list(calls), turn):
            timing = timings[name]
            if not timing.status:
                timing.status = _attempt(partial(_once, calls[name], watch, timing))
    return timings


@dataclass(frozen=True)
class ByNumpy:
    """A call that works in memory which is not PyTorch's, so that its peak is not told."""

    call: Call

    def __call__(self) -> Result:
        """Call."""
        return self.call()


class Graphed:
    """A call that replays a CUDA graph of another, so that launching costs next to nothing.

    What it allocates belongs to the graph, so its peak memory is not told.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._captured: tuple[torch.cuda.CUDAGraph, Result] | None = None

    def __call__(self) -> Result:
        """Replay; the results are overwritten by the next replay."""
        if self._captured is None:
            self._captured = self._capture()
        graph, result = self._captured
        graph.replay()
        return result

    def _capture(self) -> tuple[torch.cuda.CUDAGraph, Result]:
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # PyTorch asks for warm-up away from the default stream
            for _ in range(3):
                self._call()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._call()
        return graph, result


def _warm_up(
    name: str,
    call: Call,
    watch: Stopwatch,
    timing: Timing,
    accept: Callable[[str, Result], str],
) -> str:
    """Compile, plan and check; fill in the peak memory; return a status."""
    seconds, result = watch.time(call)
    status = accept(name, result)
    del result
    if status:
        return status
    if not isinstance(call, Graphed | ByNumpy):
        timing.peak_bytes = watch.peak_bytes(call)
    if seconds < SLOW_SECONDS:
        watch.time(call)
    return ""


def _once(call: Call, watch: Stopwatch, timing: Timing) -> str:
    seconds, _ = watch.time(call)
    timing.seconds.append(seconds)
    return ""


def _attempt(work: Callable[[], str]) -> str:
    """Do work that returns a status; where it fails, that becomes the status."""
    try:
        return work()
    except Unavailable as reason:
        return str(reason)
    # Code that is not ours may fail in any way. None of them is passed over: each becomes a row.
    except Exception as error:
        return failure(error)


def failure(error: Exception) -> str:
    """Return the status that tells of an exception."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in text:
        return OUT_OF_MEMORY
    return does_not_run(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _rotated(names: list[str], turn: int) -> list[str]:
    first = turn % len(names) if names else 0
    return names[first:] + names[:first]


def relative_error(result: Result, expected: Result) -> float:
    """Return the largest relative L2 error of a tensor, NaN where there is one."""
    errors = [
        ((x.double() - y.double()).norm() / y.double().norm()).item()
        for x, y in zip(result, expected, strict=True)
    ]
    return math.nan if any(math.isnan(error) for error in errors) else max(errors)
