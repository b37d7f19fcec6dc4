"""Every mode of switching and diagnosis is reached from a cold start, so that no theorem about one
of them is about nothing."""

from collections.abc import Callable
from typing import Any, NamedTuple

from proofs import plant
from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, not_, or_
from proofs.lemmas.any_scan import Assumed, Step, falls, laws, rises, step_from, story
from proofs.obligation import Claim
from verified_alloc.kernel import diagnosis, switching
from verified_alloc.kernel.diagnosis import ContactorFaults, ModuleFaults
from verified_alloc.station.model import Station

GUNS = (0, 1)
SCANS = 9
"""So many are enough to be live on one gun and then on the other, as times may be any."""


class Seen(NamedTuple):
    """One scan, what counts as closed in it, and what is latched and locked by it."""

    step: Step
    closed: list[Any]
    contactors: ContactorFaults
    module: ModuleFaults
    locked: list[Any]


def cold_start() -> list[Seen]:
    """The scans after a start, whatever is asked for and whatever happens."""
    times, none = plant.timing(), [False for _ in GUNS]
    before = plant.scan("before the start", len(GUNS))
    started = plant.interval("start", len(GUNS))._replace(restarted=True)
    now = plant.next_scan("first", times, before, started)
    closed: list[Any] = none
    contactors, module = ContactorFaults(none, none), ModuleFaults(False, none)
    found = []
    for number in range(1, SCANS + 1):
        read, ages = now.readings, now.ages
        contactors = diagnosis.contactor_faults(z3_terms, times, read, ages, contactors)
        closed = diagnosis.counts_closed(z3_terms, read, contactors.welded, closed)
        module = diagnosis.module_faults(z3_terms, times, ages, closed, module)
        locked = diagnosis.locked(z3_terms, [closed], [module.stuck_on])
        step = step_from(times, now, f"scan {number}", locked)
        found.append(Seen(step, closed, contactors, module, locked))
        now = step.after
    return found


def enabled(seen: Seen) -> Any:
    """The module is enabled in this scan."""
    return seen.step.writes.enable


def live(gun: int) -> Callable[[Seen], Any]:
    """The module feeds that gun."""
    return lambda seen: switching.live(z3_terms, seen.step.before.readings)[gun]


def off(seen: Seen) -> Any:
    """Off, and open."""
    return not_(or_(seen.step.before.module.enable, *seen.step.before.module.coil))


def makes(seen: Seen) -> Any:
    """A contactor is closed."""
    return rises(seen.step, 0)


def breaks(seen: Seen) -> Any:
    """A contactor is opened as it should be."""
    return and_(falls(seen.step, 0), not_(seen.step.overdue))


def confirms(seen: Seen) -> Any:
    """Closed, but not for long enough to be enabled."""
    step = seen.step
    asked = and_(step.target[0], not_(or_(step.target[1], step.stop, step.overdue)))
    return and_(
        asked, step.before.module.closed[0], step.before.readings.valid, not_(enabled(seen))
    )


def decays(seen: Seen) -> Any:
    """Off, but for too short a time to switch."""
    step = seen.step
    return and_(
        step.before.readings.valid,
        step.before.module.coil[0],
        not_(or_(step.target[0], step.before.module.enable, step.before.module.feeds)),
        not_(step.writes.may_switch),
    )


def stopped(seen: Seen) -> Any:
    """A stop takes the enable off."""
    return and_(seen.step.stop, seen.step.before.module.enable, not_(seen.step.overdue))


def overdue(seen: Seen) -> Any:
    """An overdue stop opens a contactor under load."""
    step = seen.step
    return and_(step.stop, step.overdue, falls(step, 0), step.before.module.feeds)


def blind(seen: Seen) -> Any:
    """Readings fail while the module is on."""
    return and_(seen.step.before.module.enable, not_(seen.step.before.readings.valid))


MODES: tuple[tuple[str, Callable[[Seen], Any]], ...] = (
    ("off and open", off),
    ("closing", makes),
    ("being confirmed", confirms),
    ("enabled", enabled),
    ("live on gun 1", live(0)),
    ("blind while enabled", blind),
    ("decaying", decays),
    ("opening", breaks),
    ("stopped", stopped),
    ("overdue", overdue),
    ("welded", lambda seen: seen.contactors.welded[0]),
    ("failed open", lambda seen: seen.contactors.failed_open[0]),
    ("dead", lambda seen: seen.module.dead),
    ("stuck on", lambda seen: seen.module.stuck_on[0]),
    ("joined, both guns locked", lambda seen: and_(*seen.closed, *seen.locked)),
)


def every_mode(station: Station, assumed: Assumed) -> Claim:
    """The modes, and a whole move from gun to gun, in a world in which every assumption holds."""
    run = cold_start()
    first = run[0].step
    start = first.before.module
    cold = not_(or_(start.enable, start.feeds, *start.coil, *start.closed))
    hypotheses = [cold, first.times.current_decay_ms > 0]
    for seen in run:
        hypotheses += laws(plant.EVERY, seen.step)
    moves = and_(
        or_(*map(live(0), run)), live(1)(run[-1]), *[not_(seen.step.overdue) for seen in run]
    )
    return Claim(
        tuple(hypotheses),
        not_(or_(first.writes.enable, and_(first.writes.may_switch, not_(first.overdue)))),
        story(first),
        (
            *[(name, or_(*map(shows, run))) for name, shows in MODES],
            ("live on one gun, then on the other", moves),
        ),
    )
