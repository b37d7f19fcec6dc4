"""The wiring list: for each contactor where its coil, its auxiliary contact and its module hang."""

from typing import NamedTuple

from verified_alloc.kernel import wiring
from verified_alloc.station.model import Station

# Pins of the MCP23017's 28-pin packages (Microchip DS20001952, table 1-1).
_FIRST_PIN_OF_PORT_A, _FIRST_PIN_OF_PORT_B = 21, 1

# BCM number -> pin of the Raspberry Pi's 40-pin header.
HEADER_PINS = {
    2: 3, 3: 5, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21,
    25: 22, 11: 23, 8: 24, 7: 26, 0: 27, 1: 28, 5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36,
    26: 37, 20: 38, 21: 40,
}  # fmt: skip


class ContactorWires(NamedTuple):
    """Where one contactor is wired. BCM numbers, and pins of the 40-pin header."""

    contactor: str
    """`gun:module`."""
    gun: int
    module: int
    output_expander: str
    """I2C address of the expander that drives the coil, with several buses `BUS:ADDRESS`,"""
    feedback_expander: str
    """and of the one that reads the auxiliary contact, at the same pin."""
    pin: str
    """GPA0 to GPA6, GPB0 to GPB6."""
    package_pin: int
    """The same on the chip's 28-pin package."""
    enable_bcm: int
    """The module's enable line,"""
    enable_header_pin: int | None
    """None: a Compute Module's, on no header."""
    status_bcm: int | None
    """and its status input, where one is wired."""
    status_header_pin: int | None
    off_delay_ms: int
    """For at least so long coil supply and expander reset outlive the enables."""


def pin_name(bit: int) -> str:
    """What the datasheet calls the pin of that bit of a word."""
    return f"GP{'AB'[bit // 8]}{bit % 8}"


def package_pin(bit: int) -> int:
    """That pin on the chip's 28-pin package."""
    return (_FIRST_PIN_OF_PORT_A, _FIRST_PIN_OF_PORT_B)[bit // 8] + bit % 8


def wiring_list(station: Station) -> list[ContactorWires]:
    """All contactors in the order of the wiring. `BadInput` for a station that cannot be driven."""
    station.check_wiring()
    pins = station.hardware
    rows = []
    for number, (gun, module) in enumerate(station.contactors):
        at = wiring.place(number)
        enable = pins.enable_pins[module - 1]
        status = pins.status_pins[module - 1] if pins.status_pins else None
        rows.append(
            ContactorWires(
                contactor=f"{gun}:{module}",
                gun=gun,
                module=module,
                output_expander=pins.output_name(at.expander),
                feedback_expander=pins.feedback_name(at.expander),
                pin=pin_name(at.bit),
                package_pin=package_pin(at.bit),
                enable_bcm=enable,
                enable_header_pin=HEADER_PINS.get(enable),
                status_bcm=status,
                status_header_pin=None if status is None else HEADER_PINS.get(status),
                off_delay_ms=station.timing.current_decay_ms,
            )
        )
    return rows
