"""The headline numbers for programs: what the page holds as JSON."""

import math
from dataclasses import asdict
from typing import Any

from hyenadna.report.inputs.results import BenchRun, Problem, Run
from hyenadna.report.intervals import Interval
from hyenadna.report.page.completeness import Missing
from hyenadna.report.scores import Score, Spread, markov
from hyenadna.report.tables.contexts import Series, by_genome
from hyenadna.report.tables.protocols import Judged


def as_json(ours: Judged, problems: list[Problem], missing: list[Missing]) -> dict[str, Any]:
    """Return plain values, each group with the files that it comes from; null is no number."""
    results = ours.results
    return {
        "pretraining": [_pretraining(run) for run in results.of("pretrain")],
        "contexts": [
            _context(of) for series in by_genome(results.of("context")).values() for of in series
        ],
        "benchmarks": [_benchmark(ours, score) for score in ours.scores],
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


def _benchmark(ours: Judged, score: Score) -> dict[str, Any]:
    published = ours.published(score)
    gains = {
        score.best_baseline or "": ours.gain(score, score.best_baseline),
        "scratch": ours.gain(score, "scratch"),
        "published": ours.gain_on_published(score),
    }
    return {
        "benchmark": score.benchmark,
        "judged": ours.stage,
        "family": ours.families.get(score.benchmark),
        "model": score.model or None,
        "metric": score.metric,
        "baselines": {name: _finite(of) for name, of in score.baselines.items()},
        **{stage: _spread(of) for stage, of in score.stages.items()},
        "clean": {method: _spread(of) for method, of in score.clean.items()},
        "published": asdict(published) | {"spread": _finite(published.spread)}
        if published
        else None,
        "gains": {name: _interval(of) for name, of in gains.items() if math.isfinite(of.value)},
        "sources": [run.metrics_file for run in score.runs],
    }


def _interval(of: Interval) -> dict[str, Any]:
    ends = {"low": _finite(of.low), "high": _finite(of.high)}
    return {"value": _finite(of.value), **ends, "allows_for": of.covers}


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
