"""Checkpoints: whole or refused, and all that the next step depends on comes back."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import nn

from hyenadna.training import checkpoint
from hyenadna.training.checkpoint import BrokenCheckpoint, Checkpoint, Progress

FILES = [
    "average.safetensors",
    "best.safetensors",
    "model.safetensors",
    "optimizer.safetensors",
    "state.json",
]


@pytest.fixture
def saved():
    """A checkpoint with everything that one can hold."""
    tensors = {name: {name: torch.randn(3)} for name in ("model", "optimizer", "best", "average")}
    progress = Progress(
        step=7, best_step=5, best_value=0.1, loss_mean=1 / 3, overflows=2, scaler={"scale": 2.0**15}
    )
    return Checkpoint(progress=progress, **tensors)


@pytest.fixture
def folder(tmp_path, saved):
    checkpoint.save(tmp_path / "step-7", saved, fingerprint="0f1e")
    return tmp_path / "step-7"


def test_what_is_saved_comes_back(folder, saved):
    found, fingerprint = checkpoint.load(folder)
    assert fingerprint == "0f1e"
    assert found.progress == saved.progress
    for name in ("model", "optimizer", "best", "average"):
        assert torch.equal(getattr(found, name)[name], getattr(saved, name)[name])


def test_best_and_averaged_weights_may_be_missing(tmp_path):
    tensors = {"x": torch.ones(1)}
    less = Checkpoint(progress=Progress(), model=tensors, optimizer=tensors)
    checkpoint.save(tmp_path / "step-0", less, fingerprint="")
    found, _ = checkpoint.load(tmp_path / "step-0")
    assert found.best is None
    assert found.average is None


def test_the_manifest_lists_every_other_file(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sorted(manifest) == FILES
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "manifest.json"])


def test_the_manifest_is_written_last(tmp_path, saved, monkeypatch):
    write, there = Path.write_text, []

    def spy(self, *arguments, **options):
        there.append(sorted(path.name for path in self.parent.iterdir()))
        return write(self, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", spy)
    checkpoint.save(tmp_path / "step-7", saved, fingerprint="")
    assert there[-1] == FILES


def flip_a_byte(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-4])


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_a_byte, cut_short, empty, Path.unlink])
@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
def test_damage_to_any_file_is_found(folder, file, damage):
    damage(folder / file)
    with pytest.raises(BrokenCheckpoint):
        checkpoint.load(folder)


def test_an_empty_directory_is_broken(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(BrokenCheckpoint, match=r"manifest\.json"):
        checkpoint.load(folder)


def test_a_failed_save_leaves_nothing(tmp_path, saved, monkeypatch):
    def fail(path):
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "sha256", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(tmp_path / "step-7", saved, fingerprint="")
    assert list(tmp_path.iterdir()) == []


def test_a_shared_parameter_is_stored_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    assert set(checkpoint.model_tensors(model)) == {"0.weight", "0.bias", "1.bias"}
