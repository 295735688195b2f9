"""Pretraining by several processes: as one process, within rounding, and resumable by any."""

import os
import signal
import time

import pytest
import torch
from processes import PROCESSES, free_port, torchrun
from safetensors.torch import load_file

from hyenadna.data.corpus import GenomeSource
from hyenadna.errors import Interrupted
from hyenadna.training.pretrain import pretrain


def train(rank, size, port, config, recipe, genomes, out, context_size):
    """Pretrain as one of several processes, started as torchrun does."""
    torch.set_num_threads(1)
    if size > 1:
        os.environ |= torchrun(rank, size, port)
    options = {"seed": 0, "device": "cpu", "context_size": context_size}
    try:
        pretrain(config, recipe, genomes=genomes, out=out, **options)
    except Interrupted as stop:
        os._exit(128 + stop.signal_number)


@pytest.fixture
def start(corpus, tiny_model):
    """A function that starts so many processes on one directory."""

    def start(out, recipe, size, context_size=1):
        port = free_port()
        config = tiny_model.replace(embed_dropout=0.0, resid_dropout=0.0)
        genomes = [GenomeSource(corpus.tokens, corpus.intervals)]
        processes = [
            PROCESSES.Process(
                target=train, args=(rank, size, port, config, recipe, genomes, out, context_size)
            )
            for rank in range(size)
        ]
        for process in processes:
            process.start()
        return processes

    return start


def finish(processes, code=0):
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [code] * len(processes)


@pytest.fixture
def recipe(tiny_recipe):
    """Ten steps; batches that neither two nor four processes share alike, in two lengths."""
    stages = {"stages": [{"length": 16, "tokens": 480}]}
    return tiny_recipe.replace(
        steps=10, batch_size=5, micro_batch_size=2, length_warmup=stages, checkpoint_every=2
    )


@pytest.fixture
def whole(start, recipe, tmp_path):
    """The directory of a run by one process."""
    finish(start(tmp_path / "whole", recipe, 1))
    return tmp_path / "whole"


def assert_close(out, expected, read_metrics):
    weights, others = (load_file(of / "model.safetensors") for of in (out, expected))
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, others[name], atol=2e-4, rtol=1e-3)
    rows, others = (
        [row for row in read_metrics(of) if row.name != "tokens_per_second"]
        for of in (out, expected)
    )
    assert [row[:3] for row in rows] == [row[:3] for row in others]
    for row, other in zip(rows, others, strict=True):
        assert row.value == pytest.approx(other.value, rel=2e-3, abs=1e-6), row


@pytest.mark.parametrize(("size", "context_size"), [(2, 1), (4, 1), (2, 2), (4, 2), (4, 4)])
def test_several_processes_train_as_one(
    start, recipe, whole, tmp_path, read_metrics, size, context_size
):
    finish(start(tmp_path / "several", recipe, size, context_size))
    assert_close(tmp_path / "several", whole, read_metrics)


def test_a_run_goes_on_with_another_number_of_processes(
    start, recipe, whole, tmp_path, read_metrics
):
    """A signal to one process stops them all at the same step; one process goes on."""
    out = tmp_path / "changed"
    slow = start(out, recipe, 2)
    while not list(out.glob("checkpoints/step-*")) and all(of.is_alive() for of in slow):
        time.sleep(0.001)
    os.kill(slow[1].pid, signal.SIGUSR1)
    for process in slow:
        process.join()
    # What only the other process was told arrives as a plain request to end.
    assert [of.exitcode for of in slow] == [128 + signal.SIGTERM, 128 + signal.SIGUSR1]
    assert not (out / "run.json").exists()
    finish(start(out, recipe, 1))
    assert_close(out, whole, read_metrics)
