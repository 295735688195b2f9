"""Where in the page a reader finds what is said of one thing."""

from hyenadna.report.figures.drawing import identifier


def of_benchmark(name: str) -> str:
    """Return the identifier of a benchmark's own page within the page."""
    return f"task-{identifier(name)}"
