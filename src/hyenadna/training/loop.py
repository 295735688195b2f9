"""The training loop: the same for pretraining and fine-tuning, resumable to the same bits."""

import logging
import math
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from types import FrameType
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from hyenadna.errors import InputError, Interrupted
from hyenadna.training import checkpoint
from hyenadna.training.checkpoint import Progress, Tensors
from hyenadna.training.distributed import World
from hyenadna.training.ema import WeightAverage
from hyenadna.training.optimizer import build_optimizer
from hyenadna.training.plan import Plan
from hyenadna.training.precision import Precision
from hyenadna.training.progress import Display
from hyenadna.training.recipe import Recipe
from hyenadna.training.run import Run
from hyenadna.training.schedule import rate_share

Batch = Sequence[Tensor | None]
Loss = Callable[[nn.Module, Batch], tuple[Tensor, Tensor | float]]
"""Returns the sum of a micro-batch's loss terms, each times its weight, and of the weights."""

LOGGED_STEPS = 500
"""About as many training steps of a run have rows in `metrics.tsv`."""

STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""Signals that save and end the run; SIGUSR1 is what `sbatch --signal` is mostly asked for."""

MOST_OVERFLOWS = 20
"""Steps of fp16 in a row whose gradients overflow before the run gives up."""

# The mean that a spike is measured against forgets a step's loss within some fifty steps.
_MEMORY = 0.98

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Course:
    """What is done around the steps."""

    batches: Callable[[int], Iterator[Sequence[Batch]]]
    """Given the first step, yields each step's micro-batches from there on."""
    loss: Loss
    """Called on tensors moved to the model's device."""
    validate: Callable[[], dict[str, float]]
    """Its values become rows of split "valid"."""
    validate_every: int
    """Steps between validations; there is one at the end too."""
    select: str | None = None
    """Name of the validation value to maximise; its best weights are the result."""
    patience: int | None = None
    """Validations without improvement of `select` after which training stops."""
    unit: Literal["bases", "examples"] = "examples"
    """What the plan counts; "bases" adds a language model's rows to the metrics."""
    around: Callable[[int], AbstractContextManager[None]] = lambda step: nullcontext()
    """A context for forward and backward passes of a step, which ends before the update."""
    blame: Callable[[int], str] | None = None
    """Says which input of a step has the highest loss, for the message that ends a run."""


def fit(
    model: nn.Module,
    recipe: Recipe,
    course: Course,
    *,
    plan: Plan,
    run: Run,
    seed: int,
    world: World | None = None,
) -> int:
    """Train `model` in place and return the step whose weights it ends with.

    Args:
        model: on its device already; frozen parameters stay as they are.
        world: the processes that train together, each on its own micro-batches of every step.

    Raises:
        InputError: the loss or the gradient is not finite, or the loss leaps.
        Interrupted: SIGTERM, SIGINT or SIGUSR1 came; the step was finished and saved.
    """
    world = world or World()
    trainer = _Trainer(model, recipe, course, plan=plan, run=run, seed=seed, world=world)
    progress = trainer.progress
    display = Display(plan.steps, progress, unit=course.unit, shown=world.is_main)
    stream = course.batches(progress.step)
    with _signals() as caught, display:
        saved = run.resumed is not None
        while True:
            stopped = world.any(bool(caught))
            if not progress.validated and not stopped:
                trainer.validate()
                saved = False
            given_up = course.patience is not None and progress.stale >= course.patience
            over = progress.step == plan.steps or given_up
            due = over or progress.step % recipe.checkpoint_every == 0
            if not saved and progress.step and (due or stopped):
                trainer.save()
            if stopped:
                raise Interrupted(caught[0] if caught else signal.SIGTERM)
            if over:
                return trainer.finish()
            taken = trainer.step(next(stream))
            saved = False
            ends = progress.step == plan.steps
            progress.validated = progress.step % course.validate_every != 0 and not ends
            if ends or _is_logged(progress.step, plan.steps):
                run.log(progress.step, "train", taken.rows(plan, course.unit))
            display.show(progress.step, taken.loss, taken.terms, taken.share_done)


@dataclass
class _Taken:
    """One optimizer step, done."""

    step: int
    loss: float
    norm: float
    learning_rate: float
    terms: int
    share_done: float
    seconds: float

    def rows(self, plan: Plan, unit: str) -> dict[str, float]:
        rows = {"loss": self.loss, "learning_rate": self.learning_rate, "gradient_norm": self.norm}
        if unit == "bases":
            rows["bits_per_base"] = self.loss / math.log(2)
            rows["tokens"] = plan.tokens_before(self.step)
            rows["tokens_per_second"] = self.terms / self.seconds
        if len(plan.stages) > 1:
            rows["length"] = plan.stage(self.step - 1).length
        return rows


class _Trainer:
    """A model, its optimizer and how far they have come."""

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        course: Course,
        *,
        plan: Plan,
        run: Run,
        seed: int,
        world: World,
    ) -> None:
        self.model = model
        self.recipe = recipe
        self.course = course
        self.plan = plan
        self.run = run
        self.seed = seed
        self.world = world
        self.optimizer = build_optimizer(model, recipe)
        self.trained = [p for p in model.parameters() if p.requires_grad]
        self.device = self.trained[0].device
        self.precision = Precision(recipe, self.device)
        self.progress: Progress
        self.best: Tensors | None
        self.progress, self.best, average = run.restore(model, self.optimizer)
        self.precision.load(self.progress.scaler)
        decay = recipe.ema_decay
        self.average = None if decay is None else WeightAverage(model, decay)
        if self.average is not None and average is not None:
            self.average.load(average)

    def step(self, micro_batches: Sequence[Batch]) -> _Taken:
        """Take one optimizer step on the mean over the loss terms of all micro-batches."""
        begin = time.monotonic()
        step = self.progress.step
        before, after = (self.plan.tokens_before(at) for at in (step, step + 1))
        share = rate_share(after, self.plan.tokens, self.recipe)
        rate = share * self.recipe.learning_rate
        self.optimizer.set_rate(share)
        self.model.train()
        self.optimizer.zero_grad()
        # Divided by about the number of terms before going back, since fp16 would overflow.
        size = after - before
        with self.course.around(step):
            sums = self._accumulate(micro_batches, size)
        self.world.sum_gradients(self.trained)
        total, weight = self.world.sum(sums)
        mean = total / weight if weight else 0.0
        finite = self.precision.unscale(self.optimizer)
        for parameter in self.trained:
            if parameter.grad is not None:
                parameter.grad.mul_(size / weight if weight else 0.0)
        norm = nn.utils.clip_grad_norm_(self.trained, self.recipe.gradient_clip).item()
        self._check(mean, norm if finite else 0.0, rate)
        self._update(finite)
        self.progress.step += 1
        done = after / self.plan.tokens
        seconds = time.monotonic() - begin
        return _Taken(self.progress.step, mean, norm, rate, after - before, done, seconds)

    def _accumulate(self, micro_batches: Sequence[Batch], size: int) -> list[float]:
        """Add up gradients; return the sums of weighted loss terms and of weights."""
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)
        for index, batch in enumerate(micro_batches):
            torch.manual_seed(_torch_seed(self.seed, self.progress.step, index, self.world.rank))
            on_device = tuple(
                tensor if tensor is None else tensor.to(self.device, non_blocking=True)
                for tensor in batch
            )
            with self.precision.autocast():
                value, weight = self.course.loss(self.model, on_device)
            self.precision.scale(value / size).backward()  # type: ignore[no-untyped-call]
            sums += torch.stack([value.detach().double(), torch.as_tensor(weight).to(sums)])
        totals: list[float] = sums.tolist()
        return totals

    def _update(self, finite: bool) -> None:
        self.precision.update()
        self.progress.scaler = self.precision.state()
        if not finite:
            self.progress.overflows += 1
            return
        self.progress.overflows = 0
        self.optimizer.step()
        if self.average is not None:
            self.average.update()

    def _check(self, mean: float, norm: float, rate: float) -> None:
        """Refuse to go on from a step whose loss or gradient is broken or leaps."""
        known, spike = self.progress.loss_mean, self.recipe.spike_nats
        wrong = ""
        if not (math.isfinite(mean) and math.isfinite(norm)):
            wrong = f"loss {mean:g} and gradient norm {norm:g}"
        elif self.progress.overflows >= MOST_OVERFLOWS:
            wrong = f"gradients overflowed fp16 {MOST_OVERFLOWS} times in a row"
        elif spike is not None and known is not None and mean > known + spike:
            rise = f"{mean - known:.4f} nats above its mean"
            wrong = f"loss {mean:.4f} is {rise} (spike_nats {spike:g})"
        if wrong:
            step = self.progress.step
            culprit = f"; {self.course.blame(step)}" if self.course.blame else ""
            raise InputError(
                f"{self.run.out}: {wrong} at step {step + 1} with learning rate {rate:.3g}"
                f"{culprit}; lower learning_rate or gradient_clip, lengthen warmup_fraction, or "
                "use precision fp32"
            )
        known = mean if known is None else known
        self.progress.loss_mean = _MEMORY * known + (1 - _MEMORY) * mean

    def validate(self) -> None:
        """Record a validation and keep the weights if they are the best so far."""
        select = self.course.select
        with self._published_weights():
            values = self.course.validate()
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

    def _published_weights(self) -> AbstractContextManager[None]:
        return nullcontext() if self.average is None else self.average.applied()

    def save(self) -> None:
        average = None if self.average is None else self.average.state()
        self.run.save(self.progress, self.model, self.optimizer, self.best, average)

    def finish(self) -> int:
        """Leave the selected weights in the model and return their step."""
        self.model.eval()
        if self.best is not None and self.progress.best_step is not None:
            checkpoint.restore_model(self.model, self.best)
            return self.progress.best_step
        if self.average is not None:
            checkpoint.restore_model(self.model, self.average.tensors)
        return self.progress.step


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect the signals that stop a run in a list instead of dying from them."""
    caught: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if not caught:
            _log.warning("signal %d: saving at the end of this step", number)
        caught.append(number)

    previous = {number: signal.signal(number, note) for number in STOPS}
    try:
        yield caught
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _torch_seed(seed: int, step: int, micro_batch: int, rank: int) -> int:
    """Return torch's seed for one forward pass, so that dropout is the same after a resume."""
    entropy = (seed, step, micro_batch, rank)
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])


def _is_logged(step: int, steps: int) -> bool:
    return step % max(1, math.ceil(steps / LOGGED_STEPS)) == 0
