"""Writes that go wrong, one repair at a time: what is asked of which chip, in which order, and what
is known of each then. Whole scans with faults in every transfer are in `test_contactors`."""

from collections.abc import Iterator
from typing import Any

import pytest
import smbus2
from smbus2 import i2c_msg

from hardware import clock
from hardware.expanders import FeedbackChip, OutputChip
from hardware.mcp23017 import MCP23017
from hardware.repair import Repair
from hardware.simulated.bus import BusFault, SimulatedBus
from hardware.simulated.virtual_time import VirtualTime

OUTPUTS, FEEDBACK = (0x20, 0x21, 0x22, 0x23), (0x24, 0x25)
OLD, NEW = 0x1234, 0x4321
PINS = 0x7F7F


class Bench:
    """Four output chips that hold OLD and two feedback chips, all in service."""

    def __init__(self) -> None:
        self.time = VirtualTime()
        self.bus = SimulatedBus(self.time, OUTPUTS, FEEDBACK)
        self.notes: list[tuple[str, int]] = []
        self.asked: list[int] = []
        """The chip of each transfer."""
        self.begun_us: list[int] = []

    def begin(self) -> None:
        self._master = smbus2.SMBus(1)
        self.outputs = [OutputChip(MCP23017(self, at), self.note, PINS) for at in OUTPUTS]
        self.feedback = [FeedbackChip(MCP23017(self, at), self.note) for at in FEEDBACK]
        self.repair = Repair(self.outputs, self.feedback)
        assert all(self.repair.configure(chip) for chip in (*self.outputs, *self.feedback))
        assert all(self.repair.change(chip, OLD) for chip in self.outputs)
        self.forget()

    def forget(self) -> None:
        self.asked.clear()
        self.begun_us.clear()
        self.notes.clear()
        self.repair.begin()

    def i2c_rdwr(self, *messages: i2c_msg) -> None:
        self.asked.append(messages[0].addr)
        self.begun_us.append(self.time.now_us)
        self._master.i2c_rdwr(*messages)

    def note(self, kind: str, address: int) -> None:
        self.notes.append((kind, address))

    def strike(self, kind: str, address: int | None = 0x20, at: int = 0, **more: Any) -> BusFault:
        fault = BusFault(kind, address, at, **more)
        self.bus.inject(fault)
        return fault

    def poke(self, address: int, *data: int) -> None:
        """Somebody else on the bus."""
        self._master.i2c_rdwr(i2c_msg.write(address, data))

    def words(self) -> list[int]:
        return [self.bus.chips[at].word for at in OUTPUTS]

    def known(self, name: str) -> list[Any]:
        return [getattr(chip, name) for chip in self.outputs]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench()
    monkeypatch.setattr(clock, "now_s", made.time.now_s)
    with made.bus.installed():
        made.begin()
        yield made


# Words.


def test_a_word_is_written_and_shown_in_one_transfer(bench):
    chip = bench.outputs[0]
    chip.doubted = chip.unverified = True
    assert bench.repair.change(chip, NEW)
    assert bench.asked == [0x20]
    assert bench.words() == [NEW, OLD, OLD, OLD]
    assert (chip.word, chip.doubted, chip.unverified) == (NEW, False, False)
    assert not bench.notes


@pytest.mark.parametrize(
    "out_of_reach",
    [
        lambda chip: setattr(chip, "lost", True),
        lambda chip: setattr(chip, "known", False),
        lambda chip: setattr(chip, "abandoned", True),
    ],
)
def test_of_a_chip_out_of_service_nothing_is_asked(bench, out_of_reach):
    chip = bench.outputs[1]
    out_of_reach(chip)
    assert not bench.repair.change(chip, NEW)
    assert not bench.asked
    assert not bench.notes
    assert not chip.doubted
    assert bench.words() == [OLD] * 4


def test_words_that_are_verified_at_once_take_no_time_from_others(bench):
    for chip in bench.outputs:
        assert bench.repair.change(chip, NEW)
        bench.time.advance_us(30_000)
    assert bench.words() == [NEW] * 4


def test_what_went_wrong_once_has_25_ms_until_all_begins_anew(bench):
    first, second, third = bench.outputs[:3]
    bench.strike("nack", 0x20, count=None)
    assert not bench.repair.change(first, NEW)
    bench.time.advance_us(max(0, bench.begun_us[0] + 24_500 - bench.time.now_us))
    assert bench.repair.change(second, NEW)
    bench.strike("nack", 0x22, count=None)
    assert not bench.repair.change(third, NEW)  # fails too: counted is from the first
    bench.time.advance_us(1_500)
    assert not bench.repair.change(second, OLD)
    assert bench.words()[1] == NEW
    bench.repair.begin()
    assert bench.repair.change(second, OLD)


@pytest.mark.parametrize("bit_rate_hz", [400_000, 100_000, 20_000])
@pytest.mark.parametrize("kind", ["timeout", "nack"])
def test_no_try_begins_later_than_25_ms_after_the_first_that_failed(bench, kind, bit_rate_hz):
    for task in (
        lambda: bench.repair.change(bench.outputs[0], NEW),
        lambda: bench.repair.configure(bench.outputs[1]),
        lambda: bench.repair.configure(bench.feedback[0]),
    ):
        bench.forget()
        bench.bus._bit_rate_hz = bit_rate_hz
        fault = bench.strike(kind, None, count=None)
        assert not task()
        assert bench.begun_us[-1] <= bench.begun_us[1] + 25_000
        bench.bus.clear(fault)


@pytest.mark.parametrize("lost", [False, True])
def test_who_has_the_word_is_looked_for_within_the_same_time(bench, lost):
    bench.outputs[3].lost = lost
    bench.bus._bit_rate_hz = 8_000
    bench.strike("drop_write", count=None)
    assert not bench.repair.change(bench.outputs[0], NEW)
    assert bench.asked == [0x20, 0x21, 0x22]  # by then it is over
    assert bench.known("doubted") == [True] * 4


def test_a_word_that_was_shown_is_known_although_no_time_is_left(bench):
    bench.bus._bit_rate_hz = 8_000
    bench.strike("nack")
    chip = bench.outputs[0]
    assert not bench.repair.change(chip, NEW)
    assert bench.words()[0] == NEW
    assert (chip.word, chip.doubted, chip.suspect) == (NEW, True, True)


def test_a_word_that_the_pins_do_not_show_is_written_again_at_once(bench):
    bench.strike("flip_read", bit=0)
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.asked == [0x20, 0x20, 0x21, 0x22, 0x23, 0x20, 0x20]


def test_a_suspect_chip_has_one_try(bench):
    bench.strike("nack", 0x20, count=None)
    chip = bench.outputs[0]
    chip.suspect = True
    assert not bench.repair.change(chip, NEW)
    assert bench.asked == [0x20, 0x21, 0x22, 0x23]
    assert chip.suspect
    bench.forget()
    chip.suspect = False
    assert not bench.repair.change(chip, NEW)
    assert bench.asked == [0x20] * 3 + [0x21, 0x22, 0x23]
    assert chip.suspect
    assert (
        bench.notes
        == [("no answer", 0x20), ("write not verified", 0x20)] + [("no answer", 0x20)] * 2
    )
    assert (chip.word, chip.doubted) == (OLD, True)
    assert bench.known("doubted") == [True, False, False, False]


@pytest.mark.parametrize("kind", ["nack", "flip_read", "drop_write"])
def test_a_word_that_is_not_verified_at_first_is_in_the_end(bench, kind):
    chip = bench.outputs[0]
    bench.strike(kind)
    assert bench.repair.change(chip, NEW)
    assert bench.words() == [NEW, OLD, OLD, OLD]
    assert (chip.word, chip.doubted, chip.unverified, chip.suspect) == (NEW, False, False, False)
    assert ("write not verified", 0x20) in bench.notes


def test_a_word_that_went_to_another_is_taken_back_there_before_anything_else(bench):
    """Nearest addresses first: by one bit, then by two."""
    bench.strike("wrong_chip", 0x23, bit=1)  # to 0x21
    assert bench.repair.change(bench.outputs[3], NEW)
    assert bench.bus.faults_hit
    assert bench.asked[:6] == [0x23, 0x21, 0x21, 0x21, 0x22, 0x20]
    assert bench.words() == [OLD, OLD, OLD, NEW]
    assert bench.notes == [("write not verified", 0x23), ("rewritten", 0x21)]


def test_who_may_have_the_word_is_asked_right_after_it_was_written_again(bench):
    bench.strike("nack_data", 0x20, bit=8)  # the chip cannot tell where it is
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.asked[:5] == [0x20, 0x20, 0x21, 0x22, 0x23]
    assert bench.words() == [NEW, OLD, OLD, OLD]


@pytest.mark.parametrize("lost", [False, True])
def test_a_chip_that_cannot_show_what_became_of_it_is_in_doubt(bench, lost):
    """A word of another may have landed there; what it held is not written again unseen."""
    victim = bench.outputs[1]
    if lost:
        victim.fail()
    else:
        victim.suspect = True
    bench.forget()
    bench.strike("wrong_chip", 0x20, bit=0)
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.words() == [NEW, NEW, OLD, OLD]
    assert (victim.doubted, victim.unverified) == (True, True)
    assert bench.known("doubted") == [False, True, False, False]
    assert ("rewritten", 0x21) not in bench.notes


@pytest.mark.parametrize(("inputs", "silent"), [(0xFF, False), (0x7F, False), (0xFF, True)])
def test_a_lost_chip_is_in_no_doubt_where_it_shows_that_it_drives_nothing(bench, inputs, silent):
    victim = bench.outputs[1]
    bench.poke(0x21, 0x00, 0xFF, inputs)
    victim.fail()
    bench.forget()
    if silent:
        bench.bus.chips[0x21].held_in_reset = True
    bench.strike("nack")
    assert bench.repair.change(bench.outputs[0], NEW)
    nothing = inputs == 0xFF and not silent
    assert victim.doubted is victim.unverified is (not nothing)
    assert (("no answer", 0x21) in bench.notes) is silent


@pytest.mark.parametrize(("kind", "note"), [("nack", "no answer"), ("flip_read", "rewritten")])
def test_another_chip_that_does_not_show_its_word_in_four_looks_is_in_doubt(bench, kind, note):
    """It is silent, or a pin of it does not show its latch."""
    bench.strike("nack")
    bench.strike(kind, 0x21, count=None, bit=0)
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.notes.count((note, 0x21)) == 4
    assert bench.known("doubted") == [False, True, False, False]
    assert not any(bench.known("lost"))


def test_what_is_written_again_is_told_although_nobody_answers(bench):
    bench.strike("wrong_chip", bit=0)
    bench.strike("nack", 0x21, at=2)
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.words() == [NEW, OLD, OLD, OLD]
    again = ("rewritten", 0x21)
    assert bench.notes == [("write not verified", 0x20), again, ("no answer", 0x21), again]


def test_a_chip_that_was_left_out_is_not_asked_who_has_the_word(bench):
    bench.outputs[1].known = False
    bench.strike("nack")
    assert bench.repair.change(bench.outputs[0], NEW)
    assert 0x21 not in bench.asked
    assert not bench.outputs[1].doubted


def test_an_abandoned_chip_is_put_right_too(bench):
    victim = bench.outputs[1]
    victim.abandoned = victim.doubted = victim.unverified = True
    bench.strike("wrong_chip", 0x20, bit=0)
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.words() == [NEW, OLD, OLD, OLD]
    assert (victim.doubted, victim.unverified) == (False, False)


# Directions.


@pytest.mark.parametrize(
    ("bit_rate_hz", "word", "driven"),
    [
        (400_000, 0x0F0F, True),
        (90_000, 0x0F0F, False),  # a contactor may have moved since the write began
        (90_000, 0x3040, True),  # the coils of those pins are off anyway
    ],
)
def test_pins_that_became_inputs_drive_again_only_where_nothing_can_have_moved(
    bench, bit_rate_hz, word, driven
):
    chip = bench.outputs[0]
    bench.bus._bit_rate_hz = bit_rate_hz
    bench.strike("flip_write", bit=0)  # the pointer: the word's second byte becomes IODIRA
    assert bench.repair.change(chip, word) is driven
    assert bench.words()[0] == (word if driven else word & ~(word >> 8))
    assert chip.lost is (not driven)
    assert chip.word == bench.words()[0]
    assert chip.doubted is (not driven)


def test_pins_that_stay_inputs_are_a_loss_and_not_written_again(bench):
    bench.strike("flip_write", bit=0)
    bench.strike("drop_write", at=3, count=None)
    assert not bench.repair.change(bench.outputs[0], 0x0F0F)
    assert bench.asked == [0x20] * 5 + [0x21, 0x22, 0x23]
    assert bench.outputs[0].lost
    assert bench.outputs[0].word == bench.words()[0] == 0x0F00


def test_a_direction_that_is_written_again_is_told_although_nobody_answers(bench):
    bench.strike("flip_write", bit=0)
    bench.strike("nack", at=3)
    assert bench.repair.change(bench.outputs[0], 0x0F0F)
    again = ("rewritten", 0x20)
    assert bench.notes == [("write not verified", 0x20), again, ("no answer", 0x20), again]


def test_pins_do_not_drive_again_what_nobody_wrote(bench):
    bench.poke(0x21, 0x00, 0xFF, 0xFF)  # as a configuration that strayed would have it
    bench.poke(0x21, 0x14, 0x0F, 0x0F)  # but this no more than one write can have done
    bench.strike("nack")
    assert bench.repair.configure(bench.outputs[0])
    assert bench.words() == [0, 0, OLD, OLD]
    assert bench.known("lost") == bench.known("doubted") == [False, True, False, False]
    assert bench.outputs[1].word == 0


def test_a_chip_whose_own_pins_are_wrong_is_put_right_before_the_others_are_asked(bench):
    bench.strike("flip_write", bit=0)
    assert bench.repair.change(bench.outputs[0], 0x0F0F)
    assert bench.asked == [0x20] * 6 + [0x21, 0x22, 0x23]


@pytest.mark.parametrize("shorted", [False, True])
def test_pins_that_something_else_made_inputs_are_left_so_and_the_chip_is_lost(bench, shorted):
    """Its coils are those that its latches drive, whatever another pin shows."""
    chip = bench.outputs[0]
    bench.poke(0x20, 0x00, 0x01)
    if shorted:
        bench.strike("flip_read", count=None, bit=1)
    assert not bench.repair.change(chip, NEW)
    assert bench.bus.chips[0x20].register(0x00) == 0x01
    assert chip.lost
    assert chip.word == NEW & ~0x01
    assert bench.notes == [("write not verified", 0x20), ("lost", 0x20)]


@pytest.mark.parametrize("inputs", [0x01, 0xFF])
def test_a_word_that_strays_makes_no_inputs(bench, inputs):
    """Pins of another chip that are inputs after it were made so by something else."""
    bench.poke(0x21, 0x00, inputs, inputs)
    bench.strike("nack")
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.bus.chips[0x21].register(0x00) == inputs
    assert bench.known("lost") == bench.known("doubted") == [False, True, False, False]


@pytest.mark.parametrize("bit", [0, 16, 32])
def test_a_chip_is_not_lost_by_what_one_reading_shows(bench, bit):
    """Nor a direction written: pins, latches and directions of one reading are flipped."""
    bench.strike("nack")
    bench.strike("flip_read", 0x21, bit=bit)
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.bus.faults_hit[-1].address == 0x21
    assert bench.words() == [NEW, OLD, OLD, OLD]
    assert not any(bench.known("lost"))
    assert not any(bench.known("doubted"))


def test_a_pin_that_never_shows_its_latch_is_no_loss_but_never_verified(bench):
    bench.strike("flip_read", bit=0, count=None)
    chip = bench.outputs[0]
    assert not bench.repair.change(chip, NEW)
    assert bench.words()[0] == NEW
    assert not chip.lost
    assert chip.doubted
    assert chip.suspect
    assert bench.asked.count(0x20) <= 1 + 1 + 2 * 4 + 1


def test_a_word_is_not_verified_while_the_options_are_wrong(bench):
    bench.poke(0x20, 0x02, 0x01)
    bench.strike("nack")
    bench.strike("drop_write", at=7, count=None)  # the word is through
    chip = bench.outputs[0]
    assert not bench.repair.change(chip, NEW)
    assert bench.bus.chips[0x20].register(0x02) == 1
    assert (chip.word, chip.doubted, chip.suspect) == (NEW, True, True)


def test_options_that_are_found_wrong_after_a_failed_write_are_put_right(bench):
    bench.poke(0x20, 0x02, 0x01)
    bench.strike("nack")
    assert bench.repair.change(bench.outputs[0], NEW)
    assert bench.bus.chips[0x20].register(0x02) == 0
    assert bench.notes[-1] == ("rewritten", 0x20)


# Configuring.


def test_a_chip_is_configured_at_once_or_by_trying_again(bench):
    for chip in (bench.outputs[1], bench.feedback[1]):
        for fault in ("none", "nack", "flip_read"):
            bench.poke(chip.device.address, 0x02, 0x01)
            if fault != "none":
                bench.strike(fault, chip.device.address, bit=8)
            chip.lost = chip.suspect = True
            assert bench.repair.configure(chip)
            assert chip.in_service
            assert not chip.suspect
    assert bench.words() == [OLD, 0, OLD, OLD]
    assert bench.notes == [("no answer", 0x21), ("no answer", 0x25)]


def test_a_chip_that_answers_and_does_not_come_right_is_lost(bench):
    for chip, kind, lost in (
        (bench.outputs[0], "drop_write", True),
        (bench.outputs[1], "nack", False),
        (bench.feedback[0], "flip_read", True),
    ):
        bench.poke(chip.device.address, 0x02, 0x01)
        fault = bench.strike(kind, chip.device.address, count=None, bit=8)
        assert not bench.repair.configure(chip)
        assert not chip.known
        assert chip.lost is lost
        bench.bus.clear(fault)


def test_configuring_is_tried_three_times_and_each_time_the_others_are_looked_over(bench):
    bench.strike("nack", 0x24, count=None)
    assert not bench.repair.configure(bench.feedback[0])
    assert bench.asked[:6] == [0x24, 0x20, 0x21, 0x22, 0x23, 0x20]
    tries = [place for place, address in enumerate(bench.asked) if address == 0x24]
    assert len(tries) == 3
    others = bench.asked[tries[0] + 1 : tries[1]]
    assert others == bench.asked[tries[1] + 1 : tries[2]] == bench.asked[tries[2] + 1 :]
    assert others == [0x20, 0x21, 0x22, 0x23] * 2 + [0x25]


@pytest.mark.parametrize("bit_rate_hz", [400_000, 80_000])
def test_pins_that_a_configuration_made_inputs_elsewhere_drive_again(bench, bit_rate_hz):
    """However long it took up to the write that failed."""
    bench.bus._bit_rate_hz = bit_rate_hz
    bench.poke(0x20, 0x02, 0x01)
    bench.strike("wrong_chip", 0x20, at=1, bit=0)  # the directions, to 0x21
    assert bench.repair.configure(bench.outputs[0])
    assert bench.bus.faults_hit
    assert bench.words() == [0, OLD, OLD, OLD]
    assert not any(bench.known("lost"))


def test_when_a_chip_fell_silent_nobody_knows_how_long_ago_pins_became_inputs(bench):
    """They may have moved a contactor since the try began."""
    bench.bus._bit_rate_hz = 80_000
    bench.poke(0x20, 0x02, 0x01)
    bench.strike("wrong_chip", 0x20, at=1, bit=0)
    bench.strike("nack_data", 0x20, at=1, bit=24)  # the pointer that follows is refused
    bench.repair.configure(bench.outputs[0])
    assert len(bench.bus.faults_hit) == 2
    assert bench.known("lost") == [False, True, False, False]
    assert bench.words()[1] == 0


def test_what_a_configuration_may_have_done_elsewhere_is_put_right(bench):
    """But nothing is asked of the options of an abandoned chip, nor of one out of service."""
    damaged = {0x20: True, 0x22: False, 0x23: False, 0x24: False, 0x25: True}
    for address in damaged:
        bench.poke(address, 0x02, 0x01)
    bench.outputs[2].abandoned = True
    bench.outputs[3].lost = True
    bench.feedback[0].lost = True
    bench.strike("nack", 0x21)
    assert bench.repair.configure(bench.outputs[1])
    for address, repaired in damaged.items():
        assert bench.bus.chips[address].register(0x02) == (0 if repaired else 1), hex(address)
    assert [note for note in bench.notes if note[0] == "rewritten"] == [
        ("rewritten", 0x20),
        ("rewritten", 0x25),
    ]


@pytest.mark.parametrize(
    ("kind", "at", "asked", "notes"),
    [
        ("drop_write", 0, 1 + 3 * 2, [("rewritten", 0x21)] * 3),
        ("nack", 4, 1 + 2 + 2, [("no answer", 0x21), ("rewritten", 0x21)]),
        ("nack", 5, 1 + 5, [("rewritten", 0x21), ("no answer", 0x21), ("rewritten", 0x21)]),
    ],
)
def test_options_elsewhere_are_read_and_written_three_times_at_most(bench, kind, at, asked, notes):
    bench.poke(0x21, 0x02, 0x01)
    bench.strike("nack", 0x20)
    bench.strike(kind, 0x21, at=at, count=None if kind == "drop_write" else 1)
    assert bench.repair.configure(bench.outputs[0])
    assert bench.asked.count(0x21) == asked
    assert bench.notes == [("no answer", 0x20), *notes]


def test_a_feedback_chip_that_is_silent_meanwhile_is_told(bench):
    bench.poke(0x25, 0x02, 0x01)
    for silent, at in ((0x21, 0), (0x24, 7), (0x25, 9)):
        bench.strike("nack", silent, at=at)
    assert bench.repair.configure(bench.outputs[1])
    assert bench.notes == [
        ("no answer", 0x21),
        ("no answer", 0x24),
        ("rewritten", 0x25),
        ("no answer", 0x25),
    ]


def test_configuring_has_its_own_time(bench):
    bench.strike("nack", 0x20, count=None)
    assert not bench.repair.change(bench.outputs[0], NEW)
    bench.time.advance_us(100_000)
    assert not bench.repair.change(bench.outputs[1], NEW)
    assert bench.repair.configure(bench.outputs[1])
