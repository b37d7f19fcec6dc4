"""The algebra on plain ints and bools: what runs in the charger."""

from collections.abc import Sequence
from typing import Annotated, Protocol

Shape = Annotated[int, "shape"]
"""A number that is known before any value is: how many, which one, what the station's file says.
Python may look at it; every other int or bool of the kernel is a value."""

BoolMatrix = Sequence[Sequence[bool]]
"""Rows of bits; what a row is, says who uses it."""


class Ops(Protocol):
    """What a kernel function may do with a value, beside `+ - < <= > >=`."""

    def ite(self, condition: bool, then: int, otherwise: int) -> int:
        """`then` where the condition holds, `otherwise` elsewhere."""

    def and_(self, *bits: bool) -> bool:
        """All of them (none: true)."""

    def or_(self, *bits: bool) -> bool:
        """Any of them (none: false)."""

    def not_(self, bit: bool) -> bool:
        """The opposite."""


def ite(condition: bool, then: int, otherwise: int) -> int:
    """`then` where the condition holds, `otherwise` elsewhere."""
    return then if condition else otherwise


def and_(*bits: bool) -> bool:
    """All of them (none: true)."""
    return False not in bits


def or_(*bits: bool) -> bool:
    """Any of them (none: false)."""
    return True in bits


def not_(bit: bool) -> bool:
    """The opposite."""
    return not bit
