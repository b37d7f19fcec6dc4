"""The station: guns, power modules, which contactors there are, and how they are wired and timed.

Everything here is frozen, hashable and integer: behind the door (`station_file`) values are
trusted. Guns and modules are numbered from 1; a contactor is a pair `(gun, module)`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from verified_alloc.errors import BadInput, shown
from verified_alloc.kernel import diagnosis, ops, wiring
from verified_alloc.kernel.diagnosis import Service

Pair = tuple[int, int]


@dataclass(frozen=True)
class Gun:
    """A charging gun and the most power it may give, W."""

    id: int
    max_power_w: int


@dataclass(frozen=True)
class PowerModule:
    """A DC power module (PM) and its power, W."""

    id: int
    power_w: int


@dataclass(frozen=True)
class Matrix:
    """Which gun reaches which module: a contactor for every `x` of the picture.

    For 6 guns and 9 modules (`full`: every gun reaches every module):

        ring   PM 1 2 3 4 5 6 7 8 9      half   PM 1 2 3 4 5 6 7 8 9
        gun 1     x x x x . . . . .      gun 1     x x x x x x . . .
        gun 2     . x x x x . . . .      gun 2     x x x x x x . . .
        gun 3     . . . x x x x . .      gun 3     x x x x x x . . .
        gun 4     . . . . x x x x .      gun 4     . . . x x x x x x
        gun 5     x . . . . . x x x      gun 5     . . . x x x x x x
        gun 6     x x . . . . . x x      gun 6     . . . x x x x x x

    `reach[gun - 1]` are the modules of a gun, ascending.
    """

    kind: str
    reach: tuple[tuple[int, ...], ...]
    module_count: int

    @staticmethod
    def full(guns: int, modules: int) -> "Matrix":
        """Every gun reaches every module."""
        return Matrix("full", (tuple(range(1, modules + 1)),) * guns, modules)

    @staticmethod
    def ring(guns: int, modules: int) -> "Matrix":
        """The modules lie on a circle, cut into one share for each gun. A gun reaches three shares'
        worth of modules, from its own share on: its own and those of the next two guns."""
        width = min(modules, max(1, 3 * modules // guns))
        starts = [gun * modules // guns for gun in range(guns)]
        reach = (sorted((start + step) % modules + 1 for step in range(width)) for start in starts)
        return Matrix("ring", tuple(map(tuple, reach)), modules)

    @staticmethod
    def half(guns: int, modules: int) -> "Matrix":
        """Two halves with a common middle: the first half of the guns reaches the first two thirds
        of the modules, the others the last two thirds (thirds rounded up)."""
        width = -(-2 * modules // 3)
        first = tuple(range(1, width + 1))
        last = tuple(range(modules - width + 1, modules + 1))
        reach = tuple(first if 2 * gun < guns else last for gun in range(guns))
        return Matrix("half", reach, modules)

    @staticmethod
    def listed(reach: Iterable[Iterable[int]], modules: int) -> "Matrix":
        """The modules of each gun, gun 1 first."""
        return Matrix("list", tuple(tuple(sorted(row)) for row in reach), modules)

    def picture(self) -> str:
        """A line for each gun, an `x` for each contactor."""
        modules = range(1, self.module_count + 1)
        width = len(str(self.module_count))
        label = len(f"gun {len(self.reach)}")
        lines = [" ".join([f"{'PM':>{label}}", *(f"{module:>{width}}" for module in modules)])]
        for gun, row in enumerate(self.reach, start=1):
            marks = ("x" if module in row else "." for module in modules)
            lines.append(" ".join([f"gun {gun}".ljust(label), *(f"{m:>{width}}" for m in marks)]))
        return "\n".join(lines)


@dataclass(frozen=True)
class Policy:
    """What `run` decides by."""

    name: str = "priority"
    minimum_modules: int = 0
    priority_deadband_w: int = 5_000


POLICIES = ("documented", "priority", "max-power", "fair")


@dataclass(frozen=True)
class Timing:
    """Times of the scan, the contactors and the modules, in what their names say."""

    scan_ms: int = 20
    contactor_operate_ms: int = 40
    contactor_release_ms: int = 40
    contactor_min_response_ms: int = 5
    current_decay_ms: int = 200
    module_discharge_ms: int = 1000
    module_off_timeout_ms: int = 1000
    offer_lead_ms: int = 1000
    fault_reaction_ms: int = 60
    minimum_dwell_s: int = 10
    demand_timeout_s: int = 10


@dataclass(frozen=True)
class Hardware:
    """Where the Pi's wires go: I2C addresses, and BCM numbers of GPIO lines, module 1 first.

    An empty `status_pins` means that none is wired; an empty `enable_pins`, that the station is
    only calculated with (`Station.check_wiring` refuses it).
    """

    i2c_bus: int = 1
    output_expanders: tuple[int, ...] = (0x20, 0x21, 0x22, 0x23)
    feedback_expanders: tuple[int, ...] = (0x24, 0x25, 0x26, 0x27)
    enable_pins: tuple[int, ...] = (16, 17, 18, 19, 20, 21, 22, 23, 24)
    status_pins: tuple[int, ...] = (4, 5, 6, 7, 8, 9, 10, 11, 12)
    reset_pin: int = 25
    watchdog_pin: int = 26
    estop_pin: int = 27
    watchdog_device: str = ""


@dataclass(frozen=True)
class Doors:
    """Where the service listens and to whom it speaks; an empty text means none.

    `http` is HOST:PORT; other than on loopback it needs a token, the content of `token_file`.
    `mqtt` is the broker, mqtt://HOST:PORT or with TLS mqtts://HOST:PORT.
    """

    http: str = "127.0.0.1:8080"
    token_file: str = ""
    mqtt: str = ""
    mqtt_topic: str = "verified-alloc"
    mqtt_user: str = ""
    mqtt_password_file: str = ""
    mqtt_ca_file: str = ""


@dataclass(frozen=True)
class Station:
    """A charging station. Make one with `reference`, `from_toml` or `from_tables`."""

    name: str
    guns: tuple[Gun, ...]
    modules: tuple[PowerModule, ...]
    matrix: Matrix
    site_limit_w: int | None = None
    policy: Policy = field(default_factory=Policy)
    timing: Timing = field(default_factory=Timing)
    hardware: Hardware = field(default_factory=Hardware)
    doors: Doors = field(default_factory=Doors)

    @staticmethod
    @cache
    def reference() -> "Station":
        """Six guns of 240 kW, nine modules of 40 kW, a contactor between every two of them."""
        return Station(
            name="reference",
            guns=tuple(Gun(number, 240_000) for number in range(1, 7)),
            modules=tuple(PowerModule(number, 40_000) for number in range(1, 10)),
            matrix=Matrix.full(6, 9),
        )

    @staticmethod
    def from_toml(path: str | Path) -> "Station":
        """The station that a file describes; `BadInput` names the key, the value and what is
        allowed."""
        from verified_alloc.station import file

        return file.read(path)

    @staticmethod
    def from_tables(tables: Mapping[str, Any]) -> "Station":
        """The station that the tables of a station file describe; `BadInput` as `from_toml`."""
        from verified_alloc.station import file

        return file.station(tables)

    def to_tables(self) -> dict[str, Any]:
        """The tables of a station file that describes this station, fit for JSON."""
        from verified_alloc.station import file

        return file.tables(self)

    @cached_property
    def _hash(self) -> int:
        # Numbers only: what is remembered travels with a pickle, and text hashes anew elsewhere.
        return hash((self.gun_max_w, self.module_power_w, self.matrix.reach, self.limit_w))

    def __hash__(self) -> int:
        """Counted once: stations are the keys of what is remembered about them."""
        return self._hash

    @cached_property
    def contactors(self) -> tuple[Pair, ...]:
        """Every contactor `(gun, module)` in the order of the wiring: module by module, guns
        ascending."""
        pairs = ((gun, m) for gun, row in enumerate(self.matrix.reach, start=1) for m in row)
        return tuple(sorted(pairs, key=lambda pair: (pair[1], pair[0])))

    @cached_property
    def gun_max_w(self) -> tuple[int, ...]:
        """The maximum of each gun, gun 1 first."""
        return tuple(gun.max_power_w for gun in self.guns)

    @cached_property
    def module_power_w(self) -> tuple[int, ...]:
        """The power of each module, module 1 first."""
        return tuple(module.power_w for module in self.modules)

    @cached_property
    def limit_w(self) -> int:
        """The site limit, or where there is none what it can never reach: all guns' maxima."""
        return sum(self.gun_max_w) if self.site_limit_w is None else self.site_limit_w

    def limited(self, site_limit_w: int | None) -> "Station":
        """This station with another site limit; itself if it is the same."""
        if site_limit_w == self.site_limit_w:
            return self
        return replace(self, site_limit_w=site_limit_w)

    @cached_property
    def _pairs(self) -> frozenset[Pair]:
        return frozenset(self.contactors)

    def has(self, *pair: int) -> bool:
        """There is a contactor between that gun and that module."""
        return pair in self._pairs

    def grid(self, pairs: Iterable[Pair]) -> tuple[tuple[bool, ...], ...]:
        """Those pairs as the kernel reads them: `[gun][module]`, counted from 0."""
        marked = set(pairs)
        return tuple(
            tuple((gun.id, module.id) in marked for module in self.modules) for gun in self.guns
        )

    def check_wiring(self) -> None:
        """Refuse, as `BadInput`, a station that cannot be driven: more contactors than the
        expanders have pins for, or modules without an enable pin."""
        places = len(self.hardware.output_expanders) * wiring.CONTACTORS_PER_EXPANDER
        if len(self.contactors) > places:
            raise BadInput(
                f"matrix has {len(self.contactors)} contactors: allowed are {places},"
                f" {wiring.CONTACTORS_PER_EXPANDER} on each of hardware.output_expanders"
            )
        if len(self.hardware.enable_pins) != len(self.modules):
            raise BadInput(
                f"hardware.enable_pins has {len(self.hardware.enable_pins)} pins:"
                f" needed are {len(self.modules)}, one for each module"
            )


def number_in(value: object, count: int) -> bool:
    """It is the number of one of so many guns or modules."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= count


@dataclass(frozen=True)
class Faults:
    """What is out of order: numbers of modules and guns, and contactors `(gun, module)`.

    A failed module serves nobody; a gun that is out gets nothing; a failed-open contactor does not
    exist; a welded one binds its module to that gun. Two welds on one module take out the module
    and the guns it joins; a failed module welded to a gun takes that gun out.
    """

    modules: frozenset[int] = frozenset()
    guns: frozenset[int] = frozenset()
    failed_open: frozenset[Pair] = frozenset()
    welded: frozenset[Pair] = frozenset()

    def __init__(
        self,
        modules: Iterable[int] = (),
        guns: Iterable[int] = (),
        failed_open: Iterable[Pair] = (),
        welded: Iterable[Pair] = (),
    ) -> None:
        """Any collections will do; whether they fit a station is said by `check`."""
        for name, members in (("modules", modules), ("guns", guns)):
            object.__setattr__(self, name, _members(name, members))
        for name, pairs in (("failed_open", failed_open), ("welded", welded)):
            try:
                object.__setattr__(self, name, _members(name, [tuple(pair) for pair in pairs]))
            except TypeError:
                raise BadInput(
                    f"faults.{name} = {shown(pairs)}: allowed are (gun, module)"
                ) from None

    @cached_property
    def _hash(self) -> int:
        return hash((self.modules, self.guns, self.failed_open, self.welded))

    def __hash__(self) -> int:
        """Counted once, as a station's."""
        return self._hash

    def check(self, station: Station) -> None:
        """Refuse, as `BadInput`, what that station does not have."""
        for kind, numbers, count in (
            ("module", self.modules, len(station.modules)),
            ("gun", self.guns, len(station.guns)),
        ):
            for number in numbers:
                if not number_in(number, count):
                    raise BadInput(
                        f"failed {kind} {shown(number)}: allowed are {kind}s 1 to {count}"
                    )
        for kind, pairs in (("failed-open", self.failed_open), ("welded", self.welded)):
            for pair in pairs:
                if set(map(type, pair)) != {int} or not station.has(*pair):
                    raise BadInput(
                        f"{kind} contactor {':'.join(map(shown, pair))}: allowed are the contactors"
                        " that the station has, gun:module"
                    )
        for gun, module in sorted(self.welded & self.failed_open):
            raise BadInput(
                f"contactor {gun}:{module} is both welded and failed open: allowed is one of them"
            )

    @cached_property
    def contactors(self) -> frozenset[Pair]:
        """The contactors that do not obey."""
        return self.failed_open | self.welded


def _members(name: str, members: Iterable[Any]) -> frozenset[Any]:
    try:
        return frozenset(members)
    except TypeError:
        raise BadInput(f"faults.{name} = {shown(members)}: allowed is a set") from None


@lru_cache(maxsize=256)
def service(station: Station, faults: Faults) -> Service:
    """What these faults leave of the station; `BadInput` where they do not fit it."""
    faults.check(station)
    return diagnosis.service(
        ops,
        station.grid(station.contactors),
        [module.id in faults.modules for module in station.modules],
        [gun.id in faults.guns for gun in station.guns],
        station.grid(faults.failed_open),
        station.grid(faults.welded),
    )


@lru_cache(maxsize=256)
def usable(station: Station, faults: Faults) -> tuple[int, ...]:
    """The modules that some gun in service can still use."""
    columns = zip(*service(station, faults).usable, strict=True)
    return tuple(number for number, column in enumerate(columns, start=1) if any(column))
