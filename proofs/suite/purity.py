"""The lint of the kernel: Python may look at the shape of the station, never at a value.

A theorem speaks of all values because the kernel's bytecode never asks what a value is. Terms alone
do not enforce that (`in`, for one, takes for equal what was built alike), and a run on terms sees
only what it reaches. So every function is checked as text, whoever calls it: each expression gets a
kind from the annotations, and what would look at a value is a fault.

    Shape, range, len(...), constants     plain: Python may branch on it, index with it, compare it
    int, bool, whatever is not known      a value: for `ops`, `+ - < <= > >=`, and to be handed on
    Sequence, tuple, NamedTuple           as its parts are; how many there are is plain

What is not named here is a fault: a construct, a function, a method. Calls are judged by the
signature of what they call, which is held to its word in its own place. A list is changed only
under the name that it was made with, so no other name hides what it holds.
"""

import ast
import builtins
import inspect
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

from proofs.suite.mutants import PACKAGE, folder
from verified_alloc.kernel import ops as algebra

ALGEBRA_FILE = "ops.py"
"""The algebra on plain ints and bools is what a branch is made of."""
IMPORTS = ("collections.abc", "typing", "itertools")


@dataclass(frozen=True)
class Plain:
    """Known before any value is."""


@dataclass(frozen=True)
class Value:
    """A number or a bit of the algebra, or what may be anything."""


@dataclass(frozen=True)
class Many:
    """A list; how long it is, is plain."""

    of: Any


@dataclass(frozen=True)
class Each:
    """A tuple of these."""

    each: tuple[Any, ...]


@dataclass(frozen=True)
class Record:
    """A NamedTuple of the kernel."""

    type: Any


@dataclass(frozen=True)
class Algebra:
    """`ops`."""


@dataclass(frozen=True)
class Known:
    """A function, class or module that the file names."""

    object: Any


PLAIN, VALUE, ALGEBRA = Plain(), Value(), Algebra()

COMPARED = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
PLAIN_ONLY = frozenset((abs, all, any, bool, divmod, int, max, min, range, set, sorted))
"""May be called where no value is near."""
LOOPS: dict[Any, Callable[[list[Any]], Any]] = {
    enumerate: lambda items: Each((PLAIN, items[0])),
    list: lambda items: items[0],
    pairwise: lambda items: Each((items[0], items[0])),
    reversed: lambda items: items[0],
    tuple: lambda items: items[0],
    zip: lambda items: Each(tuple(items)),
}
"""May be called with lists; what an item of the result is, by the items of the arguments."""


def declared(hint: Any) -> Any:
    """The kind that an annotation declares."""
    origin, args = get_origin(hint), get_args(hint)
    if hint == algebra.Shape or hint in (None, types.NoneType, str, range):
        return PLAIN
    if hint is algebra.Ops:
        return ALGEBRA
    if hasattr(hint, "_fields"):
        return Record(hint)
    if origin is Annotated:
        return declared(args[0])
    if origin in (Union, types.UnionType):
        return joined(map(declared, args))
    if origin is tuple and args[-1] is not ...:
        return Each(tuple(map(declared, args)))
    if origin is not None and isinstance(origin, type) and issubclass(origin, Sequence):
        return Many(declared(args[0]))
    return VALUE


def fields(record: Any) -> dict[str, Any]:
    """The kind of each field of a NamedTuple."""
    hints = get_type_hints(record, include_extras=True)
    return {name: declared(hints[name]) for name in record._fields}


def parts(kind: Any) -> tuple[Any, ...]:
    """The kinds of what it holds."""
    match kind:
        case Many(of=of):
            return (of,)
        case Each(each=each):
            return each
        case Record(type=record):
            return tuple(fields(record).values())
    return ()


def plain(kind: Any) -> bool:
    """There is no value in it."""
    return kind == PLAIN or (bool(parts(kind)) and all(map(plain, parts(kind))))


def joined(kinds: Iterable[Any]) -> Any:
    """What may be any of these."""
    result: Any = PLAIN
    for kind in kinds:
        result = _join(result, kind)
    return result


def _join(one: Any, other: Any) -> Any:
    if one in (PLAIN, other):
        return other
    if other == PLAIN:
        return one
    match one, other:
        case Each(each=ones), Each(each=others) if len(ones) == len(others):
            return Each(tuple(map(_join, ones, others)))
        case ((Many() | Each()), (Many() | Each())):
            return Many(joined((*parts(one), *parts(other))))
    return VALUE


def fits(kind: Any, wanted: Any) -> bool:
    """Nothing that may be a value comes where shape is declared."""
    if kind == wanted or wanted == VALUE or plain(kind):
        return True
    match kind, wanted:
        case ((Many() | Each()), Many(of=of)):
            return all(fits(part, of) for part in parts(kind))
        case Each(each=kinds), Each(each=all_wanted) if len(kinds) == len(all_wanted):
            return all(map(fits, kinds, all_wanted))
    return bool(parts(wanted)) and all(fits(VALUE, part) for part in parts(wanted))


class _Function:
    """One function under the lint."""

    def __init__(self, tree: ast.FunctionDef, names: Mapping[str, Any]) -> None:
        self.tree, self.names = tree, names
        hints = get_type_hints(names[tree.name], include_extras=True)
        self.returns = declared(hints.get("return"))
        self.local = {each.arg: declared(hints.get(each.arg)) for each in tree.args.args}
        self.local |= {name: VALUE for name in self.local if name not in hints}
        self.made: dict[str, list[ast.expr | None]] = {name: [None] for name in self.local}
        """What each name stands for, as it is written; None where it is not."""
        self.filled: dict[str, set[int]] = {}
        """How many lists deep what has that name is changed."""
        self.found: set[tuple[int, str]] = set()

    def faults(self) -> list[tuple[int, str]]:
        """A line, and what is wrong there."""
        before: dict[str, Any] = {}
        while before != self.local:
            before = dict(self.local)
            self.found.clear()
            self.body(self.tree.body)
        for name, depths in self.filled.items():
            if len(depths) > 1 or not all(_made_here(it, *depths) for it in self.made[name]):
                self.fault(self.tree, f"changes a list that may have another name than {name}")
        arguments = self.tree.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.posonlyargs:
            self.fault(self.tree, "arguments with a star or a stroke")
        return sorted(self.found)

    def fault(self, node: ast.AST, what: str) -> Any:
        self.found.add((getattr(node, "lineno", self.tree.lineno), what))
        return VALUE

    def only_plain(self, node: ast.AST, what: str, *kinds: Any) -> Any:
        return PLAIN if all(map(plain, kinds)) else self.fault(node, f"{what} a value")

    # Statements.

    def body(self, statements: Sequence[ast.stmt]) -> None:
        for each in statements:
            self.statement(each)

    def statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Return(value=ast.expr() as value):
                if not fits(self.kind(value), self.returns):
                    self.fault(node, "returns a value as shape")
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self.bind(target, self.kind(value), value)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self.bind(target, self.kind(value), value)
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                sum_ = ast.BinOp(ast.copy_location(ast.Name(name), node), op, value)
                kind = self.kind(ast.copy_location(sum_, node))
                if parts(kind):
                    self.fault(node, "changes a list in place")
                self.bind(target, kind, None)
            case ast.For(target=target, iter=over, body=body, orelse=[]):
                self.bind(target, self.item(over, self.kind(over)), None)
                self.body(body)
            case ast.If(test=test, body=body, orelse=orelse):
                self.only_plain(node, "if on", self.kind(test))
                self.body(body)
                self.body(orelse)
            case ast.Expr(value=value):
                self.kind(value)
            case _:
                self.fault(node, _name(node))

    def bind(self, target: ast.expr, kind: Any, value: ast.expr | None) -> None:
        """The target is, beside what else it is, that."""
        match target:
            case ast.Name(id=name):
                self.local[name] = joined((self.local.get(name, PLAIN), kind))
                self.made.setdefault(name, []).append(value)
            case ast.Tuple(elts=targets):
                whole = isinstance(kind, Each | Record) and len(parts(kind)) == len(targets)
                kinds = parts(kind) if whole else [self.item(target, kind)] * len(targets)
                written = value.elts if isinstance(value, ast.Tuple) else [None] * len(targets)
                for each, one, it in zip(targets, kinds, written, strict=True):
                    self.bind(each, one, it)
            case ast.Subscript():
                depth, root = 0, cast(ast.expr, target)
                while isinstance(root, ast.Subscript):
                    self.only_plain(target, "an index by", self.kind(root.slice))
                    kind, depth, root = Many(kind), depth + 1, root.value
                self.fill(root, kind, depth)
            case _:
                self.fault(target, f"assigns to {_name(target)}")

    def fill(self, root: ast.expr, kind: Any, depth: int) -> None:
        """Something is put into a list."""
        if not isinstance(root, ast.Name) or root.id not in self.local:
            self.fault(root, "changes a list that has no name here")
            return
        self.filled.setdefault(root.id, set()).add(depth)
        self.local[root.id] = joined((self.local[root.id], kind))

    # Expressions.

    def kind(self, node: ast.expr) -> Any:
        """What the expression gives."""
        match node:
            case ast.Constant():
                return PLAIN
            case ast.Name(id=name):
                return self.local[name] if name in self.local else self.known(name)
            case ast.Attribute(value=value, attr=name):
                return self.attribute(node, self.kind(value), name)
            case ast.BinOp(left=left, op=op, right=right):
                return self.operation(node, op, self.kind(left), self.kind(right))
            case ast.UnaryOp(op=op, operand=operand):
                return self.only_plain(node, f"{_name(op)} of", self.kind(operand))
            case ast.BoolOp(op=op, values=values):
                return self.only_plain(node, f"{_name(op)} of", *map(self.kind, values))
            case ast.Compare():
                return self.comparison(node)
            case ast.IfExp(test=test, body=one, orelse=other):
                self.only_plain(node, "a choice by", self.kind(test))
                return joined((self.kind(one), self.kind(other)))
            case ast.Subscript(value=value, slice=index):
                return self.element(node, self.kind(value), index)
            case ast.Slice(lower=lower, upper=upper, step=step):
                ends = [self.kind(end) for end in (lower, upper, step) if end]
                return self.only_plain(node, "a slice by", *ends)
            case ast.Tuple(elts=elements) if not _starred(elements):
                return Each(tuple(map(self.kind, elements)))
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return Many(joined(map(self.kind, elements)))
            case ast.Set(elts=elements):
                return self.only_plain(node, "a set of", *map(self.kind, elements))
            case ast.Starred(value=value):
                return self.item(node, self.kind(value))
            case ast.ListComp(elt=element, generators=loops):
                return Many(self.comprehended(element, loops))
            case ast.GeneratorExp(elt=element, generators=loops):
                return Many(self.comprehended(element, loops))
            case ast.SetComp(elt=element, generators=loops):
                return self.only_plain(node, "a set of", self.comprehended(element, loops))
            case ast.Call():
                return self.call(node)
        return self.fault(node, _name(node))

    def known(self, name: str) -> Any:
        found = self.names.get(name, getattr(builtins, name, None))
        return PLAIN if found is None or isinstance(found, int | str) else Known(found)

    def attribute(self, node: ast.expr, of: Any, name: str) -> Any:
        match of:
            case Record(type=record) if name in record._fields:
                return fields(record)[name]
            case Algebra() if name in vars(algebra.Ops):
                return Known(getattr(algebra, name))
            case Known(object=types.ModuleType(__name__=module) as it) if _ours(module):
                found = getattr(it, name, None)
                return PLAIN if isinstance(found, int | str) else Known(found)
        return self.fault(node, f"looks for {name} in a value")

    def item(self, node: ast.AST, kind: Any) -> Any:
        """What a loop over it goes through."""
        if kind == PLAIN:
            return PLAIN
        return joined(parts(kind)) if parts(kind) else self.fault(node, "a loop over a value")

    def operation(self, node: ast.expr, op: ast.operator, one: Any, other: Any) -> Any:
        if plain(one) and plain(other):
            return joined((one, other))
        match op:
            case ast.Add() | ast.Sub() if not parts(one) and not parts(other):
                return VALUE
            case ast.Add() if parts(one) and parts(other):
                return joined((one, other))
            case ast.Mult() if parts(one) and plain(other):
                return one
        return self.fault(node, f"{_name(op)} of a value")

    def comparison(self, node: ast.Compare) -> Any:
        kinds = [self.kind(side) for side in (node.left, *node.comparators)]
        if all(map(plain, kinds)):
            return PLAIN
        match node.ops, node.comparators:
            case [ast.Is() | ast.IsNot()], [ast.Constant(value=None)] if parts(kinds[0]):
                return PLAIN  # whether there is such a list is shape
            case [op], _ if isinstance(op, COMPARED) and not any(map(parts, kinds)):
                return VALUE
        return self.fault(node, f"{_name(node.ops[0])} of a value")

    def element(self, node: ast.expr, of: Any, index: ast.expr) -> Any:
        self.only_plain(node, "an index by", self.kind(index))
        match of, index:
            case _, ast.Slice():
                return Many(self.item(node, of))
            case Each(each=each), ast.Constant(value=int(place)) if place < len(each):
                return each[place]
        return self.item(node, of)

    def comprehended(self, element: ast.expr, loops: Sequence[ast.comprehension]) -> Any:
        """An item of a comprehension; its names are its own."""
        own = {
            name.id
            for loop in loops
            for name in ast.walk(loop.target)
            if isinstance(name, ast.Name)
        }
        outside = {name: self.local.pop(name) for name in own & set(self.local)}
        for loop in loops:
            self.bind(loop.target, self.item(loop.iter, self.kind(loop.iter)), None)
            for test in loop.ifs:
                self.only_plain(test, "a condition on", self.kind(test))
        kind = self.kind(element)
        for name in own:
            self.local.pop(name, None)
        self.local |= outside
        return kind

    # Calls.

    def call(self, node: ast.Call) -> Any:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="append"), args=[it], keywords=[]):
                self.fill(value, Many(self.kind(it)), 1)
                return PLAIN
            case ast.Call(func=ast.Attribute(value=value, attr="_replace"), args=[]):
                of = self.kind(value)
                if isinstance(of, Record):
                    self.hand(node, [], fields(of.type))
                    return of
        match self.kind(node.func):
            case Known(object=called):
                return self.result(node, called)
        return self.fault(node, "calls a value")

    def result(self, node: ast.Call, called: Any) -> Any:
        """What calling that gives."""
        if hasattr(called, "_fields"):
            self.hand(node, self.positional(node, len(called._fields)), fields(called))
            return Record(called)
        if inspect.isfunction(called) and called.__module__ == algebra.__name__:
            if any(map(parts, self.all_of(node))):
                self.fault(node, "a list for the algebra")
            return VALUE
        if inspect.isfunction(called) and _ours(called.__module__):
            count = len(inspect.signature(called).parameters)
            return self.returned(node, self.positional(node, count), called)
        if called is len:
            (of,) = self.all_of(node)
            return PLAIN if parts(of) else self.only_plain(node, "len() of", of)
        if called is map:
            function, *over = map(self.kind, node.args)
            through = [self.item(node, kind) for kind in over]
            if isinstance(function, Known) and _ours(function.object.__module__):
                return Many(self.returned(node, through, function.object))
        if called in PLAIN_ONLY:
            return self.only_plain(node, f"{called.__name__}() of", *self.all_of(node))
        if called in LOOPS:
            through = [self.item(node, kind) for kind in self.all_of(node)]
            if _starred(node.args):
                return Many(Many(joined(through)))
            return PLAIN if all(map(plain, through)) else Many(LOOPS[called](through))
        return self.fault(node, f"calls {ast.unparse(node.func)}")

    def returned(self, node: ast.Call, kinds: Sequence[Any], called: Any) -> Any:
        """What a function of the kernel gives, by its signature."""
        hints = get_type_hints(called, include_extras=True)
        names = inspect.signature(called).parameters
        self.hand(node, kinds, {name: declared(hints[name]) for name in names})
        return declared(hints["return"])

    def hand(self, node: ast.Call, kinds: Sequence[Any], wanted: Mapping[str, Any]) -> None:
        """These, and the keywords, go where that is wanted."""
        named = {str(each.arg): self.kind(each.value) for each in node.keywords}
        for name, kind in {**dict(zip(wanted, kinds, strict=False)), **named}.items():
            if not fits(kind, wanted.get(name, PLAIN)):
                self.fault(node, f"a value as {name}, which is shape")

    def positional(self, node: ast.Call, count: int) -> list[Any]:
        """What is handed on by place, at most so many."""
        kinds: list[Any] = []
        for each in node.args:
            match each:
                case ast.Starred(value=value):
                    whole = self.kind(value)
                    exact = isinstance(whole, Each | Record)
                    rest = count - len(kinds)
                    kinds += parts(whole) if exact else [self.item(each, whole)] * rest
                case _:
                    kinds.append(self.kind(each))
        return kinds

    def all_of(self, node: ast.Call) -> list[Any]:
        """What is handed on; with a star, item by item. `strict` only guards against lists of
        unequal length."""
        words = [word.value for word in node.keywords if word.arg != "strict"]
        return [self.kind(each) for each in (*node.args, *words)]


def _starred(elements: Sequence[ast.expr]) -> bool:
    return any(isinstance(each, ast.Starred) for each in elements)


def _made_here(node: ast.expr | None, depth: int) -> bool:
    """It is written as a new list, with new lists in it, so many deep."""
    match node:
        case _ if depth == 0:
            return True
        case ast.List(elts=elements):
            return all(_made_here(each, depth - 1) for each in elements)
        case ast.ListComp(elt=element):
            return _made_here(element, depth - 1)
        case ast.BinOp(left=left, op=ast.Mult()):
            return _made_here(left, depth)
    return False


def _ours(module: str) -> bool:
    return f"{module}.".startswith(f"{PACKAGE}.")


def _name(node: ast.AST) -> str:
    return type(node).__name__


def faults_in(source: str, file: str) -> Iterator[tuple[int, str]]:
    """The faults of one file of the kernel, given as text: a line, and what is wrong there."""
    tree = ast.parse(source)
    foreign = list(_foreign(tree))
    yield from foreign
    if foreign or file == ALGEBRA_FILE:
        return
    names: dict[str, Any] = {"__name__": f"{PACKAGE}.{Path(file).stem}"}
    exec(compile(source, file, "exec"), names)
    for node in tree.body:
        match node:
            case ast.FunctionDef():
                yield from _Function(node, names).faults()
            case ast.ClassDef(name=name, body=body):
                data = ast.AnnAssign | ast.Expr
                if not hasattr(names[name], "_fields") or not all(
                    isinstance(b, data) for b in body
                ):
                    yield node.lineno, "a class that is no NamedTuple, or that does something"
            case ast.Assign() | ast.AnnAssign() | ast.Import() | ast.ImportFrom() | ast.Expr():
                pass
            case _:
                yield node.lineno, f"{_name(node)} outside a function"


def _foreign(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What brings in what is not the kernel's."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=module):
                names = [module or ""]
            case ast.Import(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.FunctionDef(decorator_list=[_, *_]):
                yield node.lineno, "a decorator"
                continue
            case _:
                continue
        for name in names:
            if not (_ours(name) or name in IMPORTS):
                yield node.lineno, f"imports {name}"


def faults() -> list[tuple[str, str]]:
    """All faults of the kernel: file and line, and what is wrong there."""
    return [
        (f"kernel/{path.name}:{line}", what)
        for path in sorted(folder().glob("*.py"))
        for line, what in faults_in(path.read_text(encoding="utf-8"), path.name)
    ]
