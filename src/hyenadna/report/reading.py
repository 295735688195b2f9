"""Reading a results tree; what cannot be used becomes a `Problem`, never an error."""

import csv
import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from hyenadna.files import read_json
from hyenadna.report.results import (
    STAGES,
    BenchInfo,
    BenchRun,
    EmbeddingMap,
    GenomeSummary,
    Job,
    Measurement,
    Metrics,
    PositionCosts,
    Problem,
    Results,
    Run,
    RunInfo,
)

METRICS_HEADER = ["step", "split", "name", "value"]
POSITIONS_HEADER = ["context", "first", "last", "bases", "bits"]
MAP_HEADER = ["gene_id", "gene_name", "gene_type", "x", "y"]
BENCHMARK_HEADER = ["s", "h:m:s", "max_rss"]
"""First columns of what Snakemake measures: seconds, the same for humans, MiB."""
MIB = 1 << 20
MEASUREMENTS_HEADER = [
    "operation", "implementation", "path", "direction", "dtype", "batch", "channels", "length",
    "repeats", "median_seconds", "low_seconds", "high_seconds", "peak_bytes", "minimal_bytes",
    "copy_bytes_per_second", "fraction_of_bound", "ratio_to_plain", "status",
]  # fmt: skip

Record = TypeVar("Record", bound=BaseModel)


def read(root: Path) -> Results:
    """Read every file of a results tree that the report shows."""
    problems: list[Problem] = []
    reader = _Reader(root, problems)
    runs = list(reader.runs())
    return Results(
        root=root,
        runs=runs,
        maps=[plane for run in runs if run.stage == "biotypes" for plane in reader.maps(run)],
        positions=[of for run in runs if run.stage == "context" for of in reader.positions(run)],
        genomes=list(reader.genomes()),
        jobs=list(reader.jobs()),
        bench=list(reader.bench()),
        problems=_shortened(problems),
    )


class _Reader:
    """Reads files below `root` and notes in `problems` what it could not use."""

    def __init__(self, root: Path, problems: list[Problem]) -> None:
        self.root = root
        self.problems = problems

    def runs(self) -> Iterator[Run]:
        """Yield every run that has metrics."""
        patterns = {
            stage: f"{stage}/*/*/seed*" for stage in ("pretrain", "context", *STAGES, "biotypes")
        }
        for stage, pattern in {**patterns, "baselines": "baselines/*"}.items():
            for directory in sorted(self.root.glob(pattern), key=natural):
                if directory.is_dir():
                    yield from self._run(stage, directory)

    def _run(self, stage: str, directory: Path) -> Iterator[Run]:
        parts = directory.relative_to(self.root).parts
        model, subject, seed = ("", parts[1], "seed0") if stage == "baselines" else parts[1:4]
        number = seed.removeprefix("seed")
        if not number.isdecimal():
            self._note(directory, "not a seed directory: expected seed<number>")
            return
        metrics_path, info_path = directory / "metrics.tsv", directory / "run.json"
        if not metrics_path.exists():
            self._note(directory, "not finished: no metrics.tsv; the same command resumes it")
            return
        yield Run(
            stage=stage,
            model=model,
            subject=subject,
            seed=int(number),
            path=self._relative(directory),
            metrics=self._metrics(metrics_path),
            info=self._info(info_path, RunInfo),
        )

    def _metrics(self, path: Path) -> Metrics:
        points: dict[tuple[str, str], dict[int, float]] = {}
        for line, row in self._rows(path, METRICS_HEADER):
            try:
                step, value = int(row[0]), float(row[3])
            except ValueError:
                self._note(path, f"line {line}: step {row[0]!r} or value {row[3]!r} is no number")
                continue
            points.setdefault((row[1], row[2]), {})[step] = value
        return Metrics(
            {
                key: (np.array(sorted(of), float), np.array([of[step] for step in sorted(of)]))
                for key, of in points.items()
            }
        )

    def _info(self, path: Path, kind: type[Record]) -> Record:
        """Return what a run says of itself, empty and noted where it says nothing usable."""
        if not path.exists():
            self._note(path, "missing: the run may not have finished; its metrics are shown")
            return kind()
        content = {key: value for key, value in self._json(path).items() if value is not None}
        try:
            return kind.model_validate(content)
        except ValidationError as error:
            fields = {".".join(map(str, detail["loc"])) or "all" for detail in error.errors()}
            self._note(path, f"not the expected content in: {', '.join(sorted(fields))}")
            return kind()

    def maps(self, run: Run) -> Iterator[EmbeddingMap]:
        """Yield the embedding map of a biotype run, if it has one."""
        path = self.root / run.path / "umap.tsv"
        if not path.exists():
            self._note(path, "missing: the embedding map of this run cannot be drawn")
            return
        points = []
        for line, row in self._rows(path, MAP_HEADER):
            try:
                points.append((float(row[3]), float(row[4]), row[2]))
            except ValueError:
                self._note(path, f"line {line}: x {row[3]!r} or y {row[4]!r} is no number")
        if points:
            x, y, gene_types = zip(*points, strict=True)
            yield EmbeddingMap(
                run, self._relative(path), np.array(x), np.array(y), list(gene_types)
            )

    def positions(self, run: Run) -> Iterator[PositionCosts]:
        """Yield what bases cost by position in the evaluation of a model by context."""
        path = self.root / run.path / "positions.tsv"
        if not path.exists():
            self._note(path, "missing: bits by position of this run cannot be drawn")
            return
        rows = []
        for line, row in self._rows(path, POSITIONS_HEADER):
            numbers = [_number(cell) for cell in row]
            if all(map(math.isfinite, numbers)):
                rows.append(numbers)
            else:
                self._note(path, f"line {line}: {' '.join(row)} are not all numbers")
        context, first, last, bases, bits = np.array(rows).reshape(-1, 5).T
        if (bases > 0).any():
            yield PositionCosts(run, self._relative(path), context, first, last, bases, bits)

    def genomes(self) -> Iterator[GenomeSummary]:
        """Yield the letter counts of every tokenized genome."""
        for path in sorted(self.root.glob("genomes/*/tokens/index.json"), key=natural):
            content = self._json(path)
            if not content:
                continue
            try:
                lengths = [int(length) for _, length in content["contigs"].values()]
                counts = {str(letter): int(n) for letter, n in content["counts"].items()}
                checksum = str(content.get("sha256", ""))
            except (AttributeError, KeyError, TypeError, ValueError):
                self._note(path, "not a token index: expected contigs and counts")
                continue
            name = path.parent.parent.name
            yield GenomeSummary(
                name, self._relative(path), len(lengths), sum(lengths), counts, checksum
            )

    def jobs(self) -> Iterator[Job]:
        """Yield the executions that the workflow has timed, one a line of its benchmark files."""
        for path in sorted(self.root.glob("benchmarks/**/*.tsv"), key=natural):
            rule = path.relative_to(self.root / "benchmarks").parts[0].removesuffix(".tsv")
            if rule == "report":  # of an earlier page: would change this one each time it is made
                continue
            for line, row in self._rows(path, BENCHMARK_HEADER, exact=False):
                seconds, peak = _number(row[0]), _number(row[2]) * MIB
                if not math.isfinite(seconds):
                    self._note(path, f"line {line}: {row[0]!r} is not a number of seconds")
                    continue
                yield Job(rule, self._relative(path), seconds, peak)

    def bench(self) -> Iterator[BenchRun]:
        """Yield what operations were measured to cost."""
        for directory in sorted(self.root.glob("bench/*"), key=natural):
            path = directory / "measurements.tsv"
            if not directory.is_dir():
                continue
            if not path.exists():
                self._note(directory, "not finished: no measurements.tsv")
                continue
            yield BenchRun(
                operation=directory.name,
                path=self._relative(directory),
                measurements=list(self._measurements(path)),
                info=self._info(directory / "run.json", BenchInfo),
            )

    def _measurements(self, path: Path) -> Iterator[Measurement]:
        for line, row in self._rows(path, MEASUREMENTS_HEADER):
            cells = dict(zip(MEASUREMENTS_HEADER, row, strict=True))
            try:
                batch, channels, length = (int(cells[n]) for n in ("batch", "channels", "length"))
            except ValueError:
                self._note(path, f"line {line}: batch, channels or length is no number")
                continue
            median = _number(cells["median_seconds"])
            if not cells["status"] and not 0 < median < math.inf:
                self._note(path, f"line {line}: neither a time nor a status that says why")
                continue
            yield Measurement(
                operation=cells["operation"],
                implementation=cells["implementation"],
                path=cells["path"],
                direction=cells["direction"],
                dtype=cells["dtype"],
                batch=batch,
                channels=channels,
                length=length,
                median=math.nan if cells["status"] else median,
                low=_number(cells["low_seconds"]),
                high=_number(cells["high_seconds"]),
                peak_bytes=_number(cells["peak_bytes"]),
                fraction_of_bound=_number(cells["fraction_of_bound"]),
                ratio_to_plain=_number(cells["ratio_to_plain"]),
                status=cells["status"],
            )

    def _rows(
        self, path: Path, header: list[str], *, exact: bool = True
    ) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number, cells) of the whole lines below a header, noting all others."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._note(path, f"cannot be read: {error}")
            return
        whole, newline, cut = text.rpartition("\n")
        if cut or not newline:
            self._note(path, "its last line has no end: half-written, that line is left out")
        try:
            lines = list(csv.reader(io.StringIO(whole, newline=""), delimiter="\t"))
        except csv.Error as error:
            self._note(path, f"not a table: {error}")
            return
        found = lines[0] if lines else []
        if found[: None if exact else len(header)] != header:
            self._note(path, f"no usable header: expected {' '.join(header)}")
            return
        for number, cells in enumerate(lines[1:], start=2):
            if len(cells) == len(found):
                yield number, cells
            else:
                self._note(path, f"line {number}: {len(cells)} of {len(found)} columns")
        if len(lines) == 1:
            self._note(path, "has a header and nothing below it")

    def _json(self, path: Path) -> dict[str, Any]:
        """Return the object that a file holds, empty and noted where it holds none."""
        try:
            content = read_json(path)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            self._note(path, f"not JSON: {error}")
            return {}
        if not isinstance(content, dict):
            self._note(path, "not a JSON object")
            return {}
        return content

    def _note(self, path: Path, what: str) -> None:
        self.problems.append(Problem(self._relative(path), what))

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _shortened(problems: list[Problem], most: int = 3) -> list[Problem]:
    """Keep the first complaints about each file and count the others."""
    by_path: dict[str, list[Problem]] = {}
    for problem in problems:
        by_path.setdefault(problem.path, []).append(problem)
    kept: list[Problem] = []
    for path, those in by_path.items():
        kept += those[:most]
        if len(those) > most:
            kept.append(Problem(path, f"and {len(those) - most} more of this kind"))
    return kept


def natural(path: Path) -> list[tuple[int, int | str]]:
    """Return a sort key that puts seed2 before seed10."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def _number(text: str) -> float:
    """Parse a number; Snakemake writes a dash or NA for what it could not measure."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
