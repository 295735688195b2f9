"""Files that are either whole or not there."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hyenadna.errors import InputError
from hyenadna.files import atomic_write, read_json, sha256, write_json, write_text


class Stopped(Exception):
    """What a body raises midway."""


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_whole(tmp_path):
    with atomic_write(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with atomic_write(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("error", [Stopped, KeyboardInterrupt, SystemExit])
def test_a_body_that_raises_changes_nothing(tmp_path, error):
    def write_half():
        with atomic_write(tmp_path / "a.txt") as part:
            part.write_text("half")
            raise error

    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error):
        write_half()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_a_body_that_raises_leaves_no_new_file(tmp_path):
    def write_half():
        with atomic_write(tmp_path / "a.txt") as part:
            part.write_text("half")
            raise Stopped

    with pytest.raises(Stopped):
        write_half()
    assert names(tmp_path) == []


def test_a_body_that_writes_nothing_is_an_error(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "a.txt"):
        pass
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_process_killed_while_writing_changes_nothing(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from hyenadna.files import atomic_write\n"
        "with atomic_write(Path(sys.argv[1])) as part:\n"
        "    part.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path / "a.txt")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "a.txt").read_text() == "old"
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_the_temporary_path_keeps_its_name_and_suffix(tmp_path):
    with atomic_write(tmp_path / "table.tsv.gz") as part:
        part.touch()
        assert part.name == "table.tsv.gz"


def test_missing_parents_are_made(tmp_path):
    write_text(tmp_path / "x" / "y" / "a.txt", "text")
    assert (tmp_path / "x" / "y" / "a.txt").read_text() == "text"


def test_others_may_read_what_was_written(tmp_path):
    (tmp_path / "plain.txt").touch()
    write_text(tmp_path / "a.txt", "text")
    modes = [(tmp_path / name).stat().st_mode for name in ("a.txt", "plain.txt")]
    assert modes[0] == modes[1]


def test_a_directory_replaces_an_older_one_whole(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").touch()
    with atomic_write(tmp_path / "d") as part:
        part.mkdir()
        (part / "new").touch()
        assert names(tmp_path / "d") == ["old"]
    assert names(tmp_path / "d") == ["new"]
    assert names(tmp_path) == ["d"]


def test_a_directory_half_written_changes_nothing(tmp_path):
    def write_half():
        with atomic_write(tmp_path / "d") as part:
            part.mkdir()
            (part / "half").touch()
            raise Stopped

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").touch()
    with pytest.raises(Stopped):
        write_half()
    assert names(tmp_path / "d") == ["old"]
    assert names(tmp_path) == ["d"]


def test_an_older_file_survives_a_failed_replacement(tmp_path, monkeypatch):
    def fail(path, target):
        raise OSError("no")

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_file_never_replaces_a_directory(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "precious").touch()
    with pytest.raises(InputError, match="directory"):
        write_text(tmp_path / "d", "text")
    assert names(tmp_path / "d") == ["precious"]


def test_an_older_directory_survives_a_failed_replacement(tmp_path, monkeypatch):
    def replace_directory():
        with atomic_write(tmp_path / "d") as part:
            part.mkdir()

    def fail(path, target):
        raise OSError("no")

    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "precious").touch()
    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="no"):
        replace_directory()
    assert names(tmp_path / "d") == ["precious"]


def test_json_reads_back_in_order(tmp_path):
    content = {"b": 1, "a": [1.5, None, "é"], "c": {"d": True}}
    write_json(tmp_path / "a.json", content)
    assert list(read_json(tmp_path / "a.json").items()) == list(content.items())
    assert "é" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_what_json_cannot_hold_changes_nothing(tmp_path):
    write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"a": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}


def test_sha256_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"ACGT" * 1_000_000)
    assert sha256(tmp_path / "a") == hashlib.sha256(b"ACGT" * 1_000_000).hexdigest()
