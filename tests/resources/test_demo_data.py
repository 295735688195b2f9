"""The embedded data is what it says, read without the package, whose faults could hide its own."""

import gzip
import hashlib
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

DEMO = Path(__file__).parents[2] / "resources" / "demo"
SHARED = Path(__file__).parents[2] / "../shared/data"
GENOMES = ("human", "human_chr22", "chimp", "gorilla", "orangutan", "worm", "fly")
PRIMATES = {
    "human_chr22": "human",
    "chimp": "chimp",
    "gorilla": "gorilla",
    "orangutan": "orangutan",
}
# Set, class, genome that its windows are cut from.
REGION_SETS = (
    ("coding_vs_intergenic", "coding", "human"),
    ("coding_vs_intergenic", "intergenic", "human"),
    ("human_or_worm", "human", "human"),
    ("human_or_worm", "worm", "worm"),
)
CHROMATIN = {"train": "train", "valid": "val", "test": "test"}
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not here")


def read_records(path: Path) -> list[tuple[str, str]]:
    records = gzip.decompress(path.read_bytes()).decode("ascii").split(">")[1:]
    pairs = (record.split("\n", 1) for record in records)
    return [(name, sequence.replace("\n", "")) for name, sequence in pairs]


def genome(name: str) -> dict[str, str]:
    return dict(read_records(DEMO / "genomes" / f"{name}.fa.gz"))


def intervals(name: str) -> pd.DataFrame:
    path = DEMO / "genomes" / f"{name}.intervals.bed"
    return pd.read_csv(path, sep="\t", names=["contig", "start", "end", "split"])


def regions(benchmark: str, split: str, label: str) -> pd.DataFrame:
    return pd.read_csv(DEMO / "benchmarks" / benchmark / split / f"{label}.csv.gz")


def promoters(split: str) -> pd.DataFrame:
    return pd.read_csv(DEMO / "benchmarks" / "promoters" / f"{split}.csv.gz")


def chromatin(split: str) -> pd.DataFrame:
    name = f"{CHROMATIN[split]}_hg38_coords_targets.csv.gz"
    return pd.read_csv(DEMO / "benchmarks" / "chromatin" / name)


def read_gtf(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", comment="#", header=None, usecols=[0, 3, 4, 6, 8])
    table.columns = pd.Index(["contig", "start", "end", "strand", "attributes"])
    table["start"] -= 1
    for field in ("gene_id", "gene_name", "gene_type"):
        table[field] = table["attributes"].str.extract(f'{field} "([^"]+)"')
    return table


def genes() -> pd.DataFrame:
    return read_gtf(DEMO / "genes.gtf.gz")


def reverse_complement(sequence: str) -> str:
    return sequence.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def both_strands(sequences: pd.Series) -> set[str]:
    return {*sequences, *map(reverse_complement, sequences)}


def translate(sequence: str) -> str:
    codons = ["".join(letters) for letters in product("TCAG", repeat=3)]
    acids = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
    table = dict(zip(codons, acids, strict=True))
    return "".join(table[sequence[i : i + 3]] for i in range(0, len(sequence) - 2, 3))


def are_inside(windows: pd.DataFrame, allowed: pd.DataFrame) -> bool:
    starts, ends = windows["start"].to_numpy()[:, None], windows["end"].to_numpy()[:, None]
    same = windows["region"].to_numpy()[:, None] == allowed["contig"].to_numpy()
    inside = (starts >= allowed["start"].to_numpy()) & (ends <= allowed["end"].to_numpy()) & same
    return bool(inside.any(axis=1).all())


def overlaps(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    left = one["start"].to_numpy()[:, None] < other["end"].to_numpy()
    right = one["end"].to_numpy()[:, None] > other["start"].to_numpy()
    same = one["region"].to_numpy()[:, None] == other["region"].to_numpy()
    return bool((left & right & same).any())


def checksums() -> dict[str, str]:
    lines = (DEMO / "SHA256SUMS").read_text().splitlines()
    return {name: checksum for checksum, name in (line.split("  ") for line in lines)}


def test_every_file_has_its_checksum():
    files = {path.relative_to(DEMO).as_posix(): path for path in DEMO.rglob("*") if path.is_file()}
    del files["SHA256SUMS"]
    found = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    assert found == checksums()


def test_readme_has_a_row_with_the_checksum_of_every_file():
    rows = (DEMO / "README.md").read_text(encoding="utf-8").splitlines()
    for name, checksum in checksums().items():
        row = [row for row in rows if row.startswith(f"| `{name}` |")]
        assert name == "README.md" or row[0].endswith(f"| `{checksum}` |")


def test_all_of_it_is_at_most_two_megabytes():
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) <= 2_000_000


def test_packed_files_carry_no_time():
    assert all(path.read_bytes()[4:8] == bytes(4) for path in DEMO.rglob("*.gz"))


@pytest.mark.parametrize("name", GENOMES)
def test_intervals_lie_on_their_contig(name):
    lengths = {contig: len(sequence) for contig, sequence in genome(name).items()}
    table = intervals(name)
    assert (table["start"] >= 0).all()
    assert (table["start"] < table["end"]).all()
    assert (table["end"] <= table["contig"].map(lengths)).all()


@pytest.mark.parametrize("name", GENOMES)
def test_intervals_do_not_overlap(name):
    for _, table in intervals(name).groupby("contig"):
        ordered = table.sort_values("start")
        assert (ordered["end"].to_numpy()[:-1] <= ordered["start"].to_numpy()[1:]).all()


@pytest.mark.parametrize("name", GENOMES)
def test_each_genome_has_about_three_quarters_for_training(name):
    table = intervals(name).assign(bases=lambda t: t["end"] - t["start"])
    share = table.groupby("split")["bases"].sum() / table["bases"].sum()
    assert set(share.index) == {"train", "valid", "test"}
    assert share["train"] == pytest.approx(0.75, abs=0.04)
    assert share["test"] == pytest.approx(0.14, abs=0.04)


@pytest.mark.parametrize("name", GENOMES)
def test_intervals_hold_called_bases(name):
    contigs = genome(name)
    for row in intervals(name).itertuples():
        stretch = contigs[row.contig][row.start : row.end].upper()
        assert set(stretch) <= set("ACGTN")
        assert stretch.count("N") <= 1


def test_homologous_blocks_of_primates_share_a_split():
    human, *others = (intervals(name)[["contig", "split"]] for name in PRIMATES)
    assert all(human.equals(other) for other in others)


def test_primate_blocks_are_where_the_table_says():
    table = pd.read_csv(DEMO / "genomes" / "primate_blocks.tsv", sep="\t")
    for name, rows in table.groupby("genome"):
        lengths = {contig: len(sequence) for contig, sequence in genome(name).items()}
        assert dict(zip(rows["contig"], rows["end"] - rows["start"], strict=True)) == lengths


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("benchmark", "label", "name"), REGION_SETS)
def test_windows_lie_in_intervals_of_their_split(benchmark, label, name, split):
    table = intervals(name)
    assert are_inside(regions(benchmark, split, label), table[table["split"] == split])


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(("benchmark", "label", "name"), REGION_SETS)
def test_windows_are_200_called_bases(benchmark, label, name, split):
    table, contigs = regions(benchmark, split, label), genome(name)
    assert list(table.columns) == ["id", "region", "start", "end", "strand"]
    assert table["strand"].isin(["+", "-"]).all()
    for row in table.itertuples():
        window = contigs[row.region][row.start : row.end]
        assert len(window) == 200
        assert set(window.upper()) <= set("ACGT")


@pytest.mark.parametrize("benchmark", ["coding_vs_intergenic", "human_or_worm"])
def test_no_test_window_overlaps_a_train_window(benchmark):
    train, test = (
        pd.concat(
            [
                regions(benchmark, split, label)
                for name, label, _ in REGION_SETS
                if name == benchmark
            ]
        )
        for split in ("train", "test")
    )
    assert not overlaps(train, test)


@pytest.mark.parametrize("split", ["train", "test"])
def test_classes_are_of_equal_size(split):
    coding, intergenic, human, worm = (len(regions(s, split, label)) for s, label, _ in REGION_SETS)
    assert (coding, human) == (intergenic, worm)


@pytest.mark.parametrize("split", ["train", "test"])
def test_coding_windows_lie_on_protein_coding_genes(split):
    coding = genes().query("gene_type == 'protein_coding'")
    for row in regions("coding_vs_intergenic", split, "coding").itertuples():
        touching = (coding["start"] < row.end) & (coding["end"] > row.start)
        assert row.strand in set(coding.loc[touching, "strand"])


@pytest.mark.parametrize("split", ["train", "test"])
def test_intergenic_windows_keep_away_from_genes(split):
    near = genes().assign(region="chr20")
    near["start"] -= 1000
    near["end"] += 1000
    assert not overlaps(regions("coding_vs_intergenic", split, "intergenic"), near)


@pytest.mark.parametrize("split", ["train", "test"])
def test_promoters_are_balanced_300_base_sequences(split):
    table = promoters(split)
    assert list(table.columns) == ["sequence", "label"]
    assert table["sequence"].str.fullmatch("[ACGT]{300}").all()
    assert (table["label"] == 1).sum() == (table["label"] == 0).sum()


def test_no_promoter_sequence_is_there_twice_on_either_strand():
    everything = pd.concat([promoters("train"), promoters("test")])["sequence"]
    canonical = everything.map(lambda sequence: min(sequence, reverse_complement(sequence)))
    assert canonical.is_unique


def test_no_test_promoter_was_seen_in_pretraining():
    chr20 = genome("human")["chr20"]
    train = intervals("human").query("split == 'train'")
    seen = [chr20[row.start : row.end] for row in train.itertuples()]
    for sequence in both_strands(promoters("test")["sequence"]):
        assert not any(sequence in stretch for stretch in seen)


@pytest.mark.parametrize("split", CHROMATIN)
def test_chromatin_windows_lie_in_intervals_of_their_split(split):
    table = chromatin(split).rename(columns={"Start": "start", "End": "end"})
    allowed = intervals("human")
    assert (table["Chr_No"] == 19).all()
    assert (table["end"] - table["start"] == 1000).all()
    assert are_inside(table.assign(region="chr20"), allowed[allowed["split"] == split])


def test_no_chromatin_window_overlaps_one_of_another_split():
    tables = [
        chromatin(split).rename(columns={"Start": "start", "End": "end"}).assign(region="chr20")
        for split in CHROMATIN
    ]
    assert not any(overlaps(one, other) for one, other in combinations(tables, 2))


@pytest.mark.parametrize(("split", "least"), [("train", 20), ("valid", 5), ("test", 5)])
def test_every_chromatin_label_has_positives_and_negatives(split, least):
    labels = chromatin(split).filter(regex="^y_")
    assert list(labels.columns) == list(chromatin("train").columns[3:])
    assert 8 <= labels.shape[1] <= 16
    assert set(np.unique(labels)) == {0, 1}
    assert (labels.sum(axis=0) >= least).all()
    assert ((1 - labels).sum(axis=0) >= least).all()


@pytest.mark.parametrize("split", CHROMATIN)
def test_windows_off_elements_have_no_cell_type(split):
    labels = chromatin(split).filter(regex="^y_")
    off_element = labels[labels["y_REMO_element"] == 0]
    assert len(off_element) > 0
    assert (off_element == 0).all(axis=None)


def test_genes_lie_in_the_region():
    table = genes()
    assert (table["contig"] == "chr20").all()
    assert (table["end"] <= len(genome("human")["chr20"])).all()
    assert table["gene_id"].is_unique
    assert table[["gene_name", "gene_type", "strand"]].notna().all(axis=None)


def test_human_coordinates_are_those_of_hg38():
    # GENCODE v44: DEFB125 is chr20:87,250-97,094 on +, its exons below are ENST00000382410; the
    # protein is UniProt Q8N687.
    gene = genes().query("gene_name == 'DEFB125'").iloc[0]
    chr20 = genome("human")["chr20"]
    messenger, intron = chr20[87_671:87_767] + chr20[96_004:97_094], chr20[87_767:96_004]
    protein = translate(messenger[messenger.index("ATG") :])
    assert (gene["start"], gene["end"], gene["strand"]) == (87_249, 97_094, "+")
    assert (intron[:2], intron[-2:]) == ("GT", "AG")
    assert protein.startswith("MNILMLTFIICGLLTRVTKGSFEPQKCWKNNVGHCRRRCLDTERYILLCRNKLSCCIS")


def test_bases_that_the_lift_does_not_cover_are_n():
    chr20 = genome("human")["chr20"]
    assert len(chr20) == 2_060_000
    assert set(chr20[:79_359]) == {"N"}
    assert [i for i in range(79_359, len(chr20)) if chr20[i] == "N"] == [774_462]


@pytest.fixture(scope="module")
def shared_chr20() -> str:
    return dict(read_records(SHARED / "genome" / "chr20_chr22.hg38lift.fa.gz"))["chr20"]


def shared_genes() -> pd.DataFrame:
    table = read_gtf(SHARED / "annotation" / "gencode_v44.genes.chr20_chr22.hg38.gtf.gz")
    return table[table["contig"] == "chr20"]


@needs_shared
def test_human_against_the_shared_lift(shared_chr20):
    assert genome("human")["chr20"] == shared_chr20[:2_060_000]


@needs_shared
@pytest.mark.parametrize(
    ("name", "file", "offset"),
    [
        ("worm", "worm_ce2_chrX_1_4000000.fa.gz", 0),
        ("fly", "fly_dm3_chr2R_4000001_8000000.fa.gz", 4_000_000),
    ],
)
def test_pieces_against_the_shared_chromosomes(name, file, offset):
    ((contig, sequence),) = genome(name).items()
    start, end = (int(field) - offset for field in contig.split("_")[1:])
    ((_, chromosome),) = read_records(SHARED / "species" / "nuclear_other" / file)
    assert sequence.upper() == chromosome[start:end].upper()


@needs_shared
@pytest.mark.parametrize("name", PRIMATES)
def test_primate_blocks_against_the_shared_blocks(name):
    path = SHARED / "species" / "nuclear_primates_chr22" / f"{PRIMATES[name]}.fa.gz"
    # Names are no keys here: orangutan blocks of equal length share one.
    shared = {sequence.upper() for _, sequence in read_records(path)}
    assert {sequence.upper() for sequence in genome(name).values()} <= shared


@needs_shared
def test_genes_against_the_shared_annotation():
    expected = shared_genes().query("end <= 2_060_000")
    columns = ["start", "end", "strand", "gene_id", "gene_name", "gene_type"]
    assert set(genes()[columns].itertuples(index=False, name=None)) == set(
        expected[columns].itertuples(index=False, name=None)
    )


@needs_shared
def test_promoters_start_where_genes_start(shared_chr20):
    expected = {"train": set(), "test": set()}
    for gene in shared_genes().query("gene_type == 'protein_coding'").itertuples():
        start = gene.start - 249 if gene.strand == "+" else gene.end - 1 - 50
        sequence = shared_chr20[start : start + 300]
        split = "train" if start < 50_000_000 else "test"
        expected[split].add(sequence if gene.strand == "+" else reverse_complement(sequence))
    for split, sequences in expected.items():
        assert set(promoters(split).query("label == 1")["sequence"]) <= sequences


@needs_shared
@pytest.mark.parametrize(("split", "first"), [("train", 0), ("test", 50_000_000)])
def test_windows_beside_promoters_keep_away_from_starts(shared_chr20, split, first):
    table = shared_genes()
    starts = np.where(table["strand"] == "+", table["start"], table["end"] - 1)
    tiles = {shared_chr20[i : i + 300]: i for i in range(first, len(shared_chr20) - 300, 300)}
    for sequence in promoters(split).query("label == 0")["sequence"]:
        at = tiles.get(sequence, tiles.get(reverse_complement(sequence)))
        assert at is not None
        assert (at < 49_990_000) == (split == "train")
        assert ((starts < at - 1_999) | (starts > at + 299 + 1_999)).all()


@needs_shared
@pytest.mark.parametrize("split", CHROMATIN)
def test_chromatin_labels_against_the_shared_set(split):
    files = sorted((SHARED / "chromatin_profile").glob("*_hg38_coords_targets.csv.gz"))
    table = chromatin(split).query("y_REMO_element == 1").drop(columns="y_REMO_element")
    shared = pd.concat([pd.read_csv(path) for path in files])[list(table.columns)]
    # The shared set has a subset of the windows.
    in_both = shared[shared["Start"].isin(table["Start"]) & (shared["Chr_No"] == 19)]
    assert len(in_both) > len(table) / 3
    assert set(in_both.itertuples(index=False, name=None)) <= set(
        table.itertuples(index=False, name=None)
    )
