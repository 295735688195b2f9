"""Test items that training has seen, planted and published."""

import numpy as np
import pandas as pd
import pytest
from labelled_sets import labelled, located, published

from hyenadna.genome import reverse_complement
from hyenadna.tasks.leaks import find_leaks, find_overlaps, leak_table, on_one_axis

SEEN = "ACGGTTACCA"


def test_repeated_bases_are_found_on_either_strand_and_in_either_case():
    planted = [SEEN, SEEN.lower(), reverse_complement(SEEN), reverse_complement(SEEN).lower()]
    new = [SEEN[::-1], SEEN[:-1], SEEN + "A", "ACGGTTACCN"]
    train = labelled([SEEN, "GGGGG"], [0, 1])
    leaks = find_leaks(train, labelled(planted + new, [0, 1] * 4))
    assert leaks.duplicates.tolist() == [True] * 4 + [False] * 4
    assert leaks.leaked.tolist() == leaks.duplicates.tolist()


def test_without_places_nothing_overlaps():
    train, test = labelled([SEEN] * 2, [0, 1]), located([("chr1", 0, 10)] * 2)
    assert not find_leaks(train, test).overlaps.any()


def test_one_shared_base_is_an_overlap_and_touching_is_none():
    train = located([("chr1", 100, 200)])
    test = located([("chr1", 199, 300), ("chr1", 200, 300), ("chr1", 0, 100), ("chr1", 0, 101)])
    assert find_leaks(train, test).overlaps.tolist() == [True, False, False, True]


def test_a_long_interval_hidden_behind_short_ones_is_found():
    train = located([("chr1", 0, 1000), *(("chr1", start, start + 5) for start in range(10, 500))])
    test = located([("chr1", 900, 910), ("chr1", 1000, 1010)])
    assert find_leaks(train, test).overlaps.tolist() == [True, False]


def test_other_contigs_and_other_genomes_do_not_overlap():
    train = located([("chr1", 5, 15)], genome="human.fa")
    test = [("chr1", 5, 15), ("chr2", 5, 15)]
    assert find_leaks(train, located(test, genome="human.fa")).overlaps.tolist() == [True, False]
    assert not find_leaks(train, located(test, genome="worm.fa")).overlaps.any()


def test_regions_that_run_off_their_contig_stay_on_it():
    train = located([("chr1", -50, 10), ("chr2", 990, 1050)])
    test = located([("chr1", 5, 60), ("chr1", 960, 1040), ("chr2", -40, 20), ("chr2", 1040, 1060)])
    assert find_leaks(train, test).overlaps.tolist() == [True, False, False, True]


def test_overlaps_are_those_of_comparing_every_pair():
    rng = np.random.default_rng(0)

    def draw(count):
        starts = rng.integers(0, 3000, count)
        ends = starts + rng.integers(1, 40, count) ** 2 // 20 + 1
        return [
            (f"chr{rng.integers(3)}", int(s), int(e)) for s, e in zip(starts, ends, strict=True)
        ]

    train, test = draw(60), draw(200)
    expected = [
        any(c == contig and s < end and start < e for c, s, e in train)
        for contig, start, end in test
    ]
    assert 20 < sum(expected) < 180
    assert find_leaks(located(train), located(test)).overlaps.tolist() == expected


def test_leaks_of_two_sets_add_up():
    test = located([("chr1", 0, 10), ("chr1", 20, 30), ("chr1", 40, 50)])
    one, other = located([("chr1", 5, 6)]), located([("chr1", 25, 26)])
    both = find_leaks(one, test) | find_leaks(other, test)
    assert both.overlaps.tolist() == [True, True, False]


def test_the_table_counts_items_of_each_class():
    train = labelled(["AACC", "AAGC"], [0, 1])
    test = labelled(["AACC", "GGTT", "TTTT", "AAGC"], [0, 0, 1, 1])
    table = leak_table(test, find_leaks(train, test))
    assert list(table.columns) == ["label", "test_items", "duplicates", "overlaps", "leaked"]
    assert table.to_numpy().tolist() == [
        ["a", 2, 2, 0, 2],
        ["b", 2, 1, 0, 1],
        ["all", 4, 3, 0, 3],
    ]


def test_the_table_counts_items_where_a_target_holds():
    train = labelled(["AACC", "AAGC"], [[1, 0], [0, 1]], kind="multi")
    test = labelled(["AACC", "TTTT"], [[1, 1], [0, 1]], kind="multi")
    table = leak_table(test, find_leaks(train, test)).set_index("label")
    assert table["test_items"].to_dict() == {"a": 1, "b": 2, "all": 2}
    assert table["leaked"].to_dict() == {"a": 1, "b": 1, "all": 1}


def test_a_regression_set_has_one_row():
    items = labelled(["AACC", "TTTT"], [[0.5], [1.5]], kind="regression")
    assert leak_table(items, find_leaks(items, items)).to_numpy().tolist() == [["all", 2, 2, 0, 2]]


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        # Shares by class of test intervals that share a base with a train interval.
        ("human_enhancers_ensembl", [0.0134, 0.7568]),
        ("human_nontata_promoters", [0.9956, 0.0708]),
        ("human_ensembl_regulatory", [0, 0, 0]),
        ("human_enhancers_cohn", [0.0135, 0]),
    ],
)
def test_published_splits_share_what_an_audit_of_them_found(shared_data, name, shares):
    train, test = (published(shared_data, name, split) for split in ("train", "test"))
    overlaps = find_overlaps(*on_one_axis(train.regions, test.regions))
    found = [overlaps[test.labels == label].mean() for label in range(len(shares))]
    assert found == pytest.approx(shares, abs=1e-4)


def test_enhancers_that_are_in_train_again_repeat_its_bases(shared_data):
    folder = shared_data / "genomic_benchmarks/sequences/human_enhancers_ensembl"
    tables = {split: pd.read_csv(folder / f"{split}.csv.gz") for split in ("train", "test")}
    train, test = (labelled(list(of["sequence"]), of["label"]) for of in tables.values())
    places = {
        split: list(zip(of["region"], of["start"], of["end"], strict=True))
        for split, of in tables.items()
    }
    seen = set(places["train"])
    same_place = np.array([place in seen for place in places["test"]])
    duplicates = find_leaks(train, test).duplicates
    assert same_place.mean() > 0.3
    assert duplicates[same_place].all()
    # A few short ones, two to twenty bases, repeat others by chance.
    assert duplicates[~same_place].mean() < 0.02
