"""The register model against the datasheet's tables, transcribed here a second time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.simulated.mcp23017_model import MCP23017Model

# DS20001952, table 1-2: register names by address, IOCON.BANK = 0 and 1. IOCON stands twice.
BANK_0 = [
    "IODIRA", "IODIRB", "IPOLA", "IPOLB", "GPINTENA", "GPINTENB", "DEFVALA", "DEFVALB",
    "INTCONA", "INTCONB", "IOCON", "IOCON", "GPPUA", "GPPUB", "INTFA", "INTFB",
    "INTCAPA", "INTCAPB", "GPIOA", "GPIOB", "OLATA", "OLATB",
]  # fmt: skip
BANK_1 = {
    0x00: "IODIRA", 0x01: "IPOLA", 0x02: "GPINTENA", 0x03: "DEFVALA", 0x04: "INTCONA",
    0x05: "IOCON", 0x06: "GPPUA", 0x07: "INTFA", 0x08: "INTCAPA", 0x09: "GPIOA", 0x0A: "OLATA",
    0x10: "IODIRB", 0x11: "IPOLB", 0x12: "GPINTENB", 0x13: "DEFVALB", 0x14: "INTCONB",
    0x15: "IOCON", 0x16: "GPPUB", 0x17: "INTFB", 0x18: "INTCAPB", 0x19: "GPIOB", 0x1A: "OLATB",
}  # fmt: skip
ADDRESS_1 = {name: address for address, name in BANK_1.items()}
READ_ONLY = {"INTFA", "INTFB", "INTCAPA", "INTCAPB"}
HOLDS_WHAT_IS_WRITTEN = sorted({*BANK_0} - READ_ONLY - {"IOCON", "GPIOA", "GPIOB"})

BANK, SEQOP = 0x80, 0x20


def write(chip: MCP23017Model, address: int, *values: int) -> None:
    chip.select()
    chip.pointer = address
    for value in values:
        chip.write(value)


def read(chip: MCP23017Model, address: int, count: int = 1) -> list[int]:
    chip.select()
    chip.pointer = address
    return [chip.read() for _ in range(count)]


def outputs(word: int = 0) -> MCP23017Model:
    """A chip with all pins outputs at this word."""
    chip = MCP23017Model()
    write(chip, 0x14, word & 0xFF, word >> 8)
    write(chip, 0x00, 0, 0)
    return chip


class Wires:
    """What hangs on the pins: hears the driven word, leaves pins open as told."""

    def __init__(self, chip: MCP23017Model) -> None:
        self.heard: list[tuple[int, str]] = []
        self.open_pins = 0
        self.asked = 0
        chip.driven = lambda word, cause: self.heard.append((word, cause))
        chip.floating = self.floating

    def floating(self) -> int:
        self.asked += 1
        return self.open_pins


# Power-up and addressing.


def test_at_power_up_every_pin_is_an_input_and_all_else_is_0() -> None:
    assert read(MCP23017Model(), 0x00, 22) == [0xFF, 0xFF] + [0] * 20


@pytest.mark.parametrize("name", HOLDS_WHAT_IS_WRITTEN)
@pytest.mark.parametrize("bank", [0, BANK])
def test_a_register_holds_what_is_written_in_both_layouts(name: str, bank: int) -> None:
    chip = MCP23017Model()
    write(chip, 0x0A, bank)
    write(chip, ADDRESS_1[name] if bank else BANK_0.index(name), 0xA5)
    assert chip.register(BANK_0.index(name)) == 0xA5
    changed = [r for r in range(22) if chip.register(r) != MCP23017Model().register(r)]
    assert set(changed) - {0x0A, 0x0B} == {BANK_0.index(name)}
    assert read(chip, ADDRESS_1[name] if bank else BANK_0.index(name)) == [0xA5]


def test_iocon_is_one_register_behind_two_addresses_and_its_bit_0_reads_0() -> None:
    chip = MCP23017Model()
    write(chip, 0x0B, 0x03)
    assert read(chip, 0x0A, 2) == [0x02, 0x02]
    write(chip, 0x0A, BANK)
    assert read(chip, 0x05) == read(chip, 0x15) == [BANK]


def test_interrupt_flags_and_captures_are_read_only() -> None:
    chip = MCP23017Model()
    write(chip, 0x0E, 0xFF, 0xFF, 0xFF, 0xFF)
    assert read(chip, 0x0E, 4) == [0, 0, 0, 0]
    write(chip, 0x0A, BANK)
    for address in (0x07, 0x08, 0x17, 0x18):
        write(chip, address, 0xFF)
        assert read(chip, address) == [0]


@pytest.mark.parametrize(("bank", "first_free"), [(0, 0x16), (BANK, 0x1B)])
def test_addresses_without_a_register_read_0_and_take_nothing(bank: int, first_free: int) -> None:
    chip = MCP23017Model()
    write(chip, 0x00, *[0xA5] * 10)
    write(chip, 0x0C, *[0xA5] * 10)
    write(chip, 0x0A, bank)
    before = [chip.register(r) for r in range(22)]
    free = [*range(first_free, 256), *(range(0x0B, 0x10) if bank else ())]
    for address in free:
        write(chip, address, 0xFF)
        assert read(chip, address) == [0]
    assert [chip.register(r) for r in range(22)] == before


def test_the_trap_an_iocon_write_to_0x0a_drives_olata_where_bank_is_1() -> None:
    chip = outputs()
    write(chip, 0x0A, BANK)
    write(chip, 0x0A, 0x7E)
    assert chip.word == 0x7E
    write(chip, 0x05, 0)  # the cure: in BANK = 1 this is IOCON, in BANK = 0 harmless
    assert read(chip, 0x14) == [0x7E]


# The address pointer.


def test_the_pointer_runs_through_all_registers_and_starts_again() -> None:
    chip = MCP23017Model()
    write(chip, 0x14, 0x11, 0x22, 0x33)  # OLATA, OLATB, and round to IODIRA
    assert read(chip, 0x13, 4) == [0, 0x11, 0x22, 0x33]
    whole_round = read(chip, 0x00, 22)
    assert read(chip, 0x00, 44) == whole_round * 2


def test_with_bank_1_it_runs_through_port_a_then_port_b_then_starts_again() -> None:
    chip = MCP23017Model()
    write(chip, 0x0A, BANK)
    chip.pointer = 0
    visited = []
    for _ in range(23):
        visited.append(chip.pointer)
        chip.read()
    assert visited == [*range(0x00, 0x0B), *range(0x10, 0x1B), 0x00]


@pytest.mark.parametrize("start", [0x12, 0x13])
def test_in_byte_mode_it_toggles_within_the_pair(start: int) -> None:
    chip = outputs(0x3412)
    write(chip, 0x0A, SEQOP)
    pair = [0x12, 0x34] if start == 0x12 else [0x34, 0x12]
    assert read(chip, start, 5) == [*pair, *pair, pair[0]]


def test_in_byte_mode_with_bank_1_it_stays() -> None:
    chip = outputs(0x3412)
    write(chip, 0x0A, BANK | SEQOP)
    assert read(chip, 0x1A, 3) == [0x34, 0x34, 0x34]
    write(chip, 0x0A, 1, 2, 3)
    assert chip.word == 0x3403


def test_a_read_goes_on_where_the_last_access_stopped() -> None:
    chip = outputs(0x3412)
    write(chip, 0x12, 0x55)  # pointer now at GPIOB
    assert chip.read() == 0x34


# Outputs.


def test_writing_a_port_writes_its_latch() -> None:
    chip = outputs()
    write(chip, 0x12, 0x0F, 0x70)
    assert chip.word == 0x700F
    assert read(chip, 0x12, 4) == [0x0F, 0x70, 0x0F, 0x70]


def test_a_pin_drives_only_as_an_output() -> None:
    chip = MCP23017Model()
    wires = Wires(chip)
    write(chip, 0x14, 0x81, 0x42)
    assert wires.heard == []  # all inputs still
    write(chip, 0x00, 0x00)
    write(chip, 0x01, 0x0F)
    assert wires.heard == [(0x0081, "command"), (0x4081, "command")]
    write(chip, 0x00, 0xFF)
    assert wires.heard[-1] == (0x4000, "command")


def test_the_driven_word_is_told_when_it_changes_and_only_then() -> None:
    chip = outputs()
    wires = Wires(chip)
    write(chip, 0x14, 0x01, 0x01)
    write(chip, 0x14, 0x01, 0x01)
    write(chip, 0x02, 0xFF, 0xFF)  # polarity is the reader's affair
    write(chip, 0x02, 0x00, 0x00)
    assert wires.heard == [(0x0001, "command"), (0x0101, "command")]


def test_a_cleared_iodir_drives_what_the_latch_holds() -> None:
    chip = MCP23017Model()
    wires = Wires(chip)
    write(chip, 0x14, 0xFF)
    write(chip, 0x00, 0x00)
    assert wires.heard == [(0x00FF, "command")]


def test_polarity_and_pull_ups_do_not_touch_outputs() -> None:
    chip = outputs(0x00F0)
    Wires(chip).open_pins = 0xFFFF
    write(chip, 0x02, 0xFF, 0xFF)
    write(chip, 0x0C, 0xFF, 0xFF)
    assert read(chip, 0x12, 2) == [0xF0, 0x00]
    assert chip.word == 0x00F0


# Inputs.


@given(
    direction=st.integers(0, 0xFFFF),
    pull_up=st.integers(0, 0xFFFF),
    polarity=st.integers(0, 0xFFFF),
    latch=st.integers(0, 0xFFFF),
    open_pins=st.integers(0, 0xFFFF),
)
def test_a_port_shows_each_pin_by_its_own_rule(
    direction: int, pull_up: int, polarity: int, latch: int, open_pins: int
) -> None:
    chip = MCP23017Model()
    Wires(chip).open_pins = open_pins
    for address, word in ((0x14, latch), (0x02, polarity), (0x0C, pull_up), (0x00, direction)):
        write(chip, address, word & 0xFF, word >> 8)
    low, high = read(chip, 0x12, 2)
    for pin in range(16):

        def bit(word: int, pin: int = pin) -> bool:
            return bool(word >> pin & 1)

        if not bit(direction):
            expected = bit(latch)
        else:
            level = bit(open_pins) and bit(pull_up) and pin not in (7, 15)
            expected = level != bit(polarity)
        assert bit(low | high << 8) == expected, f"pin {pin}"


def test_an_input_without_pull_up_reads_0_whatever_the_contact_does() -> None:
    chip = MCP23017Model()
    wires = Wires(chip)
    wires.open_pins = 0xFFFF
    assert read(chip, 0x12, 2) == [0, 0]
    write(chip, 0x0C, 0xFF, 0xFF)
    assert read(chip, 0x12, 2) == [0x7F, 0x7F]
    wires.open_pins = 0x0102
    assert read(chip, 0x12, 2) == [0x02, 0x01]


def test_the_contacts_are_asked_at_each_read_of_a_port() -> None:
    chip = MCP23017Model()
    wires = Wires(chip)
    write(chip, 0x0C, 0xFF, 0xFF)
    read(chip, 0x12)
    read(chip, 0x12, 2)
    read(chip, 0x00, 2)
    assert wires.asked == 3


def test_unconnected_pins_are_open() -> None:
    chip = MCP23017Model()
    write(chip, 0x0C, 0xFF, 0xFF)
    assert read(chip, 0x12, 2) == [0x7F, 0x7F]


# Reset.


def test_a_reset_makes_every_pin_an_input_and_says_why() -> None:
    chip = outputs(0x1234)
    write(chip, 0x0A, BANK)
    wires = Wires(chip)
    chip.reset("brown-out")
    assert wires.heard == [(0, "brown-out")]
    assert chip.pointer == 0
    assert read(chip, 0x00, 22) == [0xFF, 0xFF] + [0] * 20


def test_a_reset_of_a_chip_that_drives_nothing_is_told_to_nobody() -> None:
    chip = outputs(0)
    wires = Wires(chip)
    chip.reset("reset")
    assert wires.heard == []


# What the bus needs to know.


def test_time_is_settled_before_pins_change_and_before_inputs_are_sampled() -> None:
    chip = MCP23017Model()
    order: list[str] = []
    chip.settle = lambda: order.append("settle")
    chip.driven = lambda word, cause: order.append(f"drives {word:#x}")

    def floating() -> int:
        order.append("sampled")
        return 0

    chip.floating = floating
    write(chip, 0x00, 0x00)
    write(chip, 0x14, 0x05)
    assert order == ["settle", "settle", "drives 0x5"]
    order.clear()
    write(chip, 0x0D, 0xFF)
    read(chip, 0x13)
    assert order == ["settle", "settle", "sampled"]


@pytest.mark.parametrize("held", [True, False])
def test_a_reset_that_comes_with_the_settled_time_ends_the_message(held: bool) -> None:
    chip = outputs(0x0001)
    wires = Wires(chip)

    def reset() -> None:
        chip.held_in_reset = held
        chip.reset("reset")

    chip.settle = reset
    write(chip, 0x14, 0x03, 0x04)
    assert not chip.listening
    assert wires.heard == [(0, "reset")]
    assert chip.select() is not held
    assert [chip.register(register) for register in (0x00, 0x01, 0x14, 0x15)] == [0xFF, 0xFF, 0, 0]
    assert chip.pointer == 0


def test_a_reset_that_comes_as_pins_are_read_leaves_the_data_line_high() -> None:
    chip = MCP23017Model()
    chip.settle = lambda: chip.reset("reset")
    assert read(chip, 0x12, 2) == [0xFF, 0xFF]
    assert chip.pointer == 0


def test_a_chip_held_in_reset_does_not_answer() -> None:
    chip = outputs(0)
    chip.held_in_reset = True
    assert not chip.select()
    chip.write(0x55)
    assert (chip.pointer, chip.read()) == (0x02, 0xFF)
    chip.held_in_reset = False
    assert chip.select()
    assert read(chip, 0x00) == [0]


def test_of_a_corrupted_byte_only_the_corrupted_bits_are_blamed_on_the_wire() -> None:
    chip = outputs(0b0011)
    wires = Wires(chip)
    chip.pointer = 0x14
    chip.write(0b1101, corrupted=0b1000)  # sent 0b0101
    assert wires.heard == [(0b0101, "command"), (0b1101, "wire")]
    assert chip.pointer == 0x15


def test_a_commanded_bit_that_the_wire_swallows_is_never_driven() -> None:
    chip = outputs(0)
    wires = Wires(chip)
    chip.pointer = 0x14
    chip.write(0, corrupted=0b1)  # sent 1
    assert wires.heard == []


# What goes wrong by itself.


@pytest.mark.parametrize("level", [False, True])
def test_a_pin_that_is_stuck_drives_and_shows_its_level_whatever_it_is_told(level: bool) -> None:
    heard: list[int] = []
    chip = MCP23017Model()
    chip.driven = lambda word, _: heard.append(word)
    write(chip, 0x14, 0b11, 0b10)
    write(chip, 0x00, 0, 0)
    chip.stick(9, level)
    assert heard[-1] == (0b11 | 0b10 << 8 if level else 0b11)
    assert read(chip, 0x12, 4) == [0b11, 0b10 if level else 0, 0b11, 0b10]
    write(chip, 0x14, 0, 0b10 * (not level))
    assert heard[-1] == (0b10 << 8 if level else 0)
    chip.stick(9, None)
    assert heard[-1] == (0 if level else 0b10 << 8)


def test_an_input_that_is_stuck_reads_its_level_as_polarity_says() -> None:
    chip = MCP23017Model()
    write(chip, 0x0C, 0xFF, 0xFF)
    chip.stick(0, False)
    assert read(chip, 0x12) == [0x7E]
    write(chip, 0x02, 1)
    assert read(chip, 0x12) == [0x7F]
    chip.stick(0, True)
    assert read(chip, 0x12) == [0x7E]


@pytest.mark.parametrize("bit", range(176))
def test_each_bit_that_holds_something_may_flip(bit: int) -> None:
    chip = MCP23017Model()
    before = [chip.register(register) for register in range(22)]
    chip.upset(bit)
    after = [chip.register(register) for register in range(22)]
    changed = {r: a ^ b for r, (a, b) in enumerate(zip(after, before, strict=True)) if a != b}
    register, mask = bit // 8, 1 << bit % 8
    if register in (0x0A, 0x0B):
        assert changed == ({0x0A: mask, 0x0B: mask} if mask != 1 else {})
    else:
        assert changed == ({} if 0x0E <= register < 0x14 else {register: mask})
