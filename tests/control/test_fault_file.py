"""Faults that outlive the process."""

import errno
import json
import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stations import stations, tables
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from hardware import HardwareError
from verified_alloc import whole_file
from verified_alloc.control.fault_file import ROOM_BYTES, FaultFile
from verified_alloc.control.fault_kinds import KINDS, Fault, bits_of, faults_of
from verified_alloc.errors import BadInput
from verified_alloc.kernel.wiring import expanders
from verified_alloc.station.model import Station

SOME = frozenset(
    [
        Fault("welded", 1, 1),
        Fault("welded", 2, 9),
        Fault("failed_open", 3, 4),
        Fault("dead", module=5),
        Fault("stuck_on", 6, 6),
        Fault("expander_lost", expander=0),
        Fault("expander_lost", expander=3),
        Fault("emergency_stop"),
    ]
)
OLD: dict[str, Any] = {
    "welded": [[1, 1], [2, 9]],
    "failed_open": [[3, 4]],
    "dead": [5],
    "stuck_on": [[6, 6]],
    "expanders": [0, 3],
    "emergency_stop": True,
}
"""The same as the first versions of this program wrote it."""
ADDED_LATER: dict[str, Any] = {
    "guns_out": [2],
    "modules_out": [7, 8],
    "stop_told": True,
    "runs_on": [1],
    "enables_high": [9],
}
DEAD = {"kind": "dead", "module": 5}


def test_nothing_is_latched_without_a_file(tmp_path: Path) -> None:
    assert FaultFile(None).load() == frozenset()
    assert FaultFile(tmp_path / "faults").load() == frozenset()
    FaultFile(None).save(SOME)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    for latched in (SOME, frozenset(), SOME - {Fault("welded", 1, 1)}):
        FaultFile(path).save(latched)
        assert FaultFile(path).load() == latched
    assert sorted(os.listdir(tmp_path)) == ["faults", "faults.new"]
    assert {file.stat().st_size for file in tmp_path.iterdir()} == {ROOM_BYTES}


def every_fault(station: Station) -> list[Fault]:
    """That a station can have."""
    numbers = {
        "contactor": [{"gun": gun, "module": module} for gun, module in station.contactors],
        "module": [{"module": module.id} for module in station.modules],
        "gun": [{"gun": gun.id} for gun in station.guns],
        "expander": [{"expander": at} for at in range(expanders(len(station.contactors)))],
        "station": [{}],
    }
    return [Fault(name, **one) for name, kind in KINDS.items() for one in numbers[kind.of]]


@given(st.data())
def test_whatever_a_station_can_have_is_loaded_as_it_was_saved(data: st.DataObject) -> None:
    station = data.draw(stations())
    faults = data.draw(st.frozensets(st.sampled_from(every_fault(station))))
    with TemporaryDirectory() as folder:
        FaultFile(Path(folder) / "faults").save(faults)
        assert FaultFile(Path(folder) / "faults").load() == faults
    assert faults_of(SimpleNamespace(**bits_of(faults, station))) == faults


def test_a_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    path.write_text(json.dumps(OLD))
    assert FaultFile(path).load() == SOME
    path.write_text(json.dumps(OLD | {"emergency_stop": False} | ADDED_LATER))
    assert FaultFile(path).load() == SOME - {Fault("emergency_stop")} | {
        Fault("gun_out", gun=2),
        Fault("module_out", module=7),
        Fault("module_out", module=8),
        Fault("stopped"),
        Fault("runs_on", module=1),
        Fault("enable_high", module=9),
    }


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"version": 3, "faults": []}, "version 3 is newer than 2, the newest known here"),
        ({"version": 3, "faulty": []}, "version 3 is newer than 2, the newest known here"),
        ({"version": 2, "faults": [DEAD, {"kind": "hot"}]}, "kind of fault 'hot' is not known"),
        ({"hot": [3]}, "kind of fault 'hot' is not known here"),
        (OLD | {"hot": [3], "cold": [4]}, "kind of fault 'cold' is not known here"),
    ],
)
def test_a_file_of_a_later_program_is_refused(
    tmp_path: Path, stored: dict[str, Any], said: str
) -> None:
    path = tmp_path / "faults"
    path.write_text(json.dumps(stored))
    with pytest.raises(BadInput) as refusal:
        FaultFile(path).load()
    assert f"{path}: {said}" in str(refusal.value)
    assert "install the version that wrote it, or inspect the station" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_it_is_on_disk_before_save_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written beside, flushed, exchanged, and the folder flushed: in this order."""
    done: list[str] = []
    path = tmp_path / "faults"
    FaultFile(path).save(frozenset())
    really_flush, really_exchange = os.fsync, whole_file._exchange

    def flush(file: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{file}"))
        complete = name == tmp_path or DEAD in json.loads(name.read_text())["faults"]
        done.append(f"flush {'folder' if name == tmp_path else 'file'} {complete}")
        really_flush(file)

    def exchange(one: Path, other: Path) -> bool:
        done.append("exchange")
        return really_exchange(one, other)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(whole_file, "_exchange", exchange)
    FaultFile(path).save(SOME)
    assert done == ["flush file True", "exchange", "flush folder True"]


def test_where_files_cannot_be_exchanged_one_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_file, "_exchange", lambda *_: False)
    test_what_is_saved_is_loaded(tmp_path)


def test_a_loss_of_power_in_the_middle_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faults"
    FaultFile(path).save(SOME)

    def no_power(file: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", no_power)
    with pytest.raises(KeyboardInterrupt):
        FaultFile(path).save(frozenset())
    assert FaultFile(path).load() == SOME


def is_lost(path: Path) -> None:
    """Nobody knows what was latched: all is off, why is told, and what is left of it is kept."""
    file, left = FaultFile(path), path.read_bytes()
    assert file.load() == {Fault("stopped")}
    assert file.lost.startswith(f"fault file {path}: cannot be read (")
    assert "\n" not in file.lost
    assert len(file.lost) < 400
    assert path.with_name("faults.damaged").read_bytes() == left


def test_of_a_file_cut_anywhere_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    FaultFile(path).save(SOME)
    whole = path.read_bytes()
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        is_lost(path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"welded": []}',
        "\x00" * 64,
        *(
            json.dumps(OLD | damaged)
            for damaged in (
                {"welded": "1:1"},
                {"welded": [[1]]},
                {"welded": [["a", 1]]},
                {"dead": 5},
                {"expanders": None},
                {"emergency_stop": "no"},
            )
        ),
        *(
            json.dumps({"version": 2, "faults": damaged})
            for damaged in (
                None,
                [1],
                [{"module": 5}],
                [{"kind": "dead"}],
                [{"kind": "dead", "module": "5"}],
                [{"kind": "dead", "module": True}],
                [{"kind": "dead", "module": 5, "gun": 1}],
                [{"kind": ["dead"], "module": 5}],
            )
        ),
        '{"version": 2}',
        '{"version": "2", "faults": []}',
        '{"version": 1, "faults": []}',
        '{"version": 2.0, "faults": []}',
        '{"version": 2.5, "faults": []}',
        '{"version": 2, "faults": {}}',
        '{"version": 2, "faults": ""}',
        '{"version": 2, "faults": [[["kind", "dead"], ["module", 5]]]}',
        '{"version": 2, "faults": [], "welded": [[1, 2]]}',
        '{"welded": {}, "failed_open": [], "dead": [], "stuck_on": [], "expanders": [],'
        ' "emergency_stop": false}',
        '{"welded": [], "failed_open": [], "dead": "", "stuck_on": [], "expanders": [],'
        ' "emergency_stop": false}',
        "[" * 200_000,
    ],
)
def test_of_a_damaged_file_nothing_is_known(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults"
    path.write_text(text)
    is_lost(path)


def test_a_file_that_is_gone_is_not_a_first_start(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    FaultFile(path).save(SOME)
    path.unlink()
    file = FaultFile(path)
    assert file.load() == {Fault("stopped")}
    assert file.lost.startswith(f"fault file {path}: is gone, and faults.new is still there")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "no space left on device"),
        (PermissionError(), "permissionerror"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, said: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    latch = FaultFile(tmp_path / "faults")
    monkeypatch.setattr(whole_file, "write", fails)
    with pytest.raises(BadInput, match=f"faults: {said}; allowed is a file that can be written$"):
        latch.load()
    with pytest.raises(HardwareError, match=f"faults: {said}$"):
        latch.save(frozenset([Fault("welded", 1, 1)]))


def test_the_file_and_its_folders_are_made_at_the_first_start(tmp_path: Path) -> None:
    path = tmp_path / "lib" / "station" / "faults"
    assert FaultFile(path).load() == frozenset()
    assert json.loads(path.read_text()) == {"version": 2, "faults": []}
    below_a_file = path / "faults"
    with pytest.raises(BadInput, match=r"allowed is a file that can be written$"):
        FaultFile(below_a_file).load()


def test_of_random_bytes_nothing_is_known(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    for seed in range(50):
        path.write_bytes(random.Random(seed).randbytes(200))
        is_lost(path)


def test_a_weld_is_on_disk_before_it_is_reported_and_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    with WorkingStation(REFERENCE, faults_path=path) as at_work:
        on_disk: list[bool] = []
        at_work.controller.faults._report = lambda _: on_disk.append(
            FaultFile(path).load() == {Fault("welded", 1, 1)}
        )
        at_work.inject("weld 1:1")
        at_work.ask({1: 40})
        at_work.go_on(12)
        at_work.ask({1: 0})
        at_work.go_on(12)
        assert on_disk == [True]
        at_work.kill()
        at_work.ask({2: 240})
        at_work.start()
        assert at_work.state.faults.welded == {(1, 1)}
        assert at_work.go_on(8, until=lambda: at_work.feeds_as_decided() and at_work.state.settled)
        assert at_work.live[2] == (2, 3, 4, 5, 6, 7)
        assert at_work.reported == ["latched before the start: contactor 1:1 is welded"]
        assert not at_work.bad()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_no_fault_ends_nothing_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The stop works, and what is latched counts, on disk or not."""
    path, write, tries = tmp_path / "faults", whole_file.write, []

    def fails(*what: object) -> None:
        tries.append(what)
        raise OSError(number, "as if")

    with WorkingStation(REFERENCE, faults_path=path) as at_work:
        at_work.ask({1: 40, 2: 40})
        at_work.go_on(6)
        with monkeypatch.context() as full:
            full.setattr(whole_file, "write", fails)
            at_work.controller.take_out("module", 9, True)
            at_work.controller.stop_all()
            at_work.go_on(5, skip=False)
            assert not any(at_work.live.values())
            assert 5 <= len(tries) <= 8
            assert FaultFile(path).load() == frozenset()
        at_work.go_on(2, skip=False)
        latched = {Fault("stopped"), Fault("module_out", module=9)}
        assert at_work.state.latched == FaultFile(path).load() == latched
        assert at_work.reported == [
            f"fault file {path}: as if; what is latched is in memory only until it takes it",
            f"fault file {path}: takes what is latched again",
        ]
        assert write is whole_file.write


def test_an_emergency_stop_outlives_the_process(tmp_path: Path) -> None:
    with WorkingStation(REFERENCE, faults_path=tmp_path / "faults") as at_work:
        at_work.ask({1: 40})
        at_work.inject("estop @ 5s for 1s")
        at_work.go_on(12)
        assert not any(at_work.live.values())
        at_work.kill()
        at_work.start()
        at_work.go_on(12)
        assert at_work.state.stopped
        assert not any(at_work.live.values())


def test_two_welds_of_an_earlier_process_lock_both_guns_from_the_first_scan(
    tmp_path: Path,
) -> None:
    path = tmp_path / "faults"
    FaultFile(path).save(frozenset([Fault("welded", 1, 1), Fault("welded", 2, 1)]))
    with WorkingStation(REFERENCE, faults_path=path) as at_work:
        at_work.ask({1: 40, 2: 40, 3: 40})
        at_work.scan()
        assert at_work.state.locked == (1, 2)
        at_work.go_on(8)
        assert at_work.feeds({3: (2,)})
        assert at_work.offers_kw() == {1: 0, 2: 0, 3: 40, 4: 0, 5: 0, 6: 0}


def test_a_station_starts_stopped_on_a_damaged_file_and_goes_on_once_that_is_cleared(
    tmp_path: Path,
) -> None:
    path = tmp_path / "faults"
    path.write_text("{")
    with WorkingStation(REFERENCE, faults_path=path) as at_work:
        assert "cannot be read" in at_work.reported[0]
        at_work.ask({1: 40})
        at_work.go_on(6)
        assert at_work.state.stopped
        assert not any(at_work.live.values())
        assert FaultFile(path).load() == {Fault("stopped")}
        at_work.controller.clear_stop()
        assert at_work.go_on(6, until=lambda: bool(at_work.live[1]))
        assert FaultFile(path).load() == frozenset()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_start_on_a_disk_that_takes_nothing_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """What was latched before may have been in memory only."""
    path = tmp_path / "faults"
    FaultFile(path).save(frozenset([Fault("dead", module=5)]))

    def fails(*_: object) -> None:
        raise OSError(number, "as if")

    with monkeypatch.context() as broken:
        broken.setattr(whole_file, "write", fails)
        with WorkingStation(REFERENCE, faults_path=path) as at_work:
            assert at_work.reported[0].startswith(f"fault file {path}: cannot be written (as if)")
            assert at_work.controller.faults.latched == {
                Fault("dead", module=5),
                Fault("stopped"),
            }


def test_every_fault_of_a_station_on_six_buses_fits_into_the_room(tmp_path: Path) -> None:
    """Four pairs of expanders of 14 contactors each have an address on a bus."""
    station = Station.from_tables(tables(station={"guns": 21, "modules": 16}))
    assert len(station.contactors) == 6 * 4 * 14
    faults = frozenset(every_fault(station))
    assert len(faults) > 3 * len(station.contactors)
    FaultFile(tmp_path / "faults").save(faults)
    assert (tmp_path / "faults").stat().st_size == ROOM_BYTES


def test_a_controller_does_not_start_with_a_fault_of_a_part_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    for fault, which in {
        Fault("welded", 7, 1): "contactor 7:1",
        Fault("dead", module=10): "module 10",
        Fault("gun_out", gun=0): "gun 0",
        Fault("expander_lost", expander=4): "expander 4",
    }.items():
        FaultFile(path).save(frozenset([fault]))
        with pytest.raises(BadInput, match=which), WorkingStation(REFERENCE, faults_path=path):
            pass
