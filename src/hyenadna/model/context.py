"""Context parallelism: C processes share each sequence (B batch, L length, D width).

Process c of a group holds positions c L / C to (c + 1) L / C. Whatever looks at one position at a
time needs nothing from the others. The short convolution takes the last positions of the process
before. For the long one, an all-to-all exchange turns shares of positions into shares of channels,
and another turns them back, as for the heads of attention (arXiv:2309.14509) and in convolutional
models (arXiv:2503.01868): each process convolves D / C channels over the whole length. It evaluates
the filters at its own positions, which are exchanged alike.

Gradients of parameters come out for this process's share of all that: they are whole once they are
summed over the group.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.operator import HyenaOperator
from hyenadna.ops import long_conv


@dataclass(frozen=True)
class ContextGroup:
    """The processes that share sequences, as one of them sees them."""

    rank: int
    size: int
    processes: dist.ProcessGroup

    def positions(self, length: int) -> slice:
        """Return the positions of this process, of sequences of `length` tokens.

        Raises:
            InputError: the positions cannot be divided evenly.
        """
        return self._share(length, "positions", "choose a length that is a multiple of that")

    def channels(self, width: int) -> slice:
        """Return the channels that this process convolves, of `width`.

        Raises:
            InputError: the channels cannot be divided evenly.
        """
        return self._share(width, "channels", "take a number of processes that divides d_model")

    def _share(self, count: int, of: str, remedy: str) -> slice:
        share, rest = divmod(count, self.size)
        if rest:
            raise InputError(
                f"{count} {of} cannot be shared evenly by {self.size} processes "
                f"({count} % {self.size} = {rest}); {remedy}"
            )
        return slice(self.rank * share, (self.rank + 1) * share)


def shard_context(model: HyenaDNA, group: ContextGroup) -> None:
    """Let a model's operators work on this process's positions of sequences that a group shares.

    From then on the model takes ids (B, L / C), on all processes of the group at once.

    Raises:
        InputError: the channels cannot be divided evenly, attention is to mix positions, or
            Hyena is to mix them in both directions.
    """
    if model.config.bidirectional:
        raise InputError(
            f"a bidirectional network cannot share a sequence between {group.size} processes; "
            "only causal Hyena operators can"
        )
    if model.config.mixer != "hyena":
        raise InputError(
            f"mixer {model.config.mixer!r} cannot share a sequence between {group.size} "
            "processes; only Hyena operators can"
        )
    group.channels(model.config.d_model)
    for module in model.modules():
        if isinstance(module, HyenaOperator):
            module.context = group


def mix(operator: HyenaOperator, x: Tensor, group: ContextGroup) -> Tensor:
    """Do what `operator` does, on this process's positions of sequences that a group shares.

    Args:
        operator: with the same parameters on all processes.
        x: (B, L / C, D), as many positions on all processes.

    Returns:
        (B, L / C, D); position l of the sequence sees positions 0..l only.

    Raises:
        InputError: L is more than `max_seq_len`, or the share less than the short filter reaches.
    """
    length, width = x.shape[1:]
    _check(operator, length, group)
    before = _last_positions_before(x, operator.short_filter.weight.shape[-1] - 1, group)
    streams = operator.streams(torch.cat([before, x], dim=1))
    gate, v = (stream[..., before.shape[1] :] for stream in streams)
    k = operator.filter_fn(length, start=group.rank * length)
    y = long_conv(
        _to_channels(v, group),
        _to_channels(k[None], group)[0],
        operator.filter_fn.bias[group.channels(width)],
    )
    mixed: Tensor = operator.out_proj((gate * _to_positions(y, group)).mT)
    return mixed


def _check(operator: HyenaOperator, length: int, group: ContextGroup) -> None:
    longest = operator.filter_fn.config.max_seq_len
    if length * group.size > longest:
        raise InputError(
            f"input of {group.size} * {length} = {group.size * length} tokens is longer than "
            f"max_seq_len, {longest}, of this model; cut it into windows or take a model with "
            "longer context"
        )
    reach = operator.short_filter.weight.shape[-1] - 1
    if length < reach:
        raise InputError(
            f"{length} positions a process are fewer than the {reach} before each that the short "
            "filter sees; let fewer processes share a sequence"
        )


def _last_positions_before(x: Tensor, count: int, group: ContextGroup) -> Tensor:
    """Return the last `count` positions of the process before, (B, count, D); of none (B, 0, D)."""
    sent, received = [0] * group.size, [0] * group.size
    if group.rank + 1 < group.size:
        sent[group.rank + 1] = 1
    if group.rank > 0:
        received[group.rank - 1] = 1
    last = x[None, :, x.shape[1] - count :].expand(sum(sent), -1, -1, -1)  # (0 or 1, B, count, D)
    before = _exchange(last, sent, received, group)
    return before.transpose(0, 1).flatten(1, 2)


def _to_channels(x: Tensor, group: ContextGroup) -> Tensor:
    """Turn this process's positions of all channels, (B, D, L / C), into (B, D / C, L)."""
    once = [1] * group.size
    shares = x.reshape(len(x), group.size, -1, x.shape[2])  # (B, C, D / C, L / C)
    by_channels = shares.transpose(0, 1)
    by_positions = _exchange(by_channels, once, once, group)
    return by_positions.permute(1, 2, 0, 3).flatten(2)


def _to_positions(x: Tensor, group: ContextGroup) -> Tensor:
    """Turn this process's channels at all positions, (B, D / C, L), into (B, D, L / C)."""
    once = [1] * group.size
    shares = x.reshape(*x.shape[:2], group.size, -1)  # (B, D / C, C, L / C)
    by_positions = shares.permute(2, 0, 1, 3)
    by_channels = _exchange(by_positions, once, once, group)
    return by_channels.transpose(0, 1).flatten(1, 2)


def _exchange(
    x: Tensor, sent: Sequence[int], received: Sequence[int], group: ContextGroup
) -> Tensor:
    """Send rows of x, `sent[c]` to process c, and return what comes, `received[c]` rows from c."""
    y: Tensor = _Exchange.apply(x, sent, received, group)  # type: ignore[no-untyped-call]
    return y


class _Exchange(torch.autograd.Function):
    """An all-to-all exchange; gradients go back the way that values came."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, sent: Sequence[int], received: Sequence[int], group: ContextGroup
    ) -> Tensor:
        ctx.sent, ctx.received, ctx.group = sent, received, group
        y = x.new_empty(sum(received), *x.shape[1:])
        dist.all_to_all_single(y, x.contiguous(), list(received), list(sent), group=group.processes)
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        return _exchange(dy, ctx.received, ctx.sent, ctx.group), None, None, None
