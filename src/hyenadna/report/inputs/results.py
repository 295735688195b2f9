"""The results tree as small typed records."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from hyenadna.report.inputs.literature import Published
from hyenadna.report.inputs.outcomes import Outcomes

Floats = NDArray[np.float64]

STAGES = ("scratch", "probe", "finetune")
"""Ways of training on a benchmark: random start, frozen backbone, all weights of the pretrained."""

MB = 10**6


@dataclass(frozen=True)
class Problem:
    """A file that is missing, half-written or inconsistent."""

    path: str
    what: str


class DataFile(BaseModel):
    """An input of a run, as `run.json` records it."""

    model_config = ConfigDict(frozen=True)

    path: str
    sha256: str = ""


class Resampled(BaseModel):
    """What a run says of its scores under resamples of the items, by split."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    resamples: dict[str, int] = {}
    """How many there are, 0 where they would have taken too long."""
    items: dict[str, str] = {}
    """Checksum of which items were scored."""


class RunInfo(BaseModel):
    """What a run says of itself in `run.json`; every field may be missing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = ""
    commit: str = ""
    """Of git, where the run was made from a checkout."""
    command: str | list[str] = ""
    device: str = ""
    threads: int | None = None
    packages: dict[str, str] = {}
    data: list[DataFile] = []
    parameters: int | dict[str, Any] | None = None
    seconds: float = float("nan")
    peak_memory_mb: float = float("nan")
    started: str = ""
    finished: str = ""
    mixer: str = ""
    """Of a network: hyena, or attention, which makes a Transformer."""
    metric: str = ""
    kind: str = ""
    classes: list[str] = []
    counts: dict[str, int] = {}
    cropped: dict[str, int] = {}
    protocol: str = ""
    """honest, or paper: that of the published scores."""
    selected_on: str = ""
    """Split that chose the epoch: valid or test."""
    bootstrap: Resampled = Resampled()

    @property
    def command_line(self) -> str:
        """The command as one line."""
        return self.command if isinstance(self.command, str) else " ".join(self.command)


@dataclass(frozen=True)
class Metrics:
    """Tidy metrics: for each (split, name) the steps and values, by step."""

    series: dict[tuple[str, str], tuple[Floats, Floats]] = field(default_factory=dict)

    def curve(self, split: str, name: str) -> tuple[Floats, Floats]:
        """Return steps and values, empty where there are none."""
        return self.series.get((split, name), (np.empty(0), np.empty(0)))

    def last(self, split: str, name: str) -> float:
        """Return the value of the last step, NaN where there is none."""
        values = self.curve(split, name)[1]
        return float(values[-1]) if len(values) else float("nan")

    def names(self, split: str) -> list[str]:
        """Return the names measured on a split, in order of appearance."""
        return [name for of, name in self.series if of == split]


@dataclass(frozen=True)
class Run:
    """One directory of one training or evaluation run."""

    stage: str
    model: str
    subject: str
    """Genome, benchmark or gene set, by stage."""
    seed: int
    """Of stage paper, the number of the grid point."""
    path: str
    metrics: Metrics
    info: RunInfo
    setting: str = ""
    """Of stage in_context, what was tuned and shown."""

    @property
    def repeat(self) -> str:
        """Which of several runs it is, for humans."""
        number = f"{'point' if self.stage == 'paper' else 'seed'} {self.seed}"
        return f"{self.setting}, {number}" if self.setting else number

    @property
    def metrics_file(self) -> str:
        """Path of the metrics, relative to the results."""
        return f"{self.path}/metrics.tsv"

    @property
    def info_file(self) -> str:
        """Path of the provenance record, relative to the results."""
        return f"{self.path}/run.json"


@dataclass(frozen=True)
class EmbeddingMap:
    """Genes in the plane, with their biotypes."""

    run: Run
    path: str
    method: str
    """UMAP or t-SNE."""
    x: Floats
    y: Floats
    genes: list[str]
    """Their identifiers, as `gene_names` and `gene_types`."""
    gene_names: list[str]
    gene_types: list[str]


@dataclass(frozen=True)
class PositionCosts:
    """What bases cost by position in the window: R rows, one a context and bin, some with bases."""

    run: Run
    path: str
    context: Floats
    """Length of the windows, in nucleotides, (R,) as all."""
    first: Floats
    """Positions of the bin, counted from 0, as `last`."""
    last: Floats
    bases: Floats
    bits: Floats
    """Sum over the bases."""

    def at_longest_context(self) -> tuple[Floats, Floats]:
        """Return bases before the one predicted, and bits per base, of each bin with bases.

        Position p is predicted from the p + 1 bases before it; a bin stands at its middle.
        """
        known = self.bases > 0
        chosen = known & (self.context == self.context[known].max())
        before = np.sqrt((self.first[chosen] + 1) * (self.last[chosen] + 1))
        return before, self.bits[chosen] / self.bases[chosen]


@dataclass(frozen=True)
class GenomeSummary:
    """Letters of one tokenized genome."""

    name: str
    path: str
    contigs: int
    bases: int
    counts: dict[str, int]
    sha256: str


@dataclass(frozen=True)
class Job:
    """One execution of a workflow rule."""

    rule: str
    path: str
    seconds: float
    peak_bytes: float


class Slope(BaseModel):
    """How the time of one implementation grows: exponent of the length, between two lengths."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    operation: str
    implementation: str
    direction: str
    dtype: str
    batch: int
    channels: int
    slope: float
    low_length: int
    high_length: int


class BenchInfo(BaseModel):
    """What a run of the benches says of itself in `run.json`; every field may be missing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: str = ""
    command: list[str] = []
    device: str = ""
    threads: int | None = None
    torch: str = ""
    triton: str = ""
    cuda: str = ""
    date: str = ""
    copy_bytes_per_second: float = float("nan")
    slopes: list[Slope] = []

    @property
    def command_line(self) -> str:
        """The command as one line."""
        return " ".join(self.command)

    @property
    def software(self) -> tuple[tuple[str, str], ...]:
        """Names and versions of what was used."""
        versions = {
            "hyenadna": self.version,
            "torch": self.torch,
            "triton": self.triton,
            "CUDA": self.cuda,
        }
        return tuple((name, version) for name, version in versions.items() if version)


@dataclass(frozen=True)
class Measurement:
    """One implementation of one operation at one length; no time where a status says why."""

    operation: str
    implementation: str
    path: str
    direction: str
    dtype: str
    batch: int
    channels: int
    length: int
    median: float
    """Seconds, as `low` and `high`."""
    low: float
    high: float
    peak_bytes: float
    fraction_of_bound: float
    ratio_to_plain: float
    status: str


@dataclass(frozen=True)
class BenchRun:
    """One directory of measurements of an operation and its alternatives."""

    operation: str
    path: str
    measurements: list[Measurement]
    info: BenchInfo

    @property
    def measurements_file(self) -> str:
        """Path of the measurements, relative to the results."""
        return f"{self.path}/measurements.tsv"

    @property
    def info_file(self) -> str:
        """Path of the provenance record, relative to the results."""
        return f"{self.path}/run.json"


@dataclass(frozen=True)
class Results:
    """All that the report knows."""

    root: Path
    runs: list[Run]
    maps: list[EmbeddingMap]
    positions: list[PositionCosts]
    outcomes: Outcomes
    published: Published
    genomes: list[GenomeSummary]
    jobs: list[Job]
    bench: list[BenchRun]
    problems: list[Problem]

    @property
    def recorded(self) -> list[Run | BenchRun]:
        """All that left a record of itself."""
        return [*self.runs, *self.bench]

    @property
    def checksums(self) -> dict[str, set[str]]:
        """Checksums of each file that runs have read: several if its content has changed."""
        found: dict[str, set[str]] = {}
        for file in (file for run in self.runs for file in run.info.data if file.sha256):
            found.setdefault(file.path, set()).add(file.sha256)
        return found

    def of(self, *stages: str) -> list[Run]:
        """Return the runs of some stages."""
        return [run for run in self.runs if run.stage in stages]
