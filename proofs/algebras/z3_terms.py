"""The algebra on Z3 terms: the kernel's own functions, run on it, build the theorems.

Plain ints and bools may be mixed in; what is constant stays constant.
"""

from collections.abc import Iterable
from typing import Any

import z3


def ite(condition: Any, then: Any, otherwise: Any) -> Any:
    """`then` where the condition holds, `otherwise` elsewhere."""
    if isinstance(condition, bool):
        return then if condition else otherwise
    if same(then, otherwise):
        return then
    if isinstance(then, Whatever) or isinstance(otherwise, Whatever):
        return Whatever()
    return z3.If(condition, then, otherwise)


def and_(*bits: Any) -> Any:
    """All of them (none: true)."""
    if any(bit is False for bit in bits):
        return False
    terms = [bit for bit in bits if bit is not True]
    if not terms:
        return True
    return terms[0] if len(terms) == 1 else z3.And(*terms)


def or_(*bits: Any) -> Any:
    """Any of them (none: false)."""
    if any(bit is True for bit in bits):
        return True
    terms = [bit for bit in bits if bit is not False]
    if not terms:
        return False
    return terms[0] if len(terms) == 1 else z3.Or(*terms)


def not_(bit: Any) -> Any:
    """The opposite."""
    return not bit if isinstance(bit, bool) else z3.Not(bit)


def same(a: Any, b: Any) -> bool:
    """The two are one and the same term or constant (not: equal for all values)."""
    if z3.is_expr(a) and z3.is_expr(b):
        return bool(a.eq(b))
    return not z3.is_expr(a) and not z3.is_expr(b) and type(a) is type(b) and a == b


def implies(condition: Any, consequence: Any) -> Any:
    """Where the condition holds, so does the consequence."""
    return or_(not_(condition), consequence)


def iff(a: Any, b: Any) -> Any:
    """Both or neither."""
    return or_(and_(a, b), and_(not_(a), not_(b)))


def total(terms: Iterable[Any]) -> Any:
    """The sum of numbers."""
    result: Any = 0
    for term in terms:
        result = result + term
    return result


def count(bits: Iterable[Any]) -> Any:
    """How many of these bits are set."""
    return total(ite(bit, 1, 0) for bit in bits)


def bools(name: str, *sizes: int) -> Any:
    """Free bits: `bools("held", 6, 9)` is `held[gun][module]`, named from 1 as people count."""
    return _free(z3.Bool, name, sizes)


def ints(name: str, *sizes: int) -> Any:
    """Free whole numbers, like `bools`."""
    return _free(z3.Int, name, sizes)


def _free(sort: Any, name: str, sizes: tuple[int, ...]) -> Any:
    if not sizes:
        return sort(name)
    return [_free(sort, f"{name} {n}", sizes[1:]) for n in range(1, sizes[0] + 1)]


class Whatever:
    """A number of which nothing is known, nor of what is computed from it: every comparison comes
    out as it likes. What is proved with it holds for all numbers."""

    def _number(self, other: object) -> "Whatever":
        return Whatever()

    def _comparison(self, other: object) -> Any:
        return z3.FreshBool("whatever")

    __add__ = __radd__ = __sub__ = __rsub__ = _number
    __lt__ = __le__ = __gt__ = __ge__ = _comparison
