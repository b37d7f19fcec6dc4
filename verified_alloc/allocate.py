"""The one door to a decision: policy, then guard, then `Allocation`; the documented rule to fall
back on."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from itertools import compress
from operator import sub
from types import MappingProxyType

from verified_alloc import demand
from verified_alloc.demand import Asked
from verified_alloc.errors import BadInput, shown
from verified_alloc.kernel import guard, ops
from verified_alloc.kernel.diagnosis import Service
from verified_alloc.kernel.rule import Choice
from verified_alloc.policies import documented
from verified_alloc.station import POLICIES, Faults, Pair, Station, number_in, service, usable

NO_FAULTS = Faults()
ALL_OPEN: frozenset[Pair] = frozenset()
NOTHING: Mapping[int, int] = MappingProxyType({})

Answer = Callable[[Station, Service, Asked, Mapping[int, int]], Choice]
ANSWERS: dict[str, Answer] = {"documented": documented.choose}


@dataclass(frozen=True, slots=True)
class Allocation:
    """Which modules feed which gun. Every gun is in every dict; modules ascend."""

    modules: dict[int, tuple[int, ...]]
    """The modules on each gun."""
    delivered_w: dict[int, int]
    """What each gun is given: min(demand, its maximum, its modules' power), or what the site limit
    leaves, W."""
    unmet_w: dict[int, int]
    """min(demand, gun maximum) less what is delivered, W."""
    idle_modules: tuple[int, ...]
    """Modules on no gun that some gun in service could use."""
    operations: int
    """Makes and breaks against the present state; those of faulted contactors are not counted."""
    policy: str
    """The policy whose answer this is; `nothing` if the guard accepted none."""
    optimal: bool | None = None
    """True: shown without trusting the solver; False: refuted; None: not decided, or a policy
    without objective."""
    fallback_from: str | None = None
    """The policy that was asked and had no answer the guard accepts."""

    @property
    def delivered_kw(self) -> dict[int, float]:
        """What each gun is given, kW."""
        return {gun: power_w / 1000 for gun, power_w in self.delivered_w.items()}

    @property
    def unmet_kw(self) -> dict[int, float]:
        """min(demand, gun maximum) less what is delivered, kW."""
        return {gun: power_w / 1000 for gun, power_w in self.unmet_w.items()}


def allocate(
    station: Station,
    demands: Mapping[int, float | Decimal],
    policy: str = "documented",
    current: Mapping[int, Iterable[int]] | None = None,
    faults: Faults = NO_FAULTS,
) -> Allocation:
    """Which modules feed which gun, for demands in kW by gun (a gun not named asks for 0).

    `current` are the modules on each gun now, None = all contactors open; it decides which
    operations are counted. `BadInput` for an unknown gun, module or contactor, a demand that is
    not finite or below 0, a policy that is not there, a module on two guns.
    """
    if not isinstance(policy, str) or policy not in ANSWERS:
        later = f" ({policy} comes with the solver policies)" if policy in POLICIES else ""
        raise BadInput(f"policy {shown(policy)}: allowed is {', '.join(ANSWERS)}{later}")
    if not isinstance(faults, Faults):
        raise BadInput(f"faults = {shown(faults)}: allowed is Faults(...)")
    asked = demand.told(station, demands)
    closed = ALL_OPEN if current is None else frozenset(_closed(station, current))
    return decide(station, asked, faults=faults, current=closed, policy=policy)


def decide(
    station: Station,
    asked: Asked,
    *,
    faults: Faults = NO_FAULTS,
    current: Set[Pair] = ALL_OPEN,
    policy: str = "documented",
    reserved: Mapping[int, int] = NOTHING,
) -> Allocation:
    """The same behind the door: integer watts in a given order.

    `current` are the closed contactors. `reserved` maps modules that moved a short while ago to
    their guns; as long as its gun still needs it, such a module is usable only by that gun, which
    takes it first. If the guard rejects an answer, the policy is asked again without reservations,
    then the documented rule; the last resort is to connect nothing.
    """
    if policy == "documented" and station.policy.minimum_modules > 0:
        raise BadInput(
            f"policy.minimum_modules = {station.policy.minimum_modules} with policy documented:"
            " allowed is 0"
        )
    left = service(station, faults)
    if reserved:
        reserved = _still_needed(station, left, asked, reserved)
    for name, kept in _attempts(policy, reserved):
        choice = ANSWERS[name](station, left, asked, kept)
        if accepted(station, left, asked, choice):
            return _allocation(station, faults, asked, choice, current, name, policy)
    nobody = Choice([[False] * len(station.modules) for _ in station.guns], [0] * len(station.guns))
    return _allocation(station, faults, asked, nobody, current, "nothing", policy)


def accepted(station: Station, left: Service, asked: Asked, choice: Choice) -> bool:
    """The proved guard accepts this choice, and the order it was made in is a sorted one."""
    verdict = guard.judge(
        ops,
        choice.held,
        choice.delivered_w,
        asked.demand_w,
        station.gun_max_w,
        station.module_power_w,
        left.usable,
        left.in_service,
        station.limit_w,
    )
    order = [gun - 1 for gun in asked.order]
    return all(verdict) and guard.sorted_order(ops, order, asked.rank_w)


def _attempts(policy: str, reserved: Mapping[int, int]) -> Iterator[tuple[str, Mapping[int, int]]]:
    for name in dict.fromkeys((policy, "documented")):
        if name in ANSWERS:
            yield name, reserved
            if reserved:
                yield name, NOTHING


def _still_needed(
    station: Station, left: Service, asked: Asked, reserved: Mapping[int, int]
) -> Mapping[int, int]:
    """The reservations that stand: of usable modules, lowest number first, until their power
    reaches what their gun may be given."""
    kept = {}
    reached_w = [0] * len(station.guns)
    for module, gun in sorted(reserved.items()):
        wanted_w = min(asked.demand_w[gun - 1], station.gun_max_w[gun - 1])
        if left.usable[gun - 1][module - 1] and reached_w[gun - 1] < wanted_w:
            kept[module] = gun
            reached_w[gun - 1] += station.module_power_w[module - 1]
    return kept


def _allocation(
    station: Station,
    faults: Faults,
    asked: Asked,
    choice: Choice,
    current: Set[Pair],
    name: str,
    policy: str,
) -> Allocation:
    numbers = range(1, len(station.modules) + 1)
    guns = range(1, len(station.guns) + 1)
    modules = {
        gun: tuple(compress(numbers, row)) for gun, row in zip(guns, choice.held, strict=True)
    }
    target = {(gun, module) for gun, held in modules.items() for module in held}
    busy = {module for _, module in target}
    capped_w = map(min, asked.demand_w, station.gun_max_w)
    return Allocation(
        modules=modules,
        delivered_w=dict(zip(guns, choice.delivered_w, strict=True)),
        unmet_w=dict(zip(guns, map(sub, capped_w, choice.delivered_w), strict=True)),
        idle_modules=tuple([m for m in usable(station, faults) if m not in busy]),
        operations=len((target ^ current) - faults.contactors),
        policy=name,
        fallback_from=None if name == policy else policy,
    )


def _closed(station: Station, current: Mapping[int, Iterable[int]]) -> Iterator[Pair]:
    """The contactors that are closed now, as `current` says."""
    holder: dict[int, int] = {}
    if not isinstance(current, Mapping):
        raise BadInput(f"current = {shown(current)}: allowed is gun: modules")
    for gun, modules in current.items():
        demand.check_gun(station, gun)
        if isinstance(modules, str) or not isinstance(modules, Iterable):
            raise BadInput(f"current of gun {gun} = {shown(modules)}: allowed is a list of modules")
        for module in modules:
            if not number_in(module, len(station.modules)):
                raise BadInput(
                    f"current of gun {gun}: module {shown(module)}: allowed are modules 1 to"
                    f" {len(station.modules)}"
                )
            if not station.has(gun, module):
                reach = ", ".join(map(str, station.matrix.reach[gun - 1]))
                raise BadInput(
                    f"current of gun {gun}: module {module} is out of reach: allowed are {reach}"
                )
            if module in holder:
                raise BadInput(
                    f"current of gun {gun}: module {module} is already on gun {holder[module]}:"
                    " allowed is one gun for each module"
                )
            holder[module] = gun
            yield gun, module
