"""The wiring as a drawing for the electrician: one sheet, landscape, as SVG; A3, and larger where
more than four pairs of expanders need it.

Left the Pi's header, beside it each pair of expanders with its contactors in between, below the
matrix of guns and modules, the safety chain and the title block. All lengths are mm.
"""

from collections.abc import Iterator
from html import escape
from math import ceil
from typing import NamedTuple

from verified_alloc.kernel import wiring
from verified_alloc.station.model import Station
from verified_alloc.station.wiring_list import (
    HEADER_PINS,
    ContactorWires,
    package_pin,
    pin_name,
    wiring_list,
)


class Sheet(NamedTuple):
    """Its name (ISO 216) and its size in mm, landscape."""

    name: str
    width: int
    height: int


SHEETS = (
    Sheet("A3", 420, 297),
    Sheet("A2", 594, 420),
    Sheet("A1", 841, 594),
    Sheet("A0", 1189, 841),
    Sheet("2A0", 1682, 1189),
    Sheet("4A0", 2378, 1682),
)

INK, GREY, PALE = "#1b1f24", "#6e7781", "#d0d7de"
ENABLE, STATUS, SAFETY, I2C = "#b35900", "#1a7f37", "#b3151b", "#0550ae"

_POWER_PINS = {1: "3.3 V", 17: "3.3 V", 2: "5 V", 4: "5 V"}
_GROUND_PINS = (6, 9, 14, 20, 25, 30, 34, 39)
_SDA, _SCL = 3, 5  # header pins of I2C bus 1

_HEADER_TOP, _HEADER_LEFT, _ROW = 34.0, 48.0, 7.0
_BLOCK_TOP, _BLOCK_LEFT, _BLOCK_WIDTH = 34.0, 113.0, 75.5
_LOWER_TOP = 196.0

Part = str


def wiring_picture(station: Station) -> str:
    """The sheet. `BadInput` for a station that cannot be driven."""
    rows = wiring_list(station)
    positions = wiring.expanders(len(rows))
    needed = _BLOCK_LEFT + positions * _BLOCK_WIDTH
    roll = Sheet("off a roll", ceil(needed), SHEETS[-1].height)
    sheet = next((each for each in SHEETS if needed <= each.width), roll)
    width, height = sheet.width, sheet.height
    parts = [
        _rect(7, 7, width - 14, height - 14, stroke=INK, width=0.5),
        *_header(station),
        *_buses(station, positions),
    ]
    for position in range(positions):
        first = position * wiring.CONTACTORS_PER_EXPANDER
        parts += _block(station, position, rows[first : first + wiring.CONTACTORS_PER_EXPANDER])
    parts += _matrix(station, rows, sheet)
    parts += _safety(station, sheet)
    parts += _title(station, len(rows), sheet)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm"'
        f' viewBox="0 0 {width} {height}" font-family="DejaVu Sans, Arial, sans-serif"'
        f' font-size="2.7" fill="{INK}">\n<title>Wiring of {escape(station.name)}</title>\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


# The Raspberry Pi.


def _header(station: Station) -> Iterator[Part]:
    """The 40-pin header as it lies on the board, pin 1 at the top left."""
    top, left = _HEADER_TOP, _HEADER_LEFT
    yield _text(14, 23, "Raspberry Pi, 40-pin header", 4.2, bold=True)
    yield _text(14, 27.2, "BCM numbers; high = on. Seen from above, USB ports below.", 2.6, GREY)
    yield _rect(left - 1.5, top - 4.2, 17, 20 * _ROW + 1.6, fill="#f6f8fa", stroke=INK, width=0.4)
    uses = _uses(station)
    for pin in range(1, 41):
        row, odd = (pin - 1) // 2, pin % 2
        y = top + row * _ROW
        x = left + 3 if odd else left + 11
        label, colour = uses.get(pin, ("", GREY))
        used = colour not in (GREY, PALE)
        yield _circle(x, y - 0.7, 2.1, fill="#ffffff", stroke=colour if used else GREY)
        yield _text(x, y + 0.1, str(pin), 2.2, colour if used else GREY, anchor="middle")
        edge, away = (left - 1.5, -1) if odd else (left + 15.5, 1)
        if used:
            yield _line(edge, y - 0.7, edge + 3 * away, y - 0.7, colour, 0.5)
        yield _text(
            edge + (4 if used else 1.5) * away,
            y + 0.2,
            label,
            2.7 if used else 2.3,
            colour,
            anchor="end" if odd else "start",
            bold=used,
        )
    # What a Compute Module brings out besides, in columns below.
    for number, (_, label, colour) in enumerate(use for use in _lines(station) if use[0] > 27):
        x, y = 14 + number // 6 * 31, top + 20 * _ROW + 4 + number % 6 * 2.9
        yield _text(x, y, label, 2.2, colour, bold=True)


def _lines(station: Station) -> Iterator[tuple[int, str, str]]:
    """Each line of the station: its BCM number, what it is for, and the colour of that."""
    pins = station.hardware
    for kind, numbers, colour in (
        ("enable PM", pins.enable_pins, ENABLE),
        ("status PM", pins.status_pins, STATUS),
    ):
        for module, bcm in enumerate(numbers, start=1):
            yield bcm, f"{kind}{module}  BCM {bcm}", colour
    for name, bcm in (
        ("RESET", pins.reset_pin),
        ("WATCHDOG", pins.watchdog_pin),
        ("E-STOP", pins.estop_pin),
    ):
        yield bcm, f"{name}  BCM {bcm}", SAFETY


def _uses(station: Station) -> dict[int, tuple[str, str]]:
    """By pin of the header: what it is for, and the colour of that."""
    uses = {pin: (f"BCM {bcm}", PALE) for bcm, pin in HEADER_PINS.items()}
    uses |= {pin: (name, GREY) for pin, name in _POWER_PINS.items()}
    uses |= dict.fromkeys(_GROUND_PINS, ("ground", GREY))
    if 1 in station.hardware.i2c_buses:
        uses |= {_SDA: ("SDA  BCM 2", I2C), _SCL: ("SCL  BCM 3", I2C)}
    for bcm, label, colour in _lines(station):
        if bcm in HEADER_PINS:
            uses[HEADER_PINS[bcm]] = label, colour
    return uses


def _bus_heights(station: Station) -> dict[int, float]:
    """By bus: where its line runs."""
    buses = station.hardware.i2c_buses
    return {bus: 9.5 + 10 * (n + 0.5) / len(buses) for n, bus in enumerate(buses)}


def _buses(station: Station, positions: int) -> Iterator[Part]:
    """I2C from the Pi, each bus through an isolator of its own to its expanders."""
    last = _BLOCK_LEFT + (positions - 1) * _BLOCK_WIDTH + 62.4
    heights = _bus_heights(station)
    share = 1 / len(heights)
    for bus, y in heights.items():
        yield _line(88, y, last, y, I2C, 0.9)
        yield _rect(91, y - 4 * share, 17, 8 * share, fill="#ffffff", stroke=I2C, width=0.4)
        if share == 1:
            yield _text(99.5, y - 0.4, "isolator", 2.5, I2C, anchor="middle")
            yield _text(99.5, y + 2.6, "and supply", 2.2, I2C, anchor="middle")
        else:
            small = 3.8 * share
            yield _text(99.5, y + small / 3, "isolator, supply", small, I2C, anchor="middle")
        name = f"I2C bus {bus}: SDA, SCL, 400 kHz"
        yield _text(87, y + 0.9, name, min(2.5, 5 * share), I2C, anchor="end", bold=True)


# Expanders and contactors.


def _block(station: Station, position: int, rows: list[ContactorWires]) -> Iterator[Part]:
    """One pair of expanders: a line for each contactor, from its coil's pin to its contact's."""
    left, top, step = _BLOCK_LEFT + position * _BLOCK_WIDTH, _BLOCK_TOP, 10.2
    pins, heights = station.hardware, _bus_heights(station)
    output, feedback = pins.output_expanders[position], pins.feedback_expanders[position]
    for x, expander, kind in ((left, output, "coils"), (left + 53, feedback, "contacts")):
        y = heights[expander.bus]
        if len(heights) > 1:
            yield _circle(x + 9, y, 0.8, fill=I2C, stroke=I2C)
        yield _line(x + 9, y, x + 9, top - 12, I2C, 0.9)
        yield _rect(x, top - 12, 18, 13 + 14 * step, fill="#f6f8fa", stroke=INK, width=0.4)
        yield _text(x + 9, top - 8.4, pins.name(expander), 3.8, anchor="middle", bold=True)
        yield _text(x + 9, top - 5.2, kind, 2.4, anchor="middle")
        yield _text(x + 9, top - 2.3, _straps(expander.address), 1.75, GREY, anchor="middle")
    for place in range(wiring.CONTACTORS_PER_EXPANDER):
        y = top + 3.6 + place * step
        bit = wiring.place(place).bit
        if place < len(rows):
            yield from _contactor(left, y, rows[place], bit)
        else:
            for x in (left + 16.8, left + 54.2):
                anchor = "end" if x < left + 30 else "start"
                yield _text(x, y + 0.8, pin_name(bit), 2.2, PALE, anchor=anchor)


def _straps(address: int) -> str:
    levels = (f"A{bit}={address >> bit & 1}" for bit in (2, 1, 0))
    return " ".join(levels)


def _contactor(left: float, y: float, row: ContactorWires, bit: int) -> Iterator[Part]:
    pin, number = pin_name(bit), package_pin(bit)
    yield _text(left + 16.8, y + 0.1, pin, 2.5, anchor="end", bold=True)
    yield _text(left + 16.8, y + 2.7, f"pin {number}", 1.8, GREY, anchor="end")
    yield _line(left + 18, y - 0.6, left + 22, y - 0.6)
    yield _path(f"M{left + 22} {y - 2.6} l4.4 2 l-4.4 2 z", fill="#ffffff")  # coil driver
    yield _line(left + 26.4, y - 0.6, left + 29, y - 0.6)
    yield _rect(left + 29, y - 2.8, 10.5, 4.4, fill="#fff8ec", stroke=ENABLE, width=0.4)
    yield _text(left + 34.25, y + 0.4, f"K{row.contactor}", 2.7, anchor="middle", bold=True)
    yield _line(left + 39.5, y - 0.6, left + 45, y - 0.6, GREY, 0.25, dash="0.8 0.7")
    # Normally closed: the blade touches its contact while the coil is off. Left side to ground.
    yield _line(left + 42, y + 2.0, left + 44, y + 2.0)
    yield _line(left + 44, y + 2.0, left + 48.4, y + 0.1)
    yield _line(left + 48.0, y - 0.6, left + 48.0, y + 2.0)
    yield _line(left + 48.0, y + 2.0, left + 50.5, y + 2.0)
    yield _line(left + 50.5, y + 2.0, left + 50.5, y - 0.6)
    yield _line(left + 50.5, y - 0.6, left + 53, y - 0.6)
    for width, depth in ((2.2, 0.0), (1.4, 0.5), (0.6, 1.0)):
        x, down = left + 42 - width / 2, y + 3.0 + depth
        yield _line(x, down, x + width, down)
    yield _line(left + 42, y + 2.0, left + 42, y + 3.0)
    yield _text(left + 54.2, y + 0.1, pin, 2.5, bold=True)
    yield _text(left + 54.2, y + 2.7, f"pin {number}", 1.8, GREY)


# The matrix.


def _matrix(station: Station, rows: list[ContactorWires], sheet: Sheet) -> Iterator[Part]:
    """Modules are columns, guns are lines, each contactor where they cross."""
    left, top = 31.0, _LOWER_TOP + 25
    guns, modules = len(station.guns), len(station.modules)
    across = min(15.0, (138 + sheet.width - SHEETS[0].width) / modules)
    down = min(9.6, (56 + sheet.height - SHEETS[0].height) / guns)
    small = min(1.0, across / 13, down / 6)
    yield _text(14, _LOWER_TOP + 1, "Matrix: modules, guns, contactors", 4.2, bold=True)
    for module in range(modules):
        x = left + (module + 0.5) * across
        pins = station.hardware
        yield _text(x, top - 16.5, f"PM{module + 1}", 3.2 * small, anchor="middle", bold=True)
        kw = station.module_power_w[module] / 1000
        yield _text(x, top - 13.3, f"{kw:g} kW", 2.2 * small, GREY, anchor="middle")
        bcm = pins.enable_pins[module]
        yield _text(x, top - 9.9, f"en BCM {bcm}", 2.1 * small, ENABLE, anchor="middle")
        if pins.status_pins:
            bcm = pins.status_pins[module]
            yield _text(x, top - 7.1, f"st BCM {bcm}", 2.1 * small, STATUS, anchor="middle")
        yield _line(x, top - 5, x, top + guns * down - down / 2, GREY, 0.7)
    for gun in range(guns):
        y = top + (gun + 0.5) * down
        yield _line(left - 4, y, left + modules * across - across / 2, y, GREY, 0.7)
        yield _text(left - 5, y + 0.3, f"gun {gun + 1}", 3.0 * small, anchor="end", bold=True)
        kw = station.gun_max_w[gun] / 1000
        yield _text(left - 5, y + 3.1 * small, f"{kw:g} kW", 2.0 * small, GREY, anchor="end")
    for row in rows:
        x, y = left + (row.module - 0.5) * across, top + (row.gun - 0.5) * down
        wide, high = 0.84 * across, 0.74 * down
        yield _rect(
            x - wide / 2, y - high / 2, wide, high, fill="#fff8ec", stroke=ENABLE, width=0.3
        )
        yield _text(x, y - 0.2, f"K{row.contactor}", 2.7 * small, anchor="middle", bold=True)
        where = f"{row.output_expander} {row.pin[2:]}"
        yield _text(x, y + 2.5 * small, where, 1.95 * small, GREY, anchor="middle")


# The safety chain.


def _safety(station: Station, sheet: Sheet) -> Iterator[Part]:
    """What must act without software, as the plant's assumptions have it."""
    left, top = sheet.width - 239.0, _LOWER_TOP
    pins, delay_ms = station.hardware, station.timing.current_decay_ms
    yield _text(left, top + 1, "Safety chain: hardware, without software", 4.2, bold=True)
    boxes = {
        "estop": (0, 8, "Emergency stop", f"healthy = high, BCM {pins.estop_pin}"),
        "watchdog": (0, 26, "Supply watchdog", f"fed by edges, BCM {pins.watchdog_pin}"),
        "gate": (52, 17, "Both healthy", "else open at once"),
        "enables": (104, 8, "Module enables", "cut at once; pull-downs"),
        "delay": (52, 44, "Off-delay", f"at least {delay_ms} ms"),
        "coils": (104, 35, "Coil supply", "drivers with suppression"),
        "reset": (104, 53, "Expander RESET", f"off-delayed BCM {pins.reset_pin}"),
    }
    for x, y, name, about in boxes.values():
        yield _rect(left + x, top + y, 40, 12, fill="#fff5f5", stroke=SAFETY, width=0.4)
        yield _text(left + x + 20, top + y + 5.2, name, 3, anchor="middle", bold=True)
        yield _text(left + x + 20, top + y + 9.2, about, 2.3, GREY, anchor="middle")
    for path in (
        "M40 14 h6 v7 h6",
        "M40 32 h6 v-7 h6",
        "M92 23 h6 v-9 h6",
        "M72 29 v15",
        "M92 50 h6 v-9 h6",
        "M92 50 h6 v9 h6",
    ):
        yield (
            f'<path d="{path}" transform="translate({left} {top})" fill="none"'
            f' stroke="{SAFETY}" stroke-width="0.6"/>'
        )
    notes = (
        f"Expanders: MCP23017; RESET together, BCM {pins.reset_pin}, off-delayed, pulled down.",
        "Auxiliary contacts: mirror contacts, normally closed, to ground; the expander pulls up.",
        "Closed main contact = high = 1. A broken wire reads closed. GPA7 and GPB7 stay free.",
        "Enable lines: pull-down of 10 k or less at the module side. Coil set = high = 1.",
    )
    for line, note in enumerate(notes):
        yield _text(left, top + 72 + 4.2 * line, note, 2.6)


def _title(station: Station, contactors: int, sheet: Sheet) -> Iterator[Part]:
    left, top, width = sheet.width - 90.0, sheet.height - 57.0, 83.0
    yield _rect(left, top, width, 50, fill="#ffffff", stroke=INK, width=0.5)
    for y in (18, 30, 40):
        yield _line(left, top + y, left + width, top + y, INK, 0.3)
    yield _line(left + width / 2, top + 18, left + width / 2, top + 50, INK, 0.3)
    yield _text(left + 3, top + 5, "wiring of", 2.2, GREY)
    size = min(6.0, 120 / max(1, len(station.name)))
    yield _text(left + 3, top + 12.5, station.name, size, bold=True)
    for x, y, name, value in (
        (0, 18, "station", f"{len(station.guns)} guns, {len(station.modules)} modules"),
        (1, 18, "contactors", f"{contactors}, matrix {station.matrix.kind}"),
        (0, 30, "drawn by", "verified-alloc wiring"),
        (1, 30, "sheet", f"1 of 1, {sheet.name}"),
        (0, 40, "checked: name, date", ""),
        (1, 40, "approved: name, date", ""),
    ):
        at = left + 3 + x * width / 2
        yield _text(at, top + y + 3.6, name, 2.2, GREY)
        yield _text(at, top + y + 8.4, value, 2.9)


# Shapes.


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    colour: str = INK,
    anchor: str = "start",
    bold: bool = False,
) -> Part:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:.2f}" fill="{colour}"'
        f' text-anchor="{anchor}"{weight}>{escape(text)}</text>'
    )


def _line(
    x1: float,
    y1: float,
    x2: float,
    y2: float,
    colour: str = INK,
    width: float = 0.35,
    dash: str = "",
) -> Part:
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{colour}"'
        f' stroke-width="{width}"{dashes}/>'
    )


def _rect(
    x: float,
    y: float,
    wide: float,
    high: float,
    fill: str = "none",
    stroke: str = INK,
    width: float = 0.3,
) -> Part:
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{wide:.2f}" height="{high:.2f}" rx="0.6"'
        f' fill="{fill}" stroke="{stroke}" stroke-width="{width}"/>'
    )


def _circle(x: float, y: float, radius: float, fill: str, stroke: str) -> Part:
    return (
        f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius}" fill="{fill}" stroke="{stroke}"'
        ' stroke-width="0.35"/>'
    )


def _path(shape: str, fill: str) -> Part:
    return f'<path d="{shape}" fill="{fill}" stroke="{INK}" stroke-width="0.35"/>'
