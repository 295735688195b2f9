"""Fine-tuning: a classifier on a benchmark, selected on validation, tested once.

N items, B batch, C classes or targets.
"""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from hyenadna.data.labelled import Kind, LabelledSet
from hyenadna.errors import InputError
from hyenadna.files import atomic_write
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.device import resolve_device
from hyenadna.model.heads import SequenceClassifier
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.batches import (
    Examples,
    Features,
    Source,
    evaluate,
    steps_per_epoch,
    training_batches,
)
from hyenadna.tasks.metrics import score
from hyenadna.tasks.predictions import prediction_table
from hyenadna.tasks.splits import checksums, load_splits, weight_checksums
from hyenadna.training.loop import Batch, Course, fit
from hyenadna.training.plan import Plan
from hyenadna.training.recipe import FinetuneRecipe
from hyenadna.training.run import Identity, Run

Splits = Mapping[Split, LabelledSet]

_log = logging.getLogger(__name__)


def finetune(
    benchmark: Benchmark,
    recipe: FinetuneRecipe,
    *,
    weights: Path | None,
    model: ModelConfig | None,
    out: Path,
    seed: int,
    device: str = "auto",
) -> Path:
    """Train a classifier and return its output directory.

    The weights with the best headline metric on the validation split are kept, and these alone
    see the test split, once. A run that was stopped goes on from its last checkpoint.

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
    network = HyenaDNA(model) if model else HyenaDNA.from_pretrained(str(weights))
    identity = Identity(
        stage=stage,
        seed=seed,
        settings={
            "benchmark": benchmark.identity(),
            "model": network.config.model_dump(mode="json"),
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


def _stage(recipe: FinetuneRecipe, weights: Path | None, model: ModelConfig | None) -> str:
    if (weights is None) == (model is None):
        raise InputError("give either weights (pretrained) or model (from scratch)")
    if model is None:
        return "finetune" if recipe.train_backbone else "probe"
    if not recipe.train_backbone:
        raise InputError("training the head alone needs pretrained weights, not a model shape")
    return "scratch"


def _train(benchmark: Benchmark, recipe: FinetuneRecipe, network: HyenaDNA, *, run: Run) -> None:
    seed = run.identity.seed
    splits = load_splits(benchmark, validation_fraction=recipe.validation_fraction, seed=seed)
    train = splits["train"]
    torch.manual_seed(seed)
    classifier = SequenceClassifier(
        network, len(train.classes), pooling=recipe.pooling, classes=train.classes, kind=train.kind
    ).to(run.device)
    longest, cropped = _settle_length(splits, recipe, network.config.max_seq_len)
    sources = _sources(splits, classifier, recipe, longest)
    trained = classifier if recipe.train_backbone else classifier.head
    per_epoch = steps_per_epoch(sources["train"], recipe)
    course = Course(
        batches=partial(training_batches, sources["train"], recipe, seed),
        loss=partial(_batch_loss, kind=train.kind),
        validate=lambda: _validate(trained, sources["valid"], splits["valid"], recipe, benchmark),
        validate_every=per_epoch,
        select=benchmark.metric,
        patience=recipe.patience,
    )
    plan = Plan.of_examples(recipe.epochs * per_epoch)
    step = fit(trained, recipe, course, plan=plan, run=run, seed=seed)
    test = splits["test"]
    probabilities = _probabilities(evaluate(trained, sources["test"], recipe), test.kind)
    run.log(step, "test", score(test.labels, probabilities, test.kind))
    with atomic_write(run.staging / "predictions.parquet") as part:
        prediction_table(test, probabilities).to_parquet(part, index=False)
    classifier.save_pretrained(run.staging)
    run.publish(
        metric=benchmark.metric,
        kind=test.kind,
        classes=list(test.classes),
        counts={name: len(items) for name, items in splits.items()},
        cropped=cropped,
        parameters=sum(parameter.numel() for parameter in classifier.parameters()),
    )


def _settle_length(
    splits: Splits, recipe: FinetuneRecipe, limit: int
) -> tuple[int, dict[Split, int]]:
    """Return the longest input in tokens, and how many items of each split are cut to it.

    Nothing is cut unless the recipe says how long an input may be.
    """
    longest = recipe.max_length or limit
    if longest > limit:
        raise InputError(
            f"max_length {longest} of the recipe is {longest - limit} more than max_seq_len "
            f"{limit} of the model; lower it, or choose a model with longer context"
        )
    cropped = {split: int((items.lengths > longest).sum()) for split, items in splits.items()}
    for split, items in splits.items():
        if not cropped[split]:
            continue
        if recipe.max_length is None:
            row = int(items.lengths.argmax())
            raise InputError(
                f"{split} item {items.ids[row]} has {items.lengths[row]} nucleotides, "
                f"{items.lengths[row] - limit} more than max_seq_len {limit} of the model, and "
                f"{cropped[split]} of {len(items)} items are too long; choose a model with longer "
                f"context, or set max_length in the recipe to keep the middle of each"
            )
        message = "%s: %d of %d items cut to their middle %d nucleotides"
        _log.info(message, split, cropped[split], len(items), longest)
    return longest, cropped


def _sources(
    splits: Splits, classifier: SequenceClassifier, recipe: FinetuneRecipe, longest: int
) -> dict[Split, Source]:
    """Return what each split feeds to the part of the network that is trained."""
    examples = {name: Examples(items, longest=longest) for name, items in splits.items()}
    if recipe.train_backbone:
        return dict(examples)
    return {
        name: Features(
            of,
            classifier,
            recipe,
            both_strands=name == "train" and recipe.flip_strand > 0,
        )
        for name, of in examples.items()
    }


def _batch_loss(network: nn.Module, batch: Batch, *, kind: Kind) -> tuple[Tensor, int]:
    """Return the sum of the loss over a batch of inputs and labels, and its number of terms."""
    *inputs, labels = batch
    assert labels is not None
    return _loss(network(*inputs).float(), labels, kind)


def _loss(logits: Tensor, labels: Tensor, kind: Kind) -> tuple[Tensor, int]:
    """Return summed cross-entropy of logits (N, C) in nats, and its number of terms."""
    if kind == "single":
        return cross_entropy(logits, labels, reduction="sum"), labels.numel()
    targets = labels.to(logits.dtype)
    return binary_cross_entropy_with_logits(logits, targets, reduction="sum"), labels.numel()


def _validate(
    network: nn.Module,
    source: Source,
    valid: LabelledSet,
    recipe: FinetuneRecipe,
    benchmark: Benchmark,
) -> dict[str, float]:
    """Return loss and metrics over the whole validation split."""
    logits = evaluate(network, source, recipe)
    total, terms = _loss(logits, torch.from_numpy(valid.labels), valid.kind)
    values = score(valid.labels, _probabilities(logits, valid.kind), valid.kind)
    if np.isnan(values[benchmark.metric]):
        raise InputError(
            f"benchmark {benchmark.name}: {benchmark.metric} is undefined on the validation split "
            f"({len(valid)} items), where no class has both positives and negatives; raise "
            "validation_fraction, or use another metric"
        )
    return {"loss": total.item() / terms, **values}


def _probabilities(logits: Tensor, kind: Kind) -> NDArray[Any]:
    """Return (N, C) fp32 probabilities of logits (N, C)."""
    probabilities = logits.softmax(dim=1) if kind == "single" else logits.sigmoid()
    array: NDArray[Any] = probabilities.numpy()
    return array
