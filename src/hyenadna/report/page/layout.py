"""What every page is laid out with: template, style, script, and ways to the files behind it."""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from hyenadna.report.figures.drawing import PALETTE, Figure
from hyenadna.report.inputs.results import Problem, Results
from hyenadna.report.page import crate, templates
from hyenadna.report.page.answer import Answer
from hyenadna.report.page.benchmark_pages import BenchmarkPage
from hyenadna.report.page.completeness import Missing
from hyenadna.report.page.origins import Origins
from hyenadna.report.page.packing import Folded, packed
from hyenadna.report.page.sections import Section
from hyenadna.report.tables.cells import Table

MANY = 24
"""Benchmarks; of more, what is folded away is packed, and search within the page passes it by."""

SCRIPTS = ("unpack.js", "page.js", "fitting.js", "legends.js", "figures.js")
"""In this order they see the page before it is printed, and each uses those before it."""

THEME = "theme.js"
"""What runs before anything is painted."""


@dataclass(frozen=True)
class Content:
    """All that a page says."""

    answer: Answer
    glance: Table | None
    """The table below the answer."""
    instead: list[Table]
    """Those that a reader may see in its place."""
    figures: list[Figure]
    """Those beside the answer."""
    sections: list[Section]
    problems: list[Problem]
    missing: list[Missing]
    data: dict[str, Any]
    """The numbers, for programs."""
    pages: list[BenchmarkPage] = field(default_factory=list)
    """One a benchmark, below the sections."""


def lay_out(content: Content, trees: Mapping[str, Results], *, out: Path) -> str:
    """Return a page as HTML that needs no other file.

    Args:
        content: what it says.
        trees: the results that it says it of, by what paths to their files begin with.
        out: where the page will be, for links to the files that its numbers come from.
    """
    links = {prefix: _base(results.root, out) for prefix, results in trees.items()}

    def link(source: str) -> str:
        prefix = next(of for of in links if source.startswith(of))
        return quote((links[prefix] / source.removeprefix(prefix)).as_posix())

    theme, library = templates.text(THEME), get_plotlyjs()
    scripts = [templates.text(name) for name in SCRIPTS]
    environment = templates.environment()
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.globals |= {
        "folded": Folded(packs=len(content.pages) > MANY),
        "breakable": _breakable,
        "link": link,
        "origins": Origins(trees),
        "has_files": "" in trees,
    }
    return environment.get_template("page.html.j2").render(
        crate=crate.of(trees, title=content.answer.title, link=link),
        themes=_themes(),
        style=Markup(templates.text("style.css")),
        theme=Markup(theme),
        palette=PALETTE,
        plotly=packed(library),
        scripts=[Markup(script) for script in scripts],
        script_hashes=[_hash(script) for script in (theme, *scripts, library)],
        **vars(content),
    )


def _hash(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _base(root: Path, out: Path) -> Path:
    return Path(os.path.relpath(root.resolve(), out.resolve().parent))


def _breakable(text: str) -> Markup:
    """Let a long name break after its punctuation, not within a word."""
    return Markup("<wbr>").join(re.split(r"(?<=[_./])(?=[^\d\s])", text))


def _themes() -> Markup:
    """Return the style rules that give the figures' colours their value in each theme."""
    light, dark = (
        "".join(f"--{name}:{colours[theme]};" for name, colours in PALETTE.items())
        for theme in (0, 1)
    )
    return Markup(
        f":root{{{light}}}@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"
    )
