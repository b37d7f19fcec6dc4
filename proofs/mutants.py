"""Breaks the kernel on purpose, line by line, to see that some obligation turns red.

Each mutant is one small change of one kernel file: a comparison, a constant, an operator, an arm or
a term. It is loaded in a process of its own, in place of the file, and the obligations run on it,
fastest first, until one is red. A mutant that survives is either on the reviewed list `EQUIVALENT`,
with the reason, or shows a gap in the proofs.
"""

import ast
import copy
import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from multiprocessing import get_context
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from verified_alloc.station import Station

PACKAGE = "verified_alloc.kernel"
WALL_S = 120.0
"""A mutant that is not judged by then makes the proofs run wild, which is red as well."""

EQUIVALENT: dict[str, str] = {
    "diagnosis.locked: 0 becomes -1": "all rows of a matrix are of one length",
    "diagnosis.restarted: False becomes True": (
        "it says for which latch the mismatch was counted, and that count is 0 either way"
    ),
    "diagnosis.tally: 0 becomes -1": "what has worn to 0 is 0 in both arms",
    "diagnosis.tally: worn > 0: GtE": "what has worn to 0 is 0 in both arms",
    "guard.judge: fits(ops, row, delivered, demand, maximum, module_power_w): arguments 4, 5": (
        "delivered is at most the demand and at most the maximum: no matter which comes first"
    ),
    "guard.powers: 0 becomes 1 #2": "not looked at until a module held has set it",
    "guard.powers: 0 becomes -1 #2": "not looked at until a module held has set it",
    "guard.sorted_order: a < b: LtE": "an order that names a gun twice is refused already",
    "invariants.granted: 0 becomes -1": "what is 0 is 0 in both arms",
    "invariants.granted: wanted_w > 0: GtE": "what is 0 is 0 in both arms",
    "invariants.lowest_number_first: range(len(held[gun])): from 1": (
        "below the first module there is none"
    ),
    "rule.documented: 0 becomes 1": "what each gun is given is set in its turn",
    "rule.documented: 0 becomes -1": "what each gun is given is set in its turn",
    "rule.documented: False becomes True": "every gun looks at every module, which sets it",
    "rule.least: a < b: LtE": "of two equal numbers it does not matter which",
    "rule.most: a > b: GtE": "of two equal numbers it does not matter which",
    "switching.step: ops.and_(wants, latch, settled_ms >= timing.contactor_operate_ms): without"
    " term 1": "enabling also takes on_gun, where the wanted contactor's latch alone is on",
    "switching.step: ops.and_(wants, latch, settled_ms >= timing.contactor_operate_ms): without"
    " term 2": "enabling also takes on_gun, where the wanted contactor's latch is on",
    "wiring.contactor: place.bit > PINS_PER_PORT: GtE": "bit 7 (GPA7) is no contactor's place",
}
"""Mutants that change nothing that matters, by name, with the reason."""


class Mutant(NamedTuple):
    """One change of one file."""

    file: str
    within: str
    """The function, or the name of the constant."""
    what: str
    turn: int
    """Which of the same changes in this place it is."""
    source: str

    @property
    def name(self) -> str:
        """`rule.take: grant_w > reached_w: GtE`; the second such one ends in `#2`."""
        turn = f" #{self.turn}" if self.turn > 1 else ""
        return f"{self.file}.{self.within}: {self.what}{turn}"


class Fate(NamedTuple):
    """What became of a mutant."""

    mutant: Mutant
    killed_by: str
    """The obligation that turned red; empty if none did."""
    seconds: float


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


SYMMETRIC = ("least", "most", "same", "agree", "staying")
"""Functions whose arguments may be swapped, by their text."""


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """All small changes of this one node: what changed, and the node as it is then."""
    if isinstance(node, ast.Compare):
        for other in COMPARISONS.get(type(node.ops[0]), ()):
            yield f"{_text(node)}: {other.__name__}", _with(node, ops=[other(), *node.ops[1:]])
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        operator = OPERATORS[type(node.op)]
        yield f"{_text(node)}: {operator.__name__}", _with(node, op=operator())
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield f"{node.value} becomes {not node.value}", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        for value in (node.value + 1, node.value - 1):
            yield f"{node.value} becomes {value}", ast.Constant(value)
    elif isinstance(node, ast.IfExp):
        yield f"{_text(node)}: arms", _with(node, body=node.orelse, orelse=node.body)
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
        yield f"{_text(node)}: {other}", _with(node, func=function)
        for place in range(len(node.args)):
            if len(node.args) > 1 or isinstance(node.args[place], ast.Starred):
                rest = [*node.args[:place], *node.args[place + 1 :]]
                yield f"{_text(node)}: without term {place + 1}", _with(node, args=rest)
    elif called in ("all", "any"):
        other = "any" if called == "all" else "all"
        yield f"{_text(node)}: {other}", _with(node, func=ast.Name(other, ast.Load()))
    elif called == "ops.not_":
        yield f"{_text(node)}: without not", node.args[0]
    elif called == "ops.ite":
        condition, then, otherwise = node.args
        yield f"{_text(node)}: arms", _with(node, args=[condition, otherwise, then])
        yield f"{_text(node)}: always the first", then
        yield f"{_text(node)}: always the second", otherwise
    elif called == "range" and len(node.args) == 1:
        shorter = ast.BinOp(node.args[0], ast.Sub(), ast.Constant(1))
        yield f"{_text(node)}: one less", _with(node, args=[shorter])
        yield f"{_text(node)}: from 1", _with(node, args=[ast.Constant(1), node.args[0]])
    elif node.args and _text(node.args[0]) == "ops" and called not in SYMMETRIC:
        for place in range(1, len(node.args) - 1):
            args = list(node.args)
            args[place], args[place + 1] = args[place + 1], args[place]
            if not any(isinstance(arg, ast.Starred) for arg in args[place : place + 2]):
                yield f"{_text(node)}: arguments {place + 1}, {place + 2}", _with(node, args=args)


def _with(node: ast.AST, **fields: Any) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _text(node: ast.AST) -> str:
    return ast.unparse(node)


def mutants(file: str) -> list[Mutant]:
    """All mutants of one kernel file."""
    tree = ast.parse((folder() / f"{file}.py").read_text(encoding="utf-8"))
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
        for what, changed in changes(node):
            put(changed)
            source = ast.unparse(ast.fix_missing_locations(tree))
            put(node)
            before = sum(other.within == within and other.what == what for other in found)
            found.append(Mutant(file, within, what, before + 1, source))
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


class _Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads a mutant in place of its file."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name != f"{PACKAGE}.{self.mutant.file}":
            return None
        return importlib.util.spec_from_loader(name, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.source, f"<mutant {self.mutant.name}>", "exec"), module.__dict__)


def _judge(mutant: Mutant, order: Sequence[str], pipe: Any) -> None:
    """In a process of its own: the first obligation that is red."""
    sys.meta_path.insert(0, _Instead(mutant))
    for name in [name for name in sys.modules if name.startswith(("proofs", "verified_alloc"))]:
        if name not in ("proofs", "verified_alloc", __name__):
            del sys.modules[name]
    try:
        from proofs import manifest, prove
        from verified_alloc.station import Station as Again

        station = Again.reference()
        there = manifest.obligations()
        for name in order:
            if prove.check(there[name], station).state == prove.RED:
                pipe.send(name)
                return
        pipe.send("")
    except Exception as error:
        pipe.send(f"loading: {type(error).__name__}")


def fate(mutant: Mutant, order: Sequence[str]) -> Fate:
    """What becomes of this mutant, with the obligations in this order."""
    started_s = time.perf_counter()
    # Forked from a process that has loaded the solver and done nothing with it.
    context = get_context("forkserver")
    context.set_forkserver_preload(["z3", "pydantic"])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_judge, args=(mutant, list(order), sender), daemon=True)
    process.start()
    sender.close()
    killed_by = "time"
    if receiver.poll(WALL_S):
        try:
            killed_by = receiver.recv()
        except EOFError:
            killed_by = "crash"
    process.kill()
    process.join()
    return Fate(mutant, killed_by, time.perf_counter() - started_s)


def fastest_first(file: str) -> list[str]:
    """The obligations about functions of that file, fastest first, then those about the files that
    build on it."""
    from proofs import manifest, prove

    station = Station.reference()
    there = manifest.obligations()
    chosen = [name for name in manifest.ids() if _about([file], there[name].proves)]
    results = [prove.check(there[name], station) for name in chosen]
    timed = sorted((result.seconds, result.id) for result in results if result.state == prove.GREEN)
    above = [name for name in manifest.ids() if _about(users(file), there[name].proves)]
    return [*(name for _, name in timed), *(name for name in above if name not in chosen)]


def users(file: str) -> list[str]:
    """The kernel's files that import from that file."""
    wanted = f"{PACKAGE}.{file}"
    return [
        other
        for other in files()
        for node in ast.parse((folder() / f"{other}.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        and (node.module == wanted or file in [name.name for name in node.names])
    ]


def _about(names: Sequence[str], functions: Sequence[str]) -> bool:
    files_proved = {function.split(".")[0] for function in functions}
    return "ops" in names or not files_proved.isdisjoint(names)


def hunt(
    names: Sequence[str], jobs: int | None, watch: Callable[[Fate, int], None]
) -> Iterator[Fate]:
    """All mutants of these kernel files, each with its fate."""
    for file in names:
        order = fastest_first(file)
        all_of_it = mutants(file)
        with ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
            for found in pool.map(fate, all_of_it, [order] * len(all_of_it)):
                watch(found, len(all_of_it))
                yield found


def main() -> int:
    """`python -m proofs.mutants [FILE ...]`: the score by file, and all survivors."""
    names = sys.argv[1:] or files()
    gaps = 0
    for file in names:
        fates = list(hunt([file], None, lambda found, total: None))
        survivors = [found for found in fates if not found.killed_by]
        argued = [found for found in survivors if found.mutant.name in EQUIVALENT]
        gaps += len(survivors) - len(argued)
        print(
            f"{file}: {len(fates)} mutants, {len(fates) - len(survivors)} killed,"
            f" {len(argued)} argued equivalent, {len(survivors) - len(argued)} survive,"
            f" {sum(found.seconds for found in fates):.0f} s",
            flush=True,
        )
        for found in survivors:
            reason = EQUIVALENT.get(found.mutant.name, "SURVIVES")
            print(f"  {found.mutant.name}: {reason}", flush=True)
    return int(gaps > 0)


if __name__ == "__main__":
    sys.exit(main())
