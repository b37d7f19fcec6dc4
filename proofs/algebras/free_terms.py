"""The free algebra: terms that are equal only when they are built alike, but for the order of what
is added, of all that must hold, and of that of which any must.

Two runs of a kernel function that give the same term here give the same value over every algebra.
"""

from collections import Counter
from typing import Any

_made: dict[tuple[Any, ...], "Term"] = {}
_added: dict["Term", tuple[Any, ...]] = {}
"""What was added up to a sum."""


class Term:
    """A number or a bit, by how it was made."""

    __slots__ = ()

    @staticmethod
    def of(*how: Any) -> "Term":
        """The one term that is made so."""
        term = _made.get(how)
        if term is None:
            term = _made[how] = Term()
        return term

    def __add__(self, other: Any) -> "Term":
        added = (*_added.get(self, (self,)), *_added.get(other, (other,)))
        total = Term.of("+", frozenset(Counter(added).items()))
        _added[total] = added
        return total

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Term":
        return Term.of("-", self, other)

    def __rsub__(self, other: Any) -> "Term":
        return Term.of("-", other, self)

    def __lt__(self, other: Any) -> "Term":
        return Term.of("<", self, other)

    def __le__(self, other: Any) -> "Term":
        return Term.of("<=", self, other)

    def __gt__(self, other: Any) -> "Term":
        return Term.of(">", self, other)

    def __ge__(self, other: Any) -> "Term":
        return Term.of(">=", self, other)


def ite(condition: Any, then: Any, otherwise: Any) -> Any:
    """`then` where the condition holds, `otherwise` elsewhere."""
    return Term.of("ite", condition, then, otherwise)


def and_(*bits: Any) -> Any:
    """All of them."""
    return Term.of("and", frozenset(bits))


def or_(*bits: Any) -> Any:
    """Any of them."""
    return Term.of("or", frozenset(bits))


def not_(bit: Any) -> Any:
    """The opposite."""
    return Term.of("not", bit)


def names(name: str, *sizes: int) -> Any:
    """Variables: `names("usable", 6, 9)` is `usable[gun][module]`."""
    if not sizes:
        return Term.of("name", name)
    return [names(f"{name} {n}", *sizes[1:]) for n in range(1, sizes[0] + 1)]
