"""The command `commission`: its options; what it does is `verified_alloc.commission.command`."""

from typing import Annotated

import typer

from verified_alloc.commands.options import (
    AsJson,
    Demands,
    StationOption,
    demands_of,
    number_of,
    station_of,
)


def commission(
    station: StationOption = None,
    hardware: Annotated[
        str, typer.Option("--hardware", metavar="NAME", help="simulated or pi.")
    ] = "simulated",
    contactors_only: Annotated[
        bool,
        typer.Option("--contactors-only", help="No module is enabled: its mains may be off."),
    ] = False,
    demand: Demands = None,
    report: Annotated[
        str,
        typer.Option("--report", metavar="NAME", help="Writes NAME.html and NAME.json."),
    ] = "commission",
    faults: Annotated[
        str | None,
        typer.Option(
            "--faults",
            metavar="FILE",
            help="Where the station keeps latched faults; the dates of the proof tests go beside it"
            " [default: on a Pi /var/lib/verified-alloc/faults.json, simulated nowhere]",
        ),
    ] = None,
    inject: Annotated[
        list[str] | None,
        typer.Option(
            "--inject", metavar="FAULT", help="As for run, or a swap; simulated, repeatable."
        ),
    ] = None,
    seed: Annotated[
        str, typer.Option("--seed", metavar="N", help="Of the simulated parts' own times.")
    ] = "0",
    as_json: AsJson = False,
) -> int:
    """Walk a new cabinet: each expander, contactor and enable line, one at a time.

    Contactors are moved with every module off, each several times, and timed. A module is enabled
    only on one contactor that was found good, while nobody asks for power. Finds swapped address
    straps and wires, dead wires, welded and slow contactors. Last come the proof tests of the
    safety chain: relay watchdog, RESET, and the emergency stop, which you are asked to press.
    Starts only with every module off, no demand and the emergency stop released. The report is to
    be signed.

    \b
    verified-alloc commission
    verified-alloc commission --inject 'swapped-straps 0x20 0x21' --inject 'weld 2:5'
    verified-alloc commission --hardware pi --station site.toml --report site

    \b
    Swaps: swapped-straps ADDRESS ADDRESS; swapped-coils, swapped-contacts GUN:MODULE GUN:MODULE;
    swapped-enables, swapped-statuses MODULE MODULE.
    """
    from verified_alloc.commission import command

    return command.commission(
        station_of(station),
        hardware=hardware,
        contactors_only=contactors_only,
        demands=demands_of(demand),
        report=report,
        faults_file=faults,
        inject=inject or (),
        seed=number_of("--seed", seed),
        as_json=as_json,
    )
