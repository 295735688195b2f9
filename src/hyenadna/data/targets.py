"""Targets of a chromatin profile: their names, groups and peak files, from a TSV. K targets."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hyenadna.data.labelled import read_lines
from hyenadna.errors import InputError
from hyenadna.files import write_text

_DEEPSEA_FILE, _DEEPSEA_FACTOR = "File accession", "TF/DNase/HistoneMark"
_HISTONE_MARK = re.compile(r"H[1-4]([ABF]|K\d|R\d)")


class Target(NamedTuple):
    """One column of labels."""

    name: str
    group: str
    """Such as TF, DHS or HM; empty where targets are not grouped."""
    peaks: Path | None
    """BED or narrowPeak in which the target holds."""


def read_targets(table: Path) -> list[Target]:
    """Read a TSV with columns target and, if wanted, group and file (beside the table).

    The table of DeepSEA's 919 targets (Zhou and Troyanskaya 2015, supplementary table 2) is read
    as it is: a target is named after its file.

    Raises:
        InputError: no target, a row of other width, a name twice, a group for some targets only.
    """
    rows = ((number, line.split("\t")) for number, line in read_lines(table) if line)
    _, header = next(rows, (0, []))
    targets: dict[str, Target] = {}
    for number, row in rows:
        if len(row) > len(header):
            raise InputError(f"{table}, line {number}: more fields than columns")
        # Empty cells at the end of a line may have gone with its white space.
        cells = dict.fromkeys(header, "") | dict(zip(header, row, strict=False))
        target = _target(cells, table, number)
        if target.name in targets:
            raise InputError(f"{table}, line {number}: target {target.name!r} is there twice")
        targets[target.name] = target
    grouped = {bool(target.group) for target in targets.values()}
    if len(grouped) != 1:
        problem = "some targets have a group and some have none" if grouped else "no targets"
        raise InputError(f"{table}: {problem}; each row is target, group and perhaps file")
    return list(targets.values())


def deepsea_group(factor: str) -> str:
    """Return DHS, HM or TF for what DeepSEA calls DNase, a histone mark or a factor."""
    if factor == "DNase":
        return "DHS"
    return "HM" if _HISTONE_MARK.match(factor) else "TF"


def find_groups(table: Path, names: Sequence[str]) -> tuple[str, ...] | None:
    """Return the group of each of K targets by a TSV, or None if it is not there or has none."""
    if not table.exists():
        return None
    groups = {target.name: target.group for target in read_targets(table)}
    missing = [name for name in names if name not in groups]
    if missing:
        raise InputError(
            f"{table}: {len(missing)} targets of the windows are missing, such as {missing[0]!r}; "
            "it needs a row for each column `y_<target>`"
        )
    chosen = tuple(groups[name] for name in names)
    return chosen if all(chosen) else None


def write_groups(table: Path, targets: Sequence[Target]) -> None:
    """Write the group of each target for `find_groups`; no file where targets have none."""
    if not any(target.group for target in targets):
        table.unlink(missing_ok=True)
        return
    rows = [f"{target.name}\t{target.group}\n" for target in targets]
    write_text(table, "".join(["target\tgroup\n", *rows]))


def _target(cells: dict[str, str], table: Path, number: int) -> Target:
    if {_DEEPSEA_FILE, _DEEPSEA_FACTOR} <= cells.keys():
        file = cells[_DEEPSEA_FILE]
        name, group = file.removesuffix(".narrowPeak"), deepsea_group(cells[_DEEPSEA_FACTOR])
    elif "target" in cells:
        file = cells.get("file", "")
        name, group = cells["target"].removeprefix("y_"), cells.get("group", "")
    else:
        raise InputError(f"{table}: no column 'target'; columns are target, group, file")
    if not name or set(name) & set(',"\t'):
        raise InputError(f"{table}, line {number}: {name!r} cannot name a column of a CSV")
    return Target(name, group, _find_peaks(table.parent, file) if file else None)


def _find_peaks(directory: Path, file: str) -> Path:
    """Return a file of `directory`, or its gzipped form where only that is there."""
    path, packed = directory / file, directory / f"{file}.gz"
    return packed if packed.exists() and not path.exists() else path
