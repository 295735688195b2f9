"""Perplexity against context: what was measured, and its table."""

import math
import re
from dataclasses import dataclass

from hyenadna.report import formats
from hyenadna.report.inputs.results import Run
from hyenadna.report.inputs.tree import MOST_DIGITS
from hyenadna.report.scores import markov
from hyenadna.report.tables.cells import Cell, Column, Table, mark_best, number

PUBLISHED = (
    "The paper draws this curve for the human genome, from 1,000 to 1,000,000 nucleotides and with "
    "a 2-layer Transformer up to 16,000, on an axis from 2.9 to 3.3; it gives no numbers."
)


@dataclass(frozen=True)
class Series:
    """One model on one genome, with its scores at each context, shortest first."""

    run: Run
    label: str
    split: str
    contexts: tuple[int, ...]

    def value(self, context: int, name: str) -> float:
        """Return perplexity, bits_per_base or accuracy at a context, NaN where there is none."""
        return self.run.metrics.last(self.split, f"context{context}.{name}")

    @property
    def is_transformer(self) -> bool:
        """Whether attention stands in place of the Hyena operator."""
        return self.run.info.mixer == "attention"


def by_genome(runs: list[Run]) -> dict[str, list[Series]]:
    """Gather what was measured by genome, Transformers last; runs without a score are left out."""
    found: dict[str, list[Series]] = {}
    for run in runs:
        split, contexts = _measured(run)
        if contexts:
            twins = [of for of in runs if (of.model, of.subject) == (run.model, run.subject)]
            label = run.model if len(twins) == 1 else f"{run.model}, seed {run.seed}"
            found.setdefault(run.subject, []).append(Series(run, label, split, contexts))
    return {
        genome: sorted(series, key=lambda of: of.is_transformer) for genome, series in found.items()
    }


def best_chain(series: list[Series]) -> tuple[int, float]:
    """Return order and perplexity of the best Markov chain beside the first that has any."""
    for of in series:
        chains = markov(of.run, of.split)
        if chains:
            order = min(chains, key=chains.__getitem__)
            return order, chains[order]
    return 0, math.nan


def table(genome: str, series: list[Series]) -> Table:
    """Show perplexity and bits per base of each model at each context."""
    shown = {"perplexity": "perplexity", "bits_per_base": "bits per base"}
    contexts = sorted({context for of in series for context in of.contexts})
    rows = [
        [
            Cell(formats.count(context), value=context),
            *(number(of.value(context, name)) for of in series for name in shown),
        ]
        for context in contexts
    ]
    for column in range(1, len(shown) * len(series) + 1):
        mark_best(rows, column, highest=False)
    order, perplexity = best_chain(series)
    chain = (
        f" The best Markov chain, of order {order}, has perplexity {formats.score(perplexity)}."
        if math.isfinite(perplexity)
        else ""
    )
    return Table(
        name=f"contexts-{genome}",
        title=f"Perplexity by context on {genome}",
        caption=f"The same bases of split {series[0].split} at every context of a model.{chain}",
        columns=[
            Column("Context, nucleotides"),
            *(Column(f"{of.label} {title}") for of in series for title in shown.values()),
        ],
        rows=rows,
        sources=tuple(of.run.metrics_file for of in series),
        marks_best="column",
    )


def _measured(run: Run) -> tuple[str, tuple[int, ...]]:
    """Return the split and the contexts that a run has scores of."""
    found = {
        (split, int(match[1]))
        for split, name in run.metrics.series
        if (match := re.fullmatch(rf"context(\d{{1,{MOST_DIGITS}}})\.perplexity", name))
    }
    splits = {split for split, _ in found}
    split = "test" if "test" in splits else min(splits, default="")
    return split, tuple(sorted(context for of, context in found if of == split))
