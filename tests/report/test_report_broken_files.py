"""Results trees with one thing wrong: the page is there, and names the file."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import task_results as tasks
from test_report_page import HOSTILE, Page

from hyenadna import report
from hyenadna.report.inputs.reading import read

BENCHMARKS = {
    "single": {
        "metric": "accuracy",
        "classes": ["a", "b"],
        "counts": {"train": 100, "valid": 10, "test": 50},
        "baselines": {"majority": 0.5, "kmer": 0.8},
        "scratch": (),
        "probe": (0.7,),
        "finetune": (0.84, 0.85),
    },
    "multi": {
        "metric": "auroc",
        "kind": "multi",
        "classes": ["c", "d"],
        "counts": {"train": 100, "valid": 10, "test": 50},
        "baselines": {"majority": 0.5, "kmer": 0.6},
        "scratch": (),
        "probe": (),
        "finetune": (0.7,),
    },
}
NUMBER = re.compile(r"(?<=\t)-?\d+(?:\.\d+)?(?:e-?\d+)?(?=[\t\n])")
JSON_NUMBER = re.compile(r"(?<=: )-?\d+(?:\.\d+)?")
Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def intact(tree, tmp_path_factory) -> Path:
    """A small tree with a file of every kind that a page reads, to be copied."""
    root = tmp_path_factory.mktemp("intact") / "results"
    tree.pretraining(root)
    tree.contexts(root)
    tree.biotypes(root, {"protein_coding": 6, "lncRNA": 4})
    tree.bench(root / "bench/model", tree.timed("model", (1024, 4096)))
    for name, benchmark in BENCHMARKS.items():
        tree.benchmark(root, name, benchmark)
        tasks.write_leaks(root / "baselines" / name, items=50, duplicates=3, overlaps=2)
    for seed in range(2):
        run = root / f"finetune/tiny-demo/single/seed{seed}"
        tasks.set_info(run, protocol="honest")
        tasks.write_confusion(run, ["a", "b"], right=0.8)
        tasks.write_curves(run, ["b"], area=0.9)
        rows = [("test", index, "accuracy", 0.84 + index / 1000) for index in range(60)]
        tasks.write_table(run / "bootstrap.tsv", "split replicate name value", rows)
    tasks.write_targets(root / "finetune/tiny-demo/multi/seed0", {"TF": 3, "DHS": 2}, auroc=0.7)
    prompted = root / "in_context/tiny-demo/single/soft_prompt/seed0"
    tree.run(prompted, [(0, "test", "accuracy", 0.6)], stage="in_context", seed=0)
    tasks.write_prompted(prompted, ("soft_prompt", 2, 2, 900), {"accuracy": 0.6})
    index = {"contigs": {"chr1": [0, 900]}, "counts": {"A": 400, "C": 500}, "sha256": "a7" * 32}
    genome = root / "genomes/demo_human/tokens/index.json"
    genome.parent.mkdir(parents=True)
    genome.write_text(json.dumps(index, indent=2))
    timing = "s\th:m:s\tmax_rss\n12.5\t0:00:12\t300.2\n"
    (root / "benchmarks").mkdir()
    (root / "benchmarks/tokenize.tsv").write_text(timing)
    tasks.write_published(root.parent / "published")
    assert read(root, root.parent / "published").problems == []
    return root.parent


@pytest.fixture
def copied(intact, tmp_path) -> Path:
    return shutil.copytree(intact, tmp_path / "copy") / "results"


def files_of(results: Path) -> list[Path]:
    """Return one file of each kind and stage, the published tables too."""
    found = {}
    for path in sorted(results.parent.rglob("*.*")):
        stage = path.relative_to(results.parent).parts[1]
        if path.is_file():
            found.setdefault((stage, path.name), path)
    return list(found.values())


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def garbage(path: Path) -> None:
    path.write_bytes(np.random.default_rng(len(path.name)).bytes(400))


def of_latin_letters(path: Path) -> None:
    path.write_bytes(b"\xff\xfe" + path.read_bytes())


def of_other_columns(path: Path) -> None:
    path.write_text('{"other": [1]}' if path.suffix == ".json" else "other\tcolumns\n1\t2\n")


def a_list(path: Path) -> None:
    path.write_text("[1, 2]\n")


def nested_deeply(path: Path) -> None:
    path.write_text("[" * 100_000)


def of_one_long_number(path: Path) -> None:
    path.write_text('{"a": ' + "9" * 5000 + "}")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def removed(path: Path) -> None:
    path.unlink()


BROKEN: list[Damage] = [
    emptied, cut, garbage, of_latin_letters, of_other_columns, a_list, nested_deeply,
    of_one_long_number, a_folder, a_link_to_itself, a_pipe, removed,
]  # fmt: skip
OPTIONAL = {
    "leaks.tsv", "confusion.tsv", "curves.tsv", "targets.tsv", "bootstrap.tsv", "index.json",
    "tokenize.tsv", "genomic_benchmarks.tsv", "grids.tsv", "protocols.tsv",
}  # fmt: skip
"""Files that nobody misses: a link to nothing is as good as none."""


def with_numbers(text: str) -> Damage:
    def replaced(path: Path) -> None:
        pattern = JSON_NUMBER if path.suffix == ".json" else NUMBER
        path.write_text(pattern.sub(text, path.read_text()))

    shown = text if len(text) < 10 else f"{len(text)}_digits"
    replaced.__name__ = f"with_{shown}_for_numbers"
    return replaced


WEIRD = [
    with_numbers(of)
    for of in ("NaN", "Infinity", "-Infinity", "0", "-1", "1e308", "9" * 400, "1e99", "9" * 19)
]


AT_ONCE = 7
"""Every so many-th file has such numbers, beside others that are whole."""


def name_of(damage: Damage) -> str:
    return damage.__name__


FEW = (emptied, a_link_to_itself, WEIRD[1])
"""Others take as long again: they are for the slow set."""
ALL = [
    pytest.param(of, id=name_of(of), marks=() if of in FEW else pytest.mark.slow)
    for of in (*BROKEN, *WEIRD)
]


@pytest.mark.parametrize("damage", ALL)
def test_a_file_with_something_wrong_is_named_and_the_others_are_read(damage, copied):
    published = copied.parent / "published"
    whole = len(read(copied, published).runs)
    for path in files_of(copied):
        aside = path.with_name("aside")
        shutil.copy(path, aside)
        damage(path)
        found = read(copied, published)
        assert len(found.runs) >= whole - 1
        if damage in BROKEN and (path.exists() or path.name not in OPTIONAL):
            named = {of.path for of in found.problems}
            relative = Path(os.path.relpath(path, copied))
            assert named & {str(relative), str(relative.parent)}, (path, named)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        aside.rename(path)


def test_a_page_of_nothing_but_broken_files_is_a_page(copied):
    for path in files_of(copied):
        garbage(path)
    page = Page(report.write(copied, copied / "report.html", published=copied.parent / "published"))
    assert "Problems" in page.text
    assert "finetune/tiny-demo/single/seed0/metrics.tsv" in page.text


@pytest.mark.slow
@pytest.mark.parametrize("damage", WEIRD, ids=name_of)
def test_numbers_out_of_this_world_do_not_stop_the_page(damage, copied):
    for path in copied.parent.rglob("*.*"):
        if path.is_file():
            damage(path)
    published = copied.parent / "published"
    Page(report.write(copied, copied / "report.html", published=published))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(AT_ONCE))
def test_a_page_is_there_if_some_files_have_numbers_out_of_this_world(first, copied):
    published = copied.parent / "published"
    for index, path in enumerate(files_of(copied)[first::AT_ONCE]):
        WEIRD[(first + index) % len(WEIRD)](path)
    Page(report.write(copied, copied.parent / "report.html", published=published))


def test_an_empty_folder_gives_a_page_that_says_what_to_do(tmp_path):
    (tmp_path / "results").mkdir()
    page = Page(report.write(tmp_path / "results", tmp_path / "report.html"))
    assert "Not there yet" in page.text


def test_one_benchmark_alone_is_a_page(tmp_path, tree):
    tree.benchmark(tmp_path / "results", "single", BENCHMARKS["single"])
    page = Page(report.write(tmp_path / "results", tmp_path / "report.html"))
    assert "single" in page.text
    assert "Problems" not in page.text


def test_records_of_an_older_version_are_enough(copied):
    kept = ("version", "command", "metric", "classes", "counts")
    for path in copied.rglob("run.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps({key: record[key] for key in kept if key in record}))
    page = Page(report.write(copied, copied / "report.html"))
    assert "0.850" in page.text or "0.845" in page.text


def test_names_that_are_code_stay_text(tmp_path, tree):
    name = HOSTILE.replace("/", "")
    root = tmp_path / "results"
    of = BENCHMARKS["single"] | {"classes": [HOSTILE, "b"], "finetune": (0.8, 0.82)}
    tree.benchmark(root, name, of)
    run = next(root.glob("finetune/*/*/seed0"))
    tasks.write_confusion(run, [HOSTILE, "b"], right=0.8)
    tasks.write_curves(run, [HOSTILE], area=0.9)
    page = Page(report.write(root, root / "report.html"))
    assert page.all("img") == []
    assert not any("onerror" in attributes for _, attributes in page.elements)
