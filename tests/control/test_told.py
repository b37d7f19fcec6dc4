"""What can be told to a controller at work, beside demands: a site limit, a hold, out of service,
a stop. What counts is what the cabinet shows."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
from sweep.stations import REFERENCE, strictly_documented
from sweep.working_station import WorkingStation

from verified_alloc.control.fault_kinds import Fault, describe
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station

DOCUMENTED = replace(REFERENCE, policy=replace(REFERENCE.policy, name="documented"))
LEAD_MS = REFERENCE.timing.offer_lead_ms


def without_dwell(station: Station = DOCUMENTED) -> Station:
    return replace(station, timing=replace(station.timing, minimum_dwell_s=0))


def settle(at_work: WorkingStation) -> None:
    assert at_work.go_on(15, until=lambda: at_work.feeds_as_decided() and at_work.state.settled)


@pytest.mark.parametrize("seed", range(4))
def test_offers_are_within_a_changing_limit_at_once_and_what_is_drawn_after_the_lead(
    seed: int,
) -> None:
    draw = random.Random(f"limit {seed}")
    with WorkingStation(without_dwell(strictly_documented())) as at_work:
        in_force: list[tuple[int, int]] = [(0, 10**9)]

        def within() -> None:
            now_ms = at_work.state.at_ms
            limit_w = in_force[-1][1]
            since_ms = now_ms - LEAD_MS - 3 * REFERENCE.timing.scan_ms
            earlier = [w for at, w in in_force if at <= since_ms][-1:]
            most_w = max(w for at, w in in_force if at > since_ms or w in earlier)
            assert sum(at_work.offers_kw().values()) * 1000 <= limit_w
            assert sum(at_work.cabinet.draw_w(gun) for gun in range(1, 7)) <= most_w

        for _ in range(6):
            at_work.ask({gun: draw.choice([0, 40, 95, 240]) for gun in range(1, 7)})
            limit_w = draw.choice([0, 40_000, 77_500, 150_000, 300_000])
            at_work.limit(limit_w)
            in_force.append((at_work.due_ms, limit_w))
            at_work.go_on(draw.choice([0.5, 2, 8]), each=within)
        at_work.limit(None)
        in_force.append((at_work.due_ms, 10**9))
        at_work.ask(dict.fromkeys(range(1, 7), 60))
        settle(at_work)
        at_work.go_on(3, each=within)
        assert sum(at_work.offers_kw().values()) == 280  # 9 modules: 4 guns x 60, one 40
        assert not at_work.bad() + at_work.exposures()


def test_the_stations_own_limit_is_never_exceeded() -> None:
    with WorkingStation(replace(DOCUMENTED, site_limit_w=100_000)) as at_work:
        at_work.limit(300_000)
        at_work.ask({1: 240})
        settle(at_work)
        assert at_work.state.inputs.site_limit_w == 100_000
        assert at_work.offers_kw()[1] == 100


@pytest.mark.parametrize(
    ("own_w", "told_w", "in_force_w"),
    [
        (100_000, None, 100_000),
        (100_000, 60_000, 60_000),
        (100_000, 0, 0),
        (None, 60_000, 60_000),
        (None, None, None),
    ],
)
def test_the_lower_of_two_limits_is_in_force_and_a_told_one_can_be_taken_back(
    own_w: int | None, told_w: int | None, in_force_w: int | None
) -> None:
    with WorkingStation(replace(DOCUMENTED, site_limit_w=own_w)) as at_work:
        at_work.limit(told_w)
        assert at_work.scan().inputs.site_limit_w == in_force_w
        at_work.limit(None)
        assert at_work.scan().inputs.site_limit_w == own_w


def test_held_modules_stay_with_their_gun_as_long_as_it_needs_them() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({2: 40})
        settle(at_work)
        assert at_work.live[2] == (1,)
        at_work.controller.hold(2, 20_000)
        at_work.ask({1: 240})
        at_work.go_on(10)
        assert at_work.live == {**dict.fromkeys(range(1, 7), ()), 1: (2, 3, 4, 5, 6, 7), 2: (1,)}
        assert 0 < at_work.controller.held_ms(2) <= 10_000
        assert at_work.go_on(20, until=lambda: at_work.live[2] == (7,))
        assert at_work.controller.held_ms(2) == 0
        assert not at_work.bad() + at_work.exposures()


def test_a_hold_that_is_let_go_ends_at_once() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({2: 40})
        settle(at_work)
        at_work.controller.hold(2, 600_000)
        at_work.ask({1: 240})
        at_work.go_on(5)
        at_work.controller.hold(2, 0)
        assert at_work.go_on(5, until=lambda: at_work.live[2] == (7,))


def test_quiet_time_ends_with_a_hold_and_one_that_is_refused_changes_nothing() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({2: 40})
        settle(at_work)
        at_work.go_on(20)
        quiet_ms = at_work.state.quiet_until_ms
        assert quiet_ms > at_work.now_ms + 4000
        for gun in (0, 7):
            with pytest.raises(BadInput, match=f"gun {gun}: allowed are guns 1 to 6"):
                at_work.controller.hold(gun, 4000)
        state = at_work.scan(skip=False)
        assert state.quiet_until_ms > at_work.now_ms + 4000
        assert state.held_ms == (0,) * 6
        at_work.controller.hold(3, 4000)
        held_until_ms = at_work.now_ms + 4000
        at_work.scan(skip=False)
        state = at_work.scan(skip=False)
        assert state.held_ms == (0, 0, held_until_ms - at_work.now_ms, 0, 0, 0)
        assert state.quiet_until_ms == held_until_ms


def test_a_hold_does_not_hold_against_a_fault() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({2: 40})
        settle(at_work)
        at_work.controller.hold(2, 600_000)
        at_work.inject("module-dead 1")
        settle(at_work)
        assert at_work.go_on(5, until=lambda: at_work.live[2] == (2,))


def test_a_gun_goes_out_of_service_offer_first_and_comes_back() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 80, 2: 40})
        settle(at_work)
        at_work.controller.take_out("gun", 1, True)
        told_ms = at_work.now_ms
        assert at_work.go_on(1, until=lambda: at_work.offers_kw()[1] == 0, skip=False)
        assert at_work.live[1]
        assert at_work.go_on(5, until=lambda: not at_work.live[1], skip=False)
        assert at_work.now_ms - told_ms >= LEAD_MS
        settle(at_work)
        assert describe(at_work.station, at_work.state.latched) == ["gun 1 is out of service"]
        at_work.controller.take_out("gun", 1, False)
        settle(at_work)
        assert len(at_work.live[1]) == 2
        assert not at_work.bad() + at_work.exposures()


def test_what_is_out_of_service_stays_out_after_a_restart(tmp_path: Path) -> None:
    with WorkingStation(DOCUMENTED, faults_path=tmp_path / "faults") as at_work:
        at_work.controller.take_out("module", 1, True)
        at_work.controller.take_out("gun", 2, True)
        at_work.kill()
        at_work.start()
        at_work.ask({1: 40, 2: 40})
        settle(at_work)
        assert at_work.feeds({1: (2,)})


@pytest.mark.parametrize(("kind", "number"), [("gun", 7), ("gun", 0), ("module", 10), ("gun", "1")])
def test_what_the_station_does_not_have_cannot_be_taken_out(kind: str, number: int) -> None:
    with WorkingStation(DOCUMENTED) as at_work, pytest.raises(BadInput, match="allowed are"):
        at_work.controller.take_out(kind, number, True)


def test_a_told_stop_takes_everything_off_in_good_order_until_it_is_cleared(
    tmp_path: Path,
) -> None:
    with WorkingStation(without_dwell(), faults_path=tmp_path / "faults") as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        at_work.controller.stop_all()
        told_ms = at_work.now_ms
        at_work.scan()
        assert at_work.offers_kw()[1] == 0
        assert at_work.go_on(5, until=lambda: not at_work.closed)
        assert LEAD_MS <= at_work.now_ms - told_ms <= 2 * LEAD_MS
        at_work.kill()
        at_work.start()
        at_work.go_on(5)
        assert at_work.state.stopped
        assert not at_work.closed
        at_work.controller.clear_stop()
        settle(at_work)
        assert at_work.live[1] == (1, 2)
        assert not at_work.bad()


def test_only_the_offer_published_last_can_be_acknowledged() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        assert at_work.controller.acknowledge(1, 80_000)
        assert not at_work.controller.acknowledge(1, 40_000)
        assert not at_work.controller.acknowledge(2, 80_000)
        assert at_work.controller.acknowledge(2, 0)
        at_work.ask({1: 40})
        at_work.scan(skip=False)
        assert not at_work.controller.acknowledge(1, 80_000)  # it may still draw that
        assert at_work.controller.acknowledge(1, 40_000)


@pytest.mark.parametrize("gun", [1, 2])
def test_an_acknowledgement_frees_the_modules_of_its_gun_alone(gun: int) -> None:
    with WorkingStation(without_dwell(REFERENCE)) as at_work:
        at_work.ask({1: 80, 2: 80})
        settle(at_work)
        at_work.ask({1: 40, 2: 40})
        at_work.scan(skip=False)
        assert at_work.controller.acknowledge(gun, 40_000)
        at_work.go_on(LEAD_MS / 2000, skip=False)
        other = 3 - gun
        assert (len(at_work.live[gun]), len(at_work.live[other])) == (1, 2)


def test_an_acknowledgement_is_of_one_offer() -> None:
    """The next one binds after its own lead time."""
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 120})
        settle(at_work)
        at_work.controller.acknowledge(1, 120_000)
        at_work.scan(skip=False)
        at_work.ask({1: 40})
        at_work.go_on(LEAD_MS / 2000, skip=False)
        assert at_work.offers_kw()[1] == 40
        assert at_work.live[1] == (1, 2, 3)


def test_a_refused_acknowledgement_frees_nothing() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        at_work.ask({1: 40})
        at_work.scan(skip=False)
        assert not at_work.controller.acknowledge(1, 30_000)
        at_work.go_on(LEAD_MS / 2000, skip=False)
        assert at_work.live[1] == (1, 2)


def told_by(at_work: WorkingStation, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int]]:
    """What each gun is told from now on: gun, W, for how long."""
    told: list[tuple[int, int, int]] = []
    tell = at_work.charger.tell

    def noted(*offer: int) -> None:
        told.append(offer)
        tell(*offer)

    monkeypatch.setattr(at_work.charger, "tell", noted)
    return told


def test_an_offer_lasts_for_the_lead_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        told = told_by(at_work, monkeypatch)
        at_work.scan()
        assert [*dict.fromkeys(told)] == [
            (gun, 80_000 if gun == 1 else 0, LEAD_MS) for gun in range(1, 7)
        ]


def test_who_ends_takes_back_every_offer_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        told = told_by(at_work, monkeypatch)
        at_work.controller.withdraw()
        assert told == [(gun, 0, 0) for gun in range(1, 7)]


# Clears that are refused leave everything as it is.


def test_an_expander_is_not_touched_while_a_module_on_it_is_on() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        transfers = at_work.bus.transactions
        with pytest.raises(BadInput, match=r"^expander 0x20: PM1 on it is not off; allowed"):
            at_work.controller.clear_expander(0)
        assert at_work.bus.transactions == transfers
        assert at_work.cabinet.closed_contactors() == {(1, 1), (1, 2)}


def test_no_stop_is_cleared_while_the_button_is_pressed() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.inject("estop")
        at_work.go_on(5)
        latched, transfers = at_work.state.latched, at_work.bus.transactions
        assert latched == {Fault("emergency_stop")}
        with pytest.raises(BadInput, match=r"^emergency stop: the button is pressed; allowed once"):
            at_work.controller.clear_stop()
        assert at_work.bus.transactions == transfers
        at_work.scan()
        assert at_work.state.latched == latched


def test_a_silent_expander_is_not_cleared_and_a_stop_is_for_all_else() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        at_work.inject("nack 0x20", "estop for 1s")
        at_work.go_on(30)
        controller, lost = at_work.controller, Fault("expander_lost", expander=0)
        assert at_work.state.latched == {Fault("emergency_stop"), lost}
        assert at_work.state.verified
        with pytest.raises(BadInput, match=r"^expander 0x20: cannot be configured; allowed"):
            controller.clear_expander(0)
        assert controller.faults.latched == {Fault("emergency_stop"), lost}
        controller.clear_stop()
        at_work.ask({1: 80})
        settle(at_work)
        assert at_work.state.latched == {lost}
        assert at_work.state.verified
        assert len(at_work.live[1]) == 2


def test_a_stop_is_cleared_and_no_other_fault() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.controller.take_out("module", 9, True)
        at_work.inject("brown-out 0x20", "estop for 3s")
        at_work.go_on(6)
        at_work.controller.clear_stop()
        at_work.scan()
        assert at_work.state.latched == {Fault("module_out", module=9)}


def test_a_scan_says_whether_it_was_verified() -> None:
    with WorkingStation(without_dwell()) as at_work:
        at_work.ask({1: 40})
        settle(at_work)
        assert at_work.state.verified
        at_work.inject("drop-write 0x20 for 3s")
        at_work.ask({1: 0})
        assert at_work.go_on(3, until=lambda: not at_work.state.verified, skip=False)
        assert at_work.state.as_left  # no restart would help
        assert at_work.go_on(9, until=lambda: at_work.state.verified, skip=False)
