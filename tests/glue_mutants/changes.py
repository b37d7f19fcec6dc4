"""The small changes of the glue: those of the kernel, and what only glue can get wrong.

A condition turned round, one operand of an `and` less, a call or an assignment left out, two
neighbouring statements swapped, a field taken for its sibling.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from proofs.suite import mutants
from proofs.suite.mutants import Mutant, changed

ROOT = Path(__file__).parents[2]

FILES = (
    "hardware/modules.py",
    "hardware/supervision.py",
    "hardware/heartbeat.py",
    "hardware/mcp23017.py",
    "hardware/expanders.py",
    "hardware/contactors.py",
    "hardware/repair.py",
    "hardware/i2c_bus.py",
    "verified_alloc/control/wires.py",
    "verified_alloc/control/controller.py",
    "verified_alloc/control/decider.py",
    "verified_alloc/control/clearing.py",
    "verified_alloc/control/latched_faults.py",
    "verified_alloc/control/on_disk.py",
    "verified_alloc/control/fault_file.py",
    "verified_alloc/control/next_deadline.py",
    "verified_alloc/control/offers.py",
    "verified_alloc/control/alarms.py",
    "verified_alloc/control/manual_scan.py",
    "verified_alloc/control/self_testing.py",
    "verified_alloc/control/idle_tests.py",
    "verified_alloc/control/proof_tests.py",
    "verified_alloc/control/proof_dates.py",
    "verified_alloc/decide/allocate.py",
)

OPPOSITES: dict[type[ast.AST], type[ast.AST]] = {
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
LEFT_OUT = (ast.AugAssign, ast.Raise, ast.Continue, ast.Break)
"""Statements without which the rest still runs."""
COMPOUND = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)


def module(path: str) -> str:
    """The module that this file is."""
    return path.removesuffix(".py").replace("/", ".")


def of(path: str) -> list[Mutant]:
    """All mutants of one file of the glue."""
    text = (ROOT / path).read_text(encoding="utf-8")
    shipped = ast.unparse(ast.parse(text))
    found = mutants.mutants_of(text, module(path), changes)
    programs = {mutant.source: mutant for mutant in reversed(found) if mutant.source != shipped}
    return list(reversed(programs.values()))


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """All small changes of this one node: what changed, and the node as it is then."""
    yield from mutants.changes(node)
    yield from _statements(node)
    text = ast.unparse(node) if isinstance(node, ast.expr) else ""
    match node:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            negated = ast.UnaryOp(ast.Not(), test)
            yield f"{ast.unparse(test)}: negated", changed(node, test=negated)
        case ast.BoolOp(op=op, values=values):
            other = OPPOSITES[type(op)]
            yield f"{text}: {other.__name__}", changed(node, op=other())
            for place in range(len(values)):
                rest = [*values[:place], *values[place + 1 :]]
                left = changed(node, values=rest) if len(rest) > 1 else rest[0]
                yield f"{text}: without term {place + 1}", left
        case ast.Compare(ops=[op, *more]) if type(op) in OPPOSITES:
            other = OPPOSITES[type(op)]
            yield f"{text}: {other.__name__}", changed(node, ops=[other(), *more])
        case ast.Attribute(attr=name, ctx=ast.Load()):
            for sibling in siblings()[name]:
                yield f"{text}: {sibling}", changed(node, attr=sibling)
        case ast.Call(func=ast.Name(id="min" | "max" as name)):
            other_name = "max" if name == "min" else "min"
            yield f"{text}: {other_name}", changed(node, func=ast.Name(other_name, ast.Load()))


def _statements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """A statement left out; two neighbours swapped."""
    match node:
        case ast.Expr(value=ast.Call()) | ast.Return(value=None):
            yield f"{ast.unparse(node)}: left out", ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield f"{ast.unparse(node)}: left out", ast.Pass()
        case _ if isinstance(node, LEFT_OUT):
            yield f"{ast.unparse(node)}: left out", ast.Pass()
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(node, ast.Module | ast.ClassDef) or not isinstance(body, list):
            continue
        for place, (one, other) in enumerate(pairwise(body)):
            if any(isinstance(it, COMPOUND) or _is_text(it) for it in (one, other)):
                continue
            if _strangers(one, other):
                continue
            swapped = [*body[:place], other, one, *body[place + 2 :]]
            first = ast.unparse(one).splitlines()[0]
            yield f"{first}: after what follows", changed(node, **{field: swapped})


def _strangers(one: ast.stmt, other: ast.stmt) -> bool:
    """Two assignments that have nothing to do with each other."""
    if not all(isinstance(each, ast.Assign | ast.AnnAssign) for each in (one, other)):
        return False
    sets, uses = zip(*map(_names, (one, other)), strict=True)
    calls = [
        any(
            isinstance(node, ast.Call) and ast.unparse(node.func) != "len"
            for node in ast.walk(each)
        )
        for each in (one, other)
    ]
    return not all(calls) and sets[0].isdisjoint(sets[1] | uses[1]) and sets[1].isdisjoint(uses[0])


def _names(node: ast.stmt) -> tuple[set[str], set[str]]:
    """The names and fields that it sets, and that it uses."""
    sets: set[str] = set()
    uses: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, ast.Name | ast.Attribute):
            (sets if isinstance(each.ctx, ast.Store) else uses).add(ast.unparse(each))
    return sets, uses


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


@cache
def siblings() -> defaultdict[str, tuple[str, ...]]:
    """By field, the next field of the same record that has the same type."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for path in sorted(
        [*(ROOT / "hardware").glob("*.py"), *(ROOT / "verified_alloc").rglob("*.py")]
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                fields = [
                    (each.target.id, ast.unparse(each.annotation))
                    for each in node.body
                    if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
                ]
                for place, (name, kind) in enumerate(fields):
                    around = [*fields[place + 1 :], *fields[:place]]
                    alike = [other for other, its in around if its == kind][:1]
                    found[name] = tuple(dict.fromkeys((*found[name], *alike)))
    return found
