"""Proof tests of the safety chain: when one may begin, and what it may take away. It gives nothing:
no module is enabled by it, and what its scans write is what any scan would."""

from collections.abc import Sequence
from typing import NamedTuple

from verified_alloc.kernel.built import Built
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.ops import Ops
from verified_alloc.kernel.scan import Memory
from verified_alloc.kernel.switching import Writes


class Cut(NamedTuple):
    """What a scan of a test takes away on purpose."""

    starve: bool
    """The relay supply's watchdog is not fed."""
    reset: bool
    """RESET is held low."""


def rests(ops: Ops, built: Built, memory: Memory) -> bool:
    """At the last look of the scan that left this, every module was off by its lines, for so long
    that its current is gone."""
    decay_ms = built.timing.current_decay_ms
    return ops.and_(*[off_ms >= decay_ms for off_ms in memory.lines_off_ms])


def may_begin(ops: Ops, built: Built, memory: Memory) -> bool:
    """Nobody misses what a test takes away: every module rests, no contactor counts as closed or
    has its coil on, no expander is out of order, and nothing is stopped or on its way there."""
    closed = [ops.or_(*row) for row in memory.closed]
    coils = [ops.or_(*ages.latch) for ages in memory.ages]
    lost = [each.lost for each in memory.healing]
    return ops.and_(
        rests(ops, built, memory),
        ops.not_(ops.or_(*closed, *coils, *lost)),
        memory.stopping_ms <= NOT_SO,
        memory.stop_ms <= NOT_SO,
    )


def disabled(writes: Sequence[Writes]) -> list[Writes]:
    """What a scan would do to each module, but that none is enabled."""
    return [each._replace(enable=False) for each in writes]


def cut(ops: Ops, built: Built, memory: Memory, wanted: Cut, unfed_ms: int) -> Cut:
    """What may be taken away of that. With a module on, RESET stays high, and the watchdog is fed
    in time for the coil supply to outlive it: `unfed_ms` is for how long it would not have been,
    when it can be fed again."""
    rest = rests(ops, built, memory)
    held = unfed_ms < built.timing.current_decay_ms
    return Cut(
        starve=ops.and_(wanted.starve, ops.or_(rest, held)),
        reset=ops.and_(wanted.reset, rest),
    )
