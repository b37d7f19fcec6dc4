"""Mutants are what they say, and the proofs kill them."""

import ast

from proofs import mutants


def test_every_mutant_is_python_and_another_program() -> None:
    for file in ("rule", "wiring"):
        shipped = ast.unparse(ast.parse((mutants.folder() / f"{file}.py").read_text("utf-8")))
        found = mutants.mutants(file)
        assert len({mutant.source for mutant in found} | {shipped}) == len(found) + 1


def test_a_mutant_is_killed_by_an_obligation_and_the_shipped_file_is_not() -> None:
    broken = next(
        mutant for mutant in mutants.mutants("wiring") if "PINS_PER_PORT: Sub" in mutant.name
    )
    assert mutants.fate(broken, ["wiring.places"]).killed_by == "wiring.places"
    shipped = (mutants.folder() / "wiring.py").read_text("utf-8")
    assert mutants.fate(broken._replace(source=shipped), ["wiring.places"]).killed_by == ""
