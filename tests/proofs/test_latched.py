"""The obligations on latched faults and on deadlines fail for mistakes that could be made."""

from typing import Any

import pytest

from proofs import manifest
from proofs.obligation import PROVED, REFUTED
from proofs.solver import decide
from verified_alloc import Station
from verified_alloc.kernel import deadline, latched


def answer(station: Station, name: str) -> str:
    obligation = manifest.obligations()[name]
    return decide(obligation.claim(station), obligation.budget).answer


def test_a_lost_expander_whose_modules_stay_in_use(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    sound = latched.excluded
    assert answer(small, "latched.excluded") == PROVED
    monkeypatch.setattr(
        latched,
        "excluded",
        lambda ops, carriers, *rest: sound(ops, [[]] * len(carriers), *rest),
    )
    assert answer(small, "latched.excluded") == REFUTED


def test_a_contactor_that_is_cleared_while_it_disagrees(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    monkeypatch.setattr(latched, "contactor_agrees", lambda ops, ages, gun: ages.mismatch[gun] <= 0)
    assert answer(small, "latched.contactor-is-cleared-for-cause") == REFUTED


def test_an_expander_that_is_configured_under_load(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    monkeypatch.setattr(latched, "at_rest", lambda ops, decay_ms, *lines: lines[-1] >= decay_ms)
    assert answer(small, "latched.expander-is-configured-at-rest") == REFUTED


def test_time_that_is_skipped_over_a_deadline(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    sound = deadline._of_offer
    assert answer(small, "deadline.first-of-all") == PROVED

    def late(ops: Any, lead_ms: Any, offer: Any) -> Any:
        return sound(ops, lead_ms, offer) + 1

    monkeypatch.setattr(deadline, "_of_offer", late)
    assert answer(small, "deadline.first-of-all") == REFUTED
