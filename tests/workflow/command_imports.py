"""What a subcommand of `hyenadna` imports from outside the standard library, by its source."""

import ast
import inspect
import sys
from collections.abc import Container, Iterable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import cast

import click
import typer

import hyenadna
from hyenadna import cli

SOURCE = Path(hyenadna.__file__).parents[1]


def function_of(command: str) -> FunctionType:
    """Return the function behind a subcommand, as `pretrain` or `bench long-conv`."""
    found: click.Command = typer.main.get_command(cli._commands)
    for word in command.split():
        group = cast("click.Group", found)
        found = group.commands[word]
    return cast("FunctionType", inspect.unwrap(cast("FunctionType", found.callback)))


@cache
def imported_by(command: str) -> frozenset[str]:
    """Return the packages that a subcommand may import, whichever way it takes through its modules.

    Of the modules that define subcommands it is the one function alone that counts.
    """
    defining = {module for module in sys.modules if module.startswith("hyenadna.cli")}
    defining.add("hyenadna.bench.commands")
    body = ast.parse(inspect.getsource(function_of(command)))
    return packages_behind([*imports(body), *defining], without_functions=defining)


def packages_behind(
    names: Iterable[str], *, without_functions: Container[str] = ()
) -> frozenset[str]:
    """Return the packages that names lead to, by every line of the modules of ours on the way."""
    waiting = list(names)
    packages: set[str] = set()
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        package, *_ = name.split(".")
        if package != "hyenadna":
            packages.add(package)
        for module in parents(name) if package == "hyenadna" else ():
            path = file_of(module)
            if path is not None and module not in seen:
                seen.add(module)
                waiting += imports_of(path, functions=module not in without_functions)
    return frozenset(packages - sys.stdlib_module_names)


def parents(name: str) -> list[str]:
    """Return `a`, `a.b` and `a.b.c` of `a.b.c`: all are imported with it."""
    parts = name.split(".")
    return [".".join(parts[: count + 1]) for count in range(len(parts))]


def file_of(module: str) -> Path | None:
    """Return the file of a module or package of ours; a name within a module has none."""
    path = SOURCE.joinpath(*module.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


@cache
def imports_of(file: Path, *, functions: bool) -> list[str]:
    """Return the dotted names that a file imports."""
    return list(imports(ast.parse(file.read_text()), functions=functions))


def imports(tree: ast.AST, *, functions: bool = True) -> Iterator[str]:
    """Yield the dotted names that code imports when it runs, within functions too or not."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from imports(ast.Module(node.orelse, []), functions=functions)
        elif functions or not isinstance(node, ast.FunctionDef):
            yield from imports(node, functions=functions)
