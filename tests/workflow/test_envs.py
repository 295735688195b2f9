"""The conda environments: pinned, small, and with all that the commands of their rules import."""

import ast
import re
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
import yaml
from command_imports import imported_by, imports, packages_behind
from conda_channel import needs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "workflow" / "envs"
ENVIRONMENTS = {path.stem: yaml.safe_load(path.read_text()) for path in FOLDER.glob("*.yaml")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DISTRIBUTIONS = packages_distributions()
# As conda calls a few of those that PyPI calls otherwise.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
# What installs the package, and what chooses a build of another.
NEVER_IMPORTED = {"python", "pip", "hatchling", "editables", "pytorch-cpu", "pytorch-gpu"}
NEVER_IMPORTED |= {"cuda-version"}
BY_HARDWARE = {
    "TRAINING_ENVIRONMENT": ["train-cpu", "train-cuda"],
    "TRANSFORMERS_ENVIRONMENT": ["transformers-cpu", "transformers-cuda"],
}


def read_rules() -> dict[str, tuple[str, str]]:
    """Return {rule: (command, what stands at `conda`)}; a rule made of another has its command."""
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    rules: dict[str, tuple[str, str]] = {}
    pattern = r"^(?:use rule (\w+) as|rule) (\w+)(?: with)?:\n((?:    .*\n|\n)+)"
    for base, name, body in re.findall(pattern, text, re.MULTILINE):
        (environment,) = re.findall(r"^    conda:\n(?: +#.*\n)* +(.+)$", body, re.MULTILINE)
        found = re.search(r"hyenadna ((?:bench )?[a-z-]+)", body.partition("    shell:\n")[2])
        command = rules[base][0] if base else found[1] if found else ""
        rules[name] = (command, environment)
    return rules


RULES = read_rules()


def environments_of(rule: str) -> list[str]:
    """Return the environments of a rule, which may be one for each kind of hardware."""
    value = RULES[rule][1]
    return BY_HARDWARE.get(value) or [Path(value.strip('"')).stem]


def pins_of(environment: str) -> dict[str, str]:
    """Return {package: version} of an environment, with those that pip installs."""
    pins = {}
    for line in ENVIRONMENTS[environment]["dependencies"]:
        lines = line["pip"] if isinstance(line, dict) else [line]
        pins.update(re.fullmatch(r"(\S+) ==?(\S+)", one).groups() for one in lines)
    return pins


def packages_for(rule: str, environment: str) -> set[str]:
    """Return what conda calls the packages that a rule's command needs in an environment."""
    command, _ = RULES[rule]
    # A recipe must ask for the last, and then whoever wrote that installs it.
    imported = set(imported_by(command) if command else ()) - {"wandb"}
    if environment.endswith("-cpu"):
        imported -= {"triton"}
    if not environment.startswith("transformers"):
        imported -= {"transformers", "huggingface_hub"}
    names = {DISTRIBUTIONS.get(name, [name])[0] for name in imported}
    return {canonicalize_name(CONDA_NAMES.get(name, name)) for name in names}


@pytest.mark.parametrize("rule", RULES)
def test_environment_has_what_the_command_of_the_rule_imports(rule: str) -> None:
    for environment in environments_of(rule):
        there = {canonicalize_name(package) for package in pins_of(environment)}
        assert packages_for(rule, environment) <= there, environment


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_is_of_a_rule_and_has_no_more_than_that_needs(environment: str) -> None:
    rules = [rule for rule in RULES if environment in environments_of(rule)]
    needed = {package for rule in rules for package in packages_for(rule, environment)}
    there = {canonicalize_name(package) for package in pins_of(environment)}
    assert rules
    assert there <= needed | NEVER_IMPORTED


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_package_has_one_version(environment: str) -> None:
    pins = pins_of(environment)
    for package, version in pins.items():
        assert re.fullmatch(r"\d+(\.\d+)+", version), package
    for other in ENVIRONMENTS:
        shared = pins.keys() & pins_of(other)
        assert {name: pins[name] for name in shared}.items() <= pins_of(other).items()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_pins_are_within_what_the_package_allows(environment: str) -> None:
    lines = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["transformers"],
        *PROJECT["build-system"]["requires"],
        f"python {PROJECT['project']['requires-python']}",
    ]
    pins = pins_of(environment)
    for requirement in map(Requirement, lines):
        name = CONDA_NAMES.get(requirement.name, requirement.name)
        assert name not in pins or requirement.specifier.contains(pins[name]), requirement


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_conda_reads_the_environment(environment: str) -> None:
    rattler = pytest.importorskip("rattler")
    assert ENVIRONMENTS[environment].keys() == {"channels", "dependencies"}
    for line in ENVIRONMENTS[environment]["dependencies"]:
        if isinstance(line, str):
            rattler.MatchSpec(line, strict=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_channels_are_in_the_order_that_bioconda_asks_for(environment: str) -> None:
    channels = ENVIRONMENTS[environment]["channels"]
    assert channels in (["conda-forge", "nodefaults"], ["conda-forge", "bioconda", "nodefaults"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_installs_the_checkout(environment: str) -> None:
    script = FOLDER / f"{environment}.post-deploy.sh"
    assert script.resolve() == FOLDER / "install_checkout.sh"


def test_image_has_the_packages_of_every_environment() -> None:
    image = (FOLDER / "apptainer.def").read_text()
    names = re.findall(r"--file envs/(\S+)\.yaml", image)
    there = {package for name in names for package in pins_of(name)}
    for environment in ENVIRONMENTS:
        assert pins_of(environment).keys() - {"pytorch-cpu"} <= there, environment


def test_rules_can_be_read_where_of_all_there_is_only_snakemake() -> None:
    text = "\n".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    lines = re.findall(r"^(?:from|import) hyenadna.*", text, re.MULTILINE)
    assert lines
    packages = packages_behind(imports(ast.parse("\n".join(lines))))
    there = {"snakemake"}
    for _ in range(3):  # what it needs, what that needs, and once more
        there |= {need for name in there for need in needs(distribution(name))}
    assert {canonicalize_name(DISTRIBUTIONS[name][0]) for name in packages} <= there
