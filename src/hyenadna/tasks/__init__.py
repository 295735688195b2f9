"""Tasks: benchmarks of several families, fine-tuning on them, baselines beside them, biotypes."""

from hyenadna.tasks.base import Benchmark, read_benchmark
from hyenadna.tasks.baselines import baselines
from hyenadna.tasks.biotypes import biotypes
from hyenadna.tasks.evaluate import evaluate
from hyenadna.tasks.finetune import finetune

__all__ = ["Benchmark", "baselines", "biotypes", "evaluate", "finetune", "read_benchmark"]
