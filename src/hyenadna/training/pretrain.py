"""Pretraining: next-nucleotide prediction on random windows of the train intervals of genomes."""

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from hyenadna.data.corpus import Corpus, GenomeSource
from hyenadna.data.loader import prefetch
from hyenadna.data.windows import EvaluationWindows, PretrainingWindows, Windows, in_batches
from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.context import shard_context
from hyenadna.model.markov import MarkovChain
from hyenadna.training.distributed import World, join
from hyenadna.training.loop import Batch, Course, fit
from hyenadna.training.monitors import Monitors
from hyenadna.training.perplexity import evaluate, next_base_loss
from hyenadna.training.plan import Plan, Stage
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import PretrainRecipe
from hyenadna.training.run import NO_MONITORS, Identity, Run

Evaluations = dict[str, tuple[EvaluationWindows, list[int]]]
"""For each split that is evaluated, its tiles and the numbers of those that are used."""

_log = logging.getLogger(__name__)


def pretrain(
    config: ModelConfig,
    recipe: PretrainRecipe,
    *,
    genomes: Sequence[GenomeSource],
    out: Path,
    seed: int,
    device: str = "auto",
    context_size: int = 1,
    monitors: Monitors = NO_MONITORS,
) -> Path:
    """Train a language model and return its output directory.

    A run that was stopped goes on from its last checkpoint, with as many processes as there are
    then; one that is finished returns at once. Started by `torchrun` or `srun`, the processes
    train together.

    Args:
        config: shape of the network.
        recipe: how it is trained.
        genomes: token caches with their intervals; valid and test intervals of all count alike.
        out: directory to write.
        seed: fixes weights, windows and dropout.
        device: auto, cpu, cuda or cuda:N.
        context_size: processes that share each sequence.
        monitors: what gets a copy of the metrics.

    Raises:
        InputError: the inputs do not fit each other, the network is bidirectional, or the loss is
            no longer finite.
        Interrupted: SIGTERM, SIGINT or SIGUSR1; the same call resumes.
    """
    config.require_causal()
    if recipe.length > config.max_seq_len:
        raise InputError(
            f"length {recipe.length} of the recipe is more than max_seq_len {config.max_seq_len} "
            "of the model; shorten the one or choose a model with a larger other"
        )
    corpus = Corpus.open(genomes, length=recipe.length)
    identity = Identity(
        stage="pretrain",
        seed=seed,
        settings={
            "model": config.model_dump(mode="json"),
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed,
            # By their bases, since a folder may be moved while a run is stopped.
            "genomes": [
                {"sha256": of.cache.sha256, "weight": of.weight} for of in corpus.split("train")
            ],
        },
        data=corpus.data,
    )
    with join(context_size) as world:
        if not world.is_main:  # The main process tidies up first.
            world.barrier()
        run_device, main = world.device(device), world.is_main
        with Run(out, identity, device=run_device, main=main, monitors=monitors) as run:
            if world.is_main:
                world.barrier()
            if not run.finished:
                _Pretraining(config, recipe, corpus=corpus, run=run, world=world).train()
            world.barrier()
    return out


@dataclass
class _Pretraining:
    """One process's part in a run."""

    config: ModelConfig
    recipe: PretrainRecipe
    corpus: Corpus
    run: Run
    world: World

    def __post_init__(self) -> None:
        self.plan = Plan.of_tokens(self.recipe)
        self.precision = Precision(self.recipe, self.run.device)
        self.evaluations = _evaluations(self.corpus, self.recipe)
        self.group = self.world.context_group() if self.world.context_size > 1 else None
        if self.group is not None:
            for stage in self.plan.stages:
                self.group.positions(stage.length)  # refuses what cannot be shared

    def train(self) -> None:
        """Train from where an earlier process stopped, test, and publish."""
        run, seed = self.run, self.run.identity.seed
        if run.resumed is None and self.world.is_main:
            self._log_markov_chains()
        torch.manual_seed(seed)
        self.network = HyenaDNA(self.config).to(run.device)
        if self.group is not None:
            shard_context(self.network, self.group)
        course = Course(
            batches=lambda first_step: prefetch(self._batches(first_step)),
            loss=partial(next_base_loss, soft_mask_weight=self.recipe.soft_mask_weight),
            validate=partial(self._score, "valid"),
            validate_every=self.recipe.validate_every,
            unit="bases",
            around=self._around,
            blame=self._blame,
        )
        step = fit(
            self.network,
            self.recipe,
            course,
            plan=self.plan,
            run=run,
            seed=seed,
            world=self.world,
        )
        if "test" in self.evaluations:
            if self.world.is_main:  # Unlike validation it has no limit, and can outlast training.
                _log.info("scoring the whole test split, %d bases", self.corpus.bases("test"))
            run.log(step, "test", self._score("test"))
        if self.world.is_main:
            self.network.save_pretrained(run.staging)
        run.publish(
            metric="perplexity",
            parameters=sum(parameter.numel() for parameter in self.network.parameters()),
            counts={split: self.corpus.bases(split) for split in self.corpus.splits},
            mixer=self.config.mixer,
            tokens=self.plan.tokens,
            processes=self.world.size,
        )

    def _batches(self, first_step: int) -> Iterator[list[Batch]]:
        """Yield this process's micro-batches; the step alone decides which windows it reads."""
        for stage in self.plan.stages:
            if stage.first_step + stage.steps <= first_step:
                continue
            windows = self._windows(stage)
            for step in range(max(first_step, stage.first_step), stage.first_step + stage.steps):
                numbers = self._numbers(stage, step)
                parts = in_batches(windows, numbers, stage.forward_size)
                yield [self._own(part) for part in parts]

    def _windows(self, stage: Stage) -> PretrainingWindows:
        recipe = self.recipe
        return PretrainingWindows(
            self.corpus.split("train"),
            length=stage.length,
            seed=self.run.identity.seed,
            flip_strand=recipe.flip_strand,
            max_n_share=recipe.max_n_share,
            with_soft_mask=recipe.soft_mask_weight != 1.0,
        )

    def _numbers(self, stage: Stage, step: int) -> range:
        """Return the numbers of this process's windows of a step."""
        rank, size, batch = self.world.data_rank, self.world.data_size, stage.batch_size
        first = (step - stage.first_step) * batch
        return range(first + rank * batch // size, first + (rank + 1) * batch // size)

    def _own(self, windows: Windows) -> Windows:
        """Keep the positions of a context-parallel process, and the target after the last."""
        ids, masked = windows
        if self.group is not None:
            here = self.group.positions(ids.shape[1] - 1)
            part = slice(here.start, here.stop + 1)
            ids, masked = ids[:, part], None if masked is None else masked[:, part]
        if self.run.device.type == "cuda":  # Copies to the GPU then overlap with its work.
            ids, masked = ids.pin_memory(), None if masked is None else masked.pin_memory()
        return Windows(ids, masked)

    def _around(self, step: int) -> AbstractContextManager[None]:
        """Compute the filters once for all forward passes of a step, where there are several."""
        stage = self.plan.stage(step)
        own = len(self._numbers(stage, step))
        if own <= stage.forward_size and not self.config.checkpoint_blocks:
            return nullcontext()
        return self.network.shared_filters(stage.length)

    def _score(self, split: str) -> dict[str, float]:
        """Score the windows of a split, each process its share of them."""
        tiles, used = self.evaluations[split]
        own = used[self.world.data_rank :: self.world.data_size]
        batches = in_batches(tiles, own, self.recipe.forward_size)
        ids = (self._own(windows).ids for windows in batches)
        return evaluate(self.network, ids, self.precision, self.world).rows()

    def _blame(self, step: int) -> str:
        """Name the window of a step on which the loss is highest, or first not a number."""
        stage = self.plan.stage(step)
        windows = self._windows(stage)
        worst, highest = 0, -math.inf
        for number in self._numbers(stage, step):
            ids, masked = self._own(windows.batch([number]))
            batch = ids.to(self.run.device), None if masked is None else masked.to(self.run.device)
            with torch.no_grad(), self.precision.autocast():
                loss, weight = next_base_loss(self.network, batch)
            mean = (loss / weight.clamp(min=1)).item()
            mean = math.inf if math.isnan(mean) else mean
            if mean > highest:
                worst, highest = number, mean
        return f"its window of highest loss, {highest:.4g}, is {windows.describe(worst)}"

    def _log_markov_chains(self) -> None:
        """Score Markov chains of the train intervals on the bases that the network is scored on."""
        chain = MarkovChain.fit(
            (
                source.cache.window(i.contig, i.start, i.end)
                for source in self.corpus.split("train")
                for i in source.intervals
            ),
            both_strands=self.recipe.flip_strand > 0,
        )
        for split, (tiles, used) in self.evaluations.items():
            batches = in_batches(tiles, used, self.recipe.forward_size)
            arrays = (windows.ids.numpy() for windows in batches)
            bits = chain.bits_per_base((of[:, :-1], of[:, 1:]) for of in arrays)
            values = {f"markov{order}.perplexity": 2.0**cost for order, cost in enumerate(bits)}
            self.run.log(0, split, values)
            _log.info(
                "%s: Markov chains of order 0 to %d need %s bits/base",
                split,
                len(bits) - 1,
                ", ".join(f"{cost:.4f}" for cost in bits),
            )


def _evaluations(corpus: Corpus, recipe: PretrainRecipe) -> Evaluations:
    """Choose the windows to evaluate on: all of test, and of valid as many as the recipe allows."""
    chosen: Evaluations = {}
    for split in ("valid", "test"):
        if not corpus.split(split):
            continue
        tiles = EvaluationWindows(corpus.split(split), length=recipe.length)
        allowed = recipe.validation_tokens // recipe.length if split == "valid" else len(tiles)
        used = np.linspace(0, len(tiles) - 1, min(allowed, len(tiles))).round().astype(int)
        chosen[split] = tiles, used.tolist()
    return chosen
