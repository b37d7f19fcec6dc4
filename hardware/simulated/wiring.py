"""The cabinet's wiring, transcribed on its own.

Contactors are counted module by module, guns ascending, only those that exist. Contactor k sits on
expander position k // 14, pin k % 14; pins 0 to 6 are bits 0 to 6 of the chip's word (port A), pins
7 to 13 are bits 8 to 14 (port B). Its auxiliary contact has the same place on the feedback expander
of the same position.
"""

from collections.abc import Iterable

PINS_PER_CHIP = 14


def places(contactors: Iterable[tuple[int, int]]) -> dict[tuple[int, int], tuple[int, int]]:
    """By contactor (gun, module), in the order in which they are counted: its chip and bit."""
    found = {}
    for k, pair in enumerate(sorted(contactors, key=lambda pair: pair[::-1])):
        position, pin = divmod(k, PINS_PER_CHIP)
        found[pair] = position, pin if pin < 7 else pin + 1
    return found
