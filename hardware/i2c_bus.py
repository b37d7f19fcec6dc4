"""The I2C bus: opened, held against other processes, and not waited for longer than 10 ms."""

import fcntl
import re
from contextlib import closing, suppress
from pathlib import Path

import smbus2
import smbus2.smbus2

from hardware import DeviceLost

# Linux i2c-dev: how long the adapter waits for a chip, in units of 10 ms. Else bcm2835 waits 1 s.
_I2C_TIMEOUT = 0x0702
_TIMEOUT_10_MS = 1


def open_bus(number: int) -> smbus2.SMBus:
    """The bus /dev/i2c-`number`, for this process alone. Raises DeviceLost if it cannot be opened,
    or is held by another."""
    name = f"I2C bus {number} (/dev/i2c-{number})"
    try:
        bus = smbus2.SMBus(number)
    except OSError as error:
        raise DeviceLost(f"{name}: {error.strerror or error}") from error
    if not _locked(bus):
        bus.close()
        raise DeviceLost(f"{name}: held by another process; a station that runs?")
    _shorten_timeout(bus)
    # The driver of a multiplexer's channel waits as long as the bus that the multiplexer is on.
    for above in buses_above(number):
        with suppress(OSError), closing(smbus2.SMBus(above)) as other:
            _shorten_timeout(other)
    return bus


def buses_above(number: int, root: Path = Path("/")) -> list[int]:
    """The buses that this one is a multiplexer's channel of, the nearest first; mostly none."""
    adapter = (root / f"sys/class/i2c-adapter/i2c-{number}").resolve()
    names = (re.fullmatch(r"i2c-(\d+)", folder.name) for folder in adapter.parents)
    return [int(name[1]) for name in names if name]


def _locked(bus: smbus2.SMBus) -> bool:
    """No other process holds the bus, and from now on none will. i2c-dev itself lets any number in;
    a bus that is no file of the kernel's cannot be held."""
    file = getattr(bus, "fd", None)
    if isinstance(file, int):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except (OSError, ValueError):
            pass
    return True


def _shorten_timeout(bus: smbus2.SMBus) -> None:
    """Have the adapter give up after 10 ms, where there is one to tell."""
    file = getattr(bus, "fd", None)
    if isinstance(file, int):
        with suppress(OSError, ValueError):
            smbus2.smbus2.ioctl(file, _I2C_TIMEOUT, _TIMEOUT_10_MS)  # type: ignore[attr-defined]
