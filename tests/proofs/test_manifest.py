"""Every obligation is listed, says something, and is about functions that exist."""

import importlib
import inspect

import pytest

from proofs import manifest
from proofs.obligation import Obligation
from proofs.suite import mutants, prove
from verified_alloc import Station

OBLIGATIONS = list(manifest.obligations().values())


def test_the_manifest_lists_every_obligation_and_no_other() -> None:
    assert list(manifest.differences()) == []


def test_a_missing_and_an_extra_obligation_are_red(monkeypatch: pytest.MonkeyPatch) -> None:
    names = dict(manifest.NAMES)
    names["wiring"] = (*names["wiring"][1:], "forgotten")
    monkeypatch.setattr(manifest, "NAMES", names)
    results = prove.prove(Station.reference(), only=["nothing-else"], jobs=1)
    assert {(result.id, result.state) for result in results} == {
        ("wiring.places", prove.RED),
        ("wiring.forgotten", prove.RED),
    }


@pytest.mark.parametrize("obligation", OBLIGATIONS, ids=lambda obligation: obligation.id)
def test_an_obligation_is_a_sentence_about_kernel_functions(obligation: Obligation) -> None:
    assert obligation.sentence[0].isupper() or obligation.sentence[0] == "`"
    assert obligation.sentence.rstrip().endswith((".", ")"))
    assert obligation.domain
    assert obligation.proves
    for function in obligation.proves:
        file, _, name = function.partition(".")
        assert callable(getattr(importlib.import_module(f"verified_alloc.kernel.{file}"), name))


def test_every_public_function_of_the_kernel_has_an_obligation() -> None:
    proved = {function for obligation in OBLIGATIONS for function in obligation.proves}
    for file in mutants.files():
        module = importlib.import_module(f"verified_alloc.kernel.{file}")
        public = {
            f"{file}.{name}"
            for name, value in vars(module).items()
            if inspect.isfunction(value)
            and value.__module__ == module.__name__
            and not name.startswith("_")
        }
        assert public
        assert public <= proved
