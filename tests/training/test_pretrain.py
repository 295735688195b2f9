"""Pretraining from tokens to published files."""

import importlib
import logging
import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from hyenadna.data.corpus import GenomeSource
from hyenadna.data.token_cache import TokenCache
from hyenadna.data.windows import PretrainingWindows
from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.genome import prepare_fasta
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.markov import MarkovChain
from hyenadna.tokenizer import encode
from hyenadna.training import loop
from hyenadna.training.perplexity import evaluate
from hyenadna.training.pretrain import pretrain
from hyenadna.training.recipe import PretrainRecipe
from hyenadna.training.schedule import rate_share

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
        genomes=[GenomeSource(corpus.tokens, corpus.intervals)],
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
    names = {"loss", "bits_per_base", "learning_rate", "gradient_norm", "tokens"}
    names |= {"tokens_per_second"}
    for step in range(1, 31):
        assert {row.name for row in rows if row.step == step} == names
    values = {row.name: row.value for row in rows if row.step == 30}
    assert values["bits_per_base"] == pytest.approx(values["loss"] / math.log(2))


def test_tokens_count_every_position_of_every_window(finished, read_metrics):
    """A window of L tokens has L targets: the original lost the last base."""
    tokens = [row.value for row in read_metrics(finished) if row.name == "tokens"]
    assert tokens == [step * 4 * 32 for step in range(1, 31)]


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

    def spy(self, micro_batches):
        seen.extend(row.numpy().tobytes() for ids, _ in micro_batches for row in ids)
        return original(self, micro_batches)

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

    def spy(model, batches, precision, world):
        score = evaluate(model, batches, precision, world)
        bases.append(score.bases)
        return score

    monkeypatch.setattr(MODULE, "evaluate", spy)
    run(tiny_model, tiny_recipe.replace(steps=1), corpus, tmp_path)
    # Twenty tiles of 156 whole ones and a last one of 7 targets, the last being among them.
    assert bases == [19 * 32 + 7, 4999]


def test_validation_is_never_flipped(corpus, tiny_model, tiny_recipe, tmp_path, monkeypatch):
    """The original augmented validation and test as well."""
    read = []

    def spy(model, batches, precision, world):
        read.append(torch.cat([ids[:, :-1].flatten() for ids in batches]))
        return evaluate(model, [], precision, world)

    monkeypatch.setattr(MODULE, "evaluate", spy)
    run(tiny_model, tiny_recipe.replace(steps=1, flip_strand=1.0), corpus, tmp_path)
    np.testing.assert_array_equal(read[1][:4_999], encode(corpus.sequence[55_000:59_999]))


@pytest.mark.parametrize(
    "options",
    [
        {"schedule": "wsd"},
        {"schedule": "constant"},
        {"precision": "bf16"},
        {"precision": "fp16"},
        {"optimizer": "muon"},
        {"ema_decay": 0.8},
        {"soft_mask_weight": 0.1},
    ],
    ids=str,
)
def test_every_way_of_training_learns(
    corpus, tiny_model, tiny_recipe, tmp_path, read_metrics, options
):
    recipe = tiny_recipe.replace(**options, steps=20)
    rows = read_metrics(run(tiny_model, recipe, corpus, tmp_path))
    bits = [row.value for row in rows if (row.split, row.name) == ("valid", "bits_per_base")]
    assert bits[-1] < bits[0] < 4


def test_a_test_split_is_optional(corpus, tiny_model, tiny_recipe, tmp_path, read_metrics):
    bed = tmp_path / "no_test.bed"
    bed.write_text("chrS\t0\t50000\ttrain\nchrS\t50000\t55000\tvalid\n")
    out = run(tiny_model, tiny_recipe.replace(steps=1), replace(corpus, intervals=bed), tmp_path)
    assert "test" not in {row.split for row in read_metrics(out)}


@pytest.mark.parametrize(
    ("missing", "there"), [("train", "held_out"), ("valid", "'test', 'train'")]
)
def test_a_missing_split_is_named(corpus, tiny_model, tiny_recipe, tmp_path, missing, there):
    bed = tmp_path / "intervals.bed"
    bed.write_text(corpus.intervals.read_text().replace(f"\t{missing}", "\theld_out"))
    with pytest.raises(InputError, match=f"no interval is marked '{missing}'.*{there}"):
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


def test_a_bidirectional_network_is_refused(corpus, tiny_model, tiny_recipe, tmp_path):
    config = tiny_model.replace(bidirectional=True)
    with pytest.raises(InputError, match="no language model: train it from scratch on labels"):
        pretrain(config, tiny_recipe, genomes=corpus, out=tmp_path / "out", seed=0)
    assert not (tmp_path / "out").exists()


def test_the_scoring_of_the_whole_test_split_is_announced(
    corpus, tiny_model, tiny_recipe, tmp_path, caplog
):
    caplog.set_level(logging.INFO)
    run(tiny_model, tiny_recipe.replace(steps=3), corpus, tmp_path)
    bases = read_json(tmp_path / "run.json")["counts"]["test"]
    assert f"scoring the whole test split, {bases} bases" in caplog.text


def test_a_log_file_gets_plain_lines(corpus, tiny_model, tiny_recipe, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    run(tiny_model, tiny_recipe.replace(steps=3), corpus, tmp_path)
    line = r"step 3/3  loss \S+  \S+ bits/base  \S+ bases/s  \S+ GB  0:00:00 left"
    assert re.search(line, caplog.text)


def test_each_stage_trains_at_its_length_with_its_tokens(
    corpus, tiny_model, tiny_recipe, tmp_path, read_metrics
):
    """The original never applied the schedule of its stages."""
    stages = [{"length": 8, "tokens": 640}, {"length": 16, "tokens": 640}]
    recipe = tiny_recipe.replace(length_warmup={"stages": stages})
    rows = read_metrics(run(tiny_model, recipe, corpus, tmp_path))
    found = {
        name: [row.value for row in rows if (row.split, row.name) == ("train", name)]
        for name in ("length", "tokens", "learning_rate")
    }
    assert found["length"] == [8.0] * 5 + [16.0] * 5 + [32.0] * 20
    assert found["tokens"] == [128 * step for step in range(1, 31)]
    shares = [rate_share(step, 30, recipe) for step in range(1, 31)]
    assert found["learning_rate"] == pytest.approx([1e-2 * share for share in shares], rel=1e-6)


def test_several_genomes_are_read_by_their_weights(
    corpus, tiny_model, tiny_recipe, tmp_path, monkeypatch
):
    seen = []
    original = PretrainingWindows.batch

    def spy(self, indices):
        seen.extend(self.describe(index).split()[0] for index in indices)
        return original(self, indices)

    monkeypatch.setattr(PretrainingWindows, "batch", spy)
    (tmp_path / "other.fa").write_text(f">chrS\n{corpus.sequence[::-1]}\n")
    other = tmp_path / "other" / "tokens"
    TokenCache.build(prepare_fasta(tmp_path / "other.fa", tmp_path / "genome.fa"), other)
    genomes = [
        GenomeSource(corpus.tokens, corpus.intervals, weight=3.0),
        GenomeSource(other, corpus.intervals, weight=1.0),
    ]
    recipe = tiny_recipe.replace(steps=30)
    pretrain(tiny_model, recipe, genomes=genomes, out=tmp_path / "run", seed=0, device="cpu")
    # Steps ahead are read before the run ends.
    assert 0.65 < seen.count(genomes[0].name) / len(seen) < 0.85
    assert read_json(tmp_path / "run" / "run.json")["counts"]["train"] == 100_000


def test_a_genome_in_another_folder_is_the_same_genome(
    finished, corpus, tiny_model, tiny_recipe, tmp_path, monkeypatch
):
    shutil.copytree(corpus.tokens, tmp_path / "moved" / "tokens")
    monkeypatch.delattr(MODULE, "fit")
    run(tiny_model, tiny_recipe, replace(corpus, tokens=tmp_path / "moved" / "tokens"), finished)


def test_a_spike_stops_the_run_and_names_the_window(corpus, tiny_model, tiny_recipe, tmp_path):
    recipe = tiny_recipe.replace(spike_nats=1e-4, learning_rate=0.3)
    words = r"nats above its mean .* at step \d+ with learning rate .*highest loss, .* chrS:\d+-\d+"
    with pytest.raises(InputError, match=words):
        run(tiny_model, recipe, corpus, tmp_path)


def test_the_average_of_the_weights_is_published(corpus, tiny_model, tiny_recipe, tmp_path):
    recipe = tiny_recipe.replace(ema_decay=0.9)
    published = load_file(run(tiny_model, recipe, corpus, tmp_path) / "model.safetensors")
    last = tmp_path / "checkpoints" / "step-000000030"
    average, weights = (load_file(last / f"{of}.safetensors") for of in ("average", "model"))
    for name, tensor in published.items():
        assert torch.equal(tensor, average[name])
    assert not torch.equal(average["backbone.ln_f.weight"], weights["backbone.ln_f.weight"])


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
