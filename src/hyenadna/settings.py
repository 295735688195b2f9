"""Settings read from YAML: frozen, typed, and unforgiving about unknown keys."""

import difflib
from collections.abc import Mapping
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
        InputError: the file is missing, is not a mapping, or a key or value is not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: a mapping of keys to values is expected")
    changes = {key: yaml.safe_load(value) for key, value in (overrides or {}).items()}
    return parse(cls, {**content, **changes}, source=path)


def parse(cls: type[S], content: Mapping[str, Any], *, source: Path | str) -> S:
    """Validate a mapping as `cls`, with every complaint in one line that names `source`."""
    try:
        return cls.model_validate(content)
    except ValidationError as error:
        complaints = "; ".join(_complaint(cls, detail) for detail in error.errors())
        raise InputError(f"{source}: {complaints}") from None


def _complaint(cls: type[Settings], detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        near = difflib.get_close_matches(key, cls.model_fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(cls.model_fields)}"
        return f"unknown key {key!r} for {cls.__name__}; {hint}"
    if detail["type"] == "missing":
        return f"{key!r} is missing for {cls.__name__}"
    message = detail["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message
