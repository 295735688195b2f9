"""Settings read from YAML."""

import pytest
from pydantic import ValidationError, field_validator

from hyenadna.errors import InputError
from hyenadna.settings import Settings, parse, read_yaml


class Window(Settings):
    """A setting within a setting."""

    overlap: int = 0
    """Shared nucleotides."""


class Shape(Settings):
    """What the tests read."""

    d_model: int
    """Channels."""
    rate: float = 0.5
    """A fraction."""
    window: Window = Window()
    """Where to look."""

    @field_validator("d_model")
    @classmethod
    def _is_positive(cls, d_model: int) -> int:
        if d_model < 1:
            raise ValueError(f"d_model must be at least 1, got {d_model}")
        return d_model


@pytest.fixture
def read(tmp_path):
    def read_text(text, **overrides):
        (tmp_path / "shape.yaml").write_text(text)
        return read_yaml(Shape, tmp_path / "shape.yaml", overrides)

    return read_text


def test_yaml_becomes_settings(read):
    shape = read("d_model: 8\nrate: 1e-3\nwindow:\n  overlap: 2\n")
    assert (shape.d_model, shape.rate, shape.window.overlap) == (8, 0.001, 2)


def test_defaults_fill_in_what_is_left_out(read):
    assert read("d_model: 8") == Shape(d_model=8, rate=0.5)


def test_overrides_take_precedence(read):
    assert read("d_model: 8\nrate: 1.0", rate="0.25", d_model="4") == Shape(d_model=4, rate=0.25)


def test_an_override_may_hold_yaml(read):
    assert read("d_model: 8", window="{overlap: 3}").window.overlap == 3


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Shape(d_model=8).d_model = 9


def test_replace_validates():
    assert Shape(d_model=8).replace(d_model=9) == Shape(d_model=9)
    with pytest.raises(ValidationError, match="at least 1"):
        Shape(d_model=8).replace(d_model=0)


def test_a_field_docstring_describes_it():
    assert Shape.model_fields["d_model"].description == "Channels."


def test_an_unknown_key_gets_a_suggestion(read):
    with pytest.raises(
        InputError, match=r"shape\.yaml: unknown key 'd_modle' for Shape; did you mean 'd_model'\?"
    ):
        read("d_model: 8\nd_modle: 8")


def test_an_unknown_key_like_no_other_gets_the_list(read):
    with pytest.raises(InputError, match="unknown key 'zzz' for Shape; it has d_model, rate, win"):
        read("d_model: 8\nzzz: 8")


def test_an_unknown_override_gets_a_suggestion(read):
    with pytest.raises(InputError, match=r"unknown key 'ratte'.*did you mean 'rate'"):
        read("d_model: 8", ratte="1")


def test_a_missing_key_is_named(read):
    with pytest.raises(InputError, match=r"shape\.yaml: 'd_model' is missing for Shape"):
        read("rate: 1.0")


def test_all_complaints_come_at_once_in_one_line(read):
    with pytest.raises(InputError) as raised:
        read("d_modle: 8\nrate: fast")
    message = str(raised.value)
    assert all(key in message for key in ("'d_model' is missing", "rate: ", "'d_modle'"))
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("d_model: 0", "d_model: .*must be at least 1, got 0"),
        ("d_model: wide", "d_model: .*valid integer"),
        ("d_model: 1.5", "d_model: .*valid integer"),
        ("d_model: 8\nrate: .nan", "rate: .*finite"),
        ("d_model: 8\nrate: .inf", "rate: .*finite"),
        ("d_model: 8\nwindow: {overlap: x}", r"window\.overlap: .*valid integer"),
        ("- d_model", "a mapping of keys to values is expected"),
        ("", "a mapping of keys to values is expected"),
        ("d_model: [", "not YAML: "),
        ("d_model: !!python/object/apply:os.getcwd []", "not YAML: "),
    ],
)
def test_what_is_not_allowed_is_refused_by_file_and_key(read, text, message):
    with pytest.raises(InputError, match=rf"shape\.yaml: {message}") as raised:
        read(text)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.yaml: no such file"):
        read_yaml(Shape, tmp_path / "nothing.yaml")


def test_a_mapping_in_memory_is_validated_likewise():
    assert parse(Shape, {"d_model": 8}, source="a table") == Shape(d_model=8)
    with pytest.raises(InputError, match="a table: 'd_model' is missing"):
        parse(Shape, {}, source="a table")


def test_an_unknown_inner_key_gets_a_suggestion(read):
    with pytest.raises(InputError, match="did you mean 'overlap'"):
        read("d_model: 8\nwindow: {overlp: 2}")


def test_an_override_that_is_no_yaml_is_refused(read):
    with pytest.raises(InputError, match="rate"):
        read("d_model: 8", rate="[")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "shape.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"shape\.yaml"):
        read_yaml(Shape, tmp_path / "shape.yaml")


def test_a_directory_is_refused(tmp_path):
    with pytest.raises(InputError, match="directory"):
        read_yaml(Shape, tmp_path)


def test_a_key_given_twice_is_refused(read):
    with pytest.raises(InputError, match="d_model"):
        read("d_model: 8\nd_model: 9")
