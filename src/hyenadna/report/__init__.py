"""The report: one HTML page, and its figures, from the metrics files of a results tree."""

from pathlib import Path

from hyenadna import files
from hyenadna.errors import InputError


def write(results: Path, out: Path, *, published: Path | None = None) -> Path:
    """Write the page to `out`, its figures and their data to `<results>/figures`; return `out`.

    Whatever is missing or broken in the tree is said on the page.

    Args:
        results: tree that the workflow wrote.
        out: page to write.
        published: folder with tables of published scores, as `resources/published`.

    Raises:
        InputError: there is no such directory.
    """
    # matplotlib takes a second to import: kept out of `hyenadna --help`.
    from hyenadna.report import page
    from hyenadna.report.reading import read

    if not results.is_dir():
        raise InputError(f"{results}: no such directory; it is where the workflow puts its results")
    if published and not published.is_dir():
        raise InputError(f"{published}: no such directory; it is for tables of published scores")
    found = read(results, published)
    figures = page.drawn(found)
    with files.atomic_write(results / "figures") as folder:
        folder.mkdir()
        for figure in (figure for drawn in figures.values() for figure in drawn):
            (folder / f"{figure.name}.svg").write_text(figure.svg, encoding="utf-8")
            (folder / f"{figure.name}.tsv").write_text(figure.data, encoding="utf-8")
    files.write_text(out, page.render(found, figures, out=out))
    return out


def compare(a: Path, b: Path, out: Path) -> Path:
    """Write a page that puts two results trees side by side to `out`, and return it.

    Raises:
        InputError: one of them is no directory.
    """
    from hyenadna.report import comparison
    from hyenadna.report.drawing import style
    from hyenadna.report.reading import read

    for results in (a, b):
        if not results.is_dir():
            raise InputError(f"{results}: no such directory; --compare takes two results trees")
    with style():
        page = comparison.render(read(a), read(b), out=out)
    files.write_text(out, page)
    return out
