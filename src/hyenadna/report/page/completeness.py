"""What is not there, or does not fit together: said, never hidden."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hyenadna.report import formats
from hyenadna.report.bench import TITLES, unmeasured
from hyenadna.report.inputs.results import STAGES, Problem, Results
from hyenadna.report.scores import Score, stages_in_use


@dataclass(frozen=True)
class Missing:
    """Results that a complete run has, and the command that makes them."""

    what: str
    command: str


def missing(results: Results, scores: list[Score]) -> list[Missing]:
    """List what a complete run has and this one lacks."""
    parts: tuple[tuple[str, Sequence[object], list[str]], ...] = (
        ("Pretraining", results.of("pretrain"), ["pretrain_all"]),
        ("Perplexity against context", results.of("context"), ["contexts"]),
        ("Models trained on a benchmark", results.of(*STAGES), []),
        ("Biotypes and the map of genes", results.of("biotypes"), ["biotypes"]),
        ("Genomes and what letters they have", results.genomes, []),
        ("Time and memory of each rule", results.jobs, []),
    )
    whole = [Missing(what, _command(targets)) for what, found, targets in parts if not found]
    whole += [
        Missing(f"Cost of {TITLES[operation]} against length", _command(["bench"]))
        for operation in unmeasured(results)
    ]
    stages = stages_in_use(scores)
    gaps = [gap for score in scores for gap in _gaps(score, stages)]
    return list(dict.fromkeys(whole + gaps))


def _command(targets: list[str]) -> str:
    return " ".join(["snakemake --cores all", *map(shlex.quote, targets)])


def _gaps(score: Score, stages: list[str]) -> Iterator[Missing]:
    """Yield stages and seeds that one benchmark lacks and others have."""
    if not score.baselines:
        yield Missing(
            f"{score.benchmark}: baselines are missing, and no score says much without",
            _command([f"results/baselines/{score.benchmark}/run.json"]),
        )
    seeds = {stage: {run.seed for run in score.runs if run.stage == stage} for stage in stages}
    wanted = set[int]().union(*seeds.values())
    for stage in stages if score.model else ():
        absent = sorted(wanted - seeds[stage])
        if absent:
            which = "" if seeds[stage] == set() else f" for seed {', '.join(map(str, absent))}"
            folder = f"results/{stage}/{score.model}/{score.benchmark}"
            yield Missing(
                f"{score.title}: {formats.TITLES[stage].lower()} is missing{which}",
                _command([f"{folder}/seed{seed}/run.json" for seed in absent]),
            )


def inconsistencies(results: Results, scores: list[Score]) -> list[Problem]:
    """List what contradicts itself between files that are each readable."""
    found = []
    versions = {run.info.version for run in results.runs} - {""}
    versions |= {run.info.version for run in results.bench} - {""}
    if len(versions) > 1:
        those = ", ".join(sorted(versions))
        found.append(Problem("run.json", f"runs of several versions of hyenadna: {those}"))
    for path, distinct in results.checksums.items():
        if len(distinct) > 1:
            found.append(Problem(path, f"read with {len(distinct)} different contents by runs"))
    for score in scores:
        for stage, of in score.stages.items():
            if of.missing:
                what = f"{of.missing} of {of.n + of.missing} seeds without a test {score.metric}"
                found.append(Problem(f"{stage}/{score.model}/{score.benchmark}", what))
        metrics = {run.info.metric for run in score.runs if run.info.metric}
        if len(metrics) > 1:
            what = f"runs disagree on the metric: {', '.join(sorted(metrics))}"
            found.append(Problem(score.title, what))
    return found
