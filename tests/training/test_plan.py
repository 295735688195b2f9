"""Stages of growing length: as many tokens as asked for, and the learning rate that goes with them.

The original's schedule of stages was never applied, and its batches grew with the number of GPUs.
"""

import pytest

from hyenadna.errors import InputError
from hyenadna.settings import parse
from hyenadna.training.plan import Plan
from hyenadna.training.recipe import PretrainRecipe
from hyenadna.training.schedule import rate_share


def recipe(**changes):
    content = {
        "steps": 100,
        "length": 1024,
        "batch_size": 8,
        "micro_batch_size": 2,
        "validate_every": 10,
        "validation_tokens": 8192,
        "checkpoint_every": 10,
    }
    return parse(PretrainRecipe, content | changes, source="recipe")


def test_without_warmup_there_is_one_stage():
    (stage,) = Plan.of_tokens(recipe()).stages
    assert (stage.first_step, stage.steps, stage.length) == (0, 100, 1024)
    assert (stage.batch_size, stage.forward_size) == (8, 2)


def test_lengths_double_up_to_the_final_one():
    plan = Plan.of_tokens(recipe(length_warmup={"start": 64, "share": 0.4}))
    assert [stage.length for stage in plan.stages] == [64, 128, 256, 512, 1024]
    assert [stage.batch_size for stage in plan.stages] == [128, 64, 32, 16, 8]
    assert [stage.forward_size for stage in plan.stages] == [32, 16, 8, 4, 2]
    assert [stage.steps for stage in plan.stages] == [10, 10, 10, 10, 60]
    assert [stage.first_step for stage in plan.stages] == [0, 10, 20, 30, 40]


def test_stages_get_the_tokens_that_are_asked_for():
    stages = [{"length": 100, "tokens": 81_920}, {"length": 300, "tokens": 163_840}]
    plan = Plan.of_tokens(recipe(length_warmup={"stages": stages}))
    assert [stage.length for stage in plan.stages] == [100, 300, 1024]
    for stage, wanted in zip(plan.stages, (81_920, 163_840, 819_200 - 245_760), strict=True):
        assert abs(stage.steps * stage.tokens_per_step - wanted) <= stage.tokens_per_step / 2


@pytest.mark.parametrize("length", [1024, 160_000, 1_000_000])
def test_every_step_trains_on_about_as_many_tokens(length):
    plan = Plan.of_tokens(
        recipe(length=length, length_warmup={"start": 64}, validation_tokens=length)
    )
    sizes = [stage.tokens_per_step for stage in plan.stages]
    assert max(sizes) <= 1.07 * min(sizes)
    assert plan.tokens == pytest.approx(100 * 8 * length, rel=0.02)
    assert plan.stages[-1].length == length


def test_tokens_before_a_step_are_those_of_the_steps_before_it():
    plan = Plan.of_tokens(recipe(length_warmup={"stages": [{"length": 300, "tokens": 100_000}]}))
    total = 0
    for step in range(plan.steps):
        assert plan.tokens_before(step) == total
        total += plan.stage(step).tokens_per_step
    assert plan.tokens_before(plan.steps) == total == plan.tokens


def test_the_rate_of_every_stage_follows_the_tokens():
    """One schedule runs through all stages: warm-up over the first tenth of tokens, then cosine."""
    settings = recipe(warmup_fraction=0.1, length_warmup={"start": 128, "share": 0.3})
    plan = Plan.of_tokens(settings)
    shares = [
        rate_share(plan.tokens_before(step + 1), plan.tokens, settings)
        for step in range(plan.steps)
    ]
    assert [stage.length for stage in plan.stages] == [128, 256, 512, 1024]
    assert shares[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert shares[54] == pytest.approx(0.55, abs=0.005)
    assert shares[-1] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("warmup", "words"),
    [
        ({"start": 1024}, "must grow and end below length 1024"),
        ({"stages": [{"length": 64, "tokens": 9}, {"length": 32, "tokens": 9}]}, "must grow"),
        ({"stages": [{"length": 64, "tokens": 819_200}]}, "leave nothing of 819200 tokens"),
        ({"stages": [{"length": 64, "tokens": 9}], "start": 32}, "not both"),
        ({"stages": []}, "stages is empty"),
        ({"begin": 64}, "unknown key 'length_warmup.begin'"),
    ],
)
def test_a_warmup_that_cannot_be_is_refused(warmup, words):
    with pytest.raises(InputError, match=words):
        recipe(length_warmup=warmup)
