"""How long one scan is on the I2C buses at most while nothing fails, and so how short it may be."""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hardware.contactors import scrubs_each_scan
from hardware.i2c_bus import buses_above
from hardware.layout import Layout
from hardware.mcp23017 import REGISTERS

ASSUMED_BIT_RATE_HZ = 400_000
"""Where the kernel does not tell; what `doctor` asks config.txt for."""

_BITS_PER_BYTE = 9
_MESSAGES = 3  # of a transfer at most, each with a start bit
_OVERHEAD_US = 100  # of a transfer: system call, driver, interrupt

# Bytes on the wire, addresses included (`MCP23017`): latches, then a new word; contacts, then
# contacts and directions. A scrub reads all registers.
_BYTES_PER_OUTPUT = 9 + 11
_BYTES_PER_FEEDBACK = 11 + 15
_TRANSFERS_PER_CHIP = 2
_BYTES_PER_SCRUB = 3 + REGISTERS


def bit_rate_hz(i2c_bus: int, root: Path = Path("/")) -> int | None:
    """The speed of that bus, or of the one that it is a multiplexer's channel of, as the device
    tree has it; None where the kernel does not tell."""
    for number in (i2c_bus, *buses_above(i2c_bus, root)):
        node = root / f"sys/class/i2c-adapter/i2c-{number}/of_node/clock-frequency"
        with suppress(OSError):
            return int.from_bytes(node.read_bytes()[:4], "big") or None
    return None


def scan_us(layout: Layout, positions: int, scan_ms: int, rates_hz: Mapping[int, int]) -> int:
    """The time on these buses, each at its bit rate, of a scan that writes to every output expander
    of so many positions, in microseconds. One transfer comes after another, on whichever bus."""
    outputs = Counter(bus for bus, _ in layout.output_expanders[:positions])
    feedback = Counter(bus for bus, _ in layout.feedback_expanders[:positions])
    slowest = min(rates_hz, key=lambda bus: rates_hz[bus])
    taken_us = 0
    for bus, rate_hz in rates_hz.items():
        # The chips that one scan looks over may all be on the slowest.
        scrubs = scrubs_each_scan(positions, scan_ms) if bus == slowest else 0
        transfers = (outputs[bus] + feedback[bus]) * _TRANSFERS_PER_CHIP + scrubs
        wire_bytes = (
            outputs[bus] * _BYTES_PER_OUTPUT
            + feedback[bus] * _BYTES_PER_FEEDBACK
            + scrubs * _BYTES_PER_SCRUB
        )
        bits = wire_bytes * _BITS_PER_BYTE + transfers * (_MESSAGES + 1)
        taken_us += bits * 1_000_000 // rate_hz + transfers * _OVERHEAD_US
    return taken_us


def least_scan_ms(layout: Layout, positions: int, rates_hz: Mapping[int, int]) -> int:
    """The shortest scan that is longer than its time on these buses."""
    return next(
        scan_ms
        for scan_ms in range(1, 10_000)
        if scan_us(layout, positions, scan_ms, rates_hz) <= scan_ms * 1000
    )
