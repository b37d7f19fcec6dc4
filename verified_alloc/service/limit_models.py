"""Limits as they are told: a value, an OCPP charging profile, or EVerest's external limits; and
what they say in whole W and s of Unix time. What is wrong is named by its key, with its value and
what is allowed."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from verified_alloc.decide.demand import check_gun
from verified_alloc.decide.limits.profile import Profile, Purpose, always
from verified_alloc.errors import BadInput, shown
from verified_alloc.service.models import Asked, ByMqtt, Kw
from verified_alloc.station.model import Station

PURPOSES: Mapping[str, Purpose] = {
    "ChargePointMaxProfile": "station",  # OCPP 1.6
    "ChargingStationMaxProfile": "station",  # OCPP 2.0.1
    "ChargingStationExternalConstraints": "external",
    "TxDefaultProfile": "default",
    "TxProfile": "session",
}
OcppPurpose = Literal[
    "ChargePointMaxProfile",
    "ChargingStationMaxProfile",
    "ChargingStationExternalConstraints",
    "TxDefaultProfile",
    "TxProfile",
]
REPEATS_S = {"Daily": 86_400, "Weekly": 7 * 86_400}
MOST_PERIODS = 1000
MOST_STACKED = 1000
WAYS = ("limit_kw", "profile", "csChargingProfiles", "chargingProfile", "schedule_import")

Seconds = Annotated[int, Field(ge=0, le=10**9)]
Id = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Place = Annotated[int, Field(ge=0, le=10_000)]


def _refused(allowed: str) -> PydanticCustomError:
    return PydanticCustomError("allowed", "allowed is {allowed}", {"allowed": allowed})


def _camel(key: object) -> object:
    """As OCPP spells it; its libraries hand out snake case, too."""
    if not isinstance(key, str):
        return key
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), key)


def _time(value: object) -> object:
    if isinstance(value, datetime):  # read before
        return value
    try:
        at = datetime.fromisoformat(value)  # type: ignore[arg-type]
        if at.tzinfo is not None and math.isfinite(at.timestamp()):
            return at
    except (TypeError, ValueError, OverflowError):
        pass
    raise _refused("a time with its zone, 2026-11-24T15:00:00Z")


Time = Annotated[
    datetime,
    BeforeValidator(_time),
    Field(description="RFC 3339, with its zone", json_schema_extra={"format": "date-time"}),
]


def _spelled(told: Mapping[Any, Any], name_of: Callable[[Any], Any]) -> dict[Any, Any]:
    """By the names of the keys; those without a value are left out."""
    spelled: dict[Any, Any] = {}
    for key, value in told.items():
        if value is not None:
            known = spelled.setdefault(name_of(key), value)
            if known is not value and known != value:
                raise _refused(f"one {name_of(key)}")
    return spelled


class _Ocpp(BaseModel):
    """Keys in camel or in snake case; those that are not known are ignored."""

    model_config = ConfigDict(strict=True)

    @model_validator(mode="before")
    @classmethod
    def _in_camel_case(cls, told: object) -> object:
        return _spelled(told, _camel) if isinstance(told, Mapping) else told


class SchedulePeriod(_Ocpp):
    """OCPP ChargingSchedulePeriod."""

    startPeriod: Seconds = Field(description="s after the start; 0 in the first")  # noqa: N815
    limit: float = Field(ge=0, le=10**9, allow_inf_nan=False, description="W, or A")
    numberPhases: Annotated[int, Field(ge=1, le=3)] | None = None  # noqa: N815


def _ascending(periods: list[SchedulePeriod]) -> list[SchedulePeriod]:
    before_s = -1
    for period in periods:
        start_s = period.startPeriod
        if start_s <= before_s or (before_s < 0 < start_s):
            allowed = "0 in the first" if before_s < 0 else f"more than {before_s}, the one before"
            raise _refused(f"{allowed}, not {start_s}, as startPeriod")
        before_s = start_s
    return periods


class ChargingSchedule(_Ocpp):
    """OCPP ChargingSchedule; in A only where the station file says [site] voltage_v."""

    chargingRateUnit: Literal["W", "A"]  # noqa: N815
    chargingSchedulePeriod: Annotated[list[SchedulePeriod], AfterValidator(_ascending)] = Field(  # noqa: N815
        min_length=1, max_length=MOST_PERIODS
    )
    duration: Annotated[int, Field(gt=0, le=10**9)] | None = Field(
        None, description="s; none: for good"
    )
    startSchedule: Time | None = Field(  # noqa: N815
        None, description="none: from validFrom, or from when it is told"
    )


def _one(schedules: object) -> object:
    """OCPP 2.0.1 has a list."""
    if not isinstance(schedules, list):
        return schedules
    if len(schedules) == 1:
        return schedules[0]
    raise _refused("one schedule")


class ChargingProfile(_Ocpp):
    """OCPP ChargingProfile, of 1.6 or 2.0.1."""

    id: Id | None = None
    chargingProfileId: Id | None = None  # noqa: N815
    stackLevel: Annotated[int, Field(ge=0, le=MOST_STACKED)] = 0  # noqa: N815
    chargingProfilePurpose: OcppPurpose  # noqa: N815
    chargingProfileKind: Literal["Absolute", "Recurring", "Relative"]  # noqa: N815
    recurrencyKind: Literal["Daily", "Weekly"] | None = None  # noqa: N815
    transactionId: int | Annotated[str, Field(max_length=64)] | None = None  # noqa: N815
    validFrom: Time | None = None  # noqa: N815
    validTo: Time | None = None  # noqa: N815
    chargingSchedule: Annotated[ChargingSchedule, BeforeValidator(_one)]  # noqa: N815


class Limited(BaseModel):
    """EVerest, a limit with its source."""

    model_config = ConfigDict(strict=True)

    value: float = Field(ge=0, le=10**9, allow_inf_nan=False, description="W")


class LimitsToRoot(BaseModel):
    """EVerest; only the total power counts."""

    model_config = ConfigDict(strict=True)

    total_power_W: Limited  # noqa: N815


class ImportEntry(BaseModel):
    """EVerest: a limit from then on. The first is in force at once."""

    model_config = ConfigDict(strict=True)

    timestamp: Time
    limits_to_root: LimitsToRoot


def _in_order(entries: list[ImportEntry]) -> list[ImportEntry]:
    for one, next_one in pairwise(entries):
        if int(one.timestamp.timestamp()) >= int(next_one.timestamp.timestamp()):
            raise _refused(f"a timestamp later than the one before, not {next_one.timestamp}")
    return entries


class Limit(Asked):
    """One of: `limit_kw`, a limit until it is told otherwise; `profile`, an OCPP charging profile;
    `csChargingProfiles` or `chargingProfile`, as a SetChargingProfile of OCPP 1.6 or 2.0.1 has it,
    in camel or snake case; `schedule_import`, EVerest's external limits. For all guns together, or
    for one."""

    limit_kw: Kw | None = None
    profile: ChargingProfile | None = None
    csChargingProfiles: ChargingProfile | None = None  # noqa: N815
    chargingProfile: ChargingProfile | None = None  # noqa: N815
    schedule_import: Annotated[list[ImportEntry], AfterValidator(_in_order)] | None = Field(
        None, min_length=1, max_length=MOST_PERIODS
    )
    schedule_export: list[Any] | None = Field(None, description="ignored")
    gun: Place | None = Field(None, description="0 or none: all guns together")
    connectorId: Place | None = Field(None, description="the same, as OCPP 1.6")  # noqa: N815
    evseId: Place | None = Field(None, description="the same, as OCPP 2.0.1")  # noqa: N815

    @model_validator(mode="before")
    @classmethod
    def _in_camel_case(cls, told: object) -> object:
        def name_of(key: object) -> object:
            return _camel(key) if _camel(key) in cls.model_fields else key

        return _spelled(told, name_of) if isinstance(told, Mapping) else told

    @model_validator(mode="after")
    def _one_way(self) -> "Limit":
        if sum(getattr(self, way) is not None for way in WAYS) != 1:
            raise _refused(f"exactly one of {', '.join(WAYS)}")
        places = {self.gun, self.connectorId, self.evseId} - {None}
        if len(places) > 1:
            raise _refused("one gun, connectorId or evseId")
        return self

    @property
    def told(self) -> ChargingProfile | None:
        """The profile, if it is one."""
        return self.profile or self.csChargingProfiles or self.chargingProfile

    @property
    def whose(self) -> int | None:
        """The gun; None: all together."""
        return self.gun or self.connectorId or self.evseId or None


def _number(value: object) -> object:
    """A query has only text."""
    return int(value) if isinstance(value, str) and re.fullmatch("-?[0-9]{1,9}", value) else value


class ClearLimits(Asked):
    """Take back what has all of what is named; everything, if nothing is."""

    profile_id: Annotated[Id, BeforeValidator(_number)] | None = None
    purpose: Literal[OcppPurpose, Purpose] | None = None
    stack_level: Annotated[int, BeforeValidator(_number), Field(ge=0, le=MOST_STACKED)] | None = (
        None
    )
    gun: Annotated[Place, BeforeValidator(_number)] | None = Field(
        None, description="0: only those of no single gun"
    )

    @property
    def named(self) -> dict[str, Any]:
        """As the store has it."""
        return {
            "id": self.profile_id,
            "purpose": PURPOSES.get(self.purpose or "", self.purpose),
            "stack_level": self.stack_level,
            "gun": self.gun,
        }


class LimitByMqtt(Limit, ByMqtt):
    """The same by MQTT."""


class ClearLimitsByMqtt(ClearLimits, ByMqtt):
    """The same by MQTT."""


class Heartbeat(Asked):
    """Who tells limits is there."""

    other_load_kw: Kw | None = Field(
        None,
        description="what others draw behind the same connection, until told otherwise: the limits"
        " leave less by it",
    )


class HeartbeatByMqtt(Heartbeat, ByMqtt):
    """The same by MQTT."""


def profiles(limit: Limit, station: Station, told_s: int) -> Sequence[Profile]:
    """What it says, told then."""
    gun = limit.whose
    if gun is not None:
        check_gun(station, gun)
    if limit.limit_kw is not None:
        return [always(_down(limit.limit_kw * 1000), gun)]
    if limit.schedule_import is not None:
        return [_external(limit.schedule_import, gun)]
    assert limit.told is not None
    return [_profile(limit.told, gun, station, told_s)]


def _external(entries: Sequence[ImportEntry], gun: int | None) -> Profile:
    times_s = [max(1, int(entry.timestamp.timestamp())) for entry in entries]
    limits_w = tuple(_down(entry.limits_to_root.total_power_W.value) for entry in entries)
    return always(0, gun)._replace(starts_s=(0, *times_s[1:]), limits_w=limits_w)


def _profile(told: ChargingProfile, gun: int | None, station: Station, told_s: int) -> Profile:
    _check(told, gun)
    schedule = told.chargingSchedule
    from_s, to_s = _unix_s(told.validFrom, -math.inf), _unix_s(told.validTo, math.inf)
    if to_s <= from_s:
        raise BadInput(f"validTo = {told.validTo}: allowed is a time later than validFrom")
    start_s: int | None = None
    from_told = False
    if told.chargingProfileKind != "Relative":
        # As OCPP's reference implementation reads it.
        start_s = int(_unix_s(schedule.startSchedule or told.validFrom, told_s))
        from_told = schedule.startSchedule is None and told.validFrom is None
    recurs = told.chargingProfileKind == "Recurring" and told.recurrencyKind
    transaction = told.transactionId
    return Profile(
        PURPOSES[told.chargingProfilePurpose],
        tuple(period.startPeriod for period in schedule.chargingSchedulePeriod),
        tuple(_watts(schedule, station)),
        start_s,
        id=told.chargingProfileId if told.id is None else told.id,
        gun=gun,
        stack_level=told.stackLevel,
        transaction=None if transaction is None else str(transaction),
        duration_s=math.inf if schedule.duration is None else schedule.duration,
        every_s=REPEATS_S[recurs] if recurs else math.inf,
        from_s=from_s,
        to_s=to_s,
        from_told=from_told,
    )


def _check(told: ChargingProfile, gun: int | None) -> None:
    """What belongs together."""
    kind, purpose = told.chargingProfileKind, told.chargingProfilePurpose
    if PURPOSES[purpose] == "station" and gun is not None:
        raise BadInput(f"chargingProfilePurpose = {shown(purpose)}: allowed is one without a gun")
    if PURPOSES[purpose] == "session" and gun is None:
        raise BadInput(f"chargingProfilePurpose = {shown(purpose)}: allowed is one for a gun")
    if told.transactionId is not None and PURPOSES[purpose] != "session":
        raise BadInput(
            f"transactionId = {shown(told.transactionId)}: allowed is one only with TxProfile"
        )
    if kind == "Recurring" and told.recurrencyKind is None:
        raise BadInput("recurrencyKind = None: allowed is Daily, Weekly with Recurring")
    if kind == "Relative":
        if PURPOSES[purpose] in ("station", "external"):
            raise BadInput(
                f"chargingProfileKind = 'Relative': allowed is Absolute, Recurring with {purpose}"
            )
        if told.chargingSchedule.startSchedule is not None:
            raise BadInput(
                f"startSchedule = {told.chargingSchedule.startSchedule}: allowed is none with"
                " Relative"
            )


def _watts(schedule: ChargingSchedule, station: Station) -> Iterator[int]:
    site = station.site
    if schedule.chargingRateUnit == "A" and site.voltage_v is None:
        raise BadInput(
            "chargingRateUnit = 'A': allowed is W, and A where the station file says [site]"
            " voltage_v"
        )
    for period in schedule.chargingSchedulePeriod:
        unit_w = 1
        if schedule.chargingRateUnit == "A" and site.voltage_v is not None:
            unit_w = site.voltage_v * min(period.numberPhases or site.phases, site.phases)
        yield _down(period.limit * unit_w)


def _down(power_w: float) -> int:
    """A limit is kept."""
    return math.floor(round(power_w, 3))


def _unix_s(at: datetime | None, missing_s: float) -> float:
    return missing_s if at is None else math.floor(at.timestamp())
