"""Tables and captions as files: what they hold, where they lie, and that text stays text."""

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hyenadna import report
from hyenadna.report.page import exports
from hyenadna.report.tables.cells import Cell, Column, Table

HOSTILE = "<script>alert(1)</script> `x <javascript:alert(1)>`_ .. raw:: html *a* |b| c_ \\d::"
MODEL = "tiny-demo"
TABLE = Table(
    name="scores",
    title="Scores",
    columns=[Column("Benchmark", kind="text"), Column("Score", spread=True)],
    rows=[[Cell("enhancers"), Cell("0.900 ± 0.010", value=0.9000001, sd=0.01, n=3)]],
    sources=("a/metrics.tsv",),
)


class Elements(HTMLParser):
    """Elements and text of a piece of HTML."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.feed(source)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def rows(path: Path) -> list[dict[str, str]]:
    lines = path.read_text().splitlines()
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_table_has_values_in_full_and_their_spread() -> None:
    assert exports.to_tsv(TABLE) == (
        "Benchmark\tScore\tScore sd\tScore n\nenhancers\t0.9000001\t0.01\t3\n"
    )


def test_table_has_the_ends_of_intervals() -> None:
    columns = [Column("Benchmark", kind="text"), Column("Gain", interval=True)]
    row = [Cell("enhancers"), Cell("+0.1", value=0.1, low=0.05, high=0.15)]
    assert exports.to_tsv(replace(TABLE, columns=columns, rows=[row])) == (
        "Benchmark\tGain\tGain low\tGain high\nenhancers\t0.1\t0.05\t0.15\n"
    )


def test_what_a_table_does_not_know_is_empty() -> None:
    assert exports.to_tsv(replace(TABLE, rows=[[Cell("enhancers"), Cell("–")]])).endswith(
        "\nenhancers\t\t\t\n"
    )


def test_name_with_tabs_and_line_breaks_stays_in_its_cell() -> None:
    table = replace(TABLE, rows=[[Cell("a\tb\nc"), Cell("–")]])
    assert exports.to_tsv(table).splitlines()[1:] == ["a b c\t\t\t"]


@pytest.mark.parametrize(
    ("folder", "endings"), [("figures", ("svg", "png", "tsv")), ("tables", ("tsv", "html"))]
)
def test_whatever_is_in_the_index_has_its_files(
    finished: Path, folder: str, endings: tuple[str, ...]
) -> None:
    index = {row["file"] for row in rows(finished / folder / "index.tsv")}
    for ending in (*endings, "rst"):
        files = (finished / folder).glob(f"*/*.{ending}")
        assert index == {
            path.relative_to(finished / folder).as_posix().removesuffix(f".{ending}")
            for path in files
        }
    assert index


def test_title_that_is_there_twice_is_told_apart_by_protocol_or_by_file(tmp_path: Path) -> None:
    strict, published = replace(TABLE, choice="Ours"), replace(TABLE, choice="Paper")
    shown = {"a": strict, "b": published, "c": published, "d": replace(TABLE, title="Other")}
    entries = [exports.Entry(f"answer/{file}", exports.ANSWER, of) for file, of in shown.items()]
    exports.write_index(tmp_path, entries)
    titles = [row["title"] for row in rows(tmp_path / "index.tsv")]
    assert titles == ["Scores (Ours)", "Scores (b)", "Scores (c)", "Other"]


@pytest.mark.parametrize("folder", ["figures", "tables"])
def test_no_two_of_a_group_have_one_title(finished: Path, folder: str) -> None:
    """Snakemake's report would show one of them only."""
    index = rows(finished / folder / "index.tsv")
    places = [(row["category"], row["group"], row["title"]) for row in index]
    assert len(places) == len(set(places))


@pytest.mark.parametrize("folder", ["figures", "tables"])
def test_categories_are_the_headings_of_the_page(finished: Path, folder: str) -> None:
    page = (finished / "report.html").read_text()
    for row in rows(finished / folder / "index.tsv"):
        assert f">{row['category']}</a>" in page


def test_every_figure_has_a_caption(finished: Path) -> None:
    index = rows(finished / "figures" / "index.tsv")
    assert [row["file"] for row in index if not row["caption"]] == []


def test_table_of_a_section_that_is_gone_goes_too(tmp_path: Path) -> None:
    (tmp_path / "tables" / "biotypes").mkdir(parents=True)
    report.write(tmp_path, tmp_path / "report.html")
    assert not (tmp_path / "tables" / "biotypes").exists()


def test_empty_tree_has_tables_of_nothing(tmp_path: Path) -> None:
    report.write(tmp_path, tmp_path / "report.html")
    assert rows(tmp_path / "tables" / "index.tsv") == []


def test_caption_says_what_it_was_made_from(finished: Path) -> None:
    caption = (finished / "figures" / "answer" / "scores.rst").read_text()
    assert f"\n\nMade from scratch/{MODEL}/" in caption.replace("\\", "")
    assert re.search(r", .* and \d+ more\.\n", caption)


def test_words_of_the_section_stand_in_for_a_caption() -> None:
    chapter = exports.Chapter("benchmarks", "Benchmarks", introduction="Each mark is one seed.")
    assert exports.Entry("a", chapter, TABLE).caption == "Each mark is one seed."


def test_hostile_text_is_text_in_a_caption() -> None:
    core = pytest.importorskip("docutils.core")
    table = replace(TABLE, title=HOSTILE, caption=HOSTILE, sources=(HOSTILE,))
    rst = exports.as_rst(exports.Entry("a/scores", exports.ANSWER, table))
    html = Elements(core.publish_parts(rst, writer_name="html")["body"])
    assert html.tags == ["p", "strong", "p"]
    once = " ".join(HOSTILE.split())
    assert html.text == f"{once}. {once} Made from {once}."


def test_hostile_text_is_text_in_a_table() -> None:
    row = [Cell(HOSTILE, note=HOSTILE), Cell("–")]
    table = replace(TABLE, title=HOSTILE, rows=[row], columns=[Column(HOSTILE), TABLE.columns[1]])
    html = Elements(exports.as_page(exports.Entry("a/scores", exports.ANSWER, table), table))
    assert not {"script", "img"} & set(html.tags)
    assert html.text.count("<script>alert(1)</script>") == 5
