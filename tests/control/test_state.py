"""What a scan tells of itself, beside what the cabinet shows."""

import pytest
from sweep.stations import REFERENCE, strictly_documented
from sweep.working_station import WorkingStation

from verified_alloc.decide.policies.problem import NO_FAULTS
from verified_alloc.station.faults import Faults

NOBODY: tuple[tuple[int, ...], ...] = ((),) * 6


def test_the_first_scan_of_a_sound_station() -> None:
    with WorkingStation(REFERENCE) as at_work:
        state = at_work.scan(skip=False)
        assert state.at_ms == at_work.due_ms - REFERENCE.timing.scan_ms
        assert (state.demand_w, state.offer_w) == ((0,) * 6, (0,) * 6)
        assert (state.live, state.connected) == (NOBODY, NOBODY)
        assert (state.stale, state.locked, state.held_ms) == ((), (), (0,) * 6)
        assert (state.latched, state.faults) == (frozenset(), NO_FAULTS)
        assert (state.idle, state.settled, state.verified) == (True, True, True)
        assert not state.stopped
        assert state.quiet_until_ms == state.at_ms


def test_from_a_demand_to_the_end() -> None:
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({2: 60, 3: 300})
        state = at_work.scan(skip=False)
        assert state.demand_w == (0, 60_000, 300_000, 0, 0, 0)
        assert state.inputs.asked.demand_w == state.demand_w == state.asks_w
        assert (state.settled, state.idle) == (False, True)
        assert at_work.go_on(10, until=lambda: at_work.state.settled, skip=False)
        state = at_work.state
        assert state.live == state.connected == ((), (7, 8), (1, 2, 3, 4, 5, 6), (), (), ())
        assert state.offer_w == (0, 60_000, 240_000, 0, 0, 0)
        assert not state.idle

        at_work.ask({3: 0})
        state = at_work.scan(skip=False)
        assert state.offer_w == (0, 60_000, 0, 0, 0, 0)  # what it may still draw is another thing
        assert not state.settled
        assert at_work.go_on(10, until=lambda: at_work.state.settled, skip=False)
        assert not at_work.state.idle

        at_work.controller.stop()
        state = at_work.scan(skip=False)
        assert not state.stopped  # it ends in good order
        assert state.demand_w == (0,) * 6
        assert state.asks_w == (0, 60_000, 0, 0, 0, 0)
        off_but_connected = []
        while not state.idle:
            if state.connected[1] and not any(at_work.live.values()):
                off_but_connected.append(state)
            state = at_work.scan(skip=False)
        assert off_but_connected
        assert state.connected == NOBODY
        assert not at_work.closed


def test_a_told_stop_is_one_from_its_first_scan_on() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40})
        at_work.go_on(1)
        at_work.controller.stop_all()
        assert at_work.scan(skip=False).stopped


def test_connected_is_what_the_first_look_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    with WorkingStation(REFERENCE) as at_work:
        bank = at_work.controller._bank
        looks = {"closed": (1 << 1, 0, 0, 0), "closed_again": (1 << 2, 0, 0, 0)}
        shown = bank.read(1, 1)._replace(**looks)
        monkeypatch.setattr(bank, "read", lambda *_: shown)
        state = at_work.scan(skip=False)
        assert state.connected == ((), (1,), (), (), (), ())
        assert not state.idle


def test_the_demand_is_what_is_asked_and_not_the_rank_that_lags_behind() -> None:
    with WorkingStation(REFERENCE) as at_work:
        for kw in (60, 62):
            at_work.ask({2: kw})
            assert at_work.scan(skip=False).demand_w == (0, kw * 1000, 0, 0, 0, 0)
        assert at_work.state.inputs.asked.rank_w[1] == 60_000


@pytest.mark.parametrize(
    ("fault", "verified"),
    [
        (f"line-low {REFERENCE.hardware.enable_pins[0]} for 60ms", True),
        (f"line-high {REFERENCE.hardware.enable_pins[8]} for 60ms", False),
    ],
)
def test_the_lines_are_verified_as_far_as_they_were_told(fault: str, verified: bool) -> None:
    """A line that is held low was left told high all the same."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40})
        assert at_work.go_on(10, until=lambda: at_work.state.settled)
        at_work.go_on(1, skip=False)
        assert at_work.state.verified
        at_work.wait()
        at_work.inject(fault)
        assert at_work.scan(skip=False).verified == at_work.state.as_left == verified


def test_what_a_scan_finds_out_of_order_it_decides_without() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40})
        assert at_work.scan(skip=False).allocation.modules[1] == (1,)
        at_work.inject("nack 0x20")
        assert at_work.go_on(1, until=lambda: bool(at_work.state.faults.modules), skip=False)
        state = at_work.state
        assert state.inputs.faults == state.faults == Faults(modules={1, 2, 3})
        assert state.allocation.modules[1] == (4,)
