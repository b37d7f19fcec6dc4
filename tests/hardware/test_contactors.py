"""The bank of expanders on the simulated bus, judged by what the simulated chips' pins do."""

import errno
import fcntl
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
import smbus2
from layouts import FEEDBACK, OUTPUTS, REFERENCE

from hardware import DeviceLost, HardwareError, clock
from hardware.contactors import BankReading, ContactorController, scrubs_each_scan
from hardware.layout import Layout
from hardware.simulated.bus import BusFault, SimulatedBus
from hardware.simulated.virtual_time import VirtualTime

EXPANDERS = {*REFERENCE.output_expanders, *REFERENCE.feedback_expanders}
CONTACTORS = 54
PINS = (*range(7), *range(8, 15))  # transcribed from the wiring contract, as an electrician would
SCAN_S = 0.020
FULL_READ = 13  # each chip once, its contacts again, one chip looked over

CONFIGURED = bytes([0, 0, 0, 0, 0, 0, 0xA5, 0x5A, 0, 0, 0, 0, 0, 0])  # IODIR to GPPU

Coils = list[bool]


def words_of(coils: Coils) -> list[int]:
    """By expander, the word that an electrician would measure."""
    chips = [coils[first : first + 14] for first in range(0, len(coils), 14)]
    return [sum(1 << p for p, coil in zip(PINS, chip, strict=False) if coil) for chip in chips]


def coils_of(words: Sequence[int]) -> Coils:
    """The coils that those words set."""
    return [bool(word >> pin & 1) for word in words for pin in PINS][:CONTACTORS]


def bank_of(
    layout: Layout = REFERENCE, coils: int = CONTACTORS, scan_ms: int = 20
) -> ContactorController:
    """A bank with so many coils on it."""
    return ContactorController(layout, words_of([True] * coils), scan_ms)


def some_coils(seed: int) -> Coils:
    drawn = random.Random(seed)
    return [drawn.random() < 0.5 for _ in range(CONTACTORS)]


NONE = [False] * CONTACTORS
OLD, NEW = some_coils(1), some_coils(2)


@dataclass
class Driven:
    at_us: int
    word: int


class Bench:
    """A bank whose auxiliary contacts follow the coils at once."""

    def __init__(self, adapter: str = "bcm2835", bit_rate_hz: int = 400_000) -> None:
        self.time = VirtualTime()
        self.bus = SimulatedBus(
            self.time, OUTPUTS, FEEDBACK, adapter=adapter, bit_rate_hz=bit_rate_hz
        )
        self.history: dict[int, list[Driven]] = {at: [Driven(0, 0)] for at in OUTPUTS}
        for output, feedback in zip(OUTPUTS, FEEDBACK, strict=True):
            self.bus.chips[output].driven = self._recorder(output)
            self.bus.chips[feedback].floating = self._follower(output)
        self.bank = bank_of()

    def _recorder(self, address: int) -> Callable[[int, str], None]:
        return lambda word, cause: self.history[address].append(Driven(self.time.now_us, word))

    def _follower(self, address: int) -> Callable[[], int]:
        return lambda: self.bus.chips[address].word

    def running(self, coils: Coils) -> "Bench":
        self.bank.open()
        self.bank.start()
        assert self.write(coils) == frozenset()
        assert self.read().answered == (True,) * 4
        return self

    def read(self, patience_s: float = SCAN_S) -> BankReading:
        return self.bank.read(patience_s)

    def write(self, coils: Coils) -> frozenset[int]:
        return self.bank.write(words_of(coils))

    def shows(self, position: int, coils: Coils) -> bool:
        return self.bus.chips[OUTPUTS[position]].word == words_of(coils)[position]

    def raw_write(self, address: int, *data: int) -> None:
        """Somebody else on the bus."""
        with smbus2.SMBus(1) as bus:
            bus.i2c_rdwr(smbus2.i2c_msg.write(address, data))

    def strike(
        self, kind: str, at: int, bit: int | None = None, address: int | None = None
    ) -> None:
        self.bus.inject(BusFault(kind, address, at, 1, bit))

    def set_up(self) -> list[bytes]:
        """The registers of the output chips up to the pull-ups."""
        return [bytes(self.bus.chips[at].register(r) for r in range(0x0E)) for at in OUTPUTS]

    def longest_wrong_us(self, since_us: int, old: Coils, new: Coils) -> int:
        """The longest time that a pin was neither as it was before nor as it was to be."""
        longest = 0
        for position, address in enumerate(OUTPUTS):
            before, after = words_of(old)[position], words_of(new)[position]
            course = [*self.history[address], Driven(self.time.now_us, 0)]
            wrong_us = 0
            for now, then in pairwise(course):
                if (now.word & ~(before | after)) | (before & after & ~now.word):
                    wrong_us += max(0, then.at_us - max(now.at_us, since_us))
                else:
                    wrong_us = 0
                longest = max(longest, wrong_us)
        return longest

    def liars(self, reading: BankReading) -> list[int]:
        """Positions that the reading calls answered, and whose latches it tells wrongly."""
        return [
            position
            for position in range(4)
            if reading.answered[position] and not self.shows(position, coils_of(reading.latch))
        ]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Bench]]:
    opened = []

    def build(adapter: str = "bcm2835", bit_rate_hz: int = 400_000) -> Bench:
        made = Bench(adapter, bit_rate_hz)
        monkeypatch.setattr(clock, "now_s", made.time.now_s)
        monkeypatch.setattr(clock, "sleep_s", made.time.sleep_s)
        installed = made.bus.installed()
        installed.__enter__()
        opened.append((made, installed))
        return made

    yield build
    for made, installed in reversed(opened):
        made.bank.close()
        installed.__exit__(None, None, None)


# Without faults.


def test_a_late_write_opens_and_closes_nothing(bench):
    """Each word is late or not when it is its turn; what it leaves out was not asked of it."""
    station = bench().running(OLD)
    words = words_of(NEW)
    assert station.bank.write(words, clock.now_s()) == frozenset()
    only_opened = [before & after for before, after in zip(words_of(OLD), words, strict=True)]
    assert [station.bus.chips[at].word for at in OUTPUTS] == [words[0], *only_opened[1:]]
    assert station.read().latch == (words[0], *only_opened[1:])
    assert all(station.bank.read(1).heeded)
    assert station.write(NEW) == frozenset()
    assert all(station.shows(position, NEW) for position in range(4))


@pytest.mark.parametrize("adapter", ["bcm2835", "designware"])
def test_coils_and_contacts_follow_what_is_written(bench, adapter):
    station = bench(adapter).running(NONE)
    for seed in range(5):
        coils = some_coils(seed)
        assert station.write(coils) == frozenset()
        assert all(station.shows(position, coils) for position in range(4))
        reading = station.read()
        assert (
            coils_of(reading.latch)
            == coils_of(reading.closed)
            == coils_of(reading.closed_again)
            == coils
        )
        assert reading.lost == (False,) * 4
    assert not station.bank.counts


def test_nothing_is_driven_while_a_cold_bank_is_configured(bench):
    station = bench()
    station.raw_write(0x21, 0x14, 0xFF, 0x7F)  # latches left armed behind inputs
    station.bank.open()
    station.bank.start()
    assert [len(course) for course in station.history.values()] == [1, 1, 1, 1]
    assert coils_of(station.read().latch) == NONE


def test_a_restart_keeps_the_latches_of_a_configured_bank(bench):
    station = bench().running(OLD)
    changes = sum(map(len, station.history.values()))
    station.bank.close()
    station.bank = bank_of()
    station.bank.open()
    station.bank.start()
    assert coils_of(station.read().latch) == OLD
    assert sum(map(len, station.history.values())) == changes


@pytest.mark.parametrize(
    "damage",
    [(0x0A, 0x80), (0x0A, 0x20), (0x00, 0x01, 0x00), (0x02, 0xFF), (0x14, 0x80), (0x06, 0, 0)],
    ids=["bank 1", "byte mode", "an input", "polarity", "unused pin", "no mark"],
)
def test_a_chip_found_otherwise_at_the_start_is_cleared(bench, damage):
    station = bench().running(OLD)
    station.raw_write(0x22, *damage)
    station.bank.start()
    reading = station.read()
    assert reading.answered == (True,) * 4
    assert station.bus.chips[0x22].word == 0
    assert not reading.latch[2]
    assert coils_of(reading.latch[:2]) == OLD[:28]


def test_only_words_that_change_go_over_the_wire(bench):
    station = bench().running(OLD)
    coils = list(OLD)
    coils[20] = not coils[20]
    transactions, wire_bytes = station.bank.transactions, station.bank.wire_bytes
    assert station.write(coils) == frozenset()
    assert station.bank.transactions == transactions + 1
    # address, register, two of data; address, register; address, four read back
    assert station.bank.wire_bytes == wire_bytes + 11
    assert (station.bank.transactions, station.bank.wire_bytes) == (
        station.bus.transactions,
        station.bus.wire_bytes,
    )
    assert station.write(coils) == frozenset()
    assert station.bank.transactions == transactions + 1


def test_a_scan_reads_in_thirteen_transfers_and_leaves_time(bench):
    station = bench().running(OLD)
    transactions, begun_us = station.bank.transactions, station.time.now_us
    station.read()
    assert station.bank.transactions == transactions + FULL_READ
    assert station.time.now_us - begun_us < 6_000


def test_the_second_look_at_the_contacts_comes_after_all_first_looks(bench):
    station = bench().running(OLD)
    begun = station.bus.transactions
    for address in FEEDBACK:
        station.bus.chips[address].floating = lambda: (
            0x7F7F if station.bus.transactions > begun + 8 else 0
        )
    reading = station.read()
    assert reading.answered == (True,) * 4
    assert reading.closed == (0,) * 4
    assert reading.closed_again == (0x7F7F,) * 4


def test_until_it_has_read_a_bank_says_nothing(bench):
    station = bench()
    station.bank.open()
    assert station.bank.answering() == EXPANDERS
    assert station.bus.wire_bytes == 8 * 25
    station.bank.start()
    reading = station.read(patience_s=0)
    nothing = (False,) * 4
    assert reading.answered == reading.seen == reading.doubted == reading.lost == nothing
    assert reading.heeded == (True,) * 4
    assert reading.latch == reading.closed == reading.closed_again == (0,) * 4


def test_who_answers_is_found_without_a_write(bench):
    station = bench()
    station.bus.chips[0x21].held_in_reset = True
    station.bank.open()
    registers = {at: bytes(map(chip.register, range(22))) for at, chip in station.bus.chips.items()}
    assert station.bank.answering() == EXPANDERS - {(1, 0x21)}
    for at, chip in station.bus.chips.items():
        assert bytes(map(chip.register, range(22))) == registers[at]


def test_who_has_been_reset_is_seen(bench):
    station = bench()
    station.bank.open()
    station.bank.start()
    assert station.bank.as_after_reset() == set()
    station.bus.reset_line(True)
    assert station.bank.as_after_reset() == set()  # none answers
    station.bus.reset_line(False)
    station.bus.inject(BusFault("nack", 0x21, count=None))
    assert station.bank.as_after_reset() == EXPANDERS - {(1, 0x21)}


def test_in_service_is_what_answered_and_is_configured(bench):
    station = bench()
    station.bus.chips[0x22].held_in_reset = True
    station.bank.open()
    station.bank.start()
    assert station.bank.in_service() == {at: at != (1, 0x22) for at in EXPANDERS}
    station.bus.inject(BusFault("brown_out", 0x25))
    station.read()
    assert not station.bank.in_service()[1, 0x25]
    # Back, and not yet looked at: it is not written to either.
    station.bus.chips[0x22].held_in_reset = False
    transactions = station.bank.transactions
    assert station.bank.write([0, 0, 3, 0]) == {2}
    assert station.bank.transactions == transactions


def test_a_quick_look_shows_the_contacts_of_one_position_or_none(bench):
    station = bench().running(OLD)
    transactions = station.bank.transactions
    assert [station.bank.contacts(position) for position in range(4)] == words_of(OLD)
    assert station.bank.transactions == transactions + 4
    station.raw_write(0x26, 0x0C, 0xFF, 0xFE)
    station.bus.chips[0x24].held_in_reset = True
    assert station.bank.contacts(2) is None
    assert station.bank.contacts(0) is None


def test_oddities_are_counted_and_the_latest_thousand_kept(bench):
    station = bench().running(OLD)
    station.bus.reset_line(True)
    station.read()
    first = station.bank.events[0]
    for _ in range(140):
        station.read()
    assert station.bank.counts["no answer"] > 8 * 140
    assert len(station.bank.events) == 1_000
    assert first.at_s < station.bank.events[0].at_s < station.bank.events[-1].at_s <= clock.now_s()
    assert {event.address for event in station.bank.events} == {*OUTPUTS, *FEEDBACK}


def test_a_small_station_leaves_the_other_expanders_alone(bench):
    station = bench()
    station.bank = bank_of(coils=15)
    station.bank.open()
    station.bank.start()
    assert station.write([True] * 15) == frozenset()
    assert [station.bus.chips[at].word for at in OUTPUTS] == [0x7F7F, 0x0001, 0, 0]
    assert len(station.read().answered) == 2


@pytest.mark.parametrize(
    "layout",
    [
        replace(REFERENCE, output_expanders=REFERENCE.output_expanders[:3]),
        replace(REFERENCE, feedback_expanders=REFERENCE.feedback_expanders[:3]),
    ],
)
def test_more_positions_than_expanders_are_refused(layout):
    with pytest.raises(HardwareError, match="of 4 expanders are in use: the layout has 3"):
        bank_of(layout)


def test_a_bus_that_does_not_exist_is_one_clear_line():
    bank = bank_of(replace(REFERENCE, i2c_buses=(97,)))
    with pytest.raises(DeviceLost, match=r"^I2C bus 97 \(/dev/i2c-97\): No such file"):
        bank.open()
    bank.close()


# One fault in one transfer.

WRITE_FAULTS = [
    *[(kind, None) for kind in ("nack", "timeout", "wrong_chip", "drop_write")],
    *[(kind, bit) for kind in ("nack_data", "flip_write", "flip_read") for bit in range(32)],
]


@pytest.mark.parametrize("bit_rate_hz", [400_000, 100_000])
@pytest.mark.parametrize("transaction", range(4))
def test_one_fault_in_a_write_is_repaired_within_milliseconds(bench, transaction, bit_rate_hz):
    for kind, bit in WRITE_FAULTS[:: 1 if bit_rate_hz == 400_000 else 3]:
        station = bench(bit_rate_hz=bit_rate_hz).running(OLD)
        begun_us = station.time.now_us
        station.strike(kind, transaction, bit)
        assert station.write(NEW) == frozenset(), (kind, bit)
        assert station.bus.faults_hit
        assert all(station.shows(position, NEW) for position in range(4)), (kind, bit)
        wrong_us = station.longest_wrong_us(begun_us, OLD, NEW)
        assert wrong_us < (1_100 if bit_rate_hz == 400_000 else 4_000), (kind, bit, wrong_us)
        assert station.set_up() == [CONFIGURED] * 4, (kind, bit)
        reading = station.read()
        assert reading.answered == (True,) * 4
        assert coils_of(reading.latch) == NEW


@pytest.mark.parametrize("seed", range(8))
def test_one_fault_in_any_write_is_repaired_or_reported(bench, seed):
    drawn = random.Random(seed)
    for _ in range(25):
        kind, bit = drawn.choice(WRITE_FAULTS)
        old, new = some_coils(drawn.random()), some_coils(drawn.random())
        if drawn.random() < 0.3:
            new = NONE
        station = bench(drawn.choice(["bcm2835", "designware"])).running(old)
        begun_us = station.time.now_us
        station.strike(kind, drawn.randrange(6), bit)
        unverified = station.write(new)
        assert station.longest_wrong_us(begun_us, old, new) < 1_100, (kind, bit)
        wrong = {position for position in range(4) if not station.shows(position, new)}
        assert wrong <= unverified, (kind, bit)


@pytest.mark.parametrize("transaction", range(FULL_READ))
def test_one_fault_in_a_read_is_neither_believed_nor_reported(bench, transaction):
    station = bench().running(OLD)
    faults = [("nack", None), ("timeout", None), ("wrong_chip", None), ("nack_data", 0)]
    faults += [("flip_write", bit) for bit in range(8)]
    faults += [("flip_read", bit) for bit in range(96)]
    for kind, bit in faults:
        station.strike(kind, transaction, bit)
        reading = station.read()
        assert reading.answered == (True,) * 4, (kind, bit)
        assert coils_of(reading.latch) == OLD, (kind, bit)
        # One of the two readings of the contacts may show the flip: that is why there are two.
        assert OLD in (coils_of(reading.closed), coils_of(reading.closed_again)), (kind, bit)
    assert len(station.bus.faults_hit) == len(faults)
    assert station.bank.counts["latch changed"] == station.bank.counts["lost"] == 0


@pytest.mark.parametrize("transaction", range(16))
def test_one_fault_in_a_restart_loses_no_latch(bench, transaction):
    station = bench().running(OLD)
    faults = [("nack", None), ("timeout", None), ("wrong_chip", None)]
    faults += [("flip_write", bit) for bit in range(8)]
    faults += [("flip_read", bit) for bit in range(0, 176, 3)]
    for kind, bit in faults:
        station.strike(kind, transaction, bit)
        station.bank.start()
        reading = station.read()
        assert reading.answered == (True,) * 4, (kind, bit)
        assert coils_of(reading.latch) == OLD, (kind, bit)
    assert len(station.bus.faults_hit) == len(faults)


@pytest.mark.parametrize("transaction", range(12))
def test_one_fault_in_configuring_a_chip_spares_the_others(bench, transaction):
    others = [OLD[k] if k // 14 != 1 else False for k in range(54)]
    faults: list[tuple[str, int | None]] = [("nack", None), ("timeout", None), ("wrong_chip", None)]
    faults += [("flip_write", bit) for bit in range(0, 128, 7)]
    faults += [("flip_read", bit) for bit in range(0, 176, 23)] + [("drop_write", None)]
    for kind, bit in faults:
        station = bench().running(OLD)
        station.raw_write(0x21, 0x00, 0x0F, 0x00)  # some of the pins have become inputs
        station.raw_write(0x25, 0x00, 0x00, 0x00)
        assert station.read().lost == (False, True, False, False)
        begun_us = station.time.now_us
        station.strike(kind, transaction, bit)
        assert station.bank.configure(1), (kind, bit)
        if not station.bus.faults_hit:  # no transfer that it applies to is left
            continue
        for position in (0, 2, 3):
            assert station.shows(position, others), (kind, bit)
        wrong_us = station.longest_wrong_us(begun_us, OLD, others)
        assert wrong_us < 4_000, (kind, bit, wrong_us)
        reading = station.read()
        assert reading.answered == (True,) * 4, (kind, bit)
        assert coils_of(reading.latch) == coils_of(reading.closed) == others, (kind, bit)


def test_a_configuration_that_lands_on_a_neighbour_in_service_is_undone(bench):
    station = bench().running([True] * 54)
    station.raw_write(0x21, 0x00, 0x0F, 0x00)
    station.read()
    begun_us = station.time.now_us
    # After a look at both chips, the second transfer of the configuration makes all pins inputs;
    # 0x20 is hit instead.
    station.strike("wrong_chip", 3, address=0x21)
    assert station.bank.configure(1)
    assert min(driven.word for driven in station.history[0x20][2:]) == 0
    assert station.bus.chips[0x20].word == 0x7F7F
    all_but = [k // 14 != 1 for k in range(54)]
    assert 0 < station.longest_wrong_us(begun_us, [True] * 54, all_but) < 2_000
    assert station.read().lost == (False,) * 4


# Two faults at once.


def test_a_word_on_another_chip_is_found_although_its_own_chip_says_something_else(bench):
    station = bench().running(OLD)
    begun_us = station.time.now_us
    station.strike("wrong_chip", 0, address=0x20)
    station.strike("flip_read", 0, bit=0, address=0x20)
    assert station.write([*NEW[:14], *OLD[14:]]) == frozenset()
    assert any(driven.at_us > begun_us for driven in station.history[0x21])
    assert station.shows(0, NEW)
    assert station.shows(1, OLD)


def test_pins_that_were_inputs_for_too_long_do_not_drive_again(bench):
    station = bench().running(OLD)
    coils = [True] * 14 + OLD[14:]
    station.strike("flip_write", 0, bit=0, address=0x20)  # OLATB and IODIRA get the word
    station.strike("timeout", 1, address=0x20)  # and the contactors get the time to move
    assert station.write(coils) == {0}
    assert station.bus.chips[0x20].word & 0x7F == 0
    assert station.read().lost[0]


def test_a_chip_that_could_not_be_verified_is_not_given_its_old_word_again(bench):
    station = bench().running(OLD)
    station.bus.inject(BusFault("flip_read", 0x20, 0, 3, 16))  # written, but never seen to be
    station.strike("nack", 4, address=0x21)  # once the others are verified on account of that
    assert station.write(NEW) == {0}
    assert len(station.bus.faults_hit) == 4
    assert all(station.shows(position, NEW) for position in range(4))
    assert coils_of(station.read().latch) == NEW


# What stays wrong.


@pytest.mark.parametrize("transaction", range(5))
@pytest.mark.parametrize("address", OUTPUTS)
def test_a_brown_out_during_a_write_is_told_at_the_latest_by_the_next_read(
    bench, transaction, address
):
    station = bench().running(OLD)
    position = OUTPUTS.index(address)
    station.strike("brown_out", transaction, address=address)
    unverified = station.write(NEW)
    reading = station.read()
    if not station.bus.faults_hit:
        station.bus.inject(BusFault("brown_out", address))
        reading = station.read()
    assert reading.lost[position]
    assert not reading.answered[position]
    assert unverified <= {position}
    assert all(station.shows(other, NEW) for other in range(4) if other != position)


def test_a_lost_chip_stays_untouched_until_it_is_configured(bench):
    station = bench().running(OLD)
    station.bus.inject(BusFault("brown_out", 0x21))
    for scan in range(3):
        transactions = station.bank.transactions
        reading = station.read()
        assert reading.lost == (False, True, False, False)
        assert reading.answered == (True, False, True, True)
        assert station.bank.counts["lost"] == 1
        assert not scan or station.bank.transactions <= transactions + FULL_READ - 1
        assert station.write([*OLD[:14], *[True] * 14, *OLD[28:]]) == {1}
        assert station.bus.chips[0x21].register(0x00) == 0xFF
        assert station.bus.chips[0x21].register(0x14) == 0
    assert station.bank.configure(1)
    reading = station.read()
    assert reading.answered == (True,) * 4
    assert not reading.latch[1]
    assert station.write(NEW) == frozenset()
    assert station.shows(1, NEW)


def test_a_feedback_chip_without_its_pull_ups_is_lost_not_open(bench):
    station = bench().running(OLD)
    station.bus.inject(BusFault("brown_out", 0x26))
    reading = station.read()
    assert reading.lost == (False, False, True, False)
    assert reading.answered == (True, True, False, True)
    assert station.bank.configure(2)
    assert station.read().answered == (True,) * 4


def test_a_feedback_chip_that_drives_its_pins_is_lost_not_open(bench):
    station = bench().running(OLD)
    station.raw_write(0x26, 0x00, 0x00, 0x00)
    assert station.read().lost == (False, False, True, False)


def test_latches_that_somebody_else_changed_are_told_as_they_are(bench):
    station = bench().running(OLD)
    station.raw_write(0x23, 0x14, 0x55, 0x0A)
    reading = station.read()
    assert reading.answered == (True,) * 4
    assert station.liars(reading) == []
    assert station.bus.chips[0x23].word == 0x0A55
    assert station.bank.counts["latch changed"] == 1
    assert station.bank.events[-1].address == 0x23
    assert station.write(OLD) == frozenset()
    assert station.shows(3, OLD)


@pytest.mark.parametrize("bit", range(8))
def test_registers_that_are_always_the_wrong_ones_are_never_believed(bench, bit):
    station = bench().running(OLD)
    station.bus.inject(BusFault("flip_write", 0x20, 0, None, bit))
    for _ in range(4):
        reading = station.read()
        assert station.liars(reading) == []
        assert not reading.answered[0]
    station.bank.start()
    assert not station.read().answered[0]


@pytest.mark.parametrize("kind", ["nack", "timeout", "flip_read", "wrong_chip", "drop_write"])
@pytest.mark.parametrize("address", [0x20, 0x21, 0x23])
def test_a_fault_that_stays_is_reported_and_the_others_go_on(bench, kind, address):
    station = bench().running(OLD)
    position = OUTPUTS.index(address)
    station.bus.inject(BusFault(kind, address, 0, None))
    begun_us = station.time.now_us
    unverified = station.write(NEW)
    assert station.time.now_us - begun_us < 40_000
    assert position in unverified or station.shows(position, NEW)
    others = [other for other in range(4) if other != position]
    assert all(station.shows(other, NEW) or other in unverified for other in others)
    for _ in range(3):
        reading = station.read()
        assert station.liars(reading) == []
        assert all(reading.answered[other] for other in others)
        unverified = station.write(NEW)
    assert all(station.shows(other, NEW) for other in others)
    # The same word landing elsewhere again and again is put right each time at once.
    assert station.longest_wrong_us(begun_us, OLD, NEW) < 1_100


def test_a_dead_chip_costs_one_try_and_comes_last(bench):
    station = bench().running(OLD)
    station.bus.chips[0x21].held_in_reset = True
    station.read()
    transactions = station.bank.transactions
    reading = station.read()
    assert reading.answered == (True, False, True, True)
    assert station.bank.transactions == transactions + FULL_READ
    assert station.bank.events[-1].kind == "no answer"
    station.bus.chips[0x21].held_in_reset = False
    assert station.read().answered == (True,) * 4


def test_a_chip_that_hangs_the_bus_delays_nobody_for_longer_than_a_scan(bench):
    station = bench().running(OLD)
    station.bus.inject(BusFault("timeout", 0x24, 0, None))
    for _ in range(3):
        begun_us = station.time.now_us
        reading = station.read()
        assert reading.answered == (False, True, True, True)
        assert station.time.now_us - begun_us < 31_000  # the last try began before 20 were lost
    # What failed last time comes last: the others need no more than their own time.
    assert station.read(patience_s=0.008).answered == (False, True, True, True)


def test_once_so_much_is_lost_to_transfers_that_fail_nothing_is_answered(bench):
    station = bench().running(OLD)
    transactions = station.bank.transactions
    assert station.read(patience_s=0).answered == (False,) * 4
    assert station.bank.transactions == transactions
    # All contacts once and two of the latches; nothing of the last scan is passed off as new.
    station.bus.inject(BusFault("timeout", None, 6, None))
    begun_us = station.time.now_us
    assert station.read(patience_s=0.005).answered == (False,) * 4
    assert station.bank.transactions == transactions + 7
    assert station.time.now_us - begun_us < 13_000


@pytest.mark.parametrize("stands_still_ms", [30, 5000])
def test_a_computer_that_stands_still_while_it_reads_reads_on(bench, stands_still_ms):
    station = bench().running(OLD)
    for at in range(FULL_READ):
        station.bus.inject(BusFault("stall", None, at, for_us=1000 * stands_still_ms))
        reading = station.read()
        assert reading.answered == reading.seen == (True,) * 4
    assert len(station.bus.faults_hit) == FULL_READ


@pytest.mark.parametrize("odd", [2, 3])
@pytest.mark.parametrize("suspect", [False, True])
def test_contacts_are_looked_at_three_times_at_most(bench, suspect, odd):
    """Seen only once, by the second look, they do not answer."""
    station = bench().running(OLD)
    looks = (0, FULL_READ, FULL_READ + 1)  # the first, and both its repetitions
    if suspect:  # its two looks come last
        looks = (FULL_READ - 2, FULL_READ, FULL_READ + 1)
        station.bus.chips[0x24].held_in_reset = True
        station.read()
        station.bus.chips[0x24].held_in_reset = False
    for bit, at in enumerate(looks[:odd]):
        station.strike("flip_read", at, bit, address=0x24)
    assert station.read().answered == (odd < 3, True, True, True)
    assert len(station.bus.faults_hit) == odd
    assert station.read().answered == (True,) * 4


def test_a_chip_left_out_at_the_start_is_lost_when_it_comes_back(bench):
    station = bench()
    station.bus.chips[0x22].held_in_reset = True
    station.bank.open()
    station.bank.start()
    transactions = station.bank.transactions
    reading = station.read()
    assert station.bank.transactions == transactions + FULL_READ
    assert reading.answered == (True, True, False, True)
    assert reading.lost == (False,) * 4
    assert station.write([True] * 54) == {2}
    assert not station.bank.configure(2)
    assert station.read().heeded == (True, True, False, True)
    station.bus.chips[0x22].held_in_reset = False
    assert station.read().lost == (False, False, True, False)
    assert station.bank.configure(2)
    reading = station.read()
    assert reading.answered == reading.heeded == (True,) * 4


def test_of_an_abandoned_position_only_the_contacts_are_asked(bench):
    station = bench().running(OLD)
    station.bank.abandon(0)
    transactions = station.bank.transactions
    reading = station.read()
    assert reading.answered == (False, True, True, True)
    assert reading.seen == (True,) * 4
    assert station.bank.transactions == transactions + FULL_READ - 1
    assert station.bank.configure(0)
    assert station.read().answered == (True,) * 4


def test_contacts_of_abandoned_positions_are_tried_in_turn_until_they_answer(bench):
    station = bench().running(OLD)
    for position in (0, 1):
        station.bus.chips[FEEDBACK[position]].held_in_reset = True
    station.read()
    for position in (0, 1):
        station.bank.abandon(position)
    told = station.bank.counts.total()
    transactions = station.bank.transactions
    station.read(patience_s=0)
    assert station.bank.transactions == transactions
    for _ in range(2):
        transactions = station.bank.transactions
        reading = station.read()
        assert reading.answered == reading.seen == (False, False, True, True)
        assert station.bank.transactions <= transactions + 1 + FULL_READ - 6
    assert station.bank.counts.total() == told  # a chip that stays silent is no news
    assert station.write(NONE) == {0, 1}
    assert station.shows(0, OLD)
    assert station.shows(1, OLD)
    station.bus.chips[FEEDBACK[1]].held_in_reset = False
    assert [station.read().seen[1] for _ in range(3)][-1]
    wrong = BusFault("flip_read", FEEDBACK[0], 0, None, 0)  # it answers, but not as configured
    station.bus.inject(wrong)
    station.bus.chips[FEEDBACK[0]].held_in_reset = False
    for _ in range(5):
        assert station.read().seen == (False, True, True, True)
    station.bus.clear(wrong)
    assert [station.read().seen for _ in range(2)][-1] == (True,) * 4
    assert station.bank.counts["answers again"] == 2
    assert station.read().answered == (False, False, True, True)
    assert station.bank.configure(0)
    assert station.bank.configure(1)
    assert station.read().answered == (True,) * 4


def test_contacts_of_abandoned_positions_are_tried_after_all_else(bench):
    station = bench().running(OLD)
    station.bank.abandon(0)
    station.bus.inject(BusFault("timeout", 0x24, 0, None))
    station.bus.chips[0x22].held_in_reset = True
    assert station.read(patience_s=0.1).answered == (False, True, False, True)
    station.bus.chips[0x22].held_in_reset = False
    assert station.read(patience_s=0.008).answered == (False, True, True, True)


@pytest.mark.parametrize("strikes", [{"kind": "nack"}, {"kind": "flip_write", "bit": 8}])
def test_coils_are_in_doubt_from_a_write_that_failed_until_they_are_seen(bench, strikes):
    station = bench().running(OLD)
    fault = BusFault(address=0x21, at_transaction=0, count=None, **strikes)
    station.bus.inject(fault)
    assert 1 in station.write(NEW)
    assert station.read().doubted == (False, True, False, False)
    station.bank.abandon(1)
    station.bus.clear(fault)
    assert station.read().doubted == (False, True, False, False)
    assert station.bank.configure(1)
    assert station.read().doubted == (False,) * 4


def test_coils_that_are_read_again_are_in_doubt_no_longer(bench):
    station = bench().running(OLD)
    fault = BusFault("nack", 0x21, 0, None)
    station.bus.inject(fault)
    assert station.write(NEW) == {1}
    station.bus.clear(fault)
    reading = station.read()
    assert reading.answered == (True,) * 4
    assert reading.doubted == (False,) * 4
    assert reading.heeded == (True, False, True, True)


@pytest.mark.parametrize("wanted", [OLD, NEW])
def test_what_was_not_verified_is_heeded_again_once_the_coils_are_as_wanted(bench, wanted):
    """The next write has its whole time, whatever became of the last."""
    station = bench().running(OLD)
    fault = BusFault("nack", 0x21, 0, None)
    station.bus.inject(fault)
    assert station.write(NEW) == {1}
    station.bus.clear(fault)
    station.time.advance_us(30_000)
    assert station.write(wanted) == frozenset()
    assert station.read().heeded == (True,) * 4
    assert all(station.shows(position, wanted) for position in range(4))


def test_a_word_that_strays_to_an_abandoned_chip_is_put_right(bench):
    station = bench().running(OLD)
    station.bank.abandon(2)
    begun_us = station.time.now_us
    station.strike("wrong_chip", 0, bit=1, address=0x20)  # to 0x22
    only_first = [new if k < 14 else old for k, (new, old) in enumerate(zip(NEW, OLD, strict=True))]
    assert station.write(only_first) == frozenset()
    assert station.bus.faults_hit
    assert all(station.shows(position, only_first) for position in range(4))
    assert 0 < station.longest_wrong_us(begun_us, OLD, only_first) < 1_100
    assert station.read().doubted == (False,) * 4


@pytest.mark.parametrize("inputs", [0xFF, 0x00])
def test_a_word_that_may_have_strayed_to_a_lost_chip_is_in_doubt_unless_it_drives_nothing(
    bench, inputs
):
    station = bench().running(OLD)
    station.raw_write(0x22, 0x0A, 0x02)  # the other polarity of its interrupts: lost
    for _ in range(30):
        station.read()
    assert station.read().lost == (False, False, True, False)
    station.raw_write(0x22, 0x00, inputs, inputs)
    station.bank.abandon(2)
    station.strike("wrong_chip", 0, bit=1, address=0x20)
    station.write(NEW)
    assert station.bus.faults_hit
    assert station.read().doubted == (False, False, not inputs, False)


def test_nobody_doubts_coils_that_were_not_written(bench):
    station = bench().running(OLD)
    station.bus.chips[0x21].held_in_reset = True
    station.read()
    station.bank.abandon(1)
    assert station.write(NONE) == {1}
    assert station.read().doubted == (False,) * 4


def test_contacts_that_a_failed_configuration_may_have_touched_are_looked_over(bench):
    station = bench().running(OLD)
    station.raw_write(0x26, 0x02, 0x01)
    station.strike("nack", 1, address=0x21)  # after the look whether it is there
    assert station.bank.configure(1)
    assert station.bus.chips[0x26].register(0x02) == 0
    assert station.read().lost == (False,) * 4


def test_configuring_a_dead_chip_says_so(bench):
    station = bench().running(OLD)
    station.bus.chips[0x21].held_in_reset = True
    station.bus.inject(BusFault("brown_out", 0x25))
    assert station.read().seen == (True, False, True, True)
    assert not station.bank.configure(1)
    reading = station.read()
    assert reading.answered == (True, False, True, True)
    assert reading.seen == (True,) * 4  # its contacts are read all the same


def test_a_bus_that_hangs_holds_a_write_up_for_a_bounded_time(bench):
    station = bench().running(OLD)
    station.bus.inject(BusFault("timeout", None, 0, None))
    begun_us = station.time.now_us
    assert station.write(NEW) == {0, 1, 2, 3}
    assert station.time.now_us - begun_us < 50_000
    transactions = station.bus.transactions
    assert not any(station.bank.configure(position) for position in range(4))
    assert station.bus.transactions == transactions + 4 * 2 * 2  # two looks at each of two chips


def test_the_adapter_is_told_to_give_up_after_ten_milliseconds(bench):
    station = bench()
    station.bus._timeout_us = 1_000_000  # as i2c-bcm2835 has it
    station.running(OLD)
    station.bus.inject(BusFault("timeout", 0x20, 0))
    begun_us = station.time.now_us
    with pytest.raises(OSError) as failure:
        station.bank._outputs[0].device.read_outputs()
    assert failure.value.errno == errno.ETIMEDOUT
    assert station.time.now_us - begun_us < 11_000


# All registers, in turn.


SETTINGS = [
    (address, register, value)
    for address in (0x20, 0x27)
    for register, value in [(0x02, 1), (0x04, 1), (0x06, 9), (0x08, 1), (0x0A, 0x04), (0x0C, 0x5A)]
]


@pytest.mark.parametrize(("address", "register", "value"), SETTINGS)
def test_a_setting_that_changed_is_found_within_half_a_second(bench, address, register, value):
    """Polarity, interrupts, their defaults and controls, options, pull-ups."""
    station = bench().running(OLD)
    station.raw_write(address, register, value)
    lost = {station.read().lost for _ in range(500 // 20)}
    assert (True, False, False, False) in lost or (False, False, False, True) in lost
    assert station.bank.counts["lost"] == 1


@pytest.mark.parametrize("scan_ms", [5, 20, 100, 400, 1000])
def test_every_chip_is_looked_over_every_half_second_or_every_scan(bench, monkeypatch, scan_ms):
    station = bench()
    station.bank = bank_of(scan_ms=scan_ms)
    station.running(OLD)
    seen: list[int] = []
    for chip in station.bank._chips():
        monkeypatch.setattr(
            chip, "look_over", lambda at=chip.device.address: seen.append(at) or True
        )
    scans = 0
    while set(seen) != {*OUTPUTS, *FEEDBACK}:
        station.read()
        scans += 1
        assert scans <= max(1, 500 // scan_ms)
    assert scans == station.bank.scrub_scans


@pytest.mark.parametrize(
    ("positions", "scan_ms", "chips"),
    [(4, 5, 1), (4, 20, 1), (4, 100, 2), (4, 167, 4), (4, 250, 4), (4, 251, 8), (1, 1000, 2)],
)
def test_no_more_chips_are_looked_over_in_a_scan_than_half_a_second_asks_for(
    positions, scan_ms, chips
):
    assert scrubs_each_scan(positions, scan_ms) == chips


def test_scans_that_were_skipped_had_their_turn(bench):
    whole, skipped = bench().running(OLD).bank, bench().running(OLD).bank
    for _ in range(5):
        chips = [look[0].device.address for look in whole._scrub(1)]
    assert [look[0].device.address for look in skipped._scrub(5)] == chips


def test_a_scrub_that_fails_once_or_is_not_answered_is_no_loss(bench):
    station = bench().running(OLD)
    for kind, bit in [
        ("nack", None),
        ("timeout", None),
        *(("flip_read", b) for b in range(0, 176)),
    ]:
        station.strike(kind, FULL_READ - 1, bit)
        reading = station.read()
        assert reading.answered == (True,) * 4
        assert reading.lost == (False,) * 4
    assert station.bank.counts["lost"] == 0


# One owner.


def test_a_bus_that_another_process_holds_is_refused(bench, tmp_path):
    held = (tmp_path / "i2c-1").open("w")
    fcntl.flock(held, fcntl.LOCK_EX)

    class Opened:
        def __init__(self, bus: int) -> None:
            self.file = (tmp_path / "i2c-1").open("w")
            self.fd = self.file.fileno()
            opened.append(self)  # nobody else lets go of it

        def close(self) -> None:
            self.file.close()

    opened: list[Opened] = []
    bank = bank_of()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(smbus2, "SMBus", Opened)
        with pytest.raises(DeviceLost, match=r"^I2C bus 1 \(/dev/i2c-1\): held by another process"):
            bank.open()
        held.close()
        bank.open()
        with pytest.raises(DeviceLost, match="held by another"):
            bank_of().open()
        bank.close()
        bank_of().open()


@pytest.mark.parametrize("fd", [None, "no number", -1, 10**6])
def test_a_bus_that_is_no_file_is_nobody_elses(bench, monkeypatch, fd):
    class Fake:
        def __init__(self, bus: int) -> None:
            self.fd = fd

    monkeypatch.setattr(smbus2, "SMBus", Fake)
    bank_of().open()
