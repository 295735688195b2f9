"""Training: recipes, the loop, schedules, optimizer groups, runs that can be killed and resumed."""

from hyenadna.training.loop import fit
from hyenadna.training.pretrain import pretrain
from hyenadna.training.recipe import FinetuneRecipe, PretrainRecipe
from hyenadna.training.run import Identity, Run

__all__ = ["FinetuneRecipe", "Identity", "PretrainRecipe", "Run", "fit", "pretrain"]
