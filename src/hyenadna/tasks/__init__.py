"""Tasks: benchmarks of several families, and what is done with a model on each."""

from hyenadna.tasks.base import Benchmark, read_benchmark
from hyenadna.tasks.baselines import baselines
from hyenadna.tasks.biotypes import biotypes
from hyenadna.tasks.evaluate import evaluate
from hyenadna.tasks.finetune import finetune
from hyenadna.tasks.in_context import in_context

__all__ = [
    "Benchmark",
    "baselines",
    "biotypes",
    "evaluate",
    "finetune",
    "in_context",
    "read_benchmark",
]
