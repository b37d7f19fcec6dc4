"""The walk on the simulated charger: what is wrong is found, and no rule is broken for it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from sweep.stations import REFERENCE

from hardware import DeviceLost
from hardware.simulated import miswiring
from hardware.simulated.charger import SimulatedCharger
from hardware.simulated.faults import parse
from verified_alloc import Station, cli
from verified_alloc.commission.results import Results
from verified_alloc.commission.walk import Walk
from verified_alloc.control.assembly import simulated_charger, wires
from verified_alloc.control.proof_dates import ProofDates, beside
from verified_alloc.control.proof_tests import (
    ENABLES,
    FAILED,
    NOT_TESTABLE,
    NOT_TESTED,
    PASSED,
    PRESS,
    RELEASE,
    RESET,
    STOP,
    WATCHDOG,
    Outcome,
    Test,
    by_test,
)
from verified_alloc.whole_file import AtOnce

SMALL = Station.from_tables(
    {
        "station": {"guns": 3, "modules": 6, "module_power_kw": 40, "gun_max_power_kw": 120},
        "hardware": {
            "output_expanders": [0x20, 0x21],
            "feedback_expanders": [0x24, 0x25],
        },
    }
)
"""Contactors 1:1 to 2:5 on the first pair of expanders, 3:5 to 3:6 on the second."""


def walked(
    charger: SimulatedCharger, station: Station, *faults: str, contactors_only: bool = False
) -> Results:
    with ExitStack() as stack:
        stack.enter_context(charger.installed())
        for fault in faults:
            if fault.split()[0] in miswiring.KINDS:
                miswiring.apply(miswiring.parse(fault), charger)
            else:
                charger.inject(parse(fault))
        bank, lines, supervision = stack.enter_context(wires(station))
        walk = Walk(station, bank, lines, supervision, person=partial(obeys, charger))
        results = walk.walk(contactors_only)
    assert results is not None
    charger.monitor.settle()
    return results


def obeys(charger: SimulatedCharger, told: str) -> None:
    """What a person does who is told that."""
    if told == PRESS:
        charger.cabinet.press_estop()
    else:
        charger.cabinet.release_estop()


def bad(charger: SimulatedCharger) -> list[str]:
    return [event.text for event in charger.monitor.violations]


@pytest.mark.parametrize("seed", range(2))
def test_a_sound_cabinet_passes_and_its_times_are_measured(seed: int) -> None:
    charger = simulated_charger(REFERENCE, seed=seed)
    results = walked(charger, REFERENCE)
    assert results.findings() == []
    assert results.passed
    assert not bad(charger)
    # The proof tests drop the relay supply, with no current anywhere.
    assert {e.cause for e in charger.monitor.exposures} == {"watchdog", "emergency stop"}
    assert charger.monitor.broken_current_a == 0
    assert not charger.cabinet.closed_contactors()
    for result in results.contactors:
        plant = charger.cabinet.contactors[result.pair]
        assert len(result.operate_ms) == len(result.release_ms) == 3
        # The command is timed from before its write, and a look takes its time.
        for measured, true_us in (
            (result.operate_ms, plant.operate_us + plant.bounce_us),
            (result.release_ms, plant.release_us + plant.bounce_us),
        ):
            assert all(true_us / 1000 - 3 <= ms <= true_us / 1000 + 1.5 for ms in measured)
    # Three cycles each, once more for each module's own test, one for each expander's watchdog,
    # RESET and emergency stop.
    assert all(charger.monitor.makes[pair] in range(3, 8) for pair in REFERENCE.contactors)
    assert sum(charger.monitor.makes.values()) == 3 * 54 + 9 + 4 + 2


def test_one_contactor_at_a_time_and_every_module_off() -> None:
    charger = simulated_charger(SMALL)
    closed: list[int] = []
    was_on: list[bool] = []

    def look(_: int) -> None:
        closed.append(len(charger.cabinet.closed_contactors()))
        was_on.append(any(unit.enabled for unit in charger.cabinet.modules))

    charger.time.on_advance(look)
    walked(charger, SMALL, contactors_only=True)
    assert max(closed) == 1
    assert not any(was_on)


CONTACTOR_FAULTS = {
    "weld 2:3": ("2:3", "does not open"),
    "failed-open 2:3": ("2:3", "does not close"),
    "aux-stuck-open 2:3": ("2:3", "does not close"),
    "aux-broken-wire 2:3": ("2:3", "reads closed"),
    "aux-stuck-closed 2:3": ("2:3", "reads closed"),
    "aux-chatter 2:3": ("2:3", "chatters"),
    "late-operate 2:3": ("2:3", "slow"),
    "late-release 2:3": ("2:3", "slow"),
}


@pytest.mark.parametrize("fault", CONTACTOR_FAULTS)
def test_a_contactor_that_is_not_sound_is_named(fault: str) -> None:
    charger = simulated_charger(SMALL)
    results = walked(charger, SMALL, fault)
    name, verdict = CONTACTOR_FAULTS[fault]
    found = {result.name: result.verdict for result in results.contactors}
    assert found.pop(name) == verdict
    assert sum(name in finding for finding in results.findings()) >= 1
    others = {n: v for n, v in found.items() if v != "good"}
    assert all(n.endswith(":3") and v == "not tested" for n, v in others.items())
    assert not bad(charger)
    assert not results.passed


@pytest.mark.parametrize(
    ("swap", "told"),
    [
        ("swapped-coils 1:1 2:1", "Contactors 1:1 and 2:1: their coil wires"),
        ("swapped-coils 3:6 1:2", "Contactors 1:2 and 3:6: their coil wires"),
        ("swapped-contacts 1:1 3:5", "Contactors 1:1 and 3:5: their coil wires"),
        (
            "swapped-enables 2 5",
            "Modules 2 and 5: their enable lines, or their status wires, are swapped.",
        ),
        ("swapped-statuses 1 6", "Modules 1 and 6: their enable lines"),
    ],
)
def test_swapped_wires_are_one_finding(swap: str, told: str) -> None:
    charger = simulated_charger(SMALL)
    (finding,) = walked(charger, SMALL, swap).findings()
    assert finding.startswith(told)
    # A module that is started by another's line does so with all its contactors open.
    assert all("enabled with no contactor closed" in text for text in bad(charger))
    assert bool(bad(charger)) == swap.startswith("swapped-enables")


def test_two_swaps_at_the_same_pins_are_no_swapped_straps() -> None:
    charger = simulated_charger(SMALL)
    told = walked(charger, SMALL, "swapped-coils 1:1 3:5", "swapped-coils 2:1 1:6").findings()
    assert [finding[:24] for finding in told] == [
        "Contactors 1:1 and 3:5: ",
        "Contactors 1:6 and 2:1: ",
    ]


@pytest.mark.parametrize("swap", ["swapped-straps 0x20 0x21", "swapped-straps 0x24 0x25"])
def test_swapped_address_straps_are_one_finding(swap: str) -> None:
    charger = simulated_charger(REFERENCE)
    told = walked(charger, REFERENCE, swap).findings()
    assert told[0].startswith(
        "The address straps of expanders 0x20 and 0x21, or those of 0x24 and 0x25, are swapped"
    )
    assert told[1:] == ["Not tested: modules 1, 2, 3, 4 (no good contactor)."]
    assert not bad(charger)


def test_an_output_board_strapped_as_a_feedback_board_moves_nothing() -> None:
    charger = simulated_charger(SMALL)
    told = walked(charger, SMALL, "swapped-straps 0x20 0x24").findings()
    assert told[0].startswith("Every contact on feedback expander 0x24 reads closed")
    assert not charger.monitor.makes.keys() & {(gun, m) for gun in (1, 2, 3) for m in range(1, 5)}


def test_expanders_that_are_silent_lost_or_unknown() -> None:
    charger = simulated_charger(SMALL)
    told = "\n".join(walked(charger, SMALL, "nack 0x21").findings())
    assert "Expander 0x21 (coils): does not answer" in told
    assert "an expander of module 5 does not answer" in told
    assert "1:1" not in told

    charger = simulated_charger(SMALL)
    told = "\n".join(walked(charger, SMALL, "brown-out 0x24 @ 6s").findings())
    assert "Expander 0x24 (contacts): lost its settings" in told

    charger = simulated_charger(SMALL)
    charger.bus.chips[0x27] = charger.bus.chips[0x20]
    assert walked(charger, SMALL).findings() == [
        "An expander answers at 0x27; the station file does not list it."
    ]


def test_expanders_of_two_buses_are_named_with_their_bus() -> None:
    halves = {
        "i2c_bus": [1, 3],
        "output_expanders": [[0x20], [0x20]],
        "feedback_expanders": [[0x24], [0x24]],
    }
    station = Station.from_tables(SMALL.to_tables() | {"hardware": halves})
    charger = simulated_charger(station)
    assert walked(charger, station).findings() == []
    assert not bad(charger)
    charger = simulated_charger(station)
    charger.buses[1].chips[0x27] = charger.buses[1].chips[0x20]
    results = walked(charger, station, "nack 3:0x20")
    assert [each.name for each in results.expanders] == [
        "1:0x20", "3:0x20", "1:0x24", "3:0x24", "1:0x27"
    ]  # fmt: skip
    told = "\n".join(results.findings())
    assert "Expander 3:0x20 (coils): does not answer" in told
    assert "An expander answers at 1:0x27; the station file does not list it." in told
    assert results.contactors[-1].output_expander == "3:0x20"


def test_cables_of_two_buses_that_are_swapped() -> None:
    halves = {
        "i2c_bus": [1, 3],
        "output_expanders": [[0x20], [0x20]],
        "feedback_expanders": [[0x24], [0x24]],
    }
    about = {"guns": 4, "modules": 6, "module_power_kw": 40, "gun_max_power_kw": 120}
    station = Station.from_tables({"station": about, "hardware": halves})
    charger = simulated_charger(station)
    one, other = (bus.chips for bus in charger.buses.values())
    one[0x20], other[0x20] = other[0x20], one[0x20]
    assert walked(charger, station).findings()[0] == (
        "The bus cables of expanders 1:0x20 and 3:0x20, or those of 1:0x24 and 3:0x24, are swapped:"
        " each coil moves the contact at the same pin of the other."
    )
    assert not bad(charger)


def test_enable_lines() -> None:
    charger = simulated_charger(SMALL)
    results = walked(charger, SMALL, "module-dead 4")
    assert [r.verdict for r in results.modules] == ["good"] * 3 + ["does not report on"] + [
        "good"
    ] * 2
    assert "Module 4 (enable BCM 19)" in results.findings()[0]
    assert not bad(charger)


def test_a_module_that_does_not_switch_off_keeps_its_contactor_and_ends_the_tests() -> None:
    charger = simulated_charger(SMALL)
    with charger.installed(), wires(SMALL) as (bank, lines, supervision):
        unit = charger.cabinet.modules[1]
        walk = Walk(SMALL, bank, lines, supervision)
        enable = lines.enable

        def stick(module: int, until_s: float) -> None:
            enable(module, until_s)
            if module == 2:
                unit.stuck_on = True

        lines.enable = stick  # type: ignore[method-assign]
        results = walk.walk()
    assert results is not None
    assert [r.verdict for r in results.modules[:3]] == ["good", "does not switch off", "not tested"]
    assert charger.cabinet.closed_contactors() == {(1, 2)}
    assert not bad(charger)


def test_without_status_inputs_no_module_is_enabled() -> None:
    station = replace(SMALL, hardware=replace(SMALL.hardware, status_pins=()))
    charger = simulated_charger(station)
    results = walked(charger, station)
    assert {r.reason for r in results.modules} == {"no status input is wired"}
    assert not any(unit.disabled_us for unit in charger.cabinet.modules)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("module-stuck-on 3", "module 3 reports on: a walk starts only with every module off"),
        ("estop", "the emergency stop is pressed"),
    ],
)
def test_it_does_not_start(fault: str, told: str) -> None:
    charger = simulated_charger(SMALL)
    with pytest.raises(DeviceLost, match=told):
        walked(charger, SMALL, fault)
    assert not charger.monitor.makes


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("module-stuck-on 3 @ 5s", "module 3 reports on although its enable is low"),
        ("estop @ 5s", "the emergency stop is pressed"),
    ],
)
def test_it_stops(fault: str, told: str) -> None:
    charger = simulated_charger(SMALL)
    with pytest.raises(DeviceLost, match=told):
        walked(charger, SMALL, fault)
    assert charger.monitor.makes
    assert not bad(charger)


def test_too_quick_and_suggested_times() -> None:
    charger = simulated_charger(SMALL, seed=4)
    one = charger.cabinet.contactors[1, 1]
    one.operate_us, one.bounce_us = 1000, 0
    results = walked(charger, SMALL)
    assert results.contactors[0].verdict == "too quick"
    suggested = results.timing()
    slowest = max(ms for r in results.contactors for ms in r.operate_ms)
    assert slowest * 1.25 < suggested["contactor_operate_ms"] <= slowest * 1.25 + 2
    assert suggested["contactor_min_response_ms"] <= min(results.contactors[0].operate_ms)


# The safety chain.

SOUND = {WATCHDOG: PASSED, RESET: PASSED, STOP: PASSED, ENABLES: PASSED}


def verdicts(results: Results) -> dict[str, str]:
    return {outcome.test: outcome.verdict for outcome in by_test(results.outcomes)}


def test_the_safety_chain_of_a_sound_cabinet() -> None:
    charger = simulated_charger(SMALL)
    results = walked(charger, SMALL)
    assert verdicts(results) == SOUND
    # On a contactor of each expander: its watchdog acts, then its off-delay, then a look or two.
    timing = charger.cabinet.timing
    unfed_ms = (timing.watchdog_ms or 0) + timing.off_delay_ms
    said = [outcome.said for outcome in results.outcomes if outcome.test == WATCHDOG]
    opened_ms = [int(re.findall(r"(1:1|3:5) opened (\d+) ms", each)[0][1]) for each in said]
    assert len(opened_ms) == 2
    assert all(unfed_ms < ms <= unfed_ms + 4 * 60 for ms in opened_ms)
    for module in results.modules:
        assert module.cut_ms is not None
        assert 100 <= module.cut_ms < SMALL.timing.current_decay_ms
    assert not bad(charger)


@pytest.mark.parametrize(
    ("fault", "test", "told"),
    [
        ("watchdog-stuck-on", WATCHDOG, "Relay watchdog: contactor 1:1 stays closed"),
        (
            "line-high 25 @ 1s",
            RESET,
            "RESET: low (BCM 25) for 1800 ms, it does not reach expanders",
        ),
        ("line-high 27", STOP, "Emergency stop: contactor 1:1 opened, but its input (BCM 27) is"),
        ("gate-stuck-on 3", ENABLES, "The relay supply's watchdog does not cut the enable of mod"),
    ],
)
def test_a_single_fault_of_the_safety_chain_is_named(fault: str, test: str, told: str) -> None:
    charger = simulated_charger(SMALL)
    results = walked(charger, SMALL, fault)
    assert [finding for finding in results.findings() if finding.startswith(told)]
    left = {ENABLES: FAILED} if fault == "watchdog-stuck-on" else {}
    assert verdicts(results) == SOUND | {test: FAILED} | left
    assert not bad(charger)
    assert not charger.cabinet.closed_contactors()


def test_a_relay_supply_that_stays_on_while_only_reset_falls() -> None:
    """The contactor opens once, because its expander is reset, and not for want of a supply."""
    charger = simulated_charger(SMALL)
    charger.cabinet._switch_supply = lambda on, cause: None  # type: ignore[method-assign]
    charger.cabinet.coil_supply = True
    results = walked(charger, SMALL)
    told = "Relay watchdog: the expanders were reset"
    assert any(finding.startswith(told) for finding in results.findings())
    assert verdicts(results)[WATCHDOG] == FAILED


def test_reset_that_misses_one_expander() -> None:
    charger = simulated_charger(SMALL)
    chip = charger.bus.chips[0x25]
    before = charger.cabinet.reset_expanders

    def reset(low: bool, cause: str) -> None:
        held = bytes(chip._values)
        before(low, cause)
        chip.held_in_reset = False
        chip._values[:] = held

    charger.cabinet.reset_expanders = reset
    results = walked(charger, SMALL)
    (told,) = results.findings()
    assert told.startswith("RESET: low (BCM 25) for ")
    assert told.endswith(" ms, it does not reach expanders 0x25.")


def test_an_emergency_stop_that_nobody_presses_that_cuts_nothing_or_stays_pressed() -> None:
    def said(person: Callable[[SimulatedCharger, str], None]) -> str:
        charger = simulated_charger(SMALL)
        with charger.installed(), wires(SMALL) as (bank, lines, supervision):
            walk = Walk(SMALL, bank, lines, supervision, person=partial(person, charger))
            results = walk.walk(contactors_only=True)
        assert results is not None
        assert verdicts(results) == SOUND | {STOP: FAILED, ENABLES: NOT_TESTED}
        assert not bad(charger)
        return results.findings()[0]

    def only_the_input(charger: SimulatedCharger, told: str) -> None:
        (charger.cabinet._failed.add if told == PRESS else charger.cabinet._failed.discard)("estop")

    def presses_only(charger: SimulatedCharger, told: str) -> None:
        if told == PRESS:
            charger.cabinet.press_estop()

    assert "neither its input (BCM 27) nor contactor 1:1" in said(lambda charger, told: None)
    assert "its input reads low, but contactor 1:1 stays closed" in said(only_the_input)
    assert "still reads low after 60 s: not released" in said(presses_only)


def test_a_contactor_that_closes_no_more_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    charger = simulated_charger(SMALL)
    run = Walk._run

    def fails_open(walk: Walk, test: Test, stop: bool = False) -> Outcome:
        charger.cabinet.contactors[1, 1].failed_open = True
        return run(walk, test, stop)

    monkeypatch.setattr(Walk, "_run", fails_open)
    results = walked(charger, SMALL, contactors_only=True)
    assert verdicts(results) == {**dict.fromkeys(SOUND, FAILED), ENABLES: NOT_TESTED}
    assert "RESET: contactor 1:1 did not close for it." in results.findings()
    assert not results.passed


def test_a_walk_that_is_ended_waits_for_no_person() -> None:
    charger = simulated_charger(SMALL)
    with charger.installed(), wires(SMALL) as (bank, lines, supervision):
        walk = Walk(SMALL, bank, lines, supervision, person=lambda _: walk.end())
        assert walk.walk() is None
        charger.cabinet.advance(charger.time.now_us + 100_000)
        assert not charger.cabinet.closed_contactors()
        assert not any(contactor.latched for contactor in charger.cabinet.contactors.values())
    assert charger.time.now_s() < 60
    assert not bad(charger)


def test_a_stop_that_is_pressed_while_a_module_is_on_test_ends_the_walk() -> None:
    charger = simulated_charger(SMALL)
    with charger.installed(), wires(SMALL) as (bank, lines, supervision):
        enable = lines.enable

        def press(module: int, until_s: float) -> None:
            enable(module, until_s)
            charger.cabinet.press_estop()

        lines.enable = press  # type: ignore[method-assign]
        with pytest.raises(DeviceLost, match="the emergency stop is pressed"):
            Walk(SMALL, bank, lines, supervision).walk()
    assert not any(unit.wire for unit in charger.cabinet.modules)
    assert not bad(charger)


def test_what_cannot_be_tested_of_the_safety_chain_is_said() -> None:
    without_status = replace(SMALL, hardware=replace(SMALL.hardware, status_pins=()))
    results = walked(simulated_charger(without_status), without_status)
    assert verdicts(results) == SOUND | {ENABLES: NOT_TESTABLE}

    quick = replace(SMALL, timing=replace(SMALL.timing, current_decay_ms=100))
    results = walked(simulated_charger(quick), quick)
    assert verdicts(results) == SOUND
    assert "too short to see the watchdog cut it" in results.outcomes[-1].said

    charger = simulated_charger(SMALL)
    with charger.installed(), wires(SMALL) as (bank, lines, supervision):
        alone = Walk(SMALL, bank, lines, supervision).walk()
    assert alone is not None
    assert verdicts(alone) == SOUND | {STOP: NOT_TESTED}
    assert alone.passed

    results = walked(simulated_charger(SMALL), SMALL, "swapped-straps 0x20 0x24")
    assert set(verdicts(results).values()) == {NOT_TESTED}


# The command.


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(
        "[station]\nname = 'small <b>'\nguns = 2\nmodules = 2\nmodule_power_kw = 40\n"
        "gun_max_power_kw = 80\n"
    )
    return tmp_path


def test_the_report(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["commission", "--station", "small.toml"]) == 0
    told = capsys.readouterr().out
    assert "4 of 4 contactors and 2 of 2 modules are good." in told
    report = json.loads((here / "commission.json").read_text())
    assert report["passed"]
    assert [r["contactor"] for r in report["contactors"]] == ["1:1", "2:1", "1:2", "2:2"]
    assert report["timing"]["station_file"]["contactor_operate_ms"] == 40
    page = (here / "commission.html").read_text()
    assert "PASSED: 4 of 4 contactors good, 2 of 2 modules" in page
    assert "small &lt;b&gt;" in page
    assert "<b>" not in page
    assert "http" not in page.replace("http-equiv", "")
    for key, value in report["timing"]["suggested"].items():
        assert f"{key} = {value}" in page


def test_what_is_wrong_is_exit_1_and_in_every_form(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--station", "small.toml", "--inject", "weld 2:1", "--report", "site", "--json"]
    assert cli.main(["commission", *options]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((here / "site.json").read_text())
    assert not told["passed"]
    assert told["findings"][0].startswith("Contactor 2:1 (coil 0x20 GPA1): closed, and does not")
    assert "Contactor 2:1 (coil 0x20 GPA1): closed" in (here / "site.html").read_text()


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--demand", "1=40"], 3, "gun 1 asks for 40 kW: a walk starts only without a demand"),
        (["--inject", "estop"], 3, "the emergency stop is pressed"),
        (["--inject", "swapped-coils 1:1"], 2, "not understood; allowed: swapped-straps"),
        (["--inject", "swapped-enables 1 7"], 2, "'swapped-enables 1 7': there is no 7"),
        (["--inject", "swapped-straps 0x20 0x29"], 2, "allowed: swapped-straps ADDRESS"),
        (["--hardware", "pi", "--inject", "weld 1:1"], 2, "--hardware pi: allowed is no --inject"),
        (["--hardware", "pico"], 2, "allowed is simulated or pi"),
        (["--report", "no/where"], 2, "--report no/where: allowed is a name in a folder"),
    ],
)
def test_what_is_refused(
    here: Path, options: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["commission", "--station", "small.toml", *options]) == code
    complaint = capsys.readouterr().err
    assert told in complaint
    assert complaint.count("\n") == 1


def test_run_knows_no_swaps(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--inject", "swapped-coils 1:1 2:1"]) == 2


def test_on_a_pi_it_meets_whatever_is_behind_the_seams(here: Path) -> None:
    station = Station.from_toml(here / "small.toml")
    charger = simulated_charger(station)
    with charger.installed():
        assert cli.main(["commission", "--hardware", "pi", "--station", "small.toml"]) == 0
    assert charger.monitor.makes.keys() == set(station.contactors)


def test_a_person_at_the_terminal_is_asked_and_the_dates_are_kept_for_the_station(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    charger = simulated_charger(Station.from_toml(here / "small.toml"))
    walk = ["commission", "--hardware", "pi", "--station", "small.toml", "--faults", "faults.json"]
    with charger.installed():
        assert cli.main(walk) == 0
    told = capsys.readouterr()
    assert "Not tested of the safety chain: emergency stop." in told.out
    assert PRESS not in told.err
    with charger.installed():
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        assert cli.main(walk) == 1  # nobody obeys
    told = capsys.readouterr()
    assert f"{PRESS}\n{RELEASE}\n" in told.err
    assert "Emergency stop: neither its input (BCM 27) nor contactor 1:1" in told.out
    kept = ProofDates(beside(here / "faults.json"), lambda _: None, AtOnce()).tested
    assert {test: each.verdict for test, each in kept.items()} == SOUND | {STOP: FAILED}
    assert kept[STOP].passed_s is None
    tests = json.loads((here / "commission.json").read_text())["proof_tests"]
    assert [test["test"] for test in tests] == [WATCHDOG, RESET, STOP, ENABLES]
    page = (here / "commission.html").read_text()
    assert all(test["said"] in page for test in tests)


def catches_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(here: Path, number: signal.Signals) -> None:
    walk = subprocess.Popen(
        [sys.executable, "-m", "verified_alloc", "commission"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    try:
        while not catches_sigterm(walk.pid):
            time.sleep(0.05)
        walk.send_signal(number)
        told, complaints = walk.communicate(timeout=20)
    finally:
        walk.kill()
    assert walk.returncode == 0, complaints
    assert "there is no report" in told
    assert not list(here.glob("commission*"))
