"""Shapes of networks, and of a head on one."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from hyenadna.errors import InputError
from hyenadna.settings import Settings
from hyenadna.tokenizer import VOCAB_SIZE

Count = Annotated[int, Field(ge=1)]
Probability = Annotated[float, Field(ge=0, lt=1)]
Pooling = Literal["mean", "last", "middle"]
Kind = Literal["single", "multi", "regression"]


class ModelConfig(Settings):
    """Shape of a HyenaDNA network, in the terms of the released configurations."""

    d_model: Count
    """Channels of the residual stream."""
    n_layer: Count
    """Blocks, each of a mixer along the sequence and an MLP."""
    d_inner: Count
    """Hidden channels of the MLP."""
    max_seq_len: Annotated[int, Field(ge=2)]
    """Tokens over which the implicit filter is defined, and so the longest input."""
    mixer: Literal["hyena", "attention"] = "hyena"
    """What mixes along the sequence: the Hyena operator, or attention for a Transformer."""
    bidirectional: bool = False
    """Whether a position sees what follows it too; mixer hyena, and not for language models."""
    n_head: Count | None = None
    """Heads of the attention; as many as are 64 channels wide if not given."""
    emb_dim: int = 5
    """Positional features of the implicit filter: time, and pairs of cosine and sine."""
    filter_order: Count = 64
    """Hidden channels of the implicit filter."""
    num_inner_mlps: Annotated[int, Field(ge=0)] = 2
    """Hidden layers of the implicit filter past the first."""
    hyena_order: int = 2
    """Gates of the Hyena operator."""
    short_filter_order: Count = 3
    """Taps of the short convolution, in tokens."""
    activation_freq: float = 10.0
    """Frequency of the implicit filter's sines at the start; it is trained."""
    filter_shift: float = 0.0
    """Floor of the filters' decay: 0 in the original training code, 0.05 in its inference code."""
    embed_dropout: Probability = 0.1
    """Dropout of the embeddings."""
    resid_dropout: Probability = 0.0
    """Dropout of what each operator and MLP adds to the residual stream."""
    layer_norm_epsilon: Annotated[float, Field(gt=0)] = 1e-5
    """Added to the variance by each layer norm."""
    vocab_size: Count = 12
    """Token ids in use."""
    pad_vocab_size_multiple: Count = 8
    """Embedding rows are rounded up to a multiple of this."""
    tie_word_embeddings: bool = True
    """Whether the output layer is the embedding."""
    learned_positions: bool = False
    """Whether the filter's positional features are weights, kept from a file that trained them."""
    checkpoint_blocks: bool = False
    """Recompute each block in the backward pass: less memory, more time, same gradients."""
    keep_convolutions: bool = False
    """Recompute all of a block but its long convolution, whose outputs are kept."""

    @property
    def n_logits(self) -> int:
        """Rows of the embedding: `vocab_size` rounded up."""
        multiple = self.pad_vocab_size_multiple
        return -(-self.vocab_size // multiple) * multiple

    @property
    def heads(self) -> int:
        """Heads of the attention: `n_head`, or as many as are 64 channels wide, at least one."""
        return self.n_head or max(1, self.d_model // 64)

    @model_validator(mode="after")
    def _has_heads_that_can_be_turned(self) -> Self:
        if self.mixer == "hyena":
            if self.n_head is not None:
                raise ValueError(f"n_head {self.n_head} is for mixer attention; leave it out")
        elif self.d_model % (2 * self.heads):
            raise ValueError(
                f"d_model {self.d_model} must be n_head ({self.heads}) times an even width, which "
                "rotary positions need"
            )
        return self

    def require_causal(self) -> None:
        """Refuse a network whose positions see the tokens that they would have to predict.

        Raises:
            InputError: it is bidirectional.
        """
        if self.bidirectional:
            raise InputError(
                "a bidirectional network sees the nucleotide that it would have to predict, so it "
                "is no language model: train it from scratch on labels (hyenadna finetune --model)"
                ", or leave out `bidirectional`"
            )

    @model_validator(mode="after")
    def _is_bidirectional_by_hyena(self) -> Self:
        if self.bidirectional and self.mixer != "hyena":
            raise ValueError(f"bidirectional is for mixer hyena; leave it out for {self.mixer}")
        return self

    @model_validator(mode="after")
    def _keeps_what_is_recomputed(self) -> Self:
        if self.keep_convolutions and not self.checkpoint_blocks:
            raise ValueError(
                "keep_convolutions says what checkpoint_blocks need not recompute; set both"
            )
        return self

    @field_validator("emb_dim")
    @classmethod
    def _is_time_and_pairs(cls, emb_dim: int) -> int:
        if emb_dim < 3 or emb_dim % 2 == 0:
            raise ValueError(f"must be odd and at least 3 (time, then pairs), got {emb_dim}")
        return emb_dim

    @field_validator("hyena_order")
    @classmethod
    def _is_two(cls, order: int) -> int:
        if order != 2:
            raise ValueError(f"must be 2, as in every published model, got {order}")
        return order


class ConvConfig(Settings):
    """Shape of the CNN of GenomicBenchmarks; the defaults are as published."""

    architecture: Literal["cnn"]
    """Says that this is the CNN, not a HyenaDNA network."""
    length: Count | None = None
    """Tokens of the input, to which items are padded; those of the longest item if not given."""
    d_embedding: Count = 100
    """Channels of the token embeddings."""
    channels: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 8, 4)
    """Channels of the convolutions, one after another."""
    kernel_size: Count = 8
    """Taps of each convolution, in positions of its input."""
    d_inner: Count = 512
    """Channels of the dense layer before the outputs."""
    vocab_size: Count = VOCAB_SIZE
    """Token ids in use."""

    @property
    def shortest(self) -> int:
        """Tokens of which the last convolution makes one position."""
        length = 1
        for _ in self.channels:
            length = 2 * length + self.kernel_size - 1
        return length


class HeadConfig(Settings):
    """What a head makes of a sequence."""

    pooling: Pooling = "mean"
    """What represents a sequence: the mean over its tokens or its middle ones, or the last."""
    kind: Kind = "single"
    """Whether a sequence has one label, any number of them, or numbers."""
    classes: tuple[str, ...] | None = None
    """Names of the outputs, in their order."""
