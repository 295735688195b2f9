"""Recipes: those that ship are valid, those that cannot be are refused."""

import re
from pathlib import Path

import pytest

from hyenadna.errors import InputError
from hyenadna.model.config import ModelConfig
from hyenadna.model.networks import read_network
from hyenadna.settings import parse, read_yaml
from hyenadna.training.plan import Plan
from hyenadna.training.recipe import FinetuneRecipe, PretrainRecipe

CONFIG = Path(__file__).parents[2] / "config"
PRETRAINING = sorted((CONFIG / "training").glob("*.yaml"))
PUBLISHED = [
    path for path in PRETRAINING if path.stem.startswith(("tiny", "small", "med", "large"))
]
FINETUNING = sorted((CONFIG / "finetuning").glob("*.yaml"))
LEAST = {
    "batch_size": 2,
    "checkpoint_every": 1,
    "steps": 3,
    "length": 8,
    "validate_every": 1,
    "validation_tokens": 64,
}


@pytest.mark.parametrize("path", PRETRAINING, ids=lambda path: path.stem)
def test_shipped_pretraining_recipes_are_valid(path):
    read_yaml(PretrainRecipe, path)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_recipes_of_published_models_say_their_tokens(path):
    recipe = read_yaml(PretrainRecipe, path)
    said = path.read_text().splitlines()[0]
    windows = (
        f"{recipe.steps:,} steps x {recipe.batch_size} windows x {recipe.length:,} nucleotides"
    )
    assert windows in said
    tokens = float(re.search(r"= ([\d,.]+) G tokens", said)[1].replace(",", ""))
    assert tokens == pytest.approx(Plan.of_tokens(recipe).tokens / 1e9, rel=0.02)


@pytest.mark.parametrize("path", FINETUNING, ids=lambda path: path.stem)
def test_shipped_finetuning_recipes_are_valid(path):
    read_yaml(FinetuneRecipe, path)


def test_every_model_size_has_a_recipe_that_fits_it():
    """But for what cannot be pretrained: the CNN and bidirectional networks."""
    for path in sorted((CONFIG / "models").glob("*.yaml")):
        shape = read_network(path)
        if not isinstance(shape, ModelConfig) or shape.bidirectional:
            continue
        name = "demo.yaml" if path.stem.startswith("demo") else path.name
        recipe = read_yaml(PretrainRecipe, CONFIG / "training" / name)
        assert recipe.length <= shape.max_seq_len


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("warmup_fraction", 1.0),
        ("final_learning_rate_ratio", 1.5),
        ("schedule", "linear"),
        ("precision", "fp8"),
        ("gradient_clip", 0),
        ("flip_strand", -0.1),
        ("validation_tokens", 7),
    ],
)
def test_impossible_values_are_refused_by_name(key, value):
    with pytest.raises(InputError, match=key):
        parse(PretrainRecipe, LEAST | {key: value}, source="recipe.yaml")


def test_a_batch_smaller_than_the_micro_batch_is_one_forward_pass():
    recipe = PretrainRecipe.model_validate(LEAST | {"micro_batch_size": 16})
    assert recipe.forward_size == 2
