"""A run of the workflow that is as small as can be: one network of a layer, on the worm's DNA."""

from collections.abc import Mapping
from pathlib import Path

import yaml

NO_BENCH = {"lengths": {"long_conv": [], "attention": [], "model": []}}
MODEL = {"d_model": 16, "n_layer": 1, "d_inner": 32, "max_seq_len": 1026}
PRETRAINING = {"length": 128, "batch_size": 4, "validation_tokens": 4096}
CONFIG = {
    "genome": "demo_worm",
    "models": ["micro"],
    "baseline_models": [],
    "scratch_models": [],
    "paper_grid": "",
    "pretraining": "config/training/micro.yaml",
    "pretraining_seed": 0,
    "benchmarks": ["demo_promoters"],
    "finetuning": "config/finetuning/micro.yaml",
    "stages": ["finetune"],
    "seeds": [0],
    "threads": 1,
    "gpus": 0,
    "retries": 0,
    "bench": NO_BENCH,
}


def configure(
    folder: Path,
    *,
    pretraining: Mapping[str, object],
    finetuning: Mapping[str, object],
    config: Mapping[str, object],
    model: Mapping[str, object] | None = None,
) -> None:
    """Write the model, its recipes and `micro.yaml`; what is given goes over what is common."""
    files = {
        "config/models/micro.yaml": MODEL | dict(model or {}),
        "config/training/micro.yaml": PRETRAINING | dict(pretraining),
        "config/finetuning/micro.yaml": finetuning,
        "micro.yaml": CONFIG | dict(config),
    }
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(dict(content)))
