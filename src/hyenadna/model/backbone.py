"""HyenaDNA: a stack of Hyena operators and MLPs (B batch, L length, D width, V logits)."""

import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, pad
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts
from torch.utils.checkpoint import checkpoint as recomputed

from hyenadna.errors import InputError
from hyenadna.model import checkpoint
from hyenadna.model.attention import CausalAttention
from hyenadna.model.bidirectional import BidirectionalOperator
from hyenadna.model.checkpoint import Checkpoint
from hyenadna.model.config import ModelConfig
from hyenadna.model.operator import HyenaOperator
from hyenadna.ops.dropout import dropout
from hyenadna.ops.feed_forward import FeedForwardWeights, blockwise, feed_forward
from hyenadna.tokenizer import PAD

_log = logging.getLogger(__name__)
_Mixer = HyenaOperator | CausalAttention
_MIXERS: dict[str, type[_Mixer]] = {"hyena": HyenaOperator, "attention": CausalAttention}


class Mlp(nn.Module):
    """Two linear layers around a tanh-approximated GELU."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.fc1 = nn.Linear(config.d_model, config.d_inner)
        self.fc2 = nn.Linear(config.d_inner, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, L, D) to (B, L, D), each position by itself."""
        y: Tensor = self.fc2(gelu(self.fc1(x), approximate="tanh"))
        return y


class LayerNorm(nn.LayerNorm):
    """Layer norm of an fp32 residual stream, given out in the dtype of the weights."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of (B, L, D)."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        y = layer_norm(x, self.normalized_shape, weight, bias, self.eps)
        return y.to(self.weight.dtype)


class Block(nn.Module):
    """Pre-norm residual block: Hyena operator or attention, then MLP."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        mixer = BidirectionalOperator if config.bidirectional else _MIXERS[config.mixer]
        self.mixer: _Mixer = mixer(config)
        self.norm2 = LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.mlp = Mlp(config)
        self.dropout = nn.Dropout(config.resid_dropout)

    def forward(self, residual: Tensor, padding: Tensor | None = None) -> Tensor:
        """Add to the residual stream, (B, L, D), at least fp32.

        Args:
            residual: the stream.
            padding: (B, L) bool, what a bidirectional mixer is to look past.
        """
        options = {} if padding is None else {"padding": padding}
        residual = residual + self.dropout(self.mixer(self.norm1(residual), **options))
        norm, mlp = self.norm2, self.mlp
        weights = FeedForwardWeights(
            norm.weight, norm.bias, mlp.fc1.weight, mlp.fc1.bias, mlp.fc2.weight, mlp.fc2.bias
        )
        if blockwise(residual, weights) and not (self.training and self.dropout.p):
            return feed_forward(residual, weights, eps=norm.eps)
        updated: Tensor = residual + self.dropout(mlp(norm(residual)))
        return updated


class Embeddings(nn.Module):
    """Token embeddings; the order of tokens enters by the convolutions alone."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(config.n_logits, config.d_model)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map ids (B, L) to (B, L, D)."""
        y: Tensor = self.word_embeddings(input_ids)
        return y


class Backbone(nn.Module):
    """Embeddings, blocks and the last layer norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.checkpoint_blocks = config.checkpoint_blocks
        self.keep_convolutions = config.keep_convolutions
        self.bidirectional = config.bidirectional
        self.embeddings = Embeddings(config)
        self.embed_dropout = config.embed_dropout
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = LayerNorm(config.d_model, eps=config.layer_norm_epsilon)

    def forward(self, input_ids: Tensor, prompt: Tensor | None = None) -> Tensor:
        """Map ids (B, L), behind embeddings (P, D) if given, to hidden states (B, P + L, D)."""
        embedded = self.embeddings(input_ids)
        if prompt is not None:
            before = prompt.to(embedded.dtype).expand(len(embedded), -1, -1)
            embedded = torch.cat([before, embedded], dim=1)
        if self.training and self.embed_dropout:
            embedded = dropout(embedded, self.embed_dropout)
        residual = embedded.to(torch.promote_types(embedded.dtype, torch.float32))
        # Causal mixers never see the padding, which is on the right.
        padding = _padding(input_ids, embedded.shape[1]) if self.bidirectional else None
        for block in self.layers:
            if self.checkpoint_blocks and torch.is_grad_enabled():
                residual = self._recomputed(block, residual, padding)
            else:
                residual = block(residual, padding)
        hidden: Tensor = self.ln_f(residual)
        return hidden

    def _recomputed(self, block: nn.Module, residual: Tensor, padding: Tensor | None) -> Tensor:
        """Run a block such that the backward pass runs it again, with or without convolving."""
        options: dict[str, Any] = {"context_fn": _keeping_convolutions}
        updated: Tensor = recomputed(
            block,
            residual,
            padding,
            use_reentrant=False,
            **(options if self.keep_convolutions else {}),
        )
        return updated


def _padding(input_ids: Tensor, length: int) -> Tensor:
    """Return where ids (B, L) are padding, (B, P + L) bool: never in a prompt before them."""
    return pad(input_ids == PAD, (length - input_ids.shape[1], 0), value=False)


def _keeping_convolutions() -> Any:
    """Return the contexts in which a block runs and runs again, keeping long convolutions."""
    return create_selective_checkpoint_contexts(_keep_convolution)  # type: ignore[no-untyped-call]


def _keep_convolution(ctx: Any, operation: Any, *arguments: Any, **named: Any) -> CheckpointPolicy:
    if operation is torch.ops.hyenadna.long_conv.default:
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE


class HyenaDNA(nn.Module):
    """Causal language model of DNA; parameter names are those of the released checkpoints.

    With attention in place of the Hyena operators it is the Transformer baseline. Bidirectional it
    is no language model, but a network for classifiers: real tokens see all others on both sides,
    and nothing of those with the id of [PAD].
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.lm_head = nn.Linear(config.d_model, config.n_logits, bias=False)
        if config.tie_word_embeddings:
            self.lm_head.weight = self.backbone.embeddings.word_embeddings.weight
        self._initialise()

    def forward(self, input_ids: Tensor) -> Tensor:
        """Map ids (B, L) to logits of the next token, (B, L, V).

        Raises:
            InputError: the network is bidirectional, or as for `hidden_states`.
        """
        self.config.require_causal()
        logits: Tensor = self.lm_head(self.hidden_states(input_ids))
        return logits

    def hidden_states(self, input_ids: Tensor, prompt: Tensor | None = None) -> Tensor:
        """Map ids (B, L) to the normalised output of the last block, (B, P + L, D).

        Args:
            input_ids: tokens.
            prompt: (P, D), embeddings that stand before the tokens of every sequence; P is 0
                without it.

        Raises:
            InputError: ids that are not integers in (B, L), none, or more than `max_seq_len`
                together with the prompt.
        """
        if input_ids.ndim != 2 or input_ids.is_floating_point() or input_ids.dtype is torch.bool:
            raise InputError(
                f"input ids must be integers of shape (batch, length), got {input_ids.dtype} "
                f"of shape {tuple(input_ids.shape)}; hyenadna.encode makes them"
            )
        if input_ids.numel() == 0:
            raise InputError(f"input ids of shape {tuple(input_ids.shape)} hold no token")
        length = input_ids.shape[1] + (0 if prompt is None else len(prompt))
        longest = self.config.max_seq_len
        if length > longest:
            raise InputError(
                f"input of {length} tokens is longer than max_seq_len, {longest}, of this model; "
                "cut it into windows or take a model with longer context"
            )
        hidden: Tensor = self.backbone(input_ids.long(), prompt)
        return hidden

    @contextmanager
    def shared_filters(self, length: int) -> Iterator[None]:
        """Evaluate each layer's filter once for all inputs inside, of up to `length` tokens.

        Encloses the forward and backward passes of the micro-batches of a step. Gradients of the
        filters' weights are there when it ends, the same as without it. Under context parallelism
        `length` is that of whole sequences, of which each process evaluates its share.

        Raises:
            RuntimeError: filters are shared already.
        """
        with ExitStack() as stack:
            for module in self.modules():
                if isinstance(module, HyenaOperator):
                    stack.enter_context(module.shared_filter(length))
            yield

    @classmethod
    def from_pretrained(
        cls, source: str | Path, *, filter_shift: float | None = None, keep_positions: bool = False
    ) -> Self:
        """Load a model from a directory or file, ours or released; see `checkpoint.load`."""
        return cls.from_checkpoint(
            checkpoint.load(source, filter_shift=filter_shift, keep_positions=keep_positions)
        )

    @classmethod
    def from_checkpoint(cls, loaded: Checkpoint) -> Self:
        """Make a model of what was loaded, without its classification head."""
        if loaded.head is not None:
            _log.warning(
                "%s: its classification head is left out; SequenceClassifier.from_pretrained "
                "loads it",
                loaded.source,
            )
        model = cls(loaded.config)
        checkpoint.fill(model, loaded.weights, source=loaded.source)
        return model

    def save_pretrained(self, directory: str | Path) -> None:
        """Write `config.json` and `model.safetensors`, which `from_pretrained` reads."""
        checkpoint.save(Path(directory), self.config, self.state_dict())

    @torch.no_grad()
    def _initialise(self) -> None:
        """Draw weights as the original does: N(0, 0.02), narrower where a residual is added to."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        narrow = 0.02 / math.sqrt(2 * self.config.n_layer)
        for module in self.modules():
            if isinstance(module, Block):
                nn.init.normal_(module.mixer.out_proj.weight, std=narrow)
                nn.init.normal_(module.mlp.fc2.weight, std=narrow)
