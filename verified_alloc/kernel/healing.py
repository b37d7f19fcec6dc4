"""An expander that is out of order: alone and at once; configured anew as soon as everything on it
is off, a few times an hour; latched as lost only when that does not help. While none answers at
all, and for a moment after, it is the bus: no time counts, and none is latched."""

from typing import NamedTuple

from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.ops import Ops

TRIES = 6
"""So often within an hour, counted from the first time."""
HOUR_MS = 3_600_000
PAUSE_MS = 2_000
"""Between two times; and a time counts once some expander has answered for so long."""
RESET_MS = 1_000
"""So much longer than current_decay_ms RESET is held low where no expander answers: it passes an
off-delay of at least that."""


STEADY_MS = 1_000
"""It is steady when it has obeyed for so long after module_discharge_ms: then it has been told to
close what it carries."""


class Healing(NamedTuple):
    """One expander, or rather the pair of them at one position."""

    lost: bool
    """Nothing is asked of its coils until it has been configured anew, and answers."""
    asked: bool
    """The last scan ended with configuring it."""
    in_vain: bool
    """That did not help, or not for long: nobody waits for its modules, until it is steady."""
    tries: int
    """So often it has been configured anew, as far as it counts,"""
    since_ms: int
    """the first time so long ago, and that is less than an hour: `NOT_SO` if it was not;"""
    last_ms: int
    """and the last time."""


def restarted(latched: bool) -> Healing:
    """Of which nothing is known but that it was latched."""
    return Healing(latched, False, latched, 0, NOT_SO, NOT_SO)


def looked_at(
    ops: Ops,
    before: Healing,
    latched: bool,
    wrong: bool,
    obeys: bool,
    elapsed_ms: int,
    steady_ms: int,
) -> Healing:
    """After a scan's readings: what is `wrong` is lost, and found again only when it was configured
    anew and obeys; if it does not, or only for a moment, that was in vain."""
    since_ms = _grown(ops, before.since_ms, elapsed_ms)
    over = since_ms >= HOUR_MS
    found = ops.and_(before.asked, obeys)
    lost = ops.or_(latched, wrong, ops.and_(before.lost, ops.not_(found)))
    last_ms = _grown(ops, before.last_ms, elapsed_ms)
    tested = ops.and_(last_ms > NOT_SO, last_ms < steady_ms)
    failed = ops.and_(before.asked, ops.not_(obeys))
    relapsed = ops.and_(lost, ops.not_(before.lost), tested)
    return before._replace(
        lost=lost,
        in_vain=ops.or_(latched, failed, relapsed, ops.and_(before.in_vain, ops.or_(lost, tested))),
        tries=ops.ite(over, 0, before.tries),
        since_ms=ops.ite(over, NOT_SO, since_ms),
        last_ms=last_ms,
    )


def counts(answering_ms: int) -> bool:
    """Some expander has answered for so long that the bus is in order."""
    return answering_ms >= PAUSE_MS


def spent(ops: Ops, healing: Healing, answering_ms: int) -> bool:
    """It is out of order, and has been configured anew as often as it may: for a person to see."""
    return ops.and_(healing.lost, healing.tries >= TRIES, counts(answering_ms))


def may_try(ops: Ops, healing: Healing, latched: bool, answering_ms: int) -> bool:
    """It may be configured anew, as far as it is about how often."""
    left = ops.or_(healing.tries < TRIES, ops.not_(counts(answering_ms)))
    rested = pause_ms(ops, healing) <= 0
    return ops.and_(healing.lost, ops.not_(latched), left, rested)


def pause_ms(ops: Ops, healing: Healing) -> int:
    """For so long it is not configured anew, because it just has been."""
    pauses = ops.and_(healing.last_ms > NOT_SO, healing.last_ms < PAUSE_MS)
    return ops.ite(pauses, PAUSE_MS - healing.last_ms, 0)


def tried(ops: Ops, before: Healing, now: bool, answering_ms: int) -> Healing:
    """When a scan has ended, with configuring it or without."""
    counted = ops.and_(now, counts(answering_ms))
    return before._replace(
        asked=now,
        tries=before.tries + ops.ite(counted, 1, 0),
        since_ms=ops.ite(ops.and_(counted, before.since_ms <= NOT_SO), 0, before.since_ms),
        last_ms=ops.ite(now, 0, before.last_ms),
    )


def _grown(ops: Ops, age_ms: int, elapsed_ms: int) -> int:
    return ops.ite(age_ms > NOT_SO, age_ms + elapsed_ms, NOT_SO)
