"""The command line: `verified-alloc COMMAND`; each command is a file in `commands`.

A command returns its exit code: 0 success, 1 what it checked does not hold, 2 bad input, 3 it
could not run.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from verified_alloc.commands import (
    allocate,
    commission,
    compare,
    doctor,
    explain,
    import_sessions,
    install_service,
    limit,
    ocpp,
    off,
    prove,
    remote,
    run,
    study,
    wiring,
)
from verified_alloc.errors import VerifiedAllocError

app = typer.Typer(
    name="verified-alloc",
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


for command in (
    allocate.allocate,
    explain.explain,
    run.run,
    remote.status,
    remote.demand,
    limit.limit,
    ocpp.ocpp,
    remote.clear,
    wiring.wiring,
    commission.commission,
    doctor.doctor,
    off.off,
    install_service.install_service,
    prove.prove,
    compare.compare,
    study.study,
):
    app.command()(command)
app.add_typer(import_sessions.group, name="import")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. An error of ours is one line on stderr and its code."""
    command = typer.main.get_command(app)
    # Typer brings its own copy of click or uses the installed one: take the class it raises.
    usage_error: type[Exception] = next(
        kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError"
    )
    try:
        code = command.main(
            None if argv is None else list(argv), prog_name="verified-alloc", standalone_mode=False
        )
    except VerifiedAllocError as error:
        return _left(str(error), error.exit_code)
    except usage_error as error:
        return _left(f"{str(error).rstrip('.')}; allowed is what verified-alloc --help lists", 2)
    return code if isinstance(code, int) else 0


def _left(message: str, code: int) -> int:
    print(f"verified-alloc: {' '.join(message.split())}", file=sys.stderr)
    return code


def entry() -> None:
    """The console script."""
    sys.exit(main())
