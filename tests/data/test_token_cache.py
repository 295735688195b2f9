"""The memory-mapped token ids of a genome."""

import hashlib
import json
import multiprocessing
import pickle
import shutil
from pathlib import Path

import numpy as np
import pysam
import pytest

from hyenadna.data import token_cache
from hyenadna.data.token_cache import TokenCache
from hyenadna.errors import InputError
from hyenadna.tokenizer import encode


@pytest.fixture(scope="module")
def built(tmp_path_factory, small_fasta):
    return TokenCache.build(small_fasta, tmp_path_factory.mktemp("cache") / "tokens")


@pytest.fixture
def directory(tmp_path, built):
    """A copy of the cache that a test may damage."""
    return Path(shutil.copytree(built.directory, tmp_path / "tokens"))


def test_every_window_holds_the_tokens_of_its_sequence(built, small_sequences):
    rng = np.random.default_rng(0)
    for contig, sequence in small_sequences.items():
        ids = encode(sequence)
        assert (built.window(contig, 0, len(sequence)) == ids).all()
        for _ in range(200):
            start, end = sorted(rng.choice(len(sequence) + 1, 2, replace=False).tolist())
            assert (built.window(contig, start, end) == ids[start:end]).all()


def test_block_size_does_not_matter(tmp_path, small_fasta, built, monkeypatch):
    monkeypatch.setattr(token_cache, "_BLOCK", 997)
    blockwise = TokenCache.build(small_fasta, tmp_path / "tokens")
    assert blockwise.sha256 == built.sha256
    assert blockwise.counts == built.counts


def test_only_a_block_is_read_at_a_time(tmp_path, small_fasta, monkeypatch):
    lengths = []
    monkeypatch.setattr(token_cache, "_BLOCK", 1000)
    monkeypatch.setattr(token_cache, "encode", lambda s: (lengths.append(len(s)), encode(s))[1])
    TokenCache.build(small_fasta, tmp_path / "tokens")
    assert max(lengths) == 1000
    assert sum(lengths) == 26_048


def test_contigs_are_those_of_the_fasta(built, small_sequences):
    assert built.contigs == {contig: len(s) for contig, s in small_sequences.items()}


def test_lower_case_and_iupac_are_counted(built, small_sequences):
    text = "".join(small_sequences.values())
    upper = text.upper()
    assert built.counts == {
        **{letter: upper.count(letter) for letter in "ACGTN"},
        "iupac": upper.count("R") + upper.count("Y"),
        "soft_masked": sum(letter.islower() for letter in text),
    }
    assert built.counts["iupac"] > 0
    assert built.counts["soft_masked"] > 0


def test_the_index_says_what_was_read(built, small_fasta):
    index = json.loads((built.directory / "index.json").read_text())
    assert index["fasta"] == "small.fa"
    assert index["fasta_sha256"] == hashlib.sha256(small_fasta.read_bytes()).hexdigest()
    tokens = (built.directory / "tokens.u8").read_bytes()
    assert index["sha256"] == built.sha256 == hashlib.sha256(tokens).hexdigest()
    assert index["contigs"] == {
        "chr1": [0, 20_000],
        "chr2": [20_000, 6001],
        "scaffold_3": [26_001, 47],
    }


def test_a_build_is_the_same_every_time(tmp_path, small_fasta, built):
    TokenCache.build(small_fasta, tmp_path / "again")
    for name in ("tokens.u8", "index.json"):
        assert (tmp_path / "again" / name).read_bytes() == (built.directory / name).read_bytes()


@pytest.mark.parametrize(
    ("contig", "start", "end"),
    [("chr1", -1, 5), ("chr1", 0, 20_001), ("scaffold_3", 40, 48), ("chr2", 7, 7), ("chr9", 0, 1)],
)
def test_bounds_are_strict(built, contig, start, end):
    with pytest.raises(InputError, match=f"{contig}:{start}-{end}"):
        built.window(contig, start, end)


def test_windows_cannot_be_written_to(built):
    with pytest.raises(ValueError, match="read-only"):
        built.window("chr1", 0, 10)[0] = 0


def test_a_pickled_cache_opens_again(built):
    copy = pickle.loads(pickle.dumps(built))
    assert (copy.window("chr2", 5, 500) == built.window("chr2", 5, 500)).all()
    assert len(pickle.dumps(built)) < 1000


def test_forked_workers_read_every_window_right(built, small_sequences):
    """Defect B1: workers that shared an open file read each other's bases."""
    ids = encode(small_sequences["chr1"])
    context = multiprocessing.get_context("fork")
    together = context.Barrier(8)
    wrong = context.Array("i", [-1] * 8)

    def read_windows(worker):
        starts = np.random.default_rng((0, worker)).integers(19_000, size=2000).tolist()
        together.wait()
        wrong[worker] = sum(
            (built.window("chr1", start, start + 1000) != ids[start : start + 1000]).any()
            for start in starts
        )

    workers = [context.Process(target=read_windows, args=(k,)) for k in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert list(wrong) == [0] * 8


def test_a_missing_cache_is_named_with_the_command(tmp_path):
    with pytest.raises(InputError, match=r"index\.json: no such file; .*hyenadna tokenize"):
        TokenCache.open(tmp_path)


def test_missing_tokens_are_named(directory):
    (directory / "tokens.u8").unlink()
    with pytest.raises(InputError, match=r"tokens\.u8: no such file"):
        TokenCache.open(directory)


def test_a_wrong_size_is_noticed(directory):
    with (directory / "tokens.u8").open("ab") as file:
        file.write(b"\x07")
    with pytest.raises(InputError, match=r"tokens\.u8: 26049 bytes .* 26048 nucleotides"):
        TokenCache.open(directory)


def test_damage_is_noticed_by_its_checksum(directory):
    tokens = bytearray((directory / "tokens.u8").read_bytes())
    tokens[12_345] ^= 1
    (directory / "tokens.u8").write_bytes(tokens)
    with pytest.raises(InputError, match=r"tokens\.u8: damaged"):
        TokenCache.open(directory, verify=True)


def test_a_whole_cache_passes_its_checksum(built):
    assert TokenCache.open(built.directory, verify=True).sha256 == built.sha256


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"contigs": {"chr1": 5}}',
        '{"contigs": 1}',
        '{"contigs": {"chr1": [0, 26048]}, "counts": {}}',
        '{"contigs": {"chr1": [0, 26048]}, "sha256": ""}',
    ],
)
def test_a_damaged_index_is_named(directory, content):
    (directory / "index.json").write_text(content)
    with pytest.raises(InputError, match=r"index\.json: not a token index"):
        TokenCache.open(directory)


def test_a_letter_that_is_none_is_located(tmp_path):
    (tmp_path / "odd.fa").write_text(">chr1\nACGT\nAC*T\n")
    pysam.faidx(str(tmp_path / "odd.fa"))
    with pytest.raises(InputError, match=r"odd\.fa: chr1:0-8: .*'\*' at position 6"):
        TokenCache.build(tmp_path / "odd.fa", tmp_path / "tokens")
    assert not (tmp_path / "tokens" / "index.json").exists()


def test_a_failed_build_leaves_the_old_cache(tmp_path, directory, built):
    (tmp_path / "odd.fa").write_text(">chr1\nACGT\nAC*T\n")
    pysam.faidx(str(tmp_path / "odd.fa"))
    with pytest.raises(InputError):
        TokenCache.build(tmp_path / "odd.fa", directory)
    assert TokenCache.open(directory, verify=True).sha256 == built.sha256


def test_new_tokens_are_never_seen_with_the_old_index(tmp_path, directory, monkeypatch):
    (tmp_path / "other.fa").write_text(">chr1\nACGT\n")
    pysam.faidx(str(tmp_path / "other.fa"))

    def fail(path, content):
        raise OSError("stopped between the two files")

    monkeypatch.setattr(token_cache.files, "write_json", fail)
    with pytest.raises(OSError, match="stopped"):
        TokenCache.build(tmp_path / "other.fa", directory)
    with pytest.raises(InputError, match="no such file"):
        TokenCache.open(directory)


def test_a_rebuild_replaces_the_cache_and_nothing_else(tmp_path, directory):
    (directory / "notes.txt").write_text("mine")
    (tmp_path / "other.fa").write_text(">chr1\nACGT\n")
    pysam.faidx(str(tmp_path / "other.fa"))
    assert TokenCache.build(tmp_path / "other.fa", directory).contigs == {"chr1": 4}
    names = {path.name for path in directory.iterdir()}
    assert names == {"notes.txt", "tokens.u8", "index.json"}


def test_a_fasta_without_index_is_refused(tmp_path):
    (tmp_path / "bare.fa").write_text(">chr1\nACGT\n")
    with pytest.raises(InputError, match="missing"):
        TokenCache.build(tmp_path / "bare.fa", tmp_path / "tokens")
