"""Genes in the plane, as the models see them, by biotype."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import HUES, OTHER, Figure, beside, rendered, to_tsv
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import EmbeddingMap

MAP_CLASSES = 12
"""Biotypes with a colour and shape of their own; rarer ones share grey."""

MAP_VECTOR_POINTS = 4000
"""Above this many points, the SVG file of a map holds an image of them and not each one."""


def maps(planes: list[EmbeddingMap]) -> Iterator[Figure]:
    """Draw the maps of each run side by side."""
    by_run: dict[str, list[EmbeddingMap]] = {}
    for plane in planes:
        by_run.setdefault(plane.run.path, []).append(plane)
    yield from map(_embedding, by_run.values())


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
        drawing=rendered(figure),
        data=to_tsv("method gene_id gene_name gene_type x y", _genes(planes)),
        sources=tuple(plane.path for plane in planes),
        model=run.model,
    )


def _genes(planes: list[EmbeddingMap]) -> Iterator[Sequence[object]]:
    for plane in planes:
        columns = (plane.genes, plane.gene_names, plane.gene_types, plane.x, plane.y)
        for gene in zip(*columns, strict=True):
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
        marks = axes.scatter(
            plane.x[chosen], plane.y[chosen], s=16, c=colour, marker=marker, alpha=0.8,
            linewidths=0, rasterized=len(kinds) > MAP_VECTOR_POINTS,
            label=f"{formats.shortened(kind, 30)} ({int(chosen.sum()):,})",
        )  # fmt: skip
        hover(marks, [_gene_in_words(plane, int(index)) for index in np.flatnonzero(chosen)])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"{plane.method} 1", loc="left")
    axes.set_ylabel(f"{plane.method} 2", loc="bottom")


def _gene_in_words(plane: EmbeddingMap, index: int) -> str:
    lines = (plane.gene_names[index], plane.genes[index], plane.gene_types[index])
    return "\n".join(dict.fromkeys(filter(None, lines)))  # some genes are called as their number
