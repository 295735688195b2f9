"""Files of a results tree: what cannot be used of them is noted, never an error."""

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hyenadna.files import read_json
from hyenadna.report.results import Problem

Record = TypeVar("Record", bound=BaseModel)


class Tree:
    """Reads files below `root` and notes in `problems` what it could not use."""

    def __init__(self, root: Path, problems: list[Problem]) -> None:
        self.root = root
        self.problems = problems

    def info(self, path: Path, kind: type[Record]) -> Record:
        """Return what a run says of itself, empty and noted where it says nothing usable."""
        if not path.exists():
            self.note(path, "missing: the run may not have finished; its metrics are shown")
            return kind()
        content = {key: value for key, value in self.json(path).items() if value is not None}
        try:
            return kind.model_validate(content)
        except ValidationError as error:
            fields = {".".join(map(str, detail["loc"])) or "all" for detail in error.errors()}
            self.note(path, f"not the expected content in: {', '.join(sorted(fields))}")
            return kind()

    def rows(
        self, path: Path, header: list[str], *, exact: bool = True
    ) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number, cells) of the whole lines below a header, noting all others."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.note(path, f"cannot be read: {error}")
            return
        whole, newline, cut = text.rpartition("\n")
        if cut or not newline:
            self.note(path, "its last line has no end: half-written, that line is left out")
        try:
            lines = list(csv.reader(io.StringIO(whole, newline=""), delimiter="\t"))
        except csv.Error as error:
            self.note(path, f"not a table: {error}")
            return
        found = lines[0] if lines else []
        if found[: None if exact else len(header)] != header:
            self.note(path, f"no usable header: expected {' '.join(header)}")
            return
        for number, cells in enumerate(lines[1:], start=2):
            if len(cells) == len(found):
                yield number, cells
            else:
                self.note(path, f"line {number}: {len(cells)} of {len(found)} columns")
        if len(lines) == 1:
            self.note(path, "has a header and nothing below it")

    def json(self, path: Path) -> dict[str, Any]:
        """Return the object that a file holds, empty and noted where it holds none."""
        try:
            content = read_json(path)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            self.note(path, f"not JSON: {error}")
            return {}
        if not isinstance(content, dict):
            self.note(path, "not a JSON object")
            return {}
        return content

    def note(self, path: Path, what: str) -> None:
        """Remember what is wrong with a file."""
        self.problems.append(Problem(self.relative(path), what))

    def relative(self, path: Path) -> str:
        """Return a path as seen from the results, which those of published tables are not below."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        return Path(os.path.relpath(path.resolve(), self.root.resolve())).as_posix()


def natural(path: Path) -> list[tuple[int, int | str]]:
    """Return a sort key that puts seed2 before seed10."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def number(text: str) -> float:
    """Parse a number; Snakemake writes a dash or NA for what it could not measure."""
    try:
        return float(text)
    except ValueError:
        return float("nan")
