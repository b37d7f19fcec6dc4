"""What is counted, latched, said and cleared, reading by reading; and what a scan has done."""

from collections.abc import Sequence
from typing import Any

import pytest
from sweep.stations import REFERENCE

from verified_alloc.control import clearing
from verified_alloc.control.fault_kinds import Fault, bits_of, describe, faults_of
from verified_alloc.errors import BadInput
from verified_alloc.kernel import ops, scan
from verified_alloc.kernel.diagnosis import Readings
from verified_alloc.kernel.latched import Latched, excluded
from verified_alloc.kernel.scan import SILENT_SCANS, Observed, Orders
from verified_alloc.station.faults import Faults, out_of_order

GUNS, MODULES = range(6), range(9)
OPEN = (False,) * 6
SCAN_MS = REFERENCE.timing.scan_ms
BUILT = REFERENCE.built
NO_MODULE = (False,) * 9
OFF = Readings(
    valid=True, enabled=False, reports_on=False, latch=OPEN, closed=OPEN, closed_again=OPEN
)


def only(gun: int) -> tuple[bool, ...]:
    return tuple(g + 1 == gun for g in GUNS)


class Patient:
    """A station's memory, fed with readings of module 1; all others are off."""

    def __init__(self, latched: frozenset[Fault] = frozenset()) -> None:
        bits = Latched(**bits_of(latched, REFERENCE))
        self.memory = scan.restarted(BUILT, bits)
        self.said: list[str] = []

    def observes(self, *modules: Readings, **otherwise: Any) -> list[str]:
        """One scan that reads this of the modules; what was newly said."""
        observed = Observed(
            modules=modules,
            line_high=NO_MODULE,
            contacts_read=(True,) * 4,
            coils_doubted=(False,) * 4,
            obeyed=(True,) * 4,
            misconfigured=(False,) * 4,
            stop_pressed=False,
            begun_ms=0,
            elapsed_ms=SCAN_MS,
            scans=1,
        )._replace(**otherwise)
        before = self.latched
        orders = Orders(False, (False,) * 6, REFERENCE.limit_w)
        self.memory, _ = scan.diagnose(ops, BUILT, self.memory, observed, orders)
        return describe(REFERENCE, self.latched - before)

    def shows(
        self,
        reading: Readings,
        scans: int = 1,
        strayed: Sequence[bool] = NO_MODULE,
        **otherwise: Any,
    ) -> list[str]:
        """So many scans that all read this; what was newly said."""
        said = []
        for _ in range(scans):
            self.memory = self.memory._replace(strayed=strayed)
            said += self.observes(reading, *([OFF] * 8), **otherwise)
        self.said += said
        return said

    @property
    def latched(self) -> frozenset[Fault]:
        return faults_of(self.memory.latched)

    @property
    def faults(self) -> Faults:
        return out_of_order(excluded(ops, BUILT.carriers, self.memory.latched, self.lost))

    @property
    def lost(self) -> list[bool]:
        """By expander: out of order."""
        return [each.lost for each in self.memory.healing]

    @property
    def locked(self) -> list[bool]:
        return scan.locked(ops, self.memory)


WELDED = OFF._replace(closed=only(2), closed_again=only(2))
FAILED_OPEN = OFF._replace(latch=only(2))


def test_a_contact_that_stays_closed_is_latched_as_welded() -> None:
    patient = Patient()
    assert not patient.shows(WELDED, 4)
    assert patient.shows(WELDED, 3) == ["contactor 2:1 is welded"]
    assert patient.latched == {Fault("welded", 2, 1)}
    assert patient.faults.welded == {(2, 1)}


def test_a_contact_that_stays_open_is_latched_as_failed() -> None:
    patient = Patient()
    assert not patient.shows(FAILED_OPEN, 4)
    assert patient.shows(FAILED_OPEN, 3) == ["contactor 2:1 failed open"]
    assert patient.faults.failed_open == {(2, 1)}


def test_a_contact_that_lied_both_ways_ends_its_modules_use() -> None:
    patient = Patient()
    patient.shows(FAILED_OPEN, 10)
    patient.shows(WELDED, 10)
    assert patient.said == ["contactor 2:1 failed open", "contactor 2:1 is welded"]
    assert patient.faults.modules == {1}


TRIED = OFF._replace(latch=only(5))
CLOSED = OFF._replace(latch=only(3), closed=only(3), closed_again=only(3))


@pytest.mark.parametrize(
    "other", [CLOSED, CLOSED._replace(closed=OPEN), OFF, TRIED._replace(valid=False), WELDED]
)
def test_a_contact_is_accused_where_another_follows_or_no_other_coil_is_on(other: Readings) -> None:
    patient = Patient()
    for _ in range(5):
        patient.observes(FAILED_OPEN, other, *[OFF] * 7)
    assert Fault("failed_open", 2, 1) in patient.latched


@pytest.mark.parametrize("other", [TRIED, CLOSED._replace(closed=OPEN, closed_again=OPEN)])
def test_no_contact_is_accused_while_none_follows_and_then_each_has_its_whole_time(
    other: Readings,
) -> None:
    patient = Patient()
    both = (FAILED_OPEN, other, *[OFF] * 7)
    for _ in range(2):
        for _ in range(100):
            assert not patient.observes(*both)
        assert patient.memory.none_follows_ms == 99 * SCAN_MS
        for _ in range(4):
            assert not patient.observes(FAILED_OPEN, CLOSED, *[OFF] * 7)
        assert patient.memory.none_follows_ms < 0
    assert patient.observes(FAILED_OPEN, CLOSED, *[OFF] * 7) == ["contactor 2:1 failed open"]


def test_a_welded_contactor_says_nothing_of_the_supply() -> None:
    patient = Patient(frozenset({Fault("welded", 3, 2)}))
    for _ in range(100):
        assert not patient.observes(FAILED_OPEN, CLOSED, TRIED, *[OFF] * 6)


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
    assert patient.latched == {Fault("welded", 2, 1)}


def test_a_module_that_is_told_on_and_is_silent_is_dead() -> None:
    patient = Patient()
    silent = OFF._replace(enabled=True, latch=only(2), closed=only(2), closed_again=only(2))
    assert not patient.shows(silent, 50)
    assert patient.shows(silent, 2) == ["PM1 does not report on"]
    assert patient.faults.modules == {1}


def test_a_module_that_reports_on_unasked_locks_the_gun_it_is_on() -> None:
    patient = Patient()
    stuck = OFF._replace(reports_on=True, latch=only(2), closed=only(2), closed_again=only(2))
    assert not patient.shows(stuck, 50)
    assert patient.shows(stuck, 2) == ["PM1 does not switch off; gun 2 is locked"]
    assert patient.faults.modules == {1}
    assert patient.faults.guns == {2}
    assert patient.locked == [False, True, False, False, False, False]


def test_two_closed_contacts_lock_both_guns_at_once() -> None:
    patient = Patient()
    both = tuple(gun in (1, 4) for gun in GUNS)
    patient.shows(OFF._replace(closed=both, closed_again=both))
    assert [gun + 1 for gun in GUNS if patient.locked[gun]] == [2, 5]


def test_a_silent_expander_is_lost_after_a_few_scans() -> None:
    patient = Patient()
    silent = (True, False, True, True)
    patient.shows(OFF, SILENT_SCANS, obeyed=silent)
    assert not any(patient.lost)
    patient.shows(OFF, 1, obeyed=silent)
    assert patient.lost == [False, True, False, False]
    assert not patient.said  # it is configured anew, and only latched if that does not help
    # contactors 14 to 27: modules 3, 4 and 5
    assert patient.faults.modules == {3, 4, 5}


def test_an_expander_that_lost_its_registers_is_lost_at_once() -> None:
    patient = Patient()
    lost = (False, False, False, True)
    patient.shows(OFF, 1, misconfigured=lost)
    assert patient.lost == list(lost)
    assert patient.faults.modules == {8, 9}


def test_the_emergency_stop_is_latched() -> None:
    patient = Patient()
    assert patient.shows(OFF, 3, stop_pressed=True) == [
        "emergency stop; everything is off until that is cleared"
    ]
    patient.shows(OFF, 10)
    assert patient.latched == {Fault("emergency_stop")}
    patient.memory = clearing.stop(patient.memory)
    assert not patient.latched


@pytest.mark.parametrize("shown", [WELDED, FAILED_OPEN])
def test_a_contactor_is_cleared_only_when_it_agrees(shown: Readings) -> None:
    patient = Patient()
    patient.shows(shown, 10)
    with pytest.raises(BadInput, match="contactor 2:1"):
        patient.memory = clearing.contactor(REFERENCE, patient.memory, 2, 1)
    assert patient.faults.contactors == {(2, 1)}
    patient.shows(OFF, 30)
    patient.memory = clearing.contactor(REFERENCE, patient.memory, 2, 1)
    assert not patient.faults.contactors
    assert not patient.latched


def test_clearing_one_contactor_keeps_the_others() -> None:
    others = {Fault("welded", 3, 4), Fault("failed_open", 5, 1)}
    patient = Patient(frozenset({Fault("welded", 2, 1), *others}))
    patient.shows(OFF, 5)
    patient.memory = clearing.contactor(REFERENCE, patient.memory, 2, 1)
    assert patient.latched == others


def test_a_module_is_cleared_only_when_it_is_off() -> None:
    patient = Patient()
    stuck = OFF._replace(reports_on=True, latch=only(2), closed=only(2), closed_again=only(2))
    patient.shows(stuck, 60)
    with pytest.raises(BadInput, match="PM1"):
        patient.memory = clearing.module(patient.memory, 1)
    patient.shows(OFF, 1)
    patient.memory = clearing.module(patient.memory, 1)
    assert not patient.latched
    assert not patient.faults.guns


def test_what_was_latched_before_is_planned_around_from_the_start() -> None:
    patient = Patient(
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
    assert patient.faults.welded == {(1, 2)}
    assert patient.faults.failed_open == {(3, 4)}
    assert patient.faults.modules == {1, 2, 3, 5, 7}
    assert patient.faults.guns == {6}


def test_a_contact_that_is_seen_closed_counts_whatever_else_cannot_be_read() -> None:
    """Module 3 is on two expanders: of guns 1 and 2 on the first, of guns 3 to 6 on the second."""
    patient = Patient()

    def update(
        closed: tuple[bool, ...], *seen: bool, latch: tuple[bool, ...] = OPEN, doubt: bool = False
    ) -> None:
        reading = OFF._replace(valid=all(seen), closed=closed, closed_again=closed, latch=latch)
        patient.observes(
            *(OFF, OFF, reading, *([OFF] * 6)),
            obeyed=(*seen, True, True),
            contacts_read=(*seen, True, True),
            coils_doubted=(False, doubt, False, False),
        )

    joined = tuple(gun in (1, 4) for gun in GUNS)
    update(only(2), True, True)
    update(only(5), False, True)  # of gun 2's nothing is read: it counts as it did
    assert patient.locked == list(joined)
    update(OPEN, True, False)
    assert not any(patient.locked)
    update(joined, False, False)
    assert not any(patient.locked)

    # Nor can be read what a coil has done: one that was last seen on, or of which nobody knows.
    for unknown, guns in (({"latch": joined}, (1, 4)), ({"doubt": True}, GUNS)):
        update(OPEN, False, False, **unknown)
        assert patient.locked == [gun in guns for gun in GUNS]
        update(OPEN, True, True)
        assert not any(patient.locked)
    update(OPEN, True, True, doubt=True)
    assert not any(patient.locked)


@pytest.mark.parametrize(
    ("petted", "elapsed_ms", "scans", "until_ms"),
    [
        (True, SCAN_MS, 1, 1000 + 2 * SCAN_MS),
        (True, 3 * SCAN_MS, 1, 1000 + SCAN_MS),
        (True, 9 * SCAN_MS, 1, 1000 - 5 * SCAN_MS),
        (True, 9 * SCAN_MS, 9, 1000 + 2 * SCAN_MS),
        (False, SCAN_MS, 1, 999),
        (False, 9 * SCAN_MS, 9, 999),
    ],
)
def test_no_offer_rises_once_the_watchdog_may_have_cut_the_supply(
    petted: bool, elapsed_ms: int, scans: int, until_ms: int
) -> None:
    patient = Patient()
    patient.memory = patient.memory._replace(petted=petted)
    observed = Observed(*[()] * 6, False, 1000, elapsed_ms, scans)
    assert scan.raise_until_ms(ops, BUILT, patient.memory, observed) == until_ms
