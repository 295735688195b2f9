"""Reading a results tree; what cannot be used becomes a `Problem`, never an error."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hyenadna.report.inputs import outcome_reading, published_reading
from hyenadna.report.inputs.literature import Published
from hyenadna.report.inputs.results import (
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
from hyenadna.report.inputs.tree import Tree, bounded, natural, number, whole

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

MAPS = {"umap": "UMAP", "tsne": "t-SNE"}
"""Names of the files of embedding maps, and of the methods that made them."""


def read(root: Path, literature: Path | None = None) -> Results:
    """Read every file of a results tree that the report shows, and the folder of published ones."""
    problems: list[Problem] = []
    reader = _Reader(root, problems)
    runs = list(reader.runs())
    return Results(
        root=root,
        runs=runs,
        maps=[plane for run in runs if run.stage == "biotypes" for plane in reader.maps(run)],
        positions=[of for run in runs if run.stage == "context" for of in reader.positions(run)],
        outcomes=outcome_reading.read(reader, runs),
        published=published_reading.read(reader, literature) if literature else Published(),
        genomes=list(reader.genomes()),
        jobs=list(reader.jobs()),
        bench=list(reader.bench()),
        problems=_shortened(problems),
    )


class _Reader(Tree):
    """Reads runs and what the workflow measured of itself."""

    def runs(self) -> Iterator[Run]:
        """Yield every run that has metrics."""
        trained = ("pretrain", "context", *STAGES, "biotypes")
        patterns = {stage: f"{stage}/*/*/seed*" for stage in trained}
        patterns |= {
            "in_context": "in_context/*/*/*/seed*",
            "paper": "paper/*/*/point*",
            "baselines": "baselines/*",
        }
        for stage, pattern in patterns.items():
            for directory in sorted(self.root.glob(pattern), key=natural):
                if directory.is_dir():
                    yield from self._run(stage, directory)

    def _run(self, stage: str, directory: Path) -> Iterator[Run]:
        parts = directory.relative_to(self.root).parts
        model, subject = ("", parts[1]) if stage == "baselines" else parts[1:3]
        last = "seed0" if stage == "baselines" else parts[-1]
        word = "point" if stage == "paper" else "seed"
        numeral = last.removeprefix(word)
        if not numeral.isdecimal():
            self.note(directory, f"not a {word} directory: expected {word}<number>")
            return
        metrics_path, info_path = directory / "metrics.tsv", directory / "run.json"
        if not metrics_path.exists():
            self.note(directory, "not finished: no metrics.tsv; the same command resumes it")
            return
        yield Run(
            stage=stage,
            model=model,
            subject=subject,
            seed=int(numeral),
            setting=parts[3] if stage == "in_context" else "",
            path=self.relative(directory),
            metrics=self._metrics(metrics_path),
            info=self.info(info_path, RunInfo),
        )

    def _metrics(self, path: Path) -> Metrics:
        points: dict[tuple[str, str], dict[int, float]] = {}
        for line, row in self.rows(path, METRICS_HEADER):
            try:
                step, value = whole(row[0]), bounded(float(row[3]))
            except ValueError:
                self.note(path, f"line {line}: step {row[0]!r} or value {row[3]!r} is no number")
                continue
            points.setdefault((row[1], row[2]), {})[step] = value
        return Metrics(
            {
                key: (np.array(sorted(of), float), np.array([of[step] for step in sorted(of)]))
                for key, of in points.items()
            }
        )

    def maps(self, run: Run) -> Iterator[EmbeddingMap]:
        """Yield the embedding maps of a biotype run."""
        for name, method in MAPS.items():
            path = self.root / run.path / f"{name}.tsv"
            if path.exists():
                yield from self._map(run, path, method)
            else:
                self.note(path, f"missing: the {method} map of this run cannot be drawn")

    def _map(self, run: Run, path: Path, method: str) -> Iterator[EmbeddingMap]:
        places, genes = [], []
        for line, (*names, x, y) in self.rows(path, MAP_HEADER):
            try:
                places.append((bounded(float(x)), bounded(float(y))))
                genes.append(names)
            except ValueError:
                self.note(path, f"line {line}: x {x!r} or y {y!r} is no number")
        if places:
            x_of, y_of = np.array(places).T
            labels = map(list, zip(*genes, strict=True))
            yield EmbeddingMap(run, self.relative(path), method, x_of, y_of, *labels)

    def positions(self, run: Run) -> Iterator[PositionCosts]:
        """Yield what bases cost by position in the evaluation of a model by context."""
        path = self.root / run.path / "positions.tsv"
        if not path.exists():
            self.note(path, "missing: bits by position of this run cannot be drawn")
            return
        rows = []
        for line, row in self.rows(path, POSITIONS_HEADER):
            numbers = [number(cell) for cell in row]
            if all(map(math.isfinite, numbers)):
                rows.append(numbers)
            else:
                self.note(path, f"line {line}: {' '.join(row)} are not all numbers")
        context, first, last, bases, bits = np.array(rows).reshape(-1, 5).T
        if (bases > 0).any():
            yield PositionCosts(run, self.relative(path), context, first, last, bases, bits)

    def genomes(self) -> Iterator[GenomeSummary]:
        """Yield the letter counts of every tokenized genome."""
        for path in sorted(self.root.glob("genomes/*/tokens/index.json"), key=natural):
            content = self.json(path)
            if not content:
                continue
            try:
                lengths = [int(length) for _, length in content["contigs"].values()]
                counts = {str(letter): int(n) for letter, n in content["counts"].items()}
                checksum = str(content.get("sha256", ""))
            except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
                self.note(path, "not a token index: expected contigs and counts")
                continue
            name = path.parent.parent.name
            yield GenomeSummary(
                name, self.relative(path), len(lengths), sum(lengths), counts, checksum
            )

    def jobs(self) -> Iterator[Job]:
        """Yield the executions that the workflow has timed, one a line of its benchmark files."""
        for path in sorted(self.root.glob("benchmarks/**/*.tsv"), key=natural):
            rule = path.relative_to(self.root / "benchmarks").parts[0].removesuffix(".tsv")
            if rule == "report":  # of an earlier page: would change this one each time it is made
                continue
            for line, row in self.rows(path, BENCHMARK_HEADER, exact=False):
                seconds, peak = number(row[0]), number(row[2]) * MIB
                if not math.isfinite(seconds):
                    self.note(path, f"line {line}: {row[0]!r} is not a number of seconds")
                    continue
                yield Job(rule, self.relative(path), seconds, peak)

    def bench(self) -> Iterator[BenchRun]:
        """Yield what operations were measured to cost."""
        for directory in sorted(self.root.glob("bench/*"), key=natural):
            path = directory / "measurements.tsv"
            if not directory.is_dir():
                continue
            if not path.exists():
                self.note(directory, "not finished: no measurements.tsv")
                continue
            yield BenchRun(
                operation=directory.name,
                path=self.relative(directory),
                measurements=list(self._measurements(path)),
                info=self.info(directory / "run.json", BenchInfo),
            )

    def _measurements(self, path: Path) -> Iterator[Measurement]:
        for line, row in self.rows(path, MEASUREMENTS_HEADER):
            cells = dict(zip(MEASUREMENTS_HEADER, row, strict=True))
            try:
                batch, channels, length = (whole(cells[n]) for n in ("batch", "channels", "length"))
                if min(batch, channels, length) < 1:
                    raise ValueError("nothing was measured")
            except ValueError:
                self.note(path, f"line {line}: batch, channels or length is no number of things")
                continue
            median = number(cells["median_seconds"])
            if not cells["status"] and not 0 < median < math.inf:
                self.note(path, f"line {line}: neither a time nor a status that says why")
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
                low=number(cells["low_seconds"]),
                high=number(cells["high_seconds"]),
                peak_bytes=number(cells["peak_bytes"]),
                fraction_of_bound=number(cells["fraction_of_bound"]),
                ratio_to_plain=number(cells["ratio_to_plain"]),
                status=cells["status"],
            )


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
