"""The page as a reader and a browser get it."""

import base64
import hashlib
import itertools
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from hyenadna import report
from hyenadna.errors import InputError
from hyenadna.report.inputs.reading import read
from hyenadna.report.page import contents as pages

VOID = {"meta", "link", "br", "wbr", "img", "input", "hr"}
HOSTILE = "<script>alert(1)<script><img src=x onerror=alert(2)>\"'&%20#?"
SCRIPTS = {"application/ld+json", "application/json", "text/plain", None}
"""Types of the scripts of a page, of which a browser runs those without one."""


class Page(HTMLParser):
    """Elements and text of an HTML document; it must close what it opens."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(self.source)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data
        if not {"script", "style"} & set(self._open):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def files(self) -> list[str]:
        """Links to other files."""
        links = (of["href"] or "" for of in self.all("a"))
        return [link for link in links if not link.startswith(("#", "data:"))]

    def row(self, name: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == name)

    @property
    def data(self):
        return json.loads(re.search(r'id="results">(.*?)</script>', self.source)[1])


def page_of(root: Path) -> Page:
    """The page without its figures, which take their time to draw."""
    out = root / "report.html"
    out.write_text(pages.render(read(root), {}, out=out), encoding="utf-8")
    return Page(out)


@pytest.fixture(scope="module")
def page(finished) -> Page:
    return Page(finished / "report.html")


def test_the_page_needs_nothing_from_elsewhere(page):
    links = [value for _, of in page.elements for key, value in of.items() if key == "src"]
    links += [of["href"] for tag, of in page.elements if tag == "link"]
    assert all(link.startswith("data:") for link in links)
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page.source)
    assert {url[:1] for url in re.findall(r"url\(([^)]*)\)", page.source)} <= {"#"}
    assert "@import" not in page.source


def test_the_page_allows_itself_its_own_scripts_by_their_hashes(page):
    policy = page.all("meta")[1]["content"]
    scripts = re.findall(r"<script>(.*?)</script>", page.source, re.DOTALL)
    digests = {base64.b64encode(hashlib.sha256(of.encode()).digest()).decode() for of in scripts}
    assert policy.startswith("default-src 'none'; ")
    allowed = re.search(r"script-src ([^;]*);", policy)[1].split()
    assert {f"'sha256-{digest}'" for digest in digests} <= set(allowed)
    assert all(source.startswith("'sha256-") for source in allowed)


def test_the_page_opens_with_the_answer(page):
    before_sections = page.text[: page.text.index("Test scores at a glance")]
    assert "HyenaDNA tiny-demo, pretrained on demo_human" in before_sections
    assert "On 3 of 5 benchmarks" in before_sections
    assert "Problems" not in page.text
    assert "Not there yet" not in page.text


def test_scores_are_shown_with_spread_and_number_of_seeds(page):
    assert page.row("demo_promoters") == [
        "demo_promoters", "accuracy", "0.844 ± 0.007n = 3", "0.812k-mer counts",
        "+0.032+0.015 to +0.048", "0.803 ± 0.011n = 3", "0.775 ± 0.004n = 3",
    ]  # fmt: skip


def test_the_best_is_marked_in_words_and_not_by_colour_alone(page):
    row = re.search(
        r'<tr><th scope="row"[^>]*>[^\n]*demo_<wbr>promoters.*?</tr>', page.source, re.DOTALL
    )[0]
    assert re.findall(r'<strong class="best">([^<]*)', row) == ["0.844 ± 0.007"]
    assert "Bold and underlined: best of its row." in page.text


def test_perplexity_stands_beside_every_markov_order(page):
    assert page.row("tiny-demo, seed 0")[1] == "3.787"
    assert [page.row(f"Markov chain, order {order}")[1] for order in range(7)] == [
        "3.953", "3.861", "3.842", "3.832", "3.813", "3.800", "3.832",
    ]  # fmt: skip


def test_every_table_has_a_caption_and_rows_as_wide_as_its_head(page):
    for table in re.findall(r"<table.*?</table>", page.source, re.DOTALL):
        assert table.count("<caption>") == 1
        columns = table.count('scope="col"')
        rows = re.findall(r"<tr>.*?</tr>", table, re.DOTALL)[1:]
        assert {row.count('scope="row"') for row in rows} == {1}
        assert {row.count("<td") + 1 for row in rows} == {columns}


def test_every_drawing_has_words_for_those_who_cannot_see_it(page):
    drawings = [of for _, of in page.elements if of.get("role") == "img"]
    assert len(drawings) == len(page.all("figure")) > 13
    assert all(len(of["aria-label"]) > 40 for of in drawings)


def test_headings_follow_each_other(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[:2] == [1, 2]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))


def test_identifiers_are_unique_and_links_within_the_page_lead_somewhere(page):
    identifiers = Counter(of["id"] for _, of in page.elements if "id" in of)
    assert set(identifiers.values()) == {1}
    targets = {
        of[key][1:] for _, of in page.elements for key in ("href", "xlink:href")
        if (of.get(key) or "").startswith("#")
    }  # fmt: skip
    targets |= set(re.findall(r"url\(#([^)]*)\)", page.source))
    assert targets <= identifiers.keys()


def test_every_figure_and_table_names_the_files_that_it_comes_from(page, finished):
    assert page.source.count('class="sources"') == len(page.all("figure")) + len(page.all("table"))
    files = [unquote(link) for link in page.files]
    assert len(files) > 100
    assert all((finished / file).exists() for file in files)


def test_links_to_sources_hold_wherever_the_page_is(results, tmp_path):
    out = tmp_path / "elsewhere/deep/page.html"
    out.parent.mkdir(parents=True)
    out.write_text(pages.render(read(results), {}, out=out), encoding="utf-8")
    assert len(Page(out).files) > 20
    assert all((out.parent / unquote(file)).exists() for file in Page(out).files)


def test_numbers_are_there_for_programs(page):
    (pretraining,) = page.data["pretraining"]
    promoters = next(of for of in page.data["benchmarks"] if of["benchmark"] == "demo_promoters")
    assert pretraining["valid"]["markov5"] == pytest.approx(2**1.926)
    assert promoters["finetune"]["values"] == [0.842, 0.851, 0.838]
    assert promoters["finetune"]["mean"] == pytest.approx(0.84367, abs=1e-5)
    assert promoters["baselines"]["kmer"] == 0.812
    assert "finetune/tiny-demo/demo_promoters/seed0/metrics.tsv" in promoters["sources"]


def test_versions_commands_and_checksums_are_shown(page):
    for shown in ("2.13.0", "hyenadna pretrain --model config/models/tiny-demo.yaml", "5f" * 32):
        assert shown in page.text


def test_the_same_results_give_the_same_bytes(finished, tree, tmp_path):
    again = tree.whole(tmp_path / "again")
    report.write(again, again / "report.html")
    made = [of for name in ("figures", "tables") for of in (again / name).rglob("*.*")]
    for path in [again / "report.html", *made]:
        assert path.read_bytes() == (finished / path.relative_to(again)).read_bytes()


def test_problems_are_named_and_not_fatal(results):
    (results / "finetune/tiny-demo/demo_promoters/seed1/metrics.tsv").write_text("step\tspl")
    (results / "pretrain/tiny-demo/demo_human/seed0/run.json").write_text("{")
    page = page_of(results)
    assert "finetune/tiny-demo/demo_promoters/seed1/metrics.tsv no usable header" in page.text
    assert "pretrain/tiny-demo/demo_human/seed0/run.json not JSON" in page.text
    assert page.row("demo_promoters")[2] == "0.840 ± 0.003n = 2 of 3"
    assert {problem["path"] for problem in page.data["problems"]} > {
        "pretrain/tiny-demo/demo_human/seed0/run.json"
    }


def test_values_that_are_no_numbers_are_shown_as_dashes(tmp_path, tree):
    tree.pretraining(tmp_path)
    metrics = tmp_path / "pretrain/tiny-demo/demo_human/seed0/metrics.tsv"
    metrics.write_text(re.sub(r"\t[0-9.e-]+\n", "\tnan\n", metrics.read_text()))
    benchmark = {**tree.benchmarks["demo_promoters"], "finetune": (float("nan"),) * 3}
    tree.benchmark(tmp_path, "demo_promoters", benchmark)
    page = page_of(tmp_path)
    assert page.row("demo_promoters")[2:4] == ["–n = 0 of 3", "0.812k-mer counts"]
    assert page.row("tiny-demo, seed 0")[1:] == ["–"] * 7
    assert page.data["pretraining"][0]["valid"]["perplexity"] is None


def test_an_empty_tree_gives_a_page_that_says_how_to_fill_it(tmp_path):
    page = page_of(tmp_path)
    assert "HyenaDNA: no results yet" in page.text
    assert "make demo" in page.text
    assert "snakemake --cores all pretrain_all" in page.text
    assert page.all("figure") == page.all("table") == []


def test_one_benchmark_alone_gives_its_section(tmp_path, tree):
    tree.benchmark(tmp_path, "demo_chromatin", tree.benchmarks["demo_chromatin"])
    page = page_of(tmp_path)
    assert [of.get("id") for of in page.all("h2")] == [
        "missing", "other", "length", "provenance", "tasks", "reading",
    ]  # fmt: skip


def test_models_share_a_table_with_a_column_for_the_model(tmp_path, tree):
    for model in ("one", "two"):
        tree.run(tmp_path / f"finetune/{model}/b/seed0", [(1, "test", "mcc", 0.4)], metric="mcc")
    assert page_of(tmp_path).row("b")[:3] == ["b", "one", "mcc"]


def test_hostile_names_do_not_run(tmp_path, tree):
    benchmark = {**tree.benchmarks["demo_promoters"], "classes": [HOSTILE]}
    tree.benchmark(tmp_path, HOSTILE, benchmark)
    tree.biotypes(tmp_path, {HOSTILE: 9, "</script></svg></style>": 5, "$\\frac{$": 4})
    tree.run(
        tmp_path / "probe/m/b/seed0", [(0, "test", "x</script>" + HOSTILE, 0.5)],
        command=HOSTILE, metric="x</script>" + HOSTILE, version=HOSTILE, started=HOSTILE,
        packages={HOSTILE: HOSTILE}, parameters={HOSTILE: HOSTILE}, device=HOSTILE,
        data=[{"path": HOSTILE, "sha256": HOSTILE}],
    )  # fmt: skip
    hostile = {"implementation": HOSTILE, "path": HOSTILE, "dtype": HOSTILE, "operation": HOSTILE}
    measured = [row | hostile for row in tree.timed("attention")]
    measured[0] |= {"status": HOSTILE, "implementation": "other"}
    tree.bench(tmp_path / "bench" / HOSTILE.replace("/", ""), measured, device=HOSTILE)
    page = Page(report.write(tmp_path, tmp_path / "report.html"))
    assert {of.get("type") for of in page.all("script")} == SCRIPTS
    assert page.all("img") == []
    assert not [key for _, of in page.elements for key in of if key.startswith("on")]
    assert HOSTILE in page.text
    files = [unquote(link) for link in page.files]
    assert all((tmp_path / file).is_file() for file in files)
    assert HOSTILE in {of["benchmark"] for of in page.data["benchmarks"]}


def test_a_directory_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(InputError, match="results: no such directory"):
        report.write(tmp_path / "results", tmp_path / "report.html")


def test_the_report_knows_nothing_of_torch(tmp_path, tree):
    tree.run(tmp_path / "finetune/m/b/seed0", [(1, "test", "mcc", 0.4)], metric="mcc")
    code = (
        "import sys; from pathlib import Path; from hyenadna import report;"
        f"report.write(Path({str(tmp_path)!r}), Path({str(tmp_path / 'page.html')!r}));"
        "sys.exit(any(name in sys.modules for name in ('torch', 'matplotlib.pyplot')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_way_of_training_that_nobody_wanted_is_neither_shown_nor_missing(tmp_path, tree):
    tree.run(tmp_path / "finetune/m/b/seed0", [(1, "test", "mcc", 0.4)], metric="mcc")
    tree.run(tmp_path / "scratch/m/b/seed0", [(1, "test", "mcc", 0.3)], metric="mcc")
    page = page_of(tmp_path)
    assert page.row("Benchmark") == [
        "Benchmark", "Metric", "Fine‑tuned", "Best baseline", "From scratch",
    ]  # fmt: skip
    assert "frozen probe is missing" not in page.text


def test_a_long_figure_does_not_push_the_answer_down(tmp_path, tree):
    for benchmark in range(13):
        tree.run(tmp_path / f"probe/m/b{benchmark}/seed0", [(1, "test", "mcc", 0.4)], metric="mcc")
    page = Page(report.write(tmp_path, tmp_path / "report.html"))
    assert page.text.index("Time in runs") < page.text.index("Test scores at a glance")


def test_every_figure_that_is_drawn_is_on_the_page(finished, page):
    drawn = [path.name.removesuffix(".svg") for path in (finished / "figures").rglob("*.svg")]
    assert sorted(f"figure-{name}" for name in drawn) == sorted(
        of["id"] for of in page.all("figure")
    )


def test_of_many_scores_the_page_opens_with_their_families(tmp_path, tree):
    for benchmark in range(13):
        for seed, score in enumerate((0.4, 0.42)):
            directory = tmp_path / f"finetune/m/b{benchmark}/seed{seed}"
            tree.run(directory, [(1, "test", "mcc", score)], metric="mcc")
        rows = [(0, "test", "kmer.mcc", 0.5 if benchmark else 0.1)]
        tree.run(tmp_path / f"baselines/b{benchmark}", rows, metric="mcc")
    assert page_of(tmp_path).row("Other benchmarks") == [
        "Other benchmarks", "m", "13", "1 of 131 up, 0 down", "−0.059", "–", "–",
        "–", "–",
    ]  # fmt: skip
