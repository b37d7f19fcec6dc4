"""Proof tests of the safety chain: they begin at rest, and cut only what carries nothing."""

from typing import Any

import z3

from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, iff, not_, or_
from proofs.lemmas.whole_scan import any_built, any_memory
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel import proof_test
from verified_alloc.kernel.proof_test import Cut
from verified_alloc.kernel.scan import Built, Memory
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station

DOMAIN = "this station's size; any times, lines and memory"


def _any(station: Station) -> tuple[Built, Memory, list[Any], list[Any]]:
    """The station, its memory, and its lines: enabled, reporting on."""
    built, modules = any_built(station), len(station.modules)
    return built, any_memory("memory", built), bools("enabled", modules), bools("on", modules)


def _still(built: Built, memory: Memory, enabled: list[Any], on: list[Any]) -> Any:
    """Every module is off by its lines, for so long that its current is gone."""
    decay_ms = built.timing.current_decay_ms
    lines = zip(enabled, on, memory.lines_off_ms, strict=True)
    return and_(*[and_(not_(or_(a, b)), not_(off_ms < decay_ms)) for a, b, off_ms in lines])


@obligation("proof_test.begins-at-rest", "proof_test.may_begin", "proof_test.rests", domain=DOMAIN)
def begins_at_rest(station: Station) -> Claim:
    """A proof test begins only while every module is off by its lines and its current gone, no
    contactor counts as closed, no coil is on, no expander is out of order, and nothing is stopped
    or told to stop; and then it may (S2, S7)."""
    built, memory, enabled, on = _any(station)
    begins = proof_test.may_begin(z3_terms, built, memory, enabled, on)
    moved = [bit for row in memory.closed for bit in row]
    moved += [bit for ages in memory.ages for bit in ages.latch]
    lost = [each.lost for each in memory.healing]
    stops = [memory.stop_ms >= 0, memory.stopping_ms >= 0]
    goal = and_(_still(built, memory, enabled, on), not_(or_(*moved, *lost, *stops)))
    return Claim((), iff(begins, goal), None, (("it may", begins),))


@obligation(
    "proof_test.cuts-where-no-current-is", "proof_test.cut", "proof_test.rests", domain=DOMAIN
)
def cuts_where_no_current_is(station: Station) -> Claim:
    """On purpose RESET is held low, or the relay supply's watchdog not fed, only if a test asks for
    it, and while every module is off by its lines and its current gone; the watchdog besides for
    less than current_decay_ms, which the coil supply outlives (S2, S7)."""
    built, memory, enabled, on = _any(station)
    starve, reset, unfed_ms = z3.Bool("starve"), z3.Bool("reset"), z3.Int("unfed_ms")
    asked = Cut(starve, reset)
    cut = proof_test.cut(z3_terms, built, memory, enabled, on, asked, unfed_ms)
    still = _still(built, memory, enabled, on)
    outlived = built.timing.current_decay_ms > unfed_ms
    return Claim(
        (),
        and_(
            iff(cut.reset, and_(reset, still)),
            iff(cut.starve, and_(starve, or_(still, outlived))),
        ),
        None,
        (
            ("RESET is low", cut.reset),
            ("a module is on and the watchdog hungry", and_(cut.starve, enabled[0])),
        ),
    )


@obligation("proof_test.enables-nothing", "proof_test.disabled", domain="any scan's writes")
def enables_nothing(station: Station) -> Claim:
    """A scan of a proof test enables no module; coils move as in any scan (S3)."""
    guns = len(station.guns)
    writes = [
        Writes(z3.Bool(f"enable {m}"), z3.Bool(f"may switch {m}"), bools(f"coil {m}", guns))
        for m, _ in enumerate(station.modules)
    ]
    same = [
        and_(
            not_(left.enable),
            iff(left.may_switch, write.may_switch),
            *[iff(a, b) for a, b in zip(left.coils, write.coils, strict=True)],
        )
        for left, write in zip(proof_test.disabled(writes), writes, strict=True)
    ]
    return Claim((), and_(*same), None, (("one was to be enabled", writes[0].enable),))


OBLIGATIONS = collected(globals())
