"""Family genomic_benchmarks: interval tables, one per class, or the sequences themselves."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pysam
import pytest
from small_files import write_genome, write_table

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.genome import reverse_complement
from hyenadna.tasks import Benchmark
from hyenadna.tasks.genomic_benchmarks import has_validation, load
from hyenadna.tasks.leaks import find_leaks

HEADER = "id,region,start,end,strand"


def benchmark_of(data: Path, fasta: Path | None = None) -> Benchmark:
    return Benchmark(
        name="b",
        family="genomic_benchmarks",
        data=data,
        genomes={"": fasta} if fasta else {},
        metric="accuracy",
    )


@pytest.fixture
def data(tmp_path):
    """Classes zebra and apple, one good interval each in train and test."""
    for split in ("train", "test"):
        for name in ("zebra", "apple"):
            write_table(tmp_path / split / f"{name}.csv.gz", HEADER, "0,chr1,10,40,+")
    return tmp_path


def test_sequences_are_those_of_the_class_genome_and_strand(intervals_benchmark, genomes):
    items = load(intervals_benchmark, "train")
    assert items.classes == ("poor", "rich")
    for row in (0, 1, 120, 121):
        name, number = items.ids[row].split("/1000-")
        start = 1_000 + 60 * int(number)
        expected = genomes.sequences[name]["chr1"][start : start + 60]
        if int(number) % 2:
            expected = reverse_complement(expected)
        assert items.sequences[row] == expected
        assert items.classes[items.labels[row]] == name


def test_class_numbers_do_not_depend_on_directory_order(genomes, data, monkeypatch):
    listed = Path.iterdir
    for order in (False, True):
        # As a file system may list them: one way in train, the other in test.
        monkeypatch.setattr(
            Path,
            "iterdir",
            lambda path, order=order: iter(
                sorted(listed(path), reverse=order ^ (path.name == "test"))
            ),
        )
        for split in ("train", "test"):
            items = load(benchmark_of(data, genomes.fasta("rich")), split)
            assert items.classes == ("apple", "zebra")
            assert [items.classes[label] + "/0" for label in items.labels] == items.ids


def test_an_empty_strand_is_the_forward_one(genomes, data):
    write_table(data / "train/apple.csv.gz", HEADER, "0,chr1,10,40,", "1,chr1,10,40,+")
    items = load(benchmark_of(data, genomes.fasta("rich")), "train")
    assert items.sequences[0] == items.sequences[1]


def test_lengths_are_kept_as_they_are(genomes, data):
    write_table(data / "train/apple.csv.gz", HEADER, "0,chr1,10,13,+", "1,chr1,10,4786,+")
    items = load(benchmark_of(data, genomes.fasta("rich")), "train")
    assert items.lengths.tolist() == [3, 4776, 30]
    assert [len(sequence) for sequence in items.sequences] == [3, 4776, 30]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("7,chr9,10,40,+", "line 3: chr9:10-40.*no such region"),
        ("7,chr1,11990,12001,+", "line 3: chr1:11990-12001.*off its region"),
        ("7,chr1,-1,40,+", "line 3: chr1:-1-40.*off its region"),
        ("7,chr1,40,40,+", "line 3: chr1:40-40.*empty"),
        ("7,chr1,10,40,.", r"line 3: chr1:10-40\(.\): strand must be"),
        ("7,chr1,ten,40,+", "line 3: start is 'ten'"),
    ],
)
def test_what_cannot_be_cut_is_refused_with_its_line(genomes, data, row, complaint):
    write_table(data / "test/apple.csv.gz", HEADER, "0,chr1,10,40,+", row)
    with pytest.raises(InputError, match=f"apple.csv.gz, {complaint}"):
        load(benchmark_of(data, genomes.fasta("rich")), "test")


def test_train_and_test_must_have_the_same_classes(genomes, data):
    (data / "test/zebra.csv.gz").rename(data / "test/zebu.csv.gz")
    with pytest.raises(InputError, match="train has classes apple, zebra and test has apple, zebu"):
        load(benchmark_of(data, genomes.fasta("rich")), "train")


def test_a_class_without_a_genome_is_named(genomes, data):
    benchmark = benchmark_of(data, genomes.fasta("rich")).replace(
        genomes={"apple": genomes.fasta("rich")}
    )
    with pytest.raises(InputError, match="no genome for class 'zebra'; column genomes holds apple"):
        load(benchmark, "train")


def test_contigs_may_be_named_by_another_convention(data, tmp_path_factory):
    sequences = {"1": "ACGT" * 20, "MT": "GGCCA" * 20, "ENST00000371014.3": "TTGCA" * 20}
    fasta = write_genome(tmp_path_factory.mktemp("ensembl") / "genome", sequences)
    rows = ["0,chr1,10,40,+", "1,chrMT,5,35,+", "2,ENST00000371014,0,30,-"]
    write_table(data / "train/apple.csv.gz", HEADER, *rows)
    items = load(benchmark_of(data, fasta), "train")
    assert items.regions.contigs[:3].tolist() == list(sequences)
    assert items.sequences[1] == sequences["MT"][5:35]
    assert items.sequences[2] == reverse_complement(sequences["ENST00000371014.3"][:30])


def test_a_name_that_two_contigs_could_have_is_refused(data, tmp_path_factory):
    fasta = write_genome(
        tmp_path_factory.mktemp("both") / "genome", {"1": "ACGT" * 20, "chrM": "A", "MT": "A"}
    )
    write_table(data / "test/apple.csv.gz", HEADER, "0,chrMT,0,1,+")
    with pytest.raises(InputError, match=r"apple.csv.gz: 'chrMT' may be 'MT' or 'chrM'"):
        load(benchmark_of(data, fasta), "test")


@pytest.fixture
def texts(tmp_path):
    """The cache of the published loader: a file per sequence."""
    for split in ("train", "test"):
        for name, sequences in (("zebra", ["ACGTAC", "ggt"]), ("apple", ["TTTT\n"])):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for number, sequence in enumerate(sequences):
                (folder / f"{number}.txt").write_text(sequence)
    return tmp_path


def test_a_file_per_sequence_is_read(texts):
    items = load(benchmark_of(texts), "test")
    assert items.classes == ("apple", "zebra")
    assert items.ids == ["apple/0", "zebra/0", "zebra/1"]
    assert list(items.sequences) == ["TTTT", "ACGTAC", "GGT"]
    assert items.labels.tolist() == [0, 1, 1]
    assert items.lengths.tolist() == [4, 6, 3]


def test_a_file_without_nucleotides_is_named(texts):
    (texts / "test/zebra/1.txt").write_text("not DNA")
    with pytest.raises(InputError, match=r"test/zebra/1\.txt: 'not DNA' is not a sequence"):
        load(benchmark_of(texts), "test")


def test_a_class_without_files_is_named(texts):
    (texts / "test/apple/0.txt").unlink()
    with pytest.raises(InputError, match=r"test/apple: no \.txt file"):
        load(benchmark_of(texts), "test")


def test_train_in_two_forms_is_refused(texts):
    write_table(texts / "train.csv.gz", "sequence,label", "ACGT,0", "ACGT,1")
    with pytest.raises(InputError, match="train is there in two forms; keep one"):
        load(benchmark_of(texts), "train")


def test_a_table_of_sequences_is_read(tmp_path):
    header = "sequence,label,label_name,id"
    write_table(tmp_path / "train.csv.gz", header, "ACGT,1,zebra,7", "ccg,0,apple,7")
    write_table(tmp_path / "test.csv.gz", header, "TTTTT,1,zebra,3")
    items = load(benchmark_of(tmp_path), "train")
    assert items.classes == ("apple", "zebra")
    assert items.ids == ["zebra/7", "apple/7"]
    assert list(items.sequences) == ["ACGT", "CCG"]
    test = load(benchmark_of(tmp_path), "test")
    assert (test.classes, test.labels.tolist(), test.lengths.tolist()) == (items.classes, [1], [5])
    assert test.regions is None


def test_a_table_with_numbered_labels_alone_is_read(tmp_path):
    rows = [f"ACGT,{label}" for label in (10, 2, 0)]
    for split in ("train", "test"):
        write_table(tmp_path / f"{split}.csv.gz", "sequence,label", *rows)
    items = load(benchmark_of(tmp_path), "test")
    assert (items.classes, items.labels.tolist()) == (("0", "2", "10"), [2, 1, 0])


@pytest.mark.parametrize(
    ("header", "row", "complaint"),
    [
        ("sequence,kind", "ACGT,a", "no column 'label'"),
        ("sequence,label", "AC-T,a", "line 2: 'AC-T' is not a sequence"),
        ("sequence,label", "ACGT,", "line 2: the label is empty"),
        ("sequence,label,region,start,end", "ACGT,a,chr1,3,x", "line 2: end is 'x'"),
    ],
)
def test_a_malformed_table_of_sequences_is_refused(tmp_path, header, row, complaint):
    more = row.replace(",a", ",b") if ",a" in row else "ACGT,b"
    for split in ("train", "test"):
        write_table(tmp_path / f"{split}.csv.gz", header, row, more)
    with pytest.raises(InputError, match=f"train.csv.gz.*{complaint}"):
        load(benchmark_of(tmp_path), "train")


def test_a_table_with_places_keeps_them(tmp_path):
    header = "sequence,label,region,start,end"
    write_table(tmp_path / "train.csv.gz", header, "ACGT,a,chr1,10,14", "GGCCC,b,chr2,0,5")
    write_table(tmp_path / "test.csv.gz", header, "TTTT,a,chr1,13,17", "AACCC,b,chr1,0,5")
    train, test = (load(benchmark_of(tmp_path), split) for split in ("train", "test"))
    assert find_leaks(train, test).overlaps.tolist() == [True, False]
    turned = test.take(np.array([1, 0]))
    assert list(turned.sequences) == ["AACCC", "TTTT"]
    assert find_leaks(train, turned).overlaps.tolist() == [False, True]


def test_a_validation_split_is_read_where_there_is_one(genomes, data):
    benchmark = benchmark_of(data, genomes.fasta("rich"))
    assert not has_validation(benchmark)
    for name in ("zebra", "apple"):
        write_table(data / f"valid/{name}.csv.gz", HEADER, "5,chr1,100,140,+")
    assert has_validation(benchmark)
    assert load(benchmark, "valid").ids == ["apple/5", "zebra/5"]


HUMAN_SETS = {
    "demo_coding_vs_intergenomic_seqs": ["intergenomic_seqs"],
    "demo_human_or_worm": ["human"],
    "human_enhancers_cohn": ["negative", "positive"],
    "human_enhancers_ensembl": ["negative", "positive"],
    "human_ensembl_regulatory": ["enhancer", "ocr", "promoter"],
    "human_nontata_promoters": ["negative", "positive"],
    "human_ocr_ensembl": ["negative", "positive"],
}
"""Published sets, and their classes that are cut from the human genome."""


@pytest.fixture(scope="module")
def ensembl_human(shared_data, tmp_path_factory) -> Path:
    """Chromosomes 20 and 22 under their names at Ensembl."""
    fasta = tmp_path_factory.mktemp("human") / "genome.fa"
    with gzip.open(shared_data / "genome/chr20_chr22.hg38lift.fa.gz", "rb") as file:
        fasta.write_bytes(file.read().replace(b">chr", b">"))
    pysam.faidx(str(fasta))
    return fasta


def cut(shared_data: Path, name: str, genome: Path, out: Path) -> dict[str, LabelledSet]:
    """Load the rows of a published set that lie on chromosomes 20 and 22."""
    for split in ("train", "test"):
        for label in HUMAN_SETS[name]:
            source = shared_data / f"genomic_benchmarks/intervals/{name}/{split}/{label}.csv.gz"
            table = pd.read_csv(source, dtype=str, keep_default_na=False)
            rows = table[table["region"].isin(["chr20", "chr22"])][HEADER.split(",")]
            (out / split).mkdir(parents=True, exist_ok=True)
            rows.to_csv(out / split / f"{label}.csv.gz", index=False)
        if len(HUMAN_SETS[name]) == 1:
            # The class whose genome is not at hand: any second one will do.
            write_table(out / split / "other.csv.gz", HEADER, "0,chr20,60000,60010,+")
    return {split: load(benchmark_of(out, genome), split) for split in ("train", "test")}


@pytest.mark.parametrize("name", HUMAN_SETS)
def test_published_intervals_give_the_published_sequences(
    shared_data, ensembl_human, tmp_path, name
):
    for split, items in cut(shared_data, name, ensembl_human, tmp_path).items():
        folder = shared_data / "genomic_benchmarks/sequences" / name
        table = pd.read_csv(folder / f"{split}.csv.gz", dtype=str)
        table = table[table["label_name"].isin(HUMAN_SETS[name])]
        keys = table["label_name"] + "/" + table["id"]
        expected = dict(
            zip(keys, zip(table["label_name"], table["sequence"], strict=True), strict=True)
        )
        found = {
            key: (items.classes[label], items.sequences[row])
            for row, (key, label) in enumerate(zip(items.ids, items.labels, strict=True))
        }
        # What holds an N is not in the published excerpt of the set.
        whole = {
            key: item for key, item in found.items() if "N" not in item[1] and item[0] != "other"
        }
        assert len(expected) == len(table) > 50
        assert whole == expected


@pytest.mark.parametrize("name", [*HUMAN_SETS, "drosophila_enhancers_stark"])
def test_published_sequences_are_read_as_they_are(shared_data, name):
    folder = shared_data / "genomic_benchmarks/sequences" / name
    for split in ("train", "test"):
        items = load(benchmark_of(folder), split)
        table = pd.read_csv(folder / f"{split}.csv.gz")
        assert list(items.sequences) == table["sequence"].tolist()
        assert items.labels.tolist() == table["label"].tolist()
        assert [items.classes[label] for label in items.labels] == table["label_name"].tolist()
        assert items.regions.starts.tolist() == table["start"].tolist()
