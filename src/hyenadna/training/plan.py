"""How training is divided into steps: how long the windows of each are, and how many.

Lengths may grow from stage to stage (sequence-length warm-up, arXiv:2306.15794, section 3.3). The
batch shrinks as they grow, so that every step trains on about as many tokens.
"""

from bisect import bisect_right
from dataclasses import dataclass

from hyenadna.training.recipe import LengthStage, PretrainRecipe


@dataclass(frozen=True)
class Stage:
    """Steps of one length."""

    first_step: int
    """Counted from 0."""
    steps: int
    length: int
    """Tokens per sequence."""
    batch_size: int
    """Sequences per step."""
    forward_size: int
    """Sequences per forward pass."""

    @property
    def tokens_per_step(self) -> int:
        """Tokens that one step trains on."""
        return self.batch_size * self.length


@dataclass(frozen=True)
class Plan:
    """All stages of a run, in their order."""

    stages: tuple[Stage, ...]

    @classmethod
    def of_examples(cls, steps: int, *, batch_size: int) -> "Plan":
        """Return a plan in which every step counts alike, as so many examples of any length."""
        stage = Stage(
            first_step=0, steps=steps, length=1, batch_size=batch_size, forward_size=batch_size
        )
        return cls((stage,))

    @classmethod
    def of_tokens(cls, recipe: PretrainRecipe) -> "Plan":
        """Return the stages of a recipe; their tokens are as given, to the nearest step."""
        stages: list[Stage] = []
        first = owed = 0
        for wanted in _lengths(recipe):
            # What rounding took from the stages before, or gave them, is made up for.
            owed += wanted.tokens
            stage = _stage(recipe, wanted.length, owed, first)
            stages.append(stage)
            owed -= stage.steps * stage.tokens_per_step
            first += stage.steps
        return cls(tuple(stages))

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.stages[-1].first_step + self.stages[-1].steps

    @property
    def tokens(self) -> int:
        """Tokens in all."""
        return sum(stage.steps * stage.tokens_per_step for stage in self.stages)

    def stage(self, step: int) -> Stage:
        """Return the stage of a step, counted from 0; the last one from its first step on."""
        return self.stages[bisect_right(self.stages, step, key=lambda of: of.first_step) - 1]

    def tokens_before(self, step: int) -> int:
        """Return the tokens that the steps before `step` train on."""
        return sum(
            min(stage.steps, max(0, step - stage.first_step)) * stage.tokens_per_step
            for stage in self.stages
        )


def _lengths(recipe: PretrainRecipe) -> list[LengthStage]:
    warmup = recipe.length_warmup
    if warmup is None:
        stages = []
    elif warmup.stages is not None:
        stages = list(warmup.stages)
    else:
        lengths = _doubling(warmup.start, recipe.length)
        tokens = max(1, round(warmup.share * recipe.tokens / len(lengths)))
        stages = [LengthStage(length=length, tokens=tokens) for length in lengths]
    left = recipe.tokens - sum(stage.tokens for stage in stages)
    return [*stages, LengthStage(length=recipe.length, tokens=max(1, left))]


def _doubling(start: int, end: int) -> list[int]:
    lengths = [start]
    while 2 * lengths[-1] < end:
        lengths.append(2 * lengths[-1])
    return lengths


def _stage(recipe: PretrainRecipe, length: int, tokens: int, first_step: int) -> Stage:
    # Never more tokens a forward pass than at the final length: that is what memory allows.
    batch_size = max(1, round(recipe.batch_size * recipe.length / length))
    forward_size = max(1, recipe.forward_size * recipe.length // length)
    return Stage(
        first_step=first_step,
        steps=max(1, round(tokens / (batch_size * length))),
        length=length,
        batch_size=batch_size,
        forward_size=min(forward_size, batch_size),
    )
