"""The command `wiring`."""

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verified_alloc.commands.options import AsJson, StationOption, station_of
from verified_alloc.errors import BadInput
from verified_alloc.station.model import Station

if TYPE_CHECKING:
    from verified_alloc.station.wiring_list import ContactorWires


def wiring(
    station: StationOption = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the list as CSV.")] = False,
    svg: Annotated[
        str | None,
        typer.Option("--svg", metavar="FILE", help="Also draw it for the electrician, on A3."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """The wiring list: each contactor's coil, auxiliary contact, enable and status line.

    \b
    verified-alloc wiring --station site.toml
    verified-alloc wiring --csv > wiring.csv
    verified-alloc wiring --svg wiring.svg
    """
    from verified_alloc.station.wiring_list import wiring_list

    if as_csv and as_json:
        raise BadInput("--csv and --json: allowed is one of them")
    place = station_of(station)
    rows = wiring_list(place)
    if svg is not None:
        _draw(place, Path(svg))
    if as_json:
        print(json.dumps(_result(place, rows)))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(rows[0]._fields)
        writer.writerows(rows)
    else:
        _print(place, rows)
    return 0


def _draw(station: Station, file: Path) -> None:
    from verified_alloc.station.wiring_drawing import wiring_picture

    try:
        file.write_text(wiring_picture(station), encoding="utf-8")
    except OSError as error:
        raise BadInput(
            f"--svg {file}: {error.strerror}; allowed is a file that can be written"
        ) from None


def _result(station: Station, rows: "list[ContactorWires]") -> dict[str, Any]:
    pins = station.hardware
    return {
        "station": station.name,
        "i2c_bus": pins.i2c_buses if len(pins.i2c_buses) > 1 else pins.i2c_buses[0],
        "reset_bcm": pins.reset_pin,
        "watchdog_bcm": pins.watchdog_pin,
        "estop_bcm": pins.estop_pin,
        "contactors": [row._asdict() for row in rows],
    }


def _line(bcm: int | None, header_pin: int | None) -> str:
    if bcm is None:
        return "-"
    return f"BCM {bcm}" if header_pin is None else f"BCM {bcm} ({header_pin})"


def _print(station: Station, rows: "list[ContactorWires]") -> None:
    heads = ("contactor", "coil", "contact", "pin", "enable", "status", "off-delay")
    table = [
        heads,
        *(
            (
                row.contactor,
                row.output_expander,
                row.feedback_expander,
                f"{row.pin} ({row.package_pin})",
                _line(row.enable_bcm, row.enable_header_pin),
                _line(row.status_bcm, row.status_header_pin),
                f">= {row.off_delay_ms} ms",
            )
            for row in rows
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    pins = station.hardware
    print(
        f"{pins.buses_name}. Expander reset BCM {pins.reset_pin}, relay-supply watchdog BCM"
        f" {pins.watchdog_pin}, emergency stop BCM {pins.estop_pin}."
        " In brackets: pin of the chip or of the Pi's header."
    )
