"""The obligations on dwell fail for mistakes that could be made."""

from collections.abc import Callable
from typing import Any

import pytest

from proofs import dwell as proofs
from proofs.obligation import REFUTED
from proofs.solver import decide
from verified_alloc import Station
from verified_alloc.kernel import dwell, ops
from verified_alloc.kernel.rule import documented

BY_ID = {one.id.removeprefix("dwell."): one for one in proofs.OBLIGATIONS}


def is_refuted(station: Station, name: str) -> bool:
    obligation = BY_ID[name]
    return decide(obligation.claim(station), obligation.budget).answer == REFUTED


def everything_stays(ops: Any, dwells: Any, usable: Any, wanted_w: Any, power_w: Any) -> Any:
    return [ops.and_(there, can) for there, can in zip(dwells, usable, strict=True)]


def left_to_everybody(ops: Any, usable: Any, staying: Any) -> Any:
    return usable


def left_to_nobody(ops: Any, usable: Any, staying: Any) -> Any:
    free = [ops.not_(ops.or_(*column)) for column in zip(*staying, strict=True)]
    return [[ops.and_(can, f) for can, f in zip(row, free, strict=True)] for row in usable]


@pytest.mark.parametrize(
    ("function", "mistake", "noticed"),
    [
        ("stays", everything_stays, {"as-long-as-needed", "taken-first"}),
        ("left", left_to_everybody, {"left-to-its-gun"}),
        ("left", left_to_nobody, {"left-to-its-gun"}),
    ],
)
def test_a_mistake_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
    small: Station,
    function: str,
    mistake: Callable[..., Any],
    noticed: set[str],
) -> None:
    assert not any(
        is_refuted(small, name) for name, one in BY_ID.items() if one.expected != REFUTED
    )
    monkeypatch.setattr(dwell, function, mistake)
    red = {
        name for name, one in BY_ID.items() if is_refuted(small, name) != (one.expected == REFUTED)
    }
    assert noticed <= red


def test_what_is_lost_while_a_module_dwells_is_there_again_when_none_does() -> None:
    """Two guns of 120 kW and four modules of 40 kW: PM1 dwells on the gun served last."""
    usable = [[True] * 4] * 2
    for stays, fed in ((True, [(1, 2, 3), (0,)]), (False, [(0, 1, 2), (3,)])):
        row = dwell.stays(ops, [stays, False, False, False], usable[1], 40_000, [40_000] * 4)
        left = dwell.left(ops, usable, [[False] * 4, row])
        choice = documented(
            ops, [0, 1], [160_000, 40_000], [120_000] * 2, [40_000] * 4, left, 240_000, 0
        )
        held = [tuple(m for m, bit in enumerate(row) if bit) for row in choice.held]
        assert held == fed
