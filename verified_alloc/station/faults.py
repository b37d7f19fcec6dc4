"""What of a station is out of order, and what that leaves of it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from verified_alloc.errors import BadInput, shown
from verified_alloc.kernel import diagnosis, ops
from verified_alloc.kernel.diagnosis import Usable
from verified_alloc.kernel.latched import Excluded
from verified_alloc.kernel.ops import BoolMatrix
from verified_alloc.station.model import Station
from verified_alloc.station.parts import Pair, number_in


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
def usable_after(station: Station, faults: Faults) -> Usable:
    """What these faults leave of the station; `BadInput` where they do not fit it."""
    faults.check(station)
    return diagnosis.usable_after(
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
    columns = zip(*usable_after(station, faults).usable, strict=True)
    return tuple(number for number, column in enumerate(columns, start=1) if any(column))


def out_of_order(excluded: Excluded) -> Faults:
    """What the kernel says an allocation must do without, counted from 1."""
    return Faults(
        modules=_places(excluded.modules),
        guns=_places(excluded.guns),
        failed_open=_pairs(excluded.failed_open),
        welded=_pairs(excluded.welded),
    )


def _places(bits: Iterable[bool]) -> list[int]:
    return [number for number, bit in enumerate(bits, start=1) if bit]


def _pairs(matrix: BoolMatrix) -> list[Pair]:
    return [(gun, module) for module, row in enumerate(matrix, start=1) for gun in _places(row)]
