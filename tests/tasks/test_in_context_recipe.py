"""Recipes of in-context learning: those that come with the project, and what they may not be."""

from pathlib import Path

import pytest

from hyenadna.settings import read_yaml
from hyenadna.tasks.in_context_recipe import InContextRecipe

FOLDER = Path(__file__).parents[2] / "config" / "in_context"
GIVEN = {"epochs": 1, "batch_size": 4, "checkpoint_every": 9}


@pytest.mark.parametrize("name", [path.name for path in sorted(FOLDER.glob("*.yaml"))])
def test_every_recipe_is_one_of_the_method_that_it_is_named_after(name):
    recipe = read_yaml(InContextRecipe, FOLDER / name)
    assert name.removesuffix(".yaml").removeprefix("demo_") == recipe.method


def test_a_prompt_is_not_for_few_shots():
    with pytest.raises(ValueError, match="prompt_tokens 4 is for method soft_prompt"):
        InContextRecipe(method="few_shot", prompt_tokens=4, **GIVEN)


def test_a_prompt_that_nothing_tunes_is_refused():
    with pytest.raises(ValueError, match="tuning_samples 0 leaves 2 prompt_tokens"):
        InContextRecipe(method="soft_prompt", prompt_tokens=2, tuning_samples=0, **GIVEN)


@pytest.mark.parametrize(
    ("given", "tunes"),
    [
        ({"method": "soft_prompt"}, False),
        ({"method": "soft_prompt", "prompt_tokens": 2}, True),
        ({"method": "soft_prompt", "prompt_tokens": 2, "tuning_samples": 9}, True),
        ({"method": "few_shot"}, True),
        ({"method": "few_shot", "tuning_samples": 0}, False),
    ],
)
def test_it_tunes_where_there_is_something_to_tune_and_to_tune_on(given, tunes):
    assert InContextRecipe(**given, **GIVEN).tunes is tunes
