"""Resumable checkpoints: tensors in safetensors, everything else in JSON, nothing pickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from hyenadna.files import atomic_write, read_json, sha256

Tensors = dict[str, Tensor]


class BrokenCheckpoint(Exception):
    """A checkpoint that is not whole, with the reason."""


@dataclass
class Progress:
    """Where training stands; with the tensors, all that the next step depends on."""

    step: int = 0
    """Optimizer steps done."""
    terms: int = 0
    """Loss terms seen: target bases, or labels."""
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


@dataclass
class Checkpoint:
    """Everything needed to go on."""

    progress: Progress
    model: Tensors
    optimizer: Tensors
    best: Tensors | None


def save(path: Path, checkpoint: Checkpoint, *, fingerprint: str) -> None:
    """Write a checkpoint directory atomically; it is whole or not there."""
    with atomic_write(path) as part:
        part.mkdir()
        tensors = {"model": checkpoint.model, "optimizer": checkpoint.optimizer}
        if checkpoint.best is not None:
            tensors["best"] = checkpoint.best
        checksums = {}
        for name, content in tensors.items():
            file = part / f"{name}.safetensors"
            save_file(content, file)
            checksums[file.name] = sha256(file)
        state = {
            "fingerprint": fingerprint,
            "progress": asdict(checkpoint.progress),
            "files": checksums,
        }
        (part / "state.json").write_text(json.dumps(state, indent=2) + "\n", encoding="utf-8")


def load(path: Path) -> Checkpoint:
    """Read a checkpoint directory and verify its checksums.

    Raises:
        BrokenCheckpoint: a file is missing, unreadable or altered.
    """
    try:
        state = read_json(path / "state.json")
        tensors = {name: _verified(path / name, digest) for name, digest in state["files"].items()}
        return Checkpoint(
            progress=Progress(**state["progress"]),
            model=tensors["model.safetensors"],
            optimizer=tensors["optimizer.safetensors"],
            best=tensors.get("best.safetensors"),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BrokenCheckpoint(str(error)) from error


def fingerprint_of(path: Path) -> str | None:
    """Return the fingerprint of the run that wrote a checkpoint, or None if it cannot be read."""
    try:
        fingerprint = read_json(path / "state.json")["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(fingerprint)


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


def optimizer_tensors(model: nn.Module, optimizer: Optimizer) -> Tensors:
    """Return the optimizer's state, as `<parameter>/<quantity>`."""
    return {
        f"{name}/{quantity}": value
        for name, parameter in model.named_parameters()
        for quantity, value in optimizer.state.get(parameter, {}).items()
    }


def restore_optimizer(
    model: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]
) -> None:
    """Put tensors from `optimizer_tensors` back."""
    parameters = dict(model.named_parameters())
    states: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        name, quantity = key.rsplit("/", 1)
        # AdamW keeps its step count on the CPU, its moments beside the parameter.
        device = "cpu" if quantity == "step" else parameters[name].device
        states.setdefault(name, {})[quantity] = tensor.to(device)
    for name, state in states.items():
        optimizer.state[parameters[name]] = state


def _verified(path: Path, digest: str) -> Tensors:
    if sha256(path) != digest:
        raise BrokenCheckpoint(f"{path.name} does not match its checksum")
    tensors: Tensors = load_file(path)
    return tensors
