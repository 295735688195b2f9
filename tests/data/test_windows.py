"""Random windows to train on."""

import multiprocessing
import re
from collections import Counter

import numpy as np
import pytest
import torch

from hyenadna.data.corpus import SplitSource
from hyenadna.data.loader import prefetch
from hyenadna.data.windows import PretrainingWindows
from hyenadna.errors import InputError
from hyenadna.genome import Interval
from hyenadna.tokenizer import A, C, N, encode, reverse_complement_ids

TRAIN = [
    Interval("chr1", 100, 3000, "train"),
    Interval("chr1", 3000, 4000, "train"),
    Interval("chr1", 9000, 9700, "train"),
    Interval("chr2", 0, 6001, "train"),
]
KNOWN = [Interval("chr1", 4000, 20_000), Interval("chr2", 1300, 6001)]  # without the runs of N


@pytest.fixture
def train(cache):
    return [SplitSource(cache, TRAIN)]


def windows_of(cache, intervals=TRAIN, *, length=100, seed=0, max_n_share=1.0, **options):
    sources = [SplitSource(cache, intervals)]
    return PretrainingWindows(sources, length=length, seed=seed, max_n_share=max_n_share, **options)


def places(windows, indices):
    """Genome, contig, start, end and strand of each window."""
    found = []
    for index in indices:
        name, contig, start, end, strand = re.fullmatch(
            r"(\S+) (\S+):(\d+)-(\d+) \(([+-])\)", windows.describe(index)
        ).groups()
        found.append((name, contig, int(start), int(end), strand))
    return found


def starts_drawn(cache, intervals, *, length, draws, max_n_share=1.0):
    """Contig and start of each window, told by its bases: the intervals repeat none."""
    known = {
        cache.window(contig, start, start + length + 1).tobytes(): (contig, start)
        for contig, first, end, _ in intervals
        for start in range(first, end - length)
    }
    options = {"length": length, "flip_strand": 0.0, "max_n_share": max_n_share}
    ids = windows_of(cache, intervals, **options).batch(range(draws)).ids.numpy()
    return [known[row.tobytes()] for row in ids]


@pytest.mark.parametrize("length", [1, 2, 63, 64, 699])
@pytest.mark.parametrize("flip_strand", [0.0, 0.5, 1.0])
def test_windows_hold_the_bases_of_their_place(cache, small_sequences, length, flip_strand):
    """Defect B22: the last base was replaced by [SEP], and L bases gave L - 1 pairs."""
    windows = windows_of(cache, length=length, flip_strand=flip_strand)
    ids = windows.batch(range(30)).ids
    assert ids.shape == (30, length + 1)
    assert ids.dtype == torch.uint8
    for row, (_, contig, start, end, strand) in zip(ids, places(windows, range(30)), strict=True):
        forward = encode(small_sequences[contig][start:end])
        expected = forward if strand == "+" else reverse_complement_ids(forward)
        assert (row.numpy() == expected).all()


@pytest.mark.parametrize(
    ("flip_strand", "low", "high"), [(0, 0, 0), (0.5, 150, 250), (1, 400, 400)]
)
def test_windows_come_from_the_strands_as_told(cache, flip_strand, low, high):
    drawn = places(windows_of(cache, flip_strand=flip_strand), range(400))
    assert low <= sum(strand == "-" for *_, strand in drawn) <= high  # five standard deviations


def test_the_strand_does_not_move_a_window(cache):
    one, other = (windows_of(cache, flip_strand=share) for share in (0.0, 1.0))
    flipped = reverse_complement_ids(other.batch(range(50)).ids.numpy())
    assert (one.batch(range(50)).ids.numpy() == flipped).all()


def test_starts_are_uniform_over_all_that_fit(cache):
    """Defect B4: windows always began with their interval."""
    intervals = [Interval("chr1", 10, 51), Interval("chr2", 500, 571), Interval("chr1", 90, 111)]
    draws = 8_000
    valid = [("chr1", s) for s in (*range(10, 31), 90)] + [("chr2", s) for s in range(500, 551)]
    drawn = Counter(starts_drawn(cache, intervals, length=20, draws=draws))
    counts = np.array([drawn[start] for start in valid])
    assert counts.sum() == draws
    expected = draws / len(valid)
    assert counts.min() > 0
    # 72 degrees of freedom; 133 is passed once in 100,000 times.
    assert ((counts - expected) ** 2 / expected).sum() < 133


@pytest.mark.parametrize("length", [1, 30, 499, 500, 3000])
def test_windows_never_leave_their_stretch(cache, length):
    """Defect B5: windows longer than an interval grew into other splits."""
    intervals = [
        Interval("chr1", 1000, 1500),
        Interval("chr1", 1500, 4001),
        Interval("chr2", 0, 500),
    ]
    windows = windows_of(cache, intervals, length=length)
    for _, contig, start, end, _ in places(windows, range(300)):
        first, last = (1000, 4001) if contig == "chr1" else (0, 500)
        assert end - start == length + 1
        assert first <= start < end <= last


def test_the_one_window_that_just_fits_is_found(cache):
    drawn = starts_drawn(cache, [Interval("chr1", 30, 41)], length=10, draws=20)
    assert set(drawn) == {("chr1", 30)}


def test_the_last_window_of_the_genome_is_found(cache):
    whole = [Interval("scaffold_3", 0, 47)]
    assert ("scaffold_3", 0) in starts_drawn(cache, whole, length=45, draws=20)
    assert ("scaffold_3", 1) in starts_drawn(cache, whole, length=45, draws=20)


def test_touching_intervals_hold_windows_longer_than_each(cache):
    intervals = [Interval("chr1", k * 100, (k + 1) * 100, "train") for k in range(5)]
    drawn = places(windows_of(cache, intervals, length=400), range(1000))
    assert {start for _, _, start, _, _ in drawn} == set(range(100))


def test_overlapping_intervals_give_no_base_more_weight(cache):
    intervals = [Interval("chr1", 0, 60), Interval("chr1", 20, 80), Interval("chr1", 0, 80)]
    starts = starts_drawn(cache, intervals, length=9, draws=3550)
    assert max(Counter(starts).values()) < 85  # 50 expected each, five standard deviations


def test_touching_intervals_of_two_splits_do_not_merge(cache):
    intervals = [Interval("chr1", 0, 100, "train"), Interval("chr1", 100, 200, "valid")]
    with pytest.raises(InputError, match="small: no interval can hold a window"):
        windows_of(cache, intervals, length=100)


def test_genomes_are_drawn_by_their_weights(make_cache):
    """Whatever their sizes: the weight is a share of windows."""
    sources = [
        SplitSource(make_cache("large", c="A" * 9000), [Interval("c", 0, 9000)], weight=1.0),
        SplitSource(make_cache("little", c="C" * 300), [Interval("c", 0, 300)], weight=3.0),
    ]
    windows = PretrainingWindows(sources, length=50, seed=0, flip_strand=0.0)
    first = windows.batch(range(20_000)).ids[:, 0]
    assert abs((first == C).sum() - 15_000) < 307  # five standard deviations
    assert ((first == A) | (first == C)).all()


def test_windows_of_two_genomes_hold_the_bases_of_their_place(make_cache, letters):
    texts = {"one": letters(900) + 700 * "N", "other": letters(200) + 300 * "N"}
    sources = [
        SplitSource(make_cache(name, c=text), [Interval("c", 0, len(text))])
        for name, text in texts.items()
    ]
    windows = PretrainingWindows(sources, length=50, seed=0, flip_strand=0.0, with_soft_mask=True)
    batch = windows.batch(range(40))
    drawn = places(windows, range(40))
    assert {name for name, *_ in drawn} == set(texts)
    for row, masked, (name, _, start, end, _) in zip(*batch, drawn, strict=True):
        text = texts[name][start:end]
        assert (row.numpy() == encode(text)).all()
        assert masked.tolist() == [letter.islower() for letter in text]
    for index in range(4):  # batches without any window of one of the genomes
        assert torch.equal(windows.batch([index]).ids[0], batch.ids[index])
        assert torch.equal(windows.batch([index]).soft_masked[0], batch.soft_masked[index])


def test_soft_masks_go_with_their_bases_on_both_strands(cache, small_sequences):
    windows = windows_of(cache, KNOWN, with_soft_mask=True)
    batch = windows.batch(range(60))
    assert batch.soft_masked.dtype == torch.bool
    drawn = places(windows, range(60))
    assert {strand for *_, strand in drawn} == {"+", "-"}
    for masked, (_, contig, start, end, strand) in zip(batch.soft_masked, drawn, strict=True):
        lower = [letter.islower() for letter in small_sequences[contig][start:end]]
        assert masked.tolist() == (lower if strand == "+" else lower[::-1])
    assert batch.soft_masked.any()
    assert not batch.soft_masked.all()


def test_no_soft_mask_is_read_unless_asked_for(cache):
    assert windows_of(cache).batch([0]).soft_masked is None


def test_batches_do_not_change_their_windows(cache):
    windows, fresh = windows_of(cache, seed=5), windows_of(cache, seed=5)
    order = np.random.default_rng(0).permutation(3 * len(windows))[:60].tolist()
    together = windows.batch(order).ids
    for size in (1, 7, 60):
        parts = [fresh.batch(order[at : at + size]).ids for at in range(0, 60, size)]
        assert torch.equal(torch.cat(parts), together)
    assert torch.equal(windows.batch(sorted(order)).ids, together[np.argsort(order)])


def test_ranges_lists_and_arrays_of_indices_are_alike(cache):
    windows = windows_of(cache)
    batches = [windows.batch(indices).ids for indices in (range(9), list(range(9)), np.arange(9))]
    assert torch.equal(batches[0], batches[1])
    assert torch.equal(batches[0], batches[2])
    assert windows.batch([]).ids.shape == (0, 101)


def test_forked_workers_and_threads_give_the_same_batches(cache):
    windows = windows_of(cache)
    alone = [windows.batch(range(k, k + 8)).ids.numpy() for k in range(0, 64, 8)]
    ahead = prefetch(windows.batch(range(k, k + 8)).ids.numpy() for k in range(0, 64, 8))
    with multiprocessing.get_context("fork").Pool(3) as pool:
        forked = pool.starmap(_batch, [(windows, k) for k in range(0, 64, 8)])
    for one, other, another in zip(alone, ahead, forked, strict=True):
        assert (one == other).all()
        assert (one == another).all()


def _batch(windows, first):
    return windows.batch(range(first, first + 8)).ids.numpy()


def test_seeds_epochs_indices_and_lengths_differ(cache):
    windows = windows_of(cache)
    indices = [0, 1, len(windows), 2 * len(windows)]
    drawn = places(windows, indices)
    drawn += places(windows_of(cache, seed=1), [0]) + places(windows_of(cache, length=99), [0])
    assert len({(contig, start) for _, contig, start, _, _ in drawn}) == 6


def test_two_epochs_have_hardly_a_window_in_common(cache):
    windows = windows_of(cache)
    epochs = [
        set(places(windows, range(k * len(windows), (k + 1) * len(windows)))) for k in range(2)
    ]
    assert len(epochs[0] & epochs[1]) < 5  # 106 windows of 20,000 places and strands


def test_a_seed_may_be_any_whole_number(cache):
    drawn = [places(windows_of(cache, seed=seed), [0])[0] for seed in (0, 2**63, 2**40, -1)]
    assert len(set(drawn)) == 4


def test_the_order_of_windows_never_changes(cache):
    """Frozen: a run that is resumed by a later version must read what it would have read."""
    windows = windows_of(cache, seed=2222, max_n_share=0.5)
    assert [windows.describe(index) for index in (0, 1, 2, 3, 10**6)] == [
        "small chr2:56-157 (+)",
        "small chr2:2445-2546 (-)",
        "small chr2:1972-2073 (+)",
        "small chr2:4850-4951 (+)",
        "small chr2:2101-2202 (+)",
    ]
    two = [SplitSource(cache, TRAIN[:3], weight=1.0), SplitSource(cache, TRAIN[3:], weight=2.0)]
    mixed = PretrainingWindows(two, length=1000, seed=1)
    assert [mixed.describe(index) for index in (0, 1, 2, 3, 10**6)] == [
        "small chr1:1177-2178 (+)",
        "small chr2:3895-4896 (+)",
        "small chr2:3359-4360 (+)",
        "small chr2:3257-4258 (+)",
        "small chr1:725-1726 (+)",
    ]


def test_global_generators_change_nothing(cache):
    windows = windows_of(cache)
    before = windows.batch([3]).ids
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    assert torch.equal(windows.batch([3]).ids, before)


@pytest.mark.parametrize("max_n_share", [0.0, 0.1, 0.5])
def test_windows_have_no_more_n_than_allowed(cache, max_n_share):
    windows = windows_of(cache, length=50, max_n_share=max_n_share)
    shares = (windows.batch(range(2000)).ids == N).double().mean(dim=1)
    assert shares.max() <= max_n_share
    assert shares.max() > max_n_share - 0.03


def test_only_windows_of_too_many_n_are_drawn_again(cache):
    strict, lax = windows_of(cache, max_n_share=0.5), windows_of(cache, max_n_share=1.0)
    all_drawn = lax.batch(range(500)).ids
    kept = (all_drawn == N).sum(dim=1) <= 50
    assert 50 < kept.sum() < 450
    assert torch.equal(strict.batch(range(500)).ids[kept], all_drawn[kept])


def test_starts_drawn_again_are_uniform_over_those_allowed(cache):
    # Of the windows of 10, those that start behind 1995 have more than 5 N.
    starts = Counter(
        starts_drawn(cache, [Interval("chr1", 1970, 2040)], length=9, draws=5200, max_n_share=0.5)
    )
    assert set(starts) == {("chr1", start) for start in range(1970, 1996)}
    # 200 expected each; 25 degrees of freedom; 67 is passed once in 100,000 times.
    assert sum((count - 200) ** 2 / 200 for count in starts.values()) < 67


def test_a_window_drawn_again_stays_in_its_genome(cache):
    unknown = [Interval("chr1", 1000, 4000)]  # two thirds are N
    sources = [SplitSource(cache, unknown), SplitSource(cache, [Interval("chr2", 1300, 6001)])]
    windows = PretrainingWindows(sources, length=50, seed=0)
    drawn = [contig for _, contig, *_ in places(windows, range(400))]
    assert abs(drawn.count("chr1") - 200) < 50  # five standard deviations


def test_a_genome_of_n_is_named_with_the_threshold(cache):
    windows = windows_of(cache, [Interval("chr1", 2000, 4000)], max_n_share=0.25)
    with pytest.raises(InputError, match=r"small: 100 windows of 101 .* more than 25% N"):
        windows.batch(range(4))


def test_windows_of_nothing_but_n_are_served_if_allowed(cache):
    windows = windows_of(cache, [Interval("chr1", 2000, 4000)], max_n_share=1.0)
    assert (windows.batch([0]).ids == N).all()


def test_an_epoch_covers_the_usable_bases_once(cache, train):
    assert len(windows_of(cache)) == (3900 + 700 + 6001) // 100
    assert len(windows_of(cache, length=1000)) == (3900 + 6001) // 1000
    assert len(PretrainingWindows(2 * train, length=100, seed=0)) == 2 * (3900 + 700 + 6001) // 100


def test_short_stretches_are_left_out_and_counted(cache, train):
    assert windows_of(cache, length=699).skipped == 0
    assert windows_of(cache, length=700).skipped == 1
    assert windows_of(cache, length=6000).skipped == 2
    assert PretrainingWindows(2 * train, length=700, seed=0).skipped == 2


def test_a_length_that_fits_nowhere_is_refused_with_the_arithmetic(cache):
    with pytest.raises(
        InputError,
        match=r"small: .* length 6001 needs 6002 nucleotides in a row, .* 3 stretches has 6001",
    ):
        windows_of(cache, length=6001)


def test_every_genome_must_hold_a_window(cache, train):
    """A weight that cannot be given is an error, not a change of the other shares."""
    sources = [*train, SplitSource(cache, [Interval("chr1", 0, 100)])]
    with pytest.raises(InputError, match="no interval can hold a window"):
        PretrainingWindows(sources, length=100, seed=0)


def test_no_intervals_at_all_are_refused(cache):
    with pytest.raises(InputError, match="small: no intervals"):
        windows_of(cache, [])
    with pytest.raises(InputError, match="no intervals"):
        PretrainingWindows([], length=10, seed=0)


def test_intervals_off_the_genome_are_refused(cache):
    with pytest.raises(InputError, match="chr2:0-6002 is not within its contig"):
        windows_of(cache, [Interval("chr2", 0, 6002)])


def test_a_negative_index_is_refused(cache):
    with pytest.raises(IndexError, match="window -1"):
        windows_of(cache).batch([4, -1])
