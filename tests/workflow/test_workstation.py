"""The profile for one machine with a GPU."""

import subprocess
from collections.abc import Callable
from pathlib import Path

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
SEEDS = range(3)
# Touches what the real command writes, and says so if another one has the GPU at the same time.
STAND_IN = """\
#!/bin/sh
all="$*"
mkdir gpu || touch shared
sleep 0.3
cd "${all##*--out }" && touch config.yaml config.json model.safetensors metrics.tsv run.json \\
    predictions.parquet
rmdir "$OLDPWD/gpu"
"""


def test_one_job_at_a_time_has_the_gpu(
    snakemake: Snakemake, new_checkout: Callable[[], Path]
) -> None:
    checkout = new_checkout()
    command = checkout / "bin" / "hyenadna"
    command.parent.mkdir()
    command.write_text(STAND_IN)
    command.chmod(0o755)
    metrics = [f"results/scratch/demo/demo_promoters/seed{seed}/metrics.tsv" for seed in SEEDS]
    demo = ("--configfile", "config/demo.yaml", "--config", "gpus=1", "ask_above_gpu_hours=99")
    done = snakemake(
        checkout,
        *("--profile", "profiles/workstation", "--cores", "4", *demo, "--", *metrics),
        commands=command.parent,
    )
    assert done.returncode == 0, done.stdout
    assert all((checkout / path).exists() for path in metrics)
    assert not (checkout / "shared").exists()
