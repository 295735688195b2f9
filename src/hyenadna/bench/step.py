"""Speed of one model, training and inference, beside the plain formula (B batch, L length).

Both have the same weights, and give the same logits before anything is timed. The plain one runs as
PyTorch does by default; ours as `hyenadna pretrain` does, with the loss in chunks, the filters once
a step, and the same optimizer groups.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hyenadna.bench.long_conv import OURS, row
from hyenadna.bench.machine import device_name
from hyenadna.bench.networks import autocast, disagreement, draw_tokens, with_gain
from hyenadna.bench.parts import LOSS, OPTIMIZER, PARTS, part, shares
from hyenadna.bench.plain import PlainHyenaDNA
from hyenadna.bench.results import Row
from hyenadna.bench.session import Case, Options, Session
from hyenadna.bench.timing import SLOW_SECONDS, Call, Result, failure
from hyenadna.errors import InputError
from hyenadna.files import write_text
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.ops.linear_cross_entropy import linear_cross_entropy
from hyenadna.settings import read_yaml
from hyenadna.training.optimizer import Optimizers, build_optimizer
from hyenadna.training.recipe import PretrainRecipe

PLAIN = "plain formula"
TRAINING, INFERENCE = "training step", "inference"
DIRECTION_OF = {TRAINING: "forward+backward", INFERENCE: "forward"}
PARTS_HEADER = "operation\timplementation\tdtype\tbatch\tlength\tpart\tshare"


@dataclass(frozen=True)
class Subject:
    """What is timed: a model, and the recipe that it is trained by, if one was given."""

    config: ModelConfig
    recipe: PretrainRecipe | None = None

    @property
    def length(self) -> int:
        """Tokens at which the recipe trains, or the most that the model takes."""
        return self.recipe.length if self.recipe else self.config.max_seq_len

    @property
    def batch(self) -> int:
        """Sequences per forward pass."""
        return self.recipe.forward_size if self.recipe else 1

    def recipe_for(self, case: Case) -> PretrainRecipe:
        """Return the recipe, or one of all defaults."""
        return self.recipe or PretrainRecipe(
            batch_size=case.batch,
            steps=1,
            length=max(2, case.length),
            validate_every=1,
            validation_tokens=max(2, case.length),
            checkpoint_every=1,
        )


def read_subject(model: Path, recipe: Path | None = None) -> Subject:
    """Read a model and a recipe.

    Raises:
        InputError: A file is not there or not valid, or the recipe is too long for the model.
    """
    config = read_yaml(ModelConfig, model)
    if recipe is None:
        return Subject(config)
    of = read_yaml(PretrainRecipe, recipe)
    if of.length > config.max_seq_len:
        raise InputError(
            f"{recipe}: length {of.length} is longer than max_seq_len, {config.max_seq_len}, of "
            f"{model}; give the recipe of that model"
        )
    return Subject(config, of)


def bench(subject: Subject, options: Options, tell: Callable[[str], None]) -> None:
    """Measure training steps and inference at each length, and where their time goes.

    Raises:
        InputError: The model has attention, or a length is beyond its `max_seq_len`.
    """
    longest = subject.config.max_seq_len
    beyond = [length for length in options.lengths if length > longest]
    if beyond:
        raise InputError(
            f"length {beyond[0]} is longer than max_seq_len, {longest}, of this model; give "
            "--lengths up to that"
        )
    run = _Run(Session(options, tell), subject, tell)
    for case in run.session.cases():
        run.measure(case)
        if options.out:
            write_text(options.out / "parts.tsv", "\n".join(run.table) + "\n")
    run.session.finish()


@dataclass
class _Run:
    """Measures cases one after another and collects the shares of parts."""

    session: Session
    subject: Subject
    tell: Callable[[str], None]
    table: list[str] = field(default_factory=lambda: [PARTS_HEADER])

    def measure(self, case: Case) -> None:
        """Measure training steps and inference of a case, if the plain formula agrees with ours."""
        torch.manual_seed(0)
        try:
            networks = _networks(case, self.subject.config)
            status = disagreement(networks[OURS], networks[PLAIN], case)
        except (RuntimeError, MemoryError) as error:
            status = failure(error)
        if status:
            blank = [
                of for operation in DIRECTION_OF for of in blank_rows(case, operation).values()
            ]
            self.session.record([replace(of, status=status) for of in blank])
            return
        recipe = self.subject.recipe_for(case)
        timed = self._operation(case, TRAINING, networks, _training(networks, case, recipe))
        if self.subject.recipe and OURS in timed:
            self.tell(hours(self.subject.recipe, timed[OURS], case.device))
        self._operation(case, INFERENCE, networks, _inference(networks, case))

    def _operation(
        self,
        case: Case,
        operation: str,
        networks: Mapping[str, nn.Module],
        calls: Mapping[str, Call],
    ) -> dict[str, Row]:
        """Time calls in turns, then profile them, and return the rows that have a time."""
        for network in networks.values():
            network.train(operation == TRAINING)
        rows = self.session.measure(blank_rows(case, operation), calls, plain=PLAIN)
        timed = {of.implementation: of for of in rows if of.median_seconds}
        parts = {
            name: shares(networks[name], calls[name], case.device, calls=_profiled_calls(of))
            for name, of in timed.items()
        }
        for name, of in timed.items():
            self.tell(f"{operation} by {name}: {tokens_per_second(of):,.0f} tokens/s")
            at = f"{operation}\t{name}\t{case.dtype}\t{case.batch}\t{case.length}"
            self.table += [f"{at}\t{x}\t{share:.6g}" for x, share in parts[name].items()]
        _tell_shares(parts, self.tell)
        return timed


def _profiled_calls(of: Row) -> int:
    assert of.median_seconds
    return 1 if of.median_seconds > SLOW_SECONDS else 3


def tokens_per_second(of: Row) -> float:
    """Return the tokens that a call reads over its median time."""
    assert of.median_seconds
    return of.batch * of.length / of.median_seconds


def hours(recipe: PretrainRecipe, of: Row, device: torch.device) -> str:
    """Say how long a recipe takes at the speed of a training step, and how that follows."""
    speed = tokens_per_second(of)
    return (
        f"the recipe: {recipe.steps:,} steps x {recipe.batch_size:,} windows x {recipe.length:,} "
        f"tokens = {recipe.tokens:.4g} tokens, / {speed:,.0f} tokens/s at {of.batch} x "
        f"{of.length:,} in {of.dtype} = {recipe.tokens / speed / 3600:,.1f} hours on one "
        f"{device_name(device)}"
    )


def blank_rows(case: Case, operation: str) -> dict[str, Row]:
    """Return what is known of the rows of an operation before it is timed."""
    blank = replace(row(case, DIRECTION_OF[operation]), operation=operation, minimal_bytes=None)
    return {name: replace(blank, implementation=name) for name in (PLAIN, OURS)}


def _networks(case: Case, config: ModelConfig) -> dict[str, nn.Module]:
    ours = HyenaDNA(config)
    with_gain(ours)
    ours.to(case.device)
    return {PLAIN: PlainHyenaDNA.like(ours), OURS: ours}


def _training(
    networks: Mapping[str, nn.Module], case: Case, recipe: PretrainRecipe
) -> dict[str, Call]:
    plain, ours = networks[PLAIN], networks[OURS]
    assert isinstance(ours, HyenaDNA)
    theirs = torch.optim.AdamW(
        plain.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    return {
        PLAIN: _step(_plain_loss(plain, case), plain, theirs, recipe),
        OURS: our_step(ours, case, recipe),
    }


def our_step(model: HyenaDNA, case: Case, recipe: PretrainRecipe) -> Call:
    """Return a training step of ours: forward, backward, clipping and the optimizer."""
    ids = draw_tokens(case)
    inputs, targets = ids[:, :-1], ids[:, 1:].flatten()

    def backward() -> Tensor:
        with model.shared_filters(case.length):
            with autocast(case):
                hidden = model.hidden_states(inputs)
            with part(LOSS):
                total = linear_cross_entropy(hidden.flatten(0, 1), model.lm_head.weight, targets)
                loss = total / len(targets)
            loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return _step(backward, model, build_optimizer(model, recipe), recipe)


def _plain_loss(model: nn.Module, case: Case) -> Callable[[], Tensor]:
    ids = draw_tokens(case)
    inputs, targets = ids[:, :-1], ids[:, 1:].flatten()

    def backward() -> Tensor:
        with autocast(case):
            logits = model(inputs)
        with part(LOSS):
            loss = cross_entropy(logits.flatten(0, 1).float(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return backward


def _step(
    backward: Callable[[], Tensor],
    model: nn.Module,
    optimizer: torch.optim.Optimizer | Optimizers,
    recipe: PretrainRecipe,
) -> Call:
    weights = list(model.parameters())

    def step() -> Result:
        optimizer.zero_grad()
        loss = backward()
        with part(OPTIMIZER):
            nn.utils.clip_grad_norm_(weights, recipe.gradient_clip)
            optimizer.step()
        return (loss.detach(),)

    return step


def _inference(networks: Mapping[str, nn.Module], case: Case) -> dict[str, Call]:
    ids = draw_tokens(case)[:, :-1]

    def forward(network: nn.Module) -> Result:
        with torch.inference_mode(), autocast(case):
            return (network(ids),)

    return {name: lambda of=of: forward(of) for name, of in networks.items()}  # type: ignore[misc]


def _tell_shares(found: Mapping[str, Mapping[str, float]], tell: Callable[[str], None]) -> None:
    """Print a table of parts by implementation."""
    if found:
        tell(f"  {'share of':<20}" + "".join(f"{name:>16}" for name in found))
    for name in PARTS:
        of_each = [of[name] for of in found.values()]
        if any(of_each):
            tell(f"  {name:<20}" + "".join(f"{share:>16.1%}" for share in of_each))
