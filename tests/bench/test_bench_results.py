"""The files and lines that a bench writes."""

import csv
from dataclasses import replace

import pytest

from hyenadna.bench.results import Row, does_not_run, slopes, write_measurements
from hyenadna.files import read_json

ROW = Row("long_conv", "hyenadna", "real", "forward", "fp32", 1, 128, 1024)
MEASURED = replace(ROW, repeats=3, median_seconds=0.25, low_seconds=0.2, high_seconds=0.3)
# What the report reads.
COLUMNS = (
    "operation implementation path direction dtype batch channels length repeats median_seconds "
    "low_seconds high_seconds peak_bytes minimal_bytes copy_bytes_per_second fraction_of_bound "
    "ratio_to_plain status"
)


def growing(exponent, lengths):
    return [replace(MEASURED, length=n, median_seconds=1e-9 * n**exponent) for n in lengths]


def test_the_slope_is_the_exponent_of_time():
    (slope,) = slopes(growing(1.5, [1 << 14, 1 << 15, 1 << 18]))
    assert slope.slope == pytest.approx(1.5)
    assert (slope.low_length, slope.high_length) == (1 << 14, 1 << 18)


def test_short_lengths_do_not_bear_on_the_slope_where_there_are_three_long_ones():
    rows = growing(0, [1024, 2048]) + growing(2, [1 << 14, 1 << 15, 1 << 16])
    assert slopes(rows)[0].slope == pytest.approx(2)


def test_all_lengths_bear_on_the_slope_where_there_are_two_long_ones():
    (slope,) = slopes(growing(1, [1024, 1 << 14, 1 << 15]))
    assert slope.low_length == 1024


def test_each_implementation_and_setting_has_its_slope():
    rows = growing(1, [8, 16]) + [replace(row, channels=256) for row in growing(2, [8, 16])]
    assert [round(slope.slope) for slope in slopes(rows)] == [1, 2]


def test_rows_without_a_number_or_with_one_length_have_no_slope():
    assert slopes([replace(ROW, length=n, status="out of memory") for n in (8, 16)]) == []
    assert slopes([MEASURED, MEASURED]) == []


def test_the_table_has_the_columns_that_the_report_reads(tmp_path):
    write_measurements([MEASURED, replace(ROW, status="not installed")], tmp_path)
    with (tmp_path / "measurements.tsv").open() as file:
        first, second = csv.DictReader(file, delimiter="\t")
    assert list(first) == COLUMNS.split()
    assert (first["median_seconds"], first["status"]) == ("0.25", "")
    assert (second["median_seconds"], second["status"]) == ("", "not installed")


def test_a_line_tells_median_spread_rate_and_ratio():
    row = replace(
        MEASURED,
        minimal_bytes=10**9,
        fraction_of_bound=0.5,
        ratio_to_plain=2.5,
        peak_bytes=3 << 20,
    )
    line = row.line()
    for part in ("250 ms (200 to 300", "4.00 GB/s", "50.0% of bound", "2.50 x plain", "3 MiB"):
        assert part in line


def test_a_line_without_a_number_tells_why():
    line = replace(ROW, status="out of memory").line()
    assert "out of memory" in line
    assert "ms" not in line


def test_a_reason_is_short_and_in_one_line():
    reason = does_not_run("a\n\tb " + "c" * 500)
    assert reason.startswith("does not run here: a b ccc")
    assert len(reason) < 150


def test_a_run_says_what_ran_where(options, said, tmp_path):
    from hyenadna.bench.long_conv import bench

    bench(replace(options, out=tmp_path, command=("hyenadna", "bench")), said.append)
    run = read_json(tmp_path / "run.json")
    keys = "version commit command device device_kind threads torch triton cuda date seconds"
    assert set(run) == {*keys.split(), "copy_bytes_per_second", "slopes"}
    assert (run["device_kind"], run["command"]) == ("cpu", ["hyenadna", "bench"])
    assert {slope["implementation"] for slope in run["slopes"]} == {"torch.fft", "hyenadna"}
