"""Files of a results tree: what cannot be used of them is noted, never an error."""

import csv
import io
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hyenadna.report.inputs.results import Problem

Record = TypeVar("Record", bound=BaseModel)

LARGEST = 1e100
"""Numbers beyond it were not measured: the sum of a few, or of their squares, would overflow."""
MOST_DIGITS = 19
"""Of a whole number, such as a step or a count."""


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
        found = self.json(path)
        content = {key: value for key, value in found.items() if value is not None}
        if found and not found.keys() & kind.model_fields.keys():
            self.note(path, "holds nothing that a run says of itself")
        try:
            return kind.model_validate(content)
        except ValidationError as error:
            places = [detail["loc"] for detail in error.errors()]
            fields = sorted({".".join(map(str, place)) for place in places})
            self.note(path, f"not the expected content in: {', '.join(fields)}")
            wrong = {place[0] for place in places}
            return kind.model_validate({key: of for key, of in content.items() if key not in wrong})

    def rows(
        self, path: Path, header: list[str], *, exact: bool = True
    ) -> Iterator[tuple[int, list[str]]]:
        """Yield (line number, cells) of the whole lines below a header, noting all others."""
        try:
            text = _text(path)
        except (OSError, UnicodeDecodeError) as error:
            self.note(path, f"cannot be read: {_reason(error)}")
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
            content = json.loads(
                _text(path), parse_float=lambda text: bounded(float(text)), parse_int=whole
            )
        except (OSError, RecursionError, ValueError) as error:
            self.note(path, f"not JSON: {_reason(error)}")
            return {}
        if not isinstance(content, dict):
            self.note(path, "not a JSON object")
            return {}
        return content

    def yaml(self, path: Path) -> dict[str, Any]:
        """Return the mapping that a file holds, empty and noted where it holds none."""
        import yaml

        try:
            text = _text(path)
            # Settings hold none; a few can stand for a text without end.
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
                raise ValueError("holds an alias")
            content = yaml.safe_load(text)
        except (OSError, RecursionError, ValueError, yaml.YAMLError) as error:
            self.note(path, f"cannot be read as YAML: {_reason(error)}")
            return {}
        if not isinstance(content, dict):
            self.note(path, "not the settings of a run")
            return {}
        return content

    def note(self, path: Path, what: str) -> None:
        """Remember what is wrong with a file."""
        self.problems.append(Problem(self.relative(path), what))

    def relative(self, path: Path) -> str:
        """Return a path as seen from the results, which those of published tables are not below."""
        if path.is_relative_to(self.root):
            return path.relative_to(self.root).as_posix()
        # Not `Path.resolve`, which raises of a link to itself.
        real, root = (os.path.realpath(of) for of in (path, self.root))
        return Path(os.path.relpath(real, root)).as_posix()


def _text(path: Path) -> str:
    """Return what a file holds; only of a file, since a pipe would be waited for without end."""
    if path.exists() and not path.is_file():
        raise OSError("not a file")
    return path.read_text(encoding="utf-8")


def _reason(error: Exception) -> str:
    """Return the first line of what an error says, without the path that is named anyway."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return said.partition("\n")[0]


def natural(path: Path) -> list[tuple[int, int | str]]:
    """Return a sort key that puts seed2 before seed10."""
    parts = re.split(r"(\d+)", path.as_posix())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def number(text: str) -> float:
    """Parse a number; Snakemake writes a dash or NA for what it could not measure."""
    try:
        return bounded(float(text))
    except ValueError:
        return float("nan")


def bounded(value: float) -> float:
    """Return a number, infinity for one so large that nothing can be computed with it."""
    return math.copysign(math.inf, value) if abs(value) > LARGEST else value


def is_count(text: str) -> bool:
    """Return whether a text is a whole number, not negative and not beyond counting."""
    return text.isdecimal() and len(text) <= MOST_DIGITS


def whole(text: str) -> int:
    """Parse a whole number.

    Raises:
        ValueError: it is none, or none that anything counted.
    """
    if len(text) > MOST_DIGITS:
        raise ValueError("too many digits")
    return int(text)
