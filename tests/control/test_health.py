"""What is counted, latched, said and cleared, reading by reading."""

from collections.abc import Sequence

import pytest
from sweep.stations import REFERENCE

from verified_alloc.control.fault_kinds import Fault
from verified_alloc.control.health import SILENT_SCANS, Health
from verified_alloc.errors import BadInput
from verified_alloc.kernel.diagnosis import Readings

GUNS, MODULES = range(6), range(9)
OPEN = (False,) * 6
SCAN_MS = REFERENCE.timing.scan_ms
OFF = Readings(
    valid=True, enabled=False, reports_on=False, latch=OPEN, closed=OPEN, closed_again=OPEN
)


def only(gun: int) -> tuple[bool, ...]:
    return tuple(g + 1 == gun for g in GUNS)


class Patient:
    """A station's health, fed with readings of module 1; all others are off."""

    def __init__(self, latched: frozenset[Fault] = frozenset()) -> None:
        self.health = Health(REFERENCE, latched)
        self.said: list[str] = []

    def shows(
        self,
        reading: Readings,
        scans: int = 1,
        answered: Sequence[bool] = (True,) * 4,
        seen: Sequence[bool] = (True,) * 4,
        doubted: Sequence[bool] = (False,) * 4,
        lost: Sequence[bool] = (False,) * 4,
        stop_pressed: bool = False,
        astray: Sequence[bool] = (False,) * 9,
    ) -> list[str]:
        """So many scans that all read this; what was newly said."""
        said = []
        for _ in range(scans):
            readings = [reading, *([OFF] * 8)]
            said += self.health.update(
                readings, answered, seen, doubted, lost, astray, stop_pressed, SCAN_MS, 1
            )
        self.said += said
        return said


WELDED = OFF._replace(closed=only(2), closed_again=only(2))
FAILED_OPEN = OFF._replace(latch=only(2))


def test_a_contact_that_stays_closed_is_latched_as_welded() -> None:
    patient = Patient()
    assert not patient.shows(WELDED, 4)
    assert patient.shows(WELDED, 3) == ["contactor 2:1 is welded"]
    assert patient.health.latched == {Fault("welded", 2, 1)}
    assert patient.health.faults.welded == {(2, 1)}


def test_a_contact_that_stays_open_is_latched_as_failed() -> None:
    patient = Patient()
    assert not patient.shows(FAILED_OPEN, 4)
    assert patient.shows(FAILED_OPEN, 3) == ["contactor 2:1 failed open"]
    assert patient.health.faults.failed_open == {(2, 1)}


def test_a_contact_that_lied_both_ways_ends_its_modules_use() -> None:
    patient = Patient()
    patient.shows(FAILED_OPEN, 10)
    patient.shows(WELDED, 10)
    assert patient.said == ["contactor 2:1 failed open", "contactor 2:1 is welded"]
    assert patient.health.faults.modules == {1}


def test_a_slow_but_sound_contactor_is_not_latched() -> None:
    patient = Patient()
    for _ in range(20):
        patient.shows(FAILED_OPEN, 3)
        patient.shows(OFF._replace(latch=only(2), closed=only(2), closed_again=only(2)), 20)
        patient.shows(WELDED, 3)
        patient.shows(OFF, 20)
    assert not patient.said


def test_a_single_flipped_bit_now_and_then_is_not_latched() -> None:
    patient = Patient()
    for _ in range(100):
        patient.shows(OFF._replace(closed=only(2)))
        patient.shows(OFF, 4)
    assert not patient.said


def test_a_reading_that_does_not_count_latches_nothing() -> None:
    patient = Patient()
    patient.shows(WELDED._replace(valid=False), 100)
    assert not patient.said


def test_latched_faults_do_not_go_away_by_themselves() -> None:
    patient = Patient()
    patient.shows(WELDED, 10)
    patient.shows(OFF, 1000)
    assert patient.health.latched == {Fault("welded", 2, 1)}


def test_a_module_that_is_told_on_and_is_silent_is_dead() -> None:
    patient = Patient()
    silent = OFF._replace(enabled=True, latch=only(2), closed=only(2), closed_again=only(2))
    assert not patient.shows(silent, 50)
    assert patient.shows(silent, 2) == ["module 1 does not report on"]
    assert patient.health.faults.modules == {1}


def test_a_module_that_reports_on_unasked_locks_the_gun_it_is_on() -> None:
    patient = Patient()
    stuck = OFF._replace(reports_on=True, latch=only(2), closed=only(2), closed_again=only(2))
    assert not patient.shows(stuck, 50)
    assert patient.shows(stuck, 2) == ["module 1 does not switch off; gun 2 is locked"]
    assert patient.health.faults.modules == {1}
    assert patient.health.faults.guns == {2}
    assert patient.health.locked == [False, True, False, False, False, False]


def test_two_closed_contacts_lock_both_guns_at_once() -> None:
    patient = Patient()
    both = tuple(gun in (1, 4) for gun in GUNS)
    patient.shows(OFF._replace(closed=both, closed_again=both))
    assert [gun + 1 for gun in GUNS if patient.health.locked[gun]] == [2, 5]


def test_a_silent_expander_is_lost_after_a_few_scans() -> None:
    patient = Patient()
    silent = (True, False, True, True)
    assert not patient.shows(OFF, SILENT_SCANS, answered=silent)
    assert patient.shows(OFF, 1, answered=silent) == [
        "expanders 0x21 and 0x25 are lost; their modules are out until that is cleared"
    ]
    # contactors 14 to 27: modules 3, 4 and 5
    assert patient.health.faults.modules == {3, 4, 5}


def test_an_expander_that_lost_its_registers_is_lost_at_once() -> None:
    patient = Patient()
    lost = (False, False, False, True)
    assert patient.shows(OFF, 1, lost=lost) == [
        "expanders 0x23 and 0x27 are lost; their modules are out until that is cleared"
    ]
    assert patient.health.faults.modules == {8, 9}


def test_the_emergency_stop_is_latched() -> None:
    patient = Patient()
    assert patient.shows(OFF, 3, stop_pressed=True) == [
        "emergency stop; everything is off until that is cleared"
    ]
    patient.shows(OFF, 10)
    assert patient.health.latched == {Fault("emergency_stop")}
    patient.health.clear_stop()
    assert not patient.health.latched


@pytest.mark.parametrize("shown", [WELDED, FAILED_OPEN])
def test_a_contactor_is_cleared_only_when_it_agrees(shown: Readings) -> None:
    patient = Patient()
    patient.shows(shown, 10)
    with pytest.raises(BadInput, match="contactor 2:1"):
        patient.health.clear_contactor(2, 1)
    assert patient.health.faults.contactors == {(2, 1)}
    patient.shows(OFF, 30)
    patient.health.clear_contactor(2, 1)
    assert not patient.health.faults.contactors
    assert not patient.health.latched


def test_clearing_one_contactor_keeps_the_others() -> None:
    others = {Fault("welded", 3, 4), Fault("failed_open", 5, 1)}
    patient = Patient(frozenset({Fault("welded", 2, 1), *others}))
    patient.shows(OFF, 5)
    patient.health.clear_contactor(2, 1)
    assert patient.health.latched == others


def test_a_module_is_cleared_only_when_it_is_off() -> None:
    patient = Patient()
    stuck = OFF._replace(reports_on=True, latch=only(2), closed=only(2), closed_again=only(2))
    patient.shows(stuck, 60)
    with pytest.raises(BadInput, match="module 1"):
        patient.health.clear_module(1)
    patient.shows(OFF, 1)
    patient.health.clear_module(1)
    assert not patient.health.latched
    assert not patient.health.faults.guns


def test_what_was_latched_before_is_planned_around_from_the_start() -> None:
    health = Health(
        REFERENCE,
        frozenset(
            [
                Fault("welded", 1, 2),
                Fault("failed_open", 3, 4),
                Fault("dead", module=5),
                Fault("stuck_on", 6, 7),
                Fault("expander_lost", expander=0),
            ]
        ),
    )
    assert health.faults.welded == {(1, 2)}
    assert health.faults.failed_open == {(3, 4)}
    assert health.faults.modules == {1, 2, 3, 5, 7}
    assert health.faults.guns == {6}


def test_a_contact_that_is_seen_closed_counts_whatever_else_cannot_be_read() -> None:
    """Module 3 is on two expanders: of guns 1 and 2 on the first, of guns 3 to 6 on the second."""
    health = Health(REFERENCE, frozenset())

    def update(
        closed: tuple[bool, ...], *seen: bool, latch: tuple[bool, ...] = OPEN, doubt: bool = False
    ) -> None:
        reading = OFF._replace(valid=all(seen), closed=closed, closed_again=closed, latch=latch)
        answered, doubted = (*seen, True, True), (False, doubt, False, False)
        readings = [OFF, OFF, reading, *([OFF] * 6)]
        lines = (False,) * 9
        health.update(readings, answered, answered, doubted, (False,) * 4, lines, False, SCAN_MS, 1)

    joined = tuple(gun in (1, 4) for gun in GUNS)
    update(only(2), True, True)
    update(only(5), False, True)  # of gun 2's nothing is read: it counts as it did
    assert health.locked == list(joined)
    update(OPEN, True, False)
    assert not any(health.locked)
    update(joined, False, False)
    assert not any(health.locked)

    # Nor can be read what a coil has done: one that was last seen on, or of which nobody knows.
    for unknown, guns in (({"latch": joined}, (1, 4)), ({"doubt": True}, GUNS)):
        update(OPEN, False, False, **unknown)
        assert health.locked == [gun in guns for gun in GUNS]
        update(OPEN, True, True)
        assert not any(health.locked)
    update(OPEN, True, True, doubt=True)
    assert not any(health.locked)
