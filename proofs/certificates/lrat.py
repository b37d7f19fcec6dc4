"""The checker of certificates: all that has to be trusted of them, but for the clauses themselves.

A certificate lists clauses, each with the clauses that it follows from: were it false, each of
those in turn would leave one literal that must then be true, and the last would leave none. The
empty clause, so derived, says that the clauses of the problem contradict each other. What is read
is the very text that is archived; anything unclear is refused.
"""


def accepts(dimacs: str, lrat: str) -> bool:
    """The certificate shows that the clauses are unsatisfiable."""
    try:
        clauses = read_dimacs(dimacs)
        known = {number: frozenset(clause) for number, clause in enumerate(clauses, start=1)}
        for line in lrat.splitlines():
            number, *rest = map(int, line.split())
            end = rest.index(0)
            clause, hints = frozenset(rest[:end]), rest[end + 1 : -1]
            if rest[end + 1 :].count(0) != 1 or rest[-1] != 0:
                return False
            if number in known or not _follows(clause, [known[hint] for hint in hints]):
                return False
            if not clause:
                return True
            known[number] = clause
    except (ValueError, KeyError, IndexError):
        return False
    return False


def _follows(clause: frozenset[int], hints: list[frozenset[int]]) -> bool:
    false = set(clause)
    for hint in hints:
        left = hint - false
        if not left:
            return True
        if len(left) > 1:
            return False
        false.add(-next(iter(left)))
    return False


def read_dimacs(dimacs: str) -> list[tuple[int, ...]]:
    """The clauses of a problem, one on a line; ValueError if it is not as its header says."""
    (p, cnf, variables, count), *rows = map(str.split, dimacs.splitlines())
    clauses = [tuple(map(int, row)) for row in rows]
    if (p, cnf) != ("p", "cnf") or len(clauses) != int(count):
        raise ValueError("the header does not match")
    for clause in clauses:
        if not clause or clause[-1] != 0 or 0 in clause[:-1]:
            raise ValueError(f"{clause} is not a clause")
        if any(abs(literal) > int(variables) for literal in clause):
            raise ValueError(f"{clause} names a variable beyond the header's")
    return [clause[:-1] for clause in clauses]
