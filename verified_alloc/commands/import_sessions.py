"""The commands `import epfl` and `import synthetic`: sessions from elsewhere, as `compare` reads
them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verified_alloc.commands.options import number_of
from verified_alloc.errors import BadInput

if TYPE_CHECKING:
    from verified_alloc.workload.session_file import SessionRow

group = typer.Typer(
    help="Make a file of sessions for compare, from public data or out of thin air.",
    rich_markup_mode=None,
)

Out = Annotated[
    str | None,
    typer.Option("--out", metavar="FILE", help="Where to write. [default: standard output]"),
]
CurvesOption = Annotated[
    str | None,
    typer.Option("--curves", metavar="FILE", help="Charging curves by car, open-ev-data's CSV."),
]


@group.command()
def epfl(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The data set's session file, CSV.")],
    overlay: Annotated[
        str, typer.Option("--overlay", metavar="N", help="Lay N days onto one.")
    ] = "1",
    curves: CurvesOption = None,
    out: Out = None,
) -> int:
    """The public DC sessions of the EPFL's 172.5 kW site, as sessions for compare.

    Rows that cannot have been so are left out; how many and why is told on standard error. The site
    holds two cars at once: --overlay 5 loads six guns. With --curves each session gets the car
    nearest in battery size and power, and its curve; give compare the same file.

    \b
    verified-alloc import epfl epfl_sessions.csv --overlay 5 --out sessions.csv
    verified-alloc compare sessions.csv --policies documented,max-power
    """
    from verified_alloc.workload.cars import read_cars
    from verified_alloc.workload.epfl import overlay as overlaid
    from verified_alloc.workload.epfl import read_epfl

    folded = number_of("--overlay", overlay)
    sessions, left_out = read_epfl(file, read_cars(curves) if curves else None)
    laid = overlaid(sessions, folded)
    _write(laid, out)
    sentences = [
        f"{len(sessions)} of {len(sessions) + left_out.total()} rows are plausible sessions."
    ]
    sentences += [f"Left out: {count} with {reason}." for reason, count in left_out.most_common()]
    print("\n".join(sentences), file=sys.stderr)
    return 0


@group.command()
def synthetic(
    days: Annotated[str, typer.Option("--days", metavar="N", help="How many days.")] = "1",
    guns: Annotated[
        str, typer.Option("--guns", metavar="N", help="How many guns the cars come for.")
    ] = "6",
    seed: Annotated[
        str, typer.Option("--seed", metavar="N", help="The same seed, the same days.")
    ] = "1",
    out: Out = None,
) -> int:
    """Synthetic days at a busy site: arrivals, batteries, curves and drivers by chance.

    Cars come at random, 15 a day for each gun, most from noon to early evening; of seven kinds from
    40 kWh and 60 kW to 106 kWh and 350 kW; with 5 to 80 % of charge, for 60 to 100 %.

    \b
    verified-alloc import synthetic --days 7 --seed 3 --out week.csv
    verified-alloc compare week.csv --report week.html
    """
    from verified_alloc.workload.synthetic import synthetic_sessions

    rows = synthetic_sessions(
        number_of("--seed", seed), number_of("--guns", guns), number_of("--days", days)
    )
    _write(list(rows), out)
    return 0


def _write(sessions: "Sequence[SessionRow]", out: str | None) -> None:
    from verified_alloc.workload.session_file import write_sessions

    if out is None:
        write_sessions(sessions, sys.stdout)
        return
    try:
        with Path(out).open("w", encoding="utf-8") as file:
            write_sessions(sessions, file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadInput(f"--out {out}: {reason.lower()}; allowed: a file to write") from error
    print(f"{len(sessions)} sessions in {out}.")
