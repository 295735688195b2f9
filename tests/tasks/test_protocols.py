"""Protocols: what is held out, what selects, what the controls and options of a recipe do."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small_files import write_table

from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.tasks import finetune
from hyenadna.tasks.metrics import score
from hyenadna.tasks.splits import load, load_splits


@pytest.fixture
def run(intervals_benchmark, tiny_recipe, pretrained, tmp_path):
    """A function that fine-tunes with some values of the recipe changed."""

    def with_values(benchmark=intervals_benchmark, seed=0, **values) -> Path:
        out = tmp_path / "run"
        recipe = tiny_recipe.replace(**values)
        return finetune(benchmark, recipe, weights=pretrained, model=None, out=out, seed=seed)

    return with_values


def test_folds_of_all_seeds_are_the_training_set_once(intervals_benchmark):
    held = []
    for seed in range(5):
        splits = load_splits(intervals_benchmark, validation_fraction=0.1, seed=seed, folds=5)
        assert not set(splits["train"].ids) & set(splits["valid"].ids)
        assert len(splits["train"]) + len(splits["valid"]) == 240
        held += splits["valid"].ids
    assert sorted(held) == sorted(load(intervals_benchmark, "train").ids)


def test_selection_on_test_is_said_and_leaves_train_whole(run, read_metrics):
    out = run(select_on="test")
    record = read_json(out / "run.json")
    assert (record["stage"], record["protocol"], record["selected_on"]) == (
        "paper",
        "paper",
        "test",
    )
    assert record["counts"] == {"train": 240, "valid": 80, "test": 80}
    rows = pd.read_csv(out / "metrics.tsv", sep="\t")
    valid = rows[(rows["split"] == "valid") & (rows["name"] == "accuracy")]["value"]
    assert read_metrics(out, "test")["accuracy"] == pytest.approx(valid.max())


def test_by_default_no_test_item_selects_anything(run):
    record = read_json(run() / "run.json")
    assert (record["protocol"], record["selected_on"]) == ("honest", "valid")


@pytest.mark.parametrize("values", [{"folds": 5}, {"select_on": "test"}])
def test_data_with_a_validation_split_of_its_own_keeps_it(chromatin_benchmark, run, values):
    with pytest.raises(InputError, match="is for data without a validation split"):
        run(chromatin_benchmark, **values)


@pytest.mark.parametrize("shuffled", [False, True])
def test_shuffled_labels_teach_nothing(run, shuffled):
    out = run(shuffle_labels=shuffled, epochs=6)
    rows = pd.read_csv(out / "metrics.tsv", sep="\t")
    loss = rows[(rows["split"] == "valid") & (rows["name"] == "loss")]["value"].min()
    assert (loss > 0.6) if shuffled else (loss < 0.4)  # chance is ln 2
    tested = pd.read_parquet(out / "predictions.parquet")["label"]
    assert sorted(tested.value_counts()) == [40, 40]


@pytest.mark.parametrize(
    "values",
    [
        {"average_strands": True},
        {"strand_consistency": 0.3},
        {"class_weights": "balanced"},
        {"pooling": "middle"},
        {"embed_dropout": 0.0, "resid_dropout": 0.1},
        {"length_warmup": [{"length": 30, "epochs": 1}]},
        {"train_backbone": False, "average_strands": True, "epochs": 8},
    ],
    ids=str,
)
def test_it_learns_with_every_option(run, read_metrics, values):
    assert read_metrics(run(**values), "test")["accuracy"] > 0.85


def test_dropout_of_the_recipe_is_that_of_the_network(run):
    config = read_json(run(embed_dropout=0.25, resid_dropout=0.125, epochs=1) / "config.json")
    assert (config["embed_dropout"], config["resid_dropout"]) == (0.25, 0.125)


def test_a_consistent_network_agrees_more_with_itself(
    run, intervals_benchmark, tiny_recipe, tmp_path
):
    apart = []
    for weight in (0.0, 50.0):
        out = run(strand_consistency=weight, flip_strand=0.5, epochs=4)
        one, both = (
            pd.read_parquet(out / "predictions.parquet")["score_rich"],
            _averaged(out, intervals_benchmark),
        )
        apart.append(np.abs(one - both).mean())
        for file in out.rglob("*"):
            if file.is_file():
                file.unlink()
    assert apart[1] < apart[0] / 2


def _averaged(out: Path, benchmark) -> np.ndarray:
    """Predictions of a run's classifier, averaged over strands."""
    from hyenadna.model.networks import load_classifier
    from hyenadna.tasks.batches import Examples, strand_outputs
    from hyenadna.training.precision import Precision
    from hyenadna.training.recipe import FinetuneRecipe

    recipe = FinetuneRecipe(epochs=1, batch_size=32, checkpoint_every=1, average_strands=True)
    precision = Precision(recipe, torch.device("cpu"))
    source = Examples(load(benchmark, "test"), longest=64)
    outputs = strand_outputs(load_classifier(out), source, precision, recipe)
    return outputs.softmax(dim=1)[:, 1].numpy()


def test_leaked_items_are_found_and_left_out_of_the_clean_scores(
    intervals_benchmark, run, tmp_path, read_metrics
):
    header = "id,region,start,end,strand"
    for name in ("rich", "poor"):
        train = [f"{i},chr1,{1000 + 60 * i},{1060 + 60 * i},+" for i in range(60)]
        test = [f"{i},chr1,{9000 + 60 * i},{9060 + 60 * i},+" for i in range(30)]
        test += ["copy,chr1,1600,1660,-", "overlap,chr1,1030,1090,+", "touch,chr1,4600,4660,+"]
        write_table(tmp_path / "data" / "train" / f"{name}.csv.gz", header, *train)
        write_table(tmp_path / "data" / "test" / f"{name}.csv.gz", header, *test)
    out = run(intervals_benchmark.replace(data=tmp_path / "data"))
    table = pd.read_parquet(out / "predictions.parquet")
    leaked = table[table["leaked"]]["id"]
    assert sorted(leaked) == ["poor/copy", "poor/overlap", "rich/copy", "rich/overlap"]
    assert read_json(out / "run.json")["leaked"] == 4
    clean = table[~table["leaked"]]
    values = score(
        (clean["label"] == "rich").to_numpy().astype(int),
        clean[["score_poor", "score_rich"]].to_numpy(),
        "single",
    )
    assert read_metrics(out, "test_clean") == pytest.approx({"items": 62, **values}, rel=1e-6)
    assert read_metrics(out, "test")["items"] == 66
