"""How long one scan is on the I2C bus at most while nothing fails, and so how short it may be."""

from pathlib import Path

from hardware.contactors import scrubs_each_scan
from hardware.mcp23017 import REGISTERS

ASSUMED_BIT_RATE_HZ = 400_000
"""Where the kernel does not tell; what `doctor` asks config.txt for."""

_BITS_PER_BYTE = 9
_MESSAGES = 3  # of a transfer at most, each with a start bit
_OVERHEAD_US = 100  # of a transfer: system call, driver, interrupt

# Bytes on the wire, addresses included (`MCP23017`): contacts, latches, contacts and directions,
# then a new word. A scrub reads all registers.
_BYTES_PER_POSITION = 11 + 9 + 15 + 11
_TRANSFERS_PER_POSITION = 4
_BYTES_PER_SCRUB = 3 + REGISTERS


def bit_rate_hz(i2c_bus: int, root: Path = Path("/")) -> int | None:
    """The speed of that bus as the device tree has it; None where the kernel does not tell."""
    node = root / f"sys/class/i2c-adapter/i2c-{i2c_bus}/of_node/clock-frequency"
    try:
        return int.from_bytes(node.read_bytes()[:4], "big") or None
    except OSError:
        return None


def scan_us(positions: int, scan_ms: int, bit_rate_hz: int) -> int:
    """The time on the bus of a scan that writes to every output expander, in microseconds."""
    scrubs = scrubs_each_scan(positions, scan_ms)
    transfers = positions * _TRANSFERS_PER_POSITION + scrubs
    wire_bytes = positions * _BYTES_PER_POSITION + scrubs * _BYTES_PER_SCRUB
    bits = wire_bytes * _BITS_PER_BYTE + transfers * (_MESSAGES + 1)
    return bits * 1_000_000 // bit_rate_hz + transfers * _OVERHEAD_US


def least_scan_ms(positions: int, bit_rate_hz: int) -> int:
    """The shortest scan that is longer than its time on the bus."""
    return next(
        scan_ms
        for scan_ms in range(1, 10_000)
        if scan_us(positions, scan_ms, bit_rate_hz) <= scan_ms * 1000
    )
