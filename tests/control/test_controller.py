"""The controller on the simulated charger; what counts is what the cabinet shows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sweep.stations import REFERENCE, strictly_documented, without_status_inputs
from sweep.working_station import WorkingStation

from hardware import clock, contactors
from hardware.contactors import BankReading
from hardware.simulated import charger as charger_module
from hardware.simulated.bus import BusFault, SimulatedBus
from hardware.simulated.cabinet import COMMAND
from hardware.simulated.faults import Injection
from hardware.supervision import Supervision
from verified_alloc.control.fault_file import FaultFile
from verified_alloc.control.fault_kinds import Fault
from verified_alloc.decide.policies import constraint, flow
from verified_alloc.errors import BadInput
from verified_alloc.kernel import scan
from verified_alloc.kernel.diagnosis import (
    GOOD_SCANS_PER_MISMATCH,
    NOT_SO,
    explained_mismatch,
)
from verified_alloc.station.model import Station

SETTLING_S = 6
DOCUMENTED = [
    ({1: 240}, {1: (1, 2, 3, 4, 5, 6)}),
    (dict.fromkeys(range(1, 7), 40), {gun: (gun,) for gun in range(1, 7)}),
    ({1: 160, 3: 120, 5: 80}, {1: (1, 2, 3, 4), 3: (5, 6, 7), 5: (8, 9)}),
]
NOTHING: dict[int, tuple[int, ...]] = {}
NO_SUPPLY = "no contactor closes: is the relay supply there?"
BUS_IS_DEAD = "no expander answers: is the I2C bus held, are they supplied?"


def with_timing(station: Station = REFERENCE, **figures: int) -> Station:
    return replace(station, timing=replace(station.timing, **figures))


def settle(at_work: WorkingStation, for_s: float = SETTLING_S) -> None:
    assert at_work.go_on(for_s, until=lambda: at_work.feeds_as_decided() and at_work.state.settled)


def reported(at_work: WorkingStation) -> str:
    return "\n".join(at_work.reported)


# The documented scenarios.


@pytest.mark.parametrize(("demands", "modules"), DOCUMENTED)
@pytest.mark.parametrize("adapter", ["bcm2835", "designware"])
@pytest.mark.parametrize("station", [REFERENCE, without_status_inputs()], ids=["status", "blind"])
def test_a_documented_scenario_from_idle(
    monkeypatch: pytest.MonkeyPatch,
    station: Station,
    adapter: str,
    demands: dict[int, float],
    modules: dict[int, tuple[int, ...]],
) -> None:
    monkeypatch.setattr(charger_module, "SimulatedBus", partial(SimulatedBus, adapter=adapter))
    with WorkingStation(station) as at_work:
        assert at_work.feeds(NOTHING)
        at_work.ask(demands)
        at_work.go_on(SETTLING_S)
        assert at_work.feeds(modules)
        for gun, kw in at_work.asked_kw.items():
            assert at_work.cabinet.draw_w(gun) == kw * 1000
        assert not at_work.bad() + at_work.exposures() + at_work.reported


def test_stopping_takes_power_off_first_and_then_opens_everything() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask(DOCUMENTED[2][0])
        settle(at_work)
        at_work.controller.stop()
        was_off_while_closed = []
        at_work.go_on(
            5,
            until=lambda: at_work.state.idle,
            skip=False,
            each=lambda: was_off_while_closed.append(
                bool(at_work.closed) and not any(at_work.live.values())
            ),
        )
        assert any(was_off_while_closed)
        assert at_work.feeds(NOTHING)
        assert not at_work.bad() + at_work.exposures() + at_work.reported


def test_a_start_waits_out_the_decay_in_steps_of_a_scan() -> None:
    started_ms = []
    for current_decay_ms in (50, 60, 61):
        with WorkingStation(with_timing(current_decay_ms=current_decay_ms)) as at_work:
            started_ms.append(at_work.now_ms)
            assert at_work.reported == []
    first_ms, same_ms, later_ms = started_ms
    assert (same_ms - first_ms, later_ms - first_ms) == (0, REFERENCE.timing.scan_ms)


def test_the_expanders_are_let_out_of_reset_after_the_decay_and_before_the_first_transfer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Claiming the line may pull it low for a moment, which resets them."""
    released: list[tuple[int, int]] = []
    reset = Supervision.reset

    def noted(supervision: Supervision, low: bool) -> None:
        assert not low
        released.append((at_work.now_ms, at_work.bus.transactions))
        reset(supervision, low)

    monkeypatch.setattr(Supervision, "reset", noted)
    at_work = WorkingStation(REFERENCE)
    with at_work:
        assert released == [(REFERENCE.timing.current_decay_ms, 0)]
        assert at_work.bus.transactions > 0


@pytest.mark.parametrize("module", [1, 9])
def test_a_start_tells_which_module_is_on_all_the_same(module: int) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.inject(f"module-stuck-on {module}")
        at_work.go_on(0.1)
        at_work.reported.clear()
        at_work.kill()
        at_work.start()
        assert at_work.reported == [f"PM{module} reports on at start although its enable is low"]


def test_nothing_is_asked_of_the_coils_of_an_expander_that_was_lost_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "faults"
    FaultFile(path).save(frozenset([Fault("expander_lost", expander=1)]))
    with WorkingStation(REFERENCE, faults_path=path) as at_work:
        (told,) = at_work.reported
        assert told.startswith("latched before the start: expanders 0x21 and 0x25 are lost")
        at_work.bus.inject(BusFault("nack", 0x21, count=None))
        at_work.go_on(1, skip=False)
        assert at_work.bus.faults_hit == []


# Offers, dwell, deadband, stale demands, the site limit.


def test_a_gun_hears_its_lower_offer_a_lead_time_before_its_modules_leave() -> None:
    with WorkingStation(with_timing(minimum_dwell_s=0)) as at_work:
        at_work.ask({1: 240})
        settle(at_work)
        at_work.ask({1: 80})
        asked_ms = at_work.now_ms
        assert at_work.go_on(5, until=lambda: at_work.live[1] != (1, 2, 3, 4, 5, 6), skip=False)
        left_ms = at_work.now_ms
        lower_ms = min(at for at, gun, w in at_work.told if at > asked_ms and gun == 1)
        assert [w for at, gun, w in at_work.told if at == lower_ms] == [80_000]
        assert left_ms - lower_ms >= REFERENCE.timing.offer_lead_ms
        settle(at_work)
        assert at_work.feeds({1: (1, 2)})
        assert not at_work.bad()


def test_an_acknowledged_offer_frees_its_modules_at_once() -> None:
    with WorkingStation(with_timing(minimum_dwell_s=0)) as at_work:
        at_work.ask({1: 240})
        settle(at_work)
        at_work.cabinet.vehicles[0].response_us = 0
        at_work.ask({1: 80})
        at_work.go_on(0.06, skip=False)
        asked_ms = at_work.now_ms
        at_work.controller.acknowledge(1, 80_000)
        assert at_work.go_on(5, until=lambda: at_work.live[1] == (1, 2), skip=False)
        assert at_work.now_ms - asked_ms <= 3 * REFERENCE.timing.scan_ms
        assert not at_work.bad()


def test_a_module_that_moved_a_short_while_ago_and_is_still_needed_stays() -> None:
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({1: 40})
        settle(at_work)
        moved_ms = at_work.now_ms
        at_work.go_on(3)
        at_work.ask({2: 240})
        at_work.go_on(5)
        assert at_work.live[1] == (1,)
        assert at_work.live[2] == (2, 3, 4, 5, 6, 7)
        dwell_ms = REFERENCE.timing.minimum_dwell_s * 1000
        assert at_work.go_on(20, until=lambda: (1, 1) not in at_work.closed)
        assert dwell_ms - 500 <= at_work.now_ms - moved_ms
        assert at_work.go_on(40, until=lambda: at_work.feeds({1: (7,), 2: (1, 2, 3, 4, 5, 6)})), (
            at_work.live
        )
        assert not at_work.bad() + at_work.exposures()


def test_a_solvers_policy_moves_it_only_for_a_gun_that_comes_first() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40})
        settle(at_work)
        at_work.ask({2: 240})
        at_work.go_on(20)
        assert at_work.feeds({1: (1,), 2: (2, 3, 4, 5, 6, 7)})
        at_work.ask({1: 0})
        settle(at_work)
        at_work.ask({1: 40, 3: 80, 4: 30})
        settle(at_work)
        moved_ms = at_work.now_ms
        assert at_work.feeds({1: (9,), 2: (2, 3, 4, 5, 6, 7), 3: (1, 8)})
        at_work.ask({4: 240})
        at_work.go_on(6)
        assert at_work.feeds({1: (9,), 2: (2, 3, 4, 5, 6, 7), 3: (1, 8)})
        assert at_work.go_on(20, until=lambda: at_work.feeds({2: (2, 3, 4, 5, 6, 7), 4: (1, 8, 9)}))
        dwell_ms = REFERENCE.timing.minimum_dwell_s * 1000
        assert dwell_ms <= at_work.now_ms - moved_ms <= dwell_ms + 4000
        assert not at_work.bad() + at_work.exposures()


def test_a_fall_back_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "solve", lambda *_: None)
    monkeypatch.setattr(constraint, "LIMIT", 0)
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40})
        settle(at_work)
        at_work.ask({1: 80})
        settle(at_work)
        assert at_work.feeds({1: (1, 2)})
        assert at_work.reported == [
            "policy priority had no answer (delivered to gun 1, W: CP-SAT says UNKNOWN):"
            " documented instead"
        ]


def test_a_module_that_is_no_longer_needed_leaves_within_its_dwell() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        at_work.ask({1: 40})
        at_work.go_on(4)
        assert at_work.feeds({1: (1,)})


@pytest.mark.parametrize(("deadband_w", "first"), [(0, 2), (5_000, 1)])
def test_nearly_equal_demands_change_places_only_without_a_deadband(
    deadband_w: int, first: int
) -> None:
    policy = replace(REFERENCE.policy, name="documented", priority_deadband_w=deadband_w)
    station = replace(with_timing(minimum_dwell_s=0), policy=policy)
    with WorkingStation(station) as at_work:
        at_work.ask({1: 198, 2: 196})
        settle(at_work)
        assert at_work.live[1] == (1, 2, 3, 4, 5)
        at_work.ask({2: 200})
        at_work.go_on(SETTLING_S)
        assert at_work.live[first] == (1, 2, 3, 4, 5)
        assert at_work.live[3 - first] == (6, 7, 8, 9)


def test_a_silent_gun_is_told_0_first_and_loses_its_modules_after_the_lead_time() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80, 2: 40})
        settle(at_work)
        at_work.silent.add(1)
        silent_ms = at_work.now_ms
        assert at_work.go_on(15, until=lambda: at_work.offers_kw()[1] == 0)
        assert at_work.state.stale == (1,)
        told_ms = at_work.now_ms
        timeout_ms = REFERENCE.timing.demand_timeout_s * 1000
        assert timeout_ms - 20 <= told_ms - silent_ms <= timeout_ms + 60
        assert at_work.live[1] == (1, 2)
        assert at_work.go_on(5, until=lambda: not at_work.live[1])
        assert at_work.now_ms - told_ms >= REFERENCE.timing.offer_lead_ms
        settle(at_work)
        assert not at_work.live[1]
        assert at_work.live[2]
        assert not at_work.bad() + at_work.exposures()


def test_bad_input_leaves_a_running_station_as_it_is() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        for bad in ({7: 40}, {1: -1}, {1: float("nan")}, {1: 40, 2: float("inf")}):
            with pytest.raises(BadInput):
                at_work.demands.set_all(bad, at_work.now_ms)
            at_work.go_on(1)
            assert at_work.feeds({1: (1, 2)})


def test_offers_and_draw_together_stay_within_the_site_limit() -> None:
    station = replace(strictly_documented(), site_limit_w=150_000)
    with WorkingStation(station) as at_work:

        def within() -> None:
            assert sum(at_work.offers_kw().values()) <= 150
            assert sum(at_work.cabinet.draw_w(gun) for gun in range(1, 7)) <= 150_000

        for demands in ({1: 240}, {2: 100, 3: 60}, {1: 0}, {1: 90, 2: 0}, {4: 240}):
            at_work.ask(demands)
            at_work.go_on(15, each=within)
            settle(at_work)
            assert sum(at_work.offers_kw().values()) == 150
        assert not at_work.bad() + at_work.exposures()


# Plant faults, one by one: reported in words, planned around, the others go on.


@pytest.mark.parametrize("station", [REFERENCE, without_status_inputs()], ids=["status", "blind"])
def test_a_welded_contactor_binds_its_module(station: Station) -> None:
    with WorkingStation(with_timing(station, minimum_dwell_s=0)) as at_work:
        at_work.inject("weld 1:1")
        at_work.ask({1: 40, 2: 40})
        settle(at_work)
        at_work.ask({1: 0, 2: 240})
        settle(at_work)
        assert "contactor 1:1 is welded" in reported(at_work)
        assert at_work.live[2] == (2, 3, 4, 5, 6, 7)
        assert (1, 1) in at_work.closed
        at_work.ask({1: 30})  # a welded module still serves its gun
        settle(at_work)
        assert at_work.live[1] == (1,)
        assert not at_work.bad()


@pytest.mark.parametrize("kind", ["failed-open", "late-operate", "aux-stuck-open"])
def test_a_contactor_that_does_not_close_is_replaced(kind: str) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.inject(f"{kind} 1:1")
        at_work.ask({1: 80, 2: 40})
        settle(at_work)
        at_work.go_on(SETTLING_S)
        assert "contactor 1:1 failed open" in reported(at_work)
        assert 1 not in at_work.live[1]
        assert len(at_work.live[1]) == 2
        assert len(at_work.live[2]) == 1
        assert not at_work.bad()


@pytest.mark.parametrize("kind", ["late-release", "aux-stuck-closed", "aux-broken-wire"])
def test_a_contactor_that_does_not_show_open_counts_as_welded(kind: str) -> None:
    with WorkingStation(with_timing(minimum_dwell_s=0)) as at_work:
        at_work.ask({1: 40})
        settle(at_work)
        at_work.inject(f"{kind} 1:1")
        at_work.ask({1: 0, 2: 40})
        settle(at_work)
        assert "contactor 1:1 is welded" in reported(at_work)
        assert at_work.live[2] == (2,)
        assert not at_work.bad()


@pytest.mark.parametrize("seed", range(2))
def test_a_chattering_auxiliary_contact_never_lets_anything_wrong_happen(seed: int) -> None:
    with WorkingStation(with_timing(minimum_dwell_s=0), seed=seed) as at_work:
        at_work.inject("aux-chatter 1:1 @ 3s")
        for demands in ({1: 40, 3: 80}, {1: 0, 2: 40}, {1: 80, 2: 80}, {1: 0, 3: 0}):
            at_work.ask(demands)
            at_work.go_on(4)
        assert "contactor 1:1" in reported(at_work)
        assert at_work.feeds_as_decided()
        assert not at_work.bad()


def test_a_dead_module_is_replaced() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80, 2: 40})
        settle(at_work)
        at_work.inject("module-dead 1")
        assert at_work.go_on(0.2, until=lambda: at_work.offers_kw()[1] == 40, skip=False)
        settle(at_work, 12)
        assert "PM1 does not report on" in reported(at_work)
        assert len(at_work.live[1]) == 2
        assert 1 not in at_work.live[1]
        assert at_work.live[2] == (3,)
        assert not at_work.bad()


def test_a_module_that_does_not_switch_off_locks_its_gun_and_keeps_its_contactor() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80, 2: 40})
        settle(at_work)
        at_work.inject("module-stuck-on 1")
        at_work.ask({1: 40})  # module 2 may go, module 1 stays
        at_work.go_on(4)
        assert not at_work.reported
        at_work.ask({1: 0})
        at_work.go_on(5)
        assert "PM1 does not switch off; gun 1 is locked" in reported(at_work)
        assert at_work.state.locked == (1,)
        assert (1, 1) in at_work.closed
        at_work.ask({1: 240})
        at_work.go_on(5)
        assert at_work.offers_kw()[1] == 0
        assert {pair for pair in at_work.closed if pair[0] == 1} == {(1, 1)}
        assert len(at_work.live[2]) == 1
        with pytest.raises(BadInput, match="PM1"):
            at_work.controller.clear_module(1)
        assert not at_work.bad()


def test_a_stop_that_opens_a_contactor_with_its_module_on_says_so() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40, 2: 40})
        settle(at_work)
        (module,) = at_work.live[1]
        at_work.inject(f"module-stuck-on {module}")
        at_work.controller.stop()
        assert at_work.go_on(10, until=lambda: not at_work.closed, skip=False)
        (said,) = [each for each in at_work.reported if "is opened although" in each]
        assert said.startswith(f"contactor 1:{module} is opened although PM{module} is on: ")
        assert [e.cause for e in at_work.monitor.exposures].count("timed opening") == 1
        assert not at_work.bad()


def test_a_contactor_that_opens_under_load_is_seen_within_the_reaction_time() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80, 2: 40})
        settle(at_work)
        at_work.inject("spontaneous-open 1:1")
        at_work.go_on(0.06, skip=False)
        assert at_work.offers_kw()[1] == 40
        assert not at_work.cabinet.modules[0].enabled
        settle(at_work)
        assert "contactor 1:1 failed open" in reported(at_work)
        assert len(at_work.live[1]) == 2
        assert at_work.live[2] == (3,)
        assert at_work.exposures()
        assert not at_work.bad()


def pulse_coil(at_work: WorkingStation, gun: int, module: int) -> None:
    """Something drives a coil past its expander, long enough to close the contactor."""
    number = (module - 1) * 6 + gun - 1
    position, pin = divmod(number, 14)
    bit = 1 << (pin if pin < 7 else pin + 1)
    word = at_work.cabinet._word[position]
    at_work.cabinet.coil_word(position, word | bit, "wire")
    at_work.go_on(0.05, skip=False)
    at_work.cabinet.coil_word(position, word, "wire")


def any_in(bits: Any) -> bool:
    """Of bits, or of words of bits."""
    return any(any(each) if isinstance(each, tuple) else each for each in bits)


@pytest.mark.parametrize("stalled", [scan.Write, scan.Enable], ids=["closing", "enabling"])
def test_nothing_closes_or_is_enabled_by_readings_from_before_a_stall(stalled: type) -> None:
    """72 ms pass between what was read and what is written, and 2:1 closes by itself meanwhile."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.go_on(2)
        wires, carry = at_work.controller._wires, at_work.controller._wires.carry
        stalls = []

        def late(effects: Sequence[scan.Effect]) -> Any:
            rising = [each for each in effects if isinstance(each, stalled) and any_in(each[0])]
            if rising and not stalls:
                at_work.inject("spontaneous-close 2:1")
                clock.sleep_s(0.072)
                stalls.append(at_work.cabinet.now_us)
            return carry(effects)

        wires.carry = late  # type: ignore[method-assign]
        at_work.ask({1: 40})
        assert at_work.go_on(5, until=lambda: bool(stalls), skip=False)
        assert at_work.closed == ({(2, 1)} if stalled is scan.Write else {(1, 1), (2, 1)})
        at_work.go_on(SETTLING_S)
        assert "contactor 2:1 is welded" in reported(at_work)
        assert at_work.live[1] == (2,)
        assert at_work.cabinet.modules[0].changed_us == -1  # it never ran
        assert not at_work.bad()


@pytest.mark.parametrize("lead_ms", [120, 1000], ids=["expired", "standing"])
def test_no_offer_is_renewed_by_readings_from_before_a_stall_but_lowered_it_is(
    lead_ms: int,
) -> None:
    """The watchdog cuts the modules meanwhile, and at 120 ms the offers expire."""
    with WorkingStation(with_timing(offer_lead_ms=lead_ms, fault_reaction_ms=60)) as at_work:
        at_work.ask({1: 40, 2: 80})
        at_work.go_on(5)
        told, look = at_work.charger.tell, at_work.controller._bank.read
        heard: list[tuple[int, int]] = []

        def slow(patience_s: float, scans: int) -> BankReading:
            reading = look(patience_s, scans)
            clock.sleep_s(0.15)
            return reading

        at_work.charger.tell = lambda gun, w, ms: heard.append((gun, w)) or told(gun, w, ms)  # type: ignore[method-assign,func-returns-value]
        at_work.controller._bank.read = slow  # type: ignore[method-assign]
        at_work.ask({2: 40})
        at_work.scan(skip=False)
        assert heard == ([] if lead_ms == 120 else [(2, 40_000)])
        del at_work.controller._bank.read  # type: ignore[method-assign]
        at_work.go_on(SETTLING_S)
        assert at_work.offers_kw() == {1: 40, 2: 40, 3: 0, 4: 0, 5: 0, 6: 0}
        assert not at_work.bad()


def test_a_stall_while_the_bank_is_read_takes_no_module_off() -> None:
    """At each transfer of a scan, shorter than readings are fresh; no contactor moves for it."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask(DOCUMENTED[2][0])
        at_work.go_on(SETTLING_S)
        operations, began = at_work.operations, at_work.controller._bank.transactions
        at_work.scan(skip=False)
        transfers = at_work.controller._bank.transactions - began
        for at in range(transfers):
            at_work.bus.inject(BusFault("stall", None, at, for_us=30_000))
            at_work.scan(skip=False)
            assert at_work.feeds(DOCUMENTED[2][1])
        assert len(at_work.bus.faults_hit) == transfers
        at_work.go_on(SETTLING_S)
        assert at_work.operations == operations
        assert not at_work.bad() + at_work.exposures() + at_work.reported


def test_two_welds_on_one_module_lock_both_guns() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.inject("weld 1:1", "weld 2:1")
        at_work.ask({1: 80, 2: 60, 3: 40})
        settle(at_work)
        assert at_work.live == {1: (1, 2), 2: (3, 4), 3: (5,), 4: (), 5: (), 6: ()}
        pulse_coil(at_work, 2, 1)
        assert {(1, 1), (2, 1)} <= at_work.closed
        at_work.go_on(0.06, skip=False)
        assert at_work.live == {1: (), 2: (), 3: (5,), 4: (), 5: (), 6: ()}
        at_work.go_on(4)
        assert at_work.state.locked == (1, 2)
        assert at_work.offers_kw() == {1: 0, 2: 0, 3: 40, 4: 0, 5: 0, 6: 0}
        assert "contactor 2:1 is welded" in reported(at_work)
        at_work.ask({1: 240, 2: 240, 4: 240})
        at_work.go_on(15)
        assert at_work.offers_kw()[1] == at_work.offers_kw()[2] == 0
        assert not at_work.live[1] + at_work.live[2]
        assert len(at_work.live[4]) == 6
        assert not at_work.bad()


@pytest.mark.parametrize("station", [REFERENCE, without_status_inputs()], ids=["status", "blind"])
def test_an_emergency_stop_lasts_until_it_is_cleared(station: Station) -> None:
    with WorkingStation(station) as at_work:
        at_work.ask({1: 160, 3: 120})
        settle(at_work)
        at_work.inject("estop for 20s")
        at_work.go_on(0.06, skip=False)
        assert not any(at_work.live.values())
        assert set(at_work.offers_kw().values()) == {0}
        at_work.go_on(5)
        assert not at_work.closed
        assert "emergency stop" in reported(at_work)
        at_work.go_on(20)  # released meanwhile
        assert at_work.cabinet.estop_healthy
        assert at_work.feeds(NOTHING)
        assert at_work.state.stopped
        at_work.controller.clear_stop()
        settle(at_work)
        assert at_work.feeds({1: (1, 2, 3, 4), 3: (5, 6, 7)})
        assert not at_work.bad()


def test_an_emergency_stop_cannot_be_cleared_while_it_is_pressed() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160})
        settle(at_work)
        at_work.inject("estop")
        at_work.go_on(1)
        with pytest.raises(BadInput):
            at_work.controller.clear_stop()
        at_work.go_on(5)
        assert at_work.state.stopped
        assert at_work.feeds(NOTHING)


# The bus.


CHIPS = pytest.mark.parametrize("address", [0x20, 0x24], ids=["output chip", "feedback chip"])
OUT_OF_ORDER = (
    "expanders 0x20 and 0x24 are out of order; configured anew once their modules are off"
)
LOST = "expanders 0x20 and 0x24 are lost; their modules are out until that is cleared"


@CHIPS
@pytest.mark.parametrize("kind", ["nack", "timeout"])
def test_an_expander_that_does_not_come_back_takes_its_own_modules_only(
    kind: str, address: int
) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80, 2: 40})
        settle(at_work)
        at_work.inject(f"{kind} {address:#x}")
        at_work.go_on(1)
        assert at_work.reported == [OUT_OF_ORDER]
        at_work.go_on(20)
        assert at_work.reported == [OUT_OF_ORDER, LOST]
        assert at_work.state.faults.modules == {1, 2, 3}
        assert len(at_work.live[1]) == 2
        assert len(at_work.live[2]) == 1
        assert not {1, 2, 3} & {*at_work.live[1], *at_work.live[2]}
        assert not at_work.bad()


@CHIPS
def test_an_expander_that_is_reset_is_configured_anew_without_anybody(address: int) -> None:
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        at_work.inject(f"brown-out {address:#x}")
        at_work.go_on(15)
        assert at_work.reported == [
            OUT_OF_ORDER,
            "expanders 0x20 and 0x24 are configured anew, 1 of 6 times an hour",
        ]
        assert at_work.feeds({1: (1, 2)})
        assert not at_work.bad()


@CHIPS
def test_nobody_else_moves_for_an_expander_that_is_back_in_a_moment(address: int) -> None:
    """Gun 1, which comes first, waits for its own modules; one that stays silent is replaced."""
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({1: 160, 3: 120, 5: 80})
        settle(at_work)
        at_work.told.clear()
        for again in range(2):
            at_work.inject(f"brown-out {address:#x}")
            assert at_work.go_on(3, until=lambda: 1 not in at_work.live[1], skip=False), again
            settle(at_work)
            at_work.go_on(3)  # steady again
            assert at_work.feeds({1: (1, 2, 3, 4), 3: (5, 6, 7), 5: (8, 9)})
            assert {gun for _, gun, _ in at_work.told} == {1}
        at_work.go_on(REFERENCE.timing.minimum_dwell_s)
        at_work.inject(f"nack {address:#x}")
        at_work.go_on(1)
        assert at_work.state.faults.modules == {1, 2, 3}
        settle(at_work)
        assert at_work.live[1] == (4, 5, 6, 7)
        assert not at_work.bad()


def test_an_expander_that_is_reset_again_and_again_is_for_a_person_to_see() -> None:
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        for _ in range(6):
            at_work.inject("brown-out 0x20")
            at_work.go_on(8)
            assert at_work.reported[-1] != LOST
            assert len(at_work.live[1]) == 2
        at_work.inject("brown-out 0x20")
        at_work.go_on(8)
        assert at_work.reported[-1] == LOST
        assert at_work.feeds({1: (4, 5)})
        at_work.controller.clear_expander(0)
        assert at_work.go_on(60, until=lambda: at_work.feeds({1: (1, 2)}))
        assert not at_work.bad()


def test_an_expander_that_is_reset_once_an_hour_is_never_latched() -> None:
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({1: 80})
        for _ in range(8):
            at_work.go_on(3600)
            assert at_work.feeds({1: (1, 2)})
            at_work.inject("brown-out 0x20")
        at_work.go_on(8)
        assert at_work.reported.count(OUT_OF_ORDER) == 8
        assert LOST not in at_work.reported


def test_an_expander_is_not_cleared_while_a_module_on_it_is_on() -> None:
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        for position, module in ((0, 1), (1, 3)):
            at_work.inject(f"module-stuck-on {module}")
            at_work.inject(f"nack {0x20 + position:#x} for 1s")
            at_work.go_on(3)
            with pytest.raises(BadInput):
                at_work.controller.clear_expander(position)
        assert not at_work.bad()


def test_a_contactor_is_cleared_once_it_was_repaired() -> None:
    with WorkingStation(strictly_documented(with_timing(minimum_dwell_s=0))) as at_work:
        at_work.inject("weld 1:1 for 20s")
        at_work.ask({1: 40})
        settle(at_work)
        at_work.ask({1: 0, 2: 40})
        at_work.go_on(8)
        assert at_work.live[2] == (2,)
        with pytest.raises(BadInput, match="1:1"):
            at_work.controller.clear_contactor(1, 1)
        at_work.go_on(20)
        assert at_work.live[2] == (2,)
        at_work.controller.clear_contactor(1, 1)
        at_work.go_on(8)
        assert at_work.feeds({2: (1,)})
        assert not at_work.bad()


def test_a_silent_expander_cannot_be_cleared() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        at_work.inject("nack 0x20")
        at_work.go_on(20)
        with pytest.raises(BadInput, match="0x20"):
            at_work.controller.clear_expander(0)
        at_work.go_on(5)
        assert at_work.state.faults.modules == {1, 2, 3}
        assert not at_work.bad()


def test_a_dead_bus_takes_everything_off_within_the_reaction_time() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160, 3: 120})
        settle(at_work)
        at_work.inject("timeout")
        at_work.go_on(0.1, skip=False)
        assert not any(at_work.live.values())
        assert set(at_work.offers_kw().values()) == {0}
        at_work.go_on(1)
        assert not at_work.closed  # RESET opened them, without current
        assert at_work.monitor.broken_current_a == 0
        assert not at_work.cabinet.watchdog_fed
        assert at_work.state.alarms == (BUS_IS_DEAD,)
        at_work.go_on(120)
        assert at_work.state.alarms == (BUS_IS_DEAD,)
        assert at_work.reported.count(BUS_IS_DEAD) == 1
        assert not at_work.state.latched
        assert not at_work.bad()


def test_reset_is_low_for_longer_than_its_off_delay_whatever_the_modules_take() -> None:
    with WorkingStation(with_timing(current_decay_ms=2000)) as at_work:
        at_work.ask({1: 160})
        settle(at_work, 12)
        at_work.inject("timeout")
        cabinet = at_work.cabinet
        assert at_work.go_on(9, until=lambda: not cabinet._reset_line_high, skip=False)
        low_since_us = cabinet.now_us
        assert at_work.go_on(9, until=lambda: cabinet._reset_line_high, skip=False)
        assert cabinet.now_us - low_since_us > cabinet.timing.off_delay_ms * 1000
        assert not at_work.closed
        assert at_work.monitor.broken_current_a == 0


@pytest.mark.parametrize(
    "cut",
    ["relay-supply-off", "coil-supply-off", f"line-low {REFERENCE.hardware.watchdog_pin}"],
)
@pytest.mark.parametrize("more", [{}, {2: 80}, {2: 80, 3: 0}], ids=["same", "more", "others"])
def test_without_supply_no_contactor_is_accused_and_it_is_told(
    cut: str, more: dict[int, float]
) -> None:
    """Demands change meanwhile, and contactors of others are tried."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160, 3: 120})
        settle(at_work)
        at_work.inject(f"{cut} @ {at_work.now_ms}ms for 4s")
        at_work.go_on(2.5)
        assert at_work.state.alarms == (NO_SUPPLY,)
        at_work.ask(more)
        at_work.go_on(1.3)
        assert not at_work.closed
        assert at_work.state.alarms == (NO_SUPPLY,)
        at_work.go_on(SETTLING_S)
        assert at_work.feeds_as_decided()
        assert at_work.state.settled
        assert at_work.reported.count(NO_SUPPLY) == 1
        assert at_work.reported[-1] == "contactors close again"
        assert not at_work.state.latched
        assert not at_work.state.alarms
        assert not at_work.bad()


def test_a_contactor_that_fails_open_is_latched_while_another_is_closed_or_alone() -> None:
    for demands in ({1: 160}, {1: 40}):
        with WorkingStation(strictly_documented()) as at_work:
            at_work.inject("coil-open 1:1")
            at_work.ask(demands)
            settle(at_work)
            assert at_work.reported == ["contactor 1:1 failed open"]


def test_a_contact_in_motion_is_looked_over_before_it_can_be_accused() -> None:
    """The driver knows no kernel; here its count is held against it."""
    assert explained_mismatch(1, 20) // GOOD_SCANS_PER_MISMATCH == contactors._IN_MOTION_SCANS


@pytest.mark.parametrize("for_s", [1, 8, pytest.param(180, marks=pytest.mark.slow)])
def test_a_bus_that_comes_back_serves_again_without_anybody(for_s: int) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160, 3: 120})
        settle(at_work)
        at_work.inject(f"timeout for {for_s}s")
        at_work.go_on(for_s + 15)
        assert at_work.feeds_as_decided()
        assert at_work.state.settled
        assert at_work.offers_kw()[1] == 160
        assert "are lost" not in reported(at_work)
        assert at_work.monitor.broken_current_a == 0
        assert not at_work.bad()


@pytest.mark.parametrize("for_ms", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_bus_that_hangs_again_and_again_gives_no_expander_up(for_ms: int) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160, 3: 120})
        settle(at_work)
        for times in range(1, 9):
            at_work.inject(f"timeout @ {at_work.now_ms}ms for {for_ms}ms")
            at_work.go_on(for_ms / 1000 + 15)
            assert at_work.feeds_as_decided()
            assert at_work.reported.count(BUS_IS_DEAD) == times
            assert at_work.reported.count("expanders answer again") == times
            assert not at_work.state.alarms
        assert not at_work.state.latched
        assert not at_work.bad()


def test_a_short_outage_of_the_bus_is_survived_without_a_fault() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160, 3: 120})
        settle(at_work)
        at_work.inject("timeout 0x21 for 30ms")
        at_work.go_on(SETTLING_S)
        assert at_work.feeds({1: (1, 2, 3, 4), 3: (5, 6, 7)})
        assert not at_work.reported
        assert not at_work.bad()


def test_a_hung_process_loses_power_and_contactors_by_the_watchdog() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 160, 3: 120})
        settle(at_work)
        at_work.charger.time.sleep_s(5)  # nobody scans
        assert at_work.feeds(NOTHING)
        assert set(at_work.offers_kw().values()) == {0}
        at_work.due_ms = at_work.now_ms
        at_work.go_on(1)
        assert reported(at_work).count("are out of order") == 4  # the hardware has reset them
        settle(at_work, 15)
        assert [len(held) for held in at_work.live.values()] == [4, 0, 3, 0, 0, 0]
        assert "are lost" not in reported(at_work)
        assert not at_work.bad()


def test_a_write_of_ours_would_be_seen_as_ours() -> None:
    """The judge these tests rely on does see a wrong deed of the controller."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40})
        settle(at_work)
        number = 1  # gun 2, module 1
        word = at_work.cabinet._word[0] | 1 << number
        at_work.go_on(2, skip=False)
        at_work.cabinet.coil_word(0, word, COMMAND)
        at_work.go_on(0.1, skip=False)
        assert at_work.bad()


# The bus.


@pytest.mark.parametrize(("address", "modules"), [(0x20, {1, 2, 3}), (0x27, {8, 9})])
def test_a_register_that_no_scan_needs_takes_out_what_its_expander_carries(
    address: int, modules: set[int]
) -> None:
    """The polarity of pins, which would turn what contacts tell upside down."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 240, 2: 120})
        settle(at_work)
        at_work.bus.chips[address].listening = True
        at_work.bus.chips[address].pointer = 0x02
        at_work.bus.chips[address].write(0x80)  # of GPA7, which nothing uses
        at_work.bus._last_struck_us = at_work.charger.time.now_us  # not a deed of the controller's
        assert at_work.go_on(0.5, until=lambda: f"{address:#x}" in reported(at_work), skip=False)
        assert not modules & {module for fed in at_work.live.values() for module in fed}
        at_work.go_on(SETTLING_S)
        assert not at_work.state.faults.modules
        assert not at_work.state.latched
        assert [len(held) for held in at_work.live.values()] == [6, 3, 0, 0, 0, 0]
        assert not at_work.bad()


@pytest.mark.parametrize("register", [0x02, 0x03])
@pytest.mark.parametrize("bit", range(7))
@pytest.mark.parametrize("address", [0x24, 0x27])
def test_a_chip_that_turns_contacts_upside_down_accuses_no_contactor(
    address: int, bit: int, register: int
) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 240, 2: 120})
        settle(at_work)
        chip = at_work.bus.chips[address]
        chip.listening, chip.pointer = True, register
        chip.write(1 << bit)
        at_work.bus._last_struck_us = at_work.charger.time.now_us
        at_work.go_on(SETTLING_S)
        assert not at_work.state.latched
        assert not at_work.state.faults.modules
        assert [len(held) for held in at_work.live.values()] == [6, 3, 0, 0, 0, 0]
        assert not at_work.bad()


def test_a_bus_that_works_only_by_trying_again_is_told() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        for _ in range(31):
            assert at_work.reported == []
            at_work.bus.inject(BusFault("nack", 0x25))
            at_work.scan(skip=False)
        at_work.scan()
        assert at_work.live[1] == (1, 2)
        (sentence,) = at_work.reported
        assert sentence.startswith("the I2C bus is disturbed: 31 transfers tried again within 60 s")
        assert sentence.endswith("31 of them with expander 0x25")


# Found by the campaign.


def test_an_enable_line_held_high_takes_everything_off_and_is_told() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        free_module_9 = REFERENCE.hardware.enable_pins[8]
        at_work.inject(f"line-high {free_module_9} for 2s")
        at_work.go_on(0.5, skip=False)
        assert "the enable line of PM9 is held high" in reported(at_work)
        assert not at_work.closed
        assert not any(at_work.offers_kw().values())
        with pytest.raises(BadInput, match="PM9: its enable line is still high"):
            at_work.controller.clear_module(9)
        at_work.go_on(2)
        at_work.controller.clear_module(9)
        at_work.go_on(10, until=lambda: len(at_work.live[1]) == 2)
        assert len(at_work.live[1]) == 2
        assert not at_work.bad()


def test_what_holds_an_enable_line_low_may_let_go_while_its_module_moves() -> None:
    """The line, told high, would rise again while the contactor opens."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 40})
        settle(at_work)
        at_work.inject(f"line-low {REFERENCE.hardware.enable_pins[0]} for 900ms")
        at_work.go_on(0.6, skip=False)
        at_work.ask({1: 0})
        at_work.go_on(3)
        assert not at_work.closed
        assert not at_work.bad()


def test_a_module_on_no_gun_that_runs_on_its_own_is_told_and_left_out() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.inject("module-stuck-on 1")
        at_work.ask({1: 40})
        at_work.go_on(5)
        assert reported(at_work) == "PM1 reports on although it is disabled"
        assert at_work.live[1] == (2,)
        with pytest.raises(BadInput, match="PM1"):
            at_work.controller.clear_module(1)
        assert not at_work.bad()


def test_an_expander_that_takes_no_writes_is_out_of_order() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.go_on(1)
        at_work.inject("drop-write 0x20 for 60s")
        at_work.ask({1: 40, 2: 40})
        at_work.go_on(6)
        assert OUT_OF_ORDER in at_work.reported
        assert at_work.live[1]
        assert at_work.live[2]
        assert not at_work.bad()


@pytest.mark.parametrize(
    "fault",
    [
        Injection("module-stuck-on", module=1, for_us=11_000),
        Injection("line-high", line=REFERENCE.hardware.enable_pins[0], for_us=5_000),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_module_that_only_the_last_look_of_a_scan_shows_on_has_to_discharge_again(
    fault: Injection,
) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.go_on(2)
        at_work.wait()
        at_work.charger.inject(replace(fault, at_us=at_work.cabinet.now_us + 200))
        off_ms = [[ages.off_ms for ages in at_work.controller._memory.ages[:2]]]
        for _ in range(2):
            at_work.scan(skip=False)
            off_ms.append([ages.off_ms for ages in at_work.controller._memory.ages[:2]])
        (before, other), *after = off_ms
        assert before > REFERENCE.timing.module_discharge_ms
        assert after == [[NOT_SO, other + 20], [0, other + 40]]
        assert at_work.controller._memory.lines_off_ms[0] == 0
        assert not at_work.bad()


def test_nobody_is_fed_while_coils_are_in_doubt_whose_contacts_cannot_be_read() -> None:
    """The write that closes 2:5 fails, and its two expanders never answer again: nobody can say
    which of their coils are on, nor which of their contactors are closed."""
    silent, blind = (BusFault("nack", address, 0, None) for address in (0x21, 0x25))
    with WorkingStation(strictly_documented()) as at_work:
        at_work.ask({1: 160})
        settle(at_work)
        bank = at_work.controller._bank
        write = bank.write

        def fails(coils: Sequence[bool], close_until_s: float) -> frozenset[int]:
            if list(coils) != list(bank.read(1).latch):
                del bank.write  # type: ignore[method-assign]
                at_work.bus.inject(silent)
                at_work.bus.inject(blind)
            return write(coils, close_until_s)

        bank.write = fails  # type: ignore[method-assign]
        at_work.ask({2: 40})
        at_work.go_on(20)
        said = reported(at_work)
        assert "expanders 0x21 and 0x25 are lost" in said
        assert "guns 1, 2, 3, 4, 5, 6 are locked until they are read" in said
        assert at_work.state.locked == (1, 2, 3, 4, 5, 6)
        assert not any(at_work.live.values())

        at_work.bus.clear(blind)
        at_work.go_on(SETTLING_S)
        assert at_work.state.locked == ()
        assert {gun: len(fed) for gun, fed in at_work.live.items() if fed} == {1: 4, 2: 1}
        assert not at_work.bad()


def test_a_brown_out_behind_the_last_look_of_a_scan_is_seen_in_the_next() -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 240})
        settle(at_work)
        at_work.go_on(20)
        at_work.bus.inject(BusFault("brown_out", 0x24, at_transaction=12))
        at_work.go_on(0.1)
        assert at_work.reported == [OUT_OF_ORDER]
        assert not at_work.bad()


def test_quiet_time_ends_when_an_end_becomes_a_stop() -> None:
    """Nothing is fed, so nothing changes when the station is told to end, but for an age."""
    with WorkingStation(REFERENCE) as at_work:
        at_work.go_on(20)
        at_work.controller.stop()
        told_ms = at_work.now_ms
        for _ in range(3):
            state = at_work.scan(skip=False)
        assert state.quiet_until_ms - told_ms <= 2 * REFERENCE.timing.offer_lead_ms + 100


def test_each_scan_reads_then_carries_the_acts_effects_once_in_their_order_and_looks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with WorkingStation(REFERENCE) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        controller = at_work.controller
        wires, lines, bank = controller._wires, controller._lines, controller._bank
        carry, done = wires.carry, []

        def noted(effects: Sequence[scan.Effect]) -> object:
            done.extend(type(effect) for effect in effects)
            return carry(effects)

        def read_by(what: object, read: Callable[..., Any]) -> Callable[..., Any]:
            def noted(*arguments: Any) -> Any:
                done.append(what)
                return read(*arguments)

            return noted

        monkeypatch.setattr(controller._news, "of", lambda *_: ["news"])
        monkeypatch.setattr(controller, "report", done.append)
        decider = controller._decider
        monkeypatch.setattr(decider, "decide", read_by(decider, decider.decide))
        monkeypatch.setattr(wires, "carry", noted)
        monkeypatch.setattr(lines, "read", read_by(lines, lines.read))
        monkeypatch.setattr(bank, "read", read_by(bank, bank.read))
        at_work.scan(skip=False)
        kept = [scan.Latch, scan.Abandon]  # before anything is said or decided
        falling = [scan.Lower, scan.Disable, scan.Write]
        rising = [scan.Lower, scan.Disable, scan.Enable, scan.Publish]
        last = [scan.Beat, scan.Pet, scan.Reset, scan.Configure]
        decided = ["news", decider]
        assert done == [lines, bank, *kept, *decided, *falling, *rising, lines, *last]


@pytest.mark.parametrize("scan_ms", [10, 20])
def test_reading_the_bank_loses_a_scan_at_most_and_is_told_how_many_have_passed(
    scan_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with WorkingStation(with_timing(scan_ms=scan_ms)) as at_work:
        read, asked = at_work.controller._bank.read, []

        def noted(patience_s: float, scans: int) -> BankReading:
            asked.append((patience_s, scans))
            return read(patience_s, scans)

        monkeypatch.setattr(at_work.controller._bank, "read", noted)
        at_work.scan(skip=False)
        at_work.due_ms += 4 * scan_ms
        at_work._scans = 5
        at_work.scan(skip=False)
        assert asked == [(scan_ms / 1000, 1), (scan_ms / 1000, 5)]


def test_the_first_act_is_given_what_passed_and_what_was_told_since_the_scan_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[tuple[scan.Observed, scan.Orders]] = []
    diagnose = scan.diagnose

    def noted(ops: Any, built: Any, memory: Any, *new: Any) -> object:
        given.append(new)
        return diagnose(ops, built, memory, *new)

    with WorkingStation(replace(REFERENCE, site_limit_w=200_000)) as at_work:
        at_work.scan(skip=False)
        monkeypatch.setattr(scan, "diagnose", noted)
        begun_ms = at_work.due_ms
        at_work.scan(skip=False)
        assert at_work.controller.acknowledge(2, 0)
        at_work.limit(90_000)
        at_work.scan(skip=False)
        at_work.controller.stop()
        at_work.due_ms += 80
        at_work._scans = 5
        at_work.scan(skip=False)
    nobody, gun_2 = [False] * 6, [gun == 2 for gun in range(1, 7)]
    assert [(observed.elapsed_ms, observed.scans, orders) for observed, orders in given] == [
        (20, 1, scan.Orders(False, nobody, 200_000)),
        (20, 1, scan.Orders(False, gun_2, 90_000)),
        (100, 5, scan.Orders(True, nobody, 90_000)),
    ]
    assert [observed.begun_ms for observed, _ in given] == [begun_ms, begun_ms + 20, begun_ms + 120]


def test_the_third_act_is_given_what_was_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Sequence[bool]] = []
    conclude = scan.conclude

    def noted(*arguments: Any) -> object:
        given.append(arguments[-1])
        return conclude(*arguments)

    with WorkingStation(REFERENCE) as at_work:
        at_work.go_on(1)
        monkeypatch.setattr(at_work.controller._bank, "write", lambda *_: frozenset([1]))
        monkeypatch.setattr(scan, "conclude", noted)
        assert not at_work.scan(skip=False).verified
    assert given == [[True, False, True, True]]


def test_the_last_look_is_taken_in_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told, what a module reports and what a line's level is: each as what it is."""
    taken: list[tuple[Sequence[bool], ...]] = []
    look_back = scan.look_back

    def noted(*given: Any) -> object:
        taken.append(given[-3:])
        return look_back(*given)

    with WorkingStation(REFERENCE) as at_work:
        at_work.go_on(1)
        lines = at_work.controller._lines
        told, on, high = (tuple(at == which for at in range(9)) for which in range(3))
        first = lines.read()
        looks = iter([first, first._replace(enabled=told, high=high, reports_on=on)])
        monkeypatch.setattr(lines, "read", lambda: next(looks))
        monkeypatch.setattr(scan, "look_back", noted)
        at_work.scan(skip=False)
    assert taken == [(told, on, high)]
