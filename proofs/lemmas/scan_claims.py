"""Claims about one scan of the whole station: module by module, gun by gun, effect by effect."""

from collections.abc import Callable
from typing import Any

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, iff, implies, not_, or_, total
from proofs.lemmas.any_scan import Assumed, ages_are_sound
from proofs.lemmas.whole_scan import (
    Cut,
    Moment,
    WholeScan,
    anew,
    any_scan,
    course,
    invariant_of_module,
    offer_is_ordered,
    sane,
    story,
    unlike,
    variables,
    world_of,
)
from proofs.obligation import Claim
from verified_alloc.kernel import offer
from verified_alloc.kernel.scan import Lower, Publish
from verified_alloc.station.model import Station

WHOLE = "this station, any times; any target, readings, writes done and verified"
ACTS = ("scan.diagnose", "scan.switch", "scan.conclude", "scan.look_back")

Case = tuple[str, Callable[[WholeScan, int], Any]]


def of_each_module(
    station: Station,
    given: Callable[[WholeScan, int], list[Any]],
    goal: Callable[[WholeScan, int], Any],
    cut: Callable[[WholeScan, int, Cut], Any],
    *cases: Case,
) -> Claim:
    """The claim about every module, those that are alike once; cases must be possible for the
    first."""
    of = any_scan(station)

    def general(m: int, term: Any) -> Any:
        names = Cut()
        cut(of, m, names)
        return variables(m, of).of(names.of(term))

    claims = [general(m, implies(and_(*sane(of), *given(of, m)), goal(of, m))) for m in of.modules]
    first = and_(*sane(of), *given(of, 0))
    covers = tuple((name, general(0, and_(first, case(of, 0)))) for name, case in cases)
    return Claim((), unlike(claims), story(of, 0, lambda term: general(0, term)), covers)


def given_to(of: WholeScan, m: int, names: Cut) -> None:
    """What a module is given by the rest of the station, and its ages."""
    names.name("age", of.acts.diagnosed.ages[m])
    names.name("locked", of.locks)
    names.name("held", [row[m] for row in of.held])
    names.name("stop_ms", of.acts.diagnosed.stop_ms)
    names.name("verified", of.told[m])


def given_but_ages(of: WholeScan, m: int, names: Cut) -> None:
    """The same, where it matters how ages are counted."""
    names.name("locked", of.locks)
    names.name("held", [row[m] for row in of.held])
    names.name("stop_ms", of.acts.diagnosed.stop_ms)
    names.name("verified", of.told[m])
    names.name("none follows", of.none_follows)


def with_sound_ages(assumed: Assumed) -> Callable[[WholeScan, int], list[Any]]:
    """What is given where `scan.ages-are-sound` is used."""

    def given(of: WholeScan, m: int) -> list[Any]:
        now = of.now[m]
        return [ages_are_sound(now), *plant.holds(assumed, of.built.timing, now)]

    return given


def from_scan_to_scan(assumed: Assumed) -> Callable[[WholeScan, int], list[Any]]:
    """The invariant, and what has happened since."""

    def given(of: WholeScan, m: int) -> list[Any]:
        kept = invariant_of_module(of, of.memory, m, of.before[m], of.left[m])
        return [kept, anew(of, m), *world_of(of, assumed, m)]

    return given


def left_by(of: WholeScan, m: int) -> Any:
    """What the scan writes, as far as it is verified."""
    return of.acts.set_going.writes[m]._replace(enable=of.acts.concluded.enabled[m])


def rises(of: WholeScan, m: int, gun: int) -> Any:
    """A write of ours energises this coil."""
    writes = of.acts.set_going.writes[m]
    return and_(writes.may_switch, writes.coils[gun], not_(of.now[m].module.coil[gun]))


def falls(of: WholeScan, m: int, gun: int) -> Any:
    """A write of ours drops this coil."""
    writes = of.acts.set_going.writes[m]
    return and_(writes.may_switch, not_(writes.coils[gun]), of.now[m].module.coil[gun])


def some_rise(of: WholeScan, m: int) -> Any:
    """A contactor is closed."""
    return or_(*[rises(of, m, gun) for gun in of.guns])


def is_enabled(of: WholeScan, m: int) -> Any:
    """The module is enabled when the scan is over."""
    return of.acts.concluded.enabled[m]


def promise_w(of: WholeScan, gun: int) -> Any:
    """The most that the gun may draw while things are switched."""
    return of.acts.switched.offers[gun].promise_w


def power_w(of: WholeScan, modules: Any) -> Any:
    """The power of these modules together."""
    return total(
        z3_terms.ite(bit, watts, 0)
        for bit, watts in zip(modules, of.built.module_power_w, strict=True)
    )


def since(of: WholeScan, kind: type) -> list[Moment]:
    """From the first effect of this kind on."""
    moments = course(of)
    return moments[next(place for place, each in enumerate(moments) if type(each.effect) is kind) :]


def one_at_most(bits: list[Any]) -> Any:
    """No two of them."""
    return and_(*[not_(and_(a, b)) for place, a in enumerate(bits) for b in bits[:place]])


def of_each_gun(
    station: Station,
    goal: Callable[[WholeScan, int], Any],
    *cases: Case,
) -> Claim:
    """A claim about every gun, from what other obligations say of its modules: those that feed it
    are enabled, and stay so (`scan.live-stays-enabled`); and it keeps what feeds it or follows its
    target (`offer.hold`), if a module is on one gun at most in that."""
    of = any_scan(station)
    going, feeding = of.acts.set_going, of.acts.diagnosed.feeding
    claims, covers = [], []
    for gun in of.guns:
        lowered = of.acts.switched.offers
        names = Cut().name("feeds", feeding[gun]).name("held", of.held[gun])
        names.name("barred", going.barred[gun])
        names.name("writes enable", [each.enable for each in going.writes])
        names.name("verified", of.told)
        names.name("others", [each for other, each in enumerate(lowered) if other != gun])
        others = [w for other, w in enumerate(published(of)[1].offer_w) if other != gun]
        names.name("others cut", others)
        bears = promise_w(of, gun) <= power_w(of, map(and_, feeding[gun], of.wanted.target[gun]))
        keeps = and_(*map(iff, of.held[gun], feeding[gun]))
        follows = [
            implies(feeding[gun][m], iff(of.held[gun][m], of.wanted.target[gun][m]))
            for m in of.modules
        ]
        given = [
            *sane(of),
            offer_is_ordered(of.memory.offers[gun]),
            or_(keeps, and_(bears, *follows)),
            *[implies(feeding[gun][m], of.observed.modules[m].enabled) for m in of.modules],
            *[
                implies(
                    and_(feeding[gun][m], of.held[gun][m], not_(going.barred[gun])),
                    going.writes[m].enable,
                )
                for m in of.modules
            ],
        ]
        claims.append(names.of(implies(and_(*given), goal(of, gun))))
        if not gun:
            covers = [(name, names.of(and_(*given, case(of, gun)))) for name, case in cases]
    return Claim((), unlike(claims), None, tuple(covers))


def published(of: WholeScan) -> list[Lower | Publish]:
    """What is lowered and published, one after another."""
    effects = (*of.acts.falling, *of.acts.rising)
    return [effect for effect in effects if isinstance(effect, Lower | Publish)]


def still_w(of: WholeScan, gun: int, on: Any) -> Any:
    """The power of the modules that feed the gun and are on."""
    return power_w(of, map(and_, of.acts.diagnosed.feeding[gun], on))


def affordable(of: WholeScan) -> tuple[list[Any], list[Any]]:
    """What each gun can be offered before anything is switched, and when all is."""
    feeding = of.acts.diagnosed.feeding
    still = [list(map(and_, row, of.acts.concluded.enabled)) for row in feeding]
    first, then = (
        [
            offer.affordable(
                z3_terms,
                of.wanted.granted_w[gun],
                rows[gun],
                of.wanted.target[gun],
                of.built.module_power_w,
                of.acts.set_going.barred[gun],
            )
            for gun in of.guns
        ]
        for rows in (feeding, still)
    )
    return first, then


def only(of: WholeScan, kind: Any) -> Any:
    """The one effect of this kind."""
    acts = of.acts
    effects = (*acts.kept, *acts.falling, *acts.rising, *acts.last)
    (found,) = [effect for effect in effects if type(effect) is kind]
    return found
