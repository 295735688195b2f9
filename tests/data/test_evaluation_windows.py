"""Fixed tiles to evaluate on."""

import numpy as np
import pytest
import torch

from hyenadna.data.corpus import SplitSource
from hyenadna.data.windows import EvaluationWindows
from hyenadna.errors import InputError
from hyenadna.genome import Interval
from hyenadna.tokenizer import PAD, N, encode

VALID = [
    Interval("chr1", 100, 3000, "valid"),
    Interval("chr1", 3000, 4000, "valid"),
    Interval("chr1", 9000, 9700, "valid"),
    Interval("chr2", 0, 6001, "valid"),
]


def tiles_of(cache, intervals=VALID, *, length=100):
    return EvaluationWindows([SplitSource(cache, intervals)], length=length)


def pairs(tiles):
    """Inputs and targets of all tiles, each (tiles, length)."""
    ids = tiles.batch(range(len(tiles))).ids.numpy()
    return ids[:, :-1], ids[:, 1:]


@pytest.mark.parametrize("length", [7, 64, 699, 700, 2_500, 100_000])
def test_every_base_is_a_target_once_whatever_the_length(cache, small_sequences, length):
    stretches = [("chr1", 100, 4000), ("chr1", 9000, 9700), ("chr2", 0, 6001)]
    inputs, targets = pairs(tiles_of(cache, length=length))
    text = small_sequences
    expected = np.concatenate([encode(text[c][start:end])[1:] for c, start, end in stretches])
    assert (targets[targets != PAD] == expected).all()
    given = np.concatenate([encode(text[c][start : end - 1]) for c, start, end in stretches])
    assert (inputs[targets != PAD] == given).all()


def test_tiles_of_several_genomes_follow_each_other(cache):
    sources = [SplitSource(cache, VALID[2:3]), SplitSource(cache, VALID[3:], weight=9.0)]
    tiles = EvaluationWindows(sources, length=100)
    alone = [EvaluationWindows([source], length=100) for source in sources]
    assert len(tiles) == sum(map(len, alone))
    expected = torch.cat([part.batch(range(len(part))).ids for part in alone])
    assert torch.equal(tiles.batch(range(len(tiles))).ids, expected)


def test_a_genome_without_a_target_is_passed_over(cache):
    sources = [SplitSource(cache, [Interval("chr1", 5, 6)]), SplitSource(cache, VALID)]
    assert len(EvaluationWindows(sources, length=100)) == len(tiles_of(cache))


def test_batches_do_not_change_their_tiles(cache):
    tiles = tiles_of(cache)
    order = np.random.default_rng(0).permutation(len(tiles))
    together = tiles.batch(order).ids
    assert together.dtype == torch.uint8
    assert torch.equal(together, torch.cat([tiles.batch([index]).ids for index in order]))
    assert tiles.batch([]).ids.shape == (0, 101)


def test_overlapping_intervals_are_tiled_once(cache):
    twice = [Interval("chr2", 0, 600), Interval("chr2", 300, 1000), Interval("chr2", 0, 600)]
    one, other = (tiles_of(cache, i, length=128) for i in (twice, [Interval("chr2", 0, 1000)]))
    assert len(one) == len(other) == 8
    assert torch.equal(one.batch(range(8)).ids, other.batch(range(8)).ids)


def test_tiles_are_padded_on_the_right(cache):
    """Defect B10: left padding changed the states of real tokens."""
    ids = tiles_of(cache, [Interval("chr2", 0, 105)]).batch([1]).ids[0]
    assert ids.shape == (101,)
    assert (ids[:5] != PAD).all()
    assert (ids[5:] == PAD).all()


def test_a_stretch_that_fills_its_tiles_has_no_padding(cache):
    tiles = tiles_of(cache, [Interval("chr2", 0, 201)])
    assert len(tiles) == 2
    assert (tiles.batch(range(2)).ids != PAD).all()


def test_evaluation_reads_the_forward_strand_only(cache, small_sequences):
    """Defect B14: validation and test windows were flipped at random."""
    tiles = tiles_of(cache, [Interval("chr2", 0, 6001)], length=60)
    inputs, _ = pairs(tiles)
    assert (inputs.ravel() == encode(small_sequences["chr2"])[:6000]).all()


def test_n_is_kept(cache):
    assert (tiles_of(cache, [Interval("chr1", 2000, 4000)]).batch([0]).ids == N).all()


def test_a_single_base_is_no_target(cache):
    assert len(tiles_of(cache, [*VALID, Interval("scaffold_3", 0, 1)])) == len(tiles_of(cache))
    with pytest.raises(InputError, match=r"small: .* needs 2 nucleotides in a row"):
        tiles_of(cache, [Interval("scaffold_3", 0, 1)])


def test_no_intervals_at_all_are_refused(cache):
    with pytest.raises(InputError, match="no intervals"):
        tiles_of(cache, [])
    with pytest.raises(InputError, match="no intervals"):
        EvaluationWindows([], length=10)


def test_intervals_off_the_genome_are_refused(cache):
    with pytest.raises(InputError, match="chr2:0-6002 is not within its contig"):
        tiles_of(cache, [Interval("chr2", 0, 6002)])


@pytest.mark.parametrize("index", [-1, 106])
def test_tiles_off_the_end_are_refused(cache, index):
    tiles = tiles_of(cache)
    assert len(tiles) == 39 + 7 + 60
    with pytest.raises(IndexError):
        tiles.batch([0, index])
