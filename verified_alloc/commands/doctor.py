"""The command `doctor`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from verified_alloc.commands.options import AsJson, StationOption, station_of

if TYPE_CHECKING:
    from verified_alloc.doctor import Check


def doctor(
    station: StationOption = None,
    report: Annotated[
        str,
        typer.Option("--report", metavar="FILE", help="Of the last commission."),
    ] = "commission.json",
    faults: Annotated[
        str,
        typer.Option("--faults", metavar="FILE", help="Where the station keeps latched faults."),
    ] = "/var/lib/verified-alloc/faults.json",
    as_json: AsJson = False,
) -> int:
    """Look at this Raspberry Pi and its wires: what a station could not rely on.

    Checks config.txt, the kernel, devices and groups, the GPIO library, the bus speed, and every
    assumption of the proofs (A1 and so on) that software can see. Nothing is moved. A station that
    runs holds its wires; then these are not looked at. Exit code 1: something is unmet.

    \b
    verified-alloc doctor --station site.toml
    """
    from verified_alloc.doctor import UNMET, examine

    place = station_of(station)
    place.check_wiring()
    checks = examine(place, Path(report), Path(faults), station_file=station)
    ok = not any(check.verdict == UNMET for check in checks)
    if as_json:
        print(json.dumps({"ok": ok, "checks": [check._asdict() for check in checks]}))
    else:
        _print(checks)
    return 0 if ok else 1


def _print(checks: "list[Check]") -> None:
    from verified_alloc.doctor import MET, UNMET, UNSEEN

    marks = {MET: "ok", UNMET: "UNMET", UNSEEN: "-"}
    width = max(len(check.id) for check in checks)
    for check in checks:
        print(f"{marks[check.verdict]:5}  {check.id:{width}}  {check.told}")
    unmet = sum(check.verdict == UNMET for check in checks)
    unseen = sum(check.verdict == UNSEEN for check in checks)
    print(f"{unmet} unmet; {unseen} that software cannot see, or could not just now (-).")
