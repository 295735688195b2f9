"""The file that tests of downloads fetch, and the row of the table that names it."""

import gzip
import random
from collections.abc import Callable
from pathlib import Path

CONTENT = gzip.compress(random.Random(0).randbytes(200_000), mtime=0)
PATH = "genomes/odd.fa.gz"
TARGET = Path("resources") / PATH
RECORDED = Path("config/downloads.lock.tsv")

Fetch = Callable[..., str]


def write_row(url: str, *, mirror: str = "", size: str = "", sha256: str = "") -> None:
    """Write the table of files anew, with one row."""
    Path("config/downloads.tsv").write_text(
        "path\turl\tmirror\tbytes\tsha256\tlicence\n"
        f"{PATH}\t{url}\t{mirror}\t{size}\t{sha256}\tfree\n"
    )
