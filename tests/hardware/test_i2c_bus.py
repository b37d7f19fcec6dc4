"""The I2C bus as Linux has it: a file that is locked, and an adapter that is told how long to wait.
What the simulated bus does with it is in `test_contactors`."""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest
import smbus2
import smbus2.smbus2

from hardware import DeviceLost, i2c_bus
from hardware.i2c_bus import buses_above, open_bus


class Adapter:
    """/dev/i2c-N: any number may open it; each opening is a file of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.opened: list[int] = []
        self.open = 0
        self.asked: list[tuple[int, int]] = []
        self.told: list[int] = []
        """By request, the number opened last."""

    def smbus(self, number: int) -> "Opened":
        self.opened.append(number)
        return Opened(self)

    def ioctl(self, file: int, request: int, argument: int) -> None:
        self.asked.append((request, argument))
        self.told.append(self.opened[-1])


class Opened:
    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.file = adapter.path.open("w")
        self.fd = self.file.fileno()
        adapter.open += 1

    def close(self) -> None:
        self.file.close()
        self.adapter.open -= 1


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adapter]:
    adapter = Adapter(tmp_path / "i2c")
    monkeypatch.setattr(smbus2, "SMBus", adapter.smbus)
    monkeypatch.setattr(smbus2.smbus2, "ioctl", adapter.ioctl)
    return adapter


def test_the_bus_of_that_number_is_told_to_wait_10_ms(adapter):
    open_bus(3).close()
    assert adapter.opened == [3]
    assert adapter.asked == [(0x0702, 1)]


def test_a_channel_of_multiplexers_has_the_buses_above_it_wait_no_longer(
    adapter, monkeypatch, tmp_path
):
    """Its driver waits as long as the bus that the first multiplexer is on: a second, on a Pi."""
    monkeypatch.setattr(i2c_bus, "buses_above", {30: [11, 1]}.get)
    bus = open_bus(30)
    assert adapter.told == [30, 11, 1]
    assert adapter.asked == [(0x0702, 1)] * 3
    assert adapter.open == 1  # the others are not kept
    bus.close()


def test_which_buses_are_above_is_told_by_the_kernel(tmp_path):
    devices, known = tmp_path / "sys/devices/soc/i2c@7e804000", tmp_path / "sys/class/i2c-adapter"
    (devices / "i2c-1/i2c-11/i2c-30").mkdir(parents=True)
    known.mkdir(parents=True)
    for number, path in ((1, "i2c-1"), (11, "i2c-1/i2c-11"), (30, "i2c-1/i2c-11/i2c-30")):
        (known / f"i2c-{number}").symlink_to(devices / path)
    above = [buses_above(number, tmp_path) for number in (1, 11, 30, 4)]
    assert above == [[], [1], [11, 1], []]


def test_the_bus_is_one_process_s_until_it_is_closed(adapter):
    bus = open_bus(1)
    for lock in (fcntl.LOCK_EX, fcntl.LOCK_SH):
        with adapter.path.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, lock | fcntl.LOCK_NB)
    with pytest.raises(DeviceLost, match=r"^I2C bus 1 \(/dev/i2c-1\): held by another process"):
        open_bus(1)
    assert adapter.open == 1
    assert len(adapter.asked) == 1  # the other's bus is not touched
    bus.close()
    open_bus(1)


def test_an_adapter_that_cannot_be_told_is_taken_as_it_is(adapter, monkeypatch):
    def refuses(*_: object) -> None:
        raise OSError("Inappropriate ioctl for device")

    monkeypatch.setattr(smbus2.smbus2, "ioctl", refuses)
    assert open_bus(1).fd


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            FileNotFoundError(2, "No such file or directory", "/dev/i2c-1"),
            "No such file or directory",
        ),
        (PermissionError(13, "Permission denied", "/dev/i2c-1"), "Permission denied"),
        (OSError("no such adapter"), "no such adapter"),
    ],
)
def test_a_bus_that_cannot_be_opened_is_a_lost_device(monkeypatch, error, told):
    def fails(number: int) -> None:
        raise error

    monkeypatch.setattr(smbus2, "SMBus", fails)
    with pytest.raises(DeviceLost) as lost:
        open_bus(1)
    assert str(lost.value) == f"I2C bus 1 (/dev/i2c-1): {told}"
