"""Progress on stderr: a bar in a terminal, a line now and then in a log file."""

import logging
import math
import resource
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

import torch
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as RichProgress

from hyenadna.training.checkpoint import Progress

SECONDS_BETWEEN_LINES = 15.0

_log = logging.getLogger(__name__)


class Display:
    """Shows loss, speed, memory and time left while a run trains."""

    def __init__(self, steps: int, progress: Progress, *, unit: str, shown: bool = True) -> None:
        """Prepare to count to `steps`; `shown` is false in all processes of a run but one."""
        self.steps = steps
        self.unit = unit
        self.shown = shown
        self.console = Console(stderr=True)
        self.bar = RichProgress(
            TextColumn("step {task.fields[step]:,}/{task.fields[steps]:,}"),
            BarColumn(),
            TextColumn("{task.description}"),
            console=self.console,
            disable=not (shown and self.console.is_terminal),
        )
        self.task = self.bar.add_task("", total=1.0, step=progress.step, steps=steps)
        self.start: tuple[float, float] | None = None

    def __enter__(self) -> Self:
        self.begin = self.last_line = time.monotonic()
        self.terms = 0
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def show(self, step: int, loss: float, terms: int, share_done: float) -> None:
        """Note one more step.

        Args:
            step: steps done.
            loss: of this step, in nats per term.
            terms: of this step.
            share_done: of the whole run's work, of which steps may have unequal parts.
        """
        self.terms += terms
        if not self.shown:
            return
        now = time.monotonic()
        text = f"loss {loss:.4f}"
        if self.unit == "bases":
            text += f"  {loss / math.log(2):.4f} bits/base"
        text += f"  {self.terms / (now - self.begin):,.0f} {self.unit}/s"
        text += f"  {_memory_in_use() / 1e9:.2f} GB  {self._time_left(now, share_done)} left"
        self.bar.update(self.task, completed=share_done, description=text, step=step)
        if self.console.is_terminal:
            return
        if now - self.last_line >= SECONDS_BETWEEN_LINES or step == self.steps:
            _log.info("step %d/%d  %s", step, self.steps, text)
            self.last_line = now

    def _time_left(self, now: float, share_done: float) -> str:
        """Return h:mm:ss, judged from the second step on: the first one may compile kernels."""
        if self.start is None:
            self.start = now, share_done
        since, share = self.start
        if share_done >= 1:
            return "0:00:00"
        if share_done <= share:
            return "-:--:--"
        seconds = (now - since) / (share_done - share) * (1 - share_done)
        return str(timedelta(seconds=round(seconds)))


def peak_memory(device: torch.device) -> int:
    """Return the peak so far, in bytes: of tensors on a GPU, or of resident memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _memory_in_use() -> int:
    on_gpu = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return peak_memory(torch.device("cuda" if on_gpu else "cpu"))
