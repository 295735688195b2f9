"""Training: recipes, the loop, schedules, optimizer groups, runs that can be killed and resumed."""

from hyenadna.data.corpus import GenomeSource
from hyenadna.training.loop import Course, fit
from hyenadna.training.monitors import Monitors
from hyenadna.training.plan import Plan
from hyenadna.training.pretrain import pretrain
from hyenadna.training.recipe import FinetuneRecipe, PretrainRecipe
from hyenadna.training.run import Identity, Run

__all__ = [
    "Course",
    "FinetuneRecipe",
    "GenomeSource",
    "Identity",
    "Monitors",
    "Plan",
    "PretrainRecipe",
    "Run",
    "fit",
    "pretrain",
]
