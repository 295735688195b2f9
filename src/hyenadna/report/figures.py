"""The figures of the report, by section of the page."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from hyenadna.report import (
    bench_figures,
    context_figures,
    formats,
    outcome_figures,
    pretraining_figures,
    prompt_figures,
    score_figures,
    task_tables,
)
from hyenadna.report.bench import comparisons
from hyenadna.report.costs import by_rule
from hyenadna.report.drawing import (
    HUES,
    OTHER,
    TUNED,
    Figure,
    beside,
    identifier,
    name_rows,
    new,
    style,
    to_svg,
    to_tsv,
)
from hyenadna.report.results import EmbeddingMap, Job, Results
from hyenadna.report.scores import Score

MAP_CLASSES = 12
"""Biotypes with a colour and shape of their own; rarer ones share grey."""

MAP_VECTOR_POINTS = 4000
"""Above this many points, an embedding map holds an image of them and not each one."""

TIME_UNITS = (("hours", 3600), ("minutes", 60), ("seconds", 1))


def draw(results: Results, scores: list[Score]) -> dict[str, list[Figure]]:
    """Draw every figure that the results allow, by section of the page."""
    with style():
        return {
            "answer": list(score_figures.glance(scores)),
            "pretraining": [
                *pretraining_figures.curves(results.of("pretrain")),
                *context_figures.curves(results.of("context"), results.positions),
            ],
            "benchmarks": [score_figures.benchmark(score) for score in scores if score.means],
            "behind": list(outcome_figures.behind(results)),
            "leaks": list(outcome_figures.with_and_without_leaks(scores)),
            "in_context": list(prompt_figures.curves(task_tables.prompted(results))),
            "biotypes": list(_embeddings(results.maps)),
            "length": list(bench_figures.by_length(comparisons(results.bench))),
            "timings": list(_timings(results.jobs)),
        }


def _embeddings(maps: list[EmbeddingMap]) -> Iterator[Figure]:
    """Draw the maps of each run side by side."""
    by_run: dict[str, list[EmbeddingMap]] = {}
    for plane in maps:
        by_run.setdefault(plane.run.path, []).append(plane)
    return map(_embedding, by_run.values())


def _embedding(planes: list[EmbeddingMap]) -> Figure:
    run, counts = planes[0].run, Counter(planes[0].gene_types)
    named = sorted(counts, key=lambda kind: (-counts[kind], kind))[:MAP_CLASSES]
    rest = len(counts) - len(named)
    figure, panels = beside(2.6 + 3.9 * len(planes), 4.2, len(planes))
    for axes, plane in zip(panels, planes, strict=True):
        _scatter(axes, plane, named, rest)
    panels[-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, markerscale=1.6)
    methods = formats.listed([plane.method for plane in planes])
    return Figure(
        name=identifier("embedding", run.model, run.subject, f"seed{run.seed}"),
        title=f"Genes of {run.subject} as {run.model} sees them, seed {run.seed}",
        caption="Each mark is a gene: its mean hidden state, laid out in the plane by "
        f"{methods}. Only neighbourhood has a meaning; axes and distances between groups have "
        "none.",
        description=f"{methods}. Genes by biotype: "
        + ", ".join(f"{kind} {n:,}" for kind, n in counts.most_common())
        + ".",
        svg=to_svg(figure),
        data=to_tsv("method gene_id gene_type x y", _genes(planes)),
        sources=tuple(plane.path for plane in planes),
    )


def _genes(planes: list[EmbeddingMap]) -> Iterator[Sequence[object]]:
    for plane in planes:
        for gene in zip(plane.genes, plane.gene_types, plane.x, plane.y, strict=True):
            yield plane.method, *gene


def _scatter(axes: Axes, plane: EmbeddingMap, named: list[str], rest: int) -> None:
    kinds = np.array(plane.gene_types, dtype=object)
    rare = ~np.isin(kinds, named)
    layers = [(rare, OTHER, "o", f"{rest} others")] if rare.any() else []
    # The largest class goes below, so that it does not cover the others.
    layers += [
        (kinds == kind, HUES[i % len(HUES)], "o^s"[i % 3], kind) for i, kind in enumerate(named)
    ]
    for chosen, colour, marker, kind in layers:
        axes.scatter(
            plane.x[chosen], plane.y[chosen], s=16, c=colour, marker=marker, alpha=0.8,
            linewidths=0, rasterized=len(kinds) > MAP_VECTOR_POINTS,
            label=f"{formats.shortened(kind, 30)} ({int(chosen.sum()):,})",
        )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"{plane.method} 1", loc="left")
    axes.set_ylabel(f"{plane.method} 2", loc="bottom")


def _timings(jobs: list[Job]) -> Iterator[Figure]:
    costs = by_rule(jobs)
    if not costs:
        return
    unit, seconds = next((u for u in TIME_UNITS if costs[0].total >= 2 * u[1]), TIME_UNITS[-1])
    figure, (axes,) = new(7.0, 0.7 + 0.27 * len(costs))
    for row, cost in enumerate(costs):
        axes.barh(row, cost.total / seconds, height=0.62, color=TUNED)
        axes.annotate(
            formats.duration(cost.total), (cost.total / seconds, row), xytext=(5, 0),
            textcoords="offset points", va="center_baseline", fontsize=8.5,
        )  # fmt: skip
    name_rows(axes, [formats.shortened(cost.rule) for cost in costs])
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.14)
    axes.set_xlabel(f"{unit}, all jobs of a rule together")
    yield Figure(
        name="timings",
        title="Time by rule",
        caption="Wall-clock time that the workflow measured, summed over the jobs of each rule.",
        description=", ".join(f"{of.rule} {formats.duration(of.total)}" for of in costs) + ".",
        svg=to_svg(figure),
        data=to_tsv("rule jobs seconds", ((of.rule, of.jobs, of.total) for of in costs)),
        sources=tuple(job.path for job in jobs),
    )
