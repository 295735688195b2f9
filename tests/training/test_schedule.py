"""The learning rate: warm-up, shape, and an end that does not depend on the number of steps."""

from itertools import pairwise

import pytest

from hyenadna.training.recipe import Recipe
from hyenadna.training.schedule import rate_share


def recipe(**changes):
    return Recipe(batch_size=1, checkpoint_every=1, learning_rate=1.0).replace(**changes)


def rates(steps, **changes):
    return [rate_share(step + 1, steps, recipe(**changes)) for step in range(steps)]


@pytest.mark.parametrize("steps", [2, 3, 10, 137, 13_300])
@pytest.mark.parametrize("schedule", ["cosine", "wsd"])
def test_the_last_step_ends_at_the_ratio_whatever_the_number_of_steps(schedule, steps):
    """The original's schedule counted other steps than were taken, and never came down."""
    assert rates(steps, schedule=schedule)[-1] == pytest.approx(0.1, abs=1e-12)


@pytest.mark.parametrize("schedule", ["cosine", "wsd", "constant"])
def test_warmup_rises_linearly_to_the_peak(schedule):
    values = rates(100, schedule=schedule, warmup_fraction=0.1)
    assert values[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert max(values) == 1.0


@pytest.mark.parametrize("schedule", ["cosine", "wsd", "constant"])
def test_after_warmup_the_rate_never_rises(schedule):
    values = rates(200, schedule=schedule, warmup_fraction=0.1)[19:]
    assert all(later <= earlier for earlier, later in pairwise(values))


def test_cosine_is_halfway_down_in_the_middle():
    assert rates(201, warmup_fraction=0.0)[100] == pytest.approx(0.55, abs=0.005)


def test_wsd_is_stable_until_its_last_fifth():
    values = rates(100, schedule="wsd", warmup_fraction=0.1)
    assert values[9:80] == [1.0] * 71
    assert values[80] < 1.0


def test_constant_stays_at_the_peak():
    assert rates(100, schedule="constant", warmup_fraction=0.05)[5:] == [1.0] * 95


def test_no_warmup_starts_near_the_peak():
    assert rates(100, warmup_fraction=0.0)[0] == pytest.approx(1.0, abs=1e-3)
