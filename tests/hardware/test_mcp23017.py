"""One expander on the simulated bus, judged by the chip's registers and pins."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
import smbus2

from hardware.mcp23017 import MCP23017, configured_as
from hardware.simulated.bus import BusFault, SimulatedBus
from hardware.simulated.virtual_time import VirtualTime

CONFIGURED_OUTPUTS = bytes(6) + bytes([0xA5, 0x5A]) + bytes(14)


@pytest.fixture(params=["bcm2835", "designware"])
def bus(request: pytest.FixtureRequest) -> Iterator[SimulatedBus]:
    with SimulatedBus(VirtualTime(), [0x20], [0x24], adapter=request.param).installed() as bus:
        yield bus


@pytest.fixture
def master(bus: SimulatedBus) -> Iterator[smbus2.SMBus]:
    with smbus2.SMBus(1) as master:
        yield master


@pytest.fixture
def output(master: smbus2.SMBus) -> MCP23017:
    return MCP23017(master, 0x20)


@pytest.fixture
def feedback(master: smbus2.SMBus) -> MCP23017:
    return MCP23017(master, 0x24)


def poke(master: smbus2.SMBus, address: int, *data: int) -> None:
    master.i2c_rdwr(smbus2.i2c_msg.write(address, data))


def test_a_fresh_chip_is_neither(output):
    assert not output.configured_as(outputs=True)
    assert not output.configured_as(outputs=False)


def test_outputs_come_up_low_and_then_drive_what_is_written(output, bus):
    driven = []
    bus.chips[0x20].driven = lambda word, cause: driven.append((word, cause))
    assert output.configure_outputs()
    assert output.configured_as(outputs=True)
    assert output.write_word(0x1234) == (0x1234, 0x1234)
    assert output.read_outputs() == (0x1234, 0x1234, 0)
    assert driven == [(0x0034, "command"), (0x1234, "command")]
    assert output.read_registers()[:0x12] == CONFIGURED_OUTPUTS[:0x12]


def test_inputs_show_the_contacts_that_are_open(feedback, bus):
    bus.chips[0x24].floating = lambda: 0x2B15
    assert feedback.configure_inputs()
    assert feedback.configured_as(outputs=False)
    assert feedback.read_pins() == (0xFFFF, 0x2B15, 0xFFFF)
    assert feedback.read_pins_and_directions() == (0xFFFF, 0x2B15, 0xFFFF)


@pytest.mark.parametrize(
    "state",
    [
        [(0x0A, 0x80)],  # BANK 1: an IOCON write to 0x0A would drive the latches
        [(0x0A, 0xA0)],
        [(0x0A, 0x20)],  # byte mode: the pointer does not move on
        [(0x14, 0xFF, 0x7F)],
        [(0x14, 0xFF, 0x7F), (0x00, 0x00, 0x00)],
        [(0x02, *range(1, 9)), (0x0C, 0xFF, 0xFF)],
    ],
)
@pytest.mark.parametrize("address", [0x20, 0x24])
def test_from_any_state_no_pin_comes_on_on_the_way(bus, master, state, address):
    chip = MCP23017(master, address)
    for write in state:
        poke(master, address, *write)
    driven = [bus.chips[address].word]
    bus.chips[address].driven = lambda word, cause: driven.append(word)
    assert chip.configure_outputs() if address == 0x20 else chip.configure_inputs()
    assert chip.configured_as(outputs=address == 0x20)
    assert all(after & ~before == 0 for before, after in pairwise(driven))
    assert driven[-1] == 0


def test_a_configured_chip_is_not_written_to_for_nothing(output):
    output.configure_outputs()
    transactions = output.transactions
    assert output.configure_outputs()
    assert output.transactions == transactions + 2


def test_a_brown_out_shows_in_the_pins_although_the_latches_read_right(output, bus):
    output.configure_outputs()
    bus.inject(BusFault("brown_out", 0x20))
    shown = output.write_word(0x0F0F)
    assert shown.latch == 0x0F0F
    assert shown.pins == 0
    assert output.read_outputs().inputs == 0xFFFF
    assert not output.configured_as(outputs=True)


def test_a_lost_pull_up_shows(feedback, master):
    feedback.configure_inputs()
    poke(master, 0x24, 0x0C, 0xFF, 0xFE)
    assert feedback.read_pins().pull_ups == 0xFEFF
    assert not feedback.configured_as(outputs=False)


def test_a_driving_feedback_pin_shows(feedback, master):
    feedback.configure_inputs()
    poke(master, 0x24, 0x00, 0xFF, 0xFB)
    assert feedback.read_pins_and_directions().inputs == 0xFBFF
    assert not feedback.configured_as(outputs=False)


def test_a_pin_that_does_not_show_its_latch_is_not_as_configured():
    latches = bytes([0x03, 0x00])
    assert configured_as(CONFIGURED_OUTPUTS[:0x12] + latches + latches, outputs=True)
    held_low = bytes([0x02, 0x00])
    assert not configured_as(CONFIGURED_OUTPUTS[:0x12] + held_low + latches, outputs=True)


@pytest.mark.parametrize("bit", range(8))
def test_the_mark_shows_that_other_registers_were_read(output, bus, bit):
    output.configure_outputs()
    bus.inject(BusFault("flip_write", 0x20, 0, 1, bit))
    assert not output.configured_as(outputs=True)
    assert output.configured_as(outputs=True)


def test_a_write_of_the_configuration_that_went_astray_is_told(output, bus):
    bus.inject(BusFault("drop_write", 0x20, 0, None))
    assert not output.configure_outputs()


def test_a_chip_that_does_not_answer_is_an_os_error(output, bus):
    bus.reset_line(True)
    for attempt in (output.read_outputs, output.configure_outputs, lambda: output.write_word(1)):
        with pytest.raises(OSError):
            attempt()


@pytest.mark.parametrize(
    ("address", "attempt"),
    [
        (0x20, lambda chip: chip.write_word(0)),
        (0x20, lambda chip: chip.write_word(0x7F7F)),
        (0x20, MCP23017.read_outputs),
        (0x20, MCP23017.read_registers),
        (0x20, MCP23017.drive_all_pins),
        (0x20, MCP23017.write_output_options),
        (0x20, MCP23017.configure_outputs),
        (0x24, MCP23017.read_pins),
        (0x24, MCP23017.read_pins_and_directions),
        (0x24, MCP23017.configure_inputs),
    ],
)
def test_a_transfer_that_did_not_take_place_is_no_answer(output, feedback, bus, address, attempt):
    """The adapter says that all went well; what was read before stands in the buffers."""
    chip = {0x20: output, 0x24: feedback}[address]
    output.configure_outputs()
    feedback.configure_inputs()
    attempt(chip)
    bus.inject(BusFault("no_transfer", address))
    with pytest.raises(OSError, match="nothing was transferred"):
        attempt(chip)
    attempt(chip)


def test_what_goes_over_the_wire_is_counted(output, feedback, bus):
    output.configure_outputs()
    feedback.configure_inputs()
    output.write_word(3)
    output.read_outputs()
    feedback.read_pins()
    feedback.read_pins_and_directions()
    assert output.transactions + feedback.transactions == bus.transactions
    assert output.wire_bytes + feedback.wire_bytes == bus.wire_bytes


def test_after_a_look_at_all_registers_a_lost_pointer_shows_no_contacts(feedback, bus):
    """The next read then begins where that look ended: not at IODIR, whose ones would pass for
    pull-ups."""
    feedback.configure_inputs()
    feedback.read_registers()
    bus.inject(BusFault("wrong_chip", 0x24, 0, 1, 2))
    assert feedback.read_pins().pull_ups != 0xFFFF
