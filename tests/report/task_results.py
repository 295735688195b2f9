"""Files that tasks leave behind their scores, in miniature: leaks, confusion, curves, prompts."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Rows = Sequence[Sequence[object]]


def write_table(path: Path, header: str, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [header.split(), *rows]
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))


def add_metrics(directory: Path, split: str, values: Mapping[str, float]) -> None:
    """Append scores to the metrics of a run."""
    path = directory / "metrics.tsv"
    lines = [f"0\t{split}\t{name}\t{value:.8g}\n" for name, value in values.items()]
    path.write_text(path.read_text() + "".join(lines))


def set_info(directory: Path, **entries: object) -> None:
    """Change entries of a run's record."""
    path = directory / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries, indent=2) + "\n")


def write_leaks(directory: Path, *, items: int, duplicates: int, overlaps: int) -> None:
    rows = [("all", items, duplicates, overlaps, duplicates + overlaps)]
    write_table(directory / "leaks.tsv", "label test_items duplicates overlaps leaked", rows)


def write_confusion(
    directory: Path, classes: Sequence[str], *, right: float, items: int = 100
) -> None:
    """Write a matrix of `items` a class, that share of them right and the others spread evenly."""
    wrong = items * (1 - right) / max(len(classes) - 1, 1)
    rows = [
        (true, predicted, round(items * right if true == predicted else wrong))
        for true in classes
        for predicted in classes
    ]
    write_table(directory / "confusion.tsv", "label predicted items", rows)


def write_curves(directory: Path, targets: Sequence[str], *, area: float, points: int = 40) -> None:
    """Write y = x^(1 / area - 1) as ROC, whose area is `area`, and its mirror as the other."""
    x = np.linspace(0, 1, points)
    rows = [
        (target, curve, f"{at:.5f}", f"{of:.5f}")
        for target in targets
        for curve, y in (("roc", x ** (1 / area - 1)), ("pr", (1 - x) ** (1 / area - 1)))
        for at, of in zip(x, y, strict=True)
    ]
    write_table(directory / "curves.tsv", "target curve x y", rows)


def write_predictions(
    directory: Path, classes: Sequence[str], *, wrong: int, items: int = 60
) -> None:
    """Write a table in which the first items, of the first class, are taken for the second."""
    import pandas as pd

    truth, other, *_ = classes
    sure = np.linspace(0.95, 0.55, items)
    mistaken = np.arange(items) < wrong
    table = pd.DataFrame({
        "id": [f"item{of}" for of in range(items)],
        "label": truth,
        "predicted": np.where(mistaken, other, truth),
        f"score_{truth}": np.where(mistaken, 1 - sure, sure),
        f"score_{other}": np.where(mistaken, sure, 1 - sure),
        "leaked": np.arange(items) % 5 == 0,
    })  # fmt: skip
    table.to_parquet(directory / "predictions.parquet", index=False)


def write_targets(directory: Path, groups: Mapping[str, int], *, auroc: float) -> None:
    """Write targets around an area, given the number of each group."""
    rng = np.random.default_rng(3)
    rows = [
        (f"{group}{i}", group, 40, 420, f"{min(1, auroc + rng.normal(0, 0.04)):.5f}", "0.2")
        for group, n in groups.items()
        for i in range(n)
    ]
    write_table(directory / "targets.tsv", "target group positives items auroc auprc", rows)


PROMPTS = {
    ("soft_prompt", tokens, shots, 900): 0.55 + 0.02 * i + 0.01 * j
    for i, tokens in enumerate((0, 2, 32, 128, 512))
    for j, shots in enumerate((2, 32))
} | {
    ("few_shot", 0, shots, samples): 0.52 + 0.03 * j + 0.005 * i
    for i, shots in enumerate((0, 2, 16))
    for j, samples in enumerate((2, 64))
}
"""Accuracy by method, prompt tokens, shots and tuning samples: it grows with each of them."""


def write_prompted(
    directory: Path, setting: tuple[str, int, int, int], scores: Mapping[str, float]
) -> None:
    rows = [(*setting, 500, metric, value) for metric, value in scores.items()]
    header = "method prompt_tokens shots tuning_samples items metric value"
    write_table(directory / "in_context.tsv", header, rows)


PUBLISHED = {
    "genomic_benchmarks": (
        "benchmark\tmodel\tparameters\tmetric\tvalue\tspread\tspread_is\tprotocol\tsource\tremarks\n"
        "b\tCNN\t264K\taccuracy\t0.7\t0.02\tmax-min\t5-fold\tpaper A\t\n"
        "b\tbest known under 10 M\t264K\taccuracy\t0.7\t\t\t5-fold\tpaper A\tCNN; small\n"
        "b\tLarge\t\taccuracy\t0.9\t\t\tpaper\tpaper B\tunverified: heard\n"
    ),
    "grids": "family\tname\tvalues\tsource\ngenomic_benchmarks\tlr\t1e-4 to 6e-4\tpaper A\n",
    "protocols": "family\tprotocol\tmeaning\ngenomic_benchmarks\t5-fold\tNothing sees test.\n",
}


def write_published(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, text in PUBLISHED.items():
        (folder / f"{name}.tsv").write_text(text)
    return folder
