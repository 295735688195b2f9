"""Embeddings by other models: the mean over DNA tokens, whatever the batch; what is refused."""

import json
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from hyenadna.errors import InputError
from hyenadna.inference import embed, embed_sequences, load_embedder, read_sequences
from hyenadna.inference.other_models import KmerTransformer

transformers = pytest.importorskip("transformers")

CPU = torch.device("cpu")


@pytest.fixture(params=["dnabert", "nucleotide_transformer"])
def folder(request) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture
def model(folder) -> KmerTransformer:
    return KmerTransformer.load(str(folder), device=CPU)


@pytest.fixture(scope="module")
def sequences() -> dict[str, str]:
    rng = np.random.default_rng(0)
    lengths = [30, 170, 1, 42, 43, 24, 25, 7, 84, 19, 2]
    return {f"s{i}": "".join(rng.choice(list("ACGT"), n)) for i, n in enumerate(lengths)}


def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@cache
def theirs(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and network as transformers has them."""
    if folder.name.startswith("dnabert"):
        tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), do_lower_case=False)
        return tokenizer, transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.EsmTokenizer(str(folder / "vocab.txt"), eos_token=None)
    return tokenizer, transformers.EsmModel.from_pretrained(folder).eval()


def reference(folder: Path, sequence: str) -> np.ndarray:
    """The vector of one window by transformers alone."""
    tokenizer, network = theirs(folder)
    text, dna = sequence, slice(1, None)
    if folder.name.startswith("dnabert"):
        text = " ".join(sequence[i : i + 3] for i in range(max(1, len(sequence) - 2)))
        dna = slice(1, -1)
    with torch.no_grad():
        states = network(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    return states[dna].mean(dim=0).numpy()


@pytest.mark.parametrize("batch_tokens", [1, 100, 10_000])
def test_a_vector_is_the_mean_over_the_tokens_of_its_windows(
    model, folder, sequences, batch_tokens
):
    found = embed_sequences(model, sequences.items(), pooling="mean", batch_tokens=batch_tokens)
    for vector in found:
        sequence = sequences[vector.name]
        starts = range(0, len(sequence), model.window)
        windows = [sequence[start : start + model.window] for start in starts]
        weights = [len(window) for window in windows]
        states = [reference(folder, window) for window in windows]
        expected = np.average(states, axis=0, weights=weights)
        np.testing.assert_allclose(vector.values[0], expected, atol=1e-5)


def test_windows_fill_the_positions_of_the_network(dnabert, nucleotide_transformer):
    windows = [
        KmerTransformer.load(str(of), device=CPU).window for of in (dnabert, nucleotide_transformer)
    ]
    assert windows == [24, 42]


def test_more_tokens_than_positions_are_run_in_even_parts(nucleotide_transformer):
    model = KmerTransformer.load(str(nucleotide_transformer), device=CPU)
    window = "ACGTACNNNGTTTT"  # 9 tokens for 7 positions: 5 and 4
    (found,) = embed_sequences(model, [("n", window)], pooling="mean", batch_tokens=100)
    parts = [reference(nucleotide_transformer, part) for part in ("ACGTACNNNG", "TTTT")]
    np.testing.assert_allclose(found.values[0], np.average(parts, axis=0, weights=[5, 4]), 1e-4)


def test_untrained_weights_depend_on_the_seed_alone(model):
    def vector(of):
        ((*_, values),) = embed_sequences(of, [("s", "ACGTTGCATT")], pooling="mean", batch_tokens=9)
        return values

    first, again, other = (vector(model.untrained(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert not np.allclose(first, vector(model))


def test_weights_of_older_releases_are_read(folder, model, tmp_path):
    """One pickle of tensors, and a config that names a class only."""
    copy = copied(folder, tmp_path)
    (copy / "model.safetensors").unlink()
    head = {"dnabert": transformers.BertForMaskedLM}.get(
        folder.name.rstrip("0123456789"), transformers.EsmForMaskedLM
    )
    torch.save(head.from_pretrained(folder).state_dict(), copy / "pytorch_model.bin")
    config = json.loads((copy / "config.json").read_text())
    del config["model_type"]
    (copy / "config.json").write_text(json.dumps(config))
    older = KmerTransformer.load(str(copy), device=CPU)
    windows = [np.array([7, 8, 9, 10, 7, 7, 8], dtype=np.uint8)]
    assert np.array_equal(older.embed_batch(windows, "mean"), model.embed_batch(windows, "mean"))
    assert [path.name for path in older.snapshot.files][2:] == ["pytorch_model.bin"]


def test_sequences_are_embedded_by_another_model(folder, model, sequences, tmp_path):
    fasta = tmp_path / "x.fa"
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    out = embed(read_sequences(fasta=fasta), transformer=str(folder), out=tmp_path / "e.parquet")
    expected = embed_sequences(model, sequences.items(), pooling="mean", batch_tokens=65_536)
    vectors = np.stack(pd.read_parquet(out)["embedding"])
    assert np.array_equal(vectors, np.concatenate([of.values for of in expected]))


@pytest.mark.parametrize("pooling", ["last", "none"])
def test_only_the_mean_is_to_be_had(dnabert, tmp_path, pooling):
    with pytest.raises(InputError, match="for another transformer choose mean"):
        embed([], transformer=str(dnabert), out=tmp_path / "e.npz", pooling=pooling)


def test_a_missing_package_is_said_with_its_cure(dnabert, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'hyenadna\[transformers\]'"):
        load_embedder(None, str(dnabert), device=CPU)


@pytest.mark.parametrize("name", ["config.json", "vocab.txt", "model.safetensors"])
def test_a_missing_file_is_named(folder, tmp_path, name):
    copy = copied(folder, tmp_path)
    (copy / name).unlink()
    with pytest.raises(InputError, match=name):
        KmerTransformer.load(str(copy), device=CPU)


def test_another_architecture_is_refused(folder, tmp_path):
    copy = copied(folder, tmp_path)
    (copy / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="architecture 'gpt2' is not read; esm and bert are"):
        KmerTransformer.load(str(copy), device=CPU)


@pytest.mark.parametrize("change", [{"intermediate_size": 64}, {"num_hidden_layers": 3}])
def test_weights_that_are_not_of_the_network_are_refused(folder, tmp_path, change):
    """As those of a checkpoint that brings its own code would be."""
    copy = copied(folder, tmp_path)
    config = json.loads((copy / "config.json").read_text()) | change
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="are missing or of other shape, such as encoder"):
        KmerTransformer.load(str(copy), device=CPU)


def test_more_words_than_the_network_knows_are_refused(dnabert, tmp_path):
    copy = copied(dnabert, tmp_path)
    with (copy / "vocab.txt").open("a") as file:
        file.write("[EXTRA]\n")
    with pytest.raises(InputError, match="70 tokens, but the network has 69"):
        KmerTransformer.load(str(copy), device=CPU)


def test_a_name_that_cannot_be_fetched_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="nobody/nothing: no such folder") as found:
        KmerTransformer.load("nobody/nothing", device=CPU)
    assert "\n" not in str(found.value)


def test_a_name_on_the_hub_is_known_by_its_commit(dnabert, tmp_path, monkeypatch):
    snapshot = Path(shutil.copytree(dnabert, tmp_path / "0123abc"))
    asked = []

    def download(name, *, revision, allow_patterns):
        asked.append((name, revision, allow_patterns[-1]))
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    model = KmerTransformer.load("owner/name@0123", device=CPU)
    assert asked == [("owner/name", "0123", "model*.safetensors*")]
    assert model.settings["revision"] == "0123abc"
    assert KmerTransformer.load(str(dnabert), device=CPU).settings["revision"] == ""
