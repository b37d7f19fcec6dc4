"""The door for station files: TOML in, its parts out, or `BadInput` with one line that names the
key, its value and what is allowed."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from verified_alloc.errors import BadInput, shown
from verified_alloc.station import expander_lists, grid_side
from verified_alloc.station.parts import (
    POLICIES,
    TOKEN_ROLES,
    Feeder,
    Gun,
    Hardware,
    LimitsConfig,
    Matrix,
    Policy,
    PowerModule,
    ServiceConfig,
    Site,
    StationParts,
    Timing,
    TokenConfig,
    number_in,
)

MOST_GUNS = 500
MOST_MODULES = 2000
MOST_POWER_KW = 1_000_000
PINS = frozenset({*range(4, 14), *range(16, 46)})
PINS_IN_WORDS = (
    "BCM 4-13 and 16-27 (0-3, 14 and 15 are I2C, ID EEPROM and serial port), on a Compute Module 3"
    " also 28-45"
)


def _refused(allowed: str) -> PydanticCustomError:
    return PydanticCustomError("allowed", "{allowed}", {"allowed": allowed})


def _whole(low: int, high: int, unit: str = "") -> BeforeValidator:
    """A whole number in a range."""

    def check(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return value
        raise _refused(f"a whole number{unit}, {low} to {high}")

    return BeforeValidator(check)


def _power(zero: bool) -> BeforeValidator:
    """A power in kW that is a whole number of watts; becomes those watts."""
    least = "0" if zero else "0.001"
    allowed = f"{least} to {MOST_POWER_KW} kW in whole watts (at most three decimals)"

    def check(value: object) -> int:
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
                raise _refused(allowed)
            kilowatts = Decimal(str(value))
            if Decimal(least) <= kilowatts <= MOST_POWER_KW and kilowatts == round(kilowatts, 3):
                return int(kilowatts * 1000)
        except InvalidOperation:
            pass
        raise _refused(allowed)

    return BeforeValidator(check)


def _one_of(*names: str) -> BeforeValidator:
    def check(value: object) -> str:
        if isinstance(value, str) and value in names:
            return value
        raise _refused("one of " + ", ".join(names))

    return BeforeValidator(check)


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _refused("true or false")


def _text(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    raise _refused("text on one line")


def _list(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(value)
    raise _refused("a list")


def _curve(value: object) -> grid_side.Curve:
    curve = grid_side.read(value)
    if curve is None:
        raise _refused(grid_side.ALLOWED)
    return curve


def _pin(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value in PINS:
        return value
    raise _refused(PINS_IN_WORDS)


def _buses(value: object) -> int | tuple[int, ...]:
    """A bus, or a list of buses."""
    numbers = value if isinstance(value, list | tuple) else [value]
    known = [n for n in numbers if isinstance(n, int) and not isinstance(n, bool) and 0 <= n <= 255]
    if not numbers or len(known) < len(numbers) or len(set(known)) < len(known):
        raise _refused("a whole number, 0 to 255, or a list of such, each once")
    return tuple(known) if isinstance(value, list | tuple) else known[0]


Text = Annotated[str, BeforeValidator(_text)]
PowerW = Annotated[int, _power(zero=False)]
PowerOrZeroW = Annotated[int, _power(zero=True)]
Milliseconds = Annotated[int, _whole(1, 600_000, " of ms")]
MillisecondsOrZero = Annotated[int, _whole(0, 600_000, " of ms")]
SecondsOrZero = Annotated[int, _whole(0, 86_400, " of s")]
Pin = Annotated[int, BeforeValidator(_pin)]
Pins = Annotated[tuple[Pin, ...], BeforeValidator(_list)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StationTable(_Table):
    """[station]"""

    name: Text = "station"
    guns: Annotated[int, _whole(1, MOST_GUNS)]
    modules: Annotated[int, _whole(1, MOST_MODULES)]
    module_power_w: PowerW = Field(alias="module_power_kw")
    gun_max_power_w: PowerW = Field(alias="gun_max_power_kw")
    site_limit_w: PowerW | None = Field(None, alias="site_limit_kw")
    limit_side: Annotated[str, _one_of("ac", "dc")] = "ac"
    conversion_efficiency: Annotated[grid_side.Curve, BeforeValidator(_curve)] = ()
    require_proof: Annotated[bool, BeforeValidator(_yes_or_no)] = False


class GunTable(_Table):
    """[[gun]]"""

    id: Annotated[int, _whole(1, MOST_GUNS)]
    max_power_w: PowerW = Field(alias="max_power_kw")


class ModuleTable(_Table):
    """[[module]]"""

    id: Annotated[int, _whole(1, MOST_MODULES)]
    power_w: PowerW = Field(alias="power_kw")


class FeederTable(_Table):
    """[[feeder]]"""

    modules: Annotated[tuple[Annotated[int, _whole(1, MOST_MODULES)], ...], BeforeValidator(_list)]
    limit_w: PowerW = Field(alias="limit_kw")


class MatrixTable(_Table):
    """[matrix]"""

    kind: Annotated[str, _one_of("full", "ring", "half", "list")] = "full"
    reach: Any = None


class SiteTable(_Table):
    """[site]"""

    voltage_v: Annotated[int, _whole(50, 1000, " of V")] | None = None
    phases: Annotated[int, _whole(1, 3)] = Site.phases


class LimitsTable(_Table):
    """[limits]"""

    failsafe_w: PowerOrZeroW | None = Field(None, alias="failsafe_kw")
    failsafe_after_s: Annotated[int, _whole(1, 86_400, " of s")] = LimitsConfig.failsafe_after_s
    failsafe_for_s: SecondsOrZero = LimitsConfig.failsafe_for_s


class PolicyTable(_Table):
    """[policy]"""

    name: Annotated[str, _one_of(*POLICIES)] = Policy.name
    minimum_modules: Annotated[int, _whole(0, MOST_MODULES)] = Policy.minimum_modules
    minimum_power_w: PowerOrZeroW = Field(Policy.minimum_power_w, alias="minimum_power_kw")
    priority_deadband_w: PowerOrZeroW = Field(
        Policy.priority_deadband_w, alias="priority_deadband_kw"
    )
    rank_delay_s: SecondsOrZero = Policy.rank_delay_s
    release_delay_s: SecondsOrZero = Policy.release_delay_s
    limit_delay_s: SecondsOrZero = Policy.limit_delay_s


class TimingTable(_Table):
    """[timing]"""

    scan_ms: Annotated[int, _whole(1, 1000, " of ms")] = Timing.scan_ms
    contactor_operate_ms: Milliseconds = Timing.contactor_operate_ms
    contactor_release_ms: Milliseconds = Timing.contactor_release_ms
    contactor_min_response_ms: MillisecondsOrZero = Timing.contactor_min_response_ms
    current_decay_ms: Milliseconds = Timing.current_decay_ms
    module_discharge_ms: Milliseconds = Timing.module_discharge_ms
    module_off_timeout_ms: Milliseconds = Timing.module_off_timeout_ms
    offer_lead_ms: MillisecondsOrZero = Timing.offer_lead_ms
    fault_reaction_ms: Milliseconds = Timing.fault_reaction_ms
    minimum_dwell_s: SecondsOrZero = Timing.minimum_dwell_s
    demand_timeout_s: Annotated[int, _whole(1, 86_400, " of s")] = Timing.demand_timeout_s
    relay_watchdog_ms: Milliseconds | None = None
    proof_test_interval_h: Annotated[int, _whole(0, 8760, " of h")] = Timing.proof_test_interval_h


class HardwareTable(_Table):
    """[hardware]"""

    i2c_bus: Annotated[int | tuple[int, ...], BeforeValidator(_buses)] = Hardware.i2c_buses[0]
    output_expanders: Any = [at for _, at in Hardware.output_expanders]
    feedback_expanders: Any = [at for _, at in Hardware.feedback_expanders]
    enable_pins: Pins | None = None
    status_pins: Pins | None = None
    reset_pin: Pin = Hardware.reset_pin
    watchdog_pin: Pin = Hardware.watchdog_pin
    estop_pin: Pin = Hardware.estop_pin
    watchdog_device: Text = Hardware.watchdog_device


class TokenTable(_Table):
    """[[service.token]]"""

    name: Text
    file: Text
    role: Annotated[str, _one_of(*TOKEN_ROLES)]
    guns: Annotated[tuple[Annotated[int, _whole(1, MOST_GUNS)], ...], BeforeValidator(_list)] = ()


class ServiceTable(_Table):
    """[service]"""

    http: Text = ServiceConfig.http
    token_file: Text = ServiceConfig.token_file
    tokens: tuple[TokenTable, ...] = Field((), alias="token")
    trusted_proxy: Text = ServiceConfig.trusted_proxy
    public_name: Text = ServiceConfig.public_name
    mqtt: Text = ServiceConfig.mqtt
    mqtt_topic: Text = ServiceConfig.mqtt_topic
    mqtt_user: Text = ServiceConfig.mqtt_user
    mqtt_password_file: Text = ServiceConfig.mqtt_password_file
    mqtt_ca_file: Text = ServiceConfig.mqtt_ca_file
    home_assistant: Text = ServiceConfig.home_assistant
    modbus: Text = ServiceConfig.modbus
    modbus_write: Annotated[bool, BeforeValidator(_yes_or_no)] = ServiceConfig.modbus_write


class Document(_Table):
    """The whole file."""

    station: StationTable
    gun: tuple[GunTable, ...] = ()
    module: tuple[ModuleTable, ...] = ()
    feeder: tuple[FeederTable, ...] = ()
    matrix: MatrixTable = MatrixTable()
    site: SiteTable = SiteTable()
    limits: LimitsTable = LimitsTable.model_validate({})
    policy: PolicyTable = PolicyTable.model_validate({})
    timing: TimingTable = TimingTable()
    hardware: HardwareTable = HardwareTable()
    service: ServiceTable = ServiceTable.model_validate({})


TABLES: dict[str, type[_Table]] = {
    "station": StationTable,
    "gun": GunTable,
    "module": ModuleTable,
    "feeder": FeederTable,
    "matrix": MatrixTable,
    "site": SiteTable,
    "limits": LimitsTable,
    "policy": PolicyTable,
    "timing": TimingTable,
    "hardware": HardwareTable,
    "service": ServiceTable,
}


def read(path: str | Path) -> StationParts:
    """The station that a TOML file describes."""
    try:
        tables = tomllib.loads(Path(path).read_bytes().decode(), parse_float=Decimal)
    except OSError as error:
        raise BadInput(
            f"station file {path}: {error.strerror}; allowed is a readable TOML file"
        ) from None
    except UnicodeDecodeError as error:
        raise BadInput(
            f"station file {path}: byte {error.start} is not UTF-8; allowed is TOML in UTF-8"
        ) from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"station file {path}: not TOML: {_one_line(error)}") from None
    try:
        return parts(tables)
    except BadInput as error:
        raise BadInput(f"station file {path}: {error}") from None


def parts(tables: Mapping[str, Any]) -> StationParts:
    """The station that the tables of such a file describe."""
    try:
        document = Document.model_validate(dict(tables))
    except ValidationError as error:
        raise BadInput(_in_a_line(error)) from None
    about = document.station
    return StationParts(
        name=about.name,
        guns=tuple(_guns(document)),
        modules=tuple(_modules(document)),
        matrix=_matrix(document.matrix, about.guns, about.modules),
        site_limit_w=about.site_limit_w,
        limit_side=about.limit_side,
        conversion_efficiency=about.conversion_efficiency,
        feeders=tuple(_feeders(document.feeder, about.modules)),
        require_proof=about.require_proof,
        site=Site(**document.site.model_dump()),
        limits=LimitsConfig(**document.limits.model_dump()),
        policy=Policy(**document.policy.model_dump()),
        timing=_timing(document.timing),
        hardware=_hardware(document.hardware, about.modules),
        service=_service(document.service, about.guns),
    )


def tables(station: StationParts) -> dict[str, Any]:
    """The other way: the tables that describe this station, every key written out."""
    power_w = station.modules[0].power_w
    max_w = station.guns[0].max_power_w
    about = {
        "name": station.name,
        "guns": len(station.guns),
        "modules": len(station.modules),
        "module_power_kw": _kw(power_w),
        "gun_max_power_kw": _kw(max_w),
        "limit_side": station.limit_side,
        "require_proof": station.require_proof,
    }
    if station.site_limit_w is not None:
        about["site_limit_kw"] = _kw(station.site_limit_w)
    if station.conversion_efficiency:
        about["conversion_efficiency"] = [
            [each / grid_side.WHOLE for each in point] for point in station.conversion_efficiency
        ]
    matrix: dict[str, Any] = {"kind": station.matrix.kind}
    if station.matrix.kind == "list":
        matrix["reach"] = {str(gun): row for gun, row in enumerate(station.matrix.reach, start=1)}
    policy = asdict(station.policy)
    for power in ("minimum_power", "priority_deadband"):
        policy[f"{power}_kw"] = _kw(policy.pop(f"{power}_w"))
    limits = asdict(station.limits)
    failsafe_w = limits.pop("failsafe_w")
    lists = expander_lists.written(station.hardware)
    hardware = lists | asdict(station.hardware) | lists
    del hardware["i2c_buses"]
    service = asdict(station.service)
    if not station.hardware.enable_pins:  # only calculated with: as if the key were left out
        del hardware["enable_pins"]
    return {
        "station": about,
        "gun": [
            {"id": gun.id, "max_power_kw": _kw(gun.max_power_w)}
            for gun in station.guns
            if gun.max_power_w != max_w
        ],
        "module": [
            {"id": module.id, "power_kw": _kw(module.power_w)}
            for module in station.modules
            if module.power_w != power_w
        ],
        "feeder": [
            {"modules": list(each.modules), "limit_kw": _kw(each.limit_w)}
            for each in station.feeders
        ],
        "matrix": matrix,
        "site": {key: value for key, value in asdict(station.site).items() if value is not None},
        "limits": limits if failsafe_w is None else {**limits, "failsafe_kw": _kw(failsafe_w)},
        "policy": policy,
        "timing": asdict(station.timing),
        "hardware": hardware,
        "service": service | {"token": service.pop("tokens")},
    }


def _kw(power_w: int) -> float:
    return power_w // 1000 if power_w % 1000 == 0 else power_w / 1000


def _guns(document: Document) -> Iterator[Gun]:
    ids = [gun.id for gun in document.gun]
    _known_once("gun", ids, document.station.guns)
    overridden = {gun.id: gun.max_power_w for gun in document.gun}
    for number in range(1, document.station.guns + 1):
        yield Gun(number, overridden.get(number, document.station.gun_max_power_w))


def _modules(document: Document) -> Iterator[PowerModule]:
    ids = [module.id for module in document.module]
    _known_once("module", ids, document.station.modules)
    overridden = {module.id: module.power_w for module in document.module}
    for number in range(1, document.station.modules + 1):
        yield PowerModule(number, overridden.get(number, document.station.module_power_w))


def _feeders(tables: Sequence[FeederTable], modules: int) -> Iterator[Feeder]:
    """Each module on one feeder at the most."""
    taken: dict[int, int] = {}
    for place, table in enumerate(tables, start=1):
        if not table.modules:
            raise BadInput(f"feeder[{place}].modules = []: allowed is one module or more")
        for module in table.modules:
            path = f"feeder[{place}].modules: {module}"
            if module > modules:
                raise BadInput(f"{path}; allowed are modules 1 to {modules}")
            if module in taken:
                raise BadInput(
                    f"{path}, on feeder[{taken[module]}] already; allowed is one for each module"
                )
            taken[module] = place
        yield Feeder(tuple(sorted(table.modules)), table.limit_w)


def _service(table: ServiceTable, guns: int) -> ServiceConfig:
    for place, token in enumerate(table.tokens, start=1):
        for gun in token.guns:
            if gun > guns:
                raise BadInput(f"service.token[{place}].guns: {gun}; allowed are guns 1 to {guns}")
    told = table.model_dump()
    told["tokens"] = tuple(TokenConfig(**token) for token in told["tokens"])
    return ServiceConfig(**told)


def _known_once(kind: str, ids: Sequence[int], count: int) -> None:
    for place, number in enumerate(ids):
        path = f"{kind}[{place + 1}].id = {number}"
        if number > count:
            raise BadInput(f"{path}: allowed are {kind}s 1 to {count}")
        if number in ids[:place]:
            raise BadInput(f"{path}: twice; allowed is one entry for each {kind}")


def _matrix(table: MatrixTable, guns: int, modules: int) -> Matrix:
    if table.kind == "list":
        return Matrix.listed(_reach(table.reach, guns, modules), modules)
    if table.reach is not None:
        raise BadInput(
            f'matrix.reach with matrix.kind = "{table.kind}": allowed is reach with kind = "list"'
        )
    shape = {"full": Matrix.full, "ring": Matrix.ring, "half": Matrix.half}[table.kind]
    return shape(guns, modules)


def _reach(reach: object, guns: int, modules: int) -> Iterator[list[int]]:
    """The modules of each gun; every gun reaches at least one."""
    form = "allowed is { 1 = [1, 2, 3], 2 = [3, 4] }: gun = modules, for every gun"
    if not isinstance(reach, Mapping):
        raise BadInput(f"matrix.reach = {shown(reach)}: {form}")
    names = {str(gun) for gun in range(1, guns + 1)}
    for key in reach:
        if str(key) not in names:
            raise BadInput(f"matrix.reach.{shown(key)}: allowed are guns 1 to {guns}")
    by_gun = {str(key): row for key, row in reach.items()}
    for gun in range(1, guns + 1):
        path = f"matrix.reach.{gun}"
        if str(gun) not in by_gun:
            raise BadInput(f"{path} is missing: a gun must reach a module; {form}")
        row = by_gun[str(gun)]
        if not isinstance(row, list | tuple):
            raise BadInput(f"{path} = {shown(row)}: {form}")
        if not row:
            raise BadInput(f"{path} = []: a gun must reach a module; {form}")
        for place, module in enumerate(row):
            if not number_in(module, modules):
                raise BadInput(
                    f"{path}[{place + 1}] = {shown(module)}: allowed are modules 1 to {modules}"
                )
            if module in row[:place]:
                raise BadInput(f"{path}[{place + 1}] = {module}: twice; allowed is once")
        yield list(row)


def _timing(table: TimingTable) -> Timing:
    told = table.model_dump()
    if table.relay_watchdog_ms is None:
        told["relay_watchdog_ms"] = max(Timing.relay_watchdog_ms, 5 * table.scan_ms)
    timing = Timing(**told)
    quickest = min(timing.contactor_operate_ms, timing.contactor_release_ms)
    if timing.contactor_min_response_ms > quickest:
        raise BadInput(
            f"timing.contactor_min_response_ms = {timing.contactor_min_response_ms}: allowed is at"
            f" most the operate and the release time, {quickest}"
        )
    if timing.fault_reaction_ms < timing.scan_ms:
        raise BadInput(
            f"timing.fault_reaction_ms = {timing.fault_reaction_ms}: allowed is at least"
            f" timing.scan_ms, {timing.scan_ms}"
        )
    if timing.relay_watchdog_ms < 4 * timing.scan_ms:
        raise BadInput(
            f"timing.relay_watchdog_ms = {timing.relay_watchdog_ms}: allowed is at least four times"
            f" timing.scan_ms, {4 * timing.scan_ms}; commission feeds it in every third scan"
        )
    return timing


def _hardware(table: HardwareTable, modules: int) -> Hardware:
    """Default pins are the first of the reference station's, where there are enough of them."""
    enable, status = table.enable_pins, table.status_pins
    enough = modules <= len(Hardware.enable_pins)
    if enable is None:
        enable = Hardware.enable_pins[:modules] if enough else ()
    elif len(enable) != modules:
        raise BadInput(
            f"hardware.enable_pins has {len(enable)} pins: allowed are {modules},"
            " one for each module"
        )
    if status is None:
        status = Hardware.status_pins[:modules] if enough else ()
    elif status and len(status) != modules:
        raise BadInput(
            f"hardware.status_pins has {len(status)} pins: allowed are {modules},"
            " one for each module, or none"
        )
    keys = table.model_dump()
    keys |= {"enable_pins": enable, "status_pins": status, **expander_lists.read(keys)}
    bus = keys.pop("i2c_bus")
    hardware = Hardware(i2c_buses=(bus,) if isinstance(bus, int) else bus, **keys)
    _pins_once(hardware)
    return hardware


def _pins_once(hardware: Hardware) -> None:
    users: dict[int, str] = {}
    places = [
        ("reset_pin", hardware.reset_pin),
        ("watchdog_pin", hardware.watchdog_pin),
        ("estop_pin", hardware.estop_pin),
        *((f"enable_pins[{n}]", pin) for n, pin in enumerate(hardware.enable_pins, start=1)),
        *((f"status_pins[{n}]", pin) for n, pin in enumerate(hardware.status_pins, start=1)),
    ]
    for place, pin in places:
        if pin in users:
            raise BadInput(
                f"hardware.{place} = {pin}: already hardware.{users[pin]}; allowed is a pin once"
            )
        users[pin] = place


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _path(location: Sequence[str | int]) -> str:
    """`gun[1].max_power_kw`: entries counted from 1, as everything here."""
    path = ""
    for part in location:
        path += f"[{part + 1}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _in_a_line(error: ValidationError) -> str:
    """The first thing that is wrong; a misspelt key before the one that is missing for it."""
    found = error.errors(include_url=False)
    first = min(found, key=lambda one: one["type"] != "extra_forbidden")
    location = first["loc"]
    path, kind = _path(location), first["type"]
    if kind == "missing":
        return f"{path} is missing: it has no default"
    if kind == "extra_forbidden":
        table = TABLES[str(location[0])] if len(location) > 1 else Document
        known = (spec.alias or name for name, spec in table.model_fields.items())
        return f"{path} = {shown(first['input'])}: unknown key; allowed are {', '.join(known)}"
    allowed = {"allowed": first["msg"], "tuple_type": "a list of tables"}.get(kind, "a table")
    return f"{path} = {shown(first['input'])}: allowed is {allowed}"
