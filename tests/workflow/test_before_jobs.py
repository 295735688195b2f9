"""What would stop a job hours later ends a run in one line before its first job."""

import fcntl
import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
TARGET = ("--configfile", "config/demo.yaml", "--cores", "1", "--", "pretrain_all")
SLURM = {
    "sbatch": """\
#!/bin/sh
case "$*" in
*--test-only*--partition=missing*) ;;
*) exit 0 ;;
esac
echo 'sbatch: error: invalid partition specified: missing' >&2
echo 'allocation failure: Invalid partition name specified' >&2
exit 1
""",
    "sinfo": "#!/bin/sh\necho main\necho gpu\n",
}


def refusal(run: subprocess.CompletedProcess[str], checkout: Path) -> str:
    """Return the one line in which a run ended without having started a job."""
    assert run.returncode == 1, run.stdout
    assert "rule prepare_genome:" not in run.stdout
    assert not (checkout / "results" / "genomes").exists()
    assert 'File "' not in run.stdout
    (line,) = [line for line in run.stdout.splitlines() if line.startswith("hyenadna: ")]
    assert run.stdout.rstrip().endswith(line)
    return line


@pytest.fixture(scope="module")
def checkout(new_checkout: Callable[[], Path]) -> Path:
    return new_checkout()


def test_a_second_run_in_a_folder_is_refused(snakemake: Snakemake, checkout: Path) -> None:
    lock = checkout / ".snakemake" / "run.lock"
    lock.parent.mkdir(exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("here process 12, since today")
        held.flush()
        line = refusal(snakemake(checkout, *TARGET), checkout)
    assert f"another run works in {checkout} (here, process 12, since today); wait for" in line
    lock.unlink()


def test_a_folder_that_takes_no_files_is_refused(snakemake: Snakemake, checkout: Path) -> None:
    results = checkout / "results"
    results.symlink_to("/proc/sys")
    line = refusal(snakemake(checkout, *TARGET), checkout)
    assert f"{results}: nothing can be written there" in line
    results.unlink()


@pytest.mark.skipif(
    importlib.util.find_spec("snakemake_executor_plugin_slurm") is None,
    reason="needs snakemake-executor-plugin-slurm",
)
def test_a_partition_that_slurm_does_not_have_is_refused(
    snakemake: Snakemake, checkout: Path, tmp_path: Path
) -> None:
    for name, script in SLURM.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    partition = ("--set-resources", "pretrain:slurm_partition=missing")
    run = snakemake(
        checkout, "--executor", "slurm", "--jobs", "1", *partition, *TARGET, commands=tmp_path
    )
    line = refusal(run, checkout)
    assert "Slurm would refuse the jobs of rule pretrain (--partition=missing " in line
    assert "Invalid partition name specified; its partitions are main gpu; set partition" in line
