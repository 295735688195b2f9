"""A run that is killed anywhere and started again ends the same, to the bit."""

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from hyenadna.errors import Interrupted
from hyenadna.training.pretrain import pretrain

# A server that has imported everything once forks each process in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["hyenadna.training.pretrain", "torch._dynamo", "pytest"])

NOT_TIMED = {"tokens_per_second"}


def train(config, recipe, paths, kill_at_rename=None):
    """Pretrain in a process of its own, which may kill itself as it is about to rename a file."""
    torch.set_num_threads(1)
    if kill_at_rename is not None:
        rename, left = Path.replace, iter(range(kill_at_rename))

        def counted(self, target):
            if next(left, None) is None:
                os.kill(os.getpid(), signal.SIGKILL)
            return rename(self, target)

        Path.replace = counted
    try:
        pretrain(config, recipe, **paths, seed=0, device="cpu")
    except Interrupted as stop:
        sys.exit(128 + stop.signal_number)


@pytest.fixture(scope="module")
def start(corpus, tiny_model, tiny_recipe):
    """A function that starts `train` on a directory."""
    server = PROCESSES.Process(target=os.getpid)
    server.start()
    server.join()

    def start(out, **options):
        paths = {"tokens": corpus.tokens, "intervals": corpus.intervals, "out": out}
        arguments = (tiny_model, tiny_recipe, paths)
        process = PROCESSES.Process(target=train, args=arguments, kwargs=options)
        process.start()
        return process

    return start


@pytest.fixture(scope="module")
def whole(start, tmp_path_factory):
    """An uninterrupted run, with the seconds that it took."""
    out = tmp_path_factory.mktemp("resume") / "whole"
    begin = time.monotonic()
    process = start(out)
    process.join()
    assert process.exitcode == 0
    return out, time.monotonic() - begin


@pytest.fixture
def assert_same(read_metrics):
    """A function that compares the final files of two runs."""

    def check(one, other):
        for name in ("model.safetensors", "config.json", "config.yaml"):
            assert (one / name).read_bytes() == (other / name).read_bytes()
        rows = [
            [row for row in read_metrics(out) if row.name not in NOT_TIMED] for out in (one, other)
        ]
        assert rows[0] == rows[1]
        assert (other / "run.json").exists()

    return check


def test_terminated_and_started_again(start, whole, assert_same, tmp_path):
    out, _ = whole
    process = start(tmp_path / "stopped")
    while not list(tmp_path.glob("stopped/checkpoints/step-*")):
        time.sleep(0.001)
    process.terminate()
    process.join()
    assert process.exitcode == 128 + signal.SIGTERM
    assert not (tmp_path / "stopped" / "run.json").exists()
    finish(start, tmp_path / "stopped")
    assert_same(out, tmp_path / "stopped")


def finish(start, out):
    process = start(out)
    process.join()
    assert process.exitcode == 0


def test_killed_at_random_moments(start, whole, assert_same, tmp_path):
    out, seconds = whole
    rng = np.random.default_rng(0)
    killed = 0
    for share in rng.uniform(0.2, 0.8, 4):
        process = start(tmp_path / "killed")
        process.join(share * seconds)
        process.kill()
        process.join()
        killed += process.exitcode == -signal.SIGKILL
    assert killed > 0
    finish(start, tmp_path / "killed")
    assert_same(out, tmp_path / "killed")


def test_killed_at_the_renames_by_which_files_come_into_place(start, whole, assert_same, tmp_path):
    """Each process gets one rename further before it is killed, through checkpoints and results."""
    out, _ = whole
    codes = []
    while 0 not in codes:
        assert not (tmp_path / "killed" / "run.json").exists()
        process = start(tmp_path / "killed", kill_at_rename=len(codes))
        process.join()
        codes.append(process.exitcode)
    assert codes[:-1] == [-signal.SIGKILL] * 7
    assert_same(out, tmp_path / "killed")
