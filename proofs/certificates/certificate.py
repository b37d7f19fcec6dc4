"""Certificates: from clauses, by a SAT solver, to a file that any LRAT checker accepts.

The solver (CaDiCaL) and everything in this file may be wrong: a certificate counts only once
`proofs.certificates.lrat` has accepted it. CaDiCaL writes what it learns without reasons (DRAT);
the reasons are found here, and clauses that the contradiction does not need are left out.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from proofs.certificates import lrat
from proofs.certificates.cnf import Clause, Cnf
from verified_alloc.errors import BadInput

UNSATISFIABLE, SATISFIABLE = 20, 10
"""CaDiCaL's exit codes."""

WALL_S = 120


class CadicalMissing(BadInput):
    """The SAT solver is not installed."""

    def __init__(self) -> None:
        super().__init__("cadical: not found; install the Debian package cadical for certificates")


class Refused(Exception):
    """There is no certificate; the message says why."""


class Certificate(NamedTuple):
    """A claim's clauses and why they contradict each other, as they are archived."""

    name: str
    about: str
    """What is claimed, and which variable is what."""
    dimacs: str
    lrat: str
    steps: int
    seconds: float
    """To solve, find the reasons and check."""

    def valid(self) -> bool:
        """The checker accepts it."""
        return lrat.accepts(self.dimacs, self.lrat)


class Step(NamedTuple):
    """A clause, and the numbers of the clauses that it follows from, in that order."""

    number: int
    clause: Clause
    hints: tuple[int, ...]


def certify(name: str, title: str, cnf: Cnf) -> Certificate:
    """A checked certificate that these clauses are unsatisfiable; Refused if they are not, or if
    none could be made."""
    started_s = time.perf_counter()
    dimacs = cnf.dimacs()
    steps = reasons(cnf.clauses, learned(dimacs))
    text = "".join(
        " ".join(map(str, (step.number, *step.clause, 0, *step.hints, 0))) + "\n" for step in steps
    )
    if not lrat.accepts(dimacs, text):
        raise Refused(f"{name}: the checker refuses the certificate")
    return Certificate(
        name,
        f"{title}\n\n{cnf.legend()}",
        dimacs,
        text,
        len(steps),
        time.perf_counter() - started_s,
    )


def satisfiable(dimacs: str) -> bool:
    """The solver finds an assignment (nothing certifies that; used for vacuity)."""
    return _cadical(dimacs, None) == SATISFIABLE


def learned(dimacs: str) -> list[tuple[bool, Clause]]:
    """What the solver did until it found a contradiction: clauses added (true) and deleted."""
    with tempfile.TemporaryDirectory() as folder:
        proof = Path(folder) / "proof.drat"
        answer = _cadical(dimacs, proof)
        if answer == SATISFIABLE:
            raise Refused("the claim does not hold: the solver has a counterexample")
        if answer != UNSATISFIABLE:
            raise Refused(f"the solver gave no answer (exit code {answer})")
        steps = []
        for line in proof.read_text("utf-8").splitlines():
            words = line.split()
            added = words[0] != "d"
            steps.append((added, tuple(map(int, words[0 if added else 1 : -1]))))
        return steps


def installed() -> str:
    """Where the SAT solver is; CadicalMissing if it is nowhere."""
    command = shutil.which("cadical")
    if command is None:
        raise CadicalMissing
    return command


def solver_version() -> str:
    """The SAT solver's own word."""
    told = subprocess.run([installed(), "--version"], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def _cadical(dimacs: str, proof: Path | None) -> int:
    command = installed()
    with tempfile.TemporaryDirectory() as folder:
        problem = Path(folder) / "problem.cnf"
        problem.write_text(dimacs, "utf-8")
        # Plain search learns a third of the clauses, and nothing but what follows by propagation.
        options = ["-q", "-n", "--no-binary", "--plain", "-t", str(WALL_S), str(problem)]
        if proof is not None:
            options.append(str(proof))
        return subprocess.run([command, *options], capture_output=True, check=False).returncode


def reasons(clauses: Sequence[Clause], added: Sequence[tuple[bool, Clause]]) -> list[Step]:
    """Each learned clause that leads to the contradiction, with what it follows from; Refused where
    one does not follow by unit propagation."""
    known = _Propagation(max((abs(x) for clause in clauses for x in clause), default=0))
    for clause in clauses:
        known.add(clause)
    steps = []
    for is_added, clause in added:
        if known.contradiction is not None:
            break
        if not is_added:
            known.delete(clause)
            continue
        hints = known.follows(clause)
        if hints is None:
            raise Refused(f"the solver's clause {clause} does not follow by unit propagation")
        steps.append(Step(known.add(clause), clause, hints))
    if known.contradiction is None:
        raise Refused("the solver's proof does not end in a contradiction")
    return _needed([*steps, Step(known.add(()), (), known.contradiction)])


def _needed(steps: list[Step]) -> list[Step]:
    """The steps that the last one rests on, numbered as they were."""
    needed = {steps[-1].number}
    kept = []
    for step in reversed(steps):
        if step.number in needed:
            needed.update(step.hints)
            kept.append(step)
    return kept[::-1]


UNASSIGNED, ASSUMED = -1, 0


class _Propagation:
    """Unit propagation over a changing set of clauses, with two watched literals in each."""

    def __init__(self, variables: int) -> None:
        self._clauses: dict[int, list[int]] = {}
        self._numbers: dict[tuple[int, ...], list[int]] = {}
        # By literal; a negative one counts from the end.
        self._watched_by: list[list[int]] = [[] for _ in range(2 * variables + 1)]
        self._reason = [UNASSIGNED] * (2 * variables + 1)
        """Of a true literal: the clause that forced it, or ASSUMED."""
        self._trail: list[int] = []
        """True literals, in the order in which they became so."""
        self._last = 0
        self.contradiction: tuple[int, ...] | None = None
        """The hints of the empty clause, once it follows without assumptions."""

    def add(self, clause: Clause) -> int:
        """The clause's number. What it forces on its own stays forced."""
        self._last += 1
        # Watch literals that are not false, as long as there are any.
        literals = sorted(dict.fromkeys(clause), key=self._is_false)
        self._clauses[self._last] = literals
        self._numbers.setdefault(tuple(sorted(literals)), []).append(self._last)
        for literal in literals[:2]:
            self._watched_by[literal].append(self._last)
        possible = [literal for literal in literals if not self._is_false(literal)]
        if self.contradiction is None and len(possible) <= 1:
            conflict: int | None = None
            if not possible:
                conflict = self._last
            elif self._reason[possible[0]] == UNASSIGNED:
                conflict = self._propagate(possible[0], self._last)
            if conflict is not None:
                self.contradiction = self._chain(conflict)
        return self._last

    def delete(self, clause: Clause) -> None:
        """Forget it, unless it is what keeps a literal true."""
        numbers = self._numbers.get(tuple(sorted(dict.fromkeys(clause))), [])
        for place, number in enumerate(numbers):
            if all(self._reason[literal] != number for literal in self._clauses[number]):
                del self._clauses[number], numbers[place]
                return

    def follows(self, clause: Clause) -> tuple[int, ...] | None:
        """Hints that show it by unit propagation, or None."""
        kept = len(self._trail)
        conflict: int | None = None
        for literal in clause:
            if self._reason[literal] != UNASSIGNED:
                # True although all before it are false: what forced it shows the clause.
                conflict = self._reason[literal]
            elif not self._is_false(literal):
                conflict = self._propagate(-literal, ASSUMED)
            if conflict is not None:
                break
        hints = self._chain(conflict, clause) if conflict else None
        for literal in self._trail[kept:]:
            self._reason[literal] = UNASSIGNED
        del self._trail[kept:]
        return hints

    def _is_false(self, literal: int) -> bool:
        return self._reason[-literal] != UNASSIGNED

    def _propagate(self, literal: int, because: int) -> int | None:
        """Make it true, and all that follows; the number of a clause that is then false, or
        None."""
        clauses, watched_by, reason, trail = (
            self._clauses,
            self._watched_by,
            self._reason,
            self._trail,
        )
        place = len(trail)
        reason[literal] = because
        trail.append(literal)
        while place < len(trail):
            false = -trail[place]
            place += 1
            watchers, watched_by[false] = watched_by[false], []
            for turn, number in enumerate(watchers):
                literals = clauses.get(number)
                if literals is None:
                    continue
                first = literals[0]
                if first == false and len(literals) > 1:
                    first = literals[0] = literals[1]
                    literals[1] = false
                if reason[first] != UNASSIGNED:
                    watched_by[false].append(number)
                    continue
                for other in range(2, len(literals)):
                    candidate = literals[other]
                    if reason[-candidate] == UNASSIGNED:
                        literals[1], literals[other] = candidate, false
                        watched_by[candidate].append(number)
                        break
                else:
                    watched_by[false].append(number)
                    if reason[-first] != UNASSIGNED:
                        watched_by[false] += watchers[turn + 1 :]
                        return number
                    reason[first] = number
                    trail.append(first)
        return None

    def _chain(self, conflict: int, assumed_false: Clause = ()) -> tuple[int, ...]:
        """The clauses that lead to that one being false, in the order in which they force; each
        forces something new, as strict checkers want it."""
        false = {-literal for literal in self._clauses[conflict]}
        known = {-literal for literal in assumed_false}
        hints = [conflict]
        for literal in reversed(self._trail):
            if literal in false and literal not in known:
                because = self._reason[literal]
                hints.append(because)
                false.update(-other for other in self._clauses[because] if other != literal)
        return tuple(hints[::-1])


def archive(folder: Path, certificates: Sequence[Certificate]) -> None:
    """Write claim (.txt), problem (.cnf) and certificate (.lrat) of each, and SHA256SUMS over all
    of them (for `sha256sum -c`); files of earlier runs are replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = files(certificates)
    for name, text in texts.items():
        (folder / name).write_text(text, "utf-8")
    sums = [f"{sha256(text)}  {name}\n" for name, text in sorted(texts.items())]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")


def files(certificates: Sequence[Certificate]) -> dict[str, str]:
    """The archive's texts by file name."""
    return {
        f"{stem(certificate.name)}.{ending}": text
        for certificate in certificates
        for ending, text in (
            ("txt", certificate.about),
            ("cnf", certificate.dimacs),
            ("lrat", certificate.lrat),
        )
    }


def stem(name: str) -> str:
    """The certificate's file name, without its ending."""
    return re.sub(r"[^\w.-]", "-", name)


def check_archive(folder: Path) -> list[str]:
    """What is wrong with a folder: files that differ from their hash, certificates refused."""
    wrong = []
    listed: dict[str, str] = {}
    for line in (folder / "SHA256SUMS").read_text("utf-8").splitlines():
        expected, name = line.split("  ", 1)
        path = folder / name
        text = path.read_text("utf-8") if path.is_file() else ""
        if sha256(text) != expected:
            wrong.append(f"{name}: is not the file that was archived")
        listed[name] = text
    for name, text in listed.items():
        if name.endswith(".cnf"):
            proof = listed.get(f"{name.removesuffix('.cnf')}.lrat", "")
            if not lrat.accepts(text, proof):
                wrong.append(f"{name}: its certificate is refused")
    return wrong


def sha256(text: str) -> str:
    """The hash of a file with this text."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
