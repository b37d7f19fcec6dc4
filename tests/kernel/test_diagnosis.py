"""Ages, mismatch counts, latched faults, joined and locked guns, and what faults leave usable."""

from hypothesis import given
from hypothesis import strategies as st
from test_switching import NONE, TIMING, on, reading

from verified_alloc.kernel import diagnosis, ops
from verified_alloc.kernel.diagnosis import NOT_SO, Ages, ContactorFaults, ModuleFaults, Readings

SOUND = ContactorFaults(NONE, NONE)


def after(readings: Readings, scans: int, before: Ages | None = None) -> Ages:
    ages = diagnosis.restarted(3) if before is None else before
    for _ in range(scans):
        ages = diagnosis.ages(ops, TIMING, readings, ages, 20, 1)
    return ages


def test_an_age_counts_from_the_second_scan_that_shows_it() -> None:
    fresh = diagnosis.restarted(3)
    ages = diagnosis.ages(ops, TIMING, reading(), fresh, 20, 1)
    assert ages.off_ms == 0
    assert after(reading(), 2).off_ms == 20
    assert after(reading(enabled=True), 3).off_ms == NOT_SO
    assert after(reading(reports_on=True), 3).off_ms == NOT_SO


def test_an_invalid_reading_starts_the_ages_anew() -> None:
    long_off = after(reading(), 101)
    assert long_off.off_ms == 2000
    assert tuple(long_off.settled_ms) == (2000, 2000, 2000)
    lost = after(reading(valid=False), 1, long_off)
    assert lost.off_ms == NOT_SO
    assert tuple(lost.settled_ms) == (NOT_SO,) * 3


def test_settled_needs_the_latch_and_both_reads_to_agree() -> None:
    assert after(reading(closed=on(0), again=NONE), 5).settled_ms[0] == NOT_SO
    assert after(reading(closed=NONE, again=on(0)), 5).settled_ms[0] == NOT_SO
    assert after(reading(latch=on(0), closed=NONE), 5).settled_ms[0] == NOT_SO
    assert after(reading(latch=on(0)), 5).settled_ms[0] == 80


def test_a_new_command_is_settled_anew_even_if_the_contact_reads_so_at_once() -> None:
    stuck = after(reading(latch=NONE), 50)
    assert after(reading(latch=on(0)), 1, stuck).settled_ms[0] == 0
    assert after(reading(latch=on(0)), 3, stuck).settled_ms[0] == 40


def test_a_mismatch_wears_off_four_times_slower_than_it_grows() -> None:
    bad = after(reading(latch=on(0), closed=NONE), 2)
    assert bad.mismatch[0] == 8
    assert after(reading(latch=on(0)), 7, bad).mismatch[0] == 1
    assert after(reading(latch=on(0)), 8, bad).mismatch[0] == 0
    assert after(reading(latch=on(0)), 9, bad).mismatch[0] == 0


@given(st.integers(0, 20), st.integers(1, 50))
def test_skipped_scans_were_good(before: int, scans: int) -> None:
    one_by_one = before
    for _ in range(scans):
        one_by_one = diagnosis.tally(ops, False, one_by_one, 1, 16)
    assert diagnosis.tally(ops, False, before, scans, 16) == one_by_one
    assert diagnosis.tally(ops, True, before, scans, 16) == min(before, 16) + 4


def test_a_healthy_contactor_is_never_a_fault_and_a_stuck_one_always() -> None:
    # 40 ms at a scan of 20 ms: at most three scans see it on its way, one more may bounce.
    limit = diagnosis.explained_mismatch(40, 20)
    assert limit == 16
    slow = after(reading(latch=on(0), closed=NONE), 4)
    assert diagnosis.contactor_faults(
        ops, TIMING, reading(latch=on(0), closed=NONE), slow, SOUND
    ) == (ContactorFaults([False] * 3, [False] * 3))
    stuck = reading(latch=on(0), closed=NONE)
    assert diagnosis.contactor_faults(ops, TIMING, stuck, after(stuck, 5), SOUND) == (
        ContactorFaults([False] * 3, [True, False, False])
    )
    welded = reading(latch=NONE, closed=on(2))
    assert diagnosis.contactor_faults(ops, TIMING, welded, after(welded, 5), SOUND) == (
        ContactorFaults([False, False, True], [False] * 3)
    )


def test_the_count_starts_anew_when_the_command_changes() -> None:
    """Make, break, make in a row, each with the mismatch that its travel explains."""
    travelling = after(reading(latch=on(0), closed=NONE), 3)
    falling = after(reading(latch=NONE, closed=on(0)), 3, travelling)
    assert falling.mismatch[0] == 12
    assert after(reading(latch=on(0), closed=NONE), 3, falling).mismatch[0] == 12
    assert after(reading(valid=False), 3, falling).mismatch[0] == 12


def test_faults_latch_and_a_contactor_can_have_both() -> None:
    had = ContactorFaults((True, False, False), (False, True, False))
    assert diagnosis.contactor_faults(ops, TIMING, reading(), after(reading(), 9), had) == (
        ContactorFaults([True, False, False], [False, True, False])
    )
    closed = reading(closed=on(1))
    assert diagnosis.contactor_faults(ops, TIMING, closed, after(closed, 9), had) == (
        ContactorFaults([True, True, False], [False, True, False])
    )


def test_a_module_that_does_not_obey_is_latched_with_its_gun() -> None:
    sound = ModuleFaults(False, NONE)
    stuck = reading(latch=on(1), reports_on=True)
    assert (
        diagnosis.module_faults(ops, TIMING, after(stuck, 50), on(1), sound).stuck_on == [False] * 3
    )
    assert diagnosis.module_faults(ops, TIMING, after(stuck, 51), on(1), sound).stuck_on == [
        False,
        True,
        False,
    ]
    silent = reading(latch=on(1), enabled=True, reports_on=False)
    assert not diagnosis.module_faults(ops, TIMING, after(silent, 50), on(1), sound).dead
    assert diagnosis.module_faults(ops, TIMING, after(silent, 51), on(1), sound).dead


def test_what_counts_as_closed() -> None:
    def counts(readings: Readings, welded: tuple[bool, ...], before: tuple[bool, ...]) -> list[int]:
        closed = diagnosis.counts_closed(ops, readings, welded, before)
        return [gun for gun, bit in enumerate(closed) if bit]

    assert counts(reading(closed=on(0)), on(2), NONE) == [0, 2]
    assert counts(reading(closed=on(0), again=NONE), NONE, NONE) == []
    assert counts(reading(closed=on(0), valid=False), NONE, NONE) == []
    # What counted as closed must be seen open, in both reads, to count no longer.
    assert counts(reading(closed=on(0), again=NONE), NONE, on(0)) == [0]
    assert counts(reading(valid=False), NONE, on(0)) == [0]
    assert counts(reading(), NONE, on(0)) == []


def test_a_contact_that_is_not_read_shows_what_its_coil_may_have_done() -> None:
    read = reading(closed=on(0), again=on(0, 1), latch=on(1))
    for seen, doubted, closed in (
        ((True,) * 3, (True,) * 3, [0]),
        (on(0), NONE, [0, 1]),
        (NONE, NONE, [1]),
        (NONE, on(2), [1, 2]),
    ):
        shown = diagnosis.contacts_seen(ops, read._replace(valid=False), seen, doubted)
        assert diagnosis.counts_closed(ops, shown, NONE, NONE) == [g in closed for g in range(3)]


def test_joined_guns_are_both_locked_and_a_stuck_module_locks_its_gun() -> None:
    assert diagnosis.locked(ops, [on(0), on(1)], [NONE, NONE]) == [False] * 3
    assert diagnosis.locked(ops, [on(0, 2), on(1)], [NONE, NONE]) == [True, False, True]
    assert diagnosis.locked(ops, [on(0), on(1)], [NONE, on(1)]) == [False, True, False]


def test_what_each_fault_takes_away() -> None:
    """Two guns, three modules, every contactor there."""
    every = [[True] * 3, [True] * 3]
    nothing = [[False] * 3, [False] * 3]

    def left(
        module_failed: tuple[bool, ...] = NONE,
        gun_out: tuple[bool, ...] = (False, False),
        failed_open: list[list[bool]] = nothing,
        welded: list[list[bool]] = nothing,
    ) -> tuple[list[list[bool]], list[bool]]:
        return diagnosis.usable_after(ops, every, module_failed, gun_out, failed_open, welded)

    assert left() == (every, [True, True])
    assert left(module_failed=(True, False, False)) == ([[False, True, True]] * 2, [True, True])
    assert left(gun_out=(True, False)) == ([[False] * 3, [True] * 3], [False, True])
    broken = [[False, True, False], [False] * 3]
    assert left(failed_open=broken) == ([[True, False, True], [True] * 3], [True, True])
    assert left(welded=broken) == ([[True] * 3, [True, False, True]], [True, True])
    twice = [[False, True, False]] * 2
    assert left(welded=twice) == (nothing, [False, False])
    assert left(welded=broken, module_failed=(False, True, False)) == (
        [[False] * 3, [True, False, True]],
        [False, True],
    )
