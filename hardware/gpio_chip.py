"""Who uses the lines of the Pi's GPIO chip, as the kernel tells (uapi/linux/gpio.h)."""

import fcntl
from collections.abc import Iterable
from pathlib import Path
from struct import Struct

_GET_LINE_INFO = 0xC100B405  # _IOWR(0xB4, 0x05, struct gpio_v2_line_info)
_LINE_INFO = Struct("=32s32sIIQ176x")  # name, consumer, offset, number of attributes, flags
_USED = 1


def users(chip: Path, lines: Iterable[int]) -> dict[int, str]:
    """By line (BCM) that is taken: who has it; "the kernel" where that has no name, as when an
    overlay gives the line another function. OSError if the chip does not tell."""
    taken: dict[int, str] = {}
    with chip.open("rb", buffering=0) as file:
        for line in lines:
            info = bytearray(_LINE_INFO.pack(b"", b"", line, 0, 0))
            fcntl.ioctl(file, _GET_LINE_INFO, info)
            _, consumer, _, _, flags = _LINE_INFO.unpack(info)
            if flags & _USED:
                taken[line] = consumer.rstrip(b"\0").decode(errors="replace") or "the kernel"
    return taken
