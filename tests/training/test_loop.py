"""The loop: exact accumulation, selection, stopping and going on."""

import math
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import nn

from hyenadna.errors import InputError, Interrupted
from hyenadna.training.loop import Course, fit
from hyenadna.training.plan import Plan
from hyenadna.training.recipe import Recipe
from hyenadna.training.run import Identity, Run

RECIPE = Recipe(batch_size=4, checkpoint_every=5, learning_rate=0.05, warmup_fraction=0.1)
STEPS = 12


class Regression:
    """A network with dropout, eight examples a step, and hooks to interfere with training."""

    def __init__(self, out, *, sizes=(8,)):
        torch.manual_seed(0)
        self.out, self.sizes = out, sizes
        self.model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.scores = iter(())
        self.losses = 0
        self.at_loss = {}

    def batches(self, first_step):
        for step in range(first_step, STEPS):
            generator = torch.Generator().manual_seed(step)
            x = torch.randn(8, 4, generator=generator)
            yield list(zip(x.split(self.sizes), x.sum(1, keepdim=True).split(self.sizes)))  # noqa: B905

    def loss(self, model, batch):
        self.losses += 1
        self.at_loss.get(self.losses, lambda: None)()
        x, y = batch
        return nn.functional.mse_loss(model(x), y, reduction="sum"), len(x)

    def validate(self):
        return {"score": next(self.scores, 0.0)}

    def fit(self, recipe=RECIPE, **options):
        options = {"validate_every": 4} | options
        seed = options.pop("seed", 3)
        course = Course(self.batches, self.loss, self.validate, **options)
        identity = Identity(stage="finetune", seed=3, settings={}, data={})
        with Run(self.out, identity, device=torch.device("cpu")) as run:
            plan = Plan.of_examples(STEPS, batch_size=1)
            return fit(self.model, recipe, course, plan=plan, run=run, seed=seed)

    def weights(self):
        return torch.cat([p.detach().flatten() for p in self.model.parameters()])


@pytest.fixture
def whole(tmp_path):
    """A run without interruption."""
    run = Regression(tmp_path / "whole")
    run.fit()
    return run


def rows(out: Path, split: str):
    lines = (out / "checkpoints" / "metrics.tsv").read_text().splitlines()
    return [line.split("\t") for line in lines if line.split("\t")[1] == split]


def test_training_lowers_the_loss(whole):
    losses = [float(value) for _, _, name, value in rows(whole.out, "train") if name == "loss"]
    assert len(losses) == STEPS
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])


def test_micro_batches_of_unequal_size_add_up_exactly(tmp_path):
    """Every loss term weighs the same, however the batch is cut."""
    trained = []
    for sizes in [(8,), (3, 3, 2), (7, 1)]:
        run = Regression(tmp_path / str(len(trained)), sizes=sizes)
        run.model[1].p = 0.0
        run.fit()
        trained.append(run.weights())
    torch.testing.assert_close(trained[1], trained[0], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(trained[2], trained[0], rtol=1e-5, atol=1e-6)


def test_the_seed_decides_dropout(tmp_path, whole):
    torch.manual_seed(99)
    again = Regression(tmp_path / "again")
    again.fit()
    assert torch.equal(again.weights(), whole.weights())
    other = Regression(tmp_path / "other")
    other.fit(seed=4)
    assert not torch.equal(other.weights(), whole.weights())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
@pytest.mark.parametrize("step", [1, 4, 7, STEPS])
def test_a_signal_saves_at_the_end_of_the_step_and_the_rerun_ends_the_same(
    tmp_path, whole, number, step
):
    stopped = Regression(tmp_path / "stopped")
    stopped.at_loss = {step: lambda: os.kill(os.getpid(), number)}
    with pytest.raises(Interrupted) as caught:
        stopped.fit()
    assert caught.value.signal_number == number
    assert stopped.losses == step
    assert (stopped.out / "checkpoints" / f"step-{step:09d}").is_dir()
    resumed = Regression(tmp_path / "stopped")
    resumed.fit()
    assert resumed.losses == STEPS - step
    assert torch.equal(resumed.weights(), whole.weights())
    for split in ("train", "valid"):
        assert rows(resumed.out, split) == rows(whole.out, split)


def test_a_crash_goes_on_from_the_last_checkpoint(tmp_path, whole):
    """The validation that was done there is not done twice."""

    def crash():
        raise RuntimeError

    recipe = RECIPE.replace(checkpoint_every=4)
    crashed = Regression(tmp_path / "crashed")
    crashed.at_loss = {7: crash}
    with pytest.raises(RuntimeError):
        crashed.fit(recipe)
    resumed = Regression(tmp_path / "crashed")
    resumed.fit(recipe)
    assert resumed.losses == STEPS - 4
    assert torch.equal(resumed.weights(), whole.weights())
    assert rows(resumed.out, "valid") == rows(whole.out, "valid")


def test_signal_handlers_are_put_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    Regression(tmp_path).fit()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_validation_comes_at_its_steps_and_at_the_end(tmp_path):
    Regression(tmp_path).fit(validate_every=5)
    assert [int(step) for step, *_ in rows(tmp_path, "valid")] == [5, 10, 12]


def test_the_best_weights_are_selected(tmp_path):
    run = Regression(tmp_path)
    seen = []
    run.scores = iter([0.1, 0.7, 0.3])
    run.validate = lambda: seen.append(run.weights()) or {"score": next(run.scores)}
    assert run.fit(select="score") == 8
    assert torch.equal(run.weights(), seen[1])


def test_an_undefined_score_is_never_selected(tmp_path):
    run = Regression(tmp_path)
    run.scores = iter([math.nan, 0.2, math.nan])
    assert run.fit(select="score") == 8


def test_without_selection_the_last_weights_stand(tmp_path):
    run = Regression(tmp_path)
    run.scores = iter([0.1, 0.7, 0.3])
    assert run.fit() == STEPS


def test_the_selection_survives_an_interruption(tmp_path):
    whole = Regression(tmp_path / "whole")
    whole.scores = iter([0.9, 0.7, 0.3])
    whole.fit(select="score")
    stopped = Regression(tmp_path / "stopped")
    stopped.scores = iter([0.9])
    stopped.at_loss = {6: lambda: os.kill(os.getpid(), signal.SIGTERM)}
    with pytest.raises(Interrupted):
        stopped.fit(select="score")
    resumed = Regression(tmp_path / "stopped")
    resumed.scores = iter([0.7, 0.3])
    assert resumed.fit(select="score") == 4
    assert torch.equal(resumed.weights(), whole.weights())


def test_patience_stops_after_validations_without_improvement(tmp_path):
    run = Regression(tmp_path)
    run.scores = iter([0.5, 0.6, 0.6, 0.5, 0.9])
    assert run.fit(validate_every=2, select="score", patience=2) == 4
    assert run.losses == 8


def test_a_run_stopped_by_patience_does_not_go_on_when_called_again(tmp_path):
    run = Regression(tmp_path)
    run.scores = iter([0.5, 0.4])
    run.fit(select="score", patience=1)
    again = Regression(tmp_path)
    assert again.fit(select="score", patience=1) == 4
    assert again.losses == 0
    assert torch.equal(again.weights(), run.weights())


def test_a_loss_that_is_not_finite_stops_and_names_step_and_learning_rate(tmp_path):
    run = Regression(tmp_path)
    run.at_loss = {3: lambda: run.model[0].weight.data.fill_(math.inf)}
    with pytest.raises(InputError, match=r"at step 3 with learning rate 0\.0\d+; lower"):
        run.fit()


def test_frozen_parameters_stay(tmp_path):
    run = Regression(tmp_path)
    run.model[0].requires_grad_(False)
    frozen = run.model[0].weight.clone()
    head = run.model[2].weight.clone()
    run.fit()
    assert torch.equal(run.model[0].weight, frozen)
    assert not torch.equal(run.model[2].weight, head)


def test_the_gradient_is_clipped_over_all_parameters_together(tmp_path):
    run = Regression(tmp_path)
    run.fit(RECIPE.replace(gradient_clip=1e-3))
    norms = torch.stack([p.grad.norm() for p in run.model.parameters()])
    assert norms.norm() == pytest.approx(1e-3, rel=1e-3)


def test_the_learning_rate_of_each_step_is_the_schedules(whole):
    values = [float(v) for _, _, name, v in rows(whole.out, "train") if name == "learning_rate"]
    assert values[0] == pytest.approx(0.05 / 1.2)  # a tenth of twelve steps is warm-up
    assert max(values) == pytest.approx(0.05, rel=0.02)
    assert values[-1] == pytest.approx(0.005)


def test_bf16_trains_fp32_weights(tmp_path):
    run = Regression(tmp_path)
    seen = []
    run.loss = lambda model, batch: (seen.append(model(batch[0])) or seen[-1].float().sum(), 8)
    run.fit(RECIPE.replace(precision="bf16"))
    assert seen[0].dtype is torch.bfloat16
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
