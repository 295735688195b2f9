"""Families of benchmarks: which one each belongs to, and what a reader should know of it."""

from collections.abc import Mapping
from dataclasses import dataclass

from hyenadna.report.inputs.results import STAGES, Problem, Results, Run
from hyenadna.report.inputs.tree import Tree
from hyenadna.report.scores import Score


@dataclass(frozen=True)
class Family:
    """Benchmarks of one kind, a section of the page."""

    name: str
    """As settings and published tables have it."""
    title: str
    introduction: str


OTHER = Family(
    "other",
    "Other benchmarks",
    "Benchmarks that no table of published scores names and whose runs do not say what family "
    "they are of.",
)
FAMILIES = (
    Family(
        "genomic_benchmarks",
        "GenomicBenchmarks",
        "Regulatory elements, coding sequence and species told from the sequence alone, by the "
        "share of right answers.",
    ),
    Family(
        "nucleotide_transformer",
        "Nucleotide Transformer",
        "Promoters, enhancers, splice sites and histone marks, each with the measure that its "
        "authors use.",
    ),
    Family(
        "chromatin_profile",
        "Chromatin profile",
        "Many marks at once: transcription factors, open chromatin and histone marks at the same "
        "window, as the area under the ROC curve of each.",
    ),
    Family(
        "species",
        "Species",
        "Which species a window of its genome comes from, the better the longer the window is.",
    ),
    Family("table", "Your own data", "Tables of sequences that you gave, with their labels."),
)
ALL = (*FAMILIES, OTHER)
TITLES = {family.name: family.title for family in FAMILIES} | {"biotypes": "Biotypes"}


def grouped(scores: list[Score], of: Mapping[str, str]) -> dict[Family, list[Score]]:
    """Return the families that there are scores of, in the order of the page."""
    known = {family.name for family in FAMILIES}
    found = {
        family: [score for score in scores if of.get(score.benchmark) == family.name]
        for family in FAMILIES
    }
    found[OTHER] = [score for score in scores if of.get(score.benchmark) not in known]
    return {family: those for family, those in found.items() if those}


def recorded(results: Results, problems: list[Problem]) -> dict[str, str]:
    """Return the family of each benchmark, as its runs or published tables name it.

    Args:
        results: what there is.
        problems: where settings that cannot be read are noted.
    """
    tree = Tree(results.root, problems)
    of = {row.benchmark: row.family for row in results.published.scores}
    runs: dict[str, list[Run]] = {}
    for run in results.of("baselines", *STAGES, "paper"):
        runs.setdefault(run.subject, []).append(run)
    for benchmark, those in runs.items():
        family = _first(tree, those)
        if family:
            of[benchmark] = family
    return of


def _first(tree: Tree, runs: list[Run]) -> str:
    """Return the family that the first of several runs to name one names."""
    for run in runs:
        path = tree.root / run.path / "config.yaml"
        settings = tree.yaml(path) if path.exists() else {}
        benchmark = settings.get("benchmark")
        family = benchmark.get("family") if isinstance(benchmark, dict) else None
        if isinstance(family, str) and family:
            return family
    return ""
