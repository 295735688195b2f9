"""Recipe of in-context learning: one of the two methods of the paper, at one of its settings."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from hyenadna.model.config import Probability
from hyenadna.training.recipe import Fraction, Recipe, Share


class InContextRecipe(Recipe):
    """How a language model is brought to answer with the token of a class (section 4.3)."""

    method: Literal["soft_prompt", "few_shot"]
    """Embeddings tuned before a frozen network, or a network whose weights are all tuned."""
    prompt_tokens: Annotated[int, Field(ge=0, le=32_768)] = 0
    """Method soft_prompt: embeddings that are tuned; without any the network is as it came."""
    shots: NonNegativeInt = 0
    """Training examples of each class that stand, with their answers, before a question."""
    tuning_samples: NonNegativeInt | None = None
    """Training examples asked about, the classes in turn; all if not given, none leaves the
    network as it came. Shots are drawn from all training examples."""
    epochs: PositiveInt
    """Passes over those examples."""
    prompt_dropout: Probability = 0.1
    """Dropout of the tuned embeddings."""
    validation_fraction: Share = 0.1
    """Share of the training examples held out to select the epoch; never shown as shots."""
    patience: PositiveInt | None = None
    """Epochs without improvement after which training stops; never if not given."""
    flip_strand: Fraction = 0.0
    """Probability that a sequence is read from the reverse strand, in training."""
    max_length: PositiveInt | None = None
    """Nucleotides that are left of longer sequences, about their middle; none are cut if not
    given."""
    checkpoint_blocks: bool = False
    """Recompute each block in the backward pass: less memory, more time, same gradients."""

    @model_validator(mode="after")
    def _has_a_prompt_to_tune_or_weights(self) -> Self:
        if self.method == "few_shot" and self.prompt_tokens:
            raise ValueError(
                f"prompt_tokens {self.prompt_tokens} is for method soft_prompt; few_shot has none"
            )
        if self.prompt_tokens and self.tuning_samples == 0:
            raise ValueError(
                f"tuning_samples 0 leaves {self.prompt_tokens} prompt_tokens as they were drawn; "
                "set prompt_tokens to 0 too"
            )
        return self

    @property
    def tunes(self) -> bool:
        """Whether anything is learnt at all."""
        return self.tuning_samples != 0 and (self.method == "few_shot" or self.prompt_tokens > 0)
