"""What is looked for before a run starts."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hyenadna.errors import InputError
from hyenadna.workflow import preflight

HOLD = """\
import sys
from pathlib import Path
from hyenadna.workflow.preflight import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""
Process = subprocess.Popen[str]


def start_holding(folder: Path) -> Process:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def end(process: Process) -> None:
    process.communicate()
    assert process.returncode == 0


def test_a_folder_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    process = start_holding(tmp_path)
    with pytest.raises(InputError, match=f"another run works in .*, process {process.pid}, since"):
        preflight.hold(tmp_path)
    end(process)
    end(start_holding(tmp_path))


def test_a_run_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    process = start_holding(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.communicate()
    end(start_holding(tmp_path))


def test_a_run_of_another_machine_is_left_to_the_user(tmp_path: Path) -> None:
    """Its lock may not be seen from here, so that none being there says nothing."""
    (tmp_path / "run.lock").write_text("elsewhere process 12, since yesterday\n")
    with pytest.raises(InputError, match=r"a run \(elsewhere, process 12, .*: rm .*run\.lock"):
        preflight.hold(tmp_path)


def test_a_folder_to_be_made_is_judged_by_the_one_above_it(tmp_path: Path) -> None:
    preflight.check_folders([tmp_path / "a" / "b" / "file"], room=0)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_file_is_named() -> None:
    with pytest.raises(InputError, match="/proc/sys: nothing can be written there"):
        preflight.check_folders([Path("/proc/sys/results/file")], room=0)


def test_a_disk_with_too_little_room_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}: .* GB are free there and at least"):
        preflight.check_folders([tmp_path / "file"], room=2**60)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH for what stands in for Slurm's commands; there is nothing else on it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def stand_in(folder: Path, *, says: str) -> None:
    """Make an `sbatch` that writes down what it is asked, and refuses."""
    for name in ("sbatch", "sinfo"):
        (folder / name).write_text(
            f"#!/bin/sh\necho $0 $* >> {folder}/asked\necho {says} >&2\nexit 1"
        )
        (folder / name).chmod(0o755)


def ask(*jobs: tuple[str, dict[str, object]]) -> None:
    preflight.check_slurm(jobs, profile="a/profile.yaml")


def test_what_slurm_refuses_is_said_with_the_file_to_edit(slurm: Path) -> None:
    stand_in(slurm, says="'allocation failure: Invalid account'")
    with pytest.raises(InputError, match=r"rule train \(--account=x\): Invalid acc.*a/profile"):
        ask(("train", {"account": "x", "partition": None}))


def test_nodes_that_will_be_back_stop_no_run(slurm: Path) -> None:
    stand_in(slurm, says="'Required node not available (down, drained or reserved)'")
    ask(("train", {"mem": 1}))


def test_slurm_is_asked_once_for_jobs_that_are_alike(slurm: Path) -> None:
    stand_in(slurm, says="'Requested nodes are busy'")
    ask(("train", {"mem": 1}), ("test", {"mem": 1}), ("test", {"mem": 2}))
    assert len((slurm / "asked").read_text().splitlines()) == 2


@pytest.mark.usefixtures("slurm")
def test_a_machine_without_slurm_is_told_apart() -> None:
    with pytest.raises(InputError, match="there is no sbatch here; start the run where Slurm is"):
        ask(("train", {"mem": 1}))
