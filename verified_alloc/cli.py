"""The command line: `verified-alloc COMMAND`, one function for each command.

A command returns its exit code: 0 success, 1 what it checked does not hold, 2 bad input, 3 it
could not run. What only some commands need is imported where it is used.
"""

import json
import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verified_alloc.errors import BadInput, shown
from verified_alloc.station import Faults, Pair, Station

if TYPE_CHECKING:
    from verified_alloc.allocate import Allocation

app = typer.Typer(
    name="verified-alloc",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"verified-alloc {version('verified-alloc')}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Print it."),
    ] = False,
) -> None:
    """Decides which power modules feed which charging guns, and drives the contactors."""


Demands = Annotated[
    list[str] | None,
    typer.Option("--demand", metavar="GUN=KW", help="What a gun asks for, kW; once for each gun."),
]
StationOption = Annotated[
    str | None,
    typer.Option("--station", metavar="FILE", help="Station file, TOML. [default: reference]"),
]
PolicyOption = Annotated[str, typer.Option("--policy", metavar="NAME", help="How to decide.")]
Current = Annotated[
    str | None,
    typer.Option(
        "--current",
        metavar="JSON",
        help='The modules on each gun now, as {"1": [1, 2]}. [default: all contactors open]',
    ),
]
FailedModules = Annotated[
    list[str] | None, typer.Option("--failed-module", metavar="MODULE", help="Serves nobody.")
]
GunsOut = Annotated[
    list[str] | None, typer.Option("--gun-out", metavar="GUN", help="Gets nothing.")
]
Welded = Annotated[
    list[str] | None,
    typer.Option("--welded", metavar="GUN:MODULE", help="A contactor that does not open."),
]
FailedOpen = Annotated[
    list[str] | None,
    typer.Option("--failed-open", metavar="GUN:MODULE", help="A contactor that does not close."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def allocate(
    demand: Demands = None,
    station: StationOption = None,
    policy: PolicyOption = "documented",
    current: Current = None,
    failed_module: FailedModules = None,
    gun_out: GunsOut = None,
    welded: Welded = None,
    failed_open: FailedOpen = None,
    as_json: AsJson = False,
) -> int:
    """Which modules feed which gun.

    \b
    verified-alloc allocate --demand 1=160 --demand 3=120 --demand 5=80
    verified-alloc allocate --demand 1=240 --failed-module 3 --welded 2:5 --json
    verified-alloc allocate --demand 1=80 --current '{"2": [1, 2]}' --station site.toml
    """
    from verified_alloc.allocate import allocate

    place = _station(station)
    demands = _demands(demand)
    faults = _faults(failed_module, gun_out, failed_open, welded)
    answer = allocate(place, demands, policy, _current(current), faults)
    result = _result(place, demands, answer)
    if as_json:
        print(json.dumps(result))
    else:
        _print_allocation(result)
    return 0


@app.command()
def explain(
    demand: Demands = None,
    station: StationOption = None,
    policy: PolicyOption = "documented",
    current: Current = None,
    failed_module: FailedModules = None,
    gun_out: GunsOut = None,
    welded: Welded = None,
    failed_open: FailedOpen = None,
    as_json: AsJson = False,
) -> int:
    """Why every gun gets what it gets, in sentences.

    \b
    verified-alloc explain --demand 1=160 --demand 3=120 --demand 5=80
    verified-alloc explain --demand 1=240 --demand 2=100 --failed-module 3 --json
    """
    from verified_alloc.explain import explain

    place = _station(station)
    demands = _demands(demand)
    faults = _faults(failed_module, gun_out, failed_open, welded)
    explanation = explain(place, demands, policy, _current(current), faults)
    if as_json:
        result = _result(place, demands, explanation.allocation)
        for row in result["guns"]:
            reason = explanation.guns[row["gun"]]
            row["maximum_kw"] = reason.maximum_w / 1000
            row["served"] = reason.served
            row["needs_modules"] = reason.needs
            row["found_modules"] = reason.found
            row["reasons"] = reason.sentences
        print(json.dumps(result | {"reasons": explanation.station}))
    else:
        for reason in explanation.guns.values():
            print(" ".join(reason.sentences))
        for sentence in explanation.station:
            print(sentence)
    return 0


@app.command()
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
    as_json: AsJson = False,
) -> int:
    """Run a station: the simulated one, or the wires of a Raspberry Pi.

    \b
    verified-alloc run
    verified-alloc run --demands day
    verified-alloc run --demands hour --inject 'weld 2:1 @ 0s' --inject 'nack 0x21 @ 5min'
    verified-alloc run --demands hour --speed 10 --until 600
    verified-alloc run --hardware pi --station site.toml

    \b
    Faults: weld, failed-open, late-release, late-operate, spontaneous-open, aux-stuck-closed,
    aux-stuck-open, aux-chatter, aux-broken-wire GUN:MODULE; module-dead, module-stuck-on MODULE;
    estop; nack, nack-data, timeout, flip-read, flip-write, wrong-chip, drop-write, brown-out
    EXPANDER; then '@ TIME' and 'for TIME' (ms, s, min), as 'nack 0x21 @ 10s for 500ms'.
    """
    from verified_alloc import run_command

    return run_command.run(
        _station(station),
        demands=demands,
        hardware=hardware,
        speed=speed,
        until=until,
        inject=inject or (),
        seed=_numbered("--seed", seed),
        faults_file=faults,
        as_json=as_json,
    )


@app.command()
def prove(
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="This obligation, or all that begin so."),
    ] = None,
    station: StationOption = None,
    full: Annotated[
        bool, typer.Option("--full", help="With the second solver cvc5 and varied seeds.")
    ] = False,
    jobs: Annotated[
        str | None,
        typer.Option("--jobs", metavar="N", help="Processes at once. [default: one a core]"),
    ] = None,
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="Also write JUnit XML.")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", metavar="FILE", help="Also write a table.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Prove the rule, the guard, the switching and the wiring of a station.

    \b
    verified-alloc prove
    verified-alloc prove --only switching
    verified-alloc prove --station site.toml --markdown proofs.md
    """
    try:
        import z3  # noqa: F401
    except ImportError:
        raise BadInput("prove needs z3: pip install 'verified-alloc[proofs]'") from None
    from proofs import command

    return command.run(
        _station(station),
        only=only or (),
        jobs=None if jobs is None else _numbered("--jobs", jobs),
        full=full,
        as_json=as_json,
        junit=None if junit is None else Path(junit),
        markdown=None if markdown is None else Path(markdown),
    )


def _station(path: str | None) -> Station:
    return Station.reference() if path is None else Station.from_toml(Path(path))


def _demands(options: Sequence[str] | None) -> dict[int, Decimal]:
    demands: dict[int, Decimal] = {}
    for option in options or ():
        gun_text, equals, kw_text = option.partition("=")
        gun = _number(gun_text)
        if not equals or gun is None:
            raise BadInput(f"--demand {shown(option)}: allowed is GUN=KW, as 1=160")
        if gun in demands:
            raise BadInput(f"--demand {shown(option)}: gun {gun} twice; allowed is once")
        try:
            demands[gun] = Decimal(kw_text)
        except InvalidOperation:
            raise BadInput(
                f"--demand {shown(option)}: {shown(kw_text)} is no number of kW;"
                " allowed is GUN=KW, as 1=160"
            ) from None
    return demands


def _faults(
    modules: Sequence[str] | None,
    guns: Sequence[str] | None,
    failed_open: Sequence[str] | None,
    welded: Sequence[str] | None,
) -> Faults:
    return Faults(
        modules=[_numbered("--failed-module", text) for text in modules or ()],
        guns=[_numbered("--gun-out", text) for text in guns or ()],
        failed_open=[_pair("--failed-open", text) for text in failed_open or ()],
        welded=[_pair("--welded", text) for text in welded or ()],
    )


def _numbered(option: str, text: str) -> int:
    number = _number(text)
    if number is None:
        raise BadInput(f"{option} {shown(text)}: allowed is a number, as 3")
    return number


def _pair(option: str, text: str) -> Pair:
    gun, _, module = text.partition(":")
    pair = _number(gun), _number(module)
    if pair[0] is None or pair[1] is None:
        raise BadInput(f"{option} {shown(text)}: allowed is GUN:MODULE, as 2:5")
    return pair[0], pair[1]


def _number(text: str) -> int | None:
    """The number that those digits say. (`int` alone also takes `1_0` and ` 1 `.)"""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _current(text: str | None) -> dict[int, Any] | None:
    if text is None:
        return None
    form = 'allowed is {"1": [1, 2]}: gun and its modules'

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise BadInput(f"--current {shown(text)}: a gun twice; {form}")
        return dict(pairs)

    try:
        current = json.loads(text, object_pairs_hook=once)
    except BadInput:
        raise
    except (ValueError, RecursionError):
        raise BadInput(f"--current {shown(text)}: not JSON; {form}") from None
    if not isinstance(current, dict):
        raise BadInput(f"--current {shown(text)}: {form}")
    by_gun: dict[int, Any] = {}
    for key, modules in current.items():
        gun = _number(key)
        if gun is None or gun in by_gun:
            raise BadInput(f"--current gun {shown(key)}: {form}, each gun once")
        by_gun[gun] = modules
    return by_gun


def _result(station: Station, demands: dict[int, Decimal], answer: "Allocation") -> dict[str, Any]:
    """The result of `allocate` as the contract has it, powers in kW."""
    from verified_alloc.demand import watts

    guns = [
        {
            "gun": gun,
            "demand_kw": watts(demands.get(gun, 0), f"gun {gun}") / 1000,
            "modules": held,
            "connected_kw": sum(station.module_power_w[module - 1] for module in held) / 1000,
            "delivered_kw": answer.delivered_w[gun] / 1000,
            "unmet_kw": answer.unmet_w[gun] / 1000,
        }
        for gun, held in answer.modules.items()
    ]
    return {
        "policy": answer.policy,
        "guns": guns,
        "idle_modules": answer.idle_modules,
        "operations": answer.operations,
        "optimal": answer.optimal,
        "fallback_from": answer.fallback_from,
    }


def _print_allocation(result: dict[str, Any]) -> None:
    from verified_alloc.explain import modules

    heads = ("gun", "asks kW", "modules", "connected kW", "delivered kW", "unmet kW")
    powers = ("connected_kw", "delivered_kw", "unmet_kw")
    rows = [
        (
            str(row["gun"]),
            _plain(row["demand_kw"]),
            modules(row["modules"]) if row["modules"] else "-",
            *(_plain(row[power]) for power in powers),
        )
        for row in result["guns"]
    ]
    if sys.stdout.isatty():
        _print_rich(heads, rows)
    else:
        widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
        for line in (heads, *rows):
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print("  ".join(cells).rstrip())
    operations = result["operations"]
    print(
        f"Idle: {modules(result['idle_modules'])}. Contactor operations: {operations}."
        f" Policy: {result['policy']}."
    )


def _plain(kw: float) -> str:
    """A power without zeros that say nothing: 40, 40.5."""
    return f"{kw:.3f}".rstrip("0").rstrip(".")


def _print_rich(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*heads)
    for column in table.columns:
        column.justify = "left" if column.header == "modules" else "right"
    for row in rows:
        table.add_row(*row, style=None if row[2] != "-" else "dim")
    Console().print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. What is refused is one line on stderr and 2."""
    command = typer.main.get_command(app)
    # Typer brings its own copy of click or uses the installed one: take the class it raises.
    usage_error: type[Exception] = next(
        kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError"
    )
    try:
        code = command.main(
            None if argv is None else list(argv), prog_name="verified-alloc", standalone_mode=False
        )
    except BadInput as error:
        return _refuse(str(error))
    except usage_error as error:
        return _refuse(f"{str(error).rstrip('.')}; allowed is what verified-alloc --help lists")
    return code if isinstance(code, int) else 0


def _refuse(message: str) -> int:
    print(f"verified-alloc: {' '.join(message.split())}", file=sys.stderr)
    return 2


def entry() -> None:
    """The console script."""
    sys.exit(main())
