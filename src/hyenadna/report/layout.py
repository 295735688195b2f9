"""What every page is laid out with: template, style, script, and ways to the files behind it."""

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from hyenadna.report import crate, drawing
from hyenadna.report.answer import Answer
from hyenadna.report.cells import Table
from hyenadna.report.completeness import Missing
from hyenadna.report.drawing import PALETTE, Figure
from hyenadna.report.origins import FEW, Origins
from hyenadna.report.results import Problem, Results
from hyenadna.report.sections import Section

MOST_DATA = 100_000
"""Numbers behind a figure that the page holds, in characters; of more it links to their file."""


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

    script = _text("page.js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_text),
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.globals |= {
        "svg": lambda figure: Markup(drawing.for_page(figure)),
        "breakable": _breakable,
        "link": link,
        "origins": Origins(trees),
        "few": FEW,
        "base64": lambda text: base64.b64encode(text.encode()).decode(),
        "most_data": MOST_DATA,
        "has_files": "" in trees,
    }
    return environment.get_template("page.html.j2").render(
        crate=crate.of(trees, title=content.answer.title, link=link),
        themes=_themes(),
        style=Markup(_text("style.css")),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        **vars(content),
    )


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


def _text(name: str) -> str:
    return resources.files("hyenadna.report").joinpath(name).read_text(encoding="utf-8")
