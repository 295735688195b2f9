"""The learning rate as a pure function of how much of the training is done."""

import math

from hyenadna.training.recipe import Recipe

DECAY_FRACTION = 0.2
"""Share of the training over which the `wsd` schedule decays at the end."""


def rate_share(done: float, total: float, recipe: Recipe) -> float:
    """Return the learning rate of a step as a share of its peak.

    Args:
        done: tokens trained on by the end of the step (or steps, where all count alike).
        total: the same of the whole run, from the real size of the data; the last step's `done`.

    The step that ends the warm-up has the peak; the last step of `cosine` and `wsd` has exactly
    `final_learning_rate_ratio` of it, however many steps there are.
    """
    warmup = recipe.warmup_fraction * total
    if done < warmup:
        return done / warmup
    floor = recipe.final_learning_rate_ratio
    left = total - done
    if recipe.schedule == "cosine":
        share = (1 + math.cos(math.pi * (1 - left / (total - warmup)))) / 2
    elif recipe.schedule == "wsd":
        share = min(1.0, left / (DECAY_FRACTION * total))
    else:
        share = 1.0
    return floor + (1 - floor) * share
