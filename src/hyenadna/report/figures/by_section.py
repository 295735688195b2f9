"""The figures of the report, by section of the page."""

from hyenadna.report.bench import comparisons
from hyenadna.report.figures import (
    bench_figures,
    context_figures,
    cost_figures,
    device_figures,
    embedding_figures,
    family_figures,
    leak_figures,
    learning_figures,
    outcome_figures,
    pretraining_figures,
    prompt_figures,
    score_figures,
    workflow_figure,
)
from hyenadna.report.figures.drawing import Figure, style
from hyenadna.report.inputs.results import Results
from hyenadna.report.scores import Score
from hyenadna.report.tables import task_tables


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
            "learning": list(learning_figures.curves(scores)),
            "behind": list(outcome_figures.behind(results)),
            "leaks": list(leak_figures.with_and_without_leaks(scores)),
            "chromatin_profile": list(family_figures.by_group(scores, results.published)),
            "species": list(family_figures.by_length(scores, results.published)),
            "in_context": list(prompt_figures.curves(task_tables.prompted(results))),
            "biotypes": list(embedding_figures.maps(results.maps)),
            "length": [
                *bench_figures.by_length(comparisons(results.bench)),
                *device_figures.by_device(comparisons(results.bench)),
            ],
            "workflow": list(workflow_figure.drawn(results)),
            "timings": list(cost_figures.timings(results.jobs)),
        }
