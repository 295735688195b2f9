"""TensorBoard and Weights & Biases beside `metrics.tsv`: optional, and never read back."""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hyenadna.errors import InputError
from hyenadna.files import write_text


class Monitor(Protocol):
    """Where the rows of the metrics go too."""

    def log(self, step: int, split: str, values: Mapping[str, float]) -> None:
        """Pass rows on."""

    def flush(self) -> None:
        """See to it that what was logged outlives the process."""

    def close(self) -> None:
        """Let go of files and connections."""


@dataclass(frozen=True)
class Monitors:
    """Which monitors a run has; none by default."""

    tensorboard: bool = False
    """Whether event files are written to `tensorboard/` in the output directory."""
    wandb: str | None = None
    """Project of Weights & Biases that the run appears in."""

    def check(self) -> None:
        """Raise InputError if the package of a monitor is missing."""
        for name, wanted in (("tensorboard", self.tensorboard), ("wandb", self.wandb is not None)):
            if wanted and importlib.util.find_spec(name) is None:
                raise InputError(
                    f"monitor {name} needs the package {name}, which is not installed; "
                    f"pip install 'hyenadna[{name}]'"
                )

    def open(
        self, out: Path, *, first_step: int | None, settings: Mapping[str, Any]
    ) -> list[Monitor]:
        """Open the monitors.

        Args:
            out: output directory of the run.
            first_step: the first one that this process takes, counted from 1, if the run goes on.
            settings: plain values that describe the run.

        Raises:
            InputError: Weights & Biases cannot be reached, or knows no such user.
        """
        opened: list[Monitor] = []
        if self.tensorboard:
            opened.append(_TensorBoard(out / "tensorboard", first_step))
        if self.wandb is not None:
            opened.append(_WeightsAndBiases(out, self.wandb, first_step, settings))
        return opened


class _TensorBoard:
    """Event files; those of an earlier process hide what this one takes again."""

    def __init__(self, folder: Path, first_step: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # Steps from this one on that a killed process still wrote are left out by the viewer.
        self._writer = SummaryWriter(folder, purge_step=first_step or 0)

    def log(self, step: int, split: str, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(f"{split}/{name}", value, step)

    def flush(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


class _WeightsAndBiases:
    """A run there; one that was stopped goes on under its identifier.

    Of steps that are taken again the server keeps the first, the same but for the clocks.
    """

    def __init__(
        self, out: Path, project: str, first_step: int | None, settings: Mapping[str, Any]
    ) -> None:
        import wandb

        id_file = out / "checkpoints" / "wandb-id"
        goes_on = first_step is not None and id_file.exists()
        try:
            self._run = wandb.init(
                project=project,
                name=out.name,
                dir=out,
                id=id_file.read_text(encoding="utf-8").strip() if goes_on else None,
                resume="allow",
                config=dict(settings),
            )
        except wandb.errors.Error as error:
            raise InputError(
                f"monitor wandb: {error}; use `wandb login`, or set WANDB_MODE=offline"
            ) from None
        write_text(id_file, f"{self._run.id}\n")

    def log(self, step: int, split: str, values: Mapping[str, float]) -> None:
        self._run.log({f"{split}/{name}": value for name, value in values.items()}, step=step)

    def flush(self) -> None:
        """Do nothing: a process of wandb's own has the rows already."""

    def close(self) -> None:
        self._run.finish()
