"""Names of contigs in tables and genomes that follow different conventions."""

import pytest

from hyenadna.errors import InputError
from hyenadna.tasks.contig_names import match_contigs


def match(name: str, *contigs: str) -> str | None:
    return match_contigs([name], contigs, source="a table").get(name)


@pytest.mark.parametrize(
    ("name", "contig"),
    [
        ("chr1", "1"),
        ("1", "chr1"),
        ("X", "chrX"),
        ("chrMT", "MT"),
        ("chrMT", "chrM"),
        ("MtDNA", "chrM"),
        ("chrM", "mitochondrion_genome"),
        ("ENST00000371014", "ENST00000371014.3"),
        ("ENST00000371014.3", "ENST00000371014"),
        ("ENSMUST00000000001", "ENSMUST00000000001.4"),
    ],
)
def test_names_that_differ_by_convention_match(name, contig):
    assert match(name, "chr11", "chrY", "ENST00000371015.1", contig) == contig


@pytest.mark.parametrize(
    ("name", "contig"),
    [
        ("chr1", "chr10"),
        ("chr1", "chr1_KI270706v1_random"),
        ("KI270728.1", "KI270728.2"),
        ("ENST00000371014.2", "ENST00000371014.3"),
        ("chr1", "CHR1"),
    ],
)
def test_other_names_do_not(name, contig):
    assert match(name, contig) is None


def test_the_very_name_comes_first():
    assert match("chr1", "1", "chr1") == "chr1"


@pytest.mark.parametrize(
    ("name", "contigs"),
    [
        ("MT", ("chrM", "chrMT")),
        ("ENST00000371014", ("ENST00000371014.2", "ENST00000371014.3")),
    ],
)
def test_a_name_that_may_be_either_of_two_is_refused(name, contigs):
    with pytest.raises(InputError, match=f"a table: '{name}' may be '{contigs[0]}' or"):
        match(name, *contigs)
