"""The latched faults: on disk, told and planned around are always the same ones."""

import errno
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType

import pytest
from control.slow_disk import on_a_slow_disk
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control import on_disk, proof_dates
from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import Fault, bits_of
from verified_alloc.control.latched_faults import LatchedFaults
from verified_alloc.kernel import scan
from verified_alloc.kernel.latched import Latched
from verified_alloc.station.faults import Faults
from verified_alloc.whole_file import AtOnce

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
    file = FaultFile(tmp_path / "faults")
    faults = LatchedFaults(REFERENCE, file, lambda _: None, AtOnce())
    for latched, without in LIVES:
        told(faults, bits(latched))
        for each in (faults, LatchedFaults(REFERENCE, file, nobody_hears, AtOnce())):
            memory = scan.restarted(REFERENCE.built, each.bits)
            assert (each.latched, each.without(memory)) == (latched, without)
            assert each.bits == bits(latched)


def test_each_fault_is_told_once_when_it_is_on_disk_and_none_that_a_person_tells(
    tmp_path: Path,
) -> None:
    file = FaultFile(tmp_path / "faults")
    heard: list[tuple[str, frozenset[Fault]]] = []
    faults = LatchedFaults(
        REFERENCE, file, lambda text: heard.append((text, file.load())), AtOnce()
    )
    both = frozenset([WELD, DEAD])
    for latched in (frozenset([WELD]), both, both, frozenset([DEAD])):
        faults.latch(bits(latched))
    faults.keep(bits(both))
    assert heard == [
        ("contactor 1:2 is welded", frozenset([WELD])),
        ("PM5 does not report on", both),
    ]


def test_no_scan_waits_for_the_disk_and_nobody_hears_of_a_fault_before_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_a_slow_disk(monkeypatch, tmp_path / "faults") as (at_work, disk, faults):
        at_work.inject("spontaneous-open 1:1")
        assert at_work.go_on(2, until=lambda: bool(faults.latched), skip=False)
        at_work.go_on(0.5, skip=False)
        assert not faults.settled
        assert at_work.live[1] == (3,)  # what is latched counts
        assert (at_work.reported, disk.faults) == ([], frozenset())
        disk.lets(faults)
        at_work.scan(skip=False)
        assert faults.settled
        assert at_work.reported == ["contactor 1:1 failed open"]
        assert disk.faults == {Fault("failed_open", 1, 1)}


def test_what_is_latched_while_the_disk_writes_is_written_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_a_slow_disk(monkeypatch, tmp_path / "faults") as (at_work, disk, faults):
        at_work.controller.take_out("module", 9, True)
        at_work.controller.take_out("module", 8, True)
        at_work.controller.stop_all()
        disk.lets(faults)
        at_work.scan(skip=False)
        assert disk.faults == {Fault("module_out", module=9)}
        assert not faults.settled
        disk.lets(faults)
        at_work.scan(skip=False)
        assert faults.settled
        assert disk.faults == faults.latched
        assert (len(faults.latched), disk.writes) == (3, 2)


def test_a_disk_that_does_not_answer_is_told_once_and_what_is_latched_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faults"
    with on_a_slow_disk(monkeypatch, path) as (at_work, disk, faults):
        at_work.inject("spontaneous-open 1:1")
        assert at_work.go_on(2, until=lambda: bool(faults.latched), skip=False)
        at_work.go_on(5, skip=False)
        silent = f"fault file {path}: does not answer; what is latched is in memory only until it"
        said = [f"{silent} takes it", "contactor 1:1 failed open"]
        assert (at_work.reported, disk.faults) == (said, frozenset())
        assert faults.settled  # as far as whoever waits for it is concerned
        assert disk.writes == 1
        disk.lets(faults)
        at_work.scan(skip=False)
        assert at_work.reported == [*said, f"fault file {path}: takes what is latched again"]
        assert disk.faults == {Fault("failed_open", 1, 1)}


def test_a_refusal_that_comes_late_is_told_once_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faults"
    with on_a_slow_disk(monkeypatch, path) as (at_work, disk, faults):
        at_work.controller.stop_all()
        disk.error = errno.EIO
        at_work.go_on(0.5, skip=False)
        disk.lets(faults)
        at_work.scan(skip=False)
        refused = f"fault file {path}: as if; what is latched is in memory only until it takes it"
        assert at_work.reported == [refused]
        disk.error = 0
        at_work.go_on(1, skip=False)
        disk.lets(faults)
        at_work.scan(skip=False)
        assert at_work.reported == [refused, f"fault file {path}: takes what is latched again"]
        assert disk.faults == {Fault("stopped")}


def test_at_the_end_the_disk_has_what_was_latched_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faults"
    with on_a_slow_disk(monkeypatch, path) as (at_work, _, faults):
        at_work.controller.take_out("module", 9, True)
        at_work.controller.stop_all()
    assert FaultFile(path).load() == faults.latched
    assert len(faults.latched) == 2


@pytest.mark.parametrize("room", [on_disk, proof_dates], ids=["faults", "proof tests"])
def test_every_module_is_off_before_a_disk_is_waited_for(
    room: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the process ends: a disk that hangs must not hold the enable lines high."""
    enabled: list[list[bool]] = []
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160})
        at_work.go_on(6)
        assert any(module.wire for module in at_work.cabinet.modules)
        at_work.controller.faults.on_disk.writing = Future()
        at_work.controller._tests._dates._writing = Future()
        monkeypatch.setattr(
            room,
            "wait",
            lambda *_: enabled.append([module.wire for module in at_work.cabinet.modules]),
        )
        other = proof_dates if room is on_disk else on_disk
        monkeypatch.setattr(other, "wait", lambda *_: None)
        with pytest.raises(ZeroDivisionError):
            at_work.crash(ZeroDivisionError())
    assert enabled == [[False] * 9]
