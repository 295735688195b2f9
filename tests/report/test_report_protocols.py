"""Test scores by each protocol: ours, without leaked items, and selected on the test split."""

import pytest
from task_results import add_metrics
from test_report_page import page_of

from hyenadna.report.inputs import reading
from hyenadna.report.scores import summarise
from hyenadna.report.tables import compared, protocols

PROMOTERS = "demo_promoters"


@pytest.fixture
def shown(tmp_path, tree):
    """The rows of each table, by their heads, of what a function has written to a folder."""
    tree.benchmark(tmp_path, PROMOTERS, tree.benchmarks[PROMOTERS])

    def rows() -> dict[str, list[dict[str, object]]]:
        results = reading.read(tmp_path)
        found = map(compared.glance, protocols.judged(results, summarise(results), {}))
        return {
            table.name: [
                {
                    column.title: cell.text if cell.value is None else cell.value
                    for column, cell in zip(table.columns, row, strict=True)
                }
                for row in table.rows
            ]
            for table in found
        }

    return rows


def write_clean(root, baseline: float, tuned: tuple[float, ...]) -> None:
    clean = {"kmer.accuracy": baseline}
    add_metrics(root / "baselines" / PROMOTERS, "test_clean", clean)
    for seed, score in enumerate(tuned):
        run = root / f"finetune/tiny-demo/{PROMOTERS}/seed{seed}"
        add_metrics(run, "test_clean", {"accuracy": score})


def test_without_leaked_items_both_the_model_and_the_baseline_are_those_of_clean_items(
    tmp_path, shown
):
    write_clean(tmp_path, 0.70, (0.80, 0.81, 0.82))
    (row,) = shown()["scores-leak-free"]
    assert row["Best baseline"] == pytest.approx(0.70)
    assert row["Fine-tuned"] == pytest.approx(0.81)
    assert row["Gain over baseline"] == pytest.approx(0.11)
    assert "From scratch" not in row  # has no score on clean items


def test_selected_on_test_is_the_best_point_of_the_grid_beside_its_baseline(tmp_path, tree, shown):
    for point, score in enumerate((0.83, 0.871, 0.852)):
        tree.run(
            tmp_path / f"paper/tiny-demo/{PROMOTERS}/point{point}",
            [(80, "test", "accuracy", score)],
            stage="paper", metric="accuracy", protocol="paper", selected_on="test",
        )  # fmt: skip
    (row,) = shown()["scores-selected-on-test"]
    assert row["Fine-tuned"] == pytest.approx(0.871)
    assert row["Gain over baseline"] == pytest.approx(0.871 - 0.812)


def test_one_protocol_alone_leaves_nothing_to_choose(tmp_path, shown):
    assert [*shown()] == ["scores"]
    page = page_of(tmp_path).source
    assert 'data-part="choice"' not in page


def test_the_choice_names_every_protocol_and_begins_with_ours(tmp_path, shown):
    write_clean(tmp_path, 0.70, (0.80, 0.81, 0.82))
    page = page_of(tmp_path).source
    ours, clean = page.split('name="answer-choice"')[1:3]
    assert " checked> Ours: the whole test split, read once<" in ours
    assert "> Leak-free: without leaked test items<" in clean
    assert "checked" not in clean.split("</label>")[0]
