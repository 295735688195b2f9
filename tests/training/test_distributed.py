"""Processes that train together: how they find each other, and what they tell each other."""

import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from processes import call, torchrun
from torch import nn

from hyenadna.errors import InputError
from hyenadna.training import distributed
from hyenadna.training.distributed import World, first_host, join

SRUN = {
    "SLURM_STEP_ID": "2",
    "SLURM_JOB_ID": "1000",
    "SLURM_JOB_NODELIST": "n[003-010,12],gpu-[1,3]",
    "SLURM_NTASKS": "16",
    "SLURM_PROCID": "9",
    "SLURM_LOCALID": "1",
}


def without(environment, name):
    return {key: value for key, value in environment.items() if key != name}


@pytest.mark.parametrize(
    ("nodes", "host"),
    [
        ("n[001-003,7],gpu-[1,3]", "n001"),
        ("gpu-[1,3]", "gpu-1"),
        ("node5,node[7-9]", "node5"),
        ("rack[2-3]n[08-11]-ib", "rack2n08-ib"),
        ("alone.cluster", "alone.cluster"),
    ],
)
def test_first_host_of_a_list_of_nodes(nodes, host):
    assert first_host(nodes) == host


def test_torchrun_is_read():
    launch = distributed._launched(torchrun(3, 4, 29_500))
    assert launch == distributed._Launch(3, 4, 3, "127.0.0.1", 29_500)


def test_srun_is_read():
    launch = distributed._launched(SRUN)
    port = distributed.FIRST_PORT + (16 * 1000 + 2) % distributed.PORTS
    assert launch == distributed._Launch(9, 16, 1, "n003", port)


def test_a_step_of_a_part_of_the_job_has_its_own_size_and_nodes():
    part = SRUN | {"SLURM_STEP_NUM_TASKS": "10", "SLURM_STEP_NODELIST": "n[005-007]"}
    launch = distributed._launched(part)
    assert (launch.size, launch.address) == (10, "n005")


def test_master_can_be_told_to_processes_of_srun():
    launch = distributed._launched(SRUN | {"MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "4000"})
    assert (launch.address, launch.port) == ("10.0.0.1", 4000)


def test_torchrun_within_a_step_comes_first():
    assert distributed._launched(SRUN | torchrun(0, 2, 29_500)).size == 2


@pytest.mark.parametrize(
    "environment",
    [{}, without(SRUN, "SLURM_STEP_ID"), SRUN | {"SLURM_NTASKS": "1"}, torchrun(0, 1, 29_500)],
    ids=["nothing", "a batch script", "one task", "one process"],
)
def test_a_process_is_alone_where_none_else_was_started(environment):
    assert distributed._launched(environment) is None


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (without(torchrun(0, 2, 1), "RANK"), "has WORLD_SIZE, LOCAL_RANK.* but not RANK: start wi"),
        (without(SRUN, "SLURM_LOCALID"), "but not SLURM_LOCALID: start with srun"),
        (torchrun(0, 2, 1) | {"RANK": "first"}, "RANK must be a whole number, got 'first'"),
    ],
)
def test_an_environment_that_is_half_there_is_refused(environment, message):
    with pytest.raises(InputError, match=message):
        distributed._launched(environment)


def test_one_process_needs_no_other(monkeypatch):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_STEP_ID"):
        monkeypatch.delenv(name, raising=False)
    parameter = nn.Parameter(torch.zeros(2))
    with join() as world:
        assert world == World()
        assert not dist.is_initialized()
        assert world.sum([1.5, 2]) == [1.5, 2]
        assert world.any(True)
        assert world.device("cpu") == torch.device("cpu")
        world.sum_gradients([parameter])
        world.same_weights(nn.Linear(2, 2))
        world.barrier()
    assert parameter.grad is None


def test_sequences_are_shared_by_a_divisor_of_the_processes_only(monkeypatch):
    for name, value in torchrun(0, 6, 1).items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(InputError, match=r"6 processes .* groups of 4 .*\(6 % 4 = 2\)"),
        join(context_size=4),
    ):
        pass


def test_processes_that_do_not_meet_say_where(monkeypatch):
    for name, value in torchrun(1, 2, 70_000).items():
        monkeypatch.setenv(name, value)
    with (
        pytest.raises(InputError, match=r"process 1 of 2 did not meet the others at 127.0.0.1:70"),
        join(),
    ):
        pass


@pytest.fixture
def gpus(monkeypatch):
    """A function that makes torch see so many GPUs."""

    def see(count):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)

    return see


def test_each_process_takes_the_gpu_of_its_number(gpus):
    gpus(4)
    assert World(5, 8, local_rank=1).device("auto") == torch.device("cuda:1")


def test_a_process_that_sees_its_own_gpu_alone_takes_that(gpus, monkeypatch):
    gpus(1)
    monkeypatch.setenv("SLURM_GPUS_ON_NODE", "4")
    assert World(5, 8, local_rank=3).device("cuda") == torch.device("cuda:0")


@pytest.mark.parametrize(("count", "name"), [(1, "auto"), (2, "cuda")])
def test_more_processes_than_gpus_are_refused(gpus, monkeypatch, count, name):
    monkeypatch.delenv("SLURM_GPUS_ON_NODE", raising=False)
    gpus(count)
    with pytest.raises(InputError, match=f"process 2 .* no GPU of its own: torch sees {count}"):
        World(2, 4, local_rank=2).device(name)


def test_several_processes_do_not_share_one_gpu(gpus):
    gpus(4)
    with pytest.raises(InputError, match="one GPU, and 4 processes"):
        World(2, 4, local_rank=2).device("cuda:1")


def parameters(rank):
    """Four parameters with gradients of their own on each process, one of them on the last only."""
    torch.manual_seed(rank)
    drawn = [nn.Parameter(torch.zeros(shape)) for shape in [(3, 2), (5,), (1, 7), (2,)]]
    for parameter in drawn[: 4 if rank == 3 else 3]:
        parameter.grad = torch.randn_like(parameter)
    return drawn


def tell_each_other(folder):
    distributed.BUCKET_ELEMENTS = 8
    with join(context_size=2) as world:
        drawn = parameters(world.rank)
        world.sum_gradients(drawn)
        linear = nn.Linear(2, 2)  # of another seed on each process
        world.same_weights(linear)
        world.barrier()
        found = {
            "group": dist.get_process_group_ranks(world.context_group().processes),
            "place": (world.rank, world.data_rank, world.context_rank, world.is_main),
            "gradients": [parameter.grad for parameter in drawn],
            "sum": world.sum([0.1 * world.rank, 1e-17 if world.rank else 1.0]),
            "any": [world.any(world.rank == 2), world.any(False)],
            "weights": linear.weight.detach(),
        }
        torch.save(found, folder / f"{world.rank}.pt")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each of four processes knows after they told each other."""
    folder = tmp_path_factory.mktemp("told")
    call(tell_each_other, 4, folder)
    return [torch.load(folder / f"{rank}.pt") for rank in range(4)]


def test_processes_that_share_sequences_follow_one_another(told):
    assert [process["place"] for process in told] == [
        (0, 0, 0, True),
        (1, 0, 1, False),
        (2, 1, 0, False),
        (3, 1, 1, False),
    ]
    assert [process["group"] for process in told] == [[0, 1], [0, 1], [2, 3], [2, 3]]


def test_gradients_are_summed_and_missing_ones_count_as_zero(told):
    everyone = [parameters(rank) for rank in range(4)]
    for process in told:
        for gradient, of_all in zip(process["gradients"], zip(*everyone, strict=True), strict=True):
            given = [parameter.grad for parameter in of_all if parameter.grad is not None]
            torch.testing.assert_close(gradient, torch.stack(given).sum(0))


def test_all_processes_have_the_same_bits(told):
    for process in told[1:]:
        assert torch.equal(process["weights"], told[0]["weights"])
        assert process["sum"] == told[0]["sum"]
        for gradient, other in zip(process["gradients"], told[0]["gradients"], strict=True):
            assert torch.equal(gradient, other)


def test_numbers_are_summed_in_double_precision(told):
    assert told[0]["sum"] == pytest.approx([0.6, 1 + 3e-17], rel=1e-15)


def test_a_flag_of_one_process_is_known_to_all(told):
    assert all(process["any"] == [True, False] for process in told)


def as_srun(rank, size, port):
    numbers = {"PROCID": rank, "LOCALID": rank, "NTASKS": size, "JOB_ID": 1000, "STEP_ID": 0}
    environment = {f"SLURM_{name}": str(number) for name, number in numbers.items()}
    return environment | {"SLURM_JOB_NODELIST": "127.0.0.[1-2]", "MASTER_PORT": str(port)}


def count_processes(folder):
    with join() as world:
        (folder / str(world.rank)).write_text(f"{world.sum([1])[0]:g} of {world.size}")


def test_processes_of_srun_meet(tmp_path):
    call(count_processes, 2, tmp_path, environment=as_srun)
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ["2 of 2"] * 2


@pytest.mark.slow
def test_processes_of_torchrun_meet(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        f"import sys; sys.path[:0] = {[*sys.path]}\n"
        "from pathlib import Path\n"
        "from test_distributed import count_processes\n"
        f"count_processes(Path({str(tmp_path)!r}))\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    subprocess.run([*command, "--nproc-per-node", "2", str(script)], check=True, timeout=120)
    assert [(tmp_path / str(rank)).read_text() for rank in range(2)] == ["2 of 2"] * 2
