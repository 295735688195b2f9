"""What benches of whole networks share: weights, tokens, precision (B batch, L length)."""

import torch
from torch import Tensor, nn

from hyenadna.bench.results import does_not_run
from hyenadna.bench.session import DTYPES, TOLERANCE, Case
from hyenadna.bench.timing import relative_error
from hyenadna.tokenizer import A, T


@torch.no_grad()
def with_gain(model: nn.Module) -> None:
    """Draw the matrices of the blocks such that each passes on what it is given; not the filters.

    With weights as narrow as those that training starts from, the embedding would be nearly all of
    the output, and a wrong operator would not show in it. Times do not depend on weights.
    """
    generator = torch.Generator().manual_seed(0)
    for name, weight in model.named_parameters():
        if weight.ndim == 2 and ".layers." in name and ".filter_fn." not in name:
            drawn = torch.randn(weight.shape, generator=generator) / weight.shape[1] ** 0.5
            weight.copy_(drawn)


def draw_tokens(case: Case) -> Tensor:
    """Draw ids (B, L + 1) of A, C, G and T: what a network reads and what comes next."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(A, T + 1, (case.batch, case.length + 1), generator=generator)
    return ids.to(case.device)


def autocast(case: Case) -> torch.autocast:
    """Return the context of a case's type of activations."""
    narrow = case.dtype != "fp32"
    return torch.autocast(case.device.type, dtype=DTYPES[case.dtype], enabled=narrow)


@torch.no_grad()
def disagreement(ours: nn.Module, other: nn.Module, case: Case) -> str:
    """Return "" if two networks give the same logits of a case, else the status that says so."""
    ids = draw_tokens(case)[:, :-1]
    with autocast(case):
        found, expected = (network.eval()(ids) for network in (ours, other))
    error = relative_error((found,), (expected,))
    if error <= TOLERANCE[case.dtype]:
        return ""
    return does_not_run(f"wrong logits, relative error {error:.1e}")
