"""Resumable checkpoints: tensors in safetensors, everything else in JSON, nothing pickled.

A checkpoint is a directory that holds all that the next step depends on. No state of a random
number generator is in it: what a step draws is a function of the seed and the step's number.

    model.safetensors       weights
    optimizer.safetensors   `<parameter>/<quantity>`, of all optimizers
    average.safetensors     averaged weights, where the recipe asks for them
    best.safetensors        best weights so far, where a metric selects them
    state.json              whose it is, and `Progress`
    manifest.json           the SHA-256 of each of these, written last
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from hyenadna.files import atomic_write, read_json, sha256
from hyenadna.training.optimizer import Optimizers

Tensors = dict[str, Tensor]


class BrokenCheckpoint(Exception):
    """A checkpoint that is not whole, with the reason."""


@dataclass
class Progress:
    """Where training stands; with the tensors, all that the next step depends on."""

    step: int = 0
    """Optimizer steps done."""
    seconds: float = 0.0
    """Wall time of the run so far, over all its processes."""
    metrics_bytes: int = 0
    """Length of the working metrics file when this was saved."""
    validated: bool = True
    """Whether a validation due at this step has been done."""
    best_step: int | None = None
    """Step of the best weights, where a metric selects them."""
    best_value: float | None = None
    """Validation metric of the best weights."""
    stale: int = 0
    """Validations since then."""
    loss_mean: float | None = None
    """Running mean of the loss, in nats, that a spike is measured against."""
    overflows: int = 0
    """Steps in a row whose gradients overflowed fp16."""
    scaler: dict[str, float] = field(default_factory=dict)
    """State of the loss scaling of fp16."""


@dataclass
class Checkpoint:
    """Everything needed to go on."""

    progress: Progress
    model: Tensors
    optimizer: Tensors
    best: Tensors | None = None
    average: Tensors | None = None


def save(path: Path, checkpoint: Checkpoint, *, fingerprint: str) -> None:
    """Write a checkpoint directory atomically; it is whole and on disk, or not there.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.
        SafetensorError: the same, met while tensors are written.
    """
    contents = {
        "model": checkpoint.model,
        "optimizer": checkpoint.optimizer,
        "best": checkpoint.best,
        "average": checkpoint.average,
    }
    with atomic_write(path) as part:
        part.mkdir()
        for name, tensors in contents.items():
            if tensors is not None:
                save_file(tensors, part / f"{name}.safetensors")
        state = {"fingerprint": fingerprint, "progress": asdict(checkpoint.progress)}
        _write_json(part / "state.json", state)
        checksums = {file.name: sha256(file) for file in sorted(part.iterdir())}
        _write_json(part / "manifest.json", checksums)


def load(path: Path) -> tuple[Checkpoint, str]:
    """Read and verify a checkpoint directory; return also the fingerprint of its run.

    Raises:
        BrokenCheckpoint: a file is missing, unreadable or altered.
    """
    try:
        names = _verify(path)
        state = read_json(path / "state.json")
        tensors = {name: load_file(path / name) for name in names if name.endswith(".safetensors")}
        found = Checkpoint(
            progress=Progress(**state["progress"]),
            model=tensors["model.safetensors"],
            optimizer=tensors["optimizer.safetensors"],
            best=tensors.get("best.safetensors"),
            average=tensors.get("average.safetensors"),
        )
        return found, state["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise BrokenCheckpoint(str(error)) from error


def model_tensors(model: nn.Module) -> Tensors:
    """Return every parameter and stored buffer once, by its first name."""
    stored = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in stored}
    return {
        name: tensor.detach().contiguous()
        for name, tensor in (*model.named_parameters(), *buffers.items())
    }


def restore_model(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors from `model_tensors` back, in place."""
    targets = dict(model.named_parameters()) | dict(model.named_buffers())
    with torch.no_grad():
        for name, tensor in tensors.items():
            targets[name].copy_(tensor)


def optimizer_tensors(model: nn.Module, optimizers: Optimizers) -> Tensors:
    """Return the state of all optimizers, as `<parameter>/<quantity>`."""
    return {
        f"{name}/{quantity}": value
        for name, parameter in model.named_parameters()
        for optimizer in optimizers.optimizers
        for quantity, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(
    model: nn.Module, optimizers: Optimizers, tensors: Mapping[str, Tensor]
) -> None:
    """Put tensors from `optimizer_tensors` back, each with the optimizer of its parameter."""
    states: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, quantity = key.rsplit("/", 1)
        states.setdefault(name, {})[quantity] = tensor
    names = {parameter: name for name, parameter in model.named_parameters()}
    for optimizer in optimizers.optimizers:
        for parameter in (p for group in optimizer.param_groups for p in group["params"]):
            # AdamW keeps its step count on the CPU, its moments beside the parameter.
            optimizer.state[parameter] = {
                quantity: tensor.to("cpu" if quantity == "step" else parameter.device)
                for quantity, tensor in states.get(names[parameter], {}).items()
            }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _verify(path: Path) -> list[str]:
    """Return the names in a checkpoint's manifest, all of whose files are as they were written."""
    checksums: dict[str, str] = read_json(path / "manifest.json")
    for name, digest in checksums.items():
        if sha256(path / name) != digest:
            raise BrokenCheckpoint(f"{name} does not match its checksum")
    return list(checksums)
