"""Monitors: the rows of the metrics arrive once, also after a resume."""

import os
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from hyenadna.errors import InputError
from hyenadna.training.checkpoint import Progress
from hyenadna.training.monitors import Monitors
from hyenadna.training.optimizer import Optimizers
from hyenadna.training.run import Identity, Run

TENSORBOARD = Monitors(tensorboard=True)
WANDB = Monitors(wandb="genomes")
MODEL = nn.Linear(1, 1)
OPTIMIZERS = Optimizers(torch.optim.AdamW(MODEL.parameters()))


def log_steps(out, monitors, steps, *, save_at, value=1.0, main=True):
    """Log one row for each step in a run that is saved after one of them."""
    identity = Identity(stage="pretrain", seed=0, settings={"steps": 9}, data={})
    with Run(out, identity, device=torch.device("cpu"), main=main, monitors=monitors) as run:
        for step in steps:
            run.log(step, "train", {"loss": value * step})
            if step == save_at:
                run.save(Progress(step=step), MODEL, OPTIMIZERS)


def events(out):
    """What TensorBoard shows of the loss, as pairs of step and value."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(out / "tensorboard")).Reload()
    return [(event.step, event.value) for event in shown.Scalars("train/loss")]


@pytest.fixture
def tensorboard():
    """Skip where the package is missing."""
    pytest.importorskip("tensorboard")


@pytest.mark.usefixtures("tensorboard")
def test_tensorboard_has_the_rows_of_the_metrics(tmp_path):
    log_steps(tmp_path, TENSORBOARD, [0, 1, 2], save_at=2)
    assert events(tmp_path) == [(0, 0.0), (1, 1.0), (2, 2.0)]


@pytest.mark.usefixtures("tensorboard")
def test_after_a_resume_tensorboard_shows_no_step_twice(tmp_path):
    log_steps(tmp_path, TENSORBOARD, [1, 2, 3, 4], save_at=2)
    log_steps(tmp_path, TENSORBOARD, [3, 4, 5], save_at=5, value=10.0)
    assert events(tmp_path) == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0), (5, 50.0)]


@pytest.mark.usefixtures("tensorboard")
def test_a_run_that_starts_over_hides_what_was_there(tmp_path):
    log_steps(tmp_path, TENSORBOARD, [0, 1, 2], save_at=None)
    log_steps(tmp_path, TENSORBOARD, [0, 1], save_at=None, value=10.0)
    assert events(tmp_path) == [(0, 0.0), (1, 10.0)]


@pytest.mark.usefixtures("tensorboard")
def test_rows_before_a_checkpoint_outlive_a_killed_process(tmp_path):
    child = os.fork()
    if child == 0:
        log_steps(tmp_path, TENSORBOARD, _then_die([1, 2, 3]), save_at=2)
    os.waitpid(child, 0)
    time.sleep(1)  # Files are ordered by the second that they were begun in.
    log_steps(tmp_path, TENSORBOARD, [3], save_at=3, value=10.0)
    assert events(tmp_path) == [(1, 1.0), (2, 2.0), (3, 30.0)]


def _then_die(steps):
    yield from steps
    os.kill(os.getpid(), 9)


@pytest.mark.usefixtures("tensorboard")
def test_a_process_beside_the_main_one_writes_no_events(tmp_path):
    log_steps(tmp_path, Monitors(), [1], save_at=None)
    log_steps(tmp_path, TENSORBOARD, [1], save_at=None, main=False)
    assert not (tmp_path / "tensorboard").exists()


def test_without_monitors_nothing_more_is_written(tmp_path):
    log_steps(tmp_path, Monitors(), [1], save_at=None)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


@pytest.mark.parametrize(("monitors", "name"), [(TENSORBOARD, "tensorboard"), (WANDB, "wandb")])
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path, monkeypatch, monitors, name
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=rf"pip install 'hyenadna\[{name}\]'"):
        log_steps(tmp_path, monitors, [1], save_at=None)


class FakeWandb:
    """Keeps what its caller says, in place of the package."""

    __spec__ = object()
    errors = SimpleNamespace(Error=RuntimeError)

    def __init__(self):
        self.begun, self.rows, self.finished = [], [], 0

    def init(self, **options):
        if options["project"] == "nobody's":
            raise RuntimeError("no API key configured")
        self.begun.append(options)
        return SimpleNamespace(
            id=options["id"] or f"run{len(self.begun)}",
            log=lambda values, step: self.rows.append((step, values)),
            finish=self.finish,
        )

    def finish(self):
        self.finished += 1


@pytest.fixture
def fake_wandb(monkeypatch):
    """A stand-in for the package."""
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def test_wandb_gets_the_rows_and_the_settings(tmp_path, fake_wandb):
    log_steps(tmp_path / "tiny", WANDB, [1, 2], save_at=None)
    (begun,) = fake_wandb.begun
    assert begun["project"] == "genomes"
    assert begun["name"] == "tiny"
    assert begun["config"] == {"stage": "pretrain", "steps": 9}
    assert fake_wandb.rows == [(1, {"train/loss": 1.0}), (2, {"train/loss": 2.0})]
    assert fake_wandb.finished == 1


def test_a_resumed_run_is_the_same_one_for_wandb(tmp_path, fake_wandb):
    for save_at in (2, 3):
        log_steps(tmp_path, WANDB, [save_at], save_at=save_at)
    assert [begun["id"] for begun in fake_wandb.begun] == [None, "run1"]


def test_a_run_that_starts_over_is_another_one_for_wandb(tmp_path, fake_wandb):
    for _ in range(2):
        log_steps(tmp_path, WANDB, [1], save_at=None)
    assert [begun["id"] for begun in fake_wandb.begun] == [None, None]
    assert (tmp_path / "checkpoints" / "wandb-id").read_text() == "run2\n"


@pytest.mark.usefixtures("fake_wandb")
def test_a_user_whom_wandb_does_not_know_is_told_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"no API key configured; use `wandb login`, or set WANDB"):
        log_steps(tmp_path, Monitors(wandb="nobody's"), [1], save_at=None)


@pytest.mark.slow
def test_the_real_wandb_works_offline(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for save_at in (2, 3):
        log_steps(tmp_path, WANDB, [1, 2, 3], save_at=save_at)
    known = (tmp_path / "checkpoints" / "wandb-id").read_text().strip()
    assert len(list((tmp_path / "wandb").glob(f"offline-run-*-{known}"))) == 2
