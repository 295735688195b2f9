"""Family chromatin_profile: windows by coordinates, many targets each."""

import re

import numpy as np
import pytest
from small_files import write_table

from hyenadna.errors import InputError
from hyenadna.genome import Genome, prepare_fasta
from hyenadna.tasks import Benchmark
from hyenadna.tasks.chromatin_profile import has_validation, load

HEADER = "Chr_No,Start,End,module,y_a,y_b,y_c"


@pytest.fixture
def benchmark(genomes, tmp_path) -> Benchmark:
    rows = ["0,1000,1100,m,0,1,0", "1,2000,2100,m,1,1,0", "0,0,100,m,0,0,0", "1,2900,3000,m,0,0,1"]
    for split in ("train", "val", "test"):
        write_table(tmp_path / f"{split}_hg38_coords_targets.csv.gz", HEADER, *rows)
    return Benchmark(
        name="b",
        family="chromatin_profile",
        data=tmp_path,
        genomes={"": genomes.fasta("rich")},
        metric="auroc",
    )


def test_windows_and_targets_are_those_of_the_table(benchmark, genomes):
    items = load(benchmark, "train")
    assert items.kind == "multi"
    assert items.classes == ("a", "b", "c")
    assert items.labels.tolist() == [[0, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert items.sequences[1] == genomes.sequences["rich"]["chr2"][2000:2100]


@pytest.mark.parametrize("length", [40, 41, 300])
def test_windows_of_another_length_keep_their_centre(benchmark, genomes, length):
    items = load(benchmark.replace(length=length), "train")
    first = 1050 - length // 2
    assert items.sequences[0] == genomes.sequences["rich"]["chr1"][first : first + length]


def test_a_window_past_an_end_is_padded_on_that_side_and_keeps_its_centre(
    benchmark, genomes, caplog
):
    caplog.set_level("INFO")
    items = load(benchmark.replace(length=400), "train")
    chr1, chr2 = genomes.sequences["rich"].values()
    assert items.sequences[2] == "N" * 150 + chr1[:250]
    assert items.sequences[3] == chr2[2750:] + "N" * 140
    assert items.lengths.tolist() == [400] * 4
    assert "2 of 4 windows padded" in caplog.text


def test_no_sequence_is_read_before_it_is_asked_for(benchmark, monkeypatch):
    read = []
    fetch = Genome.fetch
    monkeypatch.setattr(Genome, "fetch", lambda *given: read.append(given[1:4]) or fetch(*given))
    items = load(benchmark, "train")
    assert read == []
    assert items.sequences[1]
    assert read == [("chr2", 2000, 2100)]


def test_validation_is_the_familys_own(benchmark):
    write_table(benchmark.data / "val_hg38_coords_targets.csv.gz", HEADER, "0,5000,5100,m,1,1,1")
    assert load(benchmark, "valid").ids == ["chr1:5000-5100"]


def test_a_set_without_a_validation_table_has_none(benchmark):
    assert has_validation(benchmark)
    (benchmark.data / "val_hg38_coords_targets.csv.gz").unlink()
    assert not has_validation(benchmark)


def test_the_assembly_is_the_one_that_has_every_split(benchmark):
    write_table(benchmark.data / "test_hg19_coords_targets.csv.gz", HEADER, "0,5000,5100,m,1,1,1")
    assert load(benchmark, "test").ids[0] == "chr1:1000-1100"


def test_among_several_assemblies_the_one_that_the_genome_is_called_after_is_read(benchmark):
    for split in ("train", "val", "test"):
        table = benchmark.data / f"{split}_rich_coords_targets.csv"
        table.write_text(f"{HEADER}\n0,5000,5100,m,1,1,1\n")
    assert load(benchmark, "test").ids == ["chr1:5000-5100"]


@pytest.mark.parametrize(
    ("tables", "genome", "complaint"),
    [
        (["train_hg38", "test_hg19"], "rich", "train in hg38; keep the tables of one assembly"),
        (["train_hg38", "train_hg19"], "rich", "train in hg19, hg38; keep the tables of one"),
        (["train_hg19", "test_hg19"], "hg38", "not all of them in hg38, as the genome is called"),
        (["other"], "hg38", "no table is called {train,val,test}_<assembly>_coords"),
    ],
)
def test_an_assembly_that_is_not_sure_is_refused(benchmark, tmp_path, tables, genome, complaint):
    data = tmp_path / "data"
    for name in tables:
        write_table(data / f"{name}_coords_targets.csv.gz", HEADER, "0,5000,5100,m,1,1,1")
    changed = benchmark.replace(data=data, genomes={"": tmp_path / genome / "genome.fa"})
    with pytest.raises(InputError, match=re.escape(complaint)):
        load(changed, "test")


def test_contigs_may_be_named(benchmark, genomes):
    table = benchmark.data / "train_hg38_coords_targets.csv.gz"
    write_table(table, "chrom,Start,End,y_a", "chr2,2000,2100,1", "chr1,10,20,0")
    items = load(benchmark, "train")
    assert items.ids == ["chr2:2000-2100", "chr1:10-20"]
    assert items.sequences[0] == genomes.sequences["rich"]["chr2"][2000:2100]


def test_contigs_that_are_both_named_and_numbered_are_refused(benchmark):
    table = benchmark.data / "train_hg38_coords_targets.csv.gz"
    write_table(table, "chrom,Chr_No,Start,End,y_a", "chr2,1,2000,2100,1")
    with pytest.raises(InputError, match="both columns 'chrom' and 'Chr_No'"):
        load(benchmark, "train")


def test_targets_have_the_groups_of_their_table(benchmark):
    assert load(benchmark, "train").groups is None
    (benchmark.data / "targets.tsv").write_text("target\tgroup\nc\tHM\na\tTF\nb\tTF\n")
    assert load(benchmark, "train").groups == ("TF", "TF", "HM")


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("24,10,20,m,0,0,0", "line 3: Chr_No is 24; 0 (chr1) to 23 (chrY)"),
        ("2,10,20,m,0,0,0", "line 3: chr3 is not in the genome, which has chr1, chr2"),
        ("0,10,20,m,0,2,0", "line 3: y_b is 2; 0 or 1 is allowed"),
        ("0,10,20,m,0,,0", "line 3: y_b is ; 0 or 1 is allowed"),
        ("0,12000,12100,m,0,0,0", "line 3: window chr1:12000-12100 lies off the chromosome"),
        ("0,20,20,m,0,0,0", "line 3: window chr1:20-20 lies off the chromosome"),
        ("0,x,20,m,0,0,0", "line 3: Start is 'x'; an integer is expected"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(benchmark, row, complaint):
    path = benchmark.data / "train_hg38_coords_targets.csv.gz"
    write_table(path, HEADER, "0,1000,1100,m,0,1,0", row)
    with pytest.raises(InputError, match=re.escape(complaint)):
        load(benchmark, "train")


def test_a_table_without_targets_is_refused(benchmark):
    write_table(benchmark.data / "train_hg38_coords_targets.csv.gz", "Chr_No,Start,End", "0,1,2")
    with pytest.raises(InputError, match="no column begins with 'y_'"):
        load(benchmark, "train")


def test_a_word_far_down_is_refused_with_its_line(benchmark):
    rows = [f"0,{start},{start + 9},m,0,1,1" for start in range(1000, 7_000)]
    rows[5_500] = "0,1000,1009,m,0,x,1"
    write_table(benchmark.data / "train_hg38_coords_targets.csv.gz", HEADER, *rows)
    with pytest.raises(InputError, match="line 5502: y_b is x; 0 or 1 is allowed"):
        load(benchmark, "train")


def test_a_long_table_is_read_whole(benchmark):
    rows = [f"0,{start},{start + 9},m,{start % 2},0,1" for start in range(1000, 11_000)] * 3
    write_table(benchmark.data / "train_hg38_coords_targets.csv.gz", HEADER, *rows)
    items = load(benchmark, "train")
    assert items.ids[-1] == "chr1:10999-11008"
    assert items.labels.dtype == np.uint8
    assert items.labels[:, 0].tolist() == [start % 2 for start in range(1000, 11_000)] * 3


def test_public_windows_of_1000_are_read_with_flanks_on_both_sides(shared_data, tmp_path):
    folder = tmp_path / "hg38"
    fasta = prepare_fasta(shared_data / "genome/chr20_chr22.hg38lift.fa.gz", folder / "genome.fa")
    benchmark = Benchmark(
        name="b",
        family="chromatin_profile",
        data=shared_data / "chromatin_profile",
        genomes={"": fasta},
        metric="auroc",
        length=8000,
    )
    items = load(benchmark, "test")
    assert items.labels.shape == (3000, 146)
    assert items.ids[0] == "chr20:51561710-51569710"
    assert items.sequences[0] == Genome(fasta).fetch("chr20", 51_561_710, 51_569_710)
