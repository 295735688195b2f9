"""Recipes: how a network is trained, apart from its shape and its data."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hyenadna.model.config import Pooling
from hyenadna.settings import Settings

Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Recipe(Settings):
    """What pretraining and fine-tuning have in common."""

    batch_size: PositiveInt
    """Sequences per optimizer step."""
    micro_batch_size: PositiveInt | None = None
    """Sequences per forward pass, for memory; the whole batch if not given."""
    learning_rate: PositiveFloat = 6e-4
    """Peak of the schedule, reached after warm-up."""
    final_learning_rate_ratio: Fraction = 0.1
    """Learning rate of the last step, as a share of the peak."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    """Decoupled decay of every parameter but those of the implicit filters."""
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    """Decay of AdamW's first and second moments."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """Share of the steps over which the learning rate rises linearly."""
    schedule: Literal["cosine", "wsd", "constant"] = "cosine"
    """Shape after warm-up; wsd is warm-up, stable, then a linear decay over the last fifth."""
    gradient_clip: PositiveFloat = 1.0
    """Largest norm of the gradient of all parameters together."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Arithmetic of the forward pass; weights and optimizer state are always fp32."""
    checkpoint_every: PositiveInt
    """Optimizer steps between resumable checkpoints."""

    @property
    def forward_size(self) -> int:
        """Sequences per forward pass."""
        return min(self.micro_batch_size or self.batch_size, self.batch_size)


class PretrainRecipe(Recipe):
    """Next-nucleotide prediction on random windows of a genome."""

    steps: PositiveInt
    """Optimizer steps."""
    length: Annotated[int, Field(ge=2)]
    """Nucleotides that the network reads at once."""
    validate_every: PositiveInt
    """Optimizer steps between validations; the last step is always validated."""
    flip_strand: Fraction = 0.5
    """Probability that a window is read from the reverse strand."""
    validation_tokens: PositiveInt
    """Most nucleotides that one validation reads, spread evenly over the valid intervals."""

    @model_validator(mode="after")
    def _validates_a_whole_window(self) -> Self:
        if self.validation_tokens < self.length:
            raise ValueError(
                f"validation_tokens ({self.validation_tokens}) must be at least length "
                f"({self.length})"
            )
        return self


class FinetuneRecipe(Recipe):
    """Supervised training of a sequence classifier."""

    epochs: PositiveInt
    """Passes over the training examples."""
    pooling: Pooling = "mean"
    """How the states of a sequence become one vector."""
    train_backbone: bool = True
    """Whether the network learns too; false trains the head alone (a probe)."""
    validation_fraction: Share = 0.1
    """Share of the training examples held out to select the epoch."""
    patience: PositiveInt | None = None
    """Epochs without improvement after which training stops; never if not given."""
    flip_strand: Fraction = 0.0
    """Probability that a training example is read from the reverse strand."""
    max_length: PositiveInt | None = None
    """Longest sequence used, in nucleotides, cut around its centre; if not given, the network's."""
