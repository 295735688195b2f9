"""Families of benchmarks: which one each belongs to, and the section that it has."""

import re

import pytest
import yaml
from test_report_page import page_of

from hyenadna.report import families
from hyenadna.report.inputs.reading import read
from hyenadna.report.inputs.results import Problem
from hyenadna.report.scores import summarise


@pytest.fixture
def run(tmp_path, tree):
    """A writer of one run and of what its settings say."""

    def written(benchmark: str, settings: str) -> None:
        directory = tmp_path / f"finetune/m/{benchmark}/seed0"
        tree.run(directory, [(0, "test", "mcc", 0.5)], metric="mcc")
        (directory / "config.yaml").write_text(settings)

    return written


def of(root) -> tuple[dict[str, str], list[Problem]]:
    problems: list[Problem] = []
    return families.recorded(read(root), problems), problems


def settings(family: object) -> str:
    return yaml.safe_dump({"benchmark": {"family": family}})


def test_the_settings_of_a_run_name_the_family(tmp_path, run):
    run("b", settings("species"))
    run("c", settings("table"))
    assert of(tmp_path) == ({"b": "species", "c": "table"}, [])


@pytest.mark.parametrize("text", ["{", "[]", "benchmark: 3", "benchmark: {family: [1]}", ""])
def test_settings_that_name_none_leave_it_open(tmp_path, run, text):
    run("b", text)
    assert of(tmp_path)[0] == {}


def test_settings_that_cannot_be_read_are_named(tmp_path, run):
    run("b", "{")
    (problem,) = of(tmp_path)[1]
    assert problem.path == "finetune/m/b/seed0/config.yaml"
    assert "cannot be read as YAML" in problem.what


def test_each_family_has_a_section_and_the_rest_have_one_at_the_end(tmp_path, run):
    for name, family in {"b": "species", "c": "nucleotide_transformer", "d": "of old"}.items():
        run(name, settings(family))
    heads = [of.get("id") for of in page_of(tmp_path).all("h2")]
    assert heads[:4] == ["missing", "nucleotide_transformer", "species", "other"]


def test_models_of_a_benchmark_stay_together(tmp_path, run, tree):
    run("b", settings("species"))
    tree.run(tmp_path / "finetune/n/b/seed0", [(0, "test", "mcc", 0.4)], metric="mcc")
    grouped = families.grouped(summarise(read(tmp_path)), of(tmp_path)[0])
    assert {family.name: len(those) for family, those in grouped.items()} == {"species": 2}


def test_a_name_in_a_table_leads_to_the_page_of_its_benchmark(tmp_path, run):
    run("b", settings("species"))
    page = page_of(tmp_path)
    assert {"task-b"} <= {of.get("id") for _, of in page.elements}
    rows = re.findall(r'<tr><th scope="row"[^>]*><a href="#task-b">b</a>', page.source)
    assert len(rows) >= 2  # below the answer, and in the section of its family
