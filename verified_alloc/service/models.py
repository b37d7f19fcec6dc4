"""The words of the HTTP interface and of MQTT, as they appear in the OpenAPI document. Powers are
kW, times at which something was are Unix time in s."""

from typing import Annotated, Literal, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from verified_alloc.decide.limits.profile import Purpose
from verified_alloc.errors import shown

MOST_KW = 1_000_000
"""A gigawatt: more than any charger has, and a number that every JSON reader can hold."""

Kw = Annotated[float, Field(ge=0, le=MOST_KW, allow_inf_nan=False, examples=[120.0])]


def said_of(where: str, value: object, said: str) -> str:
    """What is wrong with a value, in a line."""
    return f"{where} = {shown(value)}: {said[:1].lower()}{said[1:]}"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def of(cls, *values: object) -> Self:
        """With these values for its fields, in their order."""
        return cls.model_validate(dict(zip(cls.model_fields, values, strict=True)))


# What is asked: no value stands for one of another type, neither true for 1 nor "1" for 1.


class Asked(_Model):
    """What comes from outside."""

    model_config = ConfigDict(strict=True)


class Demand(Asked):
    """What a gun's vehicle could take, kW. It holds for `demand_timeout_s` unless refreshed."""

    demand_kw: Kw = Field(validation_alias=AliasChoices("demand_kw", "kw"))


class ByMqtt(Asked):
    """What comes by MQTT."""

    id: str | None = Field(None, max_length=64, description="comes back in the answer")
    station: str | None = Field(None, description="whom it is for; refused by every other")


class DemandByMqtt(Demand, ByMqtt):
    """A demand that says when it was made."""

    sent_at: float | None = Field(
        None,
        validation_alias=AliasChoices("sent_at", "sent_s"),
        ge=0,
        le=10**11,
        allow_inf_nan=False,
        description="when it was made, in s by a clock that may be wrong; one older than"
        " demand_timeout_s, or than the one before, is refused",
    )


class Acknowledgement(Asked):
    """The gun obeys this offer from now on, so that what it was offered before is free at once."""

    offer_kw: Kw


class AcknowledgementByMqtt(Acknowledgement, ByMqtt):
    """The same by MQTT."""


class Hold(Asked):
    """For how long the gun's modules stay, as far as its demand needs them: cable check and
    precharge; 0 lets go."""

    hold_s: float = Field(
        ge=0,
        le=600,
        allow_inf_nan=False,
        examples=[60.0],
        validation_alias=AliasChoices("hold_s", "seconds"),
    )


class HoldByMqtt(Hold, ByMqtt):
    """The same by MQTT."""


class InService(Asked):
    """Whether a gun or a module is in service."""

    in_service: bool


class GunInServiceByMqtt(InService, ByMqtt):
    """Of a gun, by MQTT."""

    gun: int = Field(ge=1, le=10_000)


class ModuleInServiceByMqtt(InService, ByMqtt):
    """Of a module, by MQTT."""

    module: int = Field(ge=1, le=10_000)


class FaultByMqtt(ByMqtt):
    """A latched fault that is cleared, or was seen."""

    fault: str = Field(max_length=40, description="its id")


class StopByMqtt(ByMqtt):
    """Everything off until it is cleared. It does not replace the button."""


class PolicyAsked(Asked):
    """How power is shared while guns want more than there is."""

    policy: str = Field(max_length=40, examples=["fair"])


class PolicyByMqtt(PolicyAsked, ByMqtt):
    """The same by MQTT."""


class Injection(Asked):
    """A fault for the simulated cabinet, as `run --inject` takes it."""

    fault: str = Field(min_length=1, max_length=200, examples=["weld 2:1", "nack 0x21 for 500ms"])


class InjectionByMqtt(Injection, ByMqtt):
    """The same by MQTT."""


# What is answered.


class Done(_Model):
    """The scan has taken it."""

    said: str = Field(examples=["gun 3 asks for 120 kW"])


class Refusal(_Model):
    """Why not, in one line. Nothing has changed."""

    detail: str


class GunView(_Model):
    """A gun now."""

    gun: int
    maximum_kw: float
    demand_kw: float = Field(description="within its limit; 0 once it is stale")
    stale: bool = Field(description="its demand was not refreshed in time")
    capability_kw: float = Field(
        description="the most that it could be given as things are, were nobody else there"
    )
    granted_kw: float = Field(description="what the assignment gives it")
    offer_kw: float = Field(description="what it may draw now, for lifetime_ms")
    live_kw: float = Field(description="the power of the modules that feed it")
    drawn_kw: float | None = Field(description="what it draws; null on real wires")
    limit_kw: float | None = Field(description="of its own, in force; null: none")
    unmet_kw: float = Field(description="of its demand, at most its maximum, not granted")
    energy_kwh: float = Field(
        description="what it was given since started_at, as far as offered and fed; no meter"
    )
    modules: list[int] = Field(description="assigned")
    live: list[int] = Field(description="feeding it")
    in_service: bool
    locked: bool
    held_s: float = Field(description="how long its modules are still held")
    kept: list[int] = Field(description="modules that it could do without and keeps")
    kept_until_at: float | None = Field(
        description="until then, Unix time, unless somebody needs them after their dwell"
    )
    why: list[str] = Field(description="why it has what it has, in sentences")


class ModuleView(_Model):
    """A power module now."""

    module: int
    power_kw: float
    assigned_to: int | None
    feeds: int | None
    in_service: bool
    usable: bool = Field(description="no fault and in service")
    condition: Literal["usable", "out of service", "failed", "expander lost"] = Field(
        description="expander lost: the module may be sound, but nobody can read or switch its"
        " contactors"
    )


class ContactorView(_Model):
    """A contactor now."""

    gun: int
    module: int
    closed: bool = Field(description="by its auxiliary contact")
    live: bool = Field(description="power may flow through it")
    assigned: bool
    welded: bool
    failed_open: bool
    operations: int = Field(
        description="makes and breaks so far, in earlier runs too where a journal is kept"
    )


class FaultCost(_Model):
    """What a fault takes from a gun."""

    gun: int
    lost_kw: float = Field(description="of its capability, as if this fault alone were cleared")


class KeptModule(_Model):
    """A module that cannot serve some guns because of a fault."""

    module: int
    guns: list[int]


class FaultView(_Model):
    """A latched fault; it is cleared by its id."""

    id: str = Field(examples=["contactor-2:1", "module-3", "expander-0x22", "emergency-stop"])
    text: str
    severity: Literal["critical", "serious", "minor"] = Field(
        description="critical: nobody is served; serious: something does not switch as it must;"
        " minor: it only takes power away"
    )
    since_at: float | None = Field(description="null: it stood before the start")
    costs: list[FaultCost] = Field(description="the guns that could be given less because of it")
    costs_kw: float = Field(description="of what all modules together could give")
    keeps: list[KeptModule] = Field(description="modules, and the guns that it keeps them from")
    effect: str
    to_do: str = Field(description="what a person does about it before it is cleared")
    acknowledged_at: float | None = Field(description="when somebody has seen it; null: nobody yet")


class ProofTestView(_Model):
    """A proof test of the safety chain."""

    test: str = Field(examples=["relay watchdog"])
    verdict: Literal["passed", "failed", "not tested"] = Field(description="of the latest run")
    said: str = Field(description="what was seen")
    tested_at: float | None = Field(description="when it was run last; null: never")
    passed_at: float | None = Field(description="when it passed last; null: never")
    due_at: float | None = Field(
        description="when it is due next, 0: at once; null: it is not periodic"
    )
    overdue: bool = Field(description="it has never passed, or not within twice the interval")
    under_way: bool


class OfferView(_Model):
    """What a gun may draw."""

    gun: int
    offer_kw: float


class Offers(_Model):
    """What the guns may draw, for `lifetime_ms` from when it was sent; expired means 0."""

    sequence: int = Field(description="of the scan; higher is newer")
    at: float
    lifetime_ms: int
    online: bool = Field(description="false: the station is not controlled, all offers are 0")
    offers: list[OfferView]


class AssignedGun(_Model):
    """Which modules feed a gun."""

    gun: int
    modules: list[int]
    granted_kw: float


class Assignment(_Model):
    """Which modules are to feed which gun."""

    sequence: int = Field(description="counts up with every new assignment since the start")
    since_at: float
    policy: str
    fallback_from: str | None
    optimal: bool | None
    guns: list[AssignedGun]
    idle_modules: list[int]


class Decision(_Model):
    """An assignment and why it came out."""

    assignment: Assignment
    demands_kw: list[float] = Field(description="gun 1 first")
    site_limit_kw: float | None
    why: list[str]


class SiteLimitView(_Model):
    """The site limit now."""

    limit_kw: float | None = Field(description="in force; null: none")
    own_kw: float | None = Field(description="the station file's, never exceeded")
    rises_at: float | None = Field(
        description="when a higher one counts that is allowed already; null: none is"
    )
    dc_kw: float | None = Field(description="what the one in force lets the guns have together")
    offered_kw: float = Field(description="what all offers are where it is measured")
    grid_kw: float = Field(description="what all offers take from the grid")


class PeriodView(_Model):
    """What is allowed from then on."""

    at: float
    limit_kw: float | None = Field(description="null: nobody says")


class LimitView(_Model):
    """A limit that stands."""

    gun: int | None = Field(description="null: all together; of a default: every gun")
    purpose: Purpose = Field(
        description="external: of the grid; station: the charging station's maximum; default: of"
        " each session of a gun; session: of one"
    )
    stack_level: int = Field(description="of those of a purpose the highest that is valid counts")
    profile_id: int | None
    transaction: str | None
    allows_kw: float | None = Field(description="now; null: it says nothing now")
    changes_at: float | None = Field(description="when it may say something else; null: never")


class ProfilePeriod(_Model):
    """What a limit allows, that long after its start."""

    after_s: float
    limit_kw: float


class StandingLimit(LimitView):
    """The same, with all that it says."""

    start_at: float | None = Field(description="of the schedule; null: with the gun's session")
    duration_s: float | None = Field(description="from the start; null: for good")
    every_s: float | None = Field(description="it starts again each time; null: it does not")
    valid_from_at: float | None
    valid_to_at: float | None
    periods: list[ProfilePeriod]


class GunLimit(_Model):
    """What a gun may be given by its limits."""

    gun: int
    limit_kw: float


class LimitsView(_Model):
    """What is allowed now, until the lead time of an offer is over."""

    limit_kw: float | None = Field(description="all guns together; null: nobody says")
    guns: list[GunLimit] = Field(description="those that have one")
    failsafe: str = Field(description="why the failsafe value counts, or nothing")
    clock_is_set: bool = Field(
        description="false: nobody keeps the clock right yet, and of limits with a date the lowest"
        " value counts"
    )
    other_load_kw: float = Field(
        description="what others draw behind the same connection: the limits leave less by it"
    )
    changes_at: float | None = Field(description="when something else may be allowed; null: never")
    standing: list[LimitView]


class GunSchedule(_Model):
    """A gun's composite schedule."""

    gun: int
    periods: list[PeriodView]


class Schedule(_Model):
    """The composite schedule, as things are."""

    periods: list[PeriodView] = Field(description="all guns together")
    guns: list[GunSchedule]
    until_at: float = Field(description="what comes later is not told")


class NoteView(_Model):
    """Something that happened."""

    number: int
    at: float
    text: str


class ScanView(_Model):
    """How the scan is doing."""

    count: int
    verified: bool
    unverified: int = Field(description="scans whose writes could not be verified")
    late_ms: float = Field(description="how late the latest began")
    most_late_ms: float


class StationView(_Model):
    """What does not change while it runs."""

    name: str
    simulated: bool
    version: str
    proof: str = Field(
        description="whether the code and the station that run are what was proved:"
        " proved (N obligations, DATE), proved for another station, or not proved (WHY)"
    )
    guns: int
    modules: int
    matrix: str
    reach: list[list[int]] = Field(description="the modules of each gun, gun 1 first")
    policy: str
    scan_ms: int
    offer_lead_ms: int
    demand_timeout_s: int
    started_at: float
    zone: str = Field(description="the time zone of the station's machine", examples=["Etc/UTC"])
    history: bool = Field(description="a journal is kept, so that there are hours to look back on")


class StateView(_Model):
    """Everything, now."""

    sequence: int = Field(description="of the scan; higher is newer")
    at: float
    phase: Literal["running", "ending"]
    healthy: bool = Field(description="as /healthz")
    stopped: bool = Field(description="emergency stop: everything is off until it is cleared")
    station: StationView
    scan: ScanView
    guns: list[GunView]
    modules: list[ModuleView]
    contactors: list[ContactorView]
    faults: list[FaultView]
    proof_tests: list[ProofTestView]
    assignment: Assignment
    site_limit: SiteLimitView
    policy: str = Field(description="in force")
    limits: LimitsView
    offer_lifetime_ms: int
    alarms: list[str] = Field(description="what is out of order and ends by itself")
    why: list[str] = Field(description="about the station as a whole")
    notes: list[NoteView] = Field(description="the latest, oldest first")


class Answer(_Model):
    """What came of what was told by MQTT, once the scan has taken it; of what is refused at the
    door only where it has an id."""

    station: str
    to: str = Field(description="the last level of its topic", examples=["demand"])
    id: str | None = Field(description="of what was told", examples=["a1"])
    accepted: bool
    said: str = Field(examples=["gun 3 asks for 120 kW"])


class Owner(_Model):
    """Who speaks for a topic."""

    station: str
    owner: str = Field(description="the process, as its topic begins")
    host: str
    process: int
    at: float


class Health(_Model):
    """Whether scans go on, and are verified."""

    healthy: bool = Field(description="false: only a restart can help")
    verified: bool = Field(description="what the latest scan wrote was read back")
    said: str


class PowerHistory(_Model):
    """Mean power of each gun over time: what it was offered, as far as modules fed it."""

    start_at: float = Field(description="of the first step")
    step_s: int
    power_kw: list[list[float]] = Field(description="by step and gun, gun 1 first")
    complete: bool = Field(description="false: the journal is still being read; ask again")


class DayEnergy(_Model):
    """What the guns were given in a day of the station's zone."""

    date: str = Field(examples=["2026-11-30"])
    energy_kwh: list[float] = Field(description="gun 1 first")


class SessionView(_Model):
    """From a gun's first demand to its last."""

    gun: int
    start_at: float
    end_at: float | None = Field(description="null: it is under way")
    energy_kwh: float
    most_kw: float


class EventView(_Model):
    """Something that happened, from the journal."""

    at: float
    kind: Literal["decision", "report", "fault", "exposure", "violation"]
    severity: Literal["info", "warning", "critical"]
    text: str


class Events(_Model):
    """The newest that were asked for, newest first."""

    events: list[EventView]
    complete: bool = Field(description="false: there are older ones that were not looked at")
