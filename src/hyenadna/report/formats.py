"""Numbers as a reader sees them."""

import math
from collections.abc import Sequence
from datetime import datetime

from hyenadna.report.scores import DECIMALS, Spread

NOTHING = "–"
"""Shown where a number does not exist."""

TIMING_UNITS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))

TITLES = {
    "pretrain": "Pretraining",
    "context": "Perplexity by context",
    "majority": "Majority class",
    "length": "Length only",
    "unknown": "Unknown bases only",
    "kmer": "k-mer counts",
    "lookup": "Look-up by coordinate",
    "scratch": "From scratch",
    "probe": "Frozen probe",
    "finetune": "Fine-tuned",
    "baselines": "Baselines",
    "biotypes": "Biotypes",
    "paper": "Paper's protocol",
    "in_context": "In context",
    "soft_prompt": "Soft prompt",
    "few_shot": "Few-shot tuning",
    "embedding": "Embedding, boosting",
    "embedding_logistic": "Embedding, logistic regression",
    "random": "Untrained network, boosting",
    "random_logistic": "Untrained network, logistic regression",
}
"""Names of stages and methods in prose and tables."""


def score(value: float, digits: int = DECIMALS) -> str:
    """Format a score or a perplexity."""
    return f"{value:.{digits}f}".replace("-", "−") if math.isfinite(value) else NOTHING


def signed(value: float) -> str:
    """Format a difference, always with its sign."""
    return f"{value:+.{DECIMALS}f}".replace("-", "−") if math.isfinite(value) else NOTHING


def count(value: float | None) -> str:
    """Format a whole number with separated thousands."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:,.0f}"


def share(part: float, whole: float) -> str:
    """Format a share in per cent."""
    return f"{100 * part / whole:.1f} %" if whole else NOTHING


def spread(of: Spread) -> str:
    """Format mean and sample standard deviation."""
    return f"{score(of.mean)} ± {score(of.sd)}" if of.n > 1 else score(of.mean)


def seeds(of: Spread) -> str:
    """Say how many seeds a spread is made of, and how many of them have no value."""
    return f"n = {of.n}" + (f" of {of.n + of.missing}" if of.missing else "")


def duration(seconds: float) -> str:
    """Format a time: 4.2 s, 3 min 05 s, 2 h 07 min."""
    if not math.isfinite(seconds):
        return NOTHING
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60:,} h {minutes % 60:02d} min"


def timing(seconds: float, digits: int = 3) -> str:
    """Format a time measured to some digits: 845 µs, 12.3 ms, 1.24 s."""
    if not 0 < seconds < math.inf:
        return NOTHING
    unit, size = next((u for u in TIMING_UNITS if seconds >= u[1]), TIMING_UNITS[-1])
    scaled = seconds / size
    decimals = max(0, digits - 1 - math.floor(math.log10(scaled)))
    return f"{scaled:,.{decimals}f} {unit}"


def timings(low: float, high: float) -> str:
    """Format a range of times: 12.3–14.0 ms, 845 µs – 1.20 ms."""
    first, last = timing(low), timing(high)
    if first.split()[1:] == last.split()[1:]:
        return f"{first.split()[0]}–{last}"
    return f"{first} – {last}"


def times(factor: float) -> str:
    """Format how many times as much: 0.85×, 12.3×, 160×."""
    if not 0 < factor < math.inf:
        return NOTHING
    decimals = 0 if factor >= 100 else 1 if factor >= 10 else 2
    return f"{factor:,.{decimals}f}×"


def percent(part: float) -> str:
    """Format a share of one in per cent."""
    return share(part, 1) if math.isfinite(part) else NOTHING


def moment(timestamp: str) -> str:
    """Format a time of day in ISO 8601: 2026-01-05 10:02 UTC."""
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        return timestamp
    return f"{at:%Y-%m-%d %H:%M} {at.tzname() or ''}".strip()


def memory(size: float) -> str:
    """Format an amount of memory given in bytes."""
    if not math.isfinite(size):
        return NOTHING
    return f"{size / 10**9:.2f} GB" if size >= 10**9 else f"{size / 10**6:.0f} MB"


def bases(nucleotides: int) -> str:
    """Format a length of DNA: 812 bp, 2.06 Mb, 3.10 Gb."""
    for unit, size in (("Gb", 10**9), ("Mb", 10**6), ("kb", 10**3)):
        if nucleotides >= size:
            return f"{nucleotides / size:.2f} {unit}"
    return f"{nucleotides} bp"


def listed(items: Sequence[str]) -> str:
    """Write items as a sentence does: a, b and c."""
    return " and ".join(part for part in (", ".join(items[:-1]), *items[-1:]) if part)


def plural(n: int, noun: str) -> str:
    """Format a number of things."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def shortened(text: str, most: int = 28) -> str:
    """Cut a long name and drop what cannot be printed, for labels within figures."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return printable if len(printable) <= most else printable[: most - 1] + "…"
