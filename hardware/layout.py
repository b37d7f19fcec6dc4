"""Where the wires of the Raspberry Pi go."""

from dataclasses import dataclass

Expander = tuple[int, int]
"""Where an expander is: the number of its I2C bus, 1 for /dev/i2c-1, and its address there."""


@dataclass(frozen=True)
class Layout:
    """Expanders on I2C, and lines of GPIO by their BCM number."""

    i2c_buses: tuple[int, ...]
    """The buses that expanders are on."""
    output_expanders: tuple[Expander, ...]
    """The expanders that drive coils, by position."""
    feedback_expanders: tuple[Expander, ...]
    """Those that read the auxiliary contacts of the same positions."""
    enable_pins: tuple[int, ...]
    """The enable line of each module, module 1 first: high = on."""
    status_pins: tuple[int, ...]
    """The status input of each module, high = it is on; empty = none is wired."""
    reset_pin: int
    """Low holds all expanders in reset."""
    watchdog_pin: int
    """Each edge keeps the coil supply and the enables alive for a while."""
    estop_pin: int
    """High = healthy; low, or a broken wire, = stop."""
    watchdog_device: str
    """The machine's own watchdog, as /dev/watchdog; empty = none."""
