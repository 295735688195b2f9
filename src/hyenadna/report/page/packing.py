"""Parts of a page as browsers unpack them: compressed, then in base64."""

import base64
import gzip
import json
from collections.abc import Callable
from typing import Any

from markupsafe import Markup

from hyenadna.report.figures.drawing import Figure

LEAST = 2_000
"""Characters from which on a folded part is packed."""

MOST_DATA = 1_000_000
"""Numbers behind a figure that the page holds, in characters; of more it links to their file."""

MOST_PACKED = 10_000
"""The same on a page that packs, which has very many figures."""


def packed(text: str) -> Markup:
    """Return text as browsers unpack it, the same each time."""
    return Markup(base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode())


class Folded:
    """What a page has folded away: as it is, or packed until a reader opens it.

    Called from a template with what stands within a `<details>`. Of parts within parts the
    outermost is packed, with all the others in it.
    """

    def __init__(self, *, packs: bool) -> None:
        self._packs = packs
        self._depth = 0
        self._most_data = MOST_PACKED if packs else MOST_DATA

    def __call__(self, caller: Callable[[], Markup]) -> Markup:
        """Return markup of a part, as text that a script unpacks if the page packs."""
        self._depth += self._packs
        content = caller()
        self._depth -= self._packs
        if not self._packs or self._depth or len(content) < LEAST:
            return content
        return Markup(
            '<div class="folded"><script type="text/plain">{}</script>'
            "<noscript><p>This page is long: what is folded needs scripts here.</p></noscript>"
            "</div>"
        ).format(packed(content))

    def holds_data(self, figure: Figure) -> bool:
        """Return whether the page has the numbers behind a figure, and does not link to them."""
        return len(figure.data) <= self._most_data

    def figure(self, figure: Figure) -> Markup:
        """Return what the page draws a figure from, and its numbers unless they are too many."""
        content: dict[str, Any] = {"plot": figure.drawing.plot}
        if self.holds_data(figure):
            content["tsv"] = figure.data
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        if self._depth:  # all around it is packed, and packing twice gains nothing
            kind, held = "application/json", Markup(text.replace("<", r"\u003c"))
        else:
            kind, held = "text/plain", packed(text)
        return Markup('<script type="{}" class="packed">{}</script>').format(kind, held)
