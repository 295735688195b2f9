"""The tables of a family of benchmarks, by protocol and by what they show."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hyenadna.report import formats
from hyenadna.report.families import Family
from hyenadna.report.formats import TITLES
from hyenadna.report.inputs.results import RunInfo
from hyenadna.report.scores import Score, baselines_in_use
from hyenadna.report.tables import published
from hyenadna.report.tables.cells import Cell, Column, Table, texts
from hyenadna.report.tables.compared import baseline_score, of_family
from hyenadna.report.tables.protocols import SELECTED_ON_TEST, Judged
from hyenadna.report.tables.summaries import names_of


def tables(
    family: Family, by_protocol: list[Judged], literature: Mapping[tuple[str, str], Table]
) -> Iterator[Table]:
    """Yield what there is by each protocol: comparison, baselines, and others' scores.

    Args:
        family: of which the benchmarks are.
        by_protocol: their scores, ours first.
        literature: published scores by family and protocol.
    """
    for of in by_protocol:
        shown = [of_family(family, of)]
        if baselines_in_use(of.scores) and of.protocol is not SELECTED_ON_TEST:
            shown.append(baselines(family, of))
        protocols = published.beside(of.results.published, family.name, of.protocol.selected_on)
        those = [literature.get((family.name, protocol)) for protocol in protocols]
        found = [table for table in those if table]
        for number, table in enumerate(found, start=1):
            which = f" {number}" if len(found) > 1 else ""
            shown.append(replace(table, view=f"Published scores{which}"))
        yield from (replace(table, choice=of.protocol.choice) for table in shown)


def baselines(family: Family, of: Judged) -> Table:
    """Show every baseline of each benchmark, once whatever the number of models, and its data."""
    by_name = {score.benchmark: score for score in reversed(of.scores)}
    scores = list(reversed(by_name.values()))
    methods = baselines_in_use(scores)
    return Table(
        name=f"baselines-{of.protocol.name}-{family.name}",
        title=f"{family.title}: baselines and data",
        caption="What can be had without a network, on "
        + ("the clean part of the test split." if of.protocol.clean else "the whole test split.")
        + " Items are train / validation / test.",
        view="Baselines and data",
        columns=[
            *texts("Benchmark", "Metric"),
            *(Column(TITLES[method]) for method in methods),
            Column("Classes"),
            Column("Items"),
        ],
        rows=[
            [
                names_of(score, scores)[0],
                Cell(score.metric),
                *(
                    replace(baseline_score(score, name), best=name == score.best_baseline)
                    for name in methods
                ),
                _classes(score),
                _items(score.info),
            ]
            for score in scores
        ],
        sources=tuple(
            run.metrics_file for score in scores for run in score.runs if run.stage == "baselines"
        ),
        marks_best="row",
    )


def _items(info: RunInfo) -> Cell:
    shown = [formats.count(info.counts.get(split)) for split in ("train", "valid", "test")]
    cropped = sum(info.cropped.values())
    return Cell(
        " / ".join(shown) if info.counts else formats.NOTHING,
        note=f"{cropped:,} cropped" if cropped else "",
        value="/".join(str(info.counts.get(split, 0)) for split in ("train", "valid", "test")),
    )


def _classes(score: Score) -> Cell:
    n = len(score.info.classes)
    note = {"multi": "labels", "regression": "targets"}.get(score.info.kind, "")
    return Cell(str(n) if n else formats.NOTHING, note=note, value=n)
