"""`snakemake --sdm conda`: conda's part is played by `conda/bin/conda`, on channels of links."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conda_channel import write_channel
from micro import configure

ROOT = Path(__file__).parents[2]
# On PATH behind an environment and before all else: what a job outside of one would find.
OUTSIDE = "#!/bin/sh\necho 'outside of its environment' >&2\nexit 1\n"
# As in real conda, where bare names of channels are found.
CONDA = """\
#!/bin/sh
CONDA_CHANNEL_ALIAS={channels} exec {root}/tests/workflow/conda/bin/conda "$@"
"""
Snakemake = Callable[..., subprocess.CompletedProcess[str]]
WITH_CONDA = ("--configfile", "micro.yaml", "--cores", "2", "--sdm", "conda")
GENOME = "results/genomes/demo_worm/genome.fa"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of commands: a conda with channels of its own, and a `hyenadna` that fails."""
    pytest.importorskip("rattler")
    channels = tmp_path_factory.mktemp("channels")
    pins: dict[str, str] = {}
    for path in (ROOT / "workflow" / "envs").glob("*.yaml"):
        lines = yaml.safe_load(path.read_text())["dependencies"]
        pins.update(line.split(" =") for line in lines if isinstance(line, str))
    write_channel(channels / "conda-forge", pins)
    write_channel(channels / "bioconda", {})
    folder = tmp_path_factory.mktemp("commands")
    conda = CONDA.format(channels=channels.as_uri(), root=ROOT)
    for name, text in (("conda", conda), ("hyenadna", OUTSIDE)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def checkout(new_checkout: Callable[[], Path]) -> Path:
    """A checkout with a configuration of seconds."""
    folder = new_checkout()
    configure(
        folder,
        pretraining={"steps": 2, "validate_every": 2, "checkpoint_every": 2},
        finetuning={"epochs": 1, "batch_size": 32, "checkpoint_every": 100},
        config={"contexts": [128]},
    )
    return folder


def environments(folder: Path) -> dict[str, Path]:
    """Return {name: folder} of the environments that a run has made."""
    texts = {path.read_text(): path.stem for path in (ROOT / "workflow" / "envs").glob("*.yaml")}
    made = (folder / ".snakemake" / "conda").glob("*.env_setup_done")
    return {texts[path.with_suffix(".yaml").read_text()]: path.with_suffix("") for path in made}


def test_run_from_genome_to_report_happens_within_the_environments(
    checkout: Path, snakemake: Snakemake, commands: Path
) -> None:
    run = snakemake(checkout, *WITH_CONDA, commands=commands)
    assert run.returncode == 0, run.stdout
    assert (checkout / "results" / "report.html").is_file()
    assert environments(checkout).keys() == {"genome", "report", "train-cpu"}
    without_conda = snakemake(checkout, "--configfile", "micro.yaml", "-n")
    assert "Nothing to be done" in without_conda.stdout


def test_package_that_an_environment_lacks_is_missing_in_its_jobs(
    checkout: Path, snakemake: Snakemake, commands: Path
) -> None:
    environment = checkout / "workflow" / "envs" / "genome.yaml"
    lines = environment.read_text().splitlines(keepends=True)
    environment.write_text("".join(line for line in lines if "pysam" not in line))
    run = snakemake(checkout, *WITH_CONDA, "--", GENOME, commands=commands)
    assert run.returncode != 0
    assert "No module named 'pysam'" in run.stdout


def test_lock_file_is_installed_with_the_checkout(
    checkout: Path, snakemake: Snakemake, commands: Path
) -> None:
    only_environments = (*WITH_CONDA, "--conda-create-envs-only", "--", GENOME)
    snakemake(checkout, *only_environments, commands=commands)
    made = environments(checkout)["genome"]
    command = [commands / "conda", "list", "--explicit", "--md5", "--prefix", made]
    lock = checkout / "workflow" / "envs" / "genome.linux-64.pin.txt"
    lock.write_text(subprocess.check_output(command, text=True))
    run = snakemake(checkout, *WITH_CONDA, "--", GENOME, commands=commands)
    assert run.returncode == 0, run.stdout
    assert "Using pinnings from" in run.stdout
    assert "Failed to install" not in run.stdout


def test_environment_shared_by_checkouts_runs_the_code_of_each(
    checkout: Path, snakemake: Snakemake, commands: Path, tmp_path: Path
) -> None:
    only_environments = (*WITH_CONDA, "--conda-create-envs-only", "--", GENOME)
    run = snakemake(checkout, *only_environments, commands=commands)
    assert run.returncode == 0, run.stdout
    other = tmp_path / "other" / "src" / "hyenadna" / "__init__.py"
    other.parent.mkdir(parents=True)
    other.touch()
    activate = ROOT / "tests" / "workflow" / "conda" / "bin" / "activate"
    where = f". {activate} {environments(checkout)['genome']} && python -c"
    found = {
        source: subprocess.check_output(
            ["bash", "-c", f"{where} 'import hyenadna; print(hyenadna.__file__)'"],
            env={**os.environ, "HYENADNA_SOURCE": source},
            text=True,
        ).strip()
        for source in (str(tmp_path / "other"), "")
    }
    assert found == {
        str(tmp_path / "other"): str(other),
        "": str(ROOT / "src" / "hyenadna" / "__init__.py"),
    }


def test_gpus_choose_the_environment_of_training(
    checkout: Path, snakemake: Snakemake, commands: Path
) -> None:
    run = snakemake(checkout, *WITH_CONDA, "-n", "--config", "gpus=1", commands=commands)
    assert run.returncode == 0, run.stdout
    assert "workflow/envs/train-cuda.yaml will be created" in run.stdout
    assert "train-cpu" not in run.stdout
