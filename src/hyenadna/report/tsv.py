"""Tables as text, a line a row and a tab between cells."""

from collections.abc import Iterable


def joined(rows: Iterable[Iterable[str]]) -> str:
    """Return the content of a file."""
    return "".join("\t".join(row) + "\n" for row in rows)


def cell(text: str) -> str:
    """Return text on one line: a tab in a name would begin another column."""
    return " ".join(text.split())
