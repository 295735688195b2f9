"""A results tree as large as the full configuration makes it: `python full_tree.py <folder>`."""

import argparse
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[2]
GENOME = "hg38"
STAGES = ("scratch", "probe", "finetune")
MODELS = (
    "tiny-1k", "tiny-1k-d256", "tiny-16k-d128", "small-32k", "medium-160k", "medium-450k",
    "large-1m",
)  # fmt: skip
MEASURES = ("accuracy", "mcc", "f1_macro", "f1_weighted", "auroc", "auprc")
CHROMATIN = ("deepsea", "deepsea_8k")
SPLITS = ("test", "test_clean")
GROUPS = {"TF": 690, "DHS": 125, "HM": 104}
"""Targets of a chromatin profile, 919 in all."""
CLASSES = {"enhancers_types": 3, "human_ensembl_regulatory": 3, "splice_sites_all": 3}
ITEMS = 240
BASELINES = ("majority", "length", "kmer")


@dataclass(frozen=True)
class Shape:
    """How much there is."""

    benchmarks: Sequence[str]
    models: Sequence[str] = MODELS
    stages: Sequence[str] = STAGES
    seeds: int = 5
    steps: int = 200
    """Of training, each with a loss, a rate and a norm in the metrics."""
    epochs: int = 10
    resamples: int = 1000
    """Of the test items, in `bootstrap.tsv`."""
    points: int = 300
    """On each curve, which is what a run keeps of thousands of items."""
    large: dict[str, bytes] = field(default_factory=dict)
    """Files that all runs share, by name."""


def full(**changes: Any) -> Shape:
    """Return the dimensions of config/full.yaml, with every stage and the chromatin profiles."""
    config = yaml.safe_load((ROOT / "config/full.yaml").read_text())
    names = [of for of in config["benchmarks"] if of != "gencode_biotypes"]
    return Shape(**{"benchmarks": (*names, *CHROMATIN), "models": config["models"]} | changes)


def many(count: int = 200, **changes: Any) -> Shape:
    """Return the dimensions of a tree of many benchmarks that nobody has published."""
    names = [f"own_{index:03d}" for index in range(count)]
    return Shape(**{"benchmarks": names, "models": MODELS[:1], "seeds": 3} | changes)


def write(root: Path, shape: Shape) -> Path:
    """Write every run of a tree and return its root."""
    rng = np.random.default_rng(0)
    for model in shape.models:
        _write_pretraining(root, model, shape, rng)
    for benchmark in shape.benchmarks:
        _write_baselines(root, benchmark, shape, rng)
        for stage in shape.stages:
            for model in shape.models:
                _write_trained(root, f"{stage}/{model}/{benchmark}", shape, rng)
    _write_timings(root, rng)
    return root


def _write_pretraining(root: Path, model: str, shape: Shape, rng: np.random.Generator) -> None:
    rows = _training(shape.steps * 10, rng, "bits_per_base", "tokens", "tokens_per_second")
    for split in ("valid", "test"):
        rows += [f"{shape.steps * 10}\t{split}\tperplexity\t{3.2 + rng.normal(0, 0.1):.5f}"]
        rows += [f"0\t{split}\tmarkov{k}.perplexity\t{3.9 - k / 20:.5f}" for k in range(6)]
    of = {"stage": "pretrain", "metric": "perplexity", "benchmark": GENOME}
    _write_run(root / f"pretrain/{model}/{GENOME}/seed0", rows, model=model, seed=0, **of)


def _training(steps: int, rng: np.random.Generator, *more: str) -> list[str]:
    names = ("loss", "learning_rate", "gradient_norm", *more)
    values = np.abs(rng.normal(0.6, 0.2, (steps, len(names))))
    return [
        f"{step}\ttrain\t{name}\t{value:.7g}"
        for step, row in enumerate(values, start=1)
        for name, value in zip(names, row, strict=True)
    ]


def _write_run(directory: Path, rows: list[str], **info: Any) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "metrics.tsv").write_text("step\tsplit\tname\tvalue\n" + "\n".join(rows) + "\n")
    stage, benchmark, seed = info["stage"], info["benchmark"], info["seed"]
    data = [f"resources/benchmarks/{benchmark}/{split}.csv.gz" for split in ("train", "test")]
    if stage in ("probe", "finetune"):
        start = f"results/pretrain/{info['model']}/{GENOME}/seed0"
        data += [f"{start}/config.json", f"{start}/model.safetensors"]
    record = {
        "version": "0.1.0",
        "commit": "7bcb85fb1009765fac625579852c9b4cea9385f6",
        "command": f"hyenadna {stage} --task {benchmark} --table config/benchmarks.tsv"
        f" --genomes results/genomes --weights results/pretrain/{info['model']}/{GENOME}/seed0"
        f" --recipe config/finetuning/genomic_benchmarks.yaml --seed {seed}"
        f" --out results/{directory.relative_to(directory.parents[3])}",
        "device": "NVIDIA H200",
        "threads": 8,
        "packages": {"torch": "2.13.0", "numpy": "2.4.6", "python": "3.11.7"},
        "data": [{"path": path, "sha256": f"{hash_of(path):064x}"} for path in data],
        "parameters": 436_000,
        "seconds": 1200.5 + seed,
        "peak_memory_mb": 9000,
        "started": f"2026-11-{1 + seed:02d}T03:26:09+00:00",
        "finished": f"2026-11-{1 + seed:02d}T03:46:29+00:00",
    }
    (directory / "run.json").write_text(json.dumps(record | info, indent=2) + "\n")


def hash_of(path: str) -> int:
    """Return a large number that depends on a path alone."""
    return int.from_bytes(path.encode()) * 0x9E3779B97F4A7C15 % (1 << 250)


def _task(benchmark: str) -> dict[str, Any]:
    if benchmark in CHROMATIN:
        names = [f"{group}_{i}" for group, count in GROUPS.items() for i in range(count)]
        of: dict[str, Any] = {"metric": "auroc_median", "kind": "multi", "classes": names}
    else:
        count = 5 if benchmark.startswith("species") else CLASSES.get(benchmark, 2)
        classes = [f"class {i}" for i in range(count)]
        of = {"metric": "accuracy", "kind": "single", "classes": classes}
    counts = {"train": 20_000, "valid": 2_000, "test": 5_000}
    items = dict.fromkeys(SPLITS, f"{hash_of(benchmark):064x}")
    bootstrap = {"metric": of["metric"], "resamples": dict.fromkeys(SPLITS, 1000), "items": items}
    told = {"protocol": "honest", "selected_on": "valid", "bootstrap": bootstrap}
    return of | told | {"counts": counts}


def _measured(split: str, score: float, kind: str, *, prefix: str = "", step: int = 0) -> list[str]:
    names = MEASURES
    if kind == "multi":
        names = ("auroc", "auprc", "auroc_median", *(f"auroc_median.{of}" for of in GROUPS))
    return [f"{step}\t{split}\t{prefix}{of}\t{score - i / 50:.6f}" for i, of in enumerate(names)]


def _write_resamples(
    run: Path, means: dict[str, float], shape: Shape, rng: np.random.Generator
) -> None:
    """Write scores under resamples, given the score of each name."""
    rows = [
        (split, index, name, f"{value:.6g}")
        for split in SPLITS
        for name, mean in means.items()
        for index, value in enumerate(rng.normal(mean, 0.01, shape.resamples))
    ]
    _write_rows(run / "bootstrap.tsv", "split replicate name value", rows)


def _write_baselines(root: Path, benchmark: str, shape: Shape, rng: np.random.Generator) -> None:
    of, rows = _task(benchmark), []
    means = {method: 0.5 + 0.1 * index for index, method in enumerate(BASELINES)}
    for split in SPLITS:
        rows.append(f"0\t{split}\titems\t5000")
        for method, mean in means.items():
            score = mean + rng.normal(0, 0.01)
            rows += _measured(split, score, of["kind"], prefix=f"{method}.")
    run = root / "baselines" / benchmark
    _write_run(run, rows, stage="baselines", benchmark=benchmark, seed=0, model="", **of)
    of_metric = {f"{method}.{of['metric']}": mean for method, mean in means.items()}
    _write_resamples(run, of_metric, shape, rng)
    _write_rows(run / "leaks.tsv", "label test_items duplicates overlaps leaked",
                [("all", 5000, 100, 40, 140)])  # fmt: skip


def _write_trained(root: Path, path: str, shape: Shape, rng: np.random.Generator) -> None:
    stage, model, benchmark = path.split("/")
    of = _task(benchmark)
    mean = 0.6 + 0.1 * STAGES.index(stage) + rng.normal(0, 0.03)
    for seed in range(shape.seeds):
        score = mean + rng.normal(0, 0.01)
        rows = _training(shape.steps, rng)
        for epoch in range(1, shape.epochs + 1):
            step = epoch * shape.steps // shape.epochs
            rows += _measured("valid", score - 0.1 / epoch, of["kind"], step=step)
        for split in SPLITS:
            rows += [f"0\t{split}\titems\t5000", *_measured(split, score, of["kind"])]
        run = root / path / f"seed{seed}"
        _write_run(run, rows, stage=stage, model=model, benchmark=benchmark, seed=seed, **of)
        _write_resamples(run, {of["metric"]: score}, shape, rng)
        _write_behind(run, of, score, shape, rng)


def _write_behind(
    run: Path, of: dict[str, Any], score: float, shape: Shape, rng: np.random.Generator
) -> None:
    """Write what lies behind a score; shared bytes stand for predictions."""
    classes = of["classes"]
    if of["kind"] == "multi":
        areas = np.clip(score + rng.normal(0, 0.05, len(classes)), 0, 1)
        rows = [
            (name, name.split("_")[0], 40, 5000, f"{area:.5f}", "0.2")
            for name, area in zip(classes, areas, strict=True)
        ]
        _write_rows(run / "targets.tsv", "target group positives items auroc auprc", rows)
        return
    wrong = round(1000 * (1 - score) / (len(classes) - 1))
    pairs = [(true, taken) for true in classes for taken in classes]
    cells = [(*pair, round(1000 * score) if pair[0] == pair[1] else wrong) for pair in pairs]
    _write_rows(run / "confusion.tsv", "label predicted items", cells)
    x = np.linspace(0, 1, shape.points)
    curves = {"roc": x ** (1 / score - 1), "pr": (1 - x) ** (1 / score - 1)}
    shown = classes[1:] if len(classes) == 2 else classes
    points = [
        (name, kind, f"{at:.6g}", f"{value:.6g}")
        for name in shown
        for kind, y in curves.items()
        for at, value in zip(x, y, strict=True)
    ]
    _write_rows(run / "curves.tsv", "target curve x y", points)
    (run / "predictions.parquet").write_bytes(_predictions(len(classes), shape))


def _predictions(classes: int, shape: Shape) -> bytes:
    """Return a table of a few items, made once for each number of classes."""
    import pandas as pd

    key = str(classes)
    if key not in shape.large:
        names = [f"class {i}" for i in range(classes)]
        scores = np.random.default_rng(classes).dirichlet(np.ones(classes), ITEMS)
        table = pd.DataFrame({"id": [f"test:{i}" for i in range(ITEMS)]})
        table["label"] = [names[i % classes] for i in range(ITEMS)]
        table["predicted"] = [names[i] for i in scores.argmax(axis=1)]
        for name, column in zip(names, scores.T, strict=True):
            table[f"score_{name}"] = column
        shape.large[key] = table.to_parquet(index=False)
    return shape.large[key]


def _write_timings(root: Path, rng: np.random.Generator) -> None:
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    for record in sorted(root.glob("**/run.json")):
        stage, *parts = record.parent.relative_to(root).parts
        path = root / "benchmarks" / stage / f"{'.'.join(parts)}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        took = rng.uniform(900, 1500)
        measured = (
            f"{took:.4f}\t0:20:00\t{rng.uniform(3000, 9000):.2f}\t2\t4\t4\t0.5\t1.2\t98\t{took:.2f}"
        )
        path.write_text(f"{header}{measured}\n")


def _write_rows(path: Path, header: str, rows: Sequence[Sequence[object]]) -> None:
    lines = [header.split(), *rows]
    path.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))


def main() -> None:
    """Write a tree to a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--benchmarks", type=int, help="so many benchmarks nobody published")
    parser.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    parser.add_argument("--steps", type=int, default=200, help="of training, a run")
    options = parser.parse_args()
    of = {"stages": options.stages, "steps": options.steps}
    shape = many(options.benchmarks, **of) if options.benchmarks else full(**of)
    shutil.rmtree(options.folder, ignore_errors=True)
    print(write(options.folder, shape))


if __name__ == "__main__":
    main()
