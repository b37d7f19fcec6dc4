"""The assumptions about the world: numbered, guaranteed by somebody, and each one needed."""

import pytest
import z3

from proofs import diagnosis, manifest, offer, plant, scan, switching
from proofs.obligation import PROVED, REFUTED, Obligation, without
from proofs.solver import decide, satisfiable, term
from verified_alloc import Station

ALL = (*scan.OBLIGATIONS, *switching.OBLIGATIONS, *diagnosis.OBLIGATIONS, *offer.OBLIGATIONS)


def verdict(obligation: Obligation, station: Station) -> str:
    return decide(obligation.claim(station), obligation.budget).answer


def named(obligation: Obligation) -> str:
    return obligation.id


def test_assumptions_are_numbered_sentences_with_somebody_to_see_to_them() -> None:
    for number, assumption in enumerate(plant.ASSUMPTIONS, start=1):
        assert assumption.id == f"A{number}"
        assert assumption.sentence.endswith(".")
        assert assumption.guarantor


def test_what_disturbs_a_scan_names_obligations_that_are_proved_and_assumptions() -> None:
    proved = {name for name, one in manifest.obligations().items() if one.expected == PROVED}
    for disturbance in plant.DISTURBANCES:
        assert {*disturbance.proved} <= proved
        assert {*disturbance.assumed} <= plant.EVERY
        assert disturbance.proved or disturbance.assumed


def test_each_assumption_is_dropped_somewhere_to_show_what_breaks() -> None:
    dropped = {one.id.rpartition(".without-")[2] for one in ALL if ".without-" in one.id}
    assert dropped == plant.EVERY


@pytest.mark.parametrize("obligation", ALL, ids=named)
def test_every_obligation_has_its_verdict_on_a_small_station(
    small: Station, obligation: Obligation
) -> None:
    assert verdict(obligation, small) == obligation.expected


@pytest.mark.parametrize(
    "obligation", [one for one in ALL if one.expected == PROVED and one.assumptions], ids=named
)
def test_no_obligation_assumes_more_than_it_needs(small: Station, obligation: Obligation) -> None:
    for assumption in obligation.assumptions:
        assert verdict(without(obligation, assumption), small) == REFUTED, assumption


@pytest.mark.parametrize("obligation", ALL, ids=named)
def test_no_obligation_is_empty(small: Station, obligation: Obligation) -> None:
    claim = obligation.claim(small)
    for name, case in (("hypotheses", True), *claim.covers):
        terms = [*map(term, claim.hypotheses), term(case)]
        assert satisfiable(terms, obligation.budget)[0] == "sat", name


@pytest.mark.parametrize("obligation", ALL, ids=named)
def test_modules_may_have_a_status_input_or_none(small: Station, obligation: Obligation) -> None:
    """Wherever it is spoken of, both are left possible."""
    hypotheses = [term(hypothesis) for hypothesis in obligation.claim(small).hypotheses]
    wired = z3.Bool("status input wired")
    for either in (wired, z3.Not(wired)):
        assert satisfiable([*hypotheses, either], obligation.budget)[0] == "sat"
