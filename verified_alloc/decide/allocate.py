"""The one door to a decision: policy, then guard, then `Allocation`; the documented rule to fall
back on."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from itertools import compress, count
from operator import sub
from threading import Thread

from verified_alloc.decide import demand
from verified_alloc.decide.demand import Asked
from verified_alloc.decide.policies import documented
from verified_alloc.decide.policies.problem import (
    ALL_OPEN,
    NO_FAULTS,
    NO_WEAR,
    NONE_RESERVED,
    Answer,
    NoAnswer,
    NotYet,
    Problem,
    Stage,
)
from verified_alloc.errors import BadInput, shown
from verified_alloc.kernel import dwell, guard, ops, rule
from verified_alloc.kernel.diagnosis import Usable
from verified_alloc.kernel.rule import Choice
from verified_alloc.station.faults import Faults, usable, usable_after
from verified_alloc.station.model import Station
from verified_alloc.station.parts import POLICIES, Pair, number_in

KEPT = "kept"
"""In place of a policy: what stands while a solver beside the scan is at work."""
Solve = Callable[[Problem, str], Answer]
"""A solver: `policies.constraint.solve`, or one beside the scan, which may say `NotYet`."""
MOST_WEAR = 10**9
"""Operations: more than any contactor lives, and sums of it stay within a solver's numbers."""


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
    """The policy whose answer this is; `kept` while a solver is at work, `nothing` if the guard
    accepted none."""
    optimal: bool | None = None
    """True: shown without trusting the solver; False: refuted; None: not decided, or a policy
    without objective."""
    fallback_from: str | None = None
    """The policy that was asked and had no answer the guard accepts."""
    fallback_reason: str | None = None
    """Why it had none."""
    method: str = "rule"
    """What answered: `rule`, `flow` (exact, for modules of equal power) or `constraint`."""
    stages: tuple[Stage, ...] = ()
    """Of a constraint solver's answer, each objective with its value and the solver's bound."""

    @property
    def pairs(self) -> list[Pair]:
        """The contactors that shall be closed."""
        return [(gun, module) for gun, modules in self.modules.items() for module in modules]

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
    wear: Mapping[Pair, int] | None = None,
) -> Allocation:
    """Which modules feed which gun, for demands in kW by gun (a gun not named asks for 0).

    `current` are the modules on each gun now, None = all contactors open; it decides which
    operations are counted, and the solver's policies make the fewest. `wear` are the prior
    operations by contactor `(gun, module)`, 0 where none are named: among answers of equally few
    operations these policies spare the most worn. `BadInput` for an unknown gun, module or
    contactor, a demand that is not finite or below 0, a policy that is not there, a module on two
    guns.
    """
    _check_known(policy)
    if not isinstance(faults, Faults):
        raise BadInput(f"faults = {shown(faults)}: allowed is Faults(...)")
    asked = demand.from_kilowatts(station, demands)
    closed = ALL_OPEN if current is None else frozenset(_closed(station, current))
    worn = NO_WEAR if wear is None else _checked_wear(station, wear)
    return decide(station, asked, faults=faults, current=closed, policy=policy, wear=worn)


def decide(
    station: Station,
    asked: Asked,
    *,
    faults: Faults = NO_FAULTS,
    current: Set[Pair] = ALL_OPEN,
    policy: str = "documented",
    reserved: Mapping[int, int] = NONE_RESERVED,
    holds_w: Mapping[int, int] = NONE_RESERVED,
    wear: Mapping[Pair, int] = NO_WEAR,
    solve: Solve | None = None,
) -> Allocation:
    """The same behind the door: integer watts in a given order.

    `current` are the closed contactors. `reserved` maps modules that moved a short while ago to
    their guns; as long as its gun still needs it, such a module is usable only by that gun, which
    takes it first. `holds_w` maps guns that are held to the power that they held: where modules of
    it are lost, others are reserved in their place. If the guard rejects an answer, or there is
    none, the documented rule is asked, then once more without reservations; the last resort is to
    connect nothing. `solve` answers what needs a constraint solver, by default here and now; its
    `NotYet` goes on to the caller.
    """
    check_policy(station, policy)
    left = usable_after(station, faults)
    if reserved:
        reserved = _staying(station, left, asked, reserved)
    if holds_w:
        reserved = _with_claims(station, left, asked, reserved, holds_w, current)
    refused = None
    for name, kept in _attempts(policy, reserved):
        problem = Problem(station, asked, faults, kept, current, wear)
        try:
            answer = _answer(problem, name, solve)
        except NoAnswer as error:
            refused = str(error)  # the rule always answers: this is the first attempt
            continue
        if accepted(station, left, asked, answer.choice):
            return _allocation(problem, answer, name, policy, refused)
        refused = refused or f"the guard does not accept the answer by {answer.method}"
    return _allocation(problem, Answer(_nothing(station), "rule"), "nothing", policy, refused)


def keep(
    station: Station,
    asked: Asked,
    before: Allocation | None,
    *,
    faults: Faults = NO_FAULTS,
    current: Set[Pair] = ALL_OPEN,
) -> Allocation:
    """What stands of an allocation while a solver is at work: each gun keeps of its modules those
    that it still can use and needs for what it was granted before or asks now, whichever is less,
    and none comes to it; where a limit leaves less, the last in order give first. It is the rule's
    choice (`rule.kept`), so the guard accepts it (`rule.guard-accepts`)."""
    left = usable_after(station, faults)
    pairs = () if before is None else before.pairs
    granted_w = [0] * len(station.guns) if before is None else list(before.delivered_w.values())
    kept_w, usable = rule.kept(ops, asked.demand_w, granted_w, left.usable, station.grid(pairs))
    kept = asked._replace(demand_w=tuple(kept_w))
    choice = documented.choose(station, left._replace(usable=usable), kept, NONE_RESERVED)
    answer = Answer(choice if accepted(station, left, kept, choice) else _nothing(station), "rule")
    return _allocation(Problem(station, asked, faults, current=current), answer, KEPT, KEPT, None)


def _check_known(policy: str) -> None:
    if policy not in POLICIES:
        raise BadInput(f"policy {shown(policy)}: allowed is {', '.join(POLICIES)}")


def check_policy(station: Station, policy: str) -> None:
    """Refuse, as `BadInput`, a policy that there is not, or that this station cannot follow."""
    _check_known(policy)
    if policy == "documented" and station.policy.minimum_modules > 0:
        raise BadInput(
            f"policy.minimum_modules = {station.policy.minimum_modules} with policy documented:"
            " allowed is 0"
        )


def _answer(problem: Problem, name: str, solve: Solve | None) -> Answer:
    """What a policy answers: by the rule, or by a solver. `NoAnswer`, whatever goes wrong in a
    solver: there is the rule to fall back on."""
    if name == "documented":
        left = usable_after(problem.station, problem.faults)
        return Answer(
            documented.choose(problem.station, left, problem.asked, problem.reserved), "rule"
        )
    try:
        from verified_alloc.decide.policies import constraint, flow
        from verified_alloc.decide.policies.optimality import is_optimal

        choice, method, stages, _ = flow.solve(problem, name) or (solve or constraint.solve)(
            problem, name
        )
        return Answer(choice, method, stages, is_optimal(problem, name, choice))
    except (NoAnswer, NotYet):
        raise
    except Exception as error:
        raise NoAnswer(f"{type(error).__name__} in the solver: {error}") from error


def needs_constraints(station: Station) -> bool:
    """The station's policy may need a constraint solver as the station stands; where it does not,
    a site limit that is told later may make it so."""
    policy = station.policy
    limited = station.site_limit_w is not None and (
        policy.name != "priority" or policy.minimum_modules > 0
    )
    exact = not station.kernel_feeders and len(set(station.module_power_w)) == 1
    return policy.name != "documented" and (limited or not exact)


def prepare(station: Station) -> None:
    """Load OR-Tools in the background where the station may need it, so that the first decision
    does not wait for it."""
    if needs_constraints(station):
        Thread(target=import_module, args=("ortools.sat.python.cp_model",), daemon=True).start()


def accepted(station: Station, left: Usable, asked: Asked, choice: Choice) -> bool:
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
        station.policy.minimum_power_w,
        station.kernel_feeders,
    )
    order = [gun - 1 for gun in asked.order]
    return all(verdict) and guard.sorted_order(ops, order, asked.rank_w)


def _attempts(policy: str, reserved: Mapping[int, int]) -> Iterator[tuple[str, Mapping[int, int]]]:
    for name in dict.fromkeys((policy, "documented")):
        yield name, reserved
    if reserved:
        yield "documented", NONE_RESERVED


def _nothing(station: Station) -> Choice:
    """Nobody gets anything."""
    return Choice([[] for _ in station.guns], [0 for _ in station.guns])


def _staying(
    station: Station, left: Usable, asked: Asked, reserved: Mapping[int, int]
) -> Mapping[int, int]:
    """The reservations that stand."""
    numbers = range(1, len(station.modules) + 1)
    kept: dict[int, int] = {}
    for gun in sorted(set(reserved.values())):
        row = dwell.stays(
            ops,
            [reserved.get(module) == gun for module in numbers],
            left.usable[gun - 1],
            min(asked.demand_w[gun - 1], station.gun_max_w[gun - 1]),
            station.module_power_w,
        )
        kept |= dict.fromkeys(compress(numbers, row), gun)
    return kept


def _with_claims(
    station: Station,
    left: Usable,
    asked: Asked,
    reserved: Mapping[int, int],
    holds_w: Mapping[int, int],
    current: Set[Pair],
) -> Mapping[int, int]:
    """The reservations, with the modules that held guns claim in place of those they have lost: one
    on no gun if there is one, else that of the gun that is served last."""
    modules = range(len(station.modules))
    place_of = {module - 1: asked.order.index(gun) for gun, module in current}
    first_choice = sorted(
        modules, key=lambda m: (m + 1 in reserved, -place_of.get(m, len(modules)), m)
    )
    kept = dict(reserved)
    for gun in asked.order:
        if gun in holds_w:
            row = dwell.claims(
                ops,
                [kept.get(m + 1) == gun for m in modules],
                [kept.get(m + 1) not in holds_w for m in modules],
                left.usable[gun - 1],
                min(asked.demand_w[gun - 1], station.gun_max_w[gun - 1]),
                holds_w[gun],
                station.module_power_w,
                first_choice,
            )
            kept |= {m + 1: gun for m in compress(modules, row)}
    return kept


def _allocation(
    problem: Problem, answer: Answer, name: str, policy: str, refused: str | None
) -> Allocation:
    station, asked, faults = problem.station, problem.asked, problem.faults
    choice = answer.choice
    modules = {gun: tuple(compress(count(1), row)) for gun, row in enumerate(choice.held, start=1)}
    target = {(gun, module) for gun, held in modules.items() for module in held}
    busy = {module for _, module in target}
    capped_w = map(min, asked.demand_w, station.gun_max_w)
    return Allocation(
        modules=modules,
        delivered_w=dict(enumerate(choice.delivered_w, start=1)),
        unmet_w=dict(enumerate(map(sub, capped_w, choice.delivered_w), start=1)),
        idle_modules=tuple([m for m in usable(station, faults) if m not in busy]),
        operations=len((target ^ problem.current) - faults.contactors),
        policy=name,
        fallback_from=None if name == policy else policy,
        fallback_reason=None if name == policy else refused,
        method=answer.method,
        optimal=answer.optimal,
        stages=answer.stages,
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


def _checked_wear(station: Station, wear: Mapping[Pair, int]) -> Mapping[Pair, int]:
    if not isinstance(wear, Mapping):
        raise BadInput(f"wear = {shown(wear)}: allowed is (gun, module): operations")
    for pair, operations in wear.items():
        if not isinstance(pair, tuple) or not station.has(*pair):
            raise BadInput(
                f"wear of {shown(pair)}: allowed are the contactors that the station has,"
                " (gun, module)"
            )
        if not isinstance(operations, int) or not 0 <= operations <= MOST_WEAR:
            raise BadInput(
                f"wear of contactor {pair[0]}:{pair[1]} = {shown(operations)}: allowed is a whole"
                f" number of operations from 0 to {MOST_WEAR}"
            )
    return wear
