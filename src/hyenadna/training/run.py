"""One run, one output directory: locked while at work, resumable, published at the end.

Everything in progress lives under `checkpoints/`, because a workflow manager deletes declared
outputs before it starts a failed job again. The final files appear at the very end, `run.json`
last: where it is, the run is whole.

A command that runs one ends with 0 when it is whole; with 1 for what a user has to mend
(`InputError`); with 128 + N when signal N stopped it: 143 for SIGTERM, 138 for SIGUSR1, 130 for
SIGINT. All is saved then, and the same command goes on: those are the codes to start a job again.
"""

import errno
import hashlib
import json
import logging
import os
import platform
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
import yaml
from safetensors import SafetensorError
from torch import nn

import hyenadna
from hyenadna import source
from hyenadna.errors import InputError
from hyenadna.files import read_json, sync, try_lock, write_json
from hyenadna.training import checkpoint
from hyenadna.training.checkpoint import BrokenCheckpoint, Checkpoint, Progress, Tensors
from hyenadna.training.monitors import Monitor, Monitors
from hyenadna.training.optimizer import Optimizers
from hyenadna.training.progress import peak_memory

KEPT_CHECKPOINTS = 2
NO_MONITORS = Monitors()

_log = logging.getLogger(__name__)
_HEADER = "step\tsplit\tname\tvalue\n"


@dataclass(frozen=True)
class Identity:
    """What decides the result of a run."""

    stage: str
    """What was done: pretrain, context, finetune, scratch, probe, paper, baselines and so on."""
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

    def __init__(
        self,
        out: Path,
        identity: Identity,
        *,
        device: torch.device,
        main: bool = True,
        monitors: Monitors = NO_MONITORS,
    ) -> None:
        """Describe a run; nothing is written before the context is entered.

        Args:
            out: its output directory.
            identity: what decides its result. How many processes train together does not, so a
                run may go on with more or fewer.
            device: where it trains.
            main: false for all processes of a run but one. Those enter after the main one, find
                the same checkpoint, and write nothing.
            monitors: what gets a copy of the metrics.

        Raises:
            InputError: a monitor is not installed.
        """
        monitors.check()
        self.out = out
        self.identity = identity
        self.device = device
        self.main = main
        self.checkpoints = out / "checkpoints"
        self.staging = self.checkpoints / "publish"
        """Files put here become the run's final files."""
        self.resumed: Checkpoint | None = None
        """Where an earlier process of this run stopped."""
        self._metrics = self.checkpoints / "metrics.tsv"
        self._monitors = monitors
        self._open: list[Monitor] = []
        self._lock: Any = None

    def __enter__(self) -> Self:
        self._clock = time.monotonic()
        self._started = _now()
        try:
            if self.main:
                with _writing_to(self.checkpoints):
                    self.checkpoints.mkdir(parents=True, exist_ok=True)
                    self._lock = _lock(self.checkpoints / "lock", self.out)
            if not self.finished:
                self._find_the_start()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

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
        """Append rows to the working metrics, and pass them on to the monitors."""
        if not self.main:
            return
        rows = "".join(f"{step}\t{split}\t{name}\t{_text(v)}\n" for name, v in values.items())
        with _writing_to(self._metrics), self._metrics.open("a", encoding="utf-8") as file:
            file.write(rows)
        for monitor in self._open:
            monitor.log(step, split, values)

    def restore(
        self, model: nn.Module, optimizers: Optimizers
    ) -> tuple[Progress, Tensors | None, Tensors | None]:
        """Put an earlier process's weights and optimizer state back.

        Returns:
            Its progress, best weights, and state of the averaged weights; where there was no
            earlier process, a progress of nothing, and no weights.
        """
        if self.resumed is None:
            return Progress(), None, None
        checkpoint.restore_model(model, self.resumed.model)
        checkpoint.restore_optimizer(model, optimizers, self.resumed.optimizer)
        return self.resumed.progress, self.resumed.best, self.resumed.average

    def save(
        self,
        progress: Progress,
        model: nn.Module,
        optimizers: Optimizers,
        best: Tensors | None = None,
        average: Tensors | None = None,
    ) -> None:
        """Write a checkpoint and drop all but the last ones.

        Raises:
            InputError: the disk is full, or the folder cannot be written to.
        """
        if not self.main:
            return
        for monitor in self._open:
            monitor.flush()
        path = self.checkpoints / f"step-{progress.step:09d}"
        with _writing_to(path):
            sync(self._metrics)
            progress.seconds = self.seconds
            progress.metrics_bytes = self._metrics.stat().st_size
            now = Checkpoint(
                progress=progress,
                model=checkpoint.model_tensors(model),
                optimizer=checkpoint.optimizer_tensors(model, optimizers),
                best=best,
                average=average,
            )
            checkpoint.save(path, now, fingerprint=self.identity.fingerprint)
            for old in self._saved()[:-KEPT_CHECKPOINTS]:
                shutil.rmtree(old)

    def publish(self, **record: Any) -> None:
        """Move the staged files, the settings and the metrics to their places, `run.json` last.

        Args:
            record: more entries for `run.json`, e.g. metric, kind, classes, counts, parameters.

        Raises:
            InputError: the disk is full, or the folder cannot be written to.
        """
        if not self.main:
            return
        with _writing_to(self.out):
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
            "commit": source.commit(),
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
            "peak_memory_mb": peak_memory(self.device) // 10**6,
            "started": self._started,
            "finished": _now(),
            "fingerprint": self.identity.fingerprint,
        }

    def _find_the_start(self) -> None:
        """Find where to go on, and bring the directory back to there."""
        if self.main:
            with _writing_to(self.checkpoints):
                self._clean()
        self.resumed = self._newest()
        if self.resumed is not None:
            self._clock -= self.resumed.progress.seconds
        if not self.main:
            return
        with _writing_to(self._metrics):
            self._rewind()
        first_step = None if self.resumed is None else self.resumed.progress.step + 1
        settings = {"stage": self.identity.stage, **self.identity.settings}
        self._open = self._monitors.open(self.out, first_step=first_step, settings=settings)

    def _close(self) -> None:
        for monitor in self._open:
            monitor.close()
        self._open.clear()
        if self._lock is not None:
            self._lock.close()

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
        saved = self._saved()
        for path in reversed(saved):
            try:
                found, fingerprint = checkpoint.load(path)
                if fingerprint == self.identity.fingerprint:
                    self._check_metrics(found.progress)
            except BrokenCheckpoint as error:
                self._notice("%s is broken (%s); an older one is looked for", path, error)
                continue
            if fingerprint != self.identity.fingerprint:
                self._notice(
                    "%s: settings, seed, data or version have changed; starting over", path
                )
                return None
            if self.main:
                _log.info("resuming from %s", path)
            return found
        if saved:
            self._notice("%s: no checkpoint is whole; starting over", self.checkpoints)
        return None

    def _check_metrics(self, progress: Progress) -> None:
        if not self._metrics.is_file():
            raise BrokenCheckpoint("the working metrics are missing")
        if self._metrics.stat().st_size < progress.metrics_bytes:
            raise BrokenCheckpoint("the working metrics are shorter than they were")

    def _notice(self, message: str, *values: object) -> None:
        if self.main:
            _log.warning(message, *values)

    def _rewind(self) -> None:
        """Bring the directory back to the checkpoint, or start over."""
        step = 0 if self.resumed is None else self.resumed.progress.step
        for path in self._saved():
            if self.resumed is None or path.name > f"step-{step:09d}":
                shutil.rmtree(path)
        if self.resumed is None:
            self._metrics.write_text(_HEADER, encoding="utf-8")
        else:
            os.truncate(self._metrics, self.resumed.progress.metrics_bytes)


@contextmanager
def _writing_to(path: Path) -> Iterator[None]:
    """Turn the failure of a disk or a folder into one line that names the path."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{path}: cannot be written ({reason}); make room or choose another output directory, "
            "and the same command goes on from the last checkpoint"
        ) from error


def _lock(path: Path, out: Path) -> Any:
    """Take the directory for this process alone; the kernel lets go when the process ends."""
    file = path.open("a+", encoding="utf-8")
    try:
        free = try_lock(file)
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
        _log.warning("%s: this file system has no locks; start no second process here", out)
        free = True
    if not free:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise InputError(
            f"{out}: another process is at work here ({holder}); wait for it, stop it, "
            "or choose another output directory"
        )
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
    file.flush()
    return file


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _text(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.8g}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
