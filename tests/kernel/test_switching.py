"""One module, three guns, scan by scan."""

from verified_alloc.kernel import diagnosis, ops, switching
from verified_alloc.kernel.diagnosis import NOT_SO, Ages, Readings, Timing
from verified_alloc.kernel.switching import Writes

TIMING = Timing(
    current_decay_ms=200,
    module_discharge_ms=1000,
    module_off_timeout_ms=1000,
    contactor_operate_ms=30,
    contactor_release_ms=40,
    operate_mismatch=16,
    release_mismatch=16,
)
NONE = (False, False, False)
FRESH = diagnosis.restarted(3)
LONG = (5000, 5000, 5000)


def on(*guns: int) -> tuple[bool, ...]:
    return tuple(gun in guns for gun in range(3))


def reading(
    latch: tuple[bool, ...] = NONE,
    closed: tuple[bool, ...] | None = None,
    again: tuple[bool, ...] | None = None,
    enabled: bool = False,
    reports_on: bool | None = None,
    valid: bool = True,
) -> Readings:
    closed = latch if closed is None else closed
    return Readings(
        valid=valid,
        enabled=enabled,
        reports_on=enabled if reports_on is None else reports_on,
        latch=latch,
        closed=closed,
        closed_again=closed if again is None else again,
    )


def ages(off_ms: int = 5000, settled_ms: tuple[int, ...] = LONG) -> Ages:
    return Ages(off_ms, NOT_SO, NOT_SO, settled_ms, (0, 0, 0), NONE)


def step(
    readings: Readings,
    ages: Ages,
    target: tuple[bool, ...],
    locked: tuple[bool, ...] = NONE,
    stop: bool = False,
    overdue: bool = False,
) -> Writes:
    return switching.step(ops, TIMING, readings, ages, target, locked, stop, overdue)


def test_an_idle_module_closes_its_contactor_then_is_enabled() -> None:
    closing = step(reading(), ages(), on(1))
    assert closing.may_switch
    assert tuple(closing.coils) == on(1)
    assert not closing.enable
    moving = step(reading(latch=on(1), closed=NONE), ages(), on(1))
    assert not moving.enable
    arrived = step(reading(latch=on(1)), ages(), on(1))
    assert arrived.enable


def test_it_is_enabled_only_when_all_others_are_confirmed_open() -> None:
    assert not step(reading(latch=on(1)), ages(settled_ms=(39, -1, 40)), on(1)).enable
    assert step(reading(latch=on(1)), ages(settled_ms=(40, 30, 40)), on(1)).enable


def test_it_is_enabled_only_when_its_contact_had_time_to_close_whatever_it_reads() -> None:
    assert not step(reading(latch=on(1)), ages(settled_ms=(40, 29, 40)), on(1)).enable


def test_one_feedback_read_is_not_enough_to_enable() -> None:
    assert not step(reading(latch=on(1), closed=on(1), again=NONE), ages(), on(1)).enable
    assert not step(reading(latch=on(1), closed=NONE, again=on(1)), ages(), on(1)).enable


def test_a_live_module_is_disabled_first_and_its_contactor_left_alone() -> None:
    leaving = step(reading(latch=on(0), enabled=True), ages(off_ms=0), on(1))
    assert not leaving.enable
    assert not leaving.may_switch


def test_it_breaks_only_when_the_current_is_gone_and_makes_only_when_discharged() -> None:
    assert not step(reading(latch=on(0)), ages(off_ms=199), on(1)).may_switch
    breaking = step(reading(latch=on(0)), ages(off_ms=200), on(1))
    assert breaking.may_switch
    assert tuple(breaking.coils) == NONE
    assert tuple(step(reading(), ages(off_ms=999), on(1)).coils) == NONE
    assert tuple(step(reading(), ages(off_ms=1000), on(1)).coils) == on(1)


def test_it_makes_only_when_all_others_are_confirmed_open() -> None:
    assert tuple(step(reading(), ages(settled_ms=(39, 40, 40)), on(1)).coils) == NONE
    assert tuple(step(reading(), ages(settled_ms=(40, -1, 40)), on(1)).coils) == on(1)


def test_it_does_not_switch_while_the_module_reports_on() -> None:
    stuck = reading(latch=on(0), enabled=False, reports_on=True)
    assert not step(stuck, ages(), on(1)).may_switch


def test_invalid_readings_disable_and_switch_nothing() -> None:
    unknown = step(reading(latch=on(0), enabled=True, valid=False), ages(), on(0))
    assert not unknown.enable
    assert not unknown.may_switch


def test_a_locked_gun_keeps_nothing() -> None:
    locked = step(reading(latch=on(0), enabled=True), ages(off_ms=0), on(0), locked=on(0))
    assert not locked.enable
    assert tuple(step(reading(latch=on(0)), ages(), on(0), locked=on(0)).coils) == NONE


def test_a_target_on_two_guns_is_no_target() -> None:
    both = step(reading(latch=on(0), enabled=True), ages(), on(0, 1))
    assert not both.enable
    assert tuple(both.coils) == NONE


def test_a_stop_disables_at_once_opens_when_the_current_is_gone_and_at_last_anyway() -> None:
    stopping = step(reading(latch=on(0), enabled=True), ages(off_ms=0), on(0), stop=True)
    assert not stopping.enable
    assert not stopping.may_switch
    gone = step(reading(latch=on(0)), ages(off_ms=200), on(0), stop=True)
    assert gone.may_switch
    assert tuple(gone.coils) == NONE
    stuck = reading(latch=on(0), reports_on=True)
    overdue = step(stuck, ages(off_ms=0), on(0), stop=True, overdue=True)
    assert overdue.may_switch
    assert tuple(overdue.coils) == NONE
    assert not switching.is_overdue(TIMING, 1199)
    assert switching.is_overdue(TIMING, 1200)


def test_live_means_enabled_reporting_and_on_that_gun_alone() -> None:
    assert switching.live(ops, reading(latch=on(2), enabled=True))[2]
    assert not switching.live(ops, reading(latch=on(2), enabled=True))[1]
    assert not switching.live(ops, reading(latch=on(2), enabled=True, reports_on=False))[2]
    assert not switching.live(ops, reading(latch=on(2), reports_on=True))[2]
    assert not switching.live(ops, reading(latch=on(1, 2), enabled=True))[2]
    assert not switching.live(ops, reading(latch=on(2), enabled=True, valid=False))[2]


def test_a_scan_that_stalled_is_no_time_off() -> None:
    """The enable fell just before this scan, however long ago the last one was."""
    live = diagnosis.ages(ops, TIMING, reading(latch=on(0), enabled=True), FRESH, 20, 1)
    after = diagnosis.ages(ops, TIMING, reading(latch=on(0)), live, 5000, 1)
    assert after.off_ms == 0
    assert not step(reading(latch=on(0)), after, on(1)).may_switch


def test_from_one_gun_to_another_on_a_perfect_plant() -> None:
    """Contacts follow their coils within a scan of 20 ms; the current is gone with the enable."""
    latch, enabled, age = on(0), True, diagnosis.restarted(3)
    moves = []
    for _ in range(80):
        now = reading(latch=latch, enabled=enabled)
        age = diagnosis.ages(ops, TIMING, now, age, 20, 1)
        writes = step(now, age, on(1))
        if writes.may_switch and tuple(writes.coils) != latch:
            assert not enabled
            latch = tuple(writes.coils)
            moves.append(latch)
        enabled = writes.enable
    assert moves == [NONE, on(1)]
    assert enabled
