"""A CP-SAT model as terms: what is translated is the very proto that OR-Tools is given.

Variables become whole numbers, literals "is 1" and "is 0", and every constraint its meaning as
OR-Tools documents it (`cp_model.proto`). A kind that is not known here is refused, so a model can
never lose a constraint on the way.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import z3

from proofs.algebras.z3_terms import and_, implies, not_, or_

UNBOUNDED = (-(1 << 63), (1 << 63) - 1)
"""OR-Tools' least and greatest integers: no bound."""


class Untranslatable(Exception):
    """A kind of constraint that is not known here."""


class Rule(NamedTuple):
    """One constraint."""

    holds: Any
    variables: frozenset[int]
    """The variables that it is about."""
    enforced: tuple[int, ...]
    """The literals that it is enforced by; it is free where one of them is false."""
    body: Any
    """What it says where it is enforced."""


class Translated(NamedTuple):
    """A model: its feasible set is where all domains and all rules hold."""

    terms: tuple[Any, ...]
    """By variable."""
    domains: tuple[Any, ...]
    rules: tuple[Rule, ...]

    def feasible(self) -> list[Any]:
        """What a solution fulfils."""
        return [*self.domains, *(rule.holds for rule in self.rules)]


def variables(proto: Any) -> list[Any]:
    """A free number for each variable."""
    return [z3.Int(f"v{place} {each.name}") for place, each in enumerate(proto.variables)]


def translate(
    proto: Any, terms: Sequence[Any], domains: Mapping[int, Sequence[Any]] = MappingProxyType({})
) -> Translated:
    """The model over these terms, one for each variable, some with other domains than there."""
    within = [
        _within(terms[place], domains.get(place, list(each.domain)))
        for place, each in enumerate(proto.variables)
    ]
    return Translated(
        tuple(terms), tuple(within), tuple(_rule(each, terms) for each in proto.constraints)
    )


def kept(constraint: Any, terms: Sequence[Any]) -> tuple[Any, int]:
    """Of a linear constraint that keeps a sum at one value: the sum and the value."""
    low, high = constraint.linear.domain
    if low != high:
        raise Untranslatable(f"it does not keep one value: {constraint}")
    return _sum(constraint.linear.coeffs, constraint.linear.vars, terms), low


def _rule(constraint: Any, terms: Sequence[Any]) -> Rule:
    for kind, meaning in KINDS.items():
        if _has(constraint, kind):
            body = meaning(getattr(constraint, kind), terms)
            break
    else:
        raise Untranslatable(f"a constraint of an unknown kind: {constraint}")
    enforced = tuple(constraint.enforcement_literal)
    when = and_(*[literal(each, terms) for each in enforced])
    about = _variables(getattr(constraint, kind)) | {_variable(each) for each in enforced}
    return Rule(implies(when, body), frozenset(about), enforced, body)


def literal(reference: int, terms: Sequence[Any]) -> Any:
    """A literal: variable n as n, its opposite as -n - 1."""
    return terms[_variable(reference)] == (1 if reference >= 0 else 0)


def _variable(reference: int) -> int:
    return reference if reference >= 0 else -reference - 1


def _has(constraint: Any, kind: str) -> bool:
    """OR-Tools' own messages, and those of Google's library in older versions."""
    has = getattr(constraint, f"has_{kind}", None)
    return bool(has() if has else constraint.HasField(kind))


def _within(term: Any, domain: Sequence[Any]) -> Any:
    """In one of the ranges that the domain lists by their ends."""
    return or_(
        *[
            and_(
                True if _is(low, UNBOUNDED[0]) else term >= low,
                True if _is(high, UNBOUNDED[1]) else term <= high,
            )
            for low, high in zip(domain[::2], domain[1::2], strict=True)
        ]
    )


def _is(value: Any, bound: int) -> bool:
    return isinstance(value, int) and value == bound


def _sum(coefficients: Sequence[int], places: Sequence[int], terms: Sequence[Any]) -> Any:
    result: Any = z3.IntVal(0)
    for coefficient, place in zip(coefficients, places, strict=True):
        # A reference below 0 stands for the variable's opposite.
        term = terms[place] if place >= 0 else -terms[_variable(place)]
        result = result + coefficient * term
    return result


def _expression(expression: Any, terms: Sequence[Any]) -> Any:
    return _sum(expression.coeffs, expression.vars, terms) + expression.offset


def _linear(message: Any, terms: Sequence[Any]) -> Any:
    return _within(_sum(message.coeffs, message.vars, terms), list(message.domain))


def _literals(message: Any, terms: Sequence[Any]) -> list[Any]:
    return [literal(each, terms) for each in message.literals]


def _ones(message: Any, terms: Sequence[Any]) -> Any:
    return sum((z3.If(bit, 1, 0) for bit in _literals(message, terms)), start=z3.IntVal(0))


def _maximum(message: Any, terms: Sequence[Any]) -> Any:
    target = _expression(message.target, terms)
    values = [_expression(each, terms) for each in message.exprs]
    return and_(*[target >= value for value in values], or_(*[target == v for v in values]))


def _element(message: Any, terms: Sequence[Any]) -> Any:
    index = _expression(message.linear_index, terms)
    target = _expression(message.linear_target, terms)
    values = [_expression(each, terms) for each in message.exprs]
    if not values:
        raise Untranslatable(f"an element of an older form: {message}")
    return or_(*[and_(index == place, target == value) for place, value in enumerate(values)])


def _different(message: Any, terms: Sequence[Any]) -> Any:
    values = [_expression(each, terms) for each in message.exprs]
    return and_(*[not_(a == b) for place, a in enumerate(values) for b in values[:place]])


KINDS: Mapping[str, Callable[[Any, Sequence[Any]], Any]] = {
    "linear": _linear,
    "bool_or": lambda message, terms: or_(*_literals(message, terms)),
    "bool_and": lambda message, terms: and_(*_literals(message, terms)),
    "bool_xor": lambda message, terms: _ones(message, terms) % 2 == 1,
    "at_most_one": lambda message, terms: _ones(message, terms) <= 1,
    "exactly_one": lambda message, terms: _ones(message, terms) == 1,
    "lin_max": _maximum,
    "element": _element,
    "all_diff": _different,
}
"""The constraints that are known, by their name in the proto."""


def _variables(message: Any) -> set[int]:
    """The variables of a constraint's message."""
    found: set[int] = set()
    for name in ("vars", "literals"):
        found |= {_variable(each) for each in getattr(message, name, ())}
    expressions = list(getattr(message, "exprs", ()))
    expressions += [
        getattr(message, name)
        for name in ("target", "linear_index", "linear_target")
        if hasattr(getattr(message, name, None), "coeffs")
    ]
    return found | {_variable(each) for expression in expressions for each in expression.vars}
