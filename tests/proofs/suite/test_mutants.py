"""Mutants are what they say, and the proofs kill them."""

import ast

from proofs.suite import mutants


def test_every_mutant_is_python_and_another_program() -> None:
    for file in ("rule", "wiring"):
        shipped = ast.unparse(ast.parse((mutants.folder() / f"{file}.py").read_text("utf-8")))
        found = mutants.mutants(file)
        assert len({mutant.source for mutant in found} | {shipped}) == len(found) + 1
        assert len({mutant.name for mutant in found}) == len(found)


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
