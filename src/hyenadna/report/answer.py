"""The answer before the evidence: what was trained, on what, and how good it is."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from hyenadna.report import formats
from hyenadna.report.leaks import compromised
from hyenadna.report.results import STAGES, Results, Run
from hyenadna.report.scores import BASELINES, DECIMALS, Score, markov

SPLITS = {"valid": "validation", "test": "test"}
EMBEDDINGS = ("embedding", "embedding_logistic")
UNTRAINED = ("random", "random_logistic")


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
    models = sorted({run.model for run in [*_pretrained(results), *results.of(*STAGES)]})
    genomes = sorted({run.subject for run in results.of("pretrain")})
    names = ", ".join(models) if len(models) <= 3 else formats.plural(len(models), "model")
    pretrained = f", pretrained on {', '.join(genomes)}" if genomes else ""
    return f"HyenaDNA {names}".strip() + pretrained


def _sentences(results: Results, scores: list[Score]) -> Iterator[str]:
    pretrained = _lowest_perplexity(_pretrained(results))
    if pretrained:
        yield _perplexity_sentence(pretrained)
    for model in sorted({score.model for score in scores if score.model}):
        of_model = [score for score in scores if score.model == model]
        yield from _benchmark_sentences(model, of_model)
    yield from _shortcut_sentence(scores)
    if results.runs and not against_baseline(scores):
        yield "No fine-tuned model can be compared with a baseline yet."
    own = {run.model for run in results.of("pretrain", *STAGES)}
    # Embeddings of others' models are there to compare with.
    biotypes = sorted(results.of("biotypes"), key=lambda run: run.model not in own)
    for run in biotypes[:1]:
        yield from _biotype_sentence(run)


def _pretrained(results: Results) -> list[Run]:
    """Return what was pretrained but for Transformers, which are there to compare with."""
    return [run for run in results.of("pretrain") if run.info.mixer != "attention"]


def _lowest_perplexity(runs: list[Run]) -> Run | None:
    measured = [run for run in runs if math.isfinite(_perplexity(run))]
    return min(measured, key=_perplexity, default=None)


def _judged_on(run: Run) -> str:
    """Return the split that a pretraining run is judged on: test, if it has been read."""
    return "test" if math.isfinite(run.metrics.last("test", "perplexity")) else "valid"


def _perplexity(run: Run) -> float:
    return run.metrics.last(_judged_on(run), "perplexity")


def _perplexity_sentence(run: Run) -> str:
    perplexity, chains = _perplexity(run), markov(run, _judged_on(run))
    text = (
        f"On {SPLITS[_judged_on(run)]} sequence that it was not trained on, {run.model} predicts "
        f"the next base with perplexity {formats.score(perplexity)} (4 is guessing, lower is "
        "better)"
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
        helped = [score for score in paired if score.beats("scratch")]
        clearly = sum(score.exceeds_spread("finetune", "scratch") for score in helped)
        yield (
            f"On {len(helped)} of {len(paired)} its mean is above that of the same network trained "
            f"from random weights, on {clearly} by more than the larger standard deviation."
        )


def _shortcut_sentence(scores: list[Score]) -> Iterator[str]:
    found = compromised(scores)
    if found:
        names = formats.listed([of.benchmark for of in found])
        yield (
            f"On {names} a baseline that reads no base, only lengths, N or coordinates, beats "
            "every network: what a score there says of sequence is little."
        )


def _biotype_sentence(run: Run) -> Iterator[str]:
    metric = run.info.metric or "f1_weighted"
    found = {
        method: value
        for method in (*EMBEDDINGS, *UNTRAINED, *BASELINES)
        if math.isfinite(value := run.metrics.last("test", f"{method}.{metric}"))
    }
    ours = [found[method] for method in EMBEDDINGS if method in found]
    untrained = [found[method] for method in UNTRAINED if method in found]
    rivals = {method: found[method] for method in BASELINES if method in found}
    if ours and rivals:
        rival = max(rivals, key=rivals.__getitem__)
        random = f", an untrained network {formats.score(max(untrained))}" if untrained else ""
        yield (
            f"The frozen embedding of a gene by {run.model} tells its biotype with {metric} "
            f"{formats.score(max(ours))}; the best trivial baseline ("
            f"{formats.TITLES[rival].lower()}) reaches {formats.score(rivals[rival])}{random}."
        )


def against_baseline(scores: list[Score]) -> list[Score]:
    """Return the benchmarks where a fine-tuned model can be compared with a baseline."""
    return [score for score in scores if score.best_baseline and "finetune" in score.means]


def against_scratch(scores: list[Score]) -> list[Score]:
    """Return the benchmarks where a fine-tuned model can be compared with its random twin."""
    return [score for score in scores if {"finetune", "scratch"} <= score.means.keys()]


def _facts(results: Results, scores: list[Score]) -> Iterator[Fact]:
    pretrained = _lowest_perplexity(_pretrained(results))
    if pretrained:
        split = _judged_on(pretrained)
        chain = min(markov(pretrained, split).values(), default=math.nan)
        yield Fact(
            f"{SPLITS[split].capitalize()} perplexity",
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
