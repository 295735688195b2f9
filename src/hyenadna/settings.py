"""Settings read from YAML: frozen, typed, and unforgiving about unknown keys."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from hyenadna.errors import InputError

S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """Base of every configuration object; the docstring below a field describes it."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )

    def replace(self, **changes: Any) -> Self:
        """Return a validated copy with some fields changed."""
        return type(self).model_validate({**self.model_dump(), **changes})


def read_yaml(cls: type[S], path: Path, overrides: Mapping[str, str] | None = None) -> S:
    """Read settings of type `cls`, with `overrides` (values parsed as YAML) taking precedence.

    Raises:
        InputError: the file cannot be read, is not a mapping, or a key or value is not allowed.
    """
    try:
        content = _load(path.read_text(encoding="utf-8"), source=path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except (IsADirectoryError, UnicodeDecodeError) as error:
        found = "a directory" if isinstance(error, IsADirectoryError) else "no UTF-8 text"
        raise InputError(f"{path} is {found}, where a YAML file is expected") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: a mapping of keys to values is expected")
    changes = {
        key: _load(value, source=f"value of {key}") for key, value in (overrides or {}).items()
    }
    return parse(cls, {**content, **changes}, source=path)


def parse(cls: type[S], content: Mapping[str, Any], *, source: Path | str) -> S:
    """Validate a mapping as `cls`, with every complaint in one line that names `source`."""
    try:
        return cls.model_validate(content)
    except ValidationError as error:
        complaints = "; ".join(_complaint(cls, detail) for detail in error.errors())
        raise InputError(f"{source}: {complaints}") from None


class _Loader(yaml.SafeLoader):
    """YAML in which a key that is given twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.YAMLError(f"key {key!r} is given twice")
        return super().construct_mapping(node, deep=deep)


def _load(text: str, *, source: Path | str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not YAML: {_one_line(str(error))}") from None


def _complaint(cls: type[Settings], detail: Any) -> str:
    location = [str(part) for part in detail["loc"]]
    key = ".".join(location)
    if detail["type"] in ("extra_forbidden", "missing"):
        owner = _nested(cls, location[:-1])
        if detail["type"] == "missing":
            return f"{key!r} is missing for {owner.__name__}"
        near = difflib.get_close_matches(location[-1], owner.model_fields, n=1)
        there = ", ".join(owner.model_fields)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {there}"
        return f"unknown key {key!r} for {owner.__name__}; {hint}"
    message = _one_line(detail["msg"].removeprefix("Value error, "))
    if isinstance(detail["input"], str | int | float | bool | None):
        message += f" (given: {detail['input']!r})"
    return f"{key}: {message}" if key else message


def _nested(cls: type[Settings], location: Iterable[str]) -> type[Settings]:
    """Follow the keys of nested settings down from `cls`."""
    for key in location:
        annotation = cls.model_fields[key].annotation if key in cls.model_fields else None
        if isinstance(annotation, type) and issubclass(annotation, Settings):
            cls = annotation
    return cls


def _one_line(text: str) -> str:
    return " ".join(text.split())
