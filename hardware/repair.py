"""Writes to the chips of a bus, each verified, and what a disturbed one may have done put right.

A write that is not verified may have landed on any other chip of its bus, or in any register: then
all that it can have changed is looked at and written again. Of another bus it can change nothing.
"""

from collections.abc import Sequence
from math import inf

from hardware import clock
from hardware.expanders import RETRIES, Chip, FeedbackChip, OutputChip
from hardware.mcp23017 import ALL_PINS, OutputReading, Shown

# After the first failed verify no try begins later than this: two timed-out transfers (10 ms each)
# and verifying the bus fit in. What is not verified by then is reported.
_RECOVERY_S = 0.025

# A pin that a corrupted write of ours has just turned into an input may drive its coil again as
# long as the contactor cannot have moved: below the 5 ms that a contactor takes at the least.
_UNMOVED_S = 0.004


class Repair:
    """Writes to these chips, all of one bus. After the first failed verify since `begin` it goes on
    for a bounded time; what is not verified by then is reported as such."""

    _failed_at_s = inf
    """The first failed verify since `begin`."""

    def __init__(self, outputs: Sequence[OutputChip], feedback: Sequence[FeedbackChip]) -> None:
        self._outputs = outputs
        self._feedback = feedback

    def begin(self) -> None:
        """What is written from now on has the whole time again."""
        self._failed_at_s = inf

    def change(self, chip: OutputChip, word: int) -> bool:
        """Bring a chip to a new word; True: verified."""
        if not chip.in_service or chip.abandoned or self._out_of_time():
            return False
        chip.doubted = True
        begun_s = clock.now_s()
        shown = self._write_word(chip, word)
        if shown == (word, word):
            chip.word = word
            chip.unverified = chip.doubted = False
            return True
        self._failed_at_s = min(self._failed_at_s, clock.now_s())
        chip.note("write not verified")
        for _ in () if chip.suspect else range(RETRIES):
            if shown == (chip.word, chip.word):  # it is as it was: then who has the word?
                self._verify_others(chip)
            if self._out_of_time():
                break
            shown = self._write_word(chip, word)
            if shown is not None and shown.latch == word:
                break
        if shown == (word, word):
            chip.word = word
            self._verify_others(chip)
        # A corrupted register pointer can bring the word's second byte into IODIRA, to where the
        # pointer rolls over; then the latches are right and the pins are not.
        verified = (
            shown is not None
            and shown.latch == word
            and self._restore(chip, word, word >> 8, begun_s)
            and self._restore_options(chip)
        )
        if shown != (word, word):
            self._verify_others(chip)
        chip.suspect = not verified
        if verified:
            chip.unverified = chip.doubted = False
        return verified

    def configure(self, chip: Chip) -> bool:
        """Configure one chip in a few tries; True: in service."""
        self.begin()
        chip.known = False
        for _ in range(1 + RETRIES):
            if self._out_of_time():
                break
            begun_s = clock.now_s()
            try:
                if chip.configure():
                    chip.enter_service()
                    return True
                chip.lost = True  # it answers
                begun_s = clock.now_s()  # the write before its last look was the one that failed
            except OSError:
                chip.note("no answer")
            self._failed_at_s = min(self._failed_at_s, begun_s)
            self._undo_damage(chip)
        return False

    def _write_word(self, chip: OutputChip, word: int) -> Shown | None:
        try:
            return chip.device.write_word(word)
        except OSError:
            chip.note("no answer")
            return None

    def _verify_others(self, culprit: Chip, stray_inputs: int | None = None) -> None:
        """Verify all output chips but this one, abandoned ones too: a write may have gone astray
        to any of them.

        An inverted address bit is the likeliest way, hence the order. stray_inputs: what that
        write would make of IODIR, if anything.
        """
        begun_s = self._failed_at_s
        for chip in sorted(self._outputs, key=lambda chip: _distance(chip, culprit)):
            if chip is culprit or not chip.known or (chip.lost and self._drives_nothing(chip)):
                continue
            # Of a suspect chip the word is not certain, and rewriting an old one could close.
            verified = (
                chip.in_service
                and not chip.suspect
                and self._restore(chip, chip.word, stray_inputs, begun_s)
            )
            chip.unverified = chip.doubted = not verified

    def _drives_nothing(self, chip: OutputChip) -> bool:
        """A look shows all its pins as inputs: whatever its latches hold, no coil hears of it."""
        try:
            return not self._out_of_time() and chip.device.read_outputs().inputs == ALL_PINS
        except OSError:
            chip.note("no answer")
            return False

    def _restore(
        self, chip: OutputChip, word: int, stray_inputs: int | None, begun_s: float
    ) -> bool:
        """Bring latches and directions back to what they must be; True: a reading shows them.

        Latches are written again at once. A direction is put right only if it is what a write of
        ours that went astray since `begun_s` makes of it, and only while no contactor can have
        moved. Otherwise, shown twice, the chip is lost.
        """
        doubt: OutputReading | None = None
        for _ in range(2 + RETRIES):
            if self._out_of_time():
                break
            try:
                reading = chip.device.read_outputs()
                if reading == (word, word, 0):
                    chip.word = word
                    return True
                if reading.inputs and reading == doubt:
                    chip.word = reading.latch & ~reading.inputs
                    chip.fail()
                    break
                if not reading.inputs:
                    chip.note("rewritten")
                    chip.device.write_word(word)
                elif reading.inputs == stray_inputs and reading.latch == word:
                    unmoved = clock.now_s() - begun_s < _UNMOVED_S
                    if unmoved or not reading.inputs & word:
                        chip.note("rewritten")
                        chip.device.drive_all_pins()
                doubt = reading
            except OSError:
                chip.note("no answer")
        return False

    def _restore_options(self, chip: OutputChip) -> bool:
        """Put right what a corrupted register pointer may have changed besides; True: verified."""
        for _ in range(1 + RETRIES):
            if self._out_of_time():
                break
            try:
                if chip.device.configured_as(outputs=True):
                    return True
                chip.note("rewritten")
                chip.device.write_output_options()
            except OSError:
                chip.note("no answer")
        return False

    def _undo_damage(self, culprit: Chip) -> None:
        """A write that configures a chip, itself out of service, may have landed on any other."""
        self._verify_others(culprit, stray_inputs=ALL_PINS)
        for output in self._outputs:
            if output.in_service and not output.abandoned:
                self._restore_options(output)
        for feedback in self._feedback:
            if not feedback.in_service or self._out_of_time():
                continue
            try:
                if not feedback.device.configured_as(outputs=False):
                    feedback.note("rewritten")
                    feedback.device.configure_inputs()
            except OSError:
                feedback.note("no answer")

    def _out_of_time(self) -> bool:
        return clock.now_s() > self._failed_at_s + _RECOVERY_S


def _distance(chip: Chip, other: Chip) -> int:
    """In how many bits their addresses differ."""
    return (chip.device.address ^ other.device.address).bit_count()
