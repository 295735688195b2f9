"""A results tree as a finished demo run leaves it, in miniature, for the report to read."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hyenadna import report

MODEL, GENOME, GENES = "tiny-demo", "demo_human", "demo_biotypes"
MARKOV_BITS = (1.983, 1.949, 1.942, 1.938, 1.931, 1.926, 1.938)
BENCHMARKS: dict[str, dict[str, Any]] = {
    "demo_promoters": {
        "metric": "accuracy",
        "classes": ["non-promoter", "promoter"],
        "counts": {"train": 1816, "valid": 202, "test": 512},
        "baselines": {"majority": 0.5, "length": 0.5, "kmer": 0.812},
        "scratch": (0.801, 0.793, 0.815),
        "probe": (0.774, 0.779, 0.771),
        "finetune": (0.842, 0.851, 0.838),
    },
    "demo_coding_vs_intergenic": {
        "metric": "accuracy",
        "classes": ["coding", "intergenic"],
        "counts": {"train": 1080, "valid": 120, "test": 400},
        "baselines": {"majority": 0.503, "length": 0.503, "kmer": 0.871},
        "scratch": (0.842, 0.861, 0.829),
        "probe": (0.851, 0.848, 0.852),
        "finetune": (0.868, 0.874, 0.862),
    },
    "demo_human_or_worm": {
        "metric": "accuracy",
        "classes": ["human", "worm"],
        "counts": {"train": 1350, "valid": 150, "test": 500},
        "baselines": {"majority": 0.5, "length": 0.5, "kmer": 0.924},
        "scratch": (0.931, 0.922, 0.935),
        "probe": (0.902, 0.901, 0.905),
        "finetune": (0.951, 0.946, 0.957),
    },
    "demo_species": {
        "metric": "accuracy",
        "classes": ["chimp", "fly", "gorilla", "human", "orangutan", "worm"],
        "counts": {"train": 900, "valid": 100, "test": 300},
        "baselines": {"majority": 0.183, "length": 0.183, "kmer": 0.462},
        "scratch": (0.388, 0.402, 0.371),
        "probe": (0.391, 0.385, 0.394),
        "finetune": (0.431, 0.446, 0.452),
    },
    "demo_chromatin": {
        "metric": "auroc",
        "kind": "multi",
        "classes": ["CTCF", "ZNF263", "interneuron", "astrocyte", "T cell", "hepatocyte"],
        "counts": {"train": 1600, "valid": 300, "test": 420},
        "baselines": {"majority": 0.5, "length": 0.5, "kmer": 0.561},
        "scratch": (0.548, 0.539, 0.561),
        "probe": (0.572, 0.569, 0.577),
        "finetune": (0.588, 0.571, 0.602),
    },
}
BIOTYPES = {
    "protein_coding": 61,
    "lncRNA": 48,
    "processed_pseudogene": 31,
    "misc_RNA": 14,
    "snRNA": 12,
    "miRNA": 11,
    "unprocessed_pseudogene": 9,
    "rRNA_pseudogene": 6,
    "snoRNA": 4,
}


@pytest.fixture(scope="session")
def tree() -> SimpleNamespace:
    """Writers of results: `whole`, and its parts."""
    return SimpleNamespace(
        whole=write_results,
        run=write_run,
        pretraining=write_pretraining,
        contexts=write_contexts,
        benchmark=write_benchmark,
        biotypes=write_biotypes,
        bench=write_bench,
        measurement=measurement,
        timed=timed,
        benchmarks=BENCHMARKS,
    )


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The whole tree, to be changed."""
    return write_results(tmp_path / "results")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole tree with its report, to be read only."""
    root = write_results(tmp_path_factory.mktemp("finished") / "results")
    report.write(root, root / "report.html")
    return root


def write_results(root: Path) -> Path:
    """Write a results tree and return its root."""
    write_pretraining(root)
    for name, benchmark in BENCHMARKS.items():
        write_benchmark(root, name, benchmark)
    write_contexts(root)
    write_biotypes(root)
    write_genomes(root)
    write_timings(root)
    write_bench(root / "bench/long_conv", timed("long_conv"))
    write_bench(root / "bench/attention", timed("attention"))
    write_bench(root / "bench/model", timed("model"))
    return root


def write_run(directory: Path, rows: list[tuple[int, str, str, float]], **info: Any) -> Path:
    """Write metrics.tsv and run.json of one run."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = [f"{step}\t{split}\t{name}\t{value:.8g}\n" for step, split, name, value in rows]
    (directory / "metrics.tsv").write_text("step\tsplit\tname\tvalue\n" + "".join(lines))
    record = {
        "version": "0.1.0",
        "command": f"hyenadna finetune --out {directory.name} --seed {info.get('seed', 0)}",
        "device": "cpu",
        "threads": 2,
        "packages": {"torch": "2.13.0", "numpy": "2.4.6", "python": "3.11.2"},
        "data": [{"path": "results/genomes/demo_human/genome.fa", "sha256": "5f" * 32}],
        "parameters": 183_424,
        "seconds": 21.4,
        "peak_memory_mb": 812,
        "started": "2026-01-05T10:02:11+00:00",
        "finished": "2026-01-05T10:02:32+00:00",
    }
    (directory / "run.json").write_text(json.dumps(record | info, indent=2) + "\n")
    return directory


def write_pretraining(root: Path) -> None:
    rng = np.random.default_rng(0)
    rows: list[tuple[int, str, str, float]] = []
    total = 600
    for step in range(1, total + 1):
        bits = 1.917 + 2.0 * np.exp(-step / 14) + 0.05 * np.exp(-step / 150)
        warm = min(1.0, step / 12)
        rate = 6e-4 * warm * (0.55 + 0.45 * np.cos(np.pi * step / total))
        measured = float(bits + rng.normal(0, 0.012))
        rows += [
            (step, "train", "loss", measured * np.log(2)),
            (step, "train", "bits_per_base", measured),
            (step, "train", "learning_rate", rate),
            (step, "train", "tokens_per_second", 81_000 + rng.normal(0, 2000)),
            (step, "train", "tokens", step * 16 * 1024),
        ]
        if step % 50 == 0:
            rows += prediction(step, "valid", float(bits + 0.004 + rng.normal(0, 0.002)))
    rows += prediction(total, "test", 1.9274)
    for order, bits in enumerate(MARKOV_BITS):
        rows.append((0, "valid", f"markov{order}.perplexity", 2**bits))
        rows.append((0, "test", f"markov{order}.perplexity", 2 ** (bits + 0.003)))
    write_run(
        root / "pretrain" / MODEL / GENOME / "seed0",
        rows,
        stage="pretrain",
        model=MODEL,
        benchmark=GENOME,
        seed=0,
        metric="perplexity",
        seconds=218.0,
        command="hyenadna pretrain --model config/models/tiny-demo.yaml --seed 0",
    )


def write_contexts(root: Path, contexts: tuple[int, ...] = (64, 256, 1024)) -> None:
    """Write what a model and its Transformer reach at each context."""
    for model, mixer, worst in ((MODEL, "hyena", 1.95), ("tiny-transformer", "attention", 1.97)):
        rows: list[tuple[int, str, str, float]] = []
        table = ["context\tfirst\tlast\tbases\tbits"]
        for context in contexts:
            scores = prediction(0, "test", worst - 0.01 * np.log2(context / 64))
            rows += [
                (step, split, f"context{context}.{name}", of) for step, split, name, of in scores
            ]
            edges = [0, *(1 << power for power in range(context.bit_length()))]
            for first, end in itertools.pairwise(edges):
                bits = worst + 0.05 - 0.01 * np.log2(end)
                bases = 3000 * (end - first)
                table.append(f"{context}\t{first}\t{end - 1}\t{bases}\t{bases * bits:.8g}")
        rows += [(0, "test", f"markov{k}.perplexity", 2**of) for k, of in enumerate(MARKOV_BITS)]
        directory = write_run(
            root / "context" / model / GENOME / "seed0", rows, stage="context", seed=0, mixer=mixer
        )
        (directory / "positions.tsv").write_text("\n".join(table) + "\n")


def prediction(step: int, split: str, bits: float) -> list[tuple[int, str, str, float]]:
    return [
        (step, split, "perplexity", 2**bits),
        (step, split, "bits_per_base", bits),
        (step, split, "accuracy", 0.25 + (2 - bits) * 1.5),
    ]


def write_benchmark(root: Path, name: str, of: Mapping[str, Any]) -> None:
    metric, kind = of["metric"], of.get("kind", "single")
    info = {
        "benchmark": name,
        "metric": metric,
        "kind": kind,
        "classes": of["classes"],
        "counts": of["counts"],
    }
    rows = [
        (0, "test", f"{method}.{measure}", value)
        for method, score in of["baselines"].items()
        for measure, value in measures(score, kind).items()
    ]
    write_run(root / "baselines" / name, rows, stage="baselines", seconds=3.2, **info)
    for stage in ("scratch", "probe", "finetune"):
        for seed, score in enumerate(of[stage]):
            curve = [
                (20 * epoch, "valid", metric, score - 0.1 / epoch + 0.01) for epoch in range(1, 6)
            ]
            test = [
                (80, "test", measure, value) for measure, value in measures(score, kind).items()
            ]
            write_run(
                root / stage / MODEL / name / f"seed{seed}",
                curve + test,
                stage=stage,
                model=MODEL,
                seed=seed,
                **info,
            )


def measures(score: float, kind: str) -> dict[str, float]:
    if kind == "multi":
        return {"auroc": score, "auprc": score * 0.4, "auroc_median": score - 0.004}
    return {
        "accuracy": score,
        "mcc": 2 * score - 1,
        "f1_macro": score - 0.006,
        "f1_weighted": score - 0.003,
        "auroc": min(1.0, score + 0.05),
        "auprc": min(1.0, score + 0.04),
    }


def write_biotypes(root: Path, genes: Mapping[str, int] = BIOTYPES, *, model: str = MODEL) -> None:
    """Write a run on genes, given the number of each biotype."""
    rng = np.random.default_rng(1)
    lines = ["gene_id\tgene_name\tgene_type\tx\ty\n"]
    for kind, (gene_type, n) in enumerate(genes.items()):
        angle = 2.4 * kind
        centre = (3 + 0.5 * kind) * np.array([np.cos(angle), np.sin(angle)])
        for gene, (x, y) in enumerate(centre + rng.normal(0, 0.9, (n, 2))):
            name = f"ENSG{kind:03d}{gene:08d}"
            lines.append(f"{name}.1\tGENE{kind}{gene}\t{gene_type}\t{x:.5f}\t{y:.5f}\n")
    f1 = {
        "majority": 0.147,
        "length": 0.401,
        "kmer": 0.488,
        "embedding": 0.534,
        "embedding_logistic": 0.521,
        "random": 0.467,
        "random_logistic": 0.455,
    }
    scores = {}
    for method, score in f1.items():
        for measure, value in measures(score, "single").items():
            scores |= {f"{method}.{measure}": value, f"{method}.{measure}.sd": 0.1 * (1 - value)}
    directory = write_run(
        root / "biotypes" / model / GENES / "seed0",
        [(0, "test", name, value) for name, value in scores.items()],
        stage="biotypes",
        model=model,
        benchmark=GENES,
        seed=0,
        metric="f1_weighted",
    )
    for name in ("umap", "tsne"):
        (directory / f"{name}.tsv").write_text("".join(lines))


def write_genomes(root: Path) -> None:
    for name, length in {
        "demo_human": 2_060_000,
        "demo_worm": 300_000,
        "demo_fly": 300_000,
    }.items():
        directory = root / "genomes" / name / "tokens"
        directory.mkdir(parents=True)
        acgt = {"A": 0.28, "C": 0.205, "G": 0.21, "T": 0.275, "N": 0.03}
        counts = {letter: int(share * length) for letter, share in acgt.items()}
        index = {
            "fasta": "genome.fa",
            "fasta_sha256": "c4" * 32,
            "sha256": "a7" * 32,
            "contigs": {"chr20": [0, length]},
            "counts": counts | {"iupac": 2, "soft_masked": length // 2},
        }
        (directory / "index.json").write_text(json.dumps(index))


def write_timings(root: Path) -> None:
    rng = np.random.default_rng(2)
    header = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"
    jobs = {f"pretrain/{MODEL}.{GENOME}.seed0": 221.4, f"biotypes/{MODEL}.{GENES}.seed0": 24.7}
    for name in ("demo_human", "demo_worm", "demo_fly"):
        jobs |= {f"prepare_genome/{name}": 1.4, f"tokenize/{name}": 1.9}
    for name in BENCHMARKS:
        jobs[f"baselines/{name}"] = 4.1
        for stage in ("scratch", "probe", "finetune"):
            jobs |= {f"{stage}/{MODEL}.{name}.seed{seed}": 19.0 for seed in range(3)}
    for name, seconds in jobs.items():
        path = root / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        took = seconds * rng.uniform(0.8, 1.2)
        path.write_text(
            f"{header}{took:.4f}\t0:00:{int(took) % 60:02d}\t{rng.uniform(300, 900):.2f}"
            f"\t2100.1\t400.2\t410.3\t0.5\t1.2\t98.7\t{took:.2f}\n"
        )


MEASURED = {
    "long_conv": {"hyenadna": (1e-6, 1.05), "torch.fft": (2e-6, 1.1)},
    "attention": {"scaled_dot_product_attention": (1e-9, 2.0)},
    "model": {
        "hyenadna": (1e-5, 1.02),
        "hyenadna with torch.fft": (1.2e-5, 1.03),
        "Transformer": (2e-7, 1.6),
    },
}
"""Seconds of a forward pass at length 1 and the exponent of its growth."""


def timed(operation: str, lengths: tuple[int, ...] = (1024, 4096, 16384)) -> list[dict[str, Any]]:
    """Return the measurements of an operation and of one alternative that is not installed."""
    rows = []
    for direction, factor in {"forward": 1.0, "forward+backward": 3.0}.items():
        for length in lengths if (operation, direction) != ("model", "forward") else ():
            of = {
                name: factor * seconds * length**slope
                for name, (seconds, slope) in MEASURED[operation].items()
            }
            for name, median in of.items():
                row = measurement(operation, name, direction, length, median)
                row["ratio_to_plain"] = 0.5
                if operation == "model":
                    row |= {"path": "SDPA" if name == "Transformer" else "", "channels": 128}
                    row["peak_bytes"] = 5000 * length * (1 if row["path"] else 2)
                if operation == "long_conv":
                    row["path"] = "real" if name == "hyenadna" else ""
                    row |= {"fraction_of_bound": 0.125, "ratio_to_plain": of["torch.fft"] / median}
                rows.append(row)
            if operation == "long_conv":
                row = measurement(operation, "FlashFFTConv", direction, length, "")
                rows.append(row | {"status": "not installed"})
    return rows


def measurement(
    operation: str, implementation: str, direction: str, length: int, median: float | str
) -> dict[str, Any]:
    """Return one row; without a median it needs a status."""
    return {
        "operation": operation,
        "implementation": implementation,
        "path": "",
        "direction": direction,
        "dtype": "fp32",
        "batch": 1,
        "channels": 64,
        "length": length,
        "repeats": 5,
        "median_seconds": median,
        "low_seconds": median and float(median) * 0.9,
        "high_seconds": median and float(median) * 1.2,
        "peak_bytes": "",
        "minimal_bytes": 4 * 64 * 4 * length,
        "copy_bytes_per_second": 8e9,
        "fraction_of_bound": "",
        "ratio_to_plain": "",
        "status": "",
    }


def write_bench(directory: Path, rows: list[dict[str, Any]], **info: Any) -> Path:
    """Write measurements.tsv and run.json of one run of the benches."""
    directory.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(rows[0]), *("\t".join(map(str, row.values())) for row in rows)]
    (directory / "measurements.tsv").write_text("\n".join(lines) + "\n")
    shared = {"dtype": "fp32", "batch": 1, "low_length": 1024, "high_length": 16384}
    slopes = [
        {"operation": operation, "implementation": name, "direction": direction, "slope": slope}
        | {**shared, "channels": 128 if operation == "model" else 64}
        for operation, of in MEASURED.items()
        for name, (_, slope) in of.items()
        for direction in ("forward", "forward+backward")
    ]
    record = {
        "version": "0.1.0",
        "command": ["hyenadna", "bench", directory.name],
        "device": "AMD EPYC",
        "device_kind": "cpu",
        "threads": 2,
        "torch": "2.13.0",
        "triton": None,
        "cuda": None,
        "date": "2026-01-05T10:12:00+00:00",
        "seconds": 9.5,
        "copy_bytes_per_second": 8e9,
        "slopes": slopes,
    }
    (directory / "run.json").write_text(json.dumps(record | info, indent=2) + "\n")
    return directory
