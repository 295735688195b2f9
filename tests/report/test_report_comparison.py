"""Two results trees side by side: differences, how sure they are, and what one of them lacks."""

import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from task_results import set_info, write_table
from test_report_page import HOSTILE, SCRIPTS, Page

from hyenadna import report
from hyenadna.cli import main
from hyenadna.errors import InputError
from hyenadna.report.comparison import setups
from hyenadna.report.comparison.differences import Difference, differences
from hyenadna.report.inputs.reading import read

PROMOTERS = "finetune/tiny-demo/demo_promoters"


@pytest.fixture
def pair(tmp_path, tree) -> tuple[Path, Path]:
    """Two small trees with the same numbers."""
    first, second = tmp_path / "first/results", tmp_path / "second/results"
    tree.benchmark(first, "demo_promoters", tree.benchmarks["demo_promoters"])
    tree.pretraining(first)
    shutil.copytree(first, second)
    return first, second


def found(pair: tuple[Path, Path]) -> dict[tuple[str, str], Difference]:
    return {(of.of.stage, of.of.measure): of for of in differences(*map(read, pair))}


def page_of(pair: tuple[Path, Path]) -> Page:
    return Page(report.compare(*pair, pair[0].parents[1] / "comparison.html"))


def rewrite(root: Path, tree, **changes) -> None:
    """Write one benchmark anew with other scores."""
    tree.benchmark(root, "demo_promoters", tree.benchmarks["demo_promoters"] | changes)


def test_a_tree_beside_itself_is_identical_in_everything(pair):
    assert {of.verdict for of in found(pair).values()} == {"identical"}
    assert {of.value for of in found(pair).values()} == {0.0}


def test_a_gain_beyond_the_spread_of_seeds_is_told_from_one_within(pair, tree):
    rewrite(pair[1], tree, finetune=(0.90, 0.91, 0.90), probe=(0.775, 0.79, 0.76))
    verdicts = {key: of.verdict for key, of in found(pair).items()}
    assert verdicts["finetune", "accuracy"] == "B better"
    assert verdicts["probe", "accuracy"] == "unclear"
    assert verdicts["scratch", "accuracy"] == "identical"


def resample(root: Path, stage: str, *, shift: float, seeds: int = 3) -> None:
    """Give the runs of a stage resamples that are those of all others but for a shift."""
    common = np.random.default_rng(0).normal(0, 0.01, 200)
    for seed in range(seeds):
        run = root / stage / "tiny-demo/demo_promoters" / f"seed{seed}"
        set_info(run, bootstrap={"resamples": {"test": 200}, "items": {"test": "same"}})
        own = common * (1 + shift) + np.random.default_rng((seed, 1)).normal(0, 1e-5, 200)
        rows = [("test", row, "accuracy", f"{value:.6g}") for row, value in enumerate(own)]
        write_table(run / "bootstrap.tsv", "split replicate name value", rows)


def test_the_same_items_on_both_sides_do_not_widen_the_interval(pair, tree):
    rewrite(pair[1], tree, finetune=(0.90, 0.91, 0.90))
    seeds_alone = found(pair)["finetune", "accuracy"]
    for root in pair:
        resample(root, "finetune", shift=0.0)
    paired = found(pair)["finetune", "accuracy"]
    assert paired.estimate.covers == "items and seeds"
    assert paired.interval == pytest.approx(seeds_alone.interval, abs=0.004)


def test_one_seed_a_side_is_not_judged_however_far_apart_the_two_are(pair, tree):
    rewrite(pair[1], tree, finetune=(0.90, 0.91, 0.90))
    for root in pair:
        resample(root, "finetune", shift=0.5 if root == pair[1] else 0.0, seeds=1)
        for seed in (1, 2):
            shutil.rmtree(root / PROMOTERS / f"seed{seed}")
    of = found(pair)["finetune", "accuracy"]
    assert (of.estimate.covers, of.verdict) == ("items", "too few seeds")
    assert of.estimate.excludes_zero
    assert "items alone" in page_of(pair).text


def test_less_perplexity_is_better(pair, tmp_path, tree):
    for seed in (1, 2):
        for root, perplexity in zip(pair, (3.8, 3.5), strict=True):
            rows = [(9, "test", "perplexity", perplexity + 0.01 * seed)]
            tree.run(root / f"pretrain/m/g/seed{seed}", rows, metric="perplexity")
    (of,) = (of for of in differences(*map(read, pair)) if of.of.subject == "g")
    assert (of.verdict, round(of.value, 6)) == ("B better", -0.3)


def test_what_one_side_lacks_is_said(pair):
    shutil.rmtree(pair[1] / PROMOTERS)
    shutil.rmtree(pair[0] / "pretrain")
    verdicts = {key: of.verdict for key, of in found(pair).items()}
    assert verdicts["finetune", "accuracy"] == "not in B"
    assert verdicts["pretrain", "perplexity"] == "not in A"
    page = page_of(pair)
    assert "1 run only in B." in page.text
    assert "3 runs only in A." in page.text


def test_rows_show_both_sides_difference_interval_and_verdict(pair, tree):
    rewrite(pair[1], tree, finetune=(0.90, 0.91, 0.90))
    rows = [row for row in page_of(pair).rows if row[1:3] == ["Fine-tuned", "accuracy"]]
    assert rows == [
        ["demo_promoters", "Fine-tuned", "accuracy", "0.844 ± 0.007n = 3", "0.903 ± 0.006n = 3",
         "+0.060", "+0.045 to +0.074seeds alone", "B better"],
    ]  # fmt: skip


def test_the_page_says_how_the_interval_is_computed_and_what_chance_would_give(pair, tree):
    rewrite(pair[1], tree, finetune=(0.90, 0.91, 0.90), probe=(0.775, 0.79, 0.76))
    text = page_of(pair).text
    assert "The interval is at 95%. It allows for the test items" in text
    assert "by Student's t over the seeds of both sides" in text
    assert "Of 2 differences with an interval, B is better on 1 and worse on 0" in text
    assert "about 0.1 of 2 would be by chance alone" in text


def test_figures_are_files_beside_the_page(pair, tree):
    rewrite(pair[1], tree, finetune=(0.90, 0.91, 0.90))
    page_of(pair)
    folder = pair[0].parents[1] / "comparison-figures"
    assert {path.name for path in folder.iterdir()} == {
        "differences.svg", "differences.png", "differences.tsv",
    }  # fmt: skip


def test_links_lead_to_the_files_of_both_trees_and_to_their_commands(pair, tree):
    rewrite(pair[1], tree, finetune=(0.90, 0.91, 0.90))
    page = page_of(pair)
    folder = pair[0].parents[1]
    links = [unquote(of["href"]) for of in page.all("a")]
    files = [link for link in links if not link.startswith(("#", "data:"))]
    assert all((folder / file).is_file() for file in files)
    assert {f"{side}/results/{PROMOTERS}/seed0/metrics.tsv" for side in ("first", "second")} <= {
        *files
    }
    anchors = {of["id"] for _, of in page.elements if "id" in of}
    assert {link[1:] for link in links if link.startswith("#")} <= anchors


def test_settings_and_data_that_differ_are_shown_with_the_runs_that_have_them(pair):
    for root, rate, checksum in zip(pair, ("0.001", "0.002"), ("aa" * 32, "bb" * 32), strict=True):
        text = f"seed: 0\nrecipe:\n  learning_rate: {rate}\n  epochs: 2\n"
        (root / PROMOTERS / "seed0/config.yaml").write_text(text)
        set_info(root / PROMOTERS / "seed0", data=[{"path": "test.csv.gz", "sha256": checksum}])
    page = page_of(pair)
    assert page.row("Fine-tuned") == ["Fine-tuned", "recipe.learning_rate", "0.001", "0.002", "1"]
    assert page.row("test.csv.gz") == ["test.csv.gz", "aa" * 32, "bb" * 32]


def test_versions_stand_side_by_side(pair):
    for path in pair[1].rglob("run.json"):
        set_info(path.parent, version="0.2.0")
    page = page_of(pair)
    assert page.row("hyenadna") == ["hyenadna", "0.1.0", "0.2.0", "no"]
    assert page.row("torch")[3] == "yes"


def test_times_of_operations_are_compared_where_both_have_them(pair, tree):
    for root, factor in zip(pair, (1, 2), strict=True):
        rows = tree.timed("attention", (1024,))
        slower = [row | {"median_seconds": factor * row["median_seconds"]} for row in rows]
        tree.bench(root / "bench/attention", slower)
    table = setups.timings(*map(read, pair))
    assert [row[-1].text for row in table.rows] == ["2.00×", "2.00×"]


def test_broken_files_are_named_with_their_side(pair):
    (pair[1] / PROMOTERS / "seed1/metrics.tsv").write_text("step\tspl")
    for number, root in enumerate(pair):
        (root / PROMOTERS / "seed0/config.yaml").write_text(f"a: [{number}")
    page = page_of(pair)
    assert f"B/{PROMOTERS}/seed1/metrics.tsv no usable header" in page.text
    assert f"A/{PROMOTERS}/seed0/config.yaml cannot be read as YAML" in page.text
    (of,) = (of for key, of in found(pair).items() if key == ("finetune", "accuracy"))
    assert (of.b.spread.n, of.b.spread.missing) == (2, 1)


def test_numbers_are_there_for_programs(pair):
    data = page_of(pair).data
    (of,) = (of for of in data["differences"] if of["stage"] == "finetune")
    assert of["a"] == of["b"] == [0.842, 0.851, 0.838]
    assert (of["difference"], of["interval"], of["verdict"]) == (0.0, None, "identical")


def test_empty_trees_have_no_number_in_common(tmp_path):
    (tmp_path / "a").mkdir()
    page = Page(report.compare(tmp_path / "a", tmp_path / "a", tmp_path / "page.html"))
    assert "The two have no number in common." in page.text
    assert page.all("table") == []


def test_hostile_names_stay_text(pair, tree):
    for root in pair:
        name = HOSTILE.replace("/", "")
        tree.run(root / f"finetune/{name}/{name}/seed0", [(1, "test", HOSTILE, 0.5)],
                 metric=HOSTILE, command=HOSTILE)  # fmt: skip
    page = page_of(pair)
    assert {of.get("type") for of in page.all("script")} <= SCRIPTS
    assert page.all("img") == []
    assert HOSTILE in {of["measure"] for of in page.data["differences"]}


def test_the_command_writes_the_page_and_prints_its_path(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["hyenadna", "report", "--compare", *map(str, pair)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == "comparison.html\n"
    assert "second against first" in (tmp_path / "comparison.html").read_text()


def test_a_tree_that_is_not_there_is_an_error(pair, tmp_path):
    with pytest.raises(InputError, match="lost: no such directory; --compare takes two"):
        report.compare(pair[0], tmp_path / "lost", tmp_path / "page.html")
