"""Bins: the label by coverage, and the split that holds a window."""

import re

import numpy as np
import pytest

from hyenadna.data.bins import BORDER, OUTSIDE, Stretches, covered_bins, read_peaks
from hyenadna.errors import InputError


def covered(*peaks, size=200, count=10):
    starts, ends = np.array(peaks, dtype=np.int64).reshape(-1, 2).T
    return covered_bins(starts, ends, size=size, count=count).tolist()


def test_a_bin_is_labelled_if_more_than_half_is_covered():
    assert covered((0, 100)) == []
    assert covered((0, 101)) == [0]
    assert covered((300, 700)) == [2]
    assert covered((299, 701)) == [1, 2, 3]


def test_peaks_that_overlap_count_their_bases_once_and_peaks_apart_add_up():
    assert covered((0, 80), (40, 100), (10, 20)) == []
    assert covered((120, 171), (0, 50)) == [0]


def test_a_peak_covers_all_bins_within_and_none_past_the_contig():
    assert covered((150, 5_000)) == list(range(1, 10))
    assert covered() == []


def test_labels_equal_a_count_of_bases():
    rng = np.random.default_rng(0)
    for size in (7, 200):
        starts = rng.integers(0, 9_000, 300)
        ends = starts + rng.integers(1, 150, 300)
        bases = np.zeros(10_000 // size * size, dtype=bool)
        for start, end in zip(starts, ends, strict=True):
            bases[start:end] = True
        expected = np.flatnonzero(2 * bases.reshape(-1, size).sum(axis=1) > size)
        found = covered_bins(starts, ends, size=size, count=10_000 // size)
        np.testing.assert_array_equal(found, expected)


def test_a_window_belongs_to_the_split_that_holds_all_of_it():
    stretches = Stretches(np.array([400, 4_000]), np.array([4_000, 5_000]), np.array([0, 2], "i1"))
    splits = stretches.split_of(np.array([1, 3, 4, 17, 18, 22, 23, 25]), size=200, window=1000)
    assert splits.tolist() == [OUTSIDE, BORDER, 0, 0, BORDER, 2, BORDER, OUTSIDE]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("chr1\t5", "line 3: 'chr1\\t5' is not contig, start, end"),
        ("chr1\t9\t9", "line 3: start 9 must be below end 9"),
        ("chr1\t-3\t9", "line 3: 'chr1\\t-3\\t9' is not contig, start, end"),
        ("chr9\t3\t9", "line 3: peak chr9:3-9, but chr9 is not in the genome"),
        ("chr1\t3\t101", "line 3: peak chr1:3-101, but chr1 has 100 bases"),
    ],
)
def test_a_malformed_peak_is_refused_with_its_line(tmp_path, line, complaint):
    bed = tmp_path / "peaks.bed"
    bed.write_text(f"track name=x\nchr1\t0\t50\t.\t3\n{line}\n")
    with pytest.raises(InputError, match=re.escape(f"{bed}, {complaint}")):
        read_peaks(bed, {"chr1": 100})
