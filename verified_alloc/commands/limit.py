"""The command `limit`: what a running station may give, told, taken back and shown."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from verified_alloc.commands.options import AsJson
from verified_alloc.commands.remote import At, TokenFile, date_of
from verified_alloc.errors import BadInput, shown
from verified_alloc.station.parts import ServiceConfig
from verified_alloc.words import number


def limit(
    kw: Annotated[
        str | None, typer.Argument(metavar="[KW]", help="A limit until it is told otherwise.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="JSON: an OCPP charging profile, a SetChargingProfile, or EVerest's limits.",
        ),
    ] = None,
    gun: Annotated[
        int | None, typer.Option("--gun", help="Of this gun; else all together.", min=1)
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Take back those that have all of what is named.")
    ] = False,
    purpose: Annotated[
        str | None, typer.Option("--purpose", help="With --clear: external, TxDefaultProfile, ...")
    ] = None,
    stack_level: Annotated[int | None, typer.Option("--stack-level", help="With --clear.")] = None,
    profile_id: Annotated[int | None, typer.Option("--profile-id", help="With --clear.")] = None,
    heartbeat: Annotated[
        bool, typer.Option("--heartbeat", help="Whoever tells limits is there.")
    ] = False,
    other_load: Annotated[
        float | None,
        typer.Option(
            "--other-load", metavar="KW", help="With --heartbeat: what others draw of the limit."
        ),
    ] = None,
    hours: Annotated[
        float, typer.Option("--hours", help="How far ahead the schedule is shown.")
    ] = 24,
    at: At = ServiceConfig.http,
    token_file: TokenFile = None,
    as_json: AsJson = False,
) -> int:
    """Limits of a running station: shown, told or taken back.

    A limit is kept, also through a restart, once the station has taken it.

    \b
    verified-alloc limit
    verified-alloc limit 100
    verified-alloc limit 50 --gun 2
    verified-alloc limit --profile profile.json
    verified-alloc limit --clear --gun 2
    """
    from verified_alloc.service.client import Client

    client = Client(at, token_file)
    named = {"profile_id": profile_id, "purpose": purpose, "stack_level": stack_level}
    which = {key: value for key, value in named.items() if value is not None}
    if sum((kw is not None, profile is not None, clear, heartbeat)) > 1:
        raise BadInput("limit: allowed is one of KW, --profile, --clear and --heartbeat")
    if other_load is not None and not heartbeat:
        raise BadInput("limit: --other-load: allowed only with --heartbeat")
    if which and not clear:
        raise BadInput(f"limit: {', '.join(which)}: allowed only with --clear")
    if clear:
        query = urlencode(which | ({} if gun is None else {"gun": gun}))
        print(client.ask("DELETE", "/api/v1/limits" + (f"?{query}" if query else ""))["said"])
    elif heartbeat:
        body = None if other_load is None else {"other_load_kw": other_load}
        print(client.ask("POST", "/api/v1/limits/heartbeat", body)["said"])
    elif kw is not None or profile is not None:
        told = _profile(profile) if profile is not None else {"limit_kw": _kw(str(kw))}
        print(
            client.ask("PUT", "/api/v1/limits", told | ({} if gun is None else {"gun": gun}))[
                "said"
            ]
        )
    else:
        standing = client.ask("GET", "/api/v1/limits")
        schedule = client.ask("GET", f"/api/v1/limits/schedule?{urlencode({'hours': hours})}")
        if as_json:
            print(json.dumps({"standing": standing, "schedule": schedule}))
        else:
            print("\n".join(_lines(standing, schedule)))
    return 0


def _kw(text: str) -> float:
    value = number(text)
    if value is None:
        raise BadInput(f"limit {shown(text)}: allowed is a number of kW, 0 or more")
    return float(value)


def _profile(path: str) -> dict[str, Any]:
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"--profile {path}: {error.strerror}; allowed is a readable file") from None
    except (ValueError, RecursionError):
        raise BadInput(f"--profile {path}: not JSON; allowed is a charging profile") from None
    if not isinstance(told, dict):
        raise BadInput(f"--profile {path}: {shown(told)}; allowed is an object")
    return placed(told)


def placed(told: dict[str, Any]) -> dict[str, Any]:
    """As the door takes it: a bare profile is put into place."""
    bare = "chargingSchedule" in told or "charging_schedule" in told
    return {"profile": told} if bare else told


def _lines(standing: Any, schedule: Any) -> Iterator[str]:
    """For a person."""
    for one in standing:
        whose = "all guns together" if one["gun"] is None else f"gun {one['gun']}"
        if one["gun"] is None and one["purpose"] in ("default", "session"):
            whose = "every gun"
        name = "" if one["profile_id"] is None else f", profile {one['profile_id']}"
        then = "" if one["changes_at"] is None else f", until {date_of(one['changes_at'])}"
        allows = "nothing said" if one["allows_kw"] is None else f"{one['allows_kw']:g} kW"
        place = f"{one['purpose']}, level {one['stack_level']}{name}"
        yield f"{whose} ({place}): {allows} now{then}"
    if not standing:
        yield "no limit but the station's own"
    for whose, periods in (
        ("all guns together", schedule["periods"]),
        *((f"gun {one['gun']}", one["periods"]) for one in schedule["guns"]),
    ):
        if len(periods) > 1 or periods[0]["limit_kw"] is not None:
            yield f"Schedule of {whose}:"
        else:
            continue
        for period in periods:
            power = "no limit" if period["limit_kw"] is None else f"{period['limit_kw']:g} kW"
            yield f"  from {date_of(period['at'])}  {power}"
