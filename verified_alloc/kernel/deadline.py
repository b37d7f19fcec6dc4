"""When something changes by itself although nothing that is read does: an age reaches its time."""

from verified_alloc.kernel import healing
from verified_alloc.kernel.built import Built
from verified_alloc.kernel.diagnosis import NOT_SO, Ages, Timing
from verified_alloc.kernel.offer import Offer
from verified_alloc.kernel.ops import Ops
from verified_alloc.kernel.rule import least
from verified_alloc.kernel.scan import Memory

LONG_MS = 24 * 3600 * 1000


def next_change_ms(ops: Ops, built: Built, memory: Memory) -> int:
    """Until the first of all ages reaches a time that some act compares it with; `LONG_MS` if none
    will; 0 while an expander is about to be configured anew."""
    timing, lead_ms = built.timing, built.offer_lead_ms
    overdue_ms = timing.module_off_timeout_ms + timing.current_decay_ms
    waits_ms = [
        _left_ms(ops, memory.stop_ms, overdue_ms),
        _left_ms(ops, memory.stopping_ms, lead_ms + lead_ms + 1),
        _left_ms(ops, memory.answering_ms, healing.PAUSE_MS),
        _left_ms(
            ops,
            memory.none_follows_ms,
            timing.contactor_operate_ms + timing.contactor_operate_ms + 1,
        ),
        *[wait_ms for ages in memory.ages for wait_ms in _of_ages(ops, timing, ages)],
        *[_left_ms(ops, fed_ms, built.minimum_dwell_ms) for fed_ms in memory.fed_ms],
        *[_of_offer(ops, lead_ms, offer) for offer in memory.offers],
        *[
            ops.ite(
                ops.and_(each.lost, ops.not_(latched)),
                ops.ite(each.asked, 0, healing.pause_ms(ops, each)),
                LONG_MS,
            )
            for each, latched in zip(memory.healing, memory.latched.expander_lost, strict=True)
        ],
        *[
            ops.ite(
                each.in_vain,
                _left_ms(ops, each.last_ms, timing.module_discharge_ms + healing.STEADY_MS),
                LONG_MS,
            )
            for each in memory.healing
        ],
    ]
    first_ms = waits_ms[0]
    for wait_ms in waits_ms[1:]:
        first_ms = least(ops, first_ms, wait_ms)
    return first_ms


def _of_ages(ops: Ops, timing: Timing, ages: Ages) -> list[int]:
    return [
        _left_ms(ops, ages.off_ms, timing.current_decay_ms),
        _left_ms(ops, ages.off_ms, timing.module_discharge_ms),
        _left_ms(ops, ages.stuck_ms, timing.module_off_timeout_ms),
        _left_ms(ops, ages.silent_ms, timing.module_off_timeout_ms),
        *[
            _left_ms(ops, settled_ms, due_ms)
            for settled_ms in ages.settled_ms
            for due_ms in (timing.contactor_operate_ms, timing.contactor_release_ms)
        ],
    ]


def _of_offer(ops: Ops, lead_ms: int, offer: Offer) -> int:
    waits = ops.or_(offer.pending_w < offer.promise_w, offer.pending_w > offer.promise_w)
    return ops.ite(waits, _left_ms(ops, offer.waited_ms, lead_ms), LONG_MS)


def _left_ms(ops: Ops, age_ms: int, due_ms: int) -> int:
    return ops.ite(ops.and_(age_ms > NOT_SO, age_ms < due_ms), due_ms - age_ms, LONG_MS)
