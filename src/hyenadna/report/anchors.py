"""Names within the page, and of its files, for what results are called."""

import hashlib
import re
import zlib

from hyenadna.report.inputs.results import BenchRun, Run


def identifier(*parts: str) -> str:
    """Return a name for files and anchors, of plain letters only and unique to `parts`."""
    joined = ".".join(part for part in parts if part)
    plain = re.sub(r"[^A-Za-z0-9_.-]", "-", joined)
    lossy = plain != joined or plain.count(".") >= len(parts)
    return f"{plain}-{zlib.crc32(repr(parts).encode()):08x}" if lossy else plain


def of_benchmark(name: str) -> str:
    """Return the identifier of a benchmark's own page within the page."""
    return f"task-{identifier(name)}"


def of_run(run: Run | BenchRun, prefix: str = "") -> str:
    """Return the identifier of a run within the page, short since there are thousands."""
    return f"run-{hashlib.blake2b((prefix + run.path).encode(), digest_size=5).hexdigest()}"
