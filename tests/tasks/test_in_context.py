"""In-context learning: read at the last separator, learns what it should and nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from small_files import write_table
from torch.nn.functional import cross_entropy

from hyenadna.errors import InputError, Interrupted
from hyenadna.files import read_json
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.tasks.base import Benchmark
from hyenadna.tasks.in_context import in_context
from hyenadna.tasks.in_context_network import Reader, SoftPrompt
from hyenadna.tasks.in_context_recipe import InContextRecipe
from hyenadna.tasks.metrics import score
from hyenadna.tasks.splits import load
from hyenadna.tokenizer import NUCLEOTIDES, SEP, VOCAB, A, N, encode
from hyenadna.training import loop

SHAPE = ModelConfig(
    d_model=16, n_layer=2, d_inner=32, max_seq_len=160, filter_order=16, embed_dropout=0.0
)
# Of A, C, G and T: rich in A, or rich in C; the network learns from harder ones than it is asked.
TAUGHT = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]])
ASKED = np.array([[0.85, 0.05, 0.05, 0.05], [0.05, 0.85, 0.05, 0.05]])


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory) -> Benchmark:
    """Sequences of 16 to 24 nucleotides, rich in A or in C: 120 of train, 40 of test."""
    data = tmp_path_factory.mktemp("composition")
    rng = np.random.default_rng(0)
    for split, count in (("train", 120), ("test", 40)):
        rows = [
            "".join(rng.choice(list("ACGT"), 16 + i % 9, p=ASKED[i % 2])) + f",{i % 2}"
            for i in range(count)
        ]
        write_table(data / f"{split}.csv.gz", "sequence,label", *rows)
    return Benchmark(
        name="composition", family="nucleotide_transformer", data=data, genomes={}, metric="mcc"
    )


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """A network that tells the classes only behind eight [BOS], and without says A to both."""
    torch.manual_seed(0)
    network = HyenaDNA(SHAPE)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    shares = torch.zeros(2, len(VOCAB))
    shares[:, NUCLEOTIDES] = TAUGHT
    labels = torch.arange(16) % 2
    for step in range(120):
        drawn = torch.multinomial(shares[labels], 16 + step % 9, True, generator=generator)
        asked = torch.cat([drawn, torch.full((16, 1), SEP)], dim=1)
        behind = torch.cat([torch.full((16, 8), VOCAB["[BOS]"]), asked], dim=1)
        loss = cross_entropy(network(asked)[:, -1], torch.full((16,), A))
        loss = loss + cross_entropy(network(behind)[:, -1], torch.tensor([A, N])[labels])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    directory = tmp_path_factory.mktemp("language_model")
    network.save_pretrained(directory)
    return directory


def recipe_of(method: str, **given) -> InContextRecipe:
    settings = {
        "method": method,
        "epochs": 2,
        "batch_size": 16,
        "micro_batch_size": 10,
        "schedule": "constant",
        "warmup_fraction": 0.0,
        "weight_decay": 0.0,
        "learning_rate": 3e-2 if method == "soft_prompt" else 5e-3,
        "checkpoint_every": 4,
    }
    return InContextRecipe(**(settings | given))


PROMPTED = recipe_of("soft_prompt", prompt_tokens=8, epochs=6, flip_strand=0.0)
SHOWN = recipe_of("few_shot", shots=1, tuning_samples=40)


@pytest.fixture(scope="module")
def untouched(benchmark, weights, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("untouched")
    return in_context(benchmark, recipe_of("soft_prompt"), weights=weights, out=out, seed=0)


@pytest.fixture(scope="module")
def prompted(benchmark, weights, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("prompted")
    return in_context(benchmark, PROMPTED, weights=weights, out=out, seed=0)


@pytest.fixture(scope="module")
def shown(benchmark, weights, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("shown")
    return in_context(benchmark, SHOWN, weights=weights, out=out, seed=0)


def values_of(out: Path) -> dict[str, float]:
    table = pd.read_csv(out / "in_context.tsv", sep="\t")
    return dict(zip(table["metric"], table["value"], strict=True))


def setting_of(out: Path) -> dict[str, object]:
    columns = ["method", "prompt_tokens", "shots", "tuning_samples", "items"]
    (setting,) = (
        pd.read_csv(out / "in_context.tsv", sep="\t")[columns].drop_duplicates().to_dict("records")
    )
    return setting


def test_an_answer_is_read_behind_the_last_token_of_each_sequence():
    torch.manual_seed(0)
    reader = Reader(HyenaDNA(SHAPE), SoftPrompt(3, 16, dropout=0.0)).eval()
    sequences = [torch.randint(7, 11, (length,)) for length in (9, 4, 1)]
    ids = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True, padding_value=4)
    together = reader(ids, torch.tensor([9, 4, 1]))
    prompt = reader.prompt()
    for answer, sequence in zip(together, sequences, strict=True):
        states = reader.model.hidden_states(sequence[None], prompt)
        alone = reader.model.lm_head(states[:, -1])[0]
        torch.testing.assert_close(answer, alone, atol=1e-5, rtol=1e-4)


def test_tokens_behind_the_separator_change_no_answer():
    torch.manual_seed(0)
    reader = Reader(HyenaDNA(SHAPE), None).eval()
    ids = torch.randint(7, 11, (2, 12))
    other = ids.clone()
    other[:, 7:] = N
    lengths = torch.tensor([7, 7])
    torch.testing.assert_close(reader(ids, lengths), reader(other, lengths), atol=1e-5, rtol=1e-4)


def test_a_prompt_starts_narrow_and_is_dropped_out_in_training_alone():
    torch.manual_seed(0)
    prompt = SoftPrompt(400, 32, dropout=0.1)
    assert prompt.embeddings.std().item() == pytest.approx(0.02, rel=0.05)
    assert (prompt() == 0).float().mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(prompt.eval()(), prompt.embeddings)


def test_without_prompt_or_shots_it_is_the_plain_model(untouched, benchmark, weights):
    network, test = HyenaDNA.from_pretrained(weights).eval(), load(benchmark, "test")
    scores = pd.read_parquet(untouched / "predictions.parquet").filter(like="score_").to_numpy()
    for sequence, of_item in zip(test.sequences, scores, strict=True):
        ids = torch.tensor([[*encode(sequence), SEP]])
        with torch.no_grad():
            expected = network(ids)[0, -1, [A, N]].softmax(dim=0)
        np.testing.assert_allclose(of_item, expected, atol=1e-5)
    assert setting_of(untouched) == {
        "method": "soft_prompt",
        "prompt_tokens": 0,
        "shots": 0,
        "tuning_samples": 0,
        "items": 40,
    }
    assert read_json(untouched / "run.json")["parameters"] == 0


def test_a_prompt_teaches_a_frozen_network(prompted, untouched):
    assert values_of(untouched)["accuracy"] < 0.75
    assert values_of(prompted)["accuracy"] > 0.9
    assert values_of(prompted)["log_loss"] < values_of(untouched)["log_loss"] / 2


def test_a_prompt_is_all_that_is_tuned_and_kept(prompted):
    kept = load_file(prompted / "prompt.safetensors")
    assert {name: tuple(tensor.shape) for name, tensor in kept.items()} == {"prompt": (8, 16)}
    assert not (prompted / "model.safetensors").exists()
    assert read_json(prompted / "run.json")["parameters"] == 8 * 16


def test_weights_of_a_prompted_network_stay_and_get_no_gradient(
    benchmark, weights, tmp_path, monkeypatch
):
    networks = []
    score_of = Reader.forward

    def watched(reader, ids, lengths):
        networks.append(reader.model)
        return score_of(reader, ids, lengths)

    monkeypatch.setattr(Reader, "forward", watched)
    in_context(benchmark, PROMPTED.replace(epochs=1), weights=weights, out=tmp_path / "o", seed=0)
    after, before = networks[0].state_dict(), HyenaDNA.from_pretrained(weights).state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(parameter.grad is None for parameter in networks[0].parameters())


def test_few_shots_tune_all_weights(shown, weights):
    after, before = (load_file(of / "model.safetensors") for of in (shown, weights))
    assert not any(torch.equal(after[name], before[name]) for name in before)
    assert setting_of(shown) == {
        "method": "few_shot",
        "prompt_tokens": 0,
        "shots": 1,
        "tuning_samples": 40,
        "items": 40,
    }
    assert not (shown / "prompt.safetensors").exists()


def test_no_tuning_samples_leave_the_network_as_it_came(benchmark, weights, untouched, tmp_path):
    recipe = recipe_of("few_shot", tuning_samples=0)
    out = in_context(benchmark, recipe, weights=weights, out=tmp_path, seed=0)
    name = "predictions.parquet"
    assert (out / name).read_bytes() == (untouched / name).read_bytes()
    assert not (out / "model.safetensors").exists()


def test_metrics_are_those_of_the_predictions_over_the_whole_test_split(shown):
    table = pd.read_parquet(shown / "predictions.parquet")
    scores = table.filter(like="score_").to_numpy()
    labels = table["label"].astype(int).to_numpy()
    values = values_of(shown)
    expected = score(labels, scores, "single")
    assert {name: values[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    right = np.take_along_axis(scores, labels[:, None], axis=1)
    assert values["log_loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert values["majority.accuracy"] == values["chance.accuracy"] == 0.5
    assert 0 < values["class_mass"] <= 1


def test_the_headline_is_given_under_resamples_too(shown):
    table = pd.read_csv(shown / "bootstrap.tsv", sep="\t")
    record = read_json(shown / "run.json")
    assert set(table["name"]) == {record["metric"]}
    assert len(table) == sum(record["bootstrap"]["resamples"].values()) > 0


def test_answers_become_letters_of_classes(shown):
    assert values_of(shown)["class_mass"] > 0.9


def test_the_seed_decides_and_nothing_else(benchmark, weights, shown, tmp_path):
    outs = [
        in_context(benchmark, SHOWN, weights=weights, out=tmp_path / str(seed), seed=seed)
        for seed in (0, 1)
    ]
    name = "model.safetensors"
    assert (outs[0] / name).read_bytes() == (shown / name).read_bytes()
    assert (outs[1] / name).read_bytes() != (shown / name).read_bytes()


@pytest.mark.parametrize(
    ("method", "stop"), [("soft_prompt", 3), ("soft_prompt", 30), ("few_shot", 5)]
)
def test_killed_and_run_again_it_ends_the_same(
    request, benchmark, weights, tmp_path, monkeypatch, method, stop
):
    recipe = PROMPTED if method == "soft_prompt" else SHOWN
    whole = request.getfixturevalue("prompted" if method == "soft_prompt" else "shown")
    steps, train = 0, loop._Trainer.step

    def interrupted(trainer, *given):
        nonlocal steps
        steps += 1
        if steps == stop:
            raise Interrupted(15)
        return train(trainer, *given)

    given = {"weights": weights, "out": tmp_path, "seed": 0}
    with monkeypatch.context() as patch:
        patch.setattr(loop._Trainer, "step", interrupted)
        with pytest.raises(Interrupted):
            in_context(benchmark, recipe, **given)
    assert not (tmp_path / "run.json").exists()
    in_context(benchmark, recipe, **given)
    tuned = "prompt.safetensors" if method == "soft_prompt" else "model.safetensors"
    for name in ("metrics.tsv", "in_context.tsv", "predictions.parquet", tuned):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


def test_recomputed_blocks_change_no_prompt(benchmark, weights, tmp_path):
    recipe = PROMPTED.replace(epochs=1)
    prompts = [
        load_file(
            in_context(
                benchmark,
                recipe.replace(checkpoint_blocks=recomputed),
                weights=weights,
                out=tmp_path / str(recomputed),
                seed=0,
            )
            / "prompt.safetensors"
        )["prompt"]
        for recomputed in (False, True)
    ]
    torch.testing.assert_close(*prompts, atol=1e-5, rtol=1e-4)


def test_what_cannot_fit_is_refused_before_any_step(benchmark, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(Reader, "forward", lambda *given: pytest.fail("it was at work"))
    recipe = recipe_of("soft_prompt", prompt_tokens=100, shots=1)
    with pytest.raises(InputError, match=r"100 prompt tokens \+ 2 classes x 1 shots .* = 179 tok"):
        in_context(benchmark, recipe, weights=weights, out=tmp_path, seed=0)


def test_items_with_several_labels_are_refused(chromatin_benchmark, weights, tmp_path):
    with pytest.raises(InputError, match=r"answers with one class, .* of kind multi"):
        in_context(chromatin_benchmark, SHOWN, weights=weights, out=tmp_path, seed=0)
