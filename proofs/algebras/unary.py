"""Circuits that count in unary: for numbers of small range, of which solvers prove much faster.

A number from `low` to `high` is one literal for each value above `low`: it is at least that value.
Sums have the sum of the ranges, so nothing is cut off here either.
"""

from itertools import pairwise
from typing import Any

from proofs.algebras.circuit import FALSE, TRUE, Circuit, Number


class UnaryCircuit(Circuit):
    """An algebra like its base, with another encoding of numbers."""

    def number(self, name: str, low: int, high: int) -> Number:
        """A free whole number from `low` to `high`."""
        bits = [self.bit(f"{name} >= {value}") for value in range(low + 1, high + 1)]
        self.ranges += [self.implies(above, below) for below, above in pairwise(bits)]
        return Number(self, [bit.literal for bit in bits], low, high)

    def sum(self, a: Any, b: Any) -> Any:
        """a + b: at least s if, for some i, a is at least i and b at least s - i."""
        a, b = self._number(a), self._number(b)
        # Where "at least i" is the same literal as "at least i + 1", the latter says more.
        steps = [
            value
            for value in range(a.low, a.high + 1)
            if _at_least(a, value) != _at_least(a, value + 1)
        ]
        literals = []
        for value in range(a.low + b.low + 1, a.high + b.high + 1):
            below = TRUE
            for step in steps:
                both = self._and(_at_least(a, step), _at_least(b, value - step))
                below = self._and(below, -both)
            literals.append(-below)
        return self._narrow(literals, a.low + b.low, a.high + b.high)

    def difference(self, a: Any, b: Any) -> Any:
        """a - b."""
        b = self._number(b)
        values = range(-b.high + 1, -b.low + 1)
        opposite = [-_at_least(b, 1 - value) for value in values]
        return self.sum(a, self._narrow(opposite, -b.high, -b.low))

    def below(self, a: Any, b: Any) -> Any:
        """a < b: b reaches some value that a does not."""
        a, b = self._number(a), self._number(b)
        none = TRUE
        for value in range(min(a.low, b.low), max(a.high, b.high) + 1):
            none = self._and(none, -self._and(_at_least(b, value), -_at_least(a, value)))
        return self._bit(-none)

    def equal(self, a: Any, b: Any) -> Any:
        """a == b."""
        a, b = self._number(a), self._number(b)
        values = range(min(a.low, b.low), max(a.high, b.high) + 1)
        same = [-self._xor(_at_least(a, value), _at_least(b, value)) for value in values]
        return self.and_(*map(self._bit, same))

    def _number(self, value: Any) -> Number:
        if isinstance(value, int) and not isinstance(value, bool):
            return Number(self, (), value, value)
        return super()._number(value)

    def _choose_number(self, choice: int, a: Number, b: Number) -> Any:
        low, high = min(a.low, b.low), max(a.high, b.high)
        literals = [
            self._choose(choice, _at_least(a, value), _at_least(b, value))
            for value in range(low + 1, high + 1)
        ]
        return self._narrow(literals, low, high)


def _at_least(number: Number, value: int) -> int:
    if value <= number.low:
        return TRUE
    return FALSE if value > number.high else number.literals[value - number.low - 1]
