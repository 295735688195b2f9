"""Genomes, splits and weights of a pretraining run."""

import hashlib
import json
import logging
import re
from pathlib import Path

import pytest

from hyenadna.data.corpus import Corpus, GenomeSource, genome_name
from hyenadna.data.windows import EvaluationWindows, PretrainingWindows
from hyenadna.errors import InputError
from hyenadna.genome import Interval

BED = "chr1\t0\t9000\ttrain\nchr1\t9000\t12000\tvalid\nchr1\t12500\t13000\ttest\n"


@pytest.fixture
def genome(cache, tmp_path):
    """The small genome with a BED of this content."""

    def make(bed=BED, *, weight=1.0):
        intervals = tmp_path / "intervals.bed"
        intervals.write_text(bed)
        return GenomeSource(cache.directory, intervals, weight)

    return make


@pytest.fixture
def other(make_cache, letters, tmp_path):
    """A second genome of one contig, c, with a BED of this content."""

    def make(bed="c\t0\t1500\ttrain\n", *, weight=1.0):
        tokens = make_cache("other", c=letters(2000)).directory
        intervals = tmp_path / "other.bed"
        intervals.write_text(bed)
        return GenomeSource(tokens, intervals, weight)

    return make


def test_splits_are_those_of_the_bed(genome, cache):
    corpus = Corpus.open([genome()], length=100)
    assert corpus.splits == ["train", "valid", "test"]
    (train,) = corpus.split("train")
    assert train.cache.sha256 == cache.sha256
    assert train.intervals == [Interval("chr1", 0, 9000, "train")]
    assert [corpus.bases(split) for split in corpus.splits] == [9000, 3000, 500]


def test_a_split_that_is_not_there_is_empty(genome):
    corpus = Corpus.open([genome(BED.replace("test", "unused"))], length=100)
    assert corpus.splits == ["train", "valid"]
    assert corpus.split("test") == []
    assert corpus.bases("test") == 0


def test_intervals_that_touch_are_merged(genome):
    touching = "chr1\t9000\t9500\tvalid\nchr1\t9500\t9600\tvalid\nchr1\t9550\t9700\tvalid\n"
    corpus = Corpus.open([genome("chr2\t0\t500\ttrain\n" + touching)], length=100)
    assert corpus.split("valid")[0].intervals == [Interval("chr1", 9000, 9700, "valid")]


def test_genomes_keep_their_order_and_weights(genome, other):
    corpus = Corpus.open([genome(weight=2.0), other(weight=0.5)], length=100)
    assert [source.weight for source in corpus.split("train")] == [2.0, 0.5]
    assert [source.name for source in corpus.split("train")] == ["small", "other"]
    assert [source.name for source in corpus.split("valid")] == ["small"]
    assert corpus.bases("train") == 9000 + 1500


def test_a_genome_is_named_by_its_folder(tmp_path, monkeypatch):
    assert genome_name(tmp_path / "hg38" / "tokens") == "hg38"
    assert genome_name(tmp_path / "mm39") == "mm39"
    (tmp_path / "fly").mkdir()
    monkeypatch.chdir(tmp_path / "fly")
    assert GenomeSource(Path("tokens"), tmp_path).name == "fly"


def test_every_file_that_is_read_has_its_checksum(genome, other):
    genomes = [genome(), other()]
    data = Corpus.open(genomes, length=100).data
    assert len(data) == 6
    for path, checksum in data.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == checksum


def test_a_cache_without_soft_mask_can_be_trained_on(other):
    source = other("c\t0\t1500\ttrain\nc\t1500\t2000\tvalid\n")
    index = source.tokens / "index.json"
    content = json.loads(index.read_text())
    del content["soft_mask_sha256"]
    index.write_text(json.dumps(content))
    corpus = Corpus.open([source], length=100)
    assert {path.name for path in corpus.data} == {"tokens.u8", "other.bed"}
    PretrainingWindows(corpus.split("train"), length=100, seed=0).batch([0])
    with pytest.raises(InputError, match="without the soft mask"):
        PretrainingWindows(corpus.split("train"), length=100, seed=0, with_soft_mask=True)


def test_train_is_widened_and_what_is_scored_is_not(genome, caplog):
    bed = "chr1\t5000\t5100\ttrain\nchr1\t5600\t5700\tvalid\nchr1\t4100\t4101\ttest\n"
    with caplog.at_level(logging.INFO):
        corpus = Corpus.open([genome(bed)], length=1999)
    assert corpus.split("train")[0].intervals == [Interval("chr1", 4101, 5600, "train")]
    assert corpus.split("valid")[0].intervals == [Interval("chr1", 5600, 5700, "valid")]
    assert corpus.split("test")[0].intervals == [Interval("chr1", 4100, 4101, "test")]
    assert caplog.messages == [
        "small train: 1 intervals widened to 2,000 nt, 501 bp clipped at other splits and contig "
        "ends; 1 of 1 stretches are too short for a window and left out"
    ]


def test_nothing_is_said_where_nothing_is_widened(genome, caplog):
    with caplog.at_level(logging.INFO):
        Corpus.open([genome()], length=8999)
    assert not caplog.messages


def test_widened_intervals_hold_windows_of_the_length(genome):
    bed = "chr1\t5000\t5100\ttrain\nchr1\t12000\t12100\tvalid\n"
    corpus = Corpus.open([genome(bed)], length=3000)
    windows = PretrainingWindows(corpus.split("train"), length=3000, seed=0)
    place = re.search(r"chr1:(\d+)-(\d+)", windows.describe(0))
    assert [int(edge) for edge in place.groups()] == [3549, 6550]
    assert len(EvaluationWindows(corpus.split("valid"), length=3000)) == 1


@pytest.mark.parametrize("missing", ["train", "valid"])
def test_a_missing_split_is_named_with_what_is_there(genome, missing):
    bed = "".join(line for line in BED.splitlines(keepends=True) if missing not in line)
    there = "'test', 'valid'" if missing == "train" else "'test', 'train'"
    with pytest.raises(InputError, match=rf"intervals\.bed: no .* '{missing}' .*{there}"):
        Corpus.open([genome(bed)], length=100)


def test_every_genome_needs_train_intervals(genome, other):
    with pytest.raises(InputError, match=r"other\.bed: no interval is marked 'train'"):
        Corpus.open([genome(), other("c\t0\t100\tvalid\n")], length=100)


def test_splits_that_overlap_are_both_named(genome):
    overlapping = BED + "chr1\t8000\t9000\ttest\n"
    with pytest.raises(
        InputError, match=r"train stretch chr1:0-9000 overlaps test stretch chr1:8000-9000"
    ):
        Corpus.open([genome(overlapping)], length=100)


def test_intervals_off_the_genome_are_refused(genome):
    with pytest.raises(InputError, match=r"intervals\.bed: chr9:0-5: the genome has no such"):
        Corpus.open([genome(BED + "chr9\t0\t5\ttest\n")], length=100)


def test_a_genome_is_given_once(genome):
    """Two BEDs of one genome could put a base into two splits."""
    with pytest.raises(InputError, match="holds the same bases as"):
        Corpus.open([genome(), genome()], length=100)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_weights_are_more_than_zero(genome, weight):
    with pytest.raises(InputError, match="genome small: a weight is more than 0"):
        Corpus.open([genome(weight=weight)], length=100)


def test_no_genome_at_all_is_refused():
    with pytest.raises(InputError, match="no genome to train on"):
        Corpus.open([], length=100)
