"""The obligations on lost expanders fail for mistakes that could be made about them."""

from collections.abc import Callable
from typing import Any

import pytest

from proofs import healing as proofs
from proofs.obligation import PROVED, REFUTED
from proofs.solver import decide
from verified_alloc import Station
from verified_alloc.kernel import healing, latched, scan

BY_ID = {one.id.removeprefix("healing."): one for one in proofs.OBLIGATIONS}


def answer(station: Station, name: str) -> str:
    obligation = BY_ID[name]
    return decide(obligation.claim(station), obligation.budget).answer


def test_they_hold_on_the_kernel_as_it_is(small: Station) -> None:
    assert {answer(small, name) for name in BY_ID} == {PROVED}


@pytest.mark.parametrize(
    ("module", "name", "instead", "red"),
    [
        (latched, "at_rest", lambda ops, *_: True, "configured-at-rest"),
        (latched, "at_rest", lambda ops, *_: True, "reset-at-rest"),
        (healing, "may_try", lambda ops, *_: True, "configured-at-rest"),
        (healing, "may_try", lambda ops, *_: True, "six-times-an-hour"),
        (healing, "RESET_MS", 0, "reset-at-rest"),
        (healing, "PAUSE_MS", 0, "six-times-an-hour"),
        (healing, "HOUR_MS", 1000, "six-times-an-hour"),
        (healing, "TRIES", 7, "six-times-an-hour"),
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


def changed(act: Callable[..., Any], change: Callable[[Any, list[Any]], Any]) -> Callable[..., Any]:
    def instead(*given: Any) -> Any:
        memory, effects = act(*given)
        return change(memory, effects)

    return instead


def test_more_than_one_in_a_scan(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    def both(memory: Any, effects: list[Any]) -> Any:
        lost = [each.lost for each in memory.healing]
        return memory, [*effects[:-1], scan.Configure(lost)]

    monkeypatch.setattr(scan, "look_back", changed(scan.look_back, both))
    assert answer(small, "configured-at-rest") == REFUTED


def test_a_reset_that_is_never_pulled(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    def never(memory: Any, effects: list[Any]) -> Any:
        return memory, [*effects[:2], scan.Reset(False), effects[3]]

    monkeypatch.setattr(scan, "look_back", changed(scan.look_back, never))
    assert answer(small, "reset-at-rest") == REFUTED
