"""The page's templates and what they are filled with: files beside this one."""

from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined


def text(name: str) -> str:
    """Return the content of a template, script or style."""
    return resources.files("hyenadna.report.page").joinpath(name).read_text(encoding="utf-8")


def environment() -> Environment:
    """Return the way templates are read: values are text, not markup, and none may be missing."""
    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(text),
    )
