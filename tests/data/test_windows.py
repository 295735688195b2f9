"""Windows to train on and tiles to evaluate on."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from hyenadna.data.token_cache import TokenCache
from hyenadna.data.windows import EvaluationWindows, PretrainingWindows
from hyenadna.errors import InputError
from hyenadna.genome import Interval
from hyenadna.tokenizer import PAD, encode, reverse_complement_ids

TRAIN = [
    Interval("chr1", 100, 3000, "train"),
    Interval("chr1", 3000, 4000, "train"),
    Interval("chr1", 9000, 9700, "train"),
    Interval("chr2", 0, 6001, "train"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory, small_fasta):
    return TokenCache.build(small_fasta, tmp_path_factory.mktemp("cache") / "tokens")


class RecordingCache:
    """Stands in for a cache where only the coordinates asked for matter."""

    directory = "recording"

    def __init__(self, **contigs):
        self.contigs = contigs
        self.asked = []

    def window(self, contig, start, end):
        self.asked.append((contig, start, end))
        return np.full(end - start, 7, dtype=np.uint8)


def starts_drawn(intervals, *, length, draws):
    cache = RecordingCache(chr1=10_000, chr2=10_000)
    windows = PretrainingWindows(cache, intervals, length=length, seed=0)
    for index in range(draws):
        windows[index]
    assert {end - start for _, start, end in cache.asked} == {length + 1}
    return [(contig, start) for contig, start, _ in cache.asked]


@pytest.mark.parametrize("length", [1, 2, 63, 64, 699])
def test_targets_are_one_base_ahead_and_no_base_is_lost(cache, length):
    """Defect B22: the last base was replaced by [SEP], and L bases gave L - 1 pairs."""
    windows = PretrainingWindows(cache, TRAIN, length=length, seed=0)
    for index in range(20):
        inputs, targets = windows[index]
        assert inputs.shape == targets.shape == (length,)
        assert inputs.dtype == targets.dtype == torch.int64
        assert torch.equal(inputs[1:], targets[:-1])
        assert min(inputs.min(), targets.min()) >= 7
        assert max(inputs.max(), targets.max()) <= 11


@pytest.mark.parametrize(("flip_strand", "flips"), [(0.0, False), (1.0, True)])
def test_windows_hold_the_bases_of_their_place(cache, small_sequences, flip_strand, flips):
    windows = PretrainingWindows(cache, TRAIN, length=200, seed=1, flip_strand=flip_strand)
    genome = {contig: encode(sequence) for contig, sequence in small_sequences.items()}
    for index in range(50):
        inputs, targets = windows[index]
        ids = np.append(inputs.numpy(), targets.numpy()[-1]).astype(np.uint8)
        ids = reverse_complement_ids(ids) if flips else ids
        text = ids.tobytes()
        assert any(
            text in genome[interval.contig][interval.start : interval.end].tobytes()
            for interval in [Interval("chr1", 100, 4000), *TRAIN[2:]]
        )


def test_half_of_the_windows_come_from_each_strand(cache):
    known = [Interval("chr2", 1300, 6001)]  # a window of N alone is its own opposite strand
    forward = PretrainingWindows(cache, known, length=100, seed=0, flip_strand=0.0)
    either = PretrainingWindows(cache, known, length=100, seed=0, flip_strand=0.5)
    kept = sum(torch.equal(forward[i][0], either[i][0]) for i in range(1000))
    assert 420 < kept < 580  # five standard deviations


def test_starts_are_uniform_over_all_that_fit():
    """Defect B4: windows always began with their interval."""
    intervals = [Interval("chr1", 10, 51), Interval("chr2", 500, 571), Interval("chr1", 90, 111)]
    draws = 8_000
    valid = [("chr1", s) for s in (*range(10, 31), 90)] + [("chr2", s) for s in range(500, 551)]
    drawn = Counter(starts_drawn(intervals, length=20, draws=draws))
    counts = np.array([drawn[start] for start in valid])
    assert counts.sum() == draws
    expected = draws / len(valid)
    assert counts.min() > 0
    # 72 degrees of freedom; 133 is passed once in 100,000 times.
    assert ((counts - expected) ** 2 / expected).sum() < 133


@pytest.mark.parametrize("length", [1, 30, 499, 500, 3000])
def test_windows_never_leave_their_stretch(length):
    """Defect B5: windows longer than an interval grew into other splits."""
    intervals = [
        Interval("chr1", 1000, 1500),
        Interval("chr1", 1500, 4001),
        Interval("chr2", 0, 500),
    ]
    for contig, start in starts_drawn(intervals, length=length, draws=500):
        first, last = (1000, 4001) if contig == "chr1" else (0, 500)
        assert first <= start
        assert start + length + 1 <= last


def test_the_one_window_that_just_fits_is_found():
    assert set(starts_drawn([Interval("chr1", 30, 41)], length=10, draws=20)) == {("chr1", 30)}


def test_touching_intervals_hold_windows_longer_than_each():
    intervals = [Interval("chr1", k * 100, (k + 1) * 100, "train") for k in range(5)]
    starts = starts_drawn(intervals, length=400, draws=2000)
    assert {start for _, start in starts} == set(range(100))


def test_overlapping_intervals_give_no_base_more_weight():
    intervals = [Interval("chr1", 0, 60), Interval("chr1", 20, 80)]
    starts = [start for _, start in starts_drawn(intervals, length=9, draws=3550)]
    assert max(Counter(starts).values()) < 85  # 50 expected each, five standard deviations


def test_touching_intervals_of_two_splits_do_not_merge():
    intervals = [Interval("chr1", 0, 100, "train"), Interval("chr1", 100, 200, "valid")]
    with pytest.raises(InputError, match="no interval can hold a window"):
        PretrainingWindows(RecordingCache(chr1=500), intervals, length=100, seed=0)


def test_an_item_depends_on_seed_and_index_alone(cache):
    windows = PretrainingWindows(cache, TRAIN, length=100, seed=5)
    again = PretrainingWindows(cache, TRAIN, length=100, seed=5)
    order = np.random.default_rng(0).permutation(60).tolist()
    items = {index: windows[index] for index in order}
    assert all(torch.equal(items[index][0], again[index][0]) for index in range(60))


def test_any_number_of_workers_gives_the_same_batches(cache):
    windows = PretrainingWindows(cache, TRAIN, length=100, seed=0)
    order = np.random.default_rng(1).permutation(3 * len(windows))[:48].tolist()
    alone, together = (
        list(DataLoader(windows, batch_size=8, sampler=order, num_workers=workers))
        for workers in (0, 2)
    )
    assert len(alone) == len(together) == 6
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one[0], other[0])
        assert torch.equal(one[1], other[1])


def test_seeds_and_epochs_and_indices_differ(cache):
    windows = PretrainingWindows(cache, TRAIN, length=100, seed=0)
    other = PretrainingWindows(cache, TRAIN, length=100, seed=1)
    items = [windows[0], windows[1], windows[len(windows)], windows[2 * len(windows)], other[0]]
    assert len({item[0].numpy().tobytes() for item in items}) == 5


def test_global_generators_change_nothing(cache):
    windows = PretrainingWindows(cache, TRAIN, length=100, seed=0)
    before = windows[3][0]
    torch.manual_seed(99)
    assert torch.equal(windows[3][0], before)


def test_an_epoch_covers_the_usable_bases_once(cache):
    assert len(PretrainingWindows(cache, TRAIN, length=100, seed=0)) == (3900 + 700 + 6001) // 100
    assert len(PretrainingWindows(cache, TRAIN, length=1000, seed=0)) == (3900 + 6001) // 1000


def test_short_stretches_are_left_out_and_counted(cache):
    assert PretrainingWindows(cache, TRAIN, length=699, seed=0).skipped == 0
    assert PretrainingWindows(cache, TRAIN, length=700, seed=0).skipped == 1
    assert PretrainingWindows(cache, TRAIN, length=6000, seed=0).skipped == 2


def test_a_length_that_fits_nowhere_is_refused_with_the_arithmetic(cache):
    with pytest.raises(
        InputError, match=r"length 6001 needs 6002 nucleotides in a row, .* 3 stretches has 6001"
    ):
        PretrainingWindows(cache, TRAIN, length=6001, seed=0)


@pytest.mark.parametrize("windows", [PretrainingWindows, EvaluationWindows])
def test_no_intervals_at_all_are_refused(cache, windows):
    options = {"seed": 0} if windows is PretrainingWindows else {}
    with pytest.raises(InputError, match="no intervals"):
        windows(cache, [], length=10, **options)


@pytest.mark.parametrize("windows", [PretrainingWindows, EvaluationWindows])
def test_intervals_off_the_genome_are_refused(cache, windows):
    options = {"seed": 0} if windows is PretrainingWindows else {}
    with pytest.raises(InputError, match="chr2:0-6002 is not within its contig"):
        windows(cache, [Interval("chr2", 0, 6002)], length=10, **options)


def test_a_negative_index_is_refused(cache):
    with pytest.raises(IndexError):
        PretrainingWindows(cache, TRAIN, length=100, seed=0)[-1]


def test_windows_of_nothing_but_n_are_served(cache):
    unknown = [Interval("chr1", 2000, 4000)]
    inputs, _ = PretrainingWindows(cache, unknown, length=100, seed=0)[0]
    assert (inputs == 11).all()
    assert (EvaluationWindows(cache, unknown, length=100)[0][0] == 11).all()


@pytest.mark.parametrize("length", [7, 64, 699, 700, 2_500, 100_000])
def test_every_base_is_a_target_once_whatever_the_length(cache, small_sequences, length):
    windows = EvaluationWindows(cache, TRAIN, length=length)
    stretches = [("chr1", 100, 4000), ("chr1", 9000, 9700), ("chr2", 0, 6001)]
    inputs = torch.cat([item[0] for item in windows]).numpy()
    targets = torch.cat([item[1] for item in windows]).numpy()
    text = small_sequences
    expected = np.concatenate([encode(text[c][start:end])[1:] for c, start, end in stretches])
    assert (targets[targets != PAD] == expected).all()
    given = np.concatenate([encode(text[c][start : end - 1]) for c, start, end in stretches])
    assert (inputs[targets != PAD] == given).all()


def test_overlapping_intervals_are_tiled_once(cache):
    twice = [Interval("chr2", 0, 600), Interval("chr2", 300, 1000), Interval("chr2", 0, 600)]
    once = [Interval("chr2", 0, 1000)]
    one, other = (EvaluationWindows(cache, i, length=128) for i in (twice, once))
    assert len(one) == len(other) == 8
    assert all(torch.equal(one[i][1], other[i][1]) for i in range(8))


def test_tiles_are_padded_on_the_right(cache):
    """Defect B10: left padding changed the states of real tokens."""
    inputs, targets = EvaluationWindows(cache, [Interval("chr2", 0, 105)], length=100)[1]
    assert inputs.shape == targets.shape == (100,)
    assert (inputs[:4] != PAD).all()
    assert (targets[:4] != PAD).all()
    assert (inputs[4:] == PAD).all()
    assert (targets[4:] == PAD).all()


def test_a_stretch_that_fills_its_tiles_has_no_padding(cache):
    windows = EvaluationWindows(cache, [Interval("chr2", 0, 201)], length=100)
    assert len(windows) == 2
    assert all((tensor != PAD).all() for item in windows for tensor in item)


def test_evaluation_reads_the_forward_strand_only(cache, small_sequences):
    """Defect B14: validation and test windows were flipped at random."""
    windows = EvaluationWindows(cache, [Interval("chr2", 0, 6001)], length=60)
    for index in range(len(windows) - 1):
        text = small_sequences["chr2"][index * 60 : index * 60 + 60]
        assert (windows[index][0].numpy() == encode(text)).all()


def test_a_single_base_is_no_target(cache):
    assert len(EvaluationWindows(cache, [*TRAIN, Interval("scaffold_3", 0, 1)], length=100)) == len(
        EvaluationWindows(cache, TRAIN, length=100)
    )
    with pytest.raises(InputError, match="needs 2 nucleotides in a row"):
        EvaluationWindows(cache, [Interval("scaffold_3", 0, 1)], length=100)


@pytest.mark.parametrize("index", [-1, 107])
def test_tiles_off_the_end_are_refused(cache, index):
    windows = EvaluationWindows(cache, TRAIN, length=100)
    assert len(windows) == 39 + 7 + 60
    with pytest.raises(IndexError):
        windows[index]


def test_published_style_intervals_hold_long_windows(shared_data):
    from hyenadna.genome import read_intervals

    intervals = read_intervals(shared_data / "genome" / "human-sequences.bed")
    train = [interval for interval in intervals if interval.split == "train"]
    cache = RecordingCache(chr20=64_444_167, chr22=50_818_468)
    for length in (131_072, 450_000, 1_000_000):
        PretrainingWindows(cache, train, length=length, seed=0)[0]
