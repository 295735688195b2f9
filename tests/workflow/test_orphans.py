"""Jobs of a killed run are cancelled, and nothing else of the user's is."""

from pathlib import Path

import pytest

from hyenadna.errors import InputError
from hyenadna.workflow import orphans

NAME = "5c3e046a-f8bf-4739-9bcd-129fa8c10291"
SQUEUE = "#!/bin/sh\ncat jobs\n"
SCANCEL = '#!/bin/sh\necho "$@" > cancelled\n: > jobs\n'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with stand-ins for Slurm's commands, which list and empty the file `jobs`."""
    for name, script in {"squeue": SQUEUE, "scancel": SCANCEL}.items():
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def job(number, *, name=NAME, comment="rule_pretrain_wildcards_x", folder):
    return f"{number}|{name}|{comment}|{folder}\n"


def test_jobs_of_a_killed_run_are_cancelled_once_each(folder):
    (folder / "jobs").write_text(job(7, folder=folder) + job(8, folder=folder) * 2)
    assert orphans.cancel(folder) == ["7", "8"]
    assert (folder / "cancelled").read_text() == "7 8\n"


def test_other_jobs_are_let_be(folder, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    (folder / "jobs").write_text(
        job(7, folder=Path("/elsewhere"))
        + job(8, name="notebook", folder=folder)
        + job(8, comment="", folder=folder)
        + job(9, folder=folder)
    )
    assert orphans.cancel(folder) == []
    assert not (folder / "cancelled").exists()


def test_jobs_that_do_not_end_are_named(folder, monkeypatch):
    monkeypatch.setattr(orphans, "PATIENCE", -1)
    (folder / "scancel").write_text("#!/bin/sh\n")
    (folder / "jobs").write_text(job(7, folder=folder))
    with pytest.raises(InputError, match="do not end: 7;"):
        orphans.cancel(folder)
