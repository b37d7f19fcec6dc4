"""Mutants that change nothing: shown by the solver where the function alone shows it, else argued.

A mutant is shown equivalent when the changed function gives what the shipped one gives on all
inputs, for nine guns and modules. What is left on the list `ARGUED` changes a function, but nothing
that matters.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, get_args, get_origin, get_type_hints

import z3

from proofs import solver
from proofs.algebras import z3_terms
from proofs.obligation import PROVED, Claim
from proofs.suite.mutants import PACKAGE, Mutant, folder

Run = Callable[[dict[str, Any]], Any]

SIZE = 9
BUDGET = 3_000_000

ARGUED: dict[str, str] = {
    "deadline.next_change_ms: 1 becomes 0 #3": "the first wait is compared with itself as well",
    "diagnosis.restarted: False becomes True": (
        "it says for which latch the mismatch was counted, and that count is 0 either way"
    ),
    "guard.powers: 0 becomes 1 #2": "not looked at until a module held has set it",
    "guard.powers: 0 becomes -1 #2": "not looked at until a module held has set it",
    "dwell.claims: False becomes True": "a held gun looks at every module, which sets it",
    "dwell.claims: rule.least(ops, wanted_w, held_w): arguments 2, 3": "the smaller of two",
    "dwell.claims: rule.take(ops, grant_w, reached_w, module_power_w[module],"
    " ops.and_(free[module], ops.not_(staying[module])), usable[module]): arguments 5, 6": (
        "what is taken is free and usable; whether it is free then, nobody asks"
    ),
    "rule.documented: 0 becomes 1": "what each gun is given is set in its turn",
    "rule.documented: 0 becomes -1": "what each gun is given is set in its turn",
    "rule.documented: False becomes True": "every gun looks at every module, which sets it",
    "scan._contacts: ops.or_(*[observed.coils_doubted[at] for at in place]): and_": (
        "a place is one or none, and what does not exist counts as read: nobody asks for doubt"
    ),
}
"""By name, with the reason. At most 3 % of all mutants may be here."""

ORDERS: Sequence[Sequence[int]] = (
    range(SIZE),
    range(SIZE - 1, -1, -1),
    (4, 2, 7, 0, 8, 1, 6, 3, 5),
    (4, 2, 4, 0, 8, 1, 6, 3, 5),
)
"""What stands for an order of the guns: it is the text of a loop, not a value that is compared. The
last one names a gun twice."""


SWAPPED = re.compile(r"(?P<called>\w+)\(.*\): arguments (?P<one>\d+), (?P<other>\d+)")


def shown(mutant: Mutant) -> bool:
    """The changed function is the shipped one, for all inputs; or it is called with two arguments
    swapped that make no difference to what it calls."""
    shipped = _functions((folder() / f"{mutant.file}.py").read_text("utf-8"), mutant.file)
    swap = SWAPPED.fullmatch(mutant.what)
    if swap and _symmetric(shipped.get(swap["called"]), int(swap["one"]), int(swap["other"])):
        return True
    changed = _functions(mutant.source, mutant.file)
    one: Any = shipped.get(mutant.within)
    other: Any = changed.get(mutant.within)
    return _gives_the_same(one, lambda inputs: one(**inputs), lambda inputs: other(**inputs))


def _symmetric(function: Any, one: int, other: int) -> bool:
    """These arguments, counted from 1, may change places."""

    def swapped(inputs: dict[str, Any]) -> Any:
        values = list(inputs.values())
        values[one - 1], values[other - 1] = values[other - 1], values[one - 1]
        return function(*values)

    return _gives_the_same(function, lambda inputs: function(**inputs), swapped)


def _gives_the_same(function: Any, one: Run, other: Run) -> bool:
    """Both give the same on all inputs of that function."""
    try:
        same = [
            _equal(*pair)
            for inputs in _inputs(function)
            for pair in zip(_flat(one(inputs)), _flat(other(inputs)), strict=True)
        ]
    except Exception:  # whatever cannot be run on terms is not shown
        return False
    return solver.decide(Claim((), z3.And(*same)), BUDGET).answer == PROVED


def _functions(source: str, file: str) -> dict[str, Any]:
    """What a file defines, apart from the modules that are loaded."""
    names: dict[str, Any] = {"__name__": f"{PACKAGE}.{file}"}
    exec(compile(source, f"<{file}>", "exec"), names)
    return names


def _inputs(function: Any) -> Iterator[dict[str, Any]]:
    """Free inputs by the function's annotations; one set for each order."""
    hints = get_type_hints(function)
    names = list(inspect.signature(function).parameters)
    choices = [
        ORDERS if name == "order" else [None] if name == "looks_at" else [_free(name, hints[name])]
        for name in names
    ]
    for values in product(*choices):
        yield dict(zip(names, values, strict=True))


def _free(name: str, kind: Any) -> Any:
    if name == "ops":
        return z3_terms
    if kind is bool:
        return z3.Bool(name)
    if kind is int:
        return z3.Int(name)
    if get_origin(kind) is not None:
        (of,) = get_args(kind)
        return [_free(f"{name} {place}", of) for place in range(SIZE)]
    fields = get_type_hints(kind)
    return kind(*[_free(f"{name} {field}", fields[field]) for field in kind._fields])


def _flat(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [len(value), *(part for each in value for part in _flat(each))]
    return [value]


def _equal(a: Any, b: Any) -> Any:
    if z3_terms.same(a, b):
        return True
    return solver.term(a) == solver.term(b)
