"""Calls a function in several processes that find each other as those of torchrun or srun do."""

import multiprocessing
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any

import torch

# A server that has imported everything once forks each process in milliseconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["hyenadna.training.pretrain", "torch._dynamo", "pytest"])


def torchrun(rank: int, size: int, port: int) -> dict[str, str]:
    """Return the environment of a process that torchrun starts on one machine."""
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    return {"MASTER_ADDR": "127.0.0.1"} | {name: str(number) for name, number in numbers.items()}


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def call(
    function: Callable[..., None],
    size: int,
    *arguments: Any,
    environment: Callable[[int, int, int], Mapping[str, str]] = torchrun,
) -> None:
    """Call `function` in `size` processes at once, each in its own environment.

    Args:
        environment: makes what launchers set, of rank, size and a free port.
    """
    port = free_port()
    processes = [
        PROCESSES.Process(target=_call, args=(environment(rank, size, port), function, arguments))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
        process.join()
    assert codes == [0] * size, f"exit codes {codes}; None is one that did not end"


def _call(environment: Mapping[str, str], function: Callable[..., None], arguments: Any) -> None:
    os.environ.update(environment)
    torch.set_num_threads(1)
    function(*arguments)
