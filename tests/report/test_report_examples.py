"""Examples of errors: which items of a table of predictions are shown, and what cannot be read."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from task_results import set_info, write_table

from hyenadna.report.inputs.reading import read as read_tree
from hyenadna.report.tables import examples
from hyenadna.report.tables.examples import Unreadable, read


def write(path: Path, **columns: object) -> Path:
    """Write a table of predictions and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(columns).to_parquet(path, index=False)
    return path


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    """Predictions of two classes: two of five items are wrong, the surer one is leaked."""
    return write(
        tmp_path / "predictions.parquet",
        id=["a", "b", "c", "d", "e"],
        label=["x", "y", "x", "y", "x"],
        predicted=["x", "x", "x", "x", "x"],
        score_x=[0.99, 0.6, 0.8, 0.9, 0.7],
        score_y=[0.01, 0.4, 0.2, 0.1, 0.3],
        leaked=[False, False, False, True, False],
    )


def test_the_surest_mistake_comes_first_and_right_answers_do_not_come(classes):
    found = read(classes, "single")
    assert [(of.item, of.truth, of.said, of.leaked) for of in found.worst] == [
        ("d", "y", "x", True),
        ("b", "y", "x", False),
    ]
    assert [of.degree for of in found.worst] == pytest.approx([0.9, 0.6])
    assert (found.items, found.wrong) == (5, 2)


def test_no_more_are_kept_than_are_shown_however_the_file_is_cut(tmp_path, monkeypatch):
    sure = np.random.default_rng(0).permutation(np.linspace(0.51, 0.99, 500))
    path = write(
        tmp_path / "predictions.parquet",
        id=[f"{of:.3f}" for of in sure],
        label=["x"] * 500,
        predicted=["y"] * 500,
        score_x=1 - sure,
        score_y=sure,
    )
    whole = read(path, "single")
    monkeypatch.setattr(examples, "BATCH", 7)
    assert read(path, "single") == whole
    assert [of.item for of in whole.worst] == [f"{of:.3f}" for of in sorted(sure)[::-1][:10]]


def test_leaks_are_unknown_where_nobody_looked(tmp_path):
    path = write(tmp_path / "p.parquet", id=["a"], label=["x"], predicted=["y"], score_x=[0.5])
    assert [of.leaked for of in read(path, "single").worst] == [None]


def test_of_numbers_the_largest_distances_come_first(tmp_path):
    path = write(
        tmp_path / "p.parquet",
        id=["a", "b", "c"],
        label_expression=[1.0, 2.0, np.nan],
        score_expression=[1.5, -1.0, 0.0],
    )
    found = read(path, "regression")
    assert [(of.item, of.truth, of.said) for of in found.worst] == [
        ("b", "2.000", "−1.000"),
        ("a", "1.000", "1.500"),
    ]


def test_each_hard_target_shows_its_worst_miss_and_its_worst_false_alarm(tmp_path):
    path = write(
        tmp_path / "p.parquet",
        id=["a", "b", "c", "d"],
        label_CTCF=[1, 1, 0, 0],
        score_CTCF=[0.2, 0.1, 0.3, 0.7],
        label_GATA1=[1, 0, 0, 0],
        score_GATA1=[0.9, 0.1, 0.1, 0.1],
    )
    found = read(path, "multi", ["CTCF"])
    assert [(of.item, of.target, of.truth, of.said) for of in found.worst] == [
        ("b", "CTCF", "yes", "0.100"),
        ("d", "CTCF", "no", "0.700"),
    ]


def test_of_many_targets_only_the_hard_ones_are_read(tmp_path):
    path = write(
        tmp_path / "p.parquet", id=["a"], label_hard=[1], score_hard=[0.1], label_easy=["no number"]
    )
    assert [of.target for of in read(path, "multi", ["hard"]).worst] == ["hard"]


def test_the_hardest_targets_are_those_with_the_smallest_areas(tmp_path, tree):
    run = tree.run(
        tmp_path / "finetune/m/b/seed0", [(1, "test", "auroc", 0.7)], metric="auroc", kind="multi"
    )
    areas = {f"t{of}": 0.5 + 0.05 * of for of in range(8)}
    rows = [(name, "", 3, 9, area, 0.1) for name, area in areas.items()]
    write_table(run / "targets.tsv", "target group positives items auroc auprc", rows)
    labels = {f"label_{name}": [1, 0] for name in areas}
    write(run / "predictions.parquet", id=["a", "b"], **labels, **scores_of(areas))
    results = read_tree(tmp_path)
    shown = examples.table(results, results.of("finetune")[0])
    assert [row[1].text for row in shown.rows[::2]] == ["t0", "t1", "t2", "t3", "t4"]
    assert [row[2].text for row in shown.rows[:3]] == ["0.500", "0.500", "0.550"]


def scores_of(targets: dict[str, float]) -> dict[str, list[float]]:
    return {f"score_{name}": [0.4, 0.6] for name in targets}


@pytest.mark.parametrize("broken", [b"", b"PAR1 no table", b"\x00" * 5000])
def test_a_file_that_is_no_table_says_so(tmp_path, broken):
    path = tmp_path / "predictions.parquet"
    path.write_bytes(broken)
    with pytest.raises(Unreadable, match="cannot be read"):
        read(path, "single")


def test_a_file_that_is_cut_short_says_so(classes):
    content = classes.read_bytes()
    for size in range(0, len(content), 97):
        classes.write_bytes(content[:size])
        with pytest.raises(Unreadable, match="cannot be read"):
            read(classes, "single")


def test_a_folder_and_a_loop_in_its_place_say_so(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("folder", "loop"):
        with pytest.raises(Unreadable):
            read(tmp_path / name, "single")


def test_a_table_of_other_columns_names_the_one_that_is_not_there(tmp_path):
    path = write(tmp_path / "p.parquet", id=["a"], label=["x"], score_x=[0.5])
    with pytest.raises(Unreadable, match="no column predicted"):
        read(path, "single")


def test_words_in_place_of_scores_are_no_error_of_the_program(tmp_path):
    path = write(tmp_path / "p.parquet", id=["a"], label=["x"], predicted=["y"], score_x=["high"])
    with pytest.raises(Unreadable, match="cannot be read"):
        read(path, "single")


def test_scores_that_are_not_numbers_are_left_out(classes):
    table = pd.read_parquet(classes)
    table.loc[3, "score_x"] = np.nan
    table.to_parquet(classes, index=False)
    assert [of.item for of in read(classes, "single").worst] == ["b"]


def test_several_labels_need_the_areas_of_their_targets(tmp_path, tree):
    run = tree.run(tmp_path / "finetune/m/b/seed0", [(1, "test", "auroc", 0.7)], metric="auroc")
    set_info(run, kind="multi")
    results = read_tree(tmp_path)
    with pytest.raises(Unreadable, match="not known"):
        examples.table(results, results.of("finetune")[0])
