"""What lies behind the scores of a run, as small typed records. C classes, T targets, N points."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Confusion:
    """Test items by class and by what they were taken for."""

    path: str
    labels: tuple[str, ...]
    items: Floats
    """(C, C): rows are true classes, columns predicted ones."""


@dataclass(frozen=True)
class Curve:
    """One ROC or precision-recall curve of one class or target."""

    target: str
    kind: str
    """roc (false and true positive rate) or pr (recall and precision)."""
    x: Floats
    """(N,), as y."""
    y: Floats


@dataclass(frozen=True)
class Curves:
    """The curves of one run."""

    path: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Targets:
    """Areas under the curves of each target of a multi-label run."""

    path: str
    names: tuple[str, ...]
    groups: tuple[str, ...]
    """Of each target, as `names`; all empty where targets have none."""
    auroc: Floats
    """(T,), NaN where a target has positive or negative test items only."""


@dataclass(frozen=True)
class Leaked:
    """Test items that train (or validation) items repeat or overlap."""

    path: str
    test_items: int
    duplicates: int
    overlaps: int
    leaked: int
    """Either of both."""


@dataclass(frozen=True)
class Prompted:
    """One score of in-context learning."""

    method: str
    """soft_prompt, or few_shot."""
    prompt_tokens: int
    shots: int
    """Demonstrations a class."""
    tuning_samples: int
    metric: str
    value: float


Resamples = Mapping[tuple[str, str], Floats]
"""Scores under resamples of the items, by split and name; NaN of a resample without a score."""


@dataclass(frozen=True)
class Outcomes:
    """What lies behind the scores, by the path of the run; of leaks, by benchmark."""

    confusions: Mapping[str, Confusion] = field(default_factory=dict)
    curves: Mapping[str, Curves] = field(default_factory=dict)
    targets: Mapping[str, Targets] = field(default_factory=dict)
    leaks: Mapping[str, Leaked] = field(default_factory=dict)
    prompted: Mapping[str, list[Prompted]] = field(default_factory=dict)
    resamples: Mapping[str, Resamples] = field(default_factory=dict)
