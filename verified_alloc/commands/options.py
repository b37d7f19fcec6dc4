"""Options that several commands share, and what they say, checked: `BadInput` names the option."""

import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from verified_alloc.errors import BadInput, shown
from verified_alloc.station.faults import Faults
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair
from verified_alloc.words import number

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


LimitsFile = Annotated[
    str | None,
    typer.Option(
        "--limits",
        metavar="FILE",
        help="What all guns together may draw: time,limit_kw, CSV, or an OCPP charging profile.",
    ),
]
Zone = Annotated[
    str | None,
    typer.Option(
        "--zone",
        metavar="NAME",
        help="Where cars come and go, for times with an offset in --limits."
        " [default: this machine's]",
    ),
]


def station_of(path: str | None) -> Station:
    return Station.reference() if path is None else Station.from_toml(Path(path))


def demands_of(options: Sequence[str] | None, name: str = "--demand") -> dict[int, Decimal]:
    demands: dict[int, Decimal] = {}
    for option in options or ():
        gun_text, equals, kw_text = option.partition("=")
        gun = digits(gun_text)
        if not equals or gun is None:
            raise BadInput(f"{name} {shown(option)}: allowed is GUN=KW, as 1=160")
        if gun in demands:
            raise BadInput(f"{name} {shown(option)}: gun {gun} twice; allowed is once")
        kw = number(kw_text)
        if kw is None:
            raise BadInput(
                f"{name} {shown(option)}: {shown(kw_text)} is no number of kW;"
                " allowed is GUN=KW, as 1=160"
            )
        demands[gun] = kw
    return demands


def faults_of(
    modules: Sequence[str] | None,
    guns: Sequence[str] | None,
    failed_open: Sequence[str] | None,
    welded: Sequence[str] | None,
) -> Faults:
    return Faults(
        modules=[number_of("--failed-module", text) for text in modules or ()],
        guns=[number_of("--gun-out", text) for text in guns or ()],
        failed_open=[pair_of("--failed-open", text) for text in failed_open or ()],
        welded=[pair_of("--welded", text) for text in welded or ()],
    )


def number_of(option: str, text: str) -> int:
    number = digits(text)
    if number is None:
        raise BadInput(f"{option} {shown(text)}: allowed is a number, as 3")
    return number


def pair_of(option: str, text: str) -> Pair:
    gun, _, module = text.partition(":")
    pair = digits(gun), digits(module)
    if pair[0] is None or pair[1] is None:
        raise BadInput(f"{option} {shown(text)}: allowed is GUN:MODULE, as 2:5")
    return pair[0], pair[1]


def digits(text: str) -> int | None:
    """The number that those digits say. (`int` alone also takes `1_0` and ` 1 `.)"""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def current_of(text: str | None) -> dict[int, Any] | None:
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
        gun = digits(key)
        if gun is None or gun in by_gun:
            raise BadInput(f"--current gun {shown(key)}: {form}, each gun once")
        by_gun[gun] = modules
    return by_gun


def names_of(option: str, text: str, allowed: Sequence[str]) -> list[str]:
    """Names with commas between, each once."""
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in allowed:
            raise BadInput(
                f"{option} {shown(text)}: {shown(name)}; allowed are {', '.join(allowed)}"
            )
        if names.count(name) > 1:
            raise BadInput(f"{option} {shown(text)}: {name} twice; allowed is once")
    return names


def numbers_of(option: str, text: str, most: int) -> list[int]:
    """Numbers with commas between, `5-12` for a range; in order, each once."""
    numbers: set[int] = set()
    for part in text.split(","):
        first, dash, last = (piece.strip() for piece in part.partition("-"))
        low = digits(first)
        high = digits(last) if dash else low
        if low is None or high is None or not low <= high <= most:
            raise BadInput(
                f"{option} {shown(text)}: {shown(part)}; allowed are numbers up to {most} and"
                " ranges, as 6,8,10-12"
            )
        numbers.update(range(low, high + 1))
    return sorted(numbers)
