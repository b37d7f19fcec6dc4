"""Proof tests of the safety chain: they begin at rest, and cut only what carries nothing."""

from typing import Any

import z3

from proofs.algebras import z3_terms
from proofs.algebras.z3_terms import and_, bools, iff, implies, not_, or_
from proofs.healing import rests
from proofs.lemmas.scan_claims import ACTS, WHOLE
from proofs.lemmas.whole_scan import Cut, WholeScan, any_scan, sane
from proofs.obligation import Claim, collected, obligation
from verified_alloc.kernel import proof_test
from verified_alloc.kernel.switching import Writes
from verified_alloc.station.model import Station


def _still(of: WholeScan) -> Any:
    """The last look shows every module off, and it has been for so long that its current is
    gone."""
    return and_(*[rests(of, m) for m in of.modules])


def _named(of: WholeScan) -> Cut:
    """A name for what the first three acts made of the lines' ages."""
    return Cut().name("lines off", of.acts.concluded.lines_off_ms)


@obligation(
    "proof_test.begins-at-rest", *ACTS, "proof_test.may_begin", "proof_test.rests", domain=WHOLE
)
def begins_at_rest(station: Station) -> Claim:
    """A proof test begins after a scan whose last look shows every module off by its lines and its
    current gone, which leaves no contactor that counts as closed, no coil on, no expander out of
    order, and nothing stopped or told to stop; and then it may (S2, S7)."""
    of = any_scan(station)
    after = of.acts.after
    begins = proof_test.may_begin(z3_terms, of.built, after)
    moved = [bit for row in after.closed for bit in row]
    moved += [bit for ages in after.ages for bit in ages.latch]
    lost = [each.lost for each in after.healing]
    stops = [after.stop_ms >= 0, after.stopping_ms >= 0]
    goal = iff(begins, and_(_still(of), not_(or_(*moved, *lost, *stops))))
    names = _named(of).name("closed", after.closed)
    names = names.name("stop_ms", after.stop_ms).name("stopping_ms", after.stopping_ms)
    names = names.name("latch", [ages.latch for ages in after.ages]).name("lost", lost)
    sound = and_(*sane(of))
    return Claim((), names.of(implies(sound, goal)), None, (("it may", names.of(begins)),))


@obligation(
    "proof_test.cuts-where-no-current-is",
    *ACTS,
    "proof_test.cut",
    "proof_test.rests",
    domain=WHOLE,
)
def cuts_where_no_current_is(station: Station) -> Claim:
    """On purpose RESET is held low, or the relay supply's watchdog not fed, only if a test asks for
    it, in a scan whose last look shows every module off by its lines and its current gone; the
    watchdog besides for less than current_decay_ms, which the coil supply outlives (S2, S7)."""
    of = any_scan(station)
    starve, reset, unfed_ms = z3.Bool("starve"), z3.Bool("reset"), z3.Int("unfed_ms")
    asked = proof_test.Cut(starve, reset)
    cut = proof_test.cut(z3_terms, of.built, of.acts.after, asked, unfed_ms)
    still, outlived = _still(of), of.built.timing.current_decay_ms > unfed_ms
    goal = and_(
        iff(cut.reset, and_(reset, still)),
        iff(cut.starve, and_(starve, or_(still, outlived))),
    )
    names = _named(of)
    return Claim(
        (),
        names.of(implies(and_(*sane(of)), goal)),
        None,
        (
            ("RESET is low", names.of(cut.reset)),
            ("a module is on and the watchdog hungry", names.of(and_(cut.starve, of.looked[0][0]))),
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
