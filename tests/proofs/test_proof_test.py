"""The obligations on proof tests fail for mistakes that could be made about them."""

from typing import Any

import pytest

from proofs import proof_test as proofs
from proofs.obligation import PROVED, REFUTED
from proofs.solver import decide
from verified_alloc import Station
from verified_alloc.kernel import diagnosis, proof_test

BY_ID = {one.id.removeprefix("proof_test."): one for one in proofs.OBLIGATIONS}


def answer(station: Station, name: str) -> str:
    obligation = BY_ID[name]
    return decide(obligation.claim(station), obligation.budget).answer


def test_they_hold_on_the_kernel_as_it_is(small: Station) -> None:
    assert {answer(small, name) for name in BY_ID} == {PROVED}


@pytest.mark.parametrize(
    ("module", "name", "instead", "red"),
    [
        (proof_test, "rests", lambda ops, *_: True, "begins-at-rest"),
        (proof_test, "rests", lambda ops, *_: True, "cuts-where-no-current-is"),
        # The last look no longer counts: a module may have come on since the scan began.
        (diagnosis, "off_at_last_look", lambda ops, off_ms, *_: off_ms, "begins-at-rest"),
        (diagnosis, "off_at_last_look", lambda ops, off_ms, *_: off_ms, "cuts-where-no-current-is"),
        (proof_test, "disabled", lambda writes: writes, "enables-nothing"),
    ],
)
def test_a_mistake_is_refuted(
    monkeypatch: pytest.MonkeyPatch,
    small: Station,
    module: Any,
    name: str,
    instead: Any,
    red: str,
) -> None:
    monkeypatch.setattr(module, name, instead)
    assert answer(small, red) == REFUTED
