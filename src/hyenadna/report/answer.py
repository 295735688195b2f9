"""The answer before the evidence: what was trained, on what, and how good it is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hyenadna.report import formats
from hyenadna.report.results import STAGES, Results, Run
from hyenadna.report.scores import BASELINES, DECIMALS, Score, markov


@dataclass(frozen=True)
class Fact:
    """One number to remember."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """Head of the page."""

    title: str
    sentences: list[str]
    facts: list[Fact]


def answer(results: Results, scores: list[Score]) -> Answer:
    """Say in plain words what the results come to."""
    return Answer(
        title=_title(results),
        sentences=[*_sentences(results, scores)],
        facts=[*_facts(results, scores)],
    )


def _title(results: Results) -> str:
    if not results.runs:
        return "HyenaDNA: no results yet"
    models = sorted({run.model for run in results.of("pretrain", *STAGES)})
    genomes = sorted({run.subject for run in results.of("pretrain")})
    names = ", ".join(models) if len(models) <= 3 else formats.plural(len(models), "model")
    pretrained = f", pretrained on {', '.join(genomes)}" if genomes else ""
    return f"HyenaDNA {names}".strip() + pretrained


def _sentences(results: Results, scores: list[Score]) -> Iterator[str]:
    pretrained = _lowest_perplexity(results.of("pretrain"))
    if pretrained:
        yield _perplexity_sentence(pretrained)
    for model in sorted({score.model for score in scores if score.model}):
        of_model = [score for score in scores if score.model == model]
        yield from _benchmark_sentences(model, of_model)
    if results.runs and not against_baseline(scores):
        yield "No fine-tuned model can be compared with a baseline yet."
    for run in results.of("biotypes")[:1]:
        yield from _biotype_sentence(run)


def _lowest_perplexity(runs: list[Run]) -> Run | None:
    measured = [run for run in runs if math.isfinite(_perplexity(run))]
    return min(measured, key=_perplexity, default=None)


def _perplexity(run: Run) -> float:
    return run.metrics.last("valid", "perplexity")


def _perplexity_sentence(run: Run) -> str:
    perplexity, chains = _perplexity(run), markov(run, "valid")
    text = (
        f"On validation sequence that it was not trained on, {run.model} predicts the next base "
        f"with perplexity {formats.score(perplexity)} (4 is guessing, lower is better)"
    )
    if not chains:
        return f"{text}."
    order = min(chains, key=chains.__getitem__)
    gap = round(perplexity, DECIMALS) - round(chains[order], DECIMALS)
    relation = "below" if gap < 0 else "above" if gap > 0 else "level with"
    size = f"{formats.score(abs(gap))} " if gap else ""
    return (
        f"{text}: {size}{relation} the best Markov chain "
        f"(order {order}, {formats.score(chains[order])})."
    )


def _benchmark_sentences(model: str, scores: list[Score]) -> Iterator[str]:
    rivals = against_baseline(scores)
    if rivals:
        won = [score for score in rivals if score.beats(score.best_baseline)]
        always = sum(score.beats(score.best_baseline, every_seed=True) for score in won)
        every = "each of them" if always == len(won) else f"{always} of them"
        yield (
            f"On {len(won)} of {formats.plural(len(rivals), 'benchmark')} the fine-tuned {model} "
            f"beats the best trivial baseline{f', on {every} with every seed' if won else ''}."
        )
    paired = against_scratch(scores)
    if paired:
        helped = sum(score.beats("scratch") for score in paired)
        yield (
            f"On {helped} of {len(paired)} it scores higher than the same network "
            "trained from random weights: this is what pretraining gave."
        )


def _biotype_sentence(run: Run) -> Iterator[str]:
    metric = run.info.metric or "f1_weighted"
    found = {
        method: value
        for method in ("embedding", "embedding_logistic", *BASELINES)
        if math.isfinite(value := run.metrics.last("test", f"{method}.{metric}"))
    }
    ours = [value for method, value in found.items() if method not in BASELINES]
    rivals = {method: value for method, value in found.items() if method in BASELINES}
    if ours and rivals:
        rival = max(rivals, key=rivals.__getitem__)
        yield (
            f"From the frozen embedding of a gene by {run.model}, its biotype can be told with "
            f"{metric} {formats.score(max(ours))}; {formats.TITLES[rival].lower()} alone reach "
            f"{formats.score(rivals[rival])}."
        )


def against_baseline(scores: list[Score]) -> list[Score]:
    """Return the benchmarks where a fine-tuned model can be compared with a baseline."""
    return [score for score in scores if score.best_baseline and "finetune" in score.means]


def against_scratch(scores: list[Score]) -> list[Score]:
    """Return the benchmarks where a fine-tuned model can be compared with its random twin."""
    return [score for score in scores if {"finetune", "scratch"} <= score.means.keys()]


def _facts(results: Results, scores: list[Score]) -> Iterator[Fact]:
    pretrained = _lowest_perplexity(results.of("pretrain"))
    if pretrained:
        chain = min(markov(pretrained, "valid").values(), default=math.nan)
        yield Fact(
            "Validation perplexity",
            formats.score(_perplexity(pretrained)),
            f"best Markov chain {formats.score(chain)}" if math.isfinite(chain) else "",
        )
    rivals, paired = against_baseline(scores), against_scratch(scores)
    if rivals:
        won = sum(score.beats(score.best_baseline) for score in rivals)
        yield Fact("Above every trivial baseline", f"{won} of {len(rivals)}", "benchmarks")
    if paired:
        helped = sum(score.beats("scratch") for score in paired)
        yield Fact("Above training from scratch", f"{helped} of {len(paired)}", "benchmarks")
    if results.runs:
        seconds = math.fsum(run.info.seconds for run in results.runs if run.info.seconds > 0)
        note = formats.plural(len(results.runs), "run") + ", summed"
        yield Fact("Time in runs", formats.duration(seconds), note)
