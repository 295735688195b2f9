"""Which rule of the workflow writes which file of a results tree."""

import re
from pathlib import PurePosixPath

from hyenadna.report.inputs.results import STAGES

RULES = {
    "pretrain": "pretrain",
    "context": "perplexity_by_context",
    **dict.fromkeys((*STAGES, "paper"), "finetune"),
    "baselines": "baselines",
    "biotypes": "map_biotypes",
    "in_context": "in_context",
}
"""The rule of the workflow that writes the folder of a stage."""

MADE = re.compile(r"(?:^|/)(\w+/[^/]+/[^/]+/seed\d+/.+|genomes/[^/]+/(?:tokens/.+|genome\.fa))$")
"""A path to what a run wrote, or to a genome as the workflow prepared it."""


def rule_of(path: str) -> str:
    """Return the rule that writes a file of a results tree, empty where it is none's."""
    match PurePosixPath(path).parts:
        case ("benchmarks", name, *_):  # measured by Snakemake while that rule ran
            name = name.removesuffix(".tsv")
            return RULES.get(name, name)
        case ("bench", operation, *_):
            return f"bench_{operation}"
        case ("genomes", _, "tokens", *_):
            return "tokenize"
        case ("genomes", _, "genome.fa"):
            return "prepare_genome"
        case (stage, _, *_):
            return RULES.get(stage, "")
    return ""
