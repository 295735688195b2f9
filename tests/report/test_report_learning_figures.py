"""Learning curves: the score on validation items after each epoch."""

import pytest
from drawn_figures import figures_of, said, table_of

SHARED = {"benchmark": "b", "metric": "accuracy", "kind": "single", "counts": {"test": 9}}
VALIDATED = (0.6, 0.8, 0.7)


@pytest.fixture
def trained(tmp_path, tree):
    """Two seeds that were validated after each of three epochs and took the second."""
    for stage, shift in {"finetune": 0.0, "scratch": -0.1}.items():
        for seed in (0, 1):
            rows = [
                (20 * epoch, "valid", "accuracy", value + shift)
                for epoch, value in enumerate(VALIDATED, start=1)
            ]
            rows.append((40, "test", "accuracy", 0.75))
            tree.run(tmp_path / f"{stage}/m/b/seed{seed}", rows, **SHARED)
    return tmp_path


def test_each_seed_has_a_point_an_epoch(trained):
    figure = figures_of(trained)["learning.b.m"]
    assert ["b", "m", "accuracy", "finetune", "1", "3", "60", "0.7"] in table_of(figure)
    assert len(table_of(figure)) == 12
    assert "From scratch, seed 0 / epoch 1, step 20: accuracy 0.500" in said(figure)


def test_the_epoch_whose_weights_were_tested_is_marked(trained):
    tested = [text for text in said(figures_of(trained)["learning.b.m"]) if "tested" in text]
    assert tested == [
        f"{title}, seed {seed} / epoch 2, step 40: accuracy {value}, tested"
        for title, value in (("From scratch", "0.700"), ("Fine-tuned", "0.800"))
        for seed in (0, 1)
    ]


def test_a_figure_knows_its_benchmark_and_model(trained):
    figure = figures_of(trained)["learning.b.m"]
    assert (figure.benchmark, figure.model, figure.small) == ("b", "m", True)


def test_one_epoch_alone_is_a_point(tmp_path, tree):
    rows = [(20, "valid", "accuracy", 0.6), (20, "test", "accuracy", 0.5)]
    tree.run(tmp_path / "finetune/m/b/seed0", rows, **SHARED)
    figure = figures_of(tmp_path)["learning.b.m"]
    assert "Fine-tuned, seed 0 / epoch 1, step 20: accuracy 0.600" in said(figure)


def test_runs_that_were_not_validated_have_no_figure(tmp_path, tree):
    tree.run(tmp_path / "finetune/m/b/seed0", [(20, "test", "accuracy", 0.5)], **SHARED)
    assert "learning.b.m" not in figures_of(tmp_path)


def test_several_models_share_a_figure_each_by_its_main_way_of_training(trained, tree):
    for seed in (0, 1):
        rows = [(20, "valid", "accuracy", 0.5), (40, "valid", "accuracy", 0.9)]
        tree.run(trained / f"probe/other/b/seed{seed}", rows, **SHARED)
    figures = figures_of(trained)
    assert [name for name in figures if name.startswith("learning.")] == ["learning.b.accuracy"]
    figure = figures["learning.b.accuracy"]
    drawn = {(row[1], row[3]) for row in table_of(figure)}
    assert drawn == {("m", "finetune"), ("other", "probe")}
    assert (figure.title, figure.model, len(figure.sources)) == ("Learning: b", "", 4)
    assert "other, Frozen probe, seed 1 / epoch 2, step 40: accuracy 0.900" in said(figure)
    assert figure.description == (
        "m, fine-tuned: accuracy 0.600 after the first epoch, 0.700 after the last, mean of 2 "
        "seeds; other, frozen probe: accuracy 0.500 after the first epoch, 0.900 after the last, "
        "mean of 2 seeds."
    )
