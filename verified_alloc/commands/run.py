"""The command `run`: its options; what it does is `verified_alloc/run/command.py`."""

from typing import Annotated

import typer

from verified_alloc.commands.options import AsJson, StationOption, number_of, station_of


def run(
    demands: Annotated[
        str | None,
        typer.Option(
            "--demands",
            metavar="FILE",
            help="Demand trace, CSV time_s,gun,demand_kw, or a sample: day, hour."
            " [default: a live synthetic day]",
        ),
    ] = None,
    station: StationOption = None,
    hardware: Annotated[
        str, typer.Option("--hardware", metavar="NAME", help="simulated or pi.")
    ] = "simulated",
    speed: Annotated[
        str | None,
        typer.Option(
            "--speed",
            metavar="N",
            help="Simulated seconds in a real one, or max. [default: max with --demands, else 1]",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="S", help="Seconds to run. [default: to the last demand]"),
    ] = None,
    inject: Annotated[
        list[str] | None,
        typer.Option("--inject", metavar="FAULT", help="As 'weld 3:5 @ 120s'; repeatable."),
    ] = None,
    seed: Annotated[
        str, typer.Option("--seed", metavar="N", help="Of the simulated parts' own times.")
    ] = "0",
    faults: Annotated[
        str | None,
        typer.Option(
            "--faults",
            metavar="FILE",
            help="Where latched faults are kept."
            " [default: on a Pi /var/lib/verified-alloc/faults.json, simulated nowhere]",
        ),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            help="Where it is written down what happens and why, SQLite."
            " [default: on a Pi /var/lib/verified-alloc/journal.db, simulated nowhere]",
        ),
    ] = None,
    http: Annotated[
        str | None,
        typer.Option(
            "--http",
            metavar="HOST:PORT",
            help="Where a live station's service listens. [default: 127.0.0.1:8080]",
        ),
    ] = None,
    service: Annotated[
        bool, typer.Option("--service/--no-service", help="A live station can be talked to.")
    ] = True,
    as_json: AsJson = False,
) -> int:
    """Run a station: the simulated one, or the wires of a Raspberry Pi.

    \b
    verified-alloc run
    verified-alloc run --demands day
    verified-alloc run --demands hour --inject 'weld 2:1 @ 0s' --inject 'nack 0x21 @ 5min'
    verified-alloc run --demands hour --speed 10 --until 600
    verified-alloc run --demands day --journal day.db
    verified-alloc run --hardware pi --station site.toml

    What is said of the proof is read from the proof record beside the station file, site.proof.json
    (prove --attest writes it), else from the package's own of the reference station. With
    require_proof = true in [station], --hardware pi starts only if that record covers what runs.

    \b
    Faults: weld, failed-open, late-release, late-operate, spontaneous-open, spontaneous-close,
    aux-stuck-closed, aux-stuck-open, aux-chatter, aux-broken-wire, coil-open, coil-shorted
    GUN:MODULE; module-dead, module-stuck-on, gate-stuck-on MODULE; line-high, line-low BCM; estop,
    watchdog-stuck-on, relay-supply-off, coil-supply-off, reset; pin-high, pin-low, upset
    EXPANDER:BIT; nack, nack-data, timeout, flip-read, flip-write, wrong-chip, drop-write,
    brown-out, no-transfer EXPANDER; stall; then '@ TIME' and 'for TIME' (ms, s, min), as 'nack 0x21
    @ 10s for 500ms'. Of several buses, the EXPANDER is as 3:0x21, or bus-3 for all on it.
    """
    from verified_alloc.run import command
    from verified_alloc.run.plan import RunOptions, checked

    options = RunOptions(
        station=station_of(station),
        station_file=station,
        demands=demands,
        hardware=hardware,
        speed=speed,
        until=until,
        inject=inject or (),
        seed=number_of("--seed", seed),
        faults_file=faults,
        journal_file=journal,
        http=http,
        service=service,
        as_json=as_json,
    )
    return command.run(checked(options))
