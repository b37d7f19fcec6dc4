"""The controller on a charger with several I2C buses; what counts is what the cabinet shows."""

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stations import tables
from sweep.stations import PROMPT
from sweep.working_station import WorkingStation

from hardware.simulated.bus import BusFault
from verified_alloc import Station
from verified_alloc.control.fault_kinds import Fault, cleared_by, name_of, sentence_of
from verified_alloc.errors import BadInput

SETTLING_S = 6
OUTPUTS, FEEDBACK = [0x20, 0x21, 0x22, 0x23], [0x24, 0x25, 0x26, 0x27]


def station_on(i2c_bus: object, outputs: object, feedback: object, **more: Any) -> Station:
    keys = {"i2c_bus": i2c_bus, "output_expanders": outputs, "feedback_expanders": feedback}
    return Station.from_tables(
        tables(
            hardware=keys,
            policy={"name": "documented", "priority_deadband_kw": 0, **PROMPT},
            **more,
        )
    )


SPLIT = station_on([1, 3], [OUTPUTS, []], [[], OUTPUTS])
HALVES = station_on([1, 3], [OUTPUTS[:2], OUTPUTS[:2]], [FEEDBACK[:2], FEEDBACK[:2]])
"""Modules 1 to 4 hang on bus 1, 6 to 9 on bus 3, 5 on both."""


def settle(at_work: WorkingStation) -> None:
    assert at_work.go_on(
        SETTLING_S, until=lambda: at_work.feeds_as_decided() and at_work.state.settled
    )


def test_outputs_on_one_bus_and_feedback_on_another() -> None:
    with WorkingStation(SPLIT) as at_work:
        assert list(at_work.charger.buses[1].chips) == OUTPUTS
        assert list(at_work.charger.buses[3].chips) == OUTPUTS
        for demands, modules in (
            ({1: 240}, {1: (1, 2, 3, 4, 5, 6)}),
            ({1: 160, 3: 120, 5: 80}, {1: (1, 2, 3, 4), 3: (5, 6, 7), 5: (8, 9)}),
        ):
            at_work.ask(dict.fromkeys(range(1, 7), 0) | demands)
            at_work.go_on(20)
            assert at_work.feeds(modules)
        coils = at_work.charger.buses[1]
        assert [coils.chips[at].word.bit_count() for at in OUTPUTS] == [3, 2, 2, 2]
        assert not at_work.bad()
        assert not at_work.exposures()
        assert at_work.reported == []


@pytest.mark.parametrize(
    ("hanging", "kept", "pairs"),
    [
        (3, (1, 2, 3, 4), ["3:0x20 and 3:0x24", "3:0x21 and 3:0x25"]),
        (1, (6,), ["1:0x20 and 1:0x24", "1:0x21 and 1:0x25"]),
    ],
)
def test_while_a_bus_hangs_what_is_on_the_other_goes_on(
    hanging: int, kept: tuple[int, ...], pairs: list[str]
) -> None:
    with WorkingStation(HALVES) as at_work:
        at_work.ask({1: 240})
        settle(at_work)
        at_work.inject(f"timeout bus-{hanging} for 3s")
        seen: list[set[int]] = []
        resets: list[bool] = []

        def look() -> None:
            seen.append(set(at_work.live[1]))
            resets.append(not at_work.charger.pins.level(HALVES.hardware.reset_pin))

        at_work.go_on(2.9, skip=False, each=look)
        assert all(set(kept) <= live for live in seen)
        assert at_work.state.faults.modules >= {1, 2, 3, 4, 5, 6} - set(kept)
        assert not any(resets)
        said = [line for line in at_work.reported if "out of order" in line]
        assert [line.partition(" are")[0] for line in said] == [f"expanders {of}" for of in pairs]
        at_work.go_on(4 * SETTLING_S)
        assert at_work.live[1] == (1, 2, 3, 4, 5, 6)
        assert not at_work.state.latched
        assert not at_work.state.faults.modules
        assert not at_work.bad()


def test_a_gun_is_served_by_the_other_half_while_a_bus_hangs() -> None:
    with WorkingStation(HALVES) as at_work:
        at_work.inject("timeout bus-1 @ 1s")
        at_work.go_on(2)
        at_work.ask({2: 80})
        assert at_work.go_on(SETTLING_S, until=lambda: at_work.live[2] == (6, 7))
        assert at_work.closed == {(2, 6), (2, 7)}
        at_work.ask({2: 0, 3: 40})
        assert at_work.go_on(20, until=lambda: at_work.closed == {(3, 6)})
        assert not at_work.bad()


def test_reset_is_pulled_where_no_expander_answers_whole() -> None:
    """All coils hang on one bus, which an expander holds: only RESET frees it, and the contacts
    that are still read are no reason to wait."""
    with WorkingStation(SPLIT) as at_work:
        at_work.ask({1: 240})
        settle(at_work)
        fault = BusFault("timeout", count=None)
        coils = at_work.charger.buses[1]
        coils.inject(fault)
        assert at_work.go_on(SETTLING_S, until=lambda: coils.chips[0x20].held_in_reset, skip=False)
        assert all(
            chip.held_in_reset
            for bus in at_work.charger.buses.values()
            for chip in bus.chips.values()
        )
        at_work.go_on(0.1)
        assert not at_work.closed
        coils.clear(fault)
        at_work.go_on(2 * SETTLING_S)
        assert at_work.live[1] == (1, 2, 3, 4, 5, 6)
        assert not at_work.state.latched
        assert not at_work.bad()


def test_a_lost_expander_is_named_and_cleared_with_its_bus() -> None:
    with WorkingStation(HALVES) as at_work:
        at_work.ask({1: 240})
        settle(at_work)
        fault = BusFault("nack", 0x20, count=None)
        at_work.charger.buses[3].inject(fault)
        at_work.go_on(20)
        (latched,) = at_work.state.latched
        assert latched == Fault("expander_lost", expander=2)
        assert name_of(HALVES, latched) == "expander-3:0x20"
        assert sentence_of(HALVES, latched).startswith("expanders 3:0x20 and 3:0x24 are lost;")
        assert cleared_by(HALVES, latched).endswith("`verified-alloc clear expander-3:0x20`")
        with pytest.raises(BadInput, match=r"^expander 3:0x20: cannot be configured"):
            at_work.controller.clear_expander(2)
        at_work.charger.buses[3].clear(fault)
        at_work.controller.clear_expander(2)
        settle(at_work)
        assert at_work.live[1] == (1, 2, 3, 4, 5, 6)
        assert not at_work.bad()


def test_a_bus_that_works_only_by_trying_again_is_told_with_its_expander() -> None:
    with WorkingStation(HALVES) as at_work:
        at_work.ask({1: 80})
        settle(at_work)
        for bus in [1] * 10 + [3] * 21:
            at_work.charger.buses[bus].inject(BusFault("nack", 0x25))
            at_work.scan(skip=False)
        at_work.scan()
        (sentence,) = at_work.reported
        assert sentence.endswith("21 of them with expander 3:0x25")


# A handover is the same, wherever its expanders are.

SMALL = {"guns": 4, "modules": 8, "gun_max_power_kw": 160}  # 32 contactors, three pairs


def handover(station: Station) -> list[object]:
    """What is closed and what is live after each scan, until gun 3 has the modules of gun 1."""
    seen: list[object] = []
    with WorkingStation(station) as at_work:
        at_work.ask({1: 160, 2: 80})
        at_work.go_on(3, skip=False, each=lambda: seen.append((at_work.closed, at_work.live)))
        at_work.ask({1: 40, 3: 160})
        at_work.go_on(14, each=lambda: seen.append((at_work.closed, at_work.live)))
        assert at_work.feeds({1: (7,), 2: (5, 6), 3: (1, 2, 3, 4)})
        assert not at_work.bad()
        assert not at_work.exposures()
    return seen


@cache
def on_one_bus() -> list[object]:
    return handover(station_on(1, OUTPUTS[:3], FEEDBACK[:3], station=SMALL))


@st.composite
def distributions(draw: st.DrawFn) -> dict[str, Any]:
    """Three expanders of each kind on two or three buses, in any way."""
    buses = draw(st.lists(st.integers(0, 20), min_size=2, max_size=3, unique=True))
    free = {bus: draw(st.permutations(range(0x20, 0x28))) for bus in buses}
    ways = st.lists(st.sampled_from(buses), min_size=3, max_size=3)
    outputs, feedback = (
        [[free[bus].pop() for _ in range(on.count(bus))] for bus in buses]
        for on in (draw(ways), draw(ways))
    )
    return {"i2c_bus": buses, "outputs": outputs, "feedback": feedback}


@settings(max_examples=15)
@given(where=distributions())
def test_a_handover_moves_the_same_contactors_on_any_buses(where: dict[str, Any]) -> None:
    assert handover(station_on(**where, station=SMALL)) == on_one_bus()
