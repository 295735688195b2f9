"""Pretraining from tokens to published files."""

import importlib
import logging
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

from hyenadna.data.token_cache import TokenCache
from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.markov import MarkovChain
from hyenadna.tokenizer import encode
from hyenadna.training import loop
from hyenadna.training.perplexity import evaluate
from hyenadna.training.pretrain import pretrain
from hyenadna.training.recipe import PretrainRecipe

# The package has a function of the same name.
MODULE = importlib.import_module("hyenadna.training.pretrain")


@pytest.fixture(scope="module")
def finished(corpus, tiny_model, tiny_recipe, tmp_path_factory):
    """The output directory of a whole run."""
    out = tmp_path_factory.mktemp("finished") / "run"
    return run(tiny_model, tiny_recipe, corpus, out)


def run(config, recipe, corpus, out, seed=0):
    return pretrain(
        config,
        recipe,
        tokens=corpus.tokens,
        intervals=corpus.intervals,
        out=out,
        seed=seed,
        device="cpu",
    )


def test_final_files_are_published(finished):
    assert sorted(path.name for path in finished.iterdir()) == [
        "checkpoints",
        "config.json",
        "config.yaml",
        "metrics.tsv",
        "model.safetensors",
        "run.json",
    ]


def test_the_model_loads(finished, tiny_model):
    model = HyenaDNA.from_pretrained(finished)
    assert model.config == tiny_model
    assert torch.isfinite(model(torch.full((1, 32), 7))).all()


def test_the_settings_are_written(finished, tiny_model, tiny_recipe):
    content = yaml.safe_load((finished / "config.yaml").read_text())
    assert ModelConfig.model_validate(content["model"]) == tiny_model
    assert PretrainRecipe.model_validate(content["recipe"]) == tiny_recipe
    assert content["seed"] == 0


def test_train_rows(finished, read_metrics):
    rows = [row for row in read_metrics(finished) if row.split == "train"]
    names = {"loss", "bits_per_base", "learning_rate", "tokens", "tokens_per_second"}
    for step in range(1, 31):
        assert {row.name for row in rows if row.step == step} == names
    values = {row.name: row.value for row in rows if row.step == 30}
    assert values["bits_per_base"] == pytest.approx(values["loss"] / math.log(2))


def test_tokens_count_the_bases_learned_from(finished, read_metrics):
    """A window of L tokens has L targets: the original lost the last base."""
    tokens = [row.value for row in read_metrics(finished) if row.name == "tokens"]
    assert tokens[0] == 4 * 32
    assert 29 * 4 * 32 < tokens[-1] <= 30 * 4 * 32


def test_valid_and_test_rows(finished, read_metrics):
    rows = read_metrics(finished)
    names = ["perplexity", "bits_per_base", "accuracy"]
    for step in (10, 20, 30):
        assert [r.name for r in rows if (r.step, r.split) == (step, "valid")] == names
    assert [r.name for r in rows if (r.step, r.split) == (30, "test")] == names


def test_markov_chains_are_scored_on_the_same_bases(finished, corpus, read_metrics):
    rows = {(r.split, r.name): r.value for r in read_metrics(finished) if r.step == 0}
    assert set(rows) == {
        (split, f"markov{order}.perplexity") for split in ("valid", "test") for order in range(7)
    }
    chain = MarkovChain.fit([encode(corpus.sequence[:50_000])])
    test = encode(corpus.sequence[55_000:])
    tiles = [test[None, start : start + 33] for start in range(0, 4_999, 32)]
    bits = chain.bits_per_base((tile[:, :-1], tile[:, 1:]) for tile in tiles)
    found = [rows["test", f"markov{order}.perplexity"] for order in range(7)]
    np.testing.assert_allclose(found, 2.0**bits, rtol=1e-6)


def test_the_record_says_what_was_read(finished, corpus):
    record = read_json(finished / "run.json")
    assert record["stage"] == "pretrain"
    assert record["metric"] == "perplexity"
    assert record["counts"] == {"train": 50_000, "valid": 5_000, "test": 5_000}
    assert record["data"][0]["sha256"] == TokenCache.open(corpus.tokens).sha256
    assert record["parameters"] == sum(
        p.numel() for p in HyenaDNA.from_pretrained(finished).parameters()
    )


def test_a_finished_run_returns_at_once(finished, corpus, tiny_model, tiny_recipe, monkeypatch):
    monkeypatch.delattr(MODULE, "fit")
    written = (finished / "run.json").stat().st_mtime_ns
    assert run(tiny_model, tiny_recipe, corpus, finished) == finished
    assert (finished / "run.json").stat().st_mtime_ns == written


def test_deleted_outputs_come_back_from_the_last_checkpoint(
    finished, corpus, tiny_model, tiny_recipe, monkeypatch
):
    """A workflow manager deletes the outputs of a job before it starts it again."""
    before = {}
    for name in ("metrics.tsv", "model.safetensors", "config.json"):
        before[name] = (finished / name).read_bytes()
        (finished / name).unlink()
    monkeypatch.delattr(loop._Trainer, "step")
    run(tiny_model, tiny_recipe, corpus, finished)
    assert {name: (finished / name).read_bytes() for name in before} == before


def test_a_changed_recipe_trains_anew(corpus, tiny_model, tiny_recipe, tmp_path, caplog):
    short = tiny_recipe.replace(steps=2)
    run(tiny_model, short, corpus, tmp_path)
    first = (tmp_path / "model.safetensors").read_bytes()
    run(tiny_model, short.replace(learning_rate=0.1), corpus, tmp_path)
    assert "starting over" in caplog.text
    assert (tmp_path / "model.safetensors").read_bytes() != first


def test_the_seed_decides_everything(corpus, tiny_model, tiny_recipe, tmp_path):
    short = tiny_recipe.replace(steps=2)
    weights = [
        (run(tiny_model, short, corpus, tmp_path / name, seed) / "model.safetensors").read_bytes()
        for name, seed in (("one", 5), ("same", 5), ("other", 6))
    ]
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_windows_of_two_epochs_differ(corpus, tiny_model, tiny_recipe, tmp_path, monkeypatch):
    """The original read the first bases of each interval, the same ones in every epoch."""
    seen = []
    original = loop._Trainer.step

    def spy(self, micro_batches, loss):
        seen.extend(row.numpy().tobytes() for inputs, _ in micro_batches for row in inputs)
        return original(self, micro_batches, loss)

    monkeypatch.setattr(loop._Trainer, "step", spy)
    bed = tmp_path / "short.bed"
    bed.write_text("chrS\t0\t2000\ttrain\nchrS\t50000\t55000\tvalid\n")
    recipe = tiny_recipe.replace(steps=10, batch_size=100, micro_batch_size=None)
    run(tiny_model, recipe, replace(corpus, intervals=bed), tmp_path / "run")
    epochs = len(seen) / (2000 // 32)
    assert epochs > 15
    assert len(set(seen)) > 0.7 * len(seen)


def test_validation_reads_no_more_than_allowed(
    corpus, tiny_model, tiny_recipe, tmp_path, monkeypatch
):
    bases = []

    def spy(model, batches, autocast):
        score = evaluate(model, batches, autocast)
        bases.append(score.bases)
        return score

    monkeypatch.setattr(MODULE, "evaluate", spy)
    run(tiny_model, tiny_recipe.replace(steps=1), corpus, tmp_path)
    # Twenty tiles of 156 whole ones and a last one of 7 targets, the last being among them.
    assert bases == [19 * 32 + 7, 4999]


def test_validation_is_never_flipped(corpus, tiny_model, tiny_recipe, tmp_path, monkeypatch):
    """The original augmented validation and test as well."""
    read = []

    def spy(model, batches, autocast):
        read.append(torch.cat([inputs.flatten() for inputs, _ in batches]))
        return evaluate(model, [], autocast)

    monkeypatch.setattr(MODULE, "evaluate", spy)
    run(tiny_model, tiny_recipe.replace(steps=1, flip_strand=1.0), corpus, tmp_path)
    np.testing.assert_array_equal(read[1][:4_999], encode(corpus.sequence[55_000:59_999]))


@pytest.mark.parametrize(
    ("precision", "schedule"), [("fp32", "wsd"), ("fp32", "constant"), ("bf16", "cosine")]
)
def test_every_precision_and_schedule_trains(
    corpus, tiny_model, tiny_recipe, tmp_path, read_metrics, precision, schedule
):
    recipe = tiny_recipe.replace(precision=precision, schedule=schedule, steps=20)
    rows = read_metrics(run(tiny_model, recipe, corpus, tmp_path))
    bits = [row.value for row in rows if (row.split, row.name) == ("valid", "bits_per_base")]
    assert bits[-1] < bits[0] < 4


def test_a_test_split_is_optional(corpus, tiny_model, tiny_recipe, tmp_path, read_metrics):
    bed = tmp_path / "no_test.bed"
    bed.write_text("chrS\t0\t50000\ttrain\nchrS\t50000\t55000\tvalid\n")
    out = run(tiny_model, tiny_recipe.replace(steps=1), replace(corpus, intervals=bed), tmp_path)
    assert "test" not in {row.split for row in read_metrics(out)}


@pytest.mark.parametrize("missing", ["train", "valid"])
def test_a_missing_split_is_named(corpus, tiny_model, tiny_recipe, tmp_path, missing):
    bed = tmp_path / "intervals.bed"
    bed.write_text(corpus.intervals.read_text().replace(f"\t{missing}", "\theld_out"))
    with pytest.raises(InputError, match=f"no interval is marked '{missing}'.*'held_out'"):
        run(tiny_model, tiny_recipe, replace(corpus, intervals=bed), tmp_path / "run")


def test_splits_that_share_bases_are_refused(corpus, tiny_model, tiny_recipe, tmp_path):
    """The original let train windows grow into valid and test."""
    bed = tmp_path / "intervals.bed"
    bed.write_text(corpus.intervals.read_text().replace("50000\ttrain", "50001\ttrain"))
    with pytest.raises(InputError, match="overlaps"):
        run(tiny_model, tiny_recipe, replace(corpus, intervals=bed), tmp_path / "run")


def test_windows_longer_than_the_filter_are_refused(corpus, tiny_model, tiny_recipe, tmp_path):
    recipe = tiny_recipe.replace(length=35)
    with pytest.raises(InputError, match="length 35 of the recipe is more than max_seq_len 34"):
        run(tiny_model, recipe, corpus, tmp_path)


def test_a_log_file_gets_plain_lines(corpus, tiny_model, tiny_recipe, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run(tiny_model, tiny_recipe.replace(steps=3), corpus, tmp_path)
    assert re.search(r"step 3/3  loss \S+  \S+ bits/base  \S+ bases/s  0 s left", caplog.text)


def test_the_network_learns_what_single_bases_do_not_tell(corpus, tmp_path, read_metrics):
    """On an order-2 chain it must come well below the order-0 line, towards the order-2 line."""
    config = ModelConfig(d_model=32, n_layer=1, d_inner=64, max_seq_len=66, embed_dropout=0.0)
    recipe = PretrainRecipe(
        length=64,
        steps=150,
        batch_size=16,
        learning_rate=1e-2,
        warmup_fraction=0.1,
        flip_strand=0.0,
        validate_every=150,
        validation_tokens=4096,
        checkpoint_every=150,
    )
    rows = read_metrics(run(config, recipe, corpus, tmp_path))
    found = {row.name: math.log2(row.value) for row in rows if row.split == "test"}
    order_0, order_2 = found["markov0.perplexity"], found["markov2.perplexity"]
    assert order_0 - found["perplexity"] > 0.8 * (order_0 - order_2)
