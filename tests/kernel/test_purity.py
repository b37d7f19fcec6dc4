"""The kernel may look at the shape of the station, never at a value: no branch, no import."""

import ast
from pathlib import Path

import pytest

KERNEL = Path(__file__).parents[2] / "verified_alloc" / "kernel"
FILES = sorted(KERNEL.glob("*.py"))

# The algebra on plain ints and bools is what a branch is made of.
ALGEBRA = "ops.py"


def branches(tree: ast.AST) -> list[str]:
    """Places that decide by a value; `is None` asks for the shape of the arguments."""
    found = []
    for node in ast.walk(tree):
        decides = isinstance(
            node, ast.If | ast.While | ast.BoolOp | ast.Match | ast.Try | ast.Assert | ast.IfExp
        ) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
        if isinstance(node, ast.comprehension):
            decides = bool(node.ifs)
        if isinstance(node, ast.IfExp):
            test = node.test
            decides = not (
                isinstance(test, ast.Compare)
                and isinstance(test.ops[0], ast.Is | ast.IsNot)
                and isinstance(test.comparators[0], ast.Constant)
                and test.comparators[0].value is None
            )
        if decides:
            found.append(f"line {getattr(node, 'lineno', '?')}: {type(node).__name__}")
    return found


def foreign_imports(tree: ast.AST) -> list[str]:
    """Imports from outside the kernel, typing and the standard containers."""
    allowed = ("verified_alloc.kernel", "collections.abc", "typing", "itertools")
    modules = [
        name
        for node in ast.walk(tree)
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    ]
    return [name for name in modules if not name.startswith(allowed)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_branch_on_a_value(path: Path) -> None:
    found = branches(ast.parse(path.read_text()))
    assert not found or path.name == ALGEBRA


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_nothing_but_itself(path: Path) -> None:
    assert not foreign_imports(ast.parse(path.read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "def f(a):\n    if a: return 1",
        "def f(a, b): return a and b",
        "def f(a): return not a",
        "def f(a): return 1 if a else 2",
        "def f(a): return [x for x in a if x]",
        "def f(a):\n    while a: a = a - 1",
        "def f(a):\n    assert a",
    ],
)
def test_the_lint_sees_a_branch(source: str) -> None:
    assert branches(ast.parse(source))


def test_the_lint_sees_a_foreign_import() -> None:
    assert foreign_imports(ast.parse("import os\nfrom verified_alloc import station"))
