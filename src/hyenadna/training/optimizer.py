"""AdamW with the published parameter groups, and Muon on the matrices of the blocks."""

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from hyenadna.errors import InputError
from hyenadna.training.recipe import Recipe

FILTER_MLP = ".implicit_filter."
"""Part of the name of every parameter that is not decayed: the filter MLP and its frequency."""

MATRICES = ("in_proj.weight", "out_proj.weight", "fc1.weight", "fc2.weight")
"""Ends of the names of what Muon takes: the matrices that map D channels to D or to the MLP's."""


class Optimizers:
    """Optimizers that step together, each on its own part of the parameters.

    The learning rates that they were built with are the peaks of the schedule.
    """

    def __init__(self, *optimizers: Optimizer) -> None:
        self.optimizers = list(optimizers)
        self._peaks = [[group["lr"] for group in each.param_groups] for each in optimizers]

    def set_rate(self, share: float) -> None:
        """Set every group's learning rate to this share of its peak."""
        for optimizer, peaks in zip(self.optimizers, self._peaks, strict=True):
            for group, peak in zip(optimizer.param_groups, peaks, strict=True):
                group["lr"] = share * peak

    def zero_grad(self) -> None:
        """Drop all gradients."""
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Update all parameters from their gradients."""
        for optimizer in self.optimizers:
            optimizer.step()


def build_optimizer(model: nn.Module, recipe: Recipe) -> Optimizers:
    """Return the recipe's optimizers over the trainable parameters.

    AdamW has the published groups: first what is decayed, then the filters. Decay acts on norms,
    biases, the embedding and the skip weights too; only the implicit filters are spared, because
    decay would flatten them. Parameters keep the model's order within a group, and a shared
    parameter appears once.

    Raises:
        InputError: Muon is asked for, and this version of torch has none.
    """
    groups: dict[str, list[nn.Parameter]] = {"matrices": [], "decayed": [], "filters": []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[_group(name, recipe)].append(parameter)
    adamw = AdamW(
        [
            {"params": groups["decayed"], "weight_decay": recipe.weight_decay},
            {"params": groups["filters"], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        betas=recipe.betas,
    )
    if not groups["matrices"]:
        return Optimizers(adamw)
    return Optimizers(_muon(groups["matrices"], recipe), adamw)


def _group(name: str, recipe: Recipe) -> str:
    if FILTER_MLP in name:
        return "filters"
    of_a_block = ".layers." in name and name.endswith(MATRICES)
    return "matrices" if recipe.optimizer == "muon" and of_a_block else "decayed"


def _muon(matrices: list[nn.Parameter], recipe: Recipe) -> Optimizer:
    """Return Muon as first described (https://kellerjordan.github.io/posts/muon).

    Nesterov momentum, five Newton-Schulz iterations in bf16, and a rate that is multiplied by
    sqrt(max(1, rows / columns)) (`adjust_lr_fn="original"`): the peak of 0.02 is meant for that,
    not for AdamW's. Decay is decoupled, rate times `weight_decay` a step, without that factor.
    The stacked matrices of `in_proj` are orthogonalised as the one matrix that they are stored as.
    """
    if not hasattr(torch.optim, "Muon"):
        raise InputError(
            f"optimizer muon needs torch 2.9 or newer, and this is {torch.__version__}; "
            "update torch, or use optimizer adamw"
        )
    return torch.optim.Muon(
        matrices,
        lr=recipe.muon_learning_rate,
        weight_decay=recipe.weight_decay,
        momentum=recipe.muon_momentum,
        nesterov=True,
        adjust_lr_fn="original",
    )
