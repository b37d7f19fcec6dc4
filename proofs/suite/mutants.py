"""Small changes of the kernel, one at a time: a comparison, a constant, an operator, an arm, a
term, two arguments. `proofs.suite.mutation` sees that some obligation notices each.
"""

import ast
import copy
import importlib.abc
import importlib.util
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

PACKAGE = "verified_alloc.kernel"


class Mutant(NamedTuple):
    """One change of one file."""

    file: str
    within: str
    """The function, or the name of the constant."""
    what: str
    turn: int
    """Which of the same changes in this place it is."""
    source: str
    lines: range = range(0)
    """Where the change is, in the shipped file."""

    @property
    def name(self) -> str:
        """`rule.take: grant_w > reached_w: GtE`; the second such one ends in `#2`."""
        turn = f" #{self.turn}" if self.turn > 1 else ""
        return f"{self.file}.{self.within}: {self.what}{turn}"


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads this source in place of a module, where it stands first on `sys.meta_path`."""

    def __init__(self, module: str, source: str) -> None:
        self.module = module
        self.source = source

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, f"<mutant of {self.module}>", "exec"), module.__dict__)


def folder() -> Path:
    """Where the kernel's files are."""
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def files() -> list[str]:
    """The kernel's files, by name."""
    return sorted(path.stem for path in folder().glob("*.py") if path.stem != "__init__")


COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
}


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """All small changes of this one node: what changed, and the node as it is then."""
    if isinstance(node, ast.Compare):
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield f"{_text(node)}: {other.__name__}", changed(node, ops=[other(), *node.ops[1:]])
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        operator = OPERATORS[type(node.op)]
        yield f"{_text(node)}: {operator.__name__}", changed(node, op=operator())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} becomes {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        for value in (node.value + 1, node.value - 1):
            yield f"{node.value} becomes {value}", ast.Constant(value)
    elif isinstance(node, ast.IfExp):
        yield f"{_text(node)}: arms", changed(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield f"{_text(node)}: without not", node.operand
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield f"{_text(node)}: without minus", node.operand
    elif isinstance(node, ast.Call):
        yield from _changed_calls(node)


def _changed_calls(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    called = _text(node.func)
    if called in ("ops.and_", "ops.or_"):
        other = "or_" if called == "ops.and_" else "and_"
        function = ast.Attribute(ast.Name("ops", ast.Load()), other, ast.Load())
        yield f"{_text(node)}: {other}", changed(node, func=function)
        for place in range(len(node.args)):
            if len(node.args) > 1 or isinstance(node.args[place], ast.Starred):
                rest = [*node.args[:place], *node.args[place + 1 :]]
                yield f"{_text(node)}: without term {place + 1}", changed(node, args=rest)
    elif called in ("all", "any"):
        other = "any" if called == "all" else "all"
        yield f"{_text(node)}: {other}", changed(node, func=ast.Name(other, ast.Load()))
    elif called == "ops.not_":
        yield f"{_text(node)}: without not", node.args[0]
    elif called == "ops.ite":
        condition, then, otherwise = node.args
        yield f"{_text(node)}: arms", changed(node, args=[condition, otherwise, then])
        yield f"{_text(node)}: always the first", then
        yield f"{_text(node)}: always the second", otherwise
    elif called == "range" and len(node.args) == 1:
        shorter = ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1))
        yield f"{_text(node)}: one less", changed(node, args=[shorter])
        yield f"{_text(node)}: from 1", changed(node, args=[ast.Constant(1), node.args[0]])
    elif node.args and _text(node.args[0]) == "ops":
        for place in range(1, len(node.args) - 1):
            args = list(node.args)
            args[place], args[place + 1] = args[place + 1], args[place]
            if not any(isinstance(arg, ast.Starred) for arg in args[place : place + 2]):
                yield f"{_text(node)}: arguments {place + 1}, {place + 2}", changed(node, args=args)


def changed(node: ast.AST, **fields: Any) -> ast.AST:
    """A copy of that node with other fields."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def mutants(file: str) -> list[Mutant]:
    """All mutants of one kernel file."""
    return mutants_of((folder() / f"{file}.py").read_text(encoding="utf-8"), file, changes)


def mutants_of(
    text: str, file: str, changes: Callable[[ast.AST], Iterator[tuple[str, ast.AST]]]
) -> list[Mutant]:
    """All mutants of that text that these changes of one node make."""
    tree = ast.parse(text)
    places: list[tuple[ast.AST, Callable[[ast.AST], None], str]] = []

    def visit(node: ast.AST, within: str) -> None:
        if isinstance(node, ast.keyword) and node.arg == "strict":
            return  # `zip(strict=True)` only guards against lists of unequal length
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            if isinstance(value, ast.AST):
                places.append((value, _field(node, name), within))
                visit(value, within)
            elif isinstance(value, list):
                for place, item in enumerate(value):
                    if isinstance(item, ast.AST):
                        inside = _name(item) or within
                        places.append((item, _item(value, place), inside))
                        visit(item, inside)

    visit(tree, "")
    found: list[Mutant] = []
    for node, put, within in places:
        for what, other in changes(node):
            put(other)
            source = ast.unparse(ast.fix_missing_locations(tree))
            put(node)
            before = sum(other.within == within and other.what == what for other in found)
            lines = range(getattr(node, "lineno", 0), getattr(node, "end_lineno", 0) + 1)
            found.append(Mutant(file, within, what, before + 1, source, lines))
    return found


def _name(node: ast.AST) -> str:
    """The name that a function or a constant at the top of a file defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id
        return name if name.isupper() else ""
    return ""


def _field(node: ast.AST, name: str) -> Callable[[ast.AST], None]:
    return lambda value: setattr(node, name, value)


def _item(items: list[Any], place: int) -> Callable[[ast.AST], None]:
    return lambda value: items.__setitem__(place, value)
