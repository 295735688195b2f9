"""Processes that train together: who they are, and what they tell each other once a step."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from hyenadna.errors import InputError
from hyenadna.model.context import ContextGroup
from hyenadna.model.device import resolve_device

# Longer than the main process keeps the others waiting, as when it counts words of a genome.
TIMEOUT = timedelta(minutes=30)

# Gradients of so many weights are summed at a time, 64 MB in fp32.
BUCKET_ELEMENTS = 1 << 24

# Above the ports that Linux gives out by itself (ip_local_port_range).
FIRST_PORT, PORTS = 61_000, 4_500


@dataclass(frozen=True)
class World:
    """The processes of a run, as one of them sees them; by default it is alone.

    What they tell each other is the same on all of them afterwards, to the bit.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Number among the processes of this machine."""
    context_size: int = 1
    """Processes that share each sequence; they follow one another in rank."""
    context_processes: dist.ProcessGroup | None = None
    """Those that share the sequences of this one."""

    @property
    def data_rank(self) -> int:
        """Number of the share of the sequences that this process works on."""
        return self.rank // self.context_size

    @property
    def data_size(self) -> int:
        """Shares that the sequences of a step are divided into."""
        return self.size // self.context_size

    @property
    def context_rank(self) -> int:
        """Number of this process's share of the positions of its sequences."""
        return self.rank % self.context_size

    @property
    def is_main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def context_group(self) -> ContextGroup:
        """Return the processes that share sequences with this one, for `shard_context`."""
        assert self.context_processes is not None
        return ContextGroup(self.context_rank, self.context_size, self.context_processes)

    def device(self, name: str) -> torch.device:
        """Return the device of this process, and make it the current one.

        Args:
            name: auto, cpu or cuda; of several processes, each takes the GPU of its number.

        Raises:
            InputError: there is no such device, or fewer GPUs than processes here.
        """
        device = resolve_device(name)
        if self.size == 1 or device.type == "cpu":
            return device
        if device.index is not None:
            raise InputError(
                f"device {name!r} is one GPU, and {self.size} processes train together; "
                "with --device cuda each takes its own"
            )
        device = torch.device("cuda", self._gpu())
        torch.cuda.set_device(device)
        return device

    def _gpu(self) -> int:
        count = torch.cuda.device_count()
        if self.local_rank < count:
            return self.local_rank
        # Slurm can show each process its own GPU alone (--gpus-per-task).
        if count == 1 and _number(os.environ, "SLURM_GPUS_ON_NODE", default=0) > self.local_rank:
            return 0
        raise InputError(
            f"process {self.local_rank} (from 0) of this machine finds no GPU of its own: torch "
            f"sees {count}; start at most as many processes on a machine as it has GPUs"
        )

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace gradients by their sums over all processes; one that is missing counts as 0."""
        if self.size == 1:
            return
        for bucket in _buckets(parameters):
            gradients = [p.new_zeros(p.shape) if p.grad is None else p.grad for p in bucket]
            # Concatenation widens to fp32 at least.
            flat = torch.cat([torch.zeros(0, device=bucket[0].device), *map(_flat, gradients)])
            dist.all_reduce(flat)
            sums = flat.split_with_sizes([p.numel() for p in bucket])
            for parameter, gradient, total in zip(bucket, gradients, sums, strict=True):
                parameter.grad = gradient.copy_(total.view_as(gradient))

    def sum(self, values: Sequence[float]) -> list[float]:
        """Return the sums of numbers over all processes, added up in fp64."""
        if self.size == 1:
            return list(values)
        totals = torch.tensor(values, dtype=torch.float64, device="cpu")
        dist.all_reduce(totals)
        sums: list[float] = totals.tolist()
        return sums

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set on any process."""
        return self.sum([float(flag)])[0] > 0

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.any(False)

    def same_weights(self, module: nn.Module) -> None:
        """Give a module the parameters and buffers that the main process has."""
        if self.size == 1:
            return
        for tensor in (*module.parameters(), *module.buffers()):
            dist.broadcast(tensor.detach(), src=0)


@contextmanager
def join(context_size: int = 1) -> Iterator[World]:
    """Meet the other processes that torchrun or srun started, if there are any.

    Args:
        context_size: processes that are to share each sequence.

    Raises:
        InputError: the processes cannot be divided so, or do not find each other.
    """
    launch = _launched(os.environ)
    size = 1 if launch is None else launch.size
    if context_size < 1 or size % context_size:
        raise InputError(
            f"{size} process{'es' * (size > 1)} cannot be divided into groups of {context_size} "
            f"that share a sequence ({size} % {context_size} = {size % max(context_size, 1)}); "
            "start a multiple of that with torchrun or srun"
        )
    if launch is None:
        yield World()
        return
    _meet(launch)
    try:
        yield World(launch.rank, size, launch.local_rank, context_size, _group(context_size))
    finally:
        dist.destroy_process_group()


@dataclass(frozen=True)
class _Launch:
    """What a launcher told a process that is not alone."""

    rank: int
    size: int
    local_rank: int
    address: str
    port: int


def _launched(environment: Mapping[str, str]) -> _Launch | None:
    """Read what torchrun or else srun told this process; None if it is alone."""
    launch = _by_torchrun(environment) or _by_slurm(environment)
    return None if launch is None or launch.size == 1 else launch


def _by_torchrun(environment: Mapping[str, str]) -> _Launch | None:
    ranks = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    if not any(name in environment for name in ranks):
        return None
    _require(environment, (*ranks, "MASTER_ADDR", "MASTER_PORT"), launcher="torchrun")
    rank, size, local_rank = (_number(environment, name) for name in ranks)
    port = _number(environment, "MASTER_PORT")
    return _Launch(rank, size, local_rank, environment["MASTER_ADDR"], port)


def _by_slurm(environment: Mapping[str, str]) -> _Launch | None:
    """Read the environment of an srun step; a batch script has most of it too, but runs alone."""
    if "SLURM_STEP_ID" not in environment:
        return None
    # A step may have fewer tasks than its job, on some of its nodes.
    tasks = "SLURM_STEP_NUM_TASKS" if "SLURM_STEP_NUM_TASKS" in environment else "SLURM_NTASKS"
    if _number(environment, tasks, default=1) == 1:
        return None
    own_nodes = "SLURM_STEP_NODELIST" in environment
    nodes = "SLURM_STEP_NODELIST" if own_nodes else "SLURM_JOB_NODELIST"
    _require(environment, ("SLURM_PROCID", "SLURM_LOCALID", "SLURM_JOB_ID", nodes), launcher="srun")
    job, step = (_number(environment, name) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    port = FIRST_PORT + (16 * job + step) % PORTS
    return _Launch(
        _number(environment, "SLURM_PROCID"),
        _number(environment, tasks),
        _number(environment, "SLURM_LOCALID"),
        environment.get("MASTER_ADDR") or first_host(environment[nodes]),
        _number(environment, "MASTER_PORT", default=port),
    )


def first_host(nodes: str) -> str:
    """Return the first host of a Slurm node list, such as n001 of "n[001-003,7],gpu-[1,3]"."""
    entry = re.match(r"(?:[^,\[]|\[[^\]]*\])+", nodes)
    if entry is None:
        raise InputError(f"Slurm's list of nodes {nodes!r} has no host; set MASTER_ADDR to one")
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", entry[0])


def _require(environment: Mapping[str, str], names: Sequence[str], *, launcher: str) -> None:
    missing = [name for name in names if name not in environment]
    if missing:
        there = ", ".join(name for name in names if name in environment)
        raise InputError(
            f"the environment has {there} but not {', '.join(missing)}: start with {launcher}, "
            "which sets them all, or unset them to train in one process"
        )


def _number(environment: Mapping[str, str], name: str, *, default: int | None = None) -> int:
    value = environment.get(name, "" if default is None else str(default))
    if not value.isdecimal():
        raise InputError(f"environment variable {name} must be a whole number, got {value!r}")
    return int(value)


def _meet(launch: _Launch) -> None:
    gpus = torch.cuda.is_available() and dist.is_nccl_available()
    where = f"{launch.address}:{launch.port}"
    try:
        dist.init_process_group(
            # What the CPU wants to know need not wait for a GPU.
            "cpu:gloo,cuda:nccl" if gpus else "gloo",
            init_method=f"tcp://{where}",
            rank=launch.rank,
            world_size=launch.size,
            timeout=TIMEOUT,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"process {launch.rank} of {launch.size} did not meet the others at {where} "
            f"({reason}); set MASTER_ADDR and MASTER_PORT to a host and a free port that all reach"
        ) from error


def _group(context_size: int) -> dist.ProcessGroup | None:
    """Divide the processes by the sequences that they share, and return this one's group."""
    if context_size == 1:
        return None
    groups = []
    for first in range(0, dist.get_world_size(), context_size):
        # Each process takes part in making every group.
        groups.append(dist.new_group(range(first, first + context_size), timeout=TIMEOUT))
    own: dist.ProcessGroup = groups[dist.get_rank() // context_size]
    return own


def _buckets(parameters: Iterable[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Divide parameters, in order, into lists of about `BUCKET_ELEMENTS` elements or of one."""
    bucket: list[nn.Parameter] = []
    elements = 0
    for parameter in parameters:
        if bucket and elements + parameter.numel() > BUCKET_ELEMENTS:
            yield bucket
            bucket, elements = [], 0
        bucket.append(parameter)
        elements += parameter.numel()
    if bucket:
        yield bucket


def _flat(x: Tensor) -> Tensor:
    return x.reshape(-1)
