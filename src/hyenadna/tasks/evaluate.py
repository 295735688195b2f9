"""Evaluation of a trained classifier on a split: of its own benchmark, or of any like it.

N items, C classes or targets.
"""

from pathlib import Path

import yaml

from hyenadna.errors import InputError
from hyenadna.model.device import resolve_device
from hyenadna.model.heads import SequenceClassifier
from hyenadna.model.networks import Classifier, load_classifier
from hyenadna.settings import parse
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.batches import Examples, settle_length, strand_outputs
from hyenadna.tasks.outcome import log_scores, predicted, write_outcome
from hyenadna.tasks.splits import check_metric, checksums, load, weight_checksums
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import FinetuneRecipe
from hyenadna.training.run import Identity, Run


def evaluate(
    benchmark: Benchmark, *, weights: Path, out: Path, split: Split = "test", device: str = "auto"
) -> Path:
    """Score a fine-tuned classifier on one split and return `out`.

    Items are read as they were in its training: the length, strands and arithmetic are those of
    the recipe in the `config.yaml` beside the weights. Writes what fine-tuning writes of a test
    split; what is leaked is not known here.

    Args:
        benchmark: whose items have the classes or targets of the classifier, in its order.
        weights: directory of a fine-tuning run.
        out, device: directory to write, and what computes.
        split: train, valid (where the data has it) or test.

    Raises:
        InputError: no classifier, other classes, malformed data, or items that do not fit.
    """
    classifier = load_classifier(weights)
    recipe = _recipe(weights)
    identity = Identity(
        stage="evaluate",
        seed=0,
        settings={
            "benchmark": benchmark.identity(),
            "recipe": recipe.model_dump(mode="json"),
            "split": split,
        },
        data=checksums(benchmark) | weight_checksums(weights),
        benchmark=benchmark.name,
    )
    with Run(out, identity, device=resolve_device(device)) as run:
        if not run.finished:
            _evaluate(benchmark, classifier, recipe, split, run)
    return out


def _recipe(weights: Path) -> FinetuneRecipe:
    """Return the recipe by which a run was made."""
    path = weights / "config.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return parse(FinetuneRecipe, content["recipe"], source=path)
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        raise InputError(
            f"{path}: is not there, or has no recipe; give the directory of a fine-tuning run"
        ) from None


def _evaluate(
    benchmark: Benchmark, classifier: Classifier, recipe: FinetuneRecipe, split: Split, run: Run
) -> None:
    items = load(benchmark, split)
    check_metric(benchmark, items.kind)
    if (items.classes, items.kind) != (classifier.classes, classifier.kind):
        raise InputError(
            f"benchmark {benchmark.name}: {split} has the {items.kind}-label classes "
            f"{', '.join(items.classes[:8])}, and the classifier the {classifier.kind}-label ones "
            f"{', '.join((classifier.classes or ('without names',))[:8])}; they must be the same"
        )
    network = classifier.model if isinstance(classifier, SequenceClassifier) else classifier
    longest, cropped = settle_length({split: items}, recipe, network.config)
    precision = Precision(recipe, run.device)
    outputs = strand_outputs(
        classifier.to(run.device), Examples(items, longest=longest), precision, recipe
    )
    scores = predicted(outputs, items.kind)
    log_scores(run, 0, split, items, scores)
    written = write_outcome(run, items, scores, metric=benchmark.metric, split=split)
    run.publish(
        metric=benchmark.metric,
        kind=items.kind,
        classes=list(items.classes),
        counts={split: len(items)},
        cropped=cropped,
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        **written,
    )
