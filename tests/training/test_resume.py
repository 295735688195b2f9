"""A run that is killed anywhere and started again ends the same, to the bit."""

import itertools
import os
import shutil
import signal
import sys
import time
from functools import partial

import numpy as np
import pytest
import safetensors.torch
import torch
from processes import PROCESSES

from hyenadna.data.corpus import GenomeSource
from hyenadna.errors import Interrupted
from hyenadna.training.pretrain import pretrain

NOT_TIMED = {"tokens_per_second"}
KILLED = -signal.SIGKILL

CHECKPOINTS = 5
"""Renames by which the checkpoints of a run come into place."""
FINAL_RENAMES = 7
"""And its results: two files in the staging directory, then five in the output directory."""

BOUNDARIES = ("rename", "sync", "open")
"""Kinds of moments at which what is on disk changes."""


def train(
    config,
    recipe,
    genomes,
    out,
    *,
    kill_at=None,
    kinds=BOUNDARIES,
    forgetful=False,
    first_scale=2.0**16,
):
    """Pretrain in a process of its own.

    Args:
        kill_at: number of the boundary, of some kinds, just before which the process kills itself.
        kinds: kinds that are counted.
        forgetful: whether dropout is drawn by the steps of this process, not of the run.
        first_scale: what the loss is multiplied with at first in fp16.
    """
    torch.set_num_threads(1)
    if kill_at is not None:
        kill_at_boundary(out, kill_at, kinds)
    torch.amp.GradScaler = partial(torch.amp.GradScaler, init_scale=first_scale)
    if forgetful:
        calls, seed = itertools.count(), torch.manual_seed
        torch.manual_seed = lambda _: seed(next(calls))
    try:
        pretrain(
            config,
            recipe,
            genomes=genomes,
            out=out,
            seed=0,
            device="cpu",
        )
    except Interrupted as stop:
        sys.exit(128 + stop.signal_number)


def kill_at_boundary(out, number, kinds):
    """Have this process kill itself just before a rename, a sync or the opening of a file."""
    left = iter(range(number))

    def note(kind):
        if kind in kinds and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)

    def audit(event, arguments):
        if event == "os.rename":
            note("rename")
        elif event == "open":
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR) and str(path).startswith(str(out)):
                note("open")

    def sync(descriptor, original=os.fsync):
        note("sync")
        original(descriptor)

    # What is written by other means than Python's is not audited.
    def serialize(*arguments, original=safetensors.torch.serialize_file, **options):
        note("open")
        original(*arguments, **options)

    sys.addaudithook(audit)
    os.fsync = sync
    safetensors.torch.serialize_file = serialize


@pytest.fixture(scope="module")
def start(corpus, tiny_model, tiny_recipe):
    """A function that starts `train` on a directory."""
    server = PROCESSES.Process(target=os.getpid)
    server.start()
    server.join()

    def start(out, recipe=tiny_recipe, **options):
        genomes = [GenomeSource(corpus.tokens, corpus.intervals)]
        arguments = (tiny_model, recipe, genomes, out)
        process = PROCESSES.Process(target=train, args=arguments, kwargs=options)
        process.start()
        return process

    return start


@pytest.fixture(scope="module")
def run(start):
    """A function that trains in a directory to the end, or to where it is killed."""

    def run(out, **options):
        process = start(out, **options)
        process.join()
        return process.exitcode

    return run


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """An uninterrupted run, with the seconds that it took."""
    out = tmp_path_factory.mktemp("resume") / "whole"
    begin = time.monotonic()
    assert run(out) == 0
    return out, time.monotonic() - begin


@pytest.fixture
def assert_same(read_metrics):
    """A function that compares the final files of two runs."""

    def check(one, other):
        for name in ("model.safetensors", "config.json", "config.yaml"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
        # As text, because the norm of gradients that overflow is not a number.
        rows = [
            [str(row) for row in read_metrics(out) if row.name not in NOT_TIMED]
            for out in (one, other)
        ]
        assert rows[0] == rows[1]
        assert (other / "run.json").exists()

    return check


def wait_for_checkpoint(out):
    while not list(out.glob("checkpoints/step-*")):
        time.sleep(0.001)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_stopped_by_a_signal_and_started_again(start, run, whole, assert_same, tmp_path, number):
    out, _ = whole
    process = start(tmp_path / "stopped")
    wait_for_checkpoint(tmp_path / "stopped")
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == 128 + number
    assert not (tmp_path / "stopped" / "run.json").exists()
    assert run(tmp_path / "stopped") == 0
    assert_same(out, tmp_path / "stopped")


@pytest.mark.parametrize("moments", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_killed_at_random_moments(start, run, whole, assert_same, tmp_path, moments):
    out, seconds = whole
    rng = np.random.default_rng(moments)
    killed = 0
    for share in rng.uniform(0.1, 0.9, moments):
        process = start(tmp_path / "killed")
        process.join(share * seconds)
        process.kill()
        process.join()
        killed += process.exitcode == KILLED
        if process.exitcode == 0:
            shutil.rmtree(tmp_path / "killed")
    assert killed > 0
    assert run(tmp_path / "killed") == 0
    assert_same(out, tmp_path / "killed")


def test_killed_at_every_rename_by_which_a_file_comes_into_place(
    run, whole, assert_same, tiny_recipe, tmp_path
):
    """Each process gets one rename further before it is killed, through checkpoints and results."""
    out, _ = whole
    killed = tmp_path / "killed"
    last = killed / "checkpoints" / f"step-{tiny_recipe.steps:09d}"
    # Each process adds one checkpoint to those of the one before, but puts results in place anew.
    kill_at = [0] + [1] * CHECKPOINTS + list(range(1, FINAL_RENAMES))
    for number in kill_at:
        assert run(killed, kill_at=number, kinds=("rename",)) == KILLED
        assert not (killed / "run.json").exists()
    assert last.exists()
    assert run(killed, kill_at=FINAL_RENAMES, kinds=("rename",)) == 0
    assert_same(out, killed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", BOUNDARIES)
def test_killed_at_every_write_boundary(run, whole, assert_same, tmp_path, kind):
    """A run for each boundary that there is, killed there once."""
    out, _ = whole
    for number in itertools.count():
        killed = tmp_path / f"{kind}-{number}"
        code = run(killed, kill_at=number, kinds=(kind,))
        if code == 0:
            break
        assert code == KILLED
        assert run(killed) == 0
        assert_same(out, killed)
        shutil.rmtree(killed)
    assert number >= 10


@pytest.fixture
def stopped(start, tmp_path):
    """A run that was killed when it had two checkpoints, and those."""
    process = start(tmp_path / "stopped", kill_at=3, kinds=("rename",))
    process.join()
    checkpoints = sorted(tmp_path.glob("stopped/checkpoints/step-*"))
    assert len(checkpoints) == 2
    return tmp_path / "stopped", checkpoints


def flip_a_byte(checkpoint):
    file = checkpoint / "optimizer.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def lose_a_file(checkpoint):
    (checkpoint / "model.safetensors").unlink()


@pytest.mark.parametrize("broken", [1, 2])
def test_broken_checkpoints_cost_time_and_nothing_else(run, whole, assert_same, stopped, broken):
    out, _ = whole
    directory, checkpoints = stopped
    damages = [flip_a_byte, lose_a_file]
    for checkpoint, damage in list(zip(checkpoints[::-1], damages, strict=True))[:broken]:
        damage(checkpoint)
    assert run(directory) == 0
    assert_same(out, directory)


def test_all_that_a_recipe_adds_to_the_state_is_resumed(run, assert_same, tiny_recipe, tmp_path):
    """Two optimizers, averaged weights, a scale of fp16 that some steps overflow, lengths."""
    once, resumed = tmp_path / "once", tmp_path / "resumed"
    recipe = tiny_recipe.replace(
        optimizer="muon",
        ema_decay=0.9,
        precision="fp16",
        spike_nats=5.0,
        length_warmup={"start": 8, "share": 0.5},
    )
    options = {"recipe": recipe, "first_scale": 2.0**30}
    assert run(once, **options) == 0
    assert run(resumed, **options, kill_at=3, kinds=("rename",)) == KILLED
    assert run(resumed, **options) == 0
    assert_same(once, resumed)


def test_dropout_that_forgets_its_step_is_found(run, assert_same, tmp_path):
    """The control: with this part of the randomness left out of a resume, runs differ."""
    once, again, resumed = (tmp_path / name for name in ("once", "again", "resumed"))
    for out in (once, again):
        assert run(out, forgetful=True) == 0
    assert_same(once, again)
    assert run(resumed, forgetful=True, kill_at=3, kinds=("rename",)) == KILLED
    assert run(resumed, forgetful=True) == 0
    with pytest.raises(AssertionError, match=r"model\.safetensors"):
        assert_same(once, resumed)
