"""Faults as a person writes them."""

import pytest

from hardware.simulated.faults import (
    BUS_KINDS,
    CHIP_KINDS,
    GATE_KINDS,
    MODULE_KINDS,
    PAIR_KINDS,
    STATION_KINDS,
    Injection,
    parse,
)


def test_a_contactor_at_a_time() -> None:
    assert parse("weld 3:5 @ 120s") == Injection(
        kind="weld", gun=3, module=5, at_us=120_000_000, text="weld 3:5 @ 120s"
    )


def test_a_duration() -> None:
    fault = parse("nack 0x21 @ 1.5s for 250ms")
    assert (fault.address, fault.at_us, fault.for_us) == (0x21, 1_500_000, 250_000)


def test_minutes_and_spaces() -> None:
    assert parse("  module-dead 4  @2min for 0.001 s ").at_us == 120_000_000


def test_no_time_means_from_the_start_for_the_rest() -> None:
    fault = parse("late-release 3:5")
    assert (fault.at_us, fault.for_us, fault.strikes_once) == (0, None, False)


@pytest.mark.parametrize("kind", PAIR_KINDS)
def test_every_contactor_kind(kind: str) -> None:
    fault = parse(f"{kind} 1:9")
    assert (fault.kind, fault.gun, fault.module, fault.on_bus) == (kind, 1, 9, False)


@pytest.mark.parametrize("kind", STATION_KINDS)
def test_every_station_kind(kind: str) -> None:
    assert parse(f"{kind} @ 1s") == Injection(kind, at_us=1_000_000, text=f"{kind} @ 1s")


@pytest.mark.parametrize("kind", MODULE_KINDS + GATE_KINDS)
def test_every_module_kind(kind: str) -> None:
    assert parse(f"{kind} 9").module == 9


@pytest.mark.parametrize("kind", BUS_KINDS)
def test_every_bus_kind(kind: str) -> None:
    fault = parse(f"{kind} 0x27")
    assert (fault.on_bus, fault.address) == (True, 0x27)
    assert fault.bus_kind == kind.replace("-", "_")


def test_a_flip_strikes_once_unless_it_is_given_a_duration() -> None:
    assert parse("flip-read 0x24").strikes_once
    assert not parse("flip-read 0x24 for 1s").strikes_once
    assert not parse("timeout").strikes_once


@pytest.mark.parametrize("kind", STATION_KINDS)
def test_every_kind_of_the_gates(kind: str) -> None:
    assert (parse(f"{kind} for 1s").for_us, parse(kind).on_bus) == (1_000_000, False)


@pytest.mark.parametrize("kind", CHIP_KINDS)
def test_every_kind_of_a_bit_of_an_expander(kind: str) -> None:
    fault = parse(f"{kind} 0x27:15")
    assert (fault.on_bus, fault.address, fault.bit) == (True, 0x27, 15)


def test_a_stall_strikes_once_and_says_how_long_it_is() -> None:
    fault = parse("stall @ 1s for 300ms")
    assert (fault.on_bus, fault.strikes_once, fault.for_us) == (True, True, 300_000)


def test_a_bus_fault_without_an_address_hits_any_chip() -> None:
    assert parse("flip-write @ 3s").address is None


@pytest.mark.parametrize(
    ("text", "bus", "address"),
    [
        ("nack 0x21", None, 0x21),
        ("nack 3:0x21 for 2s", 3, 0x21),
        ("timeout bus-3 @ 1s", 3, None),
        ("timeout bus-0", 0, None),
        ("timeout", None, None),
    ],
)
def test_a_bus_fault_may_name_its_bus(text: str, bus: int | None, address: int | None) -> None:
    assert (parse(text).bus, parse(text).address) == (bus, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nack 3:",
        "nack :0x21",
        "nack x:0x21",
        "nack 3:0x28",
        "nack 1:3:0x21",
        "nack bus-",
        "nack bus-0x3",
        "brown-out bus-3",
        "weld bus-3",
        "line-low bus-3",
        "weld",
        "weld 5",
        "weld 0:5",
        "weld 3:05",
        "weld 3:5:1",
        "weld 3:5 @ 120",
        "weld 3:5 @ -1s",
        "weld 3:5 @ nans",
        "weld 3:5 for 0s",
        "weld 3:5 for",
        "weld 3:5 @ 1s extra",
        "melt 3:5",
        "module-dead",
        "module-dead 0",
        "module-dead 3:5",
        "module-dead x",
        "estop 3",
        "watchdog-stuck-on 26",
        "gate-stuck-on",
        "nack 0x99",
        "nack 3:5",
        "nack 0x2x",
        "brown-out",
        "brown-out 0x20 for 1s",
        "stall",
        "stall 0x20 for 1s",
        "upset 0x20",
        "upset 0x28:1",
        "upset 0x20:176",
        "upset 0x20:1 for 1s",
        "pin-high 0x20:16",
        "pin-low 0x20:01",
        "reset 1",
        "pin-high bus-3:1",
        "WELD 3:5",
        "weld ٣:٥",
    ],
)
def test_bad_text_is_refused_in_one_line_that_names_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse(text)
    line = str(refused.value)
    assert repr(text) in line
    assert "weld" in line
    assert "weld 3:5 @ 120s" in line
    assert "\n" not in line
