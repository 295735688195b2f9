"""Formats of a user's labelled data: CSV, TSV, parquet, BED, and one FASTA per class.

Each becomes parts of named columns of text, a few thousand rows at a time, so that no file is in
memory as a whole.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

from hyenadna.data.labelled import read_fasta, read_lines
from hyenadna.errors import InputError

TARGETS = ("label_", "y_")
"""How the columns of several targets begin."""

_COLUMNS = ("sequence", "contig", "start", "end", "strand", "label", "split", "id")
_BED_COLUMNS = ("contig", "start", "end", "label", "score", "strand")
_DELIMITED = (".csv", ".tsv", ".txt")
_PARQUET = (".parquet", ".pq")
_FASTA = (".fa", ".fasta", ".fna")
_ALLOWED = "CSV, TSV or BED (.gz or not), .parquet, or a folder with one FASTA per class"
_PART_ROWS = 20_000
# The default of csv, 131,072, is shorter than sequences may be.
_LONGEST_FIELD = 1 << 30


class Part(NamedTuple):
    """Rows of a file as columns of text."""

    path: Path
    unit: Literal["line", "row"]
    """What `numbers` count."""
    numbers: list[int]
    """Where each row stands in the file, from 1."""
    header: tuple[str, ...]
    """All columns of the file."""
    columns: dict[str, list[str]]
    """Those that mean something: sequence, contig, start, end, strand, label, split, id, and
    targets as they are written."""

    def where(self, row: int) -> str:
        """Return the file and line of a row."""
        return f"{self.path}, {self.unit} {self.numbers[row]}"


def read_parts(path: Path) -> Iterator[Part]:
    """Yield a file, or a folder with one FASTA per class, some thousand rows at a time.

    Raises:
        InputError: no file of a known format, or a damaged one.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    suffix = _suffix(path)
    if path.is_dir():
        return _read_classes(path)
    if suffix in _DELIMITED:
        return _read_delimited(path)
    if suffix in _PARQUET:
        return _read_parquet(path)
    if suffix == ".bed":
        return _read_bed(path)
    hint = "; a FASTA has no labels" if suffix in _FASTA else ""
    raise InputError(f"{path}: {_ALLOWED} is expected{hint}")


def is_fasta(path: Path) -> bool:
    """Return whether a file is FASTA by its name."""
    return _suffix(path) in _FASTA


def stem(path: Path) -> str:
    """Return the name of a file or folder without the suffixes of its format."""
    known = (*_DELIMITED, *_PARQUET, *_FASTA, ".bed")
    suffix = _suffix(path)
    return path.name[: path.name.lower().rindex(suffix)] if suffix in known else path.name


def _suffix(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix.lower()


def _read_delimited(path: Path) -> Iterator[Part]:
    lines = read_lines(path)
    first = next(lines, (1, ""))[1].removeprefix("\ufeff")  # Excel begins UTF-8 with a mark
    if not first:
        raise InputError(f"{path}: empty; its first line must name the columns")
    before = csv.field_size_limit(_LONGEST_FIELD)
    try:
        separator = max(",\t;", key=first.count)
        texts = chain([first], (text for _, text in lines))
        reader = csv.reader(texts, delimiter=separator, strict=True)
        header = next(reader)
        yield from _parts(path, header, _rows(reader, len(header), path))
    finally:
        csv.field_size_limit(before)  # of the whole process


def _rows(reader: Any, width: int, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line and fields of each row of a csv.reader."""
    try:
        for fields in reader:
            if len(fields) > width:
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(fields)} fields, and the header has "
                    f"{width}; quote fields that hold the separator"
                )
            if fields:
                yield reader.line_num, fields
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: not a CSV row: {error}") from None


def _read_bed(path: Path) -> Iterator[Part]:
    yield from _parts(path, _BED_COLUMNS, _bed_rows(path))


def _bed_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line and fields of each interval of a BED."""
    for number, text in read_lines(path):
        if not text or text.startswith(("#", "track", "browser")):
            continue
        fields = text.split("\t")
        if len(fields) < 3:
            raise InputError(
                f"{path}, line {number}: {text[:60]!r} is not contig, start, end and label, "
                "separated by tabs"
            )
        yield number, fields


def _parts(
    path: Path, header: Sequence[str], rows: Iterator[tuple[int, list[str]]]
) -> Iterator[Part]:
    wanted = _wanted(header, path)
    while chunk := list(islice(rows, _PART_ROWS)):
        columns = {
            name: [fields[at].strip() if at < len(fields) else "" for _, fields in chunk]
            for name, at in wanted.items()
        }
        yield Part(path, "line", [number for number, _ in chunk], tuple(header), columns)


def _read_parquet(path: Path) -> Iterator[Part]:
    import pyarrow
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:
            header = file.schema_arrow.names
            wanted = _wanted(header, path)
            names = [header[at] for at in wanted.values()]
            count = 0
            for batch in file.iter_batches(batch_size=_PART_ROWS, columns=names):
                columns = {
                    name: [_text(value) for value in batch.column(header[at]).to_pylist()]
                    for name, at in wanted.items()
                }
                numbers = list(range(count + 1, count + 1 + batch.num_rows))
                count += batch.num_rows
                yield Part(path, "row", numbers, tuple(header), columns)
    except (pyarrow.ArrowException, OSError) as error:
        message = str(error).splitlines()[0]
        raise InputError(f"{path}: not a parquet file, or a damaged one: {message}") from None


def _read_classes(directory: Path) -> Iterator[Part]:
    paths = sorted(path for path in directory.iterdir() if is_fasta(path))
    labels = [stem(path) for path in paths]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if not paths or twice is not None:
        problem = f"two files of class {twice!r}; keep one" if paths else "none is there"
        raise InputError(f"{directory}: one FASTA per class (<class>.fa) is expected: {problem}")
    for label, path in zip(labels, paths, strict=True):
        records = read_fasta(path)
        while chunk := list(islice(records, _PART_ROWS)):
            columns = {
                "sequence": [record.sequence for record in chunk],
                "label": [label] * len(chunk),
                "id": [f"{label}/{record.header.split()[0]}" for record in chunk],
            }
            yield Part(path, "line", [record.line for record in chunk], tuple(columns), columns)


def _wanted(header: Sequence[str], path: Path) -> dict[str, int]:
    """Return where the columns are that mean something."""
    names = [_column(name) for name in header]
    wanted = [name for name in names if name in _COLUMNS or name.startswith(TARGETS)]
    twice = next((name for name in wanted if wanted.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}: two columns are called {twice!r}; keep one")
    return {name: names.index(name) for name in wanted}


def _column(name: str) -> str:
    name = name.strip()
    plain = "contig" if name.lower() == "chrom" else name.lower()
    return plain if plain in _COLUMNS else name


def _text(value: Any) -> str:
    """Return a value of a parquet file as a CSV would have it."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, bool) else str(value).strip()
