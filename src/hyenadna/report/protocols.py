"""The same benchmarks by other protocols: without leaked items, and selected on the test split."""

from dataclasses import replace

from hyenadna.report import paper_protocol
from hyenadna.report.cells import Table
from hyenadna.report.results import Results
from hyenadna.report.scores import Score, Spread, baseline_scores
from hyenadna.report.tables import Protocol, glance

LEAK_FREE = Protocol(
    name="scores-leak-free",
    choice="Leak-free: without leaked test items",
    title="Test scores without leaked items",
    caption="Mean ± sample standard deviation over n seeds, on the test items that no train or "
    "validation item repeats or overlaps. The networks and baselines are those of the whole split.",
)
SELECTED_ON_TEST = Protocol(
    name="scores-selected-on-test",
    choice="Paper's: selected on the test split",
    title="Test scores selected on the test split",
    caption="The highest test score of a grid of fine-tuning runs, as the paper reports it: in "
    "part luck, and no estimate of what new data would give. Baselines were not selected.",
)


def tables(results: Results, scores: list[Score]) -> list[Table]:
    """Show the scores by each other protocol that there are any of."""
    found = {LEAK_FREE: _leak_free(scores), SELECTED_ON_TEST: _selected_on_test(results)}
    return [glance(of, protocol) for protocol, of in found.items() if of]


def _leak_free(scores: list[Score]) -> list[Score]:
    return [
        replace(
            score,
            baselines={
                name: of.mean for name, of in score.clean.items() if name in score.baselines
            },
            stages={name: of for name, of in score.clean.items() if name in score.stages},
        )
        for score in scores
        if score.clean
    ]


def _selected_on_test(results: Results) -> list[Score]:
    baselines = {run.subject: run for run in results.of("baselines")}
    found = []
    for of in paper_protocol.selected(results):
        baseline = baselines.get(of.benchmark)
        found.append(
            Score(
                benchmark=of.benchmark,
                model=of.model,
                metric=of.metric,
                info=of.best.info,
                baselines=baseline_scores(baseline, of.metric),
                stages={"finetune": Spread((of.score(of.best),))},
                runs=(*of.runs, *([baseline] if baseline else [])),
            )
        )
    return found
