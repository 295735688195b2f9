"""Pretraining: next-nucleotide prediction on random windows of a genome's train intervals."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from hyenadna.data.token_cache import TokenCache
from hyenadna.data.windows import EvaluationWindows, PretrainingWindows
from hyenadna.errors import InputError
from hyenadna.files import sha256
from hyenadna.genome import SPLITS, Interval, check_intervals, merge_intervals, read_intervals
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.device import resolve_device
from hyenadna.model.markov import MarkovChain
from hyenadna.training.loop import Batch, autocast, fit
from hyenadna.training.perplexity import evaluate, next_base_loss
from hyenadna.training.recipe import PretrainRecipe
from hyenadna.training.run import Identity, Run

Pairs = Dataset[tuple[Tensor, Tensor]]
Splits = dict[str, list[Interval]]
Evaluations = dict[str, Callable[[], Iterator[tuple[Tensor, Tensor]]]]
"""For each split that is evaluated, a fresh pass over its batches of inputs and targets."""

_log = logging.getLogger(__name__)


def pretrain(
    config: ModelConfig,
    recipe: PretrainRecipe,
    *,
    tokens: Path,
    intervals: Path,
    out: Path,
    seed: int,
    device: str = "auto",
) -> Path:
    """Train a language model and return its output directory.

    A run that was stopped goes on from its last checkpoint; one that is finished returns at once.

    Args:
        config: shape of the network.
        recipe: how it is trained.
        tokens: token cache of the genome.
        intervals: BED whose fourth column is train, valid or test; test may be missing.
        out: directory to write.
        seed: fixes weights, windows and dropout.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        InputError: the inputs do not fit each other, or the loss is no longer finite.
        Interrupted: SIGTERM or SIGINT; the same call resumes.
    """
    if recipe.length > config.max_seq_len:
        raise InputError(
            f"length {recipe.length} of the recipe is more than max_seq_len {config.max_seq_len} "
            "of the model; shorten the one or choose a model with a larger other"
        )
    cache = TokenCache.open(tokens)
    splits = _read_splits(intervals, cache)
    identity = Identity(
        stage="pretrain",
        seed=seed,
        settings={
            "model": config.model_dump(mode="json"),
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed,
        },
        data={tokens / "tokens.u8": cache.sha256, intervals: sha256(intervals)},
    )
    with Run(out, identity, device=resolve_device(device)) as run:
        if not run.finished:
            _train(config, recipe, run=run, cache=cache, splits=splits)
    return out


def _train(
    config: ModelConfig, recipe: PretrainRecipe, *, run: Run, cache: TokenCache, splits: Splits
) -> None:
    evaluations = _evaluations(cache, splits, recipe)
    if run.resumed is None:
        _log_markov_chains(run, cache, splits["train"], evaluations, recipe.flip_strand > 0)
    seed = run.identity.seed
    windows = PretrainingWindows(
        cache, splits["train"], length=recipe.length, seed=seed, flip_strand=recipe.flip_strand
    )
    torch.manual_seed(seed)
    network = HyenaDNA(config).to(run.device)

    def score(split: str) -> dict[str, float]:
        return evaluate(network, evaluations[split](), autocast(run.device, recipe)).rows()

    step = fit(
        network,
        recipe,
        run=run,
        steps=recipe.steps,
        batches=partial(_batches, windows, recipe),
        loss=next_base_loss,
        validate=partial(score, "valid"),
        validate_every=recipe.validate_every,
        seed=seed,
        unit="bases",
    )
    if "test" in evaluations:
        run.log(step, "test", score("test"))
    network.save_pretrained(run.staging)
    run.publish(
        metric="perplexity",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        counts={s: sum(i.end - i.start for i in splits[s]) for s in SPLITS if s in splits},
    )


def _read_splits(bed: Path, cache: TokenCache) -> Splits:
    """Return the stretches of each split, none of which share a base."""
    intervals = read_intervals(bed)
    check_intervals(intervals, cache.contigs, source=bed)
    splits: Splits = {}
    for interval in merge_intervals(intervals):
        splits.setdefault(interval.split, []).append(interval)
    for split in ("train", "valid"):
        if split not in splits:
            there = ", ".join(repr(name) for name in sorted(splits))
            raise InputError(
                f"{bed}: no interval is marked {split!r} in the fourth column (it has {there}); "
                "pretraining needs 'train' and 'valid', and reports on 'test' if there is one"
            )
    return splits


def _batches(
    windows: PretrainingWindows, recipe: PretrainRecipe, first_step: int
) -> Iterator[list[Batch]]:
    """Yield the micro-batches of each step; the step alone decides which windows it reads."""
    for step in range(first_step, recipe.steps):
        numbers = range(step * recipe.batch_size, (step + 1) * recipe.batch_size)
        yield list(_stacked(windows, numbers, recipe.forward_size))


def _evaluations(cache: TokenCache, splits: Splits, recipe: PretrainRecipe) -> Evaluations:
    """Choose the windows to evaluate on: all of test, and of valid as many as the recipe allows."""
    passes: Evaluations = {}
    for split in ("valid", "test"):
        if split not in splits:
            continue
        tiles = EvaluationWindows(cache, splits[split], length=recipe.length)
        allowed = recipe.validation_tokens // recipe.length if split == "valid" else len(tiles)
        used = np.linspace(0, len(tiles) - 1, min(allowed, len(tiles))).round().astype(int)
        passes[split] = partial(_stacked, tiles, used.tolist(), recipe.forward_size)
    return passes


def _stacked(pairs: Pairs, numbers: Sequence[int], size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the numbered pairs, each tensor (L,), in batches of at most `size`, (B, L)."""
    for start in range(0, len(numbers), size):
        inputs, targets = zip(*(pairs[n] for n in numbers[start : start + size]), strict=True)
        yield torch.stack(inputs), torch.stack(targets)


def _log_markov_chains(
    run: Run,
    cache: TokenCache,
    train: Sequence[Interval],
    evaluations: Evaluations,
    both_strands: bool,
) -> None:
    """Score Markov chains of the train intervals on the bases that the network is scored on."""
    chain = MarkovChain.fit(
        (cache.window(i.contig, i.start, i.end) for i in train), both_strands=both_strands
    )
    for split, batches in evaluations.items():
        bits = chain.bits_per_base((i.numpy(), t.numpy()) for i, t in batches())
        values = {f"markov{order}.perplexity": 2.0**cost for order, cost in enumerate(bits)}
        run.log(0, split, values)
        _log.info(
            "%s: Markov chains of order 0 to %d need %s bits/base",
            split,
            len(bits) - 1,
            ", ".join(f"{cost:.4f}" for cost in bits),
        )
