"""Circuits as clauses (Tseitin): satisfiable exactly if some inputs break the claim."""

from typing import Any, NamedTuple

from proofs.algebras.circuit import TRUE, Circuit

Clause = tuple[int, ...]


class Cnf(NamedTuple):
    """Clauses over the variables 1 to `variables`."""

    variables: int
    clauses: tuple[Clause, ...]
    inputs: dict[str, int]
    """The free bits that matter, by name."""

    def dimacs(self) -> str:
        """The usual text format, without comments (ACL2's checker reads none)."""
        lines = [f"p cnf {self.variables} {len(self.clauses)}"]
        lines += [" ".join(map(str, (*clause, 0))) for clause in self.clauses]
        return "\n".join(lines) + "\n"

    def legend(self) -> str:
        """What its variables are: the inputs by name; all others are gates."""
        return "".join(f"{variable} = {name}\n" for name, variable in self.inputs.items())


def counterexample(circuit: Circuit, hypotheses: tuple[Any, ...], goal: Any) -> Cnf:
    """What must be unsatisfiable: all hypotheses, the numbers' ranges, and not the goal."""
    return conjunction(circuit, (*hypotheses, circuit.not_(goal)))


def conjunction(circuit: Circuit, facts: tuple[Any, ...]) -> Cnf:
    """These facts and the numbers' ranges, all true. Only gates that they depend on appear."""
    roots = [circuit.literal(fact) for fact in (*circuit.ranges, *facts)]
    if any(root == -TRUE for root in roots):
        # The variable stands for true, and a fact says that it is not.
        return Cnf(1, ((1,), (-1,)), {})
    roots = [root for root in roots if root != TRUE]
    number = {variable: n for n, variable in enumerate(_cone(circuit, roots), start=1)}

    def renumbered(literal: int) -> int:
        return number[literal] if literal > 0 else -number[-literal]

    clauses: list[Clause] = []
    for variable, gate in number.items():
        if variable in circuit.gates:
            a, b = map(renumbered, circuit.gates[variable])
            clauses += [(-gate, a), (-gate, b), (gate, -a, -b)]
    clauses += [(renumbered(root),) for root in roots]
    inputs = {name: number[v] for name, v in circuit.inputs.items() if v in number}
    return Cnf(len(number), tuple(clauses), inputs)


def _cone(circuit: Circuit, roots: list[int]) -> list[int]:
    """The variables that these literals depend on, inputs before gates that use them."""
    seen: set[int] = set()
    waiting = [abs(root) for root in roots]
    while waiting:
        variable = waiting.pop()
        if variable not in seen:
            seen.add(variable)
            waiting += [abs(literal) for literal in circuit.gates.get(variable, ())]
    # A gate is numbered after what it is made of.
    return sorted(seen)
