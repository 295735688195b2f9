"""Test items drawn from train: a tenth of each class, and nothing on both sides."""

import numpy as np
import pytest

from hyenadna.data.labelled import Regions
from hyenadna.genome import Genome, reverse_complement
from hyenadna.tasks.held_out import draw_test


def random_sequences(count: int, *, length: int, seed: int) -> list[str]:
    return [
        "".join(row) for row in np.random.default_rng(seed).choice(list("ACGT"), (count, length))
    ]


def regions_of(fasta, contigs, starts, ends, reverse) -> Regions:
    return Regions(
        genomes=(Genome(fasta),),
        source=np.zeros(len(starts), dtype=np.int64),
        contigs=np.array(contigs, dtype=object),
        starts=np.array(starts),
        ends=np.array(ends),
        reverse=np.array(reverse),
    )


def test_a_tenth_of_each_class_is_drawn():
    strata = np.repeat([0, 1, 2, 3], [200, 50, 2, 1])
    held = draw_test(random_sequences(253, length=30, seed=0), strata)
    assert np.bincount(strata[held], minlength=4).tolist() == [20, 5, 1, 0]


def test_the_same_items_are_drawn_always():
    sequences, strata = random_sequences(100, length=30, seed=1), np.zeros(100, dtype=np.int64)
    assert (draw_test(sequences, strata) == draw_test(list(sequences), strata)).all()


@pytest.mark.parametrize("seed", range(10))
def test_no_sequence_is_on_both_sides_on_either_strand(seed):
    rng = np.random.default_rng(seed)
    sequences = random_sequences(200, length=3, seed=seed)  # at most 64, so many are there again
    sequences += random_sequences(100, length=40, seed=seed)
    sequences += [reverse_complement(sequence) for sequence in sequences[250:]]
    strata = rng.integers(0, 2, len(sequences))
    held = draw_test(sequences, strata)
    both = [
        {s for s, h in zip(sequences, held, strict=True) if h == side} for side in (True, False)
    ]
    assert 10 <= held.sum() <= 60
    assert not both[0] & (both[1] | {reverse_complement(sequence) for sequence in both[1]})


@pytest.mark.parametrize("seed", range(10))
def test_no_base_of_the_genome_is_on_both_sides(small_fasta, small_sequences, seed):
    rng = np.random.default_rng(seed)
    contigs = rng.choice(["chr1", "chr2"], 60)
    limits = np.array([len(small_sequences[contig]) for contig in contigs])
    starts = rng.integers(0, limits - 5)
    ends = np.minimum(starts + rng.integers(1, 6, 60), limits)
    regions = regions_of(small_fasta, contigs, starts, ends, rng.integers(0, 2, 60) == 1)
    held = draw_test(regions, np.zeros(60, dtype=np.int64))
    one, other = np.flatnonzero(held), np.flatnonzero(~held)
    shared = (
        (contigs[one][:, None] == contigs[other])
        & (starts[one][:, None] < ends[other])
        & (starts[other] < ends[one][:, None])
    )
    assert not shared.any()
    kept = {regions[row] for row in other}
    assert not {regions[row] for row in one} & (kept | {reverse_complement(s) for s in kept})


def test_regions_side_by_side_may_be_parted(small_fasta):
    regions = regions_of(
        small_fasta, ["chr1"] * 20, range(0, 200, 10), range(10, 201, 10), [False] * 20
    )
    assert draw_test(regions, np.zeros(20, dtype=np.int64)).sum() == 2


def test_a_chain_of_overlaps_stays_whole(small_fasta):
    regions = regions_of(
        small_fasta, ["chr1"] * 20, range(0, 100, 5), range(10, 110, 5), [False] * 20
    )
    assert not draw_test(regions, np.zeros(20, dtype=np.int64)).any()


def test_regions_within_a_long_one_stay_with_it(small_fasta):
    regions = regions_of(small_fasta, ["chr1"] * 3, [0, 10, 50], [100, 20, 60], [False] * 3)
    assert not draw_test(regions, np.zeros(3, dtype=np.int64)).any()


def test_the_smallest_group_is_drawn_where_all_are_large():
    sequences = ["AAAA"] * 10 + ["CCCC"] * 6 + ["GATC"] * 8
    assert (
        draw_test(sequences, np.zeros(24, dtype=np.int64)).tolist()
        == [False] * 10 + [True] * 6 + [False] * 8
    )
