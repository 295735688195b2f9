"""AdamW with the published parameter groups."""

from torch import nn
from torch.optim import AdamW

from hyenadna.training.recipe import Recipe

FILTER_MLP = ".implicit_filter."
"""Part of the name of every parameter that is not decayed: the filter MLP and its frequency."""


def build_optimizer(model: nn.Module, recipe: Recipe) -> AdamW:
    """Return AdamW over the trainable parameters: first the decayed group, then the filters.

    As published, decay acts on norms, biases, the embedding and the skip weights too; only the
    implicit filters are spared, because decay would flatten them. Parameters keep the model's
    order within a group, and a shared parameter appears once.
    """
    groups: dict[bool, list[nn.Parameter]] = {False: [], True: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[FILTER_MLP in name].append(parameter)
    return AdamW(
        [
            {"params": groups[False], "weight_decay": recipe.weight_decay},
            {"params": groups[True], "weight_decay": 0.0},
        ],
        lr=recipe.learning_rate,
        betas=recipe.betas,
    )
