"""Family table: a user's own files become splits, and what they are for is inferred and said."""

import logging
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from small_files import random_sequence

from hyenadna.errors import InputError
from hyenadna.genome import reverse_complement
from hyenadna.tasks import Benchmark, nucleotide_transformer
from hyenadna.tasks.user_data import describe, has_validation, load


def frame_of(count: int, *, seed: int = 0) -> pd.DataFrame:
    """Random sequences of 30 to 39 bp in classes a, a, b."""
    sequences = [
        random_sequence(30 + row % 10, gc=0.5, seed=1000 * seed + row) for row in range(count)
    ]
    return pd.DataFrame(
        {"sequence": sequences, "label": [("a", "a", "b")[row % 3] for row in range(count)]}
    )


def write(path: Path, frame: pd.DataFrame) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return path


def benchmark_of(data: Path) -> Benchmark:
    return Benchmark(name="mine", family="table", data=data, genomes={}, metric="mcc")


def sequences_of(benchmark: Benchmark, split: str) -> list[str]:
    items = load(benchmark, split)
    return [items.sequences[row] for row in range(len(items))]


def test_a_tenth_is_kept_for_test_where_there_is_no_test_data(tmp_path):
    frame = frame_of(90)
    benchmark = benchmark_of(write(tmp_path / "x.csv", frame))
    train, test = (sequences_of(benchmark, split) for split in ("train", "test"))
    assert sorted(train + test) == sorted(frame["sequence"])
    assert np.bincount(load(benchmark, "test").labels).tolist() == [6, 3]
    assert not has_validation(benchmark)


def test_a_class_that_a_typo_makes_is_pointed_out(tmp_path, caplog):
    frame = frame_of(40).assign(label=["positive"] * 20 + ["postive"] + ["negative"] * 19)
    describe(write(tmp_path / "x.csv", frame))
    (warning,) = (record.message for record in caplog.records if record.levelname == "WARNING")
    assert warning == (
        "class 'postive' has 1 item, too few for train, validation and test; "
        "is it a typo of 'positive'?"
    )


def test_repeats_are_never_in_train_and_test(tmp_path):
    frame = frame_of(40)
    flipped = frame.assign(sequence=frame["sequence"].map(reverse_complement))
    benchmark = benchmark_of(write(tmp_path / "x.csv", pd.concat([frame, frame, flipped])))
    train, test = (set(sequences_of(benchmark, split)) for split in ("train", "test"))
    assert test
    assert not test & (train | {reverse_complement(sequence) for sequence in train})


def test_a_column_of_splits_is_followed(tmp_path):
    splits = ["train", "valid", "test", "train"]
    frame = frame_of(80).assign(split=splits * 20)
    benchmark = benchmark_of(write(tmp_path / "x.csv", frame))
    assert has_validation(benchmark)
    for split in ("train", "valid", "test"):
        assert sequences_of(benchmark, split) == frame["sequence"][frame["split"] == split].tolist()


@pytest.mark.parametrize(
    "names", [("train.csv", "val.csv", "test.csv"), ("train.tsv", "valid.csv", "test.csv.gz")]
)
def test_a_folder_has_a_file_for_each_split(tmp_path, names):
    frames = [frame_of(12, seed=seed) for seed in range(3)]
    for name, frame in zip(names, frames, strict=True):
        write(tmp_path / name, frame)
    (tmp_path / "notes.md").write_text("made by hand")
    assert has_validation(benchmark_of(tmp_path))
    for split, frame in zip(("train", "valid", "test"), frames, strict=True):
        assert sequences_of(benchmark_of(tmp_path), split) == frame["sequence"].tolist()


@pytest.mark.parametrize("folder", ["", "train"])
def test_folders_of_fasta_are_a_benchmark(tmp_path, folder):
    for split in {folder, "test"} if folder else {""}:
        (tmp_path / split).mkdir(exist_ok=True)
        for seed, label in enumerate(("b", "a")):
            records = [
                f">s{i}\n{random_sequence(20, gc=0.5, seed=50 * seed + i)}\n" for i in range(20)
            ]
            (tmp_path / split / f"{label}.fa").write_text("".join(records))
    for benchmark in (benchmark_of(tmp_path), describe(tmp_path)):
        test = load(benchmark, "test")
        assert test.classes == ("a", "b")
        assert np.bincount(test.labels).tolist() == ([20, 20] if folder else [2, 2])


def test_bed_items_keep_their_coordinates(tmp_path, small_fasta):
    spans = [(9 * i, 9 * i + 9, "xy"[i % 2], "+-"[i % 2]) for i in range(40)]
    lines = [f"chr1\t{start}\t{end}\t{label}\t0\t{strand}\n" for start, end, label, strand in spans]
    (tmp_path / "peaks.bed").write_text("".join(lines))
    benchmark = describe(tmp_path / "peaks.bed", genome=small_fasta)
    found = []
    for items in (load(benchmark, "train"), load(benchmark, "test")):
        cut = items.regions
        assert cut is not None
        labels = [items.classes[label] for label in items.labels]
        strands = np.where(cut.reverse, "-", "+")
        found += zip(cut.starts, cut.ends, labels, strands, strict=True)
    assert sorted(found) == spans
    assert benchmark.genomes == {"": small_fasta}


def test_what_is_inferred_is_said_in_one_line(tmp_path, caplog):
    path = write(tmp_path / "mine.csv", frame_of(1200))
    with caplog.at_level(logging.INFO):
        benchmark = describe(path)
    assert caplog.messages == [
        "mine.csv: 1,200 sequences of 30 to 39 bp, single-label with 2 classes (a 800, b 400); "
        "train 1,080, test 120; no test split: those were held out, the same in every run; "
        "no validation split: it is cut from train; headline metric mcc"
    ]
    assert (benchmark.name, benchmark.kind, benchmark.metric) == ("mine", "single", "mcc")
    assert benchmark.files == {"train": path}


@pytest.mark.parametrize(
    ("columns", "kind", "metric", "said"),
    [
        (
            {"label_x": [0, 1], "label_y": [1, 1]},
            "multi",
            "auroc",
            "multi-label with 2 targets (x, y);",
        ),
        (
            {"label": [0.5, 1.25]},
            "regression",
            "pearson",
            "regression with 1 target (label), as labels",
        ),
        (
            {"label": [0, 1]},
            "single",
            "mcc",
            "single-label with 2 classes (0 10, 1 10), as labels are 2",
        ),
    ],
)
def test_each_kind_has_its_metric(tmp_path, columns, kind, metric, said):
    frame = pd.DataFrame(
        {"sequence": frame_of(20)["sequence"], **{k: v * 10 for k, v in columns.items()}}
    )
    benchmark = describe(write(tmp_path / "x.csv", frame))
    assert (benchmark.kind, benchmark.metric) == (kind, metric)
    assert said in benchmark.description
    assert load(benchmark, "train").kind == kind


def test_kind_and_metric_can_be_said(tmp_path):
    frame = frame_of(90).assign(label=list(range(3)) * 30)
    benchmark = describe(write(tmp_path / "x.csv", frame), kind="regression", metric="r2")
    assert (benchmark.kind, benchmark.metric) == ("regression", "r2")
    assert load(benchmark, "test").labels.dtype == np.float32


def test_files_of_splits_are_used_as_given(tmp_path):
    frames = {
        split: frame_of(9, seed=seed) for seed, split in enumerate(("train", "valid", "test"))
    }
    paths = {split: write(tmp_path / f"{split}.csv", frame) for split, frame in frames.items()}
    benchmark = describe(paths["train"], valid=paths["valid"], test=paths["test"])
    assert benchmark.files == paths
    assert benchmark.name == tmp_path.name
    for split, frame in frames.items():
        assert sequences_of(benchmark, split) == frame["sequence"].tolist()


def test_a_row_without_a_kind_says_what_it_infers(tmp_path, caplog):
    benchmark = benchmark_of(write(tmp_path / "x.csv", frame_of(30)))
    with caplog.at_level(logging.INFO):
        load(benchmark, "train")
        load(benchmark.replace(kind="single"), "train")
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("mine: train: 27 sequences of 30 to 39 bp, single-label")


def test_splits_that_are_given_twice_are_refused(tmp_path):
    both = write(tmp_path / "x.csv", frame_of(9).assign(split="test"))
    one = write(tmp_path / "y.csv", frame_of(9))
    with pytest.raises(InputError, match=r"x.csv, line 2: a test item, and .*y.csv has those"):
        describe(both, test=one)
    with pytest.raises(InputError, match=r"x.csv: no item is of split train"):
        describe(both)
    with pytest.raises(InputError, match=r"x.csv, line 2: split is test in a file given for valid"):
        describe(one, valid=both)
    write(tmp_path / "d/train.csv", frame_of(9))
    write(tmp_path / "d/test.csv", frame_of(9))
    with pytest.raises(InputError, match=r"test.csv has test items already; give one"):
        describe(tmp_path / "d", test=one)
    write(tmp_path / "d/testing.csv", frame_of(9))
    with pytest.raises(
        InputError, match=r"testing.csv and test.csv: both are test items; keep one"
    ):
        describe(tmp_path / "d")


def test_a_test_class_that_train_has_not_is_named(tmp_path):
    train = write(tmp_path / "train.csv", frame_of(9))
    test = write(tmp_path / "test.csv", frame_of(9).assign(label="c"))
    with pytest.raises(
        InputError, match=r"test.csv, line 2: label 'c' is not in train, which has a, b"
    ):
        describe(train, test=test)


@pytest.mark.parametrize(
    ("frame", "complaint"),
    [
        (frame_of(30).assign(sequence="ACGTACGT"), "no test split can be held out, as too few"),
        (frame_of(30).assign(label="a"), "all 30 train items have label 'a'"),
    ],
)
def test_data_that_cannot_be_tested_is_refused(tmp_path, frame, complaint):
    with pytest.raises(InputError, match=re.escape(complaint)):
        describe(write(tmp_path / "x.csv", frame))


def test_missing_data_is_named(tmp_path):
    with pytest.raises(InputError, match=r"x.csv: no such file or folder"):
        describe(tmp_path / "x.csv")
    with pytest.raises(InputError, match=r"one FASTA per class .* is expected in it"):
        describe(tmp_path)
    with pytest.raises(InputError, match="benchmark mine: no validation split"):
        load(benchmark_of(write(tmp_path / "x.csv", frame_of(30))), "valid")


def test_published_tables_read_as_their_own_family_reads_them(shared_data):
    data = shared_data / "nucleotide_transformer/enhancers_types"
    for split in ("train", "test"):
        ours = load(benchmark_of(data), split)
        theirs = nucleotide_transformer.load(benchmark_of(data), split)
        assert list(ours.sequences) == list(theirs.sequences)
        assert ours.labels.tolist() == theirs.labels.tolist()
        assert ours.classes == theirs.classes
