"""Mutants of the glue are what they say, and real tests notice the known ones."""

import ast

import pytest

from glue_mutants import changes, hunt
from glue_mutants.argued import ARGUED

EVERY = {mutant.name: mutant for path in changes.FILES for mutant in changes.of(path)}
WIRES = "tests/control/test_carrying.py"
CONTROLLER = "tests/control/test_controller.py"
MODULES = "tests/hardware/test_modules.py"


def reach(test: str) -> hunt.Reach:
    return hunt.Reach(test, 1.0, frozenset())


def test_every_mutant_is_python_and_another_program() -> None:
    assert len(EVERY) == len({(mutant.file, mutant.source) for mutant in EVERY.values()})
    for mutant in list(EVERY.values())[::10]:
        ast.parse(mutant.source)


def test_the_argued_ones_exist_and_are_few() -> None:
    assert set(ARGUED) <= set(EVERY)
    assert len(ARGUED) <= 0.05 * len(EVERY)


@pytest.mark.parametrize(
    ("name", "test"),
    [
        # Taken from the line's level alone, not from what it was told.
        ("verified_alloc.control.wires.observed: lines.enabled: high", WIRES),
        ("hardware.modules._set: self._wanted[module - 1] = True: left out", MODULES),
        ("hardware.modules.off: failure is not None: Is", MODULES),
    ],
)
def test_real_tests_notice(name: str, test: str) -> None:
    fate = hunt.fate(EVERY[name], [reach(test)])
    assert fate.state == hunt.KILLED
    assert fate.by.startswith(f"{test}::")


def test_the_shipped_file_and_what_nothing_reaches_survive() -> None:
    shipped = EVERY["hardware.modules.off: failure is not None: Is"]._replace(
        source=(changes.ROOT / "hardware/modules.py").read_text("utf-8")
    )
    assert hunt.fate(shipped, [reach(MODULES)]).state == hunt.SURVIVES
    assert hunt.fate(shipped, []).state == hunt.SURVIVES


def test_a_mutant_that_cannot_be_loaded_is_noticed() -> None:
    fate = hunt.fate(EVERY["hardware.mcp23017.ALL_INPUTS: 255 becomes 256"], [reach(MODULES)])
    assert (fate.state, fate.by) == (hunt.KILLED, "loading")


@pytest.mark.slow
def test_a_mutant_that_loops_for_ever_is_noticed() -> None:
    name = "verified_alloc.control.wires.wait_until_off: waited_ms + scan_ms: Sub"
    endless = reach(f"{WIRES}::test_the_start_does_not_wait_for_ever")
    assert hunt.fate(EVERY[name], [endless]).state == hunt.KILLED


def test_the_tests_that_reach_a_line_are_tried_fastest_first_within_the_budget() -> None:
    mutant = EVERY["hardware.modules.off: failure is not None: Is"]
    line = ("hardware.modules", mutant.lines.start, mutant.lines.start)
    elsewhere = ("hardware.modules", 1, 1)
    every = [
        hunt.Reach("fast", 0.1, frozenset([line, elsewhere])),
        hunt.Reach("elsewhere", 0.2, frozenset([elsewhere])),
        hunt.Reach("slow", 1.0, frozenset([line])),
        hunt.Reach("too slow", hunt.BUDGET_S, frozenset([line])),
    ]
    assert [each.test for each in hunt.tests_for(mutant, every)] == ["fast", "slow"]
