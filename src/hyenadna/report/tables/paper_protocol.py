"""The protocol of the paper: the best of a grid, selected on the test split itself."""

import math
import statistics
from dataclasses import dataclass, replace

from hyenadna.report.inputs.results import Results, Run
from hyenadna.report.scores import Score, Spread, headline_metric
from hyenadna.report.tables.cells import Cell, Column, Table, difference, number, spread, texts


@dataclass(frozen=True)
class Selected:
    """One benchmark with one model: the grid point with the highest test score."""

    benchmark: str
    model: str
    metric: str
    runs: tuple[Run, ...]
    best: Run

    def score(self, run: Run) -> float:
        """Return the test score of one grid point."""
        return run.metrics.last("test", self.metric)


def selected(results: Results) -> list[Selected]:
    """Take the best point of each grid that has a score."""
    grids: dict[tuple[str, str], list[Run]] = {}
    for run in results.of("paper"):
        grids.setdefault((run.subject, run.model), []).append(run)
    found = []
    for (benchmark, model), runs in sorted(grids.items()):
        metric = headline_metric(runs)
        scored = [run for run in runs if math.isfinite(run.metrics.last("test", metric))]
        if scored:
            best = max(scored, key=lambda run: run.metrics.last("test", metric))
            found.append(Selected(benchmark, model, metric, tuple(scored), best))
    return found


def table(of: list[Selected], scores: list[Score]) -> Table:
    """Show what selection on the test split gives, beside the median point and our own protocol."""
    return Table(
        name="paper-protocol",
        title="Selected on the test split",
        caption="The protocol of the paper: the highest test score of all grid points, and of the "
        "epochs of each where that too was selected on test. Its gain over the median point is in "
        "part luck. Fine-tuned: our own protocol, which selects on validation items.",
        columns=[
            *texts("Benchmark", "Model", "Metric"),
            Column("Points"),
            Column("Best point, selected on test"),
            Column("Median point"),
            Column("Best over median"),
            Column("Fine-tuned, not selected on test", spread=True),
        ],
        rows=[_row(best, scores) for best in of],
        sources=tuple(run.metrics_file for best in of for run in best.runs),
    )


def _row(of: Selected, scores: list[Score]) -> list[Cell]:
    honest = next(
        (score for score in scores if (score.benchmark, score.model) == (of.benchmark, of.model)),
        None,
    )
    top, median = of.score(of.best), statistics.median(map(of.score, of.runs))
    return [
        Cell(of.benchmark, sources=tuple(run.metrics_file for run in of.runs)),
        Cell(of.model),
        Cell(of.metric),
        Cell(str(len(of.runs)), value=len(of.runs)),
        replace(number(top), note=of.best.repeat),
        number(median),
        difference(top - median),
        spread(honest.stages.get("finetune", Spread(())) if honest else Spread(())),
    ]
