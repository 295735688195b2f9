"""The answer before the evidence: what was trained, on what, and how good it is."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from hyenadna.report import formats
from hyenadna.report.inputs.results import STAGES, Results, Run
from hyenadna.report.intervals import Interval
from hyenadna.report.scores import BASELINES, DECIMALS, Score, markov
from hyenadna.report.tables.cells import Fact
from hyenadna.report.tables.leaks import compromised
from hyenadna.report.tables.protocols import TRAINED, Judged
from hyenadna.report.tables.published import REFERENCE

SPLITS = {"valid": "validation", "test": "test"}
EMBEDDINGS = ("embedding", "embedding_logistic")
UNTRAINED = ("random", "random_logistic")

MOST_MODELS = 3
"""Of more than these, what was fine-tuned is counted together."""

MOST_NAMED = 4
"""Of more benchmarks than these, published scores are counted and not named."""

BEYOND_CHANCE = (
    "Beyond chance: the 95 % interval of the difference excludes zero; how often one of several "
    "does so by chance alone is not allowed for."
)


@dataclass(frozen=True)
class Answer:
    """Head of the page."""

    title: str
    sentences: list[str]
    facts: list[Fact]


def answer(ours: Judged) -> Answer:
    """Say in plain words what the results come to, by our own protocol."""
    return Answer(
        title=_title(ours.results),
        sentences=[*_sentences(ours)],
        facts=[*_facts(ours)],
    )


def _title(results: Results) -> str:
    if not results.runs:
        has_costs = any(run.measurements for run in results.bench)
        return f"HyenaDNA: {'cost against length' if has_costs else 'no results yet'}"
    trained = [*_pretrained(results), *results.of(*STAGES)]
    those = trained or [run for run in results.runs if not _is_transformer(run)]
    models = sorted({run.model for run in those if run.model})
    if not models:
        return "HyenaDNA: baselines alone"
    genomes = sorted({run.subject for run in results.of("pretrain")})
    names = ", ".join(models) if len(models) <= 3 else formats.plural(len(models), "model")
    pretrained = f", pretrained on {', '.join(genomes)}" if genomes else ""
    return f"HyenaDNA {names}".strip() + pretrained


def _sentences(ours: Judged) -> Iterator[str]:
    results, scores = ours.results, ours.scores
    pretrained = _lowest_perplexity(_pretrained(results))
    if pretrained:
        yield _perplexity_sentence(pretrained)
    models = sorted({score.model for score in scores if score.model})
    said: list[str] = []
    for model in models if len(models) <= MOST_MODELS else [""]:
        of_model = [score for score in scores if score.model and model in ("", score.model)]
        said += _benchmark_sentences(model, replace(ours, scores=of_model))
    yield from said
    if any("chance" in sentence for sentence in said):
        yield BEYOND_CHANCE
    yield from _shortcut_sentence(scores)
    if results.runs and not against_baseline(ours):
        yield "No model trained on a benchmark can be compared with a baseline yet."
    own = {run.model for run in results.of("pretrain", *STAGES)}
    # Embeddings of others' models are there to compare with.
    biotypes = sorted(results.of("biotypes"), key=lambda run: run.model not in own)
    for run in biotypes[:1]:
        yield from _biotype_sentence(run)


def _pretrained(results: Results) -> list[Run]:
    """Return what was pretrained but for Transformers, which are there to compare with."""
    return [run for run in results.of("pretrain") if not _is_transformer(run)]


def _is_transformer(run: Run) -> bool:
    return run.info.mixer == "attention"


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


def _benchmark_sentences(model: str, ours: Judged) -> Iterator[str]:
    """Set what was trained beside each rival, given the model's name, empty of several as one."""
    name = f"the {TRAINED[ours.stage]} {model}" if model else f"a {ours.model}"
    rivals, paired = against_baseline(ours), against_scratch(ours)
    if rivals:
        pairs = [(score, score.best_baseline) for score in rivals]
        yield _compared(ours, pairs, name, "the best trivial baseline")
    if paired:
        pairs = [(score, "scratch") for score in paired]
        yield _compared(
            ours,
            pairs,
            "it" if rivals else name,
            "the same network trained from random weights",
        )
    yield from _published_sentence(ours, "it" if rivals or paired else name)


def _compared(
    ours: Judged, pairs: Sequence[tuple[Score, str | None]], name: str, rival: str
) -> str:
    """Say on how many benchmarks a model is above a rival; of one alone, where it stands."""
    gains = [ours.gain(*pair) for pair in pairs]
    above = sum(score.beats(ours.stage, other) for score, other in pairs)
    if len(pairs) > 1:
        counted = f"{above or 'none'} of {_benchmarks([score for score, _ in pairs])}"
        return f"On {counted} {name} scores above {rival}{_beyond_chance(gains)}."
    ((score, other),), (gain,) = pairs, gains
    below = score.beats(other or "", ours.stage)
    if not above and not below:
        return f"On {score.benchmark} {name} scores level with {rival}."
    relation = "above" if above else "below"
    chance = ", beyond chance" if gain.excludes_zero else ", which may be chance"
    return f"On {score.benchmark} {name} scores {relation} {rival}{chance * gain.is_known}."


def _benchmarks(scores: list[Score]) -> str:
    """Count benchmarks, or runs of several models on them."""
    several = len({score.benchmark for score in scores}) < len(scores)
    return (
        formats.plural(len(scores), "pair") + " of model and benchmark"
        if several
        else (formats.plural(len(scores), "benchmark"))
    )


def _beyond_chance(gains: list[Interval]) -> str:
    """Say how many gains and losses are beyond chance, nothing where no interval is known."""
    judged = [gain for gain in gains if gain.is_known]
    up, down = sum(gain.low > 0 for gain in judged), sum(gain.high < 0 for gain in judged)
    worse = f"; on {down} it is below, beyond chance" if down else ""
    return f", on {up or 'none'} beyond chance{worse}" if judged else ""


def _published_sentence(ours: Judged, name: str) -> Iterator[str]:
    """Set what is judged beside the published model, by the protocol that fits best."""
    found = [(score, ours.published(score)) for score in ours.scores if ours.stage in score.means]
    pairs = [(score, row) for score, row in found if row]
    gains = [ours.gain_on_published(score) for score, _ in pairs]
    on_test = [score for score, row in pairs if ours.results.published.selects_on_test(row)]
    if len(pairs) > MOST_NAMED:
        reached = sum(round(gain.value, DECIMALS) >= 0 for gain in gains)
        doubt = f" Of what is published, {len(on_test)} were selected on test." if on_test else ""
        counted = f"{reached or 'none'} of {_benchmarks([score for score, _ in pairs])}"
        yield (
            f"On {counted} {name} reaches the score of the published {REFERENCE}"
            f"{_beyond_chance(gains)}.{doubt}"
        )
    elif pairs:
        told = [
            f"{score.metric} {formats.score(row.value)} on {score.benchmark} (ours: "
            f"{formats.score(score.means[ours.stage])})"
            for score, row in pairs
        ]
        yield f"The published {REFERENCE} reached {formats.listed(told)}."
        if on_test:
            names = formats.listed([score.benchmark for score in on_test])
            which = f"What it reached on {names}" if len(pairs) > 1 else "That"
            yield f"{which} was selected on the test split, which ours was not."


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


def against_baseline(ours: Judged) -> list[Score]:
    """Return the benchmarks where what is judged can be compared with a baseline."""
    return [of for of in ours.scores if of.best_baseline and ours.stage in of.means]


def against_scratch(ours: Judged) -> list[Score]:
    """Return the benchmarks where what is judged can be compared with its random twin."""
    if ours.stage == "scratch":
        return []
    return [of for of in ours.scores if {ours.stage, "scratch"} <= of.means.keys()]


def _facts(ours: Judged) -> Iterator[Fact]:
    results = ours.results
    pretrained = _lowest_perplexity(_pretrained(results))
    if pretrained:
        split = _judged_on(pretrained)
        chain = min(markov(pretrained, split).values(), default=math.nan)
        yield Fact(
            f"{SPLITS[split].capitalize()} perplexity",
            formats.score(_perplexity(pretrained)),
            f"best Markov chain {formats.score(chain)}" if math.isfinite(chain) else "",
        )
    rivals, paired = against_baseline(ours), against_scratch(ours)
    if rivals:
        won = sum(score.beats(ours.stage, score.best_baseline) for score in rivals)
        gains = [ours.gain(score, score.best_baseline) for score in rivals]
        yield Fact("Above every trivial baseline", f"{won} of {len(rivals)}", _note(rivals, gains))
    if paired:
        helped = sum(score.beats(ours.stage, "scratch") for score in paired)
        gains = [ours.gain(score, "scratch") for score in paired]
        yield Fact(
            "Above training from scratch", f"{helped} of {len(paired)}", _note(paired, gains)
        )
    gained = [(score, ours.gain_on_published(score)) for score in ours.scores]
    known = [(score, of) for score, of in gained if math.isfinite(of.value)]
    if known:
        published = [of for _, of in known]
        reached = sum(round(of.value, DECIMALS) >= 0 for of in published)
        label = f"Level with the published {REFERENCE} or above"
        note = _note([score for score, _ in known], published)
        yield Fact(label, f"{reached} of {len(published)}", note)
    if results.runs:
        seconds = math.fsum(run.info.seconds for run in results.runs if run.info.seconds > 0)
        note = formats.plural(len(results.runs), "run") + ", summed"
        yield Fact("Time in runs", formats.duration(seconds), note)


def _note(scores: list[Score], gains: list[Interval]) -> str:
    """Say what is counted and how many of it are beyond chance, in small print."""
    several = len({score.benchmark for score in scores}) < len(scores)
    benchmarks = "benchmark" if len(scores) == 1 else "benchmarks"
    what = "pairs of model and benchmark" if several else benchmarks
    if not any(gain.is_known for gain in gains):
        return what
    return f"{what}, {sum(gain.low > 0 for gain in gains)} beyond chance"
