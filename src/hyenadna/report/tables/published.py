"""Published scores beside ours: each protocol a table, and never one column with ours."""

import math
from collections.abc import Callable, Collection
from dataclasses import replace

from hyenadna.report import anchors, formats
from hyenadna.report.families import TITLES
from hyenadna.report.inputs.literature import Published, PublishedScore
from hyenadna.report.inputs.results import Run
from hyenadna.report.scores import Score, Spread
from hyenadna.report.tables.cells import Cell, Column, Table, number, spread, texts
from hyenadna.report.tables.paper_protocol import Selected

REFERENCE = "HyenaDNA"
"""The published model that ours is set beside."""

UNVERIFIED = "unverified"
"""How the remark on a number begins that was not read in its source."""

UNNAMED = {"f1": "f1_macro"}
"""What we measure where a source does not say which average it is."""

Ours = tuple[str, Callable[[str, str], Cell]]
"""Title of a column, and its cell by benchmark and metric."""


def beside(of: Published, family: str, selected_on: str) -> list[str]:
    """Return the protocols whose scores may stand beside ours: those that select on the same split.

    Where no published scores of a family were selected on validation data, those selected on test
    are all that there is.
    """
    protocols: dict[str, list[str]] = {}
    for (name, protocol), split in of.selected_on.items():
        if name == family:
            protocols.setdefault(split, []).append(protocol)
    if selected_on == "valid" and "valid" not in protocols:
        return protocols.get("test", [])
    return protocols.get(selected_on, []) if selected_on else []


def reference(of: Published, score: Score, protocols: list[str]) -> PublishedScore | None:
    """Return what the published model scores on a benchmark by one of some protocols."""
    return next(
        (
            row
            for row in of.scores
            if row.model == REFERENCE
            and row.benchmark == score.benchmark
            and row.protocol in protocols
            and UNNAMED.get(row.metric, row.metric) == score.metric
        ),
        None,
    )


def tables(
    of: Published, scores: list[Score], selected: list[Selected], genes: list[Run]
) -> dict[tuple[str, str], Table]:
    """Return a table for each family and protocol with a benchmark that we have a score in.

    Args:
        of: what others have published.
        scores: ours.
        selected: ours by the protocol of the paper.
        genes: our runs on biotypes.
    """
    known = {score.benchmark for score in scores} | {best.benchmark for best in selected}
    known |= {run.subject for run in genes}
    rows: dict[tuple[str, str], list[PublishedScore]] = {}
    for row in of.scores:
        if row.benchmark in known:
            rows.setdefault((row.family, row.protocol), []).append(row)
    return {
        (family, protocol): _table(
            of,
            those,
            _ours(scores, selected if protocol == "paper" else [], genes),
            linked={score.benchmark for score in scores},
        )
        for (family, protocol), those in rows.items()
    }


def grids(of: Published, tables_shown: Collection[Table]) -> list[Table]:
    """Show what was searched for published scores, if there are any to show."""
    if not of.grid or not tables_shown:
        return []
    return [
        Table(
            name="published-grids",
            title="Published hyper-parameter grids",
            caption="Which point of a grid gave a published score was not published.",
            columns=texts("Family", "Name", "Values", "Source"),
            rows=[
                [Cell(row.family), *map(Cell, (row.name, row.values, row.source))]
                for row in of.grid
            ],
            sources=(of.paths["grids"],),
        )
    ]


def _ours(scores: list[Score], selected: list[Selected], genes: list[Run]) -> list[Ours]:
    """Return a column for each model of ours, one by the paper's protocol, one by embeddings."""

    def honest(model: str) -> Callable[[str, str], Cell]:
        by_name = {score.benchmark: score for score in scores if score.model == model}

        def measured(benchmark: str, metric: str) -> Cell:
            score = by_name.get(benchmark)
            runs = score.runs if score else ()
            return _over_seeds([run for run in runs if run.stage == "finetune"], metric)

        return measured

    def best(model: str) -> Callable[[str, str], Cell]:
        by_name = {of.benchmark: of.best for of in selected if of.model == model}

        def measured(benchmark: str, metric: str) -> Cell:
            return _over_seeds([by_name[benchmark]] if benchmark in by_name else [], metric)

        return measured

    def embedded(run: Run) -> Callable[[str, str], Cell]:
        def measured(benchmark: str, metric: str) -> Cell:
            return _over_seeds([run] if run.subject == benchmark else [], f"embedding.{metric}")

        return measured

    models = dict.fromkeys(score.model for score in scores if score.model)
    columns = [(f"Ours: {model}, fine-tuned", honest(model)) for model in models]
    rivals = dict.fromkeys(of.model for of in selected)
    columns += [(f"Ours: {model}, selected on test", best(model)) for model in rivals]
    return columns + [(f"Ours: {run.model}, embedding", embedded(run)) for run in genes]


def _over_seeds(runs: list[Run], name: str) -> Cell:
    """Return a test score over those runs that have one, and their files."""
    scored = [run for run in runs if name in run.metrics.names("test")]
    cell = spread(Spread.of(run.metrics.last("test", name) for run in scored))
    return replace(cell, sources=tuple(run.metrics_file for run in scored))


def _table(
    of: Published, rows: list[PublishedScore], ours: list[Ours], *, linked: set[str]
) -> Table:
    """Show the rows of one family and protocol, and link those benchmarks that have a page."""
    family, protocol = rows[0].family, rows[0].protocol
    cells = {(row.benchmark, row.metric, row.model): row for row in rows}
    keys = list(dict.fromkeys((row.benchmark, row.metric) for row in rows))
    sizes: dict[str, set[str]] = {}
    for row in rows:
        sizes.setdefault(row.model, set()).add("" if row.is_summary else row.parameters)
    mine = _measured(ours, keys)
    return Table(
        name=f"published-{family}-{protocol}",
        title=f"Published scores: {TITLES.get(family, family)}, protocol {protocol}",
        caption=" ".join(
            [of.meanings.get((family, protocol), ""), _caption(rows, has_ours=bool(mine))]
        ),
        columns=[
            *texts("Benchmark", "Metric"),
            *(Column(title, spread=True) for title, _ in mine),
            *(
                Column(_titled(model, *of) if len(of) == 1 else model)
                for model, of in sizes.items()
            ),
        ],
        rows=[
            [
                Cell(
                    key[0],
                    link=anchors.of_benchmark(key[0]) if key[0] in linked else "",
                    sources=(of.paths[family],),
                ),
                Cell(key[1]),
                *(column[index] for _, column in mine),
                *(
                    _published(cells.get((*key, model)), sizes_differ=len(of) > 1)
                    for model, of in sizes.items()
                ),
            ]
            for index, key in enumerate(keys)
        ],
        sources=(
            of.paths[family],
            *dict.fromkeys(file for _, column in mine for cell in column for file in cell.sources),
        ),
    )


def _measured(ours: list[Ours], keys: list[tuple[str, str]]) -> list[tuple[str, list[Cell]]]:
    """Return the columns of ours that have a number for any benchmark and metric."""
    columns = [
        (title, [cell_of(name, UNNAMED.get(metric, metric)) for name, metric in keys])
        for title, cell_of in ours
    ]
    return [(title, column) for title, column in columns if any(cell.n for cell in column)]


def _titled(model: str, parameters: str) -> str:
    return f"{model} ({parameters})" if parameters else model


def _published(row: PublishedScore | None, *, sizes_differ: bool) -> Cell:
    if row is None:
        return Cell(formats.NOTHING)
    notes = [row.parameters] if sizes_differ else []
    notes += [f"{row.spread_is} {formats.score(row.spread)}" if math.isfinite(row.spread) else ""]
    notes.append(row.remarks.partition(";")[0] if row.is_summary else "")
    doubt = "?" if row.remarks.startswith(UNVERIFIED) else ""
    cell = number(row.value)
    return replace(cell, text=cell.text + doubt, note=", ".join(filter(None, notes)))


def _caption(rows: list[PublishedScore], *, has_ours: bool) -> str:
    by_source: dict[str, list[str]] = {}
    for row in rows:
        of_source = by_source.setdefault(row.source, [])
        if row.model not in of_source and not row.is_summary:
            of_source.append(row.model)
    said = "; ".join(f"{source}: {', '.join(models)}" for source, models in by_source.items())
    unnamed = any(row.metric in UNNAMED for row in rows)
    doubt = any(row.remarks.startswith(UNVERIFIED) for row in rows)
    return (
        f"Numbers as published ({said})."
        + (" A question mark: not read in the source itself." if doubt else "")
        + (" Which average f1 is, the source does not say; ours is f1_macro." if unnamed else "")
        + (
            " Columns headed Ours are ours, mean ± sd over n seeds: by "
            "our own protocol, but for those selected on test."
            if has_ours
            else ""
        )
    )
