"""Embeddings: order, windows, pooling, formats, and constant memory."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from hyenadna.errors import InputError
from hyenadna.genome import reverse_complement
from hyenadna.inference import HyenaEmbedder, embed, embed_sequences, read_sequences, vectors
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.tokenizer import encode

LONGEST = 50


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    config = ModelConfig(d_model=16, n_layer=1, d_inner=32, max_seq_len=LONGEST, filter_order=8)
    directory = tmp_path_factory.mktemp("weights")
    HyenaDNA(config).save_pretrained(directory)
    return directory


@pytest.fixture(scope="module")
def network(weights) -> HyenaDNA:
    return HyenaDNA.from_pretrained(weights).eval()


@pytest.fixture(scope="module")
def sequences() -> dict[str, str]:
    """Lengths below, at and past one window, in no order."""
    rng = np.random.default_rng(0)
    lengths = [30, 170, 1, 50, 51, 100, 7, 101, 49, 220]
    return {f"s{i}": "".join(rng.choice(list("ACGTN"), n)) for i, n in enumerate(lengths)}


@pytest.fixture(scope="module")
def fasta(sequences, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("fasta") / "x.fa"
    path.write_text("".join(f">{name} more\n{text}\n" for name, text in sequences.items()))
    return path


def states(network: HyenaDNA, sequence: str) -> np.ndarray:
    """States of one window, alone."""
    with torch.no_grad():
        return network.hidden_states(torch.from_numpy(encode(sequence))[None])[0].numpy()


def windowed(network: HyenaDNA, sequence: str) -> np.ndarray:
    """States of a sequence, window by window."""
    parts = [sequence[i : i + LONGEST] for i in range(0, len(sequence), LONGEST)]
    return np.concatenate([states(network, part) for part in parts])


def run(weights, out, fasta, **given) -> Path:
    return embed(read_sequences(fasta=fasta), weights=weights, out=out, **given)


def stacked(path: Path) -> np.ndarray:
    return np.stack(pd.read_parquet(path)["embedding"])


@pytest.mark.parametrize("batch_tokens", [1, 100, 10_000])
def test_the_mean_is_over_every_nucleotide_whatever_the_batch(
    weights, network, sequences, fasta, tmp_path, batch_tokens
):
    out = run(weights, tmp_path / "e.parquet", fasta, batch_tokens=batch_tokens)
    table = pd.read_parquet(out)
    assert list(table["id"]) == list(sequences)
    assert list(table["length"]) == [len(sequence) for sequence in sequences.values()]
    expected = [windowed(network, sequence).mean(axis=0) for sequence in sequences.values()]
    np.testing.assert_allclose(stacked(out), expected, atol=1e-5)
    assert pq.read_schema(out).field("embedding").type.value_type == "float"


def test_the_last_nucleotide_sees_as_much_as_it_can(weights, network, sequences, fasta, tmp_path):
    out = run(weights, tmp_path / "e.parquet", fasta, pooling="last", batch_tokens=120)
    expected = [states(network, sequence[-LONGEST:])[-1] for sequence in sequences.values()]
    np.testing.assert_allclose(stacked(out), expected, atol=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 120])
def test_each_nucleotide_has_its_state_and_position(
    weights, network, sequences, fasta, tmp_path, batch_tokens
):
    out = run(weights, tmp_path / "e.parquet", fasta, pooling="none", batch_tokens=batch_tokens)
    table = pd.read_parquet(out)
    expected = [windowed(network, sequence) for sequence in sequences.values()]
    np.testing.assert_allclose(stacked(out), np.concatenate(expected), atol=1e-5)
    assert list(table["position"]) == [i for text in sequences.values() for i in range(len(text))]
    assert list(table["id"]) == [name for name, text in sequences.items() for _ in text]


@pytest.mark.parametrize("pooling", ["mean", "last", "none"])
def test_npz_and_parquet_hold_the_same(weights, sequences, fasta, tmp_path, pooling):
    table = run(weights, tmp_path / "e.parquet", fasta, pooling=pooling)
    arrays = np.load(run(weights, tmp_path / "e.npz", fasta, pooling=pooling))
    assert arrays["ids"].tolist() == list(sequences)
    assert arrays["lengths"].tolist() == [len(sequence) for sequence in sequences.values()]
    assert arrays["embeddings"].dtype == np.float32
    assert np.array_equal(arrays["embeddings"], stacked(table))


def test_parquet_is_written_in_parts(weights, fasta, tmp_path, monkeypatch):
    whole = stacked(run(weights, tmp_path / "a.parquet", fasta))
    monkeypatch.setattr(vectors, "ROW_GROUP", 3)
    out = run(weights, tmp_path / "b.parquet", fasta)
    assert pq.ParquetFile(out).num_row_groups == 4
    assert np.array_equal(stacked(out), whole)


def test_sequences_are_read_as_they_are_needed(network):
    read = itertools.count()
    endless = ((f"s{next(read)}", "ACGT" * 10) for _ in itertools.repeat(None))
    found = embed_sequences(HyenaEmbedder(network), endless, pooling="mean", batch_tokens=80)
    assert [next(found).name for _ in range(3)] == ["s0", "s1", "s2"]
    assert next(read) <= 2 * 16 + 2


def test_a_long_sequence_takes_no_more_windows_at_once_than_short_ones(network, monkeypatch):
    seen = []
    forward = network.hidden_states
    monkeypatch.setattr(
        network, "hidden_states", lambda ids: seen.append(ids.numel()) or forward(ids)
    )
    ((_, _, _, values),) = embed_sequences(
        HyenaEmbedder(network), [("long", "ACGTT" * 2000)], pooling="mean", batch_tokens=500
    )
    assert values.shape == (1, 16)
    assert max(seen) <= 500
    assert sum(seen) == 10_000


def test_intervals_of_a_genome_are_embedded_as_their_sequence(
    weights, network, small_fasta, small_sequences, tmp_path
):
    bed = tmp_path / "x.bed"
    bed.write_text("chr2\t100\t130\ttrain\nchr1\t5\t45\n")
    out = tmp_path / "e.parquet"
    embed(read_sequences(genome=small_fasta, intervals=bed), weights=weights, out=out)
    assert list(pd.read_parquet(out)["id"]) == ["chr2:100-130", "chr1:5-45"]
    expected = [small_sequences["chr2"][100:130], small_sequences["chr1"][5:45]]
    np.testing.assert_allclose(
        stacked(out), [states(network, text).mean(axis=0) for text in expected], atol=1e-5
    )


def test_intervals_follow_their_strand(small_fasta, small_sequences, tmp_path):
    bed = tmp_path / "x.bed"
    bed.write_text("# a\nchr1\t5\t45\tx\t0\t-\nchr1\t5\t45\tx\t0\t+\nchr1\t5\t45\tx\t0\t.\n")
    forward = small_sequences["chr1"][5:45]
    assert list(read_sequences(genome=small_fasta, intervals=bed)) == [
        ("chr1:5-45(-)", reverse_complement(forward)),
        ("chr1:5-45", forward),
        ("chr1:5-45", forward),
    ]


def test_a_strand_that_is_none_is_refused_with_its_line(small_fasta, tmp_path):
    bed = tmp_path / "x.bed"
    bed.write_text("chr1\t5\t45\tx\t0\t+\nchr1\t5\t45\tx\t0\t1\n")
    with pytest.raises(InputError, match=r"x\.bed, line 2: strand is '1'; \+, - or \. is allowed"):
        list(read_sequences(genome=small_fasta, intervals=bed))


def test_letters_that_tokens_do_not_keep_are_counted(weights, network, tmp_path, caplog):
    caplog.set_level("INFO")
    fasta = tmp_path / "x.fa"
    fasta.write_text(">a\nacgtNnRYACGT\n")
    out = run(weights, tmp_path / "e.parquet", fasta)
    np.testing.assert_allclose(
        stacked(out)[0], states(network, "ACGTNNNNACGT").mean(axis=0), atol=1e-5
    )
    assert (
        "1 sequences, 12 nucleotides: 5 lower-case read as upper, 2 N, 2 others as N" in caplog.text
    )


def test_no_file_is_left_of_an_input_that_breaks_off(weights, tmp_path):
    fasta = tmp_path / "x.fa"
    fasta.write_text(">a\nACGT\n>b\nAC-GT\n")
    for name in ("e.parquet", "e.npz"):
        with pytest.raises(InputError, match="line 4: 'AC-GT' is not a sequence"):
            run(weights, tmp_path / "out" / name, fasta, batch_tokens=1)
        assert list((tmp_path / "out").iterdir()) == []


def test_another_format_is_refused_before_any_work(tmp_path):
    with pytest.raises(InputError, match=r"e\.csv: embeddings are written as \.parquet or \.npz"):
        run(tmp_path / "no weights", tmp_path / "e.csv", tmp_path / "no.fa")


@pytest.mark.parametrize("given", [{}, {"fasta": "x", "genome": "y"}, {"genome": "y"}])
def test_one_source_of_sequences_is_needed(weights, tmp_path, given):
    paths = {
        name: Path(given[name]) if name in given else None
        for name in ("fasta", "genome", "intervals")
    }
    with pytest.raises(InputError, match="either a FASTA, or a genome together with a BED"):
        embed(read_sequences(**paths), weights=weights, out=tmp_path / "e.npz")


def test_intervals_off_the_genome_are_refused(weights, small_fasta, tmp_path):
    bed = tmp_path / "x.bed"
    bed.write_text("chr2\t6000\t6002\n")
    sequences = read_sequences(genome=small_fasta, intervals=bed)
    with pytest.raises(InputError, match="chr2:6000-6002 is not within its contig of 6001"):
        embed(sequences, weights=weights, out=tmp_path / "e.npz")


def test_one_network_is_needed(fasta, tmp_path):
    with pytest.raises(InputError, match="either the weights of a HyenaDNA model or another"):
        embed(read_sequences(fasta=fasta), out=tmp_path / "e.npz")
