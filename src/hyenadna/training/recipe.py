"""Recipes: how a network is trained, apart from its shape and its data."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hyenadna.model.config import Pooling, Probability
from hyenadna.settings import Settings

Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]
WindowLength = Annotated[int, Field(ge=2)]


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
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Arithmetic of the forward pass; weights and optimizer state are always fp32."""
    tf32: bool = False
    """Whether a GPU may round the factors of fp32 matrix products to TF32."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """Muon takes the matrices of the blocks, AdamW the rest."""
    muon_learning_rate: PositiveFloat = 0.02
    """Peak of the schedule for what Muon takes."""
    muon_momentum: Beta = 0.95
    """Decay of Muon's momentum."""
    ema_decay: Share | None = None
    """Decay a step of the average of weights that is validated and published; none if not given."""
    spike_nats: PositiveFloat | None = None
    """Nats above its running mean at which the loss of a step stops the run; never if not given."""
    checkpoint_every: PositiveInt
    """Optimizer steps between resumable checkpoints."""

    @property
    def forward_size(self) -> int:
        """Sequences per forward pass."""
        return min(self.micro_batch_size or self.batch_size, self.batch_size)


class LengthStage(Settings):
    """A part of pretraining at one length."""

    length: WindowLength
    """Nucleotides that the network reads at once."""
    tokens: PositiveInt
    """Nucleotides to train on at this length."""


class LengthWarmup(Settings):
    """Shorter windows first: lengths that double, or a list of stages."""

    start: WindowLength = 64
    """First of the doubling lengths, in nucleotides."""
    share: Share = 0.25
    """Share of all tokens that the doubling lengths get, each as many as the others."""
    stages: tuple[LengthStage, ...] | None = None
    """Stages before the final length, in place of doubling ones."""

    @model_validator(mode="after")
    def _is_one_of_two_kinds(self) -> Self:
        if self.stages is not None and self.model_fields_set & {"start", "share"}:
            raise ValueError("give either stages, or start and share of doubling lengths, not both")
        if self.stages == ():
            raise ValueError("stages is empty; leave length_warmup out")
        return self


class PretrainRecipe(Recipe):
    """Next-nucleotide prediction on random windows of genomes."""

    steps: PositiveInt
    """Optimizer steps at the final length, were all at that: with the batch, the tokens in all."""
    length: WindowLength
    """Nucleotides that the network reads at once, at last; batch sizes are those at this length."""
    length_warmup: LengthWarmup | None = None
    """Shorter windows first, more of them a step, so that tokens a step stay the same."""
    validate_every: PositiveInt
    """Optimizer steps between validations; the last step is always validated."""
    flip_strand: Fraction = 0.5
    """Probability that a window is read from the reverse strand."""
    soft_mask_weight: Fraction = 1.0
    """Weight in the loss of a target in lower case in the FASTA, so of a repeat; others weigh 1."""
    max_n_share: Fraction = 0.5
    """Windows with a larger share of N are drawn again."""
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

    @model_validator(mode="after")
    def _warms_up_to_its_length(self) -> Self:
        if self.length_warmup is None:
            return self
        stages = self.length_warmup.stages
        lengths = [self.length_warmup.start] if stages is None else [of.length for of in stages]
        if [*lengths, self.length] != sorted({*lengths, self.length}):
            raise ValueError(
                f"length_warmup: lengths {lengths} must grow and end below length {self.length}"
            )
        if stages is not None and sum(of.tokens for of in stages) >= self.tokens:
            raise ValueError(
                f"length_warmup: its stages leave nothing of {self.tokens} tokens (steps x "
                f"batch_size x length) for length {self.length}"
            )
        return self

    @property
    def tokens(self) -> int:
        """Nucleotides to train on in all."""
        return self.steps * self.batch_size * self.length


class LengthEpochs(Settings):
    """A part of fine-tuning at one length."""

    length: PositiveInt
    """Nucleotides that are left of longer examples, at a place drawn anew for each epoch."""
    epochs: PositiveInt
    """Passes over the training examples at this length."""


class FinetuneRecipe(Recipe):
    """Supervised training of a sequence classifier."""

    epochs: PositiveInt
    """Passes over the training examples."""
    pooling: Pooling = "mean"
    """How the states of a sequence become one vector."""
    train_backbone: bool = True
    """Whether the network learns too; false trains the head alone (a probe)."""
    probe_penalty: Annotated[float, Field(gt=0)] | None = None
    """The head starts from a linear model of the untrained network's states with this L2 penalty
    (linear probing, then fine-tuning: arXiv:2202.10054); from random weights if not given."""
    embed_dropout: Probability | None = None
    """Dropout of the embeddings; that of the model if not given."""
    resid_dropout: Probability | None = None
    """Dropout of what each operator and MLP adds; that of the model if not given."""
    validation_fraction: Share = 0.1
    """Share of the training examples held out to select the epoch."""
    folds: Annotated[int, Field(ge=2)] | None = None
    """Cross-validation in place of that share: seed k holds out fold k modulo this."""
    select_on: Literal["valid", "test"] = "valid"
    """Split that selects the epoch; test, as the paper did where data sets have no other."""
    patience: PositiveInt | None = None
    """Epochs without improvement after which training stops; never if not given."""
    class_weights: Literal["none", "balanced"] = "none"
    """Weights of the classes in the loss: equal, or inverse to how many examples each has."""
    flip_strand: Fraction = 0.0
    """Probability that a training example is read from the reverse strand."""
    average_strands: bool = False
    """Whether an example is scored on both strands, and the mean of the two logits counts."""
    strand_consistency: Annotated[float, Field(ge=0)] = 0.0
    """Weight in the loss of how far the predictions from the two strands of an example differ."""
    length_warmup: tuple[LengthEpochs, ...] = ()
    """First epochs, on shorter examples; the others have whole ones."""
    max_length: PositiveInt | None = None
    """Longest sequence used, in nucleotides, cut around its centre; if not given, the network's."""
    shuffle_labels: bool = False
    """Control: labels are permuted in training and validation, so that nothing can be learnt."""

    @model_validator(mode="after")
    def _warms_up_within_its_epochs(self) -> Self:
        lengths = [stage.length for stage in self.length_warmup]
        if lengths != sorted(set(lengths)):
            raise ValueError(f"length_warmup: lengths {lengths} must grow")
        if sum(stage.epochs for stage in self.length_warmup) >= self.epochs:
            raise ValueError(
                f"length_warmup: its stages leave none of {self.epochs} epochs for whole examples"
            )
        return self

    @model_validator(mode="after")
    def _shuffles_no_test_labels(self) -> Self:
        if self.shuffle_labels and self.select_on == "test":
            raise ValueError("shuffle_labels needs select_on valid: test labels are never permuted")
        return self

    @model_validator(mode="after")
    def _reads_both_strands_through_the_network(self) -> Self:
        if self.strand_consistency and not self.train_backbone:
            raise ValueError("strand_consistency needs train_backbone; a frozen one learns none")
        return self
