"""Perplexity against context, and what a base costs by the number of bases before it."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import HUES, SOFT, Figure, new, rendered, to_tsv
from hyenadna.report.figures.frames import MARKERS, legend_beside, name_lengths
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import Floats, PositionCosts, Run
from hyenadna.report.tables.contexts import Series, best_chain, by_genome

MAX_BITS = 2.1
"""Costs above are cut off: little more than guessing, they belong to the first positions."""


def curves(runs: list[Run], positions: list[PositionCosts]) -> Iterator[Figure]:
    """Draw both figures of each genome."""
    for genome, series in by_genome(runs).items():
        yield _by_context(genome, series)
        costs = {of.run.path: of for of in positions}
        known = [(of, costs[of.run.path]) for of in series if of.run.path in costs]
        if known:
            yield _by_position(genome, known)


def _by_context(genome: str, series: list[Series]) -> Figure:
    figure, (axes,) = new(7.0, 3.4)
    for index, of in enumerate(series):
        values = [of.value(context, "perplexity") for context in of.contexts]
        label = f"{formats.shortened(of.label)} {formats.score(values[-1])}"
        (line,) = axes.plot(of.contexts, values, label=label, **_look(index, of))
        hover(
            line,
            [
                f"{of.label}\ncontext {formats.count(context)}: perplexity {formats.score(value)}"
                for context, value in zip(of.contexts, values, strict=True)
            ],
        )
    order, chain = best_chain(series)
    if math.isfinite(chain):
        label = f"Markov order {order} {formats.score(chain)}"
        line = axes.axhline(chain, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)), label=label)
        hover(line, f"Markov chain of order {order}\nperplexity {formats.score(chain)}")
    axes.set_ylabel("perplexity")
    name_lengths(axes, {context for of in series for context in of.contexts})
    axes.set_xlabel("context, nucleotides")
    legend_beside(axes, "at the longest context")
    return Figure(
        name=identifier("context", genome),
        title=f"Perplexity against context on {genome}",
        caption="A trained model predicts the same bases from windows of several lengths: the next "
        "base after at most that many. Lower is better, 4 is guessing. Dashed: attention in place "
        "of the Hyena operator. Models whose longest contexts differ are scored on other regions "
        "of the same split.",
        description=". ".join(map(_in_words, series)) + ".",
        drawing=rendered(figure),
        data=to_tsv("model context perplexity", _points(series)),
        sources=tuple(of.run.metrics_file for of in series),
    )


def _points(series: list[Series]) -> Iterator[Sequence[object]]:
    for of in series:
        for context in of.contexts:
            yield of.label, context, of.value(context, "perplexity")
    order, chain = best_chain(series)
    if math.isfinite(chain):
        yield f"Markov order {order}", "", chain


def _by_position(genome: str, known: list[tuple[Series, PositionCosts]]) -> Figure:
    figure, (axes,) = new(7.0, 3.4)
    words = []
    for index, (of, costs) in enumerate(known):
        before, bits = costs.at_longest_context()
        label = f"{formats.shortened(of.label)} {formats.score(float(bits[-1]))}"
        (line,) = axes.plot(before, bits, label=label, **_look(index, of))
        hover(
            line,
            [
                f"{of.label}\nafter about {formats.count(at)} bases: {formats.score(value)} bits"
                for at, value in zip(before.tolist(), bits.tolist(), strict=True)
            ],
        )
        words.append(_costs_in_words(of.label, before, bits))
    axes.set_ylabel("bits per base")
    axes.set_ylim(top=min(axes.get_ylim()[1], MAX_BITS))
    name_lengths(axes, {1, *(int(costs.context.max()) for _, costs in known)})
    axes.set_xlabel("bases before the one predicted")
    legend_beside(axes, "at the last positions")
    return Figure(
        name=identifier("positions", genome),
        title=f"Bits per base by position in the window on {genome}",
        caption="Each model at its longest context. Marks stand for positions 0, 1, 2–3, 4–7, … "
        "of a window, each the mean over the bases there, of which the first positions have few. 2 "
        f"bits is guessing; costs above {MAX_BITS} lie outside the frame.",
        description=". ".join(words) + ".",
        drawing=rendered(figure),
        data=to_tsv(
            "model bases_before bits_per_base",
            (
                (of.label, *point)
                for of, costs in known
                for point in zip(*costs.at_longest_context(), strict=True)
            ),
        ),
        sources=tuple(costs.path for _, costs in known),
    )


def _look(index: int, of: Series) -> dict[str, Any]:
    return {
        "color": HUES[index % len(HUES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 4.5,
        "linestyle": "--" if of.is_transformer else "-",
        "linewidth": 1.4,
    }


def _in_words(of: Series) -> str:
    first, last = of.contexts[0], of.contexts[-1]
    text = f"{of.label}: perplexity {formats.score(of.value(first, 'perplexity'))}"
    text += f" at {formats.count(first)}"
    if last != first:
        text += f", {formats.score(of.value(last, 'perplexity'))} at {formats.count(last)}"
    return text


def _costs_in_words(label: str, before: Floats, bits: Floats) -> str:
    return (
        f"{label}: {formats.score(float(bits[0]))} after {formats.count(before[0])}, "
        f"{formats.score(float(bits[-1]))} after about {formats.count(before[-1])}"
    )
