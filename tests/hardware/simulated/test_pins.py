"""gpiozero's own devices on the cabinet's lines."""

import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from gpiozero import DigitalInputDevice, InputDevice, OutputDevice
from layouts import REFERENCE

from hardware.simulated.cabinet import Cabinet
from hardware.simulated.faults import parse
from hardware.simulated.monitor import Monitor
from hardware.simulated.pins import CabinetPins, LineFault
from hardware.simulated.plant_timing import PlantTiming

MS = 1000
TWO_MODULES = replace(REFERENCE, enable_pins=(16, 17), status_pins=(4, 5))


class Board:
    def __init__(self) -> None:
        self.cabinet = Cabinet(
            gun_count=1,
            module_power_w=[40_000, 40_000],
            gun_max_w=[80_000],
            contactors=[(1, 1), (1, 2)],
            timing=PlantTiming(),
        )
        self.monitor = Monitor(self.cabinet)
        self.resets: list[bool] = []
        self.cabinet.reset_expanders = lambda low, _: self.resets.append(low)
        self.pins = CabinetPins(self.cabinet, TWO_MODULES)

    def wait(self, ms: int) -> None:
        self.cabinet.advance(self.cabinet.now_us + ms * MS)

    def output(self, line: int, on: bool = False) -> OutputDevice:
        return OutputDevice(line, initial_value=on, pin_factory=self.pins)

    def input(self, line: int) -> InputDevice:
        return InputDevice(line, pull_up=False, pin_factory=self.pins)

    def running(self) -> OutputDevice:
        """Module 1 on gun 1, offered and drawing; returns its enable."""
        self.cabinet.watchdog_fed_until(10 * 60 * 1000 * MS)
        self.cabinet.coil_word(0, 0b1, "command")
        self.wait(60)
        enable = self.output(16)
        enable.on()
        self.cabinet.vehicle(1, 80_000)
        self.cabinet.offer(1, 40_000, 10**9)
        self.wait(10)
        assert self.cabinet.draw_w(1) == 40_000
        return enable


@pytest.fixture
def board() -> Iterator[Board]:
    board = Board()
    yield board
    board.pins.close()


def test_an_enable_acts_at_the_instant_it_is_written(board: Board) -> None:
    enable = board.running()
    assert board.cabinet.live_modules(1) == (1,)
    enable.off()
    assert board.cabinet.live_modules(1) == ()
    assert board.monitor.violations[0].rule == "S6"  # the offer was still up: written, not released


def test_claiming_low_is_not_a_write(board: Board) -> None:
    enable = board.output(17)
    assert not enable.value
    assert not board.monitor.violations
    assert board.resets == []


def test_claiming_high_is(board: Board) -> None:
    board.cabinet.watchdog_edge()
    enable = board.output(16, on=True)
    assert enable.value
    assert [e.rule for e in board.monitor.violations] == ["S3"]


def test_the_status_line_follows_the_module(board: Board) -> None:
    status = board.input(4)
    assert not status.is_active
    enable = board.running()
    assert status.is_active
    enable.off()
    assert status.is_active  # not yet
    board.wait(5)
    assert not status.is_active
    assert not board.input(5).is_active


def test_the_emergency_stop_line_is_high_while_healthy(board: Board) -> None:
    healthy = DigitalInputDevice(27, pull_up=False, pin_factory=board.pins)
    assert healthy.is_active
    board.cabinet.inject(parse("estop @ 1s for 2s"))
    board.wait(1000)
    assert not healthy.is_active
    board.wait(2000)
    assert healthy.is_active


def test_the_watchdog_is_fed_by_edges_and_by_nothing_else(board: Board) -> None:
    enable, watchdog = board.output(16, on=True), board.output(26)
    assert not board.cabinet.modules[0].enabled  # nothing is enabled before the first edge
    for _ in range(5):
        watchdog.toggle()
        board.wait(99)
        assert board.cabinet.modules[0].enabled
    watchdog.value = watchdog.value
    board.wait(1)
    assert not board.cabinet.modules[0].enabled
    assert enable.value


OFF_DELAY_MS = PlantTiming.off_delay_ms


def test_reset_reaches_the_expanders_after_the_off_delay(board: Board) -> None:
    reset = board.output(25, on=True)
    reset.off()
    board.wait(OFF_DELAY_MS - 1)
    assert True not in board.resets
    board.wait(1)
    assert board.resets[-1]
    reset.on()
    assert not board.resets[-1]


def test_a_reset_shorter_than_the_off_delay_does_not_reach_the_expanders(board: Board) -> None:
    reset = board.output(25, on=True)
    for _ in range(3):
        reset.off()
        board.wait(OFF_DELAY_MS - 1)
        reset.on()
        board.wait(1)
    assert True not in board.resets


def test_reset_falls_when_its_process_lets_go_and_nobody_takes_it_again(board: Board) -> None:
    board.output(25, on=True).close()
    board.wait(OFF_DELAY_MS - 1)
    board.output(25, on=True).close()  # low first, as LGPIOFactory claims it
    board.wait(OFF_DELAY_MS - 1)
    assert True not in board.resets
    board.wait(1)
    assert board.resets[-1]


def test_a_process_that_exits_lets_the_enables_fall(board: Board) -> None:
    enable = board.running()
    enable.close()
    assert board.cabinet.live_modules(1) == ()
    assert [(e.rule, e.cause) for e in board.monitor.exposures] == [("S6", "process lost")]
    assert not board.monitor.violations


def test_a_killed_process_leaves_its_enables_on_until_the_next_claims_them(board: Board) -> None:
    left_on = board.running()
    board.pins.process_killed()
    left_on.off()
    left_on.close()
    board.wait(50)
    assert board.cabinet.live_modules(1) == (1,)
    taken_over = board.output(16)
    assert not taken_over.value
    assert board.cabinet.live_modules(1) == ()
    assert [(e.rule, e.cause) for e in board.monitor.exposures] == [("S6", "restart")]
    assert not board.monitor.violations


def test_a_strict_kernel_lets_go_of_the_lines_of_a_killed_process(board: Board) -> None:
    board.running()
    board.output(25, on=True)
    board.pins.process_killed(strict=True)
    assert board.cabinet.live_modules(1) == ()
    board.wait(OFF_DELAY_MS)
    assert board.resets[-1]
    assert not board.monitor.violations


def test_reset_held_high_by_a_killed_process_stays_high_through_the_next_claim(
    board: Board,
) -> None:
    held = board.output(25, on=True)
    board.pins.process_killed()
    held.close()
    held = board.output(25, on=True)
    assert True not in board.resets


def test_a_line_taken_twice_is_refused(board: Board) -> None:
    first = board.output(16)
    with pytest.raises(Exception, match="already in use"):
        board.output(16)
    first.close()
    assert not board.output(16).value


def test_toggling_costs_no_memory(board: Board) -> None:
    watchdog = board.output(26)
    watchdog.toggle()
    tracemalloc.start()
    for _ in range(1000):
        watchdog.toggle()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(20_000):
        watchdog.toggle()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 10_000


def test_without_status_inputs_the_cabinet_knows() -> None:
    board = Board()
    CabinetPins(board.cabinet, replace(TWO_MODULES, status_pins=()))
    assert not board.cabinet.status_wired


def test_a_line_that_is_let_go_rises_by_the_deed_of_who_drives_it_high() -> None:
    board = Board()
    enable = board.running()
    board.pins.hold(16, False)
    board.cabinet.offer(1, 0, 10**9)
    board.wait(300)
    board.cabinet.coil_word(0, 0, "command")
    board.wait(1)
    board.pins.hold(16, None)
    board.wait(60)
    assert ("S2", 1, 1) in [(e.rule, e.gun, e.module) for e in board.monitor.violations]
    enable.off()


def test_a_look_that_shows_a_module_on_is_told(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    board.cabinet.watchdog_fed_until(10**9)
    enable, status = board.output(17), board.input(5)
    monkeypatch.setattr(board.cabinet.observer, "looked_at", seen.append)
    assert not enable.value
    assert not status.value
    board.pins.hold(17, True)
    assert not status.value  # it has not risen yet
    assert seen == []
    assert enable.value
    assert seen == [2]
    board.wait(10)
    assert status.value
    assert seen == [2, 2]
    board.pins.hold(17, False)
    assert not enable.value
    assert seen == [2, 2]


def test_a_host_may_stand_still_at_a_line(board: Board) -> None:
    enable = board.running()
    stood: list[tuple[int, bool]] = []
    board.pins.stand_still = lambda us: stood.append((us, board.cabinet.modules[0].enabled))
    board.pins.inject(LineFault("stall", at_access=1, for_us=300_000))
    board.cabinet.offer(1, 0, 10**9)
    assert enable.value
    enable.off()
    assert stood == [(300_000, True)]  # before it is written
    assert not board.cabinet.modules[0].enabled


@pytest.mark.parametrize("order", [list, lambda lines: lines[::-1]])
def test_a_strict_kernel_lets_go_of_its_lines_in_any_order(
    board: Board, monkeypatch: pytest.MonkeyPatch, order: Callable[[list[int]], list[int]]
) -> None:
    for line in (16, 17):
        board.output(line, on=True)
    released: list[int] = []
    monkeypatch.setattr(board.pins, "released", released.append)
    board.pins.process_killed(True, order)
    assert released == order([16, 17])
