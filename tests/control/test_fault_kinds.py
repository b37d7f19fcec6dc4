"""The table of faults: what it says, and that the whole program goes by it."""

import asyncio
import socket
from pathlib import Path

import pytest
from service.snapshots import snapshot_of
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import (
    KINDS,
    MODULE,
    PUT_BACK,
    Fault,
    Kind,
    bits_of,
    cleared_by,
    describe,
    name_of,
)
from verified_alloc.kernel.latched import Latched
from verified_alloc.service.explainer import Explainer
from verified_alloc.service.metrics import Metrics
from verified_alloc.service.orders import _CLEAR
from verified_alloc.service.scan_link import ScanLink
from verified_alloc.service.snapshot import Snapshot
from verified_alloc.service.views import Views

EVERYTHING = (
    Fault("welded", 1, 2),
    Fault("welded", 3, 1),
    Fault("failed_open", 3, 4),
    Fault("dead", module=5),
    Fault("stuck_on", 6, 7),
    Fault("expander_lost", expander=1),
    Fault("runs_on", module=8),
    Fault("enable_high", module=9),
    Fault("emergency_stop"),
    Fault("stopped"),
    Fault("gun_out", gun=2),
    Fault("module_out", module=3),
)


def test_every_fault_has_a_sentence_of_its_own() -> None:
    assert describe(REFERENCE, frozenset(EVERYTHING)) == [
        "contactor 1:2 is welded",
        "contactor 3:1 is welded",
        "contactor 3:4 failed open",
        "PM5 does not report on",
        "PM7 does not switch off; gun 6 is locked",
        "expanders 0x21 and 0x25 are lost; their modules are out until that is cleared",
        "PM8 reports on although it is disabled",
        "the enable line of PM9 is held high; everything is off until that is cleared",
        "emergency stop; everything is off until that is cleared",
        "stopped as told; everything is off until that is cleared",
        "gun 2 is out of service",
        "PM3 is out of service",
    ]


def test_every_fault_says_how_it_is_cleared() -> None:
    assert {fault.kind for fault in EVERYTHING} == KINDS.keys()
    for fault in EVERYTHING:
        said = cleared_by(REFERENCE, fault)
        if name := name_of(REFERENCE, fault):
            assert f"`verified-alloc clear {name}`" in said
        else:
            assert f"`PUT /api/v1/{'guns/2' if fault.gun else 'modules/3'}/service`" in said
    assert {kind.name for kind in KINDS.values()} == {*_CLEAR, PUT_BACK}


def test_bits_count_from_0() -> None:
    bits = bits_of(frozenset(EVERYTHING), REFERENCE)
    assert bits.keys() == KINDS.keys()
    assert [(m, g) for m in range(9) for g in range(6) if bits["welded"][m][g]] == [(0, 2), (1, 0)]
    assert bits["expander_lost"] == [False, True, False, False]
    assert bits["dead"] == [module == 4 for module in range(9)]
    assert bits["gun_out"] == [gun == 1 for gun in range(6)]
    assert bits["stopped"] is True
    assert bits_of(frozenset(), REFERENCE)["stopped"] is False


def test_a_kind_is_a_line_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A made-up one is kept, told, shown and counted, with nothing else changed but the field of
    the kernel's `Latched` that finds it."""
    with WorkingStation(REFERENCE) as at_work:
        state = at_work.scan()
    hot = Kind("module", MODULE, "PM{module} is hot", "nothing", "let it cool")
    monkeypatch.setitem(KINDS, "hot", hot)
    fault, latch = Fault("hot", module=3), FaultFile(tmp_path / "faults")
    faults = frozenset([fault, Fault("welded", 1, 2)])
    latch.save(faults)
    assert latch.load() == faults
    assert describe(REFERENCE, faults) == ["contactor 1:2 is welded", "PM3 is hot"]
    seen = snapshot_of(state._replace(latched=faults))
    shown = Views(REFERENCE, "not proved", True, Explainer(REFERENCE)).faults(seen)[1]
    assert (shown.id, shown.text, shown.effect) == ("module-3", "PM3 is hot", "nothing")
    assert asyncio.run(_metrics(seen)).count("verified_alloc_faults 2.0") == 1


async def _metrics(seen: Snapshot) -> str:
    """Of a station as it was seen."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        link = ScanLink(ours)
        link.seen = seen
        return Metrics(REFERENCE, link).text().decode()


def test_the_kernel_latches_every_kind_in_the_table_and_no_other() -> None:
    assert Latched._fields == tuple(KINDS)


def test_what_is_cleared_together_is_one_row() -> None:
    faults = frozenset([Fault("emergency_stop"), Fault("stopped"), Fault("dead", module=2)])
    with WorkingStation(REFERENCE) as at_work:
        seen = snapshot_of(at_work.scan()._replace(latched=faults))
    rows = Views(REFERENCE, "not proved", True, Explainer(REFERENCE)).faults(seen)
    assert [row.id for row in rows] == ["module-2", "emergency-stop"]
    assert rows[1].text == "; ".join(describe(REFERENCE, faults)[1:])
