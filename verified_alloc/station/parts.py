"""The parts of a station and how they are wired and timed, as its file gives them.

Everything here is frozen, hashable and integer. Guns and modules are numbered from 1; a contactor
is a pair `(gun, module)`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

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
class Feeder:
    """A supply that some of the modules hang on, and the most that may be taken from it, W."""

    modules: tuple[int, ...]
    limit_w: int


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
    minimum_power_w: int = 1_000
    """Where the site limit leaves a gun less than that and than it may have, it gets nothing."""
    priority_deadband_w: int = 5_000
    rank_delay_s: int = 10
    """A rank follows its demand when they have differed by more than the deadband for so long,"""
    release_delay_s: int = 60
    """a demand that fell keeps its modules for so long, unless somebody is short,"""
    limit_delay_s: int = 5
    """and a site limit that rose counts after so long."""


POLICIES = ("documented", "priority", "max-power", "fair")


@dataclass(frozen=True)
class Timing:
    """Times of the scan, the contactors and the modules, in what their names say.

    The relay supply's watchdog acts `relay_watchdog_ms` after its last edge at the latest, and not
    before four scans: so long an offer may be raised without another edge. 0 for
    `proof_test_interval_h`: an idle station tests nothing.
    """

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
    relay_watchdog_ms: int = 100
    proof_test_interval_h: int = 0


@dataclass(frozen=True)
class Site:
    """The grid's side: volts of a phase to neutral (None: it is not said, and no limit in A is
    taken) and the number of phases."""

    voltage_v: int | None = None
    phases: int = 3


@dataclass(frozen=True)
class LimitsConfig:
    """What counts when nobody has told a limit, nor shown that he is there, for so long; and for
    how long at least, unless a limit is told. None: what was told counts until told otherwise."""

    failsafe_w: int | None = None
    failsafe_after_s: int = 120
    failsafe_for_s: int = 7200


class Expander(NamedTuple):
    """Where an expander is: N of its bus /dev/i2c-N, and its address there."""

    bus: int
    address: int


@dataclass(frozen=True)
class Hardware:
    """Where the Pi's wires go: I2C buses with the expanders of each kind, bus after bus, and BCM
    numbers of GPIO lines, module 1 first.

    An empty `status_pins` means that none is wired; an empty `enable_pins`, that the station is
    only calculated with (`Station.check_wiring` refuses it).
    """

    i2c_buses: tuple[int, ...] = (1,)
    output_expanders: tuple[Expander, ...] = tuple(Expander(1, at) for at in range(0x20, 0x24))
    feedback_expanders: tuple[Expander, ...] = tuple(Expander(1, at) for at in range(0x24, 0x28))
    enable_pins: tuple[int, ...] = (16, 17, 18, 19, 20, 21, 22, 23, 24)
    status_pins: tuple[int, ...] = (4, 5, 6, 7, 8, 9, 10, 11, 12)
    reset_pin: int = 25
    watchdog_pin: int = 26
    estop_pin: int = 27
    watchdog_device: str = ""

    def name(self, expander: tuple[int, int]) -> str:
        """As people write it: `0x21`, and where there are several buses, `3:0x21`."""
        bus, address = expander
        return f"{address:#x}" if len(self.i2c_buses) == 1 else f"{bus}:{address:#x}"

    def output_name(self, position: int) -> str:
        """The name of the expander that drives the coils of this position, from 0."""
        return self.name(self.output_expanders[position])

    def feedback_name(self, position: int) -> str:
        """The name of the one that reads their contacts."""
        return self.name(self.feedback_expanders[position])

    @property
    def buses_name(self) -> str:
        """`I2C bus 1`, or `I2C buses 1 and 3`."""
        noun = "bus" if len(self.i2c_buses) == 1 else "buses"
        return f"I2C {noun} {in_words(self.i2c_buses)}"


TOKEN_ROLES = ("read", "demand", "operate", "admin")


@dataclass(frozen=True)
class TokenConfig:
    """A token of the service: whose, the file that says it, and what it is good for; `guns` with
    the role `demand`."""

    name: str
    file: str
    role: str
    guns: tuple[int, ...] = ()


@dataclass(frozen=True)
class ServiceConfig:
    """Where the service listens and to whom it speaks; an empty text means none.

    `http` is HOST:PORT; other than on loopback it needs a token: the content of `token_file`, which
    may do everything, or one of `tokens`. `trusted_proxy` is the IP address of a TLS proxy before
    it, `public_name` the HOST[:PORT] that browsers know that by. `mqtt` is the broker,
    mqtt://HOST:PORT or with TLS mqtts://HOST:PORT; `home_assistant` is the topic below which Home
    Assistant looks for devices. `modbus` is HOST:PORT; whoever reaches it may
    read and, if `modbus_write`, write.
    """

    http: str = "127.0.0.1:8080"
    token_file: str = ""
    tokens: tuple[TokenConfig, ...] = ()
    trusted_proxy: str = ""
    public_name: str = ""
    mqtt: str = ""
    mqtt_topic: str = "verified-alloc"
    mqtt_user: str = ""
    mqtt_password_file: str = ""
    mqtt_ca_file: str = ""
    home_assistant: str = ""
    modbus: str = ""
    modbus_write: bool = False


@dataclass(frozen=True)
class StationParts:
    """All that a station file says."""

    name: str
    guns: tuple[Gun, ...]
    modules: tuple[PowerModule, ...]
    matrix: Matrix
    site_limit_w: int | None = None
    limit_side: str = "ac"
    """Where limits of the station and of feeders are measured: `ac` at the grid, or `dc`, what the
    guns are given."""
    conversion_efficiency: tuple[tuple[int, int], ...] = ()
    """`grid_side.Curve`."""
    feeders: tuple[Feeder, ...] = ()
    require_proof: bool = False
    """On a Pi it runs only as it was proved."""
    site: Site = field(default_factory=Site)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    policy: Policy = field(default_factory=Policy)
    timing: Timing = field(default_factory=Timing)
    hardware: Hardware = field(default_factory=Hardware)
    service: ServiceConfig = field(default_factory=ServiceConfig)


def in_words(items: Iterable[object]) -> str:
    """`1`, `1 and 3`, `1, 3 and 4`."""
    *others, last = map(str, items)
    return f"{', '.join(others)} and {last}" if others else last


def number_in(value: object, count: int) -> bool:
    """It is the number of one of so many guns or modules."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= count
