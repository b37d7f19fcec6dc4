"""No theorem holds by itself: with anything in place of what it is about, it does not."""

import importlib
import inspect
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import pytest
import z3

from proofs import manifest, solver
from proofs.obligation import PROVED, Claim, Obligation
from proofs.suite import mutants, prove
from verified_alloc import Station

ABOUT_THE_KERNEL = [
    one
    for one in manifest.obligations().values()
    # What is composed of lemmas is about what these are about; of the solver's model and of the
    # enumerations there are tests of their own.
    if one.expected == PROVED
    and "composed of" not in one.domain
    and not one.id.startswith(("constraint.", "enumeration."))
]
KERNEL = [importlib.import_module(f"{mutants.PACKAGE}.{file}") for file in mutants.files()]


def anything(value: Any) -> Any:
    """Of the same form, with names for all bits and numbers."""
    if isinstance(value, bool) or z3.is_bool(value):
        return z3.FreshBool("anything")
    if isinstance(value, int) or z3.is_expr(value):
        return z3.FreshInt("anything")
    if hasattr(value, "_fields"):
        return type(value)(*map(anything, value))
    return type(value)(map(anything, value))


@contextmanager
def set_free(function: str) -> Iterator[None]:
    """Wherever the kernel's function is called, it gives anything."""
    file, _, name = function.partition(".")
    real = getattr(importlib.import_module(f"{mutants.PACKAGE}.{file}"), name)

    def gives_anything(*given: Any, **named: Any) -> Any:
        return anything(real(*given, **named))

    with ExitStack() as stack:
        for module in KERNEL:
            for called, value in inspect.getmembers(module, inspect.isfunction):
                if value is real:
                    stack.enter_context(mock.patch.object(module, called, gives_anything))
        yield


def holds(obligation: Obligation, station: Station) -> bool:
    try:
        return solver.glance(obligation.claim(station), 1_000_000) == PROVED
    except Exception:  # a theorem that cannot be built is red
        return False


@pytest.mark.parametrize("obligation", ABOUT_THE_KERNEL, ids=lambda one: one.id)
def test_it_is_about_one_of_the_functions_that_it_names(
    small: Station, obligation: Obligation
) -> None:
    def matters(function: str) -> bool:
        with set_free(function):
            return not holds(obligation, small)

    assert any(map(matters, obligation.proves))


@pytest.mark.parametrize(
    "name", ["switching.one-gun-at-most", "offer.planned-removal", "scan.watchdog"]
)
def test_what_is_claimed_of_a_world_that_cannot_be_is_red(small: Station, name: str) -> None:
    obligation = manifest.obligations()[name]
    claim = obligation.claim(small)
    never = Claim((*claim.hypotheses, z3.BoolVal(False)), claim.goal, claim.show, claim.covers)
    result = prove.check(obligation._replace(claim=lambda station: never), small)
    assert (result.verdict, result.state) == (PROVED, prove.RED)
