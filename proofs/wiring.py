"""The wiring: every contactor on a pin of its own, and words that say what was decided."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import z3

from proofs.algebras import z3_terms
from proofs.obligation import PROVED, Claim, Obligation
from verified_alloc.kernel import guard, wiring
from verified_alloc.station.model import Station

BUDGET = 50_000_000
EXPANDERS = 24
"""So many of a kind a station may have, on all its buses together: a full matrix of 12 guns and 24
modules needs 21."""

UNUSED = (7, 15)
"""GPA7 and GPB7."""

PINS = tuple(bit for bit in range(16) if bit not in UNUSED)


def counts(station: Station) -> range:
    """Every number of contactors, up to all pins of that many expanders."""
    return range(EXPANDERS * len(PINS) + 1)


def _checked(faults: Iterator[str]) -> Claim:
    """A claim that is computed outright: there is no fault. The first ones are shown."""
    found = [fault for fault, _ in zip(faults, range(5), strict=False)]
    return Claim((), not found, lambda model: "\n".join(found))


def places(station: Station) -> Claim:
    """Places against the sentence, number by number."""

    def faults() -> Iterator[str]:
        taken: dict[tuple[int, int], int] = {}
        for number in range(EXPANDERS * len(PINS)):
            place = wiring.place(number)
            where = (place.expander, place.bit)
            if not 0 <= place.expander < EXPANDERS or place.bit not in PINS:
                yield f"contactor {number} is at {place}, not on a pin"
            if where in taken:
                yield f"contactors {taken[where]} and {number} share {place}"
            taken[where] = number
            if where != (number // 14, PINS[number % 14]):
                yield f"contactor {number} is at {place}, not pin k % 14 of expander k // 14"
        for expander, bit in product(range(EXPANDERS), PINS):
            if (expander, bit) not in taken:
                yield f"no contactor is on pin {bit} of expander {expander}"
        for number in counts(station):
            needed = len({wiring.place(k).expander for k in range(number)})
            if wiring.expanders(number) != needed:
                yield f"{number} contactors need {needed} expanders, not {wiring.expanders(number)}"

    return _checked(faults())


def words_decode(station: Station) -> Claim:
    """The very bits, put into words and taken out again; all other bits are 0."""

    def faults() -> Iterator[str]:
        for number in counts(station):
            coils = tuple(z3_terms.bools("coil", number)) if number else ()
            image = wiring.words(coils)
            if any(len(word) != 16 for word in image):
                yield f"{number} coils: a word is not 16 bits"
                continue
            back = wiring.coils(image, number)
            if len(back) != number or not all(map(z3_terms.same, back, coils)):
                yield f"{number} coils do not decode to themselves"
            used = {wiring.place(k) for k in range(number)}
            for expander, word in enumerate(image):
                for bit, value in enumerate(word):
                    if (expander, bit) not in used and value is not False:
                        yield f"{number} coils: bit {bit} of word {expander} is {value}"
                if any(word[bit] is not False for bit in UNUSED):
                    yield f"{number} coils: GPA7 or GPB7 of word {expander} is driven"

    return _checked(faults())


def _coils_of(station: Station, held: Any) -> tuple[Any, ...]:
    """The coils that an allocation closes, in the order of the station's contactors."""
    return tuple(held[gun - 1][module - 1] for gun, module in station.contactors)


def _held_by(station: Station, coils: Any) -> list[list[Any]]:
    """The allocation that these coils make."""
    held: list[list[Any]] = [[False] * len(station.modules) for _ in station.guns]
    for (gun, module), coil in zip(station.contactors, coils, strict=True):
        held[gun - 1][module - 1] = coil
    return held


def allocation_decodes(station: Station) -> Claim:
    """Words of an allocation on this station's contactors, and the allocation that they make."""
    exists = station.grid(station.contactors)
    held = z3_terms.bools("held", len(station.guns), len(station.modules))
    held = [
        [bit if there else False for bit, there in zip(row, reach, strict=True)]
        for row, reach in zip(held, exists, strict=True)
    ]
    coils = _coils_of(station, held)
    back = _held_by(station, wiring.coils(wiring.words(coils), len(coils)))
    in_order = sorted(station.contactors, key=lambda pair: (pair[1], pair[0]))
    complete = {(gun.id, m) for gun in station.guns for m in station.matrix.reach[gun.id - 1]}
    return Claim(
        (),
        all(
            z3_terms.same(*pair)
            for rows in zip(held, back, strict=True)
            for pair in zip(*rows, strict=True)
        )
        and list(station.contactors) == in_order
        and set(in_order) == complete
        and len(in_order) == len(complete),
    )


def _scan(station: Station) -> tuple[Any, Any, Any, tuple[Any, ...]]:
    """A scan's may-switch bits by module, what is wanted, the verified latch, and the coils."""
    number = len(station.contactors)
    may = z3_terms.bools("may switch", len(station.modules))
    wanted, verified = z3_terms.bools("wanted", number), z3_terms.bools("latch", number)
    by_contactor = [may[module - 1] for _, module in station.contactors]
    return (
        by_contactor,
        wanted,
        verified,
        wiring.next_coils(z3_terms, by_contactor, wanted, verified),
    )


def may_not_switch(station: Station) -> Claim:
    """Coil by coil."""
    may, wanted, verified, coils = _scan(station)
    return Claim(
        (),
        z3.And(
            len(coils) == len(station.contactors),
            *[
                coil == z3.If(switches, want, latch)
                for switches, want, latch, coil in zip(may, wanted, verified, coils, strict=True)
            ],
        ),
    )


def partly_written(station: Station) -> Claim:
    """Each port of each expander took the new bits or kept the old ones: whichever writes fail, in
    whatever order, and wherever a crash falls between two bytes."""
    may, wanted, verified, coils = _scan(station)
    new, old = wiring.words(coils), wiring.words(verified)
    took = z3_terms.bools("took", len(new), 2)
    latched = tuple(
        tuple(
            z3_terms.ite(took[expander][bit // 8], new[expander][bit], old[expander][bit])
            for bit in range(16)
        )
        for expander in range(len(new))
    )
    after = wiring.coils(latched, len(coils))
    kept = [
        z3.Implies(z3.Not(switches), now == latch)
        for switches, now, latch in zip(may, after, verified, strict=True)
    ]
    either = [
        z3.Or(now == want, now == latch)
        for now, want, latch in zip(after, wanted, verified, strict=True)
    ]
    silent = [latched[expander][bit] is False for expander in range(len(new)) for bit in UNUSED]
    return Claim(
        (),
        z3.And(*kept, *either, all(silent)),
        covers=(
            (
                "one port took its bits and another did not",
                z3.And(took[0][0], z3.Not(took[0][1]), after[0] != verified[0]),
            ),
        ),
    )


def readings_cover(station: Station) -> Claim:
    """Against the place of each contactor."""
    contactors = station.contactors
    expanders = wiring.expanders(len(contactors))
    answered = z3_terms.bools("answered", expanders)
    same = []
    for module, carriers in zip(station.modules, station.built.carriers, strict=True):
        numbers = [k for k, (_, m) in enumerate(contactors) if m == module.id]
        carries = [answered[k // 14] for k in numbers]
        valid = wiring.valid(z3_terms, answered, carriers)
        same.append(
            (z3.BoolVal(valid) if isinstance(valid, bool) else valid) == z3.And(*carries, True)
        )
    return Claim((), z3.And(*same))


def one_bit_wrong(station: Station) -> Claim:
    """Every single bit of every word, flipped: the words differ; where the bit has a contactor,
    just that coil differs; where that makes a second contactor of a module, the guard refuses
    it."""
    held = z3_terms.bools("held", len(station.guns), len(station.modules))
    exists = station.grid(station.contactors)
    held = [
        [bit if there else False for bit, there in zip(row, reach, strict=True)]
        for row, reach in zip(held, exists, strict=True)
    ]
    coils = _coils_of(station, held)
    image = wiring.words(coils)
    wired = {tuple(wiring.place(k)): [k] for k in range(len(coils))}
    seen = []
    for expander, word in enumerate(image):
        for bit in range(16):
            flipped = [list(other) for other in image]
            flipped[expander][bit] = z3_terms.not_(word[bit])
            after = wiring.coils([tuple(other) for other in flipped], len(coils))
            # Read-back compares whole words.
            seen.append(z3.Not(_equal(flipped[expander], word)))
            moved = [
                n
                for n, (a, b) in enumerate(zip(after, coils, strict=True))
                if not z3_terms.same(a, b)
            ]
            seen.append(z3.BoolVal(moved == wired.get((expander, bit), [])))
            for k in moved:
                gun, module = station.contactors[k]
                others = z3.Or(
                    False, *[row[module - 1] for n, row in enumerate(held, start=1) if n != gun]
                )
                bridged = z3.And(z3.Not(coils[k]), others)
                accepted = guard.exclusive(z3_terms, _held_by(station, after))
                seen.append(z3.Implies(bridged, z3.Not(accepted)))
    return Claim(
        (_term(guard.exclusive(z3_terms, held)),),
        z3.And(*seen),
        covers=(("a contactor is closed", z3.Or(*coils)),),
    )


def _term(value: Any) -> Any:
    return z3.BoolVal(value) if isinstance(value, bool) else value


def _equal(a: Any, b: Any) -> Any:
    return z3.And(*[_term(z3_terms.iff(x, y)) for x, y in zip(a, b, strict=True)])


def fits_the_pins(station: Station) -> bool:
    """The station can be driven at all."""
    return len(station.contactors) <= EXPANDERS * len(PINS)


def _wiring(
    name: str, sentence: str, claim: Any, proves: tuple[str, ...], domain: str
) -> Obligation:
    return Obligation(
        f"wiring.{name}", sentence, proves, domain, (), PROVED, BUDGET, claim, fits_the_pins
    )


ALL_COUNTS = "every number of contactors up to the pins of 24 expanders (336)"
STATION = "the station's own contactors"

OBLIGATIONS: tuple[Obligation, ...] = (
    _wiring(
        "places",
        "Contactor k is on expander k // 14 and its k % 14th pin, alone there; GPA7 and GPB7 stay"
        " unused; every other pin is taken.",
        places,
        ("wiring.place", "wiring.expanders"),
        ALL_COUNTS,
    ),
    _wiring(
        "words-decode",
        "Words decode to the coils they were made of, and drive nothing else, GPA7 and GPB7 never.",
        words_decode,
        ("wiring.words", "wiring.coils"),
        ALL_COUNTS,
    ),
    _wiring(
        "allocation-decodes",
        "The words of an allocation decode to that allocation; contactors are counted module by"
        " module, guns ascending, only those that exist.",
        allocation_decodes,
        ("wiring.words", "wiring.coils"),
        STATION,
    ),
    _wiring(
        "may-not-switch",
        "The coils to write are what is wanted of modules that may switch, and the verified latch"
        " of all others.",
        may_not_switch,
        ("wiring.next_coils",),
        STATION,
    ),
    _wiring(
        "partly-written",
        "Whichever of a scan's writes fail, in any order and cut at any byte: modules that may not"
        " switch keep their verified latch, and every coil is what was wanted or what was latched.",
        partly_written,
        ("wiring.next_coils", "wiring.words", "wiring.coils"),
        STATION,
    ),
    _wiring(
        "readings-cover-the-module",
        "A module's readings are valid exactly if every expander that carries one of its contactors"
        " answered.",
        readings_cover,
        ("wiring.valid",),
        STATION,
    ),
    _wiring(
        "one-bit-wrong",
        "Any one bit of the words changed is seen by reading back, moves at most that contactor,"
        " and where that joins two guns the guard refuses the allocation too.",
        one_bit_wrong,
        ("wiring.words", "wiring.coils", "guard.exclusive"),
        STATION,
    ),
)
