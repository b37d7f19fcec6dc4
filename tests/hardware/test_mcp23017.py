"""One expander on the simulated bus, judged by the chip's registers and pins."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import pairwise, product

import pytest
import smbus2
from scripted_bus import ScriptedBus, from_ipol, registers, word

from hardware.mcp23017 import MCP23017, configured_as, latches
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
    assert bus.chips[address].register(0x14) == bus.chips[address].register(0x15) == 0
    assert all(after & ~before == 0 for before, after in pairwise(driven))
    assert driven[-1] == 0


def test_a_fault_in_configuring_outputs_brings_no_pin_on(output, master, bus):
    """Not even one that hides what the latches hold. (The one that does, where the pointer of the
    write that clears them is flipped to the directions, is seen by the same transfer.)"""
    faults = [("drop_write", 0), *(("nack_data", bit) for bit in range(0, 112, 8))]
    faults += [("flip_write", bit) for bit in range(112)]
    faults += [("flip_read", bit) for bit in range(176)]
    for at, (kind, bit) in product(range(7), faults):
        if (at, kind, bit % 32 // 8) == (2, "flip_write", 0):
            continue
        poke(master, 0x20, 0x00, 0xFF, 0xFF)
        poke(master, 0x20, 0x14, 0x0F, 0x70)
        poke(master, 0x20, 0x00, 0xF0, 0x00)
        driven = [bus.chips[0x20].word]
        bus.chips[0x20].driven = lambda word, cause, driven=driven: driven.append(word)
        fault = BusFault(kind, 0x20, at, 1, bit)
        bus.inject(fault)
        with suppress(OSError):
            assert not output.configure_outputs() or bus.chips[0x20].register(0x14) == 0
        bus.clear(fault)
        assert all(after & ~before == 0 for before, after in pairwise(driven)), (at, kind, bit)


@pytest.mark.parametrize("address", [0x20, 0x24])
def test_a_configured_chip_is_not_written_to_for_nothing(master, address):
    chip = MCP23017(master, address)
    configure = chip.configure_outputs if address == 0x20 else chip.configure_inputs
    assert configure()
    transactions = chip.transactions
    assert configure()
    assert chip.transactions == transactions + 2


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


def test_the_latches_are_told_whatever_the_pins_show():
    assert latches(registers(0x1234, gpio=0x0001)) == 0x1234


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


# What smbus2 is asked for, transcribed from the datasheet.

OPTIONS = bytes([0x02, 0, 0, 0, 0, 0xA5, 0x5A, 0, 0, 0, 0, 0, 0])
ALL = [b"\x02", 22]
PLAINLY = [b"\x05\x00", b"\x0a\x00", *ALL]
COLD = registers(iodir=0xFFFF, defval=0)
WARM = registers(feedback=True)


@pytest.mark.parametrize(
    ("ask", "answers", "sent"),
    [
        (MCP23017.read_outputs, [bytes(6)], [[b"\x12", 6]]),
        (MCP23017.read_pins, [bytes(8)], [[b"\x0c", 8]]),
        (MCP23017.read_pins_and_directions, [bytes(12)], [[b"\x0c", 12]]),
        (MCP23017.read_registers, [bytes(22)], [ALL]),
        (lambda chip: chip.write_word(0x1234), [bytes(4)], [[b"\x14\x34\x12", b"\x12", 4]]),
        (MCP23017.drive_all_pins, [bytes(2)], [[b"\x00\x00\x00", b"\x00", 2]]),
        (MCP23017.write_output_options, [b""], [[OPTIONS]]),
        (
            MCP23017.configure_outputs,
            [from_ipol(registers(latch=3)), *[bytes(2)] * 2, from_ipol(registers())],
            [
                PLAINLY,
                [b"\x00\xff\xff", b"\x00", 2],
            ],
        ),
        (
            MCP23017.configure_outputs,
            [from_ipol(COLD), OPTIONS[1:], bytes(6), bytes(2), from_ipol(registers())],
            [PLAINLY, [OPTIONS, b"\x02", 12], [b"\x12", 6], [b"\x00\x00\x00", b"\x00", 2], ALL],
        ),
        (
            MCP23017.configure_inputs,
            [from_ipol(registers(latch=3)), b"\xff\xff", bytes(2), WARM[2:14], from_ipol(WARM)],
            [
                PLAINLY,
                [b"\x00\xff\xff", b"\x00", 2],
                [b"\x14\x00\x00", b"\x14", 2],
                [b"\x02" + bytes(10) + b"\xff\xff", b"\x02", 12],
                ALL,
            ],
        ),
    ],
)
def test_what_goes_over_the_wire(
    ask: Callable[[MCP23017], object], answers: list[bytes], sent: list[list[bytes | int]]
) -> None:
    bus = ScriptedBus(*answers)
    chip = MCP23017(bus, 0x20)
    ask(chip)
    assert bus.sent == sent
    assert bus.addresses == {0x20}
    assert chip.transactions == len(sent)
    messages = [message for transfer in sent for message in transfer]
    lengths = [message if isinstance(message, int) else len(message) for message in messages]
    assert chip.wire_bytes == len(messages) + sum(lengths)


@pytest.mark.parametrize("outputs", [True, False])
@pytest.mark.parametrize("register", range(22))
def test_a_chip_is_configured_when_every_register_shows_it(outputs, register):
    """The read-only INTF and INTCAP apart; and of a feedback chip the pins and the latches."""
    right = registers() if outputs else WARM
    steps = [OPTIONS[1:], bytes(6), bytes(2)] if outputs else [bytes(10) + b"\xff\xff"]
    for bit in range(8):
        shown = bytearray(right)
        shown[register] ^= 1 << bit
        bus = ScriptedBus(from_ipol(COLD), *steps, from_ipol(bytes(shown)))
        chip = MCP23017(bus, 0x20)
        configured = chip.configure_outputs() if outputs else chip.configure_inputs()
        ignored = range(0x0E, 0x12) if outputs else range(0x0E, 0x16)
        assert configured == (register in ignored) == configured_as(bytes(shown), outputs)
        assert not bus.answers


def test_outputs_that_are_all_set_are_not_cleared():
    """As configured, and yet not as `configure_outputs` leaves a chip."""
    steps = (OPTIONS[1:], bytes(6), bytes(2))
    chip = MCP23017(ScriptedBus(from_ipol(COLD), *steps, from_ipol(registers(latch=3))), 0x20)
    assert not chip.configure_outputs()


@pytest.mark.parametrize("failing", range(1, 6))
def test_a_step_that_does_not_read_back_ends_the_try(failing):
    odd = registers(latch=3, iodir=0x00FF, ipol=1)
    steps = [b"\xff\xff", bytes(2), OPTIONS[1:], bytes(6), bytes(2)]
    steps[failing - 1] = b"\x01" * len(steps[failing - 1])
    bus = ScriptedBus(from_ipol(odd), *steps, from_ipol(registers()))
    assert not MCP23017(bus, 0x20).configure_outputs()
    assert len(bus.sent) == 1 + failing


@pytest.mark.parametrize(("pins", "latch"), [(0xFFFF, 0), (0, 3)])
def test_pins_are_driven_once_the_latches_are_0_whatever_pins_that_float_show(pins, latch):
    looked = word(pins) + word(latch) + b"\xff\xff"
    bus = ScriptedBus(from_ipol(COLD), OPTIONS[1:], looked, bytes(2), from_ipol(registers()))
    assert MCP23017(bus, 0x20).configure_outputs() is (latch == 0)
    assert ([b"\x00\x00\x00", b"\x00", 2] in bus.sent) is (latch == 0)


@pytest.mark.parametrize("failing", range(1, 4))
def test_a_step_of_inputs_that_does_not_read_back_ends_the_try(failing):
    steps = [b"\xff\xff", bytes(2), bytes(10) + b"\xff\xff"]
    steps[failing - 1] = bytes(len(steps[failing - 1]) - 1) + b"\x01"
    bus = ScriptedBus(from_ipol(registers(latch=3)), *steps, from_ipol(WARM))
    assert not MCP23017(bus, 0x24).configure_inputs()
    assert len(bus.sent) == 1 + failing


def test_transfers_that_fail_are_counted():
    chip = MCP23017(ScriptedBus(None), 0x20)
    with pytest.raises(OSError):
        chip.read_outputs()
    assert (chip.transactions, chip.wire_bytes) == (1, 9)


@pytest.mark.parametrize(
    ("ask", "answer", "read"),
    [
        (MCP23017.read_outputs, "0102 0304 0506", (0x0201, 0x0403, 0x0605)),
        (MCP23017.read_pins, "0102 a1a2 a3a4 0304", (0x0201, 0x0403, 0xFFFF)),
        (
            MCP23017.read_pins_and_directions,
            "0102 a1a2 a3a4 0304 a5a6 0506",
            (0x0201, 0x0403, 0x0605),
        ),
        (lambda chip: chip.write_word(0), "0102 0304", (0x0201, 0x0403)),
    ],
)
def test_words_are_read_from_their_registers(ask, answer, read):
    assert ask(MCP23017(ScriptedBus(bytes.fromhex(answer)), 0x20)) == read
