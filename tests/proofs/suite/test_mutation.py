"""The proofs kill mutants, and say so when they do not."""

import pytest

from proofs.suite import equivalent_mutants, mutants, mutation
from proofs.suite.mutants import Mutant
from proofs.suite.mutation import Cost, Fate, Hunt, Score

FOUND = {mutant.name: mutant for file in mutants.files() for mutant in mutants.mutants(file)}


def judged(mutant: Mutant, *obligations: str) -> Fate:
    return Hunt({}).fate(mutant, [(name, mutation.LEAST_GLANCE) for name in obligations])


def test_the_argued_ones_exist_are_few_and_not_shown() -> None:
    assert set(equivalent_mutants.ARGUED) <= set(FOUND)
    assert len(equivalent_mutants.ARGUED) <= 0.03 * len(FOUND)
    assert not any(equivalent_mutants.shown(FOUND[name]) for name in equivalent_mutants.ARGUED)


@pytest.mark.parametrize(
    "name",
    [
        "rule.least: a < b: LtE",
        "offer.raise_: most(ops, offer.promise_w, offer_w): arguments 2, 3",
        "offer.hold: staying(ops, live[gun], target[gun]): arguments 2, 3",
        "diagnosis.locked: 0 becomes -1",
        "diagnosis.tally: least(ops, before, limit): arguments 2, 3",
        "switching.step: ops.and_(wants, latch, settled_ms >= timing.contactor_operate_ms): without"
        " term 1",
    ],
)
def test_what_changes_nothing_is_shown(name: str) -> None:
    assert equivalent_mutants.shown(FOUND[name])


@pytest.mark.parametrize(
    "name",
    [
        "rule.least: a < b: GtE",
        "rule.take: grant_w > reached_w: GtE",
        "guard.at_most_one: count <= 1: Lt",
        "switching.step: wanted(ops, target, locked, stop): arguments 2, 3",
        "diagnosis.same: ops.or_(ops.and_(a, b), ops.not_(ops.or_(a, b))): and_",
    ],
)
def test_what_changes_something_is_not(name: str) -> None:
    assert not equivalent_mutants.shown(FOUND[name])


def test_equal_changes_in_one_place_are_judged_one_by_one() -> None:
    """A reason on the list excuses one mutant, not its namesakes."""
    zeros = [mutant for name, mutant in FOUND.items() if "guard.powers: 0 becomes 1" in name]
    fates = [judged(mutant, "guard.delivered-within-means") for mutant in zeros]
    assert [fate.state for fate in fates] == [mutation.KILLED, mutation.ARGUED, mutation.KILLED]


def test_a_mutant_is_killed_and_the_shipped_file_is_not() -> None:
    broken = next(mutant for name, mutant in FOUND.items() if "PINS_PER_PORT: Sub" in name)
    assert judged(broken, "wiring.places").by == "wiring.places"
    shipped = (mutants.folder() / "wiring.py").read_text("utf-8")
    whole = broken._replace(source=shipped, within="")
    assert judged(whole, "wiring.places").state == mutation.SURVIVES
    assert mutation.gaps([Score("wiring", (judged(whole, "wiring.places"),))])


def test_the_best_and_nearest_obligations_are_tried_first() -> None:
    names = ("rule.no-waste", "guard.sorted-order", "rule.limit-is-kept", "guard.at-most-one")
    hunter = Hunt({name: Cost(len(name), 0) for name in names})
    mutant = FOUND["guard.at_most_one: count <= 1: Lt"]
    assert hunter.order(mutant)[0][0] == "guard.at-most-one"
    hunter._kills["guard.at_most_one", "guard.sorted-order"] += 1
    assert hunter.order(mutant)[0][0] == "guard.sorted-order"


def test_what_a_glance_leaves_open_is_not_killed() -> None:
    """With resources for nothing, the shipped file is not decided at a glance; then it survives."""
    shipped = (mutants.folder() / "switching.py").read_text("utf-8")
    whole = Mutant("switching", "", "nothing", 1, shipped)
    fate = Hunt({}).fate(whole, [("switching.one-gun-at-most", 1)])
    assert (fate.state, fate.by) == (mutation.SURVIVES, "")


def test_a_mutant_that_ends_the_process_is_noticed() -> None:
    shipped = (mutants.folder() / "wiring.py").read_text("utf-8")
    deadly = Mutant("wiring", "", "exit", 1, f"{shipped}\nimport os\nos._exit(3)\n")
    assert judged(deadly, "wiring.places").by == "crash"
    assert judged(deadly, "wiring.places").state == mutation.KILLED


def test_lists_of_another_shape_are_not_the_same() -> None:
    assert equivalent_mutants._flat([[1], [2]]) != equivalent_mutants._flat([[1, 2], []])
