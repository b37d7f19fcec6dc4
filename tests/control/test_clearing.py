"""What a person takes out, puts back and clears: exactly that, and not while its cause is seen.

So that it shows when too much is cleared, or another part, all faults that the reference station
can have are latched at first, or all of one kind.
"""

from collections.abc import Callable, Sequence
from functools import partial

import pytest
from sweep.stations import REFERENCE

from hardware.modules import LineReading
from verified_alloc.control import clearing
from verified_alloc.control.fault_kinds import KINDS, Fault, bits_of, faults_of
from verified_alloc.errors import BadInput
from verified_alloc.kernel import scan
from verified_alloc.kernel.diagnosis import NOT_SO
from verified_alloc.kernel.latched import Latched
from verified_alloc.kernel.scan import Memory

GUNS, MODULES, EXPANDERS = range(1, 7), range(1, 10), range(4)
PAIRS = [(gun, module) for module in MODULES for gun in GUNS]
PARTS = {
    "contactor": [{"gun": gun, "module": module} for gun, module in PAIRS],
    "module": [{"module": module} for module in MODULES],
    "gun": [{"gun": gun} for gun in GUNS],
    "expander": [{"expander": position} for position in EXPANDERS],
    "station": [{}],
}
EVERY = frozenset(Fault(name, **part) for name, kind in KINDS.items() for part in PARTS[kind.of])
BUILT = REFERENCE.built
DECAY_MS = BUILT.timing.current_decay_ms


def remembered(faults: frozenset[Fault]) -> Memory:
    """These faults are latched, and no cause of them is seen any more."""
    memory = scan.restarted(BUILT, Latched(**bits_of(faults, REFERENCE)))
    agrees = memory.ages[0]._replace(settled_ms=[0 for _ in GUNS])
    return memory._replace(ages=[agrees for _ in MODULES], silence=[1, 2, 3, 4])


MEMORY = remembered(EVERY)
MIXTURES = [
    EVERY,
    frozenset(),
    *(frozenset(fault for fault in EVERY if fault.kind == kind) for kind in KINDS),
]
"""All kinds, none, and each kind alone."""


def only_these_go(clear: Callable[[Memory], Memory], *faults: Fault) -> None:
    """They are latched no longer, the others as before, and nothing else has changed."""
    for mixture in MIXTURES:
        before = remembered(mixture)
        after = clear(before)
        assert faults_of(after.latched) == mixture - {*faults}
        assert after._replace(latched=before.latched) == before


def test_a_contactor_is_cleared_alone() -> None:
    for pair in PAIRS:
        clear = partial(clearing.contactor, REFERENCE, gun=pair[0], module=pair[1])
        only_these_go(clear, Fault("welded", *pair), Fault("failed_open", *pair))


def test_a_module_is_cleared_alone() -> None:
    for module in MODULES:
        only_these_go(
            partial(clearing.module, number=module),
            *(Fault(kind, module=module) for kind in ("dead", "runs_on", "enable_high")),
            *(Fault("stuck_on", gun, module) for gun in GUNS),
        )


def test_an_expander_is_cleared_alone_and_its_silence_counted_anew() -> None:
    for position in EXPANDERS:
        after = clearing.expander(MEMORY, position)
        assert after.silence == [0 if at == position else at + 1 for at in EXPANDERS]

        def clear(memory: Memory, at: int = position) -> Memory:
            cleared = clearing.expander(memory, at)
            assert not cleared.healing[at].lost
            return cleared._replace(silence=memory.silence, healing=memory.healing)

        only_these_go(clear, Fault("expander_lost", expander=position))


def test_a_stop_is_cleared_and_told_alone() -> None:
    only_these_go(clearing.stop, Fault("emergency_stop"), Fault("stopped"))
    for mixture in MIXTURES:
        after = clearing.stopped(remembered(mixture))
        assert faults_of(after.latched) == mixture | {Fault("stopped")}


@pytest.mark.parametrize(("kind", "numbers"), [("gun", GUNS), ("module", MODULES)])
def test_a_part_is_taken_out_and_put_back_alone(kind: str, numbers: Sequence[int]) -> None:
    for number in numbers:
        fault = Fault(f"{kind}_out", **{kind: number})
        only_these_go(partial(clearing.taken_out, kind=kind, number=number, out=False), fault)
        for mixture in MIXTURES:
            after = clearing.taken_out(remembered(mixture), kind, number, True)
            assert faults_of(after.latched) == mixture | {fault}
    for number in (0, -1, len(numbers) + 1, True):
        with pytest.raises(BadInput, match=f"{kind} .*: allowed are {kind}s 1 to {len(numbers)}$"):
            clearing.taken_out(MEMORY, kind, number, True)


# Refused while the cause is seen, and only then: at one part alone, and at all but that one.


def by_pair(name: str, seen: int, bad: Sequence[bool]) -> Memory:
    """Of these contactors, this age is so."""
    guns = len(GUNS)
    ages = [
        of._replace(**{name: [seen if its else 0 for its in bad[at * guns : (at + 1) * guns]]})
        for at, of in enumerate(MEMORY.ages)
    ]
    return MEMORY._replace(ages=ages)


@pytest.mark.parametrize(("name", "seen"), [("settled_ms", NOT_SO), ("mismatch", 1)])
def test_a_contactor_is_not_cleared_while_it_disagrees(name: str, seen: int) -> None:
    for pair in PAIRS:
        here = [pair == each for each in PAIRS]
        with pytest.raises(BadInput, match=rf"contactor {pair[0]}:{pair[1]}: .* not seen to agree"):
            clearing.contactor(REFERENCE, by_pair(name, seen, here), *pair)
        others = by_pair(name, seen, [not its for its in here])
        after = clearing.contactor(REFERENCE, others, *pair)
        assert Fault("welded", *pair) not in faults_of(after.latched)


def test_a_contactor_that_is_not_there_is_refused() -> None:
    for pair in ((0, 1), (7, 1), (1, 0), (1, 10)):
        with pytest.raises(BadInput, match=rf"contactor {pair[0]}:{pair[1]}: there is none"):
            clearing.contactor(REFERENCE, MEMORY, *pair)


def still_on(bad: Sequence[bool]) -> Memory:
    ages = [
        of._replace(stuck_ms=0 if its else NOT_SO) for of, its in zip(MEMORY.ages, bad, strict=True)
    ]
    return MEMORY._replace(ages=ages)


def still_high(bad: Sequence[bool]) -> Memory:
    return MEMORY._replace(stray=list(map(int, bad)))


@pytest.mark.parametrize(
    ("seen", "said"), [(still_on, "still reports on"), (still_high, "enable line is still high")]
)
def test_a_module_is_not_cleared_while_it_is_on(
    seen: Callable[[Sequence[bool]], Memory], said: str
) -> None:
    for module in MODULES:
        here = [module == each for each in MODULES]
        with pytest.raises(BadInput, match=f"PM{module}: .*{said}"):
            clearing.module(seen(here), module)
        after = clearing.module(seen([not its for its in here]), module)
        assert Fault("dead", module=module) not in faults_of(after.latched)


def test_a_line_that_is_high_is_named_before_what_follows_from_it() -> None:
    memory = still_on([True for _ in MODULES])._replace(stray=[1 for _ in MODULES])
    with pytest.raises(BadInput, match="enable line is still high"):
        clearing.module(memory, 1)


# Of the reference station the expanders carry the modules so, 14 contactors each.
CARRIED = ((1, 2, 3), (3, 4, 5), (5, 6, 7), (8, 9))


@pytest.mark.parametrize("what", ["enabled", "reports on", "not off for long"])
def test_an_expander_is_not_configured_while_a_module_on_it_is_not_off(what: str) -> None:
    for module in MODULES:
        bad = tuple(module == each for each in MODULES)
        low = tuple(False for _ in MODULES)
        lines = LineReading(
            enabled=bad if what == "enabled" else low,
            high=low,
            reports_on=bad if what == "reports on" else low,
        )
        memory = MEMORY._replace(
            lines_off_ms=[
                DECAY_MS - 1 if its and what == "not off for long" else DECAY_MS for its in bad
            ]
        )
        for position, carried in enumerate(CARRIED):
            if module in carried:
                with pytest.raises(BadInput, match=f"^expander x: PM{module} on it is not"):
                    clearing.check_at_rest(BUILT, memory, lines, position, "expander x")
            else:
                clearing.check_at_rest(BUILT, memory, lines, position, "expander x")
