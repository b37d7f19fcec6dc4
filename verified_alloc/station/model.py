"""The station that decisions are made for: its parts, and what follows from them.

Behind the door (`station.file`) values are trusted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_alloc.errors import BadInput
from verified_alloc.kernel import wiring
from verified_alloc.kernel.diagnosis import Timing, explained_mismatch
from verified_alloc.kernel.feeder import Feeder as Supply
from verified_alloc.station import grid_side
from verified_alloc.station.parts import Gun, Matrix, Pair, PowerModule, StationParts

if TYPE_CHECKING:
    from verified_alloc.kernel.built import Built


@dataclass(frozen=True)
class Station(StationParts):
    """A charging station. Make one with `reference`, `from_toml` or `from_tables`."""

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

        return Station(**vars(file.read(path)))

    @staticmethod
    def from_tables(tables: Mapping[str, Any]) -> "Station":
        """The station that the tables of a station file describe; `BadInput` as `from_toml`."""
        from verified_alloc.station import file

        return Station(**vars(file.parts(tables)))

    def to_tables(self) -> dict[str, Any]:
        """The tables of a station file that describes this station, fit for JSON."""
        from verified_alloc.station import file  # pydantic, where a file is read

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
        """What the site limit leaves the guns, or where there is none what they can never reach:
        all their maxima."""
        return sum(self.gun_max_w) if self.site_limit_w is None else self.dc_w(self.site_limit_w)

    def dc_w(self, limit_w: int) -> int:
        """What a limit for the station lets the guns have together, W."""
        return grid_side.dc_w(self._limit_curve, sum(self.module_power_w), limit_w)

    def counted_w(self, dc_w: int) -> int:
        """What the guns have together where a limit for the station is measured, W."""
        return grid_side.grid_w(self._limit_curve, sum(self.module_power_w), dc_w)

    def grid_w(self, dc_w: int) -> int:
        """What is taken from the grid for what the guns have together, W."""
        return grid_side.grid_w(self.conversion_efficiency, sum(self.module_power_w), dc_w)

    @property
    def _limit_curve(self) -> grid_side.Curve:
        return self.conversion_efficiency if self.limit_side == "ac" else ()

    @cached_property
    def kernel_feeders(self) -> tuple[Supply, ...]:
        """The feeders that can be short, as the kernel takes them: not those that bear all their
        modules."""
        supplies = []
        for each in self.feeders:
            modules = tuple(module.id in each.modules for module in self.modules)
            rated_w = sum(compress(self.module_power_w, modules))
            limit_w = grid_side.dc_w(self._limit_curve, rated_w, each.limit_w)
            if rated_w > limit_w:
                supplies.append(Supply(modules, limit_w))
        return tuple(supplies)

    @cached_property
    def kernel_timing(self) -> Timing:
        """The station's times as the kernel takes them."""
        timing = self.timing
        return Timing(
            current_decay_ms=timing.current_decay_ms,
            module_discharge_ms=timing.module_discharge_ms,
            module_off_timeout_ms=timing.module_off_timeout_ms,
            contactor_operate_ms=timing.contactor_operate_ms,
            contactor_release_ms=timing.contactor_release_ms,
            operate_mismatch=explained_mismatch(timing.contactor_operate_ms, timing.scan_ms),
            release_mismatch=explained_mismatch(timing.contactor_release_ms, timing.scan_ms),
        )

    @cached_property
    def built(self) -> "Built":
        """The station as the kernel's scan takes it; guns and modules are counted from 0 there."""
        from verified_alloc.kernel.built import built

        return built(
            self.kernel_timing,
            self.timing.offer_lead_ms,
            self.timing.minimum_dwell_s * 1000,
            self.timing.scan_ms,
            self.gun_max_w,
            self.module_power_w,
            [(gun - 1, module - 1) for gun, module in self.contactors],
            self.kernel_feeders,
        )

    def limited(self, site_limit_w: int | None) -> "Station":
        """This station with another site limit; itself if it is the same."""
        if site_limit_w == self.site_limit_w:
            return self
        return replace(self, site_limit_w=site_limit_w)

    def under(self, policy: str) -> "Station":
        """This station with that policy in place of its own."""
        return replace(self, policy=replace(self.policy, name=policy))

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
