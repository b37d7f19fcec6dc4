"""The running station, as OCPP asks for it: limits told, taken back and shown ahead, and what its
guns do. Over its HTTP interface, which decides what it takes."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

from verified_alloc.errors import BadInput, VerifiedAllocError, shown
from verified_alloc.service.client import Client
from verified_alloc.service.limit_models import PURPOSES

LONGEST_S = 7 * 86_400
"""Of a composite schedule: so far ahead the station looks."""

LONGEST_MODEL = 20

AVAILABLE, CHARGING, SUSPENDED = "Available", "Charging", "SuspendedEVSE"
UNAVAILABLE, FAULTED = "Unavailable", "Faulted"

log = logging.getLogger("verified_alloc.ocpp")


class Composite(NamedTuple):
    """What may be drawn, W, that long after whole seconds of Unix time."""

    start_s: int
    duration_s: int
    periods: Sequence[tuple[int, int]]

    def spelled(self) -> dict[str, Any]:
        """What both versions of OCPP call the same."""
        return {
            "duration": self.duration_s,
            "charging_rate_unit": "W",
            "charging_schedule_period": [
                {"start_period": after_s, "limit": limit_w} for after_s, limit_w in self.periods
            ],
        }


def iso(at_s: float) -> str:
    """As OCPP tells times."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


class StationDoor:
    """One running station. Gun 0 is all of them together, as OCPP counts."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._trouble = ""
        about = client.ask("GET", "/api/v1/station")
        self.guns: int = about["guns"]
        self.model: str = about["name"][:LONGEST_MODEL] or "station"
        self.version: str = about["version"]

    def put(self, gun: int, profile: Mapping[str, Any]) -> None:
        """A charging profile of the CSMS; what the grid's side told, it cannot replace."""
        external = "ChargingStationExternalConstraints"
        if profile["charging_profile_purpose"] == external:
            raise BadInput(f"chargingProfilePurpose = {external!r}: allowed is none of a CSMS")
        profile_id = profile.get("id", profile.get("charging_profile_id"))
        if any(
            (each["profile_id"], each["purpose"]) == (profile_id, "external")
            for each in self._standing()
        ):
            raise BadInput(f"id = {shown(profile_id)}: allowed is one that no external limit has")
        # The library's validation makes Decimals of its numbers.
        told = {"gun": gun, "profile": json.loads(json.dumps(profile, default=float))}
        said = self._client.ask("PUT", "/api/v1/limits", told)["said"]
        log.info("taken: %s", said)

    def clear(
        self,
        profile_id: int | None = None,
        gun: int | None = None,
        purpose: str | None = None,
        stack_level: int | None = None,
    ) -> bool:
        """Take back the profiles that have all of what is named, but nothing that the grid's side
        told or that has no id; whether there were any."""
        asked = {
            "profile_id": profile_id,
            "gun": gun,
            "purpose": PURPOSES[purpose] if purpose else None,
            "stack_level": stack_level,
        }
        named = {key: value for key, value in asked.items() if value is not None}
        going = {
            (each["profile_id"], each["purpose"])
            for each in self._standing()
            if each["profile_id"] is not None
            and each["purpose"] != "external"
            and named.items() <= (each | {"gun": each["gun"] or 0}).items()
        }
        for gone_id, of in going:
            query = urlencode({"profile_id": gone_id, "purpose": of})
            said = self._client.ask("DELETE", f"/api/v1/limits?{query}")["said"]
            log.info("taken back: profile %d: %s", gone_id, said)
        return bool(going)

    def composite(self, gun: int, duration_s: int, unit: str | None) -> Composite:
        """The composite schedule of the guns together or, within that, of one."""
        if not 0 <= gun <= self.guns:
            raise BadInput(f"gun {shown(gun)}: allowed are 0, all together, to {self.guns}")
        if duration_s < 1:
            raise BadInput(f"duration = {shown(duration_s)}: allowed is 1 or more")
        if unit == "A":
            raise BadInput(f"chargingRateUnit = {shown(unit)}: allowed is W")
        hours = min(duration_s, LONGEST_S) / 3600
        schedule = self._client.ask("GET", f"/api/v1/limits/schedule?{urlencode({'hours': hours})}")
        most_kw = sum(each["power_kw"] for each in self._client.ask("GET", "/api/v1/modules"))
        scopes = [schedule["periods"]]
        if gun:
            most_kw = self._client.ask("GET", f"/api/v1/guns/{gun}")["maximum_kw"]
            scopes.append(schedule["guns"][gun - 1]["periods"])
        edges_s = sorted({period["at"] for periods in scopes for period in periods})
        start_s = math.floor(edges_s[0])
        found: list[tuple[int, int]] = []
        for at_s in edges_s:
            told_kw = [_in_force_kw(periods, at_s) for periods in scopes]
            limit_kw = min([most_kw, *(each for each in told_kw if each is not None)])
            limit_w = math.floor(round(limit_kw * 1000, 3))
            if not found or found[-1][1] != limit_w:
                found.append((math.floor(at_s) - start_s, limit_w))
        known_s = math.floor(schedule["until_at"]) - start_s
        return Composite(start_s, max(1, min(duration_s, known_s)), found)

    def heard(self) -> None:
        """The CSMS is there."""
        self._client.ask("POST", "/api/v1/limits/heartbeat")

    def state(self) -> Any:
        """What the station does now; None while nobody knows, which is said once."""
        try:
            state, trouble = self._client.ask("GET", "/api/v1/state"), ""
        except VerifiedAllocError as error:
            state, trouble = None, str(error)
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("%s", trouble or "the station answers again")
        return state

    def statuses(self, state: Any) -> list[str]:
        """Of the station and of its guns, in the words of OCPP 1.6."""
        if state is None:
            return [UNAVAILABLE] * (1 + self.guns)
        if state["stopped"]:
            return [FAULTED] * (1 + self.guns)
        return [AVAILABLE, *map(_status, state["guns"])]

    def _standing(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._client.ask("GET", "/api/v1/limits")
        return found


def _in_force_kw(periods: Sequence[Mapping[str, Any]], at_s: float) -> float | None:
    kw: float | None = [each["limit_kw"] for each in periods if each["at"] <= at_s][-1]
    return kw


def _status(gun: Mapping[str, Any]) -> str:
    if gun["locked"]:
        return FAULTED
    if not gun["in_service"]:
        return UNAVAILABLE
    if gun["offer_kw"] > 0:
        return CHARGING
    return SUSPENDED if gun["demand_kw"] > 0 else AVAILABLE
