"""The command `install-service`; what it does is `verified_alloc.install`."""

from typing import Annotated

import typer


def install_service(
    station: Annotated[
        str | None,
        typer.Option(
            "--station",
            metavar="FILE",
            help="Station file, copied to /etc/verified-alloc. [default: the one that is there]",
        ),
    ] = None,
    root: Annotated[
        str,
        typer.Option("--root", metavar="DIR", help="Install into an image; nothing is enabled."),
    ] = "/",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the unit only.")] = False,
) -> int:
    """Make the station a service of systemd that starts with the Pi.

    Needs root. The service is enabled, not started: `systemctl start verified-alloc` does that. It
    is watched by systemd, switches every module off however it ends, and is not started again on
    bad input. Further options of `run` go to /etc/verified-alloc/environment, as RUN_OPTIONS=...

    \b
    sudo /opt/verified-alloc/bin/verified-alloc install-service --station site.toml
    verified-alloc install-service --station site.toml --dry-run
    """
    from verified_alloc import install

    return install.install(station, root, dry_run)
