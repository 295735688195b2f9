"""The training loop: the same for pretraining and fine-tuning, resumable to the same bits."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hyenadna.errors import InputError, Interrupted
from hyenadna.training import checkpoint
from hyenadna.training.checkpoint import Progress, Tensors
from hyenadna.training.optimizer import build_optimizer
from hyenadna.training.progress import Display
from hyenadna.training.recipe import Recipe
from hyenadna.training.run import Run
from hyenadna.training.schedule import learning_rate

Batch = tuple[Tensor, ...]
Loss = Callable[[nn.Module, Batch], tuple[Tensor, int]]
"""Returns the sum of a micro-batch's loss terms and their number."""

LOGGED_STEPS = 500
"""About as many training steps of a run have rows in `metrics.tsv`."""

_log = logging.getLogger(__name__)


def fit(
    model: nn.Module,
    recipe: Recipe,
    *,
    run: Run,
    steps: int,
    batches: Callable[[int], Iterator[list[Batch]]],
    loss: Loss,
    validate: Callable[[], dict[str, float]],
    validate_every: int,
    select: str | None = None,
    patience: int | None = None,
    seed: int,
    unit: Literal["bases", "examples"] = "examples",
) -> int:
    """Train `model` in place and return the step whose weights it ends with.

    Args:
        model: on its device already; frozen parameters stay as they are.
        batches: given the first step, yields each step's micro-batches from there on.
        loss: called on tensors moved to the model's device.
        validate: its values become rows of split "valid", every `validate_every` steps and at
            the end.
        select: name of the validation value to maximise; its best weights are the result.
        patience: validations without improvement of `select` after which training stops.
        unit: what a loss term is; "bases" adds a language model's rows to the metrics.

    Raises:
        InputError: the loss or the gradient is not finite.
        Interrupted: SIGTERM or SIGINT came; the step was finished and saved.
    """
    trainer = _Trainer(model, recipe, run=run, steps=steps, seed=seed)
    stream = batches(trainer.progress.step)
    progress = trainer.progress
    with _signals() as caught, Display(steps, progress, unit=unit) as display:
        saved = run.resumed is not None
        while True:
            if not progress.validated and not caught:
                trainer.note_validation(validate(), select)
                saved = False
            over = progress.step == steps or (patience is not None and progress.stale >= patience)
            due = over or progress.step % recipe.checkpoint_every == 0
            if not saved and progress.step and (due or caught):
                trainer.save()
            if caught:
                raise Interrupted(caught[0])
            if over:
                return trainer.finish()
            taken = trainer.step(next(stream), loss)
            saved = False
            progress.validated = progress.step % validate_every != 0 and progress.step != steps
            if _is_logged(progress.step, steps):
                run.log(progress.step, "train", taken.rows(progress.terms, unit))
            display.show(progress.step, taken.loss, taken.terms)


@dataclass
class _Taken:
    """One optimizer step, done."""

    loss: float
    learning_rate: float
    terms: int
    seconds: float

    def rows(self, seen: int, unit: str) -> dict[str, float]:
        rows = {"loss": self.loss, "learning_rate": self.learning_rate}
        if unit == "bases":
            rows["bits_per_base"] = self.loss / math.log(2)
            rows["tokens"] = seen
            rows["tokens_per_second"] = self.terms / self.seconds
        return rows


class _Trainer:
    """A model, its optimizer and how far they have come."""

    def __init__(
        self, model: nn.Module, recipe: Recipe, *, run: Run, steps: int, seed: int
    ) -> None:
        self.model = model
        self.recipe = recipe
        self.run = run
        self.steps = steps
        self.seed = seed
        self.optimizer: Optimizer = build_optimizer(model, recipe)
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.device = self.trained[0].device
        self.progress: Progress
        self.best: Tensors | None
        self.progress, self.best = run.restore(model, self.optimizer)

    def step(self, micro_batches: list[Batch], loss: Loss) -> _Taken:
        """Take one optimizer step on the mean over the loss terms of all micro-batches."""
        begin = time.monotonic()
        rate = learning_rate(self.progress.step, self.steps, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        total, terms = self._accumulate(micro_batches, loss)
        for parameter in self.trained:
            if parameter.grad is not None:
                parameter.grad.div_(max(terms, 1))
        norm = nn.utils.clip_grad_norm_(self.trained, self.recipe.gradient_clip).item()
        mean = total / max(terms, 1)
        if not (math.isfinite(mean) and math.isfinite(norm)):
            raise InputError(
                f"{self.run.out}: loss {mean:g} and gradient norm {norm:g} at step "
                f"{self.progress.step + 1} with learning rate {rate:.3g}; lower learning_rate "
                "or gradient_clip, lengthen warmup_fraction, or use precision fp32"
            )
        self.optimizer.step()
        self.progress.step += 1
        self.progress.terms += terms
        return _Taken(mean, rate, terms, time.monotonic() - begin)

    def _accumulate(self, micro_batches: list[Batch], loss: Loss) -> tuple[float, int]:
        total, terms = 0.0, 0
        for index, batch in enumerate(micro_batches):
            torch.manual_seed(_torch_seed(self.seed, self.progress.step, index))
            on_device = tuple(tensor.to(self.device, non_blocking=True) for tensor in batch)
            with autocast(self.device, self.recipe):
                value, count = loss(self.model, on_device)
            value.backward()  # type: ignore[no-untyped-call]
            total += value.item()
            terms += count
        return total, terms

    def note_validation(self, values: dict[str, float], select: str | None) -> None:
        """Record a validation and keep the weights if they are the best so far."""
        self.run.log(self.progress.step, "valid", values)
        self.progress.validated = True
        if select is None:
            return
        # A score that is not defined is worse than any other.
        value = -math.inf if math.isnan(values[select]) else values[select]
        if self.progress.best_value is None or value > self.progress.best_value:
            self.progress.best_value = value
            self.progress.best_step = self.progress.step
            self.progress.stale = 0
            tensors = checkpoint.model_tensors(self.model)
            self.best = {name: tensor.cpu().clone() for name, tensor in tensors.items()}
        else:
            self.progress.stale += 1

    def save(self) -> None:
        self.run.save(self.progress, self.model, self.optimizer, self.best)

    def finish(self) -> int:
        """Leave the selected weights in the model and return their step."""
        self.model.eval()
        if self.best is None or self.progress.best_step is None:
            return self.progress.step
        checkpoint.restore_model(self.model, self.best)
        return self.progress.best_step


def autocast(device: torch.device, recipe: Recipe) -> torch.autocast:
    """Return the recipe's precision as a context for forward passes."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=recipe.precision == "bf16")


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT in a list instead of dying from them."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if not caught:
            _log.warning("signal %d: saving at the end of this step", number)
        caught.append(number)

    previous = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _torch_seed(seed: int, step: int, micro_batch: int) -> int:
    """Return torch's seed for one forward pass, so that dropout is the same after a resume."""
    return int(np.random.SeedSequence((seed, step, micro_batch)).generate_state(1, np.uint64)[0])


def _is_logged(step: int, steps: int) -> bool:
    return step % max(1, math.ceil(steps / LOGGED_STEPS)) == 0 or step == steps
