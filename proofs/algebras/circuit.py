"""The algebra on circuits: the kernel's own functions, run on it, become and-inverter graphs.

No solver takes part. A bit is a literal of the graph: variable n as n, its opposite as -n, and 1 is
true. A number is a two's-complement vector of literals together with the range of values that it
can take, and it is exactly wide enough for that range; a sum's range is the sum of the ranges. So
no result is ever cut off, and what is proved of the bits is proved of whole numbers.
"""

from collections.abc import Sequence
from typing import Any, NoReturn

TRUE = 1
FALSE = -1


class Bit:
    """A truth value in a circuit."""

    __slots__ = ("circuit", "literal")

    def __init__(self, circuit: "Circuit", literal: int) -> None:
        self.circuit = circuit
        self.literal = literal

    def __bool__(self) -> NoReturn:
        raise TypeError("a kernel function branched on a value; choices go through ops.ite")


class Number:
    """A whole number in a circuit, and the range it lies in; its bits from the lowest to the sign
    (`proofs.algebras.unary` has another encoding)."""

    __slots__ = ("circuit", "high", "literals", "low")

    def __init__(self, circuit: "Circuit", literals: Sequence[int], low: int, high: int) -> None:
        self.circuit = circuit
        self.literals = tuple(literals)
        self.low = low
        self.high = high

    def __add__(self, other: "Number | int") -> Any:
        return self.circuit.sum(self, other)

    def __radd__(self, other: int) -> Any:
        return self.circuit.sum(other, self)

    def __sub__(self, other: "Number | int") -> Any:
        return self.circuit.difference(self, other)

    def __rsub__(self, other: int) -> Any:
        return self.circuit.difference(other, self)

    def __lt__(self, other: "Number | int") -> Any:
        return self.circuit.below(self, other)

    def __gt__(self, other: "Number | int") -> Any:
        return self.circuit.below(other, self)

    def __le__(self, other: "Number | int") -> Any:
        return self.circuit.not_(self > other)

    def __ge__(self, other: "Number | int") -> Any:
        return self.circuit.not_(self < other)

    def __eq__(self, other: object) -> Any:
        return self.circuit.equal(self, other)

    def __ne__(self, other: object) -> Any:
        return self.circuit.not_(self.circuit.equal(self, other))

    __hash__ = None  # type: ignore[assignment]


class Unread:
    """A number that only comparisons look at: each comes out as it likes, but always the same way
    for the same two numbers. What is proved with it holds for all numbers; what needs arithmetic
    cannot be proved with it."""

    __slots__ = ("circuit", "name")

    def __init__(self, circuit: "Circuit", name: str) -> None:
        self.circuit = circuit
        self.name = name

    def __lt__(self, other: "Unread | int") -> Bit:
        return self.circuit.bit(f"{self.name} < {_name(other)}")

    def __gt__(self, other: "Unread | int") -> Bit:
        return self.circuit.bit(f"{_name(other)} < {self.name}")

    def __le__(self, other: "Unread | int") -> Any:
        return self.circuit.not_(self > other)

    def __ge__(self, other: "Unread | int") -> Any:
        return self.circuit.not_(self < other)


def _name(value: Unread | int) -> str:
    return value.name if isinstance(value, Unread) else str(value)


class Circuit:
    """One and-inverter graph under construction. It is an algebra: kernel functions take it as
    their `ops`. Plain ints and bools may be mixed in; what is constant stays constant."""

    def __init__(self) -> None:
        self.gates: dict[int, tuple[int, int]] = {}
        """Variable -> the two literals that it is the AND of."""
        self.inputs: dict[str, int] = {}
        """Name -> variable. Every other variable is a gate."""
        self.ranges: list[Bit] = []
        """What the ranges of numbers say beyond their widths: hypotheses of every claim."""
        self._made: dict[tuple[int, int], int] = {}
        self._last = TRUE

    # What kernel functions call.

    def and_(self, *bits: Any) -> Any:
        """All of them (none: true)."""
        literal = TRUE
        for bit in bits:
            literal = self._and(literal, self.literal(bit))
        return self._bit(literal)

    def or_(self, *bits: Any) -> Any:
        """Any of them (none: false)."""
        literal = TRUE
        for bit in bits:
            literal = self._and(literal, -self.literal(bit))
        return self._bit(-literal)

    def not_(self, bit: Any) -> Any:
        """The opposite."""
        return self._bit(-self.literal(bit))

    def ite(self, condition: Any, then: Any, otherwise: Any) -> Any:
        """`then` where the condition holds, `otherwise` elsewhere: two bits or two numbers."""
        choice = self.literal(condition)
        if choice in (TRUE, FALSE):
            return then if choice == TRUE else otherwise
        if isinstance(then, bool | Bit):
            return self._bit(self._choose(choice, self.literal(then), self.literal(otherwise)))
        if isinstance(then, int) and isinstance(otherwise, int) and then == otherwise:
            return then
        return self._choose_number(choice, self._number(then), self._number(otherwise))

    # What claims add.

    def implies(self, condition: Any, consequence: Any) -> Any:
        """Where the condition holds, so does the consequence."""
        return self.or_(self.not_(condition), consequence)

    def iff(self, a: Any, b: Any) -> Any:
        """Both or neither."""
        return self.not_(self._bit(self._xor(self.literal(a), self.literal(b))))

    def bit(self, name: str) -> Bit:
        """The free bit of that name."""
        if name not in self.inputs:
            self._last += 1
            self.inputs[name] = self._last
        return Bit(self, self.inputs[name])

    def bits(self, name: str, *sizes: int) -> Any:
        """Free bits: `bits("held", 6, 9)` is `held[gun][module]`, named from 1 as people count."""
        if not sizes:
            return self.bit(name)
        return [self.bits(f"{name} {n}", *sizes[1:]) for n in range(1, sizes[0] + 1)]

    def number(self, name: str, low: int, high: int) -> Number:
        """A free whole number from `low` to `high`."""
        width = _width(low, high)
        literals = [self.bit(f"{name} bit {n}").literal for n in range(width)]
        free = Number(self, literals, -(1 << (width - 1)), (1 << (width - 1)) - 1)
        within = self.and_(free >= low, free <= high)
        if isinstance(within, Bit):
            self.ranges.append(within)
        return Number(self, literals, low, high)

    def numbers(self, name: str, *sizes: int, low: int, high: int) -> Any:
        """Free whole numbers, like `bits`."""
        if not sizes:
            return self.number(name, low, high)
        return [
            self.numbers(f"{name} {n}", *sizes[1:], low=low, high=high)
            for n in range(1, sizes[0] + 1)
        ]

    def unread(self, name: str) -> Any:
        """A number of which only comparisons are known."""
        return Unread(self, name)

    # Numbers.

    def sum(self, a: Any, b: Any) -> Any:
        """a + b."""
        return self._add(self._number(a), self._number(b), invert=False)

    def difference(self, a: Any, b: Any) -> Any:
        """a - b."""
        return self._add(self._number(a), self._number(b), invert=True)

    def below(self, a: Any, b: Any) -> Any:
        """a < b."""
        a, b = self._number(a), self._number(b)
        if a.high < b.low:
            return True
        if a.low >= b.high:
            return False
        pairs = self._side_by_side(a, b, max(len(a.literals), len(b.literals)))
        # The sign weighs the other way round.
        pairs[-1] = (pairs[-1][1], pairs[-1][0])
        less = FALSE
        for x, y in pairs:
            less = self._choose(self._xor(x, y), y, less)
        return self._bit(less)

    def equal(self, a: Any, b: Any) -> Any:
        """a == b."""
        a, b = self._number(a), self._number(b)
        if a.high < b.low or b.high < a.low:
            return False
        pairs = self._side_by_side(a, b, max(len(a.literals), len(b.literals)))
        return self.and_(*[self._bit(-self._xor(x, y)) for x, y in pairs])

    def literal(self, bit: Any) -> int:
        """The literal of a bit or a plain bool."""
        if isinstance(bit, Bit):
            return bit.literal
        if isinstance(bit, bool):
            return TRUE if bit else FALSE
        raise TypeError(f"{bit!r} is not a truth value")

    def _number(self, value: Any) -> Number:
        if isinstance(value, Number):
            return value
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{value!r} is not a whole number")
        bits = [TRUE if value >> n & 1 else FALSE for n in range(_width(value, value))]
        return Number(self, bits, value, value)

    def _choose_number(self, choice: int, a: Number, b: Number) -> Any:
        low, high = min(a.low, b.low), max(a.high, b.high)
        literals = [
            self._choose(choice, x, y) for x, y in self._side_by_side(a, b, _width(low, high))
        ]
        return self._narrow(literals, low, high)

    def _add(self, a: Number, b: Number, *, invert: bool) -> Any:
        low, high = (a.low - b.high, a.high - b.low) if invert else (a.low + b.low, a.high + b.high)
        carry = TRUE if invert else FALSE
        literals = []
        for x, y in self._side_by_side(a, b, _width(low, high)):
            y = -y if invert else y
            differ = self._xor(x, y)
            literals.append(self._xor(differ, carry))
            carry = self._choose(differ, carry, x)
        return self._narrow(literals, low, high)

    def _narrow(self, literals: Sequence[int], low: int, high: int) -> Any:
        """The number in that range; a plain one if it is the only one."""
        return low if low == high else Number(self, literals, low, high)

    def _side_by_side(self, a: Number, b: Number, width: int) -> list[tuple[int, int]]:
        """The bits of both, with their signs repeated up to that width."""
        return [
            (a.literals[min(n, len(a.literals) - 1)], b.literals[min(n, len(b.literals) - 1)])
            for n in range(width)
        ]

    # Gates.

    def _bit(self, literal: int) -> Any:
        return literal == TRUE if literal in (TRUE, FALSE) else Bit(self, literal)

    def _and(self, a: int, b: int) -> int:
        if FALSE in (a, b) or a == -b:
            return FALSE
        if a in (TRUE, b):
            return b
        if b == TRUE:
            return a
        pair = (a, b) if a < b else (b, a)
        if pair not in self._made:
            self._last += 1
            self._made[pair] = self._last
            self.gates[self._last] = pair
        return self._made[pair]

    def _choose(self, condition: int, then: int, otherwise: int) -> int:
        if then == otherwise:
            return then
        return -self._and(-self._and(condition, then), -self._and(-condition, otherwise))

    def _xor(self, a: int, b: int) -> int:
        return -self._and(-self._and(a, -b), -self._and(-a, b))


def _width(low: int, high: int) -> int:
    """The two's-complement bits that hold every value of this range."""
    return max(value if value >= 0 else ~value for value in (low, high)).bit_length() + 1
