"""The bank on several buses: what goes wrong on one of them is no matter of the others."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import smbus2
from layouts import FEEDBACK, OUTPUTS, REFERENCE

from hardware import DeviceLost, clock
from hardware.contactors import BankReading, ContactorController
from hardware.layout import Layout
from hardware.simulated.bus import BusFault, SimulatedBus, installed
from hardware.simulated.virtual_time import VirtualTime

HALVES = replace(
    REFERENCE,
    i2c_buses=(1, 3),
    output_expanders=((1, 0x20), (1, 0x21), (3, 0x20), (3, 0x21)),
    feedback_expanders=((1, 0x24), (1, 0x25), (3, 0x24), (3, 0x25)),
)
SPLIT = replace(
    REFERENCE,
    i2c_buses=(1, 3),
    output_expanders=tuple((1, at) for at in OUTPUTS),
    feedback_expanders=tuple((3, at) for at in OUTPUTS),
)
PINS = [0x7F7F] * 4
OLD = [0x0101, 0x0202, 0x0404, 0x0808]
BUS_OF_POSITION = (1, 1, 3, 3)  # of halves


class Bench:
    """A bank whose auxiliary contacts follow the coils at once."""

    def __init__(self, layout: Layout) -> None:
        self.time = VirtualTime()
        self.buses = {
            number: SimulatedBus(
                self.time,
                [at for bus, at in layout.output_expanders if bus == number],
                [at for bus, at in layout.feedback_expanders if bus == number],
            )
            for number in layout.i2c_buses
        }
        pairs = zip(layout.output_expanders, layout.feedback_expanders, strict=True)
        for (bus, output), (other, feedback) in pairs:
            chip = self.buses[bus].chips[output]
            self.buses[other].chips[feedback].floating = lambda chip=chip: chip.word
        self.bank = ContactorController(layout, PINS, 20)

    def read(self, patience_s: float = 0.020) -> BankReading:
        return self.bank.read(patience_s)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Layout], Bench]]:
    def build(layout: Layout) -> Bench:
        made = Bench(layout)
        monkeypatch.setattr(clock, "now_s", made.time.now_s)
        opened.enter_context(installed(made.buses.get))
        made.bank.open()
        made.bank.start()
        assert made.bank.write(OLD) == frozenset()
        assert made.read().answered == (True,) * 4
        return made

    with ExitStack() as opened:
        yield build


@pytest.mark.parametrize("layout", [HALVES, SPLIT], ids=["halves", "split"])
def test_every_position_is_driven_and_read_on_its_own_buses(
    bench: Callable[[Layout], Bench], layout: Layout
) -> None:
    made = bench(layout)
    for position, (bus, address) in enumerate(layout.output_expanders):
        assert made.buses[bus].chips[address].word == OLD[position]
    reading = made.read()
    assert reading.latch == reading.closed == reading.closed_again == tuple(OLD)
    everything = {*layout.output_expanders, *layout.feedback_expanders}
    assert made.bank.answering() == everything
    assert made.bank.in_service() == dict.fromkeys(everything, True)
    made.buses[3].chips[0x20].held_in_reset = True
    assert made.bank.answering() == everything - {(3, 0x20)}
    made.bank.start()
    assert made.bank.in_service() == {each: each != (3, 0x20) for each in everything}
    assert {(event.bus, event.address) for event in made.bank.events} == {(3, 0x20)}


@pytest.mark.parametrize("hanging", [1, 3])
def test_a_bus_that_hangs_keeps_nothing_of_the_other_from_being_read_or_written(
    bench: Callable[[Layout], Bench], hanging: int
) -> None:
    """Each transfer on it takes 10 ms until the adapter gives up, and a scan has 20."""
    made = bench(HALVES)
    fault = BusFault("timeout", count=None)
    made.buses[hanging].inject(fault)
    alive = tuple(bus != hanging for bus in BUS_OF_POSITION)
    for word in range(1, 7):
        assert made.read().answered == made.read().seen == alive
        begun_s = clock.now_s()
        unverified = made.bank.write([word] * 4)
        assert unverified == {at for at, bus in enumerate(BUS_OF_POSITION) if bus == hanging}
        assert clock.now_s() < begun_s + 0.050
    made.buses[hanging].clear(fault)
    assert made.read().answered == (True,) * 4


def test_it_is_read_last_where_a_scan_has_no_time_for_more(
    bench: Callable[[Layout], Bench],
) -> None:
    made = bench(HALVES)
    made.buses[1].inject(BusFault("timeout", count=None))
    made.read(patience_s=0.011)
    for _ in range(10):
        assert made.read(patience_s=0.011).answered == (False, False, True, True)


@pytest.mark.parametrize(
    ("kind", "bit"), [("wrong_chip", 0), ("drop_write", 0), ("flip_write", 9), ("nack", 0)]
)
def test_a_repair_touches_no_chip_of_another_bus(
    bench: Callable[[Layout], Bench], kind: str, bit: int
) -> None:
    """The one that has the word by mistake is put right; it can only be on the same bus."""
    made = bench(HALVES)
    before = made.buses[3].transactions
    made.buses[1].inject(BusFault(kind, 0x20, 0, 1, bit))
    assert made.bank.write([0x0110, *OLD[1:]]) == frozenset()
    assert made.bank.counts["write not verified"] == 1
    assert made.buses[3].transactions == before
    words = [made.buses[bus].chips[at].word for bus, at in HALVES.output_expanders]
    assert words == [0x0110, *OLD[1:]]


def test_a_repair_takes_no_time_from_another_bus(bench: Callable[[Layout], Bench]) -> None:
    made = bench(HALVES)
    made.buses[1].inject(BusFault("drop_write", 0x20, 0, None))
    made.buses[1]._bit_rate_hz = 8_000  # one try takes longer than all may
    made.buses[3].inject(BusFault("drop_write", 0x20, 0, 1))
    assert made.bank.write([1, OLD[1], 1, OLD[3]]) == {0, 1}
    assert made.buses[3].chips[0x20].word == 1


def test_a_bus_that_is_held_lets_go_of_those_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Opened:
        def __init__(self, number: int) -> None:
            self.file = (tmp_path / f"i2c-{number}").open("w")
            self.fd = self.file.fileno()

        def close(self) -> None:
            self.file.close()

    monkeypatch.setattr(smbus2, "SMBus", Opened)
    held = Opened(3)
    fcntl.flock(held.fd, fcntl.LOCK_EX)
    bank = ContactorController(HALVES, PINS, 20)
    with pytest.raises(DeviceLost, match=r"^I2C bus 3 \(/dev/i2c-3\): held by another process"):
        bank.open()
    free = Opened(1)
    fcntl.flock(free.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    free.close()
    held.close()
    bank.open()
    for number in (1, 3):
        other = Opened(number)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    bank.close()


def test_a_number_without_a_bus_cannot_be_opened() -> None:
    bus = SimulatedBus(VirtualTime(), OUTPUTS, FEEDBACK)
    with installed({3: bus}.get):
        smbus2.SMBus(3).close()
        for number in (1, 4):
            with pytest.raises(FileNotFoundError):
                smbus2.SMBus(number)
