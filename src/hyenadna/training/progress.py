"""Progress on stderr: a bar in a terminal, a line now and then in a log file."""

import logging
import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from hyenadna.training.checkpoint import Progress

SECONDS_BETWEEN_LINES = 15.0

_log = logging.getLogger(__name__)


class Display:
    """Shows loss, speed and time left while a run trains."""

    def __init__(self, steps: int, progress: Progress, *, unit: str) -> None:
        self.steps = steps
        self.unit = unit
        self.first = progress.step
        self.console = Console(stderr=True)
        self.bar = RichProgress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("", total=steps, completed=progress.step)

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

    def show(self, step: int, loss: float, terms: int) -> None:
        """Note one more step, with its loss per term in nats and its number of terms."""
        now = time.monotonic()
        self.terms += terms
        text = f"loss {loss:.4f}"
        if self.unit == "bases":
            text += f"  {loss / math.log(2):.4f} bits/base"
        text += f"  {self.terms / (now - self.begin):,.0f} {self.unit}/s"
        self.bar.update(self.task, completed=step, description=text)
        if self.console.is_terminal:
            return
        if now - self.last_line >= SECONDS_BETWEEN_LINES or step == self.steps:
            left = (now - self.begin) / (step - self.first) * (self.steps - step)
            _log.info("step %d/%d  %s  %.0f s left", step, self.steps, text, left)
            self.last_line = now
