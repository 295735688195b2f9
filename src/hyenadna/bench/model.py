"""Speed of a training step of HyenaDNA beside the same network with attention (L tokens).

The setting of the published comparison (arXiv:2306.15794, section 4.1): two layers of width 128,
batch 1, gradient checkpointing, forward and backward.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from hyenadna.bench.attention import ATTENTION, HEAD_WIDTH, Growth, attend
from hyenadna.bench.long_conv import OURS, row
from hyenadna.bench.results import BEYOND_LIMIT, Row
from hyenadna.bench.session import DTYPES, Case, Options, Session
from hyenadna.bench.timing import Call, Result
from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig

LAYERS = 2
VOCABULARY = 12


class CausalAttention(nn.Module):
    """Multi-head causal attention in place of a Hyena operator."""

    def __init__(self, d_model: int) -> None:
        super().__init__()
        self.heads = d_model // HEAD_WIDTH
        self.in_proj = nn.Linear(d_model, 3 * d_model)
        self.out_proj = nn.Linear(d_model, d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D); position l sees positions 0..l only."""
        q, k, v = self.in_proj(x).unflatten(-1, (3, self.heads, HEAD_WIDTH)).unbind(2)
        q, k, v = (y.transpose(1, 2) for y in (q, k, v))  # (B, H, L, 64)
        y: Tensor = self.out_proj(attend(q, k, v).transpose(1, 2).flatten(2))
        return y


def bench(options: Options, tell: Callable[[str], None]) -> None:
    """Measure training steps at growing length; ratios are to the network with attention.

    The network with attention is left out from the length on where a step would exceed the limit.
    """
    wrong = [channels for channels in options.channels if channels % HEAD_WIDTH]
    if wrong:
        raise InputError(f"width {wrong[0]} is no whole number of heads of {HEAD_WIDTH}")
    session = Session(options, tell)
    growth = Growth(session.watch)
    for case in session.cases():
        template = replace(row(case, "forward+backward"), operation="model", minimal_bytes=None)
        rows = {name: replace(template, implementation=name) for name in (OURS, ATTENTION)}
        expected = growth.expected_seconds(case.channels, case, partial(_step, ATTENTION))
        names = [OURS, ATTENTION] if expected <= options.limit else [OURS]
        growth.note(case.channels, _measure(session, case, [rows[name] for name in names]))
        if ATTENTION not in names:
            session.record([replace(rows[ATTENTION], status=BEYOND_LIMIT)])
    session.finish()


def network(case: Case, name: str) -> HyenaDNA:
    """Return the network, in fp32, with Hyena operators or attention."""
    config = ModelConfig(
        d_model=case.channels,
        n_layer=LAYERS,
        d_inner=4 * case.channels,
        max_seq_len=case.length,
        embed_dropout=0.0,
        checkpoint_blocks=True,
    )
    made = HyenaDNA(config)
    if name == ATTENTION:
        for block in made.backbone.layers:
            block.mixer = CausalAttention(case.channels)
    return made.to(case.device)


def _measure(session: Session, case: Case, rows: Sequence[Row]) -> list[Row]:
    try:
        calls = {row.implementation: _step(row.implementation, case) for row in rows}
    except (RuntimeError, MemoryError) as error:
        return session.refuse(rows, error)
    return session.measure({row.implementation: row for row in rows}, calls, plain=ATTENTION)


def _step(name: str, case: Case) -> Call:
    """Return a call that gives the loss of next-token prediction and all gradients."""
    torch.manual_seed(0)
    model = network(case, name)
    ids = torch.randint(7, VOCABULARY, (case.batch, case.length + 1), device=case.device)
    weights = list(model.parameters())
    narrow = case.dtype != "fp32"

    def step() -> Result:
        with torch.autocast(case.device.type, dtype=DTYPES[case.dtype], enabled=narrow):
            logits = model(ids[:, :-1])
        loss = cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
        return (loss.detach(), *torch.autograd.grad(loss, weights))

    return step
