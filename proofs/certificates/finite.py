"""A claim about the finite core, and the certificate of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from proofs.algebras.circuit import Circuit
from proofs.certificates.certificate import Certificate, certify, satisfiable
from proofs.certificates.cnf import conjunction, counterexample
from proofs.obligation import Claim
from verified_alloc.station.model import Station


class Finite(NamedTuple):
    """A claim of the finite core."""

    id: str
    """That of the obligation it decides in its finite domain; or, where it says only a part, with
    a word after it."""
    sentence: str
    proves: tuple[str, ...]
    domain: str
    claim: Callable[[Any, Station], Claim]
    """Builds it on an algebra with inputs."""
    numbers: Callable[[], Circuit] = Circuit
    """The encoding of its numbers."""

    @property
    def of(self) -> str:
        """The obligation that it is part of."""
        return ".".join(self.id.split(".")[:2])


def certificate(of: Finite, station: Station) -> Certificate:
    """The checked certificate for a station; `Refused` if the claim does not hold."""
    circuit = of.numbers()
    claim = of.claim(circuit, station)
    title = (
        f"{of.id}: {of.sentence}\nFor: {of.domain}.\n"
        "That the clauses contradict each other is the proof. Variables:"
    )
    return certify(of.id, title, counterexample(circuit, claim.hypotheses, claim.goal))


def empty_cases(of: Finite, station: Station) -> list[str]:
    """Cases that the claim should leave possible and does not, by name (none is as it should
    be)."""
    circuit = of.numbers()
    claim = of.claim(circuit, station)
    return [
        name
        for name, case in (*claim.covers, ("any", True))
        if not satisfiable(conjunction(circuit, (*claim.hypotheses, case)).dimacs())
    ]


# Rule.
