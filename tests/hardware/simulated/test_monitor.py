"""The monitor against controllers that are wrong on purpose, and against plants that misbehave.

Each scenario drives the cabinet's wires directly and looks at what the monitor wrote down.
"""

import copy
import random
from collections.abc import Iterable

import pytest

from hardware.simulated.cabinet import HELD, Cabinet
from hardware.simulated.faults import parse
from hardware.simulated.monitor import Event, Monitor
from hardware.simulated.plant_timing import PlantTiming

MS = 1000
FOREVER = 10**12
TIMING = PlantTiming()


class Rig:
    """Three guns, four modules of 40 kW, every contactor; hands on the wires, a monitor watching.

    Contactors: module by module, guns ascending: 1:1 is bit 0, 2:1 bit 1, 3:1 bit 2, 1:2 bit 3...
    """

    guns, modules = 3, 4

    def __init__(self, seed: int = 1, timing: PlantTiming = TIMING) -> None:
        pairs = [(g, m) for m in range(1, self.modules + 1) for g in range(1, self.guns + 1)]
        self.cabinet = Cabinet(
            gun_count=self.guns,
            module_power_w=[40_000] * self.modules,
            gun_max_w=[120_000] * self.guns,
            contactors=pairs,
            timing=timing,
            seed=seed,
        )
        self.monitor = Monitor(self.cabinet, fault_reaction_ms=60)
        self.word = 0
        self.cabinet.watchdog_fed_until(FOREVER)
        for gun in range(1, self.guns + 1):
            self.cabinet.vehicle(gun, 200_000)
        self.wait(1)

    def bit(self, gun: int, module: int) -> int:
        k = (module - 1) * self.guns + gun - 1
        assert k < 14
        return 1 << (k if k < 7 else k + 1)

    def wait(self, ms: float) -> None:
        self.cabinet.advance(self.cabinet.now_us + round(ms * MS))

    def coils(
        self,
        *,
        on: Iterable[tuple[int, int]] = (),
        off: Iterable[tuple[int, int]] = (),
        cause: str = "command",
    ) -> None:
        for gun, module in on:
            self.word |= self.bit(gun, module)
        for gun, module in off:
            self.word &= ~self.bit(gun, module)
        self.cabinet.coil_word(0, self.word, cause)

    def close(self, gun: int, module: int, cause: str = "command") -> None:
        self.coils(on=[(gun, module)], cause=cause)

    def open(self, gun: int, module: int, cause: str = "command") -> None:
        self.coils(off=[(gun, module)], cause=cause)

    def enable(self, module: int) -> None:
        self.cabinet.set_enable(module, True)

    def disable(self, module: int) -> None:
        self.cabinet.set_enable(module, False)

    def offer(self, gun: int, offer_w: int) -> None:
        self.cabinet.offer(gun, offer_w, FOREVER)

    def fault(self, text: str) -> None:
        self.cabinet.inject(parse(text))

    def connect(self, gun: int, *modules: int) -> None:
        """As a careful controller does it."""
        for module in modules:
            self.close(gun, module)
        self.wait(60)
        for module in modules:
            self.enable(module)
        self.wait(20)
        self.offer(gun, len(self.cabinet.live_modules(gun)) * 40_000)
        self.wait(20)

    def disconnect(self, gun: int, *modules: int) -> None:
        """As a careful controller does it, discharge included."""
        stay = len(set(self.cabinet.live_modules(gun)) - set(modules))
        self.offer(gun, stay * 40_000)
        self.wait(1000)
        for module in modules:
            self.disable(module)
        self.wait(220)
        for module in modules:
            self.open(gun, module)
        self.wait(1000)

    @property
    def violations(self) -> list[tuple[str, int | None, int | None]]:
        return [(e.rule, e.gun, e.module) for e in self.monitor.violations]

    @property
    def exposures(self) -> list[tuple[str, str, int | None, int | None]]:
        return [(e.rule, e.cause, e.gun, e.module) for e in self.monitor.exposures]

    def quiet(self) -> bool:
        return not self.monitor.violations and not self.monitor.exposures


@pytest.fixture(params=range(4))
def rig(request: pytest.FixtureRequest) -> Rig:
    return Rig(seed=request.param)


def only(events: list[Event]) -> Event:
    (event,) = events
    return event


# A careful controller is never blamed -----------------------------------------------------------


def test_a_correct_sequence_leaves_no_event(rig: Rig) -> None:
    rig.connect(1, 1, 2)
    assert rig.cabinet.live_modules(1) == (1, 2)
    rig.disconnect(1, 2)
    rig.connect(3, 2, 4)
    rig.disconnect(1, 1)
    rig.disconnect(3, 2, 4)
    assert rig.quiet()
    assert rig.cabinet.closed_contactors() == set()
    assert rig.monitor.makes == rig.monitor.breaks == {(1, 1): 1, (1, 2): 1, (3, 2): 1, (3, 4): 1}
    assert rig.monitor.broken_current_a == 0


@pytest.mark.parametrize("seed", range(5))
def test_random_correct_moves_leave_no_event(seed: int) -> None:
    rig = Rig(seed)
    draw = random.Random(seed)
    where: dict[int, int] = {}
    for _ in range(40):
        module = draw.randint(1, 4)
        if module in where:
            rig.disconnect(where.pop(module), module)
        else:
            where[module] = draw.randint(1, 3)
            rig.connect(where[module], module)
        assert rig.cabinet.closed_contactors() == {(g, m) for m, g in where.items()}
    assert rig.quiet(), rig.monitor.violations + rig.monitor.exposures


# A wrong controller is always blamed ------------------------------------------------------------


def test_a_second_contactor_on_a_module_is_s1(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(60)
    rig.close(2, 1)
    rig.wait(60)
    assert ("S1", 2, 1) in rig.violations


def test_both_contactors_in_one_word_is_s1(rig: Rig) -> None:
    rig.coils(on=[(1, 1), (2, 1)])
    rig.wait(60)
    assert [rule for rule, _, _ in rig.violations] == ["S1"]


def test_a_welded_contact_counts_as_closed(rig: Rig) -> None:
    rig.fault("weld 1:1")
    rig.connect(1, 1)
    rig.disconnect(1, 1)
    assert rig.exposures == [("S8", "weld", 1, 1)]
    rig.close(2, 1)
    rig.wait(60)
    assert rig.violations == [("S1", 2, 1)]


def test_make_under_load_is_s2(rig: Rig) -> None:
    rig.enable(1)
    rig.wait(20)
    del rig.monitor.violations[:]
    rig.close(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_break_under_load_is_s2_with_the_current_it_broke(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.offer(1, 0)
    rig.offer(1, 40_000)
    flowing_a = 40_000 / rig.cabinet.vehicles[0].battery_v
    rig.open(1, 1)
    rig.wait(60)
    event = rig.monitor.violations[0]
    assert (event.rule, event.gun, event.module, event.cause) == ("S2", 1, 1, "command")
    assert event.current_a == pytest.approx(flowing_a, abs=0.001)
    assert rig.monitor.broken_current_a == event.current_a
    assert "contactor 1:1 opened while module 1 carries" in event.text


def test_break_before_the_current_is_gone_is_s2(rig: Rig) -> None:
    rig.connect(1, 1, 2)
    rig.offer(1, 40_000)
    rig.disable(2)
    rig.wait(10)
    rig.open(1, 2)
    rig.wait(300)
    assert rig.violations == [("S2", 1, 2)]
    assert rig.monitor.violations[0].current_a < 40_000 / rig.cabinet.vehicles[0].battery_v


def test_break_without_current_but_enabled_is_s2(rig: Rig) -> None:
    rig.cabinet.vehicle(1, 0)
    rig.connect(1, 1)
    rig.offer(1, 0)
    rig.open(1, 1)
    rig.wait(10)
    rig.disable(1)
    rig.wait(300)
    assert ("S2", 1, 1) in rig.violations


def test_break_while_the_module_still_reports_on_is_s2() -> None:
    rig = Rig(timing=PlantTiming(current_rise_ms=30, release_ms=10))
    rig.cabinet.vehicle(1, 0)
    rig.close(1, 1)
    rig.wait(60)
    rig.enable(1)
    rig.wait(100)
    rig.disable(1)
    rig.wait(1)
    assert rig.cabinet.status(1)
    rig.open(1, 1)
    rig.wait(100)
    assert rig.violations == [("S2", 1, 1)]


def test_enable_without_a_contact_is_s3(rig: Rig) -> None:
    rig.enable(1)
    rig.wait(500)
    rig.disable(1)
    event = only(rig.monitor.violations)
    assert (event.rule, event.gun, event.module, event.duration_ms) == ("S3", None, 1, 500)


def test_enable_while_the_contact_is_still_on_its_way_is_s3(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(1)
    rig.enable(1)
    assert rig.violations == [("S3", None, 1)]


def test_enable_with_two_contacts_is_s3(rig: Rig) -> None:
    rig.coils(on=[(1, 1), (2, 1)])
    rig.wait(60)
    rig.enable(1)
    assert ("S3", 1, 1) in rig.violations or ("S3", 2, 1) in rig.violations


def test_enable_on_the_wrong_contact_is_s3(rig: Rig) -> None:
    rig.fault("weld 1:1")
    rig.connect(1, 1)
    rig.disconnect(1, 1)
    rig.fault("failed-open 2:1")
    rig.close(2, 1)
    rig.wait(60)
    rig.enable(1)
    assert rig.violations == [("S3", 1, 1)]
    assert "the coils on are those of 2" in rig.monitor.violations[0].text


def test_a_welded_module_may_serve_its_own_gun(rig: Rig) -> None:
    rig.fault("weld 1:1")
    rig.connect(1, 1)
    rig.disconnect(1, 1)
    rig.connect(1, 1)
    assert rig.violations == []
    assert rig.cabinet.draw_w(1) == 40_000


def test_make_before_break_is_s4(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(60)
    slow_release = rig.cabinet.contactors[1, 1]
    slow_release.release_us = 10 * MS
    rig.cabinet.contactors[2, 1].operate_us = 30 * MS
    rig.coils(on=[(2, 1)], off=[(1, 1)])
    rig.wait(60)
    assert rig.violations == [("S4", 2, 1)]  # the contacts never overlapped: luck is no defence


def test_offer_above_the_live_power_is_s6(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.offer(1, 40_001)
    assert rig.violations == [("S6", 1, None)]
    rig.wait(30)
    rig.offer(1, 40_000)
    assert only(rig.monitor.violations).duration_ms == 30


def test_a_module_that_is_not_enabled_is_not_live(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(60)
    rig.offer(1, 40_000)
    assert rig.violations == [("S6", 1, None)]


def test_removing_a_module_under_an_offer_is_s6(rig: Rig) -> None:
    rig.connect(1, 1, 2)
    rig.disable(2)
    assert rig.violations == [("S6", 1, None)]


def test_an_expired_offer_is_no_offer(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.cabinet.offer(1, 40_000, rig.cabinet.now_us + 50 * MS)
    rig.wait(49)
    assert rig.cabinet.draw_w(1) == 40_000
    rig.wait(1)
    assert rig.cabinet.draw_w(1) == 0
    rig.disable(1)
    assert rig.quiet()


def test_removal_while_the_vehicle_still_draws_is_s6() -> None:
    rig = Rig(timing=PlantTiming(vehicle_response_ms=300))
    rig.connect(1, 1, 2)
    rig.offer(1, 40_000)
    rig.wait(20)
    rig.disable(2)
    assert rig.violations == [("S6", 1, 2)]
    assert "while the vehicle still drew 80 kW" in rig.monitor.violations[0].text


def test_removal_after_the_vehicle_has_followed_is_clean() -> None:
    rig = Rig(timing=PlantTiming(vehicle_response_ms=300))
    rig.connect(1, 1, 2)
    rig.disconnect(1, 2)
    rig.connect(2, 2)
    assert rig.quiet()


@pytest.mark.parametrize("disturbance", ["bus", "fault", "wire", "stop"])
def test_a_removal_that_a_fault_forced_is_an_exposure(disturbance: str) -> None:
    rig = Rig(timing=PlantTiming(vehicle_response_ms=300))
    rig.connect(1, 1, 2)
    if disturbance == "bus":
        struck_us = rig.cabinet.now_us
        rig.cabinet.last_bus_fault_us = lambda: struck_us
    elif disturbance == "fault":
        rig.fault("aux-stuck-closed 3:2")
        rig.wait(5000)
    elif disturbance == "wire":
        rig.close(3, 4, cause="wire")
    else:
        rig.cabinet.press_estop()
        rig.cabinet.release_estop()
        rig.monitor.exposures.clear()
    rig.wait(10 if disturbance == "fault" else 200)
    rig.offer(1, 40_000)
    rig.disable(2)
    assert rig.violations == []
    cause = "auxiliary contact 3:2 lies" if disturbance == "fault" else "disturbance"
    assert ("S6", cause, 1, 2) in rig.exposures


def test_a_fault_elsewhere_excuses_no_removal() -> None:
    rig = Rig(timing=PlantTiming(vehicle_response_ms=300))
    rig.connect(1, 1, 2)
    rig.fault("aux-stuck-closed 3:4")
    rig.wait(5000)
    rig.offer(1, 40_000)
    rig.disable(2)
    assert rig.violations == [("S6", 1, 2)]


def test_a_disturbance_long_gone_excuses_no_removal() -> None:
    rig = Rig(timing=PlantTiming(vehicle_response_ms=300))
    rig.connect(1, 1, 2)
    struck_us = rig.cabinet.now_us
    rig.cabinet.last_bus_fault_us = lambda: struck_us
    rig.fault("aux-stuck-closed 3:4 for 10ms")
    rig.wait(1100)
    rig.offer(1, 40_000)
    rig.disable(2)
    assert rig.violations == [("S6", 1, 2)]


def test_close_before_discharge_is_s9(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(230)
    rig.open(1, 1)
    rig.wait(60)
    rig.close(2, 1)
    rig.wait(60)
    event = only(rig.monitor.violations)
    assert (event.rule, event.gun, event.module) == ("S9", 2, 1)
    assert "closed across" in event.text


def test_close_before_discharge_onto_a_live_bus_is_s9_all_the_same() -> None:
    rig = Rig(seed=0)
    rig.connect(1, 1)
    rig.connect(2, 2)
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(230)
    rig.open(1, 1)
    rig.wait(150)
    rig.cabinet.vehicles[1].battery_v = 800  # above what is left in the module: no current flows
    rig.close(2, 1)
    rig.wait(60)
    event = only(rig.monitor.violations)
    assert event.rule == "S9"
    assert "before module 1 had discharged" in event.text


def test_a_module_above_a_live_bus_is_s9_by_its_voltage(rig: Rig) -> None:
    rig.connect(2, 2)
    rig.cabinet.vehicles[1].battery_v = 300
    rig.enable(1)
    rig.wait(10)
    rig.disable(1)
    rig.wait(5)
    rig.close(2, 1)
    rig.wait(60)
    assert ("S9", 2, 1) in rig.violations


def test_no_voltage_is_left_after_the_full_discharge(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(1000)
    assert rig.cabinet.terminal_v(1) <= 20
    rig.open(1, 1)
    rig.wait(60)
    rig.close(2, 1)
    rig.wait(60)
    assert rig.quiet()


# The instants in between ------------------------------------------------------------------------


def test_a_make_written_under_load_is_s2_even_if_the_load_is_gone_when_it_arrives() -> None:
    rig = Rig()
    rig.cabinet.contactors[1, 1].operate_us = 30 * MS
    rig.enable(1)
    rig.wait(1)
    rig.close(1, 1)
    rig.wait(1)
    rig.disable(1)
    assert not rig.cabinet.status(1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_a_break_that_arrives_under_load_is_s2_even_if_it_was_written_without(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(60)
    rig.open(1, 1)
    rig.enable(1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_a_break_before_the_module_has_even_risen_is_s2() -> None:
    rig = Rig()
    rig.cabinet.contactors[1, 1].release_us = 30 * MS
    rig.close(1, 1)
    rig.wait(60)
    rig.enable(1)
    rig.wait(1)
    rig.open(1, 1)
    rig.wait(1)
    rig.disable(1)
    rig.wait(60)
    assert rig.violations == [("S2", 1, 1)]


def test_breaking_a_dead_module_that_is_still_enabled_is_s2(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.offer(1, 0)
    rig.fault("module-dead 1")
    rig.wait(300)
    rig.open(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations  # it may come back to life at any moment


def test_a_timed_opening_that_does_not_wait_is_s2(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.offer(1, 0)
    rig.offer(1, 40_000)
    rig.fault("module-stuck-on 1")
    rig.cabinet.press_estop()
    rig.offer(1, 0)
    rig.wait(80)
    rig.open(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


# What nobody commanded is an exposure -----------------------------------------------------------


def test_a_brown_out_under_load_is_an_exposure(rig: Rig) -> None:
    rig.connect(1, 1)
    flowing_a = 40_000 / rig.cabinet.vehicles[0].battery_v
    rig.word = 0
    rig.cabinet.coil_word(0, 0, "brown-out")
    release_us = rig.cabinet.contactors[1, 1].release_us
    rig.cabinet.advance(rig.cabinet.now_us + release_us)
    rig.offer(1, 0)
    rig.wait(20)
    rig.disable(1)
    rig.wait(500)
    event = rig.monitor.exposures[0]
    assert (event.rule, event.gun, event.module, event.cause) == ("S2", 1, 1, "brown-out")
    assert event.current_a == pytest.approx(flowing_a, abs=0.001)
    assert event.duration_ms == 20
    assert rig.violations == []
    assert rig.monitor.broken_current_a == event.current_a


def test_a_spontaneous_opening_is_an_exposure(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.fault("spontaneous-open 1:1")
    rig.wait(60)
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(500)
    assert rig.exposures == [
        ("S2", "spontaneous opening", 1, 1),
        ("S6", "spontaneous opening", 1, None),
    ]
    assert [e.duration_ms for e in rig.monitor.exposures] == [60, 60]
    assert rig.violations == []


@pytest.mark.parametrize("left", ["enable", "offer"])
def test_an_exposure_left_alone_for_too_long_is_a_violation(rig: Rig, left: str) -> None:
    rig.connect(1, 1)
    rig.fault("spontaneous-open 1:1")
    if left == "enable":
        rig.offer(1, 0)
    else:
        rig.disable(1)
    rig.wait(60)
    assert rig.violations == []
    rig.wait(1)
    event = only(rig.monitor.violations)
    assert event.rule == {"enable": "S3", "offer": "S6"}[left]
    assert event.cause == "spontaneous opening"
    assert "for more than 60 ms" in event.text
    rig.wait(39)
    rig.monitor.settle()
    assert only(rig.monitor.violations).duration_ms == 100  # from the beginning


def test_a_corrupted_word_that_joins_live_guns_is_an_exposure(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.connect(2, 2)
    rig.close(2, 1, cause="wire")
    rig.wait(40)
    assert rig.exposures[0] == ("S1", "wire", 2, 1)
    for gun, module in ((1, 1), (2, 2)):
        rig.offer(gun, 0)
        rig.disable(module)
    assert rig.violations == []
    assert 0 < rig.monitor.exposures[0].duration_ms < 40


def test_guns_left_joined_with_power_on_them_is_a_violation(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.connect(2, 2)
    rig.close(2, 1, cause="wire")
    rig.wait(40)
    rig.offer(1, 0)
    rig.disable(1)  # but module 2 stays on its gun
    rig.wait(100)
    assert ("S1", 2, 1) in rig.violations


def test_enabling_a_module_on_a_joined_gun_is_s1(rig: Rig) -> None:
    rig.close(1, 1)
    rig.close(2, 2)
    rig.wait(60)
    rig.close(2, 1, cause="wire")
    rig.wait(200)
    assert [rule for rule, *_ in rig.exposures] == ["S1"]
    assert rig.violations == []
    rig.enable(2)
    assert rig.violations == [("S1", 2, 2)]


def test_a_short_corruption_moves_nothing_and_is_no_event(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.coils(on=[(2, 1)], off=[(1, 1)], cause="wire")
    rig.wait(4)
    rig.coils(on=[(1, 1)], off=[(2, 1)])
    rig.wait(200)
    assert rig.quiet()
    assert rig.cabinet.closed_contactors() == {(1, 1)}


def test_putting_a_corrupted_word_right_is_not_blamed_on_the_controller(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.close(2, 1, cause="wire")
    rig.wait(45)
    rig.open(2, 1)
    rig.wait(45)
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(100)
    assert rig.cabinet.closed_contactors() == {(1, 1)}
    assert {e.cause for e in rig.monitor.exposures} == {"wire"}
    assert ("S2", 2, 1) not in rig.violations


def test_the_wire_is_no_excuse_for_a_deed_long_after(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.close(2, 1, cause="wire")
    rig.wait(50)
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(400)
    assert rig.violations == []
    rig.enable(1)
    assert rig.violations == [("S3", 1, 1)]


def test_what_happens_after_the_scan_has_read_is_an_excuse(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(100)
    rig.fault("spontaneous-open 1:1")
    rig.wait(5)
    rig.enable(1)  # in the same scan as it read the contact closed
    rig.wait(20)
    rig.disable(1)
    rig.wait(100)
    assert rig.violations == []
    assert ("S3", "command", None, 1) in rig.exposures


def test_a_weld_is_an_exposure_at_the_opening_that_fails(rig: Rig) -> None:
    rig.fault("weld 1:1")
    rig.connect(1, 1)
    assert rig.quiet()
    rig.disconnect(1, 1)
    assert rig.exposures == [("S8", "weld", 1, 1)]
    assert rig.violations == []


def test_a_weld_does_not_excuse_closing_another_contactor_at_once(rig: Rig) -> None:
    rig.fault("weld 1:1")
    rig.close(1, 1)
    rig.wait(60)
    rig.open(1, 1)
    rig.wait(41)
    rig.close(2, 1)
    rig.wait(60)
    assert rig.violations == [("S1", 2, 1)]


def test_a_dead_module_exposes_the_offer_until_it_falls(rig: Rig) -> None:
    rig.connect(1, 1, 2)
    rig.fault("module-dead 2")
    rig.wait(25)
    rig.offer(1, 40_000)
    event = only(rig.monitor.exposures)
    assert (event.rule, event.gun, event.cause) == ("S6", 1, "module dead")
    assert event.duration_ms == 25
    rig.disable(2)
    rig.wait(200)
    assert rig.violations == []


def test_without_status_inputs_nobody_can_know_a_dead_module(rig: Rig) -> None:
    rig.cabinet.status_wired = False
    rig.fault("module-dead 2")
    rig.connect(1, 1)
    rig.close(1, 2)
    rig.wait(100)
    rig.enable(2)
    rig.offer(1, 80_000)
    rig.wait(500)
    assert rig.violations == []
    assert rig.exposures == [("S6", "module dead", 1, None)]


@pytest.mark.parametrize(
    ("wired", "held", "kind"),
    [(False, True, "exposures"), (True, True, "violations"), (False, False, "violations")],
)
def test_without_status_inputs_nobody_can_know_that_a_held_watchdog_line_cuts(
    wired: bool, held: bool, kind: str
) -> None:
    rig = Rig()
    rig.cabinet.status_wired = wired
    rig.cabinet.watchdog_held = held
    rig.cabinet.watchdog_fed_until(rig.cabinet.now_us)
    rig.wait(150)
    rig.close(1, 1)
    rig.wait(60)
    rig.enable(1)
    rig.offer(1, 40_000)
    rig.wait(100)
    assert [(e.rule, e.gun) for e in getattr(rig.monitor, kind)] == [("S6", 1)]


def test_with_status_inputs_counting_on_a_dead_module_is_s6(rig: Rig) -> None:
    rig.fault("module-dead 2")
    rig.connect(1, 1)
    rig.close(1, 2)
    rig.wait(100)
    rig.enable(2)
    rig.offer(1, 80_000)
    assert rig.violations == [("S6", 1, None)]


def test_a_module_stuck_on_is_an_exposure_and_breaking_it_a_violation(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.connect(2, 2)
    rig.fault("module-stuck-on 1")
    assert rig.quiet()
    rig.offer(1, 0)
    rig.disable(1)
    assert rig.exposures == [("S8", "module stuck on", 1, 1)]
    rig.wait(1500)
    assert rig.cabinet.status(1)
    rig.open(1, 1)
    rig.wait(60)
    assert rig.violations == [("S2", 1, 1)]


def test_the_timed_opening_of_a_stopped_station_is_an_exposure(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.fault("module-stuck-on 1")
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(1500)
    rig.open(1, 1)
    rig.wait(60)
    assert rig.violations == []
    assert ("S7", "timed opening", 1, 1) in rig.exposures


def test_the_emergency_stop_cuts_at_once_and_opens_without_current(rig: Rig) -> None:
    rig.connect(1, 1, 2)
    rig.cabinet.press_estop()
    assert rig.cabinet.live_modules(1) == ()
    rig.wait(20)
    rig.offer(1, 0)
    rig.wait(260)
    assert rig.cabinet.closed_contactors() == {(1, 1), (1, 2)}
    rig.wait(80)
    assert rig.cabinet.closed_contactors() == set()
    assert rig.violations == []
    assert sorted(rig.exposures, key=str) == [
        ("S6", "emergency stop", 1, None),
        ("S7", "emergency stop", 1, 1),
        ("S7", "emergency stop", 1, 2),
    ]
    assert rig.monitor.broken_current_a == 0


def test_an_offer_left_standing_after_the_emergency_stop_is_s6(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.cabinet.press_estop()
    rig.wait(61)
    assert rig.violations == [("S6", 1, None)]


def test_a_lost_process_leaves_its_offer_to_expire(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.cabinet.offer(1, 40_000, rig.cabinet.now_us + 900 * MS)
    rig.cabinet.set_enable(1, False, "process lost")
    rig.wait(2000)
    assert rig.violations == []
    event = only(rig.monitor.exposures)
    assert (event.rule, event.cause, event.duration_ms) == ("S6", "process lost", 900)


def test_enables_that_return_with_the_gate_are_judged_as_exposures(rig: Rig) -> None:
    rig.cabinet.press_estop()
    rig.enable(1)
    assert rig.quiet()
    rig.cabinet.release_estop()
    assert rig.exposures == [("S3", "emergency stop released", None, 1)]
    rig.wait(61)
    assert rig.violations == [("S3", None, 1)]


# What excuses and what does not ------------------------------------------------------------------


def test_nobody_can_know_a_module_stuck_on_without_status_inputs(rig: Rig) -> None:
    rig.cabinet.status_wired = False
    rig.connect(1, 1)
    rig.connect(2, 2)
    rig.fault("module-stuck-on 1")
    rig.disconnect(1, 1)
    assert rig.violations == []
    assert ("S2", "module stuck on", 1, 1) in rig.exposures


def without_status_inputs(rig: Rig) -> Rig:
    rig.cabinet.status_wired = False
    rig.fault("module-stuck-on 1")
    rig.wait(1500)
    return rig


def test_nobody_can_know_what_a_make_meets_without_status_inputs(rig: Rig) -> None:
    without_status_inputs(rig).close(1, 1)
    rig.wait(60)
    assert rig.violations == []
    assert {("S2", "command", 1, 1), ("S9", "command", 1, 1)} <= set(rig.exposures)


@pytest.mark.parametrize(("wired", "kind"), [(False, "exposures"), (True, "violations")])
def test_what_a_module_that_has_run_by_itself_has_left_shows_by_its_status_only(
    rig: Rig, wired: bool, kind: str
) -> None:
    rig.cabinet.status_wired = wired
    rig.wait(1500)
    rig.fault("module-stuck-on 1 for 100ms")
    rig.wait(200)
    rig.close(1, 1)
    rig.wait(60)
    assert [(e.rule, e.gun, e.module) for e in getattr(rig.monitor, kind)][-1] == ("S9", 1, 1)


def brief_run(rig: Rig, by: str, ms: float = 6) -> None:
    """Module 1 runs by itself: by a fault of its own, or by its line."""
    if by == "itself":
        rig.fault(f"module-stuck-on 1 for {ms}ms")
    else:
        rig.cabinet.set_enable(1, True, HELD)
        rig.wait(ms)
        rig.cabinet.set_enable(1, False, HELD)


@pytest.mark.parametrize("by", ["itself", "line"])
def test_nobody_can_know_of_a_run_so_brief_that_no_look_fell_into_it(rig: Rig, by: str) -> None:
    rig.wait(1500)
    rig.cabinet.status(1)
    brief_run(rig, by)
    rig.wait(100)
    rig.cabinet.status(1)
    rig.close(1, 1)
    rig.wait(60)
    assert rig.violations == []
    assert ("S9", "command", 1, 1) in rig.exposures


@pytest.mark.parametrize("by", ["itself", "line"])
def test_nobody_can_know_of_a_brief_current_under_a_contact(rig: Rig, by: str) -> None:
    rig.close(1, 1)
    rig.wait(1500)
    rig.offer(1, 40_000)  # the vehicle draws what it can get
    brief_run(rig, by)
    rig.wait(62)
    rig.open(1, 1)
    rig.wait(60)
    assert "S2" not in {rule for rule, _, _ in rig.violations}
    assert ("S2", 1, 1) in {(rule, gun, module) for rule, _, gun, module in rig.exposures}


def test_what_a_look_at_its_status_has_shown_is_known(rig: Rig) -> None:
    rig.wait(1500)
    brief_run(rig, "itself")
    rig.wait(5)
    assert rig.cabinet.status(1)
    rig.wait(100)
    rig.close(1, 1)
    rig.wait(60)
    assert rig.violations == [("S9", 1, 1)]


def test_a_run_in_which_any_scan_looks_is_known_though_nobody_looked(rig: Rig) -> None:
    rig.wait(1500)
    brief_run(rig, "line", 61)
    rig.wait(100)
    rig.close(1, 1)
    rig.wait(60)
    assert ("S9", 1, 1) in rig.violations


def test_a_long_run_is_no_shorter_for_a_line_that_is_held_meanwhile(rig: Rig) -> None:
    rig.wait(1500)
    rig.fault("module-stuck-on 1 for 300ms")
    rig.wait(250)
    brief_run(rig, "line")
    rig.wait(144)
    rig.close(1, 1)
    rig.wait(60)
    assert ("S9", 1, 1) in rig.violations


def test_a_brief_run_excuses_no_second_contactor(rig: Rig) -> None:
    rig.close(2, 1)
    rig.wait(1500)
    brief_run(rig, "itself")
    rig.wait(100)
    rig.close(1, 1)
    rig.wait(60)
    assert ("S1", 1, 1) in rig.violations


def test_a_brief_run_excuses_nothing_before_the_current_of_the_last_is_gone(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.disable(1)
    rig.wait(1)
    brief_run(rig, "itself")
    rig.wait(70)
    rig.open(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_a_brief_run_excuses_nothing_of_a_module_that_has_been_enabled_since(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(1500)
    rig.offer(1, 40_000)
    brief_run(rig, "itself")
    rig.wait(8)
    rig.enable(1)
    rig.wait(42)
    rig.disable(1)
    rig.wait(20)
    rig.open(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_without_status_inputs_a_second_contactor_is_s1_all_the_same(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(60)
    without_status_inputs(rig).close(2, 1)
    rig.wait(60)
    assert rig.violations == [("S1", 2, 1)]


def test_without_status_inputs_a_make_of_an_enabled_module_is_s2(rig: Rig) -> None:
    without_status_inputs(rig).enable(1)
    rig.close(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_without_status_inputs_a_make_too_soon_is_s2(rig: Rig) -> None:
    rig.enable(1)
    without_status_inputs(rig)
    rig.disable(1)
    rig.wait(20)
    rig.close(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


@pytest.mark.parametrize("later_ms", [-10, 20])
def test_a_module_that_something_else_has_switched_on_is_an_excuse(rig: Rig, later_ms: int) -> None:
    rig.cabinet.contactors[1, 1].operate_us = 30 * MS
    if later_ms < 0:
        rig.close(1, 1)
        rig.wait(-later_ms)
        rig.cabinet.set_enable(1, True, HELD)
    else:
        rig.cabinet.set_enable(1, True, HELD)
        rig.wait(later_ms)
        rig.close(1, 1)
    rig.wait(60)
    assert rig.violations == []
    assert ("S2", "command", 1, 1) in rig.exposures


@pytest.mark.parametrize(
    ("later_ms", "pair", "rule"), [(61, (1, 1), "S2"), (20, (2, 1), "S1")], ids=["late", "second"]
)
def test_it_is_none_for_a_late_deed_nor_for_a_second_contactor(
    rig: Rig, later_ms: int, pair: tuple[int, int], rule: str
) -> None:
    if rule == "S1":
        rig.close(1, 1)
        rig.wait(100)
    rig.cabinet.set_enable(1, True, HELD)
    rig.wait(later_ms)
    rig.close(*pair)
    rig.wait(60)
    assert (rule, *pair) in rig.violations


@pytest.mark.parametrize(("later_ms", "blamed"), [(1, False), (61, True)])
def test_enabling_on_a_gun_that_has_just_been_joined_is_excused_and_later_is_not(
    rig: Rig, later_ms: int, blamed: bool
) -> None:
    rig.close(1, 1)
    rig.close(1, 2)
    rig.wait(100)
    rig.fault("spontaneous-close 2:1")
    rig.wait(later_ms)
    rig.enable(2)
    assert rig.violations == ([("S1", 1, 2)] if blamed else [])


def test_an_enable_that_the_gate_gives_back_is_no_excuse(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(60)
    rig.cabinet.press_estop()
    rig.enable(1)
    rig.cabinet.release_estop()
    rig.wait(10)
    rig.open(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_what_something_else_holds_on_is_left_to_the_watchdog(rig: Rig) -> None:
    rig.cabinet.set_enable(1, True, HELD)
    rig.wait(60 + TIMING.watchdog_ms)
    assert rig.violations == []
    rig.wait(1)
    assert rig.violations == [("S3", None, 1)]


@pytest.mark.parametrize(("line_held", "rules"), [(True, []), (False, ["S3"])])
def test_nor_can_we_switch_off_what_was_on_when_its_line_was_held(
    rig: Rig, line_held: bool, rules: list[str]
) -> None:
    rig.connect(1, 1)
    if line_held:
        rig.cabinet.set_enable(1, True, HELD)
    rig.fault("spontaneous-open 1:1")
    rig.offer(1, 0)
    rig.wait(60 + TIMING.watchdog_ms)
    assert [rule for rule, *_ in rig.violations] == rules
    rig.wait(1)
    assert [rule for rule, *_ in rig.violations] == ["S3"]


@pytest.mark.parametrize("other_goes_off", [True, False])
def test_but_not_what_the_controller_could_switch_off(rig: Rig, other_goes_off: bool) -> None:
    rig.connect(2, 2)
    rig.close(1, 1)
    rig.wait(60)
    rig.cabinet.set_enable(1, True, HELD)
    rig.fault("spontaneous-close 2:1")
    rig.offer(2, 0)
    if other_goes_off:
        rig.disable(2)
    rig.wait(61)
    assert rig.violations == ([] if other_goes_off else [("S1", 2, 1)])
    rig.wait(TIMING.watchdog_ms)
    assert [rule for rule, *_ in rig.violations] == ["S1"]


def test_a_module_that_starts_by_itself_is_an_exposure(rig: Rig) -> None:
    rig.fault("module-stuck-on 1")
    assert rig.exposures == [("S8", "module stuck on", None, 1)]


def test_a_module_that_starts_while_its_contactor_is_on_its_way_is_an_excuse(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(2)
    rig.fault("module-stuck-on 1")
    rig.wait(60)
    assert rig.violations == []
    assert ("S2", "command", 1, 1) in rig.exposures


def test_a_module_that_will_not_stop_does_not_excuse_opening_at_once(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.cabinet.vehicle(1, 0)
    rig.fault("module-stuck-on 1")
    rig.offer(1, 0)
    rig.disable(1)
    rig.wait(10)
    rig.open(1, 1)
    rig.wait(60)
    assert rig.violations == [("S2", 1, 1)]


@pytest.mark.parametrize("loss", ["spontaneous-open 1:1", "module-dead 1", "estop"])
@pytest.mark.parametrize(("later_ms", "kind"), [(15, "exposures"), (90, "violations")])
def test_an_offer_raised_in_the_scan_of_a_loss_is_excused_and_later_is_not(
    rig: Rig, loss: str, later_ms: int, kind: str
) -> None:
    rig.connect(1, 1)
    rig.offer(1, 0)
    rig.fault(loss)
    if loss == "spontaneous-open 1:1" and later_ms == 90:
        rig.disable(1)
    rig.wait(later_ms)
    rig.offer(1, 40_000)
    told = getattr(rig.monitor, kind)
    assert [(e.rule, e.gun, e.cause) for e in told][-1] == ("S6", 1, "command")


def test_a_removal_forced_by_a_loss_on_the_same_gun_is_no_violation() -> None:
    rig = Rig(timing=PlantTiming(vehicle_response_ms=300))
    rig.connect(1, 1, 2)
    rig.fault("spontaneous-open 1:2")
    rig.wait(20)
    rig.offer(1, 0)
    rig.disable(1)
    rig.disable(2)
    rig.wait(500)
    assert rig.violations == []


def test_a_coil_lost_after_the_scan_has_read_excuses_the_enable(rig: Rig) -> None:
    rig.cabinet.contactors[1, 1].release_us = 30 * MS
    rig.close(1, 1)
    rig.wait(100)
    rig.open(1, 1, cause="brown-out")
    rig.wait(5)
    rig.enable(1)
    rig.disable(1)
    assert rig.violations == []
    assert rig.exposures == [("S3", "command", 1, 1)]


def test_putting_a_corrupted_word_right_long_after_is_the_controllers_own_deed(rig: Rig) -> None:
    rig.close(1, 1, cause="wire")
    rig.wait(100)
    rig.enable(1)
    rig.wait(100)
    rig.open(1, 1)
    rig.wait(60)
    assert ("S2", 1, 1) in rig.violations


def test_a_coil_corrupted_twice_is_as_it_was(rig: Rig) -> None:
    rig.close(1, 1)
    rig.wait(100)
    rig.open(1, 1, cause="wire")
    rig.wait(2)
    rig.close(1, 1, cause="wire")
    rig.wait(2)
    rig.open(1, 1)
    rig.wait(60)
    assert rig.quiet()
    assert rig.cabinet.closed_contactors() == set()


def test_coils_written_before_there_is_supply_are_commanded_makes() -> None:
    cabinet = Cabinet(
        gun_count=1,
        module_power_w=[40_000],
        gun_max_w=[40_000],
        contactors=[(1, 1)],
        timing=TIMING,
    )
    monitor = Monitor(cabinet)
    cabinet.advance(10 * MS)
    cabinet.coil_word(0, 1, "command")
    cabinet.advance(12 * MS)
    cabinet.watchdog_edge()
    cabinet.advance(60 * MS)
    assert cabinet.closed_contactors() == {(1, 1)}
    assert monitor.exposures == monitor.violations == []


# Accounts ---------------------------------------------------------------------------------------


def test_the_summary_counts(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.open(1, 1)
    rig.wait(60)
    summary = rig.monitor.counts()
    assert (summary.violations, summary.makes, summary.breaks) == (
        len(rig.monitor.violations),
        {(1, 1): 1},
        {(1, 1): 1},
    )
    assert str(summary).startswith(f"{summary.violations} violations, 0 exposures, 1 makes")


def test_an_event_that_still_lasts_has_its_duration_so_far(rig: Rig) -> None:
    rig.enable(1)
    rig.wait(70)
    rig.monitor.settle()
    assert only(rig.monitor.violations).duration_ms == 70
    rig.wait(30)
    rig.monitor.settle()
    assert only(rig.monitor.violations).duration_ms == 100


def test_every_event_is_one_sentence(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.fault("spontaneous-open 1:1")
    rig.wait(100)
    for event in rig.monitor.violations + rig.monitor.exposures:
        assert event.text.endswith(f"; cause: {event.cause}")
        assert "\n" not in event.text


def test_a_deep_copy_lives_on_by_itself(rig: Rig) -> None:
    rig.connect(1, 1)
    rig.open(1, 1)  # in flight
    twin = copy.deepcopy(rig)
    twin.wait(60)
    assert ("S2", 1, 1) in twin.violations
    assert rig.quiet()
    assert rig.cabinet.closed_contactors() == {(1, 1)}
    rig.wait(60)
    assert rig.monitor.violations == twin.monitor.violations
