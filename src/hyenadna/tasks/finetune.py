"""Fine-tuning: a classifier on a benchmark, selected on validation, tested once.

N items, B batch, C classes or targets.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.model import checkpoint
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.device import resolve_device
from hyenadna.model.networks import Classifier, NetworkConfig, build_classifier
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.batches import (
    BothStrands,
    Examples,
    Features,
    Source,
    settle_length,
    steps_per_epoch,
    strand_outputs,
    training_batches,
)
from hyenadna.tasks.leaks import find_leaks
from hyenadna.tasks.metrics import score
from hyenadna.tasks.objective import Objective, spread
from hyenadna.tasks.outcome import log_scores, predicted, write_outcome
from hyenadna.tasks.probe import fit_head, states_of
from hyenadna.tasks.splits import checksums, load_splits, weight_checksums
from hyenadna.training.loop import Batch, Course, fit
from hyenadna.training.plan import Plan
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import FinetuneRecipe
from hyenadna.training.run import Identity, Run

Splits = Mapping[Split, LabelledSet]

SHUFFLE = 1
"""Sets the permutation of shuffled labels apart from other draws of a seed."""


def finetune(
    benchmark: Benchmark,
    recipe: FinetuneRecipe,
    *,
    weights: Path | None,
    model: NetworkConfig | None,
    out: Path,
    seed: int,
    device: str = "auto",
) -> Path:
    """Train a classifier and return its output directory.

    The weights with the best headline metric on the validation split are kept, and these alone
    see the test split, once. Test scores are given for the whole split, and for the items that
    neither overlap nor repeat an item that was trained or selected on. A run that was stopped
    goes on from its last checkpoint.

    Args:
        benchmark, out, device: what is classified, where results go, and what computes.
        recipe: `train_backbone` false trains the head alone, on states of the frozen network.
        weights: pretrained model to start from; or
        model: shape of a network to train from random weights.
        seed: fixes the held-out items, random weights, batches and strands.

    Raises:
        InputError: the data is malformed, or does not fit the network.
        Interrupted: SIGTERM or SIGINT; the same call resumes.
    """
    torch.manual_seed(seed)
    stage = _stage(recipe, weights, model)
    network = _with_dropout(model, recipe) if model else _pretrained(weights, recipe)
    config = network.config if isinstance(network, HyenaDNA) else network
    identity = Identity(
        stage=stage,
        seed=seed,
        settings={
            "benchmark": benchmark.identity(),
            "model": config.model_dump(mode="json"),
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed,
        },
        data=checksums(benchmark) | (weight_checksums(weights) if weights else {}),
        benchmark=benchmark.name,
    )
    with Run(out, identity, device=resolve_device(device)) as run:
        if not run.finished:
            _train(benchmark, recipe, network, run=run)
    return out


def _stage(recipe: FinetuneRecipe, weights: Path | None, model: NetworkConfig | None) -> str:
    if (weights is None) == (model is None):
        raise InputError("give either weights (pretrained) or model (from scratch)")
    if model is not None and not recipe.train_backbone:
        raise InputError("training the head alone needs pretrained weights, not a model shape")
    if recipe.select_on == "test":
        return "paper"
    if model is not None:
        return "scratch"
    return "finetune" if recipe.train_backbone else "probe"


def _pretrained(weights: Path | None, recipe: FinetuneRecipe) -> HyenaDNA:
    loaded = checkpoint.load(str(weights))
    config = _with_dropout(loaded.config, recipe)
    assert isinstance(config, ModelConfig)
    return HyenaDNA.from_checkpoint(replace(loaded, config=config))


def _with_dropout(config: NetworkConfig, recipe: FinetuneRecipe) -> NetworkConfig:
    """Return the shape of a network with the dropout of a recipe that names one."""
    names = ("embed_dropout", "resid_dropout")
    given = {name: getattr(recipe, name) for name in names if getattr(recipe, name) is not None}
    if given and not isinstance(config, ModelConfig):
        raise InputError(f"the recipe has {', '.join(given)}, which this network does not have")
    return config.replace(**given) if given else config


@dataclass(frozen=True)
class _Trainee:
    """A network in training, and what it is fed with."""

    network: nn.Module
    """What is trained: a classifier, or its head alone."""
    sources: Mapping[Split, Source]
    precision: Precision
    recipe: FinetuneRecipe
    objective: Objective

    def outputs(self, split: Split) -> Tensor:
        """Return (N, C) for all items of a split."""
        return strand_outputs(self.network, self.sources[split], self.precision, self.recipe)

    def loss(self, network: nn.Module, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Return the sum of the loss over a batch of inputs and labels, and of its weights."""
        *inputs, labels = batch
        assert labels is not None
        outputs = network(*inputs).float()
        both = self.objective.strand_consistency
        return (self.objective.both_strands if both else self.objective)(outputs, labels)


def _train(
    benchmark: Benchmark,
    recipe: FinetuneRecipe,
    network: HyenaDNA | NetworkConfig,
    *,
    run: Run,
) -> None:
    seed = run.identity.seed
    splits = _read_splits(benchmark, recipe, seed)
    train = splits["train"]
    config = network.config if isinstance(network, HyenaDNA) else network
    longest, cropped = settle_length(splits, recipe, config)
    torch.manual_seed(seed)
    classifier = _classifier(network, train, recipe, longest).to(run.device)
    trainee = _trainee(splits, classifier, recipe, longest)
    # The weights of a run that goes on are in its checkpoint.
    if recipe.probe_penalty and run.resumed is None:
        known = trainee.sources["train"]
        if not isinstance(known, Features):
            known = states_of(classifier, train, recipe, longest=longest, seed=seed)
        fit_head(classifier.head, known, trainee.objective, penalty=recipe.probe_penalty)
    per_epoch = steps_per_epoch(trainee.sources["train"], recipe)
    course = Course(
        batches=partial(training_batches, trainee.sources["train"], recipe, seed),
        loss=trainee.loss,
        validate=lambda: _validate(trainee, splits["valid"], benchmark),
        validate_every=per_epoch,
        select=benchmark.metric,
        patience=recipe.patience,
    )
    plan = Plan.of_examples(recipe.epochs * per_epoch, batch_size=recipe.batch_size)
    step = fit(trainee.network, recipe, course, plan=plan, run=run, seed=seed)
    tested = _test(trainee, splits, benchmark, run, step)
    classifier.save_pretrained(run.staging)
    run.publish(
        protocol="paper" if recipe.select_on == "test" else "honest",
        selected_on=recipe.select_on,
        metric=benchmark.metric,
        kind=train.kind,
        classes=list(train.classes),
        counts={name: len(items) for name, items in splits.items()},
        cropped=cropped,
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
        **tested,
    )


def _read_splits(
    benchmark: Benchmark, recipe: FinetuneRecipe, seed: int
) -> dict[Split, LabelledSet]:
    splits = load_splits(
        benchmark,
        validation_fraction=recipe.validation_fraction,
        seed=seed,
        folds=recipe.folds,
        select_on=recipe.select_on,
    )
    if recipe.shuffle_labels:
        # Validation too, or it would select what happens to fit.
        splits |= {name: _shuffled(splits[name], seed) for name in ("train", "valid")}
    return splits


def _classifier(
    network: HyenaDNA | NetworkConfig, train: LabelledSet, recipe: FinetuneRecipe, longest: int
) -> Classifier:
    classifier = build_classifier(
        network,
        len(train.classes),
        pooling=recipe.pooling,
        classes=train.classes,
        kind=train.kind,
        longest=longest,
    )
    if train.kind == "regression":
        mean = train.labels.mean(axis=0, dtype=np.float64).astype(np.float32)
        classifier.head.standardise(torch.from_numpy(mean), torch.from_numpy(spread(train)))
    return classifier


def _shuffled(train: LabelledSet, seed: int) -> LabelledSet:
    order = np.random.default_rng((seed, SHUFFLE)).permutation(len(train))
    return replace(train, labels=train.labels[order])


def _trainee(
    splits: Splits, classifier: Classifier, recipe: FinetuneRecipe, longest: int
) -> _Trainee:
    """Return the part of the classifier that is trained, with what each split feeds to it."""
    precision = Precision(recipe, next(classifier.parameters()).device)
    objective = Objective.of(splits["train"], recipe)
    examples = {name: Examples(items, longest=longest) for name, items in splits.items()}
    sources: dict[Split, Source] = dict(examples)
    if recipe.strand_consistency:
        sources["train"] = BothStrands(examples["train"])
    if recipe.train_backbone:
        return _Trainee(classifier, sources, precision, recipe, objective)
    for name, of in examples.items():
        drawn = name == "train" and recipe.flip_strand > 0
        sources[name] = Features(
            of,
            classifier,
            precision,
            forward_size=recipe.forward_size,
            both_strands=drawn or recipe.average_strands,
        )
    return _Trainee(classifier.head, sources, precision, recipe, objective)


def _validate(trainee: _Trainee, valid: LabelledSet, benchmark: Benchmark) -> dict[str, float]:
    """Return loss and metrics over the whole validation split."""
    outputs = trainee.outputs("valid")
    total, weight = trainee.objective(outputs, torch.from_numpy(valid.labels))
    values = score(valid.labels, predicted(outputs, valid.kind), valid.kind, groups=valid.groups)
    if np.isnan(values[benchmark.metric]):
        raise InputError(
            f"benchmark {benchmark.name}: {benchmark.metric} is undefined on the validation split "
            f"({len(valid)} items), where no class has both positives and negatives; raise "
            "validation_fraction, or use another metric"
        )
    return {"loss": total.item() / float(weight), **values}


def _test(
    trainee: _Trainee, splits: Splits, benchmark: Benchmark, run: Run, step: int
) -> dict[str, Any]:
    """Log and write what the test split says, and return entries of `run.json`."""
    test = splits["test"]
    scores = predicted(trainee.outputs("test"), test.kind)
    leaks = find_leaks(splits["train"], test)
    if splits["valid"] is not test:
        leaks |= find_leaks(splits["valid"], test)
    leaked = leaks.leaked
    log_scores(run, step, "test", test, scores)
    clean = np.flatnonzero(~leaked)
    log_scores(run, step, "test_clean", test.take(clean), scores[clean])
    return write_outcome(run, test, scores, metric=benchmark.metric, leaked=leaked)
