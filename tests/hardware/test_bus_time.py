"""What a scan takes on the bus, against the simulated bus, byte by byte."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from layouts import REFERENCE

from hardware import bus_time, clock
from hardware.contactors import ContactorController
from hardware.simulated.bus import SimulatedBus, installed
from hardware.simulated.virtual_time import VirtualTime


@pytest.mark.parametrize("bit_rate_hz", [100_000, 400_000, 1_000_000])
@pytest.mark.parametrize("positions", [1, 2, 4])
@pytest.mark.parametrize("scan_ms", [20, 200])
def test_it_covers_what_the_bus_takes_and_not_much_more(
    monkeypatch: pytest.MonkeyPatch, bit_rate_hz: int, positions: int, scan_ms: int
) -> None:
    time = VirtualTime()
    monkeypatch.setattr(clock, "now_s", time.now_s)
    outputs, feedback = range(0x20, 0x20 + positions), range(0x24, 0x24 + positions)
    bus = SimulatedBus(time, outputs, feedback, bit_rate_hz=bit_rate_hz)
    all_pins = [0x7F7F] * positions
    bank = ContactorController(REFERENCE, all_pins, scan_ms)
    with bus.installed():
        bank.open()
        bank.start()
        begun_us = time.now_us
        bank.read(1)
        assert not bank.write(all_pins)
        taken_us = time.now_us - begun_us
    bound_us = bus_time.scan_us(REFERENCE, positions, scan_ms, {1: bit_rate_hz})
    assert taken_us <= bound_us <= 1.05 * taken_us


def test_the_shortest_scan_holds_its_time_and_one_less_does_not() -> None:
    for rate_hz in (100_000, 400_000, 1_000_000):
        for positions in (1, 2, 3, 4):
            least_ms = bus_time.least_scan_ms(REFERENCE, positions, {1: rate_hz})
            assert bus_time.scan_us(REFERENCE, positions, least_ms, {1: rate_hz}) <= least_ms * 1000
            shorter_ms = least_ms - 1
            assert (
                bus_time.scan_us(REFERENCE, positions, shorter_ms, {1: rate_hz}) > shorter_ms * 1000
            )


@pytest.mark.parametrize(
    "rates_hz", [{1: 400_000, 3: 100_000}, {1: 1_000_000, 3: 1_000_000}, {1: 100_000, 3: 400_000}]
)
@pytest.mark.parametrize(
    ("outputs", "feedback"),
    [((1, 1, 1), (3, 3, 3)), ((1, 1, 3), (1, 1, 3)), ((3, 3, 3), (1, 3, 3)), ((1,), (1,))],
)
def test_the_times_of_several_buses_add_up(
    monkeypatch: pytest.MonkeyPatch,
    rates_hz: dict[int, int],
    outputs: tuple[int, ...],
    feedback: tuple[int, ...],
) -> None:
    """The chip that is looked over is on either; the bound has it on the slower one."""
    time = VirtualTime()
    monkeypatch.setattr(clock, "now_s", time.now_s)
    layout = replace(
        REFERENCE,
        i2c_buses=(1, 3),
        output_expanders=tuple((bus, 0x20 + at) for at, bus in enumerate(outputs)),
        feedback_expanders=tuple((bus, 0x24 + at) for at, bus in enumerate(feedback)),
    )
    buses = {
        bus: SimulatedBus(
            time,
            [at for on, at in layout.output_expanders if on == bus],
            [at for on, at in layout.feedback_expanders if on == bus],
            bit_rate_hz=rate_hz,
        )
        for bus, rate_hz in rates_hz.items()
    }
    for (bus, output), (other, contact) in zip(
        layout.output_expanders, layout.feedback_expanders, strict=True
    ):
        chip = buses[bus].chips[output]
        buses[other].chips[contact].floating = lambda chip=chip: chip.word
    positions = len(outputs)
    bank = ContactorController(layout, [0x7F7F] * positions, 20)
    longest_us = 0
    with installed(buses.get):
        bank.open()
        bank.start()
        for word in range(1, 2 * positions + 1):
            begun_us = time.now_us
            bank.read(1)
            assert not bank.write([word] * positions)
            longest_us = max(longest_us, time.now_us - begun_us)
    bound_us = bus_time.scan_us(layout, positions, 20, rates_hz)
    alone = set(outputs + feedback) == {1} and rates_hz[3] < rates_hz[1]
    assert longest_us <= bound_us
    assert alone or bound_us <= 1.05 * longest_us


def test_the_default_station_fits_at_400_khz_and_not_at_100() -> None:
    assert bus_time.least_scan_ms(REFERENCE, 4, {1: 400_000}) == 7
    assert bus_time.least_scan_ms(REFERENCE, 4, {1: 100_000}) == 22


def test_the_speed_comes_from_the_device_tree(tmp_path: Path) -> None:
    node = tmp_path / "sys/class/i2c-adapter/i2c-1/of_node/clock-frequency"
    assert bus_time.bit_rate_hz(1, tmp_path) is None
    node.parent.mkdir(parents=True)
    node.write_bytes(struct.pack(">I", 100_000))
    assert bus_time.bit_rate_hz(1, tmp_path) == 100_000
    assert bus_time.bit_rate_hz(0, tmp_path) is None


def test_a_channel_of_a_multiplexer_is_as_fast_as_its_bus(tmp_path: Path) -> None:
    adapter = tmp_path / "sys/devices/platform/i2c@7e804000/i2c-1"
    (adapter / "of_node").mkdir(parents=True)
    (adapter / "of_node/clock-frequency").write_bytes(struct.pack(">I", 400_000))
    (adapter / "i2c-11").mkdir()
    known = tmp_path / "sys/class/i2c-adapter"
    known.mkdir(parents=True)
    (known / "i2c-1").symlink_to(adapter)
    (known / "i2c-11").symlink_to(adapter / "i2c-11")
    assert bus_time.bit_rate_hz(11, tmp_path) == 400_000
