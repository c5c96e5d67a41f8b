"""The docstrings below a type's fields, read from its source: Python keeps no trace of them."""

import ast
import inspect
import itertools
import textwrap
from typing import Any


def of_fields(type_: type[Any]) -> dict[str, str]:
    """Name to docstring, each on one line, code in single back quotes."""
    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(type_))).body
    found = {}
    body = declared.body if isinstance(declared, ast.ClassDef) else []
    for statement, after in itertools.pairwise(body):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = one_line(text)
    return found


def one_line(text: str) -> str:
    """A docstring as a description."""
    return " ".join(text.split()).replace("``", "`")
