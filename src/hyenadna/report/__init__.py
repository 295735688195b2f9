"""The report: one HTML page, and its figures, from the metrics files of a results tree."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from hyenadna import files
from hyenadna.errors import InputError

if TYPE_CHECKING:
    from hyenadna.report.figures.drawing import Figure


def write(results: Path, out: Path, *, published: Path | None = None) -> Path:
    """Write the page to `out`, and return it.

    Its figures go to `<results>/figures` too, its tables to `<results>/tables`. Whatever is
    missing or broken in the tree is said on the page.

    Args:
        results: tree that the workflow wrote.
        out: page to write.
        published: folder with tables of published scores, as `resources/published`.

    Raises:
        InputError: there is no such directory.
    """
    # matplotlib takes a second to import: kept out of `hyenadna --help`.
    from hyenadna.report.inputs.reading import read
    from hyenadna.report.page import contents, exports
    from hyenadna.report.page.layout import lay_out

    if not results.is_dir():
        raise InputError(f"{results}: no such directory; it is where the workflow puts its results")
    if published and not published.is_dir():
        raise InputError(f"{published}: no such directory; it is for tables of published scores")
    found = read(results, published)
    by_section = contents.drawn(found)
    content = contents.content(found, by_section)
    figures = [figure for drawn in by_section.values() for figure in drawn]
    with files.atomic_write(results / "figures") as folder:
        folder.mkdir()
        write_figures(folder, figures)
        exports.write_captions(folder, content, figures)
    with files.atomic_write(results / "tables") as folder:
        folder.mkdir()
        exports.write_tables(folder, content)
    files.write_text(out, lay_out(content, {"": found}, out=out))
    return out


def write_figures(folder: Path, figures: "Iterable[Figure]") -> None:
    """Write each figure, twice, and its numbers to the folder of its section."""
    for figure in figures:
        path = folder / figure.section / figure.name
        path.parent.mkdir(exist_ok=True)
        # Not `with_suffix`: names have dots.
        path.with_name(f"{figure.name}.svg").write_text(figure.drawing.svg, encoding="utf-8")
        path.with_name(f"{figure.name}.png").write_bytes(figure.drawing.png)
        path.with_name(f"{figure.name}.tsv").write_text(figure.data, encoding="utf-8")


def compare(a: Path, b: Path, out: Path) -> Path:
    """Write a page that puts two results trees side by side to `out`, and return it.

    Its figures go beside it, to a folder with its name and `-figures`.

    Raises:
        InputError: one of them is no directory.
    """
    from hyenadna.report.comparison import contents
    from hyenadna.report.figures.drawing import style
    from hyenadna.report.inputs.reading import read
    from hyenadna.report.page.layout import lay_out

    for results in (a, b):
        if not results.is_dir():
            raise InputError(f"{results}: no such directory; --compare takes two results trees")
    trees = {"A/": read(a), "B/": read(b)}
    with style():
        content = contents.content(*trees.values())
    with files.atomic_write(out.with_name(f"{out.stem}-figures")) as folder:
        folder.mkdir()
        write_figures(folder, content.figures)
    files.write_text(out, lay_out(content, trees, out=out))
    return out
