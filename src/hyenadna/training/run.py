"""One run, one output directory: locked while at work, resumable, published at the end.

Everything in progress lives under `checkpoints/`, because a workflow manager deletes declared
outputs before it starts a failed job again. The final files appear at the very end, `run.json`
last: where it is, the run is whole.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import platform
import resource
import shutil
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
import yaml
from torch import nn
from torch.optim import Optimizer

import hyenadna
from hyenadna.errors import InputError
from hyenadna.files import read_json, sync, write_json
from hyenadna.training import checkpoint
from hyenadna.training.checkpoint import BrokenCheckpoint, Checkpoint, Progress, Tensors

KEPT_CHECKPOINTS = 2

_log = logging.getLogger(__name__)
_HEADER = "step\tsplit\tname\tvalue\n"


@dataclass(frozen=True)
class Identity:
    """What decides the result of a run."""

    stage: str
    """pretrain, finetune, scratch, probe, baselines or biotypes."""
    seed: int
    settings: Mapping[str, Any]
    """Plain values, written to `config.yaml`."""
    data: Mapping[Path, str]
    """Files read, with the SHA-256 of each."""
    benchmark: str = ""
    """Name of the benchmark, where there is one; a label only."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all that the result depends on; paths and labels do not count."""
        content = [
            hyenadna.__version__,
            self.stage,
            self.seed,
            dict(self.settings),
            sorted(self.data.values()),
        ]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Run:
    """An output directory at work; use it as a context manager.

    with Run(out, identity, device=device) as run:
        if run.finished:
            return out
        fit(model, recipe, run=run, ...)
        run.log(step, "test", {"accuracy": 0.9})
        model.save_pretrained(run.staging)
        run.publish(metric="accuracy")
    """

    def __init__(self, out: Path, identity: Identity, *, device: torch.device) -> None:
        self.out = out
        self.identity = identity
        self.device = device
        self.checkpoints = out / "checkpoints"
        self.staging = self.checkpoints / "publish"
        """Files put here become the run's final files."""
        self.resumed: Checkpoint | None = None
        """Where an earlier process of this run stopped."""
        self._metrics = self.checkpoints / "metrics.tsv"

    def __enter__(self) -> Self:
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(self.checkpoints / "lock", self.out)
        self._clock = time.monotonic()
        self._started = _now()
        if not self.finished:
            self._clean()
            self.resumed = self._newest()
            self._rewind()
            if self.resumed is not None:
                self._clock -= self.resumed.progress.seconds
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.close()

    @property
    def finished(self) -> bool:
        """Whether these very settings, seed and data have been run to the end here."""
        try:
            record = read_json(self.out / "run.json")
        except (OSError, ValueError):
            return False
        files_there = all((self.out / name).exists() for name in record.get("files", ()))
        return files_there and record.get("fingerprint") == self.identity.fingerprint

    @property
    def seconds(self) -> float:
        """Wall time so far, over all processes of this run."""
        return time.monotonic() - self._clock

    def log(self, step: int, split: str, values: Mapping[str, float]) -> None:
        """Append rows to the working metrics."""
        rows = "".join(f"{step}\t{split}\t{name}\t{_text(v)}\n" for name, v in values.items())
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(rows)

    def restore(self, model: nn.Module, optimizer: Optimizer) -> tuple[Progress, Tensors | None]:
        """Put an earlier process's weights and state back; return its progress and best weights."""
        if self.resumed is None:
            return Progress(metrics_bytes=self._metrics.stat().st_size), None
        checkpoint.restore_model(model, self.resumed.model)
        checkpoint.restore_optimizer(model, optimizer, self.resumed.optimizer)
        return self.resumed.progress, self.resumed.best

    def save(
        self, progress: Progress, model: nn.Module, optimizer: Optimizer, best: Tensors | None
    ) -> None:
        """Write a checkpoint and drop all but the last ones."""
        sync(self._metrics)
        progress.seconds = self.seconds
        progress.metrics_bytes = self._metrics.stat().st_size
        tensors = checkpoint.model_tensors(model)
        state = checkpoint.optimizer_tensors(model, optimizer)
        checkpoint.save(
            self.checkpoints / f"step-{progress.step:09d}",
            Checkpoint(progress=progress, model=tensors, optimizer=state, best=best),
            fingerprint=self.identity.fingerprint,
        )
        for old in self._saved()[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)

    def publish(self, **record: Any) -> None:
        """Move the staged files, the settings and the metrics to their places, `run.json` last.

        Args:
            record: more entries for `run.json`, e.g. metric, kind, classes, counts, parameters.
        """
        self.staging.mkdir(exist_ok=True)
        shutil.copyfile(self._metrics, self.staging / "metrics.tsv")
        settings = yaml.safe_dump(dict(self.identity.settings), sort_keys=False)
        (self.staging / "config.yaml").write_text(settings, encoding="utf-8")
        files = sorted(self.staging.iterdir())
        for file in files:
            sync(file)
        (self.out / "run.json").unlink(missing_ok=True)
        for file in files:
            file.replace(self.out / file.name)
        content = self._record() | record | {"files": [file.name for file in files]}
        write_json(self.out / "run.json", content)

    def _record(self) -> dict[str, Any]:
        return {
            "version": hyenadna.__version__,
            "command": " ".join(sys.argv),
            "stage": self.identity.stage,
            **({"benchmark": self.identity.benchmark} if self.identity.benchmark else {}),
            "seed": self.identity.seed,
            "device": _device_name(self.device),
            "threads": torch.get_num_threads(),
            "packages": {
                "torch": torch.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
            "data": [{"path": str(p), "sha256": d} for p, d in self.identity.data.items()],
            "seconds": round(self.seconds, 1),
            "peak_memory_mb": _peak_memory_mb(self.device),
            "started": self._started,
            "finished": _now(),
            "fingerprint": self.identity.fingerprint,
        }

    def _saved(self) -> list[Path]:
        return sorted(self.checkpoints.glob("step-*"))

    def _clean(self) -> None:
        """Remove what a killed process left half-written; the lock says that none is at work."""
        half = (*self.checkpoints.glob(".step-*"), *self.out.glob(".run.json.*"))
        for leftover in (self.staging, *half):
            shutil.rmtree(leftover, ignore_errors=True)
        self.staging.mkdir()

    def _newest(self) -> Checkpoint | None:
        """Return the newest whole checkpoint of this very run."""
        for path in reversed(self._saved()):
            other = checkpoint.fingerprint_of(path)
            if other is not None and other != self.identity.fingerprint:
                _log.warning(
                    "%s: settings, seed, data or version have changed; starting over", path
                )
                return None
            try:
                found = checkpoint.load(path)
                if not self._metrics.is_file():
                    raise BrokenCheckpoint("the working metrics are missing")
                if self._metrics.stat().st_size < found.progress.metrics_bytes:
                    raise BrokenCheckpoint("the working metrics are shorter than they were")
            except BrokenCheckpoint as error:
                _log.warning("%s is broken (%s); an older one is used", path, error)
                shutil.rmtree(path)
            else:
                _log.info("resuming from %s", path)
                return found
        return None

    def _rewind(self) -> None:
        """Bring the working metrics back to the checkpoint, or start over."""
        if self.resumed is None:
            for path in self._saved():
                shutil.rmtree(path)
            self._metrics.write_text(_HEADER, encoding="utf-8")
        else:
            os.truncate(self._metrics, self.resumed.progress.metrics_bytes)


def _lock(path: Path, out: Path) -> Any:
    """Take the directory for this process alone; the kernel lets go when the process ends."""
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise InputError(
            f"{out}: another process is at work here ({holder}); wait for it, stop it, "
            "or choose another output directory"
        ) from None
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        _log.warning("%s: this file system has no locks; start no second process here", out)
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _peak_memory_mb(device: torch.device) -> int:
    """Peak of the GPU's memory, or of the process's resident memory, in MB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 10**6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 // 10**6


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.8g}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
