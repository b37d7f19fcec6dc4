"""The obligations on switching fail where the kernel is broken, and tell a story."""

from collections.abc import Callable
from typing import Any

import pytest

from proofs import scan as of_the_scan
from proofs import switching as proofs
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, or_
from proofs.obligation import PROVED, REFUTED, Obligation
from proofs.solver import decide
from proofs.suite.prove import vacuity
from verified_alloc import Station
from verified_alloc.kernel import diagnosis, ops, switching
from verified_alloc.kernel.diagnosis import Ages, Readings
from verified_alloc.kernel.switching import Writes

BY_ID = {one.id.split(".", 1)[1]: one for one in (*of_the_scan.OBLIGATIONS, *proofs.OBLIGATIONS)}

Broken = Callable[[Readings, Ages, list[Any], Any, Writes], Writes]


def on_contact_alone(
    readings: Readings, ages: Ages, target: list[Any], times: Any, writes: Writes
) -> Writes:
    """Enables as soon as this scan reads the target's contactor closed."""
    return writes._replace(enable=and_(or_(*target), switching.on_gun(z3_terms, readings, target)))


def without_validity(
    readings: Readings, ages: Ages, target: list[Any], times: Any, writes: Writes
) -> Writes:
    """Switches on readings that are not valid."""
    return writes._replace(may_switch=ages.off_ms >= times.current_decay_ms)


def without_decay(
    readings: Readings, ages: Ages, target: list[Any], times: Any, writes: Writes
) -> Writes:
    """Does not wait until the current is gone."""
    return writes._replace(may_switch=or_(readings.valid, writes.may_switch))


def without_discharge(
    readings: Readings, ages: Ages, target: list[Any], times: Any, writes: Writes
) -> Writes:
    """Closes as soon as it may switch, without regard to the others."""
    return writes._replace(coils=target)


def rewrites_what_it_read(
    readings: Readings, ages: Ages, target: list[Any], times: Any, writes: Writes
) -> Writes:
    """Holds by writing the latch back."""
    return writes._replace(
        may_switch=True,
        coils=[
            or_(and_(writes.may_switch, coil), latch)
            for coil, latch in zip(writes.coils, readings.latch, strict=True)
        ],
    )


@pytest.mark.parametrize(
    ("broken", "refuted"),
    [
        (on_contact_alone, ("enabled-blind", "break-before-make", "live-on-one-gun")),
        (without_validity, ("invalid-is-off",)),
        (without_decay, ("nothing-under-load",)),
        (
            without_discharge,
            ("discharged-before-closing", "no-second-contactor", "one-gun-at-most"),
        ),
        (rewrites_what_it_read, ("invalid-is-off", "no-second-contactor-blind")),
    ],
)
def test_a_broken_step_is_refuted(
    monkeypatch: pytest.MonkeyPatch, small: Station, broken: Broken, refuted: tuple[str, ...]
) -> None:
    sound = switching.step

    def step(
        algebra: Any,
        times: Any,
        readings: Readings,
        ages: Ages,
        target: list[Any],
        locked: Any,
        stop: Any,
        overdue: Any,
    ) -> Writes:
        writes = sound(z3_terms, times, readings, ages, target, locked, stop, overdue)
        return broken(readings, ages, target, times, writes)

    monkeypatch.setattr(switching, "step", step)
    for name in refuted:
        assert answer(BY_ID[name], small) == REFUTED, name


def test_a_counterexample_is_told_in_words(small: Station) -> None:
    claim = BY_ID["bridged-by-the-wire"].claim(small)
    assert claim.show is not None
    story = claim.show(decide(claim, 10_000_000).model)
    assert "this scan: enable" in story
    assert "next scan: enable" in story
    assert "gun 3: coil" in story
    assert "Replayed on the shipped step, it decides the same." in story


def test_progress_is_tight(small: Station) -> None:
    """One scan less is not enough, so the stated number is not idle talk."""
    enough = proofs.scans_to_target(small)
    assert enough == 17
    assert proofs.scans_to_target(Station.reference()) == 57
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proofs, "scans_to_target", lambda station: enough - 1)
        assert answer(BY_ID["reaches-its-target"], small) == REFUTED


def test_every_mode_is_reached_from_a_cold_start() -> None:
    """A module on the plain kernel, with contactors that take 35 ms: off, discharging, closing,
    confirming, live, decaying, opening, and live on another gun."""
    times = diagnosis.Timing(200, 1000, 1000, 40, 40, 16, 16)
    coil, closed, moved_ms = [False, False], [False, False], [-1000, -1000]
    ages, enabled, modes = diagnosis.restarted(2), False, []
    for scan in range(200):
        now_ms = 20 * scan
        for gun in (0, 1):
            if now_ms - moved_ms[gun] >= 35:
                closed[gun] = coil[gun]
        target = [scan < 100, scan >= 100]
        readings = Readings(True, enabled, enabled, list(coil), list(closed), list(closed))
        ages = diagnosis.ages(ops, times, readings, ages, 20, 1)
        writes = switching.step(ops, times, readings, ages, target, [False] * 2, False, False)
        modes.append(
            "live"
            if switching.live(ops, readings)[0] or switching.live(ops, readings)[1]
            else "moving"
            if closed != coil
            else "confirming"
            if any(coil)
            else "open"
        )
        enabled = writes.enable
        for gun in (0, 1):
            if writes.may_switch and writes.coils[gun] != coil[gun]:
                coil[gun], moved_ms[gun] = writes.coils[gun], now_ms
    assert set(modes) == {"open", "moving", "confirming", "live"}
    assert modes[99] == modes[-1] == "live"
    assert closed == [False, True]


def test_a_mode_that_is_not_reached_is_found_out(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    """A module that nobody may enable is safe, and useless."""
    sound = switching.step
    monkeypatch.setattr(switching, "step", lambda *given: sound(*given)._replace(enable=False))
    _, _, _, empty = vacuity(BY_ID["every-mode"].claim(small))
    assert any("live on gun 1" in case for case in empty)
    assert not any("opening" in case for case in empty)


def test_a_cold_start_that_enables_is_refuted(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    sound = switching.step
    monkeypatch.setattr(
        switching, "step", lambda *given: sound(*given)._replace(enable=or_(*given[4]))
    )
    assert answer(BY_ID["every-mode"], small) == REFUTED


def test_a_stop_that_leaves_the_enable_on_is_refuted(
    monkeypatch: pytest.MonkeyPatch, small: Station
) -> None:
    sound = switching.step

    def step(*given: Any) -> Writes:
        without_stop = sound(*given[:-2], False, given[-1])
        return sound(*given)._replace(enable=without_stop.enable)

    monkeypatch.setattr(switching, "step", step)
    assert answer(BY_ID["stop-is-off"], small) == REFUTED
    assert answer(BY_ID["off-within-one-scan"], small) == REFUTED


def answer(obligation: Obligation, station: Station) -> str:
    return decide(obligation.claim(station), obligation.budget).answer


def test_they_hold_on_the_kernel_as_it_is(small: Station) -> None:
    assert answer(BY_ID["no-second-contactor"], small) == PROVED
