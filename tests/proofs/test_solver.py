"""Two solvers, asked the same."""

import pytest

from proofs import manifest, solver
from proofs.algebras import z3_terms
from proofs.obligation import PROVED, REFUTED, Claim
from verified_alloc import Station

NUMBER = z3_terms.ints("number")


@pytest.mark.parametrize(
    ("goal", "answer"), [(NUMBER + 1 > NUMBER, PROVED), (NUMBER > 0, REFUTED), (True, PROVED)]
)
def test_z3_and_cvc5_agree(goal: object, answer: str) -> None:
    pytest.importorskip("cvc5")
    claim = Claim((NUMBER > -5,), goal)
    assert solver.second_opinion(claim, 10)[0] == answer
    assert solver.decide(claim, 1_000_000).answer == answer


def test_cvc5_confirms_an_obligation() -> None:
    pytest.importorskip("cvc5")
    claim = manifest.obligations()["rule.limit-is-kept"].claim(Station.reference())
    assert solver.second_opinion(claim, 60)[0] == PROVED
