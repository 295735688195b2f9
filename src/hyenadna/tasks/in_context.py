"""In-context learning: a language model answers with the letter of a class (section 4.3).

N items, B batch, V logits, C classes.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.files import atomic_write
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.device import resolve_device
from hyenadna.tasks.base import Benchmark, Split
from hyenadna.tasks.batches import evaluate
from hyenadna.tasks.in_context_network import Reader, SoftPrompt
from hyenadna.tasks.in_context_questions import (
    CLASS_LETTERS,
    Questions,
    choose_questions,
    class_tokens,
    settle_length,
    training_batches,
)
from hyenadna.tasks.in_context_recipe import InContextRecipe
from hyenadna.tasks.leaks import find_leaks
from hyenadna.tasks.metrics import score
from hyenadna.tasks.outcome import write_outcome
from hyenadna.tasks.splits import checksums, load_splits, weight_checksums
from hyenadna.training.loop import Batch, Course, fit
from hyenadna.training.plan import Plan
from hyenadna.training.precision import Precision
from hyenadna.training.run import Identity, Run

COLUMNS = ("method", "prompt_tokens", "shots", "tuning_samples", "items", "metric", "value")
"""Columns of `in_context.tsv`; shots are those of each class, tuning_samples what was tuned on."""

SELECT = "log_likelihood"
"""Mean of the right answer's log-probability on the validation split, which selects the weights.

Metrics of classes stay at chance while a prompt is only learning to answer with a letter at all.
"""


def in_context(
    benchmark: Benchmark,
    recipe: InContextRecipe,
    *,
    weights: Path,
    out: Path,
    seed: int,
    device: str = "auto",
) -> Path:
    """Tune a prompt or a network to answer, score it on the test split, and return `out`.

    Shots are drawn from train for every split. The prompt or weights under which the answers of
    the validation split were likeliest are kept, and these alone see the test split, once. A run
    that was stopped goes on from its last checkpoint.

    Writes `in_context.tsv`, `metrics.tsv`, `predictions.parquet`, `run.json`, and what was tuned:
    `prompt.safetensors` (prompt, (P, D)) or a model directory's files.

    Args:
        benchmark, out, device: what is classified, where results go, and what computes.
        recipe: the method and its setting.
        weights: pretrained language model.
        seed: fixes the held-out items, the prompt at first, batches, shots and strands.

    Raises:
        InputError: the data is malformed, has no classes or too many, or does not fit the network.
        Interrupted: SIGTERM or SIGINT; the same call resumes.
    """
    network = HyenaDNA.from_pretrained(weights)
    network.config.require_causal()
    identity = Identity(
        stage="in_context",
        seed=seed,
        settings={
            "benchmark": benchmark.identity(),
            "model": network.config.model_dump(mode="json"),
            "recipe": recipe.model_dump(mode="json"),
            "seed": seed,
        },
        data=checksums(benchmark) | weight_checksums(weights),
        benchmark=benchmark.name,
    )
    with Run(out, identity, device=resolve_device(device)) as run:
        if not run.finished:
            _Experiment(benchmark, recipe, network, run).conduct()
    return out


class _Experiment:
    """One setting on one benchmark."""

    def __init__(
        self, benchmark: Benchmark, recipe: InContextRecipe, network: HyenaDNA, run: Run
    ) -> None:
        self.benchmark = benchmark
        self.recipe = recipe
        self.run = run
        self.seed = run.identity.seed
        self.splits = load_splits(
            benchmark, validation_fraction=recipe.validation_fraction, seed=self.seed
        )
        train = self.splits["train"]
        if train.kind != "single":
            raise InputError(
                f"benchmark {benchmark.name}: in-context learning answers with one class, and its "
                f"items are of kind {train.kind}; fine-tune on it instead"
            )
        self.tokens = torch.from_numpy(class_tokens(train.classes))
        self.longest = settle_length(self.splits, recipe, network.config.max_seq_len)
        self.questions = {
            split: Questions(self.splits, split, recipe, longest=self.longest, seed=self.seed)
            for split in self.splits
        }
        count = recipe.tuning_samples if recipe.tunes else 0
        self.asked = choose_questions(train.labels, count, seed=self.seed)
        self.reader = _reader(network, recipe, self.seed).to(run.device)
        self.precision = Precision(recipe, run.device)

    def conduct(self) -> None:
        """Tune, test once, and publish."""
        step = self._tune() if self.recipe.tunes else 0
        tested = self._test(step)
        self._save_what_was_tuned()
        train, longest = self.splits["train"], self.longest
        tuned = self._tuned.parameters() if self.recipe.tunes else ()
        self.run.publish(
            metric=self.benchmark.metric,
            kind=train.kind,
            classes=list(train.classes),
            class_letters=CLASS_LETTERS[len(train.classes)],
            counts={name: len(items) for name, items in self.splits.items()},
            cropped={name: int((of.lengths > longest).sum()) for name, of in self.splits.items()},
            parameters=sum(parameter.numel() for parameter in tuned),
            **tested,
        )

    @property
    def _tuned(self) -> nn.Module:
        """The prompt, or the whole network where there is none."""
        return self.reader if self.reader.prompt is None else self.reader.prompt

    def _test(self, step: int) -> dict[str, Any]:
        """Log and write what the test split says; return entries of `run.json`."""
        train, valid, test = (self.splits[name] for name in ("train", "valid", "test"))
        leaked = find_leaks(train, test).leaked | find_leaks(valid, test).leaked
        clean = np.flatnonzero(~leaked)
        logits = self._answer("test")
        values = self._score(test, logits) | _guess(train, test)
        self.run.log(step, "test", {"items": len(test), **values})
        of_clean = self._score(test.take(clean), logits[clean]) if len(clean) else {}
        self.run.log(step, "test_clean", {"items": len(clean), **of_clean})
        self._write_table(values)
        probabilities = self._probabilities(logits)
        return write_outcome(
            self.run, test, probabilities, metric=self.benchmark.metric, leaked=leaked
        )

    def _tune(self) -> int:
        """Train the prompt, or all weights where there is none; return the selected step."""
        per_epoch = -(-len(self.asked) // self.recipe.batch_size)
        source = self.questions["train"]
        course = Course(
            batches=partial(training_batches, source, self.asked, self.recipe, self.seed),
            loss=self._loss,
            validate=self._validate,
            validate_every=per_epoch,
            select=SELECT,
            patience=self.recipe.patience,
        )
        plan = Plan.of_examples(self.recipe.epochs * per_epoch, batch_size=self.recipe.batch_size)
        return fit(self._tuned, self.recipe, course, plan=plan, run=self.run, seed=self.seed)

    def _loss(self, tuned: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Return the sum over a batch of the answers' loss in nats, and its number of terms."""
        ids, lengths, labels = batch
        assert labels is not None
        # What is tuned may be the prompt alone, and the network's dropout is wanted then too.
        self.reader.train()
        logits = self.reader(ids, lengths).float()
        answers = self.tokens.to(labels.device)[labels]
        return cross_entropy(logits, answers, reduction="sum"), len(answers)

    def _validate(self) -> dict[str, float]:
        """Return loss and metrics over the whole validation split."""
        valid, logits = self.splits["valid"], self._answer("valid")
        loss = cross_entropy(logits, self.tokens[torch.from_numpy(valid.labels)]).item()
        return {"loss": loss, SELECT: -loss, **self._score(valid, logits)}

    def _answer(self, split: Split) -> Tensor:
        """Return the logits of the token behind each question of a split, (N, V) fp32."""
        return evaluate(
            self.reader,
            self.questions[split],
            self.precision,
            forward_size=self.recipe.forward_size,
        )

    def _probabilities(self, logits: Tensor) -> NDArray[np.float32]:
        """Return the probabilities (N, C) of the classes among themselves."""
        array: NDArray[np.float32] = logits[:, self.tokens].softmax(dim=1).numpy()
        return array

    def _score(self, items: LabelledSet, logits: Tensor) -> dict[str, float]:
        """Return metrics of logits (N, V) over all items, with two of a language model alone.

        log_loss, in nats, of the classes among themselves; and class_mass, the probability that
        the answer is the letter of any class.
        """
        log_loss = cross_entropy(logits[:, self.tokens], torch.from_numpy(items.labels))
        mass = logits.softmax(dim=1)[:, self.tokens].sum(dim=1).mean()
        of_all = score(items.labels, self._probabilities(logits), items.kind)
        return of_all | {"log_loss": log_loss.item(), "class_mass": mass.item()}

    def _write_table(self, values: Mapping[str, float]) -> None:
        """Write one row for each metric of the test split, beside the setting."""
        recipe, items = self.recipe, len(self.splits["test"])
        setting = (recipe.method, recipe.prompt_tokens, recipe.shots, len(self.asked), items)
        rows = [COLUMNS, *((*setting, name, f"{value:.8g}") for name, value in values.items())]
        with atomic_write(self.run.staging / "in_context.tsv") as part:
            part.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))

    def _save_what_was_tuned(self) -> None:
        if self.reader.prompt is not None:
            prompt = self.reader.prompt.embeddings.detach().cpu()
            save_file({"prompt": prompt}, self.run.staging / "prompt.safetensors")
        elif self.recipe.tunes:
            self.reader.model.save_pretrained(self.run.staging)


def _reader(network: HyenaDNA, recipe: InContextRecipe, seed: int) -> Reader:
    """Return the network, frozen where a prompt is tuned, behind the prompt."""
    network.backbone.checkpoint_blocks |= recipe.checkpoint_blocks
    if recipe.method == "few_shot":
        return Reader(network, None)
    network.requires_grad_(False)
    if not recipe.prompt_tokens:
        return Reader(network, None)
    torch.manual_seed(seed)
    width = network.config.d_model
    return Reader(network, SoftPrompt(recipe.prompt_tokens, width, dropout=recipe.prompt_dropout))


def _guess(train: LabelledSet, test: LabelledSet) -> dict[str, float]:
    """Return the accuracy of the most frequent class of train, and of any class at random."""
    most = np.bincount(train.labels, minlength=len(train.classes)).argmax()
    majority = float((test.labels == most).mean())
    return {"majority.accuracy": majority, "chance.accuracy": 1 / len(train.classes)}
