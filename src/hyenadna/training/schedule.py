"""The learning rate as a pure function of the optimizer step."""

import math

from hyenadna.training.recipe import Recipe

DECAY_FRACTION = 0.2
"""Share of the steps over which the `wsd` schedule decays at the end."""


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Return the learning rate of optimizer step `step`, counted from 0, out of `steps`.

    The last warm-up step is the peak; the last step of `cosine` and `wsd` is exactly
    `final_learning_rate_ratio` of it, whatever the number of steps.
    """
    warmup = math.ceil(recipe.warmup_fraction * steps)
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    floor = recipe.final_learning_rate_ratio
    remaining = (steps - 1 - step) / (steps - warmup)
    if recipe.schedule == "cosine":
        share = (1 + math.cos(math.pi * (1 - remaining))) / 2
    elif recipe.schedule == "wsd":
        share = min(1.0, (steps - 1 - step) / math.ceil(DECAY_FRACTION * steps))
    else:
        share = 1.0
    return recipe.learning_rate * (floor + (1 - floor) * share)
