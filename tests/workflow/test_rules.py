"""What the text of the rules must have."""

import os
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = {
    name: body
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk"))
    for name, body in re.findall(
        r"^rule (\w+):\n((?:    .*\n|\n)+)", path.read_text(), re.MULTILINE
    )
}
DIRECTIVES = {"output", "log", "conda", "threads", "resources", "params", "shell"}


@pytest.mark.parametrize("name", RULES)
def test_rule_says_what_it_needs_and_leaves_behind(name: str) -> None:
    directives = re.findall(r"^    (\w+):", RULES[name], re.MULTILINE)
    assert set(directives) >= DIRECTIVES
    # Snakemake allows one of them only.
    assert len({"benchmark", "cache"} & set(directives)) == 1
    assert not {"run", "script", "wrapper"} & set(directives)


@pytest.mark.parametrize("name", RULES)
def test_memory_holds_snakemake_itself_on_a_cluster(name: str) -> None:
    (memory,) = re.findall(r"mem_mb=(?:doubling\()?(\d+)", RULES[name])
    assert int(memory) >= 500


@pytest.mark.parametrize("name", [name for name in RULES if "gpu=" in RULES[name]])
def test_training_gets_its_cores_on_a_cluster(name: str) -> None:
    """There `threads` is capped at the cores of the machine that submits."""
    assert 'cpus_per_task=config["threads"]' in RULES[name]


@pytest.mark.parametrize("name", [name for name in RULES if not name.startswith("download")])
def test_release_of_the_package_reruns_the_rule(name: str) -> None:
    assert "version=VERSION," in RULES[name]


@pytest.mark.parametrize("name", [name for name in RULES if name.startswith("download")])
def test_release_of_the_package_does_not_download_again(name: str) -> None:
    assert "version=VERSION," not in RULES[name]


@pytest.mark.parametrize("name", RULES)
def test_checkpoints_are_no_output_as_those_are_deleted_before_a_rerun(name: str) -> None:
    assert "checkpoint" not in RULES[name]


@pytest.mark.parametrize("name", [name for name in RULES if "report(" in RULES[name]])
def test_result_in_the_report_has_a_caption(name: str) -> None:
    """Snakemake looks for it only when the report is made."""
    captions = re.findall(r'caption="../(report/\w+.rst)"', RULES[name])
    assert len(captions) == RULES[name].count("report(")
    assert all((ROOT / "workflow" / caption).is_file() for caption in captions)


def test_github_runs_what_ci_runs() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["all"]["steps"] if "run" in step]
    assert commands == [".ci/run"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
