"""Faults that outlive the process."""

import json
import os
import random
from pathlib import Path

import pytest
from sweep.stations import REFERENCE
from sweep.working_station import WorkingStation

from verified_alloc.control.fault_latch import FaultLatch, Latched
from verified_alloc.errors import BadInput

SOME = Latched(
    welded=frozenset({(1, 1), (2, 9)}),
    failed_open=frozenset({(3, 4)}),
    dead=frozenset({5}),
    stuck_on=frozenset({(6, 6)}),
    expanders=frozenset({0, 3}),
    emergency_stop=True,
)


def test_nothing_is_latched_without_a_file(tmp_path: Path) -> None:
    assert FaultLatch(None).load() == Latched()
    assert FaultLatch(tmp_path / "faults").load() == Latched()
    FaultLatch(None).save(SOME)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    for latched in (SOME, Latched(), SOME._replace(welded=frozenset())):
        FaultLatch(path).save(latched)
        assert FaultLatch(path).load() == latched
    assert os.listdir(tmp_path) == ["faults"]


def test_it_is_on_disk_before_save_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written beside, flushed, moved over, and the folder flushed: in this order."""
    done: list[str] = []
    path = tmp_path / "faults"
    really_flush, really_move = os.fsync, Path.replace

    def flush(file: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{file}"))
        complete = name == tmp_path or json.loads(name.read_text())["dead"] == [5]
        done.append(f"flush {'folder' if name == tmp_path else 'file'} {complete}")
        really_flush(file)

    def move(self: Path, target: Path) -> Path:
        done.append("move")
        return really_move(self, target)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(Path, "replace", move)
    FaultLatch(path).save(SOME)
    assert done == ["flush file True", "move", "flush folder True"]


def test_a_loss_of_power_in_the_middle_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "faults"
    FaultLatch(path).save(SOME)

    def no_power(file: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", no_power)
    with pytest.raises(KeyboardInterrupt):
        FaultLatch(path).save(Latched())
    assert FaultLatch(path).load() == SOME


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    FaultLatch(path).save(SOME)
    whole = path.read_bytes()
    for length in range(len(whole.rstrip())):
        path.write_bytes(whole[:length])
        with pytest.raises(BadInput, match="faults"):
            FaultLatch(path).load()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"welded": []}',
        "\x00" * 64,
        json.dumps({**SOME._asdict(), "welded": "1:1"}, default=sorted),
        json.dumps({**SOME._asdict(), "welded": [[1]]}, default=sorted),
        json.dumps({**SOME._asdict(), "welded": [["a", 1]]}, default=sorted),
        json.dumps({**SOME._asdict(), "dead": 5}, default=sorted),
        json.dumps({**SOME._asdict(), "expanders": None}, default=sorted),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "faults"
    path.write_text(text)
    with pytest.raises(BadInput, match="faults"):
        FaultLatch(path).load()


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    for seed in range(50):
        path.write_bytes(random.Random(seed).randbytes(200))
        with pytest.raises(BadInput):
            FaultLatch(path).load()


def test_a_weld_is_on_disk_before_it_is_reported_and_known_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    with WorkingStation(REFERENCE, faults_path=path) as at_work:
        on_disk: list[bool] = []
        at_work.controller.report = lambda _: on_disk.append(
            FaultLatch(path).load().welded == {(1, 1)}
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
        assert at_work.controller.health.faults.welded == {(1, 1)}
        assert at_work.go_on(8, until=lambda: at_work.feeds_as_decided() and at_work.state.settled)
        assert at_work.live[2] == (2, 3, 4, 5, 6, 7)
        assert at_work.reported == ["latched before the start: contactor 1:1 is welded"]
        assert not at_work.bad()


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
    FaultLatch(path).save(Latched(welded=frozenset({(1, 1), (2, 1)})))
    with WorkingStation(REFERENCE, faults_path=path) as at_work:
        at_work.ask({1: 40, 2: 40, 3: 40})
        at_work.scan()
        assert at_work.state.locked == (1, 2)
        at_work.go_on(8)
        assert at_work.feeds({3: (2,)})
        assert at_work.offers_kw() == {1: 0, 2: 0, 3: 40, 4: 0, 5: 0, 6: 0}


def test_a_controller_does_not_start_on_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "faults"
    path.write_text("{")
    with pytest.raises(BadInput, match="faults"), WorkingStation(REFERENCE, faults_path=path):
        pass
