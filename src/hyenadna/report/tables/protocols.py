"""Test scores by each protocol: ours, without leaked items, and selected on the test split."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from hyenadna.report import intervals
from hyenadna.report.inputs.literature import PublishedScore
from hyenadna.report.inputs.results import Results
from hyenadna.report.intervals import UNKNOWN, Interval
from hyenadna.report.scores import Score, Spread, baseline_scores, stages_in_use
from hyenadna.report.tables import paper_protocol, published


@dataclass(frozen=True)
class Protocol:
    """How test scores came about, in words for the tables that show them."""

    name: str
    """What the names of its tables begin with."""
    choice: str
    title: str
    caption: str
    selected_on: str = ""
    """Split that published scores beside it were selected on, empty where none stand beside it."""
    clean: bool = False
    """Whether leaked items are left out."""


OURS = Protocol(
    name="scores",
    choice="Ours: the whole test split, read once",
    title="Test scores",
    caption="Mean ± sample standard deviation over n seeds, on the whole test split.",
    selected_on="valid",
)
LEAK_FREE = Protocol(
    name="scores-leak-free",
    choice="Leak-free: without leaked test items",
    title="Test scores without leaked items",
    caption="Mean ± sample standard deviation over n seeds, on the test items that no train or "
    "validation item repeats or overlaps. The networks and baselines are those of the whole split.",
    clean=True,
)
SELECTED_ON_TEST = Protocol(
    name="scores-selected-on-test",
    choice="Paper's: selected on the test split",
    title="Test scores selected on the test split",
    caption="The highest test score of a grid of fine-tuning runs, as the paper reports it: in "
    "part luck, and no estimate of what new data would give. Baselines were not selected.",
    selected_on="test",
)


TRAINED = {"finetune": "fine-tuned", "probe": "frozen", "scratch": "from-scratch"}
"""What a model is called by the way that it was trained on a benchmark."""


@dataclass(frozen=True)
class Judged:
    """Scores by one protocol, and what is needed to set them beside others."""

    protocol: Protocol
    scores: list[Score]
    results: Results
    families: Mapping[str, str]
    """Family of each benchmark."""

    @cached_property
    def stage(self) -> str:
        """The way of training that is judged: fine-tuning, or what there is in its place."""
        return next(reversed(stages_in_use(self.scores)), "finetune")

    @property
    def model(self) -> str:
        """What is judged, in words."""
        return f"{TRAINED[self.stage]} model"

    def gain(self, score: Score, other: str | None) -> Interval:
        """Return by how much the model that is judged scores above a stage or a baseline."""
        if other == self.stage:
            return UNKNOWN
        if self.protocol is SELECTED_ON_TEST:  # the best of many has no spread of its own
            return Interval(score.difference(self.stage, other))
        return intervals.difference(
            self.results, score, self.stage, other, clean=self.protocol.clean
        )

    def published(self, score: Score) -> PublishedScore | None:
        """Return what the published model scores by the protocol that fits best."""
        family = self.families.get(score.benchmark, "")
        protocols = published.beside(self.results.published, family, self.protocol.selected_on)
        return published.reference(self.results.published, score, protocols)

    def gain_on_published(self, score: Score) -> Interval:
        """Return by how much the model that is judged scores above the published one."""
        row = self.published(score)
        value = row.value if row else math.nan
        if self.protocol is SELECTED_ON_TEST:
            return Interval(score.means.get(self.stage, math.nan) - value)
        return intervals.against(self.results, score, self.stage, value)


def judged(results: Results, scores: list[Score], families: Mapping[str, str]) -> list[Judged]:
    """Return the scores by ours, and by each other protocol that there are any of."""
    found = {
        OURS: scores,
        LEAK_FREE: _leak_free(scores),
        SELECTED_ON_TEST: _selected_on_test(results),
    }
    return [
        Judged(protocol, of, results, families)
        for protocol, of in found.items()
        if of or protocol is OURS
    ]


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
