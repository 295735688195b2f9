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


def test_the_soft_mask_is_where_letters_are_lower_case(built, small_sequences):
    rng = np.random.default_rng(1)
    for contig, sequence in small_sequences.items():
        lower = np.array([letter.islower() for letter in sequence])
        assert (built.soft_mask(contig, 0, len(sequence)) == lower).all()
        for _ in range(200):
            start, end = sorted(rng.choice(len(sequence) + 1, 2, replace=False).tolist())
            masked = built.soft_mask(contig, start, end)
            assert masked.dtype == np.bool_
            assert (masked == lower[start:end]).all()


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 31])
def test_every_odd_start_and_end_of_the_soft_mask_is_right(built, small_sequences, length):
    """Contigs begin within a byte: of 20,000, 6,001 and 47 nucleotides, the last at bit 1."""
    text = small_sequences["chr2"][3000:] + small_sequences["scaffold_3"]
    starts = np.arange(len(text) - length + 1)
    rows = built.soft_mask_rows(starts + 23_000, length)
    lower = np.array([letter.islower() for letter in text])
    assert (rows == lower[starts[:, None] + np.arange(length)]).all()


def test_rows_are_the_windows_that_begin_there(built):
    starts = np.array([19_990, 0, 26_000, 26_047])
    rows = built.token_rows(starts, 1)
    singles = [("chr1", 19_990), ("chr1", 0), ("chr2", 6000), ("scaffold_3", 46)]
    assert rows.ravel().tolist() == [built.window(c, at, at + 1)[0] for c, at in singles]
    assert (built.token_rows(starts[:2], 10)[1] == built.window("chr1", 0, 10)).all()
    rows[0] = 0  # a copy: the file is read-only
    assert built.token_rows(np.array([], dtype=np.int64), 5).shape == (0, 5)
    assert built.soft_mask_rows(np.array([], dtype=np.int64), 5).shape == (0, 5)


@pytest.mark.parametrize("text", ["a", "Ac", "ACGTacg", "ACGTacgt", "ACGTacgta"])
def test_genomes_of_a_few_bases_have_a_soft_mask(make_cache, text):
    made = make_cache("few", c=text)
    assert made.soft_mask("c", 0, len(text)).tolist() == [letter.islower() for letter in text]
    assert (made.directory / "soft_mask.u1").stat().st_size == (len(text) + 7) // 8


def test_a_cache_made_before_the_soft_mask_opens_but_has_none(directory):
    (directory / "soft_mask.u1").unlink()
    index = json.loads((directory / "index.json").read_text())
    del index["soft_mask_sha256"]
    (directory / "index.json").write_text(json.dumps(index))
    before = TokenCache.open(directory, verify=True)
    assert before.soft_mask_sha256 is None
    assert len(before.window("chr1", 0, 100)) == 100
    with pytest.raises(InputError, match=r"without the soft mask; .*hyenadna tokenize FASTA"):
        before.soft_mask("chr1", 0, 100)


def test_block_size_does_not_matter(tmp_path, small_fasta, built, monkeypatch):
    monkeypatch.setattr(token_cache, "_BLOCK", 997)
    blockwise = TokenCache.build(small_fasta, tmp_path / "tokens")
    assert blockwise.sha256 == built.sha256
    assert blockwise.counts == built.counts
    assert blockwise.soft_mask_sha256 == built.soft_mask_sha256


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
    mask = (built.directory / "soft_mask.u1").read_bytes()
    assert index["soft_mask_sha256"] == built.soft_mask_sha256 == hashlib.sha256(mask).hexdigest()
    assert index["contigs"] == {
        "chr1": [0, 20_000],
        "chr2": [20_000, 6001],
        "scaffold_3": [26_001, 47],
    }


def test_a_build_is_the_same_every_time(tmp_path, small_fasta, built):
    TokenCache.build(small_fasta, tmp_path / "again")
    for name in ("tokens.u8", "soft_mask.u1", "index.json"):
        assert (tmp_path / "again" / name).read_bytes() == (built.directory / name).read_bytes()


@pytest.mark.parametrize(
    ("contig", "start", "end"),
    [("chr1", -1, 5), ("chr1", 0, 20_001), ("scaffold_3", 40, 48), ("chr2", 7, 7), ("chr9", 0, 1)],
)
def test_bounds_are_strict(built, contig, start, end):
    for read in (built.window, built.soft_mask):
        with pytest.raises(InputError, match=f"{contig}:{start}-{end}"):
            read(contig, start, end)


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


@pytest.mark.parametrize("name", ["tokens.u8", "soft_mask.u1"])
def test_missing_files_are_named(directory, name):
    (directory / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file"):
        TokenCache.open(directory)


@pytest.mark.parametrize(("name", "size"), [("tokens.u8", 26_048), ("soft_mask.u1", 3256)])
def test_a_wrong_size_is_noticed(directory, name, size):
    with (directory / name).open("ab") as file:
        file.write(b"\x07")
    expected = rf"{name}: {size + 1} bytes .* 26048 nucleotides of the index fill {size};"
    with pytest.raises(InputError, match=expected):
        TokenCache.open(directory)


@pytest.mark.parametrize("name", ["tokens.u8", "soft_mask.u1"])
def test_damage_is_noticed_by_its_checksum(directory, name):
    data = bytearray((directory / name).read_bytes())
    data[2345] ^= 1
    (directory / name).write_bytes(data)
    TokenCache.open(directory)
    with pytest.raises(InputError, match=rf"{name}: damaged"):
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
    assert names == {"notes.txt", "tokens.u8", "soft_mask.u1", "index.json"}


def test_a_fasta_without_index_is_refused(tmp_path):
    (tmp_path / "bare.fa").write_text(">chr1\nACGT\n")
    with pytest.raises(InputError, match="missing"):
        TokenCache.build(tmp_path / "bare.fa", tmp_path / "tokens")
