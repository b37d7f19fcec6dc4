"""The obligations on diagnosis fail for the mistakes that were made once."""

from typing import Any

import pytest

from proofs import manifest
from proofs.obligation import REFUTED
from proofs.solver import decide
from verified_alloc import Station
from verified_alloc.kernel import diagnosis
from verified_alloc.kernel.diagnosis import ContactorFaults


def is_refuted(station: Station, name: str) -> bool:
    obligation = manifest.obligations()[name]
    return decide(obligation.claim(station), obligation.budget).answer == REFUTED


def test_an_age_that_counts_what_nobody_saw(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    """The first scan that shows it must not be credited with the time before it."""
    monkeypatch.setattr(
        diagnosis,
        "lasting",
        lambda ops, holds, before_ms, elapsed_ms: ops.ite(
            holds, ops.ite(before_ms > 0, before_ms, 0) + elapsed_ms, diagnosis.NOT_SO
        ),
    )
    assert is_refuted(small, "scan.ages-are-sound")
    assert is_refuted(small, "diagnosis.settled-takes-two-scans")


def test_a_count_that_outlives_the_command(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    """A failed-open contactor whose coil is dropped is not welded; a good one that moves twice in
    short order is neither."""
    monkeypatch.setattr(diagnosis, "same", lambda ops, a, b: True)
    assert is_refuted(small, "diagnosis.healthy-is-not-latched")
    assert is_refuted(small, "diagnosis.latched-for-cause")


def test_a_count_of_skipped_scans(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    """One flipped bit after skipped time is one mismatch, not as many as scans were skipped."""

    def tally(ops: Any, wrong: Any, before: Any, scans: Any, limit: Any) -> Any:
        worn = before - scans
        return ops.ite(wrong, before + 4 * scans, ops.ite(worn > 0, worn, 0))

    monkeypatch.setattr(diagnosis, "tally", tally)
    assert is_refuted(small, "diagnosis.healthy-is-not-latched")


def test_a_bridge_forgotten_by_a_flipped_bit(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    def counts_closed(ops: Any, readings: Any, welded: Any, before: Any) -> list[Any]:
        return [
            ops.or_(weld, ops.and_(readings.valid, closed, again))
            for weld, closed, again in zip(
                welded, readings.closed, readings.closed_again, strict=True
            )
        ]

    monkeypatch.setattr(diagnosis, "counts_closed", counts_closed)
    assert is_refuted(small, "scan.bridge-counts")


def test_a_fault_that_heals_by_itself(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    sound = diagnosis.contactor_faults

    def forgetful(ops: Any, timing: Any, readings: Any, ages: Any, before: Any) -> Any:
        return sound(ops, timing, readings, ages, ContactorFaults(before.welded, [False] * 3))

    monkeypatch.setattr(diagnosis, "contactor_faults", forgetful)
    assert is_refuted(small, "scan.latched-stays")


def test_a_gun_that_only_one_weld_locks(monkeypatch: pytest.MonkeyPatch, small: Station) -> None:
    def locked(ops: Any, closed: Any, stuck_on: Any) -> list[Any]:
        return [ops.or_(*column) for column in zip(*stuck_on, strict=True)]

    monkeypatch.setattr(diagnosis, "locked", locked)
    assert is_refuted(small, "scan.joined-are-off")
    assert is_refuted(small, "diagnosis.locked-for-cause")


def test_invalid_readings_that_are_believed(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    sound = diagnosis.ages

    def believing(ops: Any, times: Any, readings: Any, *rest: Any) -> Any:
        return sound(ops, times, readings._replace(valid=True), *rest)

    monkeypatch.setattr(diagnosis, "ages", believing)
    assert is_refuted(small, "diagnosis.invalid-forgets")
    assert is_refuted(small, "scan.ages-are-sound")
