"""The table of benchmarks, read one row at a time."""

import re
from pathlib import Path

import pytest

from hyenadna.errors import InputError
from hyenadna.tasks import read_benchmark

HEADER = "benchmark\tfamily\tdata\tgenomes\tmetric\tlength\tdescription"


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows, ""]))
    return path


def test_a_row_becomes_a_benchmark(tmp_path):
    table = write(tmp_path / "b.tsv", "b\tspecies\t\thuman=hg38,worm = ce11\taccuracy\t512\tWhich")
    benchmark = read_benchmark("b", table, Path("genomes"))
    assert benchmark.genomes == {
        "human": Path("genomes/hg38/genome.fa"),
        "worm": Path("genomes/ce11/genome.fa"),
    }
    assert (benchmark.data, benchmark.length, benchmark.description) == (None, 512, "Which")


def test_one_genome_serves_every_class(tmp_path):
    table = write(tmp_path / "b.tsv", "b\tgenomic_benchmarks\td\thg38\tmcc")
    benchmark = read_benchmark("b", table, Path("g"))
    assert benchmark.genome_of("any") == benchmark.genome_of("") == Path("g/hg38/genome.fa")


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path):
    table = write(tmp_path / "b.tsv", "promoters\tspecies\t\ta=b,c=d\tmcc")
    with pytest.raises(InputError, match="no benchmark 'promotors'; did you mean 'promoters'"):
        read_benchmark("promotors", table, tmp_path)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("b\tspeces\t\ta=b,c=d\tmcc", "family: Input should be 'genomic_benchmarks'"),
        ("b\tspecies\t\ta=b,c=d\tmse", "metric: Input should be 'accuracy'"),
        ("b\tspecies\t\ta=b,c\tmcc", "genomes is 'a=b,c'; one genome or class=genome"),
        ("b\tspecies\t\ta=b,a=c\tmcc", "genomes is 'a=b,a=c'"),
        ("b\tspecies\t\t=b\tmcc", "genomes is '=b'"),
        ("b\tspecies\t\ta=\tmcc", "genomes is 'a='"),
        ("b\tspecies\t\ta=b,c=d\tmcc\t0", "length: a window has at least 1"),
        ("b\tspecies\t\ta=b\tmcc\t\tx\ty", "line 2: more fields than columns"),
    ],
)
def test_a_malformed_row_is_refused(tmp_path, row, complaint):
    table = write(tmp_path / "b.tsv", row)
    with pytest.raises(InputError, match=re.escape(complaint)):
        read_benchmark("b", table, tmp_path)


def test_a_row_that_is_there_twice_is_refused(tmp_path):
    row = "b\tspecies\t\ta=b,c=d\tmcc"
    with pytest.raises(InputError, match="line 3: 'b' is there twice"):
        read_benchmark("b", write(tmp_path / "b.tsv", row, row), tmp_path)


@pytest.mark.parametrize("column", ["benchmark", "genomes", "metric"])
def test_a_missing_column_is_named(tmp_path, column):
    table = write(tmp_path / "b.tsv", header=HEADER.replace(column, "x"))
    with pytest.raises(InputError, match=f"no column '{column}'"):
        read_benchmark("b", table, tmp_path)


def test_an_unknown_column_is_refused(tmp_path):
    table = write(
        tmp_path / "b.tsv", "b\tspecies\t\ta=b,c=d\tmcc\t\t\t7", header=HEADER + "\tlenght"
    )
    with pytest.raises(
        InputError, match="unknown key 'lenght' for Benchmark; did you mean 'length'"
    ):
        read_benchmark("b", table, tmp_path)


def test_every_row_of_the_projects_table_can_be_read():
    table = Path(__file__).parents[2] / "config" / "benchmarks.tsv"
    names = [line.split("\t")[0] for line in table.read_text().splitlines()[1:]]
    assert [read_benchmark(name, table, Path("g")).name for name in names] == names
