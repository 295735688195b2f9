"""The headline numbers for programs: what the page holds as JSON."""

import math
from dataclasses import asdict
from typing import Any

from hyenadna.report.completeness import Missing
from hyenadna.report.contexts import Series, by_genome
from hyenadna.report.results import BenchRun, Problem, Results, Run
from hyenadna.report.scores import Score, Spread, markov


def as_json(
    results: Results, scores: list[Score], problems: list[Problem], missing: list[Missing]
) -> dict[str, Any]:
    """Return plain values, each group with the files that it comes from; null is no number."""
    return {
        "pretraining": [_pretraining(run) for run in results.of("pretrain")],
        "contexts": [
            _context(of) for series in by_genome(results.of("context")).values() for of in series
        ],
        "benchmarks": [_benchmark(score) for score in scores],
        "biotypes": [_biotypes(run) for run in results.of("biotypes")],
        "bench": [_bench(run) for run in results.bench],
        "problems": [asdict(problem) for problem in problems],
        "missing": [asdict(of) for of in missing],
    }


def _pretraining(run: Run) -> dict[str, Any]:
    splits = {
        split: {
            "perplexity": _finite(run.metrics.last(split, "perplexity")),
            **{f"markov{order}": value for order, value in markov(run, split).items()},
        }
        for split in ("valid", "test")
    }
    return {"model": run.model, "genome": run.subject, **_origin(run), **splits}


def _context(of: Series) -> dict[str, Any]:
    perplexities = {
        str(context): _finite(of.value(context, "perplexity")) for context in of.contexts
    }
    names = {"model": of.run.model, "genome": of.run.subject, "split": of.split}
    return {**names, **_origin(of.run), "perplexity": perplexities}


def _benchmark(score: Score) -> dict[str, Any]:
    return {
        "benchmark": score.benchmark,
        "model": score.model or None,
        "metric": score.metric,
        "baselines": {name: _finite(of) for name, of in score.baselines.items()},
        **{stage: _spread(of) for stage, of in score.stages.items()},
        "clean": {method: _spread(of) for method, of in score.clean.items()},
        "sources": [run.metrics_file for run in score.runs],
    }


def _biotypes(run: Run) -> dict[str, Any]:
    names = run.metrics.names("test")
    test = {name: _finite(run.metrics.last("test", name)) for name in names}
    return {"model": run.model, "genes": run.subject, **_origin(run), "test": test}


def _bench(run: BenchRun) -> dict[str, Any]:
    info = run.info
    slopes = [slope.model_dump() | {"slope": _finite(slope.slope)} for slope in info.slopes]
    machine = {"device": info.device, "threads": info.threads}
    return {"source": run.measurements_file, **machine, "slopes": slopes}


def _origin(run: Run) -> dict[str, Any]:
    return {"seed": run.seed, "source": run.metrics_file}


def _spread(of: Spread) -> dict[str, Any]:
    return {"mean": _finite(of.mean), "sd": _finite(of.sd), "n": of.n, "values": of.values}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
