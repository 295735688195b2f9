"""Pretraining by several tasks of one Slurm job."""

from pathlib import Path

import pytest
import torch
from micro_runs import METRICS, WEIGHTS, Command, ask
from safetensors.torch import load_file

pytestmark = pytest.mark.slurm


def test_two_tasks_on_two_nodes_train_as_one_process(
    to_pretrain: Path, pretrained: Path, start: Command
) -> None:
    (to_pretrain / "slow" / "taken").mkdir()
    # The nodes' names stand for this machine, and lead nowhere.
    srun = "srun --nodes=2 --ntasks=2 --gpus-per-node=1"
    launcher = f"launcher=env MASTER_ADDR=127.0.0.1 {srun}"
    ask(to_pretrain, mpi="srun", nodes=2, tasks=2, gres="\"'gpu:1'\"", gpu=0, tasks_per_gpu=0)
    start(to_pretrain, "--config", launcher, "--", METRICS).succeeds()
    assert (to_pretrain / "commands.txt").read_text().count("pretrain 0") == 2
    weights, expected = (load_file(folder / WEIGHTS) for folder in (to_pretrain, pretrained))
    for name, tensor in weights.items():
        torch.testing.assert_close(tensor, expected[name], atol=2e-4, rtol=1e-3)
