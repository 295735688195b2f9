"""Costs against length: what is compared, and what is said of what could not be measured."""

import json
import math
import re

import pytest
from drawn_figures import figures_of, said, table_of
from test_report_page import page_of

from hyenadna.report import formats
from hyenadna.report.bench import FORWARD, Comparison, comparisons
from hyenadna.report.figures.bench_figures import by_length
from hyenadna.report.figures.device_figures import by_device
from hyenadna.report.figures.drawing import style
from hyenadna.report.inputs.reading import read
from hyenadna.report.tables import bench_tables

SDPA = "scaled_dot_product_attention"


def only(root, *, of_network: bool = False) -> Comparison:
    found = comparisons(read(root).bench)
    (comparison,) = (of for of in found if of.setting.of_network == of_network)
    return comparison


def rows(table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def section(root) -> str:
    page = page_of(root).source
    return re.search(r'<section aria-labelledby="length">.*?</section>', page, re.DOTALL)[0]


def test_convolution_and_attention_of_one_setting_stand_together(finished):
    comparison = only(finished)
    assert comparison.setting.shape == "batch 1, 64 channels, fp32"
    assert comparison.setting.machine == "AMD EPYC, 2 threads"
    assert comparison.versions == "hyenadna 0.1.0, torch 2.13.0"
    assert comparison.implementations() == [
        ("long_conv", "hyenadna"), ("long_conv", "torch.fft"), ("long_conv", "FlashFFTConv"),
        ("attention", SDPA),
    ]  # fmt: skip


@pytest.mark.parametrize("other", [{"batch": 8}, {"channels": 128}, {"dtype": "bf16"}])
def test_times_of_different_shapes_are_not_compared(tmp_path, tree, other):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    tree.bench(tmp_path / "bench/attention", [row | other for row in tree.timed("attention")])
    found = comparisons(read(tmp_path).bench)
    assert [len(of.runs) for of in found] == [1, 1]
    assert [bench_tables.attention(of) for of in found] == [None, None]


@pytest.mark.parametrize("other", [{"device": "NVIDIA H200"}, {"threads": 1}])
def test_times_of_different_machines_are_not_compared(tmp_path, tree, other):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    tree.bench(tmp_path / "bench/attention", tree.timed("attention"), **other)
    assert [len(of.runs) for of in comparisons(read(tmp_path).bench)] == [1, 1]


def test_an_operation_is_taken_from_the_run_that_is_about_it(tmp_path, tree):
    beside = tree.measurement("long_conv", "hyenadna", "forward", 1024, 77.0)
    tree.bench(tmp_path / "bench/attention", [beside, *tree.timed("attention")])
    assert only(tmp_path).get("long_conv", "hyenadna", FORWARD)[1024].median == 77.0
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    assert only(tmp_path).get("long_conv", "hyenadna", FORWARD)[1024].median < 1


def test_costs_show_time_ratio_share_of_the_bound_and_path(finished):
    table = rows(bench_tables.costs(only(finished)))
    assert table[0] == [
        "1,024", "hyenadna", "real", "1.45 ms", "2.83×", "12.5 %", "4.34 ms", "2.83×", "12.5 %",
    ]  # fmt: skip
    assert table[2] == ["1,024", SDPA, "–", "1.05 ms", "–", "–", "3.15 ms", "–", "–"]
    assert [row[0] for row in table[:9]] == ["1,024"] * 3 + ["4,096"] * 3 + ["16,384"] * 3


def test_quartiles_stand_below_the_median(finished):
    assert bench_tables.costs(only(finished)).rows[0][3].note == "1.30–1.74 ms"


def test_an_alternative_that_never_ran_has_one_row_that_says_why(finished):
    absent = [row for row in rows(bench_tables.costs(only(finished))) if row[1] == "FlashFFTConv"]
    assert absent == [["all", "FlashFFTConv", "–", *["not installed", "–", "–"] * 2]]


def test_a_status_stands_without_numbers_even_where_there_are_some(tmp_path, tree):
    row = tree.timed("long_conv", (1024,))[0]
    reason = "does not run here: lengths beyond 8,192"
    rest = tree.timed("long_conv", (4096,))
    tree.bench(tmp_path / "bench/long_conv", [row | {"status": reason}, *rest])
    (shown,) = (row for row in bench_tables.costs(only(tmp_path)).rows if row[0].text == "1,024")
    assert [cell.text for cell in shown[3:6]] == ["does not run here", "–", "–"]
    assert shown[3].note == "lengths beyond 8,192"


def test_memory_has_a_column_where_it_was_measured(tmp_path, tree):
    measured = [row | {"peak_bytes": 3 * 10**9} for row in tree.timed("long_conv")]
    tree.bench(tmp_path / "bench/long_conv", measured)
    table = bench_tables.costs(only(tmp_path))
    assert table.columns[-1].title == "Memory"
    assert rows(table)[0][-1] == "3.00 GB"


def test_attention_is_compared_at_the_lengths_that_both_have(tmp_path, tree):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv", (1024, 16384)))
    tree.bench(tmp_path / "bench/attention", tree.timed("attention", (16384, 65536)))
    table = bench_tables.attention(only(tmp_path))
    assert rows(table) == [
        ["16,384", "26.6 ms", "268 ms", "10.1×", "79.8 ms", "805 ms", "10.1×"]
    ]  # fmt: skip


def test_attention_is_compared_with_the_convolution_of_its_own_run(tmp_path, tree):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv", (1024,)))
    in_turns = [tree.measurement("long_conv", "hyenadna", "forward", n, 0.1) for n in (1024, 4096)]
    tree.bench(tmp_path / "bench/attention", in_turns + tree.timed("attention", (1024, 4096)))
    table = rows(bench_tables.attention(only(tmp_path)))
    assert [row[:2] for row in table] == [["1,024", "100 ms"], ["4,096", "100 ms"]]
    assert [row[3] for row in table] == ["0.01×", "0.17×"]


def test_attention_that_ran_out_of_memory_has_no_ratio(tmp_path, tree):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    failed = [row | {"status": "out of memory"} for row in tree.timed("attention")]
    tree.bench(tmp_path / "bench/attention", failed)
    for row in rows(bench_tables.attention(only(tmp_path))):
        assert row[2:4] == ["out of memory", "–"]


def test_the_figure_names_each_implementation_with_its_slope(finished):
    svg = (finished / "figures/length/cost-by-length.svg").read_text()
    for name in ("hyenadna (1.05)", "torch.fft (1.10)", f"{SDPA} (2.00)"):
        assert svg.count(f">{name}</text>") == 2  # forward and backward, and forward alone
    assert "FlashFFTConv" not in svg


def test_the_figure_is_told_in_words_with_device_and_versions(finished):
    with style():
        (figure,) = by_length([only(finished)])
    assert (
        f"attention by {SDPA}, forward: 1.05 ms at 1,024, 268 ms at 16,384, slope 2.00"
        in figure.description
    )
    assert "AMD EPYC, 2 threads; hyenadna 0.1.0, torch 2.13.0" in figure.caption
    assert "fitted over 1,024 to 16,384." in figure.caption


def test_a_network_is_compared_with_the_transformer_in_time_and_memory(finished):
    table = bench_tables.costs(only(finished, of_network=True))
    assert table.title == "A training step by length: batch 1, 128 channels, fp32"
    assert rows(table)[0] == ["1,024", "hyenadna", "–", "35.3 ms", "1.11×", "10 MB", "0.50×"]
    assert rows(table)[2] == ["1,024", "Transformer", "SDPA", "39.3 ms", "1.00×", "5 MB", "1.00×"]
    assert [row[0] for row in rows(table)] == ["1,024"] * 3 + ["4,096"] * 3 + ["16,384"] * 3


def test_a_network_whose_transformer_has_no_time_has_no_ratio(tmp_path, tree):
    measured = tree.timed("model", (1024,))
    late = {"median_seconds": "", "peak_bytes": "", "status": "beyond the time limit"}
    late_rows = [row | (late if row["path"] == "SDPA" else {}) for row in measured]
    tree.bench(tmp_path / "bench/model", late_rows)
    table = rows(bench_tables.costs(only(tmp_path, of_network=True)))
    assert table[0][4:] == ["–", "10 MB", "–"]
    assert table[2][3:] == ["beyond the time limit", "–", "–", "–"]


def test_times_of_networks_and_of_operations_have_figures_of_their_own(finished):
    with style():
        found = {of.name: of for of in by_length(comparisons(read(finished).bench))}
    assert set(found) == {"cost-by-length", "training-step-by-length"}
    svg = found["training-step-by-length"].svg
    assert svg.count(">Transformer (1.60)</text>") == 1  # with time, its slope
    assert svg.count(">Transformer</text>") == 1  # with memory
    assert "torch.fft (1.03)" in svg
    assert "SDPA" not in found["cost-by-length"].svg


def test_a_panel_that_spans_less_than_a_power_of_ten_has_ticks_all_the_same(tmp_path, tree):
    tree.bench(tmp_path / "bench/model", tree.timed("model", (1024, 2048)))
    with style():
        (figure,) = by_length(comparisons(read(tmp_path).bench))
    layout = figure.drawing.plot["layout"]
    assert all(len(layout[axis]["tickvals"]) > 1 for axis in ("yaxis", "yaxis2"))


def test_networks_without_memory_have_one_panel(tmp_path, tree):
    measured = [row | {"peak_bytes": ""} for row in tree.timed("model")]
    tree.bench(tmp_path / "bench/model", measured)
    with style():
        (figure,) = by_length(comparisons(read(tmp_path).bench))
    assert "memory" not in figure.svg


def test_one_length_without_slopes_is_drawn(tmp_path, tree):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv", (1000,)), slopes=[])
    with style():
        (figure,) = by_length([only(tmp_path)])
    assert ">hyenadna</text>" in figure.svg
    assert ">1,000</text>" in figure.svg
    assert "slope" not in figure.caption


def test_a_figure_has_another_name_for_each_setting(tmp_path, tree):
    both = tree.timed("long_conv") + [row | {"batch": 8} for row in tree.timed("long_conv")]
    tree.bench(tmp_path / "bench/long_conv", both)
    assert [*figures_of(tmp_path)] == ["cost-by-length", "cost-by-length-2"]


def test_one_shape_measured_on_several_machines_has_a_figure_of_them(tmp_path, tree):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    faster = [row | {"dtype": "bf16"} for row in tree.timed("long_conv", (1024, 65536))]
    tree.bench(tmp_path / "bench/on_gpu", faster, device="NVIDIA H200", threads=None)
    with style():
        (figure,) = by_device(comparisons(read(tmp_path).bench))
    assert figure.title == "The long convolution by device: batch 1, 64 channels"
    assert {row[0] for row in table_of(figure)} == {
        "AMD EPYC, 2 threads, fp32", "NVIDIA H200, bf16",
    }  # fmt: skip
    assert "hyenadna / NVIDIA H200, bf16 / 65,536 nucleotides: 342 ms" in said(figure)
    assert ">NVIDIA H200, bf16: torch.fft</text>" in figure.svg
    assert figure.sources == (
        "bench/long_conv/measurements.tsv", "bench/long_conv/run.json",
        "bench/on_gpu/measurements.tsv", "bench/on_gpu/run.json",
    )  # fmt: skip


@pytest.mark.parametrize("other", [{}, {"channels": 128}, {"status": "not installed"}])
def test_machines_with_nothing_in_common_are_not_compared(tmp_path, tree, other):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    again = [row | other for row in tree.timed("long_conv")]
    device = "NVIDIA H200" if other else "AMD EPYC"
    tree.bench(tmp_path / "bench/again", again, device=device)
    with style():
        assert list(by_device(comparisons(read(tmp_path).bench))) == []


def test_the_published_number_is_beside_the_measurements_and_not_among_them(finished):
    page = (finished / "report.html").read_text()
    assert page.count("160 times") == 1
    assert re.search(r'<p class="remark">As published[^<]*160 times[^<]*arXiv:2306.15794', page)


def test_lengths_sort_as_numbers(finished):
    page = (finished / "report.html").read_text()
    assert '<th scope="row" data-value="16384">16,384</th>' in page


def test_a_tree_without_measurements_says_that_none_were_run(tmp_path):
    text = section(tmp_path)
    assert "<p>Not run: long convolution, attention and a training step.</p>" in text
    assert "<figure" not in text
    assert "160 times" not in text
    assert "snakemake --cores all bench" in (tmp_path / "report.html").read_text()


def test_one_operation_alone_is_shown_and_the_other_is_missed(tmp_path, tree):
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    text = section(tmp_path)
    assert "Not run: attention and a training step." in text
    assert text.count("<table") == len(figures_of(tmp_path)) == 1


def test_slopes_are_there_for_programs(finished):
    page = (finished / "report.html").read_text()
    data = json.loads(re.search(r'id="results">(.*?)</script>', page)[1])
    attention, convolution, _ = data["bench"]
    assert convolution["source"] == "bench/long_conv/measurements.tsv"
    assert convolution["slopes"][0]["slope"] == 1.05
    assert attention["device"] == "AMD EPYC"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"length": "long"}, "line 2: batch, channels or length is no number"),
        ({"median_seconds": ""}, "line 2: neither a time nor a status"),
        ({"median_seconds": "-1"}, "line 2: neither a time nor a status"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_and_the_others_are(tmp_path, tree, change, complaint):
    first, *others = tree.timed("attention")
    tree.bench(tmp_path / "bench/attention", [first | change, *others])
    found = read(tmp_path)
    assert complaint in found.problems[0].what
    assert len(found.bench[0].measurements) == len(others)


def test_an_unfinished_run_is_named(tmp_path, tree):
    (tmp_path / "bench/attention").mkdir(parents=True)
    tree.bench(tmp_path / "bench/long_conv", tree.timed("long_conv"))
    (tmp_path / "bench/long_conv/run.json").unlink()
    problems = {problem.path: problem.what for problem in read(tmp_path).problems}
    assert "no measurements.tsv" in problems["bench/attention"]
    assert "missing" in problems["bench/long_conv/run.json"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (8.451e-4, "845 µs"), (0.01234, "12.3 ms"), (1.2374, "1.24 s"), (1500.0, "1,500 s"),
        (3e-10, "0.300 ns"), (math.nan, "–"),
    ],
)  # fmt: skip
def test_times_have_three_digits_and_a_unit(seconds, shown):
    assert formats.timing(seconds) == shown


def test_a_range_names_its_unit_once_unless_there_are_two():
    assert formats.timings(0.0123, 0.014) == "12.3–14.0 ms"
    assert formats.timings(8.45e-4, 0.0012) == "845 µs – 1.20 ms"


@pytest.mark.parametrize(
    ("factor", "shown"), [(0.854, "0.85×"), (12.34, "12.3×"), (1604.0, "1,604×"), (math.nan, "–")]
)
def test_factors_have_three_digits(factor, shown):
    assert formats.times(factor) == shown
