"""Whole contigs as splits, and intervals widened to hold a window."""

import numpy as np
import pytest

from hyenadna.data.intervals import whole_contigs, widen, write_intervals
from hyenadna.errors import InputError
from hyenadna.genome import Interval, check_intervals, merge_intervals, read_intervals

CONTIGS = {"chr1": 10_000, "chr2": 500}
GENOME = {"chr1": 20_000, "chr2": 6001, "scaffold_3": 47}


def train_of(*spans, contig="chr1"):
    return [Interval(contig, start, end, "train") for start, end in spans]


def spans(widened):
    return [(interval.start, interval.end) for interval in widened.intervals]


def split(**contigs):
    return whole_contigs(GENOME, **contigs, source="small.fa")


def test_whole_contigs_are_split_as_told():
    assert split(valid=["chr2"], test=["scaffold_3"]) == [
        Interval("chr1", 0, 20_000, "train"),
        Interval("chr2", 0, 6001, "valid"),
        Interval("scaffold_3", 0, 47, "test"),
    ]
    assert split(valid=["chr1"], skip=["scaffold_3"]) == [
        Interval("chr1", 0, 20_000, "valid"),
        Interval("chr2", 0, 6001, "train"),
    ]


def test_written_intervals_are_read_again(tmp_path):
    intervals = split(valid=["chr2"], test=["scaffold_3"])
    write_intervals(tmp_path / "a.bed", intervals)
    assert read_intervals(tmp_path / "a.bed") == intervals


def test_an_unknown_contig_is_named_with_its_neighbours():
    with pytest.raises(InputError, match=r"small\.fa: .* no contig 'chr3'; did you mean .*'chr2'"):
        split(valid=["chr3"])
    with pytest.raises(InputError, match="no contig 'MT'; it starts with chr1, chr2"):
        split(valid=["chr2"], skip=["MT"])


def test_a_contig_has_one_role():
    with pytest.raises(InputError, match="contig 'chr2' is given as valid and as test"):
        split(valid=["chr2"], test=["chr2"])


def test_a_contig_is_left_to_train_on_and_one_to_validate_on():
    with pytest.raises(InputError, match=r"small\.fa: all 3 contigs"):
        split(valid=["chr1", "chr1"], test=["chr2"], skip=["scaffold_3"])
    with pytest.raises(InputError, match="--valid"):
        split(valid=[], test=["chr2"])


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((400, 500), (350, 550)),
        ((401, 500), (350, 550)),
        ((399, 500), (349, 549)),
        ((400, 599), (399, 599)),
    ],
)
def test_short_intervals_are_widened_about_their_middle(span, expected):
    widened = widen(train_of(span), CONTIGS, split="train", size=200)
    assert spans(widened) == [expected]
    assert (widened.number, widened.clipped) == (1, 0)


@pytest.mark.parametrize("span", [(400, 600), (0, 10_000)])
def test_long_intervals_stay_as_they_are(span):
    widened = widen(train_of(span), CONTIGS, split="train", size=200)
    assert widened == (train_of(span), 0, 0)


def test_contig_ends_clip():
    intervals = [*train_of((20, 40), (9950, 10_000)), *train_of((100, 200), contig="chr2")]
    widened = widen(intervals, CONTIGS, split="train", size=1000)
    assert spans(widened) == [(0, 530), (9475, 10_000), (0, 500)]
    assert (widened.number, widened.clipped) == (3, 470 + 475 + 500)


def test_other_splits_clip():
    """Defect B5: intervals grew into those of other splits."""
    others = [Interval("chr1", 300, 350, "valid"), Interval("chr1", 600, 601, "test")]
    widened = widen([*train_of((400, 500)), *others], CONTIGS, split="train", size=400)
    assert spans(widened) == [(350, 600)]
    assert widened.clipped == 150


def test_an_interval_does_not_grow_beyond_another_split():
    others = [Interval("chr1", 500, 501, "valid"), Interval("chr2", 0, 500, "test")]
    widened = widen([*train_of((400, 500)), *others], CONTIGS, split="train", size=400)
    assert spans(widened) == [(250, 500)]


def test_intervals_of_no_split_clip_nothing():
    others = [Interval("chr1", 500, 501, ""), Interval("chr1", 300, 400, "unused")]
    widened = widen([*train_of((400, 500)), *others], CONTIGS, split="train", size=400)
    assert spans(widened) == [(250, 650)]


@pytest.mark.parametrize("seed", range(20))
def test_widened_intervals_hold_their_own_and_share_no_base_with_another_split(seed):
    rng = np.random.default_rng(seed)
    edges = np.sort(rng.choice(10_001, 60, replace=False)).reshape(30, 2).tolist()
    splits = rng.choice(["train", "train", "valid", "test"], 30)
    intervals = [
        Interval("chr1", *edge, str(split)) for edge, split in zip(edges, splits, strict=True)
    ]
    size = int(rng.integers(1, 2000))
    widened = widen(intervals, CONTIGS, split="train", size=size)
    own = [interval for interval in intervals if interval.split == "train"]
    for grown, given in zip(widened.intervals, own, strict=True):
        assert grown.start <= given.start < given.end <= grown.end
        assert grown.end - grown.start <= max(size, given.end - given.start)
    others = [interval for interval in intervals if interval.split != "train"]
    check_intervals([*widened.intervals, *others], CONTIGS, source="nowhere.bed")
    got = sum(interval.end - interval.start for interval in widened.intervals)
    asked = sum(max(size, interval.end - interval.start) for interval in own)
    assert got + widened.clipped == asked


def test_intervals_of_the_published_kind_hold_long_windows(shared_data):
    intervals = read_intervals(shared_data / "genome" / "human-sequences.bed")
    contigs = {"chr20": 64_444_167, "chr22": 50_818_468}
    for size, clips in ((131_073, False), (450_001, True), (1_000_001, True)):
        widened = widen(intervals, contigs, split="train", size=size)
        assert widened.number == 459
        assert (widened.clipped > 0) == clips
        stretches = merge_intervals(widened.intervals)
        assert max(stretch.end - stretch.start for stretch in stretches) >= size
