"""Speed of a training step of HyenaDNA beside a Transformer of the same size (L tokens).

The setting of the published comparison (arXiv:2306.15794, section 4.1): two layers of width 128,
batch 1, gradient checkpointing, forward and backward.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from hyenadna.bench.attention import HEAD_WIDTH, Growth, flash_only
from hyenadna.bench.competitors import plain_long_conv
from hyenadna.bench.long_conv import OURS, row
from hyenadna.bench.networks import autocast, disagreement, draw_tokens, with_gain
from hyenadna.bench.results import BEYOND_LIMIT, Row
from hyenadna.bench.session import DTYPES, Case, Options, Session
from hyenadna.bench.timing import Call, Result
from hyenadna.errors import InputError
from hyenadna.model.backbone import Block, HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.operator import HyenaOperator

# In thousands of tokens, as the paper has it; the last is the longest of its models.
LENGTHS = (*(1 << power for power in range(10, 20)), 1_000_000)
LAYERS = 2
MODEL, WITH_FFT, TRANSFORMER = "model", "hyenadna with torch.fft", "Transformer"


class TorchFftOperator(HyenaOperator):
    """Our operator with the plain formula in place of our long convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D)."""
        gate, v = self.streams(x)
        y = plain_long_conv(v, self.filter_fn(x.shape[1]), self.filter_fn.bias)
        mixed: Tensor = self.out_proj((y * gate).mT)
        return mixed


def bench(options: Options, tell: Callable[[str], None]) -> None:
    """Measure training steps at growing length; ratios are to the Transformer.

    The Transformer is left out from the length on where a step would exceed the limit.
    """
    wrong = [channels for channels in options.channels if channels % HEAD_WIDTH]
    if wrong:
        raise InputError(f"width {wrong[0]} is no whole number of heads of {HEAD_WIDTH}")
    session = Session(options, tell)
    growth = Growth(session.watch, TRANSFORMER)
    for case in session.cases():
        rows = blank_rows(case)
        expected = growth.expected_seconds(case.channels, case, partial(_step, TRANSFORMER))
        late = rows.pop(TRANSFORMER) if expected > options.limit else None
        growth.note(case.channels, _measure(session, case, rows))
        if late:
            session.record([replace(late, status=BEYOND_LIMIT)])
    session.finish()


def blank_rows(case: Case) -> dict[str, Row]:
    """Return what is known of each network's row before it is timed."""
    template = replace(row(case, "forward+backward"), operation=MODEL, minimal_bytes=None)
    flash = case.device.type == "cuda" and case.dtype != "fp32"
    path = {TRANSFORMER: "FlashAttention" if flash else "SDPA"}
    return {
        name: replace(template, implementation=name, path=path.get(name, ""))
        for name in (OURS, WITH_FFT, TRANSFORMER)
    }


def network(case: Case, name: str) -> HyenaDNA:
    """Return a network, its weights in fp32; the Hyena ones have the same weights."""
    torch.manual_seed(0)
    config = ModelConfig(
        d_model=case.channels,
        n_layer=LAYERS,
        d_inner=4 * case.channels,
        max_seq_len=max(2, case.length),
        embed_dropout=0.0,
        checkpoint_blocks=True,
        mixer="attention" if name == TRANSFORMER else "hyena",
    )
    made = HyenaDNA(config)
    with_gain(made)
    if name == WITH_FFT:
        for block in made.backbone.layers:
            assert isinstance(block, Block)
            mixer = TorchFftOperator(config)
            mixer.load_state_dict(block.mixer.state_dict())
            block.mixer = mixer
    return made.to(case.device)


def _measure(session: Session, case: Case, rows: Mapping[str, Row]) -> list[Row]:
    try:
        status = disagreement(network(case, OURS), network(case, WITH_FFT), case)
        calls = {name: _step(name, case) for name in rows if not (status and name == WITH_FFT)}
    except (RuntimeError, MemoryError) as error:
        return session.refuse(rows.values(), error)
    if status:
        session.record([replace(rows[WITH_FFT], status=status)])
    return session.measure(rows, calls, plain=TRANSFORMER)


def _step(name: str, case: Case) -> Call:
    """Return a call that gives the loss of next-token prediction and all gradients."""
    model = network(case, name).train()
    ids = draw_tokens(case)
    weights = list(model.parameters())
    example = torch.empty(0, dtype=DTYPES[case.dtype], device=case.device)

    def step() -> Result:
        # Around the backward pass too, which computes each block once more.
        with flash_only(example) if name == TRANSFORMER else nullcontext():
            with autocast(case):
                logits = model(ids[:, :-1])
            loss = cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten())
            return (loss.detach(), *torch.autograd.grad(loss, weights))

    return step
