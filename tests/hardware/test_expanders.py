"""What is believed of one chip: readings in, and what is known then. The readings are scripted."""

from collections.abc import Sequence
from typing import Any

import pytest
from scripted_bus import ScriptedBus, from_ipol, registers, word

from hardware.expanders import Chip, FeedbackChip, OutputChip
from hardware.mcp23017 import MCP23017

PINS = 0x7F7F
OLD, NEW, OTHER = 0x1234, 0x4321, 0x0101
ALL = 0xFFFF


class Told:
    """A chip at 0x20, what it will be answered, and what it notes."""

    def __init__(self, *answers: bytes | None, feedback: bool = False) -> None:
        self.bus = ScriptedBus(*answers)
        self.notes: list[str] = []
        device = MCP23017(self.bus, 0x20)
        self.chip: Any = (
            FeedbackChip(device, self.note) if feedback else OutputChip(device, self.note, PINS)
        )

    def note(self, kind: str, address: int) -> None:
        assert address == 0x20
        self.notes.append(kind)

    def in_service(self, latch: int = OLD) -> "Told":
        feedback = isinstance(self.chip, FeedbackChip)
        assert self.chip.adopt(registers(0 if feedback else latch, feedback=feedback))
        return self

    def looks(self, look: str, times: int) -> list[bool]:
        """What so many looks in one scan say: nothing is left to find out."""
        return [getattr(self.chip, look)() for _ in range(times)]


def scrub(latch: int = OLD, **others: int) -> bytes:
    return from_ipol(registers(latch, **others))


def outputs(pins: int = OLD, latch: int | None = None, inputs: int = 0) -> bytes:
    """GPIO, OLAT and IODIR."""
    return word(pins) + word(pins if latch is None else latch) + word(inputs)


def contacts(pins: int, pull_ups: int = ALL) -> bytes:
    """GPPU to GPIO."""
    return word(pull_ups) + bytes(4) + word(pins)


def directed(pins: int, pull_ups: int = ALL, inputs: int = ALL) -> bytes:
    """GPPU to GPIO, OLAT and IODIR."""
    return contacts(pins, pull_ups) + bytes(2) + word(inputs)


# Who is in service.


@pytest.mark.parametrize("feedback", [False, True])
def test_a_chip_that_nobody_has_seen_is_nothing_yet(feedback):
    chip = Told(feedback=feedback).chip
    assert not chip.in_service
    assert not any((chip.known, chip.lost, chip.abandoned, chip.answered))
    assert chip.suspect
    if feedback:
        assert (chip.pins, chip.pins_again) == (0, 0)
    else:
        assert (chip.word, chip.unverified, chip.doubted) == (0, False, False)


@pytest.mark.parametrize(
    ("shown", "adopted"),
    [
        (registers(OLD), True),
        (registers(0), True),
        (registers(OLD, iodir=1), False),
        (registers(OLD, gpio=0), False),
        (registers(feedback=True), False),
        (registers(OLD | 0x0080), False),  # a pin that drives nothing of ours
    ],
)
def test_an_output_chip_is_adopted_with_its_latches_if_it_is_as_expected(shown, adopted):
    chip = Told().chip
    chip.lost = chip.suspect = True
    assert chip.adopt(shown) is adopted
    assert chip.in_service is chip.known is adopted
    assert chip.lost is chip.suspect is (not adopted)
    assert chip.word == (int.from_bytes(shown[-2:], "little") if adopted else 0)


@pytest.mark.parametrize("pins", [0, 0x5555])
def test_a_feedback_chip_is_adopted_whatever_its_contacts_show(pins):
    chip = Told(feedback=True).chip
    assert not chip.adopt(registers(pins))
    assert not chip.in_service
    assert chip.adopt(registers(feedback=True, gpio=pins, olat=3))
    assert chip.in_service


def test_a_lost_chip_is_not_in_service():
    told = Told().in_service()
    told.chip.fail()
    assert told.chip.lost
    assert not told.chip.in_service
    assert told.notes == ["lost"]


# All registers: at the start, and in turn.

ODD = registers(OLD, ipol=1)


@pytest.mark.parametrize(
    ("readings", "settled", "feedback"),
    [
        ([registers(OLD)] * 2, 2, False),
        ([registers(OLD), registers(NEW), registers(NEW)], 3, False),
        ([registers(OLD), None, registers(OLD)], 3, False),
        ([None, None, registers(OLD), registers(OLD)], 4, False),
        (
            [registers(OLD), registers(NEW), registers(OLD), registers(NEW), registers(NEW)],
            0,
            False,
        ),
        ([None] * 5, 0, False),
        ([ODD, registers(OLD), ODD, registers(OLD), registers(OLD)], 0, False),
        ([ODD, registers(NEW, ipol=2)], 2, False),  # neither is as it should be: enough
        ([registers(feedback=True), registers(feedback=True, gpio=5, olat=3)], 2, True),
        ([registers(feedback=True), ODD, registers(NEW, ipol=2)], 3, True),
    ],
)
def test_registers_are_settled_when_two_readings_say_the_same_of_what_matters(
    readings: Sequence[bytes | None], settled: int, feedback: bool
) -> None:
    """So many are read; 0: none of the four that there are."""
    told = Told(*(shown and from_ipol(shown) for shown in readings), feedback=feedback)
    assert told.chip.settled_registers() == (readings[settled - 1] if settled else None)
    assert len(told.bus.sent) == (settled or 4)
    assert told.notes == ["no answer"] * list(readings[: settled or 4]).count(None)


@pytest.mark.parametrize(
    ("readings", "done", "lost"),
    [
        ([scrub()], [True], False),
        ([scrub(NEW)], [True], False),  # what the latches hold is for another look
        ([scrub(ipol=1), scrub()], [False, True], False),
        ([scrub(ipol=1), scrub(ipol=2), scrub(ipol=1)], [False] * 3, False),
        ([scrub(ipol=1)] * 2, [False, True], True),
        ([scrub(gppu=1)] * 2, [False, True], True),
        ([scrub(ipol=1), scrub(NEW, ipol=1, intf=1)], [False, True], True),
        ([scrub(gpio=0)] * 2, [False, True], True),
        ([scrub(gpio=0), scrub()], [False, True], False),
        ([scrub(iodir=1)] * 2, [False, True], True),
    ],
)
def test_a_chip_whose_registers_are_twice_not_as_configured_is_lost(readings, done, lost):
    told = Told(*readings).in_service()
    assert told.looks("look_over", len(readings)) == done
    assert told.chip.lost is lost
    assert told.notes == ["odd reading"] * done.count(False) + ["lost"] * lost


def test_odd_registers_of_two_scans_are_not_twice():
    told = Told(*[scrub(ipol=1)] * 2).in_service()
    assert told.looks("look_over", 1) == [False]
    told.chip.begin_scan()
    assert told.looks("look_over", 1) == [False]
    assert not told.chip.lost


def test_of_a_chip_that_was_left_out_the_registers_say_nothing():
    told = Told(*[scrub(ipol=1)] * 2)
    assert told.looks("look_over", 2) == [True, True]
    assert not told.chip.lost
    assert not told.notes


# The latches.


@pytest.mark.parametrize(
    ("readings", "done", "known", "notes"),
    [
        ([outputs()], [True], OLD, []),
        ([outputs(NEW), outputs()], [False, True], OLD, ["odd reading"]),
        ([outputs(OLD, NEW), outputs()], [False, True], OLD, ["odd reading"]),
        ([outputs(NEW, OLD), outputs()], [False, True], OLD, ["odd reading"]),
        ([outputs(inputs=1), outputs()], [False, True], OLD, ["odd reading"]),
        (
            [outputs(NEW), outputs(NEW), scrub(NEW)],
            [False, True],
            NEW,
            ["odd reading", "latch changed"],
        ),
        (
            [outputs(NEW), outputs(OTHER), outputs(OTHER), scrub(OTHER)],
            [False, False, True],
            OTHER,
            ["odd reading"] * 2 + ["latch changed"],
        ),
    ],
)
def test_latches_are_what_was_written_or_what_two_readings_and_all_registers_show(
    readings, done, known, notes
):
    told = Told(*readings).in_service()
    told.chip.begin_scan()
    assert told.looks("look", len(done)) == done
    assert told.chip.answered
    assert told.chip.word == known
    assert told.notes == notes
    assert not told.chip.lost
    assert not told.bus.answers


@pytest.mark.parametrize(
    ("readings", "looks"),
    [
        ([outputs(NEW), outputs(OTHER), outputs(NEW)], 3),
        ([outputs(NEW), outputs(NEW), scrub(NEW, ipol=1)], 2),
        ([outputs(NEW), outputs(NEW), scrub(OTHER)], 2),
        ([outputs(NEW), outputs(NEW), scrub(OTHER), outputs(NEW), scrub(OLD)], 3),
    ],
)
def test_latches_that_are_told_otherwise_are_not_believed(readings, looks):
    told = Told(*readings).in_service()
    assert told.looks("look", looks) == [False] * looks
    assert not told.chip.answered
    assert not told.chip.lost
    assert told.chip.word == OLD
    assert "latch changed" not in told.notes
    assert not told.bus.answers


@pytest.mark.parametrize(
    ("reading", "driven"),
    [
        (outputs(0, OLD, ALL), 0),
        (outputs(0x1230, OLD, 0x0004), 0x1230),
        (outputs(0x1230, OLD), OLD),  # held low, or shorted: the latch counts
        (outputs(NEW, OTHER), OTHER),
    ],
)
def test_pins_that_do_not_drive_what_the_latches_hold_are_a_loss(reading, driven):
    told = Told(reading, reading).in_service()
    assert told.looks("look", 2) == [False, True]
    assert told.chip.lost
    assert not told.chip.answered
    assert told.chip.word == driven
    assert told.notes == ["odd reading", "lost"]


@pytest.mark.parametrize("reading", [outputs(0), outputs(NEW), outputs(0, 0, ALL)])
def test_an_output_chip_that_was_left_out_is_lost_when_it_answers(reading):
    told = Told(reading)
    assert told.looks("look", 1) == [True]
    assert told.chip.lost
    assert not told.chip.answered
    assert told.notes == ["lost"]


def test_readings_of_two_scans_are_not_two():
    told = Told(outputs(NEW), outputs(NEW)).in_service()
    for _ in range(2):
        told.chip.begin_scan()
        assert told.looks("look", 1) == [False]
    assert not told.chip.answered


def test_what_was_answered_in_the_last_scan_is_not_answered_in_this():
    told = Told(outputs()).in_service()
    assert told.looks("look", 1) == [True]
    told.chip.begin_scan()
    assert not told.chip.answered


# The contacts.


@pytest.mark.parametrize("order", [("look", "look_again"), ("look_again", "look")])
def test_contacts_are_answered_once_both_looks_are_and_each_keeps_its_own(order):
    told = Told(feedback=True).in_service()
    answers = {"look": contacts(0x11), "look_again": directed(0x22)}
    told.bus.answers = [answers[look] for look in order]
    told.chip.begin_scan()
    assert told.looks(order[0], 1) == [True]
    assert not told.chip.answered
    assert told.looks(order[1], 1) == [True]
    assert told.chip.answered
    assert (told.chip.pins, told.chip.pins_again) == (0x11, 0x22)
    told.chip.begin_scan()
    assert not told.chip.answered
    told.bus.answers = [answers[order[1]]]
    assert told.looks(order[1], 1) == [True]
    assert not told.chip.answered


@pytest.mark.parametrize(
    ("look", "answer"), [("look", contacts(0x11)), ("look_again", directed(0x22))]
)
def test_one_look_at_the_contacts_taken_twice_is_not_both(look, answer):
    told = Told(answer, answer, feedback=True).in_service()
    assert told.looks(look, 2) == [True, True]
    assert not told.chip.answered


ODD_LOOKS = [
    ("look", contacts(0x11, pull_ups=0xFEFF)),
    ("look_again", directed(0x11, pull_ups=0xFEFF)),
    ("look_again", directed(0x11, inputs=0xFFFE)),
]


@pytest.mark.parametrize(("look", "odd"), ODD_LOOKS)
def test_contacts_of_a_chip_that_is_not_configured_tell_nothing_and_twice_it_is_lost(look, odd):
    told = Told(odd, odd, feedback=True).in_service()
    assert told.looks(look, 1) == [False]
    assert not told.chip.lost
    assert told.looks(look, 1) == [True]
    assert told.chip.lost
    assert told.notes == ["odd reading", "lost"]
    assert not told.chip.answered
    assert (told.chip.pins, told.chip.pins_again) == (0, 0)


@pytest.mark.parametrize(("look", "odd"), ODD_LOOKS)
def test_contacts_that_are_odd_once_are_looked_at_again(look, odd):
    told = Told(feedback=True).in_service()
    well = {"look": contacts(0x22), "look_again": directed(0x22)}
    told.bus.answers = [odd, well["look"], well["look_again"]]
    assert told.looks(look, 1) == [False]
    assert told.looks("look", 1) + told.looks("look_again", 1) == [True, True]
    assert told.chip.answered
    assert (told.chip.pins, told.chip.pins_again) == (0x22, 0x22)
    assert told.notes == ["odd reading"]
    told.chip.begin_scan()
    told.bus.answers = [odd]
    assert told.looks(look, 1) == [False]
    assert not told.chip.lost  # twice, but not in one scan


def test_contacts_that_are_odd_otherwise_each_time_are_no_loss():
    told = Told(*[directed(0, inputs=1 << n) for n in (1, 2, 1)], feedback=True).in_service()
    assert told.looks("look_again", 3) == [False] * 3
    assert not told.chip.lost


@pytest.mark.parametrize(
    ("look", "answer"), [("look", contacts(0x11)), ("look_again", directed(0x11))]
)
def test_a_feedback_chip_that_was_left_out_is_lost_when_it_answers(look, answer):
    told = Told(answer, feedback=True)
    assert told.looks(look, 1) == [True]
    assert told.chip.lost
    assert not told.chip.answered
    assert (told.chip.pins, told.chip.pins_again) == (0, 0)


@pytest.mark.parametrize(
    ("answer", "answers"),
    [
        (directed(0x11), True),
        (directed(0x11, pull_ups=0xFEFF), False),
        (directed(0x11, inputs=0xFFFE), False),
    ],
)
def test_a_look_that_counts_for_nothing_tells_whether_the_chip_would_answer(answer, answers):
    told = Told(answer, feedback=True).in_service()
    assert told.chip.answers() is answers
    assert (told.chip.pins, told.chip.pins_again, told.chip.answered) == (0, 0, False)
    assert not told.notes


@pytest.mark.parametrize("feedback", [False, True])
def test_a_chip_is_configured_as_what_it_is(feedback):
    right = registers(feedback=feedback)
    told = Told(from_ipol(right), from_ipol(right), feedback=feedback)
    chip: Chip = told.chip
    assert chip.configure()
    assert len(told.bus.sent) == 2
