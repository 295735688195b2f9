"""Where numbers come from: every row and figure leads to its files, their rule and command."""

import json
import re
import subprocess
from html import unescape
from pathlib import Path

import pytest
from packed_pages import unpacked
from task_results import set_info
from test_report_page import HOSTILE, SCRIPTS, Page, page_of

from hyenadna import report
from hyenadna.report.inputs.reading import read
from hyenadna.report.page.origins import Origins
from hyenadna.report.rules import RULES, rule_of
from hyenadna.report.scores import summarise
from hyenadna.report.tables import compared, provenance
from hyenadna.report.tables.protocols import judged

WORKFLOW = Path(__file__).parents[2] / "workflow/rules"
PROMOTERS = "finetune/tiny-demo/demo_promoters"


def rules_of_the_workflow() -> dict[str, str]:
    """Return what each rule says, by its name."""
    text = "\n".join(path.read_text() for path in sorted(WORKFLOW.glob("*.smk")))
    parts = re.split(r"^rule (\w+):$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def crate(page: Page) -> list[dict]:
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', page.source)
    return json.loads(found[1])["@graph"]


@pytest.fixture(scope="module")
def page(finished) -> Page:
    return Page(finished / "report.html")


@pytest.fixture
def small(tmp_path, tree) -> Path:
    """A tree with runs on one benchmark, to be changed."""
    tree.benchmark(tmp_path / "results", "demo_promoters", tree.benchmarks["demo_promoters"])
    return tmp_path / "results"


@pytest.fixture
def repeated(tmp_path, tree) -> Path:
    """A tree with a run that was repeated with other seeds."""
    for seed in (0, 1, 2, 10):
        path = f"results/finetune/m/b/seed{seed}"
        command = f"hyenadna finetune --seed {seed} --out {path}"
        tree.run(tmp_path / path, [(0, "test", "mcc", 0.5)], metric="mcc", command=command)
    return tmp_path / "results"


@pytest.mark.parametrize(("stage", "rule"), RULES.items())
def test_the_workflow_has_the_rule_that_is_named_for_a_stage(stage, rule):
    text = rules_of_the_workflow()[rule]
    assert f'"results/{stage}/' in text or '"results/{stage}/' in text


def test_every_file_that_a_page_reads_has_a_rule_of_the_workflow(finished):
    results = read(finished)
    files = [of for run in results.recorded for of in (run.info_file, f"{run.path}/metrics.tsv")]
    files += [of.path for of in (*results.jobs, *results.genomes)]
    assert {rule_of(file) for file in files} <= set(rules_of_the_workflow())


@pytest.mark.parametrize("path", ["../resources/published/species.tsv", "new/a/b.tsv", "x.tsv"])
def test_files_that_no_rule_makes_name_none(path):
    assert rule_of(path) == ""


def test_a_row_of_a_table_names_its_own_files_rule_and_commands(finished):
    results = read(finished)
    traces = Origins({"": results}).of(compared.glance(judged(results, summarise(results), {})[0]))
    (tuned,) = (of for of in traces if of.row == "demo_promoters" and "finetune/" in of.folder)
    assert (tuned.rule, tuned.folder) == ("finetune", "finetune/tiny-demo/demo_promoters/")
    assert [(file.name, file.source) for file in tuned.files] == [
        (f"seed{seed}", f"{PROMOTERS}/seed{seed}/metrics.tsv") for seed in range(3)
    ]
    assert {of.rule for of in traces if of.row == "demo_promoters"} == {"finetune", "baselines"}


def test_files_link_to_the_commands_that_made_them(page):
    row = re.search(rf"<dd>{PROMOTERS}/ (.*)\n", page.source)[1]
    links = dict(re.findall(r'<a href="([^"]*)">([^<]*)</a>', row))
    assert links.pop(f"{PROMOTERS}/seed0/metrics.tsv") == "seed0"
    anchor = next(of for of, text in links.items() if text == "commands")
    command = re.search(rf'<dt id="{anchor[1:]}">.*?<pre[^>]*>([^<]*)', page.source)[1]
    assert unescape(command) == "hyenadna finetune --out seed0 --seed 0"
    assert "rule <code>finetune</code>" in row


def test_a_run_without_a_record_keeps_its_file_and_has_no_command(small):
    (small / "baselines/demo_promoters/run.json").write_text("{")
    source = page_of(small).source
    link = '<a href="baselines/demo_promoters/metrics.tsv">metrics.tsv</a>, rule'
    assert link in source
    assert f"{link} <code>baselines</code></dd>" in " ".join(source.split())


def test_files_are_listed_once_and_then_referred_to(page):
    (again,) = set(
        re.findall(r'From the same files as <a href="#([^"]*)">Test scores<', page.source)
    )
    listed = page.source.index(f'<details class="sources" id="{again}">')
    row = f'<dd>{PROMOTERS}/ <a href="{PROMOTERS}/seed0/metrics.tsv"'
    assert row in page.source[listed:].partition("</details>")[0]
    assert page.source.count(f'id="{again}"') == 1


def test_each_row_knows_where_its_files_are_listed(page):
    row = r'<th scope="row" data-files="([^"]*)"><a href="#task-demo_species">'
    anchor = re.search(row, page.source)[1]
    listed = page.source[page.source.index(f'<dt id="{anchor}">') :]
    assert listed.startswith(f'<dt id="{anchor}">demo_species</dt>')
    assert "finetune/tiny-demo/demo_species/seed0/metrics.tsv" in listed.partition("<dt")[2][:2000]


def test_the_overview_says_what_read_what_and_what_it_cost(results):
    set_info(
        results / f"{PROMOTERS}/seed0",
        data=[
            {"path": "/elsewhere/results/pretrain/m/g/seed0/model.safetensors"},
            {"path": "results/genomes/g/tokens/tokens.u8"},
            {"path": "resources/demo/benchmarks/promoters/test.csv.gz"},
        ],
        peak_memory_mb=9_100,
    )
    rows = {row[0].text: row[1:] for row in provenance.rules(read(results)).rows}
    stages, runs, reads, others, _, memory = (cell.text for cell in rows["finetune"])
    assert stages == "From scratch, Frozen probe, Fine-tuned"
    assert (runs, reads, others) == ("45", "prepare_genome, pretrain, tokenize", "1")
    assert memory == "9.10 GB"


def test_the_commit_is_shown_where_runs_recorded_one(small):
    assert "Commit" not in {fact.label for fact in provenance.facts(read(small))}
    set_info(small / f"{PROMOTERS}/seed0", commit="0123abc")
    assert "Commit0123abc" in page_of(small).text


def test_every_run_is_an_action_of_the_crate(page, finished):
    actions = {of["@id"]: of for of in crate(page) if of["@type"] == "CreateAction"}
    assert len(actions) == len(read(finished).recorded)
    (action,) = (of for of in actions.values() if of["name"].endswith(f"{PROMOTERS}/seed0"))
    assert action["@id"][1:] in {of.get("id") for of in page.all("dt")}
    assert action["description"] == "hyenadna finetune --out seed0 --seed 0"
    assert {"@id": "#software-hyenadna-0.1.0"} in action["instrument"]
    assert action["result"] == {"@id": f"{PROMOTERS}/seed0/"}
    (file,) = (of for of in crate(page) if of["@id"] == action["object"]["@id"])
    assert (file["name"], file["sha256"]) == ("results/genomes/demo_human/genome.fa", "5f" * 32)


def test_the_crate_is_whole(page):
    graph = crate(page)
    names = [of["@id"] for of in graph]
    assert len(names) == len(set(names))
    descriptor, root = graph[:2]
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert descriptor["about"] == {"@id": root["@id"]}
    assert root["license"]["@id"] in names
    values = [value for of in graph[1:] for value in of.values() if isinstance(value, dict | list)]
    referred = [of for value in values for of in (value if isinstance(value, list) else [value])]
    assert {of["@id"] for of in referred} <= set(names)


def test_runs_that_differ_in_their_seed_alone_are_one_command_and_one_action(repeated):
    assert [of.title for of in provenance.commands(read(repeated).runs)] == [
        "Fine-tuned · m · b · seeds 0–2, 10"
    ]
    page = page_of(repeated)
    each = "hyenadna finetune --seed $seed --out results/finetune/m/b/seed$seed"
    line = f"for seed in 0 1 2 10; do {each}; done"
    assert line in page.text
    (action,) = (of for of in crate(page) if of["@type"] == "CreateAction")
    assert (action["description"], action["result"]) == (line, {"@id": "finetune/m/b/"})
    (row,) = (row for row in page.rows if row[0] == "Fine-tuned" and "0–2, 10" in row)
    assert row[4] == "4"


def test_the_loop_over_seeds_is_what_was_run(repeated):
    (command,) = provenance.commands(read(repeated).runs)
    echoed = subprocess.run(
        ["bash", "-c", command.line.replace("hyenadna", "echo hyenadna")],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    assert echoed == [run.info.command_line for run in read(repeated).runs]


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0.2.0"},
        {"command": "hyenadna finetune --lr 1 --seed 1 --out results/finetune/m/b/seed1"},
        {"command": "hyenadna finetune --name '$x' --seed 1 --out results/finetune/m/b/seed1"},
        {"data": [{"path": "other", "sha256": "00"}]},
    ],
)
def test_a_run_that_was_made_otherwise_is_told_apart(repeated, change):
    set_info(repeated / "finetune/m/b/seed1", **change)
    one, other = provenance.commands(read(repeated).runs)
    assert one.title.endswith("seeds 0, 2, 10")
    assert other.title.endswith("seed 1")
    actions = [of for of in crate(page_of(repeated)) if of["@type"] == "CreateAction"]
    folders = [{"@id": f"finetune/m/b/seed{seed}/"} for seed in (0, 2, 10)]
    assert [of["result"] for of in actions] == [folders, {"@id": "finetune/m/b/seed1/"}]


def test_of_very_many_files_folders_lead_to_the_command_that_names_them(tmp_path, tree):
    for name in range(60):
        for seed in range(2):
            run = f"finetune/m/b{name}/seed{seed}"
            rows = [(0, "test", "mcc", 0.5)]
            tree.run(tmp_path / run, rows, metric="mcc", command=f"x --seed {seed} --out r/{run}")
    source = unpacked(page_of(tmp_path).source)
    (link,) = set(re.findall(r'<a href="(#[^"]*)">finetune/m/b7/</a> 2 files', source))
    entry = source.partition(f'<dt id="{link[1:]}">')[2].partition("</dd>")[0]
    assert "rule <code>finetune</code>" in entry
    assert "for seed in 0 1; do x --seed $seed --out r/finetune/m/b7/seed$seed; done" in entry
    assert '<a href="finetune/m/b7/seed1/run.json">' in entry


def test_the_crate_names_files_as_seen_from_the_page(small, tmp_path):
    out = report.write(small, tmp_path / "elsewhere/page.html")
    names = {of["@id"] for of in crate(Page(out))}
    assert f"../results/{PROMOTERS}/seed0/" in names


def test_hostile_records_stay_data(tmp_path, tree):
    tree.run(
        tmp_path / "probe/m/b/seed0", [(0, "test", "mcc", 0.5)], metric="mcc", commit=HOSTILE,
        command="</script>" + HOSTILE,
    )  # fmt: skip
    page = page_of(tmp_path)
    assert {of.get("type") for of in page.all("script")} <= SCRIPTS
    (action,) = (of for of in crate(page) if of["@type"] == "CreateAction")
    assert action["description"] == "</script>" + HOSTILE
    assert page.all("img") == []
