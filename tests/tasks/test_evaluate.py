"""Evaluation of a trained classifier: on its own test split again, and on others."""

from pathlib import Path

import pytest

from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.tasks import evaluate, finetune


@pytest.fixture(scope="module")
def tuned(intervals_benchmark, tiny_recipe, tiny_model, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("tuned") / "seed0"
    recipe = tiny_recipe.replace(average_strands=True)
    return finetune(intervals_benchmark, recipe, weights=None, model=tiny_model, out=out, seed=0)


def test_the_test_split_scores_as_it_did_in_training(
    tuned, intervals_benchmark, tmp_path, read_metrics
):
    out = evaluate(intervals_benchmark, weights=tuned, out=tmp_path)
    assert read_metrics(out, "test") == read_metrics(tuned, "test")
    for name in ("confusion.tsv", "curves.tsv"):
        assert (out / name).read_bytes() == (tuned / name).read_bytes()
    record = read_json(out / "run.json")
    assert (record["stage"], record["counts"]) == ("evaluate", {"test": 80})


def test_another_split_can_be_scored(tuned, intervals_benchmark, tmp_path, read_metrics):
    out = evaluate(intervals_benchmark, weights=tuned, out=tmp_path, split="train")
    assert read_metrics(out, "train")["items"] == 240


def test_a_split_that_the_data_lacks_is_refused(tuned, intervals_benchmark, tmp_path):
    with pytest.raises(InputError, match="its data has no validation split"):
        evaluate(intervals_benchmark, weights=tuned, out=tmp_path, split="valid")


def test_other_classes_are_refused(tuned, chromatin_benchmark, tmp_path):
    with pytest.raises(InputError, match=r"multi-label classes many_c, noise, and the classifier"):
        evaluate(chromatin_benchmark, weights=tuned, out=tmp_path)


def test_a_model_without_its_recipe_is_refused(tuned, intervals_benchmark, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((tuned / name).read_bytes())
    with pytest.raises(InputError, match="give the directory of a fine-tuning run"):
        evaluate(intervals_benchmark, weights=tmp_path, out=tmp_path / "out")
