"""The simulated bus through the real, unmodified smbus2: adapters, wire time, faults."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress

import pytest
import smbus2
from smbus2 import SMBus, i2c_msg

from hardware.simulated.bus import BusFault, FaultHit, SimulatedBus
from hardware.simulated.virtual_time import VirtualTime
from hardware.simulated.wire_faults import KINDS, Message, bits

OUTPUTS = (0x20, 0x21, 0x22, 0x23)
FEEDBACK = (0x24, 0x25, 0x26, 0x27)


class Bench:
    """A bus with four output chips (all pins outputs) and four feedback chips (pull-ups on)."""

    def __init__(self, adapter: str = "bcm2835", seed: int = 0, bit_rate_hz: int = 400_000) -> None:
        self.time = VirtualTime()
        self.bus = SimulatedBus(
            self.time, OUTPUTS, FEEDBACK, adapter=adapter, seed=seed, bit_rate_hz=bit_rate_hz
        )
        for address, chip in self.bus.chips.items():
            chip.select()
            chip.pointer = 0x00 if address in OUTPUTS else 0x0C
            for _ in range(2):
                chip.write(0x00 if address in OUTPUTS else 0xFF)
        self.heard: list[tuple[int, int, str, int]] = []
        for address, chip in self.bus.chips.items():
            chip.driven = self.listener(address)

    def listener(self, address: int):
        return lambda word, cause: self.heard.append((address, word, cause, self.time.now_us))

    @property
    def causes(self) -> list[tuple[int, int, str]]:
        return [(address, word, cause) for address, word, cause, _ in self.heard]

    @property
    def kinds_hit(self) -> list[str]:
        return [hit.kind for hit in self.bus.faults_hit]


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def host(bench: Bench) -> Iterator[SMBus]:
    with bench.bus.installed(), SMBus(1) as host:
        yield host


def write(host: SMBus, address: int, *data: int) -> None:
    host.i2c_rdwr(i2c_msg.write(address, data))


def read(host: SMBus, address: int, register: int, count: int) -> list[int]:
    back = i2c_msg.read(address, count)
    host.i2c_rdwr(i2c_msg.write(address, [register]), back)
    return list(back)


def write_and_read_back(host: SMBus, address: int, low: int, high: int) -> list[int]:
    """The product's transfer: OLATA and B written, GPIO and OLAT read back, in one i2c_rdwr."""
    back = i2c_msg.read(address, 4)
    host.i2c_rdwr(i2c_msg.write(address, [0x14, low, high]), i2c_msg.write(address, [0x12]), back)
    return list(back)


def error_of(call, *arguments: object) -> int | None:
    with pytest.raises(OSError) as caught:
        call(*arguments)
    return caught.value.errno


# The seam.


def test_a_word_is_written_and_read_back(bench: Bench, host: SMBus) -> None:
    assert write_and_read_back(host, 0x21, 0x12, 0x34) == [0x12, 0x34, 0x12, 0x34]
    assert bench.causes == [(0x21, 0x0012, "command"), (0x21, 0x3412, "command")]


def test_contacts_are_read_through_the_feedback_chip(bench: Bench, host: SMBus) -> None:
    bench.bus.chips[0x25].floating = lambda: 0x0140
    assert read(host, 0x25, 0x12, 2) == [0x40, 0x01]


def test_only_two_names_in_smbus2s_module_are_replaced_and_they_come_back(bench: Bench) -> None:
    module = vars(smbus2.smbus2)
    before = dict(module)
    really = (os.open, os.close, fcntl.ioctl)
    with bench.bus.installed():
        assert {name for name in before if module[name] is not before[name]} == {"os", "ioctl"}
        assert (os.open, os.close, fcntl.ioctl) == really
        assert smbus2.SMBus is SMBus is before["SMBus"]
    assert module == before


def test_they_come_back_after_an_exception_too(bench: Bench) -> None:
    before = dict(vars(smbus2.smbus2))
    with pytest.raises(ZeroDivisionError), bench.bus.installed():
        raise ZeroDivisionError
    assert vars(smbus2.smbus2) == before


def test_the_chips_keep_their_registers_when_the_host_dies_and_starts_again(bench: Bench) -> None:
    with bench.bus.installed():
        write(SMBus(1), 0x20, 0x14, 0x55)  # never closed
        with SMBus("/dev/i2c-1") as again:
            assert read(again, 0x20, 0x14, 1) == [0x55]


def test_two_buses_in_one_process_are_two(bench: Bench) -> None:
    other = Bench()
    with bench.bus.installed(), SMBus(1) as host:
        write(host, 0x20, 0x14, 0x11)
    with other.bus.installed(), SMBus(1) as host:
        write(host, 0x20, 0x14, 0x22)
    assert [b.bus.chips[0x20].word for b in (bench, other)] == [0x11, 0x22]


def test_a_host_that_closes_late_or_never_harms_nobody(bench: Bench) -> None:
    with bench.bus.installed():
        late = SMBus(1)
        assert {SMBus(1).fd for _ in range(50)} == {late.fd}  # none is used up
    late.close()  # by the real os.close
    with bench.bus.installed(), SMBus(1) as host:
        assert read(host, 0x20, 0x14, 1) == [0]


def test_the_descriptor_is_a_real_file_that_is_no_i2c_adapter(host: SMBus) -> None:
    fcntl.flock(host.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert error_of(fcntl.ioctl, host.fd, 0x0702, 1) == errno.ENOTTY
    assert os.fstat(host.fd).st_nlink == 0  # nothing stays behind in the file system


def test_closing_one_of_two_hosts_leaves_the_other_its_descriptor(host: SMBus) -> None:
    SMBus(1).close()
    os.fstat(host.fd)
    write(host, 0x20, 0x14, 1)


def test_a_closed_bus_and_another_device_are_refused(bench: Bench) -> None:
    with bench.bus.installed():
        host = SMBus(1)
        host.close()
        assert error_of(write, host, 0x20, 0x14, 0) == errno.EBADF
        assert error_of(SMBus, "/dev/null") == errno.ENOENT
    assert bench.bus.transactions == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"adapter": "ch341"}, "bcm2835 or designware"),
        ({"bit_rate_hz": 0}, "bit_rate_hz"),
        ({"feedback_addresses": [0x20]}, "used twice"),
    ],
)
def test_an_impossible_bus_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulatedBus(
            **{
                "time": VirtualTime(),
                "output_addresses": [0x20],
                "feedback_addresses": [0x24],
                **arguments,
            }
        )


# What the Pi's adapters refuse.


@pytest.fixture
def pi5() -> Iterator[tuple[Bench, SMBus]]:
    bench = Bench("designware")
    with bench.bus.installed(), SMBus(1) as host:
        yield bench, host


def test_a_pi_4_takes_one_read_and_last(bench: Bench, host: SMBus) -> None:
    w, r = i2c_msg.write(0x20, [0x14, 1]), i2c_msg.read(0x20, 1)
    assert error_of(host.i2c_rdwr, w, r, r) == errno.EOPNOTSUPP
    assert error_of(host.i2c_rdwr, r, w) == errno.EOPNOTSUPP
    host.i2c_rdwr(r)
    assert bench.heard == []
    host.i2c_rdwr(w, w, r)


def test_a_pi_4_takes_several_chips_in_one_transfer(bench: Bench, host: SMBus) -> None:
    host.i2c_rdwr(*(i2c_msg.write(address, [0x14, 1]) for address in OUTPUTS))
    assert [bench.bus.chips[address].word for address in OUTPUTS] == [1, 1, 1, 1]


def test_a_pi_5_takes_one_chip_in_a_transfer(pi5: tuple[Bench, SMBus]) -> None:
    bench, host = pi5
    writes = [i2c_msg.write(address, [0x14, 1]) for address in OUTPUTS]
    assert error_of(host.i2c_rdwr, *writes) == errno.EINVAL
    assert error_of(host.i2c_rdwr, writes[0], i2c_msg.read(0x21, 1)) == errno.EINVAL
    assert bench.heard == []
    host.i2c_rdwr(writes[0], writes[0])


def test_a_pi_5_takes_several_reads(pi5: tuple[Bench, SMBus]) -> None:
    _, host = pi5
    first, second = i2c_msg.read(0x20, 1), i2c_msg.read(0x20, 1)
    pointer = i2c_msg.write(0x20, [0x00])
    host.i2c_rdwr(i2c_msg.write(0x20, [0x14, 7]), first, pointer, second)
    assert (list(first), list(second)) == ([0], [0])


def test_both_take_42_messages_at_most(bench: Bench, host: SMBus) -> None:
    message = i2c_msg.write(0x20, [0x14])
    host.i2c_rdwr(*[message] * 42)
    assert error_of(host.i2c_rdwr, *[message] * 43) == errno.EINVAL
    assert error_of(host.i2c_rdwr) == errno.EINVAL


def test_message_flags_beside_read_are_refused(host: SMBus) -> None:
    ten_bit = i2c_msg.write(0x20, [0x14])
    ten_bit.flags = 0x10
    assert error_of(host.i2c_rdwr, ten_bit) == errno.EOPNOTSUPP


def test_a_refused_transfer_takes_no_time_on_the_wire(bench: Bench, host: SMBus) -> None:
    read_message = i2c_msg.read(0x20, 1)
    with suppress(OSError):
        host.i2c_rdwr(read_message, read_message)
    assert (bench.time.now_us, bench.bus.wire_bytes, bench.bus.transactions) == (0, 0, 1)


def test_smbus_calls_are_not_offered(bench: Bench, host: SMBus) -> None:
    assert host.funcs == 1
    assert error_of(host.read_byte_data, 0x20, 0x14) == errno.EOPNOTSUPP
    assert error_of(host.write_word_data, 0x20, 0x14, 0xFFFF) == errno.EOPNOTSUPP
    assert error_of(host.write_i2c_block_data, 0x20, 0x14, [1, 2]) == errno.EOPNOTSUPP
    assert bench.heard == []


def test_an_unknown_request_is_refused(host: SMBus) -> None:
    assert error_of(smbus2.smbus2.ioctl, host.fd, 0x1234, 0) == errno.ENOTTY


@pytest.mark.parametrize("request_number", [0x0701, 0x0703, 0x0706])
def test_retries_and_slave_address_may_be_set_and_change_nothing(
    bench: Bench, host: SMBus, request_number: int
) -> None:
    assert smbus2.smbus2.ioctl(host.fd, request_number, 0x21) == 0
    write(host, 0x20, 0x14, 1)
    assert bench.causes == [(0x20, 1, "command")]


# Wire time.


@pytest.mark.parametrize(("bit_rate_hz", "us"), [(100_000, 1130), (400_000, 358), (1_000_000, 203)])
def test_a_write_and_read_back_is_103_bits_and_100_us(bit_rate_hz: int, us: int) -> None:
    bench = Bench(bit_rate_hz=bit_rate_hz)
    with bench.bus.installed(), SMBus(1) as host:
        write_and_read_back(host, 0x20, 0, 0)
    assert bench.time.now_us == us


def test_a_transfer_ends_on_a_whole_microsecond(bench: Bench, host: SMBus) -> None:
    for _ in range(1000):  # 357.5 us each
        write_and_read_back(host, 0x20, 0, 0)
    assert bench.time.now_us == 358_000


def test_a_written_byte_takes_effect_when_it_is_acknowledged(bench: Bench, host: SMBus) -> None:
    write(host, 0x20, 0x14, 0x01, 0x01)
    # start, address, pointer, OLATA: 28 bits of 2.5 us; OLATB nine later; the stop ends it
    assert [at_us for *_, at_us in bench.heard] == [170, 192]
    assert bench.time.now_us == 195


def test_an_input_is_sampled_as_its_byte_begins(bench: Bench, host: SMBus) -> None:
    sampled: list[int] = []

    def floating() -> int:
        sampled.append(bench.time.now_us)
        return 0

    bench.bus.chips[0x24].floating = floating
    read(host, 0x24, 0x11, 3)  # INTCAPB, GPIOA, GPIOB
    # 19 bits of write, 10 of read address, 9 of INTCAPB; GPIOB nine later
    assert sampled == [195, 217]


def test_listeners_of_the_clock_are_brought_up_before_a_coil_moves(
    bench: Bench, host: SMBus
) -> None:
    order: list[str] = []
    bench.time.on_advance(lambda now_us: order.append(f"{now_us} us"))
    bench.bus.chips[0x20].driven = lambda word, cause: order.append(f"word {word}")
    write(host, 0x20, 0x14, 0x01)
    assert order == ["170 us", "word 1", "173 us"]


def test_bytes_and_transfers_are_counted(bench: Bench, host: SMBus) -> None:
    write_and_read_back(host, 0x20, 1, 1)
    assert (bench.bus.transactions, bench.bus.wire_bytes) == (1, 4 + 2 + 5)
    with suppress(OSError):
        write(host, 0x30, 0x14, 0)
    assert (bench.bus.transactions, bench.bus.wire_bytes) == (2, 12)


# Nobody answers.


def test_an_address_without_a_chip_is_not_acknowledged(bench: Bench, host: SMBus) -> None:
    assert error_of(write, host, 0x30, 0x14, 0) == 121  # EREMOTEIO
    assert bench.time.now_us == 128  # 100 us, start, address, stop


def test_a_transfer_ends_at_the_message_that_is_not_acknowledged(bench: Bench, host: SMBus) -> None:
    messages = [i2c_msg.write(address, [0x14, 1]) for address in (0x20, 0x30, 0x21)]
    assert error_of(host.i2c_rdwr, *messages) == 121
    assert bench.causes == [(0x20, 1, "command")]


def test_a_low_reset_line_empties_all_chips_and_silences_them(bench: Bench, host: SMBus) -> None:
    write(host, 0x20, 0x14, 1)
    write(host, 0x22, 0x14, 2)
    bench.heard.clear()
    bench.bus.reset_line(True)
    assert bench.causes == [(0x20, 0, "reset"), (0x22, 0, "reset")]
    assert {error_of(read, host, address, 0x00, 2) for address in OUTPUTS + FEEDBACK} == {121}
    bench.bus.reset_line(False)
    assert read(host, 0x20, 0x00, 2) == [0xFF, 0xFF]


def test_a_reset_that_comes_during_a_byte_leaves_it_unacknowledged(
    bench: Bench, host: SMBus
) -> None:
    bench.time.on_advance(lambda now_us: bench.bus.reset_line(now_us > 180))
    assert error_of(write, host, 0x20, 0x14, 1, 1) == 121
    assert bench.causes == [(0x20, 0x0001, "command"), (0x20, 0, "reset")]


def test_a_brown_out_during_a_byte_ends_the_message_and_the_chip_answers_the_next(
    bench: Bench, host: SMBus
) -> None:
    def dip(now_us: int) -> None:
        if now_us == 192:  # as OLATB would be written
            bench.bus.inject(BusFault("brown_out", address=0x20))

    bench.time.on_advance(dip)
    assert error_of(write, host, 0x20, 0x14, 1, 1) == 121
    assert bench.causes == [(0x20, 0x0001, "command"), (0x20, 0, "brown-out")]
    assert read(host, 0x20, 0x00, 2) == [0xFF, 0xFF]


# Faults, one kind after the other.


def test_nack_nothing_takes_effect(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("nack"))
    assert error_of(write_and_read_back, host, 0x20, 1, 1) == 121
    assert bench.heard == []
    assert bench.bus.faults_hit == [FaultHit(125, 0, "nack", 0x20)]
    assert bench.time.now_us == 128
    assert write_and_read_back(host, 0x20, 1, 1) == [1, 1, 1, 1]


@pytest.mark.parametrize(("byte", "words"), [(0, []), (1, []), (2, [0x01]), (3, [0x01, 0x0101])])
def test_nack_data_the_bytes_before_have_taken_effect(
    bench: Bench, host: SMBus, byte: int, words: list[int]
) -> None:
    bench.bus.inject(BusFault("nack_data", bit=8 * byte))
    assert error_of(write_and_read_back, host, 0x20, 1, 1) == 121
    assert bench.causes == [(0x20, word, "command") for word in words]
    assert bench.kinds_hit == ["nack_data"]


def test_timeout_takes_10_ms_and_nothing_takes_effect(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("timeout"))
    assert error_of(write, host, 0x20, 0x14, 1) == errno.ETIMEDOUT
    assert bench.heard == []
    assert bench.time.now_us == 100 + 10_000 + 3
    assert bench.kinds_hit == ["timeout"]


def test_a_host_that_stands_still_does_so_before_the_transfer(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("stall", address=0x21, for_us=300_000))
    write(host, 0x20, 0x14, 1)
    before_us = bench.time.now_us
    write(host, 0x21, 0x14, 1)
    write(host, 0x21, 0x14, 2)
    heard = [(address, word, at_us) for address, word, _, at_us in bench.heard]
    assert heard[1][:2] == (0x21, 1)
    assert 300_000 < heard[1][2] - before_us < 301_000
    assert heard[2][2] - heard[1][2] < 1000
    assert bench.kinds_hit == ["stall"]


def test_a_fault_that_lasts_for_a_time_is_over_then(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("timeout", count=None, for_us=25_000))
    tried = [error_of(write, host, 0x20, 0x14, 1) for _ in range(3)]
    assert tried == [errno.ETIMEDOUT] * 3  # of 10 ms each
    write(host, 0x20, 0x14, 1)
    assert bench.causes == [(0x20, 1, "command")]
    assert bench.kinds_hit == ["timeout"]


def test_timeout_takes_what_the_ioctl_set(bench: Bench, host: SMBus) -> None:
    smbus2.smbus2.ioctl(host.fd, 0x0702, 3)
    bench.bus.inject(BusFault("timeout"))
    assert error_of(write, host, 0x20, 0x14, 1) == errno.ETIMEDOUT
    assert bench.time.now_us == 100 + 30_000 + 3


@pytest.mark.parametrize("bit", range(32))
def test_flip_read_one_bit_arrives_inverted(bench: Bench, host: SMBus, bit: int) -> None:
    bench.bus.inject(BusFault("flip_read", bit=bit))
    expected = [0x12, 0x34, 0x12, 0x34]
    expected[bit // 8] ^= 1 << bit % 8
    assert write_and_read_back(host, 0x20, 0x12, 0x34) == expected
    assert bench.bus.chips[0x20].word == 0x3412
    assert {cause for *_, cause, _ in bench.heard} == {"command"}
    assert bench.kinds_hit == ["flip_read"]


def test_flip_write_of_a_data_bit_is_seen_by_reading_back(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("flip_write", bit=8 + 3))
    assert write_and_read_back(host, 0x20, 0x01, 0x02) == [0x09, 0x02, 0x09, 0x02]
    assert bench.causes == [
        (0x20, 0x0001, "command"),
        (0x20, 0x0009, "wire"),
        (0x20, 0x0209, "command"),
    ]


def test_flip_write_may_swallow_a_commanded_coil(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("flip_write", bit=8 + 3))
    assert write_and_read_back(host, 0x20, 0x09, 0) == [0x01, 0, 0x01, 0]
    assert bench.causes == [(0x20, 0x0001, "command")]


def test_flip_write_of_the_pointer_puts_the_bytes_elsewhere(bench: Bench, host: SMBus) -> None:
    write(host, 0x20, 0x14, 0x03, 0x03)
    bench.heard.clear()
    bench.bus.inject(BusFault("flip_write", bit=0))  # 0x14 becomes 0x15: OLATB, IODIRA
    assert write_and_read_back(host, 0x20, 0x01, 0x02) == [0x01, 0x01, 0x03, 0x01]
    assert bench.causes == [(0x20, 0x0103, "wire"), (0x20, 0x0101, "wire")]


def test_flip_write_of_the_read_backs_pointer(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("flip_write", bit=24 + 1))  # 0x12 becomes 0x10
    assert write_and_read_back(host, 0x20, 0x01, 0x02) == [0, 0, 0x01, 0x02]
    assert {cause for *_, cause, _ in bench.heard} == {"command"}


def test_wrong_chip_the_word_lands_on_a_neighbour(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("wrong_chip", address=0x22))
    assert write_and_read_back(host, 0x22, 0x01, 0x02) == [0, 0, 0, 0]
    assert bench.causes == [(0x20, 0x0001, "wire"), (0x20, 0x0201, "wire")]
    assert [(hit.kind, hit.address) for hit in bench.bus.faults_hit] == [("wrong_chip", 0x22)]


@pytest.mark.parametrize(
    ("meant", "victim"),
    [(0x20, 0x21), (0x21, 0x20), (0x22, 0x20), (0x23, 0x21), (0x24, 0x20), (0x27, 0x23)],
)
def test_wrong_chip_is_one_address_bit_away(
    bench: Bench, host: SMBus, meant: int, victim: int
) -> None:
    bench.bus.inject(BusFault("wrong_chip"))
    write(host, meant, 0x14, 0x55)
    latched = [address for address, chip in bench.bus.chips.items() if chip.register(0x14)]
    assert latched == [victim]


def test_wrong_chip_hits_one_message_the_first_with_data(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("wrong_chip"))
    pointer, low = i2c_msg.write(0x21, [0x12]), i2c_msg.write(0x21, [0x14, 1])
    high = i2c_msg.write(0x21, [0x15, 2])
    host.i2c_rdwr(pointer, low, high)
    assert bench.causes == [(0x20, 0x0001, "wire"), (0x21, 0x0200, "command")]


def test_wrong_chip_of_a_pointer_leaves_the_read_where_the_chip_stood(
    bench: Bench, host: SMBus
) -> None:
    read(host, 0x24, 0x0B, 1)
    bench.bus.inject(BusFault("wrong_chip"))
    assert read(host, 0x24, 0x12, 2) == [0xFF, 0xFF]  # GPPU, not GPIO
    assert bench.bus.chips[0x20].pointer == 0x12


def test_wrong_chip_on_a_bus_of_one_finds_nobody() -> None:
    bus = SimulatedBus(VirtualTime(), [0x20], [])
    bus.inject(BusFault("wrong_chip"))
    with bus.installed(), SMBus(1) as host:
        assert error_of(write, host, 0x20, 0x14, 1) == 121
    assert len(bus.faults_hit) == 1


@pytest.mark.parametrize(("bit", "heard_by"), [(0, 0x23), (1, 0x20), (2, 0x26), (3, None)])
def test_wrong_chip_by_the_bit_of_the_address(
    bench: Bench, host: SMBus, bit: int, heard_by: int | None
) -> None:
    bench.bus.inject(BusFault("wrong_chip", bit=bit))
    if heard_by is None:
        assert error_of(write, host, 0x22, 0x14, 1) == 121
    else:
        write(host, 0x22, 0x14, 1)
    latches = {at for at, chip in bench.bus.chips.items() if chip.register(0x14)}
    assert latches == ({heard_by} if heard_by else set())


def test_every_bit_of_a_transfer_is_a_fault_of_its_own() -> None:
    messages = [Message(0x20, 0, 3, 0), Message(0x20, 0, 1, 0), Message(0x20, 1, 4, 0)]
    choices = {kind: len(bits(kind, messages)) for kind in KINDS}
    assert choices == {
        **{"nack": 1, "nack_data": 4, "timeout": 1, "flip_read": 32, "flip_write": 32},
        **{"wrong_chip": 7, "drop_write": 1, "brown_out": 3, "no_transfer": 1},
    }
    assert not bits("drop_write", messages[1:])


def test_drop_write_is_acknowledged_and_lost(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("drop_write"))
    assert write_and_read_back(host, 0x20, 0x01, 0x02) == [0, 0, 0, 0]
    assert bench.heard == []
    assert bench.kinds_hit == ["drop_write"]
    assert bench.time.now_us == 358


def test_brown_out_at_once(bench: Bench, host: SMBus) -> None:
    write(host, 0x20, 0x14, 1)
    write(host, 0x21, 0x14, 1)
    bench.heard.clear()
    bench.bus.inject(BusFault("brown_out", address=0x20))
    assert bench.causes == [(0x20, 0, "brown-out")]
    assert read(host, 0x20, 0x00, 2) == [0xFF, 0xFF]
    bench.bus.inject(BusFault("brown_out"))
    assert bench.causes[1:] == [(0x21, 0, "brown-out")]
    assert [hit.address for hit in bench.bus.faults_hit] == [0x20, *OUTPUTS, *FEEDBACK]


def test_brown_out_before_a_transfer_hits_its_chip_whichever_is_addressed(
    bench: Bench, host: SMBus
) -> None:
    write(host, 0x20, 0x14, 1)
    bench.bus.inject(BusFault("brown_out", address=0x20, at_transaction=1))
    write(host, 0x21, 0x14, 1)
    assert bench.kinds_hit == []
    write(host, 0x21, 0x14, 2)
    assert bench.causes[-2:] == [(0x20, 0, "brown-out"), (0x21, 2, "command")]
    assert [(hit.transaction, hit.address) for hit in bench.bus.faults_hit] == [(2, 0x20)]


def test_brown_out_of_whichever_is_addressed_is_of_the_first(bench: Bench, host: SMBus) -> None:
    for address in (0x20, 0x21):
        write(host, address, 0x14, 1)
    bench.bus.inject(BusFault("brown_out", at_transaction=0))
    host.i2c_rdwr(i2c_msg.write(0x21, [0x14]), i2c_msg.write(0x20, [0x14]))
    bench.bus.inject(BusFault("brown_out", at_transaction=0))
    host.i2c_rdwr(i2c_msg.write(0x20, [0x14]))
    assert bench.causes[2:] == [(0x21, 0, "brown-out"), (0x20, 0, "brown-out")]


@pytest.mark.parametrize(
    ("message", "back"), [(0, [0, 0, 0x01, 0x02]), (1, [0, 0, 0, 0]), (3, [0, 0, 0x01, 0x02])]
)
def test_brown_out_between_the_messages_of_a_transfer(
    bench: Bench, host: SMBus, message: int, back: list[int]
) -> None:
    bench.bus.inject(BusFault("brown_out", at_transaction=0, bit=message))
    assert write_and_read_back(host, 0x20, 0x01, 0x02) == back
    assert bench.kinds_hit == ["brown_out"]


# When faults strike.


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_persistent_fault_from_the_first_transfer_on_is_noted_once(
    bench: Bench, host: SMBus, kind: str
) -> None:
    bench.bus.inject(BusFault(kind, at_transaction=0, count=None))
    for _ in range(3):
        with suppress(OSError):
            write_and_read_back(host, 0x20, 0x11, 0x22)
    assert [(hit.kind, hit.transaction) for hit in bench.bus.faults_hit] == [(kind, 0)]


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("at", [0, 3])
def test_every_kind_strikes_at_its_transfer_once(
    bench: Bench, host: SMBus, kind: str, at: int
) -> None:
    write(host, 0x23, 0x14, 0)
    bench.bus.inject(BusFault(kind, at_transaction=at))
    for _ in range(6):
        with suppress(OSError):
            write_and_read_back(host, 0x20, 0x11, 0x22)
    assert [(hit.kind, hit.transaction) for hit in bench.bus.faults_hit] == [(kind, 1 + at)]


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"brown_out"}))
def test_a_fault_of_one_chip_waits_for_it(bench: Bench, host: SMBus, kind: str) -> None:
    bench.bus.inject(BusFault(kind, address=0x21))
    for address in (0x20, 0x24, 0x21, 0x20, 0x21):
        with suppress(OSError):
            write_and_read_back(host, address, 0x11, 0x22)
    assert [(hit.transaction, hit.address) for hit in bench.bus.faults_hit] == [(2, 0x21)]


def test_a_fault_strikes_only_what_it_applies_to(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("flip_read", bit=0))
    bench.bus.inject(BusFault("drop_write"))
    write(host, 0x20, 0x14)
    assert bench.bus.faults_hit == []
    write(host, 0x20, 0x14, 1)
    assert bench.kinds_hit == ["drop_write"]
    assert read(host, 0x20, 0x14, 1) == [1]
    assert bench.kinds_hit == ["drop_write", "flip_read"]


def test_a_fault_that_another_one_hides_has_not_struck(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("flip_read", bit=0))
    bench.bus.inject(BusFault("nack"))
    assert error_of(read, host, 0x20, 0x14, 1) == 121
    assert bench.kinds_hit == ["nack"]
    assert read(host, 0x20, 0x14, 1) == [1]


def test_a_counted_fault_strikes_so_many_transfers(bench: Bench, host: SMBus) -> None:
    bench.bus.inject(BusFault("drop_write", count=2))
    got = [write_and_read_back(host, 0x20, 1, 1)[0] for _ in range(4)]
    assert got == [0, 0, 1, 1]
    assert [hit.transaction for hit in bench.bus.faults_hit] == [0, 1]


def test_a_persistent_fault_lasts_until_cleared_and_is_noted_once(
    bench: Bench, host: SMBus
) -> None:
    dead = BusFault("nack", address=0x21, at_transaction=1, count=None)
    bench.bus.inject(dead)
    write(host, 0x21, 0x14, 1)
    for _ in range(5):
        assert error_of(write, host, 0x21, 0x14, 2) == 121
        write(host, 0x20, 0x14, 2)
    assert [hit.transaction for hit in bench.bus.faults_hit] == [1]
    bench.bus.clear(dead)
    bench.bus.clear(dead)
    write(host, 0x21, 0x14, 2)


@pytest.mark.parametrize(("bits", "back"), [((0, 9), [1, 2]), ((9, 9), [0, 0])])
def test_two_flips_in_one_transfer_both_arrive(
    bench: Bench, host: SMBus, bits: tuple[int, ...], back: list[int]
) -> None:
    for bit in bits:
        bench.bus.inject(BusFault("flip_read", bit=bit))
    assert read(host, 0x20, 0x14, 2) == back
    assert bench.kinds_hit == ["flip_read", "flip_read"]


def test_each_of_several_faults_waits_for_its_own_transfer(bench: Bench, host: SMBus) -> None:
    for at, bit in ((3, 2), (0, 0), (2, 1)):
        bench.bus.inject(BusFault("flip_read", at_transaction=at, bit=bit))
    assert [read(host, 0x20, 0x14, 1) for _ in range(5)] == [[1], [0], [2], [4], [0]]


def test_a_brown_out_of_a_chip_that_does_not_exist_waits_for_one_that_does(
    bench: Bench, host: SMBus
) -> None:
    bench.bus.inject(BusFault("brown_out", at_transaction=0))
    assert error_of(write, host, 0x30, 0x14, 1) == 121
    assert bench.kinds_hit == []
    write(host, 0x21, 0x14, 1)
    assert [hit.address for hit in bench.bus.faults_hit] == [0x21]


def test_unsaid_bits_follow_the_seed() -> None:
    def run(seed: int) -> list[list[int]]:
        bench = Bench(seed=seed)
        bench.bus.inject(BusFault("flip_read", count=None))
        with bench.bus.installed(), SMBus(1) as host:
            return [read(host, 0x20, 0x14, 2) for _ in range(20)]

    assert run(1) == run(1) != run(2)
    assert all(a.bit_count() + b.bit_count() == 1 for a, b in run(1))
    assert len({tuple(pair) for pair in run(1)}) > 5


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (BusFault("gremlin"), "must be one of nack, nack_data, timeout"),
        (BusFault("nack", address=0x30), "0x30: the chips are at 0x20, 0x21"),
        (BusFault("nack", at_transaction=-1), "at_transaction -1"),
        (BusFault("nack", count=0), "count 0"),
        (BusFault("nack", for_us=0), "for_us 0"),
        (BusFault("stall"), "for_us None"),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(
    bench: Bench, fault: BusFault, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bench.bus.inject(fault)


# With and without faults armed, a transfer is the same transfer.


def test_a_fault_that_does_not_apply_changes_nothing() -> None:
    def run(faulty: bool) -> tuple[object, ...]:
        bench = Bench()
        if faulty:  # armed for a chip that is never addressed
            bench.bus.inject(BusFault("nack", address=0x27, count=None))
        with bench.bus.installed(), SMBus(1) as host:
            got = [write_and_read_back(host, 0x20, n & 0x7F, ~n & 0x7F) for n in range(50)]
            got += [read(host, 0x25, 0x0C, 8) for _ in range(5)]
            got += [error_of(read, host, 0x30, 0x00, 1)]
        return got, bench.heard, bench.time.now_us, bench.bus.wire_bytes

    assert run(False) == run(True)
