"""The latched faults: on disk, told and planned around are always the same ones."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sweep.stations import REFERENCE

from verified_alloc.control.fault_kinds import Fault, bits_of
from verified_alloc.control.fault_latch import FaultLatch
from verified_alloc.control.latched_faults import LatchedFaults
from verified_alloc.kernel import scan
from verified_alloc.kernel.latched import Latched
from verified_alloc.station.faults import Faults

WELD, DEAD, STOP = Fault("welded", 1, 2), Fault("dead", module=5), Fault("stopped")
LIVES = [
    (frozenset([WELD]), Faults(welded={(1, 2)})),
    (frozenset([WELD, DEAD]), Faults(welded={(1, 2)}, modules={5})),
    (frozenset([DEAD, STOP]), Faults(modules={5})),
    (frozenset([STOP]), Faults()),
    (frozenset(), Faults()),
    (frozenset([DEAD]), Faults(modules={5})),
]
"""What is latched, one after the other, and what is planned around."""


def bits(faults: frozenset[Fault]) -> Latched:
    return Latched(**bits_of(faults, REFERENCE))


def nobody_hears(sentence: str) -> None:
    raise AssertionError(sentence)


@pytest.mark.parametrize("told", [LatchedFaults.keep, LatchedFaults.latch])
def test_whatever_is_latched_and_cleared_a_restart_finds_it_so(
    tmp_path: Path, told: Callable[[LatchedFaults, Latched], None]
) -> None:
    file = FaultLatch(tmp_path / "faults")
    faults = LatchedFaults(REFERENCE, file, lambda _: None)
    for latched, without in LIVES:
        told(faults, bits(latched))
        for each in (faults, LatchedFaults(REFERENCE, file, nobody_hears)):
            memory = scan.restarted(REFERENCE.built, each.bits)
            assert (each.latched, each.without(memory)) == (latched, without)
            assert each.bits == bits(latched)


def test_each_fault_is_told_once_when_it_is_on_disk_and_none_that_a_person_tells(
    tmp_path: Path,
) -> None:
    file = FaultLatch(tmp_path / "faults")
    heard: list[tuple[str, frozenset[Fault]]] = []
    faults = LatchedFaults(REFERENCE, file, lambda text: heard.append((text, file.load())))
    both = frozenset([WELD, DEAD])
    for latched in (frozenset([WELD]), both, both, frozenset([DEAD])):
        faults.latch(bits(latched))
    faults.keep(bits(both))
    assert heard == [
        ("contactor 1:2 is welded", frozenset([WELD])),
        ("module 5 does not report on", both),
    ]
