"""Targets of a chromatin profile, their groups and files."""

import re
from collections import Counter

import pytest

from hyenadna.data.targets import Target, deepsea_group, find_groups, read_targets, write_groups
from hyenadna.errors import InputError


def test_targets_have_groups_and_files_beside_their_table(tmp_path):
    table = tmp_path / "targets.tsv"
    (tmp_path / "b.bed.gz").touch()
    table.write_text("target\tgroup\tfile\ny_a\tTF\tsub/a.bed\nb\tHM\tb.bed\n\n")
    assert read_targets(table) == [
        Target("a", "TF", tmp_path / "sub/a.bed"),
        Target("b", "HM", tmp_path / "b.bed.gz"),
    ]


def test_groups_come_in_the_order_of_the_targets(tmp_path):
    table = tmp_path / "targets.tsv"
    assert find_groups(table, ("a", "b")) is None
    write_groups(table, [Target("b", "HM", None), Target("a", "TF", None), Target("c", "TF", None)])
    assert find_groups(table, ("a", "b")) == ("TF", "HM")


def test_targets_without_groups_write_no_table(tmp_path):
    table = tmp_path / "targets.tsv"
    table.write_text("target\tgroup\na\tTF\n")
    write_groups(table, [Target("a", "", None)])
    assert not table.exists()


def test_a_table_without_groups_gives_none(tmp_path):
    table = tmp_path / "targets.tsv"
    table.write_text("target\tfile\na\ta.bed\n")
    assert find_groups(table, ("a",)) is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no targets"),
        ("target\tgroup\n", "no targets"),
        ("name\tgroup\na\tTF\n", "no column 'target'"),
        ("target\tgroup\na\tTF\na\tHM\n", "line 3: target 'a' is there twice"),
        ("target\tgroup\na\tTF\nb\n", "some targets have a group and some have none"),
        ("target\tgroup\na\tTF\tx\n", "line 2: more fields than columns"),
        ("target\tgroup\na,b\tTF\n", "line 2: 'a,b' cannot name a column"),
        ("target\tgroup\na\tTF\n", "1 targets of the windows are missing, such as 'z'"),
    ],
)
def test_a_malformed_table_is_refused(tmp_path, text, complaint):
    table = tmp_path / "targets.tsv"
    table.write_text(text)
    with pytest.raises(InputError, match=re.escape(complaint)):
        find_groups(table, ("a", "z"))


@pytest.mark.parametrize(
    ("factor", "group"),
    [("DNase", "DHS"), ("H2AZ", "HM"), ("H4K20me1", "HM"), ("HDAC1", "TF"), ("HNF4A", "TF")],
)
def test_deepsea_factors_have_a_group(factor, group):
    assert deepsea_group(factor) == group


def test_groups_of_deepsea_are_as_published(shared_data):
    targets = read_targets(shared_data / "chromatin_profile/deepsea_919_targets.tsv")
    assert Counter(target.group for target in targets) == {"TF": 690, "DHS": 125, "HM": 104}
    assert len({target.name for target in targets}) == 919
    assert targets[0].name == "wgEncodeAwgDnaseDuke8988tUniPk"
