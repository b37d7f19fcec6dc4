"""The commands that talk to a running station: `status`, `demand`, `clear`."""

import json
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verified_alloc.commands.options import AsJson, demands_of
from verified_alloc.station.parts import ServiceConfig

if TYPE_CHECKING:
    from verified_alloc.service.client import Client

At = Annotated[
    str, typer.Option("--at", metavar="HOST:PORT", help="Where the station's service listens.")
]
TokenFile = Annotated[
    str | None, typer.Option("--token-file", metavar="FILE", help="The station's token, if any.")
]


def status(
    at: At = ServiceConfig.http, token_file: TokenFile = None, as_json: AsJson = False
) -> int:
    """What a running station does now.

    \b
    verified-alloc status
    verified-alloc status --at 192.0.2.7:8080 --token-file token --json
    """
    return _talk(at, token_file, lambda client: _status(client, as_json))


def demand(
    demands: Annotated[list[str], typer.Argument(metavar="GUN=KW...", help="As 3=120.")],
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Refresh it until Ctrl-C, then ask for 0."),
    ] = False,
    at: At = ServiceConfig.http,
    token_file: TokenFile = None,
) -> int:
    """Tell a running station what guns ask for.

    It holds for the station's demand_timeout_s, 10 s by default, and then counts as 0.

    \b
    verified-alloc demand 3=120
    verified-alloc demand 1=160 3=120 --keep
    """
    asked = demands_of(demands, "demand")
    kw = {gun: float(value) for gun, value in asked.items()}
    return _talk(at, token_file, lambda client: _demand(client, kw, keep))


def clear(
    faults: Annotated[
        list[str], typer.Argument(metavar="FAULT...", help="As status names it: contactor-2:1.")
    ],
    at: At = ServiceConfig.http,
    token_file: TokenFile = None,
) -> int:
    """Clear latched faults of a running station, whose causes are gone.

    It refuses while it still sees the cause. Inspect a contactor before you clear it.

    \b
    verified-alloc clear contactor-2:1
    verified-alloc clear emergency-stop
    """

    def each(client: "Client") -> int:
        for fault in faults:
            print(client.ask("DELETE", f"/api/v1/faults/{_quoted(fault)}")["said"])
        return 0

    return _talk(at, token_file, each)


def _talk(at: str, token_file: str | None, say: "Callable[[Client], int]") -> int:
    from verified_alloc.service.client import Client

    return say(Client(at, token_file))


def _status(client: "Client", as_json: bool) -> int:
    state = client.ask("GET", "/api/v1/state")
    print(json.dumps(state) if as_json else "\n".join(_lines(state)))
    return 0


def _demand(client: "Client", kw: dict[int, float], keep: bool) -> int:
    def tell(asked: dict[int, float]) -> list[str]:
        return [
            client.ask("PUT", f"/api/v1/guns/{gun}/demand", {"demand_kw": value})["said"]
            for gun, value in asked.items()
        ]

    if not keep:
        print("\n".join(tell(kw)))
        return 0
    # Blocked and waited for: raised, it could come in the middle of a request.
    ends = {signal.SIGINT, signal.SIGTERM}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        print("\n".join(tell(kw)))
        pause_s = client.ask("GET", "/api/v1/station")["demand_timeout_s"] / 4
        while signal.sigtimedwait(ends, pause_s) is None:
            tell(kw)
        print("\n".join(tell(dict.fromkeys(kw, 0.0))))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return 0


def _lines(state: Any) -> Sequence[str]:
    """The state for a person."""
    from verified_alloc.words import modules

    rows: list[tuple[str, ...]] = [
        ("gun", "asks kW", "could have kW", "granted kW", "offered kW", "live", "")
    ]
    for gun in state["guns"]:
        notes = [
            text
            for so, text in (
                (gun["stale"], "demand stale"),
                (gun["locked"], "locked"),
                (not gun["in_service"], "out of service"),
                (gun["held_s"] > 0, "held"),
            )
            if so
        ]
        figures = (gun[key] for key in ("demand_kw", "capability_kw", "granted_kw", "offer_kw"))
        rows.append(
            (
                str(gun["gun"]),
                *(f"{figure:g}" for figure in figures),
                modules(gun["live"]) if gun["live"] else "-",
                ", ".join(notes),
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{state['station']['name']}: {_condition(state)}"]
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    lines.append(f"Proof: {state['station']['proof']}.")
    limit_kw = state["site_limit"]["limit_kw"]
    lines += [] if limit_kw is None else [f"Site limit: {limit_kw:g} kW."]
    lines += [f"{text[0].upper()}{text[1:]}." for text in state["alarms"]]
    lines += list(_proof_tests(state["proof_tests"]))
    lines += [f"Fault {fault['id']}: {fault['text']}." for fault in state["faults"]]
    return lines


def _proof_tests(tests: Any) -> Iterator[str]:
    """A line for each that was ever run, or should have been."""
    for test in tests:
        if test["under_way"]:
            yield f"Proof test of the {test['test']}: under way."
        elif test["tested_at"] is not None or test["overdue"]:
            when = [] if test["tested_at"] is None else [date_of(test["tested_at"])]
            words = [test["verdict"], *when, *(["OVERDUE"] if test["overdue"] else [])]
            yield f"Proof test of the {test['test']}: {', '.join(words)}."


def date_of(unix_s: float) -> str:
    """On this machine's clock."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_s))


def _condition(state: Any) -> str:
    if state["stopped"]:
        return "stopped, everything is off until that is cleared"
    if state["phase"] == "ending":
        return "ending"
    return "scans are verified" if state["scan"]["verified"] else "scans are NOT verified"


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
