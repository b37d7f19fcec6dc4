"""The command `prove`: its options; what it does is `proofs.suite.command`."""

from pathlib import Path
from typing import Annotated

import typer

from verified_alloc.commands.options import AsJson, StationOption, number_of, station_of
from verified_alloc.errors import BadInput


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
    certificates: Annotated[
        str | None,
        typer.Option("--certificates", metavar="DIR", help="Also archive the certificates there."),
    ] = None,
    attest: Annotated[
        str | None,
        typer.Option(
            "--attest",
            metavar="FILE",
            help="If all is proved, write the proof record of this code and station:"
            " site.proof.json beside site.toml.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Prove the rule, the guard, the switching and the wiring of a station.

    \b
    verified-alloc prove
    verified-alloc prove --only switching
    verified-alloc prove --station site.toml --markdown proofs.md
    verified-alloc prove --station site.toml --attest site.proof.json
    verified-alloc prove --full --certificates certificates
    """
    try:
        import z3  # noqa: F401
    except ImportError:
        raise BadInput("prove needs z3: pip install 'verified-alloc[proofs]'") from None
    from proofs.suite import command

    return command.run(
        station_of(station),
        only=only or (),
        jobs=None if jobs is None else number_of("--jobs", jobs),
        full=full,
        certificates=None if certificates is None else Path(certificates),
        as_json=as_json,
        junit=None if junit is None else Path(junit),
        markdown=None if markdown is None else Path(markdown),
        record=None if attest is None else Path(attest),
    )
