"""Mutants are what they say, and the proofs kill them."""

import ast

from proofs import mutants


def test_every_mutant_is_python_and_another_program() -> None:
    for file in ("rule", "wiring"):
        shipped = ast.unparse(ast.parse((mutants.folder() / f"{file}.py").read_text("utf-8")))
        found = mutants.mutants(file)
        assert len({mutant.source for mutant in found} | {shipped}) == len(found) + 1
        assert len({mutant.name for mutant in found}) == len(found)


def test_the_equivalent_ones_exist_and_are_few() -> None:
    found = [mutant.name for file in mutants.files() for mutant in mutants.mutants(file)]
    assert set(mutants.EQUIVALENT) <= set(found)
    assert len(mutants.EQUIVALENT) <= 0.03 * len(found)


def test_every_file_of_the_kernel_has_mutants() -> None:
    assert all(mutants.mutants(file) for file in mutants.files())


def test_equal_changes_in_one_place_have_names_of_their_own() -> None:
    """A reason on the list excuses one mutant, not its namesakes."""
    zeros = [mutant for mutant in mutants.mutants("guard") if "powers: 0 becomes 1" in mutant.name]
    assert [mutant.name.removeprefix("guard.powers: 0 becomes 1") for mutant in zeros] == [
        "",
        " #2",
        " #3",
    ]
    killed = [mutants.fate(mutant, ["guard.delivered-within-means"]).killed_by for mutant in zeros]
    assert killed == ["guard.delivered-within-means", "", "guard.delivered-within-means"]


def test_a_mutant_is_killed_by_an_obligation_and_the_shipped_file_is_not() -> None:
    broken = next(
        mutant for mutant in mutants.mutants("wiring") if "PINS_PER_PORT: Sub" in mutant.name
    )
    assert mutants.fate(broken, ["wiring.places"]).killed_by == "wiring.places"
    shipped = (mutants.folder() / "wiring.py").read_text("utf-8")
    assert mutants.fate(broken._replace(source=shipped), ["wiring.places"]).killed_by == ""
