"""What a page of many benchmarks has packed, as readers see it."""

import base64
import gzip
import re

HELD = re.compile(r'<div class="folded"><script type="text/plain">([^<]*)</script>.*?</div>', re.S)


def held(page: str) -> list[str]:
    """Return each part that a page has packed."""
    return [_text(found[1]) for found in HELD.finditer(page)]


def unpacked(page: str) -> str:
    """Return a page with all that it has packed in its place."""
    return HELD.sub(lambda found: _text(found[1]), page)


def _text(packed: str) -> str:
    return gzip.decompress(base64.b64decode(packed)).decode()
