"""Fine-tuning: learns, selects on validation, tests once, and can be killed anywhere."""

import importlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from small_files import write_table

from hyenadna.errors import InputError, Interrupted
from hyenadna.files import read_json
from hyenadna.tasks import finetune
from hyenadna.tasks import splits as splits_module
from hyenadna.tasks.metrics import score
from hyenadna.tasks.splits import load
from hyenadna.training import loop


@pytest.fixture(scope="module")
def tuned(intervals_benchmark, tiny_recipe, pretrained, tmp_path_factory) -> Path:
    """A finished run with strands drawn in training."""
    out = tmp_path_factory.mktemp("tuned") / "seed0"
    recipe = tiny_recipe.replace(flip_strand=0.5)
    return finetune(intervals_benchmark, recipe, weights=pretrained, model=None, out=out, seed=0)


def weights_of(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model.safetensors")


def scores_of(out: Path) -> np.ndarray:
    return pd.read_parquet(out / "predictions.parquet").filter(like="score_").to_numpy()


def same(one: Path, other: Path) -> bool:
    """Whether two runs ended with the same weights, metrics and predictions, to the bit."""
    names = ("metrics.tsv", "predictions.parquet", "model.safetensors", "config.json")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_it_learns_what_composition_tells(tuned, read_metrics):
    assert read_metrics(tuned, "test")["accuracy"] > 0.9


def test_metrics_are_those_of_the_predictions_over_the_whole_test_split(tuned, read_metrics):
    table = pd.read_parquet(tuned / "predictions.parquet")
    labels = (table["label"] == "rich").to_numpy().astype(int)
    assert len(table) == 80
    values = score(labels, table[["score_poor", "score_rich"]].to_numpy(), "single")
    assert read_metrics(tuned, "test") == pytest.approx({"items": 80, **values}, rel=1e-6)
    best = table[["score_poor", "score_rich"]].to_numpy().argmax(axis=1)
    assert (table["predicted"] == np.array(["poor", "rich"])[best]).all()


def test_metrics_have_the_expected_rows(tuned):
    rows = pd.read_csv(tuned / "metrics.tsv", sep="\t")
    of = rows.groupby("split")["name"].agg(set)
    metrics = {"accuracy", "mcc", "f1_macro", "f1_weighted", "auroc", "auprc"}
    assert of["train"] == {"loss", "learning_rate", "gradient_norm"}
    assert of["valid"] == metrics | {"loss"}
    assert of["test"] == of["test_clean"] == metrics | {"items"}
    assert rows[rows["split"] == "test"]["name"].is_unique


@pytest.mark.parametrize("best", [0, 1, 2])
def test_the_tested_weights_are_those_with_the_best_validation(
    intervals_benchmark, tiny_recipe, pretrained, tmp_path, monkeypatch, best
):
    module = importlib.import_module("hyenadna.tasks.finetune")
    reached = iter(np.eye(3)[best])

    def staged(labels, scores, kind, **options):
        accuracy = {"accuracy": next(reached)} if len(labels) == 24 else {}
        return score(labels, scores, kind, **options) | accuracy

    monkeypatch.setattr(module, "score", staged)
    out = finetune(
        intervals_benchmark, tiny_recipe, weights=pretrained, model=None, out=tmp_path, seed=0
    )
    rows = pd.read_csv(out / "metrics.tsv", sep="\t")
    assert set(rows[rows["split"] == "test"]["step"]) == {7 * (best + 1)}


def test_the_run_says_what_it_was(tuned):
    run = read_json(tuned / "run.json")
    assert (run["stage"], run["benchmark"], run["seed"]) == ("finetune", "easy", 0)
    assert (run["metric"], run["kind"], run["classes"]) == ("accuracy", "single", ["poor", "rich"])
    assert run["counts"] == {"train": 216, "valid": 24, "test": 80}
    assert run["cropped"] == {"train": 0, "valid": 0, "test": 0}
    assert {Path(file["path"]).name for file in run["data"]} >= {
        "genome.fa",
        "rich.csv.gz",
        "model.safetensors",
    }


def test_another_test_split_changes_nothing_but_the_test_scores(
    tuned, intervals_benchmark, tiny_recipe, pretrained, tmp_path, monkeypatch
):
    def swapped(benchmark, split):
        return load(benchmark, "train" if split == "test" else split)

    monkeypatch.setattr(splits_module, "load", swapped)
    recipe = tiny_recipe.replace(flip_strand=0.5)
    out = finetune(
        intervals_benchmark, recipe, weights=pretrained, model=None, out=tmp_path, seed=0
    )
    assert (out / "model.safetensors").read_bytes() == (tuned / "model.safetensors").read_bytes()
    assert len(scores_of(out)) == 240


@pytest.mark.parametrize("stop", [3, 8, 20])
def test_killed_and_run_again_it_ends_the_same(
    tuned, intervals_benchmark, tiny_recipe, pretrained, tmp_path, monkeypatch, stop
):
    recipe = tiny_recipe.replace(flip_strand=0.5)
    steps = 0
    train = loop._Trainer.step

    def interrupted(trainer, *given):
        nonlocal steps
        steps += 1
        if steps == stop:
            raise Interrupted(15)
        return train(trainer, *given)

    given = {"weights": pretrained, "model": None, "out": tmp_path, "seed": 0}
    with monkeypatch.context() as patch:
        patch.setattr(loop._Trainer, "step", interrupted)
        with pytest.raises(Interrupted):
            finetune(intervals_benchmark, recipe, **given)
    assert not (tmp_path / "run.json").exists()
    finetune(intervals_benchmark, recipe, **given)
    assert same(tmp_path, tuned)


def test_a_finished_run_is_left_as_it_is(tuned, intervals_benchmark, tiny_recipe, pretrained):
    before = (tuned / "run.json").stat().st_mtime_ns
    recipe = tiny_recipe.replace(flip_strand=0.5)
    finetune(intervals_benchmark, recipe, weights=pretrained, model=None, out=tuned, seed=0)
    assert (tuned / "run.json").stat().st_mtime_ns == before


def test_a_probe_trains_the_head_alone(
    intervals_benchmark, tiny_recipe, pretrained, tmp_path, read_metrics
):
    recipe = tiny_recipe.replace(train_backbone=False, epochs=10, flip_strand=0.5)
    out = finetune(
        intervals_benchmark, recipe, weights=pretrained, model=None, out=tmp_path, seed=0
    )
    before, after = weights_of(pretrained), weights_of(out)
    backbone = [name for name in after if "head" not in name]
    assert all(torch.equal(after[name], before[name.removeprefix("model.")]) for name in backbone)
    assert len(backbone) == len(before)
    assert read_json(out / "run.json")["stage"] == "probe"
    assert read_metrics(out, "test")["accuracy"] > 0.9


def test_from_scratch_starts_from_weights_of_the_seed(
    intervals_benchmark, tiny_recipe, tiny_model, tmp_path
):
    recipe = tiny_recipe.replace(epochs=1, learning_rate=1e-9)
    outs = [
        finetune(
            intervals_benchmark,
            recipe,
            weights=None,
            model=tiny_model,
            out=tmp_path / str(run),
            seed=seed,
        )
        for run, seed in enumerate((0, 0, 1))
    ]
    assert read_json(outs[0] / "run.json")["stage"] == "scratch"
    assert same(outs[0], outs[1])
    name = "backbone.embeddings.word_embeddings.weight"
    first, other = (weights_of(outs[run]) for run in (0, 2))
    key = next(key for key in first if key.endswith(name))
    assert not torch.allclose(first[key], other[key])


def test_targets_of_a_profile_are_learned(
    chromatin_benchmark, tiny_recipe, tiny_model, tmp_path, read_metrics
):
    recipe = tiny_recipe.replace(epochs=6, pooling="mean")
    out = finetune(
        chromatin_benchmark, recipe, weights=None, model=tiny_model, out=tmp_path, seed=0
    )
    table = pd.read_parquet(out / "predictions.parquet")
    values = score(
        table[["label_many_c", "label_noise"]].to_numpy(),
        table[["score_many_c", "score_noise"]].to_numpy(),
        "multi",
    )
    assert read_metrics(out, "test") == pytest.approx({"items": len(table), **values}, rel=1e-6)
    assert values["auroc"] > 0.65
    assert read_json(out / "run.json")["kind"] == "multi"


@pytest.fixture
def long_benchmark(intervals_benchmark, genomes, tmp_path):
    """As `intervals_benchmark`, with one train item of 100 nucleotides."""
    for split in ("train", "test"):
        for name in ("rich", "poor"):
            rows = [f"{i},chr1,{60 * i + 1000},{60 * i + 1060},+" for i in range(30)]
            rows += ["long,chr1,5000,5100,+"] if (split, name) == ("train", "rich") else []
            write_table(tmp_path / split / f"{name}.csv.gz", "id,region,start,end,strand", *rows)
    return intervals_benchmark.replace(data=tmp_path)


def test_an_item_longer_than_the_network_is_refused_with_the_arithmetic(
    long_benchmark, tiny_recipe, tiny_model, tmp_path
):
    message = (
        "item rich/long has 100 nucleotides, 36 more than max_seq_len 64 of the model, and 1 of "
    )
    with pytest.raises(InputError, match=re.escape(message)):
        finetune(
            long_benchmark, tiny_recipe, weights=None, model=tiny_model, out=tmp_path / "o", seed=0
        )


def test_items_are_cut_where_the_recipe_says_so_and_counted(
    long_benchmark, tiny_recipe, tiny_model, tmp_path, caplog
):
    caplog.set_level("INFO")
    recipe = tiny_recipe.replace(epochs=1, max_length=60)
    out = finetune(
        long_benchmark, recipe, weights=None, model=tiny_model, out=tmp_path / "o", seed=0
    )
    cropped = read_json(out / "run.json")["cropped"]
    assert cropped["train"] + cropped["valid"] == 1
    assert "items cut to their middle 60 nucleotides" in caplog.text


def test_a_max_length_past_the_network_is_refused(
    intervals_benchmark, tiny_recipe, tiny_model, tmp_path
):
    recipe = tiny_recipe.replace(max_length=70)
    with pytest.raises(
        InputError, match="max_length 70 of the recipe is 6 more than max_seq_len 64"
    ):
        finetune(intervals_benchmark, recipe, weights=None, model=tiny_model, out=tmp_path, seed=0)


def test_an_undefined_headline_metric_is_refused(
    intervals_benchmark, genomes, tiny_recipe, tiny_model, tmp_path
):
    header = "Chr_No,Start,End,y_never"
    for split in ("train", "val", "test"):
        write_table(tmp_path / f"{split}_hg38_coords_targets.csv", header, *["0,10,40,0"] * 9)
    for file in tmp_path.iterdir():
        file.rename(file.with_suffix(".csv.gz"))
    benchmark = intervals_benchmark.replace(
        family="chromatin_profile",
        data=tmp_path,
        genomes={"": genomes.fasta("rich")},
        metric="auroc",
    )
    with pytest.raises(InputError, match="auroc is undefined on the validation split"):
        finetune(benchmark, tiny_recipe, weights=None, model=tiny_model, out=tmp_path / "o", seed=0)


def test_a_head_alone_on_random_weights_is_refused(
    intervals_benchmark, tiny_recipe, tiny_model, tmp_path
):
    recipe = tiny_recipe.replace(train_backbone=False)
    with pytest.raises(InputError, match="the head alone needs pretrained weights"):
        finetune(intervals_benchmark, recipe, weights=None, model=tiny_model, out=tmp_path, seed=0)


def test_either_weights_or_a_shape_is_needed(intervals_benchmark, tiny_recipe, tmp_path):
    with pytest.raises(InputError, match="either weights"):
        finetune(intervals_benchmark, tiny_recipe, weights=None, model=None, out=tmp_path, seed=0)
