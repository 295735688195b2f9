"""Scores that others have published, as small typed records."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PublishedScore:
    """One number of one paper."""

    family: str
    benchmark: str
    model: str
    parameters: str
    """As the source writes it, e.g. 1.6M; empty where it says nothing."""
    metric: str
    value: float
    spread: float
    """NaN where none was given."""
    spread_is: str
    """What the spread measures: sd, or max-min."""
    protocol: str
    source: str
    remarks: str

    @property
    def is_summary(self) -> bool:
        """Whether it repeats the best of other rows, which the remark names."""
        return self.model.startswith("best known")


@dataclass(frozen=True)
class GridValue:
    """The values that a paper searched for one hyper-parameter."""

    family: str
    name: str
    values: str
    source: str


@dataclass(frozen=True)
class Published:
    """All that is known of others' work."""

    scores: list[PublishedScore] = field(default_factory=list)
    meanings: dict[tuple[str, str], str] = field(default_factory=dict)
    """What a protocol is, by family and its short name."""
    selected_on: dict[tuple[str, str], str] = field(default_factory=dict)
    """Split that a protocol selects on: valid or test, empty where that is not known."""
    grid: list[GridValue] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)
    """File of each family, and of `grids`, relative to the results."""

    def selects_on_test(self, row: PublishedScore) -> bool:
        """Whether the protocol of a score selected it on the test split."""
        return self.selected_on.get((row.family, row.protocol)) == "test"
