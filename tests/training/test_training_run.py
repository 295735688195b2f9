"""Runs: one process, whole checkpoints of the same settings, final files at the end."""

import logging
import time
from pathlib import Path

import pytest
import torch
from torch import nn

from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.training.checkpoint import Progress
from hyenadna.training.optimizer import Optimizers
from hyenadna.training.run import Identity, Run

CPU = torch.device("cpu")
IDENTITY = Identity(
    stage="pretrain", seed=1, settings={"steps": 3}, data={Path("genome.fa"): "0f1e"}
)


def open_run(out, identity=IDENTITY, **options):
    return Run(out, identity, device=CPU, **options)


def optimizers_of(model):
    return Optimizers(torch.optim.AdamW(model.parameters()))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def save_steps(run, model, steps):
    """Checkpoints whose weights tell their step, with a metric row before each."""
    for step in steps:
        nn.init.constant_(model.weight, step)
        run.log(step, "train", {"loss": 1.0 / step})
        run.save(Progress(step=step), model, optimizers_of(model))


def resumed_step(out, model):
    with open_run(out) as run:
        progress, _, _ = run.restore(model, optimizers_of(model))
        assert model.weight[0, 0] == progress.step or progress.step == 0
        return progress.step


def test_the_last_two_checkpoints_are_kept(tmp_path, model):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2, 3])
    kept = sorted(path.name for path in (tmp_path / "checkpoints").glob("step-*"))
    assert kept == ["step-000000002", "step-000000003"]
    assert resumed_step(tmp_path, model) == 3


def truncate(path):
    path.write_bytes(path.read_bytes()[:-4])


def test_a_broken_newest_checkpoint_gives_way_to_the_older(tmp_path, model, caplog):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2])
    truncate(tmp_path / "checkpoints" / "step-000000002" / "model.safetensors")
    assert resumed_step(tmp_path, model) == 1
    assert "step-000000002 is broken" in caplog.text
    assert "an older one is looked for" in caplog.text
    assert not (tmp_path / "checkpoints" / "step-000000002").exists()


def test_without_a_whole_checkpoint_the_run_starts_over(tmp_path, model, caplog):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2])
    for path in (tmp_path / "checkpoints").glob("step-*"):
        truncate(path / "model.safetensors")
    assert resumed_step(tmp_path, model) == 0
    assert caplog.text.count("is broken") == 2
    assert "no checkpoint is whole; starting over" in caplog.text


def test_working_metrics_go_back_to_the_checkpoint(tmp_path, model):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2])
        run.log(3, "train", {"loss": 0.1})
    assert resumed_step(tmp_path, model) == 2
    rows = (tmp_path / "checkpoints" / "metrics.tsv").read_text()
    assert rows == "step\tsplit\tname\tvalue\n1\ttrain\tloss\t1\n2\ttrain\tloss\t0.5\n"


def test_lost_working_metrics_break_the_checkpoints(tmp_path, model, caplog):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2])
    (tmp_path / "checkpoints" / "metrics.tsv").write_text("step\tsplit\tname\tvalue\n")
    assert resumed_step(tmp_path, model) == 0
    assert "metrics are shorter" in caplog.text


@pytest.mark.parametrize(
    "other",
    [
        Identity(stage="finetune", seed=1, settings={"steps": 3}, data=IDENTITY.data),
        Identity(stage="pretrain", seed=2, settings={"steps": 3}, data=IDENTITY.data),
        Identity(stage="pretrain", seed=1, settings={"steps": 4}, data=IDENTITY.data),
        Identity(stage="pretrain", seed=1, settings={"steps": 3}, data={Path("genome.fa"): "77"}),
    ],
    ids=["stage", "seed", "settings", "data"],
)
def test_a_checkpoint_of_another_run_is_discarded_with_a_notice(tmp_path, model, caplog, other):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2])
    with open_run(tmp_path, other) as run:
        assert run.resumed is None
    assert "starting over" in caplog.text
    assert not list((tmp_path / "checkpoints").glob("step-*"))


def test_a_moved_data_file_is_the_same_run():
    moved = Identity(stage="pretrain", seed=1, settings={"steps": 3}, data={Path("b"): "0f1e"})
    assert moved.fingerprint == IDENTITY.fingerprint


def test_another_version_of_the_package_is_another_run(monkeypatch):
    before = IDENTITY.fingerprint
    monkeypatch.setattr("hyenadna.__version__", "99.0")
    assert IDENTITY.fingerprint != before


def test_a_second_process_is_refused(tmp_path):
    with open_run(tmp_path), pytest.raises(InputError, match=r"another process .*process \d+ on"):
        open_run(tmp_path).__enter__()
    with open_run(tmp_path):
        pass


def test_a_file_system_without_locks_is_noticed(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    with open_run(tmp_path):
        assert "has no locks" in caplog.text


def test_nothing_is_published_before_the_end(tmp_path, model):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1])
        (run.staging / "predictions.parquet").write_text("x")
        assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]
        run.publish(metric="loss")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checkpoints",
        "config.yaml",
        "metrics.tsv",
        "predictions.parquet",
        "run.json",
    ]


def test_a_run_is_finished_while_its_files_are_there(tmp_path):
    with open_run(tmp_path) as run:
        assert not run.finished
        (run.staging / "model.safetensors").write_text("x")
        run.publish()
        assert run.finished
    with open_run(tmp_path) as run:
        assert run.finished
    (tmp_path / "model.safetensors").unlink()
    with open_run(tmp_path) as run:
        assert not run.finished


def test_other_settings_are_not_finished(tmp_path):
    with open_run(tmp_path) as run:
        run.publish()
    other = Identity(stage="pretrain", seed=2, settings={}, data={})
    with open_run(tmp_path, other) as run:
        assert not run.finished


def test_no_record_stands_over_files_of_two_runs(tmp_path, monkeypatch):
    with open_run(tmp_path) as run:
        run.publish()
    other = Identity(stage="pretrain", seed=2, settings={}, data={})

    def fail(*_):
        raise OSError("killed")

    with open_run(tmp_path, other) as run:
        monkeypatch.setattr(Path, "replace", fail)
        with pytest.raises(InputError, match="killed"):
            run.publish()
    assert (tmp_path / "metrics.tsv").exists()
    assert not (tmp_path / "run.json").exists()


def test_the_record_says_what_was_run(tmp_path):
    with open_run(tmp_path) as run:
        run.publish(metric="accuracy", counts={"train": 5})
    record = read_json(tmp_path / "run.json")
    assert record["stage"] == "pretrain"
    assert record["seed"] == 1
    assert record["data"] == [{"path": "genome.fa", "sha256": "0f1e"}]
    assert record["metric"] == "accuracy"
    assert record["counts"] == {"train": 5}
    assert record["device"] == "cpu"
    assert record["threads"] == torch.get_num_threads()
    assert set(record["packages"]) == {"torch", "numpy", "python"}
    assert record["peak_memory_mb"] > 10
    assert record["started"] <= record["finished"]
    assert "version" in record
    assert "command" in record


def test_seconds_add_up_over_processes(tmp_path, model, monkeypatch):
    clock = iter(range(0, 10_000, 1_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    with open_run(tmp_path) as run:
        save_steps(run, model, [1])
    with open_run(tmp_path) as run:
        assert run.seconds == 2_000


def test_leftovers_of_a_killed_process_are_removed(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    for leftover in (".run.json.x1", "checkpoints/.step-000000001.y2", "checkpoints/publish"):
        (tmp_path / leftover).mkdir(parents=True)
        (tmp_path / leftover / "part").write_text("half")
    with open_run(tmp_path) as run:
        assert list(run.staging.iterdir()) == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "checkpoints",
        "lock",
        "metrics.tsv",
        "publish",
    ]


def test_a_process_beside_the_main_one_reads_the_same_checkpoint_and_writes_nothing(
    tmp_path, model
):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2])
    with open_run(tmp_path), open_run(tmp_path, main=False) as other:
        files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        progress, _, _ = other.restore(model, optimizers_of(model))
        other.log(3, "train", {"loss": 0.1})
        other.save(Progress(step=3), model, optimizers_of(model))
        other.publish()
        assert progress.step == 2
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == files


def test_a_process_beside_the_main_one_removes_no_broken_checkpoint(tmp_path, model):
    with open_run(tmp_path) as run:
        save_steps(run, model, [1, 2])
    broken = tmp_path / "checkpoints" / "step-000000002"
    truncate(broken / "model.safetensors")
    with open_run(tmp_path, main=False) as other:
        assert other.resumed.progress.step == 1
        assert broken.exists()


def test_a_full_disk_ends_in_one_line_that_names_the_file(tmp_path, model):
    """/dev/full takes nothing, as a full disk does."""
    with open_run(tmp_path) as run:
        metrics = tmp_path / "checkpoints" / "metrics.tsv"
        metrics.unlink()
        metrics.symlink_to("/dev/full")
        with pytest.raises(InputError, match=r"metrics\.tsv: cannot be written \(No space left"):
            run.log(1, "train", {"loss": 1.0})


def test_a_checkpoint_that_does_not_fit_leaves_the_older_ones(tmp_path, model, monkeypatch):
    def fill_the_disk(tensors, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    with open_run(tmp_path) as run:
        save_steps(run, model, [1])
        monkeypatch.setattr("hyenadna.training.checkpoint.save_file", fill_the_disk)
        with pytest.raises(InputError, match=r"step-000000002: cannot be written \(No space left"):
            save_steps(run, model, [2])
        kept = [path.name for path in (tmp_path / "checkpoints").glob("*step-*")]
    assert kept == ["step-000000001"]


def test_a_folder_that_cannot_be_made_ends_in_one_line_that_names_it(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file/out/checkpoints: cannot be written \(Not a dir"):
        open_run(tmp_path / "file" / "out").__enter__()
