"""When something changes by itself although nothing that is read does: an age reaches its time."""

from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.ops import Ops
from verified_alloc.kernel.rule import least
from verified_alloc.kernel.scan import Built, Memory

LONG_MS = 24 * 3600 * 1000


def next_change_ms(ops: Ops, built: Built, memory: Memory) -> int:
    """Until the first of all ages reaches a time that some act compares it with; `LONG_MS` if none
    will."""
    timing = built.timing
    overdue_ms = timing.module_off_timeout_ms + timing.current_decay_ms
    first_ms = least(
        ops,
        _left_ms(ops, memory.stop_ms, overdue_ms),
        _left_ms(ops, memory.stopping_ms, 2 * built.offer_lead_ms + 1),
    )
    waits = []
    for ages in memory.ages:
        waits += [
            (ages.off_ms, timing.current_decay_ms),
            (ages.off_ms, timing.module_discharge_ms),
            (ages.stuck_ms, timing.module_off_timeout_ms),
            (ages.silent_ms, timing.module_off_timeout_ms),
        ]
        for settled_ms in ages.settled_ms:
            waits.append((settled_ms, timing.contactor_operate_ms))
            waits.append((settled_ms, timing.contactor_release_ms))
    waits += [(fed_ms, built.minimum_dwell_ms) for fed_ms in memory.fed_ms]
    for age_ms, due_ms in waits:
        first_ms = least(ops, first_ms, _left_ms(ops, age_ms, due_ms))
    for each in memory.offers:
        waits_for = ops.or_(each.pending_w < each.promise_w, each.pending_w > each.promise_w)
        left_ms = _left_ms(ops, each.waited_ms, built.offer_lead_ms)
        first_ms = least(ops, first_ms, ops.ite(waits_for, left_ms, LONG_MS))
    return first_ms


def _left_ms(ops: Ops, age_ms: int, due_ms: int) -> int:
    return ops.ite(ops.and_(age_ms > NOT_SO, age_ms < due_ms), due_ms - age_ms, LONG_MS)
