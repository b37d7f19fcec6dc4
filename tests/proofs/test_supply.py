"""The obligations on contactors without supply fail for mistakes that could be made about them."""

from typing import Any

import pytest

from proofs import manifest
from proofs.obligation import PROVED, REFUTED
from proofs.solver import decide
from verified_alloc import Station
from verified_alloc.kernel import supply

BY_ID = manifest.obligations()


def answer(station: Station, name: str) -> str:
    obligation = BY_ID[name]
    return decide(obligation.claim(station), obligation.budget).answer


def nobody(ops: Any, ages: Any, no_supply: Any) -> Any:
    return ages


def never(ops: Any, modules: Any, welded: Any) -> Any:
    return False


@pytest.mark.parametrize(
    ("name", "instead", "red"),
    [
        ("excused", nobody, "supply.accuses-nobody"),
        ("excused", nobody, "diagnosis.healthy-is-not-latched"),
        ("none_follows", never, "supply.none-follows"),
    ],
)
def test_a_mistake_is_refuted(
    monkeypatch: pytest.MonkeyPatch, small: Station, name: str, instead: Any, red: str
) -> None:
    assert answer(small, red) == PROVED
    monkeypatch.setattr(supply, name, instead)
    assert answer(small, red) == REFUTED
