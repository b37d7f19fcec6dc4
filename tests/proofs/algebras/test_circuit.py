"""Circuits compute what plain Python computes, and say nothing of what they were not told."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofs.algebras.circuit import Bit, Circuit, Number
from proofs.algebras.unary import UnaryCircuit
from proofs.certificates.certificate import satisfiable
from proofs.certificates.claims import scene
from proofs.certificates.cnf import conjunction, counterexample
from proofs.lemmas import rule_properties as rules
from verified_alloc import Station
from verified_alloc.kernel import ops, rule

ENCODINGS = pytest.mark.parametrize("encoding", [Circuit, UnaryCircuit])


def values(circuit: Circuit, inputs: dict[str, bool]) -> dict[int, bool]:
    """Every variable of the circuit when its inputs are these."""
    known = {1: True, **{v: inputs.get(name, False) for name, v in circuit.inputs.items()}}
    for gate, (a, b) in circuit.gates.items():
        known[gate] = (known[abs(a)] == (a > 0)) and (known[abs(b)] == (b > 0))
    return known


def plain(result: Any, known: dict[int, bool]) -> Any:
    """What a bit or a number is then."""
    if isinstance(result, Bit):
        return known[abs(result.literal)] == (result.literal > 0)
    if not isinstance(result, Number):
        return result
    bits = [known[abs(x)] == (x > 0) for x in result.literals]
    if isinstance(result.circuit, UnaryCircuit):
        return result.low + sum(bits)
    magnitude = sum(bit << place for place, bit in enumerate(bits))
    return magnitude - (bits[-1] << len(bits))


def told(encoding: type[Circuit], name: str, value: int, low: int, high: int) -> dict[str, bool]:
    """The inputs that give the number of this name and range this value."""
    if encoding is UnaryCircuit:
        return {f"{name} >= {v}": value >= v for v in range(low + 1, high + 1)}
    return {f"{name} bit {n}": bool(value >> n & 1) for n in range(24)}


RESULTS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "sum": lambda over, a, b: a + b + 3 + a,
    "difference": lambda over, a, b: a - b - 5,
    "from a constant": lambda over, a, b: 4 - a + b,
    "less": lambda over, a, b: a < b,
    "at most": lambda over, a, b: a - 2 <= b,
    "more": lambda over, a, b: a > b + b,
    "at least": lambda over, a, b: a >= b,
    "equal": lambda over, a, b: a + 1 == b,
    "unequal": lambda over, a, b: a != b,
    "a constant": lambda over, a, b: a > 3,
    "choice": lambda over, a, b: over.ite(a < b, a + 9, b) - a,
    "choice of constants": lambda over, a, b: over.ite(a < b, 7, -2) + b,
    "least": lambda over, a, b: rule.least(over, a, rule.most(over, b, 1)),
}


@ENCODINGS
@given(a=st.integers(-9, 12), b=st.integers(-7, 30), of=st.sampled_from(sorted(RESULTS)))
def test_numbers_compute_what_plain_numbers_do(
    encoding: type[Circuit], a: int, b: int, of: str
) -> None:
    circuit = encoding()
    result = RESULTS[of](circuit, circuit.number("a", -9, 12), circuit.number("b", -7, 30))
    known = values(circuit, told(encoding, "a", a, -9, 12) | told(encoding, "b", b, -7, 30))
    assert all(plain(within, known) for within in circuit.ranges)
    assert plain(result, known) == RESULTS[of](ops, a, b)
    if isinstance(result, Number):
        assert result.low <= plain(result, known) <= result.high


@ENCODINGS
def test_a_number_beyond_its_range_is_no_case(encoding: type[Circuit]) -> None:
    circuit = encoding()
    number = circuit.number("n", -3, 4)
    reached = [
        value
        for value in range(-6, 8)
        if satisfiable(conjunction(circuit, (number == value,)).dimacs())
    ]
    assert reached == list(range(-3, 5))


@ENCODINGS
def test_claims_of_arithmetic(encoding: type[Circuit]) -> None:
    circuit = encoding()
    a, b = circuit.numbers("n", 2, low=-5, high=6)
    true = circuit.iff(a < b, a + 1 <= b)
    assert not satisfiable(counterexample(circuit, (), true).dimacs())
    assert satisfiable(counterexample(circuit, (), a < b + 1).dimacs())
    assert not satisfiable(counterexample(circuit, (a < b,), a < b + 1).dimacs())


def test_bits_follow_the_truth_table() -> None:
    circuit = Circuit()
    a, b = circuit.bits("bit", 2)
    built = {
        "and": circuit.and_(a, b),
        "or": circuit.or_(a, b),
        "not": circuit.not_(a),
        "implies": circuit.implies(a, b),
        "iff": circuit.iff(a, b),
        "ite": circuit.ite(a, b, circuit.not_(b)),
    }
    for x in (False, True):
        for y in (False, True):
            known = values(circuit, {"bit 1": x, "bit 2": y})
            expected = {
                "and": x and y,
                "or": x or y,
                "not": not x,
                "implies": y or not x,
                "iff": x == y,
                "ite": y if x else not y,
            }
            assert {name: plain(bit, known) for name, bit in built.items()} == expected
    assert circuit.and_() is True
    assert circuit.or_() is False
    assert circuit.and_(a, circuit.not_(a)) is False


def test_a_kernel_that_branches_on_a_value_is_refused() -> None:
    circuit = Circuit()
    with pytest.raises(TypeError, match="branched"):
        max(circuit.number("a", 0, 3), circuit.number("b", 0, 3))


def test_an_unread_number_compares_as_it_likes_but_always_alike() -> None:
    circuit = Circuit()
    age, limit = circuit.unread("age"), circuit.unread("limit")
    assert not satisfiable(counterexample(circuit, (age >= limit,), limit <= age).dimacs())
    assert not satisfiable(
        counterexample(circuit, (), circuit.iff(age < limit, limit > age)).dimacs()
    )
    assert satisfiable(counterexample(circuit, (age >= limit,), age > limit).dimacs())
    with pytest.raises(TypeError):
        age + 1


def test_half_units_lose_nothing_of_the_rule() -> None:
    """Whole watts through the plain rule, and the same in half units: alike in every property."""
    station = Station.reference()
    chance = random.Random(3)
    unit_w = 40_000
    guns, modules = range(6), range(9)
    edges = [unit_w * n + d for n in range(8) for d in (-1, 0, 1)]

    def halved(watts: int) -> int:
        units, rest = divmod(watts, unit_w)
        return max(-1, min(13, 2 * units + (rest > 0)))

    abstract = scene(UnaryCircuit(), station, full=False)
    for _ in range(300):
        demand_w = [chance.choice((chance.choice(edges), chance.randrange(300_000))) for _ in guns]
        usable = [[chance.random() < 0.8 for _ in modules] for _ in guns]
        minimum_w = chance.choice((0, 1000, *edges))
        whole = abstract._replace(
            demand_w=demand_w,
            gun_max_w=station.gun_max_w,
            module_power_w=station.module_power_w,
            usable=usable,
            limit_w=10**9,
            minimum_w=minimum_w,
        )
        half = abstract._replace(
            demand_w=list(map(halved, demand_w)), usable=usable, minimum_w=halved(minimum_w)
        )
        assert whole.choice(ops).held == half.choice(ops).held
        given_w = whole.choice(ops).delivered_w
        assert list(map(halved, given_w)) == half.choice(ops).delivered_w
        # And for allocations that are not the rule's, where the properties fail.
        held = [[chance.random() < 0.2 for _ in modules] for _ in guns]
        delivered_w = [chance.choice((0, unit_w * sum(row), unit_w)) for row in held]
        for has in (
            rules.exclusive,
            rules.usable_and_wanted,
            rules.gun_cap,
            rules.first_choice,
            rules.idle_only_if_met,
            rules.no_waste,
            rules.lowest_first,
            rules.priority,
        ):
            other = rule.Choice(held, delivered_w)
            abstracted = rule.Choice(held, list(map(halved, delivered_w)))
            assert has(ops, whole, other) == has(ops, half, abstracted), has.__name__
